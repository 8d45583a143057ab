"""A post's live view and stills seen from a hub, both ends together over a link in memory."""

import asyncio
import contextlib
import json
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from longwatch.base.clock import SystemClock
from longwatch.base.errors import LongwatchError
from longwatch.base.queues import BoundedQueue
from longwatch.live.remote import POST_AWAY, TIME_IS_OVER, TOO_THIN, PostAwayError, RemoteLive
from longwatch.model.sessions import StreamKey
from longwatch.model.uplink import Class
from longwatch.node.post import live as post_live
from longwatch.node.post.live import PART_BYTES, PostLive
from longwatch.wire.uplink import Body, Message, decode, encode

GATE = StreamKey("north.gate", "sub")


class Link:
    """Both ends of an uplink: what is said is encoded, and arrives. thin: nothing leaves the post."""

    def __init__(self) -> None:
        self.post_handlers: dict[str, Any] = {}
        self.hub_handlers: dict[str, Any] = {}
        self.up = True
        self.thin = False
        self.waiting: list[bytes] = []
        self.bytes = 0
        self.hub_side = SimpleNamespace(
            on=self.hub_handlers.__setitem__, connected=lambda post: self.up, say=self._down
        )
        self.tasks: set[asyncio.Task[Any]] = set()

    def on(self, kind: str, handler: Any) -> None:
        self.post_handlers[kind] = handler

    def _down(self, post: str, message: Any) -> bool:
        if not self.up or post != "north":
            return False
        frame = decode(encode(message))
        self._later(self.post_handlers[frame.kind](frame))
        return True

    def say(self, message: Any, cls: Class = Class.ASKED) -> bool:
        if not self.up:
            return False
        data = encode(message)
        self.bytes += len(data)
        self.waiting.append(data)
        if not self.thin or cls is Class.LEDGER:
            self.flush()
        return True

    def flush(self) -> None:
        for data in self.waiting:
            frame = decode(data)
            self._later(self.hub_handlers[frame.kind]("north", frame))
        self.waiting.clear()

    def saying(self, cls: Class = Class.ASKED) -> int:
        return len(self.waiting)

    def _later(self, work: Any) -> None:
        task = asyncio.ensure_future(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)


class FakeLive:
    """`live.Hub`: begins each viewer with a text, an init segment, and chunks as they are fed."""

    def __init__(self) -> None:
        self.viewers: list[Any] = []
        self.opened: list[tuple[StreamKey, bool]] = []

    @contextlib.contextmanager
    def watch(self, key: StreamKey, *, audio: bool = True, transcode: bool = False):
        assert not audio, "the link is thin"
        queue: BoundedQueue[Any] = BoundedQueue("test", 1 << 20)
        viewer = SimpleNamespace(next=queue.get, close=queue.close, dropped=0, queue=queue)
        queue.put(json.dumps({"mime": "video/mp4", "tracks": []}))
        queue.put(b"init")
        self.viewers.append(viewer)
        self.opened.append((key, transcode))
        try:
            yield viewer
        finally:
            self.viewers.remove(viewer)

    def feed(self, data: bytes) -> None:
        for viewer in self.viewers:
            viewer.queue.put(data)


class FakeJournal:
    def __init__(self) -> None:
        self.said: list[tuple[Any, ...]] = []

    async def live_begins(self, who: Any, camera: str, stream: str) -> int:
        self.said.append(("begins", who.subject, who.user, camera, stream))
        return 5

    async def live_ends(self, number: int) -> None:
        self.said.append(("ends", number))

    async def looked(self, who: Any, camera: str, look: Any, *, goes_on: bool = False, part: bool = False) -> None:
        self.said.append(("looked", who.user, camera, look.what))


class Pair:
    def __init__(self) -> None:
        self.link, self.live, self.journal = Link(), FakeLive(), FakeJournal()
        self.rules = SimpleNamespace(withheld=frozenset({"attic"}), hub="hq", live_limit_s=120)
        self.still = SimpleNamespace(jpeg=b"\xff\xd8" + bytes(30_000), wall_us=77)
        clock = SystemClock()

        async def still(*_: Any, width: int) -> Any:
            if width == 17:
                raise LongwatchError("the picture could not be decoded")
            return self.still

        async def knows(key: StreamKey) -> bool:
            return key.camera != "nowhere"

        self.post = PostLive(
            self.link, self.live, SimpleNamespace(still=still), SimpleNamespace(accounted_until_us=lambda: 99), self.journal,
            lambda: self.rules, knows, clock,
        )  # fmt: skip
        self.hub = RemoteLive(self.link.hub_side, clock)


def run(story: Callable[[Pair], Any]) -> Pair:
    async def both() -> Pair:
        pair = Pair()
        try:
            async with asyncio.timeout(60):
                await story(pair)
        finally:
            await pair.hub.aclose()
            await pair.post.aclose()
        return pair

    return asyncio.run(both())


def test_one_feed_for_all_who_watch_each_from_its_beginning():
    async def story(pair: Pair) -> None:
        with pair.hub.watch(GATE, by="anna", limit_s=60) as first:
            text = json.loads(await first.next())
            assert (text["mime"], text["via"]["quality"]) == ("video/mp4", "sub")
            assert 50 <= text["via"]["limit_s"] <= 60
            assert await first.next() == b"init"
            large = bytes(range(256)) * 150
            pair.live.feed(large)
            assert await first.next() == large
            with pair.hub.watch(GATE, by="ben") as second:
                for viewer in (first, second):
                    assert "mime" in json.loads(await viewer.next()), "the feed begins anew for both"
                    assert await viewer.next() == b"init"
                while len(pair.live.viewers) > 1:
                    await asyncio.sleep(0)
                pair.live.feed(b"one")
                assert [await first.next(), await second.next()] == [b"one", b"one"]
        while pair.live.viewers:
            await asyncio.sleep(0.01)
        assert pair.hub.watched() == []

    pair = run(story)
    assert pair.journal.said[0] == ("begins", 2, "anna at hq", "gate", "sub")
    assert sum(1 for said in pair.journal.said if said[0] == "begins") == 2
    assert ("ends", 5) in pair.journal.said


