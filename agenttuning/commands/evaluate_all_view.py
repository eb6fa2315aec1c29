"""What eval-all shows: the jobs of its plan, one display for all of them, the table at the end."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.live import Live
from rich.table import Table

from agenttuning.episodes.types import TaskSpec

LOG_EVERY = 30.0  # seconds between overviews where there is no terminal


@dataclass
class Job:
    """One task of the plan and how far it is.

    Attributes:
        spec, split: what is evaluated.
        runtime: docker or native.
        command: the child's command line.
        memory: MB it is expected to take.
        folder: run folder, where it is known before the run says it.
        state: waiting, running, done, failed, skipped or stopped.
        note: reason of a skip or failure.
    """

    spec: TaskSpec
    split: str
    runtime: str
    command: list[str]
    log: Path
    memory: int
    total: int
    folder: Path | None = None
    state: str = "waiting"
    note: str = ""
    process: subprocess.Popen[bytes] | None = None
    began: float = 0.0
    seconds: float = 0.0
    read: int = 0
    finished: set[str] = field(default_factory=set)
    scores: dict[str, Any] | None = None


def summary(plan: list[Job]) -> Table:
    """The final table."""
    table = Table(
        "task",
        "group",
        "split",
        "runtime",
        "state",
        "score",
        "95 %",
        "n",
        "s",
        "note",
        box=None,
        pad_edge=False,
    )
    for job in plan:
        score, interval, n = "", "", ""
        if job.scores is not None:
            metric = job.scores["metrics"][job.scores["main"]]
            score = "none" if metric["value"] is None else f"{metric['value']:.2f}"
            interval = "" if metric["low"] is None else f"{metric['low']:.1f}..{metric['high']:.1f}"
            n = f"{job.scores['n']}/{job.scores['expected']}"
        seconds = f"{job.seconds:.0f}" if job.seconds else ""
        table.add_row(
            job.spec.name,
            job.spec.group,
            job.split,
            job.runtime,
            job.state,
            score,
            interval,
            n,
            seconds,
            job.note,
        )
    return table


@contextmanager
def display(plan: list[Job]) -> Iterator[Callable[[], None]]:
    """One table that is redrawn on a terminal; in a log a line per change and an overview now and then."""
    if sys.stderr.isatty():
        with Live(
            _overview(plan), console=Console(stderr=True), refresh_per_second=4, transient=True
        ) as live:
            yield lambda: live.update(_overview(plan))
        return
    known: dict[str, str] = {job.spec.name: job.state for job in plan}
    last = [time.monotonic()]

    def refresh() -> None:
        for job in plan:
            if known[job.spec.name] != job.state:
                known[job.spec.name] = job.state
                count = (
                    f", {len(job.finished)}/{job.total} samples"
                    if job.state != "running" and job.total
                    else ""
                )
                click.echo(f"{job.spec.name}: {job.state}{count} {job.note}".rstrip(), err=True)
        if time.monotonic() - last[0] > LOG_EVERY:
            last[0] = time.monotonic()
            said = [f"{j.spec.name} {len(j.finished)}/{j.total or '?'}" for j in plan if j.state == "running"]
            click.echo(f"running: {', '.join(said)}", err=True)

    yield refresh


def _overview(plan: list[Job]) -> Table:
    table = Table("task", "runtime", "state", "samples", "s", "", box=None, pad_edge=False)
    for job in plan:
        seconds = (
            f"{time.monotonic() - job.began:.0f}"
            if job.state == "running"
            else f"{job.seconds:.0f}"
            if job.seconds
            else ""
        )
        note = _last_line(job.log) if job.state == "running" else job.note
        table.add_row(
            job.spec.name,
            job.runtime,
            job.state,
            f"{len(job.finished)}/{job.total or '?'}",
            seconds,
            note[:70],
        )
    return table


def _last_line(log: Path) -> str:
    with suppress(OSError):
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - 2000))
            lines = [
                line.strip() for line in file.read().decode(errors="replace").splitlines() if line.strip()
            ]
        return lines[-1] if lines else ""
    return ""
