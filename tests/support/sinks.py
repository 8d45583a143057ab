"""A sink that remembers, and fails where the order of a session is broken."""

from __future__ import annotations

from collections.abc import Sequence

from longwatch.formats.media import Kind, Loss, Sample, SenderReport, TrackFormat
from longwatch.model.sessions import Activity, Fault, StreamStatus


class RememberingSink:
    """What a source delivered, in lists. sessions: the fault and detail of each ended one."""

    def __init__(self) -> None:
        self.tracks: tuple[TrackFormat, ...] | None = None
        self.opened_count = 0
        self.video: list[Sample] = []
        self.audio: list[Sample] = []
        self.losses: list[Loss] = []
        self.reports: list[SenderReport] = []
        self.sessions: list[tuple[Fault | None, str]] = []
        self.statuses: list[StreamStatus] = []
        self._fresh = False

    @property
    def faults(self) -> list[Fault | None]:
        """Of the attempts that failed, in order."""
        return [s.fault for s in self.statuses if s.activity is Activity.WAITING]

    @property
    def now(self) -> StreamStatus:
        return self.statuses[-1]

    @property
    def open(self) -> bool:
        return self.tracks is not None

    def opened(self, tracks: tuple[TrackFormat, ...]) -> None:
        assert not self.open, "opened twice"
        assert tracks[0].kind is Kind.VIDEO
        self.tracks = tracks
        self.opened_count += 1
        self._fresh = True

    def samples(self, batch: Sequence[Sample]) -> None:
        assert self.tracks is not None, "samples outside a session"
        for sample in batch:
            assert sample.track < len(self.tracks)
            if self.tracks[sample.track].kind is Kind.VIDEO:
                assert sample.sync or not self._fresh, "the first video sample is no sync sample"
                self._fresh = False
                self.video.append(sample)
            else:
                self.audio.append(sample)

    def lost(self, loss: Loss) -> None:
        assert self.open
        self.losses.append(loss)

    def sender_report(self, report: SenderReport) -> None:
        assert self.open
        self.reports.append(report)

    def formats_changed(self, tracks: tuple[TrackFormat, ...]) -> None:
        assert self.open
        self.tracks = tracks
        self._fresh = True

    def closed(self, fault: Fault | None, detail: str) -> None:
        assert self.open, "closed twice"
        assert detail
        self.tracks = None
        self.sessions.append((fault, detail))

    def status(self, status: StreamStatus) -> None:
        self.statuses.append(status)
