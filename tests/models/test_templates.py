"""Conversation templates."""

import pytest

from agenttuning.errors import KitError
from agenttuning.models.templates import render, stop_strings

TURNS = [
    {"role": "user", "content": " Hi "},
    {"role": "assistant", "content": "Yo"},
    {"role": "user", "content": "Q"},
]


def test_llama_2_without_system_message():
    assert render("llama-2", TURNS) == "[INST] Hi [/INST] Yo </s><s>[INST] Q [/INST]"


def test_llama_2_with_system_message():
    prompt = render("llama-2", [{"role": "system", "content": "Be good."}, *TURNS])
    assert prompt.startswith("[INST] <<SYS>>\nBe good.\n<</SYS>>\n\nHi [/INST]")


def test_empty_reply_leaves_the_bare_tag():
    assert (
        render("llama-2", [TURNS[0], {"role": "assistant", "content": ""}, TURNS[2]])
        == "[INST] Hi [/INST][INST] Q [/INST]"
    )


def test_chatml_has_no_system_block_unless_asked():
    assert render("chatml", TURNS[:1]) == "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n"
    assert render("chatml", [{"role": "system", "content": "S"}, TURNS[0]]).startswith(
        "<|im_start|>system\nS<|im_end|>\n<|im_start|>user"
    )
    assert (
        render("chatml", TURNS[:1]) == "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n"
    )  # the system text does not leak


def test_chatml_stops_at_its_end_marker():
    assert stop_strings("chatml") == ("<|im_end|>",) and stop_strings("llama-2") == ()


def test_unstripped_turns_when_the_protocol_wants_them():
    assert render("llama-2", [{"role": "user", "content": "\nQ"}], strip=False) == "[INST] \nQ [/INST]"


def test_unknown_template_and_role_are_named():
    with pytest.raises(KitError, match="llama-9"):
        render("llama-9", TURNS)
    with pytest.raises(KitError, match="agent"):
        render("llama-2", [{"role": "agent", "content": "x"}])
