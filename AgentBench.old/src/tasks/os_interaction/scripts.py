"""Scripts that samples name: upstream's own (fetched) or ours of the same meaning. They run inside a sandbox only."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from agenttuning import sources
from agenttuning.errors import KitError

OWN = Path(__file__).parent / "own_scripts"
STRICT = OWN / "strict"

UPSTREAM = {
    "check/integer-match.py": "os_interaction-script-integer-match",
    "check/string-match.py": "os_interaction-script-string-match",
    "check/size-match.py": "os_interaction-script-size-match",
    "init/stock-log.sh": "os_interaction-script-stock-log",
    "init/nested_folders.sh": "os_interaction-script-nested-folders",
    "checking/0.sh": "os_interaction-script-checking-0",
    "checking/1.sh": "os_interaction-script-checking-1",
    "checking/2.sh": "os_interaction-script-checking-2",
    "example/0.sh": "os_interaction-script-example-0",
    "example/1.sh": "os_interaction-script-example-1",
    "example/2.sh": "os_interaction-script-example-2",
    "check/0.sh": "os_interaction-script-dev-check-0",
}
"""Path in a sample and source key. Groups 1 to 7 of the data have the same bytes under the same path."""

SAME = {"check/0.sh": "checking/0.sh"}
"""The dev split's name of a script that we have once."""


@dataclass(frozen=True)
class Script:
    """A script as text: language is bash or python."""

    language: str
    code: str

    def command(self, *arguments: str) -> list[str]:
        """The argument vector that upstream runs it with."""
        if self.language == "python":
            return ["python3", "-c", self.code, *arguments]
        return ["bash", "-c", self.code, *(["--", *arguments] if arguments else [])]


def text_of(path: str, *, upstream: bool, strict: bool = False) -> str:
    """Text of the script that a sample calls `path`.

    Args:
        upstream: upstream's own file instead of ours.
        strict: our corrected variant, where there is one.

    Raises:
        MissingData: upstream's file is not on this machine.
        KitError: no script has this name.
    """
    own = OWN / SAME.get(path, path)
    if path not in UPSTREAM and not (path.startswith("check/") and own.is_file()):
        raise KitError(f"a sample names the script {path!r}, which does not exist")
    if strict and has_strict(path):
        own = STRICT / path
    elif upstream:
        own = sources.file(UPSTREAM[path])
    return own.read_text(encoding="utf-8")


def has_strict(path: str) -> bool:
    """Whether upstream's script has a defect that one of ours corrects."""
    return path in ("check/size-match.py", "checking/2.sh")
