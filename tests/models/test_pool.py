"""Replica pool: least loaded, sticky, dead ones left out and taken back."""

import time

import pytest

from agenttuning.models.pool import ReplicaPool
from agenttuning.models.scripted import ScriptedEndpoint
from agenttuning.models.types import Unreachable


class Switch(ScriptedEndpoint):
    def __init__(self, name: str):
        super().__init__(name, lambda messages: "x")
        self.up = True

    def alive(self) -> bool:
        return self.up


def test_new_episodes_go_to_the_least_loaded():
    a, b = Switch("a"), Switch("b")
    pool = ReplicaPool([a, b])
    with pool.lease() as one, pool.lease() as two:
        assert {one.name, two.name} == {"a", "b"}
        with pool.lease():
            assert sorted(pool.loads()) == [1, 2]
    assert pool.loads() == [0, 0]


def test_dead_replica_is_left_out_and_taken_back():
    a, b = Switch("a"), Switch("b")
    pool = ReplicaPool([a, b], recheck=0.05)
    a.up = False
    with pytest.raises(Unreachable), pool.lease() as chosen:
        assert chosen is a
        raise Unreachable("gone")
    assert pool.live() == [False, True]
    for _ in range(3):
        with pool.lease() as chosen:
            assert chosen is b
    a.up = True
    time.sleep(0.06)
    with pool.lease() as chosen:
        assert chosen is a
    assert pool.live() == [True, True] and pool.loads() == [0, 0]


def test_one_broken_connection_is_no_death():
    a = Switch("a")
    pool = ReplicaPool([a])
    with pytest.raises(Unreachable), pool.lease():
        raise Unreachable("reset once")
    assert pool.live() == [True]


def test_all_dead_is_unreachable_and_heals_without_waiting():
    a = Switch("a")
    pool = ReplicaPool([a], recheck=60)
    a.up = False
    with pytest.raises(Unreachable), pool.lease():
        raise Unreachable("gone")
    with pytest.raises(Unreachable, match="no replica answers"), pool.lease():
        pass
    a.up = True
    with pool.lease() as chosen:
        assert chosen is a
