"""OS interaction: answer a question about a Linux machine, or change it, through one bash in a container.

Protocol, metric and limits of AgentBench.old/src/tasks/os_interaction @ e33a45d (THUDM/AgentTuning); README.md lists what differs.
"""

from __future__ import annotations

import atexit
import hashlib
import importlib.util
import json
import tomllib
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agenttuning import sources
from agenttuning.containers import engine
from agenttuning.episodes.history import shorten
from agenttuning.episodes.session import Session
from agenttuning.episodes.types import (
    EnvironmentFailure,
    Outcome,
    Player,
    Sample,
    Scores,
    Status,
    Task,
    TaskSpec,
)  # fmt: skip
from agenttuning.errors import KitError, MissingDependency
from agenttuning.models.types import Message
from agenttuning.scores.intervals import proportion

from .data import load, resolved
from .oracle import play_examples, player
from .parsing import BASH, GRAMMARS, shortened

if TYPE_CHECKING:
    from .pool import Pool
    from .sandbox import Limits, Sandbox

HERE = Path(__file__).parent

PROBLEM_PREFIX = "Now, my problem is:\n\n"
NEW_PROBLEM_PREFIX = "Now, I will start a new problem in a new OS. My problem is:\n\n"
OBSERVATION_PREFIX = "The output of the OS:\n\n"
OBSERVATION_EMPTY = "The output of the OS is empty."
"""Words of the protocol that upstream writes into its expressions, as a model trained on it knows them."""

NUMBERS = (
    "pool",
    "idle_seconds",
    "command_seconds",
    "script_seconds",
    "memory_mb",
    "pids",
    "cpus",
    "disk_mb",
)

BEYOND_REACH = {"dev-8": "its example prints 8.0K, which upstream's size script cannot read"}
"""Samples whose example does not pass its own check in grading paper; found by playing all of std and dev."""


