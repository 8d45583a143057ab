"""What a camera sends beside its picture (ONVIF metadata, thermal stills), on its way to the server. docs/design/thermal.md.

Documents and stills alone, never video: a thermal camera's readings cost the socket a kilobyte a second. Nothing waits: what the neighbour does not take, and what comes
faster than `MOST_A_SECOND`, is dropped and counted.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from longwatch.formats.media import Codec, Kind, Sample, TrackFormat
from longwatch.model.sessions import StreamKey
from longwatch.node.link import Peer
from longwatch.recording import LiveTap
from longwatch.wire.frames import encode

MOST_A_SECOND = 20
MOST_BYTES = 256 << 10
MOST_STILL_BYTES = 4 << 20
_numbers = itertools.count(1_000_000_000)  # no number of a `Subscription`, nor of a `Look`


class Notes:
    """One neighbour's ear at one stream. Owner of its state."""

    def __init__(self, peer: Peer, key: StreamKey, tap: LiveTap) -> None:
        self.key = key
        self.tap = tap
        self.dropped = 0
        self._peer = peer
        self._number = next(_numbers)
        self._tracks: dict[int, str] = {}
        self._second_us = 0
        self._in_second = 0
        peer.on_gone.append(self.end)

    def begin(self) -> None:
        """From now on."""
        self.tap.subscribe(self._number, self._formats, self._samples, patient=True)

    def end(self) -> None:
        """No more."""
        self.tap.unsubscribe(self._number)

    def _formats(self, _: int, tracks: tuple[TrackFormat, ...]) -> None:
        self._tracks = {number: track.codec for number, track in enumerate(tracks) if track.kind is Kind.METADATA}

    def _samples(self, _: int, batch: Sequence[Sample]) -> None:
        if not self._tracks:
            return
        for sample in batch:
            if sample.track in self._tracks:
                self._take(sample)

    def _take(self, sample: Sample) -> None:
        if not 0 <= sample.arrival_boot_us - self._second_us < 1_000_000:
            self._second_us, self._in_second = sample.arrival_boot_us, 0
        self._in_second += 1
        codec = self._tracks[sample.track]
        header = {
            "type": "note", "stream": list(self.key), "arrival": sample.arrival_boot_us, "dropped": self.dropped, "codec": codec,
        }  # fmt: skip
        most = MOST_STILL_BYTES if codec == Codec.THERMAL_STILL else MOST_BYTES
        too_much = self._in_second > MOST_A_SECOND or len(sample.data) > most
        if too_much or not self._peer.push(encode(header, bytes(sample.data))):
            self.dropped += 1
