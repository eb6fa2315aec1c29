"""What of this machine's configuration a build needs: certificates, package index, proxies. As build secrets.

Nothing of it stays in an image: BuildKit mounts a secret for one step only.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from urllib.parse import urlsplit

from agenttuning.containers.engine import run

CA_VARIABLES = ("PIP_CERT", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "CURL_CA_BUNDLE")
PROXIES = ("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")
PIP_KEYS = ("index-url", "extra-index-url", "trusted-host", "timeout")


def ca_bundle() -> Path | None:
    """The bundle this machine's tools are told to trust; None when they use their own."""
    for name in CA_VARIABLES:
        path = Path(os.environ.get(name) or "/nonexistent")
        if path.is_file():
            return path
    return None


def pip_conf(listing: str) -> str | None:
    """A pip.conf with the package index of `pip config list`; None when it says nothing of one.

    Local folders (find-links, file: URLs) are left out: they do not exist inside a build.
    """
    kept: dict[str, str] = {}
    for line in listing.splitlines():
        key, sign, value = line.partition("=")
        name = key.rsplit(".", 1)[-1].removeprefix("default-").replace("_", "-")
        words = [w for w in value.strip().strip("'\"").split() if urlsplit(w).scheme != "file"]
        if sign and name in PIP_KEYS and words:
            kept[name] = " ".join(words)
    if not {"index-url", "extra-index-url"} & set(kept):
        return None
    return "[global]\n" + "".join(f"{key} = {value}\n" for key, value in kept.items())


def apt_conf(dump: str) -> str | None:
    """The proxies and date checks of `apt-config dump`; None when there are none."""
    lines = [line for line in dump.splitlines() if line.startswith(("Acquire::http::Proxy", "Acquire::https::Proxy", "Acquire::Check-"))]  # fmt: skip
    kept = [line for line in lines if not line.endswith('"";')]
    return "\n".join(kept) + "\n" if kept else None


def build_arguments(scratch: Path) -> list[str]:
    """--secret and --build-arg options for `docker build`; generated files are written to `scratch`.

    APT_SOURCES=FILE (deb822) replaces the base's package sources during the build, PIP_CONF=FILE the index
    found here.
    """
    secrets: dict[str, Path] = {}
    bundle = ca_bundle()
    if bundle is not None:
        secrets["ca"] = bundle
    texts = {"pip_conf": _pip_text()}
    if shutil.which("apt-config"):
        texts["apt_conf"] = apt_conf(run(["apt-config", "dump"]).stdout)
    for name, text in texts.items():
        if text:
            (scratch / name).write_text(text)
            secrets[name] = scratch / name
    if os.environ.get("APT_SOURCES"):
        secrets["apt_sources"] = Path(os.environ["APT_SOURCES"])
    arguments = [f"--secret=id={name},src={path}" for name, path in secrets.items()]
    return arguments + [f"--build-arg={name}" for name in PROXIES if os.environ.get(name)]


def _pip_text() -> str | None:
    given = os.environ.get("PIP_CONF")
    if given:
        return Path(given).read_text()
    return pip_conf(run([sys.executable, "-m", "pip", "config", "list"]).stdout)
