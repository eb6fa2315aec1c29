"""Evaluates one model on one split of one task: resumable, durable, the same result with any number of workers."""

from __future__ import annotations

import fcntl
import math
import signal
import threading
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from agenttuning.episodes import identity as identities
from agenttuning.episodes.playing import Desk
from agenttuning.episodes.progress import Progress
from agenttuning.episodes.records import RecordWriter, is_final, latest, read_records, write_json
from agenttuning.episodes.rooms import load_task
from agenttuning.episodes.types import Sample, Status, Task
from agenttuning.episodes.workers import Settings, in_processes, in_threads
from agenttuning.errors import KitError
from agenttuning.home import runs_dir
from agenttuning.models.registry import Model

INVALID_SHARE = 0.01
"""Share of infrastructure failures above which a run's number is not to be used."""


@dataclass(frozen=True)
class RunResult:
    """A finished (or resumed and now finished) run.

    Attributes:
        folder: run folder with run.json, records.jsonl, scores.json.
        records: one record per sample, in sample order.
        scores: content of scores.json.
        played: samples this call had to play (the others were already there).
    """

    folder: Path
    records: list[dict[str, Any]]
    scores: dict[str, Any]
    played: int


class Interrupted(KitError):
    """Ctrl-C or SIGTERM."""

    exit_code = 130


def run(
    task: str | Task,
    split: str,
    model: Model,
    *,
    profile: str = "kit",
    sampling: str | None = None,
    workers: int | None = None,
    limit: int | None = None,
    runs: Path | None = None,
    seed: int | None = None,
    system: str | None = None,
    options: dict[str, Any] | None = None,
    fresh: bool = False,
    seconds: float | None = None,
    show_progress: bool = True,
) -> RunResult:
    """Play every sample of a split that has no final record yet, then score all of them.

    Args:
        task: task name, or a Task already made (its profile and options then stand).
        split: split name of its task.toml.
        model: see models.registry.find_model.
        profile: "paper" or "kit".
        sampling: "upstream" or "greedy"; default: the profile's.
        workers: episodes at once; default: the task's.
        limit: only the first so many samples of the split.
        runs: folder of run folders.
        seed: seed of sampled decoding; runs with different seeds are different runs.
        system: system message for conversations that have none.
        options: the task's own options.
        seconds: begin no further episode after so many seconds; the next call goes on from there.
        fresh: move a finished run of the same kind aside and start anew.

    Raises:
        KitError: bad arguments, missing data or dependency, dead server, full disk; nothing finished is lost.
        Interrupted: Ctrl-C or SIGTERM.
    """
    made = load_task(task, profile, options) if isinstance(task, str) else task
    spec = made.spec
    if split not in spec.splits:
        raise KitError(f"task {spec.name} has no split {split!r}", f"choose from: {', '.join(spec.splits)}")
    sampling = sampling or identities.default_sampling(made.profile)
    if sampling not in ("upstream", "greedy"):
        raise KitError(f"there is no sampling {sampling!r}", "choose upstream or greedy")
    made.check()
    everything = made.samples(split)
    if not everything:
        raise KitError(f"split {split} of task {spec.name} has no samples")
    chosen = everything[:limit] if limit else everything
    info = model.probe()
    identity = identities.identity_of(made, split, model, info, sampling=sampling, seed=seed, system=system)
    folder = identities.folder_for(runs or runs_dir(), model.name, made, split, sampling, seed)
    with _locked(folder):
        identities.claim(folder, identity, identities.provenance_of(model, info), fresh=fresh)
        path = folder / "records.jsonl"
        known = latest(read_records(path))
        todo = [(i, s) for i, s in enumerate(chosen) if s.id not in known or not is_final(known[s.id])]
        if todo:
            settings = Settings(spec.name, made.profile, options or {}, model, sampling, seed, system)
            count = workers or int(spec.resources.get("workers", 1))
            if model.episodes is not None and workers is None:
                count = min(count, model.episodes * len(model.urls))
            deadline = math.inf if seconds is None else time.monotonic() + seconds
            _play_all(
                made,
                settings,
                todo,
                max(1, min(count, len(todo))),
                path,
                len(chosen),
                deadline,
                show_progress,
            )
        scores = rescore(folder, made)
        records = in_sample_order(path, everything)
    return RunResult(folder, records, scores, len(todo))


