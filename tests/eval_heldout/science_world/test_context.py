"""The shortening rule and its token counters."""

from __future__ import annotations

import os

import pytest

from agenttuning.errors import KitError, MissingData

from .fakes import FakeLab, Model, play, prompt, room

context = room("context")


def sent_with(limit: int, pairs: int, observations: int = 0, system: str | None = None) -> list[str]:
    """Contents left over when every message counts one token."""
    text = prompt(pairs, system)
    messages = text.opening("o", "t")
    for i in range(observations):
        messages += [{"role": "assistant", "content": f"a{i}"}, {"role": "user", "content": f"o{i}"}]

    def count(rendered: str) -> int:
        return sum(rendered.count(m["content"]) for m in messages if m["content"][0] in "EAao")

    return [m["content"] for m in context.shorten(messages, text.cut_guard, count, limit, system is not None)]


def test_nothing_is_removed_while_it_fits():
    assert len(sent_with(100, 3, 2)) == 2 + 6 + 1 + 4


@pytest.mark.parametrize("system", [None, "Be good."])
def test_second_pair_goes_first_and_the_first_pair_with_the_last_one(system):
    lab, model = FakeLab(("x", 100, True)), Model("Action: open box")
    text = prompt(3, system)
    play(lab, model, text=text, count=lambda t: 5000 if "E1" in t else 10)
    head = [system] if system else []
    assert model.sent[0][: len(head) + 6] == [*head, "Rules.", "Yes.", "E0", "Action: e0", "E2", "Action: e2"]
    model = Model("Action: open box")
    play(FakeLab(("x", 100, True)), model, text=text, count=lambda t: 5000 if "E0" in t else 10)
    assert model.sent[0][: len(head) + 2] == [*head, "Rules.", "Yes."]
    assert model.sent[0][len(head) + 2].startswith("Next one.")


def test_then_the_oldest_observation_goes_with_the_action_after_it():
    script = [(f"obs{i} end", i, False) for i in range(3)] + [("x", 100, True)]
    model = Model("Action: w0", "Action: w1", "Action: w2", "Action: w3")
    episode = play(FakeLab(*script), model, count=lambda t: 5000 if "obs0" in t and "obs1" in t else 10)
    assert [c for c in model.sent[-1] if "obs" in c or "Action: w" in c] == [
        "Action: w0",
        "obs1 end",
        "Action: w2",
        "obs2 end",
    ]
    assert episode.omitted == 6


def test_render_is_the_llama_2_template():
    text = context.render_llama2(
        [
            {"role": "system", "content": "S"},
            {"role": "user", "content": "U1"},
            {"role": "assistant", "content": "A1"},
            {"role": "user", "content": "U2 "},
        ]
    )
    assert text == "[INST] <<SYS>>\nS\n<</SYS>>\n\nU1 [/INST] A1 </s><s>[INST] U2  [/INST]"


def test_counter_names(monkeypatch, tmp_path):
    monkeypatch.delenv("TIKTOKEN_CACHE_DIR", raising=False)
    assert context.counter_name("auto") == "chars4"
    with pytest.raises(MissingData, match="TIKTOKEN_CACHE_DIR"):
        context.counter_name("cl100k")
    with pytest.raises(KitError, match="no token counter"):
        context.counter_name("words")
    assert [context.counter("chars4")(t) for t in ("", "a", "abcd", "abcde")] == [0, 1, 1, 2]


def test_damaged_vocabulary_is_not_used_so_that_nothing_is_downloaded(monkeypatch, tmp_path):
    (tmp_path / context.CL100K_FILE).write_text("IQ== 0\n")
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(tmp_path))
    assert context.counter_name("auto") == "chars4"


def test_cl100k_counts_where_its_vocabulary_is_present():
    if context.cl100k_file() is None:
        pytest.skip("no cl100k vocabulary: set TIKTOKEN_CACHE_DIR")
    assert os.environ["TIKTOKEN_CACHE_DIR"]
    assert context.counter("cl100k")("hello world") == 2
    assert context.counter("cl100k")("<|endoftext|>") > 1
