"""The GPU model services: what they need, starting them by compose, waiting until they answer, removing all of it."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from agenttuning.containers import engine
from agenttuning.errors import KitError
from agenttuning.home import home
from agenttuning.models.registry import find_model

CACHE_VOLUME = "agenttuning-hf-cache"
CACHE_LABEL = "kit.keep=hf-cache"
ENGINES = ("tgi", "vllm")
TGI_IMAGE = "ghcr.io/huggingface/text-generation-inference:3.3.7"
WAIT_SECONDS = 5400  # a first start of the 70B model downloads and converts 138 GB
SPARE_GIB = 4.0  # per GPU, for the key-value cache and the runtime, at the very least


@dataclass(frozen=True)
class Size:
    """One of the three model sizes.

    Attributes:
        name: 7b, 13b or 70b.
        port: of the first replica; upstream's.
        shards: GPUs of one replica; upstream's.
        weights: GiB of the bfloat16 weights.
    """

    name: str
    port: int
    shards: int
    weights: float

    @property
    def per_gpu(self) -> float:
        """GiB each GPU must have free."""
        return self.weights / self.shards + SPARE_GIB


SIZES = {
    "7b": Size("7b", 30007, 1, 12.6),
    "13b": Size("13b", 30013, 1, 24.3),
    "70b": Size("70b", 30070, 4, 128.5),
}


@dataclass(frozen=True)
class Service:
    """What is to be started.

    Attributes:
        size: see Size.
        engine: "tgi" or "vllm".
        model: name in models.toml; its Hugging Face id is served.
        replicas: servers on consecutive ports, each on its own GPUs.
        port: of the first one.
        checkpoint: local folder served instead of the hub's weights.
        gpus: indices to use; () takes 0, 1, 2, ... as many as needed.
    """

    size: Size
    engine: str
    model: str
    replicas: int
    port: int
    checkpoint: Path | None = None
    gpus: tuple[int, ...] = ()

    @property
    def hf(self) -> str:
        """Hugging Face id of the model."""
        return find_model(self.model).hf or self.model

    @property
    def path(self) -> str:
        """What the server loads: the hub's id, or the checkpoint's folder inside the container."""
        return f"/checkpoint/{self.checkpoint.name}" if self.checkpoint else self.hf

    @property
    def needed_gpus(self) -> tuple[int, ...]:
        """Indices of all GPUs, replica after replica."""
        return self.gpus or tuple(range(self.size.shards * self.replicas))


def service(
    size: str, *, engine_name: str = "tgi", model: str | None = None, replicas: int = 1, port: int | None = None,
    checkpoint: Path | None = None, gpus: tuple[int, ...] = (),
) -> Service:  # fmt: skip
    """A checked Service. Raises KitError for unknown words, a model of another size, or a missing checkpoint."""
    if engine_name not in ENGINES:
        raise KitError(f"there is no engine {engine_name!r}", "ENGINE is tgi or vllm")
    chosen = SIZES[size]
    name = model or f"agentlm-{size}"
    entry = find_model(name)
    wrong = (
        entry.kind == "scripted"
        or not entry.hf
        or not re.search(rf"(?<!\d){size}(?!\w)", entry.hf, re.IGNORECASE)
    )
    if wrong:
        raise KitError(
            f"the model {name} is not a {size.upper()} model",
            f"leave MODEL away for agentlm-{size}, or name another {size.upper()} model",
        )
    if checkpoint is not None:
        checkpoint = checkpoint.expanduser().resolve()
        if not (checkpoint / "config.json").is_file():
            raise KitError(
                f"{checkpoint} is no checkpoint: it has no config.json",
                "give CHECKPOINT= a folder written by training",
            )
    if gpus and len(gpus) != chosen.shards * replicas:
        raise KitError(f"{replicas} x {size} needs {chosen.shards * replicas} GPUs, GPUS names {len(gpus)}")
    return Service(chosen, engine_name, name, replicas, port or chosen.port, checkpoint, gpus)


def environment(wanted: Service, replica: int) -> dict[str, str]:
    """Variables of the compose file for one replica (0, 1, ...)."""
    shards = wanted.size.shards
    gpus = wanted.needed_gpus[replica * shards : (replica + 1) * shards]
    values = {
        "MODEL_ID": wanted.path,
        "SERVED_NAME": wanted.hf,
        "PORT": str(wanted.port + replica),
        "GPUS": ",".join(map(str, gpus)),
        "SHARDS": str(shards),
        "SERVICE": f"{wanted.size.name}-{replica}",
        "TGI_INPUT_FLAG": input_flag(os.environ.get("TGI_IMAGE") or TGI_IMAGE),
    }
    if wanted.checkpoint:
        values["CHECKPOINT"], values["CHECKPOINT_NAME"] = str(wanted.checkpoint), wanted.checkpoint.name
    if wanted.engine == "vllm" and not os.environ.get("MEM_LIMIT"):
        values["MEM_LIMIT"] = {"7b": "64g", "13b": "96g", "70b": "240g"}[wanted.size.name]
    return values


def input_flag(image: str) -> str:
    """What that release of text-generation-inference calls the input limit: renamed in 2.0, the old one at sha-4cce843."""
    tag = image.rpartition(":")[2]
    old = tag.startswith(("0.", "1.")) or tag == "sha-4cce843"
    return "--max-input-length" if old else "--max-input-tokens"


def compose_command(wanted: Service, replica: int) -> list[str]:
    """The compose call that starts one replica, a project of its own."""
    folder = home() / "docker"
    file = "vllm.yml" if wanted.engine == "vllm" else f"agentlm-{wanted.size.name}.yml"
    extra = ["-f", str(folder / "checkpoint.yml")] if wanted.checkpoint else []
    return [*engine.compose(), "-p", project(wanted, replica), "-f", str(folder / file), *extra, "up", "-d"]


def project(wanted: Service, replica: int) -> str:
    """Compose project, by which containers are found again."""
    return f"agenttuning-{wanted.size.name}-{replica}"


def preflight(wanted: Service) -> list[str]:
    """One sentence per thing that is missing, with what it would need; [] when the service can start."""
    found: list[str] = []
    trouble = engine.problem()
    if trouble:
        found.append(trouble)
    try:
        engine.compose()
    except KitError as error:
        found.append(str(error))
    found += _gpu_problems(wanted)
    if not trouble:
        found += _engine_problems(wanted)
    for replica in range(wanted.replicas):
        port = wanted.port + replica
        if not healthy(port) and _taken(port):
            found.append(f"port {port} on 127.0.0.1 is taken by something else; free it or give PORT=")
    return found


def _gpu_problems(wanted: Service) -> list[str]:
    size, needed = wanted.size, wanted.needed_gpus
    wants = f"{len(needed)} GPU{'s' if len(needed) > 1 else ''} with {size.per_gpu:.0f} GiB free each (80 GB cards are what the paper's set-up assumes)"
    if shutil.which("nvidia-smi") is None:
        return [f"no NVIDIA GPU here (there is no nvidia-smi); {wanted.model} needs {wants}"]
    query = "--query-gpu=index,memory.total,memory.free"
    done = engine.run(["nvidia-smi", query, "--format=csv,noheader,nounits"])
    rows = [line.split(",") for line in done.stdout.splitlines() if line.count(",") == 2]
    if done.returncode != 0 or not rows:
        return [
            f"nvidia-smi lists no GPU ({engine.last_line(done.stderr or done.stdout)}); {wanted.model} needs {wants}"
        ]
    free = {int(index): float(left) / 1024 for index, _, left in rows}
    absent = [i for i in needed if i not in free]
    if absent:
        return [
            f"there {'is' if len(free) == 1 else 'are'} {len(free)} GPU{'s' if len(free) > 1 else ''} here; {wanted.model} x {wanted.replicas} needs {wants}"
        ]
    serving = {r for r in range(wanted.replicas) if healthy(wanted.port + r)}
    small = [
        i for place, i in enumerate(needed)
        if free[i] < size.per_gpu and place // size.shards not in serving
    ]  # fmt: skip
    return [f"GPU {i} has {free[i]:.0f} GiB free; {wanted.model} needs {wants}" for i in small]


def _engine_problems(wanted: Service) -> list[str]:
    found = []
    done = engine.run([engine.client(), "info", "--format", "{{json .}}"])
    try:
        info = json.loads(done.stdout)
    except ValueError:
        return [f"docker info says nothing usable ({engine.last_line(done.stderr)})"]
    if "nvidia" not in (info.get("Runtimes") or {}) and shutil.which("nvidia-container-runtime-hook") is None:
        found.append("Docker has no NVIDIA runtime; install nvidia-container-toolkit and restart Docker")
    folder = Path(info.get("DockerRootDir") or "/var/lib/docker")
    cached = engine.run([engine.client(), "volume", "inspect", CACHE_VOLUME]).returncode == 0
    # The hub's files, their safetensors conversion, and the server's image. A cache volume may hold them already.
    needed = 20 + (0 if wanted.checkpoint else 2 * wanted.size.weights)
    if folder.is_dir() and not cached:
        left = shutil.disk_usage(folder).free / 2**30
        if left < needed:
            found.append(
                f"{left:.0f} GiB free in {folder}; image and weights of {wanted.model} need {needed:.0f} GiB"
            )
    return found


def start(wanted: Service, say: Callable[[str], None], wait_seconds: float = WAIT_SECONDS) -> None:
    """Start what is not yet serving, wait until every replica answers. Idempotent.

    Raises:
        KitError: something is missing (all of it in the message), compose failed, or a server died.
    """
    ports = [wanted.port + r for r in range(wanted.replicas)]
    if all(_serves(port, wanted) for port in ports):
        say(f"{wanted.model} already answers on port {', '.join(map(str, ports))}")
        return
    missing = preflight(wanted)
    if missing:
        raise KitError("\n  ".join([f"{wanted.model} cannot be served here:", *missing]))
    _make_cache()
    for replica, port in enumerate(ports):
        if _serves(port, wanted):
            continue
        say(f"starting {wanted.model} ({wanted.engine}) on 127.0.0.1:{port}")
        done = subprocess.run(
            compose_command(wanted, replica), env={**os.environ, **environment(wanted, replica)}, check=False
        )
        if done.returncode != 0:
            raise KitError(
                f"compose could not start {wanted.model} (exit code {done.returncode})",
                "see its lines above; make stop removes what was started",
            )
    for replica, port in enumerate(ports):
        wait(project(wanted, replica), port, say, wait_seconds)
        say(f"{wanted.model} answers at http://127.0.0.1:{port}; try:\n  {curl(wanted, port)}")


def wait(project_name: str, port: int, say: Callable[[str], None], seconds: float) -> None:
    """Until /health is 200, with the server's last log line now and then. Raises KitError when it died or takes too long."""
    began, shown = time.monotonic(), ""
    told = began
    while not healthy(port):
        elapsed = time.monotonic() - began
        state, log = _state(project_name), _log(project_name)
        if state in ("exited", "dead", "gone"):
            raise KitError(
                f"the server on port {port} ended: {log}", "see all of it: make logs; remove it: make stop"
            )
        if elapsed > seconds:
            raise KitError(
                f"the server on port {port} does not answer after {elapsed:.0f} s: {log}",
                "it goes on starting: make logs, then repeat the command",
            )
        if log != shown and time.monotonic() - told > 5:
            say(f"[{elapsed:5.0f} s] {log}")
            shown, told = log, time.monotonic()
        time.sleep(1)


