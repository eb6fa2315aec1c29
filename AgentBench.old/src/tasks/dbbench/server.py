"""A MariaDB server of our own: private data folder, Unix socket, no network, gone with the process that started it.

It never touches a server that is already there. Settings follow MySQL 8, which upstream ran, where MariaDB differs.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import pymysql

from agenttuning.episodes.types import EnvironmentFailure
from agenttuning.errors import KitError, MissingDependency

from .client import COLLATION, LimitedConnection, connect, error_text
from .guard import INSTALL_FAILED

PREFIX = "agenttuning-dbbench-"
UNFINISHED = "agenttuning-dbbench.new-"
LOCK = "owner.lock"
SOCKET = "s"
LONGEST_SOCKET_PATH = 100  # the kernel allows 107
SQL_MODE = "ONLY_FULL_GROUP_BY,NO_ZERO_IN_DATE,NO_ZERO_DATE,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION"
"""MySQL 8's default without STRICT_TRANS_TABLES: MariaDB's strictness refuses comparisons that MySQL's allows."""

ADDRESS_SPACE = 4 * 2**30
"""Bytes the server may map: a statement that wants more fails (or the server dies and is started again)."""

FILE_SIZE = 256 * 2**20
"""Bytes of any one file of the server. MariaDB 10.11 does not stop a CREATE TABLE ... SELECT of large texts when it is
killed: without this limit such a statement fills the disk."""

NO_SYNC = (
    "--loose-innodb-flush-method=nosync",
    "--loose-debug-no-sync",
    "--loose-sync-frm=0",
    "--loose-innodb-doublewrite=0",
    "--loose-innodb-use-native-aio=0",
)
"""The data is worth nothing after the episode, and syncs to disk took most of the time. "loose": a server that lacks
the option starts all the same."""

OLDEST = (10, 10)
"""First MariaDB with the uca1400 collations."""

INSTALL_HINT = "install it (Debian and Ubuntu: apt-get install mariadb-server-core)"


@dataclass(frozen=True)
class Programs:
    """Paths of the server and of the program that makes an empty data folder."""

    server: str
    install: str


def find_programs() -> Programs:
    """MariaDB on this machine. Raises MissingDependency when it is absent, too old, or is MySQL."""
    path = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin", "/usr/libexec"])
    server = shutil.which("mariadbd", path=path) or shutil.which("mysqld", path=path)
    install = shutil.which("mariadb-install-db", path=path) or shutil.which("mysql_install_db", path=path)
    if server is None or install is None:
        raise MissingDependency(
            "no MariaDB server (mariadbd, mariadb-install-db) on this machine", INSTALL_HINT
        )
    said = subprocess.run(
        [server, "--no-defaults", "--version"], capture_output=True, text=True, timeout=60
    ).stdout
    version = re.search(r"(\d+)\.(\d+)\.\d+-MariaDB", said)
    if version is None:
        raise MissingDependency(
            f"{server} is not MariaDB ({said.strip() or 'it prints no version'})", INSTALL_HINT
        )
    if (int(version[1]), int(version[2])) < OLDEST:
        raise MissingDependency(
            f"{server} is MariaDB {version[1]}.{version[2]}, older than 10.10", INSTALL_HINT
        )
    return Programs(server, install)


