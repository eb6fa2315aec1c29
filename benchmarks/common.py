"""What benches share: the stub server as a process, the closing line, the JSON file."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from agenttuning.home import home


@contextmanager
def stub_server(delay_ms: float = 0.0, fault_rate: float = 0.0) -> Iterator[int]:
    """A stub model server on loopback; yields its port."""
    command = [
        sys.executable,
        str(Path(__file__).with_name("stub_server.py")),
        "--delay-ms",
        str(delay_ms),
        "--fault-rate",
        str(fault_rate),
    ]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield int(process.stdout.readline().split()[1])
    finally:
        process.kill()
        process.wait()


def finish(name: str, figures: dict[str, float]) -> None:
    """Write bench-results/NAME.json and print the closing line `bench-NAME: key=value ...`."""
    folder = home() / "bench-results"
    folder.mkdir(exist_ok=True)
    machine = {"python": platform.python_version(), "cores": os.cpu_count(), "machine": platform.machine()}
    (folder / f"{name}.json").write_text(
        json.dumps({"bench": name, **figures, "machine": machine}, indent=2) + "\n"
    )
    print(f"bench-{name}: " + " ".join(f"{key}={value:g}" for key, value in figures.items()))
