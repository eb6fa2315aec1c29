"""The numbers of a run. Follows final_score of AgentBench.old/src/tasks/alfworld/task.py @ e33a45d."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from agenttuning.episodes.types import Metric, Scores, Status
from agenttuning.scores.intervals import proportion

from .parsing import TYPES

ENDS = {
    "turn_limits": Status.TURN_LIMIT,
    "repetitions": Status.REPETITION,
    "invalid_actions": Status.INVALID_ACTION,
    "context_limits": Status.CONTEXT_LIMIT,
}


def upstream_score(results: Sequence[int]) -> dict[str, Any]:
    """Upstream's results.json: games won, games counted and their quotient under two names; its error without any game."""
    if not results:
        return {"error": 1}
    won = sum(map(int, results))
    return {"completion": won, "total": len(results), "rate": won / len(results), "main": won / len(results)}


def scores_of(records: Sequence[dict[str, Any]], size: int) -> Scores:
    """Scores of a run, in percent, and counts.

    Args:
        records: finished games.
        size: games of the split. Those without a record count as lost in `success_rate_all` and nowhere else.
    """
    rewards = [float(record["reward"]) for record in records]
    kinds = [record["metrics"].get("type") for record in records]
    metrics = {
        "success_rate": proportion(rewards),
        "success_rate_all": proportion(rewards + [0.0] * (size - len(rewards))),
        "goal_rate": proportion([float(record["metrics"].get("goal_reached", False)) for record in records]),
    }
    for kind in TYPES.values():
        metrics[f"success_{kind}"] = proportion([r for r, k in zip(rewards, kinds, strict=True) if k == kind])
    metrics["won"] = Metric(math.fsum(rewards), len(records))
    for name, status in ENDS.items():
        count = sum(record["status"] == status for record in records)
        metrics[name] = Metric(float(count), len(records))
    for name in ("rounds", "mapped_commands", "invalid_commands"):
        values = [record["metrics"][name] for record in records if name in record["metrics"]]
        metrics[name] = Metric(math.fsum(values) / len(values) if values else None, len(values))
    notes = []
    robbed = sum(
        1
        for record, reward in zip(records, rewards, strict=True)
        if reward < record["metrics"].get("goal_reached", 0)
    )
    if robbed:
        notes.append(
            f"{robbed} games were won by a third equal reply: the paper's protocol counts them as lost, goal_rate as won"
        )
    if size > len(records):
        notes.append(
            f"{size - len(records)} of {size} games have no result: lost in success_rate_all, left out elsewhere"
        )
    return Scores("success_rate", metrics, notes)
