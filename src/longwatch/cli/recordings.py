"""`longwatch gaps` and `longwatch check`."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from longwatch.base.errors import UsageError
from longwatch.base.rfc3339 import format_us, parse_us
from longwatch.cli import options
from longwatch.cli.output import at_terminal, say, say_json, say_table
from longwatch.model import wording

if TYPE_CHECKING:  # what a verb needs is imported when it runs
    from longwatch.model.sessions import StreamKey
    from longwatch.timeline import Tile

_DAY_US = 86_400_000_000


def add_to(app: typer.Typer) -> None:
    """Hang the verbs of this file into the tree."""
    app.command("gaps")(gaps)
    app.command("check")(check)


def _span(from_: str | None, to: str | None, earliest_us: int) -> tuple[int, int]:
    """The stretch asked for; by default the last day, as far as there was a camera."""
    to_us = parse_us(to) if to else time.time_ns() // 1000
    from_us = parse_us(from_) if from_ else max(to_us - _DAY_US, min(earliest_us, to_us - 1))
    if from_us >= to_us:
        raise UsageError("--from is not before --to", remedy="give a stretch of time that is not empty")
    return from_us, to_us


def gaps(
    from_: options.From = None,
    to: options.To = None,
    camera: Annotated[str | None, typer.Option("--camera", metavar="ID", help="Only this camera.")] = None,
    config: options.Config = None,
    json: options.Json = False,
) -> None:
    """Every gap with its cause and evidence; by default of the last day, as far as each camera was set up.

    Example: `longwatch gaps --from 2026-01-31T00:00:00Z --to 2026-02-01T00:00:00Z --camera gate`
    """
    from longwatch.archive import ArchiveReader
    from longwatch.config import find, load_lacking
    from longwatch.model.causes import Cause
    from longwatch.model.sessions import StreamKey
    from longwatch.timeline import State, tile

    settings = load_lacking(find(config))
    reader = ArchiveReader(settings.volumes)
    try:
        known = [(StreamKey(name, stream), set_up_us) for name, stream, set_up_us in reader.cameras()]
        if camera is not None and camera not in {key.camera for key, _ in known} | set(settings.cameras):
            names = sorted({key.camera for key, _ in known} | set(settings.cameras))
            raise UsageError(f"there is no camera {camera!r}", remedy=f"one of {', '.join(names) or 'none yet'}")
        from_us, to_us = _span(from_, to, min((at_us for _, at_us in known if at_us is not None), default=0))
        accounted_until_us = reader.accounted_until_us()
        items = []
        for key, set_up_us in sorted(known):
            if camera is not None and key.camera != camera:
                continue
            rows = reader.gaps_of(
                key, from_us, to_us
            )  # before the spans: a gap that ends meanwhile ends where a span begins
            spans = reader.recorded_spans(key, from_us, to_us)
            tiles = tile(spans, rows, from_us, to_us, accounted_until_us, set_up_us)
            items += [
                (key, part)
                for part in tiles
                if part.state is State.GAP and (from_ is not None or part.cause is not Cause.NEVER_RECORDED)
            ]
    finally:
        reader.close()
    if json:
        listed = [
            {
                "camera": key.camera, "stream": key.stream, "from": format_us(part.from_us), "to": format_us(part.to_us),
                "cause": part.cause, "evidence": dict(part.evidence),
            }
            for key, part in items
        ]  # fmt: skip
        say_json({"items": listed, "accounted_until": format_us(accounted_until_us), "next": None})
        return
    if not items:
        say(f"no gaps from {format_us(from_us)} to {format_us(min(to_us, accounted_until_us))}")
        return
    if at_terminal():
        say_table(
            ("FROM", "LASTED", "CAMERA", "CAUSE", "EVIDENCE"),
            [_for_the_eye(key, part, accounted_until_us) for key, part in items],
        )
        return
    say_table(
        ("FROM", "TO", "LASTED", "CAMERA", "STREAM", "CAUSE", "EVIDENCE"),
        [
            (
                format_us(part.from_us), format_us(part.to_us), _lasted(part, accounted_until_us), key.camera, key.stream, str(part.cause),
                wording.evidence_lines(part.evidence),
            )
            for key, part in items
        ],
    )  # fmt: skip


def _lasted(part: Tile, accounted_until_us: int) -> str:
    return wording.duration(part.to_us - part.from_us) + (" so far" if part.to_us >= accounted_until_us else "")


def _for_the_eye(key: StreamKey, part: Tile, accounted_until_us: int) -> tuple[str | list[str], ...]:
    """Narrow: to the second, and a stream only where it is not the main one."""
    whole = format_us(part.from_us - part.from_us % 1_000_000)
    camera = key.camera if key.stream == "main" else f"{key.camera} {key.stream}"
    return (whole, _lasted(part, accounted_until_us), camera, str(part.cause), wording.evidence_lines(part.evidence))


def check(
    size: Annotated[
        bool, typer.Option("--size", help="Every file is there and as long as the index says (default).")
    ] = False,
    hash_: Annotated[bool, typer.Option("--hash", help="Read every byte and compare the hashes.")] = False,
    ledger: Annotated[
        bool, typer.Option("--ledger", help="The ledger's own chain, and that it knows every segment.")
    ] = False,
    repair: Annotated[
        bool, typer.Option("--repair", help="Mend what can be mended. No media is ever deleted.")
    ] = False,
    config: options.Config = None,
    json: options.Json = False,
) -> None:
    """Compare the index with the files, and say what was found and mended. Exit 1 where something is wrong.

    A running recorder is asked to do it; else it is done here.

    Example: `longwatch check --hash --repair`
    """
    from longwatch.archive import Mode
    from longwatch.config import find, load
    from longwatch.node.by_recorder.check import check as carry_out

    if size + hash_ + ledger > 1:
        raise UsageError("--size, --hash and --ledger are one choice", remedy="run them one after another")
    mode = Mode.HASH if hash_ else Mode.LEDGER if ledger else Mode.SIZE
    settings = load(find(config))
    result = carry_out(settings.volumes, mode, repair=repair)
    if settings.role == "hub":
        from longwatch.node.verbs.check_fleet import check_fleet

        result |= _with_posts(result, check_fleet(settings, mode))
    if json:
        say_json(result)
    else:
        for finding in result["findings"]:
            subject = f"{finding['camera']}: " if finding.get("camera") else ""
            mended = f" (mended: {finding['mended']})" if finding["mended"] else ""
            say(f"{finding['kind']}: {subject}{finding['what']}: {finding['detail']}{mended}")
        say(_summary(result))
    if not result["ok"]:
        raise typer.Exit(1)


def _with_posts(own: dict[str, Any], posts: dict[str, Any]) -> dict[str, Any]:
    """A hub's own ledger, and what it holds of its posts, as one answer."""
    return {
        "ok": own["ok"] and posts["ok"], "findings": [*own["findings"], *posts["findings"]],
        "posts": {name: posts[name] for name in ("objects", "bytes", "entries")},
    }  # fmt: skip


def _summary(result: dict[str, Any]) -> str:
    found = result["findings"]
    mended = sum(1 for finding in found if finding["mended"])
    counted = [(result["segments"], "sealed segment"), (result["bytes"], "byte"), (result["entries"], "ledger entry")]
    some = [_counted(number, what) for number, what in counted if number] or [
        "no sealed segment, for there is none yet"
    ]
    posts = result.get("posts")
    if posts is not None:  # a hub: it records nothing itself
        held = [(posts["objects"], "object"), (posts["bytes"], "byte"), (posts["entries"], "ledger entry")]
        of_posts = [_counted(number, what) for number, what in held if number] or ["nothing yet"]
        own = f" and {_counted(result['entries'], 'ledger entry')} of the hub's own" if result["entries"] else ""
        some = [f"{', '.join(of_posts)} of posts{own}"]
    looked = f"looked at {', '.join(some)}"
    if not found:
        return f"{looked}: all as it should be"
    return f"{looked}: {len(found)} finding{'' if len(found) == 1 else 's'}, {mended} mended"


def _counted(number: int, what: str) -> str:
    if number == 1:
        return f"1 {what}"
    return f"{number} {what.removesuffix('y')}ies" if what.endswith("y") else f"{number} {what}s"
