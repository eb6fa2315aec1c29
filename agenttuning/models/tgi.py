"""Client of text-generation-inference's own API (POST /generate)."""

from __future__ import annotations

import json
from typing import Any

from agenttuning.models import templates
from agenttuning.models.http import HttpClient, RetryPolicy
from agenttuning.models.types import Generation, Message, Reply, ServerFailure, Unreachable


class TgiEndpoint:
    """One TGI server (or this kit's CPU server).

    Args:
        name: shown in messages.
        url: base URL.
        template: fschat template that turns messages into the prompt.
        stop: strings always sent as stop sequences and cut off the reply (a template's end marker).
        details: ask for token counts (one field more in the reply).
    """

    def __init__(
        self,
        name: str,
        url: str,
        template: str,
        *,
        policy: RetryPolicy | None = None,
        stop: tuple[str, ...] = (),
        details: bool = True,
        api_key_env: str | None = None,
    ):
        templates.check(template)
        self.name = name
        self.url = url
        self.template = template
        self._stop = stop
        self._details = details
        self._http = HttpClient(url, policy or RetryPolicy(), api_key_env=api_key_env)

    def chat(self, messages: list[Message], generation: Generation) -> Reply:
        return self.generate(templates.render(self.template, messages, strip=generation.strip), generation)

    def generate(self, prompt: str, generation: Generation) -> Reply:
        got = self._http.post("/generate", {"inputs": prompt, "parameters": self.parameters(generation)})
        answer = got.json[0] if isinstance(got.json, list) and len(got.json) == 1 else got.json
        if not isinstance(answer, dict) or not isinstance(answer.get("generated_text"), str):
            raise ServerFailure(f"{self.url} answered without generated_text")
        details = answer.get("details") or {}
        counted = got.headers.get("x-prompt-tokens") or ""  # TGI 2 and later; before, only `prefill` tells
        return Reply(
            text=answer["generated_text"],
            prompt_tokens=int(counted) if counted.isdecimal() else len(details.get("prefill") or []) or None,
            completion_tokens=details.get("generated_tokens"),
            finish_reason=details.get("finish_reason"),
            seconds=got.seconds,
            retries=got.retries,
            details=details or None,
        )

    def parameters(self, generation: Generation) -> dict[str, Any]:
        """The request's `parameters`: only what is set, so that the server's defaults stand elsewhere."""
        stop = list(dict.fromkeys([*generation.stop, *self._stop]))
        chosen: dict[str, Any] = {
            "max_new_tokens": generation.max_new_tokens,
            "do_sample": generation.do_sample,
        }
        for key in ("temperature", "top_p", "top_k", "truncate", "seed"):
            value = getattr(generation, key)
            if value is not None:
                chosen[key] = value
        if stop:
            chosen["stop"] = stop
        if self._details:
            chosen["details"] = True
        return {**chosen, **generation.extra}

    def alive(self) -> bool:
        try:
            status, _ = self._http.get("/health")
        except Unreachable:
            return False
        return status == 200

    def info(self) -> dict[str, Any]:
        status, body = self._http.get("/info")
        try:
            info = json.loads(body)
        except ValueError:
            info = None
        if status != 200 or not isinstance(info, dict):
            raise ServerFailure(
                f"{self.url}/info answered {status} and no JSON object",
                "check that a TGI server listens there",
            )
        return info

    def close(self) -> None:
        self._http.close()
