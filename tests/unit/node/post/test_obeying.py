"""A post at its hub's word: each command once, and back by itself where a change cut it off; over kills and boots."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from longwatch.base.clock import ManualClock
from longwatch.base.errors import LongwatchError, UsageError
from longwatch.node.post.obeying import Obeying
from longwatch.node.upgrade.order import Order, Stage
from longwatch.trust.commands import Command, sign_command
from longwatch.trust.keys import SigningKey, key_in

SECOND = 1_000_000


class Desk:
    """A settings file in memory; its revision is its text."""

    def __init__(self) -> None:
        self.text = "old"
        self.saved: list[tuple[str, str, str]] = []
        self.file = SimpleNamespace(read=lambda: SimpleNamespace(text=self.text, revision=f"r-{self.text}"))

    async def shown(self) -> dict[str, Any]:
        return {"text": self.text, "revision": f"r-{self.text}", "read_only": None}

    async def changes_upgrades(self, text: str) -> bool:
        return "upgrades" in text

    async def sent_elsewhere(self, text: str) -> list[str]:
        return ["mqtt.password"] if text == "thief" else []

    async def save(self, text: str, revision: str, reason: str, who: Any) -> dict[str, Any]:
        if revision != f"r-{self.text}" or text == "wrong":
            raise UsageError("these settings are not taken")
        self.text = text
        self.saved.append((text, reason, who.user))
        return {"revision": f"r-{text}", "entry": 5, "difference": {}}


@dataclass
class Link:
    handlers: dict[str, Any] = field(default_factory=dict)
    connect: list[Any] = field(default_factory=list)
    said: list[Mapping[str, Any]] = field(default_factory=list)
    dialled: int = 0

    def on(self, kind: str, handler: Any) -> None:
        self.handlers[kind] = handler

    def on_connect(self, told: Any) -> None:
        self.connect.append(told)

    def say(self, message: Any, cls: Any = None) -> bool:
        self.said.append(message.body)
        return True

    def again(self) -> None:
        self.dialled += 1


@dataclass
class Ledger:
    entries: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    away: bool = False

    async def request(self, kind: str, /, *, timeout_s: float = 10.0, **fields: Any) -> dict[str, Any]:
        if self.away:
            raise LongwatchError("the recorder is away")
        if kind == "acknowledge":
            if fields["alarm"] != 4:
                raise UsageError("there is no such alarm")
            self.entries.append(("alarm_acknowledged", {"alarm": fields["alarm"], "reason": fields["reason"]}))
        else:
            self.entries.append((fields["kind"], fields["body"]))
        return {"seq": len(self.entries)}


class Case:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.key: SigningKey = key_in(folder / "command.key")
        self.clock = ManualClock()
        self.desk, self.ledger = Desk(), Ledger()
        self.start("a" * 32)

    def start(self, boot: str, upgrading: Any = None) -> None:
        """A new process."""
        self.link = Link()
        enrolment: Any = SimpleNamespace(hub="hq", site="ridge", command_key=self.key.public)
        self.post = Obeying(
            self.link, self.desk, self.ledger, lambda: enrolment, self.clock, self.folder, return_s=600, boot=lambda: boot, upgrading=upgrading  # type: ignore[arg-type]  # a desk in memory
        )  # fmt: skip
        self.post._read()

    async def dials(self) -> None:
        """The look after a change: it dials in anew."""
        before = self.link.dialled
        await self.post.look()
        assert self.link.dialled == before + 1

    def reached(self) -> None:
        for told in self.link.connect:
            told({"wall_us": 1_500})

    async def told(self, number: int, kind: str, key: SigningKey | None = None, **body: Any) -> None:
        await self.hand_over(number, kind, key, **body)
        await self.post.look()

    async def hand_over(self, number: int, kind: str, key: SigningKey | None = None, **body: Any) -> None:
        """By the link; the task looks by itself."""
        command = Command("hq", "ridge", number, kind, 1_000, 1 << 50, "ada", "a reason", body)
        signed = base64.b64encode(sign_command(command, (key or self.key).sign)).decode()
        await self.link.handlers["command"](_message(signed))

    @property
    def kinds(self) -> list[str]:
        return [kind for kind, _ in self.ledger.entries]

    def states(self) -> list[str]:
        return [body["state"] for body in self.link.said]


def _message(signed: str) -> Any:
    from longwatch.wire.uplink import Message

    return Message("command", {"post": "ridge", "command": 1, "signed": signed})


@pytest.fixture
def case(tmp_path: Path) -> Case:
    return Case(tmp_path)


async def test_settings_are_told_and_entered_first(case: Case) -> None:
    case.reached()
    await case.told(1, "settings_read")
    assert case.kinds == ["command_taken"]
    assert case.link.said[0]["answer"] == {"text": "old", "revision": "r-old", "read_only": None}


async def test_a_change_stands_once_the_hub_was_reached_after_it(case: Case) -> None:
    case.reached()
    await case.told(1, "settings_save", text="new", revision="r-old")
    assert (case.desk.text, case.link.dialled, case.states()) == ("new", 0, ["trial"])  # the hub is told before
    assert case.link.said[0]["answer"]["return_s"] == 600
    assert case.desk.saved == [("new", "a reason", "ada (at hq)")]
    await case.dials()
    case.clock.tick(599 * SECOND)
    await case.post.look()
    assert case.states() == ["trial"]
    case.reached()
    await case.post.look()
    assert case.states() == ["trial", "done"]
    case.clock.tick(3_600 * SECOND)
    await case.post.look()
    assert case.desk.text == "new"


async def test_it_goes_back_by_itself_where_the_hub_is_out_of_reach(case: Case) -> None:
    case.reached()
    await case.told(1, "settings_save", text="new", revision="r-old")
    await case.dials()
    case.clock.tick(600 * SECOND)
    await case.post.look()
    assert case.desk.text == "old"
    assert case.kinds == ["command_taken", "command_returned"]
    assert case.states() == ["trial", "returned"]


@pytest.mark.parametrize("boot", ["a" * 32, "b" * 32])
async def test_a_restart_in_between_forgets_nothing(case: Case, boot: str) -> None:
    case.reached()
    await case.told(1, "settings_save", text="new", revision="r-old")
    case.start(boot)
    await case.dials()
    assert case.desk.text == "new"
    case.clock.tick(600 * SECOND)
    await case.post.look()
    assert case.desk.text == "old"
    case.start(boot)
    await case.told(1, "settings_save", text="new", revision="r-old")
    assert (case.desk.text, case.states()) == ("old", ["returned"])


async def test_what_somebody_at_the_post_saved_meanwhile_stands(case: Case) -> None:
    case.reached()
    await case.told(1, "settings_save", text="new", revision="r-old")
    await case.dials()
    case.desk.text = "mine"
    case.clock.tick(600 * SECOND)
    await case.post.look()
    assert case.desk.text == "mine"
    assert case.ledger.entries[-1][1]["kept"] is True


async def test_replayed_foreign_and_older_ones_do_nothing(case: Case, tmp_path: Path) -> None:
    case.reached()
    await case.told(5, "settings_save", key_in(tmp_path / "other.key"), text="new", revision="r-old")
    assert (case.desk.text, case.kinds) == ("old", [])
    await case.told(5, "settings_save", text="wrong", revision="r-old")
    assert case.states() == ["refused"]
    await case.told(5, "settings_save", text="new", revision="r-old")  # the same number with other words
    await case.told(4, "settings_save", text="new", revision="r-old")
    assert (case.desk.text, case.kinds, case.states()) == ("old", ["command_taken"], ["refused"] * 3)


async def test_without_an_entry_nothing_is_done_and_it_is_tried_again(case: Case) -> None:
    case.reached()
    case.ledger.away = True
    with pytest.raises(LongwatchError):
        await case.told(1, "settings_save", text="new", revision="r-old")
    assert case.desk.text == "old"
    case.ledger.away = False
    await case.post.look()
    assert case.desk.text == "new"


async def test_an_alarm_is_acknowledged_in_the_name_of_who_did_it_at_the_hub(case: Case) -> None:
    case.reached()
    await case.told(1, "alarm_acknowledge", alarm=4)
    await case.told(2, "alarm_acknowledge", alarm=5)
    await case.told(3, "alarm_acknowledge", alarm=["5"])
    assert case.kinds == ["command_taken", "alarm_acknowledged", "command_taken", "command_taken"]
    assert case.states() == ["done", "refused", "refused"]
    assert case.link.said[0]["answer"] == {"entry": 2}


async def test_what_was_interrupted_after_it_was_taken_is_done_when_it_is_told_again(case: Case) -> None:
    case.reached()
    shown, tries = case.desk.shown, iter([True, False])

    async def failing() -> dict[str, Any]:
        if next(tries):
            raise LongwatchError("the child was killed")
        return await shown()

    case.desk.shown = failing  # type: ignore[method-assign]  # it fails once
    with pytest.raises(LongwatchError):
        await case.told(1, "settings_read")
    case.start("a" * 32)
    await case.told(1, "settings_read")
    assert (case.kinds, case.states()) == (["command_taken"], ["done"])  # one entry, and an answer


async def test_one_that_came_after_its_end_is_answered_so(case: Case) -> None:
    for told in case.link.connect:
        told({"wall_us": 1 << 51})
    await case.told(1, "settings_save", text="new", revision="r-old")
    assert (case.desk.text, case.kinds, case.states()) == ("old", [], ["expired"])


@pytest.mark.parametrize(
    "body", [{}, {"text": 5, "revision": "r-old"}, {"text": "new"}, {"text": ["new"], "revision": {}}]
)
async def test_a_hostile_body_is_refused_and_the_task_goes_on(case: Case, body: dict[str, Any]) -> None:
    case.reached()
    await case.told(1, "settings_save", **body)
    await case.told(2, "no_such_thing", **body)
    await case.told(3, "settings_read")
    assert case.states() == ["refused", "refused", "done"]


async def test_a_fault_of_ours_ends_one_command_and_never_the_task(case: Case) -> None:
    case.reached()

    async def faulty() -> dict[str, Any]:
        raise TypeError("a fault")

    case.desk.shown = faulty  # type: ignore[method-assign]  # as no desk should be
    running = asyncio.create_task(case.post.run())
    try:
        await case.hand_over(1, "settings_read")
        await case.hand_over(2, "alarm_acknowledge", alarm=4)
        async with asyncio.timeout(60):
            while case.states() != ["done"]:
                await case.clock.advance(2)
                await asyncio.sleep(0.01)
    finally:
        running.cancel()


async def test_no_password_goes_where_the_hub_says(case: Case) -> None:
    await case.told(1, "settings_save", text="thief", revision="r-old")
    assert case.states() == ["refused"]
    assert "mqtt.password" in str(case.link.said[-1])
    assert case.desk.saved == []


class Upgrades:
    """`node.upgrade.upgrading.Upgrading`, as far as it is asked here. no: what it says to an order."""

    def __init__(self, no: str = "") -> None:
        self.on_stage: list[Any] = []
        self.orders: list[Order] = []
        self.no = no

    async def order(self, sha256: str, size: int, version: str, person: Any, *, hub: str, command: int) -> Order:
        if self.no:
            raise UsageError(self.no)
        self.orders.append(Order(sha256, size, version, "0.1.0", hub, command, 5, person["text"]))
        return self.orders[-1]

    async def at(self, stage: Stage, why: str = "") -> None:
        for told in self.on_stage:
            await told(self.orders[-1].at(stage, why))


BUNDLE = {"sha256": "ab" * 32, "size": 3_000_000, "version": "9.0.0"}


async def test_an_upgrade_is_told_step_by_step_and_again_at_each_contact(case: Case):
    upgrades = Upgrades()
    case.start("a" * 32, upgrades)
    await case.told(3, "upgrade", **BUNDLE)
    assert case.kinds == ["command_taken"]
    assert [(order.command, order.hub, order.version) for order in upgrades.orders] == [(3, "hq", "9.0.0")]
    assert "ada" in upgrades.orders[0].person
    await upgrades.at(Stage.TRIAL, "the hub was not reached")
    told = [(body["state"], body["answer"]["stage"]) for body in case.link.said]
    assert told == [("trial", "waiting"), ("trial", "trial")]
    assert case.link.said[-1]["answer"]["why"] == "the hub was not reached"

    case.start("a" * 32, upgrades)
    await case.told(3, "upgrade", **BUNDLE)
    assert (case.states(), len(upgrades.orders)) == (["trial"], 1), "by the new version, out of what is kept"
    await upgrades.at(Stage.KEPT)
    assert case.states()[-1] == "done"
    case.start("a" * 32, upgrades)
    await case.told(3, "upgrade", **BUNDLE)
    assert case.states() == ["done"]


@pytest.mark.parametrize(("stage", "state"), [(Stage.RETURNED, "returned"), (Stage.REFUSED, "refused")])
async def test_how_an_upgrade_ends_badly(case: Case, stage: Stage, state: str):
    upgrades = Upgrades()
    case.start("a" * 32, upgrades)
    await case.told(3, "upgrade", **BUNDLE)
    await upgrades.at(stage, "it did not record")
    assert case.link.said[-1]["state"] == state
    assert case.link.said[-1]["answer"]["why"] == "it did not record"


@pytest.mark.parametrize(
    "body",
    [{}, {**BUNDLE, "sha256": "../x"}, {**BUNDLE, "sha256": "AB" * 32}, {**BUNDLE, "size": 0}, {**BUNDLE, "size": True},
     {**BUNDLE, "size": 1 << 40}, {**BUNDLE, "version": 9}],
)  # fmt: skip
async def test_what_is_no_order_of_an_upgrade_is_refused(case: Case, body: dict[str, Any]):
    upgrades = Upgrades()
    case.start("a" * 32, upgrades)
    await case.told(3, "upgrade", **body)
    assert (case.states(), upgrades.orders) == (["refused"], [])


async def test_an_upgrade_that_may_not_be_is_refused_with_its_reason(case: Case):
    case.start("a" * 32, Upgrades("this post takes no new version that way"))
    await case.told(3, "upgrade", **BUNDLE)
    assert case.states() == ["refused"]
    assert "no new version" in case.link.said[0]["answer"]["why"]


async def test_whoever_brings_programs_does_not_say_so_in_the_settings(case: Case):
    await case.told(3, "settings_save", text="upgrades: {from: hub}", revision="r-old")
    assert case.states() == ["refused"]
    assert "upgrades" in case.link.said[0]["answer"]["why"]
