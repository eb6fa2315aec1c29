"""Containers in which episodes happen: no network, few capabilities, hard limits, gone on every exit path.

What a sandbox protects the machine from, and what it cannot, is in README.md.
"""

from __future__ import annotations

import os
import struct
import threading
import time
import uuid
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from docker.client import DockerClient
from docker.errors import APIError, DockerException, NotFound
from docker.types import LogConfig, Ulimit
from requests.exceptions import RequestException

from agenttuning.containers import engine
from agenttuning.episodes.types import EnvironmentFailure
from agenttuning.errors import MissingDependency

from .scripts import Script
from .shell import Line, Shell, ShellLost

TASK = "os_interaction"
TASK_LABEL = "kit.task"
OWNER_LABEL = "kit.owner"

CAPABILITIES = ("CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "SETUID", "SETGID", "KILL")
"""What root in a sandbox keeps: changing owners, modes, users (su, useradd, apt) and ending processes. Nothing else."""

SCRIPT_BYTES = 100 * 1024
"""Output of a script that is kept; it becomes an argument of the next one, and Linux takes 128 KiB."""

LAST_WORDS_SECONDS = 1.0
"""How long the output of a script that has ended is waited for, if a background process of it keeps it open."""


@dataclass(frozen=True)
class Limits:
    """What one sandbox may use.

    Attributes:
        memory_mb: memory and swap together.
        pids: processes and threads.
        cpus: cores.
        disk_mb: all that is written into its layer; looked at every second.
        file_mb: one file.
        idle_seconds, command_seconds: the shell's limits (see Shell).
        script_seconds: one init or check script.
        life_seconds: after which a container ends by itself, whatever became of us.
    """

    memory_mb: int = 512
    pids: int = 256
    cpus: float = 1.0
    disk_mb: int = 1024
    file_mb: int = 512
    idle_seconds: float = 5.0
    command_seconds: float = 30.0
    script_seconds: float = 60.0
    life_seconds: int = 4 * 3600


class SandboxGone(Exception):
    """The sandbox ended or cannot start a process any more: the doing of what runs in it."""


@dataclass(frozen=True)
class Ran:
    """A script's exit status (None: stopped at its time limit) and merged output."""

    status: int | None
    output: str


def connect() -> DockerClient:
    """A client of the engine that the docker command reaches, too.

    Raises:
        MissingDependency: no client, no engine, or one that Docker's Python library cannot talk to.
    """
    program = engine.client()
    address = os.environ.get("DOCKER_HOST")
    if not address:
        done = engine.run([program, "context", "inspect", "--format", "{{.Endpoints.docker.Host}}"])
        address = done.stdout.strip() if done.returncode == 0 else ""
    try:
        kept = {"environment": {**os.environ, "DOCKER_HOST": address}} if address else {}
        made = DockerClient.from_env(timeout=60, max_pool_size=64, **kept)
        made.ping()
    except (DockerException, RequestException) as error:
        raise MissingDependency(
            f"Docker's Python library reaches no engine ({engine.last_line(str(error))})", engine.START_HINT
        ) from error
    return made


def _process(pid: int | str) -> str | None:
    """Process number and start time, or None when there is no such process."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return f"{pid}.{fields[19]}"


def _place() -> str:
    """The machine's boot and the process namespace: where a process number means something."""
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return f"{boot}.{os.stat('/proc/self/ns/pid').st_ino}"


def owner() -> str:
    """This process, for the label of its containers."""
    return f"{_place()}/{_process(os.getpid())}"


def is_orphan(label: str) -> bool:
    """Whether the process that a label names is gone. False where that cannot be known (another machine's)."""
    place, _, process = label.partition("/")
    return place == _place() and _process(process.partition(".")[0] or "0") != process


class Engine:
    """Starts, finds and removes sandboxes.

    Args:
        client: of `connect`.
        image: tag or id.
    """

    def __init__(self, client: DockerClient, image: str, limits: Limits):
        self.client = client
        self.image = image
        self.limits = limits
        self.owner = owner()

    @property
    def separates_users(self) -> bool:
        """Whether root in a container is not root outside (rootless engine, or one with userns-remap)."""
        options = self.client.info().get("SecurityOptions") or []
        return any(name in option for option in options for name in ("name=userns", "name=rootless"))

    def start(self) -> Sandbox:
        """A new sandbox with its shell. Raises EnvironmentFailure."""
        limits = self.limits
        megabyte = 2**20
        host = uuid.uuid4().hex[:12]
        try:
            container = self.client.containers.create(
                self.image, ["sleep", str(limits.life_seconds)], name=f"kit-os-{host}", hostname=host, extra_hosts={host: "127.0.1.1"},
                labels={"kit": "agenttuning", TASK_LABEL: TASK, OWNER_LABEL: self.owner},
                init=True, auto_remove=True, network_mode="none", cap_drop=["ALL"], cap_add=list(CAPABILITIES),
                mem_limit=limits.memory_mb * megabyte, memswap_limit=limits.memory_mb * megabyte,
                pids_limit=limits.pids, nano_cpus=int(limits.cpus * 1e9), shm_size=16 * megabyte, ipc_mode="private",
                log_config=LogConfig(type="none"), restart_policy={"Name": "no"},
                ulimits=[
                    Ulimit(name="fsize", soft=limits.file_mb * megabyte, hard=limits.file_mb * megabyte),
                    Ulimit(name="core", soft=0, hard=0), Ulimit(name="nofile", soft=1024, hard=4096),
                ],
            )  # fmt: skip
            try:
                container.start()
                return Sandbox(self, str(container.id), host)
            except BaseException:
                self.remove(str(container.id))
                raise
        except (DockerException, RequestException, ShellLost, SandboxGone) as error:
            raise EnvironmentFailure(
                f"no sandbox could be started ({engine.last_line(str(error))})"
            ) from error

    def remove(self, name: str) -> None:
        """Remove a container at once; nothing happens where it is gone already."""
        with suppress(DockerException, RequestException):
            self.client.api.remove_container(name, force=True, v=True)

    def remove_own(self) -> None:
        """Remove all sandboxes of this process."""
        for found in self._listed(f"{OWNER_LABEL}={self.owner}"):
            self.remove(found["Id"])

    def sweep(self) -> int:
        """Remove what runs that were killed left behind on this machine; returns how many."""
        orphans = [c for c in self._listed() if is_orphan(c["Labels"].get(OWNER_LABEL, ""))]
        for found in orphans:
            self.remove(found["Id"])
        return len(orphans)

    def sizes(self) -> dict[str, int]:
        """Bytes written by each sandbox of this process, by container id."""
        listed = self._listed(f"{OWNER_LABEL}={self.owner}", size=True)
        return {found["Id"]: int(found.get("SizeRw") or 0) for found in listed}

    def _listed(self, *labels: str, size: bool = False) -> list[dict[str, Any]]:
        wanted = [f"{TASK_LABEL}={TASK}", *labels]
        try:
            found: list[dict[str, Any]] = self.client.api.containers(
                all=True, size=size, filters={"label": wanted}
            )
        except (DockerException, RequestException):
            return []
        return found


class Sandbox:
    """One container with the model's shell. Not for several threads at once, but for `end`."""

    def __init__(self, maker: Engine, name: str, host: str):
        self.engine = maker
        self.id = name
        self.host = host
        self.born = time.monotonic()
        self.ended = ""
        self._api = maker.client.api
        self._lock = threading.Lock()
        self.shell = Shell(self._login, maker.limits.idle_seconds, maker.limits.command_seconds)

    def end(self, reason: str) -> None:
        """Remove the container; `reason` is why later calls fail, "" at a normal end."""
        with self._lock:
            self.ended = self.ended or reason
        self.engine.remove(self.id)

    def run(self, script: Script, *arguments: str) -> Ran:
        """Run a script beside the shell, as `docker exec` does.

        Raises:
            SandboxGone: the sandbox ended, or has no room for a process.
            EnvironmentFailure: the engine is at fault.
        """
        try:
            made = self._api.exec_create(self.id, script.command(*arguments), tty=False)["Id"]
            line = _socket(self._api.exec_start(made, socket=True))
            try:
                output, late = self._output(made, line)
            finally:
                line.close()
            if late:
                return Ran(None, output)
            while (state := self._api.exec_inspect(made))["Running"]:
                time.sleep(0.005)
        except (DockerException, RequestException, OSError) as error:
            raise self._explained(error) from error
        return Ran(int(state["ExitCode"]), output)

    def _output(self, made: str, line: Line) -> tuple[str, bool]:
        """Merged output of a running exec, and whether its time was up.

        Background processes of a script keep its output open; it ends with the script all the same.
        """
        parts, pending = bytearray(), bytearray()
        ended = 0.0
        end_of_time = time.monotonic() + self.engine.limits.script_seconds
        line.settimeout(0.1)
        while time.monotonic() < end_of_time:
            try:
                data = line.recv(65536)
            except TimeoutError:
                if ended and time.monotonic() - ended > LAST_WORDS_SECONDS:
                    break
                if not ended and not self._api.exec_inspect(made)["Running"]:
                    ended = time.monotonic()  # what it printed may still be on its way
                continue
            if not data:
                break
            pending += data
            while len(pending) >= 8:
                length = struct.unpack(">L", pending[4:8])[0]
                if len(pending) < 8 + length:
                    break
                if len(parts) < SCRIPT_BYTES:
                    parts += pending[8 : 8 + length]
                del pending[: 8 + length]
        else:
            return _text(parts), True
        return _text(parts), False

    def _login(self) -> Line:
        try:
            made = self._api.exec_create(self.id, ["bash", "--login"], stdin=True, tty=True)["Id"]
            return _socket(self._api.exec_start(made, socket=True, tty=True))
        except (DockerException, RequestException, OSError) as error:
            raise self._explained(error) from error

    def _explained(self, error: Exception) -> Exception:
        """Whose fault a failed call is."""
        if self.ended:
            return SandboxGone(self.ended)
        try:
            state = self._api.inspect_container(self.id)["State"]
        except NotFound:
            return SandboxGone("the sandbox ended")
        except (DockerException, RequestException) as broken:
            return EnvironmentFailure(f"the Docker engine fails ({engine.last_line(str(broken))})")
        if not state["Running"]:
            return SandboxGone("the sandbox ended")
        if isinstance(error, APIError) and "exec failed" in str(error):
            return SandboxGone("the sandbox could not start another process")
        return EnvironmentFailure(f"the Docker engine fails ({engine.last_line(str(error))})")


def _text(data: Sequence[int] | bytearray) -> str:
    return bytes(data[:SCRIPT_BYTES]).decode("utf-8", errors="replace").replace("\x00", "")


def _socket(stream: Any) -> Line:
    """The socket below what the library returns, which reads ahead otherwise."""
    line: Line = getattr(stream, "_sock", stream)
    return line
