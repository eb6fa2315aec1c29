"""Gets pinned files into the data folder: over HTTP (resumable) or from a local mirror, always verified."""

from __future__ import annotations

import fcntl
import os
import shutil
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO
from urllib.parse import urlsplit

import urllib3

from agenttuning.errors import KitError
from agenttuning.home import data_dir
from agenttuning.sources import promptsets
from agenttuning.sources.catalogue import Download, PromptSet, make_command
from agenttuning.sources.verify import sha256_of

_CHUNK = 1 << 16
_ATTEMPTS = 4  # per file and run; a later run continues the .part file
_RESERVE = 64 << 20  # bytes that must stay free beside the file, so that a download never fills the disk
_TRANSIENT = {408, 425, 429, 500, 502, 503, 504}

Progress = Callable[[int], None]  # called with the number of bytes that are there


class Unreachable(KitError):
    """A host that cannot be reached; the cause names no file, so that one sentence stands for all of them."""


class _Cut(Exception):
    """The transfer stopped early; what arrived is kept and the next attempt continues it."""


def target_of(file: Download) -> Path:
    """Where a fetched file lies: downloads/OWNER/NAME/COMMIT/path of the data folder."""
    return data_dir() / "downloads" / file.place


def _reason(error: BaseException) -> str:
    """Short cause of a urllib3 error, without addresses (a proxy address may hold a password)."""
    error = getattr(error, "reason", None) or error
    match error:
        case urllib3.exceptions.NameResolutionError():
            return "its name cannot be resolved"
        case urllib3.exceptions.NewConnectionError():  # before the timeout, of which it is a kind
            return getattr(error.__cause__, "strerror", None) or "no connection"
        case urllib3.exceptions.ConnectTimeoutError():
            return "the connection timed out"
        case urllib3.exceptions.ProxyError():
            return "the proxy does not answer"
        case urllib3.exceptions.SSLError():
            return "its TLS certificate is not accepted"
    return type(error).__name__


