"""The OpenAI-like routes /v1/chat/completions and /v1/completions, the way TGI answers them.

Follows huggingface/text-generation-inference @ db931fc, router/src/{chat,server,lib}.rs.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from agenttuning.serving import chat as templates
from agenttuning.serving.backend import Backend, Token
from agenttuning.serving.body import Fields
from agenttuning.serving.errors import ApiError
from agenttuning.serving.generation import EOS, Generated
from agenttuning.serving.service import Service, headers, usage_json
from agenttuning.serving.sse import DONE, EventStream, event, unless_disconnected
from agenttuning.serving.validation import GenerateRequest, Parameters


def _common(body: Fields) -> dict[str, Any]:
    """Sampling fields of both routes: temperature 0 is greedy, anything else (or nothing) samples.

    The model's name may be anything, as with TGI when it has no adapters loaded.
    """
    temperature = body.number("temperature")
    body.string("model")
    return {
        "temperature": None if temperature == 0.0 else temperature,
        "do_sample": temperature != 0.0,
        "top_p": body.number("top_p"),
        "seed": body.seed(),
        "frequency_penalty": body.number("frequency_penalty"),
        "stop": tuple(body.strings("stop", nullable=True)),
        "details": True,
    }


def _response_format(body: Fields) -> dict[str, Any] | None:
    given = body.object("response_format")
    if given is None or given.string("type") == "text":
        return None
    kind = given.required_string("type")
    if kind == "json_object" and "value" not in given.values:
        return {"type": "json", "value": {"type": "object"}}
    if kind in ("json_object", "json", "json_schema", "regex"):
        value = given.values.get("value", given.values.get("json_schema"))
        if value is not None:
            return {"type": "json" if kind == "json_object" else kind, "value": value}
    raise body.wrong(
        "response_format", "expected a `type` of json, json_object, json_schema or regex and a value"
    )


def _messages(body: Fields) -> list[dict[str, Any]]:
    found = []
    for message in body.objects("messages"):
        content = message.values.get("content")
        if isinstance(content, list):
            parts = [Fields(part, "messages.content") for part in content]
            if any(part.required_string("type") != "text" for part in parts):
                raise ApiError(422, "validation", "Input validation error: this model reads text only")
            content = "".join(part.required_string("text") for part in parts)
        elif content is not None and not isinstance(content, str):
            raise message.wrong("content", "data did not match any variant of untagged enum MessageBody")
        found.append({**message.values, "role": message.required_string("role"), "content": content or ""})
    return found


def read_chat(body: Fields, backend: Backend) -> tuple[GenerateRequest, int]:
    """The request of a chat body and its top_logprobs (-1 when no logprobs were asked for).

    Raises:
        PlainError: wrong types. ApiError: 422 for templates and tools.
    """
    if body.values.get("tools") and body.values.get("tool_choice") != "none":
        raise ApiError(422, "tool_error", "Tool error: this server does not call tools")
    presence = body.number("presence_penalty")
    most = body.integer("max_tokens")
    limit = most if most is not None else body.integer("max_completion_tokens")
    shown = bool(body.optional_flag("logprobs"))
    top = body.integer("top_logprobs") or 0
    parameters = Parameters(
        **_common(body),
        max_new_tokens=limit,
        repetition_penalty=None if presence is None else presence + 2.0,
        top_n_tokens=top if shown else None,
        grammar=_response_format(body),
    )
    prompt = templates.render(backend.chat_template, _messages(body), backend.bos, backend.eos)
    return GenerateRequest(prompt, parameters, special=False), top if shown else -1


async def chat(request: Request, service: Service, body: Fields) -> Response:
    """POST /v1/chat/completions."""
    wanted, top = read_chat(body, service.backend)
    options = body.object("stream_options")
    if body.optional_flag("stream"):
        usage = bool(options and options.optional_flag("include_usage"))
        return EventStream(_chat_events(service, wanted, top >= 0, usage), _stream_headers(service, wanted))
    done = await unless_disconnected(request, asyncio.create_task(service.run(wanted, tokens_shown=top >= 0)))
    if done is None:
        return Response(status_code=499)  # nobody reads it
    (reply, *_), validation_seconds = done
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": service.text(reply)},
        "logprobs": {"content": [_logprob(t) for t in reply.tokens]} if top >= 0 else None,
        "finish_reason": _finish(reply),
    }
    result = _envelope(service, "chat.completion", [choice], usage_json(reply.job, reply.count))
    extra = headers(reply, validation_seconds, len(wanted.inputs), service.backend.kind)
    return JSONResponse(result, headers=extra)


async def _chat_events(
    service: Service, wanted: GenerateRequest, logprobs: bool, usage: bool
) -> AsyncGenerator[bytes, None]:
    reply: Generated | None = None
    try:
        async with aclosing(service.stream(wanted, tokens_shown=logprobs)) as stream:
            async for step in stream:
                reply = step.reply
                choice = {
                    "index": 0,
                    "delta": {"role": "assistant", "content": "" if step.token.special else step.token.text},
                    "logprobs": {"content": [_logprob(step.token)]} if logprobs else None,
                    "finish_reason": _finish(reply) if reply.finish else None,
                }
                yield event(_envelope(service, "chat.completion.chunk", [choice], None))
        if usage and reply is not None:
            yield event(_envelope(service, "chat.completion.chunk", [], usage_json(reply.job, reply.count)))
    except ApiError as error:
        yield _stream_error(error)
    yield DONE


async def completions(request: Request, service: Service, body: Fields) -> Response:
    """POST /v1/completions."""
    if body.string("suffix") is not None:
        raise ApiError(422, "suffix not supported", "`suffix` is not supported; put it into the prompt")
    given = body.values.get("prompt")
    prompts = [given] if isinstance(given, str) else given
    if "prompt" not in body.values:
        raise body.wrong("", "missing field `prompt`")
    if not isinstance(prompts, list) or not all(isinstance(p, str) for p in prompts):
        raise body.wrong("prompt", "expected a string or a sequence of strings")
    most = service.limits.max_client_batch_size
    if len(prompts) > most:
        raise ApiError(
            422, "batch size exceeded", f"a request may carry at most {most} prompts, not {len(prompts)}"
        )
    parameters = Parameters(
        **_common(body),
        max_new_tokens=body.integer("max_tokens"),
        repetition_penalty=body.number("repetition_penalty"),
    )
    wanted = [GenerateRequest(prompt, parameters) for prompt in prompts]
    if body.optional_flag("stream"):
        first = wanted[0] if wanted else GenerateRequest("", parameters)
        return EventStream(_completion_events(service, wanted), _stream_headers(service, first))
    work = asyncio.create_task(_run_all(service, wanted))
    replies = await unless_disconnected(request, work)
    if replies is None:
        return Response(status_code=499)  # nobody reads it
    choices = [
        {"index": i, "text": service.text(reply), "logprobs": None, "finish_reason": _finish(reply)}
        for i, reply in enumerate(replies)
    ]
    total = [usage_json(reply.job, reply.count) for reply in replies]
    usage = {k: sum(u[k] for u in total) for k in ("prompt_tokens", "completion_tokens", "total_tokens")}
    return JSONResponse(_envelope(service, "text_completion", choices, usage))


async def _run_all(service: Service, wanted: list[GenerateRequest]) -> list[Generated]:
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(service.run(one, tokens_shown=False)) for one in wanted]
    except ExceptionGroup as errors:
        raise errors.exceptions[0] from errors
    return [task.result()[0][0] for task in tasks]


async def _completion_events(service: Service, wanted: list[GenerateRequest]) -> AsyncGenerator[bytes, None]:
    queue: asyncio.Queue[bytes | None] = asyncio.Queue()

    async def one(index: int, request: GenerateRequest) -> None:
        try:
            async with aclosing(service.stream(request, tokens_shown=False)) as stream:
                async for step in stream:
                    choice = {
                        "index": index,
                        "text": "" if step.token.special else step.token.text,
                        "logprobs": None,
                        "finish_reason": _finish(step.reply) if step.reply.finish else "",
                    }
                    usage = usage_json(step.reply.job, step.reply.count) if step.reply.finish else None
                    queue.put_nowait(event(_envelope(service, "text_completion", [choice], usage)))
        except ApiError as error:
            queue.put_nowait(_stream_error(error))
        finally:
            queue.put_nowait(None)

    tasks = [asyncio.create_task(one(i, request)) for i, request in enumerate(wanted)]
    try:
        running = len(tasks)
        while running:
            part = await queue.get()
            if part is None:
                running -= 1
            else:
                yield part
        yield DONE
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _finish(reply: Generated) -> str | None:
    return "stop" if reply.finish == EOS else reply.finish


def _logprob(token: Token) -> dict[str, Any]:
    top = [{"token": text, "logprob": logprob} for _, text, logprob in token.top]
    return {"token": token.text, "logprob": token.logprob, "top_logprobs": top}


def _envelope(
    service: Service, kind: str, choices: list[Any], usage: dict[str, int] | None
) -> dict[str, Any]:
    return {
        "object": kind,
        "id": "",
        "created": int(time.time()),
        "model": service.backend.model_id,
        "system_fingerprint": service.fingerprint,
        "choices": choices,
        "usage": usage,
    }


def _stream_error(error: ApiError) -> bytes:
    return event({"error": {"message": error.text, "http_status_code": error.status}})


def _stream_headers(service: Service, wanted: GenerateRequest) -> dict[str, str]:
    return {
        "x-compute-type": f"cpu+{service.backend.kind}",
        "x-compute-characters": str(len(wanted.inputs)),
    }
