"""Catalogues, goal table, index: what is built, that it is shared and stable, and what is said of broken files."""

from __future__ import annotations

import json
import multiprocessing
import random
from pathlib import Path

import pytest

from agenttuning.errors import KitError

from .conftest import build, product, room, write_files

store, goals, catalogue, grading = room("store"), room("goals"), room("catalogue"), room("grading")


def instruction(text="find a mat.", attributes=("soft",), options=("red",)):
    return {
        "instruction": text,
        "instruction_attributes": list(attributes),
        "instruction_options": list(options),
    }


def many(count):
    return [product(f"B{i:04d}", pricing=f"${i % 90}.00 ${i % 90 + 30}.00") for i in range(count)]


def test_the_goal_table_is_the_same_in_every_build_and_changes_with_the_seed(tmp_path):
    items, human = many(60), {f"B{i:04d}": [instruction(f"goal {i}.")] for i in range(60)}
    one = build(tmp_path / "1", items, human=human)
    again = build(tmp_path / "2", items, human=human)
    other = build(tmp_path / "3", items, human=human, seed=1)
    assert one.goals == again.goals and one.goals_sha256 == again.goals_sha256
    assert one.goals_sha256 == goals.table_hash(one.goals) != other.goals_sha256
    assert [g.asin for g in one.goals] == [g.asin for g in other.goals]  # upstream's order, whatever the seed
    order = list(range(60))
    random.Random(233).shuffle(order)
    assert [g.asin for g in one.goals] == [f"B{i:04d}" for i in order]
    assert [one.price(g.asin) for g in one.goals] == [again.price(g.asin) for g in one.goals]


def test_limits_are_above_the_price_and_told(tmp_path):
    items, human = many(60), {f"B{i:04d}": [instruction(f"goal {i}...")] for i in range(60)}
    shop = build(tmp_path, items, human=human)
    for goal in shop.goals:
        price = shop.price(goal.asin)
        above = [10.0 * k for k in range(1, 100) if 10.0 * k > price][:4]
        assert goal.price_upper in above[1:]
        assert goal.instruction.endswith(f", and price lower than {goal.price_upper:.2f} dollars")
        assert not goal.instruction.startswith("goal .")
    assert goals.draw_limit(980.0, random.Random(0)) == (1_000_000.0, "")
    assert goals.draw_limit(970.0, random.Random(0)) == (990.0, ", and price lower than 990.00 dollars")


def test_products_without_attributes_in_their_instruction_are_no_goals(tmp_path):
    human = {"A1": [instruction(attributes=()), instruction("second")], "nowhere": [instruction()]}
    shop = build(tmp_path, [product("A1"), product("A2")], human=human)
    assert [g.instruction.partition(",")[0] for g in shop.goals] == ["second"]


def test_search_finds_by_title_description_first_bullet_and_option(tmp_path):
    items = [
        product("A1", name="Harbor Blanket", small_description=["woven", "unsearched"]),
        product("A2", name="Peak Sandals", full_description="for harbors"),
        product("A3", name="Pan", customization_options={"Size": [{"value": "XL"}]}),
    ]
    shop = build(tmp_path, items)
    assert shop.search("the HARBOR'S blankets", 50) == ["A1", "A2"]
    assert shop.search("woven", 50) == ["A1"]
    assert shop.search("unsearched", 50) == shop.search("", 50) == shop.search("the of", 50) == []
    assert shop.search("xl size", 50) == ["A3"]
    assert len(shop.search("mat navy harbor size", 1)) == 1
    assert shop.search('"blanket" AND -(sandals)~ [x] ' + "pan " * 5000, 50)


def test_ties_are_in_the_order_of_the_catalogue_and_at_most_fifty_are_found(tmp_path):
    shop = build(tmp_path, many(120))
    assert shop.search("wool mat", 50) == [f"B{i:04d}" for i in range(50)]


