"""The transformers engine: any Hugging Face checkpoint folder on the CPU, with continuous batching.

One worker thread owns the model. Between two steps it lets waiting requests join (their prompts go through one
forward pass together) and drops finished or abandoned ones. There is no prefix cache: every prompt is evaluated
in full.
"""

from __future__ import annotations

import asyncio
import hashlib
import queue
import threading
import time
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from agenttuning.errors import KitError
from agenttuning.serving.backend import Job, Limits, Piece, PromptToken, Token
from agenttuning.serving.batch import Batch
from agenttuning.serving.decoding import Chooser, Detokenizer
from agenttuning.serving.errors import BackendFailure


def load_checkpoint(folder: Path, threads: int) -> tuple[Any, Any]:
    """Model (CPU, evaluation mode, the checkpoint's own dtype) and fast tokenizer of a folder.

    Nothing is downloaded and no code of the checkpoint is run.

    Raises:
        KitError: the folder is missing or is no checkpoint.
    """
    if not (folder / "config.json").is_file():
        raise KitError(
            f"{folder} is no checkpoint folder (no config.json)", "name a folder that training exported"
        )
    if threads:
        torch.set_num_threads(threads)
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        model = AutoModelForCausalLM.from_pretrained(
            folder, dtype="auto", local_files_only=True, trust_remote_code=False, use_safetensors=True
        )
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise KitError(
            f"cannot load the checkpoint {folder} ({error})", "check that its export finished"
        ) from error
    return model.eval(), tokenizer


@dataclass
class _Sequence:
    """A job at work, as the worker thread sees it. `out` belongs to the event loop of the request."""

    job: Job
    loop: asyncio.AbstractEventLoop
    detokenizer: Detokenizer
    chooser: Chooser
    out: asyncio.Queue[Token | Exception | None] = field(default_factory=asyncio.Queue)
    ids: list[int] = field(default_factory=list)
    dropped: bool = False

    def send(self, items: list[Token | Exception | None]) -> None:
        def put() -> None:
            for item in items:
                self.out.put_nowait(item)

        try:
            self.loop.call_soon_threadsafe(put)
        except RuntimeError:  # the server's loop has ended
            self.dropped = True


