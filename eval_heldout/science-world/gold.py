"""What can be reached: the simulator's own solution, replayed outside the protocol; and the player that follows it.

The gold path is made in a JVM of its own, because making it changes the simulator's random state. Replayed in a
fresh JVM the same commands gave the same score (30 of 30 first test episodes).
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from agenttuning.episodes.types import Player
from agenttuning.models.types import Message

from .mapping import find_valid_action
from .simulator import Lab, Turn


@dataclass(frozen=True)
class GoldStep:
    """One command of the gold path; plain: whether the mapper leaves it as it is where it is needed."""

    command: str
    plain: bool


@dataclass(frozen=True)
class Gold:
    """What is known of one variation.

    Attributes:
        path: the simulator's gold path.
        floor: score 0..100 before anything was done (several tasks reward the room the agent starts in).
        ceiling: score 0..100 the gold path reaches under the move limit.
        moves: moves it used.
        done: whether the simulator ended the replay (completed, or out of moves).
    """

    path: tuple[GoldStep, ...]
    floor: int
    ceiling: int
    moves: int
    done: bool


_locks: dict[tuple[str, int, str, int], threading.Lock] = defaultdict(threading.Lock)
_known: dict[tuple[str, int, str, int], Gold] = {}


def gold(task: str, variation: int, simplification: str, move_limit: int) -> Gold:
    """Gold path, floor and ceiling of a variation; worked out once per process (2 to 40 s).

    Raises:
        MissingDependency: no Java or no scienceworld.
        EnvironmentFailure: the JVM failed.
    """
    key = (task, variation, simplification, move_limit)
    with _locks[key]:
        if key not in _known:
            with Lab(task, variation, simplification, move_limit, gold_path=True) as lab:
                commands = lab.gold_path()
                lab.reload(task, variation, simplification)
                _known[key] = replay(lab.reset(), lab, commands)
        return _known[key]


def replay(start: Turn, lab: Lab, commands: Sequence[str]) -> Gold:
    """Run commands one after another until the simulator ends the episode; no mapper, no loop or failure rule."""
    turn, score = start, max(0, start.score)
    path: list[GoldStep] = []
    for number, command in enumerate(commands):
        history = ["look around", *("" for _ in range(number))]
        mapped = find_valid_action(command, turn.valid, turn.look, turn.inventory, history)
        path.append(GoldStep(command, mapped == command))
        turn = lab.step(command)
        if turn.score >= 0:
            score = turn.score
        if turn.done:
            break
    return Gold(tuple(path), max(0, start.score), score, turn.moves, turn.done)


def unmapped(command: str) -> str:
    """A reply that reaches the simulator as `command` whatever the mapper's candidates are.

    The mapper prefers any valid action that shares a word with the reply, so about one gold command in ten
    would be turned into another one. With a dot after each word no word is shared, and the dots are deleted.
    """
    return " ".join(f"{word}." for word in command.split(" "))


def player(steps: Sequence[GoldStep]) -> Player:
    """A player that answers with one gold command per turn, and a thought where the loop rule would fire.

    The rule ends an episode whose last five steps are only two different ones (four waits in a row, say); a
    numbered thought before every command that was among the last three keeps gold paths below it.
    """
    sent = 0
    thought = False

    def play(messages: list[Message]) -> str:
        nonlocal sent, thought
        if sent >= len(steps):
            return "Think: every step of the plan is done."
        step = steps[sent]
        if not thought and step.command in [s.command for s in steps[max(0, sent - 3) : sent]]:
            thought = True
            return f"Think: {sent} of {len(steps)} steps are done."
        sent, thought = sent + 1, False
        return f"Action: {step.command if step.plain else unmapped(step.command)}"

    return play