@dataclass
class Downloader:
    """HTTP client of one `data fetch`: proxies of the environment, hosts found dead are not asked again.

    Attributes:
        pause: seconds before the second attempt of a file; doubled each time.
    """

    pause: float = 1.0
    dead: dict[str, str] = field(default_factory=dict)
    _pools: dict[str | None, urllib3.PoolManager] = field(default_factory=dict)

    def _pool(self, url: str) -> urllib3.PoolManager:
        parts = urlsplit(url)
        bypass = urllib.request.proxy_bypass(parts.hostname or "")
        proxies = urllib.request.getproxies()
        proxy = None if bypass else proxies.get(parts.scheme) or proxies.get("all")
        if proxy not in self._pools:
            timeout = urllib3.Timeout(connect=15, read=60)
            if proxy is None:
                self._pools[proxy] = urllib3.PoolManager(timeout=timeout)
            else:
                self._pools[proxy] = _proxy_pool(proxy, timeout)
        return self._pools[proxy]

    def _get(self, url: str, start: int) -> urllib3.BaseHTTPResponse:
        """Opens the response from byte `start` on. Raises Unreachable, _Cut, or KitError for a final status."""
        host = urlsplit(url).netloc
        if host in self.dead:
            raise Unreachable(self.dead[host], "check the network and the proxy")
        headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={start}-"} if start else {})
        retries = urllib3.Retry(total=None, connect=0, read=0, redirect=5, status=0, other=0)
        try:
            response = self._pool(url).request(
                "GET", url, headers=headers, preload_content=False, decode_content=False, retries=retries
            )
        except urllib3.exceptions.HTTPError as error:
            inner = getattr(error, "reason", None) or error
            if isinstance(inner, urllib3.exceptions.ProtocolError | urllib3.exceptions.ReadTimeoutError):
                raise _Cut(_reason(error)) from error
            self.dead[host] = f"{host} cannot be reached: {_reason(error)}"
            raise Unreachable(self.dead[host], "check the network and the proxy") from error
        if response.status in (200, 206, 416):
            return response
        response.release_conn()
        if response.status in _TRANSIENT:
            raise _Cut(f"HTTP {response.status}")
        raise KitError(f"{url} answers with HTTP {response.status}", "see data/sources.toml for its address")

    def _attempt(self, file: Download, stream: BinaryIO, progress: Progress) -> None:
        """Appends to `stream` until the file is complete. Raises _Cut where it is not."""
        start = stream.seek(0, os.SEEK_END)
        response = self._get(file.url, start)
        try:
            ranged = response.headers.get("Content-Range", "").startswith(f"bytes {start}-")
            if response.status != 200 and not (response.status == 206 and ranged):
                stream.truncate(0)
                raise _Cut("the server does not continue the partial file")
            if response.status == 200:  # the whole file, also where a range was asked for
                stream.truncate(0)
            there = stream.seek(0, os.SEEK_END)
            for chunk in response.stream(_CHUNK, decode_content=False):
                stream.write(chunk)
                there += len(chunk)
                progress(min(there, file.bytes))
                if there > file.bytes:
                    return  # longer than pinned: the checksum will refuse it
            if there < file.bytes and "Content-Length" not in response.headers:
                raise _Cut("the connection closed early")  # with a length, urllib3 notices by itself
        except urllib3.exceptions.HTTPError as error:
            raise _Cut(_reason(error)) from error
        finally:
            response.close()

    def download(self, file: Download, progress: Progress = lambda there: None) -> None:
        """Fetches one file to its place, continuing a partial file of an earlier run.

        Raises:
            Unreachable, KitError: dead network, refused request, full disk, wrong checksum (the file is
                then kept beside its place with the ending .bad).
        """
        target = target_of(file)
        with _partial(target) as (part, stream):
            for attempt in range(1, _ATTEMPTS + 1):
                there = stream.seek(0, os.SEEK_END)
                if there > file.bytes:
                    stream.truncate(0)
                    there = 0
                progress(there)
                if there == file.bytes:
                    break
                _check_space(target.parent, file.bytes - there, file.key)
                try:
                    self._attempt(file, stream, progress)
                    break
                except _Cut as cut:
                    stream.flush()
                    if attempt == _ATTEMPTS:
                        there = stream.seek(0, os.SEEK_END)
                        raise KitError(
                            f"{file.key}: stopped after {there} of {file.bytes} bytes ({cut})",
                            f"run {make_command(file.tasks)} again, it continues there",
                        ) from cut
                    time.sleep(self.pause * 2 ** (attempt - 1))
            _finish(file, part, stream, target)


def _proxy_pool(proxy: str, timeout: urllib3.Timeout) -> urllib3.ProxyManager:
    address = urllib3.util.parse_url(proxy if "://" in proxy else f"http://{proxy}")
    if address.scheme not in ("http", "https"):
        raise KitError(
            f"the environment asks for a {address.scheme} proxy", "set HTTPS_PROXY to an http(s) proxy"
        )
    headers = urllib3.make_headers(proxy_basic_auth=address.auth) if address.auth else None
    return urllib3.ProxyManager(address._replace(auth=None).url, proxy_headers=headers, timeout=timeout)


def _check_space(folder: Path, wanted: int, key: str) -> None:
    free = shutil.disk_usage(folder).free
    if free < wanted + _RESERVE:
        raise KitError(
            f"{key} needs {wanted / 2**20:.1f} MiB and {_RESERVE >> 20} MiB to spare, {folder} has {free / 2**20:.1f} MiB",
            "free space or set AGENTTUNING_DATA to another folder",
        )


