"""Splits, prompts and scores: everything that needs neither Java nor a model."""

from __future__ import annotations

import json
import random

import pytest

from agenttuning.episodes.rooms import load_task
from agenttuning.errors import KitError, MissingData

from .fakes import room

variations = room("variations")
prompts = room("prompts")


def record(number: int, reward: float, of: int = 1, counter: str = "cl100k") -> dict:
    facts = {"task_number": number, "episodes_of_task": of, "token_counter": counter}
    return {"sample": f"{number}-{random.random()}", "reward": reward, "metrics": facts}


def test_test_split_is_the_270_episodes_in_order():
    samples = load_task("science-world").samples("test")
    assert len(samples) == len({s.id for s in samples}) == 270
    assert [s.data["variation"] for s in samples[:9]] == [26, 27, 28, 25, 24, 21, 29, 22, 23]
    by_task = [[s.data["variation"] for s in samples if s.data["task_number"] == n] for n in range(30)]
    assert by_task[15] == [1341, 1312, 1127, 1366, 1370, 1369, 1332, 1274, 1241]
    assert by_task[26] == [17, 18, 19, 15, 16]
    assert by_task[29][:3] == [535, 534, 471]


@pytest.mark.parametrize("split", ["smoke", "test", "gold30", "dev"])
def test_splits_have_the_size_task_toml_says_and_do_not_mix_sets(split):
    task = load_task("science-world")
    samples = task.samples(split)
    assert len(samples) == task.spec.splits[split]["samples"]
    for sample in samples:
        kind = variations.TASK_TYPES[sample.data["task_number"]]
        assert sample.data["variation"] in kind.lists[2 if split in ("test", "gold30") else 1]


def test_choosing_leaves_the_global_random_state_alone():
    random.seed(5)
    expected = random.random()
    random.seed(5)
    variations.chosen(0, "test")
    assert random.random() == expected


def test_kit_prompts_hold_protocol_words_and_their_demonstration_is_of_the_train_set():
    names = {t.name: t for t in variations.TASK_TYPES}
    for demonstration in prompts.kit_demonstrations():
        assert demonstration["variation"] in names[demonstration["task"]].lists[0]
        messages = prompts.demonstration_messages(demonstration)
        assert len(messages) % 2 == 0 and len(messages) >= 4
        assert [m["role"] for m in messages] == ["user", "assistant"] * (len(messages) // 2)
        assert all(m["content"].startswith(("Think: ", "Action: ")) for m in messages[1::2])
        thoughts = [
            b
            for a, b in zip(messages[1::2], messages[2::2], strict=False)
            if a["content"].startswith("Think")
        ]
        assert {m["content"] for m in thoughts} == {"OK."}
    for number in range(30):
        prompt = prompts.kit_prompt(number)
        assert "Think:" in prompt.init and "Action:" in prompt.init
        assert prompt.new_task_prefix.startswith(prompt.cut_guard)


def test_options_are_checked():
    with pytest.raises(KitError, match="simplification"):
        load_task("science-world", options={"simplification": "easy,flying"}).check()
    with pytest.raises(KitError, match="token counter"):
        load_task("science-world", options={"token_counter": "words"}).check()


def test_paper_profile_without_prompts_names_the_command(monkeypatch, tmp_path):
    monkeypatch.delenv("MIRROR", raising=False)
    monkeypatch.setenv("AGENTTUNING_DATA", str(tmp_path))
    with pytest.raises(MissingData, match="make data"):
        load_task("science-world", "paper").check()


def test_macro_mean_weighs_task_types_alike():
    records = [record(0, 1.0, 1)] + [record(5, r, 4) for r in (0.0, 0.0, 0.1, 0.3)]
    scores = load_task("science-world").score(records)
    value = {name: metric.value for name, metric in scores.metrics.items()}
    assert scores.main == "macro_score"
    assert value["macro_score"] == pytest.approx(55.0)
    assert value["micro_score"] == pytest.approx(28.0)
    assert value["full_score_rate"] == pytest.approx(20.0)
    assert value["n_tasks"] == 2
    assert value["task 00 boil"] == pytest.approx(100) and value["task 05 find-animal"] == pytest.approx(10)
    macro = scores.metrics["macro_score"]
    assert macro.n == 5 and macro.low <= 55 <= macro.high and macro.method == "bootstrap"
    assert load_task("science-world").score(records[::-1]).metrics == scores.metrics


def test_missing_episodes_and_task_types_are_named():
    notes = " ".join(
        load_task("science-world", "paper").score([record(0, 1.0, 9), record(5, 0.5, 1, "chars4")]).notes
    )
    assert "2 of 30 task types" in notes
    assert "boil 1 of 9" in notes
    assert "TIKTOKEN_CACHE_DIR" in notes
    full = [record(n, 0.5) for n in range(30)]
    assert load_task("science-world", "paper").score(full).notes == []


def test_no_records_give_no_value():
    assert load_task("science-world").score([]).metrics["macro_score"].value is None


@pytest.mark.mirror
def test_paper_prompts_are_complete(mirror):
    task = load_task("science-world", "paper")
    assert len(task.prompt_identity()) >= 8
    for number in range(30):
        prompt = prompts.paper_prompt(number)
        assert prompt.system and prompt.new_task_prefix.startswith(prompt.cut_guard)
        assert len(prompt.demonstration) % 2 == 0 and len(prompt.demonstration) >= 16
        opening = prompt.opening("A\n\tb", "Your task.")
        assert opening[0]["role"] == "system" and opening[2]["content"] == "Ok."
        assert opening[-1]["content"].endswith("A  b\nYour task.")


@pytest.mark.mirror
def test_long_demonstrations_are_shortened_to_fit(mirror):
    context, protocol = room("context"), room("protocol")
    prompt = prompts.paper_prompt(16)
    count = context.counter("chars4")
    opening = prompt.opening("A room.", "Your task.")
    limit = protocol.CONTEXT_TOKENS - protocol.CONTEXT_RESERVE
    assert count(context.render_llama2(opening)) > limit
    cut = context.shorten(opening, prompt.cut_guard, count, limit, True)
    assert limit - 300 < count(context.render_llama2(cut)) <= limit
    assert cut[:5] == opening[:5] and cut[-1] == opening[-1] and cut[5:] == opening[-len(cut) + 5 :]


@pytest.mark.mirror
def test_conversion_of_upstreams_text_gives_its_demonstrations(mirror):
    """Upstream's two files agree under the rule of vectors.convert_fewshot."""
    folder = next(mirror.glob("THUDM/AgentTuning/*/eval_heldout/science-world/prompts"))
    texts = json.loads((folder / "prompt_orig.json").read_text())
    expected = json.loads((folder / "prompt.json").read_text())
    convert = room("vectors").convert_fewshot
    for number, turns in expected.items():
        assert convert({"input": texts[number]}) == turns
        assert [m["content"] for m in prompts.paper_prompt(int(number)).demonstration] == turns
