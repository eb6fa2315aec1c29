"""The scripted opponents, the players' memory they read, and the scripted strong player."""

from __future__ import annotations

import random
from typing import Any

import pytest

from .conftest import room

engine, opponents, oracle, sight = room("engine"), room("opponents"), room("oracle"), room("sight")
parsing = room("parsing")


def match(first: Any, second: Any) -> Any:
    game = engine.Game()
    players = (first, second)
    while not game.over:
        game.submit(players[game.turn].answer(game.message()))
    assert not game.faults
    return game


def test_same_seed_same_game_other_seed_other_game() -> None:
    def course(seed: str) -> list[Any]:
        player = opponents.Baseline1(opponents.Dice(seed)), opponents.Baseline2(opponents.Dice(seed + "2"))
        game = match(*player)
        return [game.state, game.winner, [[(f.id, f.hp) for f in team] for team in game.teams]]

    assert course("a") == course("a")
    assert len({str(course(f"s{i}")) for i in range(20)}) > 15


def test_dice_are_fair_and_reach_both_ends() -> None:
    dice = opponents.Dice("fair")
    drawn = [dice.one_of([5, 6, 7]) for _ in range(3000)]
    assert all(900 < drawn.count(face) < 1100 for face in (5, 6, 7))
    assert 800 < sum(dice.happens(0.3) for _ in range(3000)) < 1000
    orders = {tuple(opponents.Baseline1(opponents.Dice(f"{i}")).pick()) for i in range(400)}
    assert len(orders) == 24


def test_the_second_baseline_is_the_stronger_one() -> None:
    wins = 0
    for i in range(60):
        pair = [opponents.Baseline1(opponents.Dice(f"x{i}")), opponents.Baseline2(opponents.Dice(f"y{i}"))]
        seat = i % 2
        wins += match(*(pair[::-1] if seat == 0 else pair)).winner == seat
    assert wins > 45


class Rigged:
    """Draws decided in advance."""

    def __init__(self, happens: bool = False, last: bool = False):
        self.happen, self.last = happens, last

    def one_of(self, items: Any) -> int:
        return items[-1] if self.last else items[0]

    def happens(self, probability: float) -> bool:
        assert probability == 0.3
        return self.happen


def board(mine: list[int], my_hp: list[int], enemy_hp: list[int], **more: Any) -> dict[str, Any]:
    return {
        "Action": "Action",
        "AssertReply": None,
        "GameInfo": {
            "MyFish": mine, "MyHP": my_hp, "EnemyHP": enemy_hp, "EnemyFish": [-1] * 4, "MyATK": [200] * 4, **more,
        },
    }  # fmt: skip


@pytest.mark.parametrize(
    ("mine", "my_hp", "happens", "expected"),
    [
        ([1, 2, 3, 4], [400] * 4, False, {"Type": 1, "MyPos": 0, "EnemyList": [1, 3], "MyList": []}),
        ([2, 1, 3, 4], [400] * 4, False, {"Type": 1, "MyPos": 0, "EnemyList": [], "MyList": [1]}),
        ([2, 1, 3, 4], [9, 0, 0, 0], False, {"Type": 0, "MyPos": 0, "EnemyPos": 1}),
        ([-1, 2, 3, 4], [400] * 4, False, {"Type": 0, "MyPos": 0, "EnemyPos": 1}),
        ([1, 2, 3, 4], [400] * 4, True, {"Type": 0, "MyPos": 0, "EnemyPos": 1}),
    ],
)
def test_first_baseline_by_kind(
    mine: list[int], my_hp: list[int], happens: bool, expected: dict[str, Any]
) -> None:
    player = opponents.Baseline1(Rigged(happens))
    assert player.answer(board(mine, my_hp, [0, 7, 0, 7])) == {"Action": "Action", **expected}


