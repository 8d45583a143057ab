"""What a source delivers, kept in order until the tick works it off: the StreamSink side of a stream.

`samples` is the hot path of the whole program: one pass over a batch, nothing made, nothing parsed. What is kept is capped
in bytes, for the stream and over all streams; beyond that everything is dropped up to the next sync sample of video, and said.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from longwatch.formats.media import Kind, Loss, Sample, SenderReport, TrackFormat
from longwatch.model.sessions import Fault, StreamStatus
from longwatch.recording.live_tap import LiveTap
from longwatch.recording.options import Budget, Options


class Opened(NamedTuple):
    """A session began."""

    tracks: tuple[TrackFormat, ...]


class FormatsChanged(NamedTuple):
    """The parameters changed."""

    tracks: tuple[TrackFormat, ...]


class Closed(NamedTuple):
    """The session ended, at boot_us."""

    fault: Fault | None
    detail: str
    boot_us: int


class Dropped(NamedTuple):
    """The buffer was full; size: of the first sample that found no room."""

    size: int


Event = Sample | Loss | SenderReport | Opened | FormatsChanged | Closed | Dropped


def video_of(tracks: tuple[TrackFormat, ...]) -> int:
    """Which of a session's tracks is the video; 0 where none says so."""
    return next((n for n, track in enumerate(tracks) if track.kind is Kind.VIDEO), 0)


class Intake:
    """Implements model.sessions.StreamSink. Owner of its state: the recorder's loop.

    buffer: what all streams share. last_status: what the source said last of itself. tracks: of the session, as they are now.
    bytes_in, dropped_bytes: since the beginning.
    """

    def __init__(self, options: Options, buffer: Budget, live: LiveTap, now_boot_us: Callable[[], int]) -> None:
        self.live = live
        self.streaming = False
        self.tracks: tuple[TrackFormat, ...] = ()
        self.bytes_in = 0
        self.dropped_bytes = 0
        self.last_status: StreamStatus | None = None
        self._limit_bytes = options.stream_buffer_bytes
        self._buffer = buffer
        self._now_boot_us = now_boot_us
        self._events: list[Event] = []
        self._waiting_bytes = 0
        self._flying_bytes = 0
        self._dropping = False
        self._live_video = 0

    def opened(self, tracks: tuple[TrackFormat, ...]) -> None:
        """A session begins."""
        self.streaming = True
        self.tracks = tracks
        self._dropping = False
        self._live_video = video_of(tracks)
        self._events.append(Opened(tracks))
        self.live.formats(tracks, self._live_video)

    def samples(self, batch: Sequence[Sample]) -> None:
        """Keep a batch for the tick, and pass it on to viewers."""
        size = 0
        sync_at = -1
        for n, sample in enumerate(batch):
            size += len(sample.data)
            if sample.sync and sample.track == self._live_video:
                sync_at = n
        self.bytes_in += size
        self.live.samples(batch, size, sync_at)
        if self._dropping or self._waiting_bytes + self._flying_bytes + size > self._limit_bytes:
            self._drop(batch)
        elif self._buffer.take(size):
            self._waiting_bytes += size
            self._events.extend(batch)
        else:
            self._drop(batch)

    def _drop(self, batch: Sequence[Sample]) -> None:
        """Storage does not keep up: give up what came, until a sync sample finds room."""
        for index, sample in enumerate(batch):
            size = len(sample.data)
            room = self._waiting_bytes + self._flying_bytes + size <= self._limit_bytes * 3 // 4
            if self._dropping and sample.sync and sample.track == self._live_video and room:
                self._dropping = False
                self._again(batch[index:])
                return
            if not self._dropping:
                self._dropping = True
                self._events.append(Dropped(size))
            self.dropped_bytes += size

    def _again(self, batch: Sequence[Sample]) -> None:
        """Take up a stream that was dropped, at a sync sample; viewers had it already."""
        size = sum(len(sample.data) for sample in batch)
        if self._buffer.take(size):
            self._waiting_bytes += size
            self._events.extend(batch)
        else:
            self._dropping = True
            self.dropped_bytes += size

    def lost(self, loss: Loss) -> None:
        """Packets never came."""
        self._events.append(loss)

    def sender_report(self, report: SenderReport) -> None:
        """The camera's own clock."""
        self._events.append(report)

    def formats_changed(self, tracks: tuple[TrackFormat, ...]) -> None:
        """The parameters changed."""
        self.tracks = tracks
        self._live_video = video_of(tracks)
        self._events.append(FormatsChanged(tracks))
        self.live.formats(tracks, self._live_video)

    def closed(self, fault: Fault | None, detail: str) -> None:
        """The session is over."""
        self.streaming = False
        self._events.append(Closed(fault, detail, self._now_boot_us()))
        self.live.closed()

    def status(self, status: StreamStatus) -> None:
        """What the source does."""
        self.last_status = status

    def take_events(self) -> list[Event]:
        """What came since the last time, in order; its bytes stay taken until `give_back`."""
        events, self._events = self._events, []
        self._flying_bytes += self._waiting_bytes
        self._waiting_bytes = 0
        return events

    def give_back(self) -> None:
        """What was taken last is written, or given up."""
        self._buffer.give_back(self._flying_bytes)
        self._flying_bytes = 0
