"""Adapters of the differential vectors (page "agentbench-core")."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import urlsplit

from agenttuning import sources
from agenttuning.episodes.history import count_segments, shorten
from agenttuning.episodes.session import Session
from agenttuning.episodes.vectors import Unavailable
from agenttuning.models import templates
from agenttuning.models.types import Generation, Message, Reply, ServerFailure

from . import layout, upstream_client
from .upstream_client import StickySession, UpstreamEndpoint, to_messages

PAGE = "agentbench-core"

FAILURES = {"Timeout": TimeoutError, "ReadTimeout": TimeoutError, "ConnectionError": ConnectionError}
"""The requests library's exceptions in our transport's words; all others are a plain OSError."""

QUESTION: list[Message] = [{"role": "user", "content": "q"}]


def _prompt(case: dict[str, Any]) -> Any:
    given = case["input"]
    try:
        messages = to_messages(given["history"])
    except ValueError as error:
        return {"exception": f"ValueError: {error}"}
    return templates.render(upstream_client.template_for(given.get("model_name", "AgentLM-7b")), messages)


def _request_body(case: dict[str, Any]) -> Any:
    given = case["input"]
    sent: list[tuple[str, bytes]] = []

    def transport(url: str, body: bytes) -> bytes:
        sent.append((url, body))
        return b"{}"

    template = upstream_client.template_for(given["model_name"])
    endpoint = UpstreamEndpoint("recorder", ["http://127.0.0.1:1"], template, transport=transport)
    new = given["max_new_tokens"]
    endpoint.chat(
        to_messages(given["history"]), Generation(max_new_tokens=new, truncate=given["max_tokens"] - new)
    )
    url, body = sent[0]
    return {"path": urlsplit(url).path, "headers": upstream_client.HEADERS, "body": json.loads(body)}


def _response_text(case: dict[str, Any]) -> Any:
    calls = itertools.count()

    def transport(url: str, body: bytes) -> bytes:
        next(calls)
        return str(case["input"]["body"]).encode()

    endpoint = UpstreamEndpoint("recorder", ["http://127.0.0.1:1"], "llama-2", transport=transport)
    return {"text": endpoint.chat(QUESTION, Generation()).text, "attempts": next(calls)}


def _network_failures(case: dict[str, Any]) -> Any:
    failures = list(case["input"]["failures"])
    attempts = 0
    sleeps: list[float] = []

    def transport(url: str, body: bytes) -> bytes:
        nonlocal attempts
        attempts += 1
        if attempts <= len(failures):
            raise FAILURES.get(failures[attempts - 1], OSError)(failures[attempts - 1])
        return b'{"generated_text": "late answer"}'

    endpoint = UpstreamEndpoint(
        "flaky", ["http://127.0.0.1:1"], "llama-2", transport=transport, sleep=sleeps.append
    )
    session = StickySession(endpoint)
    text = session.chat(QUESTION, Generation()).text
    return {"text": text, "attempts": attempts, "sleeps_s": sleeps, "exception_raised": session.broken}


def _shortened(history: Sequence[dict[str, Any]]) -> Any:
    if not sources.prompts_available(PAGE):
        raise Unavailable("upstream prompts are not on this machine")
    try:
        return layout.history(shorten(to_messages(history), notice=sources.prompts(PAGE)["omitted_notice"]))
    except ValueError:  # upstream's exception and its spelling
        return {"exception": "SessionExeption", "message": "Invalid messages"}


def _filter(case: dict[str, Any]) -> Any:
    return _shortened(case["input"]["messages"])


def _filter_lengths(case: dict[str, Any]) -> Any:
    roles = itertools.cycle(("user", "agent"))
    history = [
        {"role": role, "content": (word + " ") * n}
        for role, (word, n) in zip(roles, case["input"]["spec"], strict=False)
    ]
    return [
        {"role": m["role"], "len": len(m["content"]), "tail": m["content"][-40:]} for m in _shortened(history)
    ]


class _Replies:
    """An endpoint that gives the replies of a case; RAISE is a failing call."""

    name = "replies"

    def __init__(self, replies: Sequence[str]):
        self.lengths: list[int] = []
        self._replies = iter(replies)

    def chat(self, messages: list[Message], generation: Generation) -> Reply:
        self.lengths.append(len(messages))
        reply = next(self._replies)
        if reply == "RAISE":
            raise ServerFailure("the case makes this call fail")
        return Reply(reply)

    def generate(self, prompt: str, generation: Generation) -> Reply:
        return self.chat([{"role": "user", "content": prompt}], generation)

    def alive(self) -> bool:
        return True

    def info(self) -> dict[str, Any]:
        return {}

    def close(self) -> None:
        return


def _session_flow(case: dict[str, Any]) -> Any:
    replies = _Replies(case["input"]["replies"])
    sticky = StickySession(replies)
    session = Session(sticky, Generation())
    messages: list[Message] = []
    returned = []
    for text in case["input"]["user"]:
        messages.append({"role": "user", "content": text})
        returned.append(session.reply(messages))
        messages.append({"role": "assistant", "content": returned[-1]})
    session.finish(messages)
    return {
        "returned": returned,
        "model_calls_history_len": replies.lengths,
        "history": layout.history(session.transcript),
        "exception_raised": sticky.broken,
    }


ADAPTERS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "prompt": _prompt,
    "request_body": _request_body,
    "response_text": _response_text,
    "network_failures": _network_failures,
    "calc_segments": lambda case: count_segments(case["input"]["text"]),
    "filter_messages": _filter,
    "filter_messages_lengths": _filter_lengths,
    "session_flow": _session_flow,
    "serialize": lambda case: layout.serialize(case["input"]["obj"]),
}
