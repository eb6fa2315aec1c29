"""eval-all over real child processes: a crash costs one task, a skip is never a pass, Ctrl-C and kill -9 lose nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from agenttuning.commands import evaluate_all as module
from agenttuning.commands.evaluate_all import evaluate_all, make_job, play, problem
from agenttuning.commands.evaluate_all_view import Job
from agenttuning.episodes.rooms import find_spec
from agenttuning.models.registry import find_model

PYTHON = sys.executable
CLI = [PYTHON, "-m", "agenttuning.cli"]


def job(tmp_path: Path, name: str, code: str, memory: int = 1) -> Job:
    """A job whose child runs this Python code."""
    spec = find_spec("gsm8k")
    return Job(spec, name, "native", [PYTHON, "-c", code], tmp_path / f"{name}.log", memory, total=0)


@pytest.fixture(autouse=True)
def native(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUNTIME", "native")
    monkeypatch.delenv("MIRROR", raising=False)


def test_one_task_from_start_to_report(runs: Path) -> None:
    arguments = ["--model", "oracle", "--tasks", "gsm8k", "--limit", "2", "--runs", str(runs)]
    result = CliRunner().invoke(evaluate_all, arguments)
    assert result.exit_code == 0, result.output
    assert "1 done of 1 tasks" in result.output and "100.00" in result.output
    assert (runs / "report/report.html").is_file() and (runs / "oracle/gsm8k/smoke-kit/scores.json").is_file()


def test_missing_data_is_a_skip_with_its_reason(
    runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AGENTTUNING_DATA", str(tmp_path / "empty"))
    arguments = ["--model", "oracle", "--tasks", "gsm8k", "--profile", "paper", "--runs", str(runs)]
    result = CliRunner().invoke(evaluate_all, arguments)
    assert result.exit_code != 0 and "no task can run here" in str(result.exception)
    assert "gsm8k: skipped, not fetched: gsm8k-test" in result.output
    assert "it has no split cheese" in str(problem(find_spec("gsm8k"), "cheese", "kit", "native"))


def test_a_crash_costs_one_task(tmp_path: Path) -> None:
    jobs = [
        job(tmp_path, "bad", "import os; print('on the way'); os.abort()"),
        job(tmp_path, "broken", "raise SystemExit('agenttuning: the cause; the fix')"),
        job(tmp_path, "good", "print('fine')"),
    ]
    scores = tmp_path / "run"
    scores.mkdir()
    (scores / "scores.json").write_text('{"infrastructure": {"invalid": false}}')
    jobs[2].command = [PYTHON, "-c", f"print('run: {scores}')"]
    play(jobs, 2, 1000)
    assert [j.state for j in jobs] == ["failed", "failed", "done"]
    assert "on the way" in jobs[0].note and "bad.log" in jobs[0].note
    assert jobs[1].note.startswith("the cause; the fix")


def test_a_child_without_scores_has_failed(tmp_path: Path) -> None:
    jobs = [job(tmp_path, "liar", "print('all is well')")]
    play(jobs, 1, 1000)
    assert jobs[0].state == "failed"


@pytest.mark.parametrize("at_once, memory, expected", [(3, 1000, 3), (2, 1000, 2), (3, 25, 2), (3, 1, 1)])
def test_no_more_at_once_than_cores_and_memory(
    tmp_path: Path, monkeypatch, at_once, memory, expected
) -> None:
    jobs = [job(tmp_path, f"t{i}", "import time; time.sleep(0.8)", memory=10) for i in range(3)]
    most = 0
    real = module.start

    def start(one: Job) -> None:
        nonlocal most
        real(one)
        most = max(most, sum(j.state == "running" for j in jobs))

    monkeypatch.setattr(module, "start", start)
    play(jobs, at_once, memory)
    assert most == expected and all(j.state == "failed" for j in jobs)


def test_ctrl_c_stops_every_child(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the terminal does it: SIGINT to us; the children get SIGTERM from us, and the waiting ones never start."""
    code = "import signal, sys, time; signal.signal(signal.SIGTERM, lambda *_: sys.exit(130)); print('up', flush=True); time.sleep(60)"
    jobs = [job(tmp_path, f"t{i}", code) for i in range(3)]
    real = module.look

    def look(one: Job) -> None:
        real(one)
        if all(j.log.exists() and b"up" in j.log.read_bytes() for j in jobs[:2]):
            monkeypatch.setattr(module, "look", real)  # once
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(module, "look", look)
    with pytest.raises(KeyboardInterrupt):
        play(jobs, 2, 1000)
    assert [j.state for j in jobs] == ["stopped"] * 3
    assert all(j.process is None or j.process.poll() is not None for j in jobs)


def test_kill_9_of_the_parent_ends_the_children(tmp_path: Path) -> None:
    """Otherwise a repeated command would find the run folders locked."""
    code = (
        "import sys, time; from pathlib import Path; from tests.docker.test_evaluate_all import job; "
        "from agenttuning.commands.evaluate_all import play; "
        f"play([job(Path({str(tmp_path)!r}), 'sleeper', 'import os, time; print(os.getpid(), flush=True); time.sleep(60)')], 1, 1000)"
    )
    parent = subprocess.Popen([PYTHON, "-c", code], cwd=Path(__file__).parents[2])
    log = tmp_path / "sleeper.log"
    deadline = time.monotonic() + 20
    while not (log.exists() and log.read_text().strip()) and time.monotonic() < deadline:
        time.sleep(0.05)
    child = int(log.read_text())
    parent.kill()
    parent.wait()
    while Path(f"/proc/{child}").exists() and Path(f"/proc/{child}/stat").read_text().split()[2] != "Z":
        assert time.monotonic() < deadline, "the child lives on"
        time.sleep(0.05)


def test_resumes_where_it_stopped(runs: Path) -> None:
    base = [*CLI, "eval-all", "--model", "oracle", "--tasks", "gsm8k", "--runs", str(runs)]
    for limit in ("1", "3"):
        done = subprocess.run([*base, "--limit", limit], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    records = (runs / "oracle/gsm8k/smoke-kit/records.jsonl").read_text().splitlines()
    assert len(records) == 3


def test_command_of_a_task_in_its_image(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module.runtime, "choose", lambda *_: module.runtime.Choice("docker", "test"))
    common = {"model": "oracle", "profile": "kit", "replicas": 1, "limit": 2, "workers": 3, "seed": None}
    made = make_job(find_spec("gsm8k"), None, None, tmp_path, find_model("oracle"), common)
    assert made.command[3:] == [
        "images", "run", "--runtime", "docker", "gsm8k", "eval", "gsm8k", "--split", "smoke", "--runs", str(tmp_path),
        "--model", "oracle", "--profile", "kit", "--replicas", "1", "--limit", "2", "--workers", "3",
    ]  # fmt: skip
    assert made.total == 2 and made.folder == tmp_path / "oracle/gsm8k/smoke-kit"
