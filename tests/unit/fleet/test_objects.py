"""Footage at a hub: believed leaf by leaf against the signed ledger, confirmed by a row, and played as at the post."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.archive_case import GATE, ROAD
from tests.support.evidence_case import T0_US
from tests.support.fleet_case import RIDGE, Hub, Ledger, objects_of, send
from tests.unit.archive.test_restoring import ledger

from longwatch.archive import ArchiveReader
from longwatch.fleet import Doubt
from longwatch.fleet.objects import can_be
from longwatch.formats.bmff.closing import parse_closing
from longwatch.model.sessions import StreamKey
from longwatch.model.stores import Held, SegmentSource
from longwatch.model.uplink import Confirmed, ObjectInfo, Refused
from longwatch.playback import VideoRequest, open_video
from longwatch.replication import HubEnd
from longwatch.timeline import State
from longwatch.wire.uplink import Chunk, Message, encode

GATE_HERE = StreamKey(f"{RIDGE}.gate", "main")


@pytest.fixture
def reader(recorded: Path) -> Iterator[ArchiveReader]:
    """A post with three segments of two cameras, and all that its ledger says."""
    made = ArchiveReader([recorded])
    yield made
    made.close()


@pytest.fixture
def told(hub: Hub, reader: ArchiveReader, recorded: Path) -> Hub:
    log = Ledger(entries=ledger([recorded]))
    log.enrol(hub.fleet)
    log.tell(hub.fleet)
    return hub


def held(hub: Hub) -> list[tuple[str, int, int]]:
    return [(str(t.held), t.from_us, t.to_us) for t in hub.tiles(GATE, T0_US) if t.state is State.RECORDED]


def video(source: SegmentSource, key: StreamKey, from_us: int, to_us: int) -> bytes:
    file = open_video(source, VideoRequest(key, from_us, to_us), accounted_until_us=to_us)
    return file.read(0, file.size)


def test_what_is_sent_is_here_and_plays_to_the_byte_as_at_the_post(told: Hub, reader: ArchiveReader) -> None:
    assert {where for where, *_ in held(told)} == {"post"}
    sent = objects_of(reader, GATE)
    assert {info.kind for info, _ in sent} == {"closing", "piece"}
    for info, data in sent:
        assert send(told.fleet, info, data) == Confirmed(info.sha256)
    assert {where for where, *_ in held(told)} == {"here"}
    rows = reader.segments(GATE, T0_US, T0_US + 60_000_000)
    mine = told.index.segments(GATE_HERE, T0_US, T0_US + 60_000_000)
    assert [(r.sequence, r.start_90k, r.end_90k, r.wall_start_us, r.wall_end_us, r.sealed, r.header_bytes, r.durable_bytes)
            for r in mine] == [(r.sequence, r.start_90k, r.end_90k, r.wall_start_us, r.wall_end_us, r.sealed, r.header_bytes, r.durable_bytes)
            for r in rows]  # fmt: skip
    for here, there in zip(mine, rows, strict=True):
        assert told.index.fragments(here) == reader.fragments(there)
        assert told.index.read(here, 0, 1 << 24) == Path(there.path).read_bytes()
        assert told.index.read(here, 100, 999) == reader.read(there, 100, 999)
    end_us = rows[-1].wall_end_us
    for from_us, to_us in ((T0_US, end_us), (T0_US + 700_000, T0_US + 4_000_000), (end_us - 1_500_000, end_us)):
        assert video(told.index, GATE_HERE, from_us, to_us) == video(reader, GATE, from_us, to_us)
    stats = told.index.stats(GATE_HERE)
    assert (stats.segments, stats.bytes) == (3, sum(i.size for i, _ in sent if i.kind == "piece"))
    assert told.index.sync_before(GATE_HERE, T0_US + 3_000_000) == mine[1]


def test_in_any_order_what_comes_too_early_is_asked_to_come_later(told: Hub, reader: ArchiveReader) -> None:
    sent = objects_of(reader, GATE)[::-1]
    first = [send(told.fleet, *each) for each in sent]
    assert any(isinstance(answer, Refused) and answer.later and answer.what == Doubt.NOT_SEALED for answer in first)
    for each in [*sent, *sent]:
        send(told.fleet, *each)
    assert {where for where, *_ in held(told)} == {"here"}


@pytest.mark.slow
def test_before_the_ledger_speaks_of_it_nothing_is_taken(hub: Hub, reader: ArchiveReader, recorded: Path) -> None:
    log = Ledger(entries=ledger([recorded]))
    log.enrol(hub.fleet)
    hub.fleet.take_entries(RIDGE, 1, 0, log.entries)  # not signed for
    answer = hub.fleet.begin_object(objects_of(reader, GATE)[0][0])
    assert isinstance(answer, Refused)
    assert answer.later


def test_a_part_is_here_where_it_can_be_played(told: Hub, reader: ArchiveReader) -> None:
    """Header and the second of four fragments of a segment, cut as a disk or another version may have cut them."""
    (row, *_) = reader.segments(GATE, T0_US, T0_US + 1_000_000)
    fragments = reader.fragments(row)
    base = objects_of(reader, GATE, T0_US, T0_US + 1_000_000)[0][0]
    for info, data in objects_of(reader, GATE, T0_US, T0_US + 1_000_000)[:1]:
        send(told.fleet, info, data)
    second = leaves(reader, row, base, 2, 2)
    assert isinstance(send(told.fleet, *second), Confirmed)
    assert {where for where, *_ in held(told)} == {"post"}, "without its header it cannot be played"
    assert isinstance(send(told.fleet, *leaves(reader, row, base, 0, 0)), Confirmed)
    start_us = row.wall_start_us + (fragments[1].start_90k - row.start_90k) * 100 // 9
    assert [(where, from_us) for where, from_us, _ in held(told)][:2] == [("post", T0_US), ("here", start_us)]
    (mine,) = told.index.segments(GATE_HERE, T0_US, T0_US + 60_000_000)
    assert (mine.sealed, mine.fragments, mine.wall_start_us) == (False, 1, start_us)
    (only,) = told.index.fragments(mine)
    assert told.index.read(mine, only.offset, only.size) == reader.read(row, fragments[1].offset, fragments[1].size)
    assert len(video(told.index, GATE_HERE, T0_US, row.wall_end_us)) > only.size // 2


def leaves(reader: ArchiveReader, row: object, base: ObjectInfo, first: int, last: int) -> tuple[ObjectInfo, bytes]:
    """A piece of any leaves."""
    fragments = reader.fragments(row)  # type: ignore[arg-type]
    parts = [reader.read(row, 0, row.header_bytes)] if first == 0 else []  # type: ignore[arg-type, attr-defined]
    parts += [reader.read(row, f.offset, f.size) for f in fragments[max(0, first - 1) : last]]  # type: ignore[arg-type]
    data = b"".join(parts)
    made = dataclasses.replace(
        base, kind="piece", sha256=hashlib.sha256(data).digest(), size=len(data), first_leaf=first, last_leaf=last
    )
    return made, data


def test_pieces_may_overlap_and_hold_the_header_with_fragments(told: Hub, reader: ArchiveReader) -> None:
    (row, *_) = reader.segments(GATE, T0_US, T0_US + 1_000_000)
    box, *_ = objects_of(reader, GATE, T0_US, T0_US + 1_000_000)
    send(told.fleet, *box)
    for first, last in ((0, 2), (2, 3), (1, 3), (1, 2), (1, 4), (2, 2)):
        assert isinstance(send(told.fleet, *leaves(reader, row, box[0], first, last)), Confirmed)
    (mine,) = told.index.segments(GATE_HERE, T0_US, T0_US + 2_000_000)
    assert mine.sealed
    assert told.index.read(mine, 0, 1 << 24) == Path(row.path).read_bytes()


@pytest.mark.parametrize("kind", ["closing", "piece"])
def test_bytes_that_the_ledger_does_not_speak_of_are_refused(told: Hub, reader: ArchiveReader, kind: str) -> None:
    sent = objects_of(reader, GATE)
    for info, data in sent[:1] if kind == "piece" else []:
        send(told.fleet, info, data)
    info, data = next((i, d) for i, d in sent if i.kind == kind)
    forged = data[:-1] + bytes([data[-1] ^ 1])
    wrong = dataclasses.replace(info, sha256=hashlib.sha256(forged).digest())
    answer = send(told.fleet, wrong, forged)
    assert isinstance(answer, Refused)
    assert (answer.what, answer.later) == (Doubt.WRONG_HASH, False)
    told.fleet.begin_object(info)
    told.fleet.add_chunk(info.sha256, 0, forged)
    answer = told.fleet.finish_object(info)
    assert isinstance(answer, Refused), "another's bytes under a true name"
    assert send(told.fleet, info, data) == Confirmed(info.sha256), "and then the true ones"
    assert told.index.segments(GATE_HERE, 0, 1 << 60) == []


def test_a_piece_of_another_camera_is_not_taken_for_this_one(told: Hub, reader: ArchiveReader) -> None:
    for info, data in objects_of(reader, GATE):
        for other in (
            dataclasses.replace(info, camera="road"), dataclasses.replace(info, run=info.run + 7),
            dataclasses.replace(info, first_leaf=info.first_leaf + 1, last_leaf=info.last_leaf + 1), dataclasses.replace(info, boot="ff"),
        ):  # fmt: skip
            if other.kind == "closing" and other.first_leaf:
                continue
            answer = send(told.fleet, other, data)
            assert isinstance(answer, Refused), other
        send(told.fleet, info, data)


def test_a_half_received_object_is_gone_on_with_after_a_restart(told: Hub, reader: ArchiveReader) -> None:
    info, data = objects_of(reader, GATE)[0]
    assert told.fleet.begin_object(info) == 0
    assert told.fleet.add_chunk(info.sha256, 0, data[:100]) == 100
    assert told.fleet.add_chunk(info.sha256, 50, data[50:80]) == 100, "what is here is passed over"
    assert told.fleet.add_chunk(info.sha256, 300, data[300:400]) == 100, "a hole is not taken"
    assert told.fleet.add_chunk(info.sha256, 100, data[100:] + b"x") == 100, "nor what is more than was said"
    assert told.fleet.add_chunk(bytes(32), 0, b"who asked for this") == 0
    again = told.again()
    try:
        assert again.fleet.begin_object(info) == 100
        assert again.fleet.add_chunk(info.sha256, 90, data[90:]) == info.size
        assert again.fleet.finish_object(info) == Confirmed(info.sha256)
        assert again.fleet.begin_object(info) == info.size
        assert again.fleet.finish_object(info) == Confirmed(info.sha256)
        assert list((told.folder / "spool").iterdir()) == []
    finally:
        again.close()


def test_nothing_is_confirmed_where_the_store_takes_nothing(
    told: Hub, reader: ArchiveReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: bytes, __: bytes) -> None:
        from longwatch.base.errors import LongwatchError

        raise LongwatchError("an object cannot be stored", why="No space left on device")

    info, data = objects_of(reader, GATE)[0]
    with monkeypatch.context() as patch:
        patch.setattr(told.store, "put", full)
        answer = send(told.fleet, info, data)
    assert isinstance(answer, Refused)
    assert (answer.what, answer.later) == (Doubt.NO_ROOM, True)
    assert told.fleet.begin_object(info) == info.size, "what came is kept: nothing of it is sent again"
    assert told.fleet.finish_object(info) == Confirmed(info.sha256)


def test_pictures_are_taken_as_pictures(told: Hub) -> None:
    data = b"\xff\xd8\xff\xe0" + bytes(500)
    info = ObjectInfo(hashlib.sha256(data).digest(), len(data), "strip", RIDGE, "gate", "main", at_us=T0_US)
    assert send(told.fleet, info, data) == Confirmed(info.sha256)
    text = b"<script>"
    other = ObjectInfo(hashlib.sha256(text).digest(), len(text), "still", RIDGE, "gate", "main", at_us=T0_US)
    assert isinstance(send(told.fleet, other, text), Refused)


def test_a_revoked_post_and_a_stranger_get_nothing(told: Hub, reader: ArchiveReader) -> None:
    info, _ = objects_of(reader, GATE)[0]
    told.fleet.revoke(RIDGE, "stolen")
    for who, what in ((RIDGE, Doubt.REVOKED), ("valley", Doubt.UNKNOWN)):
        answer = told.fleet.begin_object(dataclasses.replace(info, post=who))
        assert isinstance(answer, Refused)
        assert answer.what == what
        answer = told.fleet.finish_object(dataclasses.replace(info, post=who))
        assert isinstance(answer, Refused)


def test_a_gap_stays_a_gap_and_what_was_removed_at_the_post_stays_to_be_had_here(
    told: Hub, reader: ArchiveReader
) -> None:
    for each in objects_of(reader, GATE):
        send(told.fleet, *each)
    told_of = [t for t in told.tiles(GATE, T0_US) if t.state is State.GAP]
    assert [str(t.cause) for t in told_of] == ["camera_switched_off"]
    assert {t.held for t in told.tiles(ROAD, T0_US) if t.state is State.RECORDED} == {Held.POST}


def test_a_closing_box_that_lies_about_its_file_is_not_taken(told: Hub, reader: ArchiveReader) -> None:
    """A post signs what it likes: what a hub lays out by it is never longer than a file of footage can be."""
    data = next(d for i, d in objects_of(reader, GATE) if i.kind == "closing")
    made = parse_closing(data)
    assert made is not None
    assert can_be(made)
    first, *others = made.fragments
    for lie in (
        [first, *(dataclasses.replace(each, offset=each.offset + (1 << 40)) for each in others)],
        [dataclasses.replace(first, offset=(1 << 64) - 1), *others],
        [first, *(dataclasses.replace(each, offset=0) for each in others)],
        [dataclasses.replace(first, start_90k=1 << 62, end_90k=1 << 62), *others],
        [first] * 5000,
    ):
        assert not can_be(dataclasses.replace(made, fragments=tuple(lie)))


def test_the_last_of_a_disk_is_for_ledgers(told: Hub, reader: ArchiveReader, monkeypatch: pytest.MonkeyPatch) -> None:
    (info, data), *_ = objects_of(reader, GATE)
    with monkeypatch.context() as patch:
        patch.setattr(told.store, "space", lambda: (500 << 20, 1 << 40))
        answer = send(told.fleet, info, data)
        assert isinstance(answer, Refused)
        assert (answer.what, answer.later) == (Doubt.NO_ROOM, True)
    assert send(told.fleet, info, data) == Confirmed(info.sha256)


def offered(hub: Hub, info: ObjectInfo) -> HubEnd:
    """A connection by which this object was offered."""
    end = HubEnd(RIDGE, hub.fleet, {})
    end.take(encode(Message("hello", {"posts": [RIDGE], "site": RIDGE})), 0)
    answers, _ = end.take(encode(Message("offer", {"class": 1, "items": [info.as_json()]})), 0)
    assert [answer.kind for answer in answers if isinstance(answer, Message)] == ["need"]
    return end


def path_of(hub: Hub, info: ObjectInfo) -> Path:
    assert hub.store.folder is not None
    return hub.store.folder / hub.store.path(info.sha256)


def test_what_is_flushed_beside_the_writing_thread_is_confirmed_by_it_alone(
    told: Hub, reader: ArchiveReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    info, data = objects_of(reader, GATE)[0]
    end = offered(told, info)
    assert end.receive(encode(Chunk(info.sha256, 0, data[:100]))), "of the middle nobody else has to know"
    last = encode(Chunk(info.sha256, 100, data[100:]))
    assert not end.receive(last), "the row is made by `take`"
    assert path_of(told, info).read_bytes() == data
    assert told.fleet.begin_object(info) == info.size
    assert told.index.stats(GATE_HERE).bytes == 0, "and until then nothing counts"
    with monkeypatch.context() as patch:
        patch.setattr(told.store, "put", lambda *_: pytest.fail("it is there"))
        answers, _ = end.take(last, 0)
    assert answers == [Message("confirmed", {"items": [info.sha256.hex()]})]


def test_what_was_flushed_and_went_meanwhile_is_written_again(told: Hub, reader: ArchiveReader) -> None:
    info, data = objects_of(reader, GATE)[0]
    end = offered(told, info)
    frame = encode(Chunk(info.sha256, 0, data))
    assert not end.receive(frame)
    path_of(told, info).unlink()  # what retention removes has no row either
    answers, _ = end.take(frame, 0)
    assert answers == [Message("confirmed", {"items": [info.sha256.hex()]})]
    assert path_of(told, info).read_bytes() == data


def test_what_was_flushed_and_is_refused_leaves_nothing(told: Hub, reader: ArchiveReader) -> None:
    forged = b"no picture at all"
    info = ObjectInfo(hashlib.sha256(forged).digest(), len(forged), "picture", RIDGE, "gate", "main", at_us=T0_US)
    end = offered(told, info)
    frame = encode(Chunk(info.sha256, 0, forged))
    assert not end.receive(frame)
    assert path_of(told, info).exists()
    answers, _ = end.take(frame, 0)
    assert [answer.kind for answer in answers if isinstance(answer, Message)] == ["refused"]
    assert not path_of(told, info).exists()


def test_nobody_is_believed_before_the_writing_thread_has_looked(told: Hub, reader: ArchiveReader) -> None:
    info, data = objects_of(reader, GATE)[0]
    frame = encode(Chunk(info.sha256, 0, data))
    assert not HubEnd(RIDGE, told.fleet, {}).receive(frame), "who has not said who he is"
    end = offered(told, info)
    assert not end.receive(encode(Chunk(bytes(32), 0, b"what was not offered")))
    assert not end.receive(encode(Chunk(info.sha256, 5, data))), "more than it has"
    assert not end.receive(encode(Chunk(info.sha256, 5, data[5:50]))), "after a hole"
    assert not end.receive(encode(Message("status", {"post": RIDGE})))
    assert told.store.spooled(info.sha256) == 0
