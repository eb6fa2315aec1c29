"""What the engine accepts as a reply, and upstream's error numbers for everything else.

Follows the three message checkers of aqua_sdk.cpp (AgentBench.old/src/tasks/card_game/logic/src of THUDM/AgentTuning
@ e33a45d7eab2b63cac4d1956da1e6377fca9fcc7), check by check in its order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

from .combat import Team, skill_error
from .fish import IMITATOR


class Error(IntEnum):
    """Why a reply ends the game, numbered as in upstream's replay."""

    JUDGER = 0
    PARSE = 1
    CRASHED = 2
    TIMEOUT = 3
    TYPE = 4
    KEY_MISSING = 5
    VALUE = 6
    RANGE = 7
    CHOICE_REPEAT = 8
    FINISH_REPEAT = 9
    PICK_NUMBER = 10
    PICK_DEAD_FISH = 11
    ASSERT_DEAD = 12
    ASSERT_EXPOSED = 13
    ACTION_WITH_DEAD_FISH = 14
    ACTION_RULES = 15


@dataclass
class Refused(Exception):
    """A reply that loses the game for who sent it. `extra`: further keys of upstream's error record."""

    error: Error
    extra: dict[str, int] = field(default_factory=dict)


def pick(reply: Any) -> tuple[list[int], int | None]:
    """(four fish ids, imitated id or None). Raises Refused."""
    _require(reply, ("Action", "ChooseFishs"), {"Action": str, "ChooseFishs": list})
    _worded(reply, "Pick")
    if len(reply["ChooseFishs"]) != 4:
        raise Refused(Error.PICK_NUMBER)
    ids = _numbers(reply["ChooseFishs"], 1, 12)
    if IMITATOR not in ids:
        return ids, None
    if "ImitateFish" not in reply:
        raise Refused(Error.KEY_MISSING)
    return ids, _within(_whole(reply["ImitateFish"]), 1, 11)


def guess(reply: Any, theirs: Team) -> tuple[int, int] | None:
    """(position, id), None for no guess. Raises Refused."""
    _require(reply, ("Action",), {"Action": str})
    _worded(reply, "Null", "Assert")
    if reply["Action"] == "Null":
        return None
    if "Pos" not in reply or "ID" not in reply:
        raise Refused(Error.KEY_MISSING)
    position, fish_id = _whole(reply["Pos"]), _whole(reply["ID"])
    _within(position, 0, 3)
    _within(fish_id, 1, 12)
    if theirs[position].dead:
        raise Refused(Error.ASSERT_DEAD)
    if theirs[position].exposed:
        raise Refused(Error.ASSERT_EXPOSED)
    return position, fish_id


@dataclass(frozen=True)
class Move:
    """An accepted action. target: the enemy of a normal attack, None for a skill; lists are sorted."""

    position: int
    target: int | None
    friends: Sequence[int] = ()
    enemies: Sequence[int] = ()


def action(reply: Any, teams: Sequence[Team], player: int) -> Move:
    """The move. Raises Refused."""
    if not isinstance(reply, dict):
        raise Refused(Error.TYPE)
    if "Type" not in reply:
        raise Refused(Error.KEY_MISSING)
    kind = _whole(reply["Type"])
    return _normal(reply, teams, player) if kind == 0 else _skill(reply, kind, teams, player)


def _normal(reply: dict[str, Any], teams: Sequence[Team], player: int) -> Move:
    _require(reply, ("Action", "MyPos", "EnemyPos"), {"Action": str, "MyPos": int, "EnemyPos": int})
    _worded(reply, "Action")
    mine, theirs = (_within(_whole(reply[key]), 0, 3) for key in ("MyPos", "EnemyPos"))
    if teams[player][mine].dead or teams[1 - player][theirs].dead:
        raise Refused(Error.ACTION_WITH_DEAD_FISH)
    return Move(mine, theirs)


def _skill(reply: dict[str, Any], kind: int, teams: Sequence[Team], player: int) -> Move:
    lists = {key: [] if reply.get(key) is None else reply[key] for key in ("MyList", "EnemyList")}
    _require(reply, ("Action", "MyPos"), {"Action": str, "MyPos": int})
    if not all(isinstance(given, list) for given in lists.values()):
        raise Refused(Error.TYPE)
    _worded(reply, "Action")
    if kind != 1:
        raise Refused(Error.RANGE)
    position = _within(_whole(reply["MyPos"]), 0, 3)
    friends, enemies = (sorted(_numbers(lists[key], 0, 3)) for key in ("MyList", "EnemyList"))
    mine, theirs = teams[player], teams[1 - player]
    if mine[position].dead or any(mine[p].dead for p in friends) or any(theirs[p].dead for p in enemies):
        raise Refused(Error.ACTION_WITH_DEAD_FISH)
    code = skill_error(teams, mine[position], friends, enemies)
    if code is not None:
        extra = {"actionfish": mine[position].id, "action_rules_error_type": code}
        raise Refused(Error.ACTION_RULES, extra)
    return Move(position, None, friends, enemies)


def _require(reply: Any, keys: Sequence[str], kinds: dict[str, type]) -> None:
    if not isinstance(reply, dict):
        raise Refused(Error.TYPE)
    if any(key not in reply for key in keys):
        raise Refused(Error.KEY_MISSING)
    for key, kind in kinds.items():
        if kind is int:
            _whole(reply[key])
        elif not isinstance(reply[key], kind):
            raise Refused(Error.TYPE)


def _worded(reply: dict[str, Any], *allowed: str) -> None:
    if reply["Action"] not in allowed:
        raise Refused(Error.VALUE)


def _whole(value: Any) -> int:
    """A whole number as upstream's JSON library sees it: 1.0 is one, true is not. Raises Refused."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if type(value) is not int or not -(2**31) <= value < 2**31:
        raise Refused(Error.TYPE)
    return value


def _within(value: int, low: int, high: int) -> int:
    if not low <= value <= high:
        raise Refused(Error.RANGE)
    return value


def _numbers(values: Sequence[Any], low: int, high: int) -> list[int]:
    seen: list[int] = []
    for value in values:
        number = _within(_whole(value), low, high)
        if number in seen:
            raise Refused(Error.CHOICE_REPEAT)
        seen.append(number)
    return seen
