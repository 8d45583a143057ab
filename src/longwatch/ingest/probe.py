"""What a camera sends, measured for a few seconds, and what is wrong with it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from longwatch.base.clock import Clock
from longwatch.base.tasks import Tasks
from longwatch.formats.media import Kind, Loss, Sample, SenderReport, TrackFormat
from longwatch.formats.rtp import TrackReceiver
from longwatch.ingest.camera_url import CameraUrl
from longwatch.ingest.options import Options
from longwatch.ingest.outcome import Outcome
from longwatch.ingest.session import Session
from longwatch.model.sessions import Fault, StreamStatus

_STEP_S = 0.25
_LONGEST_S = 15.0
"""A probe is prolonged up to this until a whole group of pictures has passed."""
_LONG_GROUP_S = 10.0
_MOST_PICTURE_BYTES = 8 << 20


@dataclass(frozen=True, slots=True)
class ProbedTrack:
    """One track as measured. fps, bits_per_second: of what came, in the camera's own time; None where too little came.
    gop_s: the longest distance of two sync samples. notes: what was strange about its packets.
    """

    format: TrackFormat
    samples: int
    packets: int
    lost: int
    fps: float | None
    bits_per_second: int | None
    gop_s: float | None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ProbeReport:
    """What `camera probe` says. url: without its password. fault, detail: why it did not work; None where it did.

    offered: every medium that the camera described; tracks: those that would be recorded. problems: for people. clock_offset_s: how
    far the camera's own clock is ahead of ours, by its sender reports; None without one. not_taken: kinds of which no medium could be
    recorded. changes: of parameters. picture: the first sync sample of video, as it came.
    """

    url: str
    transport: str
    fault: Fault | None
    detail: str
    server: str
    offered: tuple[str, ...]
    tracks: tuple[ProbedTrack, ...]
    first_picture_s: float | None
    measured_s: float
    problems: tuple[str, ...] = ()
    clock_offset_s: float | None = None
    not_taken: tuple[str, ...] = ()
    changes: int = 0
    picture: bytes = field(default=b"", repr=False)


@dataclass(slots=True)
class _Track:
    samples: int = 0
    size: int = 0
    last_size: int = 0
    first_dts: int | None = None
    last_dts: int = 0
    sync_dts: int | None = None
    longest_gop: int = 0


@dataclass(slots=True)
class _Meter:
    """A sink that counts."""

    clock: Clock
    tracks: dict[int, _Track] = field(default_factory=dict)
    formats: tuple[TrackFormat, ...] = ()
    first_us: int | None = None
    changes: int = 0
    ended: tuple[Fault | None, str] | None = None
    offset_us: int | None = None
    picture: bytes = b""

    def opened(self, tracks: tuple[TrackFormat, ...]) -> None:
        self.formats = tracks
        self.first_us = self.clock.boottime_us()

    def samples(self, batch: Sequence[Sample]) -> None:
        for sample in batch:
            track = self.tracks.setdefault(sample.track, _Track())
            track.samples += 1
            track.size += len(sample.data)
            track.last_size = len(sample.data)
            track.last_dts = sample.dts
            if track.first_dts is None:
                track.first_dts = sample.dts
            if sample.sync:
                if not self.picture and sample.track == 0 and len(sample.data) <= _MOST_PICTURE_BYTES:
                    self.picture = bytes(sample.data)
                if track.sync_dts is not None:
                    track.longest_gop = max(track.longest_gop, sample.dts - track.sync_dts)
                track.sync_dts = sample.dts

    def lost(self, loss: Loss) -> None:
        """The receivers count."""

    def sender_report(self, report: SenderReport) -> None:
        """The session counts, those before the first picture included. The last word on the camera's clock stands."""
        arrived_us = self.clock.wall_us() - (self.clock.boottime_us() - report.arrival_boot_us)
        self.offset_us = report.ntp_wall_us - arrived_us

    def formats_changed(self, tracks: tuple[TrackFormat, ...]) -> None:
        self.formats = tracks
        self.changes += 1

    def closed(self, fault: Fault | None, detail: str) -> None:
        self.ended = fault, detail

    def status(self, status: StreamStatus) -> None:
        """A probe is one attempt; its outcome says all."""


