"""agenttuning eval-all: every task that can run here, several at once, each in a process of its own, one report."""

from __future__ import annotations

import ctypes
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from agenttuning import report, sources
from agenttuning.commands.evaluate import default_split
from agenttuning.commands.evaluate_all_view import Job, display, summary
from agenttuning.commands.options import words
from agenttuning.containers import runtime
from agenttuning.episodes.identity import default_sampling, folder_for
from agenttuning.episodes.rooms import GROUPS, all_specs, find_spec, load_task
from agenttuning.episodes.runner import Interrupted
from agenttuning.episodes.types import TaskSpec
from agenttuning.errors import KitError
from agenttuning.home import runs_dir
from agenttuning.models.registry import DEFAULT_MODEL, Model, find_model

HARNESS_MB = 300  # one evaluating process without its environments
SHARE = 0.8  # of the memory that is available when we start
STOP_SECONDS = 60.0  # how long a task may take to close its environments


@click.command("eval-all")
@click.option("--group", type=click.Choice(GROUPS), help="Only this group.")
@click.option("--tasks", callback=words, help="Only these tasks.")
@click.option(
    "--model", default=DEFAULT_MODEL, show_default=True, help="Name in models.toml, or oracle, nop."
)
@click.option("--split", help="Split of every task; default as in eval.")
@click.option("--profile", type=click.Choice(["paper", "kit"]), default="kit", show_default=True)
@click.option("--sampling", type=click.Choice(["upstream", "greedy"]))
@click.option("--limit", type=click.IntRange(min=1), help="Only the first N samples of each task.")
@click.option(
    "--workers", type=click.IntRange(min=1), help="Episodes at once in each task; default: the task's."
)
@click.option("--seed", type=int)
@click.option("--host")
@click.option("--port", type=int)
@click.option("--replicas", type=click.IntRange(min=1), default=1)
@click.option("--runs", type=click.Path(path_type=Path), help="Folder of run folders; default: runs/.")
@click.option(
    "--runtime",
    "wanted",
    envvar="RUNTIME",
    help="docker or native; default: docker where the image is current.",
)
@click.option("--jobs", type=click.IntRange(min=1), help="Tasks at once; default: the number of cores.")
def evaluate_all(
    group: str | None, tasks: list[str], model: str, split: str | None, profile: str, runs: Path | None,
    wanted: str | None, jobs: int | None, host: str | None, port: int | None, replicas: int, **settings: Any,
) -> None:  # fmt: skip
    """Evaluate a model on every task (or a group, or TASKS) and write one report.

    A task that fails does not stop the others; run the same command again to go on where it stopped.
    """
    chosen = find_model(model, host=host, port=port, replicas=replicas)
    specs = [find_spec(name) for name in tasks] if tasks else list(all_specs().values())
    specs = [spec for spec in specs if group in (None, spec.group)]
    if not specs:
        raise KitError(f"there is no task of the group {group} here" if group else "there are no tasks here")
    chosen.probe()
    folder = (runs or runs_dir()).resolve()
    common = {
        "model": model,
        "profile": profile,
        "host": host,
        "port": port,
        "replicas": replicas,
        **settings,
    }
    plan = [make_job(spec, split, wanted, folder, chosen, common) for spec in specs]
    waiting = [job for job in plan if job.state == "waiting"]
    for job in plan:
        if job.state == "skipped":
            click.echo(f"{job.spec.name}: skipped, {job.note}", err=True)
    if not waiting:
        raise KitError("no task can run here", "the reasons stand above; make doctor says what to do")
    interrupted = False
    try:
        play(plan, jobs or os.cpu_count() or 1, int(SHARE * available_mb()))
    except KeyboardInterrupt:
        interrupted = True
    Console(width=None if sys.stdout.isatty() else 140).print(summary(plan))
    with suppress(KitError):
        click.echo(f"report: {report.build(folder, folder / 'report')}")
    count = {state: sum(job.state == state for job in plan) for state in ("done", "failed", "skipped")}
    said = ", ".join(f"{number} {state}" for state, number in count.items() if number)
    if interrupted:
        raise Interrupted(
            f"stopped; {said or 'nothing finished'} of {len(plan)} tasks",
            "repeat the command to go on: finished samples are kept",
        )
    click.echo(f"eval-all: {said} of {len(plan)} tasks")
    if count["failed"]:
        raise SystemExit(1)


def make_job(
    spec: TaskSpec, split: str | None, wanted: str | None, runs: Path, model: Model, common: dict[str, Any]
) -> Job:
    """The job of one task: its command, or the reason why it is skipped."""
    profile: str = common["profile"]
    chosen = split or default_split(spec.splits, profile)
    workers = int(common.get("workers") or spec.resources.get("workers", 1))
    command, which, note = [], "", ""
    try:
        which = runtime.choose(spec.name, wanted).runtime
        note = problem(spec, chosen, profile, which) or ""
    except KitError as error:
        note = str(error)
    arguments = ["eval", spec.name, "--split", chosen, "--runs", str(runs)]
    for key, value in common.items():
        if value is not None:
            arguments += [f"--{key}", str(value)]
    inner = (
        ["images", "run", "--runtime", "docker", spec.name, *arguments] if which == "docker" else arguments
    )
    command = [sys.executable, "-m", "agenttuning.cli", *inner]
    limit, size = common.get("limit"), int(spec.splits.get(chosen, {}).get("samples", 0))
    folder = None
    with suppress(KitError, ImportError):
        sampling = common.get("sampling") or default_sampling(profile)
        folder = folder_for(
            runs, model.name, load_task(spec.name, profile), chosen, sampling, common.get("seed")
        )
    return Job(
        spec, chosen, which, command, runs / ".eval-all" / model.name / f"{spec.name}.log",
        memory=HARNESS_MB + workers * int(spec.resources.get("memory_mb", 256)),
        total=min(limit, size) if limit and size else limit or size,
        folder=folder, state="skipped" if note else "waiting", note=note,
    )  # fmt: skip


