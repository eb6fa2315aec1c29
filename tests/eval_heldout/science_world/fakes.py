"""A scripted simulator with the calls of simulator.Lab, and the room's modules under short names."""

from __future__ import annotations

from typing import Any

from agenttuning.episodes.rooms import find_spec, room_module
from agenttuning.models.types import Message


def room(module: str) -> Any:
    return room_module(find_spec("science-world"), module)


class FakeLab:
    """Answers every command from `script` (observation, score, done); the last entry repeats.

    Each command costs one move; `done` is also set, as in the simulator, when the moves exceed the limit.
    """

    def __init__(
        self, *script: tuple[str, int, bool], valid: tuple[str, ...] = ("open box",), limit: int = 100
    ):
        self.script = script or (("fine", 0, False),)
        self.valid = valid
        self.limit = limit
        self.commands: list[str] = []

    def reset(self) -> Any:
        return self._turn("A lab.\n\ta box", 0, False)

    def step(self, action: str) -> Any:
        observation, score, done = self.script[min(len(self.commands), len(self.script) - 1)]
        self.commands.append(action)
        return self._turn(observation, score, done or len(self.commands) > self.limit)

    def task_description(self) -> str:
        return "Your task is to open the box."

    def _turn(self, observation: str, score: int, done: bool) -> Any:
        return room("simulator").Turn(
            observation, score, done, len(self.commands), "a box", "In your inventory: a key", self.valid
        )


def prompt(pairs: int = 2, system: str | None = None) -> Any:
    """A short prompt with a demonstration of so many user/assistant pairs."""
    demonstration = []
    for i in range(pairs):
        demonstration += [
            Message(role="user", content=f"E{i}"),
            Message(role="assistant", content=f"Action: e{i}"),
        ]
    return room("protocol").Prompt(system, "Rules.", "Yes.", "Next one.\n", "Next one.", "OK.", demonstration)


class Model:
    """Gives scripted replies, the last one again and again; keeps what it was sent."""

    def __init__(self, *replies: str):
        self.replies = replies
        self.sent: list[list[str]] = []

    def __call__(self, messages: list[Message], view: list[Message]) -> str:
        self.sent.append([m["content"] for m in view])
        return self.replies[min(len(self.sent), len(self.replies)) - 1]


def words(text: str) -> int:
    return len(text.split())


def play(lab: FakeLab, model: Any, *, text: Any = None, count: Any = words, limit: int = 100) -> Any:
    lab.limit = limit
    return room("protocol").play(lab, model, text or prompt(), count, limit)
