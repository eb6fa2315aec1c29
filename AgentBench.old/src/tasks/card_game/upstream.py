"""results.json of upstream from our metrics (AgentBench.old/src/tasks/card_game @ e33a45d)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def results(metrics: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Games won, games played and their quotient.

    Args:
        metrics: `metrics` of scores.json (percent).
    """
    rate = metrics["win_rate"]
    share = None if rate["value"] is None else rate["value"] / 100
    won = 0 if share is None else round(share * rate["n"])
    return {"score": {"win_round": won, "total_round": rate["n"], "win_rate": share}}
