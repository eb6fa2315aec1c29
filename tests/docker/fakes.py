"""Stand-ins for docker, docker-compose and nvidia-smi."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path

SCRIPT = """#!{python}
import json, sys
from pathlib import Path
folder, name = Path({folder!r}), {name!r}
words = sys.argv[1:]
with (folder / "calls.jsonl").open("a") as log:
    log.write(json.dumps([name, *words]) + "\\n")
for prefix, code, out, err in json.loads((folder / f"{{name}}.json").read_text()):
    if words[: len(prefix)] == prefix:
        sys.stdout.write(out)
        sys.stderr.write(err)
        sys.exit(code)
sys.stderr.write(f"no answer for {{words}}\\n")
sys.exit(1)
"""


@dataclass
class Fakes:
    """Programs that answer what a test tells them and write down how they were called."""

    folder: Path

    def program(self, name: str, *answers: tuple[list[str], int, str, str]) -> None:
        """`answers`: first words of a call, exit code, stdout, stderr; the first match counts."""
        (self.folder / f"{name}.json").write_text(json.dumps(answers))
        path = self.folder / name
        path.write_text(SCRIPT.format(python=sys.executable, folder=str(self.folder), name=name))
        path.chmod(0o755)

    def docker(self, *answers: tuple[list[str], int, str, str]) -> None:
        """A client whose engine answers, with an NVIDIA runtime, unless `answers` say otherwise."""
        info = {"Runtimes": {"runc": {}, "nvidia": {}}, "DockerRootDir": str(self.folder)}
        self.program(
            "docker", *answers, (["version"], 0, "20.10.24\n", ""), (["compose", "version"], 0, "v2\n", ""),
            (["info"], 0, json.dumps(info), ""), (["volume", "inspect"], 0, "[]", ""),
        )  # fmt: skip

    def gpus(self, *free_gib: float) -> None:
        """nvidia-smi with cards of 80 GiB of which so much is free."""
        lines = "".join(f"{i}, {80 * 1024}, {int(free * 1024)}\n" for i, free in enumerate(free_gib))
        self.program("nvidia-smi", ([], 0, lines, ""))

    def calls(self, *first: str) -> list[list[str]]:
        """Calls that begin with these words."""
        path = self.folder / "calls.jsonl"
        made = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
        return [call for call in made if call[: len(first)] == list(first)]