def test_parts_are_small_so_that_an_alarm_never_waits_long():
    async def story(pair: Pair) -> None:
        with pair.hub.watch(GATE) as viewer:
            await viewer.next()
            await viewer.next()
            pair.link.thin = True
            pair.live.feed(bytes(100_000))
            await asyncio.sleep(0.1)
            assert pair.link.waiting
            assert all(len(frame) < PART_BYTES + 200 for frame in pair.link.waiting)
            pair.link.thin = False
            pair.link.flush()
            while (message := await viewer.next()) is not None and len(message) != 100_000:
                pass

    run(story)


def test_the_time_is_over_at_the_hub_and_at_the_post():
    async def story(pair: Pair) -> None:
        pair.rules.live_limit_s = 1
        with pair.hub.watch(GATE, limit_s=60) as viewer:
            while await viewer.next() is not None:
                pass
            assert viewer.ended is not None
            assert viewer.ended[0] == TIME_IS_OVER, "the post's settings ended it"
        with pair.hub.watch(GATE, limit_s=5) as viewer:
            pair.rules.live_limit_s = 60
            viewer.end(TIME_IS_OVER, "the time is over")
            while await viewer.next() is not None:
                pass
            assert viewer.ended[0] == TIME_IS_OVER

    run(story)


def test_a_link_that_carries_too_little_is_said(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(post_live, "_THIN_AFTER_US", 0)

    async def story(pair: Pair) -> None:
        with pair.hub.watch(GATE) as viewer:
            await viewer.next()
            pair.live.viewers[0].dropped = 500
            pair.live.feed(b"x")
            while await viewer.next() is not None:
                pass
            assert viewer.ended[0] == TOO_THIN

    run(story)


def test_what_is_withheld_unknown_or_away_is_not_sent():
    async def story(pair: Pair) -> None:
        for camera, word in (("attic", "keep"), ("nowhere", "no such stream")):
            with pair.hub.watch(StreamKey(f"north.{camera}", "sub")) as viewer:
                assert await viewer.next() is None
                assert viewer.ended[0] == POST_AWAY
                assert word in viewer.ended[1]
            with pytest.raises(PostAwayError, match=word):
                await pair.hub.still(StreamKey(f"north.{camera}", "sub"), 320)
        pair.link.up = False
        with pytest.raises(PostAwayError, match="not in touch"), pair.hub.watch(GATE):
            pass
        with pytest.raises(PostAwayError, match="not in touch"):
            await pair.hub.still(GATE, 320)

    pair = run(story)
    assert pair.journal.said == []


def test_a_still_comes_whole_and_once_for_all_who_ask():
    async def story(pair: Pair) -> None:
        found = await asyncio.gather(*(pair.hub.still(GATE, 320, "anna") for _ in range(5)))
        assert set(found) == {(pair.still.jpeg, 77)}
        with pytest.raises(PostAwayError, match="could not be decoded"):
            await pair.hub.still(GATE, 17)

    pair = run(story)
    assert pair.journal.said == [("looked", "anna at hq", "gate", "still")]
    assert pair.link.bytes < 40_000


def test_what_another_post_or_an_old_feed_sends_is_passed_over():
    async def story(pair: Pair) -> None:
        with pair.hub.watch(GATE) as viewer:
            await viewer.next()
            await viewer.next()
            number = next(iter(pair.hub._by_number))
            said = {"live": number, "t": "chunk", "last": True}
            await pair.link.hub_handlers["live_part"]("south", Body("live_part", said, b"false"))
            await pair.link.hub_handlers["live_part"]("north", Body("live_part", {**said, "live": number - 1}, b"old"))
            await pair.link.hub_handlers["live_end"]("south", Message("live_end", {"live": number}))
            await pair.link.hub_handlers["still"]("north", Body("still", {"ask": 3}, b"nobody asked"))
            pair.live.feed(b"true")
            assert await viewer.next() == b"true"
        for bad in ({}, {"live": "x", "limit_s": 5}, {"live": 3, "limit_s": 5, "camera": 7}):
            await pair.link.post_handlers["live_open"](Message("live_open", bad))
            await pair.link.post_handlers["live_close"](Message("live_close", bad))
            await pair.link.post_handlers["still"](Message("still", bad))

    run(story)


def test_a_cut_link_ends_the_feed_at_the_post():
    async def story(pair: Pair) -> None:
        with pair.hub.watch(GATE) as viewer:
            await viewer.next()
            pair.link.up = False
            pair.live.feed(b"lost")
            while pair.live.viewers:
                await asyncio.sleep(0.01)

    pair = run(story)
    assert ("ends", 5) in pair.journal.said


def test_a_hub_opens_no_more_views_than_are_counted(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(post_live, "MOST_BEGUN", 3)

    async def opened(pair: Pair, number: int) -> None:
        said = {"live": number, "post": "north", "camera": "gate", "stream": "sub", "limit_s": 60, "by": "eve"}
        await pair.link.post_handlers["live_open"](Message("live_open", said))
        await asyncio.sleep(0.05)

    async def story(pair: Pair) -> None:
        for _ in range(5):
            await opened(pair, 1)
        assert len(pair.live.opened) == 1, "one number is one view"
        for number in range(2, 8):
            await opened(pair, number)

    pair = run(story)
    assert sum(said[0] == "begins" for said in pair.journal.said) == 3
