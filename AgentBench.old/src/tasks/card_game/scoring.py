"""Win rate and the other numbers of a game.

Follows judger/cal_metric.py (AgentBench.old/src/tasks/card_game of THUDM/AgentTuning
@ e33a45d7eab2b63cac4d1956da1e6377fca9fcc7).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from agenttuning.episodes.types import Metric, Scores
from agenttuning.scores.intervals import mean, proportion

from .engine import Game
from .fish import MAX_HP

TEAM_HEALTH = 4 * MAX_HP


def tally(
    enemy_hp: Sequence[int], *, won: bool, at_fault: bool, rounds: int, try_times: int = 0
) -> dict[str, int]:
    """Upstream's numbers of a finished game.

    Args:
        enemy_hp: health of the enemy's fish at the end (before the reply that ended it by an error).
        won, at_fault: whether the model won; whether it ended the game by an error.
        rounds: phases played, the failed one included, plus one for a normal end.
        try_times: sum over the turns of the index of the attempt that counted.
    """
    return {
        "full_play": int(not at_fault),
        "try_times": try_times,
        "takedown": sum(hp <= 0 for hp in enemy_hp),
        "damage": sum(MAX_HP - max(hp, 0) for hp in enemy_hp),
        "win_round": int(won),
        "round_num": rounds,
        "test_times": 1,
    }


def tally_of(game: Game, seat: int, try_times: int) -> dict[str, int]:
    """The numbers of one of our games, which is over."""
    return tally(
        [fish.hp for fish in game.teams[1 - seat]],
        won=game.winner == seat,
        at_fault=any(fault["player"] == seat for fault in game.faults),
        rounds=game.state,
        try_times=try_times,
    )


def tally_replay(replay: Any, winner: int, seat: int) -> dict[str, int]:
    """The numbers of a replay in upstream's form; an unreadable one counts as no game at all (test_times 0)."""
    try:
        last = replay[-2]
        fish = {player["id"]: player["fight_fish"] for player in last["players"]}
        blamed = [fault["player"] for fault in last.get("errors", ())]
        hp = [one["hp"] for one in fish[1 - seat]]
    except (IndexError, KeyError, TypeError, AttributeError):
        return dict.fromkeys(
            ("full_play", "try_times", "takedown", "damage", "win_round", "round_num", "test_times"), 0
        )
    return tally(hp, won=winner == seat, at_fault=seat in blamed, rounds=len(replay) - 1)


def scores(records: Sequence[dict[str, Any]]) -> Scores:
    """Win rate in percent over all games, by opponent and by seat, and how the games went."""
    told = [record["metrics"] for record in records]

    def of(name: str, **where: Any) -> list[float]:
        return [float(m.get(name, 0)) for m in told if all(m.get(k) == v for k, v in where.items())]

    metrics: dict[str, Metric] = {"win_rate": proportion([float(r["reward"]) for r in records])}
    for opponent in ("baseline1", "baseline2"):
        metrics[f"win_rate_{opponent}"] = proportion(of("win_round", opponent=opponent))
    for seat, name in enumerate(("first", "second")):
        metrics[f"win_rate_moving_{name}"] = proportion(of("win_round", seat=seat))
    metrics["full_play"] = proportion(of("full_play"))
    metrics["damage_rate"] = mean([damage / TEAM_HEALTH for damage in of("damage")])
    metrics["takedown"] = _count(of("takedown"))
    metrics["rounds"] = _count(of("round_num"))
    metrics["extra_attempts"] = _count(of("extra_attempts"))
    metrics["failed_guesses"] = _count(of("failed_guesses"))
    return Scores("win_rate", metrics)


def _count(values: list[float]) -> Metric:
    """Mean of counts; games that are all alike tell no interval."""
    if len(set(values)) == 1:
        return Metric(values[0], len(values))
    return mean(values, scale=1.0)
