"""Pruning and rendering beyond the recorded vectors."""

from __future__ import annotations

import pytest

from .conftest import PAGE, room

dom = room("dom")


def shown(html: str, *candidates: str) -> str:
    return dom.render(dom.prune(dom.parse(html), candidates), {})


def test_only_candidates_are_numbered_in_document_order():
    text = shown(PAGE, "6", "2")
    assert text == "<html> <a id=0>Start</a> <a>Help</a> <input id=1 q /> </html>"


def test_the_page_is_not_changed():
    root = dom.parse(PAGE)
    before = dom.etree.tostring(root)
    dom.render(dom.prune(root, ["4"]), {})
    assert dom.etree.tostring(root) == before


def test_a_missing_candidate_is_named():
    with pytest.raises(dom.MissingNode, match="99"):
        dom.prune(dom.parse(PAGE), ["4", "99"])


def test_node_ids_leave_out_texts():
    assert dom.node_ids(dom.parse(PAGE)) == {"1", "2", "4", "6"}


def test_an_empty_text_is_no_error():
    assert shown('<a backend_node_id="1"><text backend_node_id="2"/></a>', "1") == "<a id=0></a>"


def test_siblings_are_counted_without_texts():
    items = "".join(
        f'<text backend_node_id="t{i}">t</text><li backend_node_id="{i}" name="n{i}"/>' for i in range(9)
    )
    text = shown(f'<ul backend_node_id="u">{items}</ul>', "4")
    assert [f"n{i}" in text for i in range(9)] == [False] + [True] * 7 + [False]


def test_choices_are_cut_after_their_words():
    words = " ".join(f"w{i}" for i in range(30))
    pruned = dom.prune(
        dom.parse(f'<p backend_node_id="1"><text backend_node_id="2">{words}</text></p>'), ["1"]
    )
    assert list(dom.choices(pruned, {}, 4)) == [("1", "<p id=0>w0 w1 w2")]


def test_no_entity_is_fetched_from_elsewhere(tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("hidden words")
    html = f'<!DOCTYPE a [<!ENTITY e SYSTEM "file://{secret}">]><a backend_node_id="1">&e;</a>'
    try:
        text = shown(html, "1")
    except dom.etree.XMLSyntaxError:
        return
    assert "hidden words" not in text
