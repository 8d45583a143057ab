"""`longwatch audit` and `longwatch erase`."""

from __future__ import annotations

import json as json_text
import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from longwatch.base.errors import UsageError
from longwatch.base.rfc3339 import format_us, parse_us
from longwatch.cli import options
from longwatch.cli.output import say, say_json, say_table, warn

if TYPE_CHECKING:  # what a verb needs is imported when it runs
    from longwatch.archive import Mention

_DAY_US = 86_400_000_000
_HIDDEN = frozenset({"person", "at_us", "camera"})


def add_to(app: typer.Typer) -> None:
    """Hang the verbs of this file into the tree."""
    app.command("audit")(audit)
    app.command("erase")(erase)


def audit(
    from_: options.From = None,
    to: options.To = None,
    camera: Annotated[str | None, typer.Option("--camera", metavar="ID", help="Only this camera.")] = None,
    kind: Annotated[
        list[str] | None,
        typer.Option("--kind", metavar="KIND", help="Only this kind of entry, as `viewing`; may be given again."),
    ] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=100_000, help="How many at most.")] = 1_000,
    config: options.Config = None,
    json: options.Json = False,
) -> None:
    """Who signed in, viewed, exported and changed what; by default of the last day. Reading it is itself entered.

    Example: `longwatch audit --from 2026-01-31T00:00:00Z --camera gate --kind viewing`
    """
    from longwatch.archive import Question
    from longwatch.config import find, load_lacking
    from longwatch.node.verbs.auditing import audit as read

    settings = load_lacking(find(config))
    to_us = parse_us(to) if to else time.time_ns() // 1000 + 1
    from_us = parse_us(from_) if from_ else to_us - _DAY_US
    if from_us >= to_us:
        raise UsageError("--from is not before --to", remedy="give a stretch of time that is not empty")
    found = read(settings.volumes, Question(from_us, to_us, camera, kinds=kind or None, limit=limit))
    if json:
        items = [
            {
                "seq": item.seq, "at": format_us(item.at_us), "kind": item.kind, "camera": item.body.get("camera"),
                "subject": item.subject, "person": None if item.text is None else json_text.loads(item.text),
                "erased": item.text is None, "body": {k: v for k, v in item.body.items() if k != "person"},
            }
            for item in found
        ]  # fmt: skip
        say_json({"items": items, "next": None})
        return
    if not found:
        say(f"nothing from {format_us(from_us)} to {format_us(to_us)}")
        return
    say_table(("ENTRY", "AT", "WHAT", "CAMERA", "WHO", "DETAIL"), [_row(item) for item in found])
    if len(found) == limit:
        warn(f"there may be more than {limit}: give --limit, or a shorter stretch")


def _row(item: Mention) -> tuple[str | list[str], ...]:
    camera = str(item.body.get("camera") or "-")
    told = (str(item.seq), format_us(item.at_us), item.kind, camera, _who(item.subject, item.text))
    return (*(_printable(cell) for cell in told), [_printable(line) for line in _detail(item.body)])


def _printable(text: str) -> str:
    """What people typed may hold what a terminal would obey."""
    return "".join(letter if letter.isprintable() else " " for letter in text)


def _who(subject: int, text: str | None) -> str:
    if text is None:
        return f"#{subject} (erased)"
    words = json_text.loads(text)
    name = words.get("user") or words.get("token") or words.get("name") or "?"
    where = f" at {words['address']}" if words.get("address") else ""
    why = f": {words['reason']}" if words.get("reason") else ""
    return f"#{subject} {name}{where}{why}"


def _detail(body: dict[str, Any]) -> list[str]:
    said = []
    for name, value in body.items():
        if name in _HIDDEN or value in (None, [], ""):
            continue
        said.append(f"{name.removesuffix('_us').replace('_', ' ')}: {_words(name, value)}")
    return said


def _words(name: str, value: object) -> str:
    """A value of an entry for the eye; `--json` gives it as it is."""
    if name.endswith("_us") and isinstance(value, int):
        return format_us(value) if value > 10**15 else f"{value / 1_000_000:g} s"
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "none"}[value]
    if isinstance(value, dict):
        return ", ".join(
            f"{key} {_words(str(key), item)}" for key, item in value.items() if item not in (None, [], {}, "")
        )
    if isinstance(value, list):
        return ", ".join(_words(name, item) for item in value)
    return str(value)


def erase(
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Who asked for it, and by which right.")],
    subject: Annotated[
        int | None,
        typer.Option("--subject", metavar="N", min=0, help="The person's number, as `longwatch audit` shows it."),
    ] = None,
    user: Annotated[str | None, typer.Option("--user", metavar="NAME", help="A user that is there.")] = None,
    config: options.Config = None,
    json: options.Json = False,
) -> None:
    """Erase the clear text about one person: names, addresses, reasons. The entries and their proofs stay, and say "erased".

    Example: `longwatch erase --user kari --reason "she asked for it, article 17"`
    """
    from longwatch.config import find, load_lacking
    from longwatch.node.server.commands import ask

    if (subject is None) == (user is None):
        raise UsageError("say of whom", remedy="give either --subject or --user")
    settings = load_lacking(find(config))
    named = {"subject": subject} if user is None else {"user": user}
    answer = ask(settings.volumes[0], "erase", settings.volumes, reason=reason, **named)
    if json:
        say_json(answer)
    else:
        count = int(answer["count"])
        say(
            f"the clear text behind {count} {'entry' if count == 1 else 'entries'} is erased; entry {answer['seq']} says so"
        )
    if not answer["gone_from_file"]:
        warn("it may still stand in the index's log of writes, for some minutes: somebody is reading it")
    for path in answer["left_behind"]:
        warn(
            f"{path} is an older index that was moved aside, and may still hold it: remove it when you need it no more"
        )
