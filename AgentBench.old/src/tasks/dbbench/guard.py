"""Runs the private database server and makes sure that it does not outlive the process that wanted it.

Started as a script by server.py with a JSON argument: {"folder", "install": [...], "server": [...], "address_space", "file_size"}.
Its standard input is a pipe that only the owner holds open. When the owner closes it, or dies in any way (kill -9
included), the pipe ends: the guard kills the server and removes the folder. Should the guard itself be killed, the
kernel kills the server (PR_SET_PDEATHSIG). That signal is tied to the thread that forked, which is why it is set here, in
a process with one thread, and not in the evaluation, whose threads come and go.

Exit codes: 0 the owner is gone and everything is removed; 3 the installation failed; 4 the server ended by itself
(both leave the folder, with its log, to the owner).
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import select
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from typing import Any

PR_SET_PDEATHSIG = 1
INSTALL_FAILED = 3
SERVER_ENDED = 4
OWNER = 0  # file descriptor of the pipe


def limits(address_space: int, file_size: int) -> Callable[[], None]:
    """What the server process sets on itself before it becomes mariadbd. Both sizes in bytes, 0 for no limit."""
    libc = ctypes.CDLL(None, use_errno=True)

    def before_exec() -> None:
        if hasattr(libc, "prctl"):
            libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if address_space:
            resource.setrlimit(resource.RLIMIT_AS, (address_space, address_space))
        if file_size:
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # writing then fails as on a full disk
            resource.setrlimit(resource.RLIMIT_FSIZE, (file_size, file_size))

    return before_exec


def owner_is_gone(seconds: float) -> bool:
    """Wait for the end of the pipe, at most so long."""
    ready, _, _ = select.select([OWNER], [], [], seconds)
    return bool(ready) and not os.read(OWNER, 1)


def main(job: dict[str, Any]) -> int:
    run: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": sys.stderr}
    install = subprocess.Popen(job["install"], preexec_fn=limits(0, 0), **run)
    if install.wait() != 0:
        return INSTALL_FAILED
    server = subprocess.Popen(job["server"], preexec_fn=limits(job["address_space"], job["file_size"]), **run)
    while not owner_is_gone(0.5):
        if server.poll() is not None:
            return SERVER_ENDED
    server.kill()
    server.wait()
    shutil.rmtree(job["folder"], ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(json.loads(sys.argv[1])))
