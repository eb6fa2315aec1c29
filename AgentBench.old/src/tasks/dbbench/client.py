"""One connection to the database: what a model's statement answers, in upstream's spelling, and with limits.

Follows `Container.execute` of AgentBench.old/src/tasks/dbbench/Interaction.py @ e33a45d as it behaves with
mysql-connector-python 8.0.33 (values, error texts, multi-statement texts), on PyMySQL.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pymysql
from pymysql.connections import Connection
from pymysql.constants import CLIENT, FIELD_TYPE
from pymysql.converters import conversions, convert_date, convert_datetime
from pymysql.cursors import SSCursor

from .tables import RESERVED, quoted

COLLATION = "utf8mb4_uca1400_nopad_ai_ci"
"""MariaDB's equal of MySQL 8's utf8mb4_0900_ai_ci: a no-break space equals a space, trailing blanks count."""

SHOWN = 800
"""Characters of an observation; a longer one is cut."""

OUT_OF_SYNC = "Commands out of sync; you can't run this command now"
TIMED_OUT = "1969 (70100): Query execution was interrupted (max_statement_time exceeded)"
TOO_BIG = "1153 (08S01): Got a packet bigger than 'max_allowed_packet' bytes"

MOST_BYTES = 32 * 2**20
MOST_ROWS = 100_000

LOST = frozenset({2002, 2003, 2006, 2013, 2055, 1053, 1927})
"""Client and server errors that mean the connection or the server is gone, not that the statement is wrong."""

_PLACES = {
    "SELECT": "field list",
    "WHERE": "where clause",
    "ORDER BY": "order clause",
    "GROUP BY": "group statement",
    "HAVING": "having clause",
    "ON": "on clause",
}


class ServerGone(Exception):
    """The connection broke for a reason other than our own limits."""


class TooBig(Exception):
    """One statement sent more than MOST_BYTES."""


@dataclass(frozen=True)
class Answer:
    """What one SQL text answered.

    Attributes:
        text: the observation, cut at SHOWN characters with the suffix.
        ok: no error of any kind.
    """

    text: str
    ok: bool


def _or_none(convert: Callable[[Any], Any], kind: type) -> Callable[[Any], Any]:
    def checked(value: Any) -> Any:
        made = convert(value)
        return made if isinstance(made, kind) else None  # the connector shows impossible dates as None

    return checked


def _bytearray_if_bytes(value: Any) -> Any:
    return bytearray(value) if isinstance(value, bytes) else value


DECODERS: dict[Any, Any] = {
    **conversions,
    FIELD_TYPE.DATE: _or_none(convert_date, date),
    FIELD_TYPE.DATETIME: _or_none(convert_datetime, datetime),
    FIELD_TYPE.TIMESTAMP: _or_none(convert_datetime, datetime),
    FIELD_TYPE.BIT: lambda value: int.from_bytes(value, "big"),
    FIELD_TYPE.VAR_STRING: _bytearray_if_bytes,
    FIELD_TYPE.STRING: _bytearray_if_bytes,
    FIELD_TYPE.GEOMETRY: _bytearray_if_bytes,
}


class LimitedConnection(Connection):
    """A PyMySQL connection that refuses to read more than `allowance` bytes, so that no answer fills the memory."""

    allowance = MOST_BYTES
    abandoned = False
    _result: Any

    def _read_bytes(self, num_bytes: int) -> bytes:
        self.allowance -= num_bytes
        if self.allowance < 0:
            self.abandon()
            raise TooBig
        return super()._read_bytes(num_bytes)

    def abandon(self) -> None:
        """Drop the connection without reading what the server still sends; it may go on working on it."""
        self.abandoned = True
        if self._result is not None:
            self._result.unbuffered_active = False
            self._result = None
        self._force_close()


def connect(
    socket: Path, user: str, password: str, seconds: float, *, multi: bool = False
) -> LimitedConnection:
    """A new connection over the private socket.

    Args:
        seconds: longest silence of the server before a read fails.
        multi: allow several statements in one text.

    Raises:
        pymysql.err.MySQLError.
    """
    return LimitedConnection(
        unix_socket=str(socket),
        user=user,
        password=password,
        charset="utf8mb4",
        collation=COLLATION,
        client_flag=CLIENT.MULTI_STATEMENTS if multi else 0,
        conv=DECODERS,
        connect_timeout=10,
        read_timeout=seconds,
        write_timeout=seconds,
        local_infile=False,
        ssl_disabled=True,  # a Unix socket; and preparing TLS costs more than the connection
        autocommit=False,
    )


def error_text(error: pymysql.err.MySQLError) -> str:
    """`number (SQLSTATE): message`, with MySQL's words where MariaDB's differ."""
    if len(error.args) < 2:
        return str(error)
    number, message = error.args[:2]
    state = getattr(error, "sqlstate", None) or "HY000"
    message = str(message).replace("MariaDB server version", "MySQL server version")
    if number in (1052, 1054):
        message = re.sub(r" in '([A-Z ]+)'", lambda m: f" in '{_PLACES.get(m[1], m[1])}'", message)
    return f"{number} ({state}): {message}"


def run_statement(
    connection: LimitedConnection, database: str, sql: str, *, seconds: float, suffix: str, out_of_sync: bool
) -> Answer:
    """Run a model's SQL text in a database and commit, as upstream does.

    Only the first result is shown; further statements of the text run too. With `out_of_sync` such a text answers
    what the connector answers, and what it did not commit itself is lost (upstream's commit fails on the unread
    results, and the next statement comes over a new connection).

    Args:
        seconds: time limit of the whole text.
        suffix: appended to an observation that is cut.

    Raises:
        ServerGone: the server died or the connection broke.
    """
    deadline = time.monotonic() + seconds
    connection.allowance = MOST_BYTES
    shown = _Shown(suffix)
    try:
        cursor = connection.cursor(SSCursor)
        cursor.execute(f"USE {quoted(database)}")
        if not sql:
            return Answer("[]", True)  # the connector sends nothing and has no rows
        cursor.execute(sql)
        if not _drain(cursor, deadline, shown.add):
            connection.abandon()
            return Answer(shown.text() if shown.full else TIMED_OUT, shown.full)
        if out_of_sync and _more_results(cursor, deadline):
            return Answer(OUT_OF_SYNC, False)
        if not out_of_sync and not _read_rest(cursor, deadline):
            return Answer(TIMED_OUT, False)
        connection.commit()
        return Answer(shown.text(), True)
    except TooBig:
        return Answer(shown.text() if shown.full else TOO_BIG, shown.full)
    except pymysql.err.MySQLError as error:
        lost = bool(error.args) and error.args[0] in LOST
        if lost:
            connection.abandon()
        if shown.full:
            return Answer(shown.text(), True)  # upstream, without limits, would have shown as much
        if lost and "timed out" not in str(error):
            raise ServerGone(error_text(error)) from error
        return Answer(TIMED_OUT if lost else _as_for_root(error_text(error), sql), False)
    except UnicodeDecodeError as error:
        connection.abandon()
        return Answer(str(error), False)


def _as_for_root(text: str, sql: str) -> str:
    """Upstream's model is root, so a database that does not exist is unknown to it, not forbidden."""
    denied = re.search(r"^1142 .* denied to user .* for table `(.+?)`\.`", text)
    if denied is None and sql.lstrip().upper().startswith("USE"):
        denied = re.search(r"^1044 .* to database '(.+)'$", text)
    if denied is None or denied[1].lower() in RESERVED:
        return text
    return f"1049 (42000): Unknown database '{denied[1]}'"


