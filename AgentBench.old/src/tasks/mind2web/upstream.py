"""results.json of upstream from our metrics (AgentBench.old/src/tasks/mind2web/task.py @ e33a45d)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

NAMES = {"element_acc": "element_acc", "action_f1": "action_f1", "step_sr": "step_sr_paper"}


def results(metrics: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Upstream's names, percent as there. Its two lists of numbers per step are in records.jsonl of the run folder.

    Args:
        metrics: `metrics` of scores.json (percent).
    """
    return {"score": {theirs: metrics[ours]["value"] for theirs, ours in NAMES.items() if ours in metrics}}
