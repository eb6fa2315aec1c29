"""The two scripted opponents, with their weaknesses.

Follows AI_SDK/Python/action1.py and action2.py (AgentBench.old/src/tasks/card_game of THUDM/AgentTuning
@ e33a45d7eab2b63cac4d1956da1e6377fca9fcc7). Upstream draws from the wall clock; here a seed decides. "First of a
shuffled list that ..." is a uniform choice among those that ..., which is how it is written here.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any, Protocol

from .fish import BENCHMARK_KINDS, EEL, FLAME, SPRAY, SUNFISH
from .sight import COUNTER, DEFLECT, Sight

PLAIN_ATTACK_CHANCE = 0.3
WORTH_KILLING = 70
"""Baseline 2 spends a single attack only on an enemy above this many points: an AOE finishes the others."""


class Chance(Protocol):
    """Where an opponent's choices come from."""

    def one_of(self, items: Sequence[int]) -> int:
        """One of the items, all equally likely."""
        ...

    def happens(self, probability: float) -> bool:
        """True with that probability."""
        ...


class Dice:
    """Choices from a seed. Uses nothing but `random()`, whose values never change between Python versions."""

    def __init__(self, seed: str):
        self._random = random.Random(seed).random

    def one_of(self, items: Sequence[int]) -> int:
        return items[int(self._random() * len(items))]

    def happens(self, probability: float) -> bool:
        return self._random() < probability


class Opponent:
    """Common part: the pick, and one reply per engine message."""

    def __init__(self, chance: Chance):
        self.chance = chance
        self.sight = Sight()

    def answer(self, message: dict[str, Any]) -> dict[str, Any]:
        """Reply to a Pick, Assert or Action message."""
        self.sight.update(message)
        if message["Action"] == "Pick":
            return {"Action": "Pick", "ChooseFishs": self.pick()}
        if message["Action"] == "Assert":
            return self.sight.guess_reply(*self.guess())
        return self.act()

    def pick(self) -> list[int]:
        """The four kinds in random order."""
        rest = list(BENCHMARK_KINDS)
        order = []
        while rest:
            order.append(self.chance.one_of(rest))
            rest.remove(order[-1])
        return order

    def guess(self) -> tuple[int, int]:
        """(position, id), position -1 for no guess."""
        raise NotImplementedError

    def act(self) -> dict[str, Any]:
        """The reply to an Action message."""
        raise NotImplementedError


class Baseline1(Opponent):
    """Plays at random, skills more often than plain attacks."""

    def guess(self) -> tuple[int, int]:
        return self.chance.one_of(self.sight.enemies()), self.chance.one_of(BENCHMARK_KINDS)

    def act(self) -> dict[str, Any]:
        sight, chance = self.sight, self.chance
        fish = chance.one_of(sight.friends())
        kind = sight.my_ids[fish]  # negative once exposed: upstream then knows no skill of it
        if chance.happens(PLAIN_ATTACK_CHANCE):
            return sight.attack_reply(fish, chance.one_of(sight.enemies()))
        if kind in (SPRAY, EEL):
            return sight.aoe_reply(fish)
        others = [p for p in sight.friends() if p != fish]
        if kind in (FLAME, SUNFISH) and others:
            return sight.infight_reply(fish, chance.one_of(others))
        return sight.attack_reply(fish, chance.one_of(sight.enemies()))


class Baseline2(Opponent):
    """Infers identities from what it sees (often wrongly), finishes weak enemies, prefers AOE."""

    def __init__(self, chance: Chance):
        super().__init__(chance)
        self.failed = [[False] * 5 for _ in range(4)]
        self.last = (-1, -1)
        self.skill_clue = [-1] * 4
        self.passive_clue = [-1] * 4

    def guess(self) -> tuple[int, int]:
        if not self.sight.my_guess:
            # Also before the first guess and after none: position -1 then marks the last fish's last kind.
            self.failed[self.last[0]][self.last[1]] = True
        self._collect_clues()
        choice = self._inferred()
        if choice is None:
            sight = self.sight
            positions = self._open_positions()
            kinds = [kind for kind in BENCHMARK_KINDS if kind not in sight.enemy_ids]
            if not positions:
                return -1, -1
            choice = self.chance.one_of(positions), self.chance.one_of(kinds)
        self.last = choice
        return choice

    def _open_positions(self) -> list[int]:
        return [p for p in self.sight.enemies() if self.sight.enemy_ids[p] == -1]

    def _collect_clues(self) -> None:
        deed, ids = self.sight.enemy_deed, self.sight.enemy_ids
        if deed.fish == -1 or ids[deed.fish] != -1:
            return
        if deed.is_skill:
            self.skill_clue[deed.fish] = 1 if deed.own_hits else 0
        for seen in (deed, self.sight.my_deed):
            for position, kind in zip(seen.positions, seen.types, strict=True):
                if ids[position] == -1 and kind in (COUNTER, DEFLECT):
                    self.passive_clue[position] = kind

    def _inferred(self) -> tuple[int, int] | None:
        positions = self._open_positions()
        for p in positions:
            if self.skill_clue[p] != -1 and self.passive_clue[p] != -1:
                return p, self.skill_clue[p] + 2 * self.passive_clue[p] + 1
        for p in positions:
            for k in (0, 1):
                if self.skill_clue[p] != -1 and not self.failed[p][kind := self.skill_clue[p] + 2 * k + 1]:
                    return p, kind
        for p in positions:
            for k in (0, 1):
                if (
                    self.passive_clue[p] != -1
                    and not self.failed[p][kind := k + 2 * self.passive_clue[p] + 1]
                ):
                    return p, kind
        return None

    def act(self) -> dict[str, Any]:
        sight, chance = self.sight, self.chance
        friends, enemies = sight.friends(), sight.enemies()
        strongest = max(sight.my_atk[p] for p in friends)
        strong = chance.one_of([p for p in friends if sight.my_atk[p] == strongest])
        weak = min(enemies, key=lambda p: sight.enemy_hp[p])
        if strongest * 0.5 >= sight.enemy_hp[weak] > WORTH_KILLING:
            return sight.attack_reply(strong, weak)
        hidden = [p for p in friends if sight.my_ids[p] in (SPRAY, EEL)]
        if len(enemies) >= 2 and hidden:
            return sight.aoe_reply(chance.one_of(hidden))
        last = sight.enemy_deed.fish
        return sight.attack_reply(strong, last if last in enemies else chance.one_of(enemies))


OPPONENTS: dict[str, type[Opponent]] = {"baseline1": Baseline1, "baseline2": Baseline2}
