"""TGI's own routes, on a scripted engine."""

from __future__ import annotations

import json
import threading
import time
from typing import Any

import httpx
import pytest

from agenttuning.serving import sse
from agenttuning.serving.backend import Limits, Token
from agenttuning.serving.errors import BackendFailure
from agenttuning.serving.service import Service
from agenttuning.serving.validation import ServerLimits
from tests.serving.conftest import BOS, FakeBackend, words


def generate(
    client: httpx.Client, inputs: str = "abc", path: str = "/generate", **parameters: Any
) -> httpx.Response:
    return client.post(path, json={"inputs": inputs, "parameters": parameters})


def events(response: httpx.Response) -> list[dict[str, Any]]:
    parts = [part for part in response.text.split("\n\n") if part and not part.startswith(":")]
    assert all(part.startswith("data: ") and "\n" not in part for part in parts)
    return [json.loads(part[len("data: ") :]) for part in parts]


# --- validation: every text, and the order of the checks

REFUSED = [
    (dict(best_of=3), "`best_of` must be > 0 and <= 2. Given: 3"),
    (dict(best_of=0), "`best_of` must be > 0 and <= 2. Given: 0"),
    (dict(best_of=2), "you must use sampling when `best_of` is > 1"),
    (dict(best_of=2, do_sample=True, seed=1), "`seed` must not be set when `best_of` > 1"),
    (dict(temperature=0.0), "`temperature` must be strictly positive"),
    (dict(temperature=-1), "`temperature` must be strictly positive"),
    (dict(repetition_penalty=0), "`repetition_penalty` must be strictly positive"),
    (dict(frequency_penalty=2.1), "`frequency_penalty` must be >= -2.0 and <= 2.0"),
    (dict(frequency_penalty=-2.1), "`frequency_penalty` must be >= -2.0 and <= 2.0"),
    (dict(top_p=1.0), "`top_p` must be > 0.0 and < 1.0"),
    (dict(top_p=0), "`top_p` must be > 0.0 and < 1.0"),
    (dict(typical_p=1.0), "`typical_p` must be > 0.0 and < 1.0"),
    (dict(top_k=0), "`top_k` must be strictly positive"),
    (dict(top_k=-1), "`top_k` must be strictly positive"),
    (dict(max_new_tokens=0), "`max_new_tokens` must be strictly positive"),
    (dict(stop=list("abcde")), "`stop` supports up to 4 stop sequences. Given: 5"),
    (dict(top_n_tokens=6), "`top_n_tokens` must be >= 0 and <= 5. Given: 6"),
    (dict(truncate=0), "`truncate` must be strictly positive and less than 99. Given: 0"),
    (dict(truncate=100), "`truncate` must be strictly positive and less than 99. Given: 100"),
    (
        dict(max_new_tokens=97),
        "`inputs` tokens + `max_new_tokens` must be <= 100. Given: 4 `inputs` tokens and 97 `max_new_tokens`",
    ),
    (dict(grammar={"type": "json", "value": {}}), "grammar is not supported"),
    (dict(watermark=True), "`watermark` is not supported by this server"),
    (dict(adapter_id="other"), "adapter `other` is not loaded; this server has only `org/fake`"),
    # the first failing check wins
    (dict(best_of=2, temperature=0, seed=1), "`temperature` must be strictly positive"),
    (dict(temperature=0, repetition_penalty=0), "`temperature` must be strictly positive"),
    (dict(repetition_penalty=0, frequency_penalty=9), "`repetition_penalty` must be strictly positive"),
    (dict(frequency_penalty=9, top_p=1.0), "`frequency_penalty` must be >= -2.0 and <= 2.0"),
    (dict(top_p=1.0, typical_p=1.0, top_k=0), "`top_p` must be > 0.0 and < 1.0"),
    (dict(typical_p=1.0, top_k=0), "`typical_p` must be > 0.0 and < 1.0"),
    (dict(top_k=0, max_new_tokens=0), "`top_k` must be strictly positive"),
    (dict(max_new_tokens=0, stop=list("abcde")), "`max_new_tokens` must be strictly positive"),
    (dict(stop=list("abcde"), top_n_tokens=6), "`stop` supports up to 4 stop sequences. Given: 5"),
    (dict(top_n_tokens=6, truncate=0), "`top_n_tokens` must be >= 0 and <= 5. Given: 6"),
]


