"""results.json of upstream from our metrics (AgentBench.old/src/tasks/webshop/__init__.py @ e33a45d)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

SCALES = {
    "reward": ("reward_paper", 100),
    "format_fail_rate": ("format_fail_rate", 100),
    "average_round": ("average_round", 1),
}


def results(metrics: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Upstream's names; reward and rate as fractions.

    Args:
        metrics: `metrics` of scores.json (percent).
    """
    found = {}
    for name, (ours, scale) in SCALES.items():
        if ours in metrics:
            value = metrics[ours]["value"]
            found[name] = None if value is None else value / scale
    return found
