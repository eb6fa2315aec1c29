"""What one player has been told so far, in the arrays of upstream's player SDK.

Follows AI_SDK/Python/sdk/ai_client.hpp (AgentBench.old/src/tasks/card_game of THUDM/AgentTuning
@ e33a45d7eab2b63cac4d1956da1e6377fca9fcc7). Its arrays are written in place and never cleared: entries beyond the
current count are left over from earlier turns, or zero. Model prompts and baseline 2 read them to the end.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

TARGET_SLOTS = 12
PASSIVE_SLOTS = 24
PASSIVES = {"counter": 0, "deflect": 1, "reduce": 2, "heal": 3, "explode": 4}
COUNTER, DEFLECT = 0, 1


class Deed:
    """The latest action of one player, as the other or he himself remembers it.

    Attributes:
        fish: position of the acting fish, -1 before the first action.
        kind: "normalattack", "aoe", "infight", ...; is_skill: whether it was an active skill.
        own_hits: hit records on the acting player's own side.
        struck, injury: position and announced value per enemy target slot (enemy as seen by the actor).
        struck_now: how many of these slots belong to the latest action.
        positions, types: passives triggered on the side of the receiver's enemy, per slot.
        passives_now: how many of these slots belong to the latest action.
    """

    __slots__ = (
        "fish", "kind", "is_skill", "own_hits", "struck", "injury", "struck_now", "positions", "types", "passives_now",
    )  # fmt: skip

    def __init__(self) -> None:
        self.fish = -1
        self.kind = "normalattack"
        self.is_skill = False
        self.own_hits = 0
        self.struck = [0] * TARGET_SLOTS
        self.injury = [0] * TARGET_SLOTS
        self.struck_now = 0
        self.positions = [0] * PASSIVE_SLOTS
        self.types = [0] * PASSIVE_SLOTS
        self.passives_now = 0

    def update(self, told: dict[str, Any] | None, mine: bool) -> None:
        """Take an action message; `mine`: it is about the receiver's own action."""
        if told is None or "skill" not in told:
            self.fish = -1
            return
        self.fish = told["ActionFish"]
        self.kind = told["skill"]["type"]
        self.is_skill = told["skill"]["isSkill"]
        self.own_hits = sum(hit["isEnemy"] is not mine for hit in told.get("hit", ()))
        targets = [t for t in told["skill"].get("targets", ()) if t["isEnemy"] is mine]
        for slot, target in enumerate(targets[:TARGET_SLOTS]):
            self.struck[slot] = target["pos"]
            self.injury[slot] = target["value"]
        self.struck_now = len(targets)
        passives = [p for p in told.get("passive", ()) if p["isEnemy"]]
        for slot, passive in enumerate(passives[:PASSIVE_SLOTS]):
            self.positions[slot] = passive["source"]
            self.types[slot] = PASSIVES[passive["type"]]
        self.passives_now = len(passives)


class Sight:
    """A player's knowledge of the game. Feed it every message in order.

    Attributes:
        enemy_deed, my_deed: latest actions.
        my_guess: result of the player's own last guess; None before it and after none was made.
        enemy_ids: id of an exposed fish, else -1. my_ids: negative once exposed.
        enemy_hp, my_hp, my_atk: by position.
    """

    def __init__(self) -> None:
        self.enemy_deed, self.my_deed = Deed(), Deed()
        self.my_guess: bool | None = None
        self.enemy_ids: Sequence[int] = (-1,) * 4
        self.my_ids: Sequence[int] = (0,) * 4
        self.enemy_hp: Sequence[int] = (0,) * 4
        self.my_hp: Sequence[int] = (0,) * 4
        self.my_atk: Sequence[int] = (0,) * 4

    def update(self, message: dict[str, Any]) -> None:
        """Take an Assert or Action message of the engine; others change nothing."""
        if message["Action"] == "Assert":
            self.enemy_deed.update(message["EnemyAction"], mine=False)
            self.my_deed.update(message["MyAction"], mine=True)
        elif message["Action"] == "Action":
            self.my_guess = (message["AssertReply"] or {}).get("AssertResult")
        else:
            return
        board = message["GameInfo"]
        self.enemy_ids, self.enemy_hp = board["EnemyFish"], board["EnemyHP"]
        self.my_ids, self.my_hp, self.my_atk = board["MyFish"], board["MyHP"], board["MyATK"]

    def enemies(self) -> list[int]:
        """Positions of living enemies."""
        return [p for p in range(4) if self.enemy_hp[p] > 0]

    def friends(self) -> list[int]:
        """Positions of the player's own living fish."""
        return [p for p in range(4) if self.my_hp[p] > 0]

    def guess_reply(self, position: int, fish_id: int) -> dict[str, Any]:
        """The guess as the SDK sends it: nothing for a position it takes for pointless."""
        if not 0 <= position <= 3 or self.enemy_ids[position] != -1:
            return {"Action": "Null"}
        return {"Action": "Assert", "Pos": position, "ID": fish_id}

    def attack_reply(self, mine: int, enemy: int) -> dict[str, Any]:
        return {"Action": "Action", "Type": 0, "MyPos": mine, "EnemyPos": enemy}

    def aoe_reply(self, mine: int) -> dict[str, Any]:
        return {"Action": "Action", "Type": 1, "MyPos": mine, "EnemyList": self.enemies(), "MyList": []}

    def infight_reply(self, mine: int, friend: int) -> dict[str, Any]:
        return {"Action": "Action", "Type": 1, "MyPos": mine, "EnemyList": [], "MyList": [friend]}
