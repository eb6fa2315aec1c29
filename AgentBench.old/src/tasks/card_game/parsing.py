"""Reads a guess or a move out of a model's reply. Nothing a reply contains can raise from here.

PAPER follows AI_SDK/Python/AI_En.py (AgentBench.old/src/tasks/card_game of THUDM/AgentTuning
@ e33a45d7eab2b63cac4d1956da1e6377fca9fcc7); KIT is our own reading, without its traps.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

NAMES = ("spray", "flame", "eel", "sunfish")
"""The model's fish by position; also the identities it can guess."""

PLACES = {name: position for position, name in enumerate(NAMES)} | {str(p): p for p in range(4)}
AREA = ("spray", "eel")
INFIGHT = ("flame", "sunfish")

MOST_OBJECTS = 200
"""Objects of one reply that profile kit looks at."""


@dataclass(frozen=True)
class Order:
    """A move that can be played. kind: "attack", "aoe" or "infight"; target: an enemy's or a friend's position."""

    kind: str
    fish: int
    target: int = 0


@dataclass(frozen=True)
class Grammar:
    """How replies are read.

    Attributes:
        guess: (reply, living enemies) -> (position, identity 1..4) or None.
        move: (reply, own living, living enemies) -> Order or None.
    """

    guess: Callable[[str, Sequence[int]], tuple[int, int] | None]
    move: Callable[[str, Sequence[int], Sequence[int]], Order | None]


def has_object(reply: str) -> bool:
    """Whether the reply holds anything in braces: tells an illegal answer from one without any form."""
    return re.search(r"\{[^{}]*\}", reply) is not None


# -- profile paper -----------------------------------------------------------------------------------------------------


def braced(reply: str) -> Iterator[Any]:
    """JSON values of the shortest {...} pieces, with every ' turned into \"."""
    end = 0
    while (start := reply.find("{", end)) >= 0 and (end := reply.find("}", start) + 1) > 0:
        try:
            yield json.loads(reply[start:end].replace("'", '"'))
        except (ValueError, RecursionError):
            continue


def decode_guess(reply: str, enemies: Sequence[int]) -> dict[str, Any] | None:
    """First acceptable object of a reply, target_position turned into text as upstream does."""
    for given in braced(reply):
        try:
            target = str(given["target_position"])
            right = given["guess_type"] in NAMES and target in ("0", "1", "2", "3") and int(target) in enemies
        except (KeyError, TypeError, ValueError, RecursionError):
            continue
        if right:
            return {**given, "target_position": target}
    return None


def decode_move(reply: str, friends: Sequence[int], enemies: Sequence[int]) -> dict[str, Any] | None:
    """First acceptable object of a reply, target_position turned into text ("0" for an AOE by name)."""
    for given in braced(reply):
        try:
            fish, active = given["pick_fish"], given["action"] == "active"
            if given["action"] not in ("normal", "active"):
                continue
            target = str(given["target_position"])
            if fish in AREA and active:
                target = "0"
            elif int(target) not in enemies:
                continue
            place = PLACES[fish]
            mistaken = fish in INFIGHT and active and (int(target) == place or int(target) not in friends)
        except (KeyError, TypeError, ValueError, RecursionError):
            continue
        if place in friends and not mistaken:
            return {**given, "target_position": target}
    return None


def paper_guess(reply: str, enemies: Sequence[int]) -> tuple[int, int] | None:
    found = decode_guess(reply, enemies)
    return None if found is None else (int(found["target_position"]), NAMES.index(found["guess_type"]) + 1)


def paper_move(reply: str, friends: Sequence[int], enemies: Sequence[int]) -> Order | None:
    """None also for flame and sunfish called by number with their skill: upstream's SDK refuses those."""
    found = decode_move(reply, friends, enemies)
    if found is None:
        return None
    fish, target = PLACES[found["pick_fish"]], int(found["target_position"])
    if found["action"] == "normal":
        return Order("attack", fish, target)
    if found["pick_fish"] in INFIGHT:
        return Order("infight", fish, target)
    return Order("aoe", fish) if NAMES[fish] in AREA else None


PAPER = Grammar(paper_guess, paper_move)


# -- profile kit -------------------------------------------------------------------------------------------------------


def objects(reply: str) -> Iterator[dict[str, Any]]:
    """Every JSON object of a reply, nested ones after those around them; the first MOST_OBJECTS braces count."""
    decoder = json.JSONDecoder()
    for _, brace in zip(range(MOST_OBJECTS), re.finditer(r"\{", reply), strict=False):
        try:
            value, _ = decoder.raw_decode(reply, brace.start())
        except (ValueError, RecursionError):
            continue
        if isinstance(value, dict):
            yield value


def place_of(value: Any) -> int | None:
    """A position 0..3 given as a number or a digit."""
    if isinstance(value, str):
        return int(value) if value.strip() in ("0", "1", "2", "3") else None
    return value if type(value) is int and 0 <= value <= 3 else None


def kit_guess(reply: str, enemies: Sequence[int]) -> tuple[int, int] | None:
    for given in objects(reply):
        position, kind = place_of(given.get("target_position")), given.get("guess_type")
        if position in enemies and position is not None and isinstance(kind, str) and kind.lower() in NAMES:
            return position, NAMES.index(kind.lower()) + 1
    return None


def kit_move(reply: str, friends: Sequence[int], enemies: Sequence[int]) -> Order | None:
    """An AOE needs no target; the target of an infight is an own living fish, whoever lives on the other side."""
    for given in objects(reply):
        fish_name, action = given.get("pick_fish"), given.get("action")
        fish = PLACES.get(fish_name.lower()) if isinstance(fish_name, str) else place_of(fish_name)
        target = place_of(given.get("target_position"))
        if fish is None or fish not in friends:
            continue
        if action == "normal" and target is not None and target in enemies:
            return Order("attack", fish, target)
        if action == "active" and NAMES[fish] in AREA:
            return Order("aoe", fish)
        if (
            action == "active"
            and NAMES[fish] in INFIGHT
            and target is not None
            and target in friends
            and target != fish
        ):
            return Order("infight", fish, target)
    return None


KIT = Grammar(kit_guess, kit_move)
