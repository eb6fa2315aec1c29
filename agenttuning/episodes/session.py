"""One episode's conversation with one model."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from agenttuning.models.types import Endpoint, Generation, Message, ModelError, Reply


class Cancelled(BaseException):
    """The run is being stopped (Ctrl-C): leave the episode without recording it."""


class Session:
    """Asks the model, counts tokens and time, keeps the transcript.

    The task owns the conversation: it passes all messages so far to every `reply` and appends the answer
    itself. The session stores each message once. Where the protocol sends less than the whole history
    (context shortening), pass what is sent as `view`; the transcript then notes how much was left out.

    Args:
        endpoint: the replica this episode is pinned to.
        generation: default parameters of the task. A seed set here is the seed of the first call and is
            raised by one with every further call.
        system: system message put in front of conversations that bring none.
        stop: set by the runner when the run is being stopped.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        generation: Generation,
        system: str | None = None,
        stop: threading.Event | None = None,
    ):
        self.endpoint = endpoint
        self.generation = generation
        self.system = system
        self.transcript: list[dict[str, Any]] = []
        self.calls = 0
        self.retries = 0
        self.prompt_tokens = 0
        self.completion_tokens = 0
        self.model_seconds = 0.0
        self._stop = stop
        self._last: list[Message] = []
        self._reply: dict[str, Any] | None = (
            None  # our last reply, until the task has put it into its messages
        )

    def reply(self, messages: list[Message], *, view: list[Message] | None = None, **changes: Any) -> str:
        """Answer to a conversation that ends with a user message.

        Args:
            messages: the whole conversation so far.
            view: what is really sent, if it differs from `messages`.
            changes: Generation fields that differ in this call (max_new_tokens=..., stop=...).

        Raises:
            ModelError: the endpoint failed, or refused the prompt (ContextLimit).
        """
        self._log_new(messages)
        sent = messages if view is None else view
        notes = {} if len(sent) == len(messages) else {"omitted_messages": len(messages) - len(sent)}
        if self.system is not None and (not sent or sent[0]["role"] != "system"):
            sent = [{"role": "system", "content": self.system}, *sent]
        return self._ask(lambda generation: self.endpoint.chat(sent, generation), changes, notes)

    def complete(self, prompt: str, **changes: Any) -> str:
        """Continuation of a raw prompt, without any conversation template. Raises ModelError."""
        self.transcript.append({"role": "prompt", "content": prompt})
        return self._ask(lambda generation: self.endpoint.generate(prompt, generation), changes, {})

    def note(self, text: str, **data: Any) -> None:
        """Put a remark of the environment into the transcript; the model never sees it."""
        self.transcript.append({"role": "note", "content": text, **data})

    def finish(self, messages: Sequence[Message]) -> None:
        """Log messages that followed the last reply (a final observation)."""
        self._log_new(messages)

    def usage(self) -> dict[str, int]:
        """Calls, retries and tokens (as the server counted them) of the episode so far."""
        return {
            "calls": self.calls,
            "retries": self.retries,
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.completion_tokens,
        }

    def _ask(
        self, call: Callable[[Generation], Reply], changes: dict[str, Any], notes: dict[str, Any]
    ) -> str:
        if self._stop is not None and self._stop.is_set():
            raise Cancelled
        generation = self.generation.but(**changes) if changes else self.generation
        if generation.seed is not None and "seed" not in changes:
            generation = generation.but(seed=generation.seed + self.calls)
        started = time.perf_counter()
        self.calls += 1
        try:
            answer = call(generation)
        except ModelError as error:
            self.note(f"the model call failed: {error.cause}")
            raise
        finally:
            self.model_seconds += time.perf_counter() - started
        self.retries += answer.retries
        self.prompt_tokens += answer.prompt_tokens or 0
        self.completion_tokens += answer.completion_tokens or 0
        if answer.finish_reason == "length":
            notes = {**notes, "finish_reason": "length"}
        self._reply = {"role": "assistant", "content": answer.text, **notes}
        self.transcript.append(self._reply)
        return answer.text

    def _log_new(self, messages: Sequence[Message]) -> None:
        """Append what the transcript lacks. Our own reply is already there; a task may have cut or mended it."""
        known = len(self._last)
        if len(messages) < known or (known and messages[known - 1] != self._last[known - 1]):
            self.note("the task started a new conversation")
            known = 0
        for message in messages[known:]:
            if message["role"] == "assistant" and self._reply is not None:
                if message["content"] != self._reply["content"]:
                    self._reply["used"] = message["content"]
                self._reply = None
            elif message["role"] == "assistant":
                # Put into the model's mouth by the task (an example, an acknowledgement): never replayed as a reply.
                self.transcript.append({**message, "scripted": True})
            else:
                self.transcript.append(dict(message))
        self._last = list(messages)
