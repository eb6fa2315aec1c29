"""Upstream files and prompts: pinned in data/sources.toml, got by `make data`, never used unverified.

    from agenttuning import sources
    path = sources.file("gsm8k-test")         # Path of the verified file
    texts = sources.prompts("dbbench")        # upstream's prompts as a dict

A file is looked for below the data folder (downloads/OWNER/NAME/COMMIT/path), then in the mirror
$MIRROR/OWNER/NAME/COMMIT/path; a prompt set in prompts/NAME.json of both.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from agenttuning.errors import MissingData
from agenttuning.sources import fetch, promptsets
from agenttuning.sources.catalogue import Download, find_file, find_prompts, make_command
from agenttuning.sources.verify import checked, mirror

__all__ = ["available", "file", "prompts", "prompts_available", "prompts_sha256", "sha256"]


def _found(entry: Download) -> Path | None:
    folder = mirror()
    candidates = [fetch.target_of(entry)] + ([folder / entry.place] if folder else [])
    return next((path for path in candidates if path.is_file()), None)


def file(key: str) -> Path:
    """Path of a pinned file, its sha256 verified.

    Raises:
        MissingData: neither fetched nor mirrored; names the command to type.
        KitError: unknown key, or a file whose checksum differs.
    """
    entry = find_file(key)
    path = _found(entry)
    if path is None:
        folder = mirror()
        where = f"{fetch.target_of(entry)}{f' and {folder / entry.place}' if folder else ''}"
        raise MissingData(
            f"the data file {key} is missing ({where} not found)", f"run {make_command(entry.tasks)}"
        )
    own = path == fetch.target_of(entry)
    again = f"run {make_command(entry.tasks)}, it keeps the wrong file as .bad and gets the right one"
    return checked(path, entry.sha256, again if own else "replace it in the mirror")


def available(key: str) -> bool:
    """Whether the file is there (fetched or mirrored). It is verified only when `file` hands it out."""
    return _found(find_file(key)) is not None


def sha256(key: str) -> str:
    """The pinned sha256 of a file, 64 hex digits; the file need not be there."""
    return find_file(key).sha256


def prompts(name: str) -> dict[str, Any]:
    """Upstream's prompts of one page, verified: a new dict with the keys that data/sources.toml declares.

    Raises:
        MissingData: neither fetched, extracted nor mirrored; names the command to type.
        KitError: unknown name, or contents with another checksum.
    """
    return promptsets.load(find_prompts(name))


def prompts_available(name: str) -> bool:
    """Whether the prompt set is there. It is verified only when `prompts` hands it out."""
    return promptsets.find(find_prompts(name)) is not None


def prompts_sha256(name: str) -> str:
    """The pinned sha256 of a prompt set's canonical JSON; the set need not be there."""
    return find_prompts(name).sha256
