"""Samples from upstream's JSON, in all the shapes that occur there, and from our smoke split.

Follows `_load_configs` of AgentBench.old/src/tasks/os_interaction/task.py @ e33a45d: `create.local` is ignored, a `create` that is a
list has no init, the example is kept beside a check only (here beside a match, too: the oracle plays it).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from agenttuning import sources
from agenttuning.episodes.types import Sample
from agenttuning.errors import KitError

from .scripts import Script, text_of

HERE = Path(__file__).parent
PREFIX = "os_interaction-"


def load(split: str, files: list[str]) -> list[Sample]:
    """All samples of a split, sorted by file and place in the file. Raises MissingData, KitError.

    Args:
        files: source keys of the split; those of scripts are passed over.
    """
    if split == "smoke":
        rows = [json.loads(line) for line in (HERE / "smoke.jsonl").read_text(encoding="utf-8").splitlines()]
        return [sample_of("smoke", "smoke", index, row) for index, row in enumerate(rows)]
    found = []
    for key in files:
        if key.startswith(PREFIX + "script-"):
            continue
        path = sources.file(key)
        try:
            read = json.loads(path.read_text(encoding="utf-8"))
            rows = read if isinstance(read, list) else [read]
            name = key.removeprefix(PREFIX)
            found += [sample_of(split, name, index, row) for index, row in enumerate(rows)]
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise KitError(
                f"{path} is not a file of OS problems ({type(error).__name__}: {error})"
            ) from error
    return found


def sample_of(split: str, file: str, index: int, record: dict[str, Any]) -> Sample:
    """A Sample of one record; ids are SPLIT-FILE-INDEX. The target is the expected text, or None where a check decides."""
    create = record.get("create")
    init = create.get("init", []) if isinstance(create, dict) else []
    evaluation = record["evaluation"]
    match = evaluation.get("match")
    if match is not None and not isinstance(match, str):
        raise KeyError("match must be a text")
    check = None if match is not None else evaluation["check"]
    example = evaluation.get("example", record.get("example"))
    data = {
        "description": str(record["description"]),
        "file": file,
        "index": index,
        "init": [_script(s) for s in (init if isinstance(init, list) else [init])],
        "start": _start(record.get("start")),
        "match": match,
        "check": None
        if check is None
        else [s and _script(s) for s in (check if isinstance(check, list) else [check])],
        "example": None if example is None else _script(example),
    }
    if isinstance(check, list) and None in check and example is None:
        raise KeyError("a check compares with an example that is not there")
    name = index if file == split else f"{file}-{index}"
    return Sample(f"{split}-{name}", data, match)


def _start(start: Any) -> str | None:
    return None if start is None else str(_script(start)["code"])


def _script(given: Any) -> dict[str, str]:
    """{"language", "code"} or {"language", "file"}."""
    if isinstance(given, str):
        return {"language": "bash", "code": given}
    language = given.get("language", "bash")
    if language not in ("bash", "python"):
        raise KeyError(f"no language {language!r}")
    kind = "file" if "file" in given else "code"
    return {"language": language, kind: str(given[kind])}


def resolved(script: dict[str, str], *, upstream: bool, strict: bool = False) -> Script:
    """The script with its text. Raises MissingData, KitError."""
    if "code" in script:
        return Script(script["language"], script["code"])
    return Script(script["language"], text_of(script["file"], upstream=upstream, strict=strict))
