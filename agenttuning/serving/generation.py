"""Runs a job to its end: the stopping rules, their order, and what a finished reply looks like.

Follows StoppingCriteria of server/text_generation_server/utils/tokens.py in
huggingface/text-generation-inference @ db931fc.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, field, replace

from agenttuning.serving.backend import Backend, Job, Token
from agenttuning.serving.errors import BackendFailure, failed, incomplete

LENGTH, EOS, STOP = "length", "eos_token", "stop_sequence"


@dataclass
class Generated:
    """A reply in the making.

    Attributes:
        tokens: so far. finish: why it ended, None while it runs. count: generated model tokens.
        arrived, ended: time.perf_counter().
    """

    job: Job
    arrived: float
    tokens: list[Token] = field(default_factory=list)
    finish: str | None = None
    count: int = 0
    ended: float = 0.0

    @property
    def seed(self) -> int | None:
        """Seed of the draw; None for greedy replies."""
        return None if self.job.sampling.greedy else self.job.sampling.seed

    @property
    def queue_seconds(self) -> float:
        """Time between arrival and the engine taking it up."""
        return max((self.job.started or self.ended) - self.arrived, 0.0)

    @property
    def inference_seconds(self) -> float:
        """Time the engine worked on it."""
        return max(self.ended - (self.job.started or self.ended), 0.0)


async def tokens(backend: Backend, reply: Generated, stop: tuple[str, ...]) -> AsyncGenerator[Token, None]:
    """The tokens of a job; after the last one reply.finish is set.

    Order of the rules after each token: max_new_tokens, end of text, stop strings. A stop string counts only
    when the text ends with it after a whole token (or with it and one line feed, as the pattern `STOP$` does),
    and it stays in the text.

    Raises:
        ApiError: 424 when the engine fails, 500 when its stream ends early.
    """
    job, tail = reply.job, ""
    keep = max((len(s) for s in stop), default=0) + 300
    try:
        async with aclosing(backend.generate(job)) as stream:
            async for token in stream:
                reply.tokens.append(token)
                reply.count += token.count
                if reply.count >= job.max_new_tokens:
                    reply.finish = LENGTH
                elif token.eos:
                    reply.finish = EOS
                elif stop:
                    tail = (tail + token.text)[-keep:]
                    if any(tail.endswith((s, s + "\n")) for s in stop):
                        reply.finish = STOP
                if reply.finish:
                    reply.ended = time.perf_counter()
                yield token
                if reply.finish:
                    return
    except BackendFailure as error:
        raise failed(str(error)) from error
    raise incomplete(stream=False)


async def complete(backend: Backend, job: Job, stop: tuple[str, ...]) -> Generated:
    """Run a job to its end. Raises ApiError as `tokens` does."""
    reply = Generated(job, time.perf_counter())
    async with aclosing(tokens(backend, reply, stop)) as stream:
        async for _ in stream:
            pass
    return reply


async def best_of(backend: Backend, job: Job, stop: tuple[str, ...], n: int) -> list[Generated]:
    """n draws with different seeds, the one with the highest mean log-probability first."""
    seeds = [(job.sampling.seed + i) % 2**64 for i in range(n)]
    jobs = [replace(job, sampling=replace(job.sampling, seed=seed), prompt=[]) for seed in seeds]
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(complete(backend, one, stop)) for one in jobs]
    except ExceptionGroup as errors:
        raise errors.exceptions[0] from errors
    return sorted((task.result() for task in tasks), key=_mean_logprob, reverse=True)


def _mean_logprob(reply: Generated) -> float:
    known = [token.logprob for token in reply.tokens if token.logprob is not None]
    return sum(known) / len(known) if known else float("-inf")
