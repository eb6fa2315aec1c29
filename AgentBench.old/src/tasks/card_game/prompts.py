"""What the model is shown: rules texts, and the two messages of a turn.

Profile paper follows AI_SDK/Python/AI_En.py (AgentBench.old/src/tasks/card_game of THUDM/AgentTuning
@ e33a45d7eab2b63cac4d1956da1e6377fca9fcc7) field by field, including targets given as slot numbers and passives
read from slots that nothing was ever written to. Its texts are not in the repository.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agenttuning import sources

from .fish import NAMES as FISH_NAMES
from .parsing import NAMES
from .sight import Deed, Sight

SKILLS = {"aoe": "AOE", "infight": "Infight", "normalattack": "Normal"}
PASSIVE_NAMES = ("Counter", "Deflect", "Reduce", "Heal", "Explode")


@dataclass(frozen=True)
class Texts:
    """Texts of a profile. The two *_turn texts have {fields}."""

    guess_rules: str
    action_rules: str
    acknowledgement: str
    guess_turn: str
    action_turn: str
    omitted_notice: str | None = None

    def by_name(self) -> dict[str, str]:
        return {name: text for name, text in vars(self).items() if text is not None}


def paper_texts() -> Texts:
    """Upstream's texts. Raises MissingData naming the command that fetches them."""
    upstream = sources.prompts("card_game")
    return Texts(
        guess_rules=upstream["system_guess_stage2"],
        action_rules=upstream["system_action_stage2"],
        acknowledgement=upstream["system_ack_agent"],
        guess_turn=upstream["guess_user_template"],
        action_turn=upstream["action_user_template"],
        omitted_notice=sources.prompts("agentbench-core")["omitted_notice"],
    )


def kit_texts() -> Texts:
    """Our own texts."""
    table = tomllib.loads((Path(__file__).parent / "prompts.toml").read_text(encoding="utf-8"))
    return Texts(**{name: text.strip() for name, text in table.items()})


class Paper:
    """Upstream's messages.

    Args:
        clean: true target positions, and only passives that did happen.
    """

    def __init__(self, texts: Texts, clean: bool = False):
        self.texts = texts
        self.clean = clean

    def guess(self, sight: Sight) -> str:
        """The message that asks for a guess."""
        return fill(
            self.texts.guess_turn,
            {
                "previous_guess": str(bool(sight.my_guess)),
                "live_enemy": str([str(p) for p in sight.enemies()]),
                "enemy_action": str(self._deed(sight.enemy_deed, with_skill=True)),
                "passives_json": json.dumps(self._passives(sight)),
            },
        )

    def action(self, sight: Sight) -> str:
        """The message that asks for a move."""
        return fill(
            self.texts.action_turn,
            {
                "state_json": board(sight),
                "my_action": str(self._deed(sight.my_deed)),
                "enemy_action": str(self._deed(sight.enemy_deed)),
            },
        )

    def _deed(self, deed: Deed, with_skill: bool = False) -> dict[str, str]:
        if deed.fish == -1:
            told = dict.fromkeys(("ACTION_FISH", "ATK", "TARGET", "SKILL_TYPE"), "None")
        else:
            # Upstream lists the slots whose position is not 0, not the positions.
            slots = [slot for slot, position in enumerate(deed.struck) if position != 0]
            targets = deed.struck[: deed.struck_now] if self.clean else slots
            told = {
                "ACTION_FISH": str(deed.fish),
                "ATK": str(deed.injury[0]),
                "TARGET": str(targets),
                "SKILL_TYPE": SKILLS.get(deed.kind, deed.kind),
            }
        if not with_skill:
            del told["SKILL_TYPE"]
        return told

    def _passives(self, sight: Sight) -> dict[str, str]:
        told: dict[str, str] = {}
        for deed in (sight.my_deed, sight.enemy_deed):
            count = deed.passives_now if self.clean else len(deed.positions)
            for position, kind in zip(deed.positions[:count], deed.types[:count], strict=True):
                told[f"Position: {position}"] = PASSIVE_NAMES[kind]
        return told


class Kit:
    """Our own messages: what really happened, nothing else."""

    def __init__(self, texts: Texts):
        self.texts = texts

    def guess(self, sight: Sight) -> str:
        """The message that asks for a guess."""
        known = {str(p): FISH_NAMES[id] for p, id in enumerate(sight.enemy_ids) if id != -1}
        passives = [
            {"position": position, "passive": PASSIVE_NAMES[kind]}
            for deed in (sight.my_deed, sight.enemy_deed)
            for position, kind in zip(
                deed.positions[: deed.passives_now], deed.types[: deed.passives_now], strict=True
            )
        ]
        return fill(
            self.texts.guess_turn,
            {
                "living": str(sight.enemies()),
                "known": json.dumps(known) if known else "none",
                "previous_guess": {None: "none", True: "right", False: "wrong"}[sight.my_guess],
                "enemy_action": self._deed(sight.enemy_deed),
                "passives": json.dumps(passives) if passives else "none",
            },
        )

    def action(self, sight: Sight) -> str:
        """The message that asks for a move."""
        return fill(
            self.texts.action_turn,
            {
                "state": board(sight),
                "my_action": self._deed(sight.my_deed),
                "enemy_action": self._deed(sight.enemy_deed),
            },
        )

    def _deed(self, deed: Deed) -> str:
        if deed.fish == -1:
            return "none"
        told: dict[str, Any] = {"position": deed.fish, "skill": SKILLS.get(deed.kind, deed.kind)}
        if deed.struck_now:
            told |= {"damage": deed.injury[0], "targets": deed.struck[: deed.struck_now]}
        return json.dumps(told)


def board(sight: Sight) -> str:
    """Both teams as one line of JSON, all values as text; what is hidden is "unknown"."""
    mine = [
        {"ID": NAMES[p], "POSITION": str(p), "HP": str(sight.my_hp[p]), "ATK": str(sight.my_atk[p])}
        for p in range(4)
    ]
    theirs = [
        {
            "ID": "unknown" if sight.enemy_ids[p] == -1 else FISH_NAMES[sight.enemy_ids[p]],
            "POSITION": str(p),
            "HP": str(sight.enemy_hp[p]),
            "ATK": "unknown",
        }
        for p in range(4)
    ]
    return json.dumps({"You": mine, "Enemy": theirs})


def fill(template: str, values: Mapping[str, str]) -> str:
    """The template with each {name} replaced in one pass, so that values may hold braces."""
    return re.sub(r"\{(\w+)\}", lambda match: values[match[1]], template)
