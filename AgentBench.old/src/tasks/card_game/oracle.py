"""A strong scripted player: it knows the enemy's line-up and looks one move ahead with the real engine.

It reads the same messages as a model, in either profile, and answers in the same form.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from agenttuning.models.types import Message

from .combat import Clash
from .engine import Game
from .fish import BENCHMARK_KINDS, Fish
from .opponents import OPPONENTS, Dice, Opponent
from .parsing import AREA, NAMES, Order
from .sight import Sight

FISH_WORTH = 100
"""Health points that a living fish counts more than its health."""
WANDER = 0.5
"""Share of moves at which a variant other than 0 takes any of its CHOICES best moves."""
CHOICES = 4
VARIANTS = 400
"""Variants that are tried before a game counts as out of the oracle's reach."""


@dataclass(frozen=True)
class Board:
    """What an action prompt tells, by position."""

    my_hp: Sequence[int]
    my_atk: Sequence[int]
    enemy_hp: Sequence[int]


class Strategist:
    """Guesses from the known line-up, moves by one-move lookahead.

    Args:
        line_up: enemy ids by position.
        variant: 0 always takes the best move; others stray now and then, each in its own way.
    """

    def __init__(self, line_up: Sequence[int], variant: int = 0):
        self.line_up = line_up
        self.guessed: set[int] = set()
        self._stray = random.Random(f"variant {variant}").random if variant else None

    def guess(self, living: Sequence[int]) -> tuple[int, int]:
        """(position, id); an identity already known when none is left, which the game takes for no guess."""
        position = next((p for p in living if p not in self.guessed), living[0])
        self.guessed.add(position)
        return position, self.line_up[position]

    def move(self, board: Board) -> Order:
        """The move after which the balance of health is best."""
        ranked = sorted(self._orders(board), key=lambda order: -self._value(board, order))
        if self._stray and self._stray() < WANDER:
            return ranked[int(self._stray() * min(CHOICES, len(ranked)))]
        return ranked[0]

    def _orders(self, board: Board) -> list[Order]:
        friends = [p for p in range(4) if board.my_hp[p] > 0]
        orders = []
        for fish in friends:
            orders += [Order("attack", fish, p) for p in range(4) if board.enemy_hp[p] > 0]
            if NAMES[fish] in AREA:
                orders.append(Order("aoe", fish))
            else:
                orders += [Order("infight", fish, p) for p in friends if p != fish]
        return orders

    def _value(self, board: Board, order: Order) -> float:
        mine = [_fish(id, 0, p, board.my_hp[p]) for p, id in enumerate(BENCHMARK_KINDS)]
        theirs = [_fish(id, 1, p, board.enemy_hp[p]) for p, id in enumerate(self.line_up)]
        for fish, atk in zip(mine, board.my_atk, strict=True):
            fish.atk = atk
        clash = Clash((mine, theirs), mine[order.fish], lambda: 0.0)
        if order.kind == "attack":
            clash.attack(theirs[order.target])
        elif order.kind == "infight":
            clash.skill([order.target], [])
        else:
            clash.skill([], [fish.position for fish in theirs if not fish.dead])
        if all(fish.dead for fish in theirs):
            return float("inf")
        if all(fish.dead for fish in mine):
            return float("-inf")
        return _strength(mine) - _strength(theirs)


class Player:
    """The strategist behind a model's interface: conversation in, reply text out."""

    def __init__(self, strategist: Strategist):
        self.strategist = strategist

    def __call__(self, messages: Sequence[Message]) -> str:
        prompt = messages[-1]["content"]
        state = re.search(r'^\{"You".*\}$', prompt, re.MULTILINE)
        if state is None:
            living = re.search(r"\[[\d', ]+\]", prompt)
            if living is None:
                raise ValueError("neither a board nor a list of living fish in the message")
            position, kind = self.strategist.guess([int(digit) for digit in re.findall(r"\d", living[0])])
            return f"I know this one. {_text(guess_type=NAMES[kind - 1], target_position=str(position))}"
        order = self.strategist.move(read_board(state[0]))
        action = "normal" if order.kind == "attack" else "active"
        return _text(pick_fish=NAMES[order.fish], action=action, target_position=str(order.target))


def read_board(line: str) -> Board:
    """The board line of an action prompt."""
    state = json.loads(line)
    return Board(
        [int(fish["HP"]) for fish in state["You"]],
        [int(fish["ATK"]) for fish in state["You"]],
        [int(fish["HP"]) for fish in state["Enemy"]],
    )


def line_up_of(opponent: str, seed: str) -> list[int]:
    """Ids the opponent will pick."""
    return OPPONENTS[opponent](Dice(seed)).pick()


@lru_cache(maxsize=1024)
def winning_variant(opponent: str, seat: int, seed: str) -> int | None:
    """First variant of the strategist that wins this game, found by playing it; None if none of VARIANTS does."""
    for variant in range(VARIANTS):
        if _rehearse(OPPONENTS[opponent](Dice(seed)), seat, Strategist(line_up_of(opponent, seed), variant)):
            return variant
    return None


def _rehearse(enemy: Opponent, seat: int, strategist: Strategist) -> bool:
    """Whether the strategist wins when the engine asks him directly, without prompts and parsing."""
    game, sight = Game(), Sight()
    while not game.over:
        message = game.message()
        game.submit(enemy.answer(message) if game.turn != seat else _answer(strategist, sight, message))
    return game.winner == seat


def _answer(strategist: Strategist, sight: Sight, message: dict[str, Any]) -> dict[str, Any]:
    sight.update(message)
    if message["Action"] == "Pick":
        return {"Action": "Pick", "ChooseFishs": list(BENCHMARK_KINDS)}
    if message["Action"] == "Assert":
        return sight.guess_reply(*strategist.guess(sight.enemies()))
    order = strategist.move(Board(sight.my_hp, sight.my_atk, sight.enemy_hp))
    if order.kind == "attack":
        return sight.attack_reply(order.fish, order.target)
    return (
        sight.aoe_reply(order.fish) if order.kind == "aoe" else sight.infight_reply(order.fish, order.target)
    )


def _fish(id: int, side: int, position: int, hp: int) -> Fish:
    fish = Fish(id, side, position)
    fish.hp = hp
    fish.dead = hp <= 0
    return fish


def _strength(team: Sequence[Fish]) -> int:
    return sum(fish.hp + FISH_WORTH for fish in team if fish.hp > 0)


def _text(**values: str) -> str:
    return json.dumps(values)