@pytest.mark.parametrize(("parameters", "text"), REFUSED)
def test_validation_texts(client: httpx.Client, parameters: dict[str, Any], text: str) -> None:
    reply = generate(client, **parameters)
    assert reply.status_code == 422
    assert reply.json() == {"error": f"Input validation error: {text}", "error_type": "validation"}


def test_empty_inputs_are_refused_before_truncate(client: httpx.Client) -> None:
    reply = generate(client, inputs="", truncate=0)
    assert (reply.status_code, reply.json()["error"]) == (
        422,
        "Input validation error: `inputs` cannot be empty",
    )


def test_total_is_checked_before_input_and_input_may_equal_its_limit(
    client: httpx.Client, backend: FakeBackend
) -> None:
    assert "`max_new_tokens` must be <= 100" in generate(client, "x" * 200, max_new_tokens=5).json()["error"]
    assert generate(client, "x" * 98, max_new_tokens=1).status_code == 200  # 99 tokens with BOS
    backend.limits = Limits(50, 100)
    refused = generate(client, "x" * 60, max_new_tokens=5).json()["error"]
    assert refused == "Input validation error: `inputs` must have less than 50 tokens. Given: 61"


def test_best_of_disabled_when_the_limit_is_one(client: httpx.Client, service: Service) -> None:
    service.limits = ServerLimits(max_best_of=1)
    text = generate(client, best_of=2, do_sample=True).json()["error"]
    assert text == "Input validation error: `best_of` != 1 is not allowed for this endpoint"


def test_a_long_max_new_tokens_needs_only_its_first_1024(client: httpx.Client, backend: FakeBackend) -> None:
    backend.limits = Limits(2047, 2048)
    assert generate(client, "x" * 999, max_new_tokens=4000).status_code == 200
    assert backend.jobs[0].max_new_tokens == 1048  # runs on to the total limit, no further
    text = generate(client, "x" * 1199, max_new_tokens=4000).json()["error"]
    assert text.endswith("Given: 1200 `inputs` tokens and 1024 `max_new_tokens`")


def test_missing_max_new_tokens_means_as_many_as_fit(client: httpx.Client, backend: FakeBackend) -> None:
    generate(client, "abc")
    assert backend.jobs[0].max_new_tokens == 96


def test_truncate_keeps_the_last_tokens(client: httpx.Client, backend: FakeBackend) -> None:
    reply = generate(client, "abcdef", truncate=2)
    assert backend.jobs[0].ids == [ord("e"), ord("f")]
    assert reply.headers["x-prompt-tokens"] == "2"


def test_inputs_get_special_tokens_and_chat_prompts_do_not(
    client: httpx.Client, backend: FakeBackend
) -> None:
    generate(client, "a")
    client.post("/v1/chat/completions", json={"messages": [{"role": "user", "content": "a"}]})
    assert backend.jobs[0].ids == [BOS, ord("a")]
    assert "".join(map(chr, backend.jobs[1].ids)) == "[user] a\n[assistant]"


@pytest.mark.parametrize(
    ("parameters", "greedy"),
    [
        ({}, True),
        ({"do_sample": False, "temperature": 1.0}, True),
        ({"do_sample": True}, False),
        ({"do_sample": False, "temperature": 0.7}, False),  # what upstream's client sends
        ({"top_k": 5}, False),
        ({"top_p": 0.9}, False),
        ({"typical_p": 0.9}, False),
        ({"repetition_penalty": 1.2}, True),
    ],
)
def test_any_warper_switches_sampling_on(
    client: httpx.Client, backend: FakeBackend, parameters: dict[str, Any], greedy: bool
) -> None:
    seed = generate(client, **parameters, details=True).json()["details"]["seed"]
    assert backend.jobs[0].sampling.greedy is greedy
    assert (seed is None) is greedy


