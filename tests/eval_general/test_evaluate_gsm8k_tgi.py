"""The script with upstream's flags, against a fake TGI server."""

from __future__ import annotations

import importlib.util
import json
import re
import socket
from pathlib import Path

import pytest

from agenttuning.errors import KitError
from agenttuning.home import home
from tests.fake_tgi import serve

_spec = importlib.util.spec_from_file_location(
    "evaluate_gsm8k_tgi", home() / "eval_general/evaluate_gsm8k_tgi.py"
)
assert _spec is not None and _spec.loader is not None
script = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(script)

PROBLEMS = [
    {"question": "What is one plus one?", "answer": "1+1=2\n#### 2"},
    {"question": "What is 500 plus 580?", "answer": "#### 1,080"},
    {"question": "What is two minus five?", "answer": "#### -3"},
]
SAID = {
    "one plus one": "The answer is 2",
    "500 plus 580": "The answer is 1,080",
    "two minus five": "The answer is 4",
}


def answer(prompt: str) -> str:
    question = re.split(r"Question: ", prompt)[-1]
    return next(said for words, said in SAID.items() if words in question)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own.jsonl").write_text("".join(json.dumps(p) + "\n" for p in PROBLEMS))
    return tmp_path


def call(server, *more: str) -> int:
    return script.main(
        [
            "--port",
            str(server.port),
            "--model-id",
            "agentlm-7b",
            "-f",
            "own.jsonl",
            "-o",
            "out.jsonl",
            "--runs",
            "runs",
            *more,
        ]
    )


def lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_writes_upstreams_files_and_a_run_folder(place, capsys):
    with serve(answer) as server:
        assert call(server, "--profile", "kit") == 0
    written = lines(place / "out.jsonl")
    assert [set(line) for line in written] == [{"question", "answer", "completion", "acc"}] * 3
    assert [line["acc"] for line in written] == [True, True, False]
    assert [line["question"] for line in written] == [p["question"] for p in PROBLEMS]
    (summary,) = place.glob("gsm8k_eval_result_*.json")
    content = json.loads(summary.read_text())
    assert content["acc"] == pytest.approx(2 / 3)
    assert content["args"]["sample_input_file"] == "own.jsonl"
    assert (place / "runs/agentlm-7b/gsm8k/file-kit/scores.json").is_file()
    assert server.requests[0]["parameters"]["stop"] == ["Question:"]
    assert "accuracy_upstream 33.33" in capsys.readouterr().out


@pytest.mark.mirror
def test_paper_profile_sends_upstreams_prompt_and_parameters(place, mirror):
    with serve(answer) as server:
        assert call(server) == 0
    assert [line["acc"] for line in lines(place / "out.jsonl")] == [True, False, False]
    sent = server.requests[0]
    assert sent["inputs"].startswith("[INST] <<SYS>>\n") and sent["inputs"].endswith(" [/INST]")
    assert "[INST] \nQuestion: " in sent["inputs"]
    wanted = {"max_new_tokens": 512, "do_sample": False}
    assert wanted.items() <= sent["parameters"].items()
    assert not {"temperature", "stop", "truncate"} & set(sent["parameters"])


def test_a_second_call_asks_only_what_is_missing(place, capsys):
    """Upstream loses the whole run to one reply that is no answer."""

    def mostly(prompt: str):
        return (
            (422, '{"error": "no", "error_type": "validation"}')
            if "minus five" in prompt[-80:]
            else answer(prompt)
        )

    with serve(mostly) as server:
        assert call(server, "--profile", "kit") == 1
        assert len(lines(place / "out.jsonl")) == 2
        assert "run the same command" in capsys.readouterr().out
        server.answer = answer
        server.requests.clear()
        assert call(server, "--profile", "kit") == 0
        assert len(server.requests) == 1
        assert len(lines(place / "out.jsonl")) == 3
        assert call(server, "--profile", "kit") == 0
        assert len(server.requests) == 1


def test_a_dead_server_is_named(place, capsys):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    assert (
        script.main(
            [
                "--port",
                str(port),
                "--model-id",
                "agentlm-7b",
                "--split",
                "smoke",
                "--profile",
                "kit",
                "--runs",
                "runs",
            ]
        )
        == 2
    )
    told = capsys.readouterr().err
    assert str(port) in told and "Traceback" not in told


def chosen(*flags: str):
    return script.choose_model(script.parser().parse_args(list(flags)))


def test_port_is_honoured_and_names_the_model():
    assert chosen("--port", "30070").name == "agentlm-70b"
    assert chosen("--port", "30070", "--min", "23330", "--max", "23337").urls == ("http://127.0.0.1:30070",)
    assert chosen().name == "agentlm-70b"
    assert chosen("--min", "4000", "--max", "4002", "--model-id", "agentlm-7b", "-i", "10.0.0.1").urls == (
        "http://10.0.0.1:4000",
        "http://10.0.0.1:4001",
        "http://10.0.0.1:4002",
    )
    with pytest.raises(KitError, match="--model-id"):
        chosen("--port", "4000")
    with pytest.raises(KitError, match="below"):
        chosen("--min", "5", "--max", "4")


def test_an_absent_input_file_is_named(place, capsys):
    assert script.main(["--port", "30070", "-f", "absent.jsonl"]) == 2
    assert "absent.jsonl" in capsys.readouterr().err
