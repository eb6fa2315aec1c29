"""A small catalogue of its own, and an HTTP server that can be told to misbehave."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from agenttuning import home as home_module

COMMIT = "a" * 40
CONTENT = bytes(range(256)) * 2000  # 512,000 bytes
SOURCE = b'PROMPT = "Solve it."\n\n\ndef ask():\n    return f"Question: {text}"\n'


@dataclass
class Server:
    """What the server gives, what it was asked for, and its faults."""

    url: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    ranges: list[str | None] = field(default_factory=list)
    cut_after: int | None = None  # close the connection after so many bytes of a reply
    cuts_left: int = 1000
    honour_range: bool = True
    status: int | None = None  # answer with this status and nothing else


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """HTTP server on a free port of 127.0.0.1, without proxies in between."""
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    state = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            wanted = self.headers.get("Range")
            state.ranges.append(wanted)
            content = state.files.get(self.path)
            if state.status or content is None:
                self.send_response(state.status or 404)
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted and state.honour_range else 0
            if start and start >= len(content):
                self.send_response(416)
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            body = content[start:]
            self.send_response(206 if start else 200)
            if start:
                self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if state.cut_after is not None and state.cuts_left > 0:
                state.cuts_left -= 1
                body = body[: state.cut_after]
                self.close_connection = True
            self.wfile.write(body)

        def log_message(self, format: str, *arguments: object) -> None:
            pass

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state.url = f"http://127.0.0.1:{httpd.server_address[1]}"
    state.files = {"/one.bin": CONTENT, "/two.bin": b"two\n", "/prompts.py": SOURCE}
    thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield state
    httpd.shutdown()
    httpd.server_close()


def file_entry(key: str, url: str, content: bytes, /, **changes: object) -> str:
    """A [[file]] of a catalogue."""
    values: dict[str, object] = {
        "key": key,
        "tasks": ["toy"],
        "repo": "owner/name",
        "commit": COMMIT,
        "path": f"folder/{key}.bin",
        "url": url,
        "sha256": hashlib.sha256(content).hexdigest(),
        "bytes": len(content),
        "licence": "MIT",
    } | changes
    lines = [f"{name} = {str(v) if isinstance(v, int | list) else repr(v)}" for name, v in values.items()]
    return "\n".join(["[[file]]", *lines, ""])


def prompts_entry(url: str, sha256: str, source: bytes = SOURCE) -> str:
    """A [[prompts]] with two rules for SOURCE."""
    return f"""
[[prompts]]
name = "toy"
tasks = ["toy"]
repo = "owner/name"
commit = "{COMMIT}"
licence = "MIT"
sha256 = "{sha256}"
[[prompts.files]]
path = "src/prompts.py"
url = "{url}"
sha256 = "{hashlib.sha256(source).hexdigest()}"
bytes = {len(source)}
[prompts.extract]
prompt = {{ file = "src/prompts.py", assign = "PROMPT" }}
question = {{ file = "src/prompts.py", within = "ask", returns = true }}
"""


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty checkout of the kit with its data folder; home() points to it during the test."""
    folder = tmp_path / "kit"
    (folder / "data").mkdir(parents=True)
    (folder / "models.toml").write_text("")
    (folder / "data" / "sources.toml").write_text("")
    monkeypatch.setenv("AGENTTUNING_HOME", str(folder))
    monkeypatch.delenv("AGENTTUNING_DATA", raising=False)
    monkeypatch.delenv("MIRROR", raising=False)
    home_module.home.cache_clear()
    yield folder
    home_module.home.cache_clear()


def write_catalogue(checkout: Path, *entries: str) -> None:
    """Replaces the catalogue of the checkout."""
    (checkout / "data" / "sources.toml").write_text("\n".join(entries))
