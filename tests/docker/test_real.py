"""With a real engine: every task in its image, confined, with the scores it has natively; nothing left behind."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
import uuid
from pathlib import Path

import pytest

from agenttuning.containers import engine, images, runtime, serve_cpu, services
from agenttuning.episodes.rooms import all_specs
from agenttuning.home import home

pytestmark = pytest.mark.docker

TASKS = [name for name in images.all_images() if name in all_specs()]


@pytest.fixture(scope="session")
def built(real_engine: str) -> str:
    """All images, built from this checkout (from the cache where nothing changed); the client's path."""
    images.build()
    return real_engine


def run(words: list[str], seconds: float = 600) -> subprocess.CompletedProcess[str]:
    return subprocess.run(words, capture_output=True, text=True, timeout=seconds, stdin=subprocess.DEVNULL)


def python(name: str, code: str, *options: str) -> str:
    """Output of Python code in the image of a task, confined as an evaluation is."""
    words = runtime.run_command(name, ["selfcheck"])
    tag = words.index(images.find_image(name).tag)
    done = run([*words[:tag], *options, "--entrypoint=python", words[tag], "-c", code])
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("name", TASKS)
def test_oracle_and_nop_in_the_image_without_network(built: str, name: str) -> None:
    words = runtime.run_command(name, ["selfcheck", "--tasks", name, "--split", "smoke"])
    assert "--network=none" in words
    done = run(words)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 of 1 tasks at ceiling and floor" in done.stdout


@pytest.mark.parametrize("name", ["gsm8k", "dbbench"])
def test_same_scores_natively_and_in_the_image(built: str, name: str, tmp_path: Path) -> None:
    arguments = ["eval", name, "--model", "oracle", "--split", "smoke", "--runs"]
    native = run([sys.executable, "-m", "agenttuning.cli", *arguments, str(tmp_path / "native")])
    assert native.returncode == 0, native.stderr
    inside = run(runtime.run_command(name, [*arguments, str(tmp_path / "docker")]))
    assert inside.returncode == 0, inside.stderr
    seen = {}
    for where in ("native", "docker"):
        folder = tmp_path / where / "oracle" / name / "smoke-kit"
        records = [json.loads(line) for line in (folder / "records.jsonl").read_text().splitlines()]
        rewards = {r["sample"]: r["reward"] for r in records}
        scores = json.loads((folder / "scores.json").read_text())
        seen[where] = (rewards, scores["metrics"], json.loads((folder / "run.json").read_text())["identity"])
    assert seen["native"] == seen["docker"]
    made = json.loads((tmp_path / f"docker/oracle/{name}/smoke-kit/run.json").read_text())["provenance"]
    known = images.inspect(images.find_image(name).tag)
    assert known is not None and made["image"] == known.id and made["commit"] == known.labels[images.REVISION]
    assert (tmp_path / f"docker/oracle/{name}").stat().st_uid == os.getuid()


def test_any_user_can_run_an_image(built: str) -> None:
    done = run([built, "run", "--rm", "--network=none", "--read-only", "--tmpfs=/tmp", "--cap-drop=ALL",
                "--user=54321:54321", images.find_image("gsm8k").tag, "selfcheck", "--split", "smoke"])  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_confinement_from_inside(built: str) -> None:
    code = """
import json, os, socket
from pathlib import Path
status = dict(l.split(":\\t", 1) for l in Path("/proc/self/status").read_text().splitlines() if ":\\t" in l)
def writable(path):
    try:
        Path(path, "x").write_text("x"); return True
    except OSError:
        return False
print(json.dumps({"capabilities": int(status["CapEff"], 16), "new": status["NoNewPrivs"], "kit": writable("/kit"),
 "data": writable(os.environ["AGENTTUNING_DATA"]), "tmp": writable("/tmp"), "interfaces": [n for _, n in socket.if_nameindex()],
 "socket": Path("/var/run/docker.sock").exists(), "home": sorted(os.listdir("/kit"))}))
"""
    seen = json.loads(python("gsm8k", code))
    assert seen["capabilities"] == 0 and seen["new"] == "1" and not seen["socket"]
    assert (seen["kit"], seen["data"], seen["tmp"]) == (False, False, True)
    assert seen["interfaces"] == ["lo"]
    assert seen["home"] == ["agenttuning", "data", "eval_general", "models.toml"]


