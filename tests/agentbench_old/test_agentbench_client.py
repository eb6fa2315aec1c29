"""Upstream's client and files: request, reply, retries, sticky errors, serialisation."""

from __future__ import annotations

import socket
import threading

import pytest

from agenttuning.episodes.rooms import load_folder_module
from agenttuning.home import home
from agenttuning.models.types import Generation, Reply, ServerFailure, Unreachable
from tests.fake_tgi import serve

SOURCE = home() / "AgentBench.old" / "src"
client = load_folder_module("agentbench_old", SOURCE, "upstream_client")
layout = load_folder_module("agentbench_old", SOURCE, "layout")

ASKED = [{"role": "user", "content": "q"}]


def endpoint(*ports: int, sleeps: list[float] | None = None):
    urls = [f"http://127.0.0.1:{port}" for port in ports]
    return client.UpstreamEndpoint(
        "agentlm", urls, "llama-2", sleep=[].append if sleeps is None else sleeps.append
    )


def test_request_over_http():
    with serve(lambda prompt: "yes") as server:
        made = endpoint(server.port)
        assert made.chat(ASKED, Generation(max_new_tokens=128)).text == "yes"
        assert made.alive() and made.info()["model_id"] == "fake"
    parameters = {"max_new_tokens": 128, "do_sample": False, "temperature": 0.7, "truncate": 3968}
    assert server.requests == [{"inputs": "[INST] q [/INST]", "parameters": parameters}]
    assert server.content_types == ["application/json"]


def test_every_port_is_used():
    with serve(lambda prompt: "a") as one, serve(lambda prompt: "b") as two:
        made = endpoint(one.port, two.port)
        assert {made.chat(ASKED, Generation()).text for _ in range(40)} == {"a", "b"}


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b'{"generated_text": " a "}', " a "),
        (b'{"generated_text": "a"}\0{"generated_text": "b"}\0', "b"),
        (b'{"generated_text": "a"}\0junk', ""),
        (b'{"error": "overloaded"}', ""),
        (b"\xff\xfe", ""),
        (b"null", ""),
        (b"", ""),
    ],
)
def test_reply_text(body: bytes, text: str):
    assert client.reply_text(body) == text


def test_status_is_ignored():
    with serve(lambda prompt: (500, '{"generated_text": "still used"}')) as server:
        assert endpoint(server.port).chat(ASKED, Generation()).text == "still used"


def test_refused_connections_are_tried_three_times():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    sleeps: list[float] = []
    with pytest.raises(Unreachable):
        endpoint(port, sleeps=sleeps).chat(ASKED, Generation())
    assert sleeps == [5, 5, 5]


def test_a_body_that_breaks_off_is_not_tried_again():
    listener = socket.create_server(("127.0.0.1", 0))

    def break_off() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(65536)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{")

    thread = threading.Thread(target=break_off)
    thread.start()
    sleeps: list[float] = []
    with listener, pytest.raises(ServerFailure):
        endpoint(listener.getsockname()[1], sleeps=sleeps).chat(ASKED, Generation())
    thread.join()
    assert sleeps == []


def test_a_failed_call_makes_the_session_mute(capsys):
    class Flaky:
        name = "flaky"
        calls = 0

        def chat(self, messages, generation):
            self.calls += 1
            if self.calls == 2:
                raise Unreachable("gone")
            return Reply("here")

    flaky = Flaky()
    session = client.StickySession(flaky)
    assert [session.chat(ASKED, Generation()).text for _ in range(4)] == ["here", "", "", ""]
    assert flaky.calls == 2 and session.broken
    assert capsys.readouterr().err.count("gone") == 1
    assert not client.StickySession(flaky).broken


@pytest.mark.parametrize(
    "history",
    [
        [{"role": "system", "content": "s"}],
        [{"role": "assistant", "content": "x"}],
        [{"role": "user", "content": None}],
    ],
)
def test_histories_upstream_refuses(history):
    with pytest.raises(ValueError):
        client.to_messages(history)


class Box:
    def __init__(self):
        self.values = list(range(9))
        self.name = "box"


def test_serialize_shortens_objects_only():
    assert layout.serialize(list(range(9))) == list(range(9))
    assert layout.serialize(Box()) == {"values": [0, 1, 2, 3, 4, "...(total: 9)"], "name": "box"}
    assert layout.serialize({1: (2, None)}) == {"1": [2, None]}
    text = layout.serialize(b"x" * 200)
    assert len(text) == 45 + 9 + 45 and "   ...   " in text
    deep: list = []
    for _ in range(7):
        deep = [deep]
    assert layout.serialize(deep) == [[[[["..."]]]]]


def test_history_leaves_out_what_upstream_does_not_have():
    transcript = [
        {"role": "system", "content": "s"},
        {"role": "user", "content": "u"},
        {"role": "assistant", "content": "a", "finish_reason": "length"},
        {"role": "note", "content": "n"},
    ]
    assert layout.history(transcript) == [{"role": "user", "content": "u"}, {"role": "agent", "content": "a"}]


def test_database_results_are_fractions_under_upstreams_names():
    metrics = {
        "SELECT_accuracy": {"value": 37.5, "n": 8},
        "overall_cat_accuracy": {"value": 50.0, "n": 16},
        "overall_cat_accuracy_strict": {"value": 40.0, "n": 16},
        "average_round": {"value": 4.5, "n": 16},
    }
    found = layout.results("dbbench", metrics)
    assert found == {"SELECT_accuracy": 0.375, "overall_cat_accuracy": 0.5, "average_round": [4.5, 16]}
