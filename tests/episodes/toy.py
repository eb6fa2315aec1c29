"""A room of its own folder for runner tests: guess a number; misbehaves on request."""

from __future__ import annotations

import os
import shutil
import textwrap
from pathlib import Path

ROOM_TOML = """
name = "toy"
title = "Toy"
group = "held-in"
column = "Toy"
version = 1
metric = "accuracy"
[splits.smoke]
samples = 12
[generation]
max_new_tokens = 8
[generation.upstream]
temperature = 0.7
[resources]
workers = 3
isolation = "ISOLATION"
[options]
crash = ""
marks = ""
"""

ROOM_PY = '''
"""Toy task: the model must repeat the number."""
import os, signal
from pathlib import Path
from agenttuning.episodes.types import EnvironmentFailure, Outcome, Sample, Status, Task
from agenttuning.models.types import ContextLimit
from agenttuning.scores.intervals import proportion


class Toy(Task):
    def samples(self, split):
        return [Sample(f"s{i}", {"n": i}, target=str(i)) for i in range(12)]

    def once(self, name):
        """True the first time it is called with that name, over all processes."""
        try:
            os.close(os.open(Path(self.options["marks"]) / name, os.O_CREAT | os.O_EXCL))
            return True
        except FileExistsError:
            return False

    def play(self, sample, session):
        crash, n = self.options["crash"], sample.data["n"]
        if crash == "once" and n % 4 == 0 and self.once(f"s{n}"):
            raise EnvironmentFailure("injected")
        if crash == "always" and n == 3:
            raise RuntimeError("a bug")
        if crash == "context" and n == 5:
            raise ContextLimit("too long")
        if crash == "kill" and n == 2 and self.once("killed"):
            os.kill(os.getpid(), signal.SIGKILL)
        reply = session.reply([{"role": "user", "content": f"Say {n}"}])
        return Outcome(Status.COMPLETED, float(reply == sample.target), prediction=reply, metrics={"pid": os.getpid()})

    def score(self, records):
        from agenttuning.episodes.types import Scores
        return Scores("accuracy", {"accuracy": proportion([r["reward"] for r in records])})

    def oracle(self, sample):
        return lambda messages: sample.target


TASK = Toy
'''


def make_room(root: Path, isolation: str = "threads") -> None:
    """Lay a checkout out at `root` that holds only the toy room and a models.toml."""
    folder = root / "eval_general" / "toy"
    folder.mkdir(parents=True)
    (folder / "task.toml").write_text(ROOM_TOML.replace("ISOLATION", isolation))
    (folder / "task.py").write_text(textwrap.dedent(ROOM_PY))
    from agenttuning import home

    shutil.copy(Path(home.__file__).resolve().parent.parent / "models.toml", root / "models.toml")
    os.makedirs(root / "marks", exist_ok=True)
