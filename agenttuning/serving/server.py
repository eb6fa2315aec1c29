"""Runs the application under uvicorn: binds first, says when it is ready, stops cleanly on a signal."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import uvicorn

from agenttuning.errors import KitError
from agenttuning.serving.app import build_app
from agenttuning.serving.service import Service

_GRACE_SECONDS = 3


def bind(host: str, port: int) -> socket.socket:
    """A listening-ready socket; port 0 takes a free one.

    Raises:
        KitError: the port is in use, or the host is no address of this machine.
    """
    try:
        family, kind, proto, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        found = socket.socket(family, kind, proto)
        try:
            found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            found.bind(address)
            found.listen(
                256
            )  # takes the port for good: another bind with SO_REUSEADDR must fail from here on
        except OSError:
            found.close()
            raise
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            fix = f"stop the server there or run: agenttuning serve --port {port + 1}"
            raise KitError(f"port {port} of {host} is in use", fix) from error
        raise KitError(
            f"cannot listen on {host}:{port} ({error})", "choose another --host or --port"
        ) from error
    return found


def url_of(listening: socket.socket) -> str:
    """http://host:port of a bound socket."""
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


class _Uvicorn(uvicorn.Server):
    """uvicorn without its habit of killing the process with the signal again after a clean shutdown."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._stop)
        try:
            yield
        finally:
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.remove_signal_handler(number)

    def _stop(self) -> None:
        self.force_exit = self.should_exit  # the second signal does not wait for replies in flight
        self.should_exit = True


async def serve(
    service: Service, listening: socket.socket, ready: Callable[[str], None], ready_file: Path | None = None
) -> None:
    """Serve until SIGINT or SIGTERM; replies in flight get 3 seconds to end. Must run in the main thread.

    Args:
        ready: called once with the URL when requests are answered.
        ready_file: gets {"url", "model_id", "pid"} at that moment and is removed at the end.

    Raises:
        KitError: the server could not start.
    """
    config = uvicorn.Config(
        build_app(service),
        log_level="warning",
        access_log=False,
        timeout_graceful_shutdown=_GRACE_SECONDS,
        timeout_keep_alive=75,
        lifespan="off",
    )
    server = _Uvicorn(config)
    running = asyncio.create_task(server.serve(sockets=[listening]))
    try:
        while not server.started and not running.done():
            await asyncio.sleep(0.01)
        if running.done():
            raise KitError("the HTTP server did not start", "see the messages above")
        url = url_of(listening)
        if ready_file:
            _write(ready_file, {"url": url, "model_id": service.backend.model_id, "pid": os.getpid()})
        ready(url)
        await running
    finally:
        server.should_exit = True
        await asyncio.gather(running, return_exceptions=True)
        if ready_file:
            ready_file.unlink(missing_ok=True)
        service.backend.close()


def _write(path: Path, content: dict[str, str | int]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    part.write_text(json.dumps(content) + "\n")
    part.replace(path)  # whoever waits for the file never reads half of it
