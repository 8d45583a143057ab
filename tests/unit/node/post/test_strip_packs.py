"""Strips on their way to a hub: packs of ten minutes, made once, given up when the hub has them; and what the hub makes of them."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from longwatch.base.errors import LongwatchError
from longwatch.model.uplink import Class, ObjectInfo
from longwatch.node.post.strip_packs import FIRST_US, PackRules, StripPacks
from longwatch.server_db import ServerDb
from longwatch.strips import Shelf
from longwatch.strips.distant import DistantStrips
from longwatch.wire.strip_pack import BLOCK_US, decode

DAY_US = 86_400_000_000
NOW_US = 20_000 * DAY_US + 5 * BLOCK_US
MINUTE_US = 60_000_000


def jpeg(n: int) -> bytes:
    return b"\xff\xd8\xff" + bytes([n % 256]) * 40


class Post:
    def __init__(self, folder: Path) -> None:
        self.shelf = Shelf(folder / "strips")
        self.db = ServerDb(folder / "server.db")
        self.items: dict[bytes, tuple[ObjectInfo, Class, int]] = {}
        self.free = 1000
        self.made = True
        self.rules = PackRules(("gate",), hub="hq")
        self.folder = folder / "uplink"
        self.packs = self.fresh()

    def fresh(self) -> StripPacks:
        return StripPacks(
            self.db, self.shelf, self, self, self.folder, "north", lambda: self.rules, lambda *_: self.made, asyncio.to_thread
        )  # fmt: skip

    async def decoded(self, format_: Any, sample: bytes, max_width: int) -> bytes:
        return sample[:10]

    def room(self, cls: Class) -> int:
        return self.free - len(self.items)

    def queue_add(self, info: ObjectInfo, cls: Class, order: int, request: int = 0) -> bool:
        self.items[info.sha256] = info, cls, order
        return True

    def fill(self, from_us: int, to_us: int, every_us: int = 10_000_000, camera: str = "gate") -> None:
        for n, at_us in enumerate(range(from_us, to_us, every_us)):
            self.shelf.add(camera, at_us, jpeg(n), 1)

    def work(self, until_us: int = NOW_US) -> int:
        return asyncio.run(self.packs.work(until_us))

    def data(self, info: ObjectInfo) -> bytes:
        return b"".join(self.packs.read(info, at, 100) for at in range(0, info.size, 100))


@pytest.fixture
def post(tmp_path: Path):
    made = Post(tmp_path)
    yield made
    made.db.close()


def test_packs_are_thinned_made_once_and_the_newest_go_first(post: Post):
    first_us = NOW_US - 3 * BLOCK_US
    post.fill(first_us, NOW_US)
    for _ in range(20):  # a day of ten minutes, some at a time
        post.work()
    infos = sorted((item for item in post.items.values()), key=lambda item: item[2])
    assert [info.at_us for info, _, _ in infos] == [NOW_US - 2 * BLOCK_US, first_us], (
        "the last ten minutes settle first"
    )
    assert {(cls, info.kind, info.camera) for info, cls, _ in infos} == {(Class.STRIP, "strip", "gate")}
    pictures = decode(post.data(infos[0][0]))
    assert [one.at_us for one in pictures] == [NOW_US - 2 * BLOCK_US + n * MINUTE_US for n in range(10)]
    assert all(one.jpeg.startswith(b"\xff\xd8\xff") for one in pictures)
    before = dict(post.items)
    post.items.clear()
    post.packs = post.fresh()
    assert post.work() == 0, "a restart makes none of them again"
    post.db.close()
    (post.folder.parent / "server.db").unlink()
    post.db = ServerDb(post.folder.parent / "server.db")
    post.packs = post.fresh()
    for _ in range(20):
        post.work()
    assert post.items.keys() == before.keys(), "what was lost is made again, the same to the byte"


def test_what_the_hub_has_leaves_the_disk_and_what_is_gone_is_said(post: Post):
    post.fill(NOW_US - 2 * BLOCK_US, NOW_US - BLOCK_US)
    for _ in range(20):
        post.work()
    [(info, _, _)] = post.items.values()
    assert len(list(post.folder.iterdir())) == 1
    post.packs.over(info)
    assert list(post.folder.iterdir()) == []
    with pytest.raises(LongwatchError, match="gone"):
        post.packs.read(info, 0, 10)


def test_pictures_that_are_still_made_are_waited_for_but_not_for_ever(post: Post):
    post.fill(NOW_US - FIRST_US, NOW_US - FIRST_US + BLOCK_US)
    post.made = False
    begun_us = NOW_US - FIRST_US
    assert post.work(begun_us + 2 * BLOCK_US) == 0
    post.fill(NOW_US - BLOCK_US, NOW_US)
    for _ in range(20):
        post.work(NOW_US)
    assert {info.at_us for info, _, _ in post.items.values()} <= {begun_us}


def test_narrower_where_the_link_wants_it_and_none_where_nothing_is_wanted(post: Post):
    post.fill(NOW_US - 2 * BLOCK_US, NOW_US - BLOCK_US)
    post.rules = PackRules(hub="hq")
    assert post.work() == 0
    post.rules = PackRules(("gate",))
    assert post.work() == 0, "no hub was joined"
    post.rules = PackRules(("gate",), width=80, hub="hq")
    for _ in range(20):
        post.work()
    [(info, _, _)] = post.items.values()
    assert {len(one.jpeg) for one in decode(post.data(info))} == {10}


def test_a_full_queue_is_come_back_to(post: Post):
    post.fill(NOW_US - 4 * BLOCK_US, NOW_US)
    post.free = 0
    for _ in range(20):
        post.work()
    assert not post.items
    post.free = 100
    for _ in range(20):
        post.work()
    assert len(post.items) == 3


class FakePacks:
    def __init__(self, packs: dict[int, bytes]) -> None:
        self.packs = packs
        self.read_count = 0

    def strips(self, camera: str, from_us: int, to_us: int) -> list[tuple[int, bytes]]:
        return [
            (at, at.to_bytes(32, "big"))
            for at in sorted(self.packs)
            if from_us <= at < to_us and camera == "north.gate"
        ]

    def newest(self, camera: str, until_us: int) -> bytes | None:
        found = [at for at in self.packs if at <= until_us and camera == "north.gate"]
        return max(found).to_bytes(32, "big") if found else None

    def read(self, sha256: bytes) -> bytes:
        self.read_count += 1
        data = self.packs[int.from_bytes(sha256, "big")]
        if data == b"away":
            raise LongwatchError("an object cannot be read")
        return data


def test_a_hub_shows_what_came_and_reads_no_pack_twice(post: Post):
    post.fill(NOW_US - 7 * BLOCK_US, NOW_US)
    for _ in range(20):
        post.work()
    packs = FakePacks({info.at_us: post.data(info) for info, _, _ in post.items.values()})
    shelf = DistantStrips(packs).shelf
    last_us = max(packs.packs)
    found = shelf.between("north.gate", last_us + 30_000_000, last_us + 5 * MINUTE_US)
    assert [one.at_us for one in found] == [last_us + n * MINUTE_US for n in range(1, 5)]
    assert shelf.read("north.gate", found) == [
        jpeg((one.at_us - (NOW_US - 7 * BLOCK_US)) // 10_000_000) for one in found
    ]
    assert packs.read_count == 1
    by_step = shelf.by_step("north.gate", last_us - BLOCK_US, last_us + BLOCK_US, 300_000_000)
    assert [one.at_us for one in by_step] == [last_us - BLOCK_US + n * 300_000_000 for n in range(4)]
    assert shelf.between("north.yard", 0, NOW_US) == []
    newest = shelf.newest("north.gate", last_us + 2 * MINUTE_US + 5)
    assert newest is not None
    assert newest.at_us == last_us + 2 * MINUTE_US
    assert shelf.newest("north.yard", NOW_US) is None
    packs.packs[last_us + BLOCK_US] = b"away"
    packs.packs[last_us + 2 * BLOCK_US] = b"rubbish of a post"
    assert shelf.between("north.gate", last_us + BLOCK_US, last_us + 3 * BLOCK_US) == []
    assert shelf.read("north.gate", [found[0]._replace(at_us=5)]) == [b""]
