"""What is wrong with the settings, each with its place in the file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from longwatch.base.errors import UsageError
from longwatch.base.secrets import scrub


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One thing that is wrong. line, column: from 1. where: the key, as `cameras.gate.transport`. remedy: what is right."""

    line: int
    column: int
    where: str
    what: str
    remedy: str = ""

    def __str__(self) -> str:
        text = f"line {self.line}, column {self.column}: "
        text += f"{self.where}: {self.what}" if self.where else self.what
        return scrub(f"{text}. {self.remedy[0].upper()}{self.remedy[1:]}" if self.remedy else text)

    def as_json(self) -> dict[str, object]:
        """For `--json`, without secrets."""
        return {
            "line": self.line, "column": self.column, "key": self.where, "what": scrub(self.what), "remedy": scrub(self.remedy),
        }  # fmt: skip


class SettingsError(UsageError):
    """The settings cannot be used. `problems` holds every one, in the order of the file."""

    def __init__(self, path: Path | None, problems: list[Problem]) -> None:
        self.path = path
        self.problems = sorted(problems)
        listed = "\n".join(f"  {problem}" for problem in self.problems)
        super().__init__(f"{path or 'this text'} cannot be used:\n{listed}")


class Wrong(ValueError):  # noqa: N818 - it never leaves this room; Pydantic wants a ValueError
    """A value that cannot be; `remedy` says what would be right. Neither text ever quotes a URL."""

    def __init__(self, what: str, remedy: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.remedy = remedy