def test_a_request_without_parameters_samples(client: httpx.Client, backend: FakeBackend) -> None:
    client.post("/generate", json={"inputs": "a"})
    client.post("/generate", json={"inputs": "a", "parameters": {}})
    assert [job.sampling.greedy for job in backend.jobs] == [False, True]


# --- bodies that are no request at all: plain text

PLAIN = [
    (b"{", "application/json", 400),
    (b'{"inputs": NaN}', "application/json", 400),
    (b'{"inputs": "a"}', "text/plain", 415),
    (b"{}", "application/json", 422),
    (b"[]", "application/json", 422),
    (b'{"inputs": 3}', "application/json", 422),
    (b'{"inputs": null}', "application/json", 422),
    (b'{"inputs": "a", "parameters": null}', "application/json", 422),
    (b'{"inputs": "a", "parameters": {"max_new_tokens": -1}}', "application/json", 422),
    (b'{"inputs": "a", "parameters": {"max_new_tokens": 1.5}}', "application/json", 422),
    (b'{"inputs": "a", "parameters": {"max_new_tokens": true}}', "application/json", 422),
    (b'{"inputs": "a", "parameters": {"temperature": "hot"}}', "application/json", 422),
    (b'{"inputs": "a", "parameters": {"do_sample": null}}', "application/json", 422),
    (b'{"inputs": "a", "parameters": {"stop": "x"}}', "application/json", 422),
    (b'{"inputs": "a", "parameters": {"stop": [1]}}', "application/json", 422),
    (b'{"inputs": "a", "parameters": {"seed": -1}}', "application/json", 422),
    (b'{"inputs": "a", "parameters": {"grammar": {"type": "x", "value": 1}}}', "application/json", 422),
    (b'{"inputs": "' + b"a" * 2_000_000 + b'"}', "application/json", 413),
]


@pytest.mark.parametrize(("body", "kind", "status"), PLAIN, ids=[str(i) for i in range(len(PLAIN))])
@pytest.mark.parametrize("path", ["/generate", "/generate_stream"])
def test_unreadable_bodies(client: httpx.Client, path: str, body: bytes, kind: str, status: int) -> None:
    reply = client.post(path, content=body, headers={"content-type": kind})
    assert reply.status_code == status
    assert reply.headers["content-type"].startswith("text/plain")
    assert reply.text and not reply.text.startswith("{")


def test_unknown_fields_are_ignored(client: httpx.Client) -> None:
    body = {"inputs": "a", "mood": 1, "parameters": {"wishes": [], "max_new_tokens": None}}
    assert client.post("/generate", json=body).status_code == 200


# --- replies


def test_generate_reply_and_headers(client: httpx.Client) -> None:
    reply = generate(client, "abc", max_new_tokens=10)
    assert reply.json() == {"generated_text": " Hello world"}
    numbers = [
        "compute-characters",
        "total-time",
        "validation-time",
        "queue-time",
        "inference-time",
        "time-per-token",
    ]
    for name in numbers:
        assert int(reply.headers[f"x-{name}"]) >= 0
    assert float(reply.headers["x-compute-time"]) > 0
    assert reply.headers["x-compute-type"] == "cpu+fake"
    assert (reply.headers["x-prompt-tokens"], reply.headers["x-generated-tokens"]) == ("4", "3")


def test_details(client: httpx.Client) -> None:
    details = generate(client, details=True).json()["details"]
    assert details == {
        "finish_reason": "eos_token",
        "generated_tokens": 3,
        "seed": None,
        "prefill": [],
        "tokens": [
            {"id": 100, "text": " Hello", "logprob": -0.5, "special": False},
            {"id": 101, "text": " world", "logprob": -1.0, "special": False},
            {"id": 2, "text": "</s>", "logprob": -0.125, "special": True},
        ],
    }


