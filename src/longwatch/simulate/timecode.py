"""A clip that is made as it is sent: each picture shows the camera's wall clock, as blocks that a program can read.

The picture is black and white blocks in `ROWS` x `COLUMNS`, read from left to right and from top to bottom, most significant
bit first, white is 1: 44 bits of milliseconds since 1970, then 4 bits that are the sum of the eleven nibbles before them, modulo 16.
A tool that sees a decoded picture thereby knows when it was taken, whatever a player says of its own time.

Pictures are taken where the wall clock is a whole multiple of their interval, as by cameras locked to one clock.
"""

from __future__ import annotations

import base64
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

from longwatch.formats.media import Codec, Kind
from longwatch.formats.rtp import packetize
from longwatch.simulate.clip import VIDEO_CLOCK, Clip, Track, Unit

COLUMNS = 12
ROWS = 4
BLOCK = 16
WIDTH, HEIGHT = COLUMNS * BLOCK, ROWS * BLOCK
FPS = 25
SYNC_EVERY = 25
_STEP = VIDEO_CLOCK // FPS
_STEP_US = 1_000_000 // FPS
_TIME_BITS = 44
_KEPT = 64
_WHITE, _BLACK = 235, 16
_IDR, _SPS, _PPS = 5, 7, 8


def bits_of(wall_ms: int) -> list[int]:
    """The 48 bits of a picture taken then, in the order of reading."""
    time = [wall_ms >> n & 1 for n in range(_TIME_BITS - 1, -1, -1)]
    check = sum(wall_ms >> n & 15 for n in range(0, _TIME_BITS, 4)) & 15
    return time + [check >> n & 1 for n in (3, 2, 1, 0)]


def wall_ms_of(bits: list[int]) -> int | None:
    """The milliseconds since 1970 that the bits say; None where their sum is wrong (a picture that shows no time code), and of a picture
    that is black all over: no camera's clock stands at 0, and a player that has decoded nothing yet shows just that.
    """
    value = 0
    for bit in bits[:_TIME_BITS]:
        value = value << 1 | bit
    return value if value and len(bits) == COLUMNS * ROWS and bits_of(value) == bits else None


def picture(wall_ms: int) -> bytes:
    """The luma plane, WIDTH x HEIGHT bytes."""
    bits = bits_of(wall_ms)
    rows = []
    for row in range(ROWS):
        line = b"".join(bytes([_WHITE if bit else _BLACK]) * BLOCK for bit in bits[row * COLUMNS : (row + 1) * COLUMNS])
        rows.append(line * BLOCK)
    return b"".join(rows)


class Encoder:
    """H.264 of the pictures, one after another; a picture that does not follow the last one begins anew with a sync sample.

    Owner of the state: this object, on the camera's event loop.
    """

    def __init__(self, wall_us_of: Callable[[int], float]) -> None:
        self._wall_us_of = wall_us_of
        self._units: OrderedDict[int, Unit] = OrderedDict()
        self._next = -1
        self._open()

    def _open(self) -> None:
        import av

        codec = av.CodecContext.create("libx264", "w")
        codec.width, codec.height, codec.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        codec.framerate = Fraction(FPS)
        codec.options = {
            "preset": "ultrafast", "tune": "zerolatency", "g": "9999", "bf": "0", "sc_threshold": "0", "qp": "18",
        }  # fmt: skip
        self._codec = codec

    def parameter_sets(self) -> tuple[bytes, ...]:
        """SPS and PPS, the same for every encoder of this kind."""
        sets = [nal for nal in _nals(self._coded(0, sync=True)) if nal[0] & 31 in {_SPS, _PPS}]
        self._open()
        self._next = -1
        return tuple(sets)

    def unit(self, number: int) -> Unit:
        """Picture `number` since the camera's start; asked for in order, but for the last few, which are kept."""
        known = self._units.get(number)
        if known is not None:
            return known
        if number != self._next and self._next >= 0:
            self._open()
        sync = number % SYNC_EVERY == 0 or number != self._next
        nals = [nal for nal in _nals(self._coded(number, sync=sync)) if 1 <= nal[0] & 31 <= _IDR]
        data = b"".join(len(nal).to_bytes(4, "big") + nal for nal in nals)
        self._next = number + 1
        unit = Unit(number * _STEP, number * _STEP, sync, data, tuple(packetize.payloads(Codec.H264, data)))
        self._units[number] = unit
        if len(self._units) > _KEPT:
            self._units.popitem(last=False)
        return unit

    def _coded(self, number: int, *, sync: bool) -> bytes:
        import av
        from av.video.frame import PictureType

        frame = av.VideoFrame(WIDTH, HEIGHT, "yuv420p")
        luma, *chroma = frame.planes
        plane = picture(round(self._wall_us_of(number) / 1000))
        if luma.line_size != WIDTH:
            plane = b"".join(plane[y * WIDTH : (y + 1) * WIDTH].ljust(luma.line_size, b"\0") for y in range(HEIGHT))
        luma.update(plane)
        for each in chroma:
            each.update(bytes([128]) * each.buffer_size)
        frame.pts = number
        frame.pict_type = PictureType.I if sync else PictureType.NONE
        return b"".join(bytes(packet) for packet in self._codec.encode(frame))


def _nals(annex_b: bytes) -> Iterator[bytes]:
    """The NAL units between start codes (H.264, Annex B)."""
    for part in annex_b.split(b"\0\0\1"):
        nal = part.rstrip(b"\0")
        if nal:
            yield nal


@dataclass(frozen=True, slots=True)
class TimecodeTrack(Track):
    """A track without an end and without a loop: its units are encoded when they are due."""

    encoder: Encoder = field(repr=False, kw_only=True)
    first_ticks: int = field(kw_only=True)

    def at(self, number: int) -> tuple[Unit, int]:
        """Unit `number`, and what to add to its times."""
        return self.encoder.unit(number), self.first_ticks

    def number_at(self, ticks: int) -> int:
        """The first unit whose time is not before `ticks`."""
        return max(0, -(-(ticks - self.first_ticks) // _STEP))

    def sync_before(self, ticks: int) -> int:
        """The next sync unit: what was before is not there any more."""
        return -(-self.number_at(ticks) // SYNC_EVERY) * SYNC_EVERY


def clip(wall_at_start_us: Callable[[float], float]) -> Clip:
    """The clip of one camera. wall_at_start_us: its clock, from microseconds since its start to microseconds since 1970."""
    first_us = -wall_at_start_us(0) % _STEP_US
    encoder = Encoder(lambda number: wall_at_start_us(first_us + number * _STEP_US))
    sets = encoder.parameter_sets()
    sprop = ",".join(base64.b64encode(each).decode() for each in sets)
    fmtp = f"packetization-mode=1;profile-level-id={sets[0][1:4].hex()};sprop-parameter-sets={sprop}"
    track = TimecodeTrack(
        Kind.VIDEO, Codec.H264, VIDEO_CLOCK, 0, (), 0, f"H264/{VIDEO_CLOCK}", fmtp, sets,
        encoder=encoder, first_ticks=round(first_us * VIDEO_CLOCK / 1_000_000),
    )  # fmt: skip
    return Clip(Path("timecode"), (track,))
