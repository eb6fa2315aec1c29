"""The room's modules, and a way to play one sample with any player."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

from agenttuning.episodes.rooms import find_spec, load_task, room_module
from agenttuning.episodes.session import Session
from agenttuning.episodes.types import Outcome, Sample, Task
from agenttuning.models.scripted import ScriptedEndpoint

SPEC = find_spec("card_game")


def room(module: str) -> ModuleType:
    return room_module(SPEC, module)


def play(
    task: Task, sample: Sample, player: Callable[..., str] | None = None, sampling: str = "greedy"
) -> tuple[Outcome, Session]:
    endpoint = ScriptedEndpoint("test", player or task.oracle(sample))
    session = Session(endpoint, task.base_generation(sampling))
    return task.play(sample, session), session


@pytest.fixture
def task() -> Task:
    return load_task("card_game")


@pytest.fixture
def paper(mirror: Any) -> Task:
    return load_task("card_game", "paper")
