"""What the hub wants of a post: judged, told to the ledger, handed over as there is room, gone on with after a restart."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.support.archive_case import FOR_EVER, GATE, ROAD, opened, record, stream

from longwatch.archive import ArchiveReader
from longwatch.archive.pieces import PieceSource
from longwatch.base.clock import ManualClock
from longwatch.model.uplink import Class, ObjectInfo
from longwatch.replication.queue import Item
from longwatch.replication.stretches import MOST_US, Rules, Stretches, StretchRow, StretchRows
from longwatch.server_db import ServerDb
from longwatch.wire.uplink import Message


class FakeLink:
    """What was handed over, and what was said."""

    connected = True

    def __init__(self) -> None:
        self.items: dict[bytes, Item] = {}
        self.said: list[Message] = []
        self.free = 10_000

    def say(self, message: Any, cls: Class = Class.ASKED) -> bool:
        self.said.append(message)
        return True

    def room(self, cls: Class) -> int:
        return self.free - len(self.items)

    def queue_add(self, info: ObjectInfo, cls: Class, order: int, request: int = 0) -> bool:
        self.items.setdefault(info.sha256, Item(info, cls, order, request))
        return True

    async def queue_drop(self, drop: Callable[[Item], bool]) -> None:
        self.items = {sha: item for sha, item in self.items.items() if not drop(item)}

    def answers(self) -> list[dict[str, Any]]:
        return [dict(message.body) for message in self.said]


class Post:
    """A post of two cameras with three segments each, all accounted for."""

    def __init__(self, data: Path) -> None:
        self.clock = ManualClock()
        self.reader = ArchiveReader([data])
        self.pieces = PieceSource(self.reader, "north")
        self.link = FakeLink()
        self.rules = Rules(hub="hq")
        self.entered: list[tuple[Any, ...]] = []
        self.db = ServerDb(data / "server.db")
        self.until_us = self.reader.segments(GATE, *FOR_EVER)[-1].wall_end_us
        self.reader.accounted_until_us = lambda: self.until_us  # type: ignore[method-assign]
        self.stretches = self.fresh()

    def fresh(self) -> Stretches:
        async def enter(wanted: Any, state: str, why: str) -> None:
            self.entered.append((wanted.request, wanted.by, state))

        return Stretches(
            self.db, self.pieces, self.reader, self.link, lambda: self.rules, self.clock, enter,
            pressure=lambda: (1000, 500), read=asyncio.to_thread,
        )  # fmt: skip

    def want(self, request: int = 7, key: tuple[str, str] = GATE, **more: Any) -> Message:
        first = self.reader.segments(GATE, *FOR_EVER)[0]
        body = {
            "request": request, "camera": key[0], "stream": key[1], "from_us": first.wall_start_us, "to_us": self.until_us,
            "by": "anna", "reason": "a fire",
        }  # fmt: skip
        return Message("want", body | more)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    data = tmp_path_factory.mktemp("post")

    async def run() -> None:
        async with opened([data]) as (archive, _):
            for n, key in enumerate((GATE, ROAD)):
                await archive.camera_set_up(key.camera, key.camera.title(), [key.stream], 1)
                await record(archive, stream(archive, key, base=n * 1000), segments=3)

    asyncio.run(run())
    return data


@pytest.fixture
def post(recorded: Path):
    (recorded / "server.db").unlink(missing_ok=True)
    made = Post(recorded)
    yield made
    made.db.close()
    made.reader.close()


def test_what_is_asked_for_is_entered_answered_and_handed_over_in_order(post: Post):
    async def run() -> None:
        await post.stretches.want(post.want())

    asyncio.run(run())
    assert post.entered == [(7, "anna", "queued")]
    first, last = post.link.answers()[0], post.link.answers()[-1]
    size = sum(item.info.size for item in post.link.items.values() if item.info.kind == "piece")
    assert first == {"request": 7, "state": "queued", "bytes": size, "eta_s": round((size + 500) / 1000), "why": ""}
    assert last["state"] == "queued"
    items = sorted(post.link.items.values(), key=lambda item: item.order)
    assert {item.cls for item in items} == {Class.ASKED}
    assert {item.request for item in items} == {7}
    assert [item.info.kind for item in items][:2] == ["closing", "piece"]
    assert {item.info.sequence for item in items} == {s.sequence for s in post.reader.segments(GATE, *FOR_EVER)}
    assert StretchRows(post.db.engine).asked(7).state == "sent"


def test_asked_again_at_each_connection_nothing_is_done_twice_and_what_the_hub_lacks_is_looked_at_again(post: Post):
    async def run() -> None:
        await post.stretches.want(post.want())
        everything = dict(post.link.items)
        await post.stretches.want(post.want())
        await post.stretches.work()
        assert post.link.items == everything
        assert len(post.entered) == 1, "one request is one entry"
        post.link.items.clear()  # sent, or lost with server.db's last rows
        await post.stretches.want(post.want())
        await post.stretches.work()
        assert post.link.items.keys() == everything.keys()

    asyncio.run(run())


def test_a_restart_goes_on_where_it_was(post: Post):
    async def run() -> None:
        post.link.free = 5
        await post.stretches.want(post.want())
        begun = len(post.link.items)
        assert 0 < begun <= 5
        post.link.free = 10_000
        await post.fresh().work()
        segments = {item.info.sequence for item in post.link.items.values()}
        assert len(segments) == 3

    asyncio.run(run())


def test_what_cannot_be_is_refused_or_gone_with_the_reason(post: Post):
    async def run() -> None:
        post.rules = Rules(hub="hq", withheld=frozenset({"road"}))
        await post.stretches.want(post.want(1, ROAD))
        await post.stretches.want(post.want(2, ("attic", "main")))
        await post.stretches.want(post.want(3, from_us=1, to_us=2))
        await post.stretches.want(post.want(4, from_us=5, to_us=5))
        await post.stretches.want(post.want(5, to_us=5 + MOST_US, from_us=1))
        await post.stretches.want(post.want(6, camera=["gate"]))
        await post.stretches.want(post.want(True))

    asyncio.run(run())
    said = [(answer["request"], answer["state"]) for answer in post.link.answers()]
    assert said == [(1, "refused"), (2, "gone"), (3, "gone"), (4, "refused"), (5, "refused"), (6, "refused")]
    assert "withhold" in post.link.answers()[0]["why"]
    assert [entry[0] for entry in post.entered] == [1, 2, 3], "what cannot be read is no request of anybody"
    assert not post.link.items


def test_what_is_wanted_no_more_leaves_the_queue(post: Post):
    async def run() -> None:
        await post.stretches.want(post.want(7))
        await post.stretches.want(post.want(8, ROAD))
        await post.stretches.unwant(Message("unwant", {"request": 7}))
        assert {item.request for item in post.link.items.values()} == {8}
        await post.stretches.unwant(Message("unwant", {"request": "x"}))
        await post.stretches.work()
        assert {item.request for item in post.link.items.values()} == {8}

    asyncio.run(run())


def test_what_lies_ahead_waits_until_it_is_accounted_for(post: Post):
    async def run() -> None:
        end_us, want = post.until_us, post.want()
        post.until_us = end_us - 1_000_000
        await post.stretches.want(want)
        assert StretchRows(post.db.engine).asked(7).state == "queued"
        post.until_us = end_us
        await post.stretches.work()
        assert StretchRows(post.db.engine).asked(7).state == "sent"

    asyncio.run(run())


def test_clips_come_before_and_bulk_after_what_is_asked_for_and_withheld_cameras_never(post: Post):
    async def run() -> None:
        segments = post.reader.segments(GATE, *FOR_EVER)
        await post.stretches.add_clip(GATE, segments[1].wall_start_us, segments[1].wall_end_us - 1)
        await post.stretches.add_clip(GATE, segments[1].wall_start_us, segments[1].wall_end_us - 1)
        await post.stretches.work()
        assert {item.info.sequence for item in post.link.items.values()} == {segments[1].sequence}
        assert {item.cls for item in post.link.items.values()} == {Class.CLIP}
        post.rules = Rules(hub="hq", bulk=True, withheld=frozenset({"road"}))
        await post.stretches.work()
        bulk = [item for item in post.link.items.values() if item.cls is Class.BULK]
        assert {item.info.camera for item in post.link.items.values()} == {"gate"}
        assert {item.info.sequence for item in bulk} == {segments[0].sequence, segments[2].sequence}

    asyncio.run(run())


def test_a_post_that_has_joined_no_hub_hands_over_nothing(post: Post):
    async def run() -> None:
        post.rules = Rules(bulk=True)
        await post.stretches.work()
        assert not post.link.items

    asyncio.run(run())


def test_rows_are_kept_once_and_old_ones_go(post: Post):
    rows = StretchRows(post.db.engine)
    one = StretchRow(0, Class.CLIP, 0, GATE, 1, 2, 1, 0, "queued", 5)
    assert rows.put(one) == rows.put(one)
    assert len(rows.open()) == 1
    rows.forget(10)
    assert len(rows.open()) == 1, "what waits stays"
    rows.change(rows.open()[0], state="sent")
    rows.forget(10)
    assert rows.open() == []
    assert rows.feed("bulk") is None
    rows.set_feed("bulk", 4)
    rows.set_feed("bulk", 9)
    assert rows.feed("bulk") == 9


def test_while_it_is_on_its_way_the_hub_is_told_when_to_expect_it(post: Post):
    async def run() -> None:
        await post.stretches.want(post.want())
        post.link.said.clear()
        await post.clock.advance(61)
        await post.stretches.work()
        assert [(a["request"], a["state"], a["eta_s"]) for a in post.link.answers()] == [(7, "queued", 0)]
        post.link.items.clear()
        post.link.said.clear()
        await post.clock.advance(61)
        await post.stretches.work()
        assert [answer["state"] for answer in post.link.answers()] == ["sent"], "nothing of it waits any more"
        post.link.said.clear()
        await post.clock.advance(61)
        await post.stretches.work()
        assert post.link.answers() == [], "that is said once"

    asyncio.run(run())


def test_a_class_without_room_is_left_alone_and_the_others_go(post: Post):
    async def run() -> None:
        segments = post.reader.segments(GATE, *FOR_EVER)
        await post.stretches.add_clip(GATE, segments[0].wall_start_us, segments[0].wall_end_us)
        room = post.link.room
        post.link.room = lambda cls: 0 if cls is Class.CLIP else room(cls)  # type: ignore[method-assign]
        await post.stretches.want(post.want(7, ROAD))
        assert {item.cls for item in post.link.items.values()} == {Class.ASKED}

    asyncio.run(run())


def test_a_hub_that_asks_for_ever_fills_no_ledger(post: Post, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("longwatch.replication.stretches.MOST_NEW", 2)

    async def run() -> None:
        for request in (7, 8, 9, 10):
            await post.stretches.want(post.want(request, from_us=1, to_us=2))
        await post.clock.advance(3601)
        await post.stretches.want(post.want(11, from_us=1, to_us=2))

    asyncio.run(run())
    assert [request for request, _, _ in post.entered] == [7, 8, 11]
    assert [(a["request"], a["state"]) for a in post.link.answers()][2:4] == [(9, "refused"), (10, "refused")]