class _Shown:
    """`str(list of row tuples)`, built row by row and no further than it is shown."""

    def __init__(self, suffix: str):
        self._parts: list[str] = []
        self._length = 2
        self._suffix = suffix

    @property
    def full(self) -> bool:
        return self._length > SHOWN

    def add(self, row: tuple[Any, ...]) -> None:
        if self.full:
            return
        part = str(row)
        self._length += len(part) + (2 if self._parts else 0)
        self._parts.append(part)

    def text(self) -> str:
        whole = f"[{', '.join(self._parts)}]"
        return whole[:SHOWN] + self._suffix if len(whole) > SHOWN else whole


def _drain(cursor: SSCursor, deadline: float, add: Callable[[tuple[Any, ...]], None] | None) -> bool:
    """Read one result to its end. False: too many rows or too late."""
    if cursor.description is None:
        return True
    for _ in range(MOST_ROWS):
        row = cursor.fetchone()
        if row is None:
            return True
        if add is not None:
            add(row)
        if time.monotonic() > deadline:
            return False
    return False


def _read_rest(cursor: SSCursor, deadline: float) -> bool:
    """Read the further results of a text (of a procedure, say). False: abandoned, too many rows or too late."""
    while cursor.nextset():
        if not _drain(cursor, deadline, None) or time.monotonic() > deadline:
            cursor.connection.abandon()
            return False
    return True


def _more_results(cursor: SSCursor, deadline: float) -> bool:
    """Let the further statements of a text run. Whether there were any; the connector does not learn how they went."""
    if not cursor._result.has_next:
        return False
    with suppress(pymysql.err.MySQLError):
        _read_rest(cursor, deadline)
    return True
