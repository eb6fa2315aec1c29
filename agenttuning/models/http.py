"""One HTTP call with pooled keep-alive connections, retries with back-off, and typed errors."""

from __future__ import annotations

import json
import os
import random
import threading
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import urllib3
from urllib3.exceptions import HTTPError, LocationParseError, MaxRetryError, NewConnectionError, TimeoutError

from agenttuning.errors import KitError
from agenttuning.models.types import ContextLimit, ModelError, Overloaded, RequestRefused, ServerFailure, Unreachable

RETRIED_STATUS = frozenset({429, 500, 502, 503, 504})
RETRIED_ONCE = 424  # TGI: "Request failed during generation"


@dataclass(frozen=True)
class RetryPolicy:
    """How long to keep trying before a call is given up.

    Attributes:
        attempts: calls in total.
        first_wait, longest_wait: seconds; the wait doubles each time, with jitter.
        timeout: seconds a server may take to answer one call.
        connect_timeout: seconds to open a connection.
    """

    attempts: int = 6
    first_wait: float = 0.5
    longest_wait: float = 20.0
    timeout: float = 120.0
    connect_timeout: float = 5.0

    def wait(self, attempt: int) -> float:
        """Seconds to sleep after the given failed attempt (0-based)."""
        return min(self.longest_wait, self.first_wait * 2**attempt) * random.uniform(0.75, 1.25)


class HttpClient:
    """JSON over HTTP to one base URL. Safe to use from many threads.

    Args:
        base_url: "http://127.0.0.1:30070" or with a path prefix ("http://host/v1").
        policy: retry policy.
        connections: connections kept open; further ones are opened and closed as needed.
        api_key_env: name of an environment variable whose value goes into the Authorization header.
    """

    def __init__(self, base_url: str, policy: RetryPolicy, connections: int = 128, api_key_env: str | None = None):
        parts = urlsplit(base_url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise KitError(f"{base_url!r} is not a URL of a model server", "give one like http://127.0.0.1:30070")
        self.base_url = base_url.rstrip("/")
        self.policy = policy
        self._prefix = parts.path.rstrip("/")
        self._headers = {"Content-Type": "application/json"}
        if api_key_env:
            key = os.environ.get(api_key_env)
            if not key:
                raise KitError(f"the environment variable {api_key_env} with the key for {base_url} is not set", f"export {api_key_env}=...")
            self._headers["Authorization"] = f"Bearer {key}"
        timeout = urllib3.Timeout(connect=policy.connect_timeout, read=policy.timeout)
        try:
            self._pool = urllib3.connection_from_url(
                f"{parts.scheme}://{parts.netloc}", maxsize=connections, block=False, timeout=timeout, retries=False
            )
        except LocationParseError as error:
            raise KitError(f"{base_url!r} is not a URL of a model server ({error})") from error
        self._closed = threading.Event()

    def close(self) -> None:
        self._closed.set()
        self._pool.close()

    def get(self, path: str, timeout: float = 3.0) -> tuple[int, bytes]:
        """One GET without retries: status and body. Raises Unreachable."""
        try:
            answer = self._pool.urlopen("GET", self._prefix + path, headers=self._headers, timeout=timeout)
        except (HTTPError, OSError) as error:
            raise Unreachable(f"nothing answers at {self.base_url} ({_brief(error)})") from error
        return answer.status, answer.data

    def post(self, path: str, body: dict[str, Any]) -> tuple[Any, int, float]:
        """POST JSON until an answer or a final error.

        Returns:
            parsed JSON of the 200 answer, number of retries, wall seconds of the last attempt.

        Raises:
            RequestRefused, ContextLimit: the server called the request invalid; not retried.
            Overloaded, ServerFailure, Unreachable: still failing after the last attempt.
        """
        payload = json.dumps(body).encode()
        failure: ModelError | None = None
        attempts = self.policy.attempts
        attempt = 0
        while True:
            started = time.perf_counter()
            try:
                answer = self._pool.urlopen("POST", self._prefix + path, body=payload, headers=self._headers)
                if answer.status == 200:
                    return json.loads(answer.data), attempt, time.perf_counter() - started
                failure = self._failure(answer.status, answer.data)
                if isinstance(failure, RequestRefused):
                    raise failure
                if answer.status == RETRIED_ONCE:
                    attempts = min(attempts, 2)
            except (NewConnectionError, MaxRetryError) as error:
                failure = Unreachable(f"nothing listens at {self.base_url} ({_brief(error)})")
            except TimeoutError as error:
                failure = Unreachable(f"{self.base_url} did not answer within {self.policy.timeout:g} s ({_brief(error)})")
            except ValueError as error:
                failure = ServerFailure(f"{self.base_url} sent a reply that is not JSON ({error})")
            except (HTTPError, OSError) as error:
                failure = Unreachable(f"the connection to {self.base_url} broke ({_brief(error)})")
            attempt += 1
            if attempt >= attempts or self._closed.is_set():
                raise failure
            self._closed.wait(self.policy.wait(attempt - 1))

    def _failure(self, status: int, data: bytes) -> ModelError:
        text = data[:2000].decode("utf-8", "replace")
        try:
            parsed = json.loads(text)
            told = parsed.get("error", text) if isinstance(parsed, dict) else text
            told = told.get("message", str(told)) if isinstance(told, dict) else str(told)
        except ValueError:
            told = text.strip()
        if status == 429:
            return Overloaded(f"{self.base_url} is overloaded (429: {told})")
        if status in RETRIED_STATUS or status == RETRIED_ONCE:
            return ServerFailure(f"{self.base_url} failed ({status}: {told})")
        if status in (400, 413, 422) and is_context_limit(told):
            return ContextLimit(f"the prompt does not fit the model's context ({told})")
        return RequestRefused(f"{self.base_url} refused the request ({status}: {told})")


def is_context_limit(text: str) -> bool:
    """Whether an error text says that the prompt is too long (TGI's, vLLM's and OpenAI's wordings)."""
    lowered = text.lower()
    return (
        "`inputs` tokens + `max_new_tokens` must be" in lowered
        or "`inputs` must have less than" in lowered
        or "maximum context length" in lowered
        or "context_length_exceeded" in lowered
    )


def _brief(error: Exception) -> str:
    reason = getattr(error, "reason", None) or error
    text = str(reason)
    return text.split(": ", 1)[1] if text.startswith("<") and ": " in text else text or type(reason).__name__
