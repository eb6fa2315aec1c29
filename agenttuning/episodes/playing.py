"""Plays one sample to its record: attempts, typed failures, oracle, nop and replay players."""

from __future__ import annotations

import threading
import time
import traceback
from pathlib import Path
from typing import Any

from agenttuning.episodes.records import latest, make_record, read_records
from agenttuning.episodes.session import Session
from agenttuning.episodes.types import EnvironmentFailure, Outcome, Sample, Status, Task
from agenttuning.errors import KitError
from agenttuning.models.pool import ReplicaPool
from agenttuning.models.registry import Model
from agenttuning.models.scripted import ScriptedEndpoint, nop, replay
from agenttuning.models.types import ContextLimit, Endpoint, ModelError

ATTEMPTS = 3
"""Times an episode is tried when the infrastructure fails under it."""


class Desk:
    """Everything one process needs to play samples: the task, the model's replicas, the settings.

    Args:
        task: opened by the caller.
        stop: set when the run is being stopped.
        seed: seed of the run; every episode and call gets its own from it.
    """

    def __init__(
        self,
        task: Task,
        model: Model,
        *,
        sampling: str,
        seed: int | None,
        system: str | None,
        stop: threading.Event,
        attempts: int = ATTEMPTS,
    ):
        self.task = task
        self.model = model
        self.generation = task.base_generation(sampling)
        self.seed = seed
        self.system = system
        self.stop = stop
        self.attempts = attempts
        self.pool = None if model.kind == "scripted" else ReplicaPool(model.endpoints())
        self._recorded = _recorded_replies(model.replay) if model.replay else {}

    def play(self, sample: Sample, index: int) -> dict[str, Any]:
        """The sample's record. Raises Cancelled; every other failure becomes part of the record."""
        failures: list[str] = []
        started = time.perf_counter()
        for attempt in range(1, self.attempts + 1):
            session: Session | None = None
            try:
                if self.pool is None:
                    session = self._session(self._scripted(sample), index)
                    outcome = self._outcome(sample, session)
                else:
                    with self.pool.lease() as endpoint:
                        session = self._session(endpoint, index)
                        outcome = self._outcome(sample, session)
                break
            except ModelError as error:
                failures.append(f"{type(error).__name__}: {error.cause}")
                outcome = Outcome(Status.MODEL_ERROR, None, detail=error.cause)
            except EnvironmentFailure as error:
                failures.append(f"environment: {error}")
                outcome = Outcome(Status.ENV_ERROR, None, detail=str(error))
            except Exception as error:  # a defect of ours or of the environment must not take the run down
                failures.append(traceback.format_exc(limit=-8))
                outcome = Outcome(Status.ENV_ERROR, None, detail=f"{type(error).__name__}: {error}")
            if attempt < self.attempts:
                self.stop.wait(0.2 * attempt)
        return make_record(
            sample,
            index,
            outcome,
            attempts=attempt,
            usage=session.usage()
            if session
            else dict.fromkeys(("calls", "retries", "prompt_tokens", "completion_tokens"), 0),
            seconds={
                "wall": round(time.perf_counter() - started, 4),
                "model": round(session.model_seconds, 4) if session else 0.0,
            },
            transcript=session.transcript if session else [],
            error="\n".join(failures) or None,
        )

    def close(self) -> None:
        if self.pool is not None:
            self.pool.close()

    def _session(self, endpoint: Endpoint, index: int) -> Session:
        generation = self.generation
        if self.seed is not None:
            generation = generation.but(seed=self.seed * 10_000_000 + index * 1_000)
        return Session(endpoint, generation, self.system, self.stop)

    def _outcome(self, sample: Sample, session: Session) -> Outcome:
        try:
            outcome = self.task.play(sample, session)
        except ContextLimit as error:
            outcome = Outcome(Status.CONTEXT_LIMIT, 0.0, detail=error.cause)
        if outcome.reward is None and not outcome.status.infrastructure:
            raise KitError(
                f"task {self.task.spec.name} gave sample {sample.id} no reward with status {outcome.status}"
            )
        return outcome

    def _scripted(self, sample: Sample) -> ScriptedEndpoint:
        if self.model.replay is not None:
            return ScriptedEndpoint("replay", replay(self._recorded.get(sample.id, [])))
        if self.model.name == "oracle":
            return ScriptedEndpoint("oracle", self.task.oracle(sample))
        return ScriptedEndpoint("nop", nop)


def _recorded_replies(folder: Path) -> dict[str, list[str]]:
    records = latest(read_records(folder / "records.jsonl"))
    if not records:
        raise KitError(f"{folder} holds no records to replay", "give a run folder below runs/")
    return {
        sample: [
            turn["content"]
            for turn in record["transcript"]
            if turn["role"] == "assistant" and not turn.get("scripted")
        ]
        for sample, record in records.items()
    }
