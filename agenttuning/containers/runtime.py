"""Runs a command of the kit in a task's image: which runtime, and what the container is given.

A container gets the folder of runs to write to, the data (and the mirror, when one is set) to read, and the
model's address. It gets no capability, no Docker socket, no way to new privileges, and no network at all when
a scripted player plays.
"""

from __future__ import annotations

import os
import re
import sys
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from agenttuning.containers import engine
from agenttuning.containers.images import REVISION, find_image, inspect, problem
from agenttuning.episodes.rooms import all_specs
from agenttuning.errors import KitError
from agenttuning.home import data_dir, runs_dir
from agenttuning.models.registry import DEFAULT_MODEL, Model, find_model

RUNTIMES = ("docker", "native")
RUN_LABEL = "kit.run"
BASE_MB = 768  # the harness itself, its records and a spare part, without the environments
TMP_MB = 512  # /tmp is memory; a task may ask for more with tmp_mb in [resources]
LOOPBACK = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True)
class Choice:
    """Which runtime a task gets, and why in one phrase."""

    runtime: str
    why: str


def choose(name: str, wanted: str | None = None) -> Choice:
    """docker when an engine answers and the image is current, else native; `wanted` (RUNTIME) forces one.

    Raises:
        KitError: unknown runtime, or docker is wanted and cannot be had.
    """
    if wanted and wanted not in RUNTIMES:
        raise KitError(f"there is no runtime {wanted!r}", "RUNTIME is docker or native")
    if wanted == "native":
        return Choice("native", "as asked")
    trouble = problem(name)
    if trouble is None:
        return Choice("docker", "as asked" if wanted else "its image is built and current")
    if wanted == "docker":
        raise KitError(f"{name} cannot run in Docker: {trouble}")
    return Choice("native", trouble)


def option(arguments: Sequence[str], name: str) -> str | None:
    """Value of --NAME in a command line, as `--name value` or `--name=value`; the last one counts."""
    found = None
    for index, word in enumerate(arguments):
        if word == f"--{name}" and index + 1 < len(arguments):
            found = arguments[index + 1]
        elif word.startswith(f"--{name}="):
            found = word.partition("=")[2]
    return found


def run_command(name: str, arguments: Sequence[str]) -> list[str]:
    """The docker command line that runs `agenttuning ARGUMENTS` in the image of a task or stage.

    Folders keep their paths inside the container, so that what it prints is true outside too.

    Raises:
        KitError: no engine, image not built, unknown model.
    """
    image = find_image(name)
    built = inspect(image.tag)
    if built is None:
        raise KitError(f"the image {image.tag} is not built", f"run: make image-{name}")
    verb = arguments[0] if arguments else ""
    runs = Path(option(arguments, "runs") or runs_dir()).resolve()
    keeps = verb not in ("selfcheck", "data")
    if keeps:
        runs.mkdir(parents=True, exist_ok=True)
    model = _model(arguments) if verb == "eval" else None
    return [
        engine.client(), "run", "--rm", "--init", *_terminal(),
        f"--name=kit-{re.sub('[^a-z0-9-]', 'p', name)}-{uuid.uuid4().hex[:12]}",
        f"--label={engine.LABEL}", f"--label={RUN_LABEL}={_run_id(name, arguments)}",
        *_confinement(), *_limits(name, arguments),
        f"--network={network(model, verb)}",
        *_folders(runs if keeps else None, data_writable=name == "data"),
        # Relative paths in a task's options (file=data/my.jsonl) then mean the same inside.
        f"--workdir={Path.cwd()}" if Path.cwd() in data_dir().resolve().parents else "--workdir=/kit",
        f"--env=AGENTTUNING_IMAGE={built.id}",
        f"--env=AGENTTUNING_COMMIT={built.labels.get(REVISION, 'unknown')}",
        *_secrets_of(model),
        image.tag, *_absolute(arguments, runs),
    ]  # fmt: skip


def network(model: Model | None, verb: str) -> str:
    """none for scripted players and everything that needs no address; host for a model server on the loopback.

    A server on this machine's loopback can be reached from a container in no other way than the host's network;
    everything else gets the bridge.
    """
    if verb == "data":
        return os.environ.get("BUILD_NETWORK") or "host"
    if model is None or model.kind == "scripted":
        return "none"
    hosts = {urlsplit(url).hostname for url in model.urls}
    return "host" if hosts <= set(LOOPBACK) else "bridge"