class Server:
    """The server of this process. Every method is safe to call from many threads.

    Args:
        statement_seconds: limit that the server itself puts on one statement.
    """

    def __init__(self, statement_seconds: float):
        self.statement_seconds = statement_seconds
        self.folder: Path | None = None
        self._guard: subprocess.Popen[bytes] | None = None
        self._lock_file: IO[str] | None = None
        self._starting = threading.RLock()

    @property
    def running(self) -> bool:
        """Whether the server was started and has not ended by itself."""
        return self._guard is not None and self._guard.poll() is None

    @property
    def socket(self) -> Path:
        """Path of the Unix socket. Raises EnvironmentFailure when the server is stopped."""
        if self.folder is None:
            raise EnvironmentFailure("the database server is stopped")
        return self.folder / SOCKET

    def start(self) -> None:
        """Start the server. Idempotent. Raises KitError with the server's own last words."""
        with self._starting:
            if self.running:
                return
            self.stop()
            programs = find_programs()
            remove_leftovers()
            self.folder, self._lock_file = _private_folder()
            try:
                self._launch(programs)
                self._wait_until_ready()
                self._self_test()
            except BaseException:
                self.stop()
                raise

    def revive(self) -> None:
        """Start the server anew if it has died. Raises EnvironmentFailure when it was stopped or will not start."""
        with self._starting:
            if self.folder is None:
                raise EnvironmentFailure("the database server is stopped")
            if not self.running:
                try:
                    self.start()
                except KitError as error:
                    raise EnvironmentFailure(str(error)) from error

    def restart(self, folder: Path | None) -> None:
        """Start anew a server that has got stuck, unless another thread did so since it lay in `folder`.

        Episodes that use it meanwhile fail with EnvironmentFailure and are tried again by the runner.
        """
        with self._starting:
            if folder is not None and self.folder == folder:
                self.stop()
                self.start()

    def stop(self) -> None:
        """Stop the server and remove its folder. Idempotent."""
        with self._starting:
            process, self._guard = self._guard, None
            if process is not None:
                assert process.stdin is not None
                process.stdin.close()  # the guard does the rest
                try:
                    process.wait(timeout=30)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
            if self.folder is not None:
                shutil.rmtree(self.folder, ignore_errors=True)
                self.folder = None
            if self._lock_file is not None:
                self._lock_file.close()
                self._lock_file = None

    @contextmanager
    def admin(self) -> Iterator[LimitedConnection]:
        """A connection with all rights. Raises EnvironmentFailure when the server does not answer."""
        try:
            connection = connect(self.socket, "root", "", 60)
            connection.autocommit(True)  # XA ROLLBACK is refused inside a transaction
            with connection.cursor() as cursor:
                cursor.execute("SET max_statement_time = 0")
        except pymysql.err.MySQLError as error:
            raise EnvironmentFailure(f"the database server does not answer: {error_text(error)}") from error
        try:
            yield connection
        finally:
            with suppress(pymysql.err.Error):
                connection.close()

    def _launch(self, programs: Programs) -> None:
        assert self.folder is not None
        common = ["--no-defaults", f"--datadir={self.folder / 'data'}", "--innodb-log-file-size=8M", *NO_SYNC]
        if os.geteuid() == 0:
            common.append("--user=root")  # mariadbd refuses to run as root unless told to
        job = {
            "folder": str(self.folder),
            "install": [
                programs.install,
                *common,
                "--auth-root-authentication-method=normal",
                "--skip-test-db",
                "--skip-name-resolve",
            ],
            "server": [programs.server, *common, *self._settings()],
            "address_space": ADDRESS_SPACE,
            "file_size": FILE_SIZE,
        }
        with (self.folder / "server.log").open("wb") as log:
            self._guard = subprocess.Popen(
                [sys.executable, "-I", str(Path(__file__).with_name("guard.py")), json.dumps(job)],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C at the terminal is for us; we then stop the server
                cwd=self.folder,
            )

    def _settings(self) -> list[str]:
        assert self.folder is not None
        return [
            f"--socket={self.folder / SOCKET}",
            f"--pid-file={self.folder / 'pid'}",
            f"--tmpdir={self.folder / 'tmp'}",
            f"--secure-file-priv={self.folder / 'tmp'}",
            "--skip-networking",
            "--skip-name-resolve",
            "--skip-symbolic-links",
            "--local-infile=0",
            "--character-set-server=utf8mb4",
            f"--collation-server={COLLATION}",
            "--group-concat-max-len=1024",
            "--lower-case-table-names=0",
            f"--sql-mode={SQL_MODE}",
            "--default-time-zone=+00:00",
            f"--max-statement-time={self.statement_seconds}",
            "--lock-wait-timeout=30",
            "--max-allowed-packet=1M",  # bounds every text value, and with it the memory of a row
            "--max-session-mem-used=256M",
            "--max-connections=200",
            "--performance-schema=OFF",
            "--skip-log-bin",
            "--innodb-flush-log-at-trx-commit=0",
            "--innodb-buffer-pool-size=32M",
            "--key-buffer-size=1M",
            "--aria-pagecache-buffer-size=8M",
            "--aria-log-file-size=64M",
        ]

    def _wait_until_ready(self) -> None:
        assert self._guard is not None
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            if self._guard.poll() is not None:
                step = "its installation" if self._guard.returncode == INSTALL_FAILED else "it"
                raise KitError(
                    f"the private database server did not start: {step} ended with: {self.last_words()}"
                )
            if self.socket.exists():
                with suppress(pymysql.err.MySQLError):
                    connect(self.socket, "root", "", 10).close()
                    return
            time.sleep(0.02)
        raise KitError(f"the private database server did not answer within 120 s: {self.last_words()}")

    def last_words(self) -> str:
        """The end of the server's log in one line."""
        if self.folder is None:
            return "no log"
        lines = (self.folder / "server.log").read_text(errors="replace").strip().splitlines()
        return " / ".join(lines[-3:]) or "an empty log"

    def _self_test(self) -> None:
        """The facts that decide scores. Raises KitError."""
        questions = {
            "MD5('a')": "0cc175b9c0f1b6a831c399e269772661",
            "@@collation_server": COLLATION,
            "@@collation_connection": COLLATION,
            "@@group_concat_max_len": 1024,
            "@@lower_case_table_names": 0,
            "'É' = 'e'": 1,
            "'a\u00a0b' = 'a b'": 1,
            "'a ' = 'a'": 0,
        }
        with self.admin() as connection, connection.cursor() as cursor:
            for question, expected in questions.items():
                cursor.execute(f"SELECT {question}")
                row: Any = cursor.fetchone()
                if row != (expected,):
                    raise KitError(
                        f"the database server answers SELECT {question} with {row}, not {expected!r}: scores would be wrong",
                        "use the MariaDB of Debian 12 or newer",
                    )


