"""What the recorder is told: the JSON of `python -m longwatch.config resolve`, decoded into plain options.

The recorder never reads the settings file itself: a child does, with the schema and its libraries, and ends. The JSON holds
passwords, so it comes through a pipe and is never written down; each secret is registered before anything can log it.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from longwatch import archive, ingest, masking, recording, surroundings
from longwatch.accounting import PowerPlan, Schedule, Window
from longwatch.base import secrets
from longwatch.base.errors import LongwatchError, UsageError
from longwatch.model.areas import areas_of
from longwatch.model.sessions import StreamKey
from longwatch.node.recorder import surroundings_options

_CHILD_PATIENCE_S = 30
_S = 1_000_000

EVENT_SEGMENT_US = 10_000_000


@dataclass(frozen=True, slots=True)
class Stills:
    """Stills of a thermal camera: where they are asked for, and how often. verify_certificate: of https."""

    address: surroundings.HttpAddress
    every_s: float
    verify_certificate: bool = True


@dataclass(frozen=True, slots=True)
class StreamOptions:
    """One stream of a camera. Equal options mean that nothing has to be interrupted. masked: what is hidden, and by which child;
    None where nothing is. Every stream of a masked camera comes from that child, which takes in `main` alone: `url` is its. stills: what is fetched and
    recorded beside it; None where nothing is. lacking: names of secrets that are missing: without them nobody asks for it.
    """

    key: StreamKey
    url: ingest.CameraUrl
    ingest: ingest.Options
    masked: masking.Job | None = None
    stills: Stills | None = None
    lacking: tuple[str, ...] = ()

    def after(self, before: StreamOptions) -> StreamOptions:
        """What to run where `before` runs: itself; or that, where all that it lacks is the password that it runs with, or that and the user."""
        user = self.url.user or before.url.user
        if (
            not self.lacking
            or before.lacking
            or dataclasses.replace(self.url, user=user, password="") != dataclasses.replace(before.url, password="")
        ):
            return self
        masked = self.masked
        if masked is not None and before.masked is not None:
            masked = dataclasses.replace(masked, url=before.masked.url)
        whole = dataclasses.replace(self, url=before.url, masked=masked, lacking=())
        return before if whole == before else self


@dataclass(frozen=True, slots=True)
class CameraOptions:
    """One camera. windows: None is always; never: live only. power_windows: when it has power; None is always. by_events: what no event
    needs may be discarded.
    """

    id: str
    name: str
    never: bool
    windows: tuple[Window, ...] | None
    streams: tuple[StreamOptions, ...]
    power_windows: tuple[Window, ...] | None = None
    by_events: bool = False


@dataclass(frozen=True, slots=True)
class RecorderOptions:
    """All of it. problems: of settings that are wrong, so that these are the last good ones. lacking: what is left out, since its secrets are missing.
    secrets_file: where those may come; None where nothing lacks any, or no file is named.
    """

    post: str
    timezone: str
    volumes: tuple[Path, ...]
    cameras: tuple[CameraOptions, ...]
    archive: archive.Options
    recording: recording.Options
    problems: tuple[str, ...] = field(default=())
    lacking: tuple[str, ...] = field(default=())
    secrets_file: Path | None = None
    surroundings: surroundings.Options = field(default_factory=surroundings.Options)

    resolved: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)  # all of it, for the ledger
    secrets: tuple[str, ...] = field(default=(), repr=False, compare=False)

    def schedule(self, camera: CameraOptions) -> Schedule:
        """When this camera is to be recorded."""
        return Schedule(camera.windows, self.timezone, never=camera.never)

    def segment_us(self, camera: CameraOptions) -> int:
        """How long a segment lasts. What is discarded goes by whole segments: with short ones little is kept beside an event."""
        return EVENT_SEGMENT_US if camera.by_events else self.recording.segment_us

    def power_plan(self, camera: CameraOptions) -> PowerPlan:
        """When this camera has power."""
        return PowerPlan(camera.power_windows, self.timezone)


_BESIDE = frozenset({"secrets", "errors", "lacking", "secrets_file"})
"""What the child says beside the settings."""


def decode(resolved: dict[str, Any]) -> RecorderOptions:
    """Raises UsageError where the JSON is not what this version knows."""
    for secret in resolved.get("secrets", []):
        secrets.register(str(secret))
    try:
        post = resolved["post"]
        return RecorderOptions(
            post=str(post["id"]),
            timezone=str(post["timezone"]),
            volumes=tuple(Path(volume) for volume in resolved["volumes"]),
            cameras=tuple(_camera(camera) for camera in resolved["cameras"]),
            archive=archive.Options(retention=_retention(resolved["retention"]), post=str(post["id"])),
            recording=recording.Options(post=str(post["id"])),
            surroundings=surroundings_options.decode(resolved),
            resolved={name: value for name, value in resolved.items() if name not in _BESIDE},
            secrets=tuple(str(secret) for secret in resolved.get("secrets", [])),
            problems=tuple(f"line {e.get('line')}: {e.get('what')}" for e in resolved.get("errors", [])),
            secrets_file=Path(str(resolved["secrets_file"])) if resolved.get("secrets_file") else None,
            lacking=tuple(
                f"line {e.get('line')}: {e.get('key')}: {e.get('what')}" for e in resolved.get("lacking", [])
            ),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise UsageError(
            "the resolved settings cannot be read",
            why=repr(error),
            remedy="are all parts of the program of one version?",
        ) from error


def _camera(camera: dict[str, Any]) -> CameraOptions:
    record = str(camera["record"])
    if record not in {"continuous", "events", "never"}:
        raise UsageError(f"record: {record} is not known to this recorder")
    options = ingest.Options(
        transport=camera["transport"],
        audio=bool(camera["audio"]),
        verify_certificate=bool(camera.get("verify_certificate", True)),
    )
    masked = _masked(camera, options)
    lacking = {str(name): tuple(map(str, names)) for name, names in (camera.get("lacking") or {}).items()}
    return CameraOptions(
        id=str(camera["id"]),
        name=str(camera["name"]),
        never=record == "never",
        by_events=record == "events",
        windows=_windows(camera["schedule"]),
        streams=tuple(
            StreamOptions(
                StreamKey(str(camera["id"]), str(name)),
                ingest.CameraUrl.parse(str(url if masked is None else camera["streams"]["main"])),
                dataclasses.replace(options, metadata=name == "main" and camera.get("metadata") is True),
                masked,
                _stills(camera, options) if name == "main" and masked is None else None,
                lacking.get(str(name) if masked is None else "main", ()),
            )
            for name, url in camera["streams"].items()
        ),
        power_windows=_windows(camera.get("power_windows")),
    )


def _stills(camera: dict[str, Any], options: ingest.Options) -> Stills | None:
    given = camera.get("stills")
    if given is None:
        return None
    address = surroundings.HttpAddress(**given["address"])
    return Stills(address, float(given["every_s"]), options.verify_certificate)


def _masked(camera: dict[str, Any], options: ingest.Options) -> masking.Job | None:
    areas = areas_of(camera.get("masks") or {})
    if not areas:
        return None
    return masking.Job(
        str(camera["id"]), areas, tuple(str(name) for name in camera["streams"]), str(camera["streams"]["main"]),
        tuple(dataclasses.asdict(options).items()),
    )  # fmt: skip


def _windows(windows: list[dict[str, Any]] | None) -> tuple[Window, ...] | None:
    return None if windows is None else tuple(_window(window) for window in windows)


def _window(window: dict[str, Any]) -> Window:
    return Window(frozenset(int(day) for day in window["days"]), int(window["from_minute"]), int(window["to_minute"]))


def _retention(retention: dict[str, Any]) -> archive.Retention:
    return archive.Retention(
        max_age_us=_us(retention["max_age_s"]),
        max_size_bytes=retention["max_size_bytes"],
        keep_free_bytes=retention["keep_free_bytes"],
        keep_free_fraction=float(retention["keep_free_fraction"] or 0.0),
        personal_us=int(retention["personal_s"] * _S),
        cameras={
            camera: archive.CameraRetention(_us(own.get("max_age_s")), own.get("max_size_bytes"))
            for camera, own in retention.get("cameras", {}).items()
        },
    )


def _us(seconds: float | None) -> int | None:
    return None if seconds is None else int(seconds * _S)


async def resolve(config: Path) -> RecorderOptions:
    """Have the child read the settings. Raises UsageError where they are wrong, with each error's line and column."""
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "longwatch.config", "resolve", str(config),
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        async with asyncio.timeout(_CHILD_PATIENCE_S):
            out, said = await child.communicate()
    except TimeoutError as error:
        child.kill()
        await child.wait()
        raise LongwatchError("the settings could not be read in time", why=f"{_CHILD_PATIENCE_S} s") from error
    if child.returncode == 2:
        raise UsageError(said.decode(errors="replace").strip() or f"the settings in {config} are wrong")
    if child.returncode != 0:
        raise LongwatchError(f"the settings in {config} could not be read", why=said.decode(errors="replace")[-500:])
    try:
        resolved = json.loads(out)
    except ValueError as error:
        raise LongwatchError("the resolved settings are not JSON", why=str(error)) from error
    return decode(resolved)
