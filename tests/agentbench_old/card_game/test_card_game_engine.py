"""The rules, each with numbers worked out by hand, and whole games of random legal moves."""

from __future__ import annotations

import random
from typing import Any

import pytest

from .conftest import room

engine, checks, combat, fish = room("engine"), room("checks"), room("combat"), room("fish")
Game, Phase, Error = engine.Game, engine.Phase, checks.Error

NULL = {"Action": "Null"}


def pick(*ids: int, **more: Any) -> dict[str, Any]:
    return {"Action": "Pick", "ChooseFishs": list(ids), **more}


def guess(position: int, fish_id: int) -> dict[str, Any]:
    return {"Action": "Assert", "Pos": position, "ID": fish_id}


def attack(mine: int, theirs: int) -> dict[str, Any]:
    return {"Action": "Action", "Type": 0, "MyPos": mine, "EnemyPos": theirs}


def skill(mine: int, friends: list[int], enemies: list[int]) -> dict[str, Any]:
    return {"Action": "Action", "Type": 1, "MyPos": mine, "MyList": friends, "EnemyList": enemies}


def started(
    first: tuple[int, ...] = (1, 2, 3, 4), second: tuple[int, ...] = (1, 2, 3, 4), draw: Any = None
) -> Any:
    game = Game(draw or (lambda: pytest.fail("no number may be drawn")))
    game.submit(pick(*first))
    game.submit(pick(*second))
    return game


def acted(game: Any, reply: dict[str, Any]) -> Any:
    """The game after a turn without a guess."""
    game.submit(NULL)
    game.submit(reply)
    return game


def hp(game: Any, player: int) -> list[int]:
    return [one.hp for one in game.teams[player]]


def test_plain_hit_takes_half_the_attack() -> None:
    game = acted(started(), attack(0, 1))
    assert hp(game, 1) == [400, 300, 400, 400] and game.turn == 1 and game.phase == Phase.ASSERT
    assert game.last_clash[0].hits == [(1, 1, 100, True, 1)]


def test_who_deflects_takes_seventy_percent_and_the_others_share_thirty() -> None:
    game = acted(started(), attack(0, 2))
    assert hp(game, 1) == [390, 390, 330, 390]
    clash = game.last_clash[0]
    assert clash.passives == [("deflect", 2, 1, 70.0, 1)]
    assert [h[3] for h in clash.hits] == [False, False, False, True]


def test_last_fish_standing_cannot_deflect() -> None:
    game = started()
    for one in game.teams[1][:2] + game.teams[1][3:]:
        one.hp, one.dead = 0, True
    assert hp(acted(game, attack(0, 2)), 1) == [0, 0, 300, 0]


def test_two_hundred_wounds_raise_the_attack_of_eel_and_sunfish_only() -> None:
    game = started()
    game.teams[1][2].wound = game.teams[1][0].wound = 190
    acted(game, attack(0, 2))
    assert game.teams[1][2].atk == 240 and game.teams[1][2].wound == 60
    assert game.teams[1][0].atk == 200 and game.teams[1][0].wound == 200


def test_area_attacks() -> None:
    game = started()
    acted(game, skill(0, [], [3, 1, 0, 2]))  # the order of a list does not matter
    # each takes 70, but eel and sunfish take 49 and give 7 to the three others
    assert hp(game, 1) == [400 - 70 - 7 - 7, 400 - 70 - 14, 400 - 49 - 7, 400 - 49 - 7]
    game = started()
    game.teams[0][2].atk = 341
    acted(game, skill(2, [], [0, 1, 2, 3]))
    assert game.last_clash[0].targets[0] == (0, 1, 119)  # 35 % of 341, cut


def test_infight_hurts_a_friend_without_waking_his_passive() -> None:
    game = acted(started(), skill(1, [2], []))
    assert hp(game, 0) == [400, 400, 325, 400] and game.teams[0][1].atk == 340
    assert game.last_clash[0].passives == [] and game.last_clash[0].hits == [(2, 0, 75, False, 1)]


def test_each_spray_and_flame_avenges_a_weak_team_mate() -> None:
    game = started()
    game.teams[1][3].hp = 200
    acted(game, attack(0, 3))  # 70 stay with the sunfish: 130, not below 120
    assert hp(game, 0)[0] == 400
    game = started()
    game.teams[1][3].hp = 189
    acted(game, attack(0, 3))
    assert hp(game, 1)[3] == 119 and hp(game, 0)[0] == 400 - 30 - 30
    assert [p[:3] for p in game.last_clash[0].passives] == [
        ("deflect", 3, 1),
        ("counter", 3, 1),
        ("counter", 3, 1),
    ]


def test_a_fish_does_not_avenge_itself() -> None:
    game = started()
    game.teams[1][0].hp = 150
    assert hp(acted(game, attack(0, 0)), 0)[0] == 400 - 30  # flame only


def test_fish_at_zero_acts_until_the_action_is_over() -> None:
    game = started()
    game.teams[1][0].hp = 60
    acted(game, skill(0, [], [0, 1, 2, 3]))
    # spray dies at its first hit and still gets its shares of 7 and 7
    assert game.teams[1][0].hp == 60 - 70 - 14 and game.teams[1][0].dead
    assert game._board(0)["EnemyHP"][0] == 0


