"""records.jsonl of a run folder: one line per finished sample, durable, readable after any crash."""

from __future__ import annotations

import json
import os
import queue
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from agenttuning.episodes.types import Outcome, Sample, Status
from agenttuning.errors import KitError


def make_record(
    sample: Sample,
    index: int,
    outcome: Outcome,
    *,
    attempts: int,
    usage: dict[str, int],
    seconds: dict[str, float],
    transcript: list[dict[str, Any]],
    error: str | None = None,
) -> dict[str, Any]:
    """The record of one sample, as written to disk and given to Task.score."""
    return {
        "sample": sample.id,
        "index": index,
        "status": str(outcome.status),
        "reward": outcome.reward,
        "prediction": outcome.prediction,
        "target": sample.target,
        "metrics": outcome.metrics,
        "detail": outcome.detail,
        "attempts": attempts,
        "usage": usage,
        "seconds": seconds,
        "error": error,
        "transcript": transcript,
    }


def is_final(record: dict[str, Any]) -> bool:
    """Whether the sample is finished: its status is the model's own and not the infrastructure's."""
    return not Status(record["status"]).infrastructure


def read_records(path: Path) -> list[dict[str, Any]]:
    """Every whole line of a records file, in file order. A torn last line (killed run) is left out.

    Raises:
        KitError: a line before the last one is damaged.
    """
    if not path.exists():
        return []
    found = []
    lines = path.read_bytes().split(b"\n")
    for number, line in enumerate(lines, start=1):
        if not line:
            continue
        try:
            found.append(json.loads(line))
        except ValueError as error:
            if number == len(lines):
                break
            raise KitError(
                f"{path}, line {number} is damaged ({error})",
                "move that line away; its sample is then run again",
            ) from error
    return found


def latest(records: Sequence[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """One record per sample id: the first final one, else the last infrastructure failure."""
    chosen: dict[str, dict[str, Any]] = {}
    for record in records:
        known = chosen.get(record["sample"])
        if known is None or not is_final(known):
            chosen[record["sample"]] = record
    return chosen


class RecordWriter:
    """Appends records from many threads; `append` returns when the line is on the disk.

    Lines that arrive while another fsync is under way share the next one (group commit), so durability
    costs one fsync per batch and not one per sample.

    Args:
        path: records.jsonl; a torn last line is cut off first.
    """

    def __init__(self, path: Path):
        self._cut_torn_line(path)
        self._file = path.open("ab", buffering=0)
        self._queue: queue.SimpleQueue[tuple[bytes, threading.Event] | None] = queue.SimpleQueue()
        self._failure: OSError | None = None
        self._thread = threading.Thread(target=self._write_batches, name="record-writer", daemon=True)
        self._thread.start()

    def append(self, record: dict[str, Any]) -> None:
        """Write one record and wait until it is durable. Raises KitError when the disk refuses."""
        line = (
            json.dumps(record, ensure_ascii=False, separators=(",", ":"), default=str).encode(
                "utf-8", "surrogatepass"
            )
            + b"\n"
        )
        done = threading.Event()
        self._queue.put((line, done))
        done.wait()
        if self._failure is not None:
            raise KitError(
                f"cannot write {self._file.name} ({self._failure.strerror})",
                "free some disk and run the same command again: finished samples are kept",
            )

    def close(self) -> None:
        self._queue.put(None)
        self._thread.join()
        self._file.close()

    def _write_batches(self) -> None:
        while True:
            first = self._queue.get()
            if first is None:
                return
            batch = [first]
            stop = False
            while not self._queue.empty():
                item = self._queue.get()
                if item is None:
                    stop = True
                    break
                batch.append(item)
            try:
                if self._failure is None:
                    self._write_all(b"".join(line for line, _ in batch))
                    os.fsync(self._file.fileno())
            except OSError as error:
                self._failure = error
            for _, done in batch:
                done.set()
            if stop:
                return

    def _write_all(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            view = view[self._file.write(view) :]

    @staticmethod
    def _cut_torn_line(path: Path) -> None:
        if not path.exists():
            return
        data = path.read_bytes()
        keep = data.rfind(b"\n") + 1
        if keep != len(data):
            with path.open("r+b") as file:
                file.truncate(keep)


def write_json(path: Path, value: Any) -> None:
    """Write a JSON file atomically, with sorted keys and a final newline."""
    temporary = path.with_name(path.name + ".tmp")
    with temporary.open("w") as file:
        json.dump(value, file, indent=2, sort_keys=True, ensure_ascii=False, default=str)
        file.write("\n")
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)
