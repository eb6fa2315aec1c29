"""`agenttuning serve`: a model on this machine's CPU behind text-generation-inference's HTTP API."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
from pathlib import Path

import click

from agenttuning.errors import KitError, MissingDependency

EMBEDDED = "smollm2-135m"
PORT = 30135
"""Upstream's ports are 30000 + billions of parameters (30007, 30013, 30070); 30135 is SmolLM2-135M."""


@click.command()
@click.option("--model", default=EMBEDDED, show_default=True, help="Embedded model (needs no download).")
@click.option("--gguf", type=click.Path(path_type=Path), help="Serve this GGUF file with llama.cpp.")
@click.option(
    "--checkpoint",
    type=click.Path(path_type=Path),
    help="Serve this Hugging Face checkpoint folder with transformers.",
)
@click.option("--model-id", help="Name to report in /info (default: that of the model or file).")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=PORT, show_default=True, help="Port; 0 takes a free one.")
@click.option(
    "--parallel", default=4, show_default=True, type=click.IntRange(1, 64), help="Sequences at once."
)
@click.option(
    "--ctx",
    default=8192,
    show_default=True,
    type=click.IntRange(64),
    help="Tokens per sequence, prompt and reply (at most what the model supports).",
)
@click.option(
    "--threads", default=0, type=click.IntRange(0), help="CPU threads (0: llama.cpp leaves one core free)."
)
@click.option("--api-key", envvar="API_KEY", help="Ask for `Authorization: Bearer KEY` on POST routes.")
@click.option(
    "--max-concurrent-requests",
    default=128,
    show_default=True,
    type=click.IntRange(1),
    help="Further requests get 429 at once.",
)
@click.option(
    "--ready-file",
    type=click.Path(path_type=Path),
    help="Written as JSON when the server answers; removed at exit.",
)
def serve(
    model: str,
    gguf: Path | None,
    checkpoint: Path | None,
    model_id: str | None,
    host: str,
    port: int,
    parallel: int,
    ctx: int,
    threads: int,
    api_key: str | None,
    max_concurrent_requests: int,
    ready_file: Path | None,
) -> None:
    """Serve a model on the CPU with the HTTP API of text-generation-inference.

    Without options: SmolLM2-135M-Instruct on http://127.0.0.1:30135. Stop it with Ctrl-C.
    """
    if gguf and checkpoint:
        raise KitError("--gguf and --checkpoint exclude each other", "give one of them")
    if model != EMBEDDED:
        raise KitError(
            f"there is no embedded model {model!r}", f"use {EMBEDDED}, --gguf FILE or --checkpoint DIR"
        )
    try:
        from agenttuning.serving import server
        from agenttuning.serving.engines import open_checkpoint, open_gguf
        from agenttuning.serving.service import Service
        from agenttuning.serving.validation import ServerLimits
    except ImportError as error:
        raise MissingDependency(
            f"the server's libraries are not installed ({error})", "run: make setup"
        ) from error
    if not _loopback(host) and not api_key:
        click.echo(f"warning: {host} is reachable by others and no --api-key is set", err=True)

    def ready(url: str) -> None:
        auth = " -H 'Authorization: Bearer KEY'" if api_key else ""
        body = """{"inputs":"The capital of France is","parameters":{"max_new_tokens":8}}"""
        curl = f"curl {url}/generate{auth} -H 'Content-Type: application/json' -d '{body}'"
        click.echo(f"{service.backend.model_id} answers at {url}; try: {curl}")

    async def run() -> None:
        await server.serve(service, listening, ready, ready_file)

    listening = server.bind(host, port)
    with contextlib.closing(listening):
        if checkpoint:
            backend = open_checkpoint(checkpoint, model_id, parallel, ctx, threads)
        else:
            backend = open_gguf(gguf, model_id, parallel, ctx, threads)
        service = Service(backend, ServerLimits(max_concurrent_requests=max_concurrent_requests), api_key)
        asyncio.run(run())


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
