"""What the recorder tells who looks: sizes and types of many access units at once, and the bytes of those that are worth it.

`look_batch` {stream, generation, samples, missed} with rows as body, and behind them the bytes of the samples that are given whole, one after another. A row:
arrival (8 bytes; us of CLOCK_BOOTTIME), dts (8), cts offset (4), useful size (4), size of the bytes given here (4; 0: none), flags (1; 1 sync, 2 damaged; the rest of a sync sample: its make-up),
size of its head (1). All big-endian. Between rows and bytes stand the heads: the first bytes of the first slice, from which the quantizer can be read. `look_group` is the same, of the group of pictures that is open, and of the one before it where that ended a moment ago: samples that were told before, now with their bytes.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import NamedTuple

from longwatch.base.errors import LongwatchError
from longwatch.formats.media import Codec, Sample
from longwatch.wire.frames import Frame, encode

ROW = struct.Struct(">QqIIIBB")
HEAD_BYTES = 40
_MOST_UNITS = 256
"""NAL units of one access unit that are looked through: a camera may send them by the hundred thousand, each of a byte."""
_SYNC, _DAMAGED = 1, 2
_MAKEUP, _MAKEUPS = 2, 61
"""By so many bits it is shifted; it is a set of kinds of NAL units, as bits, by modulus. One kind more, less or in place of another (2 is a primitive root of 61) makes another number."""
_SLICES = (1, 2, 5)
_FILLER = {Codec.H264: (0, 0x1F, 12), Codec.H265: (1, 0x3F, 38)}
"""How the type of a NAL unit stands in its first byte (shift, mask), and that of filler data (H.264 7.4.2.7, H.265 7.4.3.6)."""


class Row(NamedTuple):
    """One access unit. size: without what only fills it up. given: how many of its bytes come with it. head: bytes of its slice header that do."""

    arrival_us: int
    dts: int
    cts: int
    size: int
    given: int
    flags: int
    head: int = 0

    @property
    def sync(self) -> bool:
        return bool(self.flags & _SYNC)

    @property
    def damaged(self) -> bool:
        return bool(self.flags & _DAMAGED)

    @property
    def makeup(self) -> int:
        """Of a sync sample: which kinds of NAL units it is made of, as a number that is another for another set of them."""
        return self.flags >> _MAKEUP


def measured(codec: Codec, data: bytes) -> tuple[int, bytes, int]:
    """Bytes of an access unit without its filler NAL units (an encoder of constant rate pads with them), the head of its first slice (H.264 alone), and the kinds of all others, as bits."""
    known = _FILLER.get(codec)
    size = len(data)
    if known is None:
        return size, b"", 0
    shift, mask, filler = known
    head, slices = b"", _SLICES if codec is Codec.H264 else ()
    if size > 4 and int.from_bytes(data[:4]) == size - 4:  # one NAL unit, as most pictures of a sub-stream are
        kind = data[4] >> shift & mask
        if kind in slices:
            return size, data[4 : 4 + HEAD_BYTES], 1 << kind
    at, end, units, kinds = 0, size - 4, 0, 0
    while at < end and units < _MOST_UNITS:
        units += 1
        length = int.from_bytes(data[at : at + 4])
        kind = data[at + 4] >> shift & mask
        if kind == filler:
            size -= min(length + 4, size)
        else:
            kinds |= 1 << kind
            if not head and kind in slices:
                head = data[at + 4 : at + 4 + min(length, HEAD_BYTES)]
        at += 4 + length
    return size, head, kinds


def row_of(sample: Sample, codec: Codec, *, whole: bool) -> tuple[bytes, bytes]:
    """The row of one sample, and its head. whole: its bytes come too."""
    size, head, kinds = measured(codec, sample.data)
    makeup = kinds % _MAKEUPS << _MAKEUP if sample.sync else 0
    row = ROW.pack(
        max(0, sample.arrival_boot_us), sample.dts, sample.cts_offset & 0xFFFFFFFF, size, len(sample.data) if whole else 0,
        _SYNC * sample.sync | _DAMAGED * sample.damaged | makeup, len(head),
    )  # fmt: skip
    return row, head


def encode_rows(
    kind: str,
    key: tuple[str, str],
    generation: int,
    rows: Sequence[tuple[bytes, bytes]],
    given: Sequence[bytes],
    missed: int,
) -> bytes:
    """One frame of `look_batch` or `look_group`. rows: as `row_of` makes them."""
    header = {"type": kind, "stream": list(key), "generation": generation, "samples": len(rows), "missed": missed}
    return encode(header, b"".join([*[row for row, _ in rows], *[head for _, head in rows], *given]))


def decode_rows(frame: Frame) -> tuple[list[Row], int]:
    """The rows of a frame, and where behind them the bytes begin. Raises LongwatchError."""
    count = frame.header.get("samples")
    body = frame.body
    if not isinstance(count, int) or not 0 <= count * ROW.size <= len(body):
        raise LongwatchError("a frame of rows cannot be read", why=f"{count} rows in {len(body)} bytes")
    rows = list(map(Row._make, ROW.iter_unpack(body[: count * ROW.size])))
    begin = count * ROW.size + sum([row[6] for row in rows])
    if begin + sum([row[4] for row in rows]) != len(body):
        raise LongwatchError("a frame of rows cannot be read", why="its bytes are not those that its rows name")
    return rows, begin
