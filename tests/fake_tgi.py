"""A TGI server on 127.0.0.1 whose answers a test decides, and which keeps what it was asked."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Answer = Callable[[str], str | tuple[int, str]]
"""Gets the prompt; gives the generated text, or an HTTP status and a raw body."""


@dataclass
class FakeTgi:
    """The server's port, what it answers (may be replaced while it runs), and the bodies it got."""

    port: int
    answer: Answer
    requests: list[dict[str, Any]] = field(default_factory=list)
    content_types: list[str | None] = field(default_factory=list)


@contextmanager
def serve(answer: Answer) -> Iterator[FakeTgi]:
    """Run the server for the length of a `with` block."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._send(
                200, json.dumps({"model_id": "fake", "max_input_tokens": 4095, "max_total_tokens": 4096})
            )

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            state.requests.append(body)
            state.content_types.append(self.headers.get("Content-Type"))
            said = state.answer(body["inputs"])
            self._send(*(said if isinstance(said, tuple) else (200, json.dumps({"generated_text": said}))))

        def _send(self, status: int, text: str) -> None:
            data = text.encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: Any) -> None:
            return

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state = FakeTgi(httpd.server_address[1], answer)
    thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield state
    finally:
        httpd.shutdown()
        httpd.server_close()
        thread.join()
