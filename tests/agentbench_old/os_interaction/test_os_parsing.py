"""Grammars, terminal output, scripts and data shapes: nothing here needs Docker."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agenttuning.episodes.rooms import load_task
from agenttuning.errors import KitError, MissingData

from .conftest import room

parsing, shell, scripts, data = room("parsing"), room("shell"), room("scripts"), room("data")

PIECES = st.sampled_from(
    ["Act:", "Think:", "bash", "answer(", ")", "finish", "\n", "\r\n", "```bash\n", "```sh\n", "\n```", "```", "(", " ", "\x00", "\ud800", "Ä", "\x1b[31m", "x"]
)  # fmt: skip
REPLIES = st.lists(st.one_of(PIECES, st.text(max_size=8)), max_size=40).map("".join)


def check_reply(text: str) -> None:
    for parse in parsing.GRAMMARS.values():
        action = parse(text)
        assert action.kind in (parsing.BASH, parsing.COMMIT, None)
        assert action.kind != parsing.BASH or isinstance(action.content, str)
        assert action.kind is not None or action.content is None
    assert len(parsing.shortened(text, "+")) <= parsing.SHOWN


@given(REPLIES)
@settings(max_examples=500, deadline=None)
def test_any_reply_is_parsed(text: str):
    check_reply(text)


@pytest.mark.slow
@given(REPLIES)
@settings(max_examples=10_000, deadline=None)
def test_any_reply_is_parsed_10000(text: str):
    check_reply(text)


@given(st.binary(max_size=300))
@settings(max_examples=500, deadline=None)
def test_any_terminal_output_is_text(output: bytes):
    assert "\x07" not in shell.cleaned(output) and not shell.cleaned(output).endswith("\n")


@pytest.mark.slow
@given(st.binary(max_size=600))
@settings(max_examples=10_000, deadline=None)
def test_any_terminal_output_is_text_10000(output: bytes):
    assert "\x07" not in shell.cleaned(output) and not shell.cleaned(output).endswith("\n")


@pytest.mark.parametrize(
    ("reply", "kind", "content"),
    [
        ("Think: a\r\nAct: bash\r\n```bash\r\nls\r\n```", "bash", "ls"),
        ("Act: bash\n```sh\nls -l\n```", "bash", "ls -l"),
        ("Act: bash\n```bash\nls", None, None),
        ("Act: bash\nls", None, None),
        ("Act: answer(two\nlines)", "commit", "two\nlines"),
        ("Act: answer 5", None, None),
        ("Act: answered (5)", None, None),
        ("I will Act: finish", None, None),
        ("Act: answer(1)\nAct: finish", "commit", None),
        ("act: FINISH", "commit", None),
    ],
)
def test_own_grammar(reply: str, kind: str | None, content: str | None):
    action = parsing.own_action(reply)
    assert (action.kind, action.content) == (kind, content)


def test_output_loses_its_escapes():
    raw = b"\x1b[?2004l\r\x1b]0;root@a: /\x07\x1b[01;34mbin\x1b[0m\r\nlib\r\n\x1b[?2004h"
    assert shell.cleaned(raw) == "\rbin\nlib"


def test_output_as_on_a_terminal():
    answer = shell.Answer("a\nb", 0, "/root/x", "done")
    assert shell.as_on_a_terminal(answer, "0123") == (
        "\x1b[?2004l\ra\r\nb\r\n\x1b[?2004h\x1b]0;root@0123: ~/x\x07root@0123:~/x# "
    )


def exit_of(path: str, *arguments: str, strict: bool = False) -> int:
    code = scripts.text_of(path, upstream=False, strict=strict)
    return subprocess.run(
        [sys.executable, "-I", "-c", code, *arguments], capture_output=True, check=False
    ).returncode


@pytest.mark.parametrize(
    ("said", "right", "paper", "strict"),
    [
        ("4K", "4096", True, True),
        ("4KB", "4K", False, True),
        ("8.0K", "8.0K", False, True),
        ("8k", "8K", False, True),
        ("1.5 MiB", "1536K", False, True),
        ("5", "6", False, False),
        ("None", "8K", False, False),
        ("", "", False, False),
        ("-1", "-1", True, False),
    ],
)
def test_sizes_by_upstreams_rule_and_by_sense(said: str, right: str, paper: bool, strict: bool):
    assert (exit_of("check/size-match.py", said, right) == 0) is paper
    assert (exit_of("check/size-match.py", said, right, strict=True) == 0) is strict


@pytest.mark.parametrize(
    "path", ["../secret", "/etc/passwd", "check/../../x.py", "check/none.py", "init/other.sh"]
)
def test_a_script_outside_the_known_ones_is_refused(path: str):
    with pytest.raises(KitError, match="does not exist"):
        scripts.text_of(path, upstream=False)


def test_create_that_is_a_list_has_no_init():
    record = {"description": "d", "create": [None, {"file": "x"}], "evaluation": {"match": "1"}}
    assert data.sample_of("std", "5-new", 0, record).data["init"] == []


@pytest.mark.parametrize(
    "record",
    [
        {"description": "d"},
        {"description": "d", "evaluation": {}},
        {"description": "d", "evaluation": {"check": [None]}},
        {"description": "d", "evaluation": {"match": {"regex": "x"}}},
        {"description": "d", "evaluation": {"check": {"language": "c++", "code": ""}}},
    ],
)
def test_a_record_that_cannot_be_judged_is_refused(record: dict):
    with pytest.raises((KeyError, TypeError, AttributeError)):
        data.sample_of("std", "x", 0, record)


def test_smoke_has_as_many_samples_as_declared():
    task = load_task("os_interaction")
    assert len(task.samples("smoke")) == task.spec.splits["smoke"]["samples"]


def test_smoke_prompts_have_the_shape_of_upstreams():
    task = load_task("os_interaction")
    turns = task.opening(task.samples("smoke")[0])
    assert [t["role"] for t in turns] == ["user", "assistant"] * 2 + ["user"]
    assert "{rounds}" not in turns[0]["content"]


@pytest.mark.mirror
def test_std_and_dev_load(mirror):
    task = load_task("os_interaction", options={"scripts": "own"})
    std, dev = task.samples("std"), task.samples("dev")
    assert (len(std), sum(s.data["match"] is not None for s in std)) == (144, 9)
    assert (len(dev), sum(s.data["match"] is not None for s in dev)) == (26, 5)
    assert len({s.id for s in std + dev}) == 170
    assert json.dumps([s.data for s in std])


@pytest.mark.mirror
def test_seven_turns_before_the_first_reply(mirror):
    task = load_task("os_interaction", "paper", {"scripts": "own"})
    turns = task.opening(task.samples("dev")[0])
    assert len(turns) == 7 and turns[-1]["content"].startswith("Now, I will start a new problem in a new OS.")
    assert turns[0]["content"].endswith('"/etc"?')


def test_paper_refuses_without_prompts_and_data(monkeypatch, tmp_path):
    monkeypatch.delenv("MIRROR", raising=False)
    monkeypatch.setenv("AGENTTUNING_DATA", str(tmp_path))
    task = load_task("os_interaction", "paper")
    with pytest.raises(MissingData, match="make data"):
        task.samples("std")
    monkeypatch.setattr("agenttuning.containers.engine.client", lambda: "docker")
    with pytest.raises(MissingData, match="make data"):
        task.check()


def test_paper_refuses_upstream_problems_without_upstream_scripts(mirror, monkeypatch, tmp_path):
    monkeypatch.setenv("AGENTTUNING_DATA", str(tmp_path))
    from agenttuning import sources

    if sources.available("os_interaction-script-integer-match"):
        pytest.skip("this mirror has the scripts, too")
    with pytest.raises(MissingData, match="make data"):
        load_task("os_interaction", "paper").samples("std")


def test_no_engine_is_one_sentence(monkeypatch, tmp_path):
    engine = room("sandbox").engine
    engine.client.cache_clear()
    monkeypatch.setenv("DOCKER", str(tmp_path / "no-docker"))
    try:
        with pytest.raises(KitError) as error:
            load_task("os_interaction").check()
    finally:
        monkeypatch.undo()
        engine.client.cache_clear()
    assert "Docker engine" in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize(
    "options", [{"pool": -1}, {"pids": "many"}, {"scripts": "mine"}, {"observation": "raw"}]
)
def test_wrong_options_are_refused(options: dict):
    with pytest.raises(KitError, match="must be"):
        load_task("os_interaction", options=options)
