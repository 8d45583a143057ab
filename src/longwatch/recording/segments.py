"""Stored samples to fragments and segment files, as operations for the archive. Pure but for its own counters.

A segment begins with a sync sample and holds one set of formats. A fragment is what came since the last tick; it is
closed by the tick, or where the segment ends. Video is track 0 of every file.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from longwatch.archive.ops import FragmentAppend, MediaOp, SegmentOpen, SegmentSeal
from longwatch.formats.bmff import GUARD_BYTES, IndexBuilder, SegmentIdentity, Stored, fragment, segment_header
from longwatch.formats.media import Codec, TrackFormat
from longwatch.model.sessions import StreamKey
from longwatch.model.stores import FragmentRow
from longwatch.recording.options import Options
from longwatch.recording.placement import Placer

tokens: Iterator[int] = itertools.count(1)
"""Numbers for segments, unique in this process: the archive knows an open file by its token."""


@dataclass(frozen=True, slots=True)
class RunIdentity:
    """Which run the segments belong to, and how its media time stands on the wall."""

    key: StreamKey
    boot: str
    number: int
    placer: Placer


class OpenSegment:
    """One file that is being written. Owner: its stream's recorder.

    tracks: as in the file, video first. start_90k: media time of its first video sample.
    """

    __slots__ = (
        "_arrival_boot_us",
        "_damaged",
        "_fragments",
        "_index",
        "_offset",
        "_open",
        "_others",
        "_placer",
        "_video",
        "start_90k",
        "token",
        "tracks",
    )  # fmt: skip

    def __init__(
        self, run: RunIdentity, sequence: int, start_90k: int, tracks: tuple[TrackFormat, ...], options: Options
    ) -> None:
        self.token = next(tokens)
        self.start_90k = start_90k
        self.tracks = tracks
        self._placer = run.placer
        self._index = IndexBuilder([track.timescale for track in tracks])
        self._video: list[Stored] = []
        self._others: dict[int, list[Stored]] = {}
        self._arrival_boot_us = 0
        self._damaged = False
        self._fragments = 0
        wall_us = run.placer.wall_us(start_90k)
        identity = SegmentIdentity(
            options.writer, options.post, run.key.camera, run.key.stream, run.boot, run.number, sequence, start_90k,
            wall_us, int(run.placer.provenance),
        )  # fmt: skip
        header = segment_header(identity, tracks)
        self._offset = len(header) + GUARD_BYTES
        self._open: SegmentOpen | None = SegmentOpen(
            self.token, run.key, run.number, sequence, start_90k, wall_us, run.placer.provenance, header
        )

    def video(self, stored: Stored, arrival_boot_us: int) -> None:
        """Add a video sample."""
        if not self._video:
            self._arrival_boot_us = arrival_boot_us
        self._video.append(stored)
        if stored[5]:
            self._damaged = True

    def other(self, track: int, stored: Stored) -> None:
        """Add a sample of another track of the file. A moment lasts until the next one: within a fragment no time is left between samples."""
        before = self._others.setdefault(track, [])
        if before and self.tracks[track].codec is Codec.THERMAL_STILL:
            at, cts_offset, _, sync, data, damaged = before[-1]
            before[-1] = (at, cts_offset, stored[0] - at, sync, data, damaged)
        before.append(stored)

    def cut(self, emit: Callable[[MediaOp], None]) -> int:
        """Close the open fragment, if it has video, and hand out what makes it. Answers with its bytes."""
        video = self._video
        if not video:
            return 0
        runs: list[tuple[int, list[Stored]]] = [(0, video)]
        runs += sorted(self._others.items())
        self._fragments += 1
        parts = fragment(self._fragments, runs, stored=True)
        size = sum(map(len, parts))
        start_90k = video[0][0]
        end_90k = video[-1][0] + video[-1][2]
        syncs = tuple([stored[0] - start_90k for stored in video if stored[3]])
        if self._open is not None:
            emit(self._open)
            self._open = None
        row = FragmentRow(self._offset, size, start_90k, end_90k, syncs, b"")
        emit(
            FragmentAppend(
                self.token, parts, row, self._placer.wall_us(end_90k), self._arrival_boot_us, self._damaged
            )
        )  # fmt: skip
        self._index.add(self._offset, len(parts[0]), runs)
        self._offset += size + GUARD_BYTES
        self._video = []
        self._others = {}
        self._damaged = False
        return size

    def seal(self, emit: Callable[[MediaOp], None]) -> None:
        """Close the file. A file that holds nothing never was."""
        self.cut(emit)
        if self._open is None:
            emit(SegmentSeal(self.token, self._index.pack()))
