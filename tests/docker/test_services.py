"""The GPU services: what is said before anything starts, what is started, what stop removes."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from agenttuning.containers import services
from agenttuning.errors import KitError
from tests.docker.fakes import Fakes

Answer = tuple[list[str], int, str, str]


@pytest.fixture
def server() -> Iterator[HTTPServer]:
    """Answers /health and /info like a model server, on a free port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps({"model_id": "THUDM/agentlm-7b"}).encode() if self.path == "/info" else b""
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    made = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=made.serve_forever, daemon=True).start()
    yield made
    made.shutdown()
    made.server_close()


@pytest.fixture
def free_port() -> int:
    """A port nobody listens on."""
    with HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as held:
        return held.server_port


def test_everything_missing_is_said_at_once(fakes: Fakes, free_port: int) -> None:
    missing = "\n".join(services.preflight(services.service("70b", port=free_port)))
    assert "no Docker client" in missing and "no compose client" in missing
    assert "there is no nvidia-smi" in missing and "4 GPUs with 36 GiB free each" in missing


def test_nothing_missing(fakes: Fakes, free_port: int) -> None:
    fakes.docker()
    fakes.gpus(79, 79, 79, 79)
    assert services.preflight(services.service("70b", port=free_port)) == []


def test_too_few_too_full_gpus(fakes: Fakes, free_port: int) -> None:
    fakes.docker()
    fakes.gpus(79, 3)
    few = services.preflight(services.service("70b", port=free_port))
    assert len(few) == 1 and "there are 2 GPUs here" in few[0]
    full = services.preflight(services.service("7b", replicas=2, port=free_port))
    assert full == [
        "GPU 1 has 3 GiB free; agentlm-7b needs 2 GPUs with 17 GiB free each (80 GB cards are what the paper's set-up assumes)"
    ]
    assert services.preflight(services.service("7b", port=free_port, gpus=(0,))) == []


def test_runtime_disk_and_port(fakes: Fakes, server: HTTPServer, monkeypatch: pytest.MonkeyPatch) -> None:
    info = json.dumps({"Runtimes": {"runc": {}}, "DockerRootDir": str(fakes.folder)})
    fakes.docker((["info"], 0, info, ""), (["volume", "inspect"], 1, "", "no such volume"))
    fakes.gpus(79)
    monkeypatch.setattr(services.shutil, "disk_usage", lambda _: type("Usage", (), {"free": 5 * 2**30})())
    monkeypatch.setattr(services, "healthy", lambda _: False)
    missing = services.preflight(services.service("7b", port=server.server_port))
    assert any("no NVIDIA runtime" in line and "nvidia-container-toolkit" in line for line in missing)
    assert any(line.startswith("5 GiB free in") and "need 45 GiB" in line for line in missing)
    assert any(f"port {server.server_port} on 127.0.0.1 is taken" in line for line in missing)


def test_nothing_is_started_when_something_is_missing(fakes: Fakes, free_port: int) -> None:
    fakes.docker()
    with pytest.raises(KitError, match="agentlm-7b cannot be served here:\n  no NVIDIA GPU"):
        services.start(services.service("7b", port=free_port), print)
    assert not [c for c in fakes.calls("docker", "compose") if "up" in c] and not fakes.calls(
        "docker", "volume", "create"
    )


def test_replicas_get_consecutive_ports_and_their_own_gpus(fakes: Fakes) -> None:
    fakes.docker()
    wanted = services.service("70b", replicas=2)
    first, second = services.environment(wanted, 0), services.environment(wanted, 1)
    assert (first["PORT"], first["GPUS"]) == ("30070", "0,1,2,3")
    assert (second["PORT"], second["GPUS"]) == ("30071", "4,5,6,7")
    assert services.compose_command(wanted, 0)[2:4] == ["-p", "agenttuning-70b-0"]
    assert services.compose_command(wanted, 1)[2:4] == ["-p", "agenttuning-70b-1"]
    assert services.environment(services.service("7b", replicas=2, gpus=(5, 3)), 1)["GPUS"] == "3"
    with pytest.raises(KitError, match="needs 2 GPUs, GPUS names 1"):
        services.service("7b", replicas=2, gpus=(5,))


def test_checkpoint_and_vllm(fakes: Fakes, tmp_path: Path) -> None:
    fakes.docker()
    folder = tmp_path / "agentlm-mine"
    folder.mkdir()
    with pytest.raises(KitError, match="no config.json"):
        services.service("7b", checkpoint=folder)
    (folder / "config.json").write_text("{}")
    wanted = services.service("7b", checkpoint=folder, engine_name="vllm")
    values = services.environment(wanted, 0)
    assert values["MODEL_ID"] == "/checkpoint/agentlm-mine" and values["CHECKPOINT"] == str(folder)
    assert values["SERVED_NAME"] == "THUDM/agentlm-7b"
    files = [w for w in services.compose_command(wanted, 0) if w.endswith(".yml")]
    assert [Path(f).name for f in files] == ["vllm.yml", "checkpoint.yml"]
    assert "/v1/completions" in services.curl(wanted, 30007)


