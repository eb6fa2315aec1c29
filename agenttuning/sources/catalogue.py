"""data/sources.toml: every upstream file and prompt set, pinned by commit and sha256."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, fields
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlsplit

from agenttuning.errors import KitError
from agenttuning.home import home

_SHA256 = re.compile(r"[0-9a-f]{64}")
_COMMIT = re.compile(r"[0-9a-f]{40}")
_REPO = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*", re.ASCII)
_NAME = re.compile(r"[A-Za-z0-9][\w.+-]*", re.ASCII)


@dataclass(frozen=True)
class Download:
    """One pinned file.

    Attributes:
        key: name by which code asks for the file.
        tasks: tasks that need it.
        repo, commit, path: where upstream keeps it (OWNER/NAME, 40 hex digits, POSIX path inside).
        url: where it is fetched from; may differ from the repository.
        sha256: of the whole file, 64 hex digits.
        bytes: size of the file.
        licence: SPDX name, or a sentence where upstream states none.
    """

    key: str
    tasks: tuple[str, ...]
    repo: str
    commit: str
    path: str
    url: str
    sha256: str
    bytes: int
    licence: str

    @property
    def place(self) -> Path:
        """Path below a download or mirror folder: OWNER/NAME/COMMIT/path."""
        return Path(self.repo) / self.commit / self.path


@dataclass(frozen=True)
class Rule:
    """How one value of a prompt set is found in an upstream file.

    Exactly one of `assign`, `call`, `returns`, `json` says what to look for; the meaning of every attribute
    is documented in data/README.md and implemented in sources/extract.py.
    """

    file: str
    assign: str | None = None
    call: str | None = None
    returns: bool = False
    json: bool = False
    within: str | None = None
    argument: int | str = 0
    nth: int | tuple[int, ...] | None = None
    take: str | None = None
    item: str | None = None
    fields: dict[str, str] | None = None
    roles: tuple[str, str] | None = None


@dataclass(frozen=True)
class PromptSet:
    """Upstream prompts of one page, as a JSON object with the keys of `extract`.

    Attributes:
        name: file name below prompts/, without .json.
        sha256: of the canonical JSON (see promptsets.canonical) of exactly these keys.
        files: the upstream files the values are extracted from (pinned like every other file).
        extract: rule of each key.
    """

    name: str
    tasks: tuple[str, ...]
    repo: str
    commit: str
    licence: str
    sha256: str
    files: tuple[Download, ...]
    extract: dict[str, Rule]


@dataclass(frozen=True)
class Catalogue:
    """Contents of data/sources.toml: files by key, prompt sets by name."""

    files: dict[str, Download]
    prompts: dict[str, PromptSet]

    def tasks(self) -> list[str]:
        """Every task that has a file or prompt set, in the order of the catalogue."""
        entries: list[Download | PromptSet] = [*self.files.values(), *self.prompts.values()]
        return list(dict.fromkeys(task for entry in entries for task in entry.tasks))


def _text(table: dict[str, Any], key: str, where: str, pattern: re.Pattern[str] | None = None) -> str:
    value = table.get(key)
    if not isinstance(value, str) or not value:
        raise KitError(f"{where}: {key} must be a non-empty string, not {value!r}")
    if pattern and not pattern.fullmatch(value):
        raise KitError(f"{where}: {key} = {value!r} is malformed")
    return value


def _tasks(table: dict[str, Any], where: str) -> tuple[str, ...]:
    tasks = table.get("tasks")
    if not isinstance(tasks, list) or not tasks or not all(isinstance(t, str) and t for t in tasks):
        raise KitError(f"{where}: tasks must be a list of task names, not {tasks!r}")
    return tuple(tasks)


def _path(value: str, where: str) -> str:
    """A relative POSIX path without `..`: entries must not reach outside the data folder."""
    path = PurePosixPath(value)
    control = any(ord(c) < 32 for c in value)
    if path.is_absolute() or ".." in path.parts or "\\" in value or control or str(path) != value:
        raise KitError(f"{where}: path {value!r} is not a plain relative path")
    return value


def _repo(table: dict[str, Any], where: str) -> str:
    repo = _text(table, "repo", where, _REPO)
    if any(part in (".", "..") for part in repo.split("/")):
        raise KitError(f"{where}: repo = {repo!r} is malformed")
    return repo


def _url(table: dict[str, Any], where: str) -> str:
    url = _text(table, "url", where)
    parts = urlsplit(url)
    if parts.scheme not in ("https", "http") or not parts.hostname:
        raise KitError(f"{where}: url {url!r} is not an http(s) address")
    return url


def _unknown(table: dict[str, Any], known: set[str], where: str) -> None:
    extra = sorted(set(table) - known)
    if extra:
        raise KitError(f"{where}: unknown key {', '.join(extra)}")


def _download(table: dict[str, Any], where: str) -> Download:
    _unknown(table, {field.name for field in fields(Download)}, where)
    size = table.get("bytes")
    if not isinstance(size, int) or isinstance(size, bool) or size < 0:
        raise KitError(f"{where}: bytes must be a whole number, not {size!r}")
    return Download(
        key=_text(table, "key", where, _NAME),
        tasks=_tasks(table, where),
        repo=_repo(table, where),
        commit=_text(table, "commit", where, _COMMIT),
        path=_path(_text(table, "path", where), where),
        url=_url(table, where),
        sha256=_text(table, "sha256", where, _SHA256),
        bytes=size,
        licence=_text(table, "licence", where),
    )


def _strings(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(v, str) for v in value.values())


def _rule(table: Any, files: set[str], where: str) -> Rule:
    if not isinstance(table, dict):
        raise KitError(f"{where} must be a table")
    _unknown(table, {field.name for field in fields(Rule)}, where)
    file = _text(table, "file", where)
    if file not in files:
        raise KitError(f"{where}: file {file!r} is not among the files of this prompt set")
    if sum(bool(table.get(kind)) for kind in ("assign", "call", "returns", "json")) != 1:
        raise KitError(f"{where}: give exactly one of assign, call, returns, json")
    nth = table.get("nth")
    roles = table.get("roles")
    shapes = {
        "assign": isinstance(table.get("assign", ""), str),
        "call": isinstance(table.get("call", ""), str),
        "within": isinstance(table.get("within", ""), str),
        "item": isinstance(table.get("item", ""), str),
        "argument": type(table.get("argument", 0)) in (int, str),
        "nth": nth is None or all(type(n) is int for n in (nth if isinstance(nth, list) else [nth])),
        "take": all(
            s in ("left", "right") or s.isdecimal() for s in str(table.get("take", "left")).split(".")
        ),
        "fields": _strings(table.get("fields", {})),
        "roles": roles is None or (isinstance(roles, list) and len(roles) == 2),
    }
    wrong = [key for key, right in shapes.items() if not right]
    if wrong:
        raise KitError(f"{where}: {', '.join(wrong)} is malformed", "see data/README.md for the rules")
    return Rule(
        **{
            **table,
            "nth": tuple(nth) if isinstance(nth, list) else nth,
            "roles": tuple(roles) if roles else None,
        }
    )


def _prompt_set(table: dict[str, Any], where: str) -> PromptSet:
    _unknown(table, {field.name for field in fields(PromptSet)}, where)
    name = _text(table, "name", where, _NAME)
    common = {"tasks": table.get("tasks"), "repo": table.get("repo"), "commit": table.get("commit")}
    licence = _text(table, "licence", where)
    files = tuple(
        _download({**common, "licence": licence, "key": f"{name}-source-{i}", **entry}, f"{where}, file {i}")
        for i, entry in enumerate(table.get("files", []), start=1)
    )
    extract = table.get("extract")
    if not isinstance(extract, dict) or not extract:
        raise KitError(f"{where}: [prompts.extract.KEY] is missing")
    paths = {file.path for file in files}
    return PromptSet(
        name=name,
        tasks=_tasks(table, where),
        repo=_repo(table, where),
        commit=_text(table, "commit", where, _COMMIT),
        licence=licence,
        sha256=_text(table, "sha256", where, _SHA256),
        files=files,
        extract={key: _rule(rule, paths, f"{where}, extract {key}") for key, rule in extract.items()},
    )


def read(path: Path) -> Catalogue:
    """The catalogue in a TOML file.

    Raises:
        KitError: missing or malformed file, an entry without a field, two entries with one key, a path that
            leaves the data folder.
    """
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise KitError(f"{path} is missing", "restore it from the repository") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise KitError(f"{path} is not valid TOML ({error})") from error
    _unknown(table, {"file", "prompts"}, str(path))
    files: dict[str, Download] = {}
    sets: dict[str, PromptSet] = {}
    for i, entry in enumerate(table.get("file", []), start=1):
        download = _download(entry, f"{path}: file {entry.get('key', i)}")
        if download.key in files:
            raise KitError(f"{path}: two files have the key {download.key}")
        files[download.key] = download
    for i, entry in enumerate(table.get("prompts", []), start=1):
        prompt_set = _prompt_set(entry, f"{path}: prompts {entry.get('name', i)}")
        if prompt_set.name in sets:
            raise KitError(f"{path}: two prompt sets have the name {prompt_set.name}")
        sets[prompt_set.name] = prompt_set
    return Catalogue(files, sets)


@lru_cache(maxsize=4)
def _cached(path: Path, mtime_ns: int) -> Catalogue:
    return read(path)


def catalogue() -> Catalogue:
    """The catalogue of the checkout, read once per change of the file."""
    path = home() / "data" / "sources.toml"
    return _cached(path, path.stat().st_mtime_ns) if path.is_file() else read(path)


def find_file(key: str) -> Download:
    """The file of that key. Raises KitError with the keys that exist."""
    files = catalogue().files
    if key not in files:
        raise KitError(f"data/sources.toml lists no file {key!r}", f"its keys are: {', '.join(files)}")
    return files[key]


def find_prompts(name: str) -> PromptSet:
    """The prompt set of that name. Raises KitError with the names that exist."""
    sets = catalogue().prompts
    if name not in sets:
        raise KitError(f"data/sources.toml lists no prompt set {name!r}", f"it lists: {', '.join(sets)}")
    return sets[name]


def make_command(tasks: tuple[str, ...]) -> str:
    """What to type to get the data of these tasks."""
    names = " ".join(tasks)
    command = f'make data TASKS="{names}"' if len(tasks) > 1 else f"make data TASKS={names}"
    return f"{command} (offline: add MIRROR=DIR)"
