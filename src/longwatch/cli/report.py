"""`longwatch report`."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from longwatch.base.errors import UsageError
from longwatch.base.rfc3339 import format_us, parse_us
from longwatch.cli import options
from longwatch.cli.output import say, say_json, say_rows

if TYPE_CHECKING:
    from longwatch.reports import Figures, Report


def add_to(app: typer.Typer) -> None:
    """Hang the verb of this file into the tree."""
    app.command("report")(report)


def report(
    from_: options.From = None,
    to: options.To = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="FILE",
            help="A file .html, .csv, .json or .zip, or a folder: written, signed, with its proof.",
        ),
    ] = None,
    check: Annotated[
        Path | None,
        typer.Option("--check", metavar="FILE", help="Prove that this report is what its post's ledger speaks of."),
    ] = None,
    key: Annotated[
        str | None,
        typer.Option("--key", metavar="FINGERPRINT", help="With --check: the key that must have signed it, SHA256:..."),
    ] = None,
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="What it is for; kept with its entry.")] = "",
    config: options.Config = None,
    json: options.Json = False,
) -> None:
    """Hours promised and hours delivered, per camera, post, day and week, with causes. By default of the last seven days.

    With --out it is signed: an entry of the ledger names its files by their hashes.

    Example: `longwatch report --from 2026-01-01T00:00:00Z --to 2026-02-01T00:00:00Z --out january.html`
    """
    if check is not None:
        _check(check, key, as_json=json)
        return
    from longwatch.accounts import at_the_post
    from longwatch.base.clock import SystemClock
    from longwatch.config import find, load_lacking
    from longwatch.node.issuing.reporting import look, make
    from longwatch.node.recorder.options import resolve
    from longwatch.reports import Post, as_json

    path = find(config)
    post = load_lacking(path).post
    settings = asyncio.run(resolve(path))
    span = (None if from_ is None else parse_us(from_), None if to is None else parse_us(to))
    made = look(settings, Post(post.id, post.name, post.timezone), span, SystemClock())
    if out is None:
        if json:
            typer.echo(as_json(made).decode("utf-8"), nl=False)
        else:
            _say(made)
        return
    done = make(settings, made, out, at_the_post().person(reason=reason))
    if json:
        say_json({"files": [str(file) for file in done.files], "entry": done.entry, "key": done.fingerprint})
        return
    for file in done.files:
        say(str(file))
    say(_sentence(made.total))
    say(f"ledger entry {done.entry}, signed by {done.fingerprint}")


def _check(path: Path, key: str | None, *, as_json: bool) -> None:
    from longwatch.node.issuing.reporting import check_report

    if key is not None and not key.startswith("SHA256:"):
        raise UsageError(f"{key!r} is no fingerprint", remedy="it begins with SHA256:")
    found = check_report(path, key)
    if as_json:
        say_json(
            {
                "ok": not found.problems,
                "problems": list(found.problems),
                "entry": found.entry,
                "origin": found.origin,
                "key": found.key,
            }
        )
    elif found.problems:
        for problem in found.problems:
            say(problem)
    else:
        shown = "" if key is not None else "; whose key that is was not shown: give --key"
        say(f"as it was made: entry {found.entry} of {found.origin}, signed by {found.key}{shown}")
    if found.problems:
        raise typer.Exit(1)


def _say(made: Report) -> None:
    """The figures, for a terminal."""
    rows = [(camera.id, *_cells(camera.total)) for camera in made.cameras]
    if len(rows) > 1:
        rows.append(("together", *_cells(made.total)))
    say(f"{made.post.name}: {format_us(made.from_us)} to {format_us(made.to_us)}")
    say_rows(("CAMERA", "PROMISED", "DELIVERED", "", "MISSING", "INTERRUPTIONS", "UNEXPLAINED", "CAUSES"), rows)
    say(_sentence(made.total))


def _cells(row: Figures) -> tuple[str, ...]:
    from longwatch.reports.figures import NOT_PROMISED
    from longwatch.reports.page import lasting, missing, percent, seconds

    causes = sorted(
        ((us, str(cause)) for cause, us in row.gaps_us.items() if us and cause not in NOT_PROMISED), reverse=True
    )
    return (
        lasting(row.promised_us), lasting(row.recorded_us), percent(row.delivered_ppm), missing(row.missed_us),
        str(row.interruptions), seconds(row.unexplained_us), ", ".join(f"{cause} {missing(us)}" for us, cause in causes) or "none",
    )  # fmt: skip


def _sentence(total: Figures) -> str:
    from longwatch.reports.page import lasting, percent, seconds

    return (
        f"{lasting(total.promised_us)} promised, {lasting(total.recorded_us)} delivered ({percent(total.delivered_ppm)}), "
        f"{seconds(total.unexplained_us)} unexplained"
    )
