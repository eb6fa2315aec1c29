"""The real embedded model behind `agenttuning serve`: engine semantics and two public clients."""

from __future__ import annotations

import asyncio
import os
import re
import threading
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from agenttuning.serving.errors import BackendFailure
from agenttuning.serving.llamacpp import default_threads
from agenttuning.serving.loopback import Loopback
from tests.serving.conftest import Embedded, start_serve, stop_serve

MODEL = "HuggingFaceTB/SmolLM2-135M-Instruct"
FRANCE = "<|im_start|>user\nWhat is the capital of France?<|im_end|>\n<|im_start|>assistant\n"
STORY = "<|im_start|>user\nTell a story about a {}.<|im_end|>\n<|im_start|>assistant\n"


def counter(server: Embedded, name: str) -> int:
    text = httpx.get(f"{server.url}/metrics").text
    found = re.search(rf"^{name} (\d+)$", text, re.MULTILINE)
    return int(found.group(1)) if found else 0


def test_info_and_greedy_reply(embedded: Embedded) -> None:
    info = httpx.get(f"{embedded.url}/info").json()
    assert info["model_id"] == embedded.ready["model_id"] == MODEL
    assert (info["max_input_tokens"], info["max_total_tokens"]) == (2047, 2048)
    assert re.fullmatch("[0-9a-f]{64}", info["model_sha"])
    assert httpx.get(f"{embedded.url}/health").status_code == 200
    reply = embedded.generate(FRANCE, max_new_tokens=20, details=True).json()
    assert reply["generated_text"] == "The capital of France is Paris."
    details = reply["details"]
    assert (details["finish_reason"], details["generated_tokens"], details["seed"]) == ("eos_token", 8, None)
    assert details["tokens"][-1] | {"logprob": 0} == {
        "id": 2,
        "text": "<|im_end|>",
        "logprob": 0,
        "special": True,
    }
    assert all(-10 < token["logprob"] <= 0 for token in details["tokens"])


def test_stop_string_stays_and_ends_the_reply(embedded: Embedded) -> None:
    reply = embedded.generate("One, two, three,", max_new_tokens=30, stop=[" six"], details=True).json()
    assert reply["generated_text"] == " four, five, six"
    assert reply["details"]["finish_reason"] == "stop_sequence"


def test_truncate_keeps_the_end_of_the_prompt(embedded: Embedded) -> None:
    whole = embedded.generate(FRANCE, max_new_tokens=20).json()
    length = len(httpx.post(f"{embedded.url}/tokenize", json={"inputs": FRANCE}).json())
    cut = embedded.generate("Ignore this. " * 50 + FRANCE, max_new_tokens=20, truncate=length)
    assert cut.headers["x-prompt-tokens"] == str(length)
    assert cut.json() == whole


def test_tokenize_offsets(embedded: Embedded) -> None:
    text = "<|im_start|>Héllo wörld 😀!"
    pieces = httpx.post(f"{embedded.url}/tokenize", json={"inputs": text}).json()
    assert pieces[0] == {"id": 1, "text": "<|im_start|>", "start": 0, "stop": 12}
    assert "".join(piece["text"] for piece in pieces) == text
    assert all(text[p["start"] : p["stop"]] == p["text"] for p in pieces)


def test_same_seed_same_draw(embedded: Embedded) -> None:
    def draw(seed: int | None) -> tuple[str, int]:
        reply = embedded.generate(
            STORY.format("fox"), max_new_tokens=16, do_sample=False, temperature=0.9, details=True, seed=seed
        ).json()
        return reply["generated_text"], reply["details"]["seed"]

    assert draw(11) == draw(11)
    assert len({draw(seed)[0] for seed in (11, 12, 13)}) > 1
    text, seed = draw(None)  # the seed a reply reports repeats it
    assert draw(seed)[0] == text


def test_total_limit_is_422(embedded: Embedded) -> None:
    refused = embedded.generate("x " * 2000, max_new_tokens=200)
    assert refused.status_code == 422
    assert "must be <= 2048. Given: " in refused.json()["error"]
    assert "transformers engine" in embedded.generate("a", decoder_input_details=True).json()["error"]


