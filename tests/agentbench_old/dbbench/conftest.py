"""A real private MariaDB for the tests of this folder, and the room's modules."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from types import ModuleType
from typing import Any

import pytest

from agenttuning.episodes.rooms import find_spec, room_module
from agenttuning.errors import MissingDependency

STATEMENT_SECONDS = 1.5


def room(module: str) -> ModuleType:
    return room_module(find_spec("dbbench"), module)


@pytest.fixture(scope="session")
def programs() -> Any:
    pytest.importorskip("pymysql", reason="pymysql is not installed")
    try:
        return room("server").find_programs()
    except MissingDependency as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def server(programs: Any) -> Iterator[Any]:
    """A running server with a short statement limit, shared by the tests."""
    made = room("server").Server(STATEMENT_SECONDS)
    made.start()
    yield made
    made.stop()


Episode = Callable[..., AbstractContextManager[Any]]


@pytest.fixture
def episode(server: Any) -> Episode:
    """episode(name="T 1", columns=..., rows=..., multi=True): the database of one episode."""
    database, tables = room("database"), room("tables")
    locks = database.NameLocks()

    def make(
        name: str = "T 1",
        columns: tuple[str, ...] = ("A", "B"),
        rows: tuple[tuple[str, ...], ...] = (("x", "3"), ("y", "4")),
        multi: bool = True,
    ) -> Any:
        return database.episode_database(
            server, locks, tables.Table(name, columns, rows), suffix="[CUT]", multi=multi
        )

    return make
