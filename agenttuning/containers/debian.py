"""A Debian base image without any registry: debootstrap from the machine's own package mirror, then docker import."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from agenttuning.containers import engine
from agenttuning.containers.images import LOCAL_DEBIAN
from agenttuning.errors import KitError, MissingDependency

SUITE = "bookworm"
LEFT_OUT = (
    "./var/cache/apt/archives/*.deb", "./var/cache/apt/*.bin", "./var/lib/apt/lists/*", "./dev/*", "./proc/*", "./sys/*",
    "./usr/share/doc/*", "./usr/share/man/*", "./usr/share/locale/*", "./usr/share/info/*", "./var/log/*",
)  # fmt: skip


def make() -> str:
    """Make LOCAL_DEBIAN; returns its tag.

    Raises:
        MissingDependency: no debootstrap, not root, no engine.
        KitError: debootstrap or the import failed.
    """
    client = engine.client()
    program = shutil.which("debootstrap", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    if program is None:
        raise MissingDependency("debootstrap is not installed", "install it: apt-get install debootstrap")
    if os.geteuid() != 0:
        raise MissingDependency("debootstrap needs root", "run: sudo make base-image")
    mirror = package_mirror(_sources())
    with tempfile.TemporaryDirectory(prefix="agenttuning-debian-") as folder:
        root = Path(folder) / "root"
        command = [
            program,
            "--variant=minbase",
            "--include=ca-certificates",
            SUITE,
            str(root),
            *([mirror] if mirror else []),
        ]
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
        if done.returncode != 0:
            reason = engine.last_line(done.stdout + done.stderr)
            raise KitError(
                f"debootstrap from {mirror or 'its default mirror'} failed ({reason})",
                "name another mirror with DEBIAN_MIRROR=URL",
            )
        (root / "etc/dpkg/dpkg.cfg.d/slim").write_text(
            "".join(f"path-exclude /usr/share/{d}/*\n" for d in ("doc", "man", "locale", "info"))
        )
        tar = ["tar", "-C", str(root), *(f"--exclude={path}" for path in LEFT_OUT), "-c", "."]
        change = f"LABEL {engine.LABEL}"
        with subprocess.Popen(tar, stdout=subprocess.PIPE) as packing:
            imported = subprocess.run(
                [client, "import", "-c", 'CMD ["bash"]', "-c", change, "-", LOCAL_DEBIAN],
                stdin=packing.stdout, capture_output=True, text=True, check=False,
            )  # fmt: skip
        if imported.returncode != 0 or packing.returncode != 0:
            raise KitError(f"docker import failed ({engine.last_line(imported.stderr)})", "see docker's log")
    return LOCAL_DEBIAN


def package_mirror(sources: str) -> str | None:
    """URL of the Debian archive: $DEBIAN_MIRROR, else the first in the text of apt's sources, else debootstrap's own choice."""
    given = os.environ.get("DEBIAN_MIRROR")
    if given:
        return given
    for url in re.findall(r"^\s*(?:URIs:|deb(?:\s+\[[^\]]*\])?)\s+(https?://\S+)", sources, re.MULTILINE):
        if str(url).rstrip("/").endswith("/debian"):
            return str(url)
    return None


def _sources() -> str:
    folder = Path("/etc/apt/sources.list.d")
    files = [Path("/etc/apt/sources.list"), *sorted(folder.glob("*.list")), *sorted(folder.glob("*.sources"))]
    return "\n".join(file.read_text(errors="replace") for file in files if file.is_file())