def test_a_character_of_several_tokens_is_streamed_whole(embedded: Embedded) -> None:
    asked = "<|im_start|>user\nRepeat exactly: 😀🎉 日本語<|im_end|>\n<|im_start|>assistant\n"
    prompt = asked + "😀🎉 日本語 😀🎉 日本語\n😀🎉"
    for n in range(1, 7):  # some of these limits cut a character
        reply = embedded.generate(prompt, max_new_tokens=n, details=True).json()
        tokens = reply["details"]["tokens"]
        assert reply["details"]["generated_tokens"] == n
        assert "".join(token["text"] for token in tokens) == reply["generated_text"]
    assert reply["generated_text"].startswith(" 日本")


def test_follow_up_turn_uses_the_prefix_cache(embedded: Embedded) -> None:
    """Interleaved episodes behind one instruction: each later turn evaluates only what is new."""
    instruction = "<|im_start|>system\n" + "You act in a house. " * 25 + "<|im_end|>\n"
    talks = [instruction + f"<|im_start|>user\nEpisode {e}: {'look ' * 15}<|im_end|>\n" for e in range(3)]
    evaluated: list[int] = []
    for _turn in range(3):
        for e in range(3):
            talks[e] += "<|im_start|>assistant\n"
            reply = embedded.generate(talks[e], max_new_tokens=6)
            evaluated.append(int(reply.headers["x-prompt-tokens-evaluated"]))
            assert int(reply.headers["x-prompt-tokens"]) > 140
            talks[e] += (
                reply.json()["generated_text"] + "<|im_end|>\n<|im_start|>user\nYou see a door.<|im_end|>\n"
            )
    assert max(evaluated[3:]) <= 30
    assert counter(embedded, "agenttuning_prompt_tokens_cached_total") > 6 * 100


