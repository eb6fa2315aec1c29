"""AgentBench's YAML configs (module + parameters), read as what the kit runs: a task with its split, a model.

Key names follow AgentBench.old/{src/configs.py,configs} of THUDM/AgentTuning @ e33a45d7eab2b63cac4d1956da1e6377fca9fcc7,
so that configs written for upstream work. `module` is a name only: nothing is imported by it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml

from agenttuning.episodes.rooms import all_specs, find_spec
from agenttuning.episodes.types import TaskSpec
from agenttuning.errors import KitError
from agenttuning.models import registry

from .upstream_client import template_for

HERE = Path(__file__).resolve().parent.parent

TASK_CLASSES = {
    "ALFWorld": "alfworld",
    "WebShop": "webshop",
    "Mind2Web": "mind2web",
    "KnowledgeGraph": "knowledgegraph",
    "DBBench": "dbbench",
    "OSInteraction": "os_interaction",
    "CardGame": "card_game",
}
"""Upstream's class names (last part of `module`) and our tasks."""

SPLIT_OF_DATA = {"standard": "std", "std": "std", "dev": "dev"}
"""Stem of upstream's data_file and our split."""


@dataclass(frozen=True)
class TaskConfig:
    """One task YAML.

    Attributes:
        path: the file.
        module, parameters: its content.
        name: upstream's `name`.
        folder: output folder, `category` if there is one, else `name`, as upstream.
        spec: our task, with the limits of the YAML.
        split, profile, options: what to run.
        ignored: parameters that mean nothing here.
    """

    path: Path
    module: str
    parameters: dict[str, Any]
    name: str
    folder: str
    spec: TaskSpec
    split: str
    profile: str
    options: dict[str, Any] = field(default_factory=dict)
    worker_limit: int | None = None
    ignored: tuple[str, ...] = ()


@dataclass(frozen=True)
class AgentConfig:
    """One agent YAML.

    Attributes:
        model: our model, with the addresses of the YAML.
        served_name: upstream's model_name, which decides the template under --upstream-errors.
        max_tokens: prompt and reply together; None: the task's own numbers stand.
        max_new_tokens: upper bound of one reply; None: the task's.
        system: system message for conversations that have none.
    """

    path: Path
    module: str
    parameters: dict[str, Any]
    model: registry.Model
    served_name: str
    max_tokens: int | None = None
    max_new_tokens: int | None = None
    system: str | None = None


def locate(given: str) -> Path:
    """A path as typed, else below AgentBench.old. Raises KitError when neither exists."""
    for path in (Path(given), HERE / given):
        if path.exists():
            return path
    raise KitError(f"there is no {given}", f"give a file or folder, as seen from here or from {HERE.name}/")


def task_files(paths: Sequence[str]) -> tuple[list[Path], list[Path]]:
    """YAML files of the given files and folders (searched recursively, in order of name), and what was skipped."""
    found: list[Path] = []
    skipped: list[Path] = []
    for given in paths:
        path = locate(given)
        if path.is_dir():
            found += sorted(path.rglob("*.yaml"))
        elif path.suffix in (".yaml", ".yml"):
            found.append(path)
        else:
            skipped.append(path)
    if not found:
        raise KitError(
            f"no *.yaml in {', '.join(paths)}", "give task configs such as configs/tasks/dbbench/std.yaml"
        )
    return found, skipped


def read_task(path: Path, profile: str | None = None) -> TaskConfig:
    """A task config.

    Args:
        profile: instead of the YAML's `profile` (ours; default paper).

    Raises:
        KitError: naming the file and the key that is missing or wrong.
    """
    module, given = _read(path)
    spec = find_spec(_task_name(path, module))
    rest = dict(given)
    name = rest.pop("name", None)
    if not isinstance(name, str) or not name:
        raise KitError(f"{path}: parameters.name must be a text")
    folder = str(rest.pop("category", None) or name)
    if folder in (".", "..") or set("/\\\0") & set(folder):
        raise KitError(f"{path}: {folder!r} cannot be the name of a folder")
    worker_limit = rest.pop("worker_limit", None)
    if worker_limit is not None and (type(worker_limit) is not int or worker_limit < 1):
        raise KitError(f"{path}: worker_limit must be a whole number above 0, not {worker_limit!r}")
    limits = {key: rest.pop(key) for key in spec.limits if key in rest}
    for key, value in limits.items():
        if type(value) is not type(spec.limits[key]):
            raise KitError(f"{path}: {key} must be like {spec.limits[key]!r}, not {value!r}")
    options = {key: rest.pop(key) for key in spec.options if key in rest}
    profile = profile or rest.pop("profile", "paper")
    rest.pop("profile", None)
    if profile not in ("paper", "kit"):
        raise KitError(f"{path}: profile must be paper or kit, not {profile!r}")
    split = _split(path, spec, rest)
    return TaskConfig(
        path=path,
        module=module,
        parameters=given,
        name=name,
        folder=folder,
        spec=replace(spec, limits={**spec.limits, **limits}),
        split=split,
        profile=str(profile),
        options=options,
        worker_limit=worker_limit,
        ignored=tuple(rest),
    )