def _private_folder() -> tuple[Path, IO[str]]:
    """A new folder that only we can enter, and its lock, which says that its owner lives."""
    base = Path(tempfile.gettempdir())
    if len(str(base / f"{PREFIX}12345678" / SOCKET)) > LONGEST_SOCKET_PATH:
        base = Path("/tmp")
    unfinished = Path(tempfile.mkdtemp(prefix=UNFINISHED, dir=base))
    lock = (unfinished / LOCK).open("w")
    fcntl.flock(lock, fcntl.LOCK_EX)
    (unfinished / "tmp").mkdir()
    # Only now does it get the name that remove_leftovers looks for, so that it is never seen unlocked.
    folder = unfinished.with_name(PREFIX + unfinished.name.removeprefix(UNFINISHED))
    unfinished.rename(folder)
    return folder, lock


def remove_leftovers() -> None:
    """Remove folders of processes that died together with their guard. A folder in use is locked and left alone."""
    for base in {Path(tempfile.gettempdir()), Path("/tmp")}:
        for folder in base.glob(f"{PREFIX}*"):
            with suppress(OSError):
                if folder.is_symlink() or folder.stat().st_uid != os.geteuid():
                    continue
                with (folder / LOCK).open("r+") as lock:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    _kill_server_of(folder)
                    shutil.rmtree(folder, ignore_errors=True)


def _kill_server_of(folder: Path) -> None:
    """Kill the server of a dead owner's folder, if the process of its pid file really is that server."""
    with suppress(OSError, ValueError):
        pid = int((folder / "pid").read_text())
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        if f"--datadir={folder / 'data'}".encode() in words:
            os.kill(pid, signal.SIGKILL)
