"""Images of the tasks and stages: which there are, whether they are built and current, building them."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from agenttuning import __version__
from agenttuning.containers import engine, hostconfig
from agenttuning.episodes.identity import git_commit
from agenttuning.episodes.rooms import all_specs
from agenttuning.errors import KitError
from agenttuning.home import home

BASE = "base"
STAGES = ("data", "serve-cpu", "report")
LOCAL_DEBIAN = "agenttuning/debian:bookworm"
"""What `make base-image` makes: a Debian without a registry."""
DEBIAN = "debian:bookworm-slim"

SOURCE = "kit.source"  # label: digest of what the image was built from
REVISION = "org.opencontainers.image.revision"


@dataclass(frozen=True)
class Image:
    """One image of the kit.

    Attributes:
        name: task or stage.
        dockerfile: absolute path.
        sources: files and folders that are copied into it, absolute.
    """

    name: str
    dockerfile: Path
    sources: tuple[Path, ...]

    @property
    def tag(self) -> str:
        """agenttuning/NAME:VERSION. Repository names allow no "+", so miniwob++ becomes miniwobpp."""
        return f"agenttuning/{self.name.replace('+', 'p')}:{__version__}"

    def digest(self) -> str:
        """sha256 of the paths and contents of all sources, to tell whether an image is current."""
        total = hashlib.sha256()
        for source in (self.dockerfile, *self.sources):
            for path in sorted(source.rglob("*")) if source.is_dir() else [source]:
                if path.is_file() and "__pycache__" not in path.parts and path.suffix != ".pyc":
                    content = hashlib.sha256(path.read_bytes()).hexdigest()
                    total.update(f"{path.relative_to(home())} {content}\n".encode())
        return total.hexdigest()


def all_images() -> dict[str, Image]:
    """base, every task whose folder has a Dockerfile, then the stages."""
    root = home()
    locks = (root / "pyproject.toml", root / "requirements.lock", root / "docker/build-tools")
    base = (*locks, root / "docker/base.Dockerfile")
    kit = (*base, root / "agenttuning", root / "models.toml", root / "data/sources.toml")
    images = [Image(BASE, root / "docker/base.Dockerfile", locks)]
    for spec in all_specs().values():
        if (spec.folder / "Dockerfile").is_file():
            images.append(Image(spec.name, spec.folder / "Dockerfile", (*kit, spec.folder)))
    for stage in STAGES:
        images.append(Image(stage, root / f"docker/{stage}.Dockerfile", kit))
    return {image.name: image for image in images}


def find_image(name: str) -> Image:
    """The image of a task or stage. Raises KitError with the names that exist."""
    images = all_images()
    if name not in images:
        if name in all_specs():
            raise KitError(f"the task {name} has no Dockerfile in its folder", "run it with RUNTIME=native")
        raise KitError(f"there is no image {name!r}", f"choose from: {', '.join(images)}")
    return images[name]


@dataclass(frozen=True)
class Built:
    """What the engine says of an image: its id (sha256:...), size in bytes, and our labels."""

    id: str
    size: int
    labels: dict[str, str]


@cache
def inspect(tag: str) -> Built | None:
    """The built image of that tag, None when there is none. Raises MissingDependency without an engine."""
    done = engine.run([engine.client(), "image", "inspect", tag])
    if done.returncode != 0:
        return None
    found = json.loads(done.stdout)[0]
    return Built(found["Id"], int(found["Size"]), found["Config"].get("Labels") or {})


def problem(name: str) -> str | None:
    """Why the task or stage cannot run in its image now, with the mending command; None when it can."""
    no_engine = engine.problem()
    if no_engine:
        return no_engine
    try:
        image = find_image(name)
    except KitError as error:
        return str(error)
    built = inspect(image.tag)
    if built is None:
        return f"the image {image.tag} is not built; run: make image-{name}"
    if built.labels.get(SOURCE) != image.digest():
        return f"the image {image.tag} was built from other code; run: make image-{name}"
    return None


def build(names: Sequence[str] = ()) -> dict[str, float]:
    """Build images (all without names) and the base they need; returns seconds by name.

    BASE_IMAGE, BUILD_NETWORK (default host) and the files named by PIP_CONF and APT_SOURCES are taken from
    the environment. NO_CACHE=1 builds every layer anew, base included.

    Raises:
        KitError: unknown name, no client that can build, no base image, or a build that failed.
    """
    images = all_images()
    chosen = [find_image(name) for name in names] if names else list(images.values())
    if images[BASE] not in chosen:
        base = inspect(images[BASE].tag)
        current = base is not None and base.labels.get(SOURCE) == images[BASE].digest()
        chosen = chosen if current else [images[BASE], *chosen]
    seconds: dict[str, float] = {}
    with tempfile.TemporaryDirectory(prefix="agenttuning-build-") as scratch:
        secrets = hostconfig.build_arguments(Path(scratch))
        for image in chosen:
            began = time.monotonic()
            _build_one(image, images[BASE].tag, secrets)
            seconds[image.name] = time.monotonic() - began
    inspect.cache_clear()
    return seconds


def build_command(image: Image, base: str, secrets: Sequence[str]) -> list[str]:
    """The `docker build` call, without the client. `base` is BASE_IMAGE for the base and its tag for the others."""
    argument = "BASE_IMAGE" if image.name == BASE else "BASE"
    return [
        "build", str(home()), f"--file={image.dockerfile}", f"--tag={image.tag}",
        f"--network={os.environ.get('BUILD_NETWORK') or 'host'}", f"--build-arg={argument}={base}", *secrets,
        f"--label={engine.LABEL}", f"--label={SOURCE}={image.digest()}",
        f"--label={REVISION}={git_commit() or 'unknown'}",
        f"--label=org.opencontainers.image.version={__version__}",
        *(["--no-cache"] if os.environ.get("NO_CACHE") else []),
    ]  # fmt: skip


def _build_one(image: Image, base_tag: str, secrets: Sequence[str]) -> None:
    base = base_image() if image.name == BASE else base_tag
    command = [engine.builder(), *build_command(image, base, secrets), "--progress=plain"]
    with tempfile.TemporaryFile("w+") as log:
        done = subprocess.run(
            command,
            env={**os.environ, "DOCKER_BUILDKIT": "1"},
            stdout=log,
            stderr=subprocess.STDOUT,
            check=False,
        )
        log.seek(0)
        lines = log.read().splitlines()
    if done.returncode == 0:
        return
    for line in lines[-25:]:
        print(f"  {line}")
    text = "\n".join(lines)
    unpulled = base in text and "failed to solve" in text and "executor failed running" not in text
    if image.name == BASE and unpulled:
        raise KitError(
            f"the base image {base} is not here and cannot be pulled",
            "make one without a registry (as root, on Debian): make base-image",
        )
    raise KitError(
        f"building the image {image.name} failed ({engine.last_line(text)})", "see the lines above"
    )


def base_image() -> str:
    """$BASE_IMAGE, else the Debian made by `make base-image` if it is here, else the public one."""
    given = os.environ.get("BASE_IMAGE")
    if given:
        return given
    return LOCAL_DEBIAN if inspect(LOCAL_DEBIAN) is not None else DEBIAN
