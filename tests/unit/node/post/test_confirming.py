"""A segment is confirmed to the recorder once the hub has all of it, in whatever pieces."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace

from longwatch.base.clock import ManualClock
from longwatch.base.errors import LongwatchError
from longwatch.model.uplink import Class, ObjectInfo
from longwatch.node.post.confirming import Confirming
from longwatch.replication.queue import Change, Item


class FakeRecorder:
    def __init__(self):
        self.asked = []
        self.away = False

    async def request(self, kind, /, *, timeout_s=10.0, **fields):
        if self.away:
            raise LongwatchError("no recorder")
        self.asked.append((kind, fields))
        return {"marked": len(fields["segments"])}


async def read(function, *arguments):
    return function(*arguments)


def made(fragments=5, sealed=True, known=True):
    rows = SimpleNamespace(
        segment_named=lambda *_: SimpleNamespace(fragments=fragments, sealed=sealed) if known else None
    )
    recorder = FakeRecorder()
    return Confirming(rows, recorder, ManualClock(), read), recorder


def piece(first, last, kind="piece"):
    info = ObjectInfo(bytes(32), 10, kind, "north", "gate", "main", "b1", 2, 7)
    return Change("confirmed", Item(dataclasses.replace(info, first_leaf=first, last_leaf=last), Class.BULK, 1))


async def test_all_pieces_in_any_order_and_overlapping_make_a_segment():
    confirming, recorder = made()
    for change in (piece(3, 5), piece(0, 0), piece(0, 0, "closing"), piece(2, 3)):
        confirming.changed(change)
        await confirming.run_once()
    assert recorder.asked == []
    confirming.changed(piece(1, 1))
    await confirming.run_once()
    assert recorder.asked == [("confirm", {"segments": [["gate", "main", "b1", 2, 7]]})]


async def test_what_was_refused_or_is_a_strip_counts_for_nothing():
    confirming, recorder = made(1)
    confirming.changed(piece(0, 0, "closing"))
    confirming.changed(dataclasses.replace(piece(0, 1), what="refused"))
    confirming.changed(piece(0, 1, "strip"))
    await confirming.run_once()
    assert recorder.asked == []


async def test_a_recorder_that_is_away_is_told_later():
    confirming, recorder = made(1)
    recorder.away = True
    confirming.changed(piece(0, 0, "closing"))
    confirming.changed(piece(0, 1))
    await confirming.run_once()
    recorder.away = False
    await confirming.run_once()
    assert len(recorder.asked) == 1
    await confirming.run_once()
    assert len(recorder.asked) == 1


async def test_a_courier_says_whole_segments():
    confirming, recorder = made(known=False)
    confirming.whole([("gate", "main", "b1", 2, n) for n in range(700)])
    await confirming.run_once()
    assert [len(fields["segments"]) for _, fields in recorder.asked] == [500, 200]
