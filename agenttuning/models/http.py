"""One HTTP call with pooled keep-alive connections, retries with back-off, and typed errors.

The standard library's http.client and not a client library: with 64 episodes at once the general clients cost
two to four times its CPU per call, and the harness must stay out of the model's way (make bench-harness).
"""

from __future__ import annotations

import http.client
import json
import os
import random
import threading
import time
import urllib.request
from collections import deque
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from agenttuning.errors import KitError
from agenttuning.models.types import (
    ContextLimit,
    ModelError,
    Overloaded,
    RequestRefused,
    ServerFailure,
    Unreachable,
)

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


@dataclass(frozen=True)
class Answer:
    """A 200 answer: parsed JSON, headers, retries before it, wall seconds of the successful attempt."""

    json: Any
    headers: http.client.HTTPMessage
    retries: int
    seconds: float


class _OneWriteConnection(http.client.HTTPConnection):
    """A plain connection whose head and body leave in one write, so in one packet where they fit."""

    def __init__(self, host: str, port: int, timeout: float):
        super().__init__(host, port, timeout=timeout)
        self._waiting: list[bytes] = []

    def send(self, data: Any) -> None:
        self._waiting.append(data)

    def getresponse(self) -> http.client.HTTPResponse:
        waiting, self._waiting = self._waiting, []
        super().send(b"".join(waiting))
        return super().getresponse()


class HttpClient:
    """JSON over HTTP to one base URL. Safe to use from many threads; each call has a connection to itself.

    Args:
        base_url: "http://127.0.0.1:30070" or with a path prefix ("http://host/v1").
        policy: retry policy.
        api_key_env: name of an environment variable whose value goes into the Authorization header.
    """

    def __init__(self, base_url: str, policy: RetryPolicy, api_key_env: str | None = None):
        try:
            parts = urlsplit(base_url)
            host, port = parts.hostname, parts.port
        except ValueError:
            parts, host, port = urlsplit(""), None, None
        if parts.scheme not in ("http", "https") or not host:
            raise KitError(
                f"{base_url!r} is not a URL of a model server", "give one like http://127.0.0.1:30070"
            )
        self.base_url = base_url.rstrip("/")
        self.policy = policy
        self._tls = parts.scheme == "https"
        self._host, self._port = host, port or (443 if self._tls else 80)
        self._prefix = parts.path.rstrip("/")
        self._headers = {"Content-Type": "application/json"}
        if api_key_env:
            key = os.environ.get(api_key_env)
            if not key:
                raise KitError(
                    f"the environment variable {api_key_env} with the key for {base_url} is not set",
                    f"export {api_key_env}=...",
                )
            self._headers["Authorization"] = f"Bearer {key}"
        proxies = {} if urllib.request.proxy_bypass(host) else urllib.request.getproxies()
        self._proxy = urlsplit(proxies.get("https", "")) if self._tls else None
        self._idle: deque[http.client.HTTPConnection] = deque()
        self._closed = threading.Event()

    def close(self) -> None:
        """Close idle connections and end retries that are waiting."""
        self._closed.set()
        while self._idle:
            self._idle.pop().close()

    def get(self, path: str, timeout: float = 3.0) -> tuple[int, bytes]:
        """One GET without retries: status and body. Raises Unreachable."""
        connection = self._connect(timeout)
        try:
            connection.request("GET", self._prefix + path, headers=self._headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        except (http.client.HTTPException, OSError) as error:
            raise Unreachable(f"nothing answers at {self.base_url} ({_brief(error)})") from error
        finally:
            connection.close()

    def post(self, path: str, body: dict[str, Any]) -> Answer:
        """POST JSON until an answer or a final error.

        Raises:
            RequestRefused, ContextLimit: the server called the request invalid; not retried.
            Overloaded, ServerFailure, Unreachable: still failing after the last attempt.
        """
        payload = json.dumps(body).encode()
        attempts = self.policy.attempts
        attempt = 0
        while True:
            started = time.perf_counter()
            pause = 0.0
            failure: ModelError
            try:
                status, data, headers = self._exchange(path, payload)
                if status == 200:
                    return Answer(json.loads(data), headers, attempt, time.perf_counter() - started)
                failure = self._failure(status, data)
                if isinstance(failure, RequestRefused):
                    raise failure
                if status == RETRIED_ONCE:
                    attempts = min(attempts, 2)
                wait = headers.get("Retry-After") or ""
                pause = min(float(wait), self.policy.longest_wait) if wait.isdecimal() else 0.0
            except ConnectionRefusedError:
                failure = Unreachable(f"nothing listens at {self.base_url}")
            except TimeoutError:
                failure = Unreachable(f"{self.base_url} did not answer within {self.policy.timeout:g} s")
            except ValueError as error:
                failure = ServerFailure(f"{self.base_url} sent a reply that is not JSON ({error})")
            except (http.client.HTTPException, OSError) as error:
                failure = Unreachable(f"the connection to {self.base_url} broke ({_brief(error)})")
            attempt += 1
            if attempt >= attempts or self._closed.is_set():
                raise failure
            self._closed.wait(max(pause, self.policy.wait(attempt - 1)))

    def _exchange(self, path: str, payload: bytes) -> tuple[int, bytes, http.client.HTTPMessage]:
        """One request and its whole answer: status, body, headers."""
        while True:
            try:
                connection, reused = self._idle.pop(), True
            except IndexError:
                connection, reused = self._connect(self.policy.connect_timeout), False
            try:
                if connection.sock is None:
                    connection.connect()
                    connection.sock.settimeout(self.policy.timeout)  # type: ignore[attr-defined]  # set by connect()
                connection.request("POST", self._prefix + path, body=payload, headers=self._headers)
                answer = connection.getresponse()
                data = answer.read()
            except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError):
                connection.close()
                if reused:
                    continue  # the server had closed an idle connection; a new one tells more
                raise
            except BaseException:
                connection.close()
                raise
            if answer.will_close or self._closed.is_set():
                connection.close()
            else:
                self._idle.append(connection)
            return answer.status, data, answer.headers

    def _connect(self, timeout: float) -> http.client.HTTPConnection:
        if not self._tls:
            return _OneWriteConnection(self._host, self._port, timeout)
        if self._proxy is not None and self._proxy.hostname:
            connection = http.client.HTTPSConnection(
                self._proxy.hostname, self._proxy.port or 3128, timeout=timeout
            )
            connection.set_tunnel(self._host, self._port)
            return connection
        return http.client.HTTPSConnection(self._host, self._port, timeout=timeout)

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
    text = (error.strerror if isinstance(error, OSError) else None) or str(error)
    return text or type(error).__name__
