"""The twelve fish of Aquawar: constants and the state of one fish in a game.

Numbers as in AgentBench.old/src/tasks/card_game/logic/src/fish.cpp of THUDM/AgentTuning
@ e33a45d7eab2b63cac4d1956da1e6377fca9fcc7. The benchmark itself uses the first four kinds only.
"""

from __future__ import annotations

(
    SPRAY,
    FLAME,
    EEL,
    SUNFISH,
    BARRACUDA,
    MOBULA,
    TURTLE,
    OCTOPUS,
    WHITESHARK,
    HAMMERHEAD,
    CLOWNFISH,
    IMITATOR,
) = range(1, 13)

NAMES = {
    SPRAY: "spray", FLAME: "flame", EEL: "eel", SUNFISH: "sunfish", BARRACUDA: "barracuda", MOBULA: "mobula",
    TURTLE: "turtle", OCTOPUS: "octopus", WHITESHARK: "whiteshark", HAMMERHEAD: "hammerhead",
    CLOWNFISH: "clownfish", IMITATOR: "imitator",
}  # fmt: skip

BENCHMARK_KINDS = (SPRAY, FLAME, EEL, SUNFISH)
"""The line-up of the benchmark, on both sides."""

MAX_HP = 400
WEAK = 0.3 * MAX_HP
"""Below this many points team-mates counter (1, 2) and a clownfish counters."""
SHELL = 3
HAMMERHEAD_RAGE = 15

SHIELD, LIFE_ON_HIT, DEFLECT = 4, 8, 16
"""Buff bits."""

READY, FIGHT, DEAD = 0, 1, 2
"""States as upstream's replay shows them."""


class Fish:
    """One fish of a team.

    Attributes:
        id: 1..12; what a guess must name.
        kind: the id whose rules it follows (differs for an imitator only).
        side, position: player 0 or 1, place 0..3 in its team.
        hp: may be negative after an action that killed it.
        atk: attack without a hammerhead's rage.
        dead: set between actions; a fish at 0 hp still counts as living until the action is over.
        exposed: its identity was guessed.
        wound: damage taken; eel and sunfish turn 200 points of it into 40 attack.
        buff: bit set of SHIELD, LIFE_ON_HIT, DEFLECT.
        used: how often a turtle or clownfish used its skill.
        shell: hits a turtle evades for certain.
        touched: something happened to it (an imitator shows its real attack from then on).
    """

    __slots__ = (
        "id", "kind", "side", "position", "hp", "atk", "dead", "exposed", "wound", "buff", "used", "shell", "touched",
    )  # fmt: skip

    def __init__(self, id: int, side: int, position: int, imitates: int | None = None):
        self.id = id
        self.kind = imitates if id == IMITATOR and imitates else id
        self.side = side
        self.position = position
        self.hp = MAX_HP
        self.atk = 200 if self.kind <= SUNFISH else 100
        self.dead = False
        self.exposed = False
        self.wound = 0
        self.buff = 0
        self.used = 0
        self.shell = SHELL
        self.touched = False

    @property
    def power(self) -> int:
        """Attack in use: a hammerhead below a fifth of its health hits harder."""
        rage = HAMMERHEAD_RAGE if self.kind == HAMMERHEAD and self.hp * 5 < MAX_HP else 0
        return self.atk + rage

    @property
    def shown_power(self) -> int:
        """Attack as messages and replay show it."""
        return 100 if self.id == IMITATOR and not self.touched else self.power

    @property
    def shown_state(self) -> int:
        """READY, FIGHT or DEAD, with upstream's READY for an imitator that something happened to."""
        if self.dead:
            return DEAD
        return READY if self.id == IMITATOR and self.touched else FIGHT
