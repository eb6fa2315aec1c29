"""The table of a sample: how it is created, and the hash of its final state.

Follows `build_init_sql` and the hash query of AgentBench.old/src/tasks/dbbench/__init__.py @ e33a45d.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from agenttuning.errors import KitError

RESERVED = ("information_schema", "mysql", "performance_schema", "sys")
HASH_LENGTH = 1024
"""group_concat_max_len: characters of the joined row hashes that count."""

_ESCAPES = str.maketrans(
    {"\0": "\\0", "\n": "\\n", "\r": "\\r", "\\": "\\\\", "'": "\\'", '"': '\\"', "\x1a": "\\Z"}
)


@dataclass(frozen=True)
class Table:
    """A table of text cells; its database has the same name.

    Attributes:
        name: table and database name.
        columns: column names; not always distinct in upstream's data.
        rows: cells as text; not always as many as there are columns in upstream's data.
    """

    name: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    @classmethod
    def of(cls, record: dict[str, Any]) -> Table:
        """The table of a data record (key "table"). Raises KitError for a name that a server keeps for itself."""
        name = record["table_name"]
        if name.lower() in RESERVED:
            raise KitError(f"a table cannot be named {name!r}: that database is the server's own")
        info = record["table_info"]
        return cls(
            name,
            tuple(column["name"] for column in info["columns"]),
            tuple(tuple(str(cell) for cell in row) for row in info["rows"]),
        )

    def create_table(self) -> str:
        """Every column is TEXT, whatever type the data declares."""
        columns = ",".join(f"{quoted(column)} TEXT" for column in self.columns)
        return f"CREATE TABLE IF NOT EXISTS {quoted(self.name)} ({columns})"

    def insert_rows(self) -> str:
        """One INSERT with all rows, cells escaped."""
        columns = ",".join(quoted(column) for column in self.columns)
        rows = ",".join("(" + ",".join(f"'{escaped(cell)}'" for cell in row) + ")" for row in self.rows)
        return f"INSERT INTO {quoted(self.name)} ({columns}) VALUES {rows}"

    def init_sql(self) -> str:
        """The one text that upstream sends. We send its statements one by one (its text races with the first turn)."""
        return (
            f"CREATE DATABASE IF NOT EXISTS {quoted(self.name)};\nUSE {quoted(self.name)};\n"
            f"{self.create_table()};\n{self.insert_rows()}; \nCOMMIT;\n"
        )

    def hash_query(self) -> str:
        """Upstream's query for the state after an INSERT or UPDATE episode; its answer is the episode's answer."""
        columns = ",".join(quoted(column) for column in self.columns)
        return (
            "select md5(group_concat(rowhash order by rowhash)) as hash from ("
            f"SELECT substring(MD5(CONCAT_WS(',', {columns})), 1, 5) AS rowhash FROM {quoted(self.name)}) as sub"
        )

    def rows_query(self) -> str:
        """All cells as text, for `state_hash`."""
        columns = ",".join(f"CAST({quoted(column)} AS CHAR)" for column in self.columns)
        return f"SELECT {columns} FROM {quoted(self.name)}"


def quoted(name: str) -> str:
    """An identifier in backticks. A backslash stands for itself there."""
    return "`" + name.replace("`", "``") + "`"


def escaped(text: str) -> str:
    """Inside of an SQL string literal, as the MySQL client library escapes it."""
    return text.translate(_ESCAPES)


def state_hash(rows: Iterable[Sequence[str | None]]) -> str | None:
    """The value of `hash_query`, computed here: 32 hex digits, None for an empty table.

    Args:
        rows: cells as text, None for NULL.
    """
    pieces = sorted(
        hashlib.md5(",".join(cell for cell in row if cell is not None).encode()).hexdigest()[:5]
        for row in rows
    )
    return hashlib.md5(",".join(pieces)[:HASH_LENGTH].encode()).hexdigest() if pieces else None


def hash_answer(digest: str | None) -> str:
    """The form in which data records and upstream's result strings hold a hash."""
    return str([(digest,)])
