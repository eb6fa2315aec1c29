"""Several replicas of one model: an episode stays on one, new episodes go to the least loaded live one."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from agenttuning.models.types import Endpoint, Unreachable


class ReplicaPool:
    """Least-loaded choice among live replicas.

    A replica found unreachable is left out and asked again (health route) every `recheck` seconds; when it
    answers it is taken back. Episodes that were on it fail with Unreachable and are retried by the runner
    on another replica.

    Args:
        replicas: endpoints of the same model.
        recheck: seconds between health checks of a dead replica.
    """

    def __init__(self, replicas: Sequence[Endpoint], recheck: float = 5.0):
        if not replicas:
            raise ValueError("a pool needs at least one replica")
        self._replicas = list(replicas)
        self._load = [0] * len(replicas)
        self._dead_until = [0.0] * len(replicas)
        self._recheck = recheck
        self._lock = threading.Lock()

    @property
    def replicas(self) -> list[Endpoint]:
        return list(self._replicas)

    @contextmanager
    def lease(self) -> Iterator[Endpoint]:
        """One replica for the length of an episode. Raises Unreachable when none is alive."""
        index = self._choose()
        try:
            yield self._replicas[index]
        except Unreachable:
            self._mark_dead(index)
            raise
        finally:
            with self._lock:
                self._load[index] -= 1

    def loads(self) -> list[int]:
        """Episodes in flight per replica."""
        with self._lock:
            return list(self._load)

    def live(self) -> list[bool]:
        """Which replicas are not left out at present."""
        with self._lock:
            return [t == 0.0 for t in self._dead_until]

    def close(self) -> None:
        for replica in self._replicas:
            replica.close()

    def _choose(self) -> int:
        self._take_back()
        with self._lock:
            alive = [i for i, t in enumerate(self._dead_until) if t == 0.0]
            if not alive:
                names = ", ".join(getattr(r, "url", r.name) for r in self._replicas)
                raise Unreachable(f"no replica answers ({names})")
            index = min(alive, key=lambda i: (self._load[i], i))
            self._load[index] += 1
            return index

    def _take_back(self) -> None:
        now = time.monotonic()
        with self._lock:
            only = all(t > 0.0 for t in self._dead_until)
            due = [i for i, t in enumerate(self._dead_until) if t and (t <= now or only)]
        for index in due:
            alive = self._replicas[index].alive()
            with self._lock:
                self._dead_until[index] = 0.0 if alive else time.monotonic() + self._recheck

    def _mark_dead(self, index: int) -> None:
        if self._replicas[index].alive():
            return  # one broken connection is not a dead server
        with self._lock:
            self._dead_until[index] = time.monotonic() + self._recheck
