"""The OpenAI-like routes, on a scripted engine."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from agenttuning.serving.backend import Token
from agenttuning.serving.errors import BackendFailure
from tests.serving.conftest import FakeBackend, words

USER = [{"role": "user", "content": "Hi"}]


def chat(client: httpx.Client, **body: Any) -> httpx.Response:
    return client.post("/v1/chat/completions", json={"messages": USER, **body})


def chunks(reply: httpx.Response) -> list[dict[str, Any]]:
    parts = [part[len("data: ") :] for part in reply.text.split("\n\n") if part.startswith("data: ")]
    assert parts.pop() == "[DONE]"
    return [json.loads(part) for part in parts]


def test_chat_reply(client: httpx.Client) -> None:
    reply = chat(client, model="tgi").json()
    assert reply.pop("created") > 0
    assert reply.pop("system_fingerprint").endswith("-fake")
    assert reply == {
        "object": "chat.completion",
        "id": "",
        "model": "org/fake",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": " Hello world"},
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        "usage": {"prompt_tokens": 21, "completion_tokens": 3, "total_tokens": 24},
    }


@pytest.mark.parametrize(
    ("body", "greedy"), [({}, False), ({"temperature": 0.0}, True), ({"temperature": 0.5}, False)]
)
def test_only_temperature_zero_is_greedy(
    client: httpx.Client, backend: FakeBackend, body: dict[str, Any], greedy: bool
) -> None:
    chat(client, **body)
    client.post("/v1/completions", json={"prompt": "a", **body})
    assert [job.sampling.greedy for job in backend.jobs] == [greedy, greedy]


def test_chat_parameters(client: httpx.Client, backend: FakeBackend) -> None:
    chat(client, max_completion_tokens=2, presence_penalty=-0.5, frequency_penalty=0.25, seed=7, top_p=0.9)
    job = backend.jobs[0]
    assert job.max_new_tokens == 2
    assert job.sampling.repetition_penalty == 1.5
    assert (job.sampling.frequency_penalty, job.sampling.seed, job.sampling.top_p) == (0.25, 7, 0.9)
    assert chat(client, max_tokens=2).json()["choices"][0]["finish_reason"] == "length"
    assert chat(client, stop=["Hello"]).json()["choices"][0]["finish_reason"] == "stop_sequence"


def test_chat_reads_text_parts(client: httpx.Client, backend: FakeBackend) -> None:
    parts = [{"type": "text", "text": "one "}, {"type": "text", "text": "two"}]
    chat(client, messages=[{"role": "user", "content": parts}])
    assert "".join(map(chr, backend.jobs[0].ids)).startswith("[user] one two\n")
    image = [{"type": "image_url", "image_url": {"url": "x"}}]
    assert chat(client, messages=[{"role": "user", "content": image}]).status_code == 422


def test_chat_logprobs(client: httpx.Client, backend: FakeBackend) -> None:
    backend.script = [Token(5, "x", -0.5, top=((5, "x", -0.5),))]
    choice = chat(client, logprobs=True, top_logprobs=1, max_tokens=1).json()["choices"][0]
    top = [{"token": "x", "logprob": -0.5}]
    assert choice["logprobs"] == {"content": [{"token": "x", "logprob": -0.5, "top_logprobs": top}]}
    assert backend.jobs[0].logprobs and backend.jobs[0].top_n == 1


def test_chat_stream(client: httpx.Client) -> None:
    items = chunks(chat(client, stream=True, stream_options={"include_usage": True}))
    deltas = [item["choices"][0]["delta"] for item in items[:3]]
    assert deltas == [{"role": "assistant", "content": text} for text in (" Hello", " world", "")]
    assert [item["choices"][0]["finish_reason"] for item in items[:3]] == [None, None, "stop"]
    assert items[3]["choices"] == []
    assert items[3]["usage"] == {"prompt_tokens": 21, "completion_tokens": 3, "total_tokens": 24}
    assert len(chunks(chat(client, stream=True))) == 3


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ({"messages": []}, "validation"),
        ({"temperature": -1}, "validation"),
        ({"tools": [{"type": "function"}]}, "tool_error"),
        ({"response_format": {"type": "json_object"}}, "validation"),
    ],
)
def test_chat_errors(client: httpx.Client, backend: FakeBackend, body: dict[str, Any], kind: str) -> None:
    backend.chat_template = "{% for m in messages %}{{ m.content }}{% endfor %}"
    reply = chat(client, **body)
    assert (reply.status_code, reply.json()["error_type"]) == (422, kind)


def test_template_errors(client: httpx.Client, backend: FakeBackend) -> None:
    for template in (None, "{{ raise_exception('roles must alternate') }}", "{{ ''.__class__.__mro__ }}"):
        backend.chat_template = template
        reply = chat(client)
        assert (reply.status_code, reply.json()["error_type"]) == (422, "template_error")
        assert reply.json()["error"].startswith("Template error: ")


def test_stream_errors_are_openai_shaped(client: httpx.Client, backend: FakeBackend) -> None:
    assert chunks(chat(client, stream=True, temperature=-1)) == [
        {
            "error": {
                "message": "Input validation error: `temperature` must be strictly positive",
                "http_status_code": 422,
            }
        }
    ]
    backend.script = [BackendFailure("gone")]
    assert chunks(chat(client, stream=True))[0]["error"]["http_status_code"] == 424


def test_completions(client: httpx.Client) -> None:
    reply = client.post("/v1/completions", json={"prompt": ["a", "bc"], "max_tokens": 5}).json()
    assert reply["object"] == "text_completion"
    assert [(c["index"], c["text"], c["finish_reason"]) for c in reply["choices"]] == [
        (0, " Hello world", "stop"),
        (1, " Hello world", "stop"),
    ]
    assert reply["usage"] == {"prompt_tokens": 5, "completion_tokens": 6, "total_tokens": 11}


def test_completions_stream(client: httpx.Client) -> None:
    items = chunks(client.post("/v1/completions", json={"prompt": ["a", "b"], "stream": True}))
    for index in (0, 1):
        mine = [item["choices"][0] for item in items if item["choices"][0]["index"] == index]
        assert [choice["text"] for choice in mine] == [" Hello", " world", ""]
        assert [choice["finish_reason"] for choice in mine] == ["", "", "stop"]


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ({"prompt": "a", "suffix": "b"}, "suffix not supported"),
        ({"prompt": list("abcde")}, "batch size exceeded"),
    ],
)
def test_completions_refusals(client: httpx.Client, body: dict[str, Any], kind: str) -> None:
    reply = client.post("/v1/completions", json=body)
    assert (reply.status_code, reply.json()["error_type"]) == (422, kind)


def test_invocations_takes_all_three_forms(client: httpx.Client, backend: FakeBackend) -> None:
    backend.script = words("ok")
    assert client.post("/invocations", json={"inputs": "a"}).json() == [{"generated_text": "ok"}]
    assert client.post("/invocations", json={"messages": USER}).json()["object"] == "chat.completion"
    assert client.post("/invocations", json={"prompt": "a"}).json()["object"] == "text_completion"


def test_any_model_name_is_answered_by_the_one_model(client: httpx.Client) -> None:
    """TGI without adapters does the same, and clients rely on it: huggingface_hub sends "dummy" for a bare URL."""
    assert chat(client, model="dummy").json()["model"] == "org/fake"
    assert client.post("/v1/completions", json={"model": "x", "prompt": "a"}).status_code == 200
