"""The sandbox's image: built here when it is missing or was built from another Dockerfile."""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path

from docker.client import DockerClient
from docker.errors import DockerException, ImageNotFound
from requests.exceptions import RequestException

from agenttuning.containers import engine, hostconfig, images
from agenttuning.errors import KitError, MissingDependency

FOLDER = Path(__file__).parent / "images"
SANDBOX = images.Image("os_interaction-default", FOLDER / "default.Dockerfile", (FOLDER,))


def is_current(client: DockerClient) -> bool:
    """Whether the image is there and was built from the files as they are. Raises KitError when the engine fails."""
    try:
        labels = client.images.get(SANDBOX.tag).labels
    except ImageNotFound:
        return False
    except (DockerException, RequestException) as error:
        raise KitError(f"the Docker engine fails ({engine.last_line(str(error))})") from error
    return bool(labels.get(images.SOURCE) == SANDBOX.digest())


def ensure(client: DockerClient) -> str:
    """Tag of the image, which is built first where needed (about 20 s, from Debian's packages).

    BASE_IMAGE, BUILD_NETWORK, APT_SOURCES are understood as by `make images`.

    Raises:
        KitError: no client that can build, no base image, or a build that failed.
    """
    if is_current(client):
        return SANDBOX.tag
    base = images.base_image()
    with tempfile.TemporaryDirectory(prefix="agenttuning-build-") as scratch:
        secrets = hostconfig.build_arguments(Path(scratch))
        done = subprocess.run(
            [engine.builder(), *images.build_command(SANDBOX, base, secrets), "--progress=plain"],
            env={**os.environ, "DOCKER_BUILDKIT": "1"}, capture_output=True, text=True, errors="replace",
            check=False, stdin=subprocess.DEVNULL,
        )  # fmt: skip
    if done.returncode != 0:
        raise MissingDependency(
            f"the sandbox image cannot be built on {base} ({engine.last_line(done.stderr)})",
            "without a registry, make the base first (as root, on Debian): make base-image",
        )
    return SANDBOX.tag
