"""The TGI client: what it sends, what it makes of replies, what it retries."""

import threading

import pytest

from agenttuning.errors import KitError
from agenttuning.models.http import RetryPolicy, is_context_limit
from agenttuning.models.tgi import TgiEndpoint
from agenttuning.models.types import (
    ContextLimit,
    Generation,
    Overloaded,
    RequestRefused,
    ServerFailure,
    Unreachable,
)
from tests.fake_server import fake_server, free_port

FAST = RetryPolicy(attempts=3, first_wait=0.001, longest_wait=0.002, timeout=0.5, connect_timeout=0.5)
GOOD = (200, {"generated_text": " hello ", "details": {"finish_reason": "length", "generated_tokens": 7}})
HELLO = [{"role": "user", "content": "Hello"}]


def endpoint(url: str, **settings: object) -> TgiEndpoint:
    return TgiEndpoint("test", url, "llama-2", policy=FAST, **settings)  # type: ignore[arg-type]


def test_request_carries_the_rendered_prompt_and_only_what_is_set():
    with fake_server(GOOD) as fake:
        reply = endpoint(fake.url, details=False).chat(
            HELLO, Generation(max_new_tokens=128, temperature=0.7, truncate=3968)
        )
    assert fake.requests[0]["path"] == "/generate"
    assert fake.requests[0]["body"] == {
        "inputs": "[INST] Hello [/INST]",
        "parameters": {"max_new_tokens": 128, "do_sample": False, "temperature": 0.7, "truncate": 3968},
    }
    assert reply.text == " hello " and reply.completion_tokens == 7 and reply.finish_reason == "length"


def test_stop_strings_of_template_and_call_are_joined_once():
    with fake_server(GOOD) as fake:
        client = endpoint(fake.url, stop=("</s>",))
        client.chat(HELLO, Generation(stop=("Question:", "</s>")))
    assert fake.requests[0]["body"]["parameters"]["stop"] == ["Question:", "</s>"]


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_transient_status_is_retried(status: int):
    with fake_server((status, {"error": "x"}), (status, b"not json"), GOOD) as fake:
        reply = endpoint(fake.url).chat(HELLO, Generation())
    assert reply.retries == 2 and len(fake.requests) == 3


@pytest.mark.parametrize("step", ["reset", "hang", "truncate", (200, b"<html>proxy</html>")])
def test_broken_reply_is_retried(step: object):
    with fake_server(step, GOOD) as fake:  # type: ignore[arg-type]
        assert endpoint(fake.url).chat(HELLO, Generation()).text == " hello "
    assert len(fake.requests) == 2


@pytest.mark.parametrize("status", [400, 401, 404, 413, 422])
def test_refusal_is_never_retried(status: int):
    with fake_server((status, {"error": "Input validation error: `top_p` must be > 0.0 and < 1.0"})) as fake:
        with pytest.raises(RequestRefused) as caught:
            endpoint(fake.url).chat(HELLO, Generation())
    assert len(fake.requests) == 1 and not isinstance(caught.value, ContextLimit)


@pytest.mark.parametrize(
    "text",
    [
        "Input validation error: `inputs` must have less than 4096 tokens. Given: 5000",
        "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 2048. Given: 2000 `inputs` tokens and 100 `max_new_tokens`",
        "This model's maximum context length is 4096 tokens. However, you requested 5000 tokens",
    ],
)
def test_too_long_prompt_is_a_context_limit(text: str):
    assert is_context_limit(text)
    with fake_server((422, {"error": text, "error_type": "validation"})) as fake, pytest.raises(ContextLimit):
        endpoint(fake.url).chat(HELLO, Generation())


def test_424_is_tried_once_more_only():
    with (
        fake_server((424, {"error": "Request failed during generation"})) as fake,
        pytest.raises(ServerFailure),
    ):
        endpoint(fake.url).chat(HELLO, Generation())
    assert len(fake.requests) == 2


def test_failures_are_typed_by_cause_after_the_last_attempt():
    with fake_server((429, {"error": "Model is overloaded"})) as fake, pytest.raises(Overloaded, match="429"):
        endpoint(fake.url).chat(HELLO, Generation())
    assert len(fake.requests) == FAST.attempts
    with fake_server((200, b"nonsense")) as fake, pytest.raises(ServerFailure, match="not JSON"):
        endpoint(fake.url).chat(HELLO, Generation())
    with (
        fake_server((200, {"text": "no generated_text"})) as fake,
        pytest.raises(ServerFailure, match="generated_text"),
    ):
        endpoint(fake.url).chat(HELLO, Generation())
    with fake_server("hang") as fake, pytest.raises(Unreachable, match="did not answer within 0.5 s"):
        endpoint(fake.url).chat(HELLO, Generation())
    with pytest.raises(Unreachable, match="nothing listens"):
        endpoint(f"http://127.0.0.1:{free_port()}").chat(HELLO, Generation())


def test_connection_is_kept_and_reused():
    with fake_server(GOOD) as fake:
        client = endpoint(fake.url)
        for _ in range(5):
            client.chat(HELLO, Generation())
        assert fake.connections == 1


def test_idle_connection_closed_by_the_server_costs_no_attempt():
    with fake_server("close") as fake:
        client = endpoint(fake.url)
        assert [client.chat(HELLO, Generation()).retries for _ in range(4)] == [0, 0, 0, 0]


def test_many_threads_share_one_client():
    with fake_server(GOOD) as fake:
        client = endpoint(fake.url)
        texts: list[str] = []
        threads = [
            threading.Thread(target=lambda: texts.append(client.chat(HELLO, Generation()).text))
            for _ in range(16)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert texts == [" hello "] * 16


def test_health_and_info():
    with fake_server() as fake:
        client = endpoint(fake.url)
        assert client.alive() and client.info()["model_id"] == "fake"
    assert not client.alive()
    with pytest.raises(Unreachable):
        client.info()


@pytest.mark.parametrize("url", ["127.0.0.1:80", "ftp://x", "http://", "http://[::1", "http://h:99999999"])
def test_nonsense_url_is_named(url: str):
    with pytest.raises(KitError, match="is not a URL"):
        endpoint(url)