class TransformersBackend:
    """See backend.Backend.

    Args:
        model, tokenizer: as load_checkpoint returns them.
        parallel: sequences per forward pass.
        context: tokens per sequence; capped by the model's max_position_embeddings.
        folder: checkpoint folder, for model_sha; None leaves that empty.
    """

    kind = "transformers"
    prompt_logprobs = True
    grammars = False

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        model_id: str,
        parallel: int,
        context: int,
        folder: Path | None = None,
    ):
        self._tokenizer = tokenizer
        self._eos = _eos_ids(model, tokenizer)
        self._special = set(tokenizer.all_special_ids)
        self._parallel = parallel
        pad = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else 0
        self._batch = Batch(model, pad)
        self._new_batch = lambda: Batch(model, pad)
        self._running: list[_Sequence] = []
        self._inbox: queue.Queue[_Sequence | None] = queue.Queue()
        self._closed = False
        self.model_id = model_id
        self.model_sha = _sha256(folder) if folder else None
        total = min(context, getattr(model.config, "max_position_embeddings", None) or context)
        self.limits = Limits(total - 1, total)
        self.chat_template: str | None = tokenizer.chat_template
        self.bos, self.eos = tokenizer.bos_token or "", tokenizer.eos_token or ""
        self._thread = threading.Thread(target=self._work, name="transformers-engine", daemon=True)
        self._thread.start()

    async def encode(self, text: str, special: bool) -> list[int]:
        return self._tokenizer(text, add_special_tokens=special)["input_ids"]

    async def pieces(self, text: str) -> list[Piece]:
        coded = self._tokenizer(text, return_offsets_mapping=True)
        pairs = zip(coded["input_ids"], coded["offset_mapping"], strict=True)
        return [Piece(i, text[start:stop], start, stop) for i, (start, stop) in pairs]

    async def generate(self, job: Job) -> AsyncGenerator[Token, None]:
        if not await self.alive():
            raise BackendFailure("the engine has stopped")
        sequence = _Sequence(
            job, asyncio.get_running_loop(), Detokenizer(self._tokenizer), Chooser(job.sampling)
        )
        self._inbox.put(sequence)
        try:
            while (item := await sequence.out.get()) is not None:
                if isinstance(item, Exception):
                    raise BackendFailure(f"{type(item).__name__}: {item}") from item
                yield item
        finally:
            sequence.dropped = True

    def text(self, tokens: Sequence[Token]) -> str:
        ids = [token.id for token in tokens]
        return self._tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)

    async def alive(self) -> bool:
        return not self._closed and self._thread.is_alive()

    def gauges(self) -> dict[str, int]:
        return {"queue": self._inbox.qsize(), "batch": len(self._running)}

    def close(self) -> None:
        self._closed = True
        self._inbox.put(None)
        if threading.current_thread() is not self._thread:
            self._thread.join(timeout=30)

    def _work(self) -> None:
        while not self._closed:
            fresh: list[_Sequence] = []
            try:
                fresh = self._waiting()
                if fresh:
                    self._start(fresh)
                if self._running:
                    self._advance()
            except Exception as error:  # one bad batch must not end the server
                for sequence in {id(s): s for s in fresh + self._running}.values():
                    sequence.send([error])
                self._running, self._batch = [], self._new_batch()
        rest = self._running + [s for s in list(self._inbox.queue) if s is not None]
        for sequence in rest:
            sequence.send([RuntimeError("the server is stopping")])

    def _waiting(self) -> list[_Sequence]:
        """Requests that may join now; sleeps while there is nothing to do at all."""
        fresh: list[_Sequence] = []
        room = self._parallel if self._batch.joinable else 1
        while len(self._running) + len(fresh) < room:
            try:
                found = self._inbox.get(block=not (self._running or fresh))
            except queue.Empty:
                break
            if found is None:
                break
            if not found.dropped:
                fresh.append(found)
        return fresh

    def _start(self, fresh: list[_Sequence]) -> None:
        now = time.perf_counter()
        for sequence in fresh:
            sequence.job.started = now
        logits, each = self._batch.join([s.job.ids for s in fresh], any(s.job.prefill for s in fresh))
        for row, sequence in enumerate(fresh):
            sequence.job.evaluated = len(sequence.job.ids)
            if sequence.job.prefill:
                sequence.job.prompt = self._prompt(sequence.job.ids, each[row])
        self._running += fresh
        first = len(self._running) - len(fresh)
        self._pick(list(range(first, len(self._running))), logits)

    def _advance(self) -> None:
        if any(s.dropped for s in self._running):
            self._retain([i for i, s in enumerate(self._running) if not s.dropped])
        if self._running:
            logits = self._batch.step([s.ids[-1] for s in self._running])
            self._pick(list(range(len(self._running))), logits)

    def _pick(self, rows: list[int], logits: torch.Tensor) -> None:
        """Choose and send the next token of some rows; finished sequences leave the batch."""
        ended = set()
        for row, scores in zip(rows, logits, strict=True):
            sequence = self._running[row]
            job = sequence.job
            chosen, logprob, top = sequence.chooser(scores, job.ids + sequence.ids, job.top_n)
            sequence.ids.append(chosen)
            token = Token(
                id=chosen,
                text=sequence.detokenizer.add(chosen),
                logprob=logprob,
                special=chosen in self._special,
                eos=chosen in self._eos,
                top=tuple((i, self._tokenizer.decode([i]), value) for i, value in top),
            )
            over = token.eos or len(sequence.ids) >= job.max_new_tokens
            sequence.send([token, None] if over else [token])
            if over:
                ended.add(row)
        if ended:
            self._retain([i for i in range(len(self._running)) if i not in ended])

    def _retain(self, rows: list[int]) -> None:
        self._batch.keep(rows)
        self._running = [self._running[i] for i in rows]

    def _prompt(self, ids: list[int], logits: torch.Tensor) -> list[PromptToken]:
        totals = logits.logsumexp(dim=-1)  # a whole log_softmax would double the largest array here
        known = [None] + [float(logits[i - 1, token] - totals[i - 1]) for i, token in enumerate(ids) if i]
        return [PromptToken(i, self._tokenizer.decode([i]), p) for i, p in zip(ids, known, strict=True)]


def _eos_ids(model: Any, tokenizer: Any) -> set[int]:
    found = getattr(model.generation_config, "eos_token_id", None)
    ids = set(found if isinstance(found, list) else [found])
    return (ids | {tokenizer.eos_token_id}) - {None}


def _sha256(folder: Path) -> str:
    """One hash over the weight files and the configuration of a checkpoint."""
    total = hashlib.sha256()
    for path in [folder / "config.json", *sorted(folder.glob("*.safetensors"))]:
        with path.open("rb") as file:
            total.update(hashlib.file_digest(file, "sha256").digest())
    return total.hexdigest()
