"""Words every task speaks: sample, status, outcome, score, and the Task contract itself."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agenttuning.models.types import Generation, Message

if TYPE_CHECKING:
    from agenttuning.episodes.session import Session


class Status(StrEnum):
    """How a sample ended. The last two are the infrastructure's; all others are the model's own result."""

    COMPLETED = "completed"
    INVALID_ACTION = "invalid_action"
    INVALID_FORMAT = "invalid_format"
    CONTEXT_LIMIT = "context_limit"
    TURN_LIMIT = "turn_limit"
    REPETITION = "repetition"
    ENV_ERROR = "env_error"
    MODEL_ERROR = "model_error"

    @property
    def infrastructure(self) -> bool:
        return self in (Status.ENV_ERROR, Status.MODEL_ERROR)


@dataclass(frozen=True)
class Sample:
    """One unit of evaluation.

    Attributes:
        id: unique and stable within the split; records are matched by it.
        data: the task's own record (question, table, variation number, ...). JSON-serialisable.
        target: gold answer as shown in reports; never reaches the model.
    """

    id: str
    data: dict[str, Any]
    target: Any = None


@dataclass
class Outcome:
    """Result of one episode.

    Attributes:
        status: how it ended.
        reward: the sample's main score on the task's own scale, 0..1 (None only for infrastructure statuses).
        prediction: what was graded (answer text, final state hash, ...), for reports and rescoring.
        metrics: further per-sample numbers or short strings (rounds, both gradings, category, ...).
        detail: one sentence on why it ended this way, for the transcript.
    """

    status: Status
    reward: float | None
    prediction: Any = None
    metrics: dict[str, Any] = field(default_factory=dict)
    detail: str = ""


@dataclass(frozen=True)
class Metric:
    """One number of a score with its interval.

    Attributes:
        value: on the paper's scale (percent for accuracies); None when nothing could be scored.
        n: number of samples in the denominator.
        low, high: 95 % interval, same scale; None where none is defined.
        method: "wilson" or "bootstrap".
    """

    value: float | None
    n: int
    low: float | None = None
    high: float | None = None
    method: str | None = None


@dataclass
class Scores:
    """What a task makes of its records.

    Attributes:
        main: name of the metric that fills the paper's column.
        metrics: all metrics by name; `main` is one of them.
    """

    main: str
    metrics: dict[str, Metric]
    notes: list[str] = field(default_factory=list)


class EnvironmentFailure(Exception):
    """The environment (not the model) broke: the episode is retried, then recorded as env_error."""


Player = Callable[[list[Message]], str]
"""A scripted player: gets the messages a model would get, returns the reply text."""


@dataclass(frozen=True)
class TaskSpec:
    """Content of a task.toml (see AgentBench.old/src/tasks/dbbench/task.toml for a commented one)."""

    name: str
    title: str
    group: str
    column: str
    folder: Path
    version: int
    metric: str
    splits: dict[str, dict[str, Any]]
    generation: dict[str, Any]
    limits: dict[str, Any]
    resources: dict[str, Any]
    needs: dict[str, Any]
    options: dict[str, Any]


class Task(ABC):
    """A benchmark. Made once per process; `play` runs in many threads (or processes) at once.

    A room's task.py defines one subclass named `Task...` and exposes it as `TASK = ThatClass`.

    Args:
        spec: the room's task.toml.
        profile: "paper" (upstream's prompts, limits, parsing, grading, quirks included) or "kit" (our own).
        options: values given on the command line (--option KEY=VALUE) over the defaults in task.toml.
    """

    def __init__(self, spec: TaskSpec, profile: str = "kit", options: dict[str, Any] | None = None):
        self.spec = spec
        self.profile = profile
        self.options = {**spec.options, **(options or {})}

    @abstractmethod
    def samples(self, split: str) -> list[Sample]:
        """All samples of a split, in the benchmark's order. Raises MissingData or KitError."""

    @abstractmethod
    def play(self, sample: Sample, session: Session) -> Outcome:
        """The whole protocol of one episode. Raises EnvironmentFailure; lets ModelError pass through.

        ContextLimit may be caught where the protocol says what to do; otherwise the runner turns it into a
        context_limit outcome with reward 0.
        """

    @abstractmethod
    def score(self, records: Sequence[dict[str, Any]]) -> Scores:
        """Scores from records alone (one dict per finished sample in sample order, see records.py).

        Records with an infrastructure status are not passed in; denominators the benchmark fixes are the
        task's business. Must not depend on time, order of completion or number of workers.
        """

    @abstractmethod
    def oracle(self, sample: Sample) -> Player:
        """A player that knows the gold answer and must reach `ceiling(sample)` through the real environment."""

    def ceiling(self, sample: Sample) -> float:
        """Reward the oracle must reach on this sample; 1.0 unless the protocol makes that impossible."""
        return 1.0

    def ceiling_note(self, sample: Sample) -> str:
        """Why the ceiling of this sample is below 1, in one sentence; empty where it is 1."""
        return ""

    def floor(self, sample: Sample) -> float:
        """Reward the nop player must get on this sample (0.0 unless doing nothing is rewarded)."""
        return 0.0

    def extra_checks(self) -> tuple[bool, list[str]]:
        """Proofs of the selfcheck that need no episode: whether they hold, and lines that say what was checked.

        For upstream data that cannot be played on this machine. Data that is not there is said, not failed.
        """
        return True, []

    def check(self) -> None:
        """Raise MissingDependency / MissingData for whatever is absent on this machine. Starts nothing."""
        return

    def open(self) -> None:
        """Start what all episodes of this process share (a database server, an index). Idempotent."""
        return

    def close(self) -> None:
        """Stop everything `open` started. Runs on every exit path; idempotent."""
        return

    def prompt_identity(self) -> dict[str, str]:
        """sha256 by name of every prompt text in use, for the run's identity."""
        return {}

    def base_generation(self, sampling: str) -> Generation:
        """Generation of this task: task.toml's [generation] plus its [generation.upstream] when sampling="upstream"."""
        table = dict(self.spec.generation)
        upstream = table.pop("upstream", {})
        values = {**table, **(upstream if sampling == "upstream" else {})}
        if "stop" in values:
            values["stop"] = tuple(values["stop"])
        return Generation(**values)
