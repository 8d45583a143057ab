"""Fuzz targets: ISO base media files. Each takes any bytes and raises nothing but declared errors."""

from __future__ import annotations

import struct
from collections.abc import Callable
from contextlib import suppress
from functools import cache

from tests.support.tracks import AUDIO, IDENTITY, VIDEO, audio_samples, video_samples

from longwatch.formats.bmff import (
    LIFTED,
    BmffError,
    IndexBuilder,
    Mp4File,
    closing,
    fragment,
    parse_closing,
    parse_header,
    segment_header,
    unpack_sample_index,
    whole_fragments,
)
from longwatch.formats.bmff.closing import closing_sample_index
from longwatch.playback.tables import TrackTable


def header(data: bytes) -> None:
    """The header of a segment."""
    with suppress(BmffError):
        found = parse_header(data)
        assert found.header_bytes <= len(data)
        assert all(track.timescale for track in found.tracks)


def closing_box(data: bytes) -> None:
    """The closing box, and the index within."""
    with suppress(BmffError):
        found = parse_closing(data)
        assert found is None or found.size <= len(data)
    with suppress(BmffError):
        packed = closing_sample_index(data)
        if packed is not None:
            sample_index(packed)


def sample_index(data: bytes) -> None:
    """The packed index, as playback takes it in."""
    with suppress(BmffError):
        for track, format_ in zip(unpack_sample_index(data).tracks, (VIDEO, AUDIO), strict=False):
            if track.sizes:
                table = TrackTable(format_, track)
                assert len(table.dts) == len(table.pts) == table.count
                assert sum(n for _, n, _ in table.all_chunks) == table.count


def fragments(data: bytes) -> None:
    """Fragments of an open or torn file."""
    found = whole_fragments(lambda offset, size: data[offset : offset + size], 0, len(data), (90_000, 48_000))
    assert found.end <= len(data)
    for each in found.fragments:
        for run in each.runs:
            assert each.offset <= run.data_offset
            assert run.data_offset + sum(run.sizes) <= found.end
        each.video_times()
    sample_index(found.sample_index)


def mp4_file(data: bytes) -> None:
    """A file of anybody."""
    with suppress(BmffError):
        file = Mp4File.from_bytes(data)
        for track in file.tracks:
            assert len(track.kind) >= 1
            for sample in track.samples[:4]:
                with suppress(BmffError):
                    file.data(sample)


@cache
def segment() -> bytes:
    """A small sealed segment, to be changed."""
    data = segment_header(IDENTITY, [VIDEO, AUDIO])
    index = IndexBuilder([90_000, 48_000])
    for n in range(2):
        runs = [(0, video_samples(4, start=n * 28_800)), (1, audio_samples(5, start=n * 15_360))]
        parts = fragment(n, runs, stored=True)
        data += LIFTED + b"free"
        index.add(len(data), len(parts[0]), runs)
        data += b"".join(parts)
    return data + LIFTED + b"free" + closing((), index.pack())


@cache
def _header_bytes() -> int:
    return parse_header(segment()).header_bytes


def changed(data: bytes) -> None:
    """A segment in which every six bytes of `data` set four of its bytes; then all of the above."""
    whole = bytearray(segment())
    for at in range(0, len(data) - 5, 6):
        place = int.from_bytes(data[at : at + 2], "big") % (len(whole) - 4)
        whole[place : place + 4] = data[at + 2 : at + 6]
    mutant = bytes(whole)
    header(mutant)
    closing_box(mutant)
    fragments(mutant[_header_bytes() :])
    mp4_file(mutant)


def boxed(data: bytes) -> None:
    """`data` as the body of a table box or a trun in an otherwise sound file, so that parsers see deep into it."""
    kinds = (b"stts", b"ctts", b"stsc", b"stsz", b"stco", b"co64", b"stss", b"trun", b"tfhd", b"elst", b"mdhd", b"tkhd")
    kind = kinds[data[0] % len(kinds)] if data else kinds[0]
    whole = segment()
    at = whole.find(kind)
    if at < 0:
        kind = b"stts"
        at = whole.find(kind)
    size = int.from_bytes(whole[at - 4 : at], "big")
    body = data[1:]
    grown = len(body) + 8 - size
    mutant = bytearray(whole[: at - 4] + struct.pack(">I", 8 + len(body)) + kind + body + whole[at - 4 + size :])
    for parent in (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"moof", b"traf"):
        place = mutant.rfind(parent, 0, at)
        if place > 0:
            end = place - 4 + int.from_bytes(mutant[place - 4 : place], "big")
            if place < at < end:
                mutant[place - 4 : place] = struct.pack(">I", max(8, end - place + 4 + grown))
    header(bytes(mutant))
    fragments(bytes(mutant[_header_bytes() :]))
    mp4_file(bytes(mutant))


TARGETS: dict[str, Callable[[bytes], None]] = {
    "bmff-header": header,
    "bmff-closing": closing_box,
    "bmff-sample-index": sample_index,
    "bmff-fragments": fragments,
    "bmff-mp4": mp4_file,
    "bmff-changed": changed,
    "bmff-boxed": boxed,
}