def test_scores_are_bm25_with_k1_09_and_b_04(tmp_path):
    import math

    documents = ["red red shoe", "red hat", "green hat with ribbons"]
    folder = tmp_path / "index"
    folder.mkdir()
    search = room("search")
    search.build(documents, folder)
    index = search.Index(folder, 3)
    scores = index._engine.get_scores_from_ids(index._numbers_of("red"))
    lengths = [3, 2, 3]  # `with` is no word of the index
    idf = math.log(1 + (3 - 2 + 0.5) / (2 + 0.5))
    for tf, length, score in zip([2, 1, 0], lengths, scores, strict=True):
        expected = idf * tf / (tf + 0.9 * (1 - 0.4 + 0.4 * length / (8 / 3)))
        assert math.isclose(score, expected, rel_tol=1e-6)


def test_the_index_is_mapped_not_loaded(tmp_path):
    import numpy as np

    shop = build(tmp_path, many(30))
    arrays = [
        *shop._index._engine.scores.values(),
        shop._index._words,
        shop._asins,
        shop._prices,
        shop._offsets,
    ]
    assert all(isinstance(array, np.memmap) for array in arrays if not isinstance(array, int))


def _build(arguments):
    files, place = arguments
    return str(store.build(files, 7, "shared", [place]))


def test_processes_that_start_at_once_build_one_index(tmp_path):
    files = write_files(tmp_path / "files", many(200))
    with multiprocessing.get_context("fork").Pool(2) as pool:
        found = pool.map(_build, [(files, tmp_path / "shops")] * 4)
    assert set(found) == {str(tmp_path / "shops" / "shared")}
    assert sorted(p.name for p in (tmp_path / "shops").iterdir()) == ["shared", "shared.lock"]
    assert store.Shop(Path(found[0])).size == 200


def test_what_a_killed_build_left_is_cleared_away(tmp_path):
    files = write_files(tmp_path / "files", many(3))
    place = tmp_path / "shops"
    (place / "k.part-dead").mkdir(parents=True)
    (place / "k").mkdir()
    (place / "k" / "products.jsonl").write_text("half")
    assert store.find("k", [place]) is None
    assert store.Shop(store.build(files, 0, "k", [place])).size == 3
    assert not (place / "k.part-dead").exists()


def test_a_damaged_index_is_refused_with_one_sentence(tmp_path):
    shop = build(tmp_path, many(3))
    with (shop.folder / "products.jsonl").open("ab") as stream:
        stream.write(b"x")
    with pytest.raises(KitError, match="damaged .*products.jsonl.*delete that folder"):
        store.Shop(shop.folder)


def test_a_place_that_cannot_be_written_is_named_and_the_next_one_taken(tmp_path):
    files = write_files(tmp_path / "files", many(3))
    blocked = tmp_path / "file"
    blocked.write_text("")
    assert store.build(files, 0, "k", [blocked, tmp_path / "free"]) == tmp_path / "free" / "k"
    with pytest.raises(KitError, match="cannot be written .*index_folder=DIR"):
        store.build(files, 0, "k", [blocked])


