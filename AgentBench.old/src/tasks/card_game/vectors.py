"""Adapters that run this room's code on recorded inputs of upstream's."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from .checks import Error
from .combat import Clash
from .engine import Game, Phase
from .fish import IMITATOR

PAGE = "card_game"


def engine_game(case: dict[str, Any]) -> dict[str, Any]:
    """A whole game reply by reply; numbers of evading fish come from the recording."""
    numbers = iter(case["input"].get("rand", ()))
    game = Game(lambda: next(numbers))
    wide = "rand" in case["input"]
    steps: list[list[Any]] = []
    before: Any = None
    for player, reply in case["input"]["replies"]:
        if game.over or player != game.turn:
            raise ValueError(f"reply {len(steps)} is not due")
        step: list[Any] = [int(game.phase), game.turn, game.state]
        acts = game.phase == Phase.ACTION
        _submit(game, reply)
        info = _info(game.last_clash[player]) if acts and not game.faults else None
        after = None if game.faults else [[_row(fish, wide) for fish in team] for team in game.teams]
        step += [info, "=" if after == before else after]
        before = after
        steps.append([*step, {"errors": game.faults}] if game.faults else step)
    if not game.over:
        raise ValueError("the recording ends before the game")
    found = {
        "steps": steps,
        "end_info": game.end_info(),
        "score": 0 if game.faults else 1 if game.winner == 0 else -1,
        "rounds": 0 if game.faults else 1,
        "replay_len": len(steps) + (1 if game.faults else 2),
    }
    if not game.faults:
        told = [game.finish(player) for player in (0, 1)]
        found["finish"] = [{key: t[key] for key in ("Result", "isStateLimitExceed")} for t in told]
    return found


def _submit(game: Game, reply: Any) -> None:
    if isinstance(reply, dict) and "__raw__" in reply:
        report = json.loads(reply["__raw__"]["content"])
        game.blame(report["player"], {0: Error.CRASHED, 1: Error.TIMEOUT}[report["error"]])
    else:
        game.submit(reply)


def _info(clash: Clash | None) -> dict[str, Any] | None:
    if clash is None:
        return None
    return {
        "skill": {"type": clash.kind, "isSkill": clash.kind != "normalattack", "targets": clash.targets},
        "hit": [
            [target, player, value, int(traced), time] for target, player, value, traced, time in clash.hits
        ],
        "passive": clash.passives,
        "ActionFish": clash.actor.position,
    }


def _row(fish: Any, wide: bool) -> list[int]:
    row = [fish.id, fish.hp, fish.shown_power, fish.shown_state, int(fish.exposed), fish.wound]
    if wide:
        row += [fish.buff, fish.used, fish.shell]
        if fish.id == IMITATOR:
            row.append(fish.kind)
    return row


ADAPTERS: dict[str, Callable[[dict[str, Any]], Any]] = {"engine_game": engine_game}
