"""AgentBench's command line end to end: configs, output files, resume, both clients, against a fake TGI server."""

from __future__ import annotations

import importlib.util
import json
import shutil
import sys
from pathlib import Path

import pytest
import yaml

from agenttuning.home import home
from tests.fake_tgi import FakeTgi, serve

HOUSE = home() / "AgentBench.old"
sys.path.insert(0, str(HOUSE))  # as when the script is started
_spec = importlib.util.spec_from_file_location("agentbench_evaluate", HOUSE / "evaluate.py")
assert _spec is not None and _spec.loader is not None
script = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(script)
sys.path.remove(str(HOUSE))

needs_mariadb = pytest.mark.skipif(shutil.which("mariadbd") is None, reason="no mariadbd on this machine")


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with a task config that needs no service: the maths problems written by us."""
    monkeypatch.chdir(tmp_path)
    config(tmp_path / "task.yaml", "eval_general.gsm8k.TaskGsm8k", name="Maths", split="smoke", profile="kit")
    return tmp_path


def config(path: Path, module: str, **parameters) -> Path:
    path.write_text(yaml.safe_dump({"module": module, "parameters": parameters}))
    return path


def agent(server: FakeTgi, **more) -> str:
    parameters = {"ip": "http://127.0.0.1", "address_from": server.port, "address_to": server.port + 1}
    config(
        Path("agent.yaml"),
        "src.agents.TGIAgent",
        **parameters,
        model_name="AgentLM-7b",
        max_tokens=4096,
        **more,
    )
    return "agent.yaml"


def call(*flags: str) -> int:
    return script.main(["--output_dir", "out", "--no_timestamp", *flags])


def lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_writes_upstreams_layout(place):
    with serve(lambda prompt: "The answer is 59") as server:
        assert (
            call("--task", "task.yaml", "--agent", agent(server), "--workers", "5", "--max_new_tokens", "64")
            == 0
        )
    assert json.loads((place / "out/Maths/config.json").read_text()) == {
        "agent": "agent.yaml",
        "task": "task.yaml",
    }
    told = json.loads((place / "out/configs.json").read_text())
    assert told["args"]["workers"] == 5
    assert told["tasks"][0]["config"]["parameters"]["name"] == "Maths"
    assert told["agent"]["config"]["parameters"]["model_name"] == "AgentLM-7b"
    generated, runs = lines(place / "out/Maths/generation.jsonl"), lines(place / "out/Maths/runs.jsonl")
    assert [set(g) for g in generated] == [{"index", "input", "output", "history", "exception_raised"}] * 14
    assert sorted(g["index"] for g in generated) == list(range(14))
    assert [r["index"] for r in runs] == list(range(14))
    assert {m["role"] for g in generated for m in g["history"]} == {"user", "agent"}
    assert generated[0]["history"][-1] == {"role": "agent", "content": "The answer is 59"}
    by_index = {r["index"]: r["input"]["question"] for r in runs}
    assert all(by_index[g["index"]] == g["input"]["question"] for g in generated)
    assert runs[0]["target"] == "59"
    assert json.loads((place / "out/Maths/results.json").read_text())["accuracy_strict"] == pytest.approx(
        100 / 14
    )
    sent = server.requests[0]["parameters"]
    assert (sent["max_new_tokens"], sent["truncate"]) == (64, 4032)


def test_a_second_call_into_the_same_folder_goes_on(place, capsys):
    """Upstream dies with FileExistsError, and without it would start anew."""
    with serve(lambda prompt: "7") as server:
        flags = ["--task", "task.yaml", "--agent", agent(server)]
        assert call(*flags, "--limit", "5") == 0
        assert len(server.requests) == 5 and len(lines(place / "out/Maths/runs.jsonl")) == 5
        assert call(*flags) == 0
        assert len(server.requests) == 14
        assert call(*flags) == 0
        assert len(server.requests) == 14
    assert len(lines(place / "out/Maths/generation.jsonl")) == 14
    assert "--no_timestamp" in capsys.readouterr().out


def test_other_token_numbers_are_another_run(place):
    with serve(lambda prompt: "7") as server:
        flags = ["--task", "task.yaml", "--agent", agent(server)]
        call(*flags, "--limit", "3")
        call(*flags, "--limit", "3", "--max_new_tokens", "9")
        assert len(server.requests) == 6
    assert len(list((place / "out/runs/agentlm-7b/gsm8k").glob("smoke-kit.previous-*"))) == 1


def test_failed_calls_are_infrastructure_failures_by_default(place, capsys):
    with serve(lambda prompt: (422, '{"error": "no"}') if "umbrellas" in prompt[-200:] else "0") as server:
        assert call("--task", "task.yaml", "--agent", agent(server)) == 1
    broken = [g for g in lines(place / "out/Maths/generation.jsonl") if g["exception_raised"]]
    assert len(broken) == 1 and broken[0]["output"] is None
    assert json.loads((place / "out/Maths/results.json").read_text())["accuracy_strict"] == 0.0
    assert "infrastructure" in capsys.readouterr().out


def test_with_upstream_errors_they_are_empty_answers(place):
    def answer(prompt: str):
        return (
            (503, '{"error": "Model is overloaded", "error_type": "overloaded"}')
            if "umbrellas" in prompt[-200:]
            else "0"
        )

    with serve(answer) as server:
        assert call("--task", "task.yaml", "--agent", agent(server), "--upstream-errors") == 0
        assert len(server.requests) == 14
    empty = [g for g in lines(place / "out/Maths/generation.jsonl") if g["history"][-1]["content"] == ""]
    assert len(empty) == 1 and "umbrellas" in empty[0]["input"]["question"]
    assert server.requests[0]["parameters"] == {
        "max_new_tokens": 512,
        "do_sample": False,
        "temperature": 0.7,
        "truncate": 3584,
    }
    assert set(server.content_types) == {"application/json"}


def test_a_run_with_upstream_errors_is_not_mixed_with_another(place):
    with serve(lambda prompt: "7") as server:
        flags = ["--task", "task.yaml", "--agent", agent(server), "--limit", "2", "--sampling", "upstream"]
        call(*flags)
        call(*flags, "--upstream-errors")
        assert len(server.requests) == 4


def test_dead_server_is_one_sentence_and_keeps_what_is_finished(place, capsys):
    with serve(lambda prompt: "7") as server:
        flags = ["--task", "task.yaml", "--agent", agent(server)]
        call(*flags, "--limit", "4")
    assert call(*flags) == 2
    told = capsys.readouterr().err
    assert str(server.port) in told and "Traceback" not in told
    assert len(lines(place / "out/Maths/generation.jsonl")) == 4


def test_folder_of_configs_and_skipped_files(place, capsys):
    (place / "tasks/deep").mkdir(parents=True)
    shutil.copy("task.yaml", "tasks/deep/one.yaml")
    (place / "notes.txt").write_text("")
    with serve(lambda prompt: "7") as server:
        assert call("--task", "tasks", "notes.txt", "--agent", agent(server), "--limit", "1") == 0
    assert "notes.txt is no YAML file" in capsys.readouterr().out
    assert (place / "out/Maths/results.json").is_file()


def test_timestamped_folder_by_default(place):
    with serve(lambda prompt: "7") as server:
        assert script.main(["--task", "task.yaml", "--agent", agent(server), "--limit", "1"]) == 0
    (folder,) = (place / "outputs").iterdir()
    assert (folder / "Maths/results.json").is_file()


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (["--task", "absent.yaml"], "there is no absent.yaml"),
        (["--task", "task.yaml", "--workers", "0"], "--workers must be at least 1"),
        (["--task", "task.yaml", "--max_new_tokens", "4096"], "leaves nothing"),
        (["--task", "task.yaml", "twin.yaml"], "the same folder"),
        (["--task", "task.yaml", "--upstream-errors", "--system", "Hi"], "has no --system"),
        (["--task", "task.yaml", "--upstream-errors", "--sampling", "greedy"], "has no --sampling"),
    ],
)
def test_bad_command_lines_are_one_sentence(place, capsys, flags, told):
    shutil.copy("task.yaml", "twin.yaml")
    config(Path("agent.yaml"), "src.agents.TGIAgent", address_from=1, address_to=2, model_name="AgentLM-7b")
    assert call(*flags, "--agent", "agent.yaml") == 2
    assert told in capsys.readouterr().err
    assert not Path("out").exists()


def test_do_nothing_agent_needs_no_server(place):
    assert call("--task", "task.yaml", "--agent", "configs/agents/do_nothing.yaml") == 0
    assert lines(place / "out/Maths/generation.jsonl")[0]["history"][-1] == {
        "role": "agent",
        "content": "AAAAA",
    }


@needs_mariadb
def test_database_smoke_on_the_real_server(place):
    pytest.importorskip("pymysql")

    def answer(prompt: str) -> str:
        return 'Nothing to do.\nAction: Answer\nFinal Answer: ["x"]'

    with serve(answer) as server:
        task = "configs/tasks/dbbench/smoke.yaml"
        assert call("--task", task, "--agent", agent(server), "--workers", "5") == 0
    results = json.loads((place / "out/DBBench-smoke/results.json").read_text())
    assert results["overall_cat_accuracy"] == 0.0
    assert results["average_round"] == [4.0, 16]
    sent = server.requests[0]["parameters"]
    assert (sent["max_new_tokens"], sent["truncate"]) == (128, 3968)
    assert "<<SYS>>" not in server.requests[0]["inputs"]
