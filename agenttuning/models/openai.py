"""Client of OpenAI-compatible servers: vLLM, SGLang, llama.cpp, the OpenAI API."""

from __future__ import annotations

import json
from typing import Any

from agenttuning.models import templates
from agenttuning.models.http import HttpClient, RetryPolicy
from agenttuning.models.types import Generation, Message, Reply, RequestRefused, ServerFailure, Unreachable

FINISH = {"stop": "eos_token", "length": "length"}


class OpenAIEndpoint:
    """One OpenAI-compatible server.

    Args:
        name: shown in messages.
        url: base URL including the version part, e.g. "http://127.0.0.1:8000/v1".
        model: model name sent with each request.
        template: fschat template; conversations then go through /completions as a rendered prompt, exactly
            as with TGI. None: they go through /chat/completions and the server applies its own template.
        truncate: tokens kept of a prompt are a server matter here; Generation.truncate is sent as
            `truncate_prompt_tokens` (vLLM) only when this is True.
    """

    def __init__(
        self,
        name: str,
        url: str,
        model: str,
        *,
        template: str | None = None,
        policy: RetryPolicy | None = None,
        stop: tuple[str, ...] = (),
        truncate: bool = False,
        api_key_env: str | None = None,
    ):
        if template is not None:
            templates.check(template)
        self.name = name
        self.url = url
        self.model = model
        self.template = template
        self._stop = stop
        self._truncate = truncate
        self._http = HttpClient(url, policy or RetryPolicy(), api_key_env=api_key_env)

    def chat(self, messages: list[Message], generation: Generation) -> Reply:
        if self.template is not None:
            return self.generate(
                templates.render(self.template, messages, strip=generation.strip), generation
            )
        return self._ask("/chat/completions", {"messages": list(messages)}, generation)

    def generate(self, prompt: str, generation: Generation) -> Reply:
        return self._ask("/completions", {"prompt": prompt}, generation)

    def _ask(self, path: str, body: dict[str, Any], generation: Generation) -> Reply:
        got = self._http.post(path, {**body, **self.parameters(generation)})
        answer = got.json
        try:
            choice = answer["choices"][0]
            text = choice["message"]["content"] if "message" in choice else choice["text"]
        except (KeyError, IndexError, TypeError) as error:
            raise ServerFailure(f"{self.url}{path} answered without choices") from error
        usage = answer.get("usage") or {}
        return Reply(
            text=text or "",
            prompt_tokens=usage.get("prompt_tokens"),
            completion_tokens=usage.get("completion_tokens"),
            finish_reason=FINISH.get(choice.get("finish_reason"), choice.get("finish_reason")),
            seconds=got.seconds,
            retries=got.retries,
        )

    def parameters(self, generation: Generation) -> dict[str, Any]:
        """Request fields. Greedy decoding is temperature 0 here; TGI's is no temperature at all."""
        greedy = not generation.do_sample and generation.temperature is None
        chosen: dict[str, Any] = {
            "model": self.model,
            "max_tokens": generation.max_new_tokens,
            "temperature": 0.0
            if greedy
            else generation.temperature
            if generation.temperature is not None
            else 1.0,
        }
        if generation.top_p is not None:
            chosen["top_p"] = generation.top_p
        if generation.seed is not None:
            chosen["seed"] = generation.seed
        stop = list(dict.fromkeys([*generation.stop, *self._stop]))
        if stop:
            chosen["stop"] = stop
        if self._truncate and generation.truncate is not None:
            chosen["truncate_prompt_tokens"] = generation.truncate
        return {**chosen, **generation.extra}

    def alive(self) -> bool:
        try:
            status, _ = self._http.get("/models")
        except Unreachable:
            return False
        return status < 500

    def info(self) -> dict[str, Any]:
        status, body = self._http.get("/models", timeout=10.0)
        if status in (401, 403):
            raise RequestRefused(
                f"{self.url} refused the key ({status})", "check the key's environment variable"
            )
        try:
            served = [entry["id"] for entry in json.loads(body)["data"]]
        except (ValueError, KeyError, TypeError):
            served = []
        if status == 200 and served and self.model not in served:
            raise RequestRefused(
                f"{self.url} does not serve {self.model!r}", f"it serves: {', '.join(sorted(served)[:10])}"
            )
        return {"model_id": self.model, "served": len(served)}

    def close(self) -> None:
        self._http.close()
