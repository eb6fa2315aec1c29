"""results.json of upstream from our metrics (AgentBench.old/src/tasks/knowledgegraph/task.py @ e33a45d)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

NAMES = {
    "main": "f1_upstream",
    "F1": "f1_upstream",
    "EM": "em_upstream",
    "executability": "executability_upstream",
}


def results(metrics: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Upstream's names as fractions.

    Args:
        metrics: `metrics` of scores.json (percent).
    """
    values = {theirs: metrics[ours]["value"] for theirs, ours in NAMES.items() if ours in metrics}
    return {name: None if value is None else value / 100 for name, value in values.items()}
