"""Errors a user can act on. The command line prints them as one sentence and exits non-zero."""

from __future__ import annotations


class KitError(Exception):
    """A problem with its cause and, where one exists, the next command to type.

    Args:
        cause: what is wrong, as a sentence without the final full stop.
        fix: the command or step that mends it, or None.
    """

    exit_code = 2

    def __init__(self, cause: str, fix: str | None = None):
        super().__init__(cause)
        self.cause = cause
        self.fix = fix

    def __str__(self) -> str:
        return f"{self.cause}; {self.fix}" if self.fix else self.cause


class MissingData(KitError):
    """A pinned file or prompt set has not been fetched."""


class MissingDependency(KitError):
    """A program, library or service that a task needs is not on this machine."""
