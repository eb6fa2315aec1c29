"""Paired comparison of two runs."""

from __future__ import annotations

import pytest

from agenttuning.scores.paired import compare, mcnemar


@pytest.mark.parametrize(
    ("a", "b", "p"),
    [(0, 0, 1.0), (1, 0, 1.0), (5, 5, 1.0), (5, 0, 0.0625), (0, 6, 0.03125), (2, 10, 0.03857421875)],
)
def test_mcnemar_exact(a: int, b: int, p: float) -> None:
    assert mcnemar(a, b) == pytest.approx(p)
    assert mcnemar(b, a) == pytest.approx(p)


def test_binary_rewards() -> None:
    a = {f"s{i}": float(i < 6) for i in range(10)} | {"only a": 1.0}
    b = {f"s{i}": 0.0 for i in range(10)} | {"only b": 1.0, "failed": None}
    paired = compare(a, b)
    assert (paired.shared, paired.only_a, paired.only_b) == (10, 1, 1)
    assert (paired.mean_a, paired.mean_b, paired.difference) == (0.6, 0.0, 0.6)
    assert (paired.a_better, paired.b_better, paired.ties) == (6, 0, 4)
    assert paired.p_value == pytest.approx(0.03125)
    assert paired.low is not None and paired.high is not None
    assert 0.2 <= paired.low < 0.6 < paired.high <= 1.0


def test_graded_rewards_have_no_mcnemar() -> None:
    paired = compare({"x": 0.5, "y": 1.0}, {"x": 0.25, "y": 0.0})
    assert paired.p_value is None
    assert paired.difference == pytest.approx(0.625)


def test_reward_of_none_is_left_out() -> None:
    paired = compare({"x": None, "y": 1.0}, {"x": 1.0, "y": 1.0})
    assert (paired.shared, paired.only_b, paired.ties) == (1, 1, 1)


def test_nothing_shared() -> None:
    paired = compare({"x": 1.0}, {"y": 1.0})
    assert (paired.shared, paired.difference, paired.low, paired.p_value) == (0, None, None, None)


@pytest.mark.parametrize("n", [1, 8])
def test_equal_differences_claim_no_interval(n: int) -> None:
    paired = compare({str(i): 1.0 for i in range(n)}, {str(i): 0.0 for i in range(n)})
    assert paired.difference == 1.0
    assert (paired.low, paired.high) == (None, None)


def test_order_does_not_matter() -> None:
    a = {str(i): (i * 7 % 5) / 5 for i in range(30)}
    b = {str(i): (i * 3 % 4) / 4 for i in range(30)}
    assert compare(a, b) == compare(dict(reversed(a.items())), b)
