"""What the recorder said of itself at one moment (the answer to `status`, docs/design/socket.md)."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from longwatch.model.sessions import StreamKey


@dataclass(frozen=True, slots=True)
class TrackState:
    """What one track carries, as it arrives. bitrate: bits a second over the last seconds; None where
    it is not known yet. kind: video, audio or metadata.
    """

    codec: str
    width: int = 0
    height: int = 0
    fps: float | None = None
    bitrate: int | None = None
    kind: str = ""


@dataclass(frozen=True, slots=True)
class StreamState:
    """One stream. recording: bytes of it became durable just now. planned: the schedule wants it recorded now.

    cause: what the gap is called while it is not recording, in the words of `model.causes`; None while it is.
    """

    key: StreamKey
    activity: str
    recording: bool
    planned: bool
    cause: str | None = None
    fault: str | None = None
    detail: str = ""
    since_wall_us: int | None = None
    next_attempt_wall_us: int | None = None
    acked_wall_us: int | None = None
    tracks: tuple[TrackState, ...] = ()


@dataclass(frozen=True, slots=True)
class VolumeState:
    """One disk, as the recorder sees it. state: "ok", or what is wrong with it."""

    path: str
    state: str
    detail: str = ""
    free_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything at once. running: the recorder answered; where it did not, nothing else is filled in but `why_not`."""

    wall_us: int
    running: bool
    why_not: str = ""
    streams: tuple[StreamState, ...] = ()
    volumes: tuple[VolumeState, ...] = ()
    accounted_until_us: int = 0
    reported: tuple[str, ...] = ()
    by_key: dict[StreamKey, StreamState] = field(default_factory=dict, repr=False)

    @staticmethod
    def silent(wall_us: int, why_not: str) -> Snapshot:
        """The recorder does not answer."""
        return Snapshot(wall_us, running=False, why_not=why_not)

    def only(self, cameras: frozenset[str]) -> Snapshot:
        """What somebody may know who may see only these cameras."""
        streams = tuple(stream for stream in self.streams if stream.key.camera in cameras)
        return replace(self, streams=streams, by_key={stream.key: stream for stream in streams}, reported=())

    @staticmethod
    def read(wall_us: int, answer: dict[str, Any]) -> Snapshot:
        """Read the recorder's answer. A field that an older recorder does not send has its default."""
        streams = tuple(_stream(item) for item in answer.get("streams", []))
        volumes = tuple(
            VolumeState(
                str(v.get("path", "")), str(v.get("state", "ok")), str(v.get("detail", "")), v.get("free_bytes")
            )
            for v in answer.get("volumes", [])
        )
        return Snapshot(
            wall_us,
            running=True,
            streams=streams,
            volumes=volumes,
            accounted_until_us=int(answer.get("accounted_until_us") or 0),
            reported=tuple(_said(item) for item in answer.get("health", [])),
            by_key={stream.key: stream for stream in streams},
        )


def _said(item: Any) -> str:
    if isinstance(item, dict):
        return ": ".join(str(item[part]) for part in ("what", "detail", "why") if item.get(part))
    return str(item)


def _stream(item: dict[str, Any]) -> StreamState:
    tracks = tuple(
        TrackState(
            str(t["codec"]),
            t.get("width") or 0,
            t.get("height") or 0,
            t.get("fps"),
            t.get("bitrate") or None,
            str(t.get("kind", "")),
        )
        for t in item.get("tracks", [])
    )
    return StreamState(
        key=StreamKey(str(item["camera"]), str(item["stream"])),
        activity=str(item.get("activity", "")),
        recording=bool(item.get("recording")),
        planned=bool(item.get("planned", True)),
        cause=item.get("cause"),
        fault=item.get("fault"),
        detail=str(item.get("detail") or ""),
        since_wall_us=item.get("since_wall_us"),
        next_attempt_wall_us=item.get("next_attempt_wall_us"),
        acked_wall_us=item.get("acked_wall_us"),
        tracks=tracks,
    )
