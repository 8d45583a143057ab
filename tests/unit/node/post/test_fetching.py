"""A bundle at the post: asked for, written, gone on with after cuts and kills, handed over by its hash alone."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from longwatch.base.clock import ManualClock
from longwatch.model.uplink import Class
from longwatch.node.post.fetching import FLUSH_BYTES, MOST_WRONG, Fetching
from longwatch.replication.fetching import answer
from longwatch.wire.uplink import Body, Message

BUNDLE = random.Random(1).randbytes(FLUSH_BYTES * 2 + 1000)
SHA = hashlib.sha256(BUNDLE).hexdigest()


class Link:
    """What was asked for; it is answered when the test says so."""

    def __init__(self) -> None:
        self.connected, self.quantum = True, 16 << 10
        self.handlers: dict[str, Any] = {}
        self.greet: list[Any] = []
        self.asked: list[dict[str, Any]] = []
        self.waits = 0

    def on(self, kind: str, handler: Any) -> None:
        self.handlers[kind] = handler

    def on_connect(self, told: Any) -> None:
        self.greet.append(told)

    def say(self, message: Any, cls: Class = Class.ASKED) -> bool:
        assert (message.kind, cls) == ("fetch", Class.BULK)
        self.asked.append(dict(message.body))
        return True

    def saying(self, cls: Class = Class.ASKED) -> int:
        return self.waits


class Upgrading:
    def __init__(self) -> None:
        self.on_wanted: list[Callable[[], None]] = []
        self.want: tuple[str, int] | None = (SHA, len(BUNDLE))
        self.got: list[tuple[str, bytes]] = []
        self.failed: list[str] = []

    def wanted(self) -> tuple[str, int] | None:
        return self.want

    async def arrived(self, sha256: str, path: Path) -> None:
        self.got.append((sha256, path.read_bytes()))
        self.want = None

    async def travel_failed(self, sha256: str, why: str) -> None:
        self.failed.append(why)
        self.want = None


class Case:
    def __init__(self, folder: Path) -> None:
        self.folder = folder / "spool"
        self.clock = ManualClock()
        self.upgrading = Upgrading()
        self.bundle = BUNDLE
        self.begin()

    def begin(self) -> None:
        """As after a start of the post's server."""
        self.link = Link()
        self.fetching = Fetching("north", self.link, self.upgrading, self.clock, self.folder, lambda: None)

    async def answer(self, times: int = 1000) -> None:
        """What was asked for comes, so many parts of it."""
        for _ in range(times):
            await self.fetching.look()
            if not self.link.asked:
                return
            for part in answer(self.link.asked.pop(0), lambda _, offset, size: self.bundle[offset : offset + size]):
                await self.clock.advance(0.01)
                await self.link.handlers["part"](part)

    async def refuse(self, sha256: str = SHA, what: str = "stopped") -> None:
        await self.link.handlers["no_fetch"](Message("no_fetch", {"sha256": sha256, "what": what}))

    @property
    def files(self) -> list[str]:
        return sorted(path.name for path in self.folder.iterdir()) if self.folder.is_dir() else []


@pytest.fixture
def case(tmp_path: Path) -> Case:
    return Case(tmp_path)


async def test_it_comes_whole_and_leaves_nothing_behind(case: Case) -> None:
    await case.answer()
    assert case.upgrading.got == [(SHA, BUNDLE)]
    assert case.files == []
    await case.answer()
    assert case.link.asked == []


async def test_after_a_kill_it_goes_on_behind_what_is_durable(case: Case) -> None:
    await case.answer(12)
    part = case.folder / f"{SHA}.part"
    durable = json.loads((case.folder / f"{SHA}.json").read_bytes())["durable"]
    assert FLUSH_BYTES <= durable <= part.stat().st_size
    with part.open("ab") as file:
        file.write(b"what a power cut left behind it")
    case.begin()
    await case.fetching.look()
    assert case.link.asked[0]["offset"] == durable
    await case.answer()
    assert case.upgrading.got == [(SHA, BUNDLE)]


async def test_after_a_cut_what_was_asked_for_is_asked_for_again(case: Case) -> None:
    await case.fetching.look()
    first = case.link.asked.pop()
    case.link.connected = False
    await case.fetching.look()
    assert case.link.asked == []
    case.link.connected = True
    case.link.greet[0]({})
    await case.fetching.look()
    assert case.link.asked[0]["offset"] == first["offset"] == 0


async def test_one_that_waits_for_its_window_is_enough(case: Case) -> None:
    case.link.waits = 1
    await case.fetching.look()
    assert case.link.asked == []


async def test_something_else_is_never_handed_over_and_given_up_in_the_end(case: Case) -> None:
    case.bundle = bytes(len(BUNDLE))
    for _ in range(MOST_WRONG):
        await case.answer()
    assert case.upgrading.got == []
    assert case.upgrading.failed == ["what came is not the bundle that was ordered"]
    assert case.files == []


@pytest.mark.parametrize(
    ("what", "words"),
    [("stopped", "stopped"), ("unknown", "does not know"), ("gone", "not at the hub"), (5, "does not send")],
)
async def test_what_the_hub_does_not_send_ends_the_order(case: Case, what: Any, words: str) -> None:
    await case.answer(2)
    await case.refuse("0" * 64)
    assert case.upgrading.failed == []
    await case.refuse(what=what)
    assert words in case.upgrading.failed[0]
    assert case.files == []


async def test_parts_of_something_else_or_that_cannot_be_are_passed_over(case: Case) -> None:
    await case.fetching.look()
    for header in (
        {"offset": 0, "of": "f" * 16},
        {"offset": -1, "of": SHA[:16]},
        {"offset": True, "of": SHA[:16]},
        {"of": SHA[:16]},
        {"offset": 0},
    ):
        await case.link.handlers["part"](Body("part", header, b"x"))
    await case.link.handlers["part"](Message("part", {"offset": 0}))
    await case.link.handlers["part"](Body("part", {"offset": len(BUNDLE), "of": SHA[:16]}, b"x"))
    assert (case.folder / f"{SHA}.part").stat().st_size == 0
    await case.clock.advance(60)
    await case.answer()
    assert case.upgrading.got == [(SHA, BUNDLE)]


async def test_another_order_takes_the_place_of_what_was_begun(case: Case) -> None:
    await case.answer(3)
    case.upgrading.want = None
    await case.fetching.look()
    assert case.files == []
    case.upgrading.want = ("../../etc/x", 5)
    await case.fetching.look()
    assert case.upgrading.failed
    case.upgrading.want = (SHA, 1 << 40)
    await case.fetching.look()
    assert len(case.upgrading.failed) == 2
    assert case.files == []


async def test_a_disk_that_is_full_is_tried_again_later(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(case.fetching, "_write", full)
        await case.answer(1)
        await case.fetching.look()
        assert case.link.asked == []
    await case.clock.advance(31)
    await case.answer()
    assert case.upgrading.got == [(SHA, BUNDLE)]