def test_decoder_input_details_fill_prefill_and_imply_details(
    client: httpx.Client, backend: FakeBackend
) -> None:
    details = generate(client, "ab", decoder_input_details=True).json()["details"]
    assert [(t["id"], t["logprob"]) for t in details["prefill"]] == [(1, None), (97, -1.0), (98, -1.0)]
    backend.prompt_logprobs = False
    refused = generate(client, "ab", decoder_input_details=True)
    assert refused.status_code == 422
    assert "needs prompt log-probabilities" in refused.json()["error"]


def test_top_tokens(client: httpx.Client, backend: FakeBackend) -> None:
    backend.script = [Token(5, "x", -0.5, top=((5, "x", -0.5), (6, "y", -1.5)))]
    reply = generate(client, details=True, top_n_tokens=2, max_new_tokens=1).json()
    assert [[t["id"] for t in position] for position in reply["details"]["top_tokens"]] == [[5, 6]]
    item = events(generate(client, path="/generate_stream", top_n_tokens=2, max_new_tokens=1))[0]
    assert [t["id"] for t in item["top_tokens"]] == [5, 6]


def test_best_of_returns_the_likeliest_first(client: httpx.Client, backend: FakeBackend) -> None:
    details = generate(client, best_of=2, do_sample=True, details=True).json()["details"]
    assert len(details["best_of_sequences"]) == 1
    assert len({job.sampling.seed for job in backend.jobs}) == 2


def test_return_full_text(client: httpx.Client) -> None:
    assert generate(client, "abc", return_full_text=True).json()["generated_text"] == "abc Hello world"
    last = events(generate(client, "abc", path="/generate_stream", return_full_text=True))[-1]
    assert last["generated_text"] == "abc Hello world"


def test_compat_route_wraps_the_reply_in_a_list_and_streams(client: httpx.Client) -> None:
    assert generate(client, path="/").json() == [{"generated_text": " Hello world"}]
    reply = client.post("/", json={"inputs": "a", "parameters": {}, "stream": True})
    assert events(reply)[-1]["generated_text"] == " Hello world"


def test_stream_events(client: httpx.Client) -> None:
    reply = generate(client, path="/generate_stream", details=True)
    assert reply.headers["content-type"].startswith("text/event-stream")
    assert reply.headers["x-accel-buffering"] == "no"
    assert reply.headers["x-compute-characters"] == "3"
    items = events(reply)
    assert [item["index"] for item in items] == [1, 2, 3]
    assert items[0] == {
        "index": 1,
        "token": {"id": 100, "text": " Hello", "logprob": -0.5, "special": False},
        "generated_text": None,
        "details": None,
    }
    assert items[-1]["token"]["special"] is True
    assert items[-1]["generated_text"] == " Hello world"
    details = {"finish_reason": "eos_token", "generated_tokens": 3, "seed": None, "input_length": 4}
    assert items[-1]["details"] == details


@pytest.mark.parametrize(
    ("parameters", "text"),
    [
        (dict(best_of=2, do_sample=True), "`best_of` != 1 is not supported when streaming tokens"),
        (
            dict(decoder_input_details=True),
            "`decoder_input_details` == true is not supported when streaming tokens",
        ),
        (dict(temperature=0), "`temperature` must be strictly positive"),
    ],
)
def test_stream_errors_come_as_an_event_with_status_200(
    client: httpx.Client, parameters: dict[str, Any], text: str
) -> None:
    reply = generate(client, path="/generate_stream", **parameters)
    assert reply.status_code == 200
    assert events(reply) == [{"error": f"Input validation error: {text}", "error_type": "validation"}]


# --- stopping rules


