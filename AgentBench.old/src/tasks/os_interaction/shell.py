"""The model's shell: one interactive bash on a pty, whose answer to each text is read to its end.

Upstream (`Container.execute` of AgentBench.old/src/tasks/os_interaction/task.py @ e33a45d) reads frames until one looks like a prompt,
a race that loses output. Here a mark is typed after every text; its word is typed in two quoted halves, so that only its
execution prints it in one piece.
"""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

KEPT_BYTES = 64 * 1024
"""Output that is kept of one text; observations show 800 characters."""

FLOOD_BYTES = 64 * 1024 * 1024
"""Output after which a text is stopped."""

AGAIN_SECONDS = 1.0
"""Silence after which the mark is typed a second time."""

_TAIL = 16 * 1024  # longer than the longest mark, whose path has at most 4096 bytes

_ESCAPES = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[()][A-Z0-9]|\x1b[=>78cDEHM]|\x07"
)

SETUP = " stty -echo -onlcr; PS1= PS2= PROMPT_COMMAND="


class Line(Protocol):
    """A terminal line: a connected socket."""

    def settimeout(self, value: float | None, /) -> None: ...
    def recv(self, size: int, /) -> bytes: ...
    def sendall(self, data: bytes, /) -> None: ...
    def close(self) -> None: ...


@dataclass(frozen=True)
class Answer:
    """What a text brought.

    Attributes:
        text: the output without escape sequences, LF line ends, without final line ends; at most KEPT_BYTES of it.
        status: exit status of its last command; None where it did not end by itself.
        folder: working folder afterwards, "" where unknown.
        end: "done"; "idle" (no output for too long), "late", "flood" (it was interrupted); "closed" (the shell is gone).
    """

    text: str
    status: int | None
    folder: str
    end: str


class ShellLost(Exception):
    """The shell neither answers nor can be replaced."""


class Shell:
    """Runs texts one after the other; makes itself a new shell where the old one is gone or deaf.

    Args:
        connect: starts a login shell and returns its line. Raises ShellLost.
        idle: seconds without output after which a text is interrupted.
        total: seconds after which it is interrupted in any case.
    """

    def __init__(self, connect: Callable[[], Line], idle: float, total: float):
        self._connect = connect
        self._idle = idle
        self._total = total
        self._line: Line | None = None
        self.replaced = 0
        self._open()

    def run(self, text: str) -> Answer:
        """Type a text and wait for its end. Raises ShellLost."""
        if self._line is None:
            self.replaced += 1
            self._open()
        answer = self._typed(text, self._idle, self._total)
        if answer.end in ("idle", "late", "flood") and not self._interrupted() or answer.end == "closed":
            self.close()
        return answer

    def close(self) -> None:
        if self._line is not None:
            line, self._line = self._line, None
            line.close()

    def _open(self) -> None:
        self._line = self._connect()
        if self._typed(SETUP, 10, 20).end != "done":
            self.close()
            raise ShellLost("a new shell does not answer")

    def _typed(self, text: str, idle: float, total: float) -> Answer:
        assert self._line is not None
        word = secrets.token_hex(12)
        split = f"{word[:12]}''{word[12:]}"
        # A subshell, so that $? stays what it was.
        mark = f"(s=$?; printf '\\n%s:%s:%s:%s.\\n' {split} $s \"$PWD\" {split}; exit $s)\n"
        try:
            self._line.settimeout(idle)
            self._line.sendall(f"{text}\n{mark}".encode(errors="replace"))
        except OSError:
            return Answer("", None, "", "closed")
        answer = self._read(word, mark, idle, total)
        lines = [
            line for line in answer.text.split("\n") if split not in line
        ]  # a program read and showed it
        return replace(answer, text="\n".join(lines))

    def _read(self, word: str, mark: str, idle: float, total: float) -> Answer:
        assert self._line is not None
        name = word.encode()
        pattern = re.compile(rb"\r?\n" + name + rb":(\d+):(.{0,4200}?):" + name + rb"\.\r?\n", re.DOTALL)
        head, tail, size = bytearray(), bytearray(), 0
        started = heard = time.monotonic()
        again = False
        while True:
            now = time.monotonic()
            left = min(heard + idle, started + total) - now
            if left <= 0:
                return Answer(cleaned(head), None, "", "idle" if heard + idle <= started + total else "late")
            self._line.settimeout(left if again else min(left, AGAIN_SECONDS))
            try:
                data = self._line.recv(65536)
                if not data:
                    return Answer(cleaned(head), None, "", "closed")
            except TimeoutError:
                if not again:  # apt and others throw away what was typed ahead, and the mark with it
                    again = True
                    try:
                        self._line.sendall(mark.encode())
                    except OSError:
                        return Answer(cleaned(head), None, "", "closed")
                continue
            except OSError:
                return Answer(cleaned(head), None, "", "closed")
            heard = time.monotonic()
            size += len(data)
            if len(head) < KEPT_BYTES:
                head += data
            tail += data
            if found := pattern.search(tail):
                if again:
                    self._drained(0.05, 0.5)
                before = size - len(tail) + found.start()
                folder = found[2].decode(errors="replace")
                return Answer(cleaned(head[:before]), int(found[1]), folder, "done")
            if size > FLOOD_BYTES:
                return Answer(cleaned(head), None, "", "flood")
            del tail[:-_TAIL]

    def _interrupted(self) -> bool:
        """Ctrl-C twice, then Ctrl-D (interpreters), then Ctrl-\\; whether the shell answers again.

        After a single Ctrl-C the next text can lose its first character.
        """
        assert self._line is not None
        for keys in (b"\x03\x03", b"\x04", b"\x1c"):
            for key in keys:
                try:
                    self._line.sendall(bytes([key]))
                except OSError:
                    return False
                if not self._drained(0.2, 3.0):
                    return False
            end = self._typed(SETUP, 1.5, 5).end
            if end in ("done", "closed"):
                return end == "done"
        return False

    def _drained(self, silence: float, total: float) -> bool:
        """Read whatever is said until nobody says anything; False when the line is closed."""
        assert self._line is not None
        end_of_time = time.monotonic() + total
        self._line.settimeout(silence)
        while time.monotonic() < end_of_time:
            try:
                if not self._line.recv(65536):
                    return False
            except TimeoutError:
                return True
            except OSError:
                return False
        return True


def cleaned(data: bytes | bytearray) -> str:
    """Terminal output as text: escape sequences and bells out, LF line ends, no final line ends."""
    text = _ESCAPES.sub("", bytes(data[:KEPT_BYTES]).decode("utf-8", errors="replace"))
    return text.replace("\r\n", "\n").rstrip("\r\n")


def as_on_a_terminal(answer: Answer, host: str) -> str:
    """The answer with what a titled Ubuntu prompt adds, as upstream's reader hands it on when it wins its race."""
    place = answer.folder or "/"
    place = "~" + place[5:] if place == "/root" or place.startswith("/root/") else place
    text = answer.text + "\n" if answer.text else ""
    shown = "\x1b[?2004l\r" + text.replace("\n", "\r\n")
    return f"{shown}\x1b[?2004h\x1b]0;root@{host}: {place}\x07root@{host}:{place}# "
