"""Checksums: nothing fetched, copied or mirrored is used before its sha256 was compared."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from agenttuning.errors import KitError

# (path, size, mtime_ns) -> sha256. A file that changes gets a new entry, so a long run sees the change.
_KNOWN: dict[tuple[str, int, int], str] = {}


def sha256_of(path: Path) -> str:
    """sha256 (64 hex digits) of a file, remembered in this process by path, size and modification time."""
    try:
        state = path.stat()
        key = (str(path.resolve()), state.st_size, state.st_mtime_ns)
        if key not in _KNOWN:
            with path.open("rb") as stream:
                _KNOWN[key] = hashlib.file_digest(stream, "sha256").hexdigest()
        return _KNOWN[key]
    except OSError as error:
        raise KitError(f"{path} cannot be read ({error.strerror})", "check its permissions") from error


def checked(path: Path, expected: str, fix: str) -> Path:
    """`path`, if its sha256 is the expected one.

    Raises:
        KitError: naming the file, both checksums and `fix`.
    """
    found = sha256_of(path)
    if found != expected:
        raise KitError(f"{path} has sha256 {found}, expected {expected}", fix)
    return path


def mirror() -> Path | None:
    """Folder of the local mirror ($MIRROR), or None."""
    given = os.environ.get("MIRROR")
    return Path(given).expanduser() if given else None