def test_no_secret_and_no_root_in_an_image(built: str) -> None:
    bundle = images.hostconfig.ca_bundle()
    for image in images.all_images().values():
        found = json.loads(run([built, "image", "inspect", image.tag]).stdout)[0]["Config"]
        assert found["User"] == "kit"
        assert not any(word in str(found["Env"]).lower() for word in ("proxy", "token", "index_url"))
    if bundle is not None:
        assert "[]" in python(
            "gsm8k", "import os; print(os.listdir('/run/secrets') if os.path.isdir('/run/secrets') else [])"
        )


def test_serve_cpu_answers_on_the_loopback(built: str) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = subprocess.Popen(
        serve_cpu.serve_command(port, []), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    try:
        assert serve_cpu._wait(server, port)
        body = json.dumps(
            {"inputs": "The capital of France is", "parameters": {"max_new_tokens": 4}}
        ).encode()
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}/generate", body, {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=60) as reply:
            assert json.load(reply)["generated_text"].strip()
        name = f"kit-serve-cpu-{port}"
        assert engine.docker("port", name) == f"30135/tcp -> 127.0.0.1:{port}"
        deadline = time.monotonic() + 40
        while engine.docker("inspect", "--format", "{{.State.Health.Status}}", name) != "healthy":
            assert time.monotonic() < deadline, "never healthy"
            time.sleep(1)
    finally:
        server.terminate()
        server.wait(timeout=30)
    assert f"kit-serve-cpu-{port}" not in engine.docker("ps", "-a", "--format", "{{.Names}}")


def test_stop_leaves_nothing_even_after_kill_9(
    built: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Under a label of its own, so that nobody's running model is stopped by a test."""
    monkeypatch.setattr(engine, "LABEL", f"kit=test-{uuid.uuid4().hex}")
    monkeypatch.setattr(services, "CACHE_LABEL", f"kit.keep=test-{uuid.uuid4().hex}")
    words = runtime.run_command(
        "science-world", ["eval", "science-world", "--model", "oracle", "--runs", str(tmp_path)]
    )
    client = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    label = f"label={engine.LABEL}"
    deadline = time.monotonic() + 30
    while not engine.docker("ps", "-q", "--filter", label):
        assert time.monotonic() < deadline
        time.sleep(0.2)
    client.send_signal(signal.SIGKILL)
    client.wait()
    network, scratch, cache = (f"kit-test-{uuid.uuid4().hex}" for _ in range(3))
    engine.docker("network", "create", f"--label={engine.LABEL}", network)
    engine.docker("volume", "create", f"--label={engine.LABEL}", scratch)
    engine.docker("volume", "create", f"--label={engine.LABEL}", f"--label={services.CACHE_LABEL}", cache)
    assert services.stop() == ["1 container", "1 network", "1 volume"]
    assert services.stop() == []
    assert engine.docker("volume", "ls", "-q", "--filter", label) == cache
    assert services.stop(purge=True) == ["1 volume"]
    for listing in (("ps", "-aq"), ("network", "ls", "-q"), ("volume", "ls", "-q")):
        assert engine.docker(*listing, "--filter", label) == ""


def test_ctrl_c_in_a_container_is_a_clean_stop(built: str, tmp_path: Path) -> None:
    words = runtime.run_command(
        "science-world", ["eval", "science-world", "--model", "oracle", "--runs", str(tmp_path)]
    )
    client = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    records = tmp_path / "oracle/science-world/smoke-kit/records.jsonl"
    deadline = time.monotonic() + 120
    while not (records.exists() and records.read_text()):
        assert time.monotonic() < deadline and client.poll() is None
        time.sleep(0.2)
    client.terminate()
    _, said = client.communicate(timeout=60)
    assert client.returncode == 130 and "finished samples are kept" in said
    assert len(records.read_text().splitlines()) >= 1


@pytest.mark.parametrize("name", ["agentlm-7b.yml", "agentlm-13b.yml", "agentlm-70b.yml", "vllm.yml"])
def test_compose_reads_every_file(name: str, tmp_path: Path) -> None:
    try:
        compose = engine.compose()
    except engine.MissingDependency as error:
        pytest.skip(str(error))
    values = {**os.environ, "MODEL_ID": "x/y", "CHECKPOINT": str(tmp_path), "PORT": "30999"}
    files = ["-f", str(home() / "docker" / name), "-f", str(home() / "docker/checkpoint.yml")]
    done = subprocess.run([*compose, "-p", "x", *files, "config"], env=values, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "127.0.0.1" in done.stdout and "30999" in done.stdout  # one line or two, as the version has it
    assert str(tmp_path) in done.stdout
