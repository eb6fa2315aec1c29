"""The CPU server in its image: published on the host's loopback only, stopped with Ctrl-C like the native one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request

from agenttuning.commands.serve import PORT
from agenttuning.containers import engine, runtime
from agenttuning.containers.images import find_image
from agenttuning.errors import KitError

__all__ = ["PORT", "serve", "serve_command"]

NAME = "serve-cpu"
INSIDE = 30135  # where the server listens in the container
START_SECONDS = 120


def serve(wanted: str | None, port: int, checkpoint: str | None, rest: list[str]) -> int:
    """Serve until Ctrl-C; returns the exit code. Becomes the native server where the image cannot be used.

    Raises:
        KitError: RUNTIME=docker and no image, or with a checkpoint, which the image cannot serve.
    """
    if checkpoint and wanted == "docker":
        raise KitError(
            "the image of serve-cpu holds no transformers", "serve checkpoints with RUNTIME=native"
        )
    choice = runtime.Choice("native", "a checkpoint") if checkpoint else runtime.choose(NAME, wanted)
    print(f"{NAME}: runtime {choice.runtime} ({choice.why})", file=sys.stderr, flush=True)
    if choice.runtime == "native":
        arguments = [
            "serve",
            "--port",
            str(port),
            *(["--checkpoint", checkpoint] if checkpoint else []),
            *rest,
        ]
        return runtime.run(NAME, arguments, choice)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends it the way Ctrl-C does
    # Its own line about the address it listens on is true only inside; ours is printed instead.
    with subprocess.Popen(serve_command(port, rest), stdout=subprocess.DEVNULL) as server:
        try:
            if not _wait(server, port):
                return server.wait() or 1
            print(
                f"the embedded model answers at http://127.0.0.1:{port}; try: curl http://127.0.0.1:{port}/generate "
                """-H 'Content-Type: application/json' -d '{"inputs":"The capital of France is","parameters":{"max_new_tokens":8}}'"""
            )
            sys.stdout.flush()
            return server.wait()
        except KeyboardInterrupt:
            server.terminate()
            server.wait()
            return 0


def serve_command(port: int, rest: list[str]) -> list[str]:
    """The docker command line: the bridge network, published on 127.0.0.1 alone."""
    return [
        engine.client(), "run", "--rm", "--init", f"--name=kit-{NAME}-{port}", f"--label={engine.LABEL}",
        f"--label={runtime.RUN_LABEL}={NAME}/{port}",
        f"--user={os.getuid()}:{os.getgid()}", "--read-only", "--cap-drop=ALL",
        "--security-opt=no-new-privileges", "--tmpfs=/tmp:rw,nosuid,nodev,mode=1777,size=64m",
        "--memory=4g", "--memory-swap=4g", "--pids-limit=256",
        f"--publish=127.0.0.1:{port}:{INSIDE}", "--env=LISTEN=container",
        *(["--env=API_KEY"] if os.environ.get("API_KEY") else []),
        find_image(NAME).tag, *rest,
    ]  # fmt: skip


def _wait(server: subprocess.Popen[bytes], port: int) -> bool:
    """True once /health answers; False when the container ended first."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if server.poll() is not None:
            return False
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=2):
                return True
        except (urllib.error.URLError, OSError):
            time.sleep(0.3)
    server.terminate()
    raise KitError(f"the CPU server did not answer within {START_SECONDS} s", "see its log with: make logs")
