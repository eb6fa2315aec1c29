"""Progress of a run: a bar on a terminal, a line now and then in a log."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as RichProgress

LOG_EVERY = 15.0  # seconds between lines where there is no terminal


class Progress:
    """Counts finished samples, failures and the mean reward so far.

    Args:
        label: what is running.
        total: samples of the run.
        done: samples finished by earlier calls.
        show: print anything at all.
    """

    def __init__(self, label: str, total: int, done: int, show: bool):
        self.done = done
        self._total = total
        self._label = label
        self._sum = 0.0
        self._scored = 0
        self._broken = 0
        self._last = time.monotonic()
        self._show = show
        self._bar: RichProgress | None = None
        if show and sys.stderr.isatty():
            self._bar = RichProgress(
                TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[note]}"),
                TimeElapsedColumn(), TimeRemainingColumn(), console=Console(stderr=True),
            )  # fmt: skip
            self._task = self._bar.add_task(label, total=total, completed=done, note="")

    def __enter__(self) -> Progress:
        if self._bar is not None:
            self._bar.start()
        elif self._show:
            again = f", {self.done} already there" if self.done else ""
            print(f"{self._label}: {self._total} samples{again}", file=sys.stderr, flush=True)
        return self

    def step(self, record: dict[str, Any]) -> None:
        """One more record."""
        if record["reward"] is None:
            self._broken += 1
        else:
            self.done += 1
            self._scored += 1
            self._sum += record["reward"]
        if self._bar is not None:
            self._bar.update(self._task, completed=self.done, note=self._note())
        elif self._show and time.monotonic() - self._last > LOG_EVERY:
            self._last = time.monotonic()
            print(f"{self._label}: {self.done}/{self._total} {self._note()}", file=sys.stderr, flush=True)

    def _note(self) -> str:
        mean = f"reward {self._sum / self._scored:.3f}" if self._scored else ""
        return mean + (f", {self._broken} infrastructure failures" if self._broken else "")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()
        elif self._show:
            print(f"{self._label}: {self.done}/{self._total} {self._note()}", file=sys.stderr, flush=True)