async def probe(
    url: CameraUrl, options: Options, clock: Clock, *, seconds: float = 5.0, longest_s: float = _LONGEST_S
) -> ProbeReport:  # fmt: skip
    """Connect once, measure for about `seconds` from the first picture on, and end the session. Raises nothing of the
    camera's making: a camera that does not work is a report too. longest_s: until then a whole group of pictures is waited for.
    """
    meter = _Meter(clock)
    session = Session(url, options, clock, meter, changed=lambda _fault, _detail: None)
    tasks = Tasks("probe")
    began_us = clock.boottime_us()
    try:
        running = tasks.start("session", session.run())
        await _measure(meter, clock, running, seconds, longest_s)
        ended_us = clock.boottime_us()
        outcome = running.result() if running.done() else Outcome(None, "", server=session.server)
    finally:
        await tasks.aclose()
    return _report(url, session, meter, outcome, began_us, ended_us)


async def _measure(
    meter: _Meter, clock: Clock, running: asyncio.Task[Outcome], seconds: float, longest_s: float
) -> None:  # fmt: skip
    """Until the session is over, or enough was seen; the session's own limits end a camera that sends nothing."""
    while not running.done():
        await clock.sleep(_STEP_S)
        if meter.first_us is None:
            continue
        seen_s = (clock.boottime_us() - meter.first_us) / 1e6
        video = meter.tracks.get(0)
        if seen_s >= seconds and ((video is not None and video.longest_gop) or seen_s >= max(seconds, longest_s)):
            return


def _report(
    url: CameraUrl, session: Session, meter: _Meter, outcome: Outcome, began_us: int, ended_us: int
) -> ProbeReport:
    receivers = {chosen.index: chosen.receiver for chosen in session.tracks}
    tracks = tuple(
        _track(known, meter.tracks.get(index, _Track()), receivers[index]) for index, known in enumerate(meter.formats)
    )
    first_s = (meter.first_us - began_us) / 1e6 if meter.first_us is not None else None
    return ProbeReport(
        url=str(url),
        transport=session.transport,
        fault=outcome.fault,
        detail=outcome.detail if outcome.fault is not None else "",
        server=session.server,
        offered=session.offered,
        tracks=tracks,
        first_picture_s=first_s,
        measured_s=(ended_us - meter.first_us) / 1e6 if meter.first_us is not None else 0.0,
        problems=tuple(_problems(session, meter, tracks)),
        clock_offset_s=None if meter.offset_us is None else meter.offset_us / 1e6,
        not_taken=session.not_taken,
        changes=meter.changes,
        picture=meter.picture,
    )


def _track(known: TrackFormat, measured: _Track, receiver: TrackReceiver) -> ProbedTrack:
    ticks = measured.last_dts - (measured.first_dts or 0) if measured.samples > 1 else 0
    span_s = ticks / known.timescale
    return ProbedTrack(
        format=known,
        samples=measured.samples,
        packets=receiver.packets,
        lost=receiver.lost,
        fps=round((measured.samples - 1) / span_s, 2) if span_s > 0 and known.kind is Kind.VIDEO else None,
        bits_per_second=int((measured.size - measured.last_size) * 8 / span_s) if span_s > 0 else None,
        gop_s=measured.longest_gop / known.timescale if measured.longest_gop and known.kind is Kind.VIDEO else None,
        notes=tuple(receiver.notes),
    )


def _problems(session: Session, meter: _Meter, tracks: Sequence[ProbedTrack]) -> list[str]:
    problems = [f"{track.format.kind}: {note}" for track in tracks for note in track.notes]
    problems += [f"{t.format.kind}: {t.lost} of {t.packets + t.lost} packets lost" for t in tracks if t.lost]
    if not tracks:
        return problems
    video = tracks[0]
    if video.gop_s is None and video.samples:
        problems.append(f"no second sync sample within {_LONGEST_S:g} s: a seek will be coarse")
    elif video.gop_s is not None and video.gop_s >= _LONG_GROUP_S:
        problems.append(
            f"{video.gop_s:.1f} s between sync samples: a seek will be coarse; a shorter interval is better"
        )
    if (
        video.fps is not None
        and video.format.fps is not None
        and abs(video.fps - video.format.fps) > video.format.fps / 5
    ):
        problems.append(f"{video.fps:g} pictures a second come, {video.format.fps:g} are announced")
    if not session.reports_in:
        problems.append("no sender reports: its times will rest on arrival alone")
    if meter.changes:
        problems.append(f"the parameters changed {meter.changes} times while measuring")
    if meter.ended is not None and meter.ended[0] is Fault.FROZEN:
        problems.append(meter.ended[1])
    problems += [f"{kind} is announced in a form that is not recorded" for kind in session.not_taken]
    return problems