@contextmanager
def _partial(target: Path) -> Iterator[tuple[Path, BinaryIO]]:
    """The .part file of a target, locked against other processes."""
    part = target.with_name(target.name + ".part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with part.open("ab") as stream:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise KitError(f"another process is fetching {target}", "wait until it is done") from None
            if not part.exists() or part.stat().st_ino != os.fstat(stream.fileno()).st_ino:
                raise KitError(f"another process has just fetched {target}", "run the command again")
            try:
                yield part, stream
            finally:
                if part.is_file() and not part.stat().st_size:
                    part.unlink()  # nothing arrived: nothing to continue
    except OSError as error:
        raise KitError(
            f"{target} cannot be written ({error.strerror})",
            "free space, check permissions or set AGENTTUNING_DATA to another folder",
        ) from error


def _finish(file: Download, part: Path, stream: BinaryIO, target: Path) -> None:
    """Verifies the partial file and moves it to its place; keeps a wrong one aside."""
    stream.flush()
    os.fsync(stream.fileno())
    found, size = sha256_of(part), part.stat().st_size
    if found != file.sha256:
        bad = target.with_name(target.name + ".bad")
        part.replace(bad)
        raise KitError(
            f"{file.key} from {file.url} has sha256 {found} and {size} bytes, expected {file.sha256} and {file.bytes}",
            f"it was refused and kept as {bad}; try again or take it from a mirror: {make_command(file.tasks)}",
        )
    part.replace(target)


def copy(file: Download, mirror: Path, progress: Progress = lambda there: None) -> None:
    """Copies one file from a mirror to its place. Raises KitError where the mirror lacks it or has another."""
    source = mirror / file.place
    if not source.is_file():
        raise KitError(
            f"the mirror has no {source}", f"add it (from {file.url}), or run make data without MIRROR"
        )
    found = sha256_of(source)
    if found != file.sha256:
        raise KitError(
            f"{source} has sha256 {found}, expected {file.sha256}", f"replace it by the file of {file.url}"
        )
    target = target_of(file)
    with _partial(target) as (part, stream):
        stream.truncate(0)  # a download may have been cut before
        _check_space(target.parent, file.bytes, file.key)
        with source.open("rb") as original:
            shutil.copyfileobj(original, stream, _CHUNK)
        _finish(file, part, stream, target)
    progress(file.bytes)


def get_file(
    file: Download, mirror: Path | None, http: Downloader, progress: Progress = lambda there: None
) -> str:
    """Makes one file be there, verified. Returns "present", "copied" or "downloaded".

    A file of earlier days that does not match is kept aside as .bad and fetched again.
    """
    target = target_of(file)
    if target.is_file():
        if sha256_of(target) == file.sha256:
            progress(file.bytes)
            return "present"
        target.replace(target.with_name(target.name + ".bad"))
    if mirror is not None:
        copy(file, mirror, progress)
        return "copied"
    http.download(file, progress)
    return "downloaded"


def get_prompts(
    prompt_set: PromptSet, mirror: Path | None, http: Downloader, progress: Progress = lambda there: None
) -> str:
    """Makes one prompt set be there, verified. Returns "present", "copied" or "extracted".

    From a mirror its JSON is taken; without one the upstream files are downloaded and the prompts extracted.
    """
    stored = promptsets.stored_path(prompt_set)
    if stored.is_file():
        try:
            promptsets.read(prompt_set, stored)
            return "present"
        except KitError:
            stored.replace(stored.with_name(stored.name + ".bad"))
    if mirror is not None:
        path = promptsets.mirror_path(prompt_set, mirror)
        if not path.is_file():
            raise KitError(
                f"the mirror has no {path}",
                "add it, or use agenttuning data prompts --checkout DIR with a clone of upstream",
            )
        promptsets.store(prompt_set, promptsets.read(prompt_set, path))
        return "copied"
    done = 0
    for source in prompt_set.files:
        before = done
        get_file(source, None, http, lambda there, before=before: progress(before + there))  # type: ignore[misc]
        done += source.bytes
    promptsets.store(prompt_set, promptsets.build(prompt_set, lambda source: target_of(source).read_bytes()))
    return "extracted"
