"""Errors that say what failed, on what, why, and what to do next."""

from __future__ import annotations


class LongwatchError(Exception):
    """An error meant for a person. `what` names the failure and its subject; `remedy` says what to do next.

    `exit_code` is what a command ends with: 1 for a failed check or operation, 2 for wrong use or settings.
    """

    exit_code = 1

    def __init__(self, what: str, *, why: str = "", remedy: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.why = why
        self.remedy = remedy

    def __str__(self) -> str:
        text = self.what
        if self.why:
            text += f": {self.why}"
        if self.remedy:
            text += f" ({self.remedy})"
        return text


class UsageError(LongwatchError):
    """The person asked for something that cannot be: wrong arguments or settings."""

    exit_code = 2
