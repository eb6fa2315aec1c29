"""Extraction reads syntax trees: it finds literals, refuses the rest, and executes nothing."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from agenttuning import sources
from agenttuning.commands.data import data
from agenttuning.errors import KitError
from agenttuning.sources import promptsets
from agenttuning.sources.catalogue import Rule
from agenttuning.sources.extract import extract

from .conftest import SOURCE, prompts_entry, write_catalogue

MODULE = b'''
import os

HEAD = """
two lines
of text
""".strip()
Q1 = "q one"
A1 = "a " "one"
pairs = [(Q1, A1), ("q two", "a two")]
both = 1
both = 2
table = {"x": [1, 2.5, None, True], "y": HEAD + "!"}
rules = {1: "R %s" % HEAD, 2: "%s knows %s: 100%%" % (Q1, {"k": Q1})}
padded = "%9d" % 5
short = "%s %s" % (Q1,)


class Agent:
    def play(self, chat, doc, n):
        chat.add("user", "Hello. ")
        chat.add("agent", "Ok.")
        chat.add("user", f"\\nQ: {doc['text']} ({n})")
        chat.inject({"role": "agent", "content": Q1})
        chat.append((doc, "Fine."))
        prompt = "Begin. " + clean(doc) + "\\n"
        prompt += f"[{n}]"
        wait = f"{n:.2f}"
        os.system(HEAD)
        return "done"

    def stop(self):
        return "stopped"


def helper(name="kw"):
    make(name="b", text="B")
    make(name="a", text="A")
    loop = loop
'''


def find(**rule: Any) -> Any:
    return extract(Rule(file="m.py", **rule), MODULE, "m.py")


def test_literals_are_found() -> None:
    assert find(assign="HEAD") == "two lines\nof text"
    assert find(assign="table") == {"x": [1, 2.5, None, True], "y": "two lines\nof text!"}
    assert find(assign="both", nth=1) == 2
    assert find(call="make", argument="text", nth=1) == "A"
    assert find(call="chat.add", argument=1, nth=(0, 1), roles=("user", "assistant")) == [
        {"role": "user", "content": "Hello. "},
        {"role": "assistant", "content": "Ok."},
    ]
    assert [turn["content"] for turn in find(assign="pairs", roles=("u", "a"))] == [
        "q one",
        "a one",
        "q two",
        "a two",
    ]
    assert find(call="chat.inject") == {"role": "agent", "content": "q one"}
    assert find(call="chat.inject", item="content") == "q one"
    assert find(returns=True, within="Agent.stop") == "stopped"
    assert find(assign="prompt", nth=0, take="left.left") == "Begin. "
    assert find(assign="prompt", nth=1) == "[{n}]"
    assert find(assign="rules", take="2") == "q one knows {'k': 'q one'}: 100%"
    assert find(call="chat.append", take="1") == "Fine."
    assert (
        find(call="chat.add", argument=1, nth=2, fields={"doc['text']": "question"})
        == "\nQ: {question} ({n})"
    )


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ({"assign": "absent"}, "0 matches"),
        ({"assign": "both"}, "2 matches"),
        ({"assign": "both", "nth": 2}, "number 2"),
        ({"returns": True}, "2 matches"),
        ({"assign": "prompt", "nth": 0}, "not made of literals"),
        ({"assign": "prompt", "nth": 0, "take": "left.left.left"}, "has no left side"),
        ({"assign": "wait"}, "has no name"),
        ({"assign": "rules"}, "keys are not all strings"),
        ({"assign": "rules", "take": "3"}, "has no item 3"),
        ({"call": "chat.append"}, "not made of literals"),
        ({"call": "chat.append", "take": "2"}, "has no item 2"),
        ({"assign": "padded"}, "not made of literals"),
        ({"assign": "short"}, "not made of literals"),
        ({"assign": "loop"}, "not made of literals"),
        ({"call": "os.system", "within": "Agent.pause"}, "no function or class Agent.pause"),
        ({"call": "chat.add", "argument": 1, "nth": 2}, "has no name in `fields`"),
        ({"call": "chat.inject", "item": "text"}, "no dict with the key"),
    ],
    ids=str,
)
def test_anything_else_is_refused(rule: dict[str, Any], message: str) -> None:
    with pytest.raises(KitError, match=message):
        find(**rule)


def test_json_files() -> None:
    rule = Rule(file="p.json", json=True, roles=("user", "assistant"))
    found = extract(rule, b'{"0": ["a", "b"]}', "p.json")
    assert found == {"0": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}
    with pytest.raises(KitError, match="not valid JSON"):
        extract(rule, b"{", "p.json")


def test_hostile_python_is_not_executed(tmp_path: Path) -> None:
    witness = tmp_path / "executed"
    write = f"open({str(witness)!r}, 'w').close()"
    hostile = f"""
