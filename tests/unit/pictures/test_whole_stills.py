"""A thermal still that is not all there is refused: decoders give zeros for what is missing, and zero is very cold."""

from __future__ import annotations

import itertools
import struct
import zlib
from collections.abc import Iterable

import av
import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from tests.support.thermal_camera import png, tiff

from longwatch.formats import whole_still
from longwatch.model.heat import HeatScale
from longwatch.pictures.thermal import MOST_PIXELS, read

KELVIN = HeatScale(0.01, -273.15)
NOISE = np.random.default_rng(5).integers(29_000, 31_000, (120, 160)).astype(np.uint16)
ROWS = b"".join(b"\0" + row.astype(">u2").tobytes() for row in NOISE)
PACKED = zlib.compress(ROWS)
Levels = NDArray[np.uint16]


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png_of(packed: bytes, height: int = 120, more: Iterable[bytes] = ()) -> bytes:
    parts = [chunk(b"IDAT", packed[at : at + 4096]) for at in range(0, len(packed), 4096)]
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 160, height, 16, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join([*more, *parts]) + chunk(b"IEND", b"")


def tiff_of(strip: bytes, compression: int = 1, said: int | None = None) -> bytes:
    """A directory first, as cameras write it, and one strip."""
    entries = [(256, 160), (257, 120), (258, 16), (259, compression), (262, 1), (273, 122), (277, 1), (278, 120), (279, said or len(strip))]  # fmt: skip
    directory = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in entries)
    return b"II*\0" + struct.pack("<IH", 8, len(entries)) + directory + bytes(4) + strip


LITTLE = NOISE.astype("<u2").tobytes()


@pytest.mark.parametrize("file", [png_of(PACKED), tiff_of(LITTLE), tiff_of(zlib.compress(LITTLE), 8)])
def test_whole_ones_are_read(file: bytes) -> None:
    assert (read(file, KELVIN).levels == NOISE).all()


@pytest.mark.parametrize(
    "file",
    [
        png_of(PACKED[: len(PACKED) // 2]),
        png_of(PACKED, height=240),
        tiff_of(LITTLE[: len(LITTLE) // 2]),
        tiff_of(LITTLE[: len(LITTLE) // 2], said=len(LITTLE)),
        tiff_of(zlib.compress(LITTLE)[:9000], 8),
        tiff_of(LITTLE, 7),
    ],
    ids=["half a stream", "half of the rows", "half a strip", "half a file", "half a packed strip", "a JPEG in it"],
)
def test_half_a_still_has_no_temperature(file: bytes) -> None:
    with pytest.raises(ValueError, match=r"missing|cut off|in one another|not read"):
        read(file, KELVIN)


def with_half_its_last_strip(file: bytes) -> bytes:
    """The length that its directory says of that."""
    (at,) = struct.unpack_from("<I", file, 4)
    (count,) = struct.unpack_from("<H", file, at)
    places = {struct.unpack_from("<H", file, at + 2 + 12 * n)[0]: at + 2 + 12 * n for n in range(count)}
    kind, number = struct.unpack_from("<HI", file, places[279] + 2)
    form = struct.Struct({3: "<H", 4: "<I"}[kind])
    inside = number * form.size <= 4
    begin = places[279] + 8 if inside else struct.unpack_from("<I", file, places[279] + 8)[0]
    last = begin + (number - 1) * form.size
    return file[:last] + form.pack(form.unpack_from(file, last)[0] // 2) + file[last + form.size :]


@pytest.mark.parametrize("compression", [1, 5, 8, 32_773])
@pytest.mark.parametrize("levels", [NOISE, NOISE // 100 * 100, np.zeros((99, 77), np.uint16), np.full((300, 400), 30_000, np.uint16)])  # fmt: skip
def test_what_libraries_write_is_whole_and_a_shortened_strip_is_not(levels: Levels, compression: int) -> None:
    file = tiff(levels, compression)
    whole_still.check_tiff(file, MOST_PIXELS)
    assert (read(file, KELVIN).levels == levels).all()
    short = with_half_its_last_strip(file)
    with pytest.raises(ValueError, match=r"missing|damaged"):
        whole_still.check_tiff(short, MOST_PIXELS)


def test_each_cut_of_a_png_is_refused_and_each_changed_byte_of_its_rows() -> None:
    file = png(NOISE[:12, :16])
    assert (read(file, KELVIN).levels == NOISE[:12, :16]).all()
    for cut in range(8, len(file)):
        with pytest.raises(ValueError, match="PNG"):
            read(file[:cut], KELVIN)
    at = file.index(b"IDAT")
    for place in range(at, at + 100):
        with pytest.raises((ValueError, av.FFmpegError)):
            read(file[:place] + bytes([file[place] ^ 0x41]) + file[place + 1 :], KELVIN)


def test_texts_that_unpack_to_gigabytes_are_left_packed() -> None:
    bomb = zlib.compress(bytes(1 << 24), 9)
    more = [chunk(kind, b"a\0\0" + bomb) for kind, _ in itertools.product((b"zTXt", b"iCCP", b"iTXt"), range(20))]
    file = png_of(PACKED, more=more)
    assert whole_still.plain_png(file, MOST_PIXELS) == png_of(PACKED)
    assert (read(file, KELVIN).levels == NOISE).all()


def test_an_interlaced_one_is_whole_too() -> None:
    passes = [NOISE[y::dy, x::dx] for x, y, dx, dy in whole_still._ADAM7]
    rows = [b"\0" + row.astype(">u2").tobytes() for part in passes for row in part]
    file = png_of(zlib.compress(b"".join(rows)))
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 160, 120, 16, 0, 0, 0, 1))
    file = file[:8] + header + file[8 + len(header) :]
    assert (read(file, KELVIN).levels == NOISE).all()
    short = png_of(zlib.compress(b"".join(rows[:-1])))
    with pytest.raises(ValueError, match="missing"):
        read(short[:8] + header + short[8 + len(header) :], KELVIN)


def test_a_small_picture_of_cv2_is_what_it_was() -> None:
    done, file = cv2.imencode(".png", np.array([[7, 65_535]], np.uint16))
    assert done
    assert read(file.tobytes(), KELVIN).levels.tolist() == [[7, 65_535]]


def test_the_largest_one_is_read() -> None:
    levels = np.zeros((1448, 1448), np.uint16)
    assert levels.size < MOST_PIXELS
    for file in (png(levels), tiff(levels, 8)):
        assert read(file, KELVIN).levels.shape == levels.shape
    with pytest.raises(ValueError, match="1449x1448"):
        read(png(np.zeros((1448, 1449), np.uint16)), KELVIN)
