"""A task for benches: ten turns, a growing conversation, a reward that depends on every reply."""

from __future__ import annotations

import hashlib
import random
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from agenttuning.episodes.session import Session
from agenttuning.episodes.types import (
    EnvironmentFailure,
    Outcome,
    Player,
    Sample,
    Scores,
    Status,
    Task,
    TaskSpec,
)
from agenttuning.models.types import Message
from agenttuning.scores.intervals import mean

TURNS = 10
OBSERVATION = (
    "The room holds a desk, a lamp that is off, two drawers that are closed and a door to the north. " * 3
)


class StubTask(Task):
    """Each episode is TURNS calls of the model.

    Args:
        episodes: samples of the only split, "bench".
        crash_rate: share of episodes whose environment crashes on the first attempt.
    """

    def __init__(self, episodes: int, crash_rate: float = 0.0):
        spec = TaskSpec(
            name="stub", title="Stub", group="held-in", column="Stub", folder=Path(__file__).parent, version=1, metric="mean",
            splits={"bench": {"samples": episodes}}, generation={"max_new_tokens": 128}, limits={},
            resources={"workers": 8}, needs={}, options={},
        )  # fmt: skip
        super().__init__(spec)
        self._episodes = episodes
        rng = random.Random(7)
        self._to_crash = {i for i in range(episodes) if rng.random() < crash_rate}
        self._lock = threading.Lock()

    def samples(self, split: str) -> list[Sample]:
        return [Sample(f"episode-{i}", {"number": i}) for i in range(self._episodes)]

    def play(self, sample: Sample, session: Session) -> Outcome:
        messages: list[Message] = [{"role": "user", "content": f"Task {sample.id}. {OBSERVATION}"}]
        digest = hashlib.sha256()
        for turn in range(TURNS):
            if turn == TURNS // 2:
                self._maybe_crash(sample.data["number"])
            reply = session.reply(messages)
            digest.update(reply.encode())
            messages.append({"role": "assistant", "content": reply})
            messages.append({"role": "user", "content": f"Turn {turn}. {OBSERVATION}"})
        session.finish(messages)
        return Outcome(
            Status.COMPLETED, int(digest.hexdigest()[:4], 16) / 0xFFFF, prediction=digest.hexdigest()
        )

    def _maybe_crash(self, number: int) -> None:
        with self._lock:
            crash = number in self._to_crash
            self._to_crash.discard(number)
        if crash:
            raise EnvironmentFailure("injected crash")

    def score(self, records: Sequence[dict[str, Any]]) -> Scores:
        return Scores("mean", {"mean": mean([r["reward"] for r in records])})

    def oracle(self, sample: Sample) -> Player:
        raise NotImplementedError("the bench task has no gold answers")
