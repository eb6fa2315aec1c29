"""Upstream's own way of talking to TGI, errors included: opt-in by --upstream-errors.

Follows AgentBench.old/src/{agent.py,agents/tgi_client.py} of THUDM/AgentTuning
@ e33a45d7eab2b63cac4d1956da1e6377fca9fcc7. There every failed request ends as an empty model answer that is scored
as wrong; the kit's default client raises typed errors instead. This one exists to reproduce upstream's numbers on
a shaky server, and to show what they would have been.
"""

from __future__ import annotations

import json
import random
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import urllib3
from urllib3.exceptions import HTTPError, ProtocolError

from agenttuning.episodes.session import Session
from agenttuning.episodes.types import Outcome, Player, Sample, Scores, Task
from agenttuning.models import templates
from agenttuning.models.registry import Model
from agenttuning.models.tgi import TgiEndpoint
from agenttuning.models.types import Endpoint, Generation, Message, Reply, ServerFailure, Unreachable

PATH = "/generate"
HEADERS = {"Content-Type": "application/json"}
TEMPERATURE = 0.7
MAX_TOKENS = 4096
ATTEMPTS = 3
PAUSE_SECONDS = 5
TIMEOUT_SECONDS = 120.0
ROLES = {"user": "user", "agent": "assistant"}

Transport = Callable[[str, bytes], bytes]
"""POSTs a JSON body to a URL and gives the reply's body, whatever its status.

Raises TimeoutError or ConnectionError (both tried again), or another OSError (not tried again).
"""


def to_messages(history: Sequence[Mapping[str, Any]]) -> list[Message]:
    """Our messages of an upstream history (roles user and agent).

    Raises:
        ValueError: another role, or a content that is no text.
    """
    messages: list[Message] = []
    for message in history:
        if message["role"] not in ROLES:
            raise ValueError(f"Unknown role: {message['role']}")
        if not isinstance(message["content"], str):
            raise ValueError(f"content is no text: {message['content']!r}")
        messages.append({"role": ROLES[message["role"]], "content": message["content"]})
    return messages


def template_for(model_name: str) -> str:
    """Upstream's choice of template: Llama-2 for names with "AgentLM" (case matters), Vicuna for all others."""
    return "llama-2" if "AgentLM" in model_name else "vicuna_v1.1"


def request_body(prompt: str, generation: Generation) -> dict[str, Any]:
    """The JSON body upstream sends: it samples at 0.7 in spite of do_sample, and has neither seed nor stop."""
    truncate = generation.truncate
    if truncate is None:
        truncate = MAX_TOKENS - generation.max_new_tokens
    return {
        "inputs": prompt,
        "parameters": {
            "max_new_tokens": generation.max_new_tokens,
            "do_sample": False,
            "temperature": TEMPERATURE,
            "truncate": truncate,
        },
    }


def reply_text(body: bytes) -> str:
    """Text of a reply: the last of its NUL-separated JSON pieces counts, and one bad piece after it empties it."""
    text = ""
    for piece in body.split(b"\0"):
        if not piece:
            continue
        try:
            found = json.loads(piece)["generated_text"]
        except (ValueError, KeyError, TypeError, IndexError):
            found = ""
        text = found if isinstance(found, str) else ""
    return text


def post(url: str, body: bytes) -> bytes:
    """The Transport over HTTP. Which failures are tried again follows the requests library's classes."""
    try:
        answer = _pool.request(
            "POST",
            url,
            body=body,
            headers=HEADERS,
            preload_content=False,
            timeout=TIMEOUT_SECONDS,
            retries=False,
        )
    except urllib3.exceptions.TimeoutError as error:
        raise TimeoutError(str(error)) from error
    except (HTTPError, OSError) as error:
        raise ConnectionError(str(error)) from error
    try:
        return answer.read()
    except ProtocolError as error:  # a body that breaks off is no connection error to requests
        raise OSError(str(error)) from error
    except HTTPError as error:
        raise ConnectionError(str(error)) from error
    finally:
        answer.release_conn()


_pool = urllib3.PoolManager(maxsize=64)


