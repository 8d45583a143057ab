"""Pictures of events on their way to a hub: each once, as small as the settings say, gone with the footage, whole where somebody asks."""

from __future__ import annotations

import asyncio
import dataclasses
from pathlib import Path
from typing import Any

import pytest

from longwatch.base.clock import ManualClock
from longwatch.base.errors import LongwatchError
from longwatch.events import EventStore
from longwatch.model.event_rows import NO_PICTURE, Stored
from longwatch.model.events import Event, EventChange, Phase
from longwatch.model.uplink import Class, ObjectInfo
from longwatch.node.post import event_pictures
from longwatch.node.post.event_pictures import EventPictures, PictureRules
from longwatch.replication.queue import Change, Item
from longwatch.server_db import ServerDb
from longwatch.wire.uplink import Message

US = 1_000_000


class Post:
    def __init__(self, folder: Path) -> None:
        self.clock = ManualClock()
        self.now_us = self.clock.wall_us()
        self.db = ServerDb(folder / "server.db")
        self.store = EventStore(self.db)
        self.folder = folder / "uplink"
        self.rules = PictureRules(hub="hq")
        self.gone: set[str] = set()
        self.free = 1000
        self.handlers: dict[str, Any] = {}
        self.said: list[Message] = []
        self.looks: list[tuple[str, str, int]] = []
        self.failing = False
        self.again()

    def again(self) -> None:
        """After a restart, and the queue is lost."""
        self.items: dict[bytes, tuple[ObjectInfo, Class]] = {}
        self.pictures = EventPictures(
            self.db,
            self.store,
            self,
            self,
            self,
            self.folder,
            "north",
            lambda: self.rules,
            self,
            self.clock,
            asyncio.to_thread,
        )

    def see(
        self, number: int, camera: str = "gate", kind: str = "motion", *, over: bool = True, pictured: bool = True
    ) -> str:
        begin = self.now_us - 60 * US + number * US
        event = Event(f"{number:022x}", camera, kind, begin, begin + US if over else None, begin + US, best_us=begin)
        self.store.keep([EventChange(Phase.NEW, event)])
        if pictured:
            self.store.pictured(event.id, begin)
        return event.id

    async def of(self, stored: Stored) -> bytes | None:
        return None if stored.event.id in self.gone else b"\xff\xd8\xff" + stored.event.id.encode() * 5

    async def decoded(self, format_: Any, sample: bytes, max_width: int) -> bytes:
        if self.failing:
            raise LongwatchError("too many wait")
        return sample[:25]

    async def looked(self, who: Any, camera: str, look: Any, **more: Any) -> None:
        self.looks.append((who.user, camera, look.from_us))

    def on(self, kind: str, handler: Any) -> None:
        self.handlers[kind] = handler

    def say(self, message: Any, cls: Class = Class.ASKED) -> bool:
        self.said.append(message)
        return True

    def room(self, cls: Class) -> int:
        return self.free - len(self.items)

    def queue_add(self, info: ObjectInfo, cls: Class, order: int, request: int = 0) -> bool:
        if self.room(cls) <= 0:
            return False
        self.items[info.sha256] = info, cls
        return True

    def work(self, times: int = 1) -> int:
        return sum(asyncio.run(self.pictures.work()) for _ in range(times))

    def ask(self, event: str, **more: Any) -> None:
        asyncio.run(
            self.handlers["event_picture"](
                Message("event_picture", {"post": "north", "event": event, "by": "anna"} | more)
            )
        )

    def became(self, what: str, sha256: bytes | None = None) -> None:
        for each in [sha256] if sha256 else list(self.items):
            info, cls = self.items.pop(each)
            self.pictures.changed(Change(what, Item(info, cls, 0)))

    def files(self) -> int:
        return len(list(self.folder.iterdir())) if self.folder.exists() else 0


@pytest.fixture
def post(tmp_path: Path):
    made = Post(tmp_path)
    yield made
    made.db.close()


def test_each_goes_once_and_small_and_leaves_nothing_behind(post: Post):
    post.see(1)
    post.see(2, pictured=False)
    post.see(3, over=False)  # it will have a better one
    post.see(4, kind="object.person", over=False)
    assert post.work(3) == 2
    infos = sorted((info for info, _ in post.items.values()), key=lambda info: info.at_us)
    assert [(info.kind, info.camera, info.post, info.at_us) for info in infos] == [
        ("picture", "gate", "north", post.now_us - 59 * US), ("picture", "gate", "north", post.now_us - 56 * US),
    ]  # fmt: skip
    assert {cls for _, cls in post.items.values()} == {Class.PICTURE}
    assert len(post.pictures.read(infos[0], 0, 1000)) == infos[0].size == 25
    post.became("confirmed")
    assert post.work(2) == 0
    assert post.files() == 0
    post.again()
    assert post.work(2) == 0


