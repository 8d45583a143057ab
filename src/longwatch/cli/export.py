"""`longwatch export`: a stretch of a camera as one mp4, or as an evidence package."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from longwatch.base.errors import UsageError
from longwatch.base.folders import why_not_replaced
from longwatch.base.rfc3339 import format_us, parse_us
from longwatch.cli import options
from longwatch.cli.output import say, say_json, warn

if TYPE_CHECKING:
    from longwatch.config.model import Settings
    from longwatch.model.sessions import StreamKey

_SAID = {
    "ledger": "reading the ledger",
    "segments": "copying segments",
    "video": "writing the mp4",
    "proofs": "proving entries",
    "check": "checking it",
}


def add_to(app: typer.Typer) -> None:
    """Hang the verb of this file into the tree."""
    app.command("export")(export)


def export(
    camera: Annotated[str, typer.Argument(metavar="CAMERA", help="The camera's id.")],
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="The file to write; an older one is replaced.")],
    from_: Annotated[str, typer.Option("--from", metavar="TIME", help="RFC 3339, as 2026-01-31T06:00:00Z.")],
    to: Annotated[str, typer.Option("--to", metavar="TIME", help="RFC 3339. The stretch ends before it.")],
    stream: Annotated[str, typer.Option(metavar="NAME", help="main or sub.")] = "main",
    evidence: Annotated[
        bool, typer.Option("--evidence", help="An evidence package: originals, mp4, manifest, proofs, in one zip.")
    ] = False,
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; kept in the ledger.")] = "",
    config: options.Config = None,
    json: options.Json = False,
) -> None:
    """Write a stretch of a camera as one mp4, cut from the stored bytes, or as an evidence package; gaps are named.

    Before anything is read, the ledger says who exports what.

    Example: `longwatch export gate --from 2026-01-31T06:00:00Z --to 2026-01-31T06:10:00Z --out gate.mp4`
    """
    from longwatch.accounts import at_the_post
    from longwatch.config import find, load_lacking
    from longwatch.model.sessions import StreamKey

    settings = load_lacking(find(config))
    from_us, to_us = parse_us(from_), parse_us(to)
    if from_us >= to_us:
        raise UsageError("--from is not before --to", remedy="give a stretch of time that is not empty")
    why = why_not_replaced(out)
    if why:
        raise UsageError(f"{out} cannot be written", why=why, remedy="name a file")
    person = at_the_post().person(reason=reason)
    work = _package if evidence else _video
    work(settings, StreamKey(camera, stream), (from_us, to_us), out, person, json)


def _video(
    settings: Settings, key: StreamKey, span: tuple[int, int], out: Path, person: dict[str, Any], as_json: bool
) -> None:
    from longwatch.node.issuing.exporting import export_video

    result = export_video(settings.volumes, key, *span, out, person)
    gaps = [{"from": format_us(a), "to": format_us(b), "cause": cause} for a, b, cause in result.gaps]
    first, last = format_us(result.from_us), format_us(result.to_us)
    if as_json:
        say_json({"file": str(out), "bytes": result.size, "from": first, "to": last, "gaps": gaps})
        return
    say(f"{out}: {result.size} bytes, from {first} to {last}")
    for gap in gaps:
        warn(f"gap from {gap['from']} to {gap['to']}: {gap['cause']}")


def _package(
    settings: Settings, key: StreamKey, span: tuple[int, int], out: Path, person: dict[str, Any], as_json: bool
) -> None:
    from longwatch.base.clock import SystemClock
    from longwatch.evidence import Post
    from longwatch.node.issuing.exporting import export_evidence

    known = settings.cameras.get(key.camera)
    post = Post(
        settings.post.id, settings.post.name, settings.post.timezone, known.name if known is not None else key.camera
    )
    with _bar() as progress:
        made = export_evidence(
            settings.volumes, key, *span, out, person, post=post, clock=SystemClock(), progress=progress
        )
    totals = made.manifest["totals"]
    if as_json:
        say_json(
            {
                "file": str(out), "bytes": made.size, "from": format_us(made.from_us), "to": format_us(made.to_us),
                "manifest_sha256": made.manifest_sha256, "entry": made.seq, "origin": made.origin, "key": made.fingerprint,
                "recorded_s": totals["recorded_us"] / 1e6, "gap_s": totals["gap_us"] / 1e6, "warnings": list(made.warnings),
            }
        )  # fmt: skip
        return
    say(f"{out}: {made.size} bytes, from {format_us(made.from_us)} to {format_us(made.to_us)}")
    say(f"recorded {totals['recorded_us'] / 1e6:.3f} s, gaps {totals['gap_us'] / 1e6:.3f} s")
    say(f"manifest.json: SHA-256 {made.manifest_sha256}")
    say(f"entry {made.seq} of {made.origin}, signed by {made.fingerprint}")
    for text in made.warnings:
        warn(text)


@contextlib.contextmanager
def _bar() -> Iterator[Callable[[str, int, int], None]]:
    """How far it is, on a terminal; elsewhere nothing."""
    if not sys.stderr.isatty():
        yield lambda *_: None
        return
    from rich.console import Console
    from rich.progress import Progress, TaskID

    with Progress(console=Console(stderr=True), transient=True) as bar:
        tasks: dict[str, TaskID] = {}

        def told(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = bar.add_task(_SAID.get(what, what))
            bar.update(tasks[what], completed=done, total=total or None)

        yield told
