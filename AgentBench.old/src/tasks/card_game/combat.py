"""One action of Aquawar, resolved hit by hit, with the records that both players are told.

Follows fish.cpp and fishset.cpp (AgentBench.old/src/tasks/card_game/logic/src of THUDM/AgentTuning
@ e33a45d7eab2b63cac4d1956da1e6377fca9fcc7), including what its own rules text states wrongly: who deflects takes
70 % of the damage, the others share 30 %.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from .fish import (
    BARRACUDA,
    CLOWNFISH,
    DEFLECT,
    EEL,
    FLAME,
    HAMMERHEAD,
    LIFE_ON_HIT,
    MAX_HP,
    MOBULA,
    OCTOPUS,
    SHIELD,
    SPRAY,
    SUNFISH,
    TURTLE,
    WEAK,
    WHITESHARK,
    Fish,
)  # fmt: skip

Team = list[Fish]

COUNTER_DAMAGE = 30
EXPLODE_DAMAGE = 40
INFIGHT_DAMAGE, INFIGHT_GAIN = 75, 140
SPRAY_DAMAGE = 70
CRIT_DAMAGE = 120
CLOWNFISH_DAMAGE = 35
HEAL = 20
EVADE = 0.3
LIMITED_USES = 3
"""Times a turtle's or clownfish's skill also hurts the enemy."""


class Clash:
    """An action while it is resolved, and afterwards its records.

    Args:
        teams: both teams; changed in place.
        actor: the acting fish.
        draw: uniform random numbers of [0, 1), asked only for fish that evade.

    Attributes:
        kind: "normalattack", "aoe", "infight", "crit" or "subtle".
        targets: (position, player, value) as announced.
        hits: (position, player, value, traceable, time) in the order of resolution.
        passives: (type, source position, player, value, time).
    """

    __slots__ = ("teams", "actor", "draw", "kind", "targets", "hits", "passives", "time")

    def __init__(self, teams: Sequence[Team], actor: Fish, draw: Callable[[], float]):
        self.teams = teams
        self.actor = actor
        self.draw = draw
        self.kind = "normalattack"
        self.targets: list[tuple[int, int, int]] = []
        self.hits: list[tuple[int, int, int, bool, int]] = []
        self.passives: list[tuple[str, int, int, float, int]] = []
        self.time = 0
        actor.touched = True

    def attack(self, target: Fish) -> None:
        """Normal attack: half of the attack points on one enemy."""
        self._announce_strike("normalattack", target, self.actor.power // 2)
        self._bury()

    def skill(self, friends: Sequence[int], enemies: Sequence[int]) -> None:
        """The actor's active skill on sorted positions that `skill_error` has passed."""
        actor = self.actor
        mine, theirs = self.teams[actor.side], self.teams[1 - actor.side]
        kind = actor.kind
        if kind in (SPRAY, EEL):
            damage = SPRAY_DAMAGE if kind == SPRAY else int(actor.power * 0.35)
            self._strike_all([theirs[p] for p in enemies], damage)
        elif kind in (FLAME, SUNFISH):
            friend = mine[friends[0]]
            self.kind = "infight"
            self.targets.append((friend.position, friend.side, INFIGHT_DAMAGE))
            self._take(friend, None, INFIGHT_DAMAGE)
            actor.atk += INFIGHT_GAIN
        elif kind == BARRACUDA:
            self._announce_strike("crit", theirs[enemies[0]], CRIT_DAMAGE)
        elif kind in (MOBULA, OCTOPUS):
            self.kind = "subtle"
            self._give(mine[friends[0]], SHIELD)
            actor.atk += 20
        elif kind in (TURTLE, CLOWNFISH):
            self._give(mine[friends[0]], LIFE_ON_HIT if kind == TURTLE else DEFLECT)
            actor.used += 1
            if actor.used > LIMITED_USES:
                self.kind = "subtle"
            elif kind == TURTLE:
                self._announce_strike("crit", theirs[enemies[0]], CRIT_DAMAGE)
            else:
                self._strike_all([theirs[p] for p in enemies], CLOWNFISH_DAMAGE)
        else:  # whiteshark, hammerhead
            target = theirs[enemies[0]]
            factor = 1.4 if target.hp < 0.4 * MAX_HP else 1.2
            self._announce_strike("crit", target, int(actor.power * factor))
        self._bury()

    def info(self, receiver: int) -> dict[str, Any]:
        """The action as the engine tells it to a player; empty lists are left out, as upstream's JSON does."""
        skill: dict[str, Any] = {"type": self.kind, "isSkill": self.kind != "normalattack"}
        if self.targets:
            skill["targets"] = [
                {"pos": pos, "player": player, "value": value, "isEnemy": player != receiver}
                for pos, player, value in self.targets
            ]
        told: dict[str, Any] = {"ActionFish": self.actor.position, "skill": skill}
        if self.hits:
            told["hit"] = [
                {
                    "target": target, "player": player, "value": value, "traceable": traceable, "time": time,
                    "isEnemy": player != receiver,
                }
                for target, player, value, traceable, time in self.hits
            ]  # fmt: skip
        if self.passives:
            told["passive"] = [
                {
                    "type": kind, "source": source, "player": player, "value": value, "time": time,
                    "isEnemy": player != receiver,
                }
                for kind, source, player, value, time in self.passives
            ]  # fmt: skip
        return told

    # -- damage ----------------------------------------------------------------------------------------------------

    def _strike_all(self, targets: Sequence[Fish], damage: int) -> None:
        self.kind = "aoe"
        self.targets += [(target.position, target.side, damage) for target in targets]
        for target in targets:
            self._strike(target, damage)

    def _announce_strike(self, kind: str, target: Fish, damage: int) -> None:
        self.kind = kind
        self.targets.append((target.position, target.side, damage))
        self._strike(target, damage)

    def _strike(self, target: Fish, damage: int) -> None:
        """Damage with a source; team-mates of a weak target strike back."""
        self._take(target, self.actor, damage)
        if target.hp < WEAK:
            for fish in self.teams[target.side]:
                if fish.kind <= FLAME and not fish.dead and fish is not target:
                    self._passive("counter", target, COUNTER_DAMAGE)
                    self._take(self.actor, None, COUNTER_DAMAGE)

    def _take(self, fish: Fish, source: Fish | None, damage: int) -> None:
        """Damage by the rules of the fish that is hit; `source` None for shares, counters and the like."""
        fish.touched = True
        kind = fish.kind
        if kind <= FLAME:
            self._lose(fish, source, damage)
        elif kind <= SUNFISH:
            others = self._others(fish) if source else []
            if others:
                kept, share = int(damage * 0.7), int(damage * 0.3) // len(others)
                self._passive("deflect", fish, kept)
                for other in others:
                    self._take(other, None, share)
                self._lose(fish, source, kept)
            else:
                self._lose(fish, source, damage)
            if fish.wound >= 200:
                fish.atk += 40 * (fish.wound // 200)
                fish.wound %= 200
        elif kind <= TURTLE:
            self._lose_or_evade(fish, source, damage)
        else:
            self._lose(fish, source, damage)
            if kind in (OCTOPUS, WHITESHARK):
                if fish.hp > 0:
                    self._heal(fish)
            elif kind == HAMMERHEAD:
                if fish.hp <= 0 and source:
                    self._passive("explode", fish, EXPLODE_DAMAGE)
                    self._take(source, None, EXPLODE_DAMAGE)
            elif fish.hp < WEAK and source:
                self._passive("counter", fish, COUNTER_DAMAGE)
                self._take(source, None, COUNTER_DAMAGE)

    def _lose_or_evade(self, fish: Fish, source: Fish | None, damage: int) -> None:
        if fish.kind == TURTLE and fish.shell > 0:
            fish.shell -= 1
        elif self.draw() > EVADE:
            self._lose(fish, source, damage)
            return
        self._passive("reduce", fish, 0)
        self._hit(fish, 0, source)

    def _lose(self, fish: Fish, source: Fish | None, damage: int) -> None:
        """Damage after the fish's own rules: buffs, the hit itself, healing on hit."""
        if source and fish.buff:
            if fish.buff & SHIELD:
                fish.buff &= ~SHIELD
                damage = int(damage * 0.3)
                self._passive("reduce", fish, 0.3)
            if fish.buff & DEFLECT and (others := self._others(fish)):
                fish.buff &= ~DEFLECT
                self._passive("deflect", fish, damage)
                share = int(damage * 0.3) // len(others)
                for other in others:
                    self._take(other, None, share)
                damage = int(damage * 0.7)
        self._hit(fish, damage, source)
        fish.hp -= damage
        fish.wound += damage
        if source and fish.buff & LIFE_ON_HIT and fish.hp > 0:
            fish.buff &= ~LIFE_ON_HIT
            self._heal(fish)

    def _heal(self, fish: Fish) -> None:
        before = fish.hp
        fish.hp = min(MAX_HP, before + HEAL)
        self._passive("heal", fish, fish.hp - before)

    def _give(self, fish: Fish, buff: int) -> None:
        fish.touched = True
        fish.buff |= buff

    def _others(self, fish: Fish) -> list[Fish]:
        return [other for other in self.teams[fish.side] if other is not fish and not other.dead]

    # -- records ---------------------------------------------------------------------------------------------------

    def _passive(self, kind: str, fish: Fish, value: float) -> None:
        self.time += 1
        self.passives.append((kind, fish.position, fish.side, float(value), self.time))

    def _hit(self, fish: Fish, value: int, source: Fish | None) -> None:
        self.time += 1
        self.hits.append((fish.position, fish.side, value, source is not None, self.time))

    def _bury(self) -> None:
        for team in self.teams:
            for fish in team:
                if fish.hp <= 0:
                    fish.dead = True


def skill_error(
    teams: Sequence[Team], actor: Fish, friends: Sequence[int], enemies: Sequence[int]
) -> int | None:
    """Upstream's code of what is wrong with the positions of a skill, None if they are right.

    Args:
        friends, enemies: positions of living fish, none twice.
    """
    kind = actor.kind
    theirs = teams[1 - actor.side]
    living = sum(not fish.dead for fish in theirs)
    if kind in (SPRAY, EEL):
        return 1 if friends else _all_enemies(enemies, living)
    if kind in (FLAME, SUNFISH, MOBULA, OCTOPUS):
        error = _one_friend(friends) or (3 if enemies else None)
        myself = kind in (FLAME, SUNFISH) and friends[:1] == [actor.position]
        return error or (7 if myself else None)
    if kind in (TURTLE, CLOWNFISH):
        error = _one_friend(friends)
        if error is None and actor.used >= LIMITED_USES:
            error = 3 if enemies else None
        elif error is None:
            error = _one_enemy(enemies) if kind == TURTLE else _all_enemies(enemies, living)
        return error or (8 if friends[0] == actor.position else None)
    error = (1 if friends else None) or _one_enemy(enemies)
    if error is None and kind in (WHITESHARK, HAMMERHEAD):
        lowest = min(fish.hp for fish in theirs if not fish.dead)
        return 9 if theirs[enemies[0]].hp != lowest else None
    return error


def _one_friend(friends: Sequence[int]) -> int | None:
    return None if len(friends) == 1 else 5 if friends else 2


def _one_enemy(enemies: Sequence[int]) -> int | None:
    return None if len(enemies) == 1 else 6 if enemies else 4


def _all_enemies(enemies: Sequence[int], living: int) -> int | None:
    if not enemies:
        return 4
    return None if len(enemies) == living else 10