class UpstreamEndpoint:
    """All ports of one model behind upstream's client: a port at random for each request.

    Args:
        name: shown in messages.
        urls: base URLs.
        template: see template_for.
        transport, sleep: replaced in tests.
    """

    def __init__(
        self,
        name: str,
        urls: Sequence[str],
        template: str,
        *,
        transport: Transport = post,
        sleep: Callable[[float], None] = time.sleep,
    ):
        templates.check(template)
        self.name = name
        self.urls = tuple(urls)
        self.template = template
        self._transport = transport
        self._sleep = sleep

    def chat(self, messages: list[Message], generation: Generation) -> Reply:
        return self.generate(templates.render(self.template, messages), generation)

    def generate(self, prompt: str, generation: Generation) -> Reply:
        """One request with upstream's retries.

        Raises:
            Unreachable: three time-outs or connection errors in a row, each followed by five seconds of sleep.
            ServerFailure: another network error; it is not tried again.
        """
        payload = json.dumps(request_body(prompt, generation)).encode()
        started = time.perf_counter()
        for attempt in range(ATTEMPTS):
            try:
                body = self._transport(random.choice(self.urls) + PATH, payload)
                return Reply(reply_text(body), seconds=time.perf_counter() - started, retries=attempt)
            except (TimeoutError, ConnectionError):
                self._sleep(PAUSE_SECONDS)
            except OSError as error:
                raise ServerFailure(f"the connection to {self.name} broke ({error})") from error
        raise Unreachable(f"{self.name} did not answer in {ATTEMPTS} attempts")

    def alive(self) -> bool:
        return any(TgiEndpoint(self.name, url, self.template).alive() for url in self.urls)

    def info(self) -> dict[str, Any]:
        """What the first port says of itself; upstream never asks."""
        return TgiEndpoint(self.name, self.urls[0], self.template).info()

    def close(self) -> None:
        return


class StickySession:
    """An endpoint for one episode that answers "" from its first failed call on, without asking again."""

    def __init__(self, endpoint: Endpoint):
        self.name = endpoint.name
        self.broken = False
        self._endpoint = endpoint

    def chat(self, messages: list[Message], generation: Generation) -> Reply:
        return self._ask(lambda: self._endpoint.chat(messages, generation))

    def generate(self, prompt: str, generation: Generation) -> Reply:
        return self._ask(lambda: self._endpoint.generate(prompt, generation))

    def alive(self) -> bool:
        return self._endpoint.alive()

    def info(self) -> dict[str, Any]:
        return self._endpoint.info()

    def close(self) -> None:
        return

    def _ask(self, call: Callable[[], Reply]) -> Reply:
        if self.broken:
            return Reply("")
        try:
            return call()
        except Exception as error:  # upstream swallows whatever a model call raises
            self.broken = True
            print(f"note: {error}; this episode gets empty answers from here on", file=sys.stderr)
            return Reply("")


@dataclass(frozen=True)
class UpstreamModel(Model):
    """A model whose endpoint is upstream's client."""

    def endpoints(self) -> list[Endpoint]:
        return [UpstreamEndpoint(self.name, self.urls, self.template or "llama-2")]


class StickyTask(Task):
    """A task whose episodes see a StickySession; `exception_raised` in the metrics tells the broken ones."""

    def __init__(self, task: Task):
        super().__init__(task.spec, task.profile, task.options)
        self._task = task

    def play(self, sample: Sample, session: Session) -> Outcome:
        session.endpoint = sticky = StickySession(session.endpoint)
        outcome = self._task.play(sample, session)
        outcome.metrics["exception_raised"] = sticky.broken
        return outcome

    def samples(self, split: str) -> list[Sample]:
        return self._task.samples(split)

    def score(self, records: Sequence[dict[str, Any]]) -> Scores:
        return self._task.score(records)

    def oracle(self, sample: Sample) -> Player:
        return self._task.oracle(sample)

    def ceiling(self, sample: Sample) -> float:
        return self._task.ceiling(sample)

    def floor(self, sample: Sample) -> float:
        return self._task.floor(sample)

    def check(self) -> None:
        self._task.check()

    def open(self) -> None:
        self._task.open()

    def close(self) -> None:
        self._task.close()

    def prompt_identity(self) -> dict[str, str]:
        return self._task.prompt_identity()

    def base_generation(self, sampling: str) -> Generation:
        return self._task.base_generation(sampling)
