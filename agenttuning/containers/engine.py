"""The Docker client: which one on this machine works, and running it with errors a user can act on."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from agenttuning.errors import KitError, MissingDependency

ANSWER_SECONDS = 15
LABEL = "kit=agenttuning"
"""Label of every image, container, network and volume of ours; `make stop` removes by it."""

START_HINT = "start it (systemctl start docker), or add your user to the group docker"


def candidates() -> list[str]:
    """Docker clients to try: $DOCKER alone when it is set, else every `docker` on PATH in order."""
    given = os.environ.get("DOCKER")
    if given:
        return [given]
    found: dict[Path, str] = {}  # by what it really is; called by its own name, which a snap goes by
    for folder in os.get_exec_path():
        path = shutil.which("docker", path=folder)
        if path is not None:
            found.setdefault(Path(path).resolve(), path)
    return list(found.values())


@cache
def client() -> str:
    """Path of the first client that reaches an engine.

    Raises:
        MissingDependency: no client, or no engine answers.
    """
    reason = ""
    for path in candidates():
        done = run([path, "version", "--format", "{{.Server.Version}}"])
        if done.returncode == 0 and done.stdout.strip():
            return path
        reason = last_line(done.stderr)
    if reason:
        raise MissingDependency(f"no Docker engine answers ({reason})", START_HINT)
    raise MissingDependency("there is no Docker client on this machine", "install Docker (Debian: docker.io)")


def problem() -> str | None:
    """Why no engine can be used, or None."""
    try:
        client()
    except KitError as error:
        return str(error)
    return None


@cache
def builder() -> str:
    """Path of the first client that can build with BuildKit, tried on a two-line image.

    A newer client without its buildx plugin cannot, while one of the distribution may: so all are tried.

    Raises:
        MissingDependency: no engine, or no client that can.
    """
    client()
    reason = ""
    with tempfile.TemporaryDirectory(prefix="agenttuning-probe-") as folder:
        Path(folder, "Dockerfile").write_text("FROM scratch\nCOPY Dockerfile /probe\n")
        for path in candidates():
            done = run([path, "build", "--quiet", folder], env={"DOCKER_BUILDKIT": "1"}, seconds=120)
            if done.returncode == 0:
                run([path, "rmi", done.stdout.strip()])
                return path
            reason = last_line(done.stderr)
    raise MissingDependency(
        f"no Docker client here can build with BuildKit ({reason})",
        "install docker-buildx or Debian's docker.io, or name a client with DOCKER=",
    )


@cache
def compose() -> tuple[str, ...]:
    """Compose as a command prefix: `docker compose` (version 2), else `docker-compose` 1.28 or newer.

    Raises:
        MissingDependency: neither is there.
    """
    for path in candidates():
        if run([path, "compose", "version"]).returncode == 0:
            return (path, "compose")
    old = shutil.which("docker-compose")
    if old is not None and run([old, "version", "--short"]).returncode == 0:
        return (old,)
    raise MissingDependency(
        "there is no compose client", "install docker-compose-plugin, or docker-compose (Debian)"
    )


def run(
    command: Sequence[str], *, env: dict[str, str] | None = None, seconds: float = ANSWER_SECONDS
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, output captured. Never raises: a missing program or a timeout is code 127 or 124."""
    try:
        return subprocess.run(
            list(command), env={**os.environ, **(env or {})}, capture_output=True, text=True,
            errors="replace", timeout=seconds, check=False, stdin=subprocess.DEVNULL,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(list(command), 124, "", f"no answer within {seconds:g} s")
    except OSError as error:
        return subprocess.CompletedProcess(list(command), 127, "", str(error))


def docker(*arguments: str, seconds: float = 60) -> str:
    """Output of a docker command without the final newline. Raises KitError with docker's last line."""
    done = run([client(), *arguments], seconds=seconds)
    if done.returncode != 0:
        raise KitError(f"docker {arguments[0]} failed ({last_line(done.stderr)})")
    return done.stdout.strip()


def last_line(text: str) -> str:
    """Last non-empty line, for messages."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "no output"
