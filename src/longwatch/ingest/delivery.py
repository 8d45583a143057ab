"""From what the receivers make to the sink: when a session opens, what it is told, and what is held back.

A session of the sink begins with the first video sample, which the receivers promise is a sync sample. A picture that is
frozen ends it (`FROZEN`); from then on the current group of pictures is held, and as soon as anything moves the next
session begins with it, so that nothing but identical pictures is ever left out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from longwatch.formats.media import Loss, Sample, SenderReport, TrackFormat
from longwatch.ingest.bounds import Bounds, ExcessError
from longwatch.ingest.frozen import FrozenPicture
from longwatch.model.sessions import Fault, StreamSink

_VIDEO = 0
_MAX_HELD_BYTES = 8 << 20
FROZEN = "the same picture for ever: the camera sends, and what it sends does not change"


class Delivery:
    """Serves one sink. opened: a session is open. streamed: one was at any time. last_sample_us: arrival of the last
    video sample. frozen_since_us: since when samples are held back; None while they are not.
    """

    def __init__(
        self,
        sink: StreamSink,
        frozen: FrozenPicture,
        changed: Callable[[Fault | None, str], None],
        bounds: Bounds | None = None,
    ) -> None:
        """changed: called when pictures begin to be delivered (None), and when they are held back (FROZEN). bounds: of the
        stream, over all its sessions.
        """
        self.opened = False
        self.streamed = False
        self.last_sample_us: int | None = None
        self.frozen_since_us: int | None = None
        self.frozen = frozen
        self._sink = sink
        self._changed = changed
        self._bounds = bounds or Bounds()
        self._now_us: int | None = None
        self._formats: list[TrackFormat | None] = []
        self._held: list[Sample] = []
        self._held_bytes = 0

    def set_formats(self, formats: Sequence[TrackFormat | None]) -> None:
        """The tracks of this session, by index; None: not known yet (video alone may be)."""
        self._formats = list(formats)

    def take(self, items: Sequence[Sample | Loss | TrackFormat], track: int, now_us: int | None = None) -> None:
        """What one receiver made. now_us: CLOCK_BOOTTIME; None at the end of a session, for what is left, whatever it is.

        Raises ExcessError where it is more than any camera sends; what came before that was delivered.
        """
        self._now_us = now_us
        if now_us is not None and not self._bounds.items.take(len(items), now_us):
            raise ExcessError("the camera sends more pictures or packets a second than can be recorded")
        batch: list[Sample] = []
        for item in items:
            if type(item) is Sample:
                batch.append(item)
                continue
            if batch:
                self._samples(batch, track)
                batch = []
            if isinstance(item, TrackFormat):
                self._format(track, item)
            elif isinstance(item, Loss) and self.opened:
                self._sink.lost(item)
        if batch:
            self._samples(batch, track)

    def sender_reports(self, reports: Sequence[SenderReport], now_us: int) -> None:
        """What the camera says of its clock. Raises ExcessError, as `take`."""
        if reports and not self._bounds.items.take(len(reports), now_us):
            raise ExcessError("the camera sends more reports a second than can be taken in")
        if self.opened:
            for report in reports:
                self._sink.sender_report(report)

    def close(self, fault: Fault | None, detail: str) -> None:
        """The end of the sink's session, where one is open."""
        if self.opened:
            self.opened = False
            self._sink.closed(fault, detail)

    def _format(self, track: int, new: TrackFormat) -> None:
        if self._formats[track] == new:
            return
        self._formats[track] = new
        self._held, self._held_bytes = [], 0
        if self.opened:
            if self._now_us is not None and not self._bounds.formats.take(1, self._now_us):
                raise ExcessError("the camera changes its parameters over and over")
            self._sink.formats_changed(self._known())

    def _known(self) -> tuple[TrackFormat, ...]:
        return tuple(known for known in self._formats if known is not None)

    def _samples(self, batch: list[Sample], track: int) -> None:
        if track != _VIDEO:
            if self.opened:
                self._sink.samples(batch)
            return
        self.last_sample_us = batch[-1].arrival_boot_us
        for sample in batch:
            if self.frozen.see(sample):
                self._hold(sample)
            else:
                self._release(sample)

    def _hold(self, sample: Sample) -> None:
        if self.frozen_since_us is None:
            self.frozen_since_us = sample.arrival_boot_us
            self.close(Fault.FROZEN, FROZEN)
            self._changed(Fault.FROZEN, FROZEN)
        if sample.sync or self._held_bytes > _MAX_HELD_BYTES:
            self._held, self._held_bytes = [], 0
        if sample.sync or self._held:
            self._held.append(sample)
            self._held_bytes += len(sample.data)

    def _release(self, sample: Sample) -> None:
        held = [] if sample.sync else self._held
        self._held, self._held_bytes = [], 0
        if not self.opened:
            if not held and not sample.sync:
                return
            self.opened = self.streamed = True
            self.frozen_since_us = None
            self._changed(None, "")
            self._sink.opened(self._known())
        self._sink.samples([*held, sample])
