"""The camera whose pictures say when they were taken."""

from __future__ import annotations

from itertools import pairwise

import av
import pytest

from longwatch.simulate import timecode


@pytest.mark.parametrize("wall_ms", [1, 1_795_000_123_456, (1 << 44) - 1])
def test_a_code_says_its_time(wall_ms: int) -> None:
    assert timecode.wall_ms_of(timecode.bits_of(wall_ms)) == wall_ms


def test_a_picture_without_a_code_says_none() -> None:
    bits = timecode.bits_of(1_795_000_123_456)
    bits[20] ^= 1
    assert timecode.wall_ms_of(bits) is None
    assert timecode.wall_ms_of([1, 0]) is None


@pytest.mark.parametrize("bit", [0, 1])
def test_a_picture_of_one_colour_shows_no_code(bit: int) -> None:
    """Black all over is what a player shows that has decoded nothing yet: read as 1970, everything that comes is later than it."""
    assert timecode.wall_ms_of([bit] * (timecode.COLUMNS * timecode.ROWS)) is None


def test_decoded_pictures_show_the_wall_clock_of_their_place() -> None:
    """What a decoder makes of the coded units is read back, to the millisecond; a sync unit each second."""
    start_us = 1_795_000_123_456_789
    clip = timecode.clip(lambda elapsed_us: start_us + elapsed_us)
    track = clip.video
    assert track.made_when_due
    first = track.sync_before(track.rate // 3)
    codec = av.CodecContext.create("h264", "r")
    read: list[int | None] = []
    for number in range(first, first + 60):
        unit, add = track.at(number)
        assert unit.sync is (number % timecode.SYNC_EVERY == 0)
        sets = track.parameter_sets if unit.sync else ()
        data = b"".join(b"\0\0\0\1" + nal for nal in sets)
        offset = 0
        while offset < len(unit.data):
            size = int.from_bytes(unit.data[offset : offset + 4], "big")
            data += b"\0\0\0\1" + unit.data[offset + 4 : offset + 4 + size]
            offset += 4 + size
        read += [_read(frame) for frame in codec.decode(av.Packet(data))]
        due_us = start_us + (unit.dts + add) * 1_000_000 // track.rate
        assert due_us // 1000 % 40 in {0, 39}  # a whole multiple of the interval, but for rounding
    read += [_read(frame) for frame in codec.decode(None)]
    told = [each for each in read if each is not None]
    assert len(told) == 60
    assert [b - a for a, b in pairwise(told)] == [40] * 59


def _read(frame: av.VideoFrame) -> int | None:
    plane = frame.planes[0]
    data = bytes(plane)
    middle = timecode.BLOCK // 2
    bits = [
        int(data[(row * timecode.BLOCK + middle) * plane.line_size + column * timecode.BLOCK + middle] > 128)
        for row in range(timecode.ROWS)
        for column in range(timecode.COLUMNS)
    ]
    return timecode.wall_ms_of(bits)
