"""`moov` and its tracks (ISO/IEC 14496-12, 8.2 to 8.7), as far as files of ours and ordinary files of others need it."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field

from longwatch.formats.bmff.boxes import BmffError, Box, Fields, box, children, find, full_box
from longwatch.formats.media import Kind

MOVIE_TIMESCALE = 90_000
_MATRIX = struct.pack(">9I", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
_HANDLERS = {Kind.VIDEO: b"vide", Kind.AUDIO: b"soun", Kind.METADATA: b"meta"}
_NAMES = {b"vide": b"video\0", b"soun": b"audio\0", b"meta": b"metadata\0", b"sbtl": b"wall time and gaps\0"}
_KINDS = {b"vide": Kind.VIDEO, b"soun": Kind.AUDIO, b"meta": Kind.METADATA}
_DINF = box(b"dinf", full_box(b"dref", 0, 0, struct.pack(">I", 1), full_box(b"url ", 0, 1)))
_EMPTY_TABLES = (
    full_box(b"stts", 0, 0, bytes(4)),
    full_box(b"stsc", 0, 0, bytes(4)),
    full_box(b"stsz", 0, 0, bytes(8)),
    full_box(b"stco", 0, 0, bytes(4)),
)
_MAX_TRACKS = 64
_MAX_ENTRIES = 4096


@dataclass(frozen=True, slots=True)
class Track:
    """One `trak`. handler is derived from kind but for text. duration: in the track's timescale, edit list: see `edts`.

    tables: the boxes of `stbl` behind stsd; the empty ones of a fragmented file where nothing is given.
    """

    number: int
    kind: Kind
    timescale: int
    sample_entries: tuple[bytes, ...] = field(repr=False)
    width: int = 0
    height: int = 0
    handler: bytes = b""
    duration: int = 0
    movie_duration: int = 0
    edts: bytes = b""
    tables: Sequence[bytes] = field(default=_EMPTY_TABLES, repr=False)
    enabled: bool = True


def fragmented_moov(tracks: Sequence[Track]) -> bytes:
    """A moov without samples and with `mvex`: the samples follow in fragments."""
    trex = [full_box(b"trex", 0, 0, struct.pack(">5I", t.number, 1, 0, 0, 0)) for t in tracks]
    return box(b"moov", _mvhd(0, len(tracks) + 1), *(_trak(t) for t in tracks), box(b"mvex", *trex))


def moov(tracks: Sequence[Track], duration: int) -> bytes:
    """A moov with sample tables. duration: in MOVIE_TIMESCALE."""
    return box(b"moov", _mvhd(duration, len(tracks) + 1), *(_trak(t) for t in tracks))


def _mvhd(duration: int, next_track: int) -> bytes:
    times = struct.pack(">QQIQ", 0, 0, MOVIE_TIMESCALE, duration)
    return full_box(b"mvhd", 1, 0, times, struct.pack(">IHHII", 0x10000, 0x100, 0, 0, 0), _MATRIX, bytes(24), struct.pack(">I", next_track))  # fmt: skip


def _trak(t: Track) -> bytes:
    handler = t.handler or _HANDLERS[t.kind]
    size = struct.pack(">II", t.width << 16, t.height << 16)
    volume = 0x100 if handler == b"soun" else 0
    tkhd = full_box(
        b"tkhd", 1, 3 if t.enabled else 2, struct.pack(">QQIIQ", 0, 0, t.number, 0, t.movie_duration),
        struct.pack(">QHHHH", 0, 0, {b"soun": 1, b"sbtl": 2}.get(handler, 0), volume, 0), _MATRIX, size,
    )  # fmt: skip
    mdhd = full_box(b"mdhd", 1, 0, struct.pack(">QQIQHH", 0, 0, t.timescale, t.duration, 0x55C4, 0))
    hdlr = full_box(b"hdlr", 0, 0, struct.pack(">I4s12x", 0, handler), _NAMES[handler])
    stsd = full_box(b"stsd", 0, 0, struct.pack(">I", len(t.sample_entries)), *t.sample_entries)
    minf = box(b"minf", _media_header(handler), _DINF, box(b"stbl", stsd, *t.tables))
    return box(b"trak", tkhd, t.edts, box(b"mdia", mdhd, hdlr, minf))


def _media_header(handler: bytes) -> bytes:
    if handler == b"vide":
        return full_box(b"vmhd", 0, 1, bytes(8))
    if handler == b"soun":
        return full_box(b"smhd", 0, 0, bytes(4))
    return full_box(b"nmhd", 0, 0)


def edit_list(edits: Sequence[tuple[int, int]]) -> bytes:
    """`edts` of (duration in MOVIE_TIMESCALE, media time in the track's timescale or -1 for an empty edit)."""
    rows = [struct.pack(">QqHH", duration, media_time, 1, 0) for duration, media_time in edits]
    return box(b"edts", full_box(b"elst", 1, 0, struct.pack(">I", len(rows)), *rows))


def trak_boxes(data: bytes, moov_box: Box) -> list[Box]:
    """The `trak` boxes of a moov. Raises BmffError beyond 64 of them."""
    found = [b for b in children(data, moov_box.body, moov_box.end) if b.kind == b"trak"]
    if len(found) > _MAX_TRACKS:
        raise BmffError(f"{len(found)} tracks")
    return found


def parse_tracks(data: bytes, moov_box: Box) -> list[Track]:
    """Number, kind, timescale, sample entries and size of each track. Tracks of other kinds than ours are a BmffError."""
    tracks = []
    for trak in trak_boxes(data, moov_box):
        handler = handler_of(data, trak)
        if handler not in _KINDS:
            raise BmffError(f"a track of kind {handler!r}")
        number, width, height = tkhd_fields(data, trak)
        tracks.append(
            Track(number, _KINDS[handler], timescale_of(data, trak), sample_entries_of(data, trak), width, height)
        )
    return tracks


def need(data: bytes, parent: Box, *path: bytes) -> Box:
    """`find`, where the standard says that it must be there."""
    found = find(data, parent, *path)
    if found is None:
        raise BmffError(f"no {b'/'.join(path).decode('latin-1')} box in {parent.kind.decode('latin-1')}")
    return found


def tkhd_fields(data: bytes, trak: Box) -> tuple[int, int, int]:
    """Track number, width and height in whole pixels."""
    tkhd = need(data, trak, b"tkhd")
    fields = Fields(data, tkhd.body, tkhd.end)
    fields.take(19 if fields.uint(1) == 1 else 11)
    number = fields.uint(4)
    if tkhd.end - tkhd.body < 84:
        raise BmffError("tkhd is too short")
    return number, int.from_bytes(data[tkhd.end - 8 : tkhd.end - 6], "big"), int.from_bytes(data[tkhd.end - 4 : tkhd.end - 2], "big")  # fmt: skip


def handler_of(data: bytes, trak: Box) -> bytes:
    """The handler type of a track: vide, soun, ..."""
    hdlr = need(data, trak, b"mdia", b"hdlr")
    fields = Fields(data, hdlr.body, hdlr.end)
    fields.take(8)
    return fields.take(4)


def timescale_of(data: bytes, trak: Box) -> int:
    """Ticks a second of a track, never 0."""
    mdhd = need(data, trak, b"mdia", b"mdhd")
    fields = Fields(data, mdhd.body, mdhd.end)
    fields.take(19 if fields.uint(1) == 1 else 11)
    timescale = fields.uint(4)
    if timescale == 0:
        raise BmffError("a timescale of 0")
    return timescale


def sample_entries_of(data: bytes, trak: Box) -> tuple[bytes, ...]:
    """The sample entries of a track, each a whole box."""
    stsd = need(data, trak, b"mdia", b"minf", b"stbl", b"stsd")
    fields = Fields(data, stsd.body, stsd.end)
    fields.take(4)
    count = fields.uint(4)
    entries = tuple(bytes(data[b.start : b.end]) for b in children(data, stsd.body + 8, stsd.end))
    if count > _MAX_ENTRIES or len(entries) < count:
        raise BmffError(f"stsd says {count} entries and holds {len(entries)}")
    return entries[:count]