def test_a_better_picture_goes_again_and_what_was_lost_on_the_way_too(post: Post):
    event = post.see(1)
    post.work()
    post.again()  # queue and hands are lost
    assert post.work() == 1
    (info, _) = next(iter(post.items.values()))
    post.pictures._outgoing.path(info.sha256).unlink()
    with pytest.raises(LongwatchError):
        post.pictures.read(info, 0, 10)
    post.became("gone")
    assert post.work() == 1
    post.became("confirmed")
    post.store.pictured(event, post.now_us)
    assert post.work() == 1


def test_what_may_not_go_does_not_and_what_is_gone_is_not_asked_about_again(post: Post):
    post.rules = PictureRules(least=1, withheld=frozenset({"yard"}), hub="hq")
    post.see(1)
    post.see(2, camera="yard", kind="object.person")
    post.gone.add(post.see(3, kind="object.person"))
    post.see(4, kind="motion.line")
    assert post.work(2) == 1
    assert len(asyncio.run(asyncio.to_thread(post.store.to_send, 0, 99))) == 1  # on its way
    post.rules = PictureRules(hub="")
    post.see(5)
    assert post.work() == 0
    post.rules = PictureRules(least=None, hub="hq")
    assert post.work() == 0


def test_no_more_than_a_hundred_wait_and_where_there_is_no_room_none(post: Post, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(event_pictures, "MOST_WAITING", 10)
    for number in range(25):
        post.see(number)
    post.free = 3
    assert post.work(3) == 3
    post.free = 1000
    post.work(5)
    assert len(post.items) <= 10 + event_pictures._AT_ONCE
    while post.items:
        post.became("confirmed")
        post.work()
    assert asyncio.run(asyncio.to_thread(post.store.to_send, 0, 99)) == []


def test_another_hub_has_them_anew_from_a_day_before(post: Post):
    post.see(1)
    post.see(-2 * 86_400)
    post.work()
    post.became("confirmed")
    post.rules = dataclasses.replace(post.rules, hub="station")
    assert post.work() == 1


def test_who_asks_gets_it_whole_and_is_entered(post: Post):
    post.rules = PictureRules(least=None, withheld=frozenset({"yard"}), hub="hq")
    event, none, hidden = post.see(1), post.see(2, pictured=False), post.see(3, camera="yard")
    post.store.pictured(none, NO_PICTURE)
    post.ask(event)
    post.ask(event)  # said again at the next connection
    ((info, cls),) = post.items.values()
    assert (cls, info.size) == (Class.ASKED, 113)
    assert post.looks == [("anna at hq", "gate", info.at_us)]
    for other in (none, hidden, "0" * 22):
        post.ask(other)
    post.ask(event, post="south")
    assert [message.body["event"] for message in post.said] == [none, hidden, "0" * 22]
    post.became("confirmed")
    post.work()
    post.gone.add(event)
    post.ask(event)
    assert post.said[-1].body == {"event": event, "post": "north", "why": "its footage is gone"}


def test_who_asks_while_the_small_one_is_on_its_way_gets_the_whole_too(post: Post):
    event = post.see(1)
    post.work()
    post.ask(event)
    assert sorted((info.size, cls) for info, cls in post.items.values()) == [(25, Class.PICTURE), (113, Class.ASKED)]
    post.became("confirmed")
    assert post.work(2) == 0
    assert post.files() == 0


def test_where_the_small_one_is_the_whole_asking_leaves_nothing_waiting(post: Post):
    post.rules = dataclasses.replace(post.rules, width=0)
    event = post.see(1)
    post.work()
    ((info, cls),) = post.items.values()
    post.ask(event)  # the queue has it, in the class that goes sooner
    post.items = {info.sha256: (info, cls)}
    post.became("confirmed")
    post.work()
    assert not post.pictures._waiting


def test_where_nothing_can_be_made_smaller_it_goes_as_it_is(post: Post):
    post.failing = True
    post.see(1)
    post.work()
    assert [info.size for info, _ in post.items.values()] == [113]
