"""A game told turn by turn, for people: the notes the task leaves in a transcript, and the view made of them."""

from __future__ import annotations

from typing import Any

from .combat import Clash
from .engine import Game, Phase
from .fish import NAMES

SIDES = ("the model", "the opponent")
FAULTS = {2: "gave no legal move", 3: "ran out of time"}


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
    return f"{who}'s {_deed(clash, game)}", data


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
    guessed = None
    for note in notes:
        event, text = note["event"], str(note.get("content", ""))
        if event == "guess" or (event == "action" and guessed != note.get("who")):
            turn += 1
            lines += ["", f"Turn {turn}: {note.get('who', '')}"]
        guessed = note.get("who") if event == "guess" else None
        indent = "  " if event in ("guess", "action") else ""
        lines.append(f"{indent}{text}")
        if event == "action" and "board" in note:
            lines += _board(note["board"])
    return "\n".join(lines).strip()


def _guess(game: Game) -> str:
    told = game.last_guess or {}
    if told.get("AssertPos") is None:
        return "guesses nothing"
    position, fish_id, right = told["AssertPos"], told["AssertContent"], told["AssertResult"]
    effect = "right, every fish of that side loses 50" if right else "wrong"
    return f"guesses that the fish at {position} is {NAMES[fish_id]}: {effect}"


def _deed(clash: Clash, game: Game) -> str:
    name = f"{NAMES[clash.actor.id]} ({clash.actor.position})"
    aimed = ", ".join(str(position) for position, _, _ in clash.targets)
    if clash.kind == "normalattack":
        text = f"{name} attacks {aimed} for {clash.targets[0][2]}"
    elif clash.kind == "aoe":
        text = f"{name} hits {aimed} for {clash.targets[0][2]} each"
    elif clash.kind == "infight":
        text = f"{name} takes {clash.targets[0][2]} from its own {aimed} and gains attack"
    else:
        text = f"{name} uses its skill ({clash.kind}) on {aimed or 'its own side'}"
    passives = [
        f"{NAMES[game.teams[player][source].id]} ({source}) "
        + ("deflects" if kind == "deflect" else f"is avenged for {value:g}" if kind == "counter" else kind)
        for kind, source, player, value, _ in clash.passives
    ]
    return f"{text}{'; ' if passives else ''}{', '.join(passives)}"


def _board(board: list[list[list[int]]]) -> list[str]:
    lines = []
    for name, team in zip(("model", "enemy"), board, strict=True):
        fish = [
            f"{NAMES.get(id, '?')}{'!' if exposed else ''} {hp if hp > 0 else 'dead'}"
            for id, hp, exposed in team
        ]
        lines.append(f"    {name}: " + "".join(f"{one:<16}" for one in fish).rstrip())
    return lines
