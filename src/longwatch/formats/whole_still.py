"""Whether a PNG or a TIFF of a camera holds all of its rows. Decoders fill what is missing with zeros, or with what a cut stream ends in: of a thermal still that
would be a temperature. Pure; what is not whole is a ValueError.
"""

from __future__ import annotations

import struct
import zlib

_PNG = b"\x89PNG\r\n\x1a\n"
_MOST_CHUNKS = 65_536
_MOST_STRIPS = 8192
_MOST_ENTRIES = 512
_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _SAMPLES = 256, 257, 258, 259, 277
_OFFSETS, _ROWS, _COUNTS, _TILE_OFFSETS = 273, 278, 279, 324
_NONE, _LZW, _DEFLATES, _PACKBITS = 1, 5, frozenset({8, 32_946}), 32_773
_TYPES = {3: "H", 4: "I"}
_ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))


def plain_png(data: bytes, most_pixels: int) -> bytes:
    """The PNG with the chunks that make the picture and no other: texts and profiles may be gigabytes once they are unpacked. Raises ValueError where its 16-bit
    grey is not all there.
    """
    if not data.startswith(_PNG):
        raise ValueError("no PNG")
    header, packed, at = b"", [], len(_PNG)
    for _ in range(_MOST_CHUNKS):
        size, kind = struct.unpack_from(">I4s", data, at) if at + 12 <= len(data) else (0, b"")
        if at + 12 + size > len(data) or not kind:
            raise ValueError("the PNG is cut off")
        body = data[at + 8 : at + 8 + size]
        if kind in {b"IHDR", b"IDAT"} and zlib.crc32(kind + body) != struct.unpack_from(">I", data, at + 8 + size)[0]:
            raise ValueError("the PNG is damaged")
        at += 12 + size
        if kind == b"IHDR":
            header = body
        elif kind == b"IDAT":
            packed.append(body)
        elif kind == b"IEND":
            break
    if len(header) != 13:
        raise ValueError("a PNG without its header")
    _check_rows(b"".join(packed), header, most_pixels)
    chunks = [(b"IHDR", header), *((b"IDAT", body) for body in packed), (b"IEND", b"")]
    return _PNG + b"".join(
        struct.pack(">I4s", len(body), kind) + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in chunks
    )


