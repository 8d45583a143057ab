"""`longwatch time`: footage that no good clock placed, and its correction."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any

import typer

from longwatch.base.errors import UsageError
from longwatch.base.rfc3339 import format_us, parse_us
from longwatch.cli import options
from longwatch.cli.output import say, say_json, say_rows

if TYPE_CHECKING:
    from longwatch.archive import Doubt

_UNITS = {"ms": 1_000, "s": 1_000_000, "m": 60_000_000, "h": 3_600_000_000, "d": 86_400_000_000}
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_RANGE = re.compile(r"(\d{1,15})(?:-(\d{1,15}))?")
_MOST_RUNS = 100_000
_LATEST_US = 253_402_300_799_000_000


def add_to(app: typer.Typer) -> None:
    """Hang the verbs of this file into the tree."""
    tree = typer.Typer(
        help="Footage that no good clock placed: where it stands, where it should stand, and why.\n\n"
        "Example: `longwatch time`, then `longwatch time apply --suggested`",
        invoke_without_command=True,
    )
    tree.callback()(time)
    tree.command("apply")(apply)
    app.add_typer(tree, name="time")


def time(
    context: typer.Context,
    config: options.Config = None,
    json: options.Json = False,
) -> None:
    """Every stretch of footage that was placed by a clock nothing vouched for, or that a later step of the clock in the same boot
    contradicts: where it stands, where it should stand, and why we think so.

    Example: `longwatch time`
    """
    if context.invoked_subcommand is not None:
        return
    doubts = _doubts(config)
    if json:
        say_json({"items": [_as_json(doubt) for doubt in doubts], "next": None})
        return
    if not doubts:
        say("every run stands where a good clock put it")
        return
    say_rows(
        ("RUNS", "CAMERAS", "STANDS FROM", "TO", "BY", "SHOULD BEGIN", "WHY"),
        [
            (
                _numbers(doubt.runs), ",".join(dict.fromkeys(key.camera for key in doubt.streams)), _second(doubt.from_us),
                _second(doubt.to_us), doubt.provenance.name.lower(), _should(doubt), _why(doubt),
            )
            for doubt in doubts
        ],
    )  # fmt: skip
    if any(doubt.suggested for doubt in doubts):
        say()
        say("`longwatch time apply --suggested` moves what is known exactly; every move is an entry of the ledger")


def apply(
    runs: Annotated[
        str | None,
        typer.Argument(metavar="[RUNS]", help="Numbers of runs, as `longwatch time` lists them: 17, 17-25, 17,19."),
    ] = None,
    suggested: Annotated[
        bool, typer.Option("--suggested", help="Everything that CLOCK_BOOTTIME places exactly.")
    ] = False,
    at: Annotated[str | None, typer.Option("--at", metavar="TIME", help="The first of them begins then.")] = None,
    shift: Annotated[
        str | None, typer.Option("--shift", metavar="DURATION", help="They move by so much: 1h30m, -2d, +250ms.")
    ] = None,
    reason: Annotated[str | None, typer.Option("--reason", metavar="TEXT", help="Why; stays with the entry.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    config: options.Config = None,
    json: options.Json = False,
) -> None:
    """Place footage anew. The files keep their names and bytes; an entry of the ledger says who moved what, by how much, and why.

    Example: `longwatch time apply 17-25 --at 2026-01-31T06:00:00Z --reason "read from the tower clock in the picture"`
    """
    from longwatch.accounts import at_the_post
    from longwatch.config import find, load_lacking
    from longwatch.node.by_recorder.corrections import apply as carry_out

    wish = _wish(runs, at, shift, suggested=suggested)
    said = reason or ("as `longwatch time` suggests" if suggested else "")
    if not said:
        raise UsageError("a reason is missing", remedy='say why with --reason "..."')
    if suggested and not yes:
        waiting = [doubt for doubt in _doubts(config) if doubt.suggested]
        if waiting:
            for doubt in waiting:
                say(f"runs {_numbers(doubt.runs)}: {_second(doubt.from_us)} -> {_should(doubt)} ({_why(doubt)})")
            if not typer.confirm("Place them so?"):
                raise typer.Exit(1)
    result = carry_out(
        load_lacking(find(config)).volumes, person=at_the_post().person(reason=said), reason=said, **wish
    )
    if json:
        say_json(result)
    elif not result["entries"]:
        say("nothing is to be moved")
    else:
        numbers = ", ".join(map(str, result["entries"]))
        say(f"{result['runs']} runs moved, {result['segments']} segments; ledger entries: {numbers}")


def _wish(runs: str | None, at: str | None, shift: str | None, *, suggested: bool) -> dict[str, Any]:
    if suggested:
        if runs is not None or at is not None or shift is not None:
            raise UsageError("--suggested takes no runs, --at or --shift", remedy="one or the other")
        return {"suggested": True}
    if runs is None or (at is None) is (shift is None):
        raise UsageError(
            "this needs RUNS and --at or --shift, or --suggested", remedy="see `longwatch time` for the runs"
        )
    return {
        "runs": _parse_runs(runs),
        "at_us": None if at is None else parse_us(at),
        "shift_us": None if shift is None else _parse_shift(shift),
    }


def _parse_runs(text: str) -> list[int]:
    found: list[int] = []
    for part in text.split(","):
        match = _RANGE.fullmatch(part.strip())
        last = int(match[2] or match[1]) if match is not None else -1
        if match is None or not 0 <= last - int(match[1]) < _MOST_RUNS:
            raise UsageError(f"{part!r} names no runs", remedy="write them as 17, 17-25 or 17,19")
        found += range(int(match[1]), last + 1)
    return found


def _parse_shift(text: str) -> int:
    """`-1h30m` in microseconds. Raises UsageError."""
    sign, rest = (-1, text[1:]) if text.startswith("-") else (1, text.removeprefix("+"))
    parts = list(_PART.finditer(rest))
    if not parts or "".join(part[0] for part in parts) != rest:
        raise UsageError(f"{text!r} is not a duration", remedy="write it as 1h30m, -2d or +250ms")
    total_us = sum(round(float(part[1]) * _UNITS[part[2]]) for part in parts)
    if total_us > _LATEST_US:
        raise UsageError(f"{text!r} is longer than any archive")
    return sign * total_us


def _doubts(config: options.Config) -> list[Doubt]:
    from longwatch.archive import ArchiveReader
    from longwatch.config import find, load_lacking

    reader = ArchiveReader(load_lacking(find(config)).volumes)
    try:
        return reader.doubts()
    finally:
        reader.close()


def _as_json(doubt: Doubt) -> dict[str, Any]:
    def moment(at_us: int | None) -> str | None:
        return None if at_us is None else format_us(at_us)

    return {
        "runs": list(doubt.runs), "streams": [{"camera": key.camera, "stream": key.stream} for key in doubt.streams],
        "from": format_us(doubt.from_us), "to": format_us(doubt.to_us), "provenance": doubt.provenance.name.lower(),
        "shift_us": doubt.shift_us,
        "should_begin": moment(None if doubt.shift_us is None else doubt.from_us + doubt.shift_us),
        "not_before": moment(doubt.earliest_us), "not_after": moment(doubt.latest_us), "why": doubt.why,
        "suggested": doubt.suggested, "recording": doubt.recording, "stated": doubt.stated,
    }  # fmt: skip


def _should(doubt: Doubt) -> str:
    if doubt.shift_us is not None:
        return _second(doubt.from_us + doubt.shift_us)
    bounds = [
        f"{word} {_second(at_us)}"
        for word, at_us in (("not before", doubt.earliest_us), ("not after", doubt.latest_us))
        if at_us is not None
    ]
    return ", ".join(bounds) or "not known"


def _why(doubt: Doubt) -> str:
    waits = (
        "; recorded still: set the host's clock first, then it can be moved"
        if doubt.recording and doubt.shift_us
        else ""
    )
    return doubt.why + waits


def _second(at_us: int) -> str:
    return format_us(at_us // 1_000_000 * 1_000_000)


def _numbers(runs: tuple[int, ...]) -> str:
    """17-19,21."""
    parts: list[list[int]] = []
    for run in sorted(runs):
        if parts and parts[-1][1] == run - 1:
            parts[-1][1] = run
        else:
            parts.append([run, run])
    return ",".join(str(a) if a == b else f"{a}-{b}" for a, b in parts)