@pytest.mark.parametrize(
    ("enemy_hp", "my_atk", "expected"),
    [
        ([400, 100, 400, 400], [200, 200, 200, 200], {"Type": 0, "MyPos": 0, "EnemyPos": 1}),
        (
            [400, 70, 400, 400],
            [200, 200, 200, 200],
            {"Type": 1, "MyPos": 0, "EnemyList": [0, 1, 2, 3], "MyList": []},
        ),
        (
            [400, 101, 400, 400],
            [200, 200, 200, 200],
            {"Type": 1, "MyPos": 0, "EnemyList": [0, 1, 2, 3], "MyList": []},
        ),
        ([0, 350, 0, 0], [200, 240, 200, 200], {"Type": 0, "MyPos": 1, "EnemyPos": 1}),
    ],
)
def test_second_baseline_kills_first_then_hits_all(
    enemy_hp: list[int], my_atk: list[int], expected: dict[str, Any]
) -> None:
    player = opponents.Baseline2(Rigged())
    assert player.answer(board([1, 2, 3, 4], [400] * 4, enemy_hp, MyATK=my_atk)) == {
        "Action": "Action",
        **expected,
    }


def test_second_baseline_takes_position_0_for_a_counter_whatever_happened() -> None:
    """The memory's unwritten slots all say: position 0, counter."""
    player = opponents.Baseline2(Rigged())
    message = {
        "Action": "Assert",
        "EnemyAssert": None,
        "MyAction": None,
        "EnemyAction": {"ActionFish": 0, "skill": {"type": "aoe", "isSkill": True, "targets": []}},
        "GameInfo": {"MyFish": [1] * 4, "MyHP": [400] * 4, "EnemyHP": [400] * 4, "EnemyFish": [-1] * 4, "MyATK": [200] * 4},
    }  # fmt: skip
    assert player.answer(message) == {"Action": "Assert", "Pos": 0, "ID": 1}
    assert player.failed[3][4]  # the mark it sets before its first guess


def test_memory_keeps_what_was_written_before() -> None:
    deed = sight.Deed()
    target = {"value": 70, "isEnemy": True}
    passive = {"type": "deflect", "isEnemy": True}
    skill = {"type": "aoe", "isSkill": True, "targets": [{**target, "pos": p} for p in (1, 3)]}
    deed.update({"ActionFish": 0, "skill": skill, "passive": [{**passive, "source": 2}]}, mine=True)
    plain = {"type": "normalattack", "isSkill": False, "targets": [{**target, "pos": 2, "value": 100}]}
    deed.update({"ActionFish": 3, "skill": plain}, mine=True)
    assert deed.struck[:3] == [2, 3, 0] and deed.struck_now == 1 and deed.injury[0] == 100
    assert deed.positions[0] == 2 and deed.passives_now == 0
    deed.update(None, mine=True)
    assert deed.fish == -1 and deed.struck[:2] == [2, 3]


@pytest.mark.parametrize("seat", [0, 1])
def test_the_strong_player_beats_baseline_1_in_every_game(seat: int) -> None:
    assert all(oracle.winning_variant("baseline1", seat, f"strong-{i}") == 0 for i in range(25))


def test_the_strong_player_can_lose() -> None:
    """Variant 0 alone does not win every game against baseline 2: the rehearsal is no formality."""
    seeds = [f"weak-{i}" for i in range(40)]
    won = [
        oracle._rehearse(
            opponents.Baseline2(opponents.Dice(seed)),
            1,
            oracle.Strategist(oracle.line_up_of("baseline2", seed)),
        )
        for seed in seeds
    ]
    assert 20 < sum(won) < 40
    wrong = [k % 4 + 1 for k in oracle.line_up_of("baseline2", seeds[0])]
    misled = [
        oracle._rehearse(opponents.Baseline2(opponents.Dice(seed)), 1, oracle.Strategist(wrong))
        for seed in seeds
    ]
    assert sum(misled) < sum(won)


def test_random_play_seldom_beats_baseline_2() -> None:
    class Random:
        def __init__(self, seed: int):
            self.rng, self.sight = random.Random(seed), sight.Sight()

        def answer(self, message: dict[str, Any]) -> dict[str, Any]:
            self.sight.update(message)
            if message["Action"] == "Pick":
                return {"Action": "Pick", "ChooseFishs": [1, 2, 3, 4]}
            if message["Action"] == "Assert":
                return {"Action": "Null"}
            return self.sight.attack_reply(
                self.rng.choice(self.sight.friends()), self.rng.choice(self.sight.enemies())
            )

    wins = sum(match(Random(i), opponents.Baseline2(opponents.Dice(f"r{i}"))).winner == 0 for i in range(40))
    assert wins < 12
