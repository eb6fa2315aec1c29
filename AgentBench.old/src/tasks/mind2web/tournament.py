"""The elimination rounds of one step.

Follows predict_single of AgentBench.old/src/tasks/mind2web/task.py of THUDM/AgentTuning
@ e33a45d7eab2b63cac4d1956da1e6377fca9fcc7.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from .parsing import Decision


@dataclass(frozen=True)
class Round:
    """One question: the candidates it was made of, the choices as listed (document order), what was decided."""

    batch: list[str]
    choices: list[str]
    decision: Decision

    @property
    def beyond(self) -> bool:
        """Whether the reply's letter stands for no choice."""
        return self.decision.choice is not None and self.decision.choice >= len(self.choices)


@dataclass
class Tournament:
    """All rounds of a step and the prediction they lead to, ("", "") for none."""

    prediction: tuple[str, str] = ("", "")
    rounds: list[Round] = field(default_factory=list)


Ask = Callable[[list[str]], tuple[list[str], Decision]]
"""Puts the question about a batch of candidates; returns the ids of its choices and the reply."""


def play(candidates: Sequence[str], ask: Ask, *, size: int = 5, ask_about_last: bool = False) -> Tournament:
    """Ask about `size` candidates at a time until at most one is left.

    A chosen element goes back to the end of the list; the others of its round are out. "None of them" and a letter
    without a choice put the whole round out, and an element chosen before with it if it was among them.

    Args:
        ask_about_last: ask about a single element, too, if no question had it yet. Upstream does not: a positive
            that is left over after "none of them" is lost, and so is a single candidate.
    """
    done = Tournament()
    left = list(candidates)
    asked: set[str] = set()
    found: tuple[str, str] | None = None
    while len(left) > 1 or (ask_about_last and set(left) - asked):
        batch, left = left[:size], left[size:]
        asked.update(batch)
        choices, decision = ask(batch)
        this = Round(batch, choices, decision)
        done.rounds.append(this)
        if decision.choice is not None and not this.beyond:
            found = choices[decision.choice], decision.action
            left.append(found[0])
    if found is not None and left:
        done.prediction = found
    return done
