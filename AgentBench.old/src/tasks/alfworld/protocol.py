"""One episode in a house: the model commands, the game answers, until the goal holds or something ends it.

Follows alfworld_run of AgentBench.old/src/tasks/alfworld/task.py @ e33a45d.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from agenttuning.episodes.types import Status
from agenttuning.models.types import Message

from .parsing import asked_for, nearest, shown, strictly_asked_for

REPEATS = 3
"""Equal replies in a row that end an episode."""


@dataclass(frozen=True)
class Moment:
    """What a game says after a command.

    Attributes:
        text: its feedback.
        commands: the commands it would accept next, in alphabetical order.
        won: whether the goal holds.
        done: whether the game is over.
    """

    text: str
    commands: list[str]
    won: bool = False
    done: bool = False


class Steppable(Protocol):
    """A running game."""

    def step(self, command: str) -> Moment:
        """Carry out a command. Raises EnvironmentFailure."""
        ...


@dataclass(frozen=True)
class Rules:
    """Where the profiles differ.

    Attributes:
        rounds: replies of the model.
        map_commands: send the most similar command instead of what was asked for.
        repeat_before_win: look for repeated replies before looking whether the goal holds, and only from the fourth reply on.
        invalid_in_a_row: commands the game does not know that end the episode; 0: never.
    """

    rounds: int
    map_commands: bool
    repeat_before_win: bool
    invalid_in_a_row: int = 0


@dataclass
class Visit:
    """How an episode went.

    Attributes:
        messages: all turns; the last is the game's.
        commands: what was sent to the game, by round.
        mapped: how many of them were not what the model asked for.
        invalid: how many the game did not know.
        won: whether the goal held at the end, whatever the protocol makes of it.
        success: whether the protocol counts it.
        status, detail: how it ended.
    """

    messages: list[Message]
    commands: list[str] = field(default_factory=list)
    mapped: int = 0
    invalid: int = 0
    won: bool = False
    success: bool = False
    status: Status = Status.TURN_LIMIT
    detail: str = ""


def visit(
    opening: list[Message],
    first: Moment,
    house: Steppable,
    reply: Callable[[list[Message]], str],
    rules: Rules,
    told: Callable[[str], None] = lambda text: None,
) -> Visit:
    """Play an episode.

    Args:
        opening: the first turns, ending with the user's.
        first: the game's state they describe.
        reply: asks the model.
        told: gets a remark for the transcript when the game is sent something else than the model asked for.

    Raises:
        EnvironmentFailure: the game broke.
    """
    seen = Visit(list(opening))
    now = first
    replies: list[str] = []
    in_a_row = 0
    for number in range(1, rules.rounds + 1):
        text = reply(seen.messages)
        replies.append(text)
        seen.messages.append({"role": "assistant", "content": text})
        asked = asked_for(text) if rules.map_commands else strictly_asked_for(text)
        command = nearest(asked, now.commands) if rules.map_commands else asked
        if command != asked:
            seen.mapped += 1
            told(f"sent to the game: {command}")
        known = command in now.commands
        seen.invalid += not known
        in_a_row = 0 if known else in_a_row + 1
        now = house.step(command)
        seen.commands.append(command)
        seen.messages.append({"role": "user", "content": shown(now.text)})
        seen.won = now.won
        repeated = len(replies) >= REPEATS and len(set(replies[-REPEATS:])) == 1
        if rules.repeat_before_win and repeated and number > REPEATS:
            return _ended(
                seen, Status.REPETITION, f"the same reply {REPEATS} times, the last in round {number}"
            )
        if now.done:
            seen.success = now.won
            state = "reached" if now.won else "lost"
            return _ended(seen, Status.COMPLETED, f"goal {state} in round {number}")
        if not rules.repeat_before_win and repeated:
            return _ended(
                seen, Status.REPETITION, f"the same reply {REPEATS} times, the last in round {number}"
            )
        if in_a_row == rules.invalid_in_a_row != 0:
            return _ended(seen, Status.INVALID_ACTION, f"{in_a_row} commands in a row the game does not know")
    return _ended(seen, Status.TURN_LIMIT, f"goal not reached in {rules.rounds} rounds")


def _ended(seen: Visit, status: Status, detail: str) -> Visit:
    seen.status = status
    seen.detail = detail
    return seen
