"""The splits' steps: ours from the room's folder, the dataset's from a cache made of its files.

Pages stay in a file of their own and are read when a step is played; a split of the dataset has hundreds of megabytes of them.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import sys
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from agenttuning import sources
from agenttuning.errors import KitError

from . import ranks
from .steps import objects, steps_of

FORMAT = 1
"""Raised when the cache files change; older ones are then made anew."""

PASSWORD = b"mind2web"
"""Published by the dataset's authors; it keeps the test pages out of crawls."""

MEMBERS = {"std": "test_website", "test_task": "test_task", "test_domain": "test_domain"}
"""Our splits and the folders of test.zip."""

TASKS = {"test_task": 252, "test_website": 177, "test_domain": 912}
"""Tasks per folder of test.zip."""

BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError)
"""What zipfile raises for a damaged archive, a wrong password, an unknown method."""

SMOKE = Path(__file__).parent / "smoke"

Opened = Iterator[tuple[str, BinaryIO]]


@dataclass(frozen=True)
class Store:
    """Steps of a split without their pages, and where the pages are.

    Attributes:
        records: Step.record with a key "page": [offset, bytes] in the file, or the page itself.
        pages: file of the pages, None where the records hold them.
    """

    records: list[dict[str, Any]]
    pages: Path | None = None

    def html(self, record: dict[str, Any]) -> str:
        """Page of a step."""
        if self.pages is None:
            return str(record["page"])
        offset, length = record["page"]
        with self.pages.open("rb") as stream:
            stream.seek(offset)
            return stream.read(length).decode("utf-8", errors="surrogatepass")


def smoke() -> Store:
    """Our own pages, in the dataset's form."""
    path = SMOKE / "tasks.json"
    known = ranks.read_json(SMOKE / "scores.json")
    with path.open("rb") as stream:
        steps = [s for task in objects(stream, str(path)) for s in steps_of(task, known, str(path))]
    return Store([{**step.record, "page": step.html} for step in steps])


def dev() -> Store:
    """One open file of the training data. Raises MissingData with the command to type."""
    path = sources.file("mind2web-train-10")
    known = _key("mind2web-train-10", "mind2web-scores")
    return _cached("dev", known, lambda: _files([path]), None)


def test(split: str) -> Store:
    """A folder of the dataset's test archive. Raises MissingData with the command to type."""
    archive = sources.file("mind2web-test")
    member = MEMBERS[split]
    known = _key("mind2web-test", "mind2web-scores")
    return _cached(member, known, lambda: members(archive, member), TASKS[member])


def folder(path: Path, pinned: str) -> Store:
    """The task files (*.json) of a folder, for example those of upstream's container image.

    Args:
        pinned: what `folder_sha256` must give; empty: anything.
    """
    files = sorted(path.glob("*.json")) if path.is_dir() else []
    if not files:
        raise KitError(f"there is no task file {path}/*.json", "give a folder with files in Mind2Web's form")
    found = folder_sha256(files)
    if pinned and found != pinned:
        raise KitError(f"the files of {path} have sha256 {found}, not {pinned}", "start a new run for them")
    return _cached("folder", found + sources.sha256("mind2web-scores"), lambda: _files(files), None)


def folder_sha256(files: Iterable[Path]) -> str:
    """One checksum of the names and contents of files, 64 hex digits."""
    whole = hashlib.sha256()
    for file in files:
        with file.open("rb") as stream:
            whole.update(f"{hashlib.file_digest(stream, 'sha256').hexdigest()}  {file.name}\n".encode())
    return whole.hexdigest()


def members(archive: Path, name: str) -> Opened:
    """(name, content) of the task files in one folder of test.zip, in order of name; nothing is written to disk."""
    wanted = re.compile(rf"{name}/{name}_\d+\.json")
    with zipfile.ZipFile(archive) as opened:
        for inside in sorted(n for n in opened.namelist() if wanted.fullmatch(n)):
            with opened.open(inside, pwd=PASSWORD) as stream:
                yield f"{archive.name}: {inside}", stream  # type: ignore[misc]


def _files(paths: Iterable[Path]) -> Opened:
    for path in paths:
        with path.open("rb") as stream:
            yield str(path), stream


def _key(*names: str) -> str:
    return "".join(sources.sha256(name) for name in names)


def _cached(name: str, key: str, opened: Callable[[], Opened], tasks: int | None) -> Store:
    """The split from its cache, which is made first where it is missing or of other data."""
    short = hashlib.sha256(f"{FORMAT} {key}".encode()).hexdigest()[:16]
    listed = ranks.cache_dir() / f"{name}-{short}.jsonl"
    pages = listed.with_suffix(".pages")
    if not (listed.is_file() and pages.is_file()):
        print(f"mind2web: reading the pages of {name}, once; this takes minutes", file=sys.stderr)
        _convert(listed, pages, opened(), tasks)
    with listed.open(encoding="utf-8") as lines:
        return Store([json.loads(line) for line in lines], pages)


def _convert(listed: Path, pages: Path, opened: Opened, tasks: int | None) -> None:
    known = ranks.pinned()
    records: list[str] = []
    seen = 0
    with _replacing(pages) as stream:
        try:
            for name, file in opened:
                for task in objects(file, name):
                    seen += 1
                    for step in steps_of(task, known, name):
                        page = step.html.encode("utf-8", errors="surrogatepass")
                        records.append(json.dumps({**step.record, "page": [stream.tell(), len(page)]}) + "\n")
                        stream.write(page)
        except BROKEN as error:
            raise KitError(f"the files of {listed.stem} cannot be unpacked ({error})") from error
        if not records or seen != (tasks or seen):
            raise KitError(
                f"{listed.stem} has {seen} tasks with {len(records)} steps, expected {tasks or 'some'} tasks"
            )
    ranks.write_atomically(listed, "".join(records).encode())  # last: it says that the pages are complete


@contextmanager
def _replacing(path: Path) -> Iterator[BinaryIO]:
    partial = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("wb") as stream:
            yield stream
        os.replace(partial, path)
    except OSError as error:
        raise ranks.unwritable(path, error) from error
    finally:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