def test_models_by_size() -> None:
    assert services.service("70b", model="llama-2-70b-chat").hf == "meta-llama/Llama-2-70b-chat-hf"
    for size, model in (
        ("7b", "llama-2-70b-chat"),
        ("7b", "smollm2-135m"),
        ("7b", "oracle"),
        ("13b", "gpt-4"),
    ):
        with pytest.raises(KitError, match=f"{model} is not a {size.upper()} model"):
            services.service(size, model=model)
    with pytest.raises(KitError, match="ENGINE is tgi or vllm"):
        services.service("7b", engine_name="sglang")


@pytest.mark.parametrize(
    "tag, flag",
    [("3.3.7", "--max-input-tokens"), ("sha-4cce843", "--max-input-length"), ("1.0.3", "--max-input-length")],
)
def test_input_flag_by_release(tag: str, flag: str) -> None:
    assert services.input_flag(f"ghcr.io/huggingface/text-generation-inference:{tag}") == flag


def test_a_service_that_answers_is_left_alone(fakes: Fakes, server: HTTPServer) -> None:
    said: list[str] = []
    services.start(services.service("7b", port=server.server_port), said.append)
    assert "already answers" in said[0] and not fakes.calls()
    with pytest.raises(KitError, match="another model answers on port"):
        services.start(services.service("7b", model="llama-2-7b-chat", port=server.server_port), said.append)


def test_start_waits_until_it_answers(
    fakes: Fakes, server: HTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing answers before compose was called."""
    fakes.docker(
        (["volume", "inspect"], 1, "", "none"), (["volume", "create"], 0, "", ""), (["compose"], 0, "", "")
    )
    fakes.gpus(79)

    def started() -> list[list[str]]:
        return [call for call in fakes.calls("docker", "compose") if call[-2:] == ["up", "-d"]]

    real = services.healthy
    monkeypatch.setattr(services, "healthy", lambda port: bool(started()) and real(port))
    monkeypatch.setattr(services, "_taken", lambda _: False)
    monkeypatch.setattr(services, "_state", lambda _: "running")
    said: list[str] = []
    services.start(services.service("7b", port=server.server_port), said.append, wait_seconds=20)
    assert len(started()) == 1
    created = fakes.calls("docker", "volume", "create")
    assert created == [
        [
            "docker",
            "volume",
            "create",
            "--label=kit=agenttuning",
            "--label=kit.keep=hf-cache",
            "agenttuning-hf-cache",
        ]
    ]
    assert f"curl http://127.0.0.1:{server.server_port}/generate" in said[-1]


def test_a_server_that_dies_is_reported_with_its_last_words(fakes: Fakes, free_port: int) -> None:
    fakes.docker(
        (["ps"], 0, "c1\n", ""), (["inspect"], 0, "exited\n", ""), (["logs"], 0, "", "CUDA out of memory\n"),
    )  # fmt: skip
    with pytest.raises(KitError, match="ended: CUDA out of memory; see all of it: make logs"):
        services.wait("agenttuning-7b-0", free_port, print, 5)


def listing(kind: list[str], ids: str) -> Answer:
    return ([*kind, "--filter", "label=kit=agenttuning"], 0, ids, "")


def test_stop_keeps_the_weights_unless_purged(fakes: Fakes) -> None:
    keep: Answer = (
        ["volume", "ls", "-q", "--filter", "label=kit.keep=hf-cache"],
        0,
        "agenttuning-hf-cache\n",
        "",
    )
    fakes.docker(
        listing(["ps", "-aq"], "c1\nc2\n"), listing(["network", "ls", "-q"], "n1\n"),
        listing(["volume", "ls", "-q"], "agenttuning-hf-cache\nscratch\n"), keep,
        (["rm"], 0, "", ""), (["network", "rm"], 0, "", ""), (["volume", "rm"], 0, "", ""),
    )  # fmt: skip
    assert services.stop() == ["2 containers", "1 network", "1 volume"]
    assert fakes.calls("docker", "rm") == [["docker", "rm", "--force", "--volumes", "c1", "c2"]]
    assert fakes.calls("docker", "volume", "rm") == [["docker", "volume", "rm", "scratch"]]
    services.stop(purge=True)
    assert fakes.calls("docker", "volume", "rm")[-1] == [
        "docker",
        "volume",
        "rm",
        "agenttuning-hf-cache",
        "scratch",
    ]


def test_stop_with_nothing_there(fakes: Fakes) -> None:
    fakes.docker(*(listing(kind, "") for kind in (["ps", "-aq"], ["network", "ls", "-q"], ["volume", "ls", "-q"])),
                 (["volume", "ls"], 0, "", ""))  # fmt: skip
    assert services.stop() == []
