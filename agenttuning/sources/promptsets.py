"""Upstream prompt sets as JSON: found in the data folder or a mirror, built from upstream's sources, verified.

A set is compared by the sha256 of its canonical JSON, restricted to the keys that data/sources.toml declares.
A file may hold more keys (those of tasks that do not exist here yet); they are never returned.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from agenttuning.errors import KitError, MissingData
from agenttuning.home import data_dir
from agenttuning.sources.catalogue import Download, PromptSet, make_command
from agenttuning.sources.extract import extract
from agenttuning.sources.verify import mirror


def canonical(values: dict[str, Any]) -> bytes:
    """JSON with sorted keys, no blanks, UTF-8 and without `_source`: what the pinned sha256 is taken of."""
    kept = {key: value for key, value in values.items() if key != "_source"}
    return json.dumps(kept, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()


def digest(values: dict[str, Any]) -> str:
    """sha256 (64 hex digits) of the canonical JSON."""
    return hashlib.sha256(canonical(values)).hexdigest()


def stored_path(prompt_set: PromptSet) -> Path:
    """Where the fetched or extracted set lies: prompts/NAME.json of the data folder."""
    return data_dir() / "prompts" / f"{prompt_set.name}.json"


def mirror_path(prompt_set: PromptSet, folder: Path) -> Path:
    """Where a mirror keeps the set."""
    return folder / "prompts" / f"{prompt_set.name}.json"


def find(prompt_set: PromptSet) -> Path | None:
    """The file to read: the data folder's, else the mirror's, else None."""
    folder = mirror()
    candidates = [stored_path(prompt_set)] + ([mirror_path(prompt_set, folder)] if folder else [])
    return next((path for path in candidates if path.is_file()), None)


def verified(prompt_set: PromptSet, values: dict[str, Any], origin: str, fix: str) -> dict[str, Any]:
    """The declared keys of `values`, if their canonical sha256 is the pinned one; else KitError."""
    lacking = sorted(set(prompt_set.extract) - set(values))
    if lacking:
        raise KitError(f"{origin} lacks the prompts {', '.join(lacking)}", fix)
    kept = {key: values[key] for key in prompt_set.extract}
    found = digest(kept)
    if found != prompt_set.sha256:
        raise KitError(
            f"{origin}: prompts {prompt_set.name} have sha256 {found}, expected {prompt_set.sha256}", fix
        )
    return kept


def read(prompt_set: PromptSet, path: Path) -> dict[str, Any]:
    """The set in a JSON file, verified. Raises KitError for unreadable, malformed or different contents."""
    if path == stored_path(prompt_set):
        fix = f"delete it and run {make_command(prompt_set.tasks)}"
    else:
        fix = "update the mirror"
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise KitError(f"{path} cannot be read ({error.strerror})", "check its permissions") from error
    except (ValueError, RecursionError) as error:
        raise KitError(f"{path} is not valid JSON ({error})", fix) from error
    if not isinstance(values, dict):
        raise KitError(f"{path} does not hold a JSON object", fix)
    return verified(prompt_set, values, str(path), fix)


def load(prompt_set: PromptSet) -> dict[str, Any]:
    """The verified set from the data folder or the mirror. Raises MissingData with the command to type."""
    path = find(prompt_set)
    if path is None:
        folder = mirror()
        where = f"{stored_path(prompt_set)}{f' and {mirror_path(prompt_set, folder)}' if folder else ''}"
        raise MissingData(
            f"the upstream prompts {prompt_set.name} are missing ({where} not found)",
            f"run {make_command(prompt_set.tasks)}",
        )
    return read(prompt_set, path)


def build(prompt_set: PromptSet, read_source: Callable[[Download], bytes]) -> dict[str, Any]:
    """Extracts the set from upstream's files.

    Args:
        read_source: returns the bytes of one upstream file; they are verified here before they are parsed.

    Raises:
        KitError: a file that is not the pinned one, a rule that finds nothing, a result with another sha256.
    """
    sources: dict[str, bytes] = {}
    for file in prompt_set.files:
        content = read_source(file)
        found = hashlib.sha256(content).hexdigest()
        if found != file.sha256:
            raise KitError(
                f"{file.path} of {file.repo} has sha256 {found}, expected {file.sha256}",
                f"check out commit {file.commit}",
            )
        sources[file.path] = content
    values = {key: extract(rule, sources[rule.file], rule.file) for key, rule in prompt_set.extract.items()}
    return verified(
        prompt_set, values, "the extraction", "data/sources.toml and its rules disagree: report this"
    )


def store(prompt_set: PromptSet, values: dict[str, Any]) -> Path:
    """Writes a verified set to the data folder in one step; returns its path."""
    path = stored_path(prompt_set)
    files = ", ".join(file.path for file in prompt_set.files)
    source = f"{prompt_set.repo}@{prompt_set.commit}: {files}"
    partial = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.write_text(
            json.dumps({"_source": source, **values}, indent=1, ensure_ascii=False) + "\n", "utf-8"
        )
        partial.replace(path)
    except OSError as error:
        raise KitError(
            f"{path} cannot be written ({error.strerror})", "free space or set AGENTTUNING_DATA"
        ) from error
    return path