def test_right_guess_exposes_and_hurts_all_even_the_dead() -> None:
    game = started()
    game.teams[1][3].hp, game.teams[1][3].dead = -12, True
    game.teams[1][2].hp = 40
    game.submit(guess(1, 2))
    assert hp(game, 1) == [350, 350, 0, 0] and game.teams[1][1].exposed and game.teams[1][2].dead
    assert game.last_guess == {"AssertPos": 1, "AssertContent": 2, "AssertResult": True}
    assert game.message()["GameInfo"]["EnemyFish"] == [-1, 2, -1, -1]


def test_wrong_guess_only_tidies_up_the_own_dead() -> None:
    game = started()
    game.teams[0][3].hp, game.teams[0][3].dead = -12, True
    game.submit(guess(1, 3))
    assert hp(game, 0) == [400, 400, 400, 0] and hp(game, 1) == [400] * 4


def test_guess_can_end_the_game() -> None:
    game = started()
    for one in game.teams[1]:
        one.hp = 50
    game.submit(guess(0, 1))
    assert game.over and game.winner == 0 and game.end_info() == {"0": 100, "1": 0}
    assert game.finish(0)["MyAssert"]["AssertResult"] is True
    assert game.finish(1)["EnemyAction"] is None and game.finish(1)["Result"] == "Lose"


def test_who_acted_wins_when_both_sides_are_gone() -> None:
    game = started()
    for one in game.teams[0][1:] + game.teams[1][2:]:
        one.hp, one.dead = 0, True
    game.teams[0][0].hp = 30
    game.teams[1][0].hp = game.teams[1][1].hp = 50
    acted(game, skill(0, [], [0, 1]))
    assert hp(game, 0)[0] <= 0 and game.over and game.winner == 0


def test_phase_limit_and_its_tie_breaks() -> None:
    game = started()
    game.state = engine.STATE_LIMIT
    game.submit(NULL)
    assert game.over and game.limit_reached and game.winner == 1  # all equal: who moved second
    for change, winner in (
        (lambda g: setattr(g.teams[1][0], "hp", 399), 0),
        (lambda g: setattr(g.teams[0][0], "hp", 0), 1),
    ):
        game = started()
        game.state = engine.STATE_LIMIT
        change(game)
        game.submit(NULL)
        assert game.winner == winner
    game = started()
    game.state = engine.STATE_LIMIT
    game.teams[0][0].hp, game.teams[0][1].hp, game.teams[1][0].hp, game.teams[1][1].hp = 300, 300, 350, 250
    game.submit(NULL)
    assert game.winner == 1  # same number, same sum, same best (400)


@pytest.mark.parametrize(
    ("setup", "reply", "error"),
    [
        ("pick", "no json", Error.PARSE),
        ("pick", "[" * 100_000, Error.PARSE),
        ("pick", pick(1, 2, 3, True), Error.TYPE),
        ("pick", pick(1, 2, 3, 3), Error.CHOICE_REPEAT),
        ("pick", pick(1, 2, 3, 12, ImitateFish=0), Error.RANGE),
        ("pick", pick(1, 2, 3, 2**40), Error.TYPE),
        ("assert", None, Error.TYPE),
        ("assert", {"Action": 5}, Error.TYPE),
        ("assert", guess(0, 0), Error.RANGE),
        ("assert", {"Action": "Assert", "Pos": 1.5, "ID": 1}, Error.TYPE),
        ("dead", guess(0, 1), Error.ASSERT_DEAD),
        ("exposed", guess(0, 1), Error.ASSERT_EXPOSED),
        ("action", {}, Error.KEY_MISSING),
        ("action", attack(4, 0), Error.RANGE),
        ("action", skill(0, [], []), Error.ACTION_RULES),
        ("action", {**skill(0, [], [0, 1, 2, 3]), "MyList": "none"}, Error.TYPE),
        ("action dead", attack(0, 0), Error.ACTION_WITH_DEAD_FISH),
        ("action dead", skill(0, [], [0, 1, 2, 3]), Error.ACTION_WITH_DEAD_FISH),
    ],
)  # fmt: skip
def test_bad_reply_loses_at_once(setup: str, reply: Any, error: Any) -> None:
    game = Game() if setup == "pick" else started()
    if setup.endswith("dead"):
        game.teams[1][0].hp, game.teams[1][0].dead = 0, True
    if setup == "exposed":
        game.teams[1][0].exposed = True
    if setup.startswith("action"):
        game.submit(NULL)
    before = [hp(game, 0), hp(game, 1)] if setup != "pick" else None
    game.submit(reply)
    assert game.over and game.winner == 1 and game.faults[0]["player"] == 0
    assert game.faults[0]["type"] == error
    assert before is None or before == [hp(game, 0), hp(game, 1)]
    with pytest.raises(ValueError, match="over"):
        game.submit(NULL)


def test_frames_that_blame_both_leave_no_winner() -> None:
    game = started()
    game.blame_both()
    assert game.over and game.end_info() == {"0": 0, "1": 0}


