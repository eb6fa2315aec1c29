"""Players that need no model: the oracle, the nop player that gives the floor, and the replay of a record."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from agenttuning.models.types import Generation, Message, ModelError, Reply

NOP_REPLY = "AAAAA"
"""What upstream's do-nothing agent always answers (AgentBench.old/src/agent.py @ e33a45d)."""


class ScriptedEndpoint:
    """An endpoint that asks a Python function instead of a server.

    Args:
        name: shown in reports ("oracle", "nop", "replay").
        player: gets the conversation (a raw prompt comes as one user message), returns the reply text.
    """

    def __init__(self, name: str, player: Any):
        self.name = name
        self._player = player

    def chat(self, messages: list[Message], generation: Generation) -> Reply:
        return Reply(self._player(messages), prompt_tokens=0, completion_tokens=0)

    def generate(self, prompt: str, generation: Generation) -> Reply:
        return self.chat([{"role": "user", "content": prompt}], generation)

    def alive(self) -> bool:
        return True

    def info(self) -> dict[str, Any]:
        return {"model_id": self.name}

    def close(self) -> None:
        return


def nop(messages: list[Message]) -> str:
    """The do-nothing player."""
    return NOP_REPLY


def replay(replies: Iterable[str]) -> Any:
    """A player that gives recorded replies in order. Raises ModelError when the record is too short."""
    rest = iter(replies)

    def player(messages: list[Message]) -> str:
        for reply in rest:
            return reply
        raise ModelError(
            "the recorded episode has no further reply",
            "the protocol or the prompts changed since it was recorded",
        )

    return player
