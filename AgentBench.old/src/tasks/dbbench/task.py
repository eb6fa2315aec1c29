"""DBBench: answer questions about a table, or change it, with SQL on a real server.

Protocol, metric and limits of AgentBench.old/src/tasks/dbbench @ e33a45d (THUDM/AgentTuning); README.md lists what
differs.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import json
import tomllib
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agenttuning import sources
from agenttuning.episodes.history import shorten
from agenttuning.episodes.session import Session
from agenttuning.episodes.types import Outcome, Player, Sample, Scores, Task, TaskSpec
from agenttuning.errors import KitError, MissingDependency
from agenttuning.models.types import Message

from .grading import MODIFICATIONS, paper_correct, strict_correct
from .parsing import GRAMMARS
from .protocol import Conversation, converse
from .scoring import accuracies, average, share_of, type_counts
from .tables import Table, hash_answer

if TYPE_CHECKING:
    from .database import EpisodeDatabase
    from .server import Server

HERE = Path(__file__).parent
FILES = {"std": "dbbench-std", "dev": "dbbench-dev"}
GRADINGS = ("paper", "strict")
INSTALL = "run make setup"

BEYOND_REACH = {"std-225": "the recorded hash is not the one that the recorded SQL leads to, on any engine"}
"""Samples whose gold answer cannot score; found by playing all gold answers on the real server."""


class TaskDatabase(Task):
    """The room's task; see the module's docstring."""

    def __init__(self, spec: TaskSpec, profile: str = "kit", options: dict[str, Any] | None = None):
        super().__init__(spec, profile, options)
        seconds = self.options["statement_seconds"]
        if not isinstance(seconds, (int, float)) or isinstance(seconds, bool) or not 0 < seconds <= 600:
            raise KitError(f"statement_seconds must be a number between 0 and 600, not {seconds!r}")
        self.max_round = int(spec.limits["max_round"])
        self._server: Server | None = None
        self._locks: Any = None

    # -- data ------------------------------------------------------------------------------------------------------

    def samples(self, split: str) -> list[Sample]:
        """The split's samples. Sample ids are SPLIT-INDEX, the index as in upstream's file."""
        if split not in self.spec.splits:
            raise KitError(f"dbbench has no split {split!r}", f"choose from: {', '.join(self.spec.splits)}")
        path = sources.file(FILES[split]) if split in FILES else HERE / f"{split}.jsonl"
        return [
            sample_of(f"{split}-{index}", json.loads(line))
            for index, line in enumerate(path.read_text(encoding="utf-8").splitlines())
        ]

    # -- prompts ---------------------------------------------------------------------------------------------------

    @cached_property
    def texts(self) -> dict[str, str]:
        """instruction, acknowledgement, omitted_notice, truncation_suffix of the profile."""
        if self.profile == "paper":
            upstream = sources.prompts("dbbench")
            return {
                "instruction": upstream["big_prompt"],
                "acknowledgement": upstream["acknowledgement"],
                "truncation_suffix": upstream["truncation_suffix"],
                "omitted_notice": sources.prompts("agentbench-core")["omitted_notice"],
            }
        texts: dict[str, str] = tomllib.loads((HERE / "prompts.toml").read_text(encoding="utf-8"))
        texts["instruction"] = texts["instruction"].replace("{max_round}", str(self.max_round))
        return texts

    def prompt_identity(self) -> dict[str, str]:
        return {name: hashlib.sha256(text.encode()).hexdigest() for name, text in self.texts.items()}

    def opening(self, sample: Sample) -> list[Message]:
        """The three turns every episode begins with."""
        return [
            {"role": "user", "content": self.texts["instruction"]},
            {"role": "assistant", "content": self.texts["acknowledgement"]},
            {"role": "user", "content": f"{sample.data['description']}\n{sample.data['add_description']}"},
        ]

    # -- the server ------------------------------------------------------------------------------------------------

    def check(self) -> None:
        if importlib.util.find_spec("pymysql") is None:
            raise MissingDependency("the Python package pymysql is not installed", INSTALL)
        if (version := importlib.metadata.version("pymysql")).startswith(("0.", "1.0", "1.1")):
            raise MissingDependency(f"pymysql {version} tells no SQLSTATE of errors, 1.2 does", INSTALL)
        from .server import find_programs

        find_programs()
        _ = self.texts

    def open(self) -> None:
        if self._server is None:
            from .database import NameLocks
            from .server import Server

            self._server, self._locks = Server(float(self.options["statement_seconds"])), NameLocks()
        self._server.start()

    def close(self) -> None:
        if self._server is not None:
            self._server.stop()

    # -- the episode -----------------------------------------------------------------------------------------------

    def play(self, sample: Sample, session: Session) -> Outcome:
        """One episode. A failing model call ends it with ModelError; upstream goes on with an empty reply."""
        from .database import episode_database

        if self._server is None:
            raise KitError("the database server is not running", "call open() before play()")
        paper = self.profile == "paper"
        table = Table.of(sample.data["table"])
        suffix = self.texts["truncation_suffix"]
        with episode_database(self._server, self._locks, table, suffix=suffix, multi=paper) as database:
            if database.defect:
                session.note(f"the data's table cannot be built: {database.defect}")
            talk = converse(
                self.opening(sample),
                lambda messages: session.reply(messages, view=self._view(messages)),
                lambda sql: database.execute(sql).text,
                grammar=GRAMMARS[self.profile],
                max_round=self.max_round,
            )
            session.finish(talk.messages)
            return self._outcome(sample, table, talk, database)

    def _view(self, messages: list[Message]) -> list[Message]:
        return shorten(messages, notice=self.texts["omitted_notice"])

    def _outcome(
        self, sample: Sample, table: Table, talk: Conversation, database: EpisodeDatabase
    ) -> Outcome:
        kind = sample.data["type"]
        answer = strict_answer = talk.answer
        if kind in MODIFICATIONS:
            answer = database.execute(table.hash_query()).text
            strict_answer = hash_answer(database.final_hash())
        right = {
            "paper": paper_correct(kind, answer, sample.target),
            "strict": strict_correct(kind, strict_answer, sample.target),
        }
        return Outcome(
            talk.status,
            float(right["paper" if self.profile == "paper" else "strict"]),
            prediction=answer,
            metrics={
                "type": kind,
                **{name: float(value) for name, value in right.items()},
                "executions": len(talk.executed),
                "messages": len(talk.messages),
                **({"hash_agrees": answer == strict_answer} if kind in MODIFICATIONS else {}),
            },
            detail=talk.detail,
        )

    # -- scores ----------------------------------------------------------------------------------------------------

    def score(self, records: Sequence[dict[str, Any]]) -> Scores:
        """Percent accuracies with the split's fixed denominators: a sample without a result is not solved."""
        main = "paper" if self.profile == "paper" else "strict"
        notes = []
        sizes: dict[str, int] | None = None
        if records:
            split = str(records[0]["sample"]).rsplit("-", 1)[0]
            sizes = type_counts(s.data["type"] for s in self.samples(split))
            if (missing := sum(sizes.values()) - len(records)) > 0:
                notes.append(
                    f"{missing} of {sum(sizes.values())} samples have no result and count as not solved"
                )
        metrics = dict(accuracies(share_of(records, main), sizes))
        for grading in GRADINGS:
            graded = accuracies(share_of(records, grading), sizes)
            metrics[f"overall_cat_accuracy_{grading}"] = graded["overall_cat_accuracy"]
        metrics["average_round"] = average([float(r["metrics"]["messages"]) for r in records])
        metrics["average_executions"] = average([float(r["metrics"]["executions"]) for r in records])
        if disagreeing := sum(r["metrics"].get("hash_agrees") is False for r in records):
            notes.append(f"{disagreeing} final tables hash differently on the server and on our side")
        return Scores("overall_cat_accuracy", metrics, notes)

    # -- self-check ------------------------------------------------------------------------------------------------

    def oracle(self, sample: Sample) -> Player:
        """Runs the gold SQL of a modification (or looks at the table), then answers with the label."""
        sql = sample.data["gold_sql"] or f"SELECT * FROM `{sample.data['table']['table_name']}`"
        replies = iter(
            [
                f"I run SQL first.\nAction: Operation\n```sql\n{sql}\n```",
                f"That is all.\nAction: Answer\nFinal Answer: {json.dumps(answers_of(sample), ensure_ascii=False)}",
            ]
        )
        return lambda messages: next(replies)

    def ceiling(self, sample: Sample) -> float:
        return 0.0 if sample.id in BEYOND_REACH else 1.0

    def ceiling_note(self, sample: Sample) -> str:
        return BEYOND_REACH.get(sample.id, "")


def sample_of(name: str, record: dict[str, Any]) -> Sample:
    """A Sample of one data record. Modifications have the hash as target and the gold SQL for the oracle."""
    kind = record["type"][0]
    modifies = kind in MODIFICATIONS
    Table.of(record["table"])  # refuses what cannot be played
    data = {
        "description": record["description"],
        "add_description": record["add_description"],
        "type": kind,
        "table": record["table"],
        "gold_sql": record["label"][0] if modifies else None,
    }
    return Sample(name, data, record["answer_md5"] if modifies else record["label"])


def answers_of(sample: Sample) -> list[str]:
    """What the oracle answers: the labels, or a word that a modification ignores."""
    return ["done"] if sample.data["type"] in MODIFICATIONS else list(sample.target)


TASK = TaskDatabase