@pytest.mark.parametrize(
    ("kind", "friends", "enemies", "code"),
    [
        (1, [1], [0, 1, 2, 3], 1), (1, [], [], 4), (1, [], [0, 1], 10), (1, [], [0, 1, 2, 3], None),
        (2, [], [], 2), (2, [1, 2], [], 5), (2, [1], [0], 3), (2, [0], [], 7), (2, [1], [], None),
        (5, [], [], 4), (5, [], [0, 1], 6), (5, [1], [0], 1), (5, [], [2], None),
        (6, [], [], 2), (8, [0], [], None), (6, [0], [1], 3),
        (7, [1], [], 4), (7, [0], [1], 8), (7, [1], [1], None), (11, [1], [0], 10), (11, [1], [0, 1, 2, 3], None),
        (9, [], [1], 9), (10, [], [0], None), (10, [2], [0], 1),
    ],
)  # fmt: skip
def test_skill_positions(kind: int, friends: list[int], enemies: list[int], code: int | None) -> None:
    game = started((kind, *[k for k in (1, 2, 3, 4) if k != kind][:3]), (1, 2, 3, 4))
    game.teams[1][0].hp = 300
    assert combat.skill_error(game.teams, game.teams[0][0], friends, enemies) == code


def test_turtle_and_clownfish_only_help_after_three_uses() -> None:
    game = started((7, 11, 1, 2), (1, 2, 3, 4))
    turtle, clown = game.teams[0][0], game.teams[0][1]
    turtle.used = clown.used = 3
    assert combat.skill_error(game.teams, turtle, [1], [0]) == 3
    assert combat.skill_error(game.teams, clown, [0], []) is None
    acted(game, skill(0, [1], []))
    assert game.last_clash[0].kind == "subtle" and clown.buff == fish.LIFE_ON_HIT


def test_evading_fish_draw_their_own_numbers() -> None:
    numbers = iter([0.3, 0.30001])
    game = started((1, 2, 3, 4), (6, 5, 2, 3), draw=lambda: next(numbers))
    acted(game, attack(0, 0))
    assert hp(game, 1)[0] == 400 and game.last_clash[0].passives == [("reduce", 0, 1, 0.0, 1)]
    acted(game, attack(0, 0))
    acted(game, attack(0, 1))
    assert hp(game, 1)[1] == 300


def test_messages_tell_each_player_his_own_view() -> None:
    game = started((1, 2, 3, 4), (4, 3, 2, 1))
    message = game.message()
    assert message["EnemyAction"] is None and message["EnemyAssert"] is None
    game.submit(guess(0, 4))
    game.submit(attack(0, 1))
    seen = game.message()
    assert seen["EnemyAssert"]["AssertResult"] is True
    assert seen["GameInfo"]["MyFish"] == [-4, 3, 2, 1] and seen["GameInfo"]["EnemyFish"] == [-1] * 4
    assert all(hit["isEnemy"] is False for hit in seen["EnemyAction"]["hit"])
    assert seen["EnemyAction"]["passive"][0]["type"] == "deflect"
    game.submit(NULL)
    game.submit(attack(0, 0))
    again = game.message()
    assert "passive" not in again["EnemyAction"]
    assert all(hit["isEnemy"] is True for hit in again["MyAction"]["hit"])


def legal(game: Any, rng: random.Random) -> dict[str, Any]:
    mine, theirs = game.teams[game.turn], game.teams[1 - game.turn]
    friends = [f.position for f in mine if not f.dead]
    enemies = [f.position for f in theirs if not f.dead]
    if game.phase == Phase.ASSERT:
        hidden = [f.position for f in theirs if not f.dead and not f.exposed]
        return guess(rng.choice(hidden), rng.randint(1, 4)) if hidden and rng.random() < 0.8 else NULL
    me = rng.choice(friends)
    others = [p for p in friends if p != me]
    if rng.random() < 0.4:
        return attack(me, rng.choice(enemies))
    if mine[me].id in (1, 3):
        return skill(me, [], enemies)
    return skill(me, [rng.choice(others)], []) if others else attack(me, rng.choice(enemies))


@pytest.mark.parametrize("seed", range(60))
def test_random_games_end_by_wipe_out_and_keep_their_promises(seed: int) -> None:
    rng = random.Random(seed)
    ids = [[1, 2, 3, 4], [1, 2, 3, 4]]
    for team in ids:
        rng.shuffle(team)
    game = started(tuple(ids[0]), tuple(ids[1]))
    while not game.over:
        before = sum(max(0, h) for p in (0, 1) for h in hp(game, p))
        acts = game.phase == Phase.ACTION
        game.submit(legal(game, rng))
        after = sum(max(0, h) for p in (0, 1) for h in hp(game, p))
        assert after <= before and (not acts or after < before)
        for one in game.teams[0] + game.teams[1]:
            assert one.dead == (one.hp <= 0) and one.hp <= 400 and one.wound >= 0
    assert not game.faults and not game.limit_reached and game.state <= 60 + 54
    assert all(one.dead for one in game.teams[1 - game.winner])
