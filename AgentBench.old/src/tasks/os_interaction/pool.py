"""Sandboxes that are ready before a sample asks for one. Each is used once."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress

from agenttuning.episodes.types import EnvironmentFailure

from .sandbox import Engine, Sandbox

STARTERS = 2
"""Sandboxes that are started or removed at the same time."""

LOOK_SECONDS = 1.0


class Pool:
    """Keeps `size` sandboxes waiting; 0 starts each one when it is asked for.

    A thread looks at what the sandboxes in use have written, and ends those that wrote too much.
    """

    def __init__(self, maker: Engine, size: int):
        self._engine = maker
        self._size = size
        self._waiting: deque[Future[Sandbox]] = deque()
        self._used: dict[str, Sandbox] = {}
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._workers = ThreadPoolExecutor(STARTERS, "os-sandbox")
        self._removers = ThreadPoolExecutor(STARTERS, "os-remove")
        self._watcher = threading.Thread(target=self._watch, name="os-watch", daemon=True)
        self._watcher.start()
        self._fill()

    @contextmanager
    def sandbox(self) -> Iterator[Sandbox]:
        """A fresh sandbox, removed afterwards in the background. Raises EnvironmentFailure."""
        made = self._take()
        with self._lock:
            self._used[made.id] = made
        try:
            yield made
        finally:
            with self._lock:
                self._used.pop(made.id, None)
            made.shell.close()
            if self._closed.is_set():
                made.end("")
            else:
                self._removers.submit(made.end, "")

    def close(self) -> None:
        """Remove every sandbox. Idempotent."""
        if self._closed.is_set():
            return
        self._closed.set()
        self._workers.shutdown(wait=True, cancel_futures=True)
        self._removers.shutdown(wait=True)
        self._engine.remove_own()

    def wait_until_full(self) -> None:
        """Return when all waiting sandboxes have started (for measurements)."""
        with self._lock:
            waiting = list(self._waiting)
        for future in waiting:
            future.result()

    def _take(self) -> Sandbox:
        oldest = time.monotonic() - self._engine.limits.life_seconds / 2
        while True:
            with self._lock:
                if self._closed.is_set():
                    raise EnvironmentFailure("the sandboxes are being removed")
                future = (
                    self._waiting.popleft() if self._waiting else self._workers.submit(self._engine.start)
                )
            self._fill()
            made = future.result()
            if made.born >= oldest:
                return made
            self._removers.submit(made.end, "")

    def _fill(self) -> None:
        with self._lock:
            while not self._closed.is_set() and len(self._waiting) < self._size:
                self._waiting.append(self._workers.submit(self._engine.start))

    def _watch(self) -> None:
        while not self._closed.wait(LOOK_SECONDS):
            with self._lock:
                if not self._used:
                    continue
            most = self._engine.limits.disk_mb * 2**20
            for name, size in self._engine.sizes().items():
                with self._lock:
                    found = self._used.get(name)
                if found is not None and size > most:
                    with suppress(Exception):
                        found.end(f"it wrote more than {self._engine.limits.disk_mb} MB")
