"""Whole steps on the smoke pages, in both profiles."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agenttuning.episodes import runner
from agenttuning.episodes.rooms import find_spec, load_task
from agenttuning.episodes.session import Session
from agenttuning.episodes.types import Sample, Status
from agenttuning.errors import KitError
from agenttuning.models.registry import find_model
from agenttuning.models.scripted import ScriptedEndpoint

from .conftest import room

context, prompts, upstream = room("context"), room("prompts"), room("upstream")


def play(task: Any, sample: Sample, player: Any) -> tuple[Any, Session]:
    session = Session(ScriptedEndpoint("test", player), task.base_generation("greedy"))
    return task.play(sample, session), session


def record_of(sample: Sample, outcome: Any, session: Session) -> dict[str, Any]:
    return {
        "sample": sample.id,
        "prediction": outcome.prediction,
        "target": sample.target,
        "metrics": outcome.metrics,
        "transcript": session.transcript,
    }


def test_smoke_has_what_it_is_for():
    task = load_task("mind2web")
    samples = task.samples("smoke")
    assert len(samples) == task.spec.splits["smoke"]["samples"] >= 30
    assert len({s.data["page"].split("input_value")[0] for s in samples}) >= 10
    assert {s.data["operation"]["op"] for s in samples} == {"CLICK", "TYPE", "SELECT"}
    unsolvable = [s for s in samples if s.target is None]
    assert {s.data["best_rank"] for s in unsolvable} == {None, 11}
    sizes = {len(s.data["candidates"]) for s in samples}
    assert {1, 10} <= sizes and any(len(s.target["element"]) > 1 for s in samples if s.target)
    assert any("> <" in s.data["page"] for s in samples)
    originals = json.loads((find_spec("mind2web").folder / "smoke/tasks.json").read_text())
    assert {"HOVER", "ENTER"} <= {a["operation"]["original_op"] for t in originals for a in t["actions"]}


@pytest.mark.parametrize("profile", ["kit", "paper"])
def test_oracle_reaches_the_ceiling_and_nop_the_floor(profile: str, maybe_mirror: Path | None):
    if profile == "paper" and maybe_mirror is None:
        pytest.skip("no upstream prompts here: set MIRROR=DIR")
    task = load_task("mind2web", profile)
    below = calls = 0
    for sample in task.samples("smoke"):
        outcome, session = play(task, sample, task.oracle(sample))
        assert outcome.reward == task.ceiling(sample), sample.id
        assert outcome.status == Status.COMPLETED
        calls += session.calls
        if outcome.reward < 1:
            below += 1
            assert task.ceiling_note(sample)
        nothing, _ = play(task, sample, lambda messages: "AAAAA")
        assert nothing.reward == 0.0 and nothing.prediction == ["", ""]
    assert below == (2 if profile == "kit" else 3)  # a single candidate gets no question in profile paper
    assert calls <= 60


def test_a_run_is_the_same_with_one_worker_and_with_four(tmp_path: Path):
    results = [
        runner.run("mind2web", "smoke", find_model("oracle"), runs=tmp_path / str(workers), workers=workers)
        for workers in (1, 4)
    ]
    first, second = (
        [(r["sample"], r["prediction"], r["metrics"]) for r in result.records] for result in results
    )
    assert sorted(first, key=str) == sorted(second, key=str)
    scores = results[0].scores
    assert scores["main"] == "step_sr" and scores["value"] == pytest.approx(100 * 37 / 39)
    assert scores["metrics"]["recall_at_10"]["value"] == pytest.approx(100 * 37 / 39)
    assert scores["metrics"]["recall_at_20"]["value"] == pytest.approx(100 * 38 / 39)
    assert any("no positive candidate" in note for note in scores["notes"])


def test_the_order_depends_on_the_step_and_the_seed_only():
    first, again = load_task("mind2web"), load_task("mind2web")
    samples = first.samples("smoke")
    assert [first.pool(s) for s in samples] == [again.pool(s) for s in reversed(samples)][::-1]
    other = load_task("mind2web", options={"shuffle_seed": 7})
    assert [first.pool(s) for s in samples] != [other.pool(s) for s in samples]
    assert all(sorted(first.pool(s)) == sorted(s.data["candidates"]) for s in samples)


def test_an_unsolvable_step_is_not_asked():
    task = load_task("mind2web")
    sample = next(s for s in task.samples("smoke") if s.target is None)
    outcome, session = play(task, sample, lambda messages: pytest.fail("asked"))
    assert (outcome.status, outcome.reward, outcome.prediction) == (Status.COMPLETED, 0.0, ["", ""])
    assert "not asked" in session.transcript[0]["content"]


@pytest.mark.parametrize(
    ("reply", "status"),
    [
        ("I would click it", Status.INVALID_FORMAT),
        ("Answer: F\nAction: CLICK", Status.INVALID_ACTION),
        ("Answer: B", Status.INVALID_FORMAT),
        ("Answer: A", Status.COMPLETED),
        ("Answer: B\nAction: CLICK", Status.COMPLETED),
    ],
)
def test_status_of_the_last_reply(reply: str, status: Status):
    task = load_task("mind2web")
    sample = next(s for s in task.samples("smoke") if len(s.data["candidates"]) == 4)
    outcome, _ = play(task, sample, lambda messages: reply)
    assert outcome.status == status


def test_both_gradings_of_one_reply():
    task = load_task("mind2web")
    sample = next(
        s
        for s in task.samples("smoke")
        if s.data["operation"]["op"] == "CLICK" and len(s.data["candidates"]) < 6
    )
    gold = task.oracle(sample)
    outcome, _ = play(task, sample, lambda messages: gold(messages) + "Value: twice")
    assert (outcome.metrics["step_sr_paper"], outcome.metrics["step_sr_strict"]) == (0, 1)
    assert outcome.reward == 1.0
    record = record_of(sample, outcome, Session(ScriptedEndpoint("x", None), task.base_generation("greedy")))
    metrics = task.score([record]).metrics
    assert (metrics["step_sr"].value, metrics["step_sr_paper"].value) == (100.0, 0.0)
    assert metrics["action_f1"].value == pytest.approx(100 * 2 / 3)


def test_candidates_that_are_not_in_the_page_are_left_out_and_counted():
    task = load_task("mind2web")
    sample = next(s for s in task.samples("smoke") if len(s.data["candidates"]) == 4)
    sample = replace(sample, data={**sample.data, "candidates": [*sample.data["candidates"], "gone"]})
    outcome, _ = play(task, sample, task.oracle(sample))
    assert outcome.reward == 1.0 and outcome.metrics["missing_candidates"] == 1


def test_rescoring_does_not_need_the_run():
    task = load_task("mind2web")
    records = [record_of(s, *play(task, s, task.oracle(s))) for s in task.samples("smoke")[:5]]
    stored = json.loads(json.dumps(records))
    stored[0]["prediction"], stored[1]["metrics"] = None, {}  # a context_limit outcome of the runner
    metrics = task.score(stored).metrics
    assert metrics["step_sr"].value == 80.0 and metrics["recall_at_10"].n == 4
    assert task.score([]).metrics["step_sr"].value is None


# -- prompts and context -------------------------------------------------------------------------------------------


def long_conversation(words: int) -> list[dict[str, str]]:
    examples = prompts.kit_texts().examples
    return [*examples, {"role": "user", "content": "w " * words}]


def test_a_long_page_drops_examples_but_not_itself():
    messages = long_conversation(3600)
    assert context.view(messages, "keep_question", "") == messages[-1:]
    upstreams = context.view(messages, "upstream", " ({omit} left out)")
    assert len(upstreams) == 1 and upstreams[0]["content"].startswith(messages[0]["content"])
    assert context.lost(messages, upstreams) and not context.lost(messages, messages[-1:])
    short = long_conversation(10)
    assert context.view(short, "keep_question", "") == short == context.view(short, "upstream", "")
    middle = context.view(long_conversation(3300), "keep_question", "")
    assert middle[0] == messages[2] and len(middle) == 3


@pytest.mark.parametrize(("policy", "lost"), [("upstream", 1), ("keep_question", 0)])
def test_lost_questions_are_counted(policy: str, lost: int, monkeypatch: pytest.MonkeyPatch):
    task = load_task("mind2web", options={"context_policy": policy})
    sample = next(s for s in task.samples("smoke") if len(s.data["candidates"]) == 4)
    sample = replace(sample, data={**sample.data, "confirmed_task": "w " * 4000})
    outcome, session = play(task, sample, lambda messages: f"Answer: A {len(messages)}")
    assert outcome.metrics["question_lost"] == lost
    assert session.transcript[-1]["content"] == "Answer: A 1"
    notes = task.score([record_of(sample, outcome, session)]).notes
    assert any("too long" in note for note in notes) == bool(lost)


def test_previous_actions_are_the_last_five():
    task = load_task("mind2web")
    sample = [s for s in task.samples("smoke") if len(s.data["previous_actions"]) == 6][0]
    seen: list[str] = []
    play(task, sample, lambda messages: seen.append(messages[-1]["content"]) or "Answer: A")
    actions = sample.data["previous_actions"]
    assert actions[1] in seen[0] and actions[5] in seen[0] and actions[0] not in seen[0]


def test_our_examples_are_written_as_our_questions_are():
    texts = prompts.kit_texts()
    for example in texts.examples[::2]:
        content = example["content"]
        assert (
            content.startswith(texts.before) and texts.head + texts.task in content and texts.tail in content
        )
    read = room("parsing").read(texts.examples[1]["content"], room("parsing").KIT)
    assert (read.letter, read.action) == ("C", "SELECT 2 guests")


@pytest.mark.mirror
def test_paper_prompt_is_upstreams(mirror: Path):
    texts = prompts.paper_texts()
    named = json.loads((mirror / "prompts/mind2web.json").read_text())
    assert texts.head == named["question_head"] and texts.task == named["task_prefix"]
    assert (
        texts.previous == named["previous_actions_head"] and texts.nothing == named["previous_actions_empty"]
    )
    assert texts.before == named["context_wrapper_before"] and texts.after == named["context_wrapper_after"]
    task = load_task("mind2web", "paper")
    sample = next(s for s in task.samples("smoke") if len(s.data["candidates"]) == 4)
    seen: list[Any] = []
    play(task, sample, lambda messages: seen.append(list(messages)) or "Answer: A")
    assert [m["role"] for m in seen[0]] == ["user", "assistant"] * 3 + ["user"]
    generation = task.base_generation("upstream")
    assert (generation.max_new_tokens, generation.truncate, generation.temperature) == (128, 3968, 0.7)


# -- the rest ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("limits", [{"topk": 0}, {"topk": 51}, {"num_candidates": 1}, {"num_candidates": 6}])
def test_limits_that_mean_nothing_are_refused(limits: dict[str, int]):
    spec = find_spec("mind2web")
    with pytest.raises(KitError, match="must lie between"):
        room("task").TASK(replace(spec, limits={**spec.limits, **limits}))


def test_unknown_names_are_refused():
    with pytest.raises(KitError, match="context_policy"):
        load_task("mind2web", options={"context_policy": "both"})
    with pytest.raises(KitError, match="choose from: smoke"):
        load_task("mind2web").samples("train")


def test_upstreams_result_names():
    metrics = {
        name: {"value": i}
        for i, name in enumerate(["element_acc", "action_f1", "step_sr_paper", "questions"])
    }
    assert upstream.results(metrics) == {"score": {"element_acc": 0, "action_f1": 1, "step_sr": 2}}


def test_transcript_view_marks_the_right_choice():
    task = load_task("mind2web")
    sample = next(s for s in task.samples("smoke") if len(s.data["candidates"]) == 10)
    record = record_of(sample, *play(task, sample, task.oracle(sample)))
    text = room("transcript").view(record)
    assert "Question 2" in text and "\n * " in text and text.splitlines()[-1].startswith("gold    node ")
    assert room("transcript").view({"transcript": [], "metrics": {}}) is None