def _check_rows(packed: bytes, header: bytes, most_pixels: int) -> None:
    width, height, bits, colours, _, _, interlaced = struct.unpack(">IIBBBBB", header)
    if not width or not height or width * height > most_pixels:
        raise ValueError(f"a still of {width}x{height}")
    if (bits, colours) != (16, 0):
        raise ValueError(f"a PNG of {bits} bits, kind {colours}, and not of 16-bit grey: nothing that was measured")
    passes = _ADAM7 if interlaced else ((0, 0, 1, 1),)
    sizes = [(-(-(width - x) // dx), -(-(height - y) // dy)) for x, y, dx, dy in passes if x < width and y < height]
    wanted = sum(rows * (1 + 2 * columns) for columns, rows in sizes)
    if _unpacked(packed, wanted) < wanted:
        raise ValueError("rows of the PNG are missing")


def _unpacked(packed: bytes, most: int) -> int:
    """How many bytes come out, at most so many."""
    try:
        return len(zlib.decompressobj().decompress(packed, most))
    except zlib.error as error:
        raise ValueError("what is packed in the file is damaged") from error


def check_tiff(data: bytes, most_pixels: int) -> None:
    """Raises ValueError where the strips of the first picture do not hold all rows of its 16-bit grey, or are packed in a way that is not known here."""
    order = "<" if data.startswith(b"II") else ">"
    said = _entries(data, order)
    width, height = (_one(said, tag) for tag in (_WIDTH, _HEIGHT))
    if not width or not height or width * height > most_pixels:
        raise ValueError(f"a still of {width}x{height}")
    if _TILE_OFFSETS in said or _one(said, _SAMPLES, 1) != 1 or _one(said, _BITS, 1) != 16:
        raise ValueError("a TIFF that is not of 16-bit grey in strips")
    rows = min(_one(said, _ROWS, height), height)
    offsets, counts = said.get(_OFFSETS, ()), said.get(_COUNTS, ())
    if not rows or len(offsets) != -(-height // rows) or len(offsets) != len(counts):
        raise ValueError("a TIFF without all of its strips")
    if sum(counts) > len(data):
        raise ValueError("strips of the TIFF lie in one another")
    packing = _one(said, _COMPRESSION, _NONE)
    for number, (offset, size) in enumerate(zip(offsets, counts, strict=True)):
        if offset + size > len(data):
            raise ValueError("the TIFF is cut off")
        wanted = min(rows, height - number * rows) * width * 2
        if _strip_bytes(data[offset : offset + size], packing, wanted) < wanted:
            raise ValueError("rows of the TIFF are missing")


def _entries(data: bytes, order: str) -> dict[int, tuple[int, ...]]:
    """Whole numbers of the first directory, by tag."""
    try:
        (at,) = struct.unpack_from(order + "I", data, 4)
        (count,) = struct.unpack_from(order + "H", data, at)
        found: dict[int, tuple[int, ...]] = {}
        for entry in range(min(count, _MOST_ENTRIES)):
            tag, kind, number = struct.unpack_from(order + "HHI", data, at + 2 + 12 * entry)
            letter = _TYPES.get(kind)
            if letter is None or not 0 < number <= _MOST_STRIPS or tag in found:
                continue
            form = f"{order}{number}{letter}"
            place = at + 2 + 12 * entry + 8
            if struct.calcsize(form) > 4:
                (place,) = struct.unpack_from(order + "I", data, place)
            found[tag] = struct.unpack_from(form, data, place)
    except struct.error as error:
        raise ValueError("the TIFF is cut off") from error
    return found


def _one(said: dict[int, tuple[int, ...]], tag: int, default: int = 0) -> int:
    return said.get(tag, (default,))[0]


def _strip_bytes(strip: bytes, packing: int, most: int) -> int:
    if packing == _NONE:
        return len(strip)
    if packing in _DEFLATES:
        return _unpacked(strip, most)
    if packing == _PACKBITS:
        return _packbits_bytes(strip)
    if packing == _LZW:
        return _lzw_bytes(strip, most)
    raise ValueError(f"a TIFF that is packed in a way that is not read ({packing})")


def _packbits_bytes(strip: bytes) -> int:
    at = made = 0
    while at < len(strip):
        head = strip[at]
        if head < 128:
            made += min(head + 1, len(strip) - at - 1)
            at += head + 2
        else:
            made += 257 - head if head > 128 and at + 1 < len(strip) else 0
            at += 1 if head == 128 else 2
    return made


def _lzw_bytes(strip: bytes, most: int) -> int:
    """Of TIFF's LZW (highest bit first, codes one sooner wider): only how long what each code stands for is."""
    lengths, before, made, bits, width, at = [1] * 258, 0, 0, 0, 9, 0
    held = 0
    while made < most:
        while held < width and at < len(strip):
            bits, held, at = (bits << 8 | strip[at]) & 0xFFFFFF, held + 8, at + 1
        if held < width:
            return made
        held -= width
        code = bits >> held & (1 << width) - 1
        if code == 257:
            return made
        if code == 256:
            del lengths[258:]
            before, width = 0, 9
            continue
        if code > len(lengths) or (code == len(lengths) and not before):
            raise ValueError("what is packed in the file is damaged")
        if before:
            lengths.append(before + 1)
        if code >= len(lengths):
            raise ValueError("what is packed in the file is damaged")
        before = lengths[code]
        made += before
        width = next((bits_ for bits_, limit in ((9, 511), (10, 1023), (11, 2047)) if len(lengths) < limit), 12)
        if len(lengths) > 4096:
            raise ValueError("what is packed in the file is damaged")
    return made
