"""One stream that somebody watches."""

from __future__ import annotations

from typing import Protocol

from longwatch.formats.media import Sample, TrackFormat
from longwatch.live.chunks import Chunk, Chunker
from longwatch.live.formats import LiveFormat
from longwatch.live.viewer import Viewer

MOST_KEPT_BYTES = 12 << 20


class Tap(Protocol):
    """Who takes the samples themselves, and makes something else of them."""

    def format(self, tracks: tuple[TrackFormat, ...]) -> None: ...
    def sample(self, sample: Sample) -> None: ...


class Feed:
    """Makes each chunk once, keeps those since the last sync sample for who comes next, and hands them to all viewers.

    kept: at most 12 MiB; a longer group of pictures is not kept, and a newcomer then waits for the next sync sample.
    """

    def __init__(self) -> None:
        self.viewers: set[Viewer] = set()
        self.taps: set[Tap] = set()
        self.subscribed = False
        self._generation: int | None = None
        self._format: LiveFormat | None = None
        self._chunker: Chunker | None = None
        self._epoch_boot_us: int | None = None
        self._sequence = 1
        self._kept: list[Chunk] = []
        self._kept_bytes = 0

    def add(self, viewer: Viewer) -> None:
        """From now on; beginning with the last sync sample."""
        self.viewers.add(viewer)
        if self._format is not None and not self._format.playable:
            viewer.refuse(self._format)
        for chunk in self._kept:
            viewer.offer(chunk, self._kept[-1].arrival_boot_us)

    def add_tap(self, tap: Tap) -> None:
        """From now on."""
        self.taps.add(tap)
        if self._format is not None and self._generation is not None:
            tap.format(self._format.tracks)

    def restarted(self) -> None:
        """The recorder is a new one, or the connection is: what it sends begins anew."""
        self.subscribed = False
        self._generation = None
        self._drop_kept()

    def over(self) -> None:
        """The session is over: nobody joins with its pictures. What comes next may be masked, and they are not."""
        self._drop_kept()
        for tap in self.taps:
            tap.format(())

    def format(self, generation: int, tracks: tuple[TrackFormat, ...]) -> None:
        """The parameters of what follows."""
        self._generation = generation
        self._drop_kept()
        if self._chunker is not None:
            self._sequence = self._chunker.sequence
        self._chunker = None
        if self._format is None or self._format.tracks != tracks:
            self._format = LiveFormat.of(tracks)
        if not self._format.playable:
            for viewer in self.viewers:
                viewer.refuse(self._format)
        for tap in self.taps:
            tap.format(tracks)

    def sample(self, generation: int, sample: Sample) -> None:
        """One sample; one of an older generation is ignored."""
        if generation != self._generation or self._format is None:
            return
        for tap in self.taps:
            tap.sample(sample)
        if self._chunker is None:
            if self._epoch_boot_us is None:
                self._epoch_boot_us = sample.arrival_boot_us
            self._chunker = Chunker(self._format, self._epoch_boot_us, self._sequence)
        chunk = self._chunker.chunk(sample)
        if chunk is None:
            return
        self._keep(chunk)
        for viewer in self.viewers:
            viewer.offer(chunk, sample.arrival_boot_us)

    def _keep(self, chunk: Chunk) -> None:
        if chunk.sync:
            self._drop_kept()
        elif not self._kept:
            return
        self._kept.append(chunk)
        self._kept_bytes += len(chunk.data)
        if self._kept_bytes > MOST_KEPT_BYTES:
            self._drop_kept()

    def _drop_kept(self) -> None:
        self._kept = []
        self._kept_bytes = 0
