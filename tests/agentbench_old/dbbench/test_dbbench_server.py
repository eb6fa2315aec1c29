"""The private server starts, is found correct, and is gone with its process, however that dies."""

from __future__ import annotations

import os
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from agenttuning.episodes.types import EnvironmentFailure
from agenttuning.errors import KitError, MissingDependency
from agenttuning.home import home

from .conftest import room

OWNER = """
import sys, time
from agenttuning.episodes.rooms import find_spec, room_module
server = room_module(find_spec("dbbench"), "server").Server(5)
server.start()
print(int((server.folder / "pid").read_text()), server._guard.pid, server.folder, flush=True)
time.sleep(600)
"""


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def until(condition: Callable[[], bool], seconds: float = 15) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.05)
    return False


@pytest.fixture
def owner(programs: Any, tmp_path: Path) -> Any:
    """A process of its own that owns a server, in a temporary folder of its own: (process, server, guard, folder)."""
    process = subprocess.Popen(
        [sys.executable, "-c", OWNER],
        stdout=subprocess.PIPE,
        text=True,
        cwd=home(),
        env={**os.environ, "TMPDIR": str(tmp_path)},
    )
    assert process.stdout is not None
    server, guard, folder = process.stdout.readline().split(maxsplit=2)
    yield process, int(server), int(guard), Path(folder.strip())
    process.kill()
    process.wait()
    process.stdout.close()


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_no_server_survives_its_process(owner: Any, how: signal.Signals) -> None:
    process, server, guard, folder = owner
    assert alive(server) and folder.is_dir()
    process.send_signal(how)
    process.wait(10)
    assert until(lambda: not alive(server) and not alive(guard) and not folder.exists())


def test_no_server_survives_when_the_guard_is_killed_too(owner: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    process, server, guard, folder = owner
    os.kill(guard, signal.SIGKILL)
    process.kill()
    process.wait(10)
    assert until(lambda: not alive(server))
    assert folder.is_dir()
    monkeypatch.setattr(room("server").tempfile, "tempdir", str(folder.parent))
    room("server").remove_leftovers()
    assert not folder.exists()


def test_leftovers_of_the_living_stay(owner: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    process, server, _, folder = owner
    monkeypatch.setattr(room("server").tempfile, "tempdir", str(folder.parent))
    foreign = folder.parent / "agenttuning-dbbench-without-lock"
    foreign.mkdir()
    room("server").remove_leftovers()
    assert alive(server) and folder.is_dir() and foreign.is_dir()


def test_folder_is_closed_to_others_and_removed_by_stop(programs: Any) -> None:
    server = room("server").Server(5)
    server.start()
    folder, pid = server.folder, int((server.folder / "pid").read_text())
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    server.start()
    assert server.folder == folder  # idempotent
    server.stop()
    server.stop()
    assert not folder.exists() and not alive(pid)
    with pytest.raises(EnvironmentFailure):
        server.revive()


def test_long_temporary_folder_still_gives_a_short_socket(
    programs: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deep = tmp_path / ("d" * 100)
    deep.mkdir()
    monkeypatch.setattr(room("server").tempfile, "tempdir", str(deep))
    server = room("server").Server(5)
    try:
        server.start()
        assert len(str(server.socket)) < 107
    finally:
        server.stop()


def test_dead_server_is_an_environment_failure_and_the_next_episode_gets_a_new_one(programs: Any) -> None:
    database, tables = room("database"), room("tables")
    server, locks = room("server").Server(5), database.NameLocks()
    table = tables.Table("t", ("A",), (("x",),))
    server.start()
    try:
        with (
            pytest.raises(EnvironmentFailure),
            database.episode_database(server, locks, table, suffix="", multi=True) as one,
        ):
            os.kill(int((server.folder / "pid").read_text()), signal.SIGKILL)
            one.execute("SELECT 1")
        with database.episode_database(server, locks, table, suffix="", multi=True) as two:
            assert two.execute("SELECT * FROM t").text == "[('x',)]"
    finally:
        server.stop()


def test_wrong_settings_are_found_at_start(programs: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    server = room("server").Server(5)
    settings = server._settings
    monkeypatch.setattr(server, "_settings", lambda: [*settings(), "--collation-server=utf8mb4_general_ci"])
    with pytest.raises(KitError, match="collation_server"):
        server.start()
    assert not server.running and server.folder is None


def test_server_that_cannot_start_says_why(programs: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    server = room("server").Server(5)
    monkeypatch.setattr(server, "_settings", lambda: ["--no-such-option"])
    with pytest.raises(KitError, match="no-such-option"):
        server.start()
    assert server.folder is None


def test_missing_server_names_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pymysql")
    monkeypatch.setattr(shutil, "which", lambda *a, **k: None)
    with pytest.raises(MissingDependency, match="mariadb-server-core"):
        room("server").find_programs()


def test_mysql_is_not_taken_for_mariadb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pymysql")
    fake = tmp_path / "mysqld"
    fake.write_text("#!/bin/sh\necho 'mysqld  Ver 9.7.4 for Linux on x86_64'\n")
    fake.chmod(0o755)
    monkeypatch.setattr(shutil, "which", lambda *a, **k: str(fake))
    with pytest.raises(MissingDependency, match="not MariaDB"):
        room("server").find_programs()


ORDINARY_USER = """
import os, sys
import pymysql
from agenttuning.episodes.rooms import find_spec, room_module
server = room_module(find_spec("dbbench"), "server").Server(5)
os.setgroups([]); os.setgid(65534); os.setuid(65534)
sys.executable = "/usr/bin/python3"  # ours may lie where that user cannot go
server.start()
print(os.stat(server.folder).st_uid, server.running)
server.stop()
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="the whole suite runs as an ordinary user already")
@pytest.mark.skipif(not Path("/usr/bin/python3").exists(), reason="needs the system's Python")
def test_server_runs_as_an_ordinary_user(programs: Any) -> None:
    done = subprocess.run(
        [sys.executable, "-c", ORDINARY_USER], capture_output=True, text=True, cwd=home(), timeout=60
    )
    assert done.stdout.split() == ["65534", "True"], done.stderr
