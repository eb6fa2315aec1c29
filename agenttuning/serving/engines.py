"""Opens an engine by what it is to serve."""

from __future__ import annotations

import asyncio
from pathlib import Path

from agenttuning.serving.backend import Backend
from agenttuning.serving.llamacpp import EMBEDDED_ID, LlamaCppBackend, embedded_gguf


def open_gguf(gguf: Path | None, model_id: str | None, parallel: int, context: int, threads: int) -> Backend:
    """llama.cpp on a GGUF file; None is the embedded SmolLM2-135M-Instruct.

    Args:
        model_id: name to report; None takes the embedded model's hub id or the file's name.
        parallel: sequences decoded at once. context: tokens per sequence. threads: 0 = the engine's choice.

    Raises:
        KitError, MissingDependency: as LlamaCppBackend.
    """
    path = gguf or embedded_gguf()
    name = model_id or (path.stem if gguf else EMBEDDED_ID)
    backend = LlamaCppBackend(path, name, parallel, context, threads)
    asyncio.run(backend.prepare())
    return backend


def open_checkpoint(folder: Path, model_id: str | None, parallel: int, context: int, threads: int) -> Backend:
    """transformers on a checkpoint folder; arguments as open_gguf.

    Raises:
        KitError, MissingDependency: as load_checkpoint.
    """
    from agenttuning.serving.hf import TransformersBackend, load_checkpoint

    model, tokenizer = load_checkpoint(folder, threads)
    return TransformersBackend(model, tokenizer, model_id or folder.resolve().name, parallel, context, folder)
