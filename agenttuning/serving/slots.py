"""Which of the engine's slots takes which request, so that an episode finds its prefix in the cache again.

llama.cpp's own choice goes by the share of the prompt that is already there. Agent prompts of one task share a long
instruction, so every episode looks like a good match for every slot and they keep overwriting each other; measured
with five interleaved episodes on two slots, each turn evaluated a third of its prompt again.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

_BOUNDARY = 4
"""Tokens at the end of a prompt that may be tokenised differently once text follows."""


@dataclass
class Slot:
    """One KV cache.

    Attributes:
        ids: the tokens it holds, as far as known. prompt: how many of them were the last prompt.
        used: order of last use. busy: at work now.
    """

    number: int
    ids: list[int] = field(default_factory=list)
    prompt: int = 0
    used: int = 0
    busy: bool = False


class Slots:
    """At most `parallel` slots work at once; the spare ones keep the caches of episodes that wait for their turn.

    Waiting requests are served first come, first served.
    """

    def __init__(self, parallel: int, spare: int):
        self._all = [Slot(i) for i in range(parallel + spare)]
        self._free = parallel
        self._clock = 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    @property
    def waiting(self) -> int:
        """Requests in the queue."""
        return sum(not future.done() for future in self._waiting)

    @property
    def busy(self) -> int:
        """Requests at work."""
        return sum(slot.busy for slot in self._all)

    @asynccontextmanager
    async def hold(self, ids: list[int]) -> AsyncGenerator[Slot, None]:
        """A slot for this prompt; the holder keeps slot.ids up to date."""
        await self._enter()
        slot = self.choose(ids)
        slot.busy = True
        self._clock += 1
        slot.used = self._clock
        slot.ids, slot.prompt = list(ids), len(ids)
        try:
            yield slot
        finally:
            slot.busy = False
            self._leave()

    def choose(self, ids: list[int]) -> Slot:
        """The idle slot whose conversation the prompt continues, else an empty one, else the least recently used.

        A prompt continues a slot when it begins with the prompt that slot worked on last (the reply may come back
        tokenised differently, or be another one).
        """
        idle = [slot for slot in self._all if not slot.busy]
        shared = {slot.number: common_prefix(slot.ids, ids) for slot in idle}
        continued = [s for s in idle if s.ids and shared[s.number] >= s.prompt - _BOUNDARY]
        if continued:
            return max(continued, key=lambda s: (shared[s.number], s.used))
        return min(idle, key=lambda s: (bool(s.ids), s.used))

    async def _enter(self) -> None:
        if self._free and not self._waiting:
            self._free -= 1
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        try:
            await future
        except asyncio.CancelledError:
            if future.done() and not future.cancelled():
                self._leave()  # the place was handed over in the same moment
            elif future in self._waiting:
                self._waiting.remove(future)
            raise

    def _leave(self) -> None:
        while self._waiting:
            future = self._waiting.popleft()
            if not future.done():
                future.set_result(None)
                return
        self._free += 1


def common_prefix(a: list[int], b: list[int]) -> int:
    """Number of leading tokens both share; compares slices, so long prompts cost microseconds."""
    low, high = 0, min(len(a), len(b))
    while low < high:
        middle = (low + high + 1) // 2
        if a[low:middle] == b[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low
