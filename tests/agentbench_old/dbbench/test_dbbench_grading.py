"""Both gradings, and the evaluator that must never run what a model wrote."""

from __future__ import annotations

import hashlib
import time

import pytest

from .conftest import room

grading = room("grading")
literals = room("literals")
tables = room("tables")
scoring = room("scoring")


@pytest.mark.parametrize(
    ("answer", "target", "paper", "strict"),
    [
        (' ["1"]', ["1.0"], True, True),
        (" 1", ["1.0"], True, True),
        (" [True]", ["1"], True, False),
        (" [2+3]", ["5"], True, False),
        (" [1, 2]", ["1", "2"], False, True),
        (" abc", ["abc"], False, True),
        (' "abc"', ["abc"], False, True),
        (' [" China"]', ["China"], False, True),
        (" [None]", ["none"], False, True),
        (" none", ["none"], False, True),
        (' ["1,000"]', ["1000"], False, False),
        (" 1,000", ["1000"], False, False),
        (" 1,000", ["1,000"], False, True),
        (' ["a", "b", "a"]', ["b", "a"], True, True),
        (' ["Women"]', ["women"], False, False),
        (" [('abc',)]", ["abc"], False, False),
        (" []", ["none"], False, False),
        ("", ["0"], False, False),
        ("", [""], True, False),
        (" [3.3333]", ["3.3333333"], False, False),
        (" [0.1]", ["0.10"], True, True),
        (" [2004-10-11]", ["2004-10-11"], False, False),
        (" 2004-10-11", ["2004-10-11"], False, True),
        (' ["2004-10-11"]', ["2004-10-11"], True, True),
        (' ["nan"]', ["nan"], False, True),
        (" [1e400]", ["inf"], True, True),
        (' {"a", "b"}', ["a", "b"], True, True),
        (' ["12 months"]', ["12"], False, False),
        (" [1/0]", ["1"], False, False),
        (' ["a", ["b"]]', ["a", "b"], False, False),
        (' ["9007199254740993"]', ["9007199254740992"], True, False),
    ],
)
def test_gradings(answer: str, target: list[str], paper: bool, strict: bool) -> None:
    assert grading.paper_correct("other", answer, target) is paper
    assert grading.strict_correct("other", answer, target) is strict


def test_modification_compares_the_state_alone() -> None:
    for correct in (grading.paper_correct, grading.strict_correct):
        assert correct("UPDATE", "[('ab',)]", "[('ab',)]")
        assert not correct("INSERT", "[('ab',)] ", "[('ab',)]")


HOSTILE = [
    "[__import__('os').system('touch /tmp/dbbench-was-here')]",
    "[9**9**9**9]",
    "[" + "9" * 400 + "]",
    "[" + "9999999*" * 1200 + "9]",
    "['a' * 10**12]",
    "[[0] * 10**10]",
    "(" * 3000 + ")" * 3000,
    "[" * 90 + "]" * 90,
    "-" * 9000 + "1",
    "[1" + "+1" * 4500 + "]",
    "[" + "'a'," * 3000,
    "{**{}}",
    "[*[1]]",
    "{[]: 1}",
    "[1 << 10**9]",
    "[x for x in (1,)]",
    "[f'{1}']",
    "\x00",
    "[1j]",
    "[b'1']",
    "['\ud800']",
    "a" * 10**6,
]


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_answers_are_wrong_and_quick(text: str) -> None:
    started = time.monotonic()
    for correct in (grading.paper_correct, grading.strict_correct):
        assert correct("other", text, ["x"]) is False
        assert correct("other", text, ["x", "y"]) is False
    assert time.monotonic() - started < 1


def test_hostile_answers_ran_nothing(tmp_path) -> None:
    mark = tmp_path / "mark"
    grading.paper_correct("other", f"[open({str(mark)!r}, 'w').write('x')]", ["1"])
    assert not mark.exists()


@pytest.mark.parametrize(
    "text", ["[round(1.5)]", "x", "[x]", "1 < 2", "'%d' % 5", "'a' * 3", "(lambda: 1)()"]
)
def test_evaluator_refuses_what_is_no_literal(text: str) -> None:
    with pytest.raises(literals.Refused):
        literals.evaluate(text)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (" \t[1]", [1]),
        ("[150 + 17]", [167]),
        ("['a' + 'b']", ["ab"]),
        ("[7 // 2, 7 % 2, 1 / 4]", [3, 1, 0.25]),
        ("-1", -1),
    ],
)
def test_evaluator_folds_arithmetic(text: str, value: object) -> None:
    assert literals.evaluate(text) == value


def test_state_hash_follows_the_definition() -> None:
    rows = [["b", None, "c"], ["a,b", "", "é"]]
    short = sorted(hashlib.md5(text.encode()).hexdigest()[:5] for text in ("b,c", "a,b,,é"))
    assert tables.state_hash(rows) == hashlib.md5(",".join(short).encode()).hexdigest()
    assert tables.state_hash(reversed(rows)) == tables.state_hash(rows)
    assert tables.state_hash([]) is None


def test_state_hash_is_cut_like_group_concat() -> None:
    rows = [[str(i)] for i in range(300)]
    whole = ",".join(sorted(hashlib.md5(str(i).encode()).hexdigest()[:5] for i in range(300)))
    assert len(whole) > 1024
    assert tables.state_hash(rows) == hashlib.md5(whole[:1024].encode()).hexdigest()


def test_lost_samples_stay_in_the_denominators() -> None:
    results = [("other", True), ("INSERT", True), ("UPDATE", True)]
    sizes = {"other": 2, "INSERT": 4, "UPDATE": 1}
    found = scoring.accuracies(results, sizes)
    assert found["SELECT_accuracy"].value == 50 and found["INSERT_accuracy"].value == 25
    assert found["overall_cat_accuracy"].value == pytest.approx(100 * (0.5 + 0.25 + 1) / 3)
    assert found["overall_cat_accuracy"].n == 7
    assert scoring.accuracies(results)["overall_cat_accuracy"].value == 100


def test_interval_holds_the_value_and_ignores_the_order() -> None:
    results = (
        [("other", i % 3 == 0) for i in range(40)]
        + [("INSERT", i % 2 == 0) for i in range(40)]
        + [("UPDATE", True)] * 40
    )
    metric = scoring.accuracies(results)["overall_cat_accuracy"]
    assert metric.method == "bootstrap" and metric.low < metric.value < metric.high
    assert scoring.accuracies(reversed(results))["overall_cat_accuracy"] == metric
