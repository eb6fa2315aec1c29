"""What a run is: everything that decides its numbers (identity) and everything else worth knowing (provenance)."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from agenttuning import __version__, sources
from agenttuning.episodes.records import write_json
from agenttuning.episodes.types import Task
from agenttuning.errors import KitError
from agenttuning.home import home
from agenttuning.models.registry import Model


def identity_of(
    task: Task,
    split: str,
    model: Model,
    info: dict[str, Any],
    *,
    sampling: str,
    seed: int | None,
    system: str | None,
) -> dict[str, Any]:
    """All that must be equal for two partial runs to be one run. JSON-serialisable, no times and no hosts."""
    generation = {k: v for k, v in asdict(task.base_generation(sampling)).items() if v not in (None, (), {})}
    return {
        "task": task.spec.name,
        "task_version": task.spec.version,
        "split": split,
        "profile": task.profile,
        "model": model.name,
        "model_id": str(info.get("model_id", model.hf or model.name)),
        "model_sha": info.get("model_sha"),
        "template": model.template,
        "system": system,
        "sampling": sampling,
        "generation": generation,
        "limits": task.spec.limits,
        "seed": seed,
        "options": task.options,
        "prompts": task.prompt_identity(),
        "data": {key: sources.sha256(key) for key in task.spec.splits[split].get("files", [])},
    }


def provenance_of(model: Model, info: dict[str, Any]) -> dict[str, Any]:
    """Recorded, never compared: code, host, server, image, time of start."""
    return {
        "kit_version": __version__,
        "commit": git_commit(),
        "python": platform.python_version(),
        "host": platform.node(),
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "image": os.environ.get("AGENTTUNING_IMAGE"),
        "urls": list(model.urls),
        "server_info": info,
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def git_commit() -> str | None:
    """Commit of the checkout, with "+changes" when it differs; None outside git (AGENTTUNING_COMMIT stands in)."""
    given = os.environ.get("AGENTTUNING_COMMIT")
    if given:
        return given
    try:
        head = subprocess.run(
            ["git", "rev-parse", "HEAD"], cwd=home(), capture_output=True, text=True, timeout=5
        )
        dirty = subprocess.run(
            ["git", "status", "--porcelain"], cwd=home(), capture_output=True, text=True, timeout=10
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    if head.returncode != 0:
        return None
    return head.stdout.strip() + ("+changes" if dirty.stdout.strip() else "")


def folder_for(
    runs: Path,
    model: str,
    task: Task,
    split: str,
    sampling: str,
    seed: int | None,
    variant: str | None = None,
) -> Path:
    """runs/MODEL/TASK/SPLIT-PROFILE, with the sampling, seed or variant appended where they are not the defaults."""
    leaf = f"{split}-{task.profile}"
    if sampling != default_sampling(task.profile):
        leaf += f"-{sampling}"
    if seed is not None:
        leaf += f"-seed{seed}"
    if variant:
        leaf += f"-{variant}"
    return runs / model / task.spec.name / leaf


def default_sampling(profile: str) -> str:
    """Upstream's own requests in profile paper, greedy decoding in profile kit."""
    return "upstream" if profile == "paper" else "greedy"


def claim(folder: Path, identity: dict[str, Any], provenance: dict[str, Any], *, fresh: bool = False) -> None:
    """Make or re-open a run folder. A run of another identity is never mixed in: it is moved aside.

    Args:
        fresh: move an existing run aside even when its identity is the same.

    Raises:
        KitError: the folder holds records but no readable run.json.
    """
    path = folder / "run.json"
    if folder.exists() and any(folder.iterdir()):
        known = read_run(folder)
        if fresh or known["identity"] != json.loads(json.dumps(identity, default=str)):
            _move_aside(folder)
        else:
            history = known.get("provenance", {}).get("resumed", [])
            keep = {k: v for k, v in known["provenance"].items() if k != "resumed"}
            now = {k: provenance[k] for k in ("commit", "host", "started")}
            write_json(
                path,
                {"identity": known["identity"], "provenance": {**keep, "resumed": [*history, now][-20:]}},
            )
            return
    folder.mkdir(parents=True, exist_ok=True)
    write_json(path, {"identity": identity, "provenance": provenance})


def read_run(folder: Path) -> dict[str, Any]:
    """run.json of a run folder. Raises KitError when it is absent or damaged."""
    path = folder / "run.json"
    try:
        return json.loads(path.read_text())
    except FileNotFoundError as error:
        raise KitError(
            f"{folder} is not a run folder: it has no run.json",
            "give a folder below runs/, or move this one away",
        ) from error
    except ValueError as error:
        raise KitError(f"{path} is damaged ({error})", f"move {folder} away and run again") from error


def _move_aside(folder: Path) -> None:
    number = 1
    while (target := folder.with_name(f"{folder.name}.previous-{number}")).exists():
        number += 1
    os.replace(folder, target)
    print(f"note: {folder} held a run of another kind; it is kept as {target.name}")
