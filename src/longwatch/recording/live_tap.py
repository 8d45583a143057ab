"""Live samples on their way out of the recorder, and the open group of pictures for those who join.

Owner of its state: the recorder's loop. Whoever subscribes gets every batch by a synchronous call and bounds what it holds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from longwatch.formats.media import Sample, TrackFormat
from longwatch.recording.options import Budget

FormatsCallback = Callable[[int, tuple[TrackFormat, ...]], None]
SamplesCallback = Callable[[int, Sequence[Sample]], None]


class LiveTap:
    """One stream's. generation: rises with each session and each change of formats; formats without a track are the end of a
    session. on_watched: hears of the first who
    joins, and of the last who leaves.
    """

    __slots__ = (
        "_budget", "_cached", "_cached_bytes", "_caching", "_patient", "_subscribers", "generation", "on_watched", "tracks", "video",
    )  # fmt: skip

    def __init__(self, budget: Budget) -> None:
        self.generation = 0
        self.tracks: tuple[TrackFormat, ...] = ()
        self.video = 0
        self.on_watched: Callable[[bool], None] = _nobody_asks
        self._budget = budget
        self._cached: list[Sample] = []
        self._cached_bytes = 0
        self._caching = False
        self._subscribers: dict[int, tuple[FormatsCallback, SamplesCallback]] = {}
        self._patient: set[int] = set()

    @property
    def watched(self) -> bool:
        """Whether anybody has joined who waits for each picture."""
        return len(self._subscribers) > len(self._patient)

    @property
    def open_group(self) -> Sequence[Sample]:
        """All samples since the last sync sample of video; none where memory did not allow to keep them."""
        return self._cached

    def formats(self, tracks: tuple[TrackFormat, ...], video: int) -> None:
        """A session or a new set of parameters begins."""
        self._forget()
        self._caching = False
        self.generation += 1
        self.tracks = tracks
        self.video = video
        for on_formats, _ in list(self._subscribers.values()):
            on_formats(self.generation, tracks)

    def closed(self) -> None:
        """The session is over: nobody is to join its pictures, here or further on."""
        self._forget()
        self._caching = False
        self.tracks = ()
        for on_formats, _ in list(self._subscribers.values()):
            on_formats(self.generation, ())

    def samples(self, batch: Sequence[Sample], size: int, sync_at: int) -> None:
        """Pass a batch of `size` bytes on, and keep it for those who join before the next sync sample of video.

        sync_at: where in the batch the last of these is; -1 where there is none.
        """
        if sync_at >= 0:
            self._forget()
            self._caching = True
        if sync_at > 0:
            kept = batch[sync_at:]
            self._keep(kept, sum(len(sample.data) for sample in kept))
        else:
            self._keep(batch, size)
        if self._subscribers:
            for _, on_samples in list(self._subscribers.values()):
                on_samples(self.generation, batch)

    def _keep(self, batch: Sequence[Sample], size: int) -> None:
        if not self._caching:
            return
        if self._budget.take(size):
            self._cached.extend(batch)
            self._cached_bytes += size
        else:
            self._forget()
            self._caching = False

    def _forget(self) -> None:
        if self._cached:
            self._budget.give_back(self._cached_bytes)
            self._cached = []
            self._cached_bytes = 0

    def subscribe(
        self, number: int, on_formats: FormatsCallback, on_samples: SamplesCallback, *, patient: bool = False
    ) -> None:
        """Join: at once the formats and the open group of pictures, where there are any, then all that comes. patient: it need not come at
        once, so the source goes on reading as if nobody had joined.
        """
        before = self.watched
        self._subscribers[number] = (on_formats, on_samples)
        if patient:
            self._patient.add(number)
        if self.watched and not before:
            self.on_watched(True)
        if self.tracks:
            on_formats(self.generation, self.tracks)
            if self._cached:
                on_samples(self.generation, self._cached)

    def unsubscribe(self, number: int) -> None:
        """Leave."""
        before = self.watched
        self._subscribers.pop(number, None)
        self._patient.discard(number)
        if before and not self.watched:
            self.on_watched(False)


def _nobody_asks(_: bool) -> None:
    """Until the stream has a source that could hurry."""
