"""GSM8K: both gradings, the two conversations, ceiling and floor."""

from __future__ import annotations

import hashlib
import json
from decimal import Decimal
from pathlib import Path

import pytest

from agenttuning.episodes.rooms import find_spec, load_task, room_module
from agenttuning.episodes.runner import run
from agenttuning.episodes.session import Session
from agenttuning.episodes.types import Status
from agenttuning.errors import KitError
from agenttuning.models import templates
from agenttuning.models.registry import find_model
from agenttuning.models.scripted import ScriptedEndpoint, nop
from agenttuning.models.types import Generation

SPEC = find_spec("gsm8k")
grading = room_module(SPEC, "grading")


def play(profile, reply, answer):
    task = load_task("gsm8k", profile)
    sample = task.samples("smoke")[0]
    sample = type(sample)(sample.id, {"question": "?", "answer": answer}, grading.gold_text(answer))
    return task.play(sample, Session(ScriptedEndpoint("said", lambda messages: reply), Generation()))


@pytest.mark.parametrize(
    ("said", "upstream", "strict"),
    [
        ("The answer is 1,234", 234, "1234"),
        ("The answer is 3.50", 50, "3.50"),
        ("The answer is -5.", 5, "-5"),
        ("The answer is \u22125", 5, "-5"),
        ("It costs $1,080.25 in all", 25, "1080.25"),
        ("You lose -$40", 40, "-40"),
        ("08", None, "8"),
        ("00", 0, "0"),
        ("\u0661\u0662", None, None),
        ("12 apples, then 7,", 7, "7"),
        ("nothing", None, None),
        ("1" * 4301, None, "1" * 4301),
    ],
)
def test_the_two_readings_of_a_completion(said, upstream, strict):
    assert grading.upstream_answer(said) == upstream
    assert grading.strict_answer(said) == (None if strict is None else Decimal(strict))


@pytest.mark.parametrize(
    "text", ["__import__('os')", "1+1", "1e3", "1_000", "0x10", "", "-", ".", "1.2.3", "--1", "٣"]
)
def test_only_plain_numbers_have_a_value(text):
    assert grading.number(text) is None


def test_gold_needs_the_marker_with_its_blank():
    assert grading.gold("so\n#### -1,080") == -1080
    assert grading.gold("#### 5.") == 5.0
    assert grading.gold("####5") is None
    with pytest.raises(KitError, match="no gold answer"):
        grading.gold_text("####5")


def test_large_numbers_are_compared_exactly():
    assert not grading.correct_strict("9007199254740993", "9007199254740992")
    assert not grading.correct_upstream("9007199254740993", "9007199254740992")
    assert grading.correct_strict("18.00", "18") and not grading.correct_upstream("18.00", "18")


@pytest.mark.mirror
def test_each_profile_rewards_its_own_grading(mirror):
    paper, kit = (
        play("paper", "The answer is 1,080", "#### 1,080"),
        play("kit", "The answer is 1,080", "#### 1,080"),
    )
    assert (paper.reward, kit.reward) == (0.0, 1.0)
    both = {"accuracy_upstream": 0.0, "accuracy_strict": 1.0}
    assert both.items() <= paper.metrics.items() and both.items() <= kit.metrics.items()


def test_an_invented_next_question_is_cut_off():
    assert play("kit", "The answer is 18\n\nQuestion: what is 5 + 6?", "#### 18").reward == 1.0


def test_a_reply_without_number_is_an_invalid_format():
    outcome = play("kit", "I do not know.", "#### 18")
    assert (outcome.status, outcome.reward) == (Status.INVALID_FORMAT, 0.0)


def test_scores_are_graded_anew_and_hold_both_metrics():
    task = load_task("gsm8k", "kit")
    records = [
        {"prediction": "1,080", "target": "1080", "metrics": {}},
        {"prediction": "7", "target": "7", "metrics": {}},
        {"prediction": None, "target": "7", "metrics": {}},  # the prompt did not fit the context
    ]
    scores = task.score(records)
    assert scores.main == "accuracy_strict"
    assert scores.metrics["accuracy_strict"].value == pytest.approx(200 / 3)
    assert scores.metrics["accuracy_upstream"].value == pytest.approx(100 / 3)
    assert SPEC.metric in scores.metrics
    assert task.score([]).metrics["accuracy_strict"].value is None


def test_smoke_problems_cover_the_awkward_golds():
    samples = load_task("gsm8k").samples("smoke")
    assert len(samples) == SPEC.splits["smoke"]["samples"] >= 12
    assert len({s.id for s in samples}) == len(samples)
    answers = [s.data["answer"].split("#### ")[1] for s in samples]
    assert (
        any("," in a for a in answers) and any("-" in a for a in answers) and any("." in a for a in answers)
    )
    assert all("####" not in s.data["question"] for s in samples)


