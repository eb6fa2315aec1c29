"""Which runtime a task gets, and the docker command line it becomes."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from agenttuning.containers import images, runtime, serve_cpu
from agenttuning.errors import KitError
from agenttuning.models.registry import find_model
from tests.docker.fakes import Fakes


def built(name: str, digest: str | None = None) -> tuple[list[str], int, str, str]:
    """The answer of a client that has the image."""
    labels = {images.SOURCE: digest or images.find_image(name).digest(), images.REVISION: "abc123"}
    found = [{"Id": "sha256:feed", "Size": 1, "Config": {"Labels": labels}}]
    return (["image", "inspect", images.find_image(name).tag], 0, json.dumps(found), "")


@pytest.fixture
def command(fakes: Fakes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """run_command with every image there, in a folder of its own."""
    monkeypatch.setenv("AGENTTUNING_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("AGENTTUNING_RUNS", str(tmp_path / "runs"))
    (tmp_path / "data").mkdir()
    fakes.docker(*(built(name) for name in ("gsm8k", "dbbench", "data", "serve-cpu")))
    return runtime.run_command


def test_runtime_is_docker_only_where_the_image_is_current(fakes: Fakes) -> None:
    fakes.docker(built("gsm8k"), built("dbbench", "older"), (["image", "inspect"], 1, "", "No such image"))
    assert runtime.choose("gsm8k").runtime == "docker"
    assert runtime.choose("gsm8k", "native").runtime == "native"
    old, absent = runtime.choose("dbbench"), runtime.choose("science-world")
    assert old.runtime == absent.runtime == "native"
    assert "other code" in old.why and "not built" in absent.why
    with pytest.raises(KitError, match="not built; run: make image-science-world"):
        runtime.choose("science-world", "docker")
    with pytest.raises(KitError, match="RUNTIME is docker or native"):
        runtime.choose("gsm8k", "podman")


def test_without_engine_everything_is_native(fakes: Fakes) -> None:
    choice = runtime.choose("gsm8k")
    assert choice.runtime == "native" and "no Docker client" in choice.why


def test_confinement(command, tmp_path: Path) -> None:
    words = command("gsm8k", ["eval", "gsm8k", "--model", "oracle", "--runs", str(tmp_path / "mine")])
    options = words[: words.index("agenttuning/gsm8k:0.1.0")]
    assert {
        "--rm", "--init", "--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges",
        "--label=kit=agenttuning", "--label=kit.run=oracle/gsm8k/default-kit",
        f"--user={os.getuid()}:{os.getgid()}", "--network=none",
        "--env=AGENTTUNING_IMAGE=sha256:feed", "--env=AGENTTUNING_COMMIT=abc123",
    } <= set(options)  # fmt: skip
    mounts = [word for word in options if word.startswith("--mount")]
    data, mine = tmp_path / "data", tmp_path / "mine"
    assert mounts == [
        f"--mount=type=bind,source={data},target={data},readonly",
        f"--mount=type=bind,source={mine},target={mine}",
    ]
    assert not any("docker.sock" in word or word.strip("-") == "privileged" for word in words)
    assert words[-1] == str(mine) and mine.is_dir()


def test_limits_follow_the_task(command) -> None:
    def memory(*more: str) -> int:
        words = command("dbbench", ["eval", "dbbench", "--model", "oracle", *more])
        return next(int(w[9:-1]) for w in words if w.startswith("--memory="))

    spec = images.all_specs()["dbbench"]
    each = spec.resources["memory_mb"]
    assert memory("--workers", "8") - memory("--workers", "2") == 6 * each
    words = command("dbbench", ["eval", "dbbench", "--model", "oracle"])
    assert any(w.startswith("--pids-limit=") for w in words) and any(
        w.startswith("--tmpfs=/tmp:") for w in words
    )


@pytest.mark.parametrize(
    "arguments, expected",
    [
        ({"name": "oracle"}, "none"),
        ({"name": "agentlm-7b"}, "host"),
        ({"name": "agentlm-7b", "host": "10.1.2.3"}, "bridge"),
        ({"name": "gpt-4"}, "bridge"),
    ],
)
def test_network(arguments: dict, expected: str) -> None:
    assert runtime.network(find_model(**arguments), "eval") == expected
    assert runtime.network(None, "selfcheck") == "none"


def test_eval_without_model_reaches_the_default_one(command) -> None:
    assert "--network=host" in command("gsm8k", ["eval", "gsm8k"])


def test_mirror_is_read_only_and_the_key_is_passed_by_name(command, tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "mirror").mkdir()
    monkeypatch.setenv("MIRROR", str(tmp_path / "mirror"))
    monkeypatch.setenv("OPENAI_API_KEY", "sk-very-secret")
    words = command("gsm8k", ["eval", "gsm8k", "--model", "gpt-4"])
    assert f"--mount=type=bind,source={tmp_path}/mirror,target={tmp_path}/mirror,readonly" in words
    assert "--env=OPENAI_API_KEY" in words and "very-secret" not in " ".join(words)
    monkeypatch.setenv("MIRROR", str(tmp_path / "nowhere"))
    with pytest.raises(KitError, match="the mirror .* is no folder"):
        command("gsm8k", ["eval", "gsm8k"])


def test_selfcheck_gets_no_folder_to_write_to(command) -> None:
    words = command("gsm8k", ["selfcheck", "--tasks", "gsm8k"])
    mounts = [w for w in words if w.startswith("--mount")]
    assert mounts and all(w.endswith(",readonly") for w in mounts) and "--network=none" in words


def test_only_the_data_stage_may_write_data(command) -> None:
    assert not any(w.endswith("data,readonly") for w in command("data", ["data", "fetch"]))


def test_serve_cpu_is_published_on_the_loopback_only(command) -> None:
    words = serve_cpu.serve_command(30199, ["--parallel", "2"])
    assert "--publish=127.0.0.1:30199:30135" in words
    assert {"--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges", "--init"} <= set(words)
    assert words[-3:] == ["agenttuning/serve-cpu:0.1.0", "--parallel", "2"]


def test_serve_cpu_says_why_a_checkpoint_is_native(fakes: Fakes) -> None:
    with pytest.raises(KitError, match="no transformers"):
        serve_cpu.serve("docker", 1, "/some/folder", [])


def test_options_of_a_command_line() -> None:
    words = ["eval", "x", "--port", "1", "--model=a", "--port=2"]
    assert runtime.option(words, "port") == "2" and runtime.option(words, "model") == "a"
    assert runtime.option(words, "runs") is None