def test_four_parallel_streams_run_at_the_same_time(embedded: Embedded) -> None:
    spans: dict[str, tuple[float, float, str]] = {}

    def play(animal: str) -> None:
        body = {"inputs": STORY.format(animal), "parameters": {"max_new_tokens": 24}}
        times, last = [], ""
        with httpx.stream("POST", f"{embedded.url}/generate_stream", json=body, timeout=60) as reply:
            for line in reply.iter_lines():
                if line.startswith("data: "):
                    times.append(time.monotonic())
                    last = line
        assert len(times) == 24
        spans[animal] = (times[0], times[-1], last)

    threads = [threading.Thread(target=play, args=(animal,)) for animal in ("fox", "owl", "ant", "cat")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(spans) == 4
    assert max(start for start, _, _ in spans.values()) < min(end for _, end, _ in spans.values())
    assert all(
        '"finish_reason"' not in last and '"generated_text":"' in last for _, _, last in spans.values()
    )


def test_a_client_that_leaves_frees_its_slot(embedded: Embedded) -> None:
    body = {"inputs": STORY.format("dog"), "parameters": {"max_new_tokens": 1500, "do_sample": True}}
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(f"{embedded.url}/generate", json=body, timeout=0.7)
    with httpx.stream("POST", f"{embedded.url}/generate_stream", json=body, timeout=60) as reply:
        next(reply.iter_lines())
    for _ in range(100):
        if (
            counter(embedded, "tgi_batch_current_size")
            == counter(embedded, "agenttuning_requests_in_flight")
            == 0
        ):
            break
        time.sleep(0.05)
    else:
        raise AssertionError("the slots are still busy")
    assert embedded.generate(FRANCE, max_new_tokens=20).status_code == 200


def test_json_grammar(embedded: Embedded) -> None:
    schema: dict[str, Any] = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    schema["additionalProperties"] = False
    reply = embedded.generate(FRANCE, max_new_tokens=40, grammar={"type": "json", "value": schema}).json()
    assert re.fullmatch(r'\s*{\s*"n"\s*:\s*-?\d+\s*}\s*', reply["generated_text"])


def test_huggingface_client(embedded: Embedded) -> None:
    hub = pytest.importorskip("huggingface_hub")
    client = hub.InferenceClient(base_url=embedded.url)  # sends the model name "dummy"
    raw: Any = hub.InferenceClient(model=embedded.url)
    assert raw.text_generation(FRANCE, max_new_tokens=20) == "The capital of France is Paris."
    streamed = list(raw.text_generation(FRANCE, max_new_tokens=20, stream=True))
    assert "".join(streamed).startswith("The capital of France is Paris.")
    detailed = raw.text_generation(FRANCE, max_new_tokens=3, details=True)
    assert (detailed.details.finish_reason, len(detailed.details.tokens)) == ("length", 3)
    last = list(raw.text_generation(FRANCE, max_new_tokens=3, details=True, stream=True))[-1]
    assert (last.details.generated_tokens, last.generated_text) == (3, "The capital of")
    messages = [{"role": "user", "content": "What is 2+2?"}]
    reply = client.chat_completion(messages, max_tokens=8, temperature=0.0)
    assert reply.choices[0].message.content
    parts = list(client.chat_completion(messages, max_tokens=8, temperature=0.0, stream=True))
    text = "".join(part.choices[0].delta.content or "" for part in parts if part.choices)
    assert text == reply.choices[0].message.content


def test_openai_client(embedded: Embedded) -> None:
    openai = pytest.importorskip("openai")
    client = openai.OpenAI(base_url=f"{embedded.url}/v1", api_key="-")
    assert client.models.list().data[0].id == MODEL
    messages = [{"role": "user", "content": "What is 2+2?"}]
    reply = client.chat.completions.create(model=MODEL, messages=messages, max_tokens=8, temperature=0)
    assert reply.usage.completion_tokens <= 8
    stream = client.chat.completions.create(
        model="tgi",
        messages=messages,
        max_tokens=8,
        temperature=0,
        stream=True,
        stream_options={"include_usage": True},
    )
    parts = list(stream)
    assert "".join(p.choices[0].delta.content for p in parts if p.choices) == reply.choices[0].message.content
    assert parts[-1].usage.total_tokens == reply.usage.total_tokens
    done = client.completions.create(model="tgi", prompt=FRANCE, max_tokens=20, temperature=0)
    assert done.choices[0].text == "The capital of France is Paris."
    pieces = client.completions.create(model="tgi", prompt=FRANCE, max_tokens=20, temperature=0, stream=True)
    assert "".join(p.choices[0].text for p in pieces) == done.choices[0].text
    with pytest.raises(openai.UnprocessableEntityError) as caught:
        client.chat.completions.create(model="tgi", messages=messages, top_p=1.0)
    assert "`top_p` must be" in caught.value.response.json()["error"]


def test_one_core_stays_free_for_others() -> None:
    assert 1 <= default_threads() <= max((os.cpu_count() or 1) - 1, 1)


def test_a_dead_engine_is_a_backend_failure() -> None:
    async def call() -> None:
        engine = Loopback(1, "key")  # nothing listens on port 1
        with pytest.raises(BackendFailure):
            await engine.post("/tokenize", {})
        with pytest.raises(BackendFailure):
            async for _ in engine.events("/completion", {}):
                pass

    asyncio.run(call())


@pytest.mark.parametrize(
    "answer", [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10\r\ndata: {", b"", b"SSH-2.0\r\n\r\n"]
)
def test_an_engine_that_dies_in_the_middle_is_a_backend_failure(answer: bytes) -> None:
    async def call() -> None:
        async def respond(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(answer)
            writer.close()

        server = await asyncio.start_server(respond, "127.0.0.1", 0)
        engine = Loopback(server.sockets[0].getsockname()[1], "key")
        with pytest.raises(BackendFailure):
            async for _ in engine.events("/completion", {}):
                pass
        server.close()

    asyncio.run(call())


def test_sigterm_ends_the_process_and_removes_the_ready_file(tmp_path: Path, embedded: Embedded) -> None:
    server = start_serve(tmp_path, "--ctx", "256", "--parallel", "1", "--api-key", "k")
    assert httpx.post(f"{server.url}/generate", json={"inputs": "a"}).status_code == 401
    assert server.process.stdout
    line = server.process.stdout.readline()
    assert server.url in line and MODEL in line and "curl" in line
    body = {"inputs": "a", "parameters": {"max_new_tokens": 200, "do_sample": True}}
    headers = {"Authorization": "Bearer k"}
    with httpx.stream("POST", f"{server.url}/generate_stream", json=body, headers=headers) as reply:
        next(reply.iter_lines())
        assert stop_serve(server) == 0  # with a reply in flight
    assert not (tmp_path / "ready.json").exists()