class TaskOSInteraction(Task):
    """The room's task; see the module's docstring."""

    def __init__(self, spec: TaskSpec, profile: str = "kit", options: dict[str, Any] | None = None):
        super().__init__(spec, profile, options)
        for name in NUMBERS:
            value = self.options[name]
            least = 0 if name == "pool" else 0.1
            if (
                not isinstance(value, (int, float))
                or isinstance(value, bool)
                or not least <= value <= 100_000
            ):
                raise KitError(f"{name} must be a positive number, not {value!r}")
        for name, allowed in {
            "scripts": ("auto", "own", "upstream"),
            "observation": ("clean", "agentbench-v0.1"),
            "require_userns": (True, False),
        }.items():
            if self.options[name] not in allowed:
                raise KitError(
                    f"{name} must be one of {', '.join(map(str, allowed))}, not {self.options[name]!r}"
                )
        wanted = self.options["scripts"]
        self.upstream_scripts = wanted == "upstream" or (wanted == "auto" and profile == "paper")
        self.rounds = int(spec.limits["round"])
        self._pool: Pool | None = None

    # -- data ------------------------------------------------------------------------------------------------------

    def samples(self, split: str) -> list[Sample]:
        """The split's samples, sorted by file and place. Sample ids are SPLIT-FILE-INDEX (smoke: smoke-INDEX)."""
        if split not in self.spec.splits:
            raise KitError(
                f"os_interaction has no split {split!r}", f"choose from: {', '.join(self.spec.splits)}"
            )
        found = load(split, self.spec.splits[split].get("files", []))
        for sample in found:  # a script that is missing must stop the run now, not in the middle of it
            for script in [*sample.data["init"], *(sample.data["check"] or []), sample.data["example"]]:
                if script:
                    resolved(script, upstream=self._scripts_of(sample))
        return found

    def _scripts_of(self, sample: Sample) -> bool:
        return self.upstream_scripts and sample.data["file"] != "smoke"

    # -- prompts ---------------------------------------------------------------------------------------------------

    @cached_property
    def texts(self) -> dict[str, Any]:
        """instruction, one_shot (messages), the two problem prefixes, the three observation texts, omitted_notice."""
        if self.profile == "paper":
            return {
                **sources.prompts("os_interaction"),
                "problem_prefix": PROBLEM_PREFIX,
                "new_problem_prefix": NEW_PROBLEM_PREFIX,
                "observation_prefix": OBSERVATION_PREFIX,
                "observation_empty": OBSERVATION_EMPTY,
                "omitted_notice": sources.prompts("agentbench-core")["omitted_notice"],
            }
        texts = tomllib.loads((HERE / "prompts.toml").read_text(encoding="utf-8"))
        texts["instruction"] = texts["instruction"].lstrip("\n").replace("{rounds}", str(self.rounds)) + "\n"
        return texts

    def prompt_identity(self) -> dict[str, str]:
        return {
            name: hashlib.sha256(
                (text if isinstance(text, str) else json.dumps(text, sort_keys=True)).encode()
            ).hexdigest()
            for name, text in self.texts.items()
        }

    def opening(self, sample: Sample) -> list[Message]:
        """Instruction and example, then the sample's problem: seven turns in profile paper, five in kit."""
        first, *rest = (turn["content"] for turn in self.texts["one_shot"])
        turns = [
            self.texts["instruction"] + self.texts["problem_prefix"] + first,
            *rest,
            self.texts["new_problem_prefix"] + sample.data["description"],
        ]
        return [{"role": "assistant" if i % 2 else "user", "content": t} for i, t in enumerate(turns)]

    # -- the sandboxes ---------------------------------------------------------------------------------------------

    def check(self) -> None:
        if importlib.util.find_spec("docker") is None:
            raise MissingDependency("the Python package docker is not installed", "run make setup")
        engine.client()
        _ = self.texts

    @property
    def limits(self) -> Limits:
        from .sandbox import Limits

        o = self.options
        return Limits(
            memory_mb=int(o["memory_mb"]), pids=int(o["pids"]), cpus=float(o["cpus"]), disk_mb=int(o["disk_mb"]),
            file_mb=max(1, int(o["disk_mb"]) // 2), idle_seconds=float(o["idle_seconds"]),
            command_seconds=float(o["command_seconds"]), script_seconds=float(o["script_seconds"]),
        )  # fmt: skip

    def open(self) -> None:
        """Remove leftovers of killed runs, make the image where needed, start the pool.

        Raises:
            MissingDependency: no engine, or one without user namespaces where they are required.
            KitError: the image cannot be built.
        """
        if self._pool is not None:
            return
        from .images import ensure
        from .pool import Pool
        from .sandbox import Engine, connect

        client = connect()
        maker = Engine(client, ensure(client), self.limits)
        if self.options["require_userns"] and not maker.separates_users:
            raise MissingDependency(
                "root in this engine's containers is root on this machine",
                'use a rootless Docker, or put {"userns-remap": "default"} into /etc/docker/daemon.json and restart it',
            )
        maker.sweep()
        self._pool = Pool(maker, int(self.options["pool"]))
        atexit.register(self.close)

    def close(self) -> None:
        if self._pool is not None:
            pool, self._pool = self._pool, None
            pool.close()
            atexit.unregister(self.close)

    # -- the episode -----------------------------------------------------------------------------------------------

    def play(self, sample: Sample, session: Session) -> Outcome:
        """One episode. A failing model call ends it with ModelError; upstream goes on with an empty reply.

        Raises:
            EnvironmentFailure: no sandbox, a broken engine, or a sandbox that ended before the model's first command.
        """
        if self._pool is None:
            raise KitError("there are no sandboxes", "call open() before play()")
        with self._pool.sandbox() as sandbox:
            self._prepare(sample, sandbox)
            return self._episode(sample, session, sandbox)

    def _prepare(self, sample: Sample, sandbox: Sandbox) -> None:
        from .sandbox import SandboxGone
        from .shell import ShellLost

        try:
            for script in sample.data["init"]:
                if sandbox.run(resolved(script, upstream=self._scripts_of(sample))).status is None:
                    raise EnvironmentFailure("an init script did not end in time")
            if sample.data["start"] is not None:
                sandbox.shell.run(sample.data["start"])
        except (SandboxGone, ShellLost) as error:
            raise EnvironmentFailure(f"the sandbox could not be prepared: {error}") from error

    def _episode(self, sample: Sample, session: Session, sandbox: Sandbox) -> Outcome:
        from .grading import judge
        from .sandbox import SandboxGone
        from .shell import ShellLost

        messages = self.opening(sample)
        status, detail, answer, committed = (
            Status.TURN_LIMIT,
            f"no end after {self.rounds} replies",
            None,
            False,
        )
        commands = interrupted = 0
        for _ in range(self.rounds):
            reply = session.reply(messages, view=shorten(messages, notice=self.texts["omitted_notice"]))
            messages.append({"role": "assistant", "content": reply})
            action = GRAMMARS[self.profile](reply)
            if action.kind is None:
                status, detail = Status.INVALID_FORMAT, "the reply has no action that can be read"
                break
            if action.kind != BASH:
                status, detail, answer, committed = Status.COMPLETED, "", action.content, True
                break
            try:
                commands += 1
                done = sandbox.shell.run(action.content or "")
            except (SandboxGone, ShellLost) as error:
                status, detail = Status.INVALID_ACTION, f"its command took the sandbox down: {error}"
                break
            interrupted += done.end in ("idle", "late", "flood")
            if done.end != "done":
                session.note(f"the command did not end by itself ({done.end})")
            messages.append({"role": "user", "content": self._observation(done, sandbox)})
        session.finish(messages)
        verdict = judge(sample.data, answer, committed, sandbox, upstream_scripts=self._scripts_of(sample))
        paper = self.profile == "paper"
        return Outcome(
            status,
            float(verdict.paper if paper else verdict.strict),
            prediction=answer,
            metrics={
                "paper": float(verdict.paper),
                "strict": float(verdict.strict),
                "file": sample.data["file"],
                "kind": "check" if sample.data["match"] is None else "match",
                "committed": committed,
                "commands": commands,
                "interrupted": interrupted,
                "replaced_shells": sandbox.shell.replaced,
                "scripts": "upstream" if self._scripts_of(sample) else "own",
            },
            detail="; ".join(part for part in (detail, verdict.detail) if part),
        )

    def _observation(self, done: Any, sandbox: Sandbox) -> str:
        from .shell import as_on_a_terminal

        raw = self.options["observation"] == "agentbench-v0.1"
        text = as_on_a_terminal(done, sandbox.host) if raw else done.text
        cut = shortened(text, self.texts["observation_truncation_suffix"])
        return self.texts["observation_prefix"] + cut if cut else self.texts["observation_empty"]

    # -- scores ----------------------------------------------------------------------------------------------------

    def score(self, records: Sequence[dict[str, Any]]) -> Scores:
        """Percent accuracy over all samples of the split: a sample without a result is not solved."""
        size = len(records)
        notes = []
        if records:
            size = int(self.spec.splits[str(records[0]["sample"]).split("-", 1)[0]]["samples"])
        missing = [0.0] * max(0, size - len(records))
        if missing:
            notes.append(f"{len(missing)} of {size} samples have no result and count as not solved")
        main = "paper" if self.profile == "paper" else "strict"
        rows = [record["metrics"] for record in records]
        metrics = {"overall_accuracy": proportion([m[main] for m in rows] + missing)}
        for grading in ("paper", "strict"):
            metrics[f"accuracy_{grading}"] = proportion([m[grading] for m in rows] + missing)
        for kind in ("check", "match"):
            metrics[f"accuracy_{kind}"] = proportion([m[main] for m in rows if m["kind"] == kind])
        for file in sorted({m["file"] for m in rows}):
            metrics[f"file_{file}"] = proportion([m["paper"] for m in rows if m["file"] == file])
        if silent := sum(m["paper"] == 1 and not m["committed"] for m in rows):
            notes.append(f"{silent} samples pass in grading paper although the model never committed")
        if main == "paper" and any(m["scripts"] == "own" for m in rows):
            notes.append("judged with the kit's own scripts, not upstream's")
        return Scores("overall_accuracy", metrics, notes)

    # -- self-check ------------------------------------------------------------------------------------------------

    def oracle(self, sample: Sample) -> Player:
        """Runs the example, then answers with what it printed or with the expected text."""
        example = sample.data["example"]
        script = resolved(example, upstream=self._scripts_of(sample)) if example else None
        return player(script, sample.target, self.texts["observation_prefix"])

    def ceiling(self, sample: Sample) -> float:
        return 0.0 if self.ceiling_note(sample) else 1.0

    def ceiling_note(self, sample: Sample) -> str:
        return BEYOND_REACH.get(sample.id, "") if self.profile == "paper" else ""

    def extra_checks(self) -> tuple[bool, list[str]]:
        """Where a mirror has the problems of std but not upstream's scripts: every example, played with our scripts.

        With upstream's scripts on this machine the self-check's std split says more, and this says nothing.
        """
        keys = self.spec.splits["std"]["files"]
        absent = [key for key in keys if not sources.available(key)]
        if not absent:
            return True, []
        if any("-script-" not in key for key in absent):
            return True, ["examples of std: not checked, data not fetched (make data TASKS=os_interaction)"]
        task = TaskOSInteraction(self.spec, "kit", {**self.options, "scripts": "own"})
        return play_examples(task, "std")


TASK = TaskOSInteraction
