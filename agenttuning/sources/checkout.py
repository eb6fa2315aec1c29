"""Reads pinned files out of a clone of an upstream repository: a folder, or a git address."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from agenttuning.errors import KitError, MissingDependency
from agenttuning.home import data_dir
from agenttuning.sources.catalogue import Download

_TIMEOUT = 600  # seconds for one git command; a shallow fetch of AgentTuning takes well under a minute


def _git(folder: Path, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    """Runs git on a repository without a work tree: no file of it is checked out, no hook or filter runs."""
    program = shutil.which("git")
    if program is None:
        raise MissingDependency(
            "git is not installed", "install it, or give --checkout a folder with the files"
        )
    environment = {
        **os.environ,
        "GIT_TERMINAL_PROMPT": "0",  # a wrong address must fail, not wait for a password
        "GIT_ALLOW_PROTOCOL": "https:http:ssh:git:file",
    }
    try:
        return subprocess.run(
            [program, f"--git-dir={folder}", "-c", "core.hooksPath=/dev/null", "-c", "gc.auto=0", *arguments],
            capture_output=True,
            env=environment,
            stdin=subprocess.DEVNULL,
            timeout=_TIMEOUT,
        )
    except subprocess.TimeoutExpired:
        raise KitError(
            f"git {arguments[0]} did not finish within {_TIMEOUT} s", "check the network"
        ) from None


def _public(text: str) -> str:
    """Text without the user name and password of an address."""
    return re.sub(r"//[^/@\s]+@", "//", text)


def _reason(done: subprocess.CompletedProcess[bytes]) -> str:
    """Last line that git wrote."""
    lines = done.stderr.decode(errors="replace").strip().splitlines()
    return _public(lines[-1]) if lines else f"exit status {done.returncode}"


def _has(folder: Path, commit: str) -> bool:
    return _git(folder, "cat-file", "-e", f"{commit}^{{commit}}").returncode == 0


def _show(folder: Path, file: Download) -> bytes:
    done = _git(folder, "cat-file", "blob", f"{file.commit}:{file.path}")
    if done.returncode:
        raise KitError(f"{folder} does not give {file.path} at {file.commit} ({_reason(done)})")
    return done.stdout


def _clone(address: str, repo: str, commit: str) -> Path:
    """Bare repository in the cache that holds `commit`; fetches that one commit, and blobs when asked for."""
    folder = data_dir() / "cache" / f"{repo}.git"
    if (folder / "HEAD").is_file() and _has(folder, commit):
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    steps = [
        ("init", "--quiet", "--bare"),
        ("config", "remote.origin.url", address),
        ("fetch", "--quiet", "--depth=1", "--filter=blob:none", "origin", commit),
    ]
    for step in steps:
        done = _git(folder, *step)
        if done.returncode:
            raise KitError(
                f"commit {commit} of {repo} cannot be fetched from {_public(address)} ({_reason(done)})",
                "check the address and the network, or give --checkout a local clone",
            )
    return folder


def is_address(checkout: str) -> bool:
    """Whether --checkout names a git address (with :// or as git@host:path) rather than a folder."""
    return "://" in checkout or checkout.startswith("git@")


def reader(checkout: str, repo: str, commit: str) -> Callable[[Download], bytes]:
    """Function that returns the bytes of a pinned file of a clone.

    Args:
        checkout: git address, clone (with or without work tree), or any folder with upstream's files.
            From a clone the pinned commit is read, whatever is checked out.

    Raises:
        KitError: no such folder, address or commit; the returned function raises it for missing files.
    """
    if is_address(checkout):
        clone = _clone(checkout, repo, commit)
        return lambda file: _show(clone, file)
    folder = Path(checkout).expanduser()
    if not folder.is_dir():
        raise KitError(f"--checkout {checkout} is neither a folder nor a git address")
    for git_dir in (folder / ".git", folder):
        if (git_dir / "HEAD").is_file() and (git_dir / "objects").is_dir() and _has(git_dir, commit):
            return lambda file: _show(git_dir, file)

    def plain(file: Download) -> bytes:
        try:
            return (folder / file.path).read_bytes()
        except OSError as error:
            raise KitError(
                f"{folder / file.path} cannot be read ({error.strerror})",
                f"--checkout needs {repo} at commit {commit}",
            ) from error

    return plain
