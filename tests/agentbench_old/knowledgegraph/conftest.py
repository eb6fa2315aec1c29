"""The room's modules, and a SPARQL server on this machine that wraps pyoxigraph and can be made to misbehave."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs

import pyoxigraph
import pytest

from agenttuning.episodes.rooms import find_spec, room_module

SPEC = find_spec("knowledgegraph")

Behaviour = Callable[["Handler", str], bool]
"""Handles a query itself and returns True, or leaves it to the graph (False)."""


def room(module: str):
    """A module of the room."""
    return room_module(SPEC, module)


class Handler(BaseHTTPRequestHandler):
    """POST /sparql of the SPARQL 1.1 protocol."""

    server: SparqlServer

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        query = parse_qs(body)["query"][0]
        with self.server.lock:
            self.server.queries.append(query)
        try:
            if not self.server.behave(self, query):
                self.answer(query)
        except (BrokenPipeError, ConnectionResetError):
            pass  # the client has given up, as some tests want it to

    def answer(self, query: str) -> None:
        try:
            found = self.server.store.query(query)
        except SyntaxError as error:
            return self.send(400, f"Virtuoso 37000 Error SP030: {error}".encode())
        self.send(200, found.serialize(format=pyoxigraph.QueryResultsFormat.JSON))

    def send(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        return


class SparqlServer(ThreadingHTTPServer):
    """Serves the smoke split's graph; `behave` decides over every query first."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.store = pyoxigraph.Store()
        self.store.load(
            (SPEC.folder / "graph.ttl").read_text(encoding="utf-8"), format=pyoxigraph.RdfFormat.TURTLE
        )
        self.behave: Behaviour = lambda handler, query: False
        self.queries: list[str] = []
        self.lock = threading.Lock()
        self.released = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/sparql"

    def hang(self, handler: Handler, query: str) -> bool:
        """A behaviour: no answer until the test is over."""
        self.released.wait(30)
        return True


@pytest.fixture
def server() -> Iterator[SparqlServer]:
    made = SparqlServer()
    thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    yield made
    made.released.set()
    made.shutdown()
    made.server_close()
    thread.join(5)


def says(status: int, body: bytes | str | dict, **headers: str) -> Behaviour:
    """A behaviour: always this answer."""
    data = (
        json.dumps(body).encode()
        if isinstance(body, dict)
        else body
        if isinstance(body, bytes)
        else body.encode()
    )

    def behave(handler: Handler, query: str) -> bool:
        handler.send(status, data, **headers)
        return True

    return behave


def trickle(handler: Handler, query: str) -> bool:
    """A behaviour: a body that never ends, one piece at a time."""
    handler.send_response(200)
    handler.send_header("Content-Length", "1000000")
    handler.end_headers()
    for _ in range(100):
        handler.wfile.write(b" " * 10)
        handler.wfile.flush()
        time.sleep(0.05)
    return True
