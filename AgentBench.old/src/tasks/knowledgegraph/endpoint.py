"""A SPARQL server over HTTP: Virtuoso with the full Freebase, or anything that speaks the SPARQL 1.1 protocol.

Upstream ends the process when the server cannot be reached and waits for ever when it is slow
(utils/sparql_executer.py @ e33a45d). Here such a server is an EnvironmentFailure, and only a healthy server's refusal
of a query is a failure of the query.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from urllib.parse import urlsplit

import urllib3

from agenttuning.episodes.types import EnvironmentFailure
from agenttuning.errors import KitError

from .programs import NS, Query, QueryRefused

PROBE = Query(f"SELECT ?x\nWHERE {{\n?x <{NS}type.object.type> ?type .\n}}\nLIMIT 1", ())
"""Finds something in every Freebase; an empty answer means that the database is not loaded."""

CONNECT_SECONDS = 10.0
ATTEMPTS = 4
"""Times a request is sent when the connection fails or the server says 502, 503 or 504. A slow answer is not tried again
here: the whole episode is, by the runner."""

MAX_BYTES = 64 * 2**20
"""Largest answer that is read. Virtuoso's own limit of 50,000 rows keeps honest answers far below it."""

# SQL states in Virtuoso's error texts that speak of the server and not of the query: timeout, partial result, deadlock,
# lost connection.
_SERVER_STATE = re.compile(r"Virtuoso (S1T00|S1TAT|40001|08\w{3}) ")


class HttpGraph:
    """A graph behind a SPARQL endpoint.

    Args:
        url: the endpoint, such as http://127.0.0.1:3001/sparql.
        seconds: how long one query may take.
        attempts, sleep: see ATTEMPTS.

    Raises:
        KitError: not an http(s) URL.
    """

    def __init__(
        self,
        url: str,
        seconds: float,
        *,
        attempts: int = ATTEMPTS,
        sleep: Callable[[float], None] = time.sleep,
    ):
        try:
            parts = urlsplit(url)
            sound = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
        except ValueError:
            sound = False
        if not sound:
            raise KitError(
                f"sparql_url {url!r} is no http URL", "give it as http://HOST:PORT/sparql (with the /sparql)"
            )
        self.url = url
        self._attempts = attempts
        self._sleep = sleep
        self._seconds = seconds
        self._pool = urllib3.PoolManager(
            maxsize=64,
            retries=False,
            timeout=urllib3.Timeout(connect=min(CONNECT_SECONDS, seconds), read=seconds),
            headers={"Accept": "application/sparql-results+json", "User-Agent": "agenttuning"},
        )

    def select(self, query: Query) -> list[str]:
        try:
            return self._values(query.text)
        except QueryRefused:
            self.probe()  # a server whose database is gone refuses everything; that is not the query's fault
            raise

    def probe(self) -> None:
        """Make sure that a server answers and has Freebase-shaped data. Raises EnvironmentFailure."""
        try:
            found = self._values(PROBE.text)
        except QueryRefused as error:
            raise EnvironmentFailure(
                f"the SPARQL server at {self.url} refuses a plain query: {error}"
            ) from error
        if not found:
            raise EnvironmentFailure(
                f"the SPARQL server at {self.url} answers but holds no Freebase data (nothing has type.object.type)"
            )

    def close(self) -> None:
        self._pool.clear()

    def _values(self, text: str) -> list[str]:
        deadline = time.monotonic() + self._seconds
        status, headers, body = self._post(text, deadline)
        said = " ".join(body[:2000].decode("utf-8", "replace").split())[:200]
        if status in (400, 500) and not _SERVER_STATE.search(said):
            raise QueryRefused(f"the server refused the query: {said}")
        state = headers.get("X-SQL-State", "")
        if status != 200 or state:
            raise EnvironmentFailure(
                f"the SPARQL server at {self.url} answered {status} {state} {said}".strip()
            )
        try:
            result = json.loads(body)
            rows = result["results"]["bindings"]
            values = [[cell["value"] for cell in row.values()] for row in rows]
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise EnvironmentFailure(
                f"{self.url} answered something else than a SPARQL result ({said[:80]!r}); is it the URL of the SPARQL API?"
            ) from error
        if any(len(row) != 1 or not isinstance(row[0], str) for row in values):
            raise QueryRefused("a row of the result has not exactly one value")
        return [row[0] for row in values]

    def _post(self, text: str, deadline: float) -> tuple[int, urllib3.HTTPHeaderDict, bytes]:
        failure = ""
        for attempt in range(self._attempts):
            if attempt:
                self._sleep(0.5 * 2 ** (attempt - 1))
                deadline = time.monotonic() + self._seconds
            try:
                response = self._pool.request(
                    "POST", self.url, fields={"query": text}, encode_multipart=False,
                    preload_content=False, redirect=False,
                )  # fmt: skip
                try:
                    body = self._read(response, deadline)
                finally:
                    response.release_conn()
            except urllib3.exceptions.ReadTimeoutError as error:
                raise self._too_slow() from error
            except (urllib3.exceptions.HTTPError, OSError) as error:
                failure = f"{type(error).__name__}: {error}"
                continue
            if response.status not in (502, 503, 504):
                return response.status, response.headers, body
            failure = f"it answered {response.status}"
        raise EnvironmentFailure(
            f"the SPARQL server at {self.url} cannot be used after {self._attempts} attempts ({failure})"
        )

    def _read(self, response: urllib3.BaseHTTPResponse, deadline: float) -> bytes:
        """The body; the limits hold for the whole of it, not only for each piece."""
        pieces = []
        size = 0
        while piece := response.read1(65536):  # what has come, without waiting for more
            pieces.append(piece)
            size += len(piece)
            if size > MAX_BYTES:
                response.close()
                raise QueryRefused(f"the answer is longer than {MAX_BYTES // 2**20} MiB")
            if time.monotonic() > deadline:
                response.close()
                raise self._too_slow()
        return b"".join(pieces)

    def _too_slow(self) -> EnvironmentFailure:
        return EnvironmentFailure(
            f"the SPARQL server at {self.url} did not answer within {self._seconds:g} s (option query_seconds)"
        )
