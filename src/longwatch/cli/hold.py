"""`longwatch hold add`, `list` and `end`: footage that is protected from removal."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from longwatch.base.rfc3339 import format_us, parse_us
from longwatch.cli import options
from longwatch.cli.output import say, say_json, say_rows

Reason = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; kept with the entry, beside the ledger.")]


def add_to(app: typer.Typer) -> None:
    """Hang the verbs of this file into the tree."""
    tree = typer.Typer(help="Protect footage from removal.", no_args_is_help=True)
    for name, verb in (("add", add), ("list", list_), ("end", end)):
        tree.command(name)(verb)
    app.add_typer(tree, name="hold")


def add(
    cameras: Annotated[list[str], typer.Argument(metavar="CAMERA...", help="One or several.")],
    from_: Annotated[str, typer.Option("--from", metavar="TIME", help="RFC 3339, as 2026-01-31T06:00:00Z.")],
    to: Annotated[str, typer.Option("--to", metavar="TIME", help="RFC 3339. The stretch ends before it.")],
    reason: Reason,
    stream: Annotated[list[str] | None, typer.Option(metavar="NAME", help="main or sub. Default: all.")] = None,
    authority: Annotated[
        str,
        typer.Option(
            metavar="TEXT", help="Who ordered it: an office and its file number. Stands in the ledger in clear."
        ),
    ] = "",
    until: Annotated[str | None, typer.Option(metavar="TIME", help="The hold's own end.")] = None,
    config: options.Config = None,
    json: options.Json = False,
) -> None:
    """Keep a stretch of footage, whatever the sizes say. Against the maximum age it stands with `--authority` and `--until` alone.

    Example: `longwatch hold add gate yard --from 2026-01-31T06:00:00Z --to 2026-01-31T07:00:00Z --reason "theft, report 17"`
    """
    fields: dict[str, Any] = {
        "cameras": cameras, "streams": stream or [], "from_us": parse_us(from_), "to_us": parse_us(to),
        "until_us": None if until is None else parse_us(until), "authority": authority,
    }  # fmt: skip
    answer = _ask(config, "hold_place", reason, fields)
    if json:
        law = answer["law_us"]
        say_json({
            "hold": answer["hold"], "entry": answer["seq"], "firm": answer["firm"], "by": answer["by"],
            "law": None if law is None else format_us(law),
        })  # fmt: skip
        return
    say(f"hold {answer['hold']} stands: entry {answer['seq']}")
    if answer["law_us"] is not None:
        say(
            f"the maximum age takes from it from {format_us(answer['law_us'])} on: it names no authority and end of its own"
        )


def list_(
    all_: Annotated[bool, typer.Option("--all", help="Also those that have ended.")] = False,
    config: options.Config = None,
    json: options.Json = False,
) -> None:
    """What is protected, by whom, why, and until when; the newest first.

    Example: `longwatch hold list`
    """
    from longwatch.archive import ArchiveReader
    from longwatch.config import find, load_lacking

    reader = ArchiveReader(load_lacking(find(config)).volumes)
    try:
        found = reader.holds(everything=all_)
    finally:
        reader.close()
    if json:
        say_json({"items": [_told(hold) for hold in found]})
        return
    if not found:
        say("nothing is held")
        return
    rows = [
        (
            str(hold.id), ",".join(hold.cameras), format_us(hold.from_us), format_us(hold.to_us), _state(hold),
            hold.authority or "-", hold.reason or "-",
        )
        for hold in found
    ]  # fmt: skip
    say_rows(("id", "cameras", "from", "to", "state", "authority", "reason"), rows)


def end(
    number: Annotated[int, typer.Argument(metavar="ID", min=1)],
    reason: Reason,
    config: options.Config = None,
    json: options.Json = False,
) -> None:
    """End a hold, and say why. What it kept goes as the settings say.

    Example: `longwatch hold end 7 --reason "the case is closed"`
    """
    answer = _ask(config, "hold_end", reason, {"hold": number})
    if json:
        say_json({"hold": number, "entry": answer["seq"], "by": answer["by"]})
        return
    say(f"hold {number} has ended: entry {answer['seq']}")


def _ask(config: Any, kind: str, reason: str, fields: dict[str, Any]) -> dict[str, Any]:
    from longwatch.accounts.who import at_the_post
    from longwatch.config import find, load_lacking
    from longwatch.node.by_recorder.acts import hold

    settings = load_lacking(find(config))
    return hold(settings.volumes, settings.post.id, kind, reason=reason, person=at_the_post().person(), **fields)


def _state(hold: Any) -> str:
    if hold.ended is not None:
        return f"ended ({hold.ended.why})"
    until = "until released" if hold.until_us is None else f"until {format_us(hold.until_us)}"
    return f"{until}, overruled" if hold.overruled else until


def _told(hold: Any) -> dict[str, Any]:
    ended = hold.ended
    return {
        "id": hold.id, "cameras": list(hold.cameras), "streams": list(hold.streams), "from": format_us(hold.from_us),
        "to": format_us(hold.to_us), "until": None if hold.until_us is None else format_us(hold.until_us),
        "authority": hold.authority or None, "firm": hold.firm, "placed": format_us(hold.placed_us), "by": hold.by,
        "reason": hold.reason, "entry": hold.seq, "overruled": list(hold.overruled),
        "ended": None if ended is None else {
            "at": format_us(ended.at_us), "why": str(ended.why), "by": ended.by, "reason": ended.reason, "entry": ended.seq,
        },
    }  # fmt: skip
