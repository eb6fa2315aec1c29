"""What goes to a model and what comes back: messages, generation parameters, replies, typed errors."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Protocol, TypedDict

from agenttuning.errors import KitError


class Message(TypedDict):
    """One turn of a conversation. role: "system" (first message only), "user" or "assistant"."""

    role: str
    content: str


@dataclass(frozen=True)
class Generation:
    """Parameters of one model call; None leaves the server's default.

    Attributes:
        max_new_tokens: upper bound of generated tokens.
        temperature: softmax temperature; None together with do_sample=False is greedy decoding. TGI samples
            whenever temperature is set to anything but 1.0, whatever do_sample says.
        do_sample: sample instead of taking the most likely token.
        top_p, top_k: nucleus and top-k cut-offs.
        stop: strings that end generation (TGI keeps the string at the end of the text).
        truncate: number of prompt tokens kept, from the right.
        seed: random seed of the draw.
    """

    max_new_tokens: int = 256
    temperature: float | None = None
    do_sample: bool = False
    top_p: float | None = None
    top_k: int | None = None
    stop: tuple[str, ...] = ()
    truncate: int | None = None
    seed: int | None = None
    strip: bool = True
    """Strip each message before the template gets it, as AgentBench's client does; eval_general's scripts do not."""
    extra: dict[str, Any] = field(default_factory=dict)
    """Further request parameters of one endpoint kind (for example decoder_input_details)."""

    def but(self, **changes: Any) -> Generation:
        """A copy with some fields changed."""
        return replace(self, **changes)


@dataclass(frozen=True)
class Reply:
    """A model's answer.

    Attributes:
        text: generated text, as the server sent it.
        prompt_tokens, completion_tokens: counts reported by the server, None where it reports none.
        finish_reason: "length", "eos_token" or "stop_sequence" (TGI's words), None where unknown.
        seconds: wall time of the successful call.
        details: the server's details object where one was asked for.
    """

    text: str
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    finish_reason: str | None = None
    seconds: float = 0.0
    retries: int = 0
    details: dict[str, Any] | None = None


class ModelError(KitError):
    """The model could not answer: an infrastructure failure, never a wrong answer."""


class Unreachable(ModelError):
    """Nothing listens at the endpoint, or it kept closing or timing out connections."""


class Overloaded(ModelError):
    """The server answered 429 until the retries were used up."""


class ServerFailure(ModelError):
    """5xx, a truncated or a malformed body, until the retries were used up."""


class RequestRefused(ModelError):
    """The server refused the request as invalid (4xx); it is never retried."""


class ContextLimit(RequestRefused):
    """The prompt does not fit the model's context. The runner scores the sample as context_limit."""


class Endpoint(Protocol):
    """One server. Implementations are safe to call from many threads at once."""

    name: str

    def generate(self, prompt: str, generation: Generation) -> Reply:
        """Continue a raw prompt. Raises ModelError."""
        ...

    def chat(self, messages: list[Message], generation: Generation) -> Reply:
        """Answer a conversation, with the template the endpoint was made with. Raises ModelError."""
        ...

    def alive(self) -> bool:
        """Whether the server answers its health route."""
        ...

    def info(self) -> dict[str, Any]:
        """What the server says of itself. Raises ModelError."""
        ...

    def close(self) -> None: ...