import os
{write}
SAFE = "text"
CALL = {write}
PLUS = "a" + str({write})
FIELD = f"{{{write}}}"
STRIP = ({write} or "x").strip()
PERCENT = "%s" % {write}
LAMBDA = (lambda: {write})()
COMPREHENSION = [x for x in [{write}]]
@{write}
class C(metaclass={write}):
    X: {write} = "inside"
def f(x={write}):
    return __import__("os").system("touch {witness}")
""".encode()
    assert extract(Rule(file="h.py", assign="SAFE"), hostile, "h.py") == "text"
    assert extract(Rule(file="h.py", assign="X", within="C"), hostile, "h.py") == "inside"
    for name in ("CALL", "PLUS", "FIELD", "STRIP", "PERCENT", "LAMBDA", "COMPREHENSION"):
        with pytest.raises(KitError, match="h.py, line"):
            extract(Rule(file="h.py", assign=name), hostile, "h.py")
    with pytest.raises(KitError):
        extract(Rule(file="h.py", within="f", returns=True), hostile, "h.py")
    assert not witness.exists()


@pytest.mark.parametrize(
    "source",
    [
        b"def broken(",
        b"\x00",
        b"\xff\xfe",
        b"X = " + b"(" * 500 + b")" * 500,
        b"A = A\nX = A",
        b"X = Y\nY = X",
    ],
    ids=["syntax", "nul", "encoding", "parentheses", "self", "circle"],
)
def test_malformed_python_is_one_error(source: bytes) -> None:
    with pytest.raises(KitError):
        extract(Rule(file="x.py", assign="X"), source, "x.py")


def test_deep_expression_is_one_error() -> None:
    source = b"X = " + b"+".join([b"'a'"] * 3000)
    with pytest.raises(KitError):
        extract(Rule(file="x.py", assign="X"), source, "x.py")


VALUES = {"prompt": "Solve it.", "question": "Question: {text}"}


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false"]
    done = subprocess.run(
        ["git", "-C", str(folder), *identity, *arguments], check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


@pytest.fixture
def upstream(tmp_path: Path, checkout: Path) -> Path:
    """A git repository whose first commit is pinned and whose work tree has moved on."""
    if shutil.which("git") is None:
        pytest.skip("git is not installed")
    folder = tmp_path / "upstream"
    (folder / "src").mkdir(parents=True)
    (folder / "src/prompts.py").write_bytes(SOURCE)
    git(folder, "init", "--quiet")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "-m", "first")
    commit = git(folder, "rev-parse", "HEAD")
    (folder / "src/prompts.py").write_bytes(b"PROMPT = 'changed later'\n")
    git(folder, "commit", "--quiet", "-a", "-m", "second")
    entry = prompts_entry("https://example.org/p.py", promptsets.digest(VALUES))
    write_catalogue(checkout, entry.replace("a" * 40, commit))
    return folder


def test_checkout_reads_the_pinned_commit(upstream: Path, checkout: Path) -> None:
    for place in (str(upstream), str(upstream / ".git"), f"file://{upstream}"):
        shutil.rmtree(checkout / "data/prompts", ignore_errors=True)
        result = CliRunner().invoke(data, ["prompts", "--checkout", place])
        assert result.exit_code == 0, (place, result.exception)
        assert sources.prompts("toy") == VALUES


def test_plain_folder_is_verified(upstream: Path, checkout: Path) -> None:
    shutil.rmtree(upstream / ".git")
    result = CliRunner().invoke(data, ["prompts", "--checkout", str(upstream)])
    assert isinstance(result.exception, KitError) and "check out commit" in str(result.exception)
    (upstream / "src/prompts.py").write_bytes(SOURCE)
    assert CliRunner().invoke(data, ["prompts", "--checkout", str(upstream)]).exit_code == 0
    assert sources.prompts("toy") == VALUES
    (upstream / "src/prompts.py").unlink()
    result = CliRunner().invoke(data, ["prompts", "--checkout", str(upstream)])
    assert "cannot be read" in str(result.exception)


@pytest.mark.parametrize(
    "address",
    ["nowhere", "ext::sh -c true", "ext://x", "--upload-pack=touch x", "https://u:secret@127.0.0.1:9/x.git"],
)
def test_bad_addresses_are_one_error(upstream: Path, checkout: Path, address: str) -> None:
    result = CliRunner().invoke(data, ["prompts", "--checkout", address])
    assert isinstance(result.exception, KitError)
    assert "secret" not in str(result.exception)
    assert not sources.prompts_available("toy")


def test_stored_prompts_that_were_edited_are_refused(upstream: Path, checkout: Path) -> None:
    CliRunner().invoke(data, ["prompts", "--checkout", str(upstream)])
    path = checkout / "data/prompts/toy.json"
    path.write_text(path.read_text().replace("Solve", "Break"))
    with pytest.raises(KitError, match="expected .*make data TASKS=toy"):
        sources.prompts("toy")
    path.write_text("[]")
    with pytest.raises(KitError, match="does not hold a JSON object"):
        sources.prompts("toy")
