"""results.json of upstream from our metrics (AgentBench.old/src/tasks/alfworld/task.py @ e33a45d)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .scoring import upstream_score


def results(metrics: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Games won, games counted, and their quotient as a fraction.

    Args:
        metrics: `metrics` of scores.json (percent).
    """
    count = int(metrics["success_rate"]["n"])
    won = round(metrics["won"]["value"])
    return {"score": upstream_score([1] * won + [0] * (count - won))}
