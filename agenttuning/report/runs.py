"""Reads run folders: runs/<model>/<task>/<split>-<profile>.../{run.json, records.jsonl, scores.json}.

Everything in these files may be missing, torn or of the wrong type; a folder that cannot be read is named in the
report and never stops it.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agenttuning.episodes.rooms import GROUPS, find_spec
from agenttuning.episodes.types import Metric, Status, TaskSpec
from agenttuning.errors import KitError
from agenttuning.report.text import one_line, slug

INVALID_SHARE = 0.01
"""Share of infrastructure failures above which a run is invalid."""

SCRIPTED = {"oracle": "ceiling", "nop": "floor", "replay": "replay"}
"""Players that are no models, and what their column means."""


@dataclass(frozen=True)
class Row:
    """One finished sample, without its transcript (see `transcript_of`).

    Attributes:
        offset, size: byte position and length of its line in records.jsonl.
        seconds, model_seconds: wall time of the episode and of its model calls.
    """

    sample: str
    index: int
    status: str
    reward: float | None
    prediction: str
    calls: int
    retries: int
    prompt_tokens: int
    completion_tokens: int
    seconds: float
    model_seconds: float
    offset: int
    size: int

    @property
    def infrastructure(self) -> bool:
        return self.status in (Status.ENV_ERROR, Status.MODEL_ERROR)


@dataclass
class Run:
    """One run folder.

    Attributes:
        group: held-in, held-out, general, or "other" for a task this checkout does not know.
        column: the paper's row the task fills.
        score: main metric; its value is None for an unfinished run.
        expected: samples in the split, None where unknown.
        complete: every sample has a record (failed ones too: `infrastructure` counts them).
        scored: whether scores.json could be read.
        problems: sentences about damage found in the folder.
    """

    folder: Path
    model: str
    model_id: str | None
    task: str
    title: str
    group: str
    column: str
    split: str
    profile: str
    sampling: str
    seed: Any
    identity: dict[str, Any]
    provenance: dict[str, Any]
    rows: list[Row]
    scored: bool = False
    main: str = ""
    score: Metric = Metric(None, 0)
    metrics: dict[str, Metric] = field(default_factory=dict)
    expected: int | None = None
    statuses: dict[str, int] = field(default_factory=dict)
    infrastructure: int = 0
    invalid: bool = False
    complete: bool = False
    paper_split: bool = False
    notes: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    @property
    def slug(self) -> str:
        return slug(*self.folder.parts[-3:])

    @property
    def name(self) -> str:
        """The folder as people know it: model/task/split-profile."""
        return "/".join(self.folder.parts[-3:])

    @property
    def superseded(self) -> bool:
        """Whether a later run with another identity took its place (episodes/identity.py moves it aside)."""
        return ".previous-" in self.folder.name

    @property
    def finished(self) -> int:
        """Samples with a record, infrastructure failures included."""
        return sum(self.statuses.values())

    @property
    def infrastructure_share(self) -> float:
        return self.infrastructure / self.finished if self.finished else 0.0

    @property
    def usable(self) -> bool:
        """Whether its number stands: all samples done, few enough infrastructure failures, a value."""
        return self.scored and self.complete and not self.invalid and self.score.value is not None

    @property
    def rewards(self) -> dict[str, float | None]:
        """Reward by sample id; None for infrastructure failures."""
        return {row.sample: None if row.infrastructure else row.reward for row in self.rows}


def find_runs(runs: Path) -> tuple[list[Run], list[str]]:
    """All runs below a folder, in path order, and a sentence for each folder that could not be read."""
    found, problems = [], []
    for path in sorted(runs.glob("*/*/*/run.json")):
        try:
            found.append(read_run(path.parent))
        except KitError as error:
            problems.append(str(error))
    return found, problems


def read_run(folder: Path) -> Run:
    """One run folder. Raises KitError when run.json is absent, unreadable or no object."""
    folder = folder.resolve()
    about = _object(folder / "run.json", required=True)
    identity, provenance = _dict(about.get("identity")), _dict(about.get("provenance"))
    scores, problems = _scores(folder)
    rows, more = _rows(folder / "records.jsonl")
    model, task = (
        str(identity.get(key) or folder.parts[place]) for key, place in (("model", -3), ("task", -2))
    )
    split = str(identity.get("split") or folder.name.split("-")[0])
    spec = _spec(task)
    group = str(scores.get("group") or (spec.group if spec else "other"))
    title = str(scores.get("title") or (spec.title if spec else task))
    run = Run(
        folder=folder,
        model=model,
        model_id=str(identity["model_id"]) if identity.get("model_id") else None,
        task=task,
        title=title,
        group=group if group in GROUPS else "other",
        column=str(scores.get("column") or (spec.column if spec else title)),
        split=split,
        profile=str(identity.get("profile") or scores.get("profile") or "unknown"),
        sampling=str(identity.get("sampling") or scores.get("sampling") or "unknown"),
        seed=identity.get("seed"),
        identity=identity,
        provenance=provenance,
        rows=rows,
        problems=[f"{'/'.join(folder.parts[-3:])}: {text}" for text in problems + more],
    )
    _count(run, scores, spec)
    return run


def _count(run: Run, scores: dict[str, Any], spec: TaskSpec | None) -> None:
    """Fill in what scores.json says, or what the records say where it is absent."""
    table = spec.splits.get(run.split, {}) if spec else {}
    expected = _number(scores.get("expected", table.get("samples")))
    run.expected = None if expected is None else int(expected)
    run.statuses = dict(Counter(row.status for row in run.rows))
    run.infrastructure = sum(row.infrastructure for row in run.rows)
    run.paper_split = bool(scores.get("paper_split", table.get("paper", False)))
    if not scores:
        return
    run.scored = True
    run.metrics = {str(name): _metric(value) for name, value in _dict(scores.get("metrics")).items()}
    run.main = str(scores.get("main") or "")
    value = _number(scores.get("value"))
    named = run.metrics.get(run.main, Metric(value, int(_number(scores.get("n")) or 0)))
    run.score = Metric(value, named.n, named.low, named.high, named.method)
    run.notes = [str(note) for note in _list(scores.get("notes"))]
    told = {str(key): int(_number(n) or 0) for key, n in _dict(scores.get("statuses")).items()}
    if not run.rows:
        run.statuses = told
        run.infrastructure = int(_number(_dict(scores.get("infrastructure")).get("count")) or 0)
    elif told and told != run.statuses:
        run.problems.append(f"{run.name}: scores.json does not fit records.jsonl; recompute the scores")
    run.invalid = (
        bool(_dict(scores.get("infrastructure")).get("invalid")) or run.infrastructure_share > INVALID_SHARE
    )
    # A sample that failed in the infrastructure has had its turn: up to 1 % of them leave the run valid.
    run.complete = bool(scores.get("complete")) or (run.expected is not None and run.finished >= run.expected)


def transcript_of(run: Run, row: Row) -> dict[str, Any]:
    """The whole record of a sample, read from its place in records.jsonl."""
    with (run.folder / "records.jsonl").open("rb") as file:
        file.seek(row.offset)
        return _dict(json.loads(file.readline()))


def _rows(path: Path) -> tuple[list[Row], list[str]]:
    """Rows in sample order. A sample that was retried counts once, with its last record."""
    rows: dict[str, Row] = {}
    damaged = 0
    problems = []
    if path.is_file():
        for offset, line, last in _lines(path):
            try:
                record = json.loads(line)
                if not isinstance(record, dict):
                    raise ValueError("no object")
            except ValueError:
                if last and not line.endswith(b"\n"):
                    problems.append("the last line of records.jsonl is torn and was left out; resume the run")
                else:
                    damaged += 1
                continue
            row = _row(record, offset, len(line), len(rows))
            rows[row.sample] = row
    if damaged:
        problems.append(f"{damaged} unreadable lines in records.jsonl were left out")
    return sorted(rows.values(), key=lambda row: row.index), problems


def _lines(path: Path) -> Iterator[tuple[int, bytes, bool]]:
    """(offset, line, whether it ends the file) of every non-empty line."""
    size = path.stat().st_size
    offset = 0
    with path.open("rb") as file:
        for line in file:
            if line.strip():
                yield offset, line, offset + len(line) >= size
            offset += len(line)


def _row(record: dict[str, Any], offset: int, size: int, position: int) -> Row:
    usage, seconds = _dict(record.get("usage")), _dict(record.get("seconds"))
    index = _number(record.get("index"))
    return Row(
        sample=str(record.get("sample", position)),
        index=position if index is None else int(index),
        status=str(record.get("status") or "unknown"),
        reward=_number(record.get("reward")),
        prediction="" if record.get("prediction") is None else one_line(record["prediction"]),
        calls=int(_number(usage.get("calls")) or 0),
        retries=int(_number(usage.get("retries")) or 0),
        prompt_tokens=int(_number(usage.get("prompt_tokens")) or 0),
        completion_tokens=int(_number(usage.get("completion_tokens")) or 0),
        seconds=_number(seconds.get("wall")) or 0.0,
        model_seconds=_number(seconds.get("model")) or 0.0,
        offset=offset,
        size=size,
    )


def _scores(folder: Path) -> tuple[dict[str, Any], list[str]]:
    """scores.json, or nothing for an unfinished run; a damaged file counts as absent and is named."""
    try:
        return _object(folder / "scores.json", required=False), []
    except KitError as error:
        return {}, [str(error)]


def _object(path: Path, required: bool) -> dict[str, Any]:
    if not path.is_file() and not required:
        return {}
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise KitError(
            f"{path} cannot be read ({error})", "delete the folder or run the evaluation again"
        ) from error
    if not isinstance(value, dict):
        raise KitError(f"{path} holds no JSON object", "delete the folder or run the evaluation again")
    return value


def _spec(task: str) -> TaskSpec | None:
    """The task as this checkout knows it. Reports of runs made elsewhere must work without it."""
    try:
        return find_spec(task)
    except KitError:
        return None


def _metric(value: Any) -> Metric:
    table = _dict(value)
    low, high = _number(table.get("low")), _number(table.get("high"))
    n = int(_number(table.get("n")) or 0)
    return Metric(
        _number(table.get("value")), n, low, high, str(table["method"]) if table.get("method") else None
    )


def _number(value: Any) -> float | None:
    """A finite number, or None for everything else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value) if math.isfinite(value) else None
    except OverflowError:
        return None


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
