"""Replies and option texts: what is read, and that no text makes a parser raise."""

from __future__ import annotations

import random
import string
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from .conftest import product, room

parsing, catalogue, grading, search = room("parsing"), room("catalogue"), room("grading"), room("search")

PIECES = [
    "Action:", "action:", "ACTION:", "Thought:", "search[", "click[", "]", "[", "\n", "\r\n", " ", "\t", "buy now", "<r>",
    "< Prev", "b0aaaaaaa1", "\x00", "\ud800", "é", "[SEP]", "{observation}", "'", '"', "\u2028",
]  # fmt: skip
REPLIES = st.one_of(st.text(), st.lists(st.sampled_from(PIECES), max_size=25).map("".join))


def check_reply(text: str) -> None:
    paper, kit = parsing.paper_action(text), parsing.kit_action(text)
    raw = parsing.parse_response(text)
    assert (raw is None) == (paper is None)
    if raw is not None:
        assert raw.startswith(("search[", "click[")) and raw.endswith("]") and "\n" not in raw
    if kit is not None:
        name, argument = kit
        assert name in ("search", "click") and argument and "\n" not in argument
    parsing.env_parse_action(text)


@given(REPLIES)
@settings(max_examples=500, deadline=None)
def test_no_reply_makes_the_parsers_raise(text):
    check_reply(text)


@pytest.mark.slow
@given(REPLIES)
@settings(max_examples=10_000, deadline=None, suppress_health_check=list(HealthCheck))
def test_no_reply_makes_the_parsers_raise_at_length(text):
    check_reply(text)


def check_shop_texts(text: str, other: str) -> None:
    assert 0 <= grading.ratio(text, other) <= 100
    assert grading.normalize_color(text) == text or grading.normalize_color(text) in grading.COLOURS
    assert all(word and word not in search.STOP_WORDS for word in search.words_of(text))
    try:
        prices, tag = catalogue.parse_price(text)
    except ValueError:
        return
    assert 1 <= len(prices) <= 2 and tag.startswith("$") and all(price >= 0 for price in prices)


PRICES = st.one_of(st.text(), st.text("$0123456789., -", max_size=20))


@given(PRICES, st.text())
@settings(max_examples=500, deadline=None)
def test_no_product_text_makes_price_words_or_matching_raise(text, other):
    check_shop_texts(text, other)


@pytest.mark.slow
@given(PRICES, st.text())
@settings(max_examples=10_000, deadline=None, suppress_health_check=list(HealthCheck))
def test_no_product_text_makes_price_words_or_matching_raise_at_length(text, other):
    check_shop_texts(text, other)


@pytest.mark.parametrize(
    ("reply", "kit"),
    [
        ("Action: click[Buy Now]", ("click", "Buy Now")),
        ("ACTION:\r\n\r\n\tClick [size [2 pack] red]", ("click", "size [2 pack] red")),
        ("**Action:** search[red shoes] and then", ("search", "red shoes")),
        ("Action: think[a]\nAction:\nclick[b]", ("click", "b")),
        ("Action: buy", None),
        ("click[b]", None),
        ("Reaction:\nclick[x]", None),
        ("Action: search[ ]", None),
        ("", None),
    ],
)
def test_the_kits_grammar(reply, kit):
    assert parsing.kit_action(reply) == kit


def test_a_value_with_brackets_is_out_of_reach_in_profile_paper_only():
    reply = "Action:\nclick[size [2 pack] red]"
    assert parsing.paper_action(reply) == ("click[size ", "2 pack")
    assert parsing.kit_action(reply) == ("click", "size [2 pack] red")


@pytest.mark.parametrize(
    "text",
    ["Action:" * 30_000, "Action:\nclick[" + "a" * 300_000, "Action:\n" + "click[" * 50_000, "action:" + " " * 300_000,
     "*#action:" * 30_000, "\n" * 300_000 + "Action:"],
    ids=lambda text: text[:14],
)  # fmt: skip
def test_a_huge_reply_takes_no_time(text):
    started = time.perf_counter()
    check_reply(text)
    assert time.perf_counter() - started < 3


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("$12.00 $20.00 $30", ([12.0, 20.0], "$12.0 to $20.0")),
        ("$1,299.99", ([1299.99], "$1299.99")),
        ("", ([100.0], "$100.0")),
        (None, ([100.0], "$100.0")),
    ],
)
def test_prices(text, found):
    assert catalogue.parse_price(text) == found


def test_words_of_a_document_are_lucenes():
    text = "The L'eau d'Issey, 6.76 fl oz x-large women's U.S.A T-shirt 1,299 and 8"
    assert list(search.words_of(text)) == [
        "l'eau", "d'issey", "6.76", "fl", "oz", "x", "large", "women", "u.s.a", "t", "shirt", "1,299", "8",
    ]  # fmt: skip


def test_options_are_lower_case_and_empty_groups_left_out():
    options = {"Color": [{"value": " Light/Grey "}], "Size": None}
    assert catalogue.parse_options(options) == {"color": ["light | grey"]}


def test_random_bytes_are_no_catalogue(tmp_path):
    generator = random.Random(0)
    from agenttuning.errors import KitError

    for _ in range(200):
        path = tmp_path / "items.json"
        path.write_text("".join(generator.choices(string.printable + '[]{}",:', k=generator.randint(0, 40))))
        with pytest.raises(KitError, match="items.json"):
            list(catalogue.products(path, {}))
            raise KitError("items.json was a list of products after all")


def test_a_list_is_read_piece_by_piece_at_every_boundary(tmp_path, monkeypatch):
    items = [product("A1", name='say "]" , [x] \\ é'), product("A2"), {"asin": "nan"}]
    import json

    for text in (json.dumps(items), json.dumps(items, indent=2, ensure_ascii=False), " [ ] \n"):
        path = tmp_path / "items.json"
        path.write_text(text)
        for size in (1, 2, 3, 7, 64, 1 << 20):
            monkeypatch.setattr(catalogue, "CHUNK", size)
            assert list(catalogue.read_list(path)) == json.loads(text)
