"""What is told to posts from a hub: entered, signed, told once it can be; withdrawn only while nobody told it; over in the end."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.fleet_case import Hub, Ledger
from tests.unit.node.hub.test_requests import ANNA, FakeLedger, FakeUplinks

from longwatch.base.clock import ManualClock
from longwatch.base.errors import LongwatchError, UsageError
from longwatch.fleet.answers import CommandRow
from longwatch.ledger import kinds
from longwatch.model.alarms import POSTS_FROM
from longwatch.node.hub.commands import EXPIRES_US, CommandDesk
from longwatch.trust import authority_of
from longwatch.trust.commands import open_command
from longwatch.wire.uplink import Message

SECOND = 1_000_000
TEXT = "post: {id: ridge, timezone: Europe/Oslo}\ndata: data\nweb: {listen: 127.0.0.1:8460}\ncameras:\n  gate:\n    streams: {main: 'rtsp://u:•••0123abcd@10.0.0.5/s'}\n"


class Case:
    def __init__(self, folder: Path) -> None:
        self.clock = ManualClock()
        self.hub = Hub(folder / "fleet.db", folder, self.clock.wall_us)
        self.post = Ledger()
        self.post.enrol(self.hub.fleet)
        self.uplinks, self.ledger = FakeUplinks(), FakeLedger()
        self.authority = authority_of(folder, "hq")
        self.desk = CommandDesk(self.hub.fleet, self.authority, "hq", self.uplinks, self.ledger, self.clock)

    async def answer(self, number: int, state: str, **answer: Any) -> None:
        said = {"post": "ridge", "command": number, "state": state, "answer": answer}
        await self.uplinks.handlers["commanded"]("ridge", Message("commanded", said))

    async def comes(self) -> None:
        self.uplinks.here.add("ridge")
        await self.uplinks.greet[0]("ridge")

    async def one(self, number: int) -> CommandRow:
        return next(row for row in await self.desk.listed("ridge") if row.id == number)

    async def read(self) -> None:
        """The post told its settings."""
        given = await self.desk.read("ridge", ANNA, "")
        await self.answer(given.id, "done", text=TEXT, revision="r1", read_only=None)


@pytest.fixture
def case(tmp_path: Path) -> Iterator[Case]:
    made = Case(tmp_path)
    yield made
    made.hub.close()


async def test_it_waits_is_told_at_the_next_contact_and_ends_with_the_posts_answer(case: Case) -> None:
    given = await case.desk.read("ridge", ANNA, "a look")
    assert (given.state, given.by, given.reason) == ("waiting", "anna", "a look")
    await case.comes()
    [(_, kind, said)] = case.uplinks.said
    command = open_command(
        base64.b64decode(said["signed"]), case.authority.commander.public, "hq", "ridge", case.clock.wall_us()
    )
    assert (kind, command.kind, command.number, command.by) == ("command", "settings_read", given.id, "anna")
    assert (await case.one(given.id)).state == "sent"
    await case.comes()
    assert len(case.uplinks.said) == 2, "again, until it is answered"
    await case.answer(given.id, "done", text="x")
    assert (await case.one(given.id)).state == "done"
    await case.answer(given.id, "refused", why="late")
    assert (await case.one(given.id)).state == "done"
    await case.comes()
    assert len(case.uplinks.said) == 2


async def test_only_what_nobody_told_the_post_can_be_withdrawn(case: Case) -> None:
    first = await case.desk.read("ridge", ANNA, "")
    case.ledger.away = True
    with pytest.raises(LongwatchError):
        await case.desk.withdraw("ridge", first.id, ANNA)
    assert (await case.one(first.id)).state == "withdrawing"
    await case.comes()
    assert case.uplinks.said == [], "what is being withdrawn is told to nobody"
    case.ledger.away = False
    await case.desk.withdraw("ridge", first.id, ANNA)
    assert (await case.one(first.id)).state == "withdrawn"
    assert [kind for kind, _ in case.ledger.entries] == [kinds.COMMAND_GIVEN, kinds.COMMAND_WITHDRAWN]
    second = await case.desk.read("ridge", ANNA, "")
    assert second.state == "sent"
    with pytest.raises(UsageError):
        await case.desk.withdraw("ridge", second.id, ANNA)


@pytest.mark.slow
async def test_settings_are_checked_here_saved_once_and_end_as_the_post_says(case: Case) -> None:
    with pytest.raises(UsageError, match="nobody read"):
        await case.desk.save("ridge", TEXT, "r1", ANNA, "why")
    await case.read()
    changed = TEXT.replace("gate:", "yard:")
    checked = await case.desk.check("ridge", changed, "r1")
    assert (checked["ok"], checked["difference"]["added"], checked["difference"]["removed"]) == (
        True,
        ["yard"],
        ["gate"],
    )
    assert "•••" not in json.dumps(checked["difference"]), "no stand-in is told as a value"
    wrong = await case.desk.check("ridge", TEXT.replace("id: ridge", "id: valley"), "r1")
    assert (wrong["ok"], wrong["problems"][0]["key"]) == (False, "post.id")
    given = await case.desk.save("ridge", changed, "r1", ANNA, "a new place")
    assert "+  yard:" in given.body["difference"]
    with pytest.raises(UsageError, match="not over yet"):
        await case.desk.save("ridge", changed, "r1", ANNA, "again")
    await case.comes()
    await case.answer(given.id, "trial", return_s=600)
    assert (await case.one(given.id)).state == "trial"
    await case.comes()
    assert (await case.one(given.id)).state == "trial", "told again, and not waiting again"
    await case.answer(given.id, "returned", why="out of reach")
    assert (await case.one(given.id)).state == "returned"


async def test_what_waited_a_month_is_over_and_what_was_told_is_asked_for_once_more(case: Case) -> None:
    waits = await case.desk.read("ridge", ANNA, "")
    await case.clock.advance(EXPIRES_US / SECOND + 1)
    assert (await case.one(waits.id)).state == "expired"
    await case.comes()
    told = await case.desk.read("ridge", ANNA, "")
    case.uplinks.here.clear()
    await case.clock.advance(EXPIRES_US / SECOND + 1)
    assert (await case.one(told.id)).state == "sent", "the post may have done it"
    case.uplinks.said.clear()
    await case.comes()
    assert [said["command"] for _, _, said in case.uplinks.said] == [told.id]
    await case.answer(told.id, "expired", why="it came after its end")
    assert (await case.one(told.id)).state == "expired"


async def test_an_alarm_of_a_post_is_acknowledged_here_and_told_to_the_post(case: Case) -> None:
    body = {"alarm": 3, "kind": "camera_silent", "camera": "gate", "raised_us": 5, "subject": "gate"}
    case.post.add(kinds.ALARM_RAISED, body)
    case.post.tell(case.hub.fleet)
    [alarm] = case.hub.index.alarms()
    assert alarm.id > POSTS_FROM
    with pytest.raises(UsageError):
        await case.desk.acknowledge(alarm.id + 1, ANNA, "seen")
    assert await case.desk.acknowledge(alarm.id, ANNA, "a fallen tree") == 1
    with pytest.raises(UsageError, match="already"):
        await case.desk.acknowledge(alarm.id, ANNA, "again")
    given = (await case.desk.acknowledging())[alarm.id]
    assert (given.state, given.by, given.reason) == ("waiting", "anna", "a fallen tree")
    await case.comes()
    command = open_command(
        base64.b64decode(case.uplinks.said[0][2]["signed"]), case.authority.commander.public, "hq", "ridge", None
    )
    assert (command.kind, command.body, command.reason) == ("alarm_acknowledge", {"alarm": 3}, "a fallen tree")


@pytest.mark.slow
@pytest.mark.parametrize(
    "said", [{}, {"command": True, "state": "done", "answer": {}}, {"command": 1, "state": "waiting", "answer": {}}, {"command": 1, "state": "done", "answer": []},
             {"command": 99, "state": "done", "answer": {}}, {"command": 1, "state": "done", "answer": {"text": "x" * 500_000}}],
)  # fmt: skip
async def test_what_a_post_says_is_taken_only_in_its_form(case: Case, said: dict[str, Any]) -> None:
    given = await case.desk.read("ridge", ANNA, "")
    await case.uplinks.handlers["commanded"]("ridge", Message("commanded", said))
    await case.answer(given.id + 50, "done")
    await case.uplinks.handlers["commanded"](
        "other", Message("commanded", {"command": given.id, "state": "done", "answer": {}})
    )
    assert (await case.one(given.id)).state == "waiting"
