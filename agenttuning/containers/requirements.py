"""The packages one image needs: extras of pyproject.toml, closed over the pins of requirements.lock.

Every Dockerfile runs this file as a script, before anything is installed: standard library only.

    python3 requirements.py pyproject.toml requirements.lock dbbench > requirements.txt
"""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path

ALONE = frozenset({"fschat"})
"""Packages taken without their dependencies: of fschat the kit uses the conversation templates, which import
only the standard library; its web servers, tokenisers and judges would treble the size of an image."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def normal(name: str) -> str:
    """A package name as PyPI compares it: lower case, runs of -, _ and . as one -."""
    return re.sub(r"[-_.]+", "-", name).lower()


def roots(pyproject: str, extras: list[str]) -> list[str]:
    """Names of the direct dependencies: [project] dependencies and those of the extras.

    Raises:
        ValueError: pyproject.toml has no such extra.
    """
    project = tomllib.loads(pyproject)["project"]
    table: dict[str, list[str]] = project.get("optional-dependencies", {})
    found = list(project["dependencies"])
    todo, seen = list(extras), set()
    while todo:
        extra = todo.pop()
        if extra in seen:
            continue
        seen.add(extra)
        if extra not in table:
            raise ValueError(f"pyproject.toml has no extra {extra!r}, only {', '.join(table)}")
        for wanted in table[extra]:
            inner = re.match(rf"{re.escape(project['name'])}\[([^\]]*)\]", wanted)
            if inner:
                todo += [name.strip() for name in inner[1].split(",")]
            else:
                found.append(wanted)
    names = []
    for text in found:
        match = _NAME.match(text)
        assert match is not None
        names.append(normal(match[0]))
    return sorted(set(names))


def pins(lock: str) -> tuple[dict[str, str], dict[str, set[str]]]:
    """Of a pip-compile lock file: the line of each package, and the packages each package brings.

    The second comes from the `# via` comments, turned round.
    """
    lines: dict[str, str] = {}
    brings: dict[str, set[str]] = {}
    package = ""
    for line in lock.splitlines():
        if re.match(r"[A-Za-z0-9]", line):
            package = normal(line.split("==")[0])
            lines[package] = line.split(" #")[0].split(";")[0].strip()
        elif package and line.startswith("    #"):
            for by in line.replace("# via", "#").split("#")[1].split():
                if _NAME.fullmatch(by):
                    brings.setdefault(normal(by), set()).add(package)
    return lines, brings


def requirements(pyproject: str, lock: str, extras: list[str]) -> list[str]:
    """Lines `name==version`, sorted, of everything the extras need and nothing else.

    Raises:
        ValueError: unknown extra, or a direct dependency that the lock file does not pin.
    """
    lines, brings = pins(lock)
    todo, needed = roots(pyproject, extras), set()
    missing = [name for name in todo if name not in lines]
    if missing:
        raise ValueError(f"requirements.lock does not pin {', '.join(missing)}: run make lock")
    while todo:
        name = todo.pop()
        if name not in needed:
            needed.add(name)
            todo += [] if name in ALONE else brings.get(name, set())
    return [lines[name] for name in sorted(needed)]


def main(arguments: list[str]) -> int:
    """PYPROJECT LOCK [EXTRA...]: print the lines."""
    try:
        print(
            *requirements(Path(arguments[0]).read_text(), Path(arguments[1]).read_text(), arguments[2:]),
            sep="\n",
        )
    except (ValueError, OSError) as error:
        print(f"requirements: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
