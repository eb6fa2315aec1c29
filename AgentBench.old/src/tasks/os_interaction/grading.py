"""Judging an episode: exact match, or a chain of scripts in the sandbox as the model left it.

Follows `_judge` of AgentBench.old/src/tasks/os_interaction/task.py @ e33a45d.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .data import resolved
from .sandbox import Sandbox, SandboxGone
from .scripts import has_strict


@dataclass(frozen=True)
class Verdict:
    """Both gradings: upstream's, and the strict one (corrected scripts, and the model must have committed)."""

    paper: bool
    strict: bool
    detail: str = ""


def judge(
    data: dict[str, Any], answer: str | None, committed: bool, sandbox: Sandbox, *, upstream_scripts: bool
) -> Verdict:
    """Grade an answer (None: no answer).

    A check that cannot run, because the sandbox is gone or has no room, is not passed. Raises EnvironmentFailure, MissingData.
    """
    if data["match"] is not None:
        right = answer is not None and answer.strip() == data["match"]
        return Verdict(right, right and committed)
    try:
        paper, detail = _chain(data, answer, sandbox, upstream=upstream_scripts, strict=False)
        strict = paper
        if any(script and has_strict(script.get("file", "")) for script in data["check"]):
            strict, detail = _chain(data, answer, sandbox, upstream=upstream_scripts, strict=True)
    except SandboxGone as error:
        return Verdict(False, False, f"not judged: {error}")
    return Verdict(paper, strict and committed, detail)


def _chain(
    data: dict[str, Any], answer: str | None, sandbox: Sandbox, *, upstream: bool, strict: bool
) -> tuple[bool, str]:
    """Each script gets the answer and what its predecessors printed; all must end with 0. "None" stands for no answer."""
    params = [str(answer).replace("\x00", "")]
    for number, script in enumerate(data["check"], 1):
        made = resolved(script or data["example"], upstream=upstream, strict=strict)
        done = sandbox.run(made, *params)
        if done.status is None:
            return False, f"script {number} of the check did not end in time"
        if done.status != 0:
            return False, f"script {number} of the check ended with {done.status}"
        params.append(done.output)
    return True, ""
