"""One episode: the Think/Action loop and everything that ends it.

Follows eval_heldout/science-world/eval.py @ e33a45d. It knows neither Java nor a server: the simulator and the
model come in as arguments, so tests can script both.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from agenttuning.episodes.types import Status
from agenttuning.models.types import ContextLimit, Message

from .context import CannotCut, TokenCounter, shorten
from .mapping import (
    UNKNOWN_COMMAND,
    clean,
    command_of,
    find_valid_action,
    is_action_failed,
    is_thought,
)
from .simulator import Turn

FAILURE_LIMIT = 10
LOOP_WINDOW = 5
CONTEXT_TOKENS = 4096
CONTEXT_RESERVE = 60


class Simulator(Protocol):
    """What the loop needs of a simulator (see simulator.Lab)."""

    def reset(self) -> Turn: ...

    def step(self, action: str) -> Turn: ...

    def task_description(self) -> str: ...


@dataclass(frozen=True)
class Prompt:
    """The fixed texts of a conversation.

    Attributes:
        system: system message, or None for none.
        init, init_ack: the instruction and the assistant's acknowledgement.
        new_task_prefix: opens the message that states the task to solve.
        cut_guard: beginning of that message by which the shortening rule knows it.
        think_observation: what the environment answers to a thought.
        demonstration: example messages, user first, of even length.
    """

    system: str | None
    init: str
    init_ack: str
    new_task_prefix: str
    cut_guard: str
    think_observation: str
    demonstration: list[Message]

    def opening(self, observation: str, description: str) -> list[Message]:
        """All messages before the first reply."""
        task = f"{self.new_task_prefix}{clean(observation)}\n{description}".strip()
        return [
            *([Message(role="system", content=self.system)] if self.system is not None else []),
            Message(role="user", content=self.init),
            Message(role="assistant", content=self.init_ack),
            *(Message(role=m["role"], content=m["content"]) for m in self.demonstration),
            Message(role="user", content=task),
        ]


@dataclass
class Episode:
    """Result of `play`.

    Attributes:
        score: 0..100, as upstream would write it.
        end: completed, move_limit, reply_limit, loop_stop, invalid_stop, negative_stop or context_stop.
        replies, thoughts, moves: replies of the model, those that were thoughts, moves of the simulator.
        commands: what was sent to the simulator, in order.
        unknown_commands: commands the simulator did not know.
        omitted: most messages left out of a prompt by the shortening rule.
    """

    score: float = 0.0
    end: str = ""
    replies: int = 0
    thoughts: int = 0
    moves: int = 0
    unknown_commands: int = 0
    omitted: int = 0
    commands: list[str] = field(default_factory=list)
    messages: list[Message] = field(default_factory=list)


STATUS = {
    "completed": Status.COMPLETED,
    "move_limit": Status.TURN_LIMIT,
    "reply_limit": Status.TURN_LIMIT,
    "loop_stop": Status.REPETITION,
    "invalid_stop": Status.INVALID_ACTION,
    "negative_stop": Status.COMPLETED,
    "context_stop": Status.CONTEXT_LIMIT,
}
"""How each end is reported. A negative stop is a completed task with the wrong object in focus."""

DETAIL = {
    "completed": "the simulator says the task is finished",
    "move_limit": "more moves than the limit",
    "reply_limit": "as many replies as the limit",
    "loop_stop": "only two different steps in the last five",
    "invalid_stop": "ten failed actions in a row",
    "negative_stop": "the wrong object was focused on; the score before it counts",
    "context_stop": "the prompt does not fit and nothing is left to remove",
}


def play(
    lab: Simulator,
    ask: Callable[[list[Message], list[Message]], str],
    prompt: Prompt,
    count: TokenCounter,
    move_limit: int = 100,
) -> Episode:
    """Play one episode.

    Args:
        lab: simulator with the variation loaded.
        ask: gets (whole conversation, what is to be sent) and returns the reply, already cut (mapping.cut_reply).
        count: tokens of a rendered prompt.
        move_limit: moves the simulator allows; the number of replies is limited to twice that.

    Raises:
        whatever `lab` and `ask` raise, except ContextLimit, which ends the episode as a context_stop.
    """
    episode = Episode()
    turn = lab.reset()
    messages = prompt.opening(turn.observation, lab.task_description())
    view = list(messages)
    history = ["look around"]
    failures = 0
    last_score = 0.0
    episode.messages = messages
    while not episode.end:
        try:
            view = shorten(
                view, prompt.cut_guard, count, CONTEXT_TOKENS - CONTEXT_RESERVE, prompt.system is not None
            )
            episode.omitted = max(episode.omitted, len(messages) - len(view))
            reply = ask(messages, view)
        except (CannotCut, ContextLimit):
            # Upstream dies here and loses the task's score file; the score reached so far is kept instead.
            episode.end = "context_stop"
            break
        episode.replies += 1
        done = False
        if is_thought(reply):
            episode.thoughts += 1
            step, observation = reply, prompt.think_observation
        else:
            step = find_valid_action(command_of(reply), turn.valid, turn.look, turn.inventory, history)
            turn = lab.step(step)
            episode.commands.append(step)
            episode.moves = turn.moves
            observation, done = clean(turn.observation), turn.done
            episode.unknown_commands += turn.observation == UNKNOWN_COMMAND
            failures = failures + 1 if is_action_failed(turn.observation) else 0
            if failures >= FAILURE_LIMIT:
                episode.end = "invalid_stop"
            elif turn.score < 0:
                episode.score, episode.end = last_score, "negative_stop"
            else:
                episode.score = last_score = turn.score
        added = [Message(role="assistant", content=reply), Message(role="user", content=observation)]
        messages += added
        view += added
        history.append(f"({step}, {observation})")
        if episode.end:
            break
        if done:
            episode.end = "move_limit" if turn.moves > move_limit and turn.score < 100 else "completed"
        elif episode.replies >= 2 * move_limit:
            episode.end = "reply_limit"
        elif len(history) >= LOOP_WINDOW and len(set(history[-LOOP_WINDOW:])) == 2:
            episode.end = "loop_stop"
    return episode
