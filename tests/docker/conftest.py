"""A docker client, a compose client and an nvidia-smi of our own on PATH, and the real engine where there is one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from agenttuning.containers import engine, images
from tests.docker.fakes import Fakes


def forget() -> None:
    """The module remembers what it found on PATH; tests change PATH."""
    for cached in (engine.client, engine.builder, engine.compose, images.inspect):
        cached.cache_clear()


@pytest.fixture
def fakes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Fakes]:
    """An otherwise empty PATH, so that nothing real is called."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    for name in ("DOCKER", "RUNTIME", "MIRROR", "BASE_IMAGE", "TGI_IMAGE", "MEM_LIMIT", "TIKTOKEN_CACHE_DIR"):
        monkeypatch.delenv(name, raising=False)
    forget()
    yield Fakes(folder)
    forget()


@pytest.fixture(scope="session")
def real_engine() -> str:
    """Path of a client that can build; the test is skipped where there is none."""
    forget()
    trouble = engine.problem()
    if trouble:
        pytest.skip(trouble)
    try:
        client = engine.builder()
    except engine.MissingDependency as error:
        pytest.skip(str(error))
    if images.inspect(images.base_image()) is None and images.inspect(images.find_image("base").tag) is None:
        pytest.skip(f"no base image {images.base_image()} here; as root: make base-image")
    return client
