"""A minimal HTTP/1.1 client for the engine's own loopback server.

A general client library costs more CPU per streamed token than this server may spend; the peer is always the
llama.cpp server inside this process, so only what it sends is understood: Content-Length or chunked bodies.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from agenttuning.serving.errors import BackendFailure

_LINE_LIMIT = 2**24


class Loopback:
    """Requests to 127.0.0.1:port with a bearer key. Every call opens its own connection."""

    def __init__(self, port: int, key: str):
        self._port = port
        self._key = key

    async def get(self, path: str, timeout: float) -> Any:
        """JSON reply of a GET request. Raises BackendFailure when none comes within timeout seconds."""
        try:
            async with asyncio.timeout(timeout):
                return await self._whole("GET", path, b"")
        except TimeoutError as error:
            raise BackendFailure("the llama.cpp engine does not answer") from error

    async def post(self, path: str, body: Any) -> Any:
        """JSON reply of a POST request. Raises BackendFailure for anything but 200."""
        return await self._whole("POST", path, _json(body))

    async def _whole(self, method: str, path: str, body: bytes) -> Any:
        async with self._send(method, path, body) as (reader, _):
            status, headers = await _head(reader)
            raw = b"".join([part async for part in _body(reader, headers)])
            if status != 200:
                raise BackendFailure(_message(raw))
            return json.loads(raw)

    async def events(self, path: str, body: Any) -> AsyncGenerator[dict[str, Any], None]:
        """The `data:` objects of a streamed reply. Closing the generator closes the connection.

        Raises:
            BackendFailure: an error reply, an error event or a broken connection.
        """
        async with self._send("POST", path, _json(body)) as (reader, _):
            status, headers = await _head(reader)
            if status != 200:
                raise BackendFailure(_message(b"".join([part async for part in _body(reader, headers)])))
            buffer = b""
            async for part in _body(reader, headers):
                buffer += part
                while (end := buffer.find(b"\n\n")) >= 0:
                    line, buffer = buffer[:end], buffer[end + 2 :]
                    if line.startswith((b"data: {", b"error: {")):
                        value = json.loads(line[line.index(b"{") :])
                        if "error" in value or line.startswith(b"error"):
                            raise BackendFailure(_message(line[line.index(b"{") :]))
                        yield value

    @asynccontextmanager
    async def _send(
        self, method: str, path: str, body: bytes
    ) -> AsyncGenerator[tuple[asyncio.StreamReader, asyncio.StreamWriter], None]:
        writer: asyncio.StreamWriter | None = None
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", self._port, limit=_LINE_LIMIT)
            head = (
                f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n"
                f"Authorization: Bearer {self._key}\r\nContent-Type: application/json\r\n"
                f"Content-Length: {len(body)}\r\n\r\n"
            )
            writer.write(head.encode() + body)
            await writer.drain()
            yield reader, writer
        except (OSError, EOFError, ValueError, LookupError) as error:  # the last two: not the HTTP we expect
            raise BackendFailure(f"the connection to the llama.cpp engine broke ({error})") from error
        finally:
            if writer is not None:
                writer.close()


async def _head(reader: asyncio.StreamReader) -> tuple[int, dict[str, str]]:
    lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines[1:] if ": " in line)
    return int(lines[0].split(" ")[1]), headers


async def _body(reader: asyncio.StreamReader, headers: dict[str, str]) -> AsyncGenerator[bytes, None]:
    if headers.get("transfer-encoding") != "chunked":
        yield await reader.readexactly(int(headers.get("content-length", "0")))
        return
    while size := int((await reader.readuntil(b"\r\n")).split(b";")[0], 16):
        yield (await reader.readexactly(size + 2))[:-2]


def _json(body: Any) -> bytes:
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


def _message(raw: bytes) -> str:
    try:
        error = json.loads(raw)["error"]
        return str(error["message"] if isinstance(error, dict) else error)
    except (ValueError, KeyError, TypeError):
        return f"unreadable reply of the llama.cpp engine: {raw[:200]!r}"
