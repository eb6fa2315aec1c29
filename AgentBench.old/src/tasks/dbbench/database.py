"""The database of one episode: a table of its own, a user with rights on nothing else, and limits."""

from __future__ import annotations

import hashlib
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

import pymysql

from agenttuning.episodes.types import EnvironmentFailure

from .client import (
    LOST,
    Answer,
    LimitedConnection,
    ServerGone,
    TooBig,
    connect,
    error_text,
    run_statement,
)
from .server import Server
from .tables import Table, quoted, state_hash

RIGHTS = (
    "SELECT, INSERT, UPDATE, DELETE, CREATE, DROP, REFERENCES, INDEX, ALTER, CREATE TEMPORARY TABLES, LOCK TABLES, "
    "EXECUTE, CREATE VIEW, SHOW VIEW, CREATE ROUTINE, ALTER ROUTINE, TRIGGER"
)

DATA_DEFECTS = frozenset({1059, 1060, 1064, 1074, 1102, 1103, 1118, 1136, 1166})
"""Errors of the table itself (two columns of one name, a row of another length, ...): the episode goes on without it,
as upstream's does."""

ACCESS_DENIED = 1045


class NameLocks:
    """One holder per database name: an episode's database has the plain name of its table, and names recur."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._taken: set[str] = set()

    @contextmanager
    def hold(self, name: str) -> Iterator[None]:
        with self._changed:
            self._changed.wait_for(lambda: name not in self._taken)
            self._taken.add(name)
        try:
            yield
        finally:
            with self._changed:
                self._taken.discard(name)
                self._changed.notify_all()


@dataclass
class EpisodeDatabase:
    """Made by `episode_database`.

    Attributes:
        server: the process's server.
        table: the sample's table.
        suffix: appended to a cut observation.
        multi: let several statements of one text run, with upstream's answer to that (profile paper).
        defect: error text of the table's creation, "" if all went well.
    """

    server: Server
    table: Table
    suffix: str
    multi: bool
    defect: str = ""
    _password: str = field(default_factory=lambda: secrets.token_hex(16), repr=False)

    @property
    def user(self) -> str:
        """Name of the episode's database user; the same in every run, because error texts can show it."""
        return "agent_" + hashlib.md5(self.table.name.encode()).hexdigest()[:8]

    def execute(self, sql: str) -> Answer:
        """Run a model's SQL text over a new connection. Raises EnvironmentFailure when the server is gone."""
        seconds = self.server.statement_seconds
        connection = self._connect()
        try:
            return run_statement(
                connection, self.table.name, sql, seconds=seconds, suffix=self.suffix, out_of_sync=self.multi
            )
        except ServerGone as error:
            raise EnvironmentFailure(
                f"the database server broke off: {error}; {self.server.last_words()}"
            ) from error
        finally:
            if connection.abandoned:
                self._kill(connection.thread_id())
            else:
                with suppress(pymysql.err.Error):
                    connection.close()

    def final_hash(self) -> str | None:
        """Hash of the table's rows, computed on our side; None if it is empty, gone, or too large to be right."""
        connection = self._connect()
        try:
            with connection.cursor() as cursor:
                cursor.execute(f"USE {quoted(self.table.name)}")
                cursor.execute(self.table.rows_query())
                return state_hash(cursor.fetchall())
        except TooBig:
            return None
        except pymysql.err.MySQLError as error:
            if error.args and error.args[0] in LOST and not self.server.running:
                raise EnvironmentFailure(f"the database server broke off: {error_text(error)}") from error
            return None
        finally:
            if connection.abandoned:
                self._kill(connection.thread_id())
            else:
                with suppress(pymysql.err.Error):
                    connection.close()

    def create(self) -> None:
        """Make the database, the user and the table, all committed on return."""
        with self.server.admin() as connection, connection.cursor() as cursor:
            try:
                self._drop(connection)
                self._make_user(connection)
                for statement in (
                    f"CREATE DATABASE {quoted(self.table.name)}",
                    f"USE {quoted(self.table.name)}",
                    self.table.create_table(),
                    self.table.insert_rows(),
                ):
                    cursor.execute(statement)
                connection.commit()
            except pymysql.err.MySQLError as error:
                if not error.args or error.args[0] not in DATA_DEFECTS:
                    raise EnvironmentFailure(f"cannot create the table: {error_text(error)}") from error
                self.defect = error_text(error)

    def remove(self) -> None:
        """Remove database and user, ending whatever the user still has running."""
        with self.server.admin() as connection:
            try:
                self._drop(connection)
            except pymysql.err.MySQLError as error:
                raise EnvironmentFailure(f"cannot remove the database: {error_text(error)}") from error

    def _drop(self, connection: LimitedConnection) -> None:
        with connection.cursor() as cursor:
            with suppress(pymysql.err.MySQLError):  # there is no such user the first time
                cursor.execute(f"KILL USER {self._account}")
            cursor.execute("XA RECOVER")
            for format_id, global_length, _, data in cursor.fetchall():
                # A prepared transaction outlives its connection and keeps its locks. Its name comes as bytes.
                parts = bytes(data[:global_length]), bytes(data[global_length:])
                xid = ",".join(f"X'{part.hex()}'" for part in parts)
                with suppress(
                    pymysql.err.MySQLError
                ):  # still attached to a connection: KILL has rolled it back
                    cursor.execute(f"XA ROLLBACK {xid},{format_id}")
            cursor.execute(f"DROP USER IF EXISTS {self._account}")
            cursor.execute(f"DROP DATABASE IF EXISTS {quoted(self.table.name)}")

    def _make_user(self, connection: LimitedConnection) -> None:
        # In GRANT, _ and % of a database name are wildcards unless escaped.
        pattern = self.table.name.replace("\\", "\\\\").replace("_", "\\_").replace("%", "\\%")
        with connection.cursor() as cursor:
            cursor.execute(f"CREATE OR REPLACE USER {self._account} IDENTIFIED BY '{self._password}'")
            cursor.execute(f"GRANT {RIGHTS} ON {quoted(pattern)}.* TO {self._account}")

    @property
    def _account(self) -> str:
        return f"'{self.user}'@'localhost'"

    def _connect(self) -> LimitedConnection:
        for again in (True, False):
            try:
                # The server's own time limit comes first; ours is for what escapes it.
                return connect(
                    self.server.socket,
                    self.user,
                    self._password,
                    self.server.statement_seconds + 2,
                    multi=self.multi,
                )
            except pymysql.err.MySQLError as error:
                if not again or not error.args or error.args[0] != ACCESS_DENIED:
                    raise EnvironmentFailure(f"no connection to the database: {error_text(error)}") from error
                with self.server.admin() as admin:  # a model may have changed its own password
                    self._make_user(admin)
        raise AssertionError("unreachable")

    def _kill(self, thread: int) -> None:
        """End an abandoned connection's statement on the server; it may be over already."""
        with (
            self.server.admin() as connection,
            connection.cursor() as cursor,
            suppress(pymysql.err.MySQLError),
        ):
            cursor.execute(f"KILL CONNECTION {thread:d}")


@contextmanager
def episode_database(
    server: Server, locks: NameLocks, table: Table, *, suffix: str, multi: bool
) -> Iterator[EpisodeDatabase]:
    """The database of one episode, removed afterwards.

    It has the plain name of its table, so that everything a model sees is as upstream's; an episode whose name is in
    use waits for the other to end. A dead server is started again first.

    Raises:
        EnvironmentFailure: the server does not answer.
    """
    with locks.hold(table.name):
        server.revive()
        folder = server.folder
        database = EpisodeDatabase(server, table, suffix, multi)
        try:
            database.create()
            yield database
        finally:
            try:
                database.remove()
            except EnvironmentFailure:  # dead, or something in it cannot be removed
                server.restart(folder)
