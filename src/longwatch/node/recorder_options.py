"""What the recorder is told: the JSON of `python -m longwatch.config resolve`, decoded into plain options.

The recorder never reads the settings file itself: a child does, with the schema and its libraries, and ends. The JSON holds
passwords, so it comes through a pipe and is never written down; each secret is registered before anything can log it.
"""

from __future__ import annotations

import asyncio
import json
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from longwatch import archive, ingest, recording
from longwatch.accounting import Schedule, Window
from longwatch.base import secrets
from longwatch.base.errors import LongwatchError, UsageError
from longwatch.model.sessions import StreamKey

_CHILD_PATIENCE_S = 30
_S = 1_000_000


@dataclass(frozen=True, slots=True)
class StreamOptions:
    """One stream of a camera. Equal options mean that nothing has to be interrupted."""

    key: StreamKey
    url: ingest.CameraUrl
    ingest: ingest.Options


@dataclass(frozen=True, slots=True)
class CameraOptions:
    """One camera. windows: None is always; never: live only."""

    id: str
    name: str
    never: bool
    windows: tuple[Window, ...] | None
    streams: tuple[StreamOptions, ...]


@dataclass(frozen=True, slots=True)
class RecorderOptions:
    """All of it."""

    post: str
    timezone: str
    volumes: tuple[Path, ...]
    cameras: tuple[CameraOptions, ...]
    archive: archive.Options
    recording: recording.Options
    problems: tuple[str, ...] = field(default=())

    def schedule(self, camera: CameraOptions) -> Schedule:
        """When this camera is to be recorded."""
        return Schedule(camera.windows, self.timezone, never=camera.never)


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
            archive=archive.Options(retention=_retention(resolved["retention"])),
            recording=recording.Options(post=str(post["id"])),
            problems=tuple(f"line {e.get('line')}: {e.get('what')}" for e in resolved.get("errors", [])),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise UsageError(
            "the resolved settings cannot be read",
            why=repr(error),
            remedy="are all parts of the program of one version?",
        ) from error


def _camera(camera: dict[str, Any]) -> CameraOptions:
    record = str(camera["record"])
    if record not in {"continuous", "never"}:
        raise UsageError(f"record: {record} is not known to this recorder")
    schedule = camera["schedule"]
    options = ingest.Options(
        transport=camera["transport"],
        audio=bool(camera["audio"]),
        verify_certificate=bool(camera.get("verify_certificate", True)),
    )
    return CameraOptions(
        id=str(camera["id"]),
        name=str(camera["name"]),
        never=record == "never",
        windows=None if schedule is None else tuple(_window(window) for window in schedule),
        streams=tuple(
            StreamOptions(StreamKey(str(camera["id"]), str(name)), ingest.CameraUrl.parse(str(url)), options)
            for name, url in camera["streams"].items()
        ),
    )


def _window(window: dict[str, Any]) -> Window:
    return Window(frozenset(int(day) for day in window["days"]), int(window["from_minute"]), int(window["to_minute"]))


def _retention(retention: dict[str, Any]) -> archive.Retention:
    return archive.Retention(
        max_age_us=_us(retention["max_age_s"]),
        max_size_bytes=retention["max_size_bytes"],
        keep_free_bytes=retention["keep_free_bytes"],
        keep_free_fraction=float(retention["keep_free_fraction"] or 0.0),
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
        out, said = await asyncio.wait_for(child.communicate(), _CHILD_PATIENCE_S)
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
