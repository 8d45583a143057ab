"""`longwatch gaps`, `longwatch export` and `longwatch check`."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from longwatch.base.errors import UsageError
from longwatch.base.rfc3339 import format_us, parse_us
from longwatch.cli import options
from longwatch.cli.output import say, say_json, say_rows, warn

_DAY_US = 86_400_000_000
_FIRST_MOMENT_US = 10**15  # of September 2001: a number of microseconds above it is a time, below it a duration


def add_to(app: typer.Typer) -> None:
    """Hang the verbs of this file into the tree."""
    app.command("gaps")(gaps)
    app.command("export")(export)
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
    from longwatch.config import find, load
    from longwatch.model.causes import Cause
    from longwatch.model.sessions import StreamKey
    from longwatch.timeline import State, tile

    settings = load(find(config))
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
            spans = reader.recorded_spans(key, from_us, to_us)
            rows = [gap for other, gap in reader.gaps(key.camera, from_us, to_us) if other == key]
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
    say_rows(
        ("FROM", "TO", "LASTED", "CAMERA", "STREAM", "CAUSE", "EVIDENCE"),
        [
            (
                format_us(part.from_us), format_us(part.to_us),
                _duration(part.to_us - part.from_us) + (" so far" if part.to_us >= accounted_until_us else ""),
                key.camera, key.stream, str(part.cause), _evidence(part.evidence),
            )
            for key, part in items
        ],
    )  # fmt: skip


def _duration(us: int) -> str:
    """As a person says it: `20.6 s`, `3 min 05 s`, `2 h 05 min`, `3 d 04 h`."""
    seconds = us // 1_000_000
    if seconds < 60:
        return f"{us / 1_000_000:.1f} s"
    if seconds < 3_600:
        return f"{seconds // 60} min {seconds % 60:02} s"
    if seconds < 86_400:
        return f"{seconds // 3_600} h {seconds % 3_600 // 60:02} min"
    return f"{seconds // 86_400} d {seconds % 86_400 // 3_600:02} h"


def _evidence(facts: Mapping[str, object]) -> str:
    """Evidence in words, the sentence first. `--json` has it as it is kept."""
    said = []
    for name, value in sorted(facts.items(), key=lambda item: item[0] != "detail"):
        if value is None or value in ("", []):
            continue
        if name.endswith("_us") and isinstance(value, int):
            label = name.removesuffix("_us")
            words = format_us(value) if value > _FIRST_MOMENT_US else f"{value / 1_000_000:g} s"
        else:
            label = name
            words = ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
        said.append(words if name == "detail" else f"{label.replace('_', ' ')}: {words}")
    return "; ".join(said)


def export(
    camera: Annotated[str, typer.Argument(metavar="CAMERA", help="The camera's id.")],
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="The mp4 to write; an older one is replaced.")],
    from_: Annotated[str, typer.Option("--from", metavar="TIME", help="RFC 3339, as 2026-01-31T06:00:00Z.")],
    to: Annotated[str, typer.Option("--to", metavar="TIME", help="RFC 3339. The stretch ends before it.")],
    stream: Annotated[str, typer.Option(metavar="NAME", help="main or sub.")] = "main",
    config: options.Config = None,
    json: options.Json = False,
) -> None:
    """Write a stretch of a camera as one mp4, cut from the stored bytes; gaps are named.

    Example: `longwatch export gate --from 2026-01-31T06:00:00Z --to 2026-01-31T06:10:00Z --out gate.mp4`
    """
    from longwatch.archive import ArchiveReader
    from longwatch.config import find, load
    from longwatch.model.sessions import StreamKey
    from longwatch.model.stores import GapSpan
    from longwatch.playback import VideoRequest
    from longwatch.playback import export as write
    from longwatch.timeline import tile

    settings = load(find(config))
    from_us, to_us = _span(from_, to, 0)
    key = StreamKey(camera, stream)
    reader = ArchiveReader(settings.volumes)
    try:
        known = {StreamKey(name, each): set_up_us for name, each, set_up_us in reader.cameras()}
        if key not in known:
            names = sorted({each.camera for each in known})
            raise UsageError(
                f"nothing was ever recorded of {camera}'s stream {stream}",
                remedy=f"one of {', '.join(names) or 'none yet'}",
            )
        until_us = reader.accounted_until_us()
        spans, rows = reader.recorded_spans(key, from_us, to_us), reader.gaps_of(key, from_us, to_us)
        tiles = tile(spans, rows, from_us, to_us, until_us, known[key])
        missing = [
            GapSpan(part.from_us, part.to_us, part.cause, dict(part.evidence))
            for part in tiles
            if part.cause is not None
        ]
        result = write(reader, VideoRequest(key, from_us, to_us), out, accounted_until_us=until_us, gaps=missing)
    finally:
        reader.close()
    gaps = [{"from": format_us(a), "to": format_us(b), "cause": cause} for a, b, cause in result.gaps]
    first, last = format_us(result.from_us), format_us(result.to_us)
    if json:
        say_json({"file": str(out), "bytes": result.size, "from": first, "to": last, "gaps": gaps})
        return
    say(f"{out}: {result.size} bytes, from {first} to {last}")
    for gap in gaps:
        warn(f"gap from {gap['from']} to {gap['to']}: {gap['cause']}")


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
    from longwatch.node.check import check as carry_out

    if size + hash_ + ledger > 1:
        raise UsageError("--size, --hash and --ledger are one choice", remedy="run them one after another")
    mode = Mode.HASH if hash_ else Mode.LEDGER if ledger else Mode.SIZE
    result = carry_out(load(find(config)).volumes, mode, repair=repair)
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


def _summary(result: dict[str, Any]) -> str:
    found = result["findings"]
    mended = sum(1 for finding in found if finding["mended"])
    counted = [(result["segments"], "sealed segment"), (result["bytes"], "byte"), (result["entries"], "ledger entry")]
    some = [_counted(number, what) for number, what in counted if number] or [
        "no sealed segment, for there is none yet"
    ]
    looked = f"looked at {', '.join(some)}"
    if not found:
        return f"{looked}: all as it should be"
    return f"{looked}: {len(found)} finding{'' if len(found) == 1 else 's'}, {mended} mended"


def _counted(number: int, what: str) -> str:
    if number == 1:
        return f"1 {what}"
    return f"{number} {what.removesuffix('y')}ies" if what.endswith("y") else f"{number} {what}s"
