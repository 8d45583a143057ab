"""`longwatch camera`: `probe` and `masks`."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from longwatch.base.errors import UsageError
from longwatch.cli import options
from longwatch.cli.output import say, say_json

if TYPE_CHECKING:
    from longwatch.ingest.probe import ProbedTrack, ProbeReport


def add_to(app: typer.Typer) -> None:
    """Hang the verbs of this file into the tree."""
    group = typer.Typer(help="Cameras.", no_args_is_help=True)
    group.callback()(lambda: None)
    group.command("probe")(probe)
    group.command("masks")(masks)
    app.add_typer(group, name="camera")


def probe(
    url: Annotated[
        str,
        typer.Argument(
            metavar="URL",
            help="rtsp:// or rtsps://, or CAMERA or CAMERA/STREAM of the settings. ${NAME} in single quotes is taken from the "
            "environment or the secrets file, so that no password stands in the list of processes.",
        ),
    ],
    udp: Annotated[bool, typer.Option("--udp", help="Take the packets by UDP.")] = False,
    seconds: Annotated[float, typer.Option(min=1, max=120, help="How long to measure.")] = 5.0,
    verify_certificate: Annotated[bool, typer.Option(help="Of rtsps.")] = True,
    config: options.Config = None,
    json: options.Json = False,
) -> None:
    """Connect to a camera, say what it sends and how it would be recorded. Exit 1 where it would not be.

    Example: `longwatch camera probe 'rtsp://admin:${GATE_PASSWORD}@10.0.0.5/stream1'`
    """
    from longwatch.base.clock import SystemClock
    from longwatch.ingest import CameraUrl, Options
    from longwatch.ingest import probe as measure
    from longwatch.ingest.findings import as_json

    transport: Literal["tcp", "udp"] = "udp" if udp else "tcp"
    camera_url = CameraUrl.parse(_resolved(url, config))
    chosen = Options(transport=transport, verify_certificate=verify_certificate)
    report = asyncio.run(measure(camera_url, chosen, SystemClock(), seconds=seconds))
    if json:
        say_json(as_json(report))
    else:
        _tell(report)
    if report.fault is not None:
        raise typer.Exit(1)


def masks(
    camera: Annotated[str, typer.Argument(metavar="CAMERA", help="The camera's id.")],
    config: options.Config = None,
    json: options.Json = False,
) -> None:
    """Say a camera's masks and shades, and measure what its masks cost (or would cost) in processor time.

    What was recorded last is decoded, painted over and encoded, in a child, for a few seconds.

    Example: `longwatch camera masks gate`
    """
    from longwatch.config import find, load
    from longwatch.node.verbs.measuring import mask_cost

    settings = load(find(config))
    known = settings.cameras.get(camera)
    if known is None:
        raise UsageError(f"there is no camera {camera}", remedy=f"known: {', '.join(settings.cameras) or 'none yet'}")
    found = asyncio.run(mask_cost(settings, known))
    names = {"masks": [area.name for area in known.masks], "shades": [area.name for area in known.shades]}
    if json:
        say_json({**names, "cost": found})
        return
    say(f"masks: {', '.join(names['masks']) or 'none'}")
    say(f"shades: {', '.join(names['shades']) or 'none'}" + (" (the recording contains them)" if known.shades else ""))
    verb = "cost" if known.masks else "would cost"
    say(
        f"masks {verb} {found['percent_of_core']:g} % of one core, of {found['cores']}, for {', '.join(found['streams'])}"
    )
    say(
        f"it records {found['bitrate_after'] / 1e6:.2f} Mbit/s, from {found['bitrate_before'] / 1e6:.2f} of the main stream"
    )


def _resolved(text: str, config: Path | None) -> str:
    """The URL itself, its names expanded; or that of a camera in the settings."""
    from longwatch.config import find, load

    if "://" in text:
        return _expanded(text, config)
    settings = load(find(config))
    camera_id, _, stream = text.partition("/")
    camera = settings.cameras.get(camera_id)
    url = (
        getattr(camera.streams, stream or "main", None)
        if camera is not None and stream in {"", "main", "sub"}
        else None
    )
    if url is None:
        known = ", ".join(settings.cameras) or "none yet"
        raise UsageError(
            f"{text!r} is neither a URL nor a camera of {settings.path}",
            remedy=f"a URL begins with rtsp://; the cameras are: {known}",
        )
    return str(url)


def _expanded(text: str, config: Path | None) -> str:
    import os

    from longwatch.config import expand
    from longwatch.config.problems import Wrong

    if "${" not in text:
        return text
    if config is None:
        # Nothing but the environment is needed where it knows the name: wrong settings do not stop a probe then.
        with contextlib.suppress(Wrong):
            return expand.url(text, expand.Names(os.environ, {}))
    try:
        secrets_file = _settings_secrets(config)
        file = expand.secrets_file(secrets_file) if secrets_file is not None else {}
        return expand.url(text, expand.Names(os.environ, file))
    except Wrong as wrong:
        raise UsageError(wrong.what, remedy=wrong.remedy) from None


def _settings_secrets(config: Path | None) -> Path | None:
    """The secrets file of the settings named, else of those that are there; without settings there is none."""
    from longwatch.config import find, load

    try:
        path = find(config)
    except UsageError:
        return None
    return load(path).secrets


def _tell(report: ProbeReport) -> None:
    say(f"{report.url} by {report.transport}{f', server {report.server}' if report.server else ''}")
    for offered in report.offered:
        say(f"  offers   {offered}")
    for track in report.tracks:
        say(f"  records  {_words(track)}")
    if report.first_picture_s is not None:
        say(f"  first picture after {report.first_picture_s:.2f} s; measured for {report.measured_s:.1f} s")
    for problem in report.problems:
        say(f"  note     {problem}")
    if report.fault is not None:
        say(f"It would not be recorded: {report.fault}: {report.detail}")
    else:
        say("It would be recorded as it comes, without re-encoding.")


def _words(track: ProbedTrack) -> str:
    known = track.format
    parts = [f"{known.kind}: {known.codec} ({known.codec_string})"]
    if known.width:
        parts.append(f"{known.width}x{known.height}")
    if known.kind == "audio":
        parts.append(f"{known.timescale} Hz, {known.channels} channel{'' if known.channels == 1 else 's'}")
    if track.fps is not None:
        parts.append(f"{track.fps:g} fps")
    if track.bits_per_second is not None:
        parts.append(f"{track.bits_per_second / 1000:.0f} kbit/s")
    if track.gop_s is not None:
        parts.append(f"a key frame every {track.gop_s:g} s")
    if known.reorder_depth:
        parts.append("B-frames")
    return ", ".join(parts)
