"""The HTTP application: TGI's own routes. The OpenAI-like ones are in openai.py.

Follows huggingface/text-generation-inference @ db931fc, router/src/server.rs.
"""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from agenttuning import __version__
from agenttuning.serving import openai, validation
from agenttuning.serving.backend import Token
from agenttuning.serving.body import Fields, read_json
from agenttuning.serving.errors import ApiError, BackendFailure, PlainError, failed, unhealthy
from agenttuning.serving.generation import Generated
from agenttuning.serving.service import Service, headers, prefill_json, token_json, top_json
from agenttuning.serving.sse import EventStream, event, unless_disconnected
from agenttuning.serving.validation import GenerateRequest

Handler = Callable[[Request], Awaitable[Response]]


def build_app(service: Service) -> Starlette:
    """The ASGI application of a service."""

    async def body(request: Request) -> Fields:
        return await read_json(request, service.limits.payload_limit)

    async def generate(request: Request) -> Response:
        return await _generate(request, service, validation.read_generate(await body(request)), as_list=False)

    async def generate_stream(request: Request) -> Response:
        return _generate_stream(service, validation.read_generate(await body(request)))

    async def compat(request: Request) -> Response:
        return await _compat(request, service, await body(request))

    async def invocations(request: Request) -> Response:
        fields = await body(request)
        if "messages" in fields.values:
            return await openai.chat(request, service, fields)
        if "prompt" in fields.values:
            return await openai.completions(request, service, fields)
        return await _compat(request, service, fields)

    async def chat(request: Request) -> Response:
        return await openai.chat(request, service, await body(request))

    async def completions(request: Request) -> Response:
        return await openai.completions(request, service, await body(request))

    async def tokenize(request: Request) -> Response:
        wanted = validation.read_generate(await body(request))
        return JSONResponse(await _pieces(service, wanted.inputs))

    async def chat_tokenize(request: Request) -> Response:
        wanted, _ = openai.read_chat(await body(request), service.backend)
        shown = await _pieces(service, wanted.inputs)
        return JSONResponse({"tokenize_response": shown, "templated_text": wanted.inputs})

    async def info(request: Request) -> Response:
        return JSONResponse(_info(service))

    async def models(request: Request) -> Response:
        name = service.backend.model_id
        entry = {"id": name, "object": "model", "created": 0, "owned_by": name}
        return JSONResponse({"object": "list", "data": [entry]})

    async def health(request: Request) -> Response:
        if not await service.backend.alive():
            raise unhealthy()
        return Response()

    async def metrics(request: Request) -> Response:
        gauges = service.backend.gauges()
        named = {"tgi_queue_size": gauges["queue"], "tgi_batch_current_size": gauges["batch"]}
        named["agenttuning_requests_in_flight"] = service.in_flight
        return PlainTextResponse(service.metrics.render(named), media_type="text/plain; version=0.0.4")

    def post(path: str, handler: Handler) -> Route:
        async def guarded(request: Request) -> Response:
            return (
                await handler(request) if _authorised(request, service.api_key) else Response(status_code=401)
            )

        return Route(path, guarded, methods=["POST"])

    routes = [
        Route("/", health, methods=["GET"]),
        Route("/health", health, methods=["GET"]),
        Route("/ping", health, methods=["GET"]),
        Route("/info", info, methods=["GET"]),
        Route("/metrics", metrics, methods=["GET"]),
        Route("/v1/models", models, methods=["GET"]),
        Route("/chat_tokenize", chat_tokenize, methods=["POST"]),
        post("/", compat),
        post("/generate", generate),
        post("/generate_stream", generate_stream),
        post("/tokenize", tokenize),
        post("/invocations", invocations),
        post("/v1/chat/completions", chat),
        post("/v1/completions", completions),
    ]
    return Starlette(routes=routes, exception_handlers=_HANDLERS)


def _api_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, ApiError)
    return JSONResponse(error.body(), status_code=error.status)


def _plain_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, PlainError)
    return PlainTextResponse(error.text, status_code=error.status)


def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return Response(status_code=error.status_code, headers=error.headers)


def _bug(request: Request, error: Exception) -> Response:
    body = {"error": f"Request failed in the server: {type(error).__name__}", "error_type": "internal"}
    return JSONResponse(body, status_code=500)


_HANDLERS: dict[Any, Any] = {
    ApiError: _api_error,
    PlainError: _plain_error,
    HTTPException: _http_error,
    Exception: _bug,
}


