"""results.json of upstream from our metrics (AgentBench.old/src/tasks/dbbench/__init__.py @ e33a45d)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def results(metrics: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Accuracies as fractions under upstream's names, and its pair for the rounds.

    Args:
        metrics: `metrics` of scores.json (percent).
    """
    found: dict[str, Any] = {}
    for name, metric in metrics.items():
        if name.endswith("_accuracy"):
            found[name] = None if metric["value"] is None else metric["value"] / 100
    rounds = metrics.get("average_round")
    if rounds is not None:  # upstream's operator precedence makes it a pair: mean and count
        found["average_round"] = [rounds["value"], rounds["n"]]
    return found
