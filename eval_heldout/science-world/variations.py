"""The 30 task types, their variations, and which of them each split uses.

Upstream: load_variation in eval_heldout/science-world/eval_utils.py @ e33a45d. The simulator numbers a task's
variations train, dev, test without gaps; the counts below stand in for asking it, so that listing samples
needs no Java (a test compares them with the simulator).
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

TEST_CAP = 10
TEST_CAPS = {15: 9, 25: 5}
"""Test episodes per task type where it is not ten."""


@dataclass(frozen=True)
class TaskType:
    """One of the 30 task types: its number, the simulator's name, and the sizes of its three sets."""

    number: int
    name: str
    train: int
    dev: int
    test: int

    @property
    def lists(self) -> tuple[range, range, range]:
        """The simulator's train, dev and test variation numbers."""
        first_test = self.train + self.dev
        return range(self.train), range(self.train, first_test), range(first_test, first_test + self.test)


_SIZES = """
boil 14 7 9
change-the-state-of-matter-of 14 7 9
chemistry-mix 16 8 8
chemistry-mix-paint-secondary-color 18 9 9
chemistry-mix-paint-tertiary-color 18 9 9
find-animal 150 75 75
find-living-thing 150 75 75
find-non-living-thing 150 75 75
find-plant 150 75 75
freeze 14 7 9
grow-fruit 62 31 33
grow-plant 62 31 33
identify-life-stages-1 6 3 5
identify-life-stages-2 4 2 4
inclined-plane-determine-angle 84 42 42
inclined-plane-friction-named-surfaces 692 346 348
inclined-plane-friction-unnamed-surfaces 80 40 42
lifespan-longest-lived 62 31 32
lifespan-longest-lived-then-shortest-lived 62 31 32
lifespan-shortest-lived 62 31 32
measure-melting-point-known-substance 218 109 109
measure-melting-point-unknown-substance 150 75 75
melt 14 7 9
mendelian-genetics-known-plant 60 30 30
mendelian-genetics-unknown-plant 240 120 120
power-component 10 5 5
power-component-renewable-vs-nonrenewable-energy 10 5 5
test-conductivity 450 225 225
test-conductivity-of-unknown-substances 300 150 150
use-thermometer 270 135 135
"""


def _parse(line: str, number: int) -> TaskType:
    name, *sizes = line.split()
    train, dev, test = map(int, sizes)
    return TaskType(number, name, train, dev, test)


TASK_TYPES = tuple(_parse(line, number) for number, line in enumerate(_SIZES.split("\n")[1:-1]))


def choose(
    number: int, which: str, train: Sequence[int], dev: Sequence[int], test: Sequence[int]
) -> list[int]:
    """Variations of one set of a task type, in upstream's order.

    Args:
        number: task number 0..29.
        which: "test" (a seeded shuffle, capped), "dev" (the first three) or "train" (all; task 26 keeps a
            tenth and task 29 half).
        train, dev, test: the simulator's lists.

    Raises:
        ValueError: any other set.
    """
    if which == "test":
        chosen = list(test)
        random.Random(1).shuffle(chosen)
        return chosen[: TEST_CAPS.get(number, TEST_CAP)]
    if which == "dev":
        return list(dev[:3])
    if which == "train":
        part = {26: 10, 29: 2}.get(number, 1)
        return list(train[: len(train) // part])
    raise ValueError(f"no set {which!r}")


def chosen(number: int, which: str) -> list[int]:
    """`choose` with the lists of scienceworld 1.1.3 and 1.2.3."""
    return choose(number, which, *TASK_TYPES[number].lists)