def read_agent(path: Path) -> AgentConfig:
    """An agent config: TGIAgent (upstream's), DoNothingAgent (upstream's) or KitModel (a name in models.toml).

    Raises:
        KitError: naming the file and the key that is missing or wrong.
    """
    module, given = _read(path)
    kind = module.rsplit(".", 1)[-1]
    max_new_tokens = _whole(path, given, "max_new_tokens")
    system = given.get("system")
    if system is not None and not isinstance(system, str):
        raise KitError(f"{path}: system must be a text")
    if kind == "TGIAgent":
        served = given.get("model_name")
        if not isinstance(served, str) or not served:
            raise KitError(f"{path}: parameters.model_name must be a text")
        return AgentConfig(
            path, module, given, _tgi_model(path, given, served), served,
            _whole(path, given, "max_tokens") or 4096, max_new_tokens, system,
        )  # fmt: skip
    if kind == "DoNothingAgent":
        return AgentConfig(path, module, given, registry.find_model("nop"), "nop")
    if kind == "KitModel":
        name = given.get("model")
        if not isinstance(name, str) or not name:
            raise KitError(f"{path}: parameters.model must name a model of models.toml")
        model = registry.find_model(
            name,
            host=given.get("host"),
            port=_whole(path, given, "port"),
            replicas=_whole(path, given, "replicas") or 1,
        )
        return AgentConfig(
            path, module, given, model, name, _whole(path, given, "max_tokens"), max_new_tokens, system
        )
    raise KitError(f"{path}: there is no agent {kind!r}", "use TGIAgent, DoNothingAgent or KitModel")


def _read(path: Path) -> tuple[str, dict[str, Any]]:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise KitError(f"{path} is not valid YAML ({' '.join(str(error).split())})") from error
    if not isinstance(content, dict) or not isinstance(content.get("module"), str):
        raise KitError(f"{path} has no key module", "a config has the keys module and parameters")
    parameters = content.get("parameters") or {}
    if not isinstance(parameters, dict):
        raise KitError(f"{path}: parameters must be a mapping")
    return content["module"], {str(key): value for key, value in parameters.items()}


def _task_name(path: Path, module: str) -> str:
    parts = module.split(".")
    if parts[-1] in TASK_CLASSES and TASK_CLASSES[parts[-1]] in all_specs():
        return TASK_CLASSES[parts[-1]]
    if len(parts) > 1 and parts[-2] in all_specs():
        return parts[-2]
    known = ", ".join(name for name in TASK_CLASSES if TASK_CLASSES[name] in all_specs())
    raise KitError(f"{path}: no task of this kit answers to module {module!r}", f"known: {known}")


def _split(path: Path, spec: TaskSpec, rest: dict[str, Any]) -> str:
    """`split` (ours), else the split of upstream's data_file, else the stem of the file's name."""
    data = rest.get("data_file")
    of_data = SPLIT_OF_DATA.get(Path(data).stem) if isinstance(data, str) else None
    if "split" in rest:
        split = rest.pop("split")
    elif of_data in spec.splits:
        split = of_data
        rest.pop("data_file")
    else:
        split = path.stem
    if split not in spec.splits:
        raise KitError(
            f"{path}: task {spec.name} has no split {split!r}",
            f"set parameters.split to one of: {', '.join(spec.splits)}",
        )
    return str(split)


def _tgi_model(path: Path, given: dict[str, Any], served: str) -> registry.Model:
    ip = given.get("ip", "http://127.0.0.1")
    if not isinstance(ip, str):
        raise KitError(f"{path}: ip must be a text such as http://127.0.0.1")
    base = (ip if ip.startswith(("http://", "https://")) else f"http://{ip}").rstrip("/")
    first, end = _whole(path, given, "address_from"), _whole(path, given, "address_to")
    if first is None or end is None or end <= first:
        raise KitError(
            f"{path}: address_from and address_to must be two ports, the second above the first",
            "the range is half-open: 30070 and 30071 mean port 30070 only",
        )
    urls = tuple(f"{base}:{port}" for port in range(first, end))
    name = served.lower()
    if name in registry.names() and name not in registry.SCRIPTED:
        model = registry.find_model(name)
        if model.kind == "tgi":
            return replace(model, urls=urls)
    return registry.Model(
        served.replace("/", "_"),
        "tgi",
        urls,
        template=template_for(served),
        start="the command that serves it with TGI",
    )


def _whole(path: Path, given: dict[str, Any], key: str) -> int | None:
    value = given.get(key)
    if value is None:
        return None
    if type(value) is not int or value < 1:
        raise KitError(f"{path}: {key} must be a whole number above 0, not {value!r}")
    return value