def run(name: str, arguments: Sequence[str], choice: Choice) -> int:
    """Become that command in the chosen runtime; returns its exit code only where exec is impossible."""
    if choice.runtime == "docker":
        command = run_command(name, arguments)
    else:
        command = [sys.executable, "-m", "agenttuning.cli", *arguments]
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(command[0], command)


def _model(arguments: Sequence[str]) -> Model:
    port = option(arguments, "port")
    return find_model(
        option(arguments, "model") or DEFAULT_MODEL, host=option(arguments, "host"),
        port=int(port) if port else None, replicas=int(option(arguments, "replicas") or 1),
    )  # fmt: skip


def _terminal() -> list[str]:
    """A terminal for the progress bar, where there is one on both ends."""
    return (
        ["--interactive", "--tty"]
        if sys.stdin.isatty() and sys.stderr.isatty() and sys.stdout.isatty()
        else []
    )


def _confinement() -> list[str]:
    return [
        f"--user={os.getuid()}:{os.getgid()}", "--read-only", "--cap-drop=ALL",
        "--security-opt=no-new-privileges",
    ]  # fmt: skip


def _limits(name: str, arguments: Sequence[str]) -> list[str]:
    spec = all_specs().get(name)
    resources = spec.resources if spec else {}
    workers = int(option(arguments, "workers") or resources.get("workers", 1))
    scratch = int(resources.get("tmp_mb", TMP_MB))
    memory = BASE_MB + scratch + workers * int(resources.get("memory_mb", 256))
    programs = (
        "exec" if resources.get("tmp_exec") else "noexec"
    )  # an engine that loads its library from there
    return [
        f"--tmpfs=/tmp:rw,{programs},nosuid,nodev,mode=1777,size={scratch}m",
        f"--memory={memory}m", f"--memory-swap={memory}m", f"--pids-limit={256 + 64 * workers}",
    ]  # fmt: skip


def _folders(runs: Path | None, *, data_writable: bool) -> list[str]:
    data = data_dir().resolve()
    mounts = [_mount(data, writable=data_writable)] if data.is_dir() else []
    mounts += [f"--env=AGENTTUNING_DATA={data}"]
    if os.environ.get("MIRROR"):
        mirror = Path(os.environ["MIRROR"]).expanduser().resolve()
        if not mirror.is_dir():
            raise KitError(f"the mirror {mirror} is no folder", "give MIRROR=DIR an existing one")
        mounts += [_mount(mirror, writable=False), f"--env=MIRROR={mirror}"]
    if os.environ.get("TIKTOKEN_CACHE_DIR"):
        cache = Path(os.environ["TIKTOKEN_CACHE_DIR"]).resolve()
        mounts += (
            [_mount(cache, writable=False), f"--env=TIKTOKEN_CACHE_DIR={cache}"] if cache.is_dir() else []
        )
    if runs is not None:
        mounts += [_mount(runs, writable=True), f"--env=AGENTTUNING_RUNS={runs}"]
    return mounts


def _mount(folder: Path, *, writable: bool) -> str:
    if "," in str(folder):
        raise KitError(f"Docker cannot mount {folder}: there is a comma in its path", "use another folder")
    return f"--mount=type=bind,source={folder},target={folder}" + ("" if writable else ",readonly")


def _secrets_of(model: Model | None) -> list[str]:
    """The API key by name only: its value never stands on a command line."""
    key = model.api_key_env if model else None
    return [f"--env={key}"] if key and os.environ.get(key) else []


def _absolute(arguments: Sequence[str], runs: Path) -> list[str]:
    """The same arguments with --runs as the folder that is mounted."""
    words = list(arguments)
    for index, word in enumerate(words):
        if word == "--runs" and index + 1 < len(words):
            words[index + 1] = str(runs)
        elif word.startswith("--runs="):
            words[index] = f"--runs={runs}"
    return words


def _run_id(name: str, arguments: Sequence[str]) -> str:
    """MODEL/TASK/SPLIT-PROFILE as far as the command line says it, for `make ps`."""
    if not arguments or arguments[0] != "eval":
        return f"{arguments[0] if arguments else 'shell'}/{name}"
    split, profile = option(arguments, "split") or "default", option(arguments, "profile") or "kit"
    return f"{option(arguments, 'model') or DEFAULT_MODEL}/{name}/{split}-{profile}"
