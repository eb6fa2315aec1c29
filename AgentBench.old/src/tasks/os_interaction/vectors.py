"""Adapters that run this room's code on recorded inputs of upstream's."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from typing import Any

from agenttuning import sources
from agenttuning.episodes.vectors import Unavailable

from .parsing import shortened, upstream_action
from .scripts import OWN

PAGE = "os_interaction"


def extract_action(case: dict[str, Any]) -> dict[str, Any]:
    action = upstream_action(case["input"])
    return {"thought": action.thought, "action": action.kind, "content": action.content}


def check_script(case: dict[str, Any]) -> dict[str, int]:
    """Our own script of that name and meaning, run as it is in a sandbox; it holds nothing that needs one."""
    path = OWN / "check" / case["input"]["script"]
    done = subprocess.run(
        [sys.executable, "-I", "-c", path.read_text(encoding="utf-8"), *case["input"]["argv"]],
        capture_output=True, timeout=20, check=False,
    )  # fmt: skip
    return {"exit_code": done.returncode}


def truncate_observation(case: dict[str, Any]) -> dict[str, Any]:
    if not sources.prompts_available("os_interaction"):
        raise Unavailable("upstream's prompts are not on this machine (make data TASKS=os_interaction)")
    suffix = sources.prompts("os_interaction")["observation_truncation_suffix"]
    text = shortened("a" * case["input"]["repeat_a"], suffix)
    return {"len": len(text), "tail": text[-45:]}


ADAPTERS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "os_interaction.extract_action": extract_action,
    "os_interaction.check_script": check_script,
    "os_interaction.truncate_observation": truncate_observation,
}
