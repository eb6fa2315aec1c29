"""A game told turn by turn, for people: the notes the task leaves in a transcript, and the view made of them."""

from __future__ import annotations

from collections import Counter
from typing import Any

from .combat import Clash
from .engine import Game, Phase
from .fish import NAMES

SIDES = ("the model", "the opponent")
FAULTS = {2: "gives no legal move", 3: "runs out of time"}


def note_of(game: Game, phase: Phase, player: int, seat: int) -> tuple[str, dict[str, Any]]:
    """Sentence and data of the phase that `player` has just finished; `seat` is the model's.

    The data hold the event ("pick", "guess", "action") and, once both have picked, the board: for the model's
    and the enemy's fish (id, health, whether it is exposed).
    """
    who = SIDES[player != seat]
    data: dict[str, Any] = {"event": {2: "pick", 3: "guess", 4: "action"}[phase], "who": who}
    if all(game.teams):
        data["board"] = [
            [[fish.id, fish.hp, int(fish.exposed)] for fish in game.teams[side]] for side in (seat, 1 - seat)
        ]
    if game.faults:
        reason = FAULTS.get(
            game.faults[0]["type"], f"sent a reply the engine refuses ({game.faults[0]['type']})"
        )
        return f"{who} {reason} and loses", data
    if phase == Phase.PICK:
        return f"{who} lines up {', '.join(NAMES[fish.id] for fish in game.teams[player])}", data
    if phase == Phase.ASSERT:
        return f"{who} {_guess(game)}", data
    clash = game.last_clash[player]
    assert clash is not None
    return f"{who} acts: {_deed(clash, game, seat)}", data


def end_note(game: Game, seat: int) -> tuple[str, dict[str, Any]]:
    """Sentence and data of the end of the game."""
    winner = SIDES[game.winner != seat]
    return f"{winner} wins{' at the phase limit' if game.limit_reached else ''}", {"event": "end"}


def view(record: dict[str, Any]) -> str | None:
    """The whole game as plain text, a turn per block; None for a record that holds no game."""
    notes = [turn for turn in record.get("transcript") or () if isinstance(turn, dict) and "event" in turn]
    if not notes:
        return None
    lines: list[str] = []
    turn = 0
    for note in notes:
        event, text, who = note["event"], str(note.get("content", "")), str(note.get("who", ""))
        if event == "guess":
            turn += 1
            lines += ["", f"Turn {turn}: {who}"]
        if event in ("guess", "action"):
            text = "  " + text.removeprefix(who).removeprefix(" acts:").strip()
        elif event == "end":
            lines.append("")
        lines.append(text)
        if event == "action" and "board" in note:
            lines += _board(note["board"])
    return "\n".join(lines).strip()


def _guess(game: Game) -> str:
    told = game.last_guess or {}
    if told.get("AssertPos") is None:
        return "guesses nothing"
    position, fish_id, right = told["AssertPos"], told["AssertContent"], told["AssertResult"]
    effect = "right, all four fish there lose 50" if right else "wrong"
    return f"guesses that the fish at {position} is {NAMES[fish_id]}: {effect}"


def _deed(clash: Clash, game: Game, seat: int) -> str:
    def name(side: int, position: int) -> str:
        return f"{NAMES[game.teams[side][position].id]} ({position})"

    actor = name(clash.actor.side, clash.actor.position)
    aimed = ", ".join(name(side, position) for position, side, _ in clash.targets)
    if clash.kind == "normalattack":
        text = f"{actor} attacks {aimed} for {clash.targets[0][2]}"
    elif clash.kind == "aoe":
        text = f"{actor} hits {aimed} for {clash.targets[0][2]} each"
    elif clash.kind == "infight":
        text = f"{actor} takes {clash.targets[0][2]} from its own {aimed} and gains attack"
    else:
        text = f"{actor} uses its skill ({clash.kind}) on {aimed or 'its own side'}"
    seen = Counter(
        f"{SIDES[side != seat]}'s {name(side, source)} "
        + {"deflect": "deflects", "counter": f"is avenged for {value:g}"}.get(kind, f"has {kind} {value:g}")
        for kind, source, side, value, _ in clash.passives
    )
    told = [f"{what}{f', {count} times' if count > 1 else ''}" for what, count in seen.items()]
    return "; ".join([text, *told])


def _board(board: list[list[list[int]]]) -> list[str]:
    lines = []
    for name, team in zip(("model", "enemy"), board, strict=True):
        fish = [
            f"{NAMES.get(id, '?')}{'!' if exposed else ''} {hp if hp > 0 else 'dead'}"
            for id, hp, exposed in team
        ]
        lines.append(f"    {name}: " + "".join(f"{one:<16}" for one in fish).rstrip())
    return lines
