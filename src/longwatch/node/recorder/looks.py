"""What looks at pictures, seen from the recorder: sizes of all samples now and then, bytes of few. docs/design/watching.md.

While nothing moves it costs the recorder a frame in two seconds and stream, and less than that many writes: what waits of several streams for one neighbour goes out together, so that
it wakes once for all of them. Nothing here waits for anybody: what the neighbour does not take is dropped and counted.
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

BATCH_US, LATER_BATCH_US = 400_000, 800_000
"""While all is given: in the first two seconds, in which something is found or not, and after them."""
_LATER_US = 2_000_000
CALM_BATCH_US, LEAST_BATCH_US = 2_000_000, 800_000
"""While sizes alone are told, and none is unusual: who looks learns up to so much later that something begins. Of short groups of pictures it is less (`_IN_TIME_US`)."""
_IN_TIME_US = 200_000
"""Before the next group begins, what opened the gate in the one before is to be asked for: one more is not held."""
KEY_US = 800_000
"""A sync sample that is given is told at most so much later."""
_TOGETHER = 0.6
"""What waits for so much of its time goes along with what another stream has to tell."""
_LARGER, _DECAY = 1.1, 0.005
"""A picture larger than nearly all lately is told at once. What counts as that rises by a tenth with each, and falls by so much a second: in calm there is one in twenty seconds."""
_UNUSED_US = 5_000_000
_BATCH_BYTES = 256 << 10
"""Of what is given. So much is also kept until it is told, where only sizes are: the memory of what is recorded is counted elsewhere."""
_MOST_GROUP_BYTES = 12 << 20
"""Of an open group: who looks holds no more either, and a group that never ends is not copied to it."""
_MOST_BEFORE_BYTES, BEFORE_US = 1 << 20, 2_400_000
"""Of the group before the open one, and for how long: sizes are told so late that what they tell may lie in it."""
_numbers = itertools.count(-1, -1)  # no number of a `Subscription`


class Round:
    """All looks of one neighbour: what several of them have to tell goes out in one write."""

    def __init__(self, peer: Peer) -> None:
        self.peer = peer
        self.looks: list[Look] = []

    def tell(self, first: Look, now_us: int) -> None:
        """What waits of this one, and of those that would have told it soon."""
        going = [look for look in self.looks if look is first or look.may_go(now_us)]
        if not self.peer.push(b"".join([look.batch() for look in going])):
            for look in going:
                look.lost()
        for look in going:
            look.gone()


class Look:
    """One neighbour's look at one stream. key_us: of sync samples, one in about so long comes with its bytes. between_us: of the others, one in about so long; 0: none. whole: all do. beside: all of that neighbour's looks."""

    def __init__(self, peer: Peer, key: StreamKey, tap: LiveTap, key_us: int, beside: Round | None = None) -> None:
        self.key = key
        self.key_us = key_us
        self.between_us = 0
        self.dropped = 0
        self._peer = peer
        self._round = beside or Round(peer)
        self.tap = tap
        self._number = next(_numbers)
        self._whole = False
        self._codec = Codec.H264
        self._generation = 0
        self._held: list[Sample] = []  # the last that wait, as they came; with their bytes where `_holds_whole`
        self._holds_whole = False
        self._room = 0  # bytes that may be held yet
        self._rows: list[tuple[bytes, bytes]] = []  # what waited before them
        self._given: list[bytes] = []
        self._first_us = self._last_us = self._may_us = self._due_us = 0
        self._plain_us = 0  # up to when what is as usual is only held
        self._wanted = False  # what waits holds a sync sample that somebody is to look at
        self._whole_us = 0  # since when all is given
        self._group_us = 0  # how long the last group was
        self._large, self._large_us = 0.0, 0
        self._last_key_us: int | None = None
        self._given_us = 0  # of the last that came with its bytes
        self._sync_us = 0
        self._broken = False
        self._group: Sequence[Sample] = ()
        self._before: Sequence[Sample] = ()
        peer.on_gone.append(self.end)

    def begin(self) -> None:
        """From now on."""
        self._round.looks.append(self)
        self.tap.subscribe(self._number, self._formats, self._samples, patient=True)

    def end(self) -> None:
        """No more."""
        self.tap.unsubscribe(self._number)
        if self in self._round.looks:
            self._round.looks.remove(self)

    def give_all(self, *, on: bool, again: bool = False) -> None:
        """With their bytes from the last sync sample on, and from the one before it where that was a moment ago; or sizes again. again: the open group once more."""
        if on and (again or not self._whole):
            self._flush()
            self._release()  # what is only held let no time pass
            group = [sample for sample in self.tap.open_group if sample.track == self.tap.video]
            if group and not again:
                group[:0] = [sample for sample in self._before if sample.track == self.tap.video]
            if _size(group) > _MOST_GROUP_BYTES:
                self.dropped += len(group)
                group = []
            rows = [row_of(sample, self._codec, whole=True) for sample in group]
            self._broken = not self._push("look_group", rows, [sample.data for sample in group]) or not group
        if on is not self._whole:
            self._settle()
            if on:
                self._whole_us = self._last_us
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
        if len(batch) == 1:  # nearly always; what is as usual is only held: it is called where nothing is in a cache
            sample = batch[0]
            if sample.track != self.tap.video:
                return
            size = len(sample.data)
            if (
                self._first_us <= sample.arrival_boot_us < self._plain_us
                and not sample.sync
                and size <= self._large
                and size <= self._room
            ):
                self._held.append(sample)
                self._room -= size
                return
        self._settle()
        self._generation = generation
        video, group, began = self.tap.video, self.tap.open_group, False
        for sample in batch:
            if sample.track == video:
                began = began or sample.sync
                self._take(sample)
        if group is not self._group or began:
            before, self._group = self._group, group
            self._before = before if began and before is not group and _size(before) <= _MOST_BEFORE_BYTES else ()
        else:
            self._release()

    def _release(self) -> None:
        """The group before is given for a moment only."""
        if self._before and self._last_us - self._before[-1].arrival_boot_us > BEFORE_US:
            self._before = ()

    def _settle(self) -> None:
        """What is held becomes rows."""
        held = self._held
        self._plain_us = 0
        if held:
            self._rows += [row_of(sample, self._codec, whole=self._holds_whole) for sample in held]
            if self._holds_whole:
                self._given += [sample.data for sample in held]
            else:
                self._room += _size(held)
            self._last_us = held[-1].arrival_boot_us
            held.clear()

    def _take(self, sample: Sample) -> None:
        arrival_us = sample.arrival_boot_us
        if self._rows and not 0 <= arrival_us - self._first_us < _UNUSED_US:
            self._flush()  # the stream stood still
        self._last_us = arrival_us
        if sample.sync:
            self._group_us, self._sync_us = arrival_us - self._sync_us, arrival_us
        if not self._rows:
            batch_us = self._batch_us(arrival_us)
            self._first_us, self._due_us = arrival_us, arrival_us + batch_us
            self._may_us = arrival_us + round(_TOGETHER * batch_us)
            self._room = _BATCH_BYTES
        whole = self._whole
        if sample.sync:
            self._broken = False
            last_us = self._last_key_us
            # the one nearest to the time, as the gate has it: the first after it may be a whole group later
            if (
                whole
                or last_us is None
                or not 0 <= arrival_us - last_us < self.key_us - min(self._group_us, self.key_us) // 2
            ):
                if not whole:
                    self._due_us, self._wanted = min(self._due_us, arrival_us + KEY_US), True
                whole = True
                self._last_key_us = arrival_us
        elif whole:
            whole = not self._broken  # of no use without what it builds on
        else:
            whole = self._is_between(sample)
        row = row_of(sample, self._codec, whole=whole)
        self._rows.append(row)
        if whole:
            self._given_us = arrival_us
            self._given.append(sample.data)
            self._room -= len(sample.data)
        if not sample.sync and self._is_unusual(len(sample.data), arrival_us):
            self._due_us = arrival_us
        if arrival_us >= self._due_us or self._room < 0:
            self._flush()
        else:
            self._plain_us, self._holds_whole = self._due_us, self._whole and not self._broken
            if self._asks_between and not self._whole:
                self._plain_us = min(self._plain_us, self._given_us + self.between_us)

    @property
    def _asks_between(self) -> bool:
        """Whether motion vectors can be had of single samples."""
        return self.between_us > 0 and self._codec is Codec.H264

    def _is_between(self, sample: Sample) -> bool:
        """Whether its motion vectors may be asked: of what is shown in the order in which it comes, it builds on what was before it alone."""
        if not self._asks_between or sample.damaged or sample.cts_offset:
            return False
        return not 0 <= sample.arrival_boot_us - self._given_us < self.between_us

    def _batch_us(self, now_us: int) -> int:
        """How long the one that begins now may be."""
        if self._whole:
            return BATCH_US if now_us - self._whole_us < _LATER_US else LATER_BATCH_US
        return min(CALM_BATCH_US, max(LEAST_BATCH_US, self._group_us - _IN_TIME_US))

    def _is_unusual(self, size: int, now_us: int) -> bool:
        """Whether it is larger than nearly all lately: something may begin, and is not to wait."""
        passed_us, self._large_us = now_us - self._large_us, now_us
        if size > self._large:
            known = self._large > 0
            self._large = max(self._large * _LARGER, size * 0.5) if known else size * _LARGER
            return known
        if passed_us > 0:
            self._large *= max(0.5, 1 - _DECAY * passed_us / 1e6)
        return False

    def may_go(self, now_us: int) -> bool:
        """Whether it has something to tell that has waited long enough, or is to be looked at."""
        return bool(self._rows) and (self._wanted or now_us >= self._may_us)

    def batch(self) -> bytes:
        """What waits."""
        self._settle()
        return encode_rows("look_batch", self.key, self._generation, self._rows, self._given, self.dropped)

    def lost(self) -> None:
        """It was not taken."""
        self.dropped += len(self._rows)
        self._broken = True

    def gone(self) -> None:
        """It waits no longer."""
        self._rows, self._given, self._wanted = [], [], False

    def _flush(self) -> None:
        self._settle()
        if self._rows:
            self._round.tell(self, self._last_us)

    def _push(self, kind: str, rows: list[tuple[bytes, bytes]], given: list[bytes]) -> bool:
        if self._peer.push(encode_rows(kind, self.key, self._generation, rows, given, self.dropped)):
            return True
        self.dropped += len(rows)
        return False


def _size(samples: Sequence[Sample]) -> int:
    return sum([len(sample.data) for sample in samples])
