"""The transformers engine, on a tiny random Llama made here."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import httpx
import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from agenttuning.serving.backend import Job, Sampling, Token  # noqa: E402
from agenttuning.serving.batch import Batch  # noqa: E402
from agenttuning.serving.decoding import Chooser, Detokenizer  # noqa: E402
from agenttuning.serving.engines import open_checkpoint  # noqa: E402
from agenttuning.serving.errors import BackendFailure  # noqa: E402
from agenttuning.serving.hf import TransformersBackend  # noqa: E402
from agenttuning.serving.service import Service  # noqa: E402
from tests.serving.conftest import running  # noqa: E402

GREEDY = Sampling(greedy=True)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An ordinary checkpoint folder: byte-level BPE, two layers, grouped-query attention."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers

    raw = Tokenizer(models.BPE())
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    raw.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=320,
        special_tokens=["<s>", "</s>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    raw.train_from_iterator(["the cat sat on the mat and the dog ran to the door"], trainer)
    raw.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 0)])
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=raw, bos_token="<s>", eos_token="</s>", pad_token="</s>"
    )
    tokenizer.chat_template = (
        "{{ bos_token }}{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}"
    )
    config = transformers.LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=256,
        bos_token_id=0,
        eos_token_id=1,
        initializer_range=0.5,  # spread logits: greedy choices must not hang on the last bits
    )
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("checkpoint")
    transformers.LlamaForCausalLM(config).save_pretrained(path)
    tokenizer.save_pretrained(path)
    return path


@pytest.fixture(scope="module")
def engine(folder: Path) -> Iterator[TransformersBackend]:
    backend = open_checkpoint(folder, None, parallel=4, context=8192, threads=1)
    assert isinstance(backend, TransformersBackend)
    yield backend
    backend.close()


@pytest.fixture(scope="module")
def client(engine: TransformersBackend) -> Iterator[httpx.Client]:
    with running(Service(engine)) as found:
        yield found


async def collect(engine: TransformersBackend, job: Job) -> list[Token]:
    async with aclosing(engine.generate(job)) as stream:
        return [token async for token in stream]


def reference(engine: TransformersBackend, ids: list[int], n: int) -> list[int]:
    """Greedy continuation without any cache."""
    ids = list(ids)
    with torch.inference_mode():
        for _ in range(n):
            ids.append(int(engine._batch._model(torch.tensor([ids])).logits[0, -1].argmax()))
            if ids[-1] == 1:
                break
    return ids


def test_sequences_that_join_and_leave_get_the_same_tokens_as_alone(engine: TransformersBackend) -> None:
    async def play() -> list[tuple[list[int], list[int], int]]:
        texts = ["the cat", "on the mat and the dog ran to", "d", "sat on the", "the door and", "to the"]
        lengths = [40, 5, 23, 12, 30, 8]
        prompts = [await engine.encode(text, special=True) for text in texts]
        jobs = [Job(ids, n, GREEDY) for ids, n in zip(prompts, lengths, strict=True)]
        first = [asyncio.create_task(collect(engine, job)) for job in jobs[:3]]
        await asyncio.sleep(0.02)
        rest = [asyncio.create_task(collect(engine, job)) for job in jobs[3:]]
        replies = await asyncio.gather(*first, *rest)
        return [
            (job.ids, [t.id for t in reply], job.max_new_tokens)
            for job, reply in zip(jobs, replies, strict=True)
        ]

    for prompt, reply, n in asyncio.run(play()):
        assert prompt + reply == reference(engine, prompt, n)


def test_requests_that_arrive_together_run_in_one_forward_pass(
    engine: TransformersBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []
    step = Batch.step

    def spy(self: Batch, tokens: list[int]) -> Any:
        sizes.append(len(tokens))
        return step(self, tokens)

    monkeypatch.setattr(Batch, "step", spy)

    async def play() -> None:
        jobs = [Job([0, 5 + i, 6], 30, Sampling(greedy=False, seed=i)) for i in range(4)]
        await asyncio.gather(*(collect(engine, job) for job in jobs))

    asyncio.run(play())
    assert max(sizes) == 4


def test_closing_the_stream_frees_the_place(engine: TransformersBackend) -> None:
    async def play() -> None:
        async with aclosing(engine.generate(Job([0, 5], 200, Sampling(greedy=False, seed=1)))) as stream:
            async for _ in stream:
                break
        for _ in range(200):
            if not engine._running:
                return
            await asyncio.sleep(0.01)
        raise AssertionError("still running")

    asyncio.run(play())


def test_a_failing_step_fails_its_requests_and_the_engine_lives_on(
    engine: TransformersBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(self: Batch, tokens: list[int]) -> Any:
        raise RuntimeError("no memory")

    with monkeypatch.context() as patch:
        patch.setattr(Batch, "step", broken)
        with pytest.raises(BackendFailure, match="no memory"):
            asyncio.run(collect(engine, Job([0, 5], 20, GREEDY)))
    assert len(asyncio.run(collect(engine, Job([0, 5], 1, GREEDY)))) == 1


def test_prompt_logprobs_over_http(client: httpx.Client, engine: TransformersBackend) -> None:
    body = {
        "inputs": "the cat sat",
        "parameters": {"decoder_input_details": True, "max_new_tokens": 4, "top_n_tokens": 3},
    }
    details = client.post("/generate", json=body).json()["details"]
    prefill = details["prefill"]
    ids = [token["id"] for token in prefill]
    assert ids == asyncio.run(engine.encode("the cat sat", special=True)) and ids[0] == 0
    assert prefill[0]["logprob"] is None
    with torch.inference_mode():
        expected = engine._batch._model(torch.tensor([ids])).logits[0].log_softmax(-1)
    for position, token in enumerate(prefill[1:]):
        assert token["logprob"] == pytest.approx(float(expected[position, token["id"]]), abs=1e-4)
    assert details["tokens"][0]["logprob"] == pytest.approx(float(expected[-1].max()), abs=1e-4)
    assert [t["id"] for t in details["top_tokens"][0]] == expected[-1].topk(3).indices.tolist()


def test_http_round_trip(client: httpx.Client, folder: Path) -> None:
    info = client.get("/info").json()
    assert (info["model_id"], info["max_total_tokens"], info["engine"]) == (folder.name, 256, "transformers")
    parameters = {"max_new_tokens": 12, "temperature": 0.8, "seed": 3, "details": True}
    replies = [
        client.post("/generate", json={"inputs": "the", "parameters": parameters}).json() for _ in range(2)
    ]
    assert replies[0] == replies[1]
    stream = client.post("/generate_stream", json={"inputs": "the", "parameters": parameters})
    assert stream.text.count("data: ") == replies[0]["details"]["generated_tokens"]
    pieces = client.post("/tokenize", json={"inputs": "the cat"}).json()
    assert "".join(piece["text"] for piece in pieces) == "the cat"
    chat = {"messages": [{"role": "user", "content": "the"}], "max_tokens": 3, "temperature": 0}
    assert client.post("/v1/chat/completions", json=chat).json()["usage"]["completion_tokens"] <= 3


def test_sampling_cut_offs() -> None:
    logits = torch.tensor([2.0, 1.0, 0.0, -1.0, -9.0])

    def drawn(**changes: Any) -> set[int]:
        choose = Chooser(Sampling(greedy=False, seed=1, **changes))
        return {choose(logits.clone(), [], 0)[0] for _ in range(300)}

    assert drawn(top_k=2) == {0, 1}
    assert drawn(top_p=0.5) == {0}
    assert drawn(top_p=0.7) == {0, 1}
    assert drawn(temperature=0.01) == {0}
    assert drawn() >= {0, 1, 2}
    # entropy 0.95; -log p is 0.44 for token 0 and 1.44 for token 1, which is a little nearer
    assert drawn(typical_p=0.2) == {1}
    penalised = Chooser(Sampling(greedy=True, repetition_penalty=10.0))
    assert penalised(logits.clone(), [0], 0)[0] == 1
    frequent = Chooser(Sampling(greedy=True, frequency_penalty=0.6))
    assert frequent(logits.clone(), [0], 0)[0] == 0
    assert frequent(logits.clone(), [0, 0], 0)[0] == 1


def test_draws_follow_the_distribution() -> None:
    choose = Chooser(Sampling(greedy=False, seed=5))
    draws = [choose(torch.tensor([0.7, 0.3]).log(), [], 0)[0] for _ in range(2000)]
    assert 0.26 < sum(draws) / 2000 < 0.34


def test_a_character_of_several_tokens_comes_with_its_last(engine: TransformersBackend) -> None:
    tokenizer = engine._tokenizer
    ids = tokenizer("a 😀 b", add_special_tokens=False)["input_ids"]
    assert len(ids) >= 6
    detokenizer = Detokenizer(tokenizer)
    parts = [detokenizer.add(token) for token in ids]
    assert "".join(parts) == "a 😀 b"
    assert all("\ufffd" not in part for part in parts)


def test_a_stopped_engine_refuses_and_fails_what_runs(folder: Path) -> None:
    engine = open_checkpoint(folder, "x", parallel=1, context=256, threads=1)

    async def play() -> None:
        async with aclosing(engine.generate(Job([0, 5], 250, Sampling(greedy=False, seed=2)))) as stream:
            await anext(stream)
            engine.close()
            start = time.monotonic()
            with pytest.raises(BackendFailure, match="stopping"):
                async for _ in stream:
                    pass
            assert time.monotonic() - start < 5
        assert not await engine.alive()
        with pytest.raises(BackendFailure, match="stopped"):
            await anext(engine.generate(Job([0], 1, GREEDY)))

    asyncio.run(play())
