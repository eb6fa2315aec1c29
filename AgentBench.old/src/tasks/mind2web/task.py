"""Mind2Web: choose the next element and operation on recorded pages.

Protocol, metric and limits of AgentBench.old/src/tasks/mind2web of THUDM/AgentTuning
@ e33a45d7eab2b63cac4d1956da1e6377fca9fcc7; README.md lists what differs.
"""

from __future__ import annotations

import importlib.util
import threading
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

from agenttuning.episodes.session import Session
from agenttuning.episodes.types import Outcome, Player, Sample, Scores, Status, Task, TaskSpec
from agenttuning.errors import KitError, MissingDependency

from . import context, dataset, prompts, tournament
from .grading import grade
from .parsing import FIRST_CHOICE, GRAMMARS, NONE_OF_THEM, Decision, gold_action, read, target_text
from .ranks import KEPT
from .scoring import metrics_of, notes_of

if TYPE_CHECKING:
    from .dom import Element

INSTALL = "run: make setup"
LETTERS = 5
"""Choices a reply can name, B to F."""


class TaskMind2Web(Task):
    """The room's task; see the module's docstring. A sample is one recorded step."""

    def __init__(self, spec: TaskSpec, profile: str = "kit", options: dict[str, Any] | None = None):
        super().__init__(spec, profile, options)
        self.topk = int(spec.limits["topk"])
        self.size = int(spec.limits["num_candidates"])
        if not 0 < self.topk <= KEPT:
            raise KitError(f"topk must lie between 1 and {KEPT}, not {self.topk}")
        if not 1 < self.size <= LETTERS:
            raise KitError(f"num_candidates must lie between 2 and {LETTERS}, not {self.size}")
        self.policy = self.options["context_policy"] or (
            "upstream" if profile == "paper" else "keep_question"
        )
        if self.policy not in context.POLICIES:
            raise KitError(f"there is no context_policy {self.policy!r}", "choose upstream or keep_question")
        self._stores: dict[str, dataset.Store] = {}
        self._lock = threading.Lock()

    # -- data ------------------------------------------------------------------------------------------------------

    def samples(self, split: str) -> list[Sample]:
        """The split's steps. Ids are SPLIT-INDEX, in the order file, task, step."""
        records = self._store(split).records
        return [self._sample(split, index, record) for index, record in enumerate(records)]

    def _sample(self, split: str, index: int, record: dict[str, Any]) -> Sample:
        positives = [node for node, rank in record["positives"] if rank < self.topk]
        negatives = [node for node, rank in record["negatives"] if rank < self.topk]
        operation = record["operation"]
        target = {"element": positives, "action": gold_action(operation["op"], operation["value"])}
        data = {
            "split": split,
            **{key: record[key] for key in ("annotation_id", "action_uid", "website", "confirmed_task")},
            "previous_actions": record["previous_actions"],
            "operation": operation,
            "best_rank": min((rank for _, rank in record["positives"]), default=None),
            "candidates": [*positives, *negatives] if positives else [],
            "page": record["page"],
        }
        return Sample(f"{split}-{index}", data, target if positives else None)

    def _store(self, split: str) -> dataset.Store:
        with self._lock:
            if split not in self._stores:
                self._stores[split] = self._read(split)
            return self._stores[split]

    def _read(self, split: str) -> dataset.Store:
        if split == "smoke":
            return dataset.smoke()
        if split == "dev":
            return dataset.dev()
        if split in dataset.MEMBERS:
            return dataset.test(split)
        if split == "folder":
            if not self.options["data_dir"]:
                raise KitError("split folder needs the folder", "add --option data_dir=DIR")
            return dataset.folder(Path(self.options["data_dir"]), self.options["data_sha256"])
        raise KitError(f"mind2web has no split {split!r}", f"choose from: {', '.join(self.spec.splits)}")

    def _page(self, sample: Sample) -> Element:
        """Parsed page of a sample. Raises KitError where it is no XML."""
        from . import dom

        html = self._store(sample.data["split"]).html(sample.data)
        try:
            return dom.parse(html)
        except (ValueError, SyntaxError) as error:
            raise KitError(f"the page of {sample.id} is no XML ({error})") from error

    # -- prompts ---------------------------------------------------------------------------------------------------

    @cached_property
    def texts(self) -> prompts.Texts:
        """The profile's prompt texts. Raises MissingData when profile paper lacks upstream's."""
        return prompts.paper_texts() if self.profile == "paper" else prompts.kit_texts()

    def prompt_identity(self) -> dict[str, str]:
        return {"mind2web": self.texts.sha256()}

    def check(self) -> None:
        if importlib.util.find_spec("lxml") is None:
            raise MissingDependency("the Python package lxml is not installed", INSTALL)
        _ = self.texts

    # -- the episode -----------------------------------------------------------------------------------------------

    def pool(self, sample: Sample) -> list[str]:
        """Candidates in the order in which they are asked about: drawn for each step from its own seed."""
        data = sample.data
        drawn = list(data["candidates"])
        Random(f"{self.options['shuffle_seed']}:{data['annotation_id']}:{data['action_uid']}").shuffle(drawn)
        return drawn

    def play(self, sample: Sample, session: Session) -> Outcome:
        """One step: no question where no positive is among the candidates, else the elimination rounds."""
        seen = {"question_lost": 0, "examples_dropped": 0, "missing_candidates": 0}
        if sample.target is None:
            session.note(f"no positive element is ranked below {self.topk}: the model is not asked")
            return self._outcome(sample, tournament.Tournament(), seen)
        root = self._page(sample)
        pool = self._present(sample, root)
        seen["missing_candidates"] = len(sample.data["candidates"]) - len(pool)
        if seen["missing_candidates"]:
            session.note(f"{seen['missing_candidates']} candidates are not in the page and left out")

        def ask(batch: list[str]) -> tuple[list[str], Decision]:
            asked = self._question(sample, root, batch)
            messages = prompts.messages(self.texts, asked)
            sent = context.view(messages, self.policy, self.texts.notice)
            seen["question_lost"] += context.lost(messages, sent)
            seen["examples_dropped"] += (len(messages) - len(sent)) // 2
            reply = session.reply(messages, view=sent)
            return [node for node, _ in asked.choices], read(reply, GRAMMARS[self.profile])

        done = tournament.play(pool, ask, size=self.size, ask_about_last=self.profile == "kit")
        return self._outcome(sample, done, seen)

    def _present(self, sample: Sample, root: Element) -> list[str]:
        from . import dom

        there = dom.node_ids(root)
        return [node for node in self.pool(sample) if node in there]

    def _question(self, sample: Sample, root: Element, batch: Sequence[str]) -> prompts.Question:
        data = sample.data
        shown = data["previous_actions"][-prompts.PREVIOUS_ACTIONS :]
        return prompts.question(root, self.texts, data["confirmed_task"], shown, batch)

    def _outcome(self, sample: Sample, done: tournament.Tournament, seen: dict[str, int]) -> Outcome:
        grades = grade(done.prediction, sample.target)
        status, detail = _ending(sample, done)
        return Outcome(
            status,
            float(grades.step if self.profile == "paper" else grades.strict),
            prediction=list(done.prediction),
            metrics={
                "element_acc": grades.element,
                "action_f1": grades.f1,
                "step_sr_paper": grades.step,
                "step_sr_strict": grades.strict,
                "operation": sample.data["operation"]["op"],
                "task": sample.data["annotation_id"],
                "best_rank": sample.data["best_rank"],
                "candidates": len(sample.data["candidates"]),
                "rounds": len(done.rounds),
                "choices": [one.choices for one in done.rounds],
                **seen,
            },
            detail=detail,
        )

    # -- scores ----------------------------------------------------------------------------------------------------

    def score(self, records: Sequence[dict[str, Any]]) -> Scores:
        """Percent means over all given steps; see scoring.metrics_of."""
        split = str(records[0]["sample"]).rsplit("-", 1)[0] if records else ""
        return Scores("step_sr", metrics_of(records, paper=self.profile == "paper"), notes_of(records, split))

    # -- self-check ------------------------------------------------------------------------------------------------

    def oracle(self, sample: Sample) -> Player:
        """Plays the rounds once for itself, choosing a positive where one is listed, and then gives those replies.

        In profile paper it chooses a wrong element where "none of them" would leave one last candidate unasked.
        """
        replies: list[str] = []
        if sample.target is not None:
            root = self._page(sample)
            positives, operation = set(sample.target["element"]), sample.data["operation"]
            waiting = self._present(sample, root)

            def ask(batch: list[str]) -> tuple[list[str], Decision]:
                del waiting[: len(batch)]
                listed = [node for node, _ in self._question(sample, root, batch).choices]
                right = next((i for i, node in enumerate(listed) if node in positives), None)
                if right is None and len(waiting) == 1 and self.profile == "paper":
                    right = 0
                if right is None:
                    answer = f"{NONE_OF_THEM}."
                else:
                    waiting.append(listed[right])
                    letter = chr(ord(FIRST_CHOICE) + right)
                    answer = target_text(operation["op"], operation["value"], letter)
                replies.append(f"I know this one.\nAnswer: {answer}")
                return listed, read(replies[-1], GRAMMARS[self.profile])

            tournament.play(list(waiting), ask, size=self.size, ask_about_last=self.profile == "kit")
        following = iter(replies)
        return lambda messages: next(following)

    def ceiling(self, sample: Sample) -> float:
        return 0.0 if self.ceiling_note(sample) else 1.0

    def ceiling_note(self, sample: Sample) -> str:
        if sample.target is None:
            return f"no positive element is ranked below {self.topk}"
        if self.profile == "paper" and len(sample.data["candidates"]) == 1:
            return "with a single candidate upstream asks no question"
        return ""


def _ending(sample: Sample, done: tournament.Tournament) -> tuple[Status, str]:
    """Status and detail of a step: the last reply decides."""
    if not done.rounds:
        why = "no positive candidate" if sample.target is None else "one candidate, no question"
        return Status.COMPLETED, why
    last = done.rounds[-1]
    node, action = done.prediction
    said = f"chose {node} with {action.strip() or 'no operation'}" if node else "chose nothing"
    if last.decision.letter is None:
        return Status.INVALID_FORMAT, f"the last reply names no letter; {said}"
    if last.beyond:
        return Status.INVALID_ACTION, f"the last reply names a letter without a choice; {said}"
    if node and not action.split():
        return Status.INVALID_FORMAT, "the chosen element comes without an operation"
    return Status.COMPLETED, said


TASK = TaskMind2Web
