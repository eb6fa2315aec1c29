"""A scriptable HTTP server on loopback: each request takes the next step of the script (the last one repeats)."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Fake:
    """What the server was asked, and where it listens."""

    url: str = ""
    port: int = 0
    requests: list[dict[str, Any]] = field(default_factory=list)
    connections: int = 0


Step = tuple[int, Any] | str
"""(status, JSON or bytes), or "reset", "hang", "truncate", "close" (answer 200 and close the connection)."""


@contextmanager
def fake_server(
    *script: Step, info: dict[str, Any] | None = None, hang_seconds: float = 5.0
) -> Iterator[Fake]:
    """Serve the script; GET /health and /info always answer 200."""
    fake = Fake()
    steps = list(script) or [(200, {"generated_text": "ok"})]
    released = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def setup(self) -> None:
            super().setup()
            fake.connections += 1

        def log_message(self, *args: Any) -> None:
            return

        def do_GET(self) -> None:
            self._send(200, info or {"model_id": "fake", "max_input_tokens": 100})

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            step = steps.pop(0) if len(steps) > 1 else steps[0]
            fake.requests.append({"path": self.path, "body": json.loads(body), "headers": dict(self.headers)})
            if step == "reset":
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                self.close_connection = True
                self.connection.close()
            elif step == "hang":
                released.wait(hang_seconds)
                self.close_connection = True
            elif step == "truncate":
                self.send_response(200)
                self.send_header("Content-Length", "1000")
                self.end_headers()
                self.wfile.write(b'{"generated_text": "ha')
                self.close_connection = True
            elif step == "close":
                self._send(200, {"generated_text": "ok"})
                self.close_connection = True  # without announcing it
            else:
                assert isinstance(step, tuple)
                self._send(*step)

        def _send(self, status: int, body: Any) -> None:
            data = body if isinstance(body, bytes) else json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    fake.port = server.server_address[1]
    fake.url = f"http://127.0.0.1:{fake.port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield fake
    finally:
        released.set()
        server.shutdown()
        server.server_close()
        thread.join()


def free_port() -> int:
    """A loopback port nothing listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    time.sleep(0)
    return port
