"""Which client is used, and what is said when none can be."""

from __future__ import annotations

from pathlib import Path

import pytest

from agenttuning.containers import engine, hostconfig, images
from agenttuning.containers.debian import package_mirror
from agenttuning.errors import KitError, MissingDependency
from tests.docker.fakes import Fakes


def test_no_client(fakes: Fakes) -> None:
    with pytest.raises(MissingDependency, match="no Docker client"):
        engine.client()


def test_client_without_engine(fakes: Fakes) -> None:
    fakes.program("docker", (["version"], 1, "", "Cannot connect to the Docker daemon"))
    assert "Cannot connect" in str(engine.problem())
    assert "Cannot connect" in str(images.problem("gsm8k"))


def test_first_client_that_can_build_wins(
    fakes: Fakes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A newer client without buildx stands first on PATH; the second one can."""
    other = tmp_path / "other"
    other.mkdir()
    fakes.docker((["build"], 1, "", "BuildKit is enabled but the buildx component is missing or broken."))
    good = Fakes(other)
    good.docker((["build"], 0, "sha256:0\n", ""))
    monkeypatch.setenv("PATH", f"{fakes.folder}:{other}")
    assert engine.client() == str(fakes.folder / "docker")
    assert engine.builder() == str(other / "docker")
    assert good.calls("docker", "rmi") == [["docker", "rmi", "sha256:0"]]


def test_no_client_can_build(fakes: Fakes) -> None:
    fakes.docker((["build"], 1, "", "the buildx component is missing"))
    with pytest.raises(MissingDependency, match="buildx component is missing.*docker-buildx"):
        engine.builder()


def test_compose_falls_back_to_the_old_spelling(fakes: Fakes) -> None:
    fakes.docker((["compose"], 1, "", "unknown command"))
    with pytest.raises(MissingDependency, match="no compose client"):
        engine.compose()
    fakes.program("docker-compose", (["version"], 0, "1.29.2", ""))
    assert engine.compose() == (str(fakes.folder / "docker-compose"),)


def test_pip_configuration_drops_local_folders() -> None:
    listing = """:env:.find-links='/some/wheels'
global.cert='/etc/ca.crt'
global.extra-index-url='file:///opt/simple https://packages.example/simple'
global.default-timeout='60'
"""
    assert (
        hostconfig.pip_conf(listing)
        == "[global]\nextra-index-url = https://packages.example/simple\ntimeout = 60\n"
    )
    assert hostconfig.pip_conf("global.extra-index-url='file:///opt/simple'\n") is None


def test_apt_configuration_keeps_proxies_only() -> None:
    dump = (
        'APT::Architecture "amd64";\nAcquire::http::Proxy "http://proxy:3128";\nAcquire::https::Proxy "";\n'
    )
    assert hostconfig.apt_conf(dump) == 'Acquire::http::Proxy "http://proxy:3128";\n'
    assert hostconfig.apt_conf('APT::Architecture "amd64";\n') is None


def test_secrets_only_for_what_exists(fakes: Fakes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*hostconfig.CA_VARIABLES, *hostconfig.PROXIES, "PIP_CONF", "APT_SOURCES"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(hostconfig, "_pip_text", lambda: None)
    assert hostconfig.build_arguments(tmp_path) == []
    bundle = tmp_path / "ca.crt"
    bundle.write_text("x")
    monkeypatch.setenv("PIP_CERT", str(bundle))
    monkeypatch.setenv("https_proxy", "http://user:pw@proxy:1")
    arguments = hostconfig.build_arguments(tmp_path)
    assert arguments == [
        f"--secret=id=ca,src={bundle}",
        "--build-arg=https_proxy",
    ]  # by name: no value on the line


def test_debian_mirror_from_aptsources(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DEBIAN_MIRROR", raising=False)
    deb822 = "Types: deb\nURIs: http://inner.example/debian\nSuites: bookworm\n"
    assert package_mirror(deb822) == "http://inner.example/debian"
    one_line = (
        "deb [arch=amd64] https://packages.example/apt x\ndeb http://two.example/debian bookworm main\n"
    )
    assert package_mirror(one_line) == "http://two.example/debian"
    assert package_mirror("deb https://packages.example/apt x") is None
    monkeypatch.setenv("DEBIAN_MIRROR", "http://mine/debian")
    assert package_mirror(deb822) == "http://mine/debian"


def test_images_and_their_state(fakes: Fakes) -> None:
    fakes.docker((["image", "inspect"], 1, "", "No such image"))
    assert images.problem("gsm8k") == "the image agenttuning/gsm8k:0.1.0 is not built; run: make image-gsm8k"
    assert "there is no image 'cheese'" in str(images.problem("cheese"))
    images.inspect.cache_clear()
    old = '[{"Id": "sha256:1", "Size": 1, "Config": {"Labels": {"kit.source": "old"}}}]'
    fakes.docker((["image", "inspect"], 0, old, ""))
    assert "was built from other code" in str(images.problem("gsm8k"))
    images.inspect.cache_clear()
    new = old.replace("old", images.find_image("gsm8k").digest())
    fakes.docker((["image", "inspect"], 0, new, ""))
    assert images.problem("gsm8k") is None


def test_digest_follows_contents(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(images, "home", lambda: tmp_path)
    room = tmp_path / "room"
    (room / "__pycache__").mkdir(parents=True)
    (room / "task.py").write_text("a")
    (tmp_path / "Dockerfile").write_text("FROM x")
    image = images.Image("t", tmp_path / "Dockerfile", (room,))
    before = image.digest()
    (room / "__pycache__/task.pyc").write_text("b")
    assert image.digest() == before
    (room / "task.py").write_text("b")
    assert image.digest() != before


def test_missing_base_image_names_the_way_out(fakes: Fakes, monkeypatch: pytest.MonkeyPatch) -> None:
    said = "failed to solve with frontend dockerfile.v0: failed to create LLB definition: debian:bookworm-slim: failed to do request: pull"
    fakes.docker(
        (["image", "inspect"], 1, "", "none"), (["build", "--quiet"], 0, "x", ""), (["build"], 1, "", said)
    )
    with pytest.raises(KitError, match="make base-image"):
        images.build(["gsm8k"])


def test_build_command(fakes: Fakes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BUILD_NETWORK", raising=False)
    command = images.build_command(
        images.find_image("gsm8k"), "agenttuning/base:0.1.0", ["--secret=id=ca,src=/x"]
    )
    assert "--network=host" in command and "--build-arg=BASE=agenttuning/base:0.1.0" in command
    assert any(word.startswith("--label=org.opencontainers.image.revision=") for word in command)
    assert "--label=org.opencontainers.image.version=0.1.0" in command and "--secret=id=ca,src=/x" in command
    base = images.build_command(images.find_image("base"), "debian:bookworm-slim", [])
    assert "--build-arg=BASE_IMAGE=debian:bookworm-slim" in base
