"""The episode loop against a scripted simulator."""

from __future__ import annotations

import itertools

import pytest

from agenttuning.episodes.types import Status
from agenttuning.models.types import ContextLimit, Unreachable

from .fakes import FakeLab, Model, play, prompt, room


def numbered(form: str):
    """A model whose replies are all different."""
    counter = itertools.count()
    return lambda messages, view: form.format(next(counter))


def test_conversation_has_rules_demonstration_task_and_flat_observations():
    lab = FakeLab(("It is\n\topen.", 40, False), ("Done", 100, True), valid=("open box", "go"))
    model = Model("Think: open it", "Action: open box", "Action: go")
    episode = play(lab, model)
    task = "Next one.\nA lab.  a box\nYour task is to open the box."
    assert model.sent[0] == ["Rules.", "Yes.", "E0", "Action: e0", "E1", "Action: e1", task]
    assert model.sent[2][-4:] == ["Think: open it", "OK.", "Action: open box", "It is  open."]
    assert lab.commands == ["open box", "go"]
    assert (episode.score, episode.end, episode.replies, episode.thoughts) == (100, "completed", 3, 1)
    assert episode.messages[-1]["content"] == "Done"


def test_thought_that_also_holds_an_action_runs_nothing():
    lab = FakeLab(("Done", 100, True))
    play(lab, Model("Think: now.\nAction: wait", "Action: open box"))
    assert lab.commands == ["open box"]


def test_lower_case_think_is_an_action():
    lab = FakeLab(("Done", 100, True), valid=("wait",))
    play(lab, Model("think: wait"))
    assert lab.commands == ["wait"]


def test_four_equal_steps_end_the_episode_and_keep_the_score():
    lab = FakeLab(("same", 7, False))
    episode = play(lab, Model("Action: open box"))
    assert (len(lab.commands), episode.end, episode.score) == (4, "loop_stop", 7)
    assert room("protocol").STATUS[episode.end] is Status.REPETITION


def test_four_equal_thoughts_end_the_episode_at_zero():
    episode = play(FakeLab(("x", 50, False)), Model("Think: hm"))
    assert (episode.replies, episode.end, episode.score) == (4, "loop_stop", 0)


def test_equal_actions_with_different_answers_go_on():
    script = [(f"answer {i}", 0, False) for i in range(6)] + [("end", 100, True)]
    assert play(FakeLab(*script), Model("Action: open box")).end == "completed"


def test_ten_failures_in_a_row_stop_with_the_score_before():
    lab = FakeLab(*[("ok", 9, False)], *[("That can't be.", 9, False)] * 9, ("You can't.", 60, False))
    episode = play(lab, numbered("Action: zz{}"))
    assert (len(lab.commands), episode.end, episode.score) == (11, "invalid_stop", 9)


def test_thoughts_do_not_reset_failures_and_a_good_observation_does():
    bad, good = ("You can't.", 0, False), ("ok", 0, False)
    lab = FakeLab(*[bad] * 9, good, *[bad] * 30)
    counter = itertools.count()

    def model(messages, view):
        i = next(counter)
        return f"Think: {i}" if i % 2 else f"Action: zz{i}"

    episode = play(lab, model)
    assert (len(lab.commands), episode.end) == (20, "invalid_stop")


def test_negative_score_ends_with_the_score_before():
    lab = FakeLab(("a", 42, False), ("wrong", -100, True), valid=("open box", "wait"))
    episode = play(lab, Model("Action: open box", "Action: wait"))
    assert (episode.score, episode.end) == (42, "negative_stop")


def test_move_limit_and_reply_limit():
    names = tuple(f"go room{i}" for i in range(30))
    script = [(f"o{i}", i, False) for i in range(30)]
    moved = play(FakeLab(*script, valid=names), numbered("Action: go room{}"), limit=5)
    assert (moved.end, moved.moves, moved.score) == ("move_limit", 6, 5)
    talked = play(FakeLab(*script), numbered("Think: {}"), limit=5)
    assert (talked.end, talked.replies) == ("reply_limit", 10)


def test_full_score_on_the_last_move_is_completed():
    script = [("a", 10, False), ("b", 20, False), ("c", 100, True)]
    episode = play(FakeLab(*script, valid=("go 0", "go 1", "go 2")), numbered("Action: go {}"), limit=2)
    assert (episode.end, episode.score) == ("completed", 100)


def test_prompt_that_cannot_be_shortened_keeps_the_score_reached():
    long = "w " * 5000
    episode = play(FakeLab((long, 7, False)), Model("Action: open box"), text=prompt(1))
    assert (episode.end, episode.score, episode.replies) == ("context_stop", 7, 1)


def test_server_that_refuses_the_length_ends_the_episode_but_other_failures_pass():
    calls = itertools.count()

    def refuses(messages, view):
        if next(calls):
            raise ContextLimit("too long")
        return "Action: open box"

    assert play(FakeLab(("a", 30, False)), refuses).score == 30

    def dead(messages, view):
        raise Unreachable("nobody there")

    with pytest.raises(Unreachable):
        play(FakeLab(), dead)