def _authorised(request: Request, key: str | None) -> bool:
    if not key:
        return True
    given = request.headers.get("authorization", "")
    return hmac.compare_digest(given.lower().encode(), f"bearer {key}".lower().encode())


async def _compat(request: Request, service: Service, body: Fields) -> Response:
    wanted = validation.read_generate(body)
    if body.flag("stream"):
        return _generate_stream(service, wanted)
    return await _generate(request, service, wanted, as_list=True)


async def _generate(request: Request, service: Service, wanted: GenerateRequest, as_list: bool) -> Response:
    p = wanted.parameters
    detailed = p.details or p.decoder_input_details
    shown = detailed or bool(p.top_n_tokens)
    done = await unless_disconnected(request, asyncio.create_task(service.run(wanted, tokens_shown=shown)))
    if done is None:
        return Response(status_code=499)  # nobody reads it
    replies, validation_seconds = done
    prefix = wanted.inputs if p.return_full_text else ""
    result: dict[str, Any] = {"generated_text": prefix + service.text(replies[0])}
    if detailed:
        result["details"] = _details(replies[0])
        if len(replies) > 1:
            result["details"]["best_of_sequences"] = [
                {"generated_text": prefix + service.text(reply), **_details(reply)} for reply in replies[1:]
            ]
    extra = headers(replies[0], validation_seconds, len(wanted.inputs), service.backend.kind)
    return JSONResponse([result] if as_list else result, headers=extra)


def _details(reply: Generated) -> dict[str, Any]:
    details: dict[str, Any] = {
        "finish_reason": reply.finish,
        "generated_tokens": reply.count,
        "seed": reply.seed,
        "prefill": prefill_json(reply.job.prompt),
        "tokens": [token_json(token) for token in reply.tokens],
    }
    if reply.job.top_n:
        details["top_tokens"] = [top_json(token) for token in reply.tokens]
    return details


def _generate_stream(service: Service, wanted: GenerateRequest) -> Response:
    extra = {
        "x-compute-type": f"cpu+{service.backend.kind}",
        "x-compute-characters": str(len(wanted.inputs)),
    }
    return EventStream(_stream_events(service, wanted), extra)


async def _stream_events(service: Service, wanted: GenerateRequest) -> AsyncGenerator[bytes, None]:
    try:
        async with aclosing(service.stream(wanted, tokens_shown=True)) as stream:
            async for step in stream:
                yield event(_stream_item(service, step.token, step.reply, wanted))
    except ApiError as error:
        yield event(error.body())


def _stream_item(service: Service, token: Token, reply: Generated, wanted: GenerateRequest) -> dict[str, Any]:
    item: dict[str, Any] = {"index": reply.count, "token": token_json(token)}
    if token.top:
        item["top_tokens"] = top_json(token)
    item["generated_text"] = item["details"] = None
    if reply.finish:
        prefix = wanted.inputs if wanted.parameters.return_full_text else ""
        item["generated_text"] = prefix + service.text(reply)
        if wanted.parameters.details:
            item["details"] = {
                "finish_reason": reply.finish,
                "generated_tokens": reply.count,
                "seed": reply.seed,
                "input_length": len(reply.job.ids),
            }
    return item


async def _pieces(service: Service, text: str) -> list[dict[str, Any]]:
    if not text:
        raise validation.invalid("`inputs` cannot be empty")
    try:
        pieces = await service.backend.pieces(text)
    except BackendFailure as error:
        raise failed(str(error)) from error
    return [{"id": p.id, "text": p.text, "start": p.start, "stop": p.stop} for p in pieces]


def _info(service: Service) -> dict[str, Any]:
    backend, limits = service.backend, service.limits
    return {
        "model_id": backend.model_id,
        "model_sha": backend.model_sha,
        "model_pipeline_tag": "text-generation",
        "max_concurrent_requests": limits.max_concurrent_requests,
        "max_best_of": limits.max_best_of,
        "max_stop_sequences": limits.max_stop_sequences,
        "max_input_tokens": backend.limits.max_input,
        "max_total_tokens": backend.limits.max_total,
        "validation_workers": 1,
        "max_client_batch_size": limits.max_client_batch_size,
        "router": "text-generation-router",
        "version": __version__,
        "sha": None,
        "docker_label": None,
        "engine": backend.kind,
    }
