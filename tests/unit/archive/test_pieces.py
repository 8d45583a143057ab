"""What of an archive may go to a hub: sealed, acknowledged, whole; and where a stretch's leaves lie."""

import asyncio
import hashlib
from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.archive_case import FOR_EVER, GATE, opened, record, stream

from longwatch.archive import ArchiveReader
from longwatch.archive.pieces import DamagedError, PieceSource
from longwatch.base.errors import LongwatchError
from longwatch.formats import bmff
from longwatch.ledger import segment_root


def recorded(data: Path, *, segments: int = 2, left_open: bool = False) -> tuple[ArchiveReader, PieceSource]:
    async def run() -> None:
        async with opened([data]) as (archive, _):
            source = stream(archive)
            await record(archive, source, segments=segments, fragments=4)
            if left_open:
                await archive.tick(archive.place(GATE), source.tick(reopen=True))

    asyncio.run(run())
    reader = ArchiveReader([data])
    return reader, PieceSource(reader, "north")


def all_of(source: PieceSource, info) -> bytes:
    """By odd steps, so that parts begin and end within leaves."""
    parts, at = [], 0
    while at < info.size:
        parts.append(source.read(info, at, 777))
        at += len(parts[-1])
    return b"".join(parts)


def test_objects_are_what_their_names_say_and_together_the_whole_segment(tmp_path: Path):
    reader, source = recorded(tmp_path)
    for segment in reader.segments(GATE, *FOR_EVER):
        infos = source.objects(source.whole(segment))
        assert [info.kind for info in infos][:2] == ["closing", "piece"]
        data = [all_of(source, info) for info in infos]
        for info, read in zip(infos, data, strict=True):
            assert (len(read), hashlib.sha256(read).digest()) == (info.size, info.sha256)
            assert (info.post, info.camera, info.stream, info.run) == ("north", "gate", "main", segment.run)
        closing = bmff.parse_closing(data[0])
        leaves = [hashlib.sha256(data[1]).digest(), *(row.sha256 for row in closing.fragments)]
        assert segment_root(leaves[0], leaves[1:]) == reader.root(segment)
        media = b"".join(data[2:])
        at = 0
        for row in closing.fragments:
            assert hashlib.sha256(media[at : at + row.size]).digest() == row.sha256
            at += row.size
        assert at == len(media), "no guard is in it"


def test_a_stretch_begins_at_the_sync_sample_before_it_and_needs_no_more_than_it_shows(tmp_path: Path):
    reader, source = recorded(tmp_path, segments=3)
    segments = reader.segments(GATE, *FOR_EVER)
    rows = reader.fragments(segments[1])
    third_us = segments[1].wall_start_us + (rows[2].start_90k - segments[1].start_90k) * 100 // 9
    needed = source.needed(GATE, third_us + 1000, third_us + 2000)
    assert needed.open_us is None
    assert [(one.segment.sequence, one.last) for one in needed.stretches] == [(segments[1].sequence, 3)]
    syncs = [n for n, row in enumerate(rows, 1) if row.sync_offsets_90k and n <= 3]
    assert needed.stretches[0].first == syncs[-1]
    everything = source.needed(GATE, *FOR_EVER)
    assert [(one.first, one.last) for one in everything.stretches] == [(1, 4)] * 3
    sizes = [sum(info.size for info in source.objects(one) if info.kind == "piece") for one in everything.stretches]
    assert [source.bytes_of(one) for one in everything.stretches] == sizes


def test_what_is_still_written_is_not_offered(tmp_path: Path):
    async def run() -> None:
        async with opened([tmp_path]) as (archive, _):
            fake = stream(archive)
            await record(archive, fake, segments=1)
            await archive.tick(archive.place(GATE), fake.tick(reopen=True))
            reader = ArchiveReader([tmp_path])
            source = PieceSource(reader, "north")
            needed = source.needed(GATE, *FOR_EVER)
            last = reader.segments(GATE, *FOR_EVER)[-1]
            assert not last.sealed
            assert len(needed.stretches) == 1
            assert needed.open_us == last.wall_start_us
            with pytest.raises(LongwatchError, match="still being written"):
                source.layout(last)
            reader.close()

    asyncio.run(run())


def test_a_damaged_fragment_is_left_out_and_a_damaged_header_or_box_stops_all_of_it(tmp_path: Path):
    reader, source = recorded(tmp_path)
    one, other = reader.segments(GATE, *FOR_EVER)
    rows = reader.fragments(one)
    path = Path(one.path)
    whole = path.read_bytes()
    damaged = bytearray(whole)
    damaged[rows[1].offset + 40] ^= 1
    path.write_bytes(damaged)
    sent = source.objects(source.whole(one))
    assert [info.kind for info in sent] == ["closing", "piece"], "the piece with it is not sent"
    damaged = bytearray(whole)
    damaged[30] ^= 1
    path.write_bytes(damaged)
    with pytest.raises(DamagedError, match="header"):
        source.objects(source.whole(one))
    path.write_bytes(whole[:-3])
    with pytest.raises(DamagedError):
        source.objects(source.whole(one))
    infos = source.objects(source.whole(other))
    Path(other.path).unlink()
    with pytest.raises(LongwatchError, match="cannot be read"):
        source.read(infos[1], 0, 10)
    reader.close()


def test_what_is_gone_is_gone(tmp_path: Path):
    reader, source = recorded(tmp_path)
    info = source.objects(source.whole(reader.segments(GATE, *FOR_EVER)[0]))[1]
    for wrong in (replace(info, sequence=77), replace(info, camera="yard"), replace(info, post="south")):
        with pytest.raises(LongwatchError, match="gone"):
            source.read(wrong, 0, 10)
    with pytest.raises(LongwatchError, match="no such leaves"):
        source.read(replace(info, first_leaf=90, last_leaf=99), 0, 10)
    reader.close()