def test_oracle_reaches_the_ceiling_and_nop_the_floor(runs):
    for player, value in (("oracle", 100.0), ("nop", 0.0)):
        result = run("gsm8k", "smoke", find_model(player), show_progress=False)
        assert result.scores["value"] == value
        assert result.scores["main"] == "accuracy_strict"


@pytest.mark.mirror
def test_paper_ceiling_is_zero_exactly_where_upstreams_reading_fails(mirror):
    task = load_task("gsm8k", "paper")
    for sample in task.samples("smoke"):
        outcome = task.play(sample, Session(ScriptedEndpoint("oracle", task.oracle(sample)), Generation()))
        assert outcome.reward == task.ceiling(sample), sample.id
        assert bool(task.ceiling_note(sample)) == (task.ceiling(sample) < 1)
        idle = task.play(sample, Session(ScriptedEndpoint("nop", nop), Generation()))
        assert idle.reward == task.floor(sample)


@pytest.mark.mirror
def test_two_golds_of_the_test_set_are_out_of_upstreams_reach(mirror):
    task = load_task("gsm8k", "paper")
    samples = task.samples("test")
    assert len(samples) == SPEC.splits["test"]["samples"] == 1319
    lost = [s.target for s in samples if task.ceiling(s) == 0.0]
    assert sorted(lost) == ["-10", "-3"]
    assert all(load_task("gsm8k", "kit").ceiling(s) == 1.0 for s in samples)
    assert len(task.samples("train")) == 7473


@pytest.mark.mirror
def test_paper_prompt_keeps_the_blanks_at_the_edges(mirror):
    task = load_task("gsm8k", "paper")
    generation = task.base_generation("upstream")
    messages = task.messages("How many?")
    assert len(messages) == 1 + 2 + 16 + 1
    text = templates.render("llama-2", messages, strip=generation.strip)
    assert "question.  [/INST] Ok. </s><s>[INST] Question: " in text
    assert text.endswith("[INST] \nQuestion: How many? [/INST]")
    assert (generation.max_new_tokens, generation.do_sample, generation.temperature) == (512, False, None)
    assert generation.stop == ()


def test_kit_conversation_is_our_own_and_stops_at_the_next_question():
    task = load_task("gsm8k", "kit")
    messages = task.messages("How many {x}?")
    assert messages[-1]["content"] == "Question: How many {x}?"
    assert [m["role"] for m in messages[1:]] == ["user", "assistant"] * 6 + ["user"]
    for question, solution in zip(messages[1:-1:2], messages[2:-1:2], strict=True):
        assert question["content"].startswith("Question: ")
        last = solution["content"].splitlines()[-1]
        assert last == f"The answer is {grading.strict_answer(last):f}"
    assert task.base_generation("greedy").stop == ("Question:",)
    assert task.prompt_identity() != {}


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("not json", "line 2"),
        ('{"question": "?"}', "line 2"),
        ('{"question": "?", "answer": 5}', "must be texts"),
        ('{"question": "?", "answer": "five"}', "no gold answer"),
        ("[1]", "line 2"),
    ],
)
def test_a_bad_line_of_a_file_is_named(tmp_path: Path, line: str, told: str):
    path = tmp_path / "own.jsonl"
    path.write_text('{"question": "?", "answer": "#### 1"}\n' + line + "\n")
    with pytest.raises(KitError, match=told):
        load_task("gsm8k", options={"file": str(path)}).samples("file")


def test_a_changed_file_does_not_continue_an_old_run(tmp_path: Path):
    path = tmp_path / "own.jsonl"
    path.write_text(json.dumps({"question": "?", "answer": "#### 1"}) + "\n")
    options = {"file": str(path), "file_sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
    assert [s.target for s in load_task("gsm8k", options=options).samples("file")] == ["1"]
    path.write_text(json.dumps({"question": "?", "answer": "#### 2"}) + "\n")
    with pytest.raises(KitError, match="sha256"):
        load_task("gsm8k", options=options).samples("file")


def test_split_file_needs_a_file(tmp_path: Path):
    with pytest.raises(KitError, match="option file=PATH"):
        load_task("gsm8k").samples("file")
    with pytest.raises(KitError, match="there is no file"):
        load_task("gsm8k", options={"file": str(tmp_path / "absent")}).samples("file")
    empty = tmp_path / "empty"
    empty.write_text("\n")
    with pytest.raises(KitError, match="no problem"):
        load_task("gsm8k", options={"file": str(empty)}).samples("file")
