"""results.json of upstream from our metrics (AgentBench.old/src/tasks/os_interaction/task.py @ e33a45d)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def results(metrics: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Upstream's counts, per file and overall; the file names are ours.

    Args:
        metrics: `metrics` of scores.json (percent).
    """
    files = [
        {"file": name.removeprefix("file_"), **_counts(metric)}
        for name, metric in metrics.items()
        if name.startswith("file_")
    ]
    overall = _counts(metrics["accuracy_paper"]) if "accuracy_paper" in metrics else {}
    return {"score": {"files": files, "overall": overall}}


def _counts(metric: Mapping[str, Any]) -> dict[str, float | int]:
    total = int(metric["n"])
    passed = round(total * (metric["value"] or 0.0) / 100)
    return {"total": total, "pass": passed, "wrong": total - passed, "acc": passed / total if total else 0}
