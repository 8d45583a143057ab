"""What looks at pictures, seen from the recorder: sizes of all samples a few times a second, bytes of few. docs/design/watching.md.

It costs the recorder two frames a second and stream while nothing moves. Nothing here waits: what the neighbour does not take is dropped and counted.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from longwatch.formats.media import Codec, Sample, TrackFormat
from longwatch.model.sessions import StreamKey
from longwatch.node.link import Peer
from longwatch.recording import LiveTap
from longwatch.wire.frames import encode
from longwatch.wire.looking import encode_rows, row_of
from longwatch.wire.media import encode_format

BATCH_US = 400_000
QUIET_BATCH_US = 800_000
"""While sizes alone are told: who looks learns up to so much later that something begins."""
_BATCH_BYTES = 256 << 10
_MOST_GROUP_BYTES = 12 << 20
"""Of an open group: who looks holds no more either, and a group that never ends is not copied to it."""
_MOST_BEFORE_BYTES, BEFORE_US = 1 << 20, 1_200_000
"""Of the group before the open one, and for how long: sizes are told so late that what they tell may lie in it."""
_numbers = itertools.count(-1, -1)  # no number of a `Subscription`


class Look:
    """One neighbour's look at one stream. key_us: of sync samples, one in about so long comes with its bytes. whole: all do."""

    def __init__(self, peer: Peer, key: StreamKey, tap: LiveTap, key_us: int) -> None:
        self.key = key
        self.key_us = key_us
        self.dropped = 0
        self._peer = peer
        self.tap = tap
        self._number = next(_numbers)
        self._whole = False
        self._codec = Codec.H264
        self._generation = 0
        self._rows: list[tuple[bytes, bytes]] = []
        self._given: list[bytes] = []
        self._given_bytes = 0
        self._first_us = 0
        self._last_key_us: int | None = None
        self._sync_us = 0
        self._broken = False
        self._group: Sequence[Sample] = ()
        self._before: Sequence[Sample] = ()
        peer.on_gone.append(self.end)

    def begin(self) -> None:
        """From now on."""
        self.tap.subscribe(self._number, self._formats, self._samples, patient=True)

    def end(self) -> None:
        """No more."""
        self.tap.unsubscribe(self._number)

    def give_all(self, *, on: bool, again: bool = False) -> None:
        """With their bytes from the last sync sample on, and from the one before it where that was a moment ago; or sizes again. again: the open group once more."""
        if on and (again or not self._whole):
            self._flush()
            group = [sample for sample in self.tap.open_group if sample.track == self.tap.video]
            if group and not again:
                group[:0] = [sample for sample in self._before if sample.track == self.tap.video]
            if _size(group) > _MOST_GROUP_BYTES:
                self.dropped += len(group)
                group = []
            rows = [row_of(sample, self._codec, whole=True) for sample in group]
            self._broken = not self._push("look_group", rows, [sample.data for sample in group]) or not group
        self._whole = on

    def _formats(self, generation: int, tracks: tuple[TrackFormat, ...]) -> None:
        self._flush()
        self._generation = generation
        self._broken = False
        self._before = self._group = ()
        if tracks:
            self._codec = tracks[self.tap.video].codec
            data = encode_format(self.key, generation, (tracks[self.tap.video],))
        else:
            data = encode({"type": "live_over", "stream": list(self.key), "generation": generation})
        if not self._peer.push(data):
            self.dropped += 1  # it learns from the count that something is amiss, and asks anew

    def _samples(self, generation: int, batch: Sequence[Sample]) -> None:
        self._generation = generation
        video, group, began = self.tap.video, self.tap.open_group, False
        for sample in batch:
            if sample.track == video:
                began = began or sample.sync
                self._take(sample)
        if group is not self._group or began:
            before, self._group = self._group, group
            self._before = before if began and before is not group and _size(before) <= _MOST_BEFORE_BYTES else ()
        elif self._before and batch and batch[-1].arrival_boot_us - self._before[-1].arrival_boot_us > BEFORE_US:
            self._before = ()

    def _take(self, sample: Sample) -> None:
        arrival_us = sample.arrival_boot_us
        if self._rows and (
            not 0 <= arrival_us - self._first_us < (BATCH_US if self._whole else QUIET_BATCH_US)
            or self._given_bytes > _BATCH_BYTES
        ):
            self._flush()
        if not self._rows:
            self._first_us = arrival_us
        whole = self._whole
        if sample.sync:
            self._broken = False
            last_us, group_us, self._sync_us = self._last_key_us, arrival_us - self._sync_us, arrival_us
            # the one nearest to the time, as the gate has it: the first after it may be a whole group later
            if (
                whole
                or last_us is None
                or not 0 <= arrival_us - last_us < self.key_us - min(group_us, self.key_us) // 2
            ):
                whole = True
                self._last_key_us = arrival_us
        elif self._broken:
            whole = False  # of no use without what it builds on
        self._rows.append(row_of(sample, self._codec, whole=whole))
        if whole:
            self._given.append(sample.data)
            self._given_bytes += len(sample.data)

    def _flush(self) -> None:
        if not self._rows:
            return
        rows, given = self._rows, self._given
        self._rows, self._given, self._given_bytes = [], [], 0
        if not self._push("look_batch", rows, given):
            self._broken = True

    def _push(self, kind: str, rows: list[tuple[bytes, bytes]], given: list[bytes]) -> bool:
        if self._peer.push(encode_rows(kind, self.key, self._generation, rows, given, self.dropped)):
            return True
        self.dropped += len(rows)
        return False


def _size(samples: Sequence[Sample]) -> int:
    return sum([len(sample.data) for sample in samples])
