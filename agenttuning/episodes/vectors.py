"""Differential vectors: recorded inputs and outputs of upstream's own code, run against ours.

A folder of NAME.json files, each a list of {case, function, input, upstream_output, ...}. Rooms (and the library
itself) offer a module `vectors` with PAGE (the NAME) and ADAPTERS (function -> callable on the case).
"""

from __future__ import annotations

import contextlib
import importlib
import json
import math
import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from agenttuning.episodes.rooms import all_specs, room_module
from agenttuning.errors import KitError
from agenttuning.home import home

CONTEXT_FUNCTIONS = ("_fixtures", "fixture", "fixtures")

Adapter = Callable[[dict[str, Any]], Any]


@dataclass(frozen=True)
class Verdict:
    """An adapter's own comparison, for cases where equality is not the question (ties, object order)."""

    ok: bool
    ours: Any


class Unavailable(Exception):
    """The adapter cannot run the case here (Java or upstream prompts absent): it counts as unhandled."""


@dataclass(frozen=True)
class CaseResult:
    """outcome: "passed", "failed" or "unhandled"; reason explains the last two."""

    page: str
    case: str
    function: str
    outcome: str
    reason: str = ""


def adapters() -> dict[str, dict[str, Adapter]]:
    """Adapters of every room and of the library: page -> function -> adapter."""
    found: dict[str, dict[str, Adapter]] = {}
    for module in _modules():
        found.setdefault(module.PAGE, {}).update(module.ADAPTERS)
    return found


def _modules() -> Iterable[ModuleType]:
    yield importlib.import_module("agenttuning.scores.vectors")
    harness = home() / "AgentBench.old" / "src"
    if (harness / "vectors.py").is_file():
        from agenttuning.episodes.rooms import load_folder_module

        yield load_folder_module("agentbench_old", harness, "vectors")
    for spec in all_specs().values():
        if (spec.folder / "vectors.py").is_file():
            with contextlib.suppress(
                ModuleNotFoundError
            ):  # the room's extra is not installed: its cases are unhandled
                yield room_module(spec, "vectors")


def run_file(path: Path, handlers: dict[str, Adapter]) -> list[CaseResult]:
    """Run one NAME.json. Raises KitError when it is not a list of cases."""
    try:
        cases = json.loads(path.read_text())
        named = [(c["case"], c["function"], c) for c in cases]
    except (ValueError, KeyError, TypeError) as error:
        raise KitError(
            f"{path} is not a list of {{case, function, input, upstream_output}} ({error})"
        ) from error
    results = []
    context = [c for _, function, c in named if function in CONTEXT_FUNCTIONS]
    for case, function, whole in named:
        if function in CONTEXT_FUNCTIONS:
            continue
        results.append(
            _run_case(path.stem, str(case), function, {**whole, "_context": context}, handlers.get(function))
        )
    return results


def _run_case(
    page: str, case: str, function: str, whole: dict[str, Any], adapter: Adapter | None
) -> CaseResult:
    if adapter is None:
        return CaseResult(page, case, function, "unhandled", "no adapter")
    try:
        ours = adapter(whole)
    except Unavailable as error:
        return CaseResult(page, case, function, "unhandled", str(error))
    except KitError as error:
        return CaseResult(page, case, function, "unhandled", str(error))
    except Exception:
        return CaseResult(page, case, function, "failed", traceback.format_exc(limit=-3))
    if isinstance(ours, Verdict):
        ok, shown = ours.ok, ours.ours
    else:
        ok, shown = same(ours, whole["upstream_output"]), ours
    if ok:
        return CaseResult(page, case, function, "passed")
    return CaseResult(
        page, case, function, "failed", f"ours {_short(shown)} upstream {_short(whole['upstream_output'])}"
    )


def same(ours: Any, theirs: Any) -> bool:
    """Equality of JSON values: tuples are lists, floats agree within 1e-9 (relative), True is not 1."""
    if isinstance(ours, bool) or isinstance(theirs, bool):
        return ours is theirs
    if isinstance(ours, (int, float)) and isinstance(theirs, (int, float)):
        return (
            ours == theirs or math.isclose(ours, theirs, rel_tol=1e-9) or (ours != ours and theirs != theirs)
        )
    if isinstance(ours, dict) and isinstance(theirs, dict):
        mine = {str(k): v for k, v in ours.items()}
        return mine.keys() == theirs.keys() and all(same(v, theirs[k]) for k, v in mine.items())
    if isinstance(ours, (list, tuple)) and isinstance(theirs, (list, tuple)):
        return len(ours) == len(theirs) and all(map(same, ours, theirs))
    return type(ours) is type(theirs) and ours == theirs


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=repr)
    return text if len(text) < 400 else text[:397] + "..."