def healthy(port: int) -> bool:
    """Whether a server on this machine's loopback answers GET /health with 200."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=3) as reply:
            return reply.status == 200
    except (urllib.error.URLError, OSError, ValueError):
        return False


def _serves(port: int, wanted: Service) -> bool:
    """Whether that very model answers there (a server that does not tell its model's name counts as another)."""
    if not healthy(port):
        return False
    path = "/v1/models" if wanted.engine == "vllm" else "/info"
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as reply:
            said = reply.read(65536).decode(errors="replace")
    except (urllib.error.URLError, OSError, ValueError):
        said = ""
    name = wanted.hf if wanted.engine == "vllm" else wanted.path
    if json.dumps(name) in said:
        return True
    raise KitError(
        f"another model answers on port {port}, not {name}", "stop it with make stop, or give PORT="
    )


def curl(wanted: Service, port: int) -> str:
    """A command that asks the service for a few tokens."""
    if wanted.engine == "vllm":
        path = "/v1/completions"
        body = {"model": wanted.hf, "prompt": "[INST] Say hello. [/INST]", "max_tokens": 16, "temperature": 0}
    else:
        path = "/generate"
        body = {"inputs": "[INST] Say hello. [/INST]", "parameters": {"max_new_tokens": 16}}
    return f"curl http://127.0.0.1:{port}{path} -H 'Content-Type: application/json' -d '{json.dumps(body)}'"


def stop(purge: bool = False) -> list[str]:
    """Remove every container and network of ours; volumes too, of which the weights' cache only with `purge`.

    Found by label, so it also works after the process that started them was killed. Returns what was removed.

    Raises:
        KitError: no engine, or something could not be removed.
    """
    removed = []
    label = f"label={engine.LABEL}"
    for kind, listing, removing in (
        ("container", ("ps", "-aq"), ("rm", "--force", "--volumes")),
        ("network", ("network", "ls", "-q"), ("network", "rm")),
        ("volume", ("volume", "ls", "-q"), ("volume", "rm")),
    ):
        found = engine.docker(*listing, "--filter", label).split()
        if kind == "volume" and not purge:
            keep = engine.docker(*listing, "--filter", f"label={CACHE_LABEL}").split()
            found = [name for name in found if name not in keep]
        if found:
            engine.docker(*removing, *found, seconds=180)
            removed.append(f"{len(found)} {kind}{'s' if len(found) > 1 else ''}")
    return removed


def _make_cache() -> None:
    if engine.run([engine.client(), "volume", "inspect", CACHE_VOLUME]).returncode != 0:
        engine.docker("volume", "create", f"--label={engine.LABEL}", f"--label={CACHE_LABEL}", CACHE_VOLUME)


def _container(project_name: str) -> str:
    found = engine.run(
        [engine.client(), "ps", "-aq", "--filter", f"label=com.docker.compose.project={project_name}"]
    )
    return found.stdout.split()[0] if found.stdout.split() else ""


def _state(project_name: str) -> str:
    name = _container(project_name)
    if not name:
        return "gone"
    done = engine.run([engine.client(), "inspect", "--format", "{{.State.Status}}", name])
    return done.stdout.strip() or "gone"


def _log(project_name: str) -> str:
    done = engine.run([engine.client(), "logs", "--tail", "1", _container(project_name)])
    return engine.last_line(done.stdout + done.stderr)[:160]


def _taken(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0
