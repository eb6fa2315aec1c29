"""What the HTTP layer needs from an engine: token ids in, a stream of tokens out."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol


@dataclass(frozen=True)
class Sampling:
    """How the next token is chosen, every default filled in.

    Attributes:
        greedy: take the most likely token; temperature and the cut-offs are then at their neutral values.
        temperature: > 0.
        top_k: 0 = off. top_p, typical_p: 1.0 = off.
        repetition_penalty: 1.0 = off; applies to prompt and generated tokens.
        frequency_penalty: 0.0 = off.
        seed: of the draw; the same seed and prompt give the same text.
    """

    greedy: bool
    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    typical_p: float = 1.0
    repetition_penalty: float = 1.0
    frequency_penalty: float = 0.0
    seed: int = 0


@dataclass(frozen=True)
class PromptToken:
    """One token of the prompt as the model saw it; logprob is None for the first."""

    id: int
    text: str
    logprob: float | None


@dataclass(frozen=True)
class Piece:
    """One token of a tokenised text; start and stop are character offsets into that text."""

    id: int
    text: str
    start: int
    stop: int


@dataclass(frozen=True)
class Token:
    """One generated token.

    Attributes:
        text: what it adds to the reply; special tokens carry their own spelling here.
        logprob: natural logarithm of its probability; None when not asked for or not reported by the engine.
        special: a control token, left out of generated_text.
        eos: ends the reply.
        top: the most likely (id, text, logprob) at this position, best first.
        count: number of model tokens it stands for; more than 1 where the engine reports the tokens of one
            multi-byte character together.
    """

    id: int
    text: str
    logprob: float | None = None
    special: bool = False
    eos: bool = False
    top: tuple[tuple[int, str, float], ...] = ()
    count: int = 1


@dataclass
class Job:
    """One sequence to generate.

    Attributes:
        ids: prompt token ids, never empty.
        max_new_tokens: upper bound; len(ids) + max_new_tokens fits the context.
        logprobs: whether tokens must carry logprob. top_n: how many alternatives per position.
        prefill: whether `prompt` must be filled with log-probabilities.
        json_schema: restricts the reply to JSON of that schema; only for engines with `grammars`.
    Filled in by the engine:
        started: time.perf_counter() when it left the queue.
        prompt: prompt tokens, when prefill was asked for.
        evaluated: prompt tokens the engine had to compute (the others came from its cache); None = unknown.
    """

    ids: list[int]
    max_new_tokens: int
    sampling: Sampling
    logprobs: bool = False
    top_n: int = 0
    prefill: bool = False
    json_schema: dict[str, Any] | None = None
    started: float | None = None
    prompt: list[PromptToken] = field(default_factory=list)
    evaluated: int | None = None


@dataclass(frozen=True)
class Limits:
    """Token limits: prompt alone, and prompt plus reply."""

    max_input: int
    max_total: int


class Backend(Protocol):
    """An engine. All methods are called from the event loop of the server.

    Attributes:
        kind: "llamacpp" or "transformers".
        model_id: name reported by /info.
        model_sha: sha256 of the weights, or None.
        chat_template: Jinja text, or None when the model has none. bos, eos: special strings it may use.
        prompt_logprobs: whether Job.prefill works. grammars: whether Job.json_schema works.
    """

    kind: str
    model_id: str
    model_sha: str | None
    limits: Limits
    chat_template: str | None
    bos: str
    eos: str
    prompt_logprobs: bool
    grammars: bool

    async def encode(self, text: str, special: bool) -> list[int]:
        """Token ids; special=True adds what the tokenizer adds by itself (Llama: BOS). Raises BackendFailure."""
        ...

    async def pieces(self, text: str) -> list[Piece]:
        """The tokens of a text, with special tokens added. Raises BackendFailure."""
        ...

    def generate(self, job: Job) -> AsyncGenerator[Token, None]:
        """Tokens as they come, until end of text or max_new_tokens.

        Closing the generator frees the slot at once. Raises BackendFailure.
        """
        ...

    def text(self, tokens: Sequence[Token]) -> str:
        """The reply of these tokens, special tokens left out."""
        ...

    async def alive(self) -> bool:
        """Whether the engine still answers."""
        ...

    def gauges(self) -> dict[str, int]:
        """Numbers for /metrics: "queue" (waiting sequences), "batch" (sequences at work)."""
        ...

    def close(self) -> None:
        """Stop the engine. Idempotent."""
        ...
