"""The Aquawar referee: phases, guesses, actions, the end of the game, and the messages to both players.

Follows aqua_sdk.cpp and game.cpp (AgentBench.old/src/tasks/card_game/logic/src of THUDM/AgentTuning
@ e33a45d7eab2b63cac4d1956da1e6377fca9fcc7) in one process and without its sockets, threads and clocks.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from enum import IntEnum
from typing import Any

from . import checks
from .checks import Error, Refused
from .combat import Clash, Team
from .fish import Fish

STATE_LIMIT = 128
GUESS_DAMAGE = 50

Message = dict[str, Any]
"""A protocol message, JSON-serialisable, with upstream's keys."""


class Phase(IntEnum):
    """What is asked for next, numbered as in upstream's replay."""

    PICK = 2
    ASSERT = 3
    ACTION = 4


class Game:
    """One game. Ask `message()` for what the player `turn` is told, give the answer to `submit()`, until `over`.

    Args:
        draw: uniform numbers of [0, 1) for fish that evade; games of the benchmark's four kinds never ask.

    Attributes:
        phase, turn, state: what is asked, of whom, upstream's phase counter (1 at the first pick).
        teams: fish of both players, empty before the pick.
        winner: 0 or 1 when the game is over; None also when both sides are blamed.
        faults: upstream's error records; not empty when the game ended by an error.
        limit_reached: the phase limit decided.
        last_clash: each player's latest action.
        last_guess: the latest guess of either player as told to both, None before the first guess phase.
    """

    def __init__(self, draw: Callable[[], float] = random.random):
        self.draw = draw
        self.phase = Phase.PICK
        self.turn = 0
        self.state = 1
        self.teams: list[Team] = [[], []]
        self.over = False
        self.winner: int | None = None
        self.faults: list[dict[str, int]] = []
        self.limit_reached = False
        self.last_clash: list[Clash | None] = [None, None]
        self.last_guess: Message | None = None

    # -- replies ---------------------------------------------------------------------------------------------------

    def submit(self, reply: Any) -> None:
        """Take the reply of player `turn`: a JSON value, or raw text. An invalid one ends the game."""
        if self.over:
            raise ValueError("the game is over")
        try:
            if isinstance(reply, str):
                reply = _parsed(reply)
            if self.phase == Phase.PICK:
                ids, imitates = checks.pick(reply)
                self.teams[self.turn] = [Fish(id, self.turn, i, imitates) for i, id in enumerate(ids)]
            elif self.phase == Phase.ASSERT:
                self._guess(checks.guess(reply, self.teams[1 - self.turn]))
            else:
                self._act(checks.action(reply, self.teams, self.turn))
        except Refused as refused:
            self.blame(self.turn, refused.error, **refused.extra)
        else:
            self._next()

    def blame(self, player: int, error: Error, **extra: int) -> None:
        """End the game by an error of one player (his process died, ran out of time, or sent nonsense)."""
        self.over = True
        self.winner = 1 - player
        self.faults = [{"player": player, "type": int(error), **extra}]

    def blame_both(self) -> None:
        """End the game without a winner: the frame around the replies was unreadable."""
        self.over = True
        self.winner = None
        self.faults = [{"player": player, "type": int(Error.JUDGER)} for player in (0, 1)]

    def _guess(self, guess: tuple[int, int] | None) -> None:
        if guess is None:
            self.last_guess = {"AssertPos": None, "AssertContent": None, "AssertResult": None}
            return
        position, fish_id = guess
        theirs = self.teams[1 - self.turn]
        right = theirs[position].id == fish_id
        if right:
            theirs[position].exposed = True
        damage = GUESS_DAMAGE if right else 0
        for fish in theirs if right else self.teams[self.turn]:
            fish.touched = True
            fish.hp = fish.hp - damage if fish.hp >= damage else 0
            if fish.hp <= 0:
                fish.dead = True
        self.last_guess = {"AssertPos": position, "AssertContent": fish_id, "AssertResult": right}

    def _act(self, move: checks.Move) -> None:
        clash = Clash(self.teams, self.teams[self.turn][move.position], self.draw)
        if move.target is not None:
            clash.attack(self.teams[1 - self.turn][move.target])
        else:
            clash.skill(move.friends, move.enemies)
        self.last_clash[self.turn] = clash

    # -- the course of the game ------------------------------------------------------------------------------------

    def _next(self) -> None:
        self.state += 1
        if self.state > STATE_LIMIT:
            self.limit_reached = True
            self._end(self._stronger())
        elif self.phase == Phase.PICK:
            if self.turn == 1:
                self.phase = Phase.ASSERT
            self.turn = 1 - self.turn
        else:
            wiped = [all(fish.dead for fish in team) for team in self.teams]
            if any(wiped):
                self._end(self.turn if all(wiped) else wiped.index(False))
            elif self.phase == Phase.ASSERT:
                self.phase = Phase.ACTION
            else:
                self.phase = Phase.ASSERT
                self.turn = 1 - self.turn

    def _end(self, winner: int) -> None:
        self.over = True
        self.winner = winner

    def _stronger(self) -> int:
        """Winner at the phase limit: more fish, more points, the healthiest fish, else who moved second."""
        points = [[max(0, fish.hp) for fish in team] for team in self.teams]
        for measure in (lambda hp: sum(h > 0 for h in hp), sum, max):
            mine, theirs = (measure(hp) for hp in points)
            if mine != theirs:
                return 0 if mine > theirs else 1
        return 1

    # -- messages --------------------------------------------------------------------------------------------------

    def message(self) -> Message:
        """What player `turn` is told before he replies."""
        player = self.turn
        if self.phase == Phase.PICK:
            return {"Action": "Pick", "RemainFishs": list(range(1, 13)), "FirstMover": int(player == 0)}
        if self.phase == Phase.ASSERT:
            return {
                "Action": "Assert",
                "EnemyAssert": self.last_guess,
                "EnemyAction": self._told(1 - player, player),
                "MyAction": self._told(player, player),
                "GameInfo": self._board(player),
            }
        return {"Action": "Action", "AssertReply": self.last_guess, "GameInfo": self._board(player)}

    def finish(self, player: int) -> Message:
        """What a player is told at a normal end; no reply is awaited."""
        told: Message = {
            "Action": "Finish",
            "Result": "Win" if self.winner == player else "Lose",
            "isStateLimitExceed": self.limit_reached,
        }
        after_guess = self.phase == Phase.ASSERT
        if player == self.turn:
            told |= {"MyAssert": self.last_guess} if after_guess else {"MyAction": self._told(player, player)}
        else:
            told["EnemyAssert"] = self.last_guess
            told["EnemyAction"] = None if after_guess else self._told(1 - player, player)
            told["MyAction"] = self._told(player, player)
        return told

    def end_info(self) -> dict[str, int]:
        """Upstream's result: 100 for the winner, 0 for everybody else."""
        return {str(player): 100 if self.winner == player else 0 for player in (0, 1)}

    def _told(self, actor: int, receiver: int) -> Message | None:
        clash = self.last_clash[actor]
        return None if clash is None else clash.info(receiver)

    def _board(self, player: int) -> Message:
        mine, theirs = self.teams[player], self.teams[1 - player]
        return {
            "EnemyFish": [fish.id if fish.exposed else -1 for fish in theirs],
            "EnemyHP": [0 if fish.dead else fish.hp for fish in theirs],
            "MyFish": [-fish.id if fish.exposed else fish.id for fish in mine],
            "MyHP": [0 if fish.dead else fish.hp for fish in mine],
            "MyATK": [fish.shown_power for fish in mine],
        }


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Refused(Error.PARSE) from error
