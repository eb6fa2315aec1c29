"""Session: transcript, views, counting, cancelling."""

import threading

import pytest

from agenttuning.episodes.session import Cancelled, Session
from agenttuning.models.scripted import ScriptedEndpoint
from agenttuning.models.types import Generation, ModelError, Reply


class Recorder:
    name = "recorder"

    def __init__(self) -> None:
        self.sent: list[tuple[list, Generation]] = []

    def chat(self, messages, generation):
        self.sent.append((list(messages), generation))
        return Reply(f"reply {len(self.sent)}", prompt_tokens=10, completion_tokens=2, retries=1)


def user(text: str) -> dict:
    return {"role": "user", "content": text}


def assistant(text: str) -> dict:
    return {"role": "assistant", "content": text}


def test_transcript_holds_every_message_once():
    session = Session(Recorder(), Generation())
    messages = [user("one")]
    for n in range(3):
        messages.append(assistant(session.reply(messages)))
        messages.append(user(f"observation {n}"))
    session.finish(messages)
    assert [t["content"] for t in session.transcript] == [
        "one", "reply 1", "observation 0", "reply 2", "observation 1", "reply 3", "observation 2",
    ]  # fmt: skip
    assert session.usage() == {"calls": 3, "retries": 3, "prompt_tokens": 30, "completion_tokens": 6}


def test_cut_reply_is_marked_and_not_doubled():
    session = Session(Recorder(), Generation())
    messages = [user("one")]
    session.reply(messages)
    messages += [assistant("cut"), user("two")]
    session.reply(messages)
    assert session.transcript[1] == {"role": "assistant", "content": "reply 1", "used": "cut"}
    assert [t["role"] for t in session.transcript] == ["user", "assistant", "user", "assistant"]


def test_note_between_reply_and_next_call_is_not_taken_for_the_reply():
    session = Session(Recorder(), Generation())
    messages = [user("one")]
    messages.append(assistant(session.reply(messages)))
    session.note("the world moved")
    messages.append(user("two"))
    session.reply(messages)
    assert [t["role"] for t in session.transcript] == ["user", "assistant", "note", "user", "assistant"]
    assert all("used" not in t for t in session.transcript)


def test_view_is_what_is_sent_and_the_omission_is_noted():
    recorder = Recorder()
    session = Session(recorder, Generation())
    messages = [user("a"), assistant("b"), user("c")]
    session.reply(messages, view=[user("c")])
    assert recorder.sent[0][0] == [user("c")]
    assert [t["content"] for t in session.transcript[:3]] == ["a", "b", "c"]
    assert session.transcript[3]["omitted_messages"] == 2


def test_new_conversation_in_one_episode_is_noted():
    session = Session(Recorder(), Generation())
    session.reply([user("plan")])
    session.reply([user("solve")])
    assert [t["role"] for t in session.transcript] == ["user", "assistant", "note", "user", "assistant"]


def test_system_message_is_added_only_where_there_is_none():
    recorder = Recorder()
    session = Session(recorder, Generation(), system="S")
    session.reply([user("a")])
    session.reply([{"role": "system", "content": "own"}, user("a")])
    assert [sent[0]["content"] for sent, _ in recorder.sent] == ["S", "own"]


def test_each_call_has_its_own_seed():
    recorder = Recorder()
    session = Session(recorder, Generation(seed=100))
    for _ in range(3):
        session.reply([user("a")])
    assert [generation.seed for _, generation in recorder.sent] == [100, 101, 102]


def test_failed_call_is_noted_and_passed_on():
    def fail(messages):
        raise ModelError("down")

    session = Session(ScriptedEndpoint("x", fail), Generation())
    with pytest.raises(ModelError):
        session.reply([user("a")])
    assert session.transcript[-1] == {"role": "note", "content": "the model call failed: down"}


def test_stopped_run_cancels_before_the_next_call():
    stop = threading.Event()
    recorder = Recorder()
    session = Session(recorder, Generation(), stop=stop)
    session.reply([user("a")])
    stop.set()
    with pytest.raises(Cancelled):
        session.reply([user("a")])
    assert len(recorder.sent) == 1
