"""GSM8K: grade-school word problems, 8 (paper) or 6 (kit) worked examples, one greedy reply."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from agenttuning import sources
from agenttuning.episodes.session import Session
from agenttuning.episodes.types import Outcome, Player, Sample, Scores, Status, Task
from agenttuning.errors import KitError
from agenttuning.models.types import Generation, Message
from agenttuning.scores.intervals import proportion

from . import grading, prompts


class TaskGsm8k(Task):
    """One reply per question; both gradings of it are kept.

    Follows eval_general/eval_gsm8k_tgi.py of THUDM/AgentTuning @ e33a45d in profile paper.
    """

    @property
    def main(self) -> str:
        """Metric that decides the reward: upstream's grading in profile paper, the strict one in profile kit."""
        return "accuracy_upstream" if self.profile == "paper" else "accuracy_strict"

    @cached_property
    def texts(self) -> dict[str, Any]:
        """The profile's prompt texts. Raises MissingData when profile paper lacks upstream's."""
        return sources.prompts("general") if self.profile == "paper" else prompts.kit_texts()

    def messages(self, question: str) -> list[Message]:
        """The whole conversation that puts a question."""
        build = prompts.paper_messages if self.profile == "paper" else prompts.kit_messages
        return build(self.texts, question)

    def check(self) -> None:
        _ = self.texts

    def prompt_identity(self) -> dict[str, str]:
        text = json.dumps(self.messages("{question}"), ensure_ascii=False)
        return {"conversation": hashlib.sha256(text.encode()).hexdigest()}

    def base_generation(self, sampling: str) -> Generation:
        generation = super().base_generation(sampling)
        if self.profile == "paper":
            return generation
        return generation.but(
            stop=(grading.NEXT_QUESTION,)
        )  # upstream sends no stop and pays for the surplus tokens

    def samples(self, split: str) -> list[Sample]:
        path = self._path(split)
        return [
            Sample(f"{split}-{i}", {"question": question, "answer": answer}, grading.gold_text(answer))
            for i, (question, answer) in enumerate(read_problems(path))
        ]

    def play(self, sample: Sample, session: Session) -> Outcome:
        messages = self.messages(sample.data["question"])
        completion = grading.clean(session.reply(messages))
        target = str(sample.target)
        upstream, strict = grading.upstream_answer(completion), grading.strict_answer(completion)
        metrics: dict[str, Any] = {
            "accuracy_upstream": float(grading.correct_upstream(completion, target)),
            "accuracy_strict": float(grading.correct_strict(completion, target)),
            "answer_upstream": grading.INVALID if upstream is None else str(upstream),
            "answer_strict": grading.INVALID if strict is None else str(strict),
        }
        read = upstream if self.profile == "paper" else strict
        return Outcome(
            Status.INVALID_FORMAT if read is None else Status.COMPLETED,
            metrics[self.main],
            prediction=completion,
            metrics=metrics,
            detail="no number in the reply" if read is None else f"read {read}, gold {target}",
        )

    def score(self, records: Sequence[dict[str, Any]]) -> Scores:
        # Graded anew from the stored completion, so that `rescore` follows a corrected grading. A sample that never
        # got a completion (prompt longer than the context) is wrong.
        graded = [(record["prediction"] or "", str(record["target"])) for record in records]
        return Scores(
            main=self.main,
            metrics={
                "accuracy_upstream": proportion([float(grading.correct_upstream(*pair)) for pair in graded]),
                "accuracy_strict": proportion([float(grading.correct_strict(*pair)) for pair in graded]),
            },
        )

    def oracle(self, sample: Sample) -> Player:
        # The bare number, without thousands separators: upstream's reading would take "1,080" for 80.
        value = grading.number(str(sample.target))
        shown = int(value) if value is not None and value == int(value) else value

        def player(messages: list[Message]) -> str:
            return f"This one is known.\nThe answer is {shown}"

        return player

    def ceiling(self, sample: Sample) -> float:
        """0 in profile paper for golds that upstream's reading cannot produce (negative or fractional numbers)."""
        if self.profile == "paper" and not grading.reachable_upstream(str(sample.target)):
            return 0.0
        return 1.0

    def ceiling_note(self, sample: Sample) -> str:
        if self.ceiling(sample) == 1.0:
            return ""
        return f"upstream reads the last run of digits, which is never {sample.target}"

    def _path(self, split: str) -> Path:
        if split == "smoke":
            return self.spec.folder / "smoke.jsonl"
        if split == "file":
            return self._given_file()
        if split not in self.spec.splits:
            raise KitError(f"gsm8k has no split {split!r}", f"choose from: {', '.join(self.spec.splits)}")
        return sources.file(self.spec.splits[split]["files"][0])

    def _given_file(self) -> Path:
        given = self.options["file"]
        if not given:
            raise KitError("split file needs the file", "add --option file=PATH")
        path = Path(given)
        if not path.is_file():
            raise KitError(
                f"there is no file {path}", "give a JSON-lines file with question and answer in each line"
            )
        pinned = self.options["file_sha256"]
        found = hashlib.sha256(path.read_bytes()).hexdigest()
        if pinned and pinned != found:
            raise KitError(f"{path} has sha256 {found}, not {pinned}", "start a new run for the changed file")
        return path


def read_problems(path: Path) -> list[tuple[str, str]]:
    """(question, answer) of each line of a file in the dataset's format.

    Raises:
        KitError: naming the file and line that is no JSON object with both texts, or has no gold answer.
    """
    problems = []
    for n, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
            question, answer = record["question"], record["answer"]
        except (ValueError, KeyError, TypeError) as error:
            raise KitError(
                f"{path} line {n} is not a problem with question and answer ({error!r})"
            ) from error
        if not isinstance(question, str) or not isinstance(answer, str):
            raise KitError(f"{path} line {n}: question and answer must be texts")
        if grading.gold(answer) is None:
            raise KitError(f"{path} line {n} has no gold answer", "the answer must end in `#### NUMBER`")
        problems.append((question, answer))
    if not problems:
        raise KitError(f"{path} holds no problem")
    return problems


TASK = TaskGsm8k
