"""Samples into live chunks: their times on one clock that begins when the feed does."""

from __future__ import annotations

from typing import NamedTuple

from longwatch.formats.bmff import live_chunk
from longwatch.formats.codecs import CodecError
from longwatch.formats.media import Codec, Kind, Sample
from longwatch.live.formats import LiveFormat, as_played

# A camera whose timestamps jump (clock set, encoder restarted) would leave a hole in which the player waits for ever.
_MOST_APART_US = 3_000_000
_AUDIO_DURATIONS = {Codec.AAC: 1024, Codec.OPUS: 960}


class Chunk(NamedTuple):
    """One sample on its way. sync: a video sync sample. audio: it is to be heard. arrival_boot_us: when its last packet was
    read.
    """

    data: bytes
    sync: bool
    audio: bool
    format: LiveFormat
    media_s: float
    arrival_boot_us: int


class _Track:
    """Where one track stands. base: what is taken from its dts. duration: of the sample before, a guess for this one.

    bytes_a_tick: of G.711, whose samples say themselves how long they are; 0 for all else.
    """

    __slots__ = ("base", "bytes_a_tick", "duration", "last", "timescale")

    def __init__(self, timescale: int, duration: int, bytes_a_tick: int) -> None:
        self.timescale = timescale
        self.bytes_a_tick = bytes_a_tick
        self.duration = duration
        self.base: int | None = None
        self.last = -1

    def place(self, dts: int, expected: int) -> int:
        """The decode time in the chunk: steady by the camera's clock, near `expected` (by arrival), never back."""
        if self.base is None or abs(dts - self.base - expected) * 1_000_000 > _MOST_APART_US * self.timescale:
            self.base = dts - max(expected, self.last + 1)
        placed = max(dts - self.base, self.last + 1)
        if self.last >= 0 and placed - self.last < self.timescale:
            self.duration = placed - self.last
        self.last = placed
        return placed


class Chunker:
    """Makes the chunks of one format. epoch_boot_us: arrival that is media time 0, shared by all formats of a feed."""

    def __init__(self, live_format: LiveFormat, epoch_boot_us: int, sequence: int = 1) -> None:
        self.format = live_format
        self.sequence = sequence
        self._epoch_boot_us = epoch_boot_us
        self._tracks = {}
        self._outputs = {index: n for n, index in enumerate(live_format.played)}
        for index, track in live_format.played.items():
            if track.kind is Kind.VIDEO:
                guess = round(track.timescale / track.fps) if track.fps else track.timescale // 25
            else:
                guess = _AUDIO_DURATIONS.get(track.codec, track.timescale // 50)
            bytes_a_tick = track.channels if track.codec is Codec.FLAC else 0
            self._tracks[index] = _Track(track.timescale, guess, bytes_a_tick)

    def chunk(self, sample: Sample) -> Chunk | None:
        """None for a track that is not played, and for a sample that cannot be."""
        track = self._tracks.get(sample.track)
        if track is None:
            return None
        expected = max(0, sample.arrival_boot_us - self._epoch_boot_us) * track.timescale // 1_000_000
        dts = track.place(sample.dts, expected)
        try:
            payload = as_played(self.format.tracks[sample.track], dts, sample.data)
        except CodecError:
            return None
        data = live_chunk(
            self.sequence,
            self._outputs[sample.track],
            dts,
            sample.cts_offset,
            track.duration if track.bytes_a_tick == 0 else max(1, len(sample.data) // track.bytes_a_tick),
            sample.sync,
            payload,
        )
        self.sequence += 1
        video = self.format.tracks[sample.track].kind is Kind.VIDEO
        media_s = (dts + sample.cts_offset) / track.timescale
        return Chunk(data, sample.sync and video, not video, self.format, media_s, sample.arrival_boot_us)