@pytest.mark.parametrize(
    ("texts", "stop", "limit", "text", "reason"),
    [
        (["a", " b", "STOP", " c"], ["STOP"], 9, "a bSTOP", "stop_sequence"),  # the string stays
        (["a", "ST", "OP", " c"], ["STOP"], 9, "aSTOP", "stop_sequence"),
        (["a", "STOPPED", " c"], ["STOP"], 9, "aSTOPPED c", "eos_token"),  # inside a token: missed
        (["a", "STOP\n", " c"], ["STOP"], 9, "aSTOP\n", "stop_sequence"),  # as the pattern STOP$ does
        (["a", "\n", "b", "\n"], ["x", "b\n"], 9, "a\nb\n", "stop_sequence"),
        (["a", "STOP"], ["STOP"], 2, "aSTOP", "length"),  # length is checked first
        (["a"], [], 2, "a", "length"),  # even when the last token is the end of text
        (["a"], [], 3, "a", "eos_token"),
    ],
)
def test_stopping_rules(
    client: httpx.Client,
    backend: FakeBackend,
    texts: list[str],
    stop: list[str],
    limit: int,
    text: str,
    reason: str,
) -> None:
    backend.script = words(*texts)
    reply = generate(client, stop=stop, max_new_tokens=limit, details=True).json()
    assert (reply["generated_text"], reply["details"]["finish_reason"]) == (text, reason)


# --- failures and load


def test_a_dying_engine_is_424(client: httpx.Client, backend: FakeBackend) -> None:
    backend.script = [Token(5, "x"), BackendFailure("out of memory")]
    body = {"error": "Request failed during generation: out of memory", "error_type": "generation"}
    reply = generate(client)
    assert (reply.status_code, reply.json()) == (424, body)
    items = events(generate(client, path="/generate_stream"))
    assert items[0]["token"]["text"] == "x"
    assert items[1:] == [body]


def test_an_engine_that_stops_early_is_500(client: httpx.Client, backend: FakeBackend) -> None:
    backend.script = [Token(5, "x")]
    reply = generate(client)
    body = {"error": "Incomplete generation", "error_type": "incomplete_generation"}
    assert (reply.status_code, reply.json()) == (500, body)
    last = events(generate(client, path="/generate_stream"))[-1]
    assert last == {"error": "Incomplete generation stream", "error_type": "incomplete_generation_stream"}


def test_a_bug_is_500_json_and_the_server_lives_on(client: httpx.Client, backend: FakeBackend) -> None:
    backend.script = [ZeroDivisionError()]
    reply = generate(client)
    assert (reply.status_code, reply.json()["error_type"]) == (500, "internal")
    backend.script = words("ok")
    assert generate(client).json() == {"generated_text": "ok"}
    assert client.get("/metrics").text.count("agenttuning_requests_in_flight 0") == 1


def wait_until(condition: Any) -> None:
    for _ in range(300):
        if condition():
            return
        time.sleep(0.01)
    raise AssertionError("it did not happen within 3 s")


def test_requests_beyond_the_limit_get_429_at_once(
    client: httpx.Client, service: Service, backend: FakeBackend
) -> None:
    service.limits = ServerLimits(max_concurrent_requests=2)
    backend.delay = 0.5
    threads = [threading.Thread(target=generate, args=(client,)) for _ in range(2)]
    for thread in threads:
        thread.start()
    wait_until(lambda: service.in_flight == 2)
    start = time.monotonic()
    reply = generate(client, temperature=0)  # the place is asked for before the values are checked
    streamed = events(generate(client, path="/generate_stream"))
    assert time.monotonic() - start < 0.5
    for thread in threads:
        thread.join()
    assert generate(client).status_code == 200
    body = {"error": "Model is overloaded", "error_type": "overloaded"}
    assert (reply.status_code, reply.json()) == (429, body)
    assert streamed == [body]