BROKEN = {
    "not JSON": ("{nope", "items.json is not a JSON list"),
    "cut off": ('[{"asin": "A1", ', "items.json is not a JSON list.*too early"),
    "an object": ("{}", "items.json is not a JSON list"),
    "something behind": ("[] x", "something follows"),
    "empty": ("", "too early"),
    "no products": ([], "items.json holds no products"),
    "a number": ([3], "product 0 has no asin"),
    "no asin": ([{"name": "x"}], "product 0 has no asin"),
    "no title": (
        [product("A1"), {k: v for k, v in product("A2").items() if k != "name"}],
        r"product 1 \(A2\) has no 'name'",
    ),
    "no image": ([product("A1", images=[])], r"product 0 \(A1\) is malformed"),
    "a price in words": ([product("A1", pricing="free")], r"\(A1\) is malformed \(no dollar sign\)"),
    "half a price": ([product("A1", pricing="$")], r"\(A1\) is malformed"),
    "options of another kind": (
        [product("A1", customization_options={"Color": ["red"]})],
        r"\(A1\) is malformed",
    ),
    "title of another kind": ([product("A1", name=7)], r"\(A1\) is malformed \(name is not a text\)"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_catalogue_is_one_sentence(tmp_path, name):
    items, said = BROKEN[name]
    with pytest.raises(KitError, match=said) as caught:
        build(tmp_path, items)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 400
    assert not list((tmp_path / "shops").glob("*.part-*"))


@pytest.mark.parametrize(
    "human", ['{"A1": [{"instruction": "x"}]}', '{"A1": [5]}', '{"A1": 5}', "[]", "nope"]
)
def test_broken_instructions_are_one_sentence(tmp_path, human):
    with pytest.raises(KitError, match="human.json"):
        build(tmp_path, [product("A1")], human=human)


def grade(
    strict, chosen=(), attributes=("soft wool",), options=(), tag=lambda title: [(title, "NOUN")], **changes
):
    item = catalogue.product_of(product("A1", **changes), {"attributes": ["soft wool rug"]})
    goal = goals.Goal(
        "A1", "mats", item.title, item.product_category, "x", list(attributes), list(options), 50.0
    )
    return grading.grade(item, goal, 12.5, list(chosen), tag, strict=strict)


def test_strict_wants_the_value_itself_each_for_one_goal_value():
    fuzzy, exact = (grade(strict, ["royal blue"], (), ["baby blue", "baby blue"]) for strict in (False, True))
    assert (fuzzy.reward, exact.reward) == (1.0, 1 / 3)
    assert grade(True, ["Large", "red"], (), ["large", "large"]).options == 1


def test_strict_wants_whole_attributes():
    assert grade(False).attributes == 1 and grade(True).attributes == 0
    assert grade(True, full_description="Made of Soft Wool.").attributes == 1
    assert grade(False, attributes=["flatte"], small_description=["flattened"]).attributes == 1
    assert grade(True, attributes=["flatte"], small_description=["flattened"]).attributes == 0


def test_the_tagger_is_a_function_and_decides_the_type():
    assert grade(False, tag=lambda title: []).type == 1.0  # same query
    nouns = iter([[("rug", "NOUN")], [("lamp", "NOUN")]])
    assert grade(False, tag=lambda title: next(nouns)).reward == 0.0


def test_hanta_finds_nouns():
    tagging = room("tagging")
    assert {"wool", "blanket", "sofa"} <= set(
        grading.nouns_of(tagging.load("hanta")("Harbor Wool Blanket for Sofa"))
    )
    assert "for" not in grading.nouns_of(tagging.load("hanta")("Blanket for Sofa"))
    for odd in ("", "  ", "★ é ​ 7", "a" * 5000, "x " * 3000, "\ud800"):
        tagging.load("hanta")(odd)


def test_an_unknown_or_absent_tagger_is_named():
    tagging = room("tagging")
    with pytest.raises(KitError, match="tagger must be one of auto, spacy, hanta"):
        tagging.choose("nltk")
    if tagging.choose("auto") != "spacy":
        with pytest.raises(KitError, match="en_core_web_lg is not installed"):
            tagging.check("spacy")


def test_smoke_is_a_catalogue_of_sixty_products_and_fifteen_goals():
    folder = room("task").HERE / "smoke"
    tables = {
        name: json.loads((folder / f"{name}.json").read_text()) for name in ("items", "attributes", "human")
    }
    assert len(tables["items"]) >= 60 and sum(map(len, tables["human"].values())) >= 15
    assert len({item["name"] for item in tables["items"]}) == len(tables["items"])
    assert any(" $" in item["pricing"] for item in tables["items"]) and any(
        not i["pricing"] for i in tables["items"]
    )
