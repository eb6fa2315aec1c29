"""The errors a client sees, with the status codes and JSON bodies of text-generation-inference.

Source of every text and code: huggingface/text-generation-inference @ db931fc, router/src/infer/mod.rs and
router/src/validation.rs. Texts are part of the protocol: clients match on them.
"""

from __future__ import annotations


class ApiError(Exception):
    """An error sent as {"error": text, "error_type": kind}.

    Attributes:
        status: HTTP status outside of streams (a stream has already answered 200).
        kind: the error_type word.
        text: the error sentence.
    """

    def __init__(self, status: int, kind: str, text: str):
        super().__init__(text)
        self.status = status
        self.kind = kind
        self.text = text

    def body(self) -> dict[str, str]:
        """The JSON object of the reply."""
        return {"error": self.text, "error_type": self.kind}


class PlainError(Exception):
    """An error sent as plain text: the body could not be read as the expected JSON (400, 413, 415, 422)."""

    def __init__(self, status: int, text: str):
        super().__init__(text)
        self.status = status
        self.text = text


class BackendFailure(Exception):
    """The engine behind the server failed or went away while it worked on a request."""


def invalid(text: str) -> ApiError:
    """422: the request's values cannot be served."""
    return ApiError(422, "validation", f"Input validation error: {text}")


def failed(text: str) -> ApiError:
    """424: the engine failed."""
    return ApiError(424, "generation", f"Request failed during generation: {text}")


def overloaded() -> ApiError:
    """429: as many requests as allowed are in flight; the server never queues beyond that."""
    return ApiError(429, "overloaded", "Model is overloaded")


def incomplete(stream: bool) -> ApiError:
    """500: the engine's token stream ended before a stopping rule applied."""
    if stream:
        return ApiError(500, "incomplete_generation_stream", "Incomplete generation stream")
    return ApiError(500, "incomplete_generation", "Incomplete generation")


def unhealthy() -> ApiError:
    """503 of the health routes."""
    return ApiError(503, "healthcheck", "unhealthy")
