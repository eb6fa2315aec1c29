"""Ranks of the candidate generator, taken out of the dataset's pickle without running anything it says.

The file is a pickle of {"scores": {step: {node: float}}, "ranks": {step: {node: int}}}, step being annotation_id + "_" +
action_uid (data of osunlp/Mind2Web @ 17ece8eb, used by AgentBench.old/src/tasks/mind2web/task.py @ e33a45d).
"""

from __future__ import annotations

import json
import os
import pickle
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

from agenttuning import sources
from agenttuning.errors import KitError
from agenttuning.home import data_dir

KEPT = 50
"""Ranks kept: the largest K of the recall that is reported. Only ranks below topk (10) decide a score."""

Ranks = dict[str, dict[str, int]]
"""step -> backend_node_id -> rank, from 0; nodes ranked KEPT or worse are left out."""


class PlainUnpickler(pickle.Unpickler):
    """Builds containers, numbers and texts of the language itself; every name a pickle wants to import is refused.

    Without an imported name a pickle has nothing it could call.
    """

    def find_class(self, module: str, name: str) -> Any:
        raise pickle.UnpicklingError(f"it wants to import {module}.{name}")

    def persistent_load(self, pid: Any) -> Any:
        raise pickle.UnpicklingError("it refers to an object outside the file")


def read_pickle(stream: BinaryIO, name: str) -> Any:
    """Content of a pickle. Raises KitError where it is damaged or holds anything but plain data."""
    try:
        return PlainUnpickler(stream).load()
    except Exception as error:  # a damaged or hostile pickle can raise nearly anything
        raise KitError(
            f"{name} is refused: {error or type(error).__name__}",
            "only a pickle of dicts, lists, texts and numbers is read",
        ) from error


def top_ranks(content: Any, name: str) -> Ranks:
    """The ranks below KEPT of a loaded file. Raises KitError where it has another shape."""
    table = content.get("ranks") if isinstance(content, dict) else None
    if not isinstance(table, dict):
        raise KitError(f"{name} has no ranks", 'it must hold {"ranks": {step: {node: rank}}}')
    found: Ranks = {}
    for step, ranks in table.items():
        if not isinstance(step, str) or not isinstance(ranks, dict):
            raise KitError(f"{name}: {str(step)[:60]!r} is not a step with ranks")
        kept = found[step] = {}
        for node, rank in ranks.items():
            if not isinstance(node, str) or type(rank) is not int or rank < 0:
                raise KitError(
                    f"{name}: step {step}: {str(node)[:40]!r} has the rank {str(rank)[:40]!r}, not a whole number from 0"
                )
            if rank < KEPT:
                kept[node] = rank
    return found


def read_json(path: Path) -> Ranks:
    """Ranks of a JSON file of the same shape (the smoke split). Raises KitError."""
    try:
        return top_ranks(json.loads(path.read_text(encoding="utf-8")), str(path))
    except (ValueError, RecursionError) as error:
        raise KitError(f"{path} is not valid JSON ({error})") from error


def pinned() -> Ranks:
    """Ranks of the dataset's own file, converted to JSON lines the first time they are asked for.

    Raises:
        MissingData: the file has not been fetched.
        KitError: it is not plain data, or the cache cannot be written.
    """
    path = cache_dir() / f"ranks-{sources.sha256('mind2web-scores')[:16]}.jsonl"
    if not path.is_file():
        pickled = sources.file("mind2web-scores")
        print(f"mind2web: converting {pickled.name}, once", file=sys.stderr)
        with pickled.open("rb") as stream:
            ranks = top_ranks(read_pickle(stream, str(pickled)), str(pickled))
        write_atomically(path, "".join(json.dumps([step, ranks[step]]) + "\n" for step in ranks).encode())
    with path.open(encoding="utf-8") as lines:
        return dict(json.loads(line) for line in lines)


def cache_dir() -> Path:
    """Folder of what this room derives from downloads: cache/mind2web of the data folder."""
    return data_dir() / "cache" / "mind2web"


def write_atomically(path: Path, content: bytes) -> None:
    """Write a cache file in one step, so that no other process sees half of it. Raises KitError."""
    partial = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.write_bytes(content)
        os.replace(partial, path)
    except OSError as error:
        raise unwritable(path, error) from error
    finally:
        with suppress(OSError):
            partial.unlink(missing_ok=True)


def unwritable(path: Path, error: OSError) -> KitError:
    """What to say where the cache cannot be written; inside a container the data folder is read-only."""
    return KitError(
        f"{path} cannot be written ({error.strerror})",
        "free space, or convert outside the container: agenttuning eval mind2web --model nop --split SPLIT --limit 1",
    )
