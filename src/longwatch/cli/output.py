"""How verbs speak: lines for people, JSON for programs, both scrubbed of known secrets."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import Any

from longwatch.base.secrets import scrub


def say(text: str = "") -> None:
    """One line on standard output."""
    sys.stdout.write(scrub(text) + "\n")
    sys.stdout.flush()


def warn(text: str) -> None:
    """One line on standard error."""
    sys.stderr.write(scrub(text) + "\n")


def say_json(value: Any) -> None:
    """A JSON document on standard output. Secrets are taken out of its texts, before they are quoted."""
    sys.stdout.write(json.dumps(_clean(value), indent=2, ensure_ascii=False) + "\n")


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return scrub(value)
    if isinstance(value, dict):
        return {str(key): _clean(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_clean(item) for item in value]
    return value


def at_terminal() -> bool:
    """Whether a person reads along."""
    return sys.stdout.isatty()


def say_table(head: Sequence[str], rows: Sequence[Sequence[str | Sequence[str]]]) -> None:
    """A table whose last cell may be long: a list of lines. At a terminal it is wrapped to its width, a line for each; in a pipe each
    row is one line, as `say_rows`.
    """
    if not at_terminal():
        say_rows(head, [[cell if isinstance(cell, str) else "; ".join(cell) for cell in row] for row in rows])
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in head[:-1]:
        table.add_column(name, no_wrap=True)
    table.add_column(head[-1], min_width=24, overflow="fold")
    for row in rows:
        cells = [cell if isinstance(cell, str) else "\n".join(cell) for cell in row]
        table.add_row(*(Text(scrub(cell)) for cell in cells))  # Text: what a camera says is no markup
    Console(file=sys.stdout, highlight=False).print(table)


def say_rows(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A table: columns as wide as they need, the last one free."""
    widths = [max(len(row[i]) for row in (head, *rows)) for i in range(len(head) - 1)]
    for row in (head, *rows):
        say("  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[-1]]).rstrip())
