"""A model server for benches: fixed delay, replies that depend only on the prompt, and faults on demand.

Run as a process of its own: python benchmarks/stub_server.py --port 0 --delay-ms 50 [--fault-rate 0.01]
Prints "port N" when it listens (loopback only).
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import random

FAULTS = ("429", "500", "reset", "hang", "truncated", "not-json")
INFO = json.dumps({"model_id": "stub", "max_input_tokens": 4096, "max_total_tokens": 8192}).encode()


def reply_for(prompt: bytes) -> bytes:
    """Reply body: about 30 words that are a function of the request body alone."""
    digest = hashlib.sha256(prompt).hexdigest()
    words = " ".join(digest[i : i + 4] for i in range(0, 64, 4))
    text = f"Thought: I look at {words}.\nAction: step {digest[:6]}"
    return json.dumps(
        {"generated_text": text, "details": {"finish_reason": "eos_token", "generated_tokens": 30}}
    ).encode()


class Stub(asyncio.Protocol):
    """HTTP/1.1 with keep-alive, just enough for POST /generate, GET /info and GET /health."""

    delay = 0.0
    fault_rate = 0.0
    rng = random.Random(0)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: asyncio.Transport = transport  # type: ignore[assignment]
        self.buffer = b""

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while True:
            end = self.buffer.find(b"\r\n\r\n")
            if end < 0:
                return
            head = self.buffer[:end]
            lowered = head.lower()
            mark = lowered.find(b"content-length:")
            length = int(lowered[mark + 15 :].split(b"\r\n", 1)[0]) if mark >= 0 else 0
            if len(self.buffer) < end + 4 + length:
                return
            body = self.buffer[end + 4 : end + 4 + length]
            self.buffer = self.buffer[end + 4 + length :]
            self.answer(head, body)

    def answer(self, head: bytes, body: bytes) -> None:
        if head.startswith(b"GET"):
            self.send(b"200 OK", INFO if b"/info" in head else b"")
            return
        fault = None
        if self.fault_rate and self.rng.random() < self.fault_rate * len(FAULTS):
            fault = self.rng.choice(FAULTS)
        if self.delay:
            asyncio.get_running_loop().call_later(self.delay, self.respond, body, fault)
        else:
            self.respond(body, fault)

    def respond(self, body: bytes, fault: str | None) -> None:
        good = reply_for(body)
        if fault is None:
            self.send(b"200 OK", good)
        elif fault == "429":
            self.send(b"429 Too Many Requests", b'{"error":"Model is overloaded","error_type":"overloaded"}')
        elif fault == "500":
            self.send(
                b"500 Internal Server Error",
                b'{"error":"Incomplete generation","error_type":"incomplete_generation"}',
            )
        elif fault == "reset":
            self.transport.abort()
        elif fault == "truncated":
            self.send(b"200 OK", good[: len(good) // 2], declared=len(good))
            self.transport.close()
        elif fault == "not-json":
            self.send(b"200 OK", b"<html>upstream proxy error</html>")
        # "hang": say nothing; the client's timeout ends it

    def send(self, status: bytes, body: bytes, declared: int | None = None) -> None:
        length = len(body) if declared is None else declared
        self.transport.write(
            b"HTTP/1.1 %s\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % (status, length)
            + body
        )


async def serve(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(Stub, "127.0.0.1", port)
    print(f"port {server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--delay-ms", type=float, default=0.0)
    parser.add_argument(
        "--fault-rate", type=float, default=0.0, help="share of calls hit by each kind of fault"
    )
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    Stub.delay = arguments.delay_ms / 1000
    Stub.fault_rate = arguments.fault_rate
    Stub.rng = random.Random(arguments.seed)
    asyncio.run(serve(arguments.port))
