"""Finds the task rooms: every folder with a task.toml below the three evaluation folders."""

from __future__ import annotations

import importlib
import importlib.machinery
import sys
import tomllib
import types
from functools import lru_cache
from pathlib import Path
from typing import Any

from agenttuning.episodes.types import Task, TaskSpec
from agenttuning.errors import KitError
from agenttuning.home import home

ROOTS = ("AgentBench.old/src/tasks", "eval_heldout", "eval_general")
GROUPS = ("held-in", "held-out", "general")


def read_spec(path: Path) -> TaskSpec:
    """TaskSpec of one task.toml. Raises KitError naming the file and the key that is missing or wrong."""
    try:
        table = tomllib.loads(path.read_text())
        spec = TaskSpec(
            name=table["name"],
            title=table["title"],
            group=table["group"],
            column=table["column"],
            folder=path.parent,
            version=table["version"],
            metric=table["metric"],
            splits=table["splits"],
            generation=table["generation"],
            limits=table.get("limits", {}),
            resources=table.get("resources", {}),
            needs=table.get("needs", {}),
            options=table.get("options", {}),
        )
    except tomllib.TOMLDecodeError as error:
        raise KitError(f"{path} is not valid TOML ({error})") from error
    except KeyError as error:
        raise KitError(f"{path} lacks the key {error}") from error
    if spec.group not in GROUPS:
        raise KitError(f"{path}: group must be one of {', '.join(GROUPS)}, not {spec.group!r}")
    return spec


@lru_cache(maxsize=1)
def all_specs() -> dict[str, TaskSpec]:
    """Every task by name, in the order held-in, held-out, general and then by folder."""
    found = [read_spec(path) for root in ROOTS for path in sorted((home() / root).glob("*/task.toml"))]
    return {spec.name: spec for spec in sorted(found, key=lambda s: GROUPS.index(s.group))}


def find_spec(name: str) -> TaskSpec:
    """The task of that name. Raises KitError with the names that exist."""
    specs = all_specs()
    if name not in specs:
        raise KitError(f"there is no task {name!r}", f"choose from: {', '.join(specs)}")
    return specs[name]


def room_module(spec: TaskSpec, module: str) -> types.ModuleType:
    """A module of a room ("task", "vectors", ...), imported as rooms.<name>.<module>."""
    return load_folder_module(spec.name.replace("-", "_").replace("+", "p"), spec.folder, module)


def load_folder_module(name: str, folder: Path, module: str) -> types.ModuleType:
    """A module of a folder that is no installed package; its files may import each other relatively.

    The folder becomes the package `rooms.<name>`, so folder names that are no identifiers are allowed.
    """
    if "rooms" not in sys.modules:
        sys.modules["rooms"] = types.ModuleType("rooms")
        sys.modules["rooms"].__path__ = []
    package = f"rooms.{name}"
    if package not in sys.modules:
        parent = types.ModuleType(package)
        parent.__path__ = [str(folder)]
        parent.__spec__ = importlib.machinery.ModuleSpec(package, None, is_package=True)
        sys.modules[package] = parent
    return importlib.import_module(f"{package}.{module}")


def load_task(name: str, profile: str = "kit", options: dict[str, Any] | None = None) -> Task:
    """The task, ready for `check`, `samples` and `open`. Raises KitError for unknown names, profiles, options."""
    spec = find_spec(name)
    if profile not in ("paper", "kit"):
        raise KitError(f"there is no profile {profile!r}", "choose paper or kit")
    unknown = set(options or {}) - set(spec.options)
    if unknown:
        known = ", ".join(spec.options) or "none"
        raise KitError(f"task {name} has no option {', '.join(sorted(unknown))}", f"its options are: {known}")
    return room_module(spec, "task").TASK(spec, profile, options)
