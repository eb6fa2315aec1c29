"""The room's modules, and an unpacked release made of our own games."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from agenttuning.episodes.rooms import find_spec, load_task, room_module

SPEC = find_spec("alfworld")


def room(module: str):
    """A module of the room."""
    return room_module(SPEC, module)


def write_release(folder: Path, games: list[str], **changes: str) -> None:
    """Game files at the paths of a list. Each is the smoke game of the same type; `changes` are replaced in its grammar."""
    task = load_task("alfworld")
    by_type = {sample.target: sample for sample in task.samples("smoke")}
    parsing = room("parsing")
    for game in games:
        kind = parsing.task_type(parsing.game_name(game))
        content, _ = task.game(by_type[kind])
        for old, new in changes.items():
            assert old in content["grammar"]
            content["grammar"] = content["grammar"].replace(old, new)
        path = folder / game
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps({**content, "solvable": True}))


@pytest.fixture
def std_games(mirror: Path) -> list[str]:
    """Paths of upstream's list std."""
    from agenttuning import sources

    return room("games").listed(sources.file("alfworld-std"))
