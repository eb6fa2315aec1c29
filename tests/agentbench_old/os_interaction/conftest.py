"""The room's modules, and a real Docker engine where there is one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import pytest

from agenttuning.containers import engine
from agenttuning.episodes.rooms import find_spec, room_module
from agenttuning.episodes.session import Session
from agenttuning.episodes.types import Outcome, Sample
from agenttuning.models.scripted import ScriptedEndpoint, replay

SPEC = find_spec("os_interaction")


def room(module: str) -> ModuleType:
    return room_module(SPEC, module)


@pytest.fixture(scope="session")
def client() -> Any:
    """A client of the engine; the test is skipped where there is none or the image cannot be built."""
    pytest.importorskip("docker.client", reason="the Python package docker is not installed")
    if reason := engine.problem():
        pytest.skip(reason)
    made = room("sandbox").connect()
    room("images").ensure(made)
    return made


def bash(*commands: str) -> list[str]:
    """Replies with one command each, and a last one that finishes."""
    return [*(f"Think: x\nAct: bash\n```bash\n{c}\n```" for c in commands), "Think: x\nAct: finish"]


def sample(**changes: Any) -> Sample:
    """A sample whose check passes when /ok is there."""
    record = {"description": "do it", "evaluation": {"check": "[ -e /ok ]"}, **changes}
    return room("data").sample_of("smoke", "smoke", 0, record)


Play = Callable[..., Outcome]


@pytest.fixture(scope="session")
def play(client: Any) -> Iterator[Play]:
    """play(replies, sample=...): one episode in a real sandbox, with short limits."""
    task = room("task").TASK(
        SPEC,
        "kit",
        {"pool": 1, "idle_seconds": 1.5, "command_seconds": 4, "script_seconds": 8, "disk_mb": 200, "memory_mb": 128, "pids": 64},
    )  # fmt: skip
    task.open()

    def one(replies: list[str], what: Sample | None = None) -> Outcome:
        session = Session(ScriptedEndpoint("replay", replay(replies)), task.base_generation("greedy"))
        outcome = task.play(what or sample(), session)
        outcome.metrics["transcript"] = session.transcript
        return outcome

    yield one
    task.close()
