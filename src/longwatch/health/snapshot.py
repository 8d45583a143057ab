"""What the recorder said of itself at one moment (the answer to `status`, docs/design/socket.md)."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from longwatch.health.around import Around
from longwatch.health.doors import DoorState
from longwatch.health.notifying import Telling
from longwatch.model.heat import StillTrouble
from longwatch.model.sessions import StreamKey
from longwatch.model.watching import DetectionState, ModelState


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
class PauseState:
    """A camera that somebody paused. kind: as the gap's cause is called. until_us: None is until resumed."""

    kind: str
    since_us: int
    until_us: int | None


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
    pause: PauseState | None = None


@dataclass(frozen=True, slots=True)
class VolumeState:
    """One disk, as the recorder sees it. state: "ok", or what is wrong with it."""

    path: str
    state: str
    detail: str = ""
    free_bytes: int | None = None
    size_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class ProcessState:
    """What a process holds. cpu_us: since it began, `up_us` ago."""

    resident_bytes: int | None = None
    cpu_us: int | None = None
    up_us: int | None = None


@dataclass(frozen=True, slots=True)
class LedgerState:
    """The log as the recorder keeps it. signed, published: entries. problems: of copies that lag behind, by volume."""

    origin: str = ""
    fingerprint: str = ""
    signed: int = 0
    published: int = 0
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything at once. running: the recorder answered; where it did not, nothing else of it is filled in but `why_not`.

    telling, watching, doors, stills: what the server knows itself.
    """

    wall_us: int
    running: bool
    why_not: str = ""
    streams: tuple[StreamState, ...] = ()
    volumes: tuple[VolumeState, ...] = ()
    accounted_until_us: int = 0
    reported: tuple[str, ...] = ()
    remarked: tuple[str, ...] = ()
    around: Around = field(default_factory=Around)
    version: str = ""
    provenance: str = ""
    process: ProcessState = field(default_factory=ProcessState)
    ledger: LedgerState = field(default_factory=LedgerState)
    by_key: dict[StreamKey, StreamState] = field(default_factory=dict, repr=False)
    telling: Telling = field(default_factory=Telling)
    watching: tuple[DetectionState, ...] = ()
    model: ModelState = field(default_factory=ModelState)
    doors: tuple[DoorState, ...] = ()
    stills: tuple[StillTrouble, ...] = ()

    @staticmethod
    def silent(wall_us: int, why_not: str) -> Snapshot:
        """The recorder does not answer."""
        return Snapshot(wall_us, running=False, why_not=why_not)

    def only(self, cameras: frozenset[str]) -> Snapshot:
        """What somebody may know who may see only these cameras."""
        streams = tuple(stream for stream in self.streams if stream.key.camera in cameras)
        return replace(
            self,
            streams=streams,
            by_key={stream.key: stream for stream in streams},
            reported=(),
            remarked=(),
            around=self.around.only(cameras),
            telling=Telling(),
            watching=tuple(one for one in self.watching if one.camera in cameras),
            model=ModelState(),
            doors=(),
            stills=tuple(one for one in self.stills if one.camera in cameras),
        )

    @staticmethod
    def read(wall_us: int, answer: dict[str, Any]) -> Snapshot:
        """Read the recorder's answer. A field that an older recorder does not send has its default."""
        streams = tuple(_stream(item) for item in answer.get("streams", []))
        volumes = tuple(
            VolumeState(
                str(v.get("path", "")),
                str(v.get("state", "ok")),
                str(v.get("detail", "")),
                v.get("free_bytes"),
                v.get("size_bytes"),
            )
            for v in answer.get("volumes", [])
        )
        return Snapshot(
            wall_us,
            running=True,
            streams=streams,
            volumes=volumes,
            accounted_until_us=int(answer.get("accounted_until_us") or 0),
            reported=tuple(_said(item) for item in answer.get("health", []) if not _is_remark(item)),
            remarked=tuple(_said(item) for item in answer.get("health", []) if _is_remark(item)),
            around=Around.read(answer.get("surroundings")),
            version=str(answer.get("version", "")),
            provenance=str(answer.get("provenance", "")),
            process=_process(answer.get("process")),
            ledger=_ledger(answer.get("ledger")),
            by_key={stream.key: stream for stream in streams},
        )


def _process(item: Any) -> ProcessState:
    said = item if isinstance(item, dict) else {}
    return ProcessState(said.get("resident_bytes"), said.get("cpu_us"), said.get("up_us"))


def _ledger(item: Any) -> LedgerState:
    said = item if isinstance(item, dict) else {}
    problems = tuple(f"{each['path']}: {each['problem']}" for each in said.get("mirrors", []) if each.get("problem"))
    return LedgerState(
        str(said.get("origin", "")),
        str(said.get("fingerprint", "")),
        int(said.get("signed") or 0),
        int(said.get("published") or 0),
        problems,
    )


def _is_remark(item: Any) -> bool:
    """An older recorder calls nothing so, and all that it says blocks."""
    return isinstance(item, dict) and item.get("weight") == "remark"


def _said(item: Any) -> str:
    if isinstance(item, dict):
        return ": ".join(str(item[part]) for part in ("what", "detail", "why") if item.get(part))
    return str(item)


def _pause(item: Any) -> PauseState | None:
    return (
        PauseState(str(item["kind"]), int(item["since_us"]), item.get("until_us")) if isinstance(item, dict) else None
    )


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
        pause=_pause(item.get("pause")),
    )