def problem(spec: TaskSpec, split: str, profile: str, which: str) -> str | None:
    """Why the task cannot run now: no such split, data not fetched, or (natively) a dependency missing."""
    if split not in spec.splits:
        return f"it has no split {split} (it has {', '.join(spec.splits)})"
    missing = [key for key in spec.splits[split].get("files", []) if not sources.available(key)]
    if profile == "paper":
        missing += [
            f"prompts of {n}" for n in spec.needs.get("prompts", []) if not sources.prompts_available(n)
        ]
    if missing:
        return f"not fetched: {', '.join(missing)}; run: make data TASKS={spec.name}"
    if which == "docker":
        return None
    try:
        load_task(spec.name, profile).check()
    except KitError as error:
        return str(error)
    except ModuleNotFoundError as error:
        return f"the Python package {error.name} is not installed; run: make setup"
    return None


def available_mb() -> int:
    """Memory that can be used without swapping, MB; all tasks fit where the system does not say."""
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) // 1024
    except OSError:
        pass
    return 1 << 30


def play(plan: list[Job], at_once: int, memory: int) -> None:
    """Run the waiting jobs: at most `at_once` tasks, and no more than fit in `memory` MB (one always may).

    Raises:
        KeyboardInterrupt: Ctrl-C or SIGTERM, after every child has stopped.
    """
    with _terminable(), display(plan) as refresh:
        try:
            while any(job.state in ("waiting", "running") for job in plan):
                for job in plan:
                    if job.state == "running":
                        look(job)
                running = [job for job in plan if job.state == "running"]
                for job in plan:
                    used = sum(other.memory for other in running)
                    if (
                        job.state == "waiting"
                        and len(running) < at_once
                        and (not running or used + job.memory <= memory)
                    ):
                        start(job)
                        running.append(job)
                refresh()
                time.sleep(0.2)
        finally:
            stop_all(plan)
            refresh()


def start(job: Job) -> None:
    """Start the child in a session of its own, so that Ctrl-C comes from us alone; it ends when we are killed."""
    job.log.parent.mkdir(parents=True, exist_ok=True)
    with job.log.open("wb") as log:
        job.process = subprocess.Popen(
            job.command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
            start_new_session=True, preexec_fn=_end_with_parent,
        )  # fmt: skip
    job.state, job.began = "running", time.monotonic()


def look(job: Job) -> None:
    """Take note of new records, and of the child's end."""
    assert job.process is not None
    code = job.process.poll()
    _read_records(job)
    job.seconds = time.monotonic() - job.began
    if code is None:
        return
    lines = [line.strip() for line in job.log.read_text(errors="replace").splitlines() if line.strip()]
    for line in lines:
        if line.startswith("run: "):
            job.folder = Path(line.removeprefix("run: "))
    if code == 0 and job.folder is not None and (job.folder / "scores.json").is_file():
        job.state, job.scores = "done", json.loads((job.folder / "scores.json").read_text())
        if job.scores["infrastructure"]["invalid"]:
            job.note = f"invalid: {job.scores['infrastructure']['count']} infrastructure failures, repeat the command"
    else:
        job.state = "stopped" if code == Interrupted.exit_code else "failed"
        last = lines[-1].removeprefix("agenttuning: ") if lines else f"ended with exit code {code}"
        job.note = f"{last} (log: {job.log})" if job.state == "failed" else last


def stop_all(plan: list[Job]) -> None:
    """SIGTERM to every child, so that each closes its environments; those that do not end are killed.

    Not SIGINT: a shell starts background jobs with it ignored, and children inherit that.
    """
    running = [job for job in plan if job.state == "running" and job.process is not None]
    for job in running:
        assert job.process is not None
        with suppress(ProcessLookupError):
            job.process.terminate()
    deadline = time.monotonic() + STOP_SECONDS
    for job in running:
        assert job.process is not None
        try:
            job.process.wait(timeout=max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            with suppress(ProcessLookupError):
                os.killpg(job.process.pid, signal.SIGKILL)
            job.process.wait()
        look(job)
        if job.state == "failed":
            job.state = "stopped"
    for job in plan:
        if job.state == "waiting":
            job.state = "stopped"


def _read_records(job: Job) -> None:
    """Count the samples with a reward in the run's records.jsonl, from where we last stopped reading."""
    path = job.folder / "records.jsonl" if job.folder else None
    with suppress(OSError, ValueError, KeyError):
        if path is not None and path.is_file():
            with path.open("rb") as file:
                file.seek(job.read)
                for line in file:
                    if not line.endswith(b"\n"):
                        break
                    job.read += len(line)
                    record = json.loads(line)
                    if record["reward"] is not None:
                        job.finished.add(record["sample"])


@contextmanager
def _terminable() -> Iterator[None]:
    """SIGTERM ends us the way Ctrl-C does."""

    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


_LIBC = ctypes.CDLL(None)
_PR_SET_PDEATHSIG = 1


def _end_with_parent() -> None:
    """In the child: SIGTERM when we die, also by kill -9, so that no task writes on unseen."""
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
