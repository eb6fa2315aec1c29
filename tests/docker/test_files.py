"""What the compose files and Dockerfiles must say, and must never say."""

from __future__ import annotations

import fnmatch
import re
from pathlib import Path

import pytest
import yaml

from agenttuning import __version__
from agenttuning.containers.images import all_images
from agenttuning.episodes.rooms import all_specs
from agenttuning.home import home

MODELS = {"7b": (30007, 1, "0"), "13b": (30013, 1, "0"), "70b": (30070, 4, "0,1,2,3")}
DOCKERFILES = sorted(image.dockerfile for image in all_images().values())
COMPOSE = sorted((home() / "docker").glob("*.yml"))
SERVERS = [*sorted((home() / "docker").glob("agentlm-*.yml")), home() / "docker/vllm.yml"]


def server(path: Path) -> dict:
    return yaml.safe_load(path.read_text())["services"]["server"]


def default(text: str) -> str:
    """The text with compose's ${NAME:-default} filled in."""
    return re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", str(text))


@pytest.mark.parametrize("size", MODELS)
def test_upstreams_ports_limits_and_shards(size: str) -> None:
    port, shards, gpus = MODELS[size]
    service = server(home() / f"docker/agentlm-{size}.yml")
    words = [default(word) for word in service["command"]]
    options = dict(zip(words[::2], words[1::2], strict=True))
    assert options == {
        "--model-id": f"THUDM/agentlm-{size}", "--dtype": "bfloat16", "--num-shard": str(shards),
        "--max-input-tokens": "4096", "--max-total-tokens": "16384",
    }  # fmt: skip
    assert [default(p) for p in service["ports"]] == [f"127.0.0.1:{port}:80"]
    assert default(service["environment"]["CUDA_VISIBLE_DEVICES"]) == gpus


@pytest.mark.parametrize("path", SERVERS, ids=lambda p: p.name)
def test_every_server_is_pinned_limited_checked_and_on_the_loopback(path: Path) -> None:
    service = server(path)
    tag = default(service["image"]).rpartition(":")[2]
    assert re.fullmatch(r"v?\d+\.\d+\.\d+", tag)
    assert all(p.startswith("127.0.0.1:") for p in service["ports"])
    assert service["healthcheck"]["test"][0] == "CMD" and "/health" in service["healthcheck"]["test"][-1]
    assert service["restart"].startswith("on-failure")
    assert {"mem_limit", "mem_reservation", "shm_size", "logging"} <= set(service)
    assert service["labels"]["kit"] == "agenttuning"
    assert service["security_opt"] == ["no-new-privileges:true"]
    device = service["deploy"]["resources"]["reservations"]["devices"][0]
    assert device["driver"] == "nvidia" and device["capabilities"] == ["gpu"]


@pytest.mark.parametrize("path", [*COMPOSE, *DOCKERFILES], ids=lambda p: f"{p.parent.name}/{p.name}")
def test_never(path: Path) -> None:
    text = path.read_text()
    assert "docker.sock" not in text
    assert ":latest" not in text
    assert "0.0.0.0" not in text
    assert "privileged: true" not in text
    assert not re.search(r"(token|password|secret_key)\s*[:=]\s*['\"]?\w{8,}", text, re.IGNORECASE)


@pytest.mark.parametrize("path", DOCKERFILES, ids=lambda p: f"{p.parent.name}/{p.name}")
def test_dockerfile(path: Path) -> None:
    lines = [line for line in path.read_text().splitlines() if line and not line.startswith("#")]
    # A frontend named by "# syntax=" is an image itself: it could not be had without a registry.
    assert "syntax=" not in path.read_text()
    if path.name != "base.Dockerfile":
        assert lines[0] == f"ARG BASE=agenttuning/base:{__version__}"
    users = [line.split()[1] for line in lines if line.startswith("USER ")]
    assert users[-1] == "kit"
    assert any(line.startswith("LABEL org.opencontainers.image.title=") for line in lines)
    final = path.read_text().rpartition("\nFROM ")[2]
    if "pip-install /opt" in final:
        assert (
            final.index("pip-install /opt") < final.index("COPY agenttuning")
            if "COPY agenttuning" in final
            else True
        )
    if path.parent.joinpath("task.toml").exists():
        folder = path.parent.relative_to(home())
        assert final.index("COPY agenttuning agenttuning") < final.index(f"COPY {folder} {folder}")


def test_serve_cpu_has_a_healthcheck() -> None:
    assert "HEALTHCHECK" in (home() / "docker/serve-cpu.Dockerfile").read_text()


def test_secrets_are_optional_everywhere() -> None:
    for path in DOCKERFILES:
        mounts = re.findall(r"--mount=type=secret,\S+", path.read_text())
        assert all("required=false" in mount for mount in mounts)


def test_a_build_never_sees_runs_data_or_credentials() -> None:
    lines = (home() / ".dockerignore").read_text().splitlines()
    assert lines[1] == "*"
    allowed = [line[1:] for line in lines if line.startswith("!")]
    for private in (".venv", ".git", "runs", "data/downloads", "data/prompts", "tests", ".env"):
        assert not any(fnmatch.fnmatch(private, pattern) for pattern in allowed)


def test_every_room_with_a_dockerfile_has_a_target_in_make() -> None:
    names = {p.parent.name for spec in all_specs().values() if (p := spec.folder / "Dockerfile").is_file()}
    assert {"gsm8k", "dbbench", "science-world"} <= names
    assert names <= set(all_images())