@pytest.mark.parametrize("path", ["/generate", "/generate_stream", "/v1/chat/completions", "/v1/completions"])
def test_a_client_that_leaves_frees_its_slot(
    client: httpx.Client, service: Service, backend: FakeBackend, path: str
) -> None:
    backend.script = [Token(5, "x")] * 90
    backend.delay = 0.2
    bodies = {
        "/v1/chat/completions": {"messages": [{"role": "user", "content": "a"}], "stream": True},
        "/v1/completions": {"prompt": ["a", "b"], "stream": True},
    }
    body = bodies.get(path, {"inputs": "a"})
    with (
        pytest.raises(httpx.ReadTimeout),
        httpx.Client(base_url=client.base_url, timeout=0.5) as leaver,
        leaver.stream("POST", path, json=body) as reply,
    ):
        for _ in reply.iter_lines():
            if path != "/generate" and backend.jobs:
                raise httpx.ReadTimeout("enough")
    assert backend.jobs
    wait_until(lambda: backend.running == 0 and service.in_flight == 0)


def test_keep_alive_comments(
    client: httpx.Client, backend: FakeBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sse, "KEEP_ALIVE_SECONDS", 0.05)
    backend.delay = 0.3
    reply = generate(client, path="/generate_stream")
    assert ":\n\n" in reply.text
    assert len(events(reply)) == 3


# --- the routes beside


def test_health(client: httpx.Client, backend: FakeBackend) -> None:
    for path in ("/", "/health", "/ping"):
        reply = client.get(path)
        assert (reply.status_code, reply.content) == (200, b"")
    backend.healthy = False
    reply = client.get("/health")
    assert (reply.status_code, reply.json()) == (503, {"error": "unhealthy", "error_type": "healthcheck"})


def test_info_and_models(client: httpx.Client) -> None:
    info = client.get("/info").json()
    assert info["model_id"] == "org/fake"
    assert (info["max_input_tokens"], info["max_total_tokens"]) == (99, 100)
    assert info["router"] == "text-generation-router"
    limits = {
        "max_concurrent_requests": 128,
        "max_best_of": 2,
        "max_stop_sequences": 4,
        "max_client_batch_size": 4,
    }
    assert limits.items() <= info.items()
    assert {"model_sha", "model_pipeline_tag", "validation_workers", "version", "sha", "docker_label"} <= set(
        info
    )
    entry = {"id": "org/fake", "object": "model", "created": 0, "owned_by": "org/fake"}
    assert client.get("/v1/models").json() == {"object": "list", "data": [entry]}


def test_tokenize(client: httpx.Client) -> None:
    reply = client.post("/tokenize", json={"inputs": "ab"}).json()
    assert reply[1:] == [
        {"id": 97, "text": "a", "start": 0, "stop": 1},
        {"id": 98, "text": "b", "start": 1, "stop": 2},
    ]
    chat = client.post("/chat_tokenize", json={"messages": [{"role": "user", "content": "a"}]}).json()
    assert chat["templated_text"] == "[user] a\n[assistant]"
    assert chat["tokenize_response"][1]["text"] == "["


def test_metrics_count_requests(client: httpx.Client) -> None:
    generate(client)
    generate(client, temperature=0)
    text = client.get("/metrics").text
    assert "tgi_request_count 2\n" in text
    assert "tgi_request_success 1\n" in text
    assert 'tgi_request_failure{err="validation"} 1\n' in text
    assert "tgi_request_generated_tokens_sum 3" in text
    assert 'tgi_request_duration_bucket{le="+Inf"} 1\n' in text
    assert "agenttuning_prompt_tokens_evaluated_total 4\n" in text


def test_api_key(client: httpx.Client, service: Service) -> None:
    service.api_key = "Secret"

    def status(key: str | None, path: str = "/generate") -> int:
        headers = {"authorization": key} if key else {}
        return client.post(path, json={"inputs": "a", "prompt": "a"}, headers=headers).status_code

    refused = generate(client)
    assert (refused.status_code, refused.content) == (401, b"")
    assert status("bearer sEcReT") == 200
    assert status("Bearer wrong") == 401
    assert status(None, "/v1/completions") == 401
    assert client.get("/info").status_code == 200
