"""The OpenAI-compatible client."""

import pytest

from agenttuning.errors import KitError
from agenttuning.models.http import RetryPolicy
from agenttuning.models.openai import OpenAIEndpoint
from agenttuning.models.types import ContextLimit, Generation, RequestRefused, ServerFailure
from tests.fake_server import fake_server

FAST = RetryPolicy(attempts=2, first_wait=0.001, timeout=0.5)
HELLO = [{"role": "user", "content": "Hello"}]
CHAT = (
    200,
    {
        "choices": [{"message": {"role": "assistant", "content": "hi"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 3, "completion_tokens": 1},
    },
)
TEXT = (200, {"choices": [{"text": "hi", "finish_reason": "length"}]})


def test_chat_route_with_the_servers_own_template():
    with fake_server(CHAT) as fake:
        reply = OpenAIEndpoint("m", fake.url + "/v1", "gpt-x", policy=FAST).chat(
            HELLO, Generation(max_new_tokens=5)
        )
    sent = fake.requests[0]
    assert sent["path"] == "/v1/chat/completions"
    assert sent["body"] == {"messages": HELLO, "model": "gpt-x", "max_tokens": 5, "temperature": 0.0}
    assert (reply.text, reply.prompt_tokens, reply.finish_reason) == ("hi", 3, "eos_token")


def test_template_goes_through_completions_like_tgi():
    with fake_server(TEXT) as fake:
        client = OpenAIEndpoint("m", fake.url + "/v1", "m", template="llama-2", policy=FAST, truncate=True)
        reply = client.chat(HELLO, Generation(temperature=0.7, truncate=99, seed=4, stop=("X",)))
    body = fake.requests[0]["body"]
    assert fake.requests[0]["path"] == "/v1/completions" and body["prompt"] == "[INST] Hello [/INST]"
    assert (
        body["temperature"] == 0.7
        and body["truncate_prompt_tokens"] == 99
        and body["seed"] == 4
        and body["stop"] == ["X"]
    )
    assert reply.finish_reason == "length"


def test_key_comes_from_the_environment_and_is_asked_for(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("SOME_KEY", raising=False)
    with fake_server(CHAT) as fake:
        with pytest.raises(KitError, match="SOME_KEY"):
            OpenAIEndpoint("m", fake.url, "m", api_key_env="SOME_KEY")
        monkeypatch.setenv("SOME_KEY", "secret")
        OpenAIEndpoint("m", fake.url, "m", api_key_env="SOME_KEY", policy=FAST).chat(HELLO, Generation())
    assert fake.requests[0]["headers"]["Authorization"] == "Bearer secret"


def test_context_limit_of_openai_error_object():
    error = {
        "error": {
            "message": "This model's maximum context length is 4097 tokens",
            "code": "context_length_exceeded",
        }
    }
    with fake_server((400, error)) as fake, pytest.raises(ContextLimit):
        OpenAIEndpoint("m", fake.url, "m", policy=FAST).chat(HELLO, Generation())


def test_reply_without_choices_is_a_server_failure():
    with fake_server((200, {"choices": []})) as fake, pytest.raises(ServerFailure):
        OpenAIEndpoint("m", fake.url, "m", policy=FAST).chat(HELLO, Generation())


def test_wrong_model_name_is_told_before_any_episode():
    with fake_server(info={"data": [{"id": "other"}]}) as fake, pytest.raises(RequestRefused, match="other"):
        OpenAIEndpoint("m", fake.url, "m", policy=FAST).info()
