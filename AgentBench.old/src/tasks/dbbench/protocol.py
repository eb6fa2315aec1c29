"""The conversation of one episode: up to 15 SQL texts, then an answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from agenttuning.episodes.types import Status
from agenttuning.models.types import Message

from .parsing import Grammar, read_turn


@dataclass
class Conversation:
    """How an episode went.

    Attributes:
        messages: all turns, the last one is the model's.
        executed: SQL texts run, in order.
        observations: what they answered.
        answer: text after "Final Answer:", "" if there was none.
        status: completed, invalid_format or turn_limit.
        detail: one sentence on the end.
    """

    messages: list[Message]
    executed: list[str] = field(default_factory=list)
    observations: list[str] = field(default_factory=list)
    answer: str = ""
    status: Status = Status.COMPLETED
    detail: str = ""


def converse(
    opening: list[Message],
    reply: Callable[[list[Message]], str],
    execute: Callable[[str], str],
    *,
    grammar: Grammar,
    max_round: int,
) -> Conversation:
    """Play an episode. Follows `process` of AgentBench.old/src/tasks/dbbench/__init__.py @ e33a45d.

    An operation is run and its result sent back as it is; anything else ends the episode, and so does the reply after
    `max_round` executions, even if it is an operation.

    Args:
        opening: the first turns, ending with the user's.
        reply: asks the model.
        execute: runs SQL, returns the observation.
    """
    talk = Conversation(list(opening))
    while True:
        text = reply(talk.messages)
        talk.messages.append({"role": "assistant", "content": text})
        turn = read_turn(text, grammar)
        if turn.operation and len(talk.executed) < max_round:
            if turn.sql is None:
                talk.status = Status.INVALID_FORMAT
                talk.detail = "an operation without a closed SQL block"
                return talk
            talk.executed.append(turn.sql)
            talk.observations.append(execute(turn.sql))
            talk.messages.append({"role": "user", "content": talk.observations[-1]})
            continue
        if turn.answer is not None:
            talk.answer = turn.answer
            talk.detail = "answered"
        elif turn.operation:
            talk.status = Status.TURN_LIMIT
            talk.detail = f"no answer after {max_round} SQL texts"
        else:
            talk.status = Status.INVALID_FORMAT
            talk.detail = "neither an operation nor a final answer"
        return talk
