"""The runner: resume, isolation, failures, identity, signals; on a toy room in a checkout of its own."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from agenttuning.episodes import rooms, runner
from agenttuning.episodes.records import read_records
from agenttuning.errors import KitError
from agenttuning.home import home
from agenttuning.models.http import RetryPolicy
from agenttuning.models.registry import Model, find_model, replay_of
from tests.episodes.toy import make_room
from tests.fake_server import fake_server

FAST = RetryPolicy(attempts=2, first_wait=0.001, longest_wait=0.01, timeout=1.0, connect_timeout=1.0)


@pytest.fixture(params=["threads", "processes"])
def isolation(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def checkout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Iterator[Path]:
    """A checkout with the toy room; the real one is back afterwards."""
    kind = request.getfixturevalue("isolation") if "isolation" in request.fixturenames else "threads"
    make_room(tmp_path, kind)
    monkeypatch.setenv("AGENTTUNING_HOME", str(tmp_path))
    _forget()
    yield tmp_path
    monkeypatch.delenv("AGENTTUNING_HOME")
    _forget()


def _forget() -> None:
    home.cache_clear()
    rooms.all_specs.cache_clear()
    for name in [m for m in sys.modules if m.startswith("rooms.toy")]:
        del sys.modules[name]


def play(checkout: Path, model: Model | None = None, crash: str = "", **settings: object) -> runner.RunResult:
    options = {"crash": crash, "marks": str(checkout / "marks")}
    return runner.run(
        "toy",
        "smoke",
        model or find_model("oracle"),
        options=options,
        runs=checkout / "runs",
        show_progress=False,
        **settings,
    )


def test_oracle_and_nop(checkout: Path, isolation: str):
    assert play(checkout).scores["value"] == 100.0
    result = play(checkout, find_model("nop"))
    assert result.scores["value"] == 0.0 and result.scores["n"] == 12 and result.scores["complete"]


def test_second_call_plays_nothing_and_changes_nothing(checkout: Path):
    first = play(checkout)
    before = (first.folder / "records.jsonl").read_bytes(), (first.folder / "scores.json").read_bytes()
    second = play(checkout)
    assert first.played == 12 and second.played == 0
    assert before == (
        (second.folder / "records.jsonl").read_bytes(),
        (second.folder / "scores.json").read_bytes(),
    )


def test_limit_then_all_goes_on(checkout: Path):
    part = play(checkout, limit=5)
    assert part.scores["n"] == 5 and not part.scores["complete"]
    assert play(checkout).played == 7


def test_time_bound_begins_nothing_more_and_the_next_call_goes_on(checkout: Path, isolation: str):
    assert play(checkout, seconds=0.0).scores["n"] == 0
    assert play(checkout, seconds=60.0).scores["n"] == 12


def test_number_of_workers_changes_nothing_in_the_scores(checkout: Path, isolation: str):
    one = play(checkout, workers=1).folder / "scores.json"
    text = one.read_bytes()
    again = play(checkout, workers=4, fresh=True)
    assert again.played == 12 and (again.folder / "scores.json").read_bytes() == text


def test_environment_crash_is_retried_and_not_scored(checkout: Path, isolation: str):
    result = play(checkout, crash="once")
    assert result.scores["value"] == 100.0 and result.scores["infrastructure"]["count"] == 0
    assert sorted(r["sample"] for r in result.records if r["attempts"] > 1) == ["s0", "s4", "s8"]


def test_defect_becomes_env_error_counted_shown_and_retried_on_resume(checkout: Path, isolation: str):
    broken = play(checkout, crash="always")
    assert broken.scores["infrastructure"] == {"count": 1, "share": 1 / 12, "invalid": True}
    assert broken.scores["n"] == 11 and broken.scores["metrics"]["accuracy"]["n"] == 11
    record = next(r for r in broken.records if r["sample"] == "s3")
    assert record["status"] == "env_error" and record["reward"] is None and "a bug" in record["error"]
    assert play(checkout, crash="always").played == 1


def test_context_limit_is_the_models_own_failure(checkout: Path):
    record = next(r for r in play(checkout, crash="context").records if r["sample"] == "s5")
    assert record["status"] == "context_limit" and record["reward"] == 0.0


def test_killed_worker_process_loses_no_sample(checkout: Path):
    (checkout / "eval_general/toy/task.toml").write_text(
        (checkout / "eval_general/toy/task.toml")
        .read_text()
        .replace('isolation = "threads"', 'isolation = "processes"')
    )
    _forget()
    result = play(checkout, crash="kill", workers=2)
    assert result.scores["value"] == 100.0 and len({r["metrics"]["pid"] for r in result.records}) >= 2
    samples = [r["sample"] for r in read_records(result.folder / "records.jsonl")]
    assert len(samples) == len(set(samples)) == 12


def test_other_identity_is_kept_aside_and_never_mixed(checkout: Path, capsys: pytest.CaptureFixture[str]):
    first = play(checkout)
    toml = checkout / "eval_general/toy/task.toml"
    toml.write_text(toml.read_text().replace("version = 1", "version = 2"))
    _forget()
    second = play(checkout)
    assert second.played == 12 and second.folder == first.folder
    assert "kept as smoke-kit.previous-1" in capsys.readouterr().out
    assert len(read_records(first.folder.with_name("smoke-kit.previous-1") / "records.jsonl")) == 12


def test_sampling_and_seed_have_folders_of_their_own(checkout: Path):
    names = {
        play(checkout, **kw).folder.name
        for kw in ({}, {"sampling": "upstream"}, {"seed": 3}, {"profile": "paper"})
    }
    assert names == {"smoke-kit", "smoke-kit-upstream", "smoke-kit-seed3", "smoke-paper"}


def test_real_calls_carry_generation_seed_and_sampling(checkout: Path):
    with fake_server((200, {"generated_text": "7"})) as fake:
        model = Model("fake", "tgi", (fake.url,), "llama-2", policy=FAST)
        result = play(checkout, model, sampling="upstream", seed=2)
    sent = sorted(r["body"]["parameters"]["seed"] for r in fake.requests)
    assert sent == [20_000_000 + 1_000 * i for i in range(12)]
    assert fake.requests[0]["body"]["parameters"]["temperature"] == 0.7
    assert [r["sample"] for r in result.records if r["reward"] == 1.0] == ["s7"]
    run = json.loads((result.folder / "run.json").read_text())
    assert run["identity"]["sampling"] == "upstream" and run["identity"]["model_id"] == "fake"
    assert run["provenance"]["urls"] == [fake.url]


def test_refused_requests_are_model_errors_not_wrong_answers(checkout: Path):
    with fake_server(
        (422, {"error": "Input validation error: `stop` supports up to 4 stop sequences"})
    ) as fake:
        with pytest.raises(KitError, match="stopped answering"):
            play(
                checkout,
                Model("fake", "tgi", (fake.url,), "llama-2", policy=FAST, start="make serve-cpu"),
                workers=1,
            )


def test_dead_server_ends_the_run_and_keeps_what_was_finished(checkout: Path):
    with fake_server((200, {"generated_text": "1"}), (200, {"generated_text": "1"}), "reset") as fake:
        model = Model("fake", "tgi", (fake.url,), "llama-2", policy=FAST, start="make serve-cpu")
        with pytest.raises(KitError, match="make serve-cpu"):
            play(checkout, model, workers=1)
    records = read_records(checkout / "runs" / "fake" / "toy" / "smoke-kit" / "records.jsonl")
    assert [r["reward"] for r in records if r["reward"] is not None] == [0.0, 1.0]


def test_replay_gives_the_same_scores(checkout: Path):
    with fake_server((200, {"generated_text": "7"})) as fake:
        first = play(checkout, Model("fake", "tgi", (fake.url,), "llama-2", policy=FAST))
    again = play(checkout, replay_of(first.folder))
    assert [r["reward"] for r in again.records] == [r["reward"] for r in first.records]


def test_rescore_needs_records_only(checkout: Path):
    result = play(checkout)
    text = (result.folder / "scores.json").read_bytes()
    (result.folder / "scores.json").unlink()
    runner.rescore(result.folder)
    assert (result.folder / "scores.json").read_bytes() == text


def test_two_processes_never_share_a_run_folder(checkout: Path):
    folder = play(checkout).folder
    with runner._locked(folder), pytest.raises(KitError, match="another process"):
        play(checkout)


def test_bad_arguments_are_named(checkout: Path):
    with pytest.raises(KitError, match="no split 'huge'"):
        runner.run("toy", "huge", find_model("oracle"))
    with pytest.raises(KitError, match="no profile"):
        play(checkout, profile="strict")
    with pytest.raises(KitError, match="no sampling"):
        play(checkout, sampling="hot")
    with pytest.raises(KitError, match="no option"):
        runner.run("toy", "smoke", find_model("oracle"), options={"speed": 9})


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
def test_signal_stops_cleanly_and_the_next_call_resumes(checkout: Path, isolation: str, sign: signal.Signals):
    with fake_server("hang", hang_seconds=1.0) as fake:
        command = [
            sys.executable,
            "-m",
            "agenttuning.cli",
            "eval",
            "toy",
            "--port",
            str(fake.port),
            "--runs",
            str(checkout / "runs"),
        ]
        child = subprocess.Popen(
            command,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
            stderr=subprocess.PIPE,
            text=True,
        )
        deadline = time.monotonic() + 20
        while not fake.requests and time.monotonic() < deadline:
            time.sleep(0.02)
        child.send_signal(sign)
        _, said = child.communicate(timeout=30)
    assert child.returncode == 130 and "repeat the command" in said and "Traceback" not in said
    assert read_records(checkout / "runs/smollm2-135m/toy/smoke-kit/records.jsonl") == []
    with fake_server((200, {"generated_text": "7"})) as fake:
        assert (
            subprocess.run(
                [*command[:-4], "--port", str(fake.port), *command[-2:]],
                env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
            ).returncode
            == 0
        )
