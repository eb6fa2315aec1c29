"""What all routes share: the engine, the limits, the numbers, and the count of requests in flight."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing, contextmanager
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

from agenttuning import __version__
from agenttuning.serving import generation, validation
from agenttuning.serving.backend import Backend, Job, PromptToken, Token
from agenttuning.serving.errors import ApiError, incomplete, overloaded
from agenttuning.serving.generation import Generated
from agenttuning.serving.metrics import Metrics
from agenttuning.serving.validation import GenerateRequest, ServerLimits


@dataclass
class Service:
    """One running server.

    Attributes:
        api_key: when set, POST routes want `Authorization: Bearer KEY`.
        in_flight: generation requests accepted and not yet answered.
    """

    backend: Backend
    limits: ServerLimits = field(default_factory=ServerLimits)
    api_key: str | None = None
    metrics: Metrics = field(default_factory=Metrics)
    in_flight: int = 0

    @property
    def fingerprint(self) -> str:
        """system_fingerprint of the OpenAI-like routes."""
        return f"{__version__}-{self.backend.kind}"

    @contextmanager
    def permit(self) -> Iterator[None]:
        """Hold one of the max_concurrent_requests places. Raises ApiError (429) at once when all are taken."""
        self.metrics.count("tgi_request_count")
        if self.in_flight >= self.limits.max_concurrent_requests:
            raise overloaded()
        self.in_flight += 1
        try:
            yield
        finally:
            self.in_flight -= 1

    async def run(self, request: GenerateRequest, tokens_shown: bool) -> tuple[list[Generated], float]:
        """Answer a request in one piece.

        Returns:
            The replies (best first; several only with best_of) and the seconds spent on validation.

        Raises:
            ApiError: as the route must answer it; it has been counted.
        """
        start = perf_counter()
        try:
            n = validation.check_best_of(request.parameters, self.limits)
            with self.permit():
                job = await validation.validate(request, self.backend, self.limits, tokens_shown)
                checked = perf_counter() - start
                stop = request.parameters.stop
                if n > 1:
                    replies = await generation.best_of(self.backend, job, stop, n)
                else:
                    replies = [await generation.complete(self.backend, job, stop)]
        except ApiError as error:
            self.failed(error)
            raise
        self.succeeded(replies[0], checked)
        return replies, checked

    async def stream(self, request: GenerateRequest, tokens_shown: bool) -> AsyncGenerator[Step, None]:
        """Answer a request token by token. Raises ApiError, counted, before or between tokens."""
        start = perf_counter()
        p = request.parameters
        try:
            if (p.best_of or 1) > 1:
                raise validation.invalid("`best_of` != 1 is not supported when streaming tokens")
            if p.decoder_input_details:
                raise validation.invalid(
                    "`decoder_input_details` == true is not supported when streaming tokens"
                )
            validation.check_best_of(p, self.limits)
            with self.permit():
                job = await validation.validate(request, self.backend, self.limits, tokens_shown)
                checked = perf_counter() - start
                reply = Generated(job, perf_counter())
                async with aclosing(generation.tokens(self.backend, reply, p.stop)) as stream:
                    async for token in stream:
                        if reply.finish:
                            self.succeeded(reply, checked)
                        yield Step(token, reply)
        except ApiError as error:
            problem = incomplete(stream=True) if error.kind == "incomplete_generation" else error
            self.failed(problem)
            raise problem from error

    def text(self, reply: Generated) -> str:
        """The text of a reply."""
        return self.backend.text(reply.tokens)

    def failed(self, error: ApiError) -> None:
        """Count a failed request."""
        self.metrics.count("tgi_request_failure", f'err="{error.kind}"')

    def succeeded(self, reply: Generated, validation_seconds: float) -> None:
        """Count a finished request."""
        m, job = self.metrics, reply.job
        m.count("tgi_request_success")
        m.observe("tgi_request_input_length", len(job.ids))
        m.observe("tgi_request_max_new_tokens", job.max_new_tokens)
        m.observe("tgi_request_generated_tokens", reply.count)
        m.observe("tgi_request_duration", validation_seconds + reply.ended - reply.arrived)
        m.observe("tgi_request_validation_duration", validation_seconds)
        m.observe("tgi_request_queue_duration", reply.queue_seconds)
        m.observe("tgi_request_inference_duration", reply.inference_seconds)
        m.observe("tgi_request_mean_time_per_token_duration", reply.inference_seconds / max(reply.count, 1))
        if job.evaluated is not None:
            m.count("agenttuning_prompt_tokens_evaluated_total", by=job.evaluated)
            m.count("agenttuning_prompt_tokens_cached_total", by=len(job.ids) - job.evaluated)


@dataclass(frozen=True)
class Step:
    """One streamed token and the reply up to it."""

    token: Token
    reply: Generated


def token_json(token: Token) -> dict[str, Any]:
    """A token as /generate and /generate_stream show it."""
    return {"id": token.id, "text": token.text, "logprob": token.logprob, "special": token.special}


def top_json(token: Token) -> list[dict[str, Any]]:
    """The most likely tokens of one position."""
    return [{"id": i, "text": text, "logprob": logprob, "special": False} for i, text, logprob in token.top]


def prefill_json(prompt: list[PromptToken]) -> list[dict[str, Any]]:
    """The prompt's tokens with their log-probabilities."""
    return [{"id": token.id, "text": token.text, "logprob": token.logprob} for token in prompt]


def usage_json(job: Job, completion: int) -> dict[str, int]:
    """Token counts in OpenAI's words."""
    return {
        "prompt_tokens": len(job.ids),
        "completion_tokens": completion,
        "total_tokens": len(job.ids) + completion,
    }


def headers(reply: Generated, validation_seconds: float, characters: int, kind: str) -> dict[str, str]:
    """The x-* headers of a reply in one piece (times in ms, x-compute-time in seconds)."""
    total = validation_seconds + reply.ended - reply.arrived
    per_token = reply.inference_seconds / max(reply.count, 1)
    values: dict[str, Any] = {
        "x-compute-type": f"cpu+{kind}",
        "x-compute-time": round(total, 9),
        "x-compute-characters": characters,
        "x-total-time": int(total * 1000),
        "x-validation-time": int(validation_seconds * 1000),
        "x-queue-time": int(reply.queue_seconds * 1000),
        "x-inference-time": int(reply.inference_seconds * 1000),
        "x-time-per-token": int(per_token * 1000),
        "x-prompt-tokens": len(reply.job.ids),
        "x-generated-tokens": reply.count,
    }
    if reply.job.evaluated is not None:
        values["x-prompt-tokens-evaluated"] = reply.job.evaluated  # ours: shows the prefix cache at work
    return {name: str(value) for name, value in values.items()}