def rescore(folder: Path, task: Task | None = None) -> dict[str, Any]:
    """Compute scores.json of a run folder from its records alone, and write it.

    Raises:
        KitError: not a run folder, or its task or data are gone.
    """
    identity = identities.read_run(folder)["identity"]
    made = task or load_task(identity["task"], identity["profile"], identity["options"])
    everything = made.samples(identity["split"])
    records = in_sample_order(folder / "records.jsonl", everything)
    final = [r for r in records if is_final(r)]
    broken = len(records) - len(final)
    scored = made.score(final)
    share = broken / len(records) if records else 0.0
    main = scored.metrics[scored.main]
    scores = {
        "task": made.spec.name,
        "title": made.spec.title,
        "group": made.spec.group,
        "column": made.spec.column,
        "split": identity["split"],
        "profile": identity["profile"],
        "sampling": identity["sampling"],
        "seed": identity["seed"],
        "model": identity["model"],
        "main": scored.main,
        "value": main.value,
        "metrics": {name: asdict(metric) for name, metric in scored.metrics.items()},
        "n": len(final),
        "expected": len(everything),
        "complete": len(final) == len(everything),
        "statuses": {str(s): c for s in Status if (c := sum(r["status"] == s for r in records))},
        "infrastructure": {"count": broken, "share": share, "invalid": share > INVALID_SHARE},
        "paper_split": bool(made.spec.splits[identity["split"]].get("paper")),
        "notes": scored.notes,
    }
    write_json(folder / "scores.json", scores)
    return scores


def in_sample_order(path: Path, samples: list[Sample]) -> list[dict[str, Any]]:
    """One record per sample that has one, in the split's order."""
    known = latest(read_records(path))
    return [known[s.id] for s in samples if s.id in known]


def _play_all(
    task: Task,
    settings: Settings,
    todo: list[tuple[int, Sample]],
    workers: int,
    path: Path,
    total: int,
    deadline: float,
    show: bool,
) -> None:
    stop = threading.Event()
    threaded = task.spec.resources.get("isolation", "threads") == "threads"
    desk: Desk | None = None
    played: Generator[dict[str, Any], None, None] | None = None
    with (
        _signals(),
        Progress(f"{settings.model.name} · {task.spec.name}", total, total - len(todo), show) as progress,
    ):
        writer = RecordWriter(path)
        try:
            if threaded:
                task.open()
                desk = Desk(
                    task, settings.model,
                    sampling=settings.sampling, seed=settings.seed, system=settings.system, stop=stop,
                )  # fmt: skip
                played = in_threads(desk, todo, workers, deadline)
            else:
                played = in_processes(settings, todo, workers, deadline)
            dead = 0
            for record in played:
                writer.append(record)
                progress.step(record)
                dead = dead + 1 if record["status"] == Status.MODEL_ERROR else 0
                if dead >= 3 * workers:
                    raise KitError(
                        f"the model stopped answering: {dead} episodes in a row failed ({record['detail']})",
                        f"start it again ({settings.model.start}) and repeat the command: finished samples are kept",
                    )
        except KeyboardInterrupt:
            raise Interrupted(
                f"stopped after {progress.done} of {total} samples",
                "repeat the command to go on: finished samples are kept",
            ) from None
        finally:
            stop.set()
            if played is not None:
                played.close()
            writer.close()
            if desk is not None:
                desk.close()
            task.close()


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """One process at a time in a run folder. The lock goes with the process, however it dies."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with (folder.parent / f".{folder.name}.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise KitError(
                f"another process is writing to {folder}", "wait for it, or use another --runs folder"
            ) from error
        yield


@contextmanager
def _signals() -> Iterator[None]:
    """SIGTERM ends a run the way Ctrl-C does."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
