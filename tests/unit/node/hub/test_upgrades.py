"""A release over the posts of a hub: one tries it for all, the others follow, the first that goes back stops the rest; and who may fetch what."""

from __future__ import annotations

import functools
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.fleet_case import Hub, Ledger
from tests.unit.node.hub.test_requests import ANNA, FakeLedger, FakeUplinks
from tests.unit.trust.test_release import FORMATS, HOST, wheel

from longwatch.base.clock import ManualClock
from longwatch.base.errors import LongwatchError, UsageError
from longwatch.ledger import kinds
from longwatch.node.hub.commands import CommandDesk
from longwatch.node.hub.upgrade_verbs import verbs_of
from longwatch.node.hub.upgrades import UpgradeDesk
from longwatch.trust import authority_of, release
from longwatch.wire.uplink import Body, Message

POSTS = ["east", "north", "west"]


class Uplinks(FakeUplinks):
    """parts: bytes that went down. full: after so many."""

    def __init__(self) -> None:
        super().__init__()
        self.parts: list[tuple[str, int, bytes]] = []
        self.room = 1000

    def say(self, post: str, message: Any) -> bool:
        if not isinstance(message, Body):
            return super().say(post, message)
        if len(self.parts) >= self.room:
            return False
        self.parts.append((post, message.header["offset"], message.data))
        return True


@functools.cache
def empty() -> bytes:
    """A fleet's database without a row: made once, since its migrations take longer than most of these tests."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "fleet.db"
        Hub(path, Path(folder), ManualClock().wall_us).close()
        return path.read_bytes()


class Case:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = ManualClock()
        (folder / "fleet.db").write_bytes(empty())
        self.hub = Hub(folder / "fleet.db", folder, self.clock.wall_us)
        self.key = release.new_key(folder / "release.key")
        for n, post in enumerate(POSTS):
            ledger = Ledger(post=post)
            ledger.enrol(self.hub.fleet)
            told = {"key": release.verifier(self.key.public), "host": HOST.as_json()}
            self.hub.fleet.take_site(post, {"upgrades": told})
            self.hub.fleet.take_status(post, {"version": "1.0.0"}, n)
        self.uplinks, self.ledger = Uplinks(), FakeLedger()
        self.authority = authority_of(folder, "hq")
        self.desk = self.begin()
        self.bundle = folder / "a.bundle"
        release.pack([wheel(folder)], self.key, self.bundle, FORMATS)
        self.sha256 = release.sha256_of(self.bundle)[0].hex()

    def begin(self) -> UpgradeDesk:
        """As after a start of the hub's server."""
        commands = CommandDesk(self.hub.fleet, self.authority, "hq", self.uplinks, self.ledger, self.clock)
        return UpgradeDesk(self.hub.fleet, self.folder / "fleet", self.ledger, self.clock, commands, self.uplinks)

    async def ordered(self) -> int:
        await self.desk.add(self.bundle, ANNA, "the new one")
        self.uplinks.here |= set(POSTS)
        number = (await self.desk.roll(self.sha256, POSTS, ANNA, "a fix")).id
        await self.desk.look()
        return number

    async def says(self, post: str, state: str, **answer: Any) -> None:
        [command] = [each["command"] for to, kind, each in self.uplinks.said if to == post and kind == "command"][-1:]
        body = {"post": post, "command": command, "state": state, "answer": answer}
        await self.uplinks.handlers["commanded"](post, Message("commanded", body))
        await self.desk.look()

    async def stages(self) -> dict[str, str]:
        [(_, stages), *_] = await self.desk.rollouts()
        return {each["post"]: each["stage"] for each in stages}

    async def state(self) -> tuple[str, str]:
        [(row, _), *_] = await self.desk.rollouts()
        return row.state, row.why

    async def fetch(self, post: str, offset: int = 0, size: int = 4096, sha256: str = "") -> None:
        body = {"post": post, "sha256": sha256 or self.sha256, "offset": offset, "bytes": size, "part": 1024}
        await self.uplinks.handlers["fetch"](post, Message("fetch", body))

    def refusals(self) -> list[tuple[str, str]]:
        return [(post, said["what"]) for post, kind, said in self.uplinks.said if kind == "no_fetch"]

    def kinds(self) -> list[str]:
        return [kind for kind, _ in self.ledger.entries]


@pytest.fixture
def case(tmp_path: Path) -> Iterator[Case]:
    made = Case(tmp_path)
    yield made
    made.hub.close()


async def test_the_others_are_told_once_the_first_has_kept_it(case: Case) -> None:
    await case.ordered()
    assert await case.stages() == {"east": "told", "north": "queued", "west": "queued"}
    await case.says("east", "trial", stage="waiting")
    await case.fetch("east", 0)
    assert await case.stages() == {"east": "travelling", "north": "queued", "west": "queued"}
    for stage in ("verifying", "installing", "trying", "switching", "trial"):
        await case.says("east", "trial", stage=stage)
        assert await case.stages() == {"east": stage, "north": "queued", "west": "queued"}
    await case.says("east", "done")
    assert await case.stages() == {"east": "kept", "north": "told", "west": "told"}
    await case.says("west", "refused", why="no room")
    assert await case.state() == ("running", "")
    await case.says("north", "done")
    assert await case.state() == ("done", "")
    assert await case.stages() == {"east": "kept", "north": "kept", "west": "refused"}
    assert case.kinds() == [kinds.RELEASE_ADDED, kinds.ROLLOUT_ORDERED, *[kinds.COMMAND_GIVEN] * 3]
    given = [fields for kind, fields in case.ledger.entries if kind == kinds.COMMAND_GIVEN]
    assert all(fields["person"] == ANNA.person("a fix") for fields in given)


async def test_the_first_that_goes_back_stops_all_the_others(case: Case) -> None:
    await case.ordered()
    await case.says("east", "done")
    await case.fetch("north")
    await case.says("north", "returned", why="gate did not record again")
    state, why = await case.state()
    assert state == "stopped"
    assert "gate did not record again" in why
    stages = await case.stages()
    assert (stages["north"], stages["east"]) == ("returned", "kept")
    await case.fetch("west")
    assert case.refusals() == [("west", "stopped")]
    assert case.ledger.entries[-1][0] == kinds.ROLLOUT_STOPPED
    assert case.ledger.entries[-1][1]["body"]["itself"] is True


async def test_what_nobody_told_a_post_is_taken_back(case: Case) -> None:
    await case.ordered()
    case.uplinks.here -= {"north", "west"}
    await case.says("east", "done")
    assert await case.stages() == {"east": "kept", "north": "waiting", "west": "waiting"}
    [(row, _)] = await case.desk.rollouts()
    await case.desk.stop(row.id, ANNA, "a mistake")
    assert await case.stages() == {"east": "kept", "north": "withdrawn", "west": "withdrawn"}
    case.uplinks.here |= set(POSTS)
    said = len(case.uplinks.said)
    for greet in case.uplinks.greet:
        await greet("north")
    assert len(case.uplinks.said) == said
    body = case.ledger.entries[-1][1]["body"]
    assert (body["untold"], body["itself"]) == (["north", "west"], False)
    with pytest.raises(UsageError):
        await case.desk.stop(row.id, ANNA, "again")


@pytest.mark.parametrize("state", ["refused", "returned"])
async def test_a_first_that_does_not_take_it_stops_the_rest_before_they_hear_of_it(case: Case, state: str) -> None:
    await case.ordered()
    await case.says("east", state, why="it does not fit")
    assert (await case.state())[0] == "stopped"
    assert {to for to, kind, _ in case.uplinks.said if kind == "command"} == {"east"}
    assert await case.stages() == {"east": state, "north": "skipped", "west": "skipped"}


async def test_a_start_anew_between_any_two_steps_tells_nobody_twice(case: Case) -> None:
    await case.ordered()
    case.desk = case.begin()
    with case.hub.fleet.db.write() as db:  # killed after it was given, before that was noted
        db.exec_driver_sql('UPDATE rollouts SET posts = \'[["east", null], ["north", null], ["west", null]]\'')
    await case.desk.look()
    assert [to for to, kind, _ in case.uplinks.said if kind == "command"] == ["east"]
    await case.says("east", "done")
    case.desk = case.begin()
    await case.desk.look()
    assert case.kinds().count(kinds.COMMAND_GIVEN) == 3


async def test_an_interruption_while_it_stops_is_gone_on_with(case: Case) -> None:
    number = await case.ordered()
    case.uplinks.here.discard("north")
    await case.says("east", "done")
    await case.hub.fleet.db.call(case.desk.rows.ended, number, "stopping", "why")
    case.desk = case.begin()
    await case.desk.look()
    assert await case.state() == ("stopped", "why")
    assert (await case.stages())["north"] == "withdrawn"


async def test_only_what_a_post_was_told_can_be_fetched(case: Case) -> None:
    await case.ordered()
    await case.fetch("east", 100, 3000)
    whole = case.bundle.read_bytes()
    assert b"".join(data for _, _, data in case.uplinks.parts) == whole[100:3100]
    assert [offset for _, offset, _ in case.uplinks.parts] == [100, 1124, 2148][: len(case.uplinks.parts)]
    await case.fetch("north")
    await case.fetch("east", sha256="0" * 64)
    await case.fetch("east", sha256="../../etc/passwd")
    assert case.refusals() == [("north", "unknown"), ("east", "unknown")]
    case.uplinks.room = len(case.uplinks.parts)
    await case.fetch("east")
    assert len(case.uplinks.parts) == case.uplinks.room
    next((case.folder / "fleet/releases").glob("*.bundle")).unlink()
    await case.fetch("east")
    assert case.refusals()[-1] == ("east", "gone")


async def test_who_cannot_take_it_is_said_before_anything_travels(case: Case) -> None:
    await case.desk.add(case.bundle, ANNA, "")
    fleet = case.hub.fleet
    other = release.verifier(release.new_key(case.folder / "other.key").public)
    fleet.take_site("east", {})
    fleet.take_site("north", {"upgrades": {"key": other, "host": HOST.as_json()}})
    fleet.take_status("west", {"version": "1.2.3"}, 0)
    fleet.add_post("below", "Below", "", "longwatch/below/x/1", bytes(32), ["station"])
    fleet.add_post("gone", "Gone", "", "longwatch/gone/x/1", bytes(32))
    fleet.revoke("gone", "")
    found = {each["id"]: each["cannot"] for each in await case.desk.posts(case.sha256)}
    assert found == {"below": "elsewhere", "east": "says_no", "north": "other_key", "west": "not_newer"}
    for post in (*found, "gone", "nobody"):
        with pytest.raises(UsageError):
            await case.desk.roll(case.sha256, [post], ANNA, "why")
    fleet.take_status("west", {"version": "1.2.3rc1"}, 0)
    fleet.take_site("west", {"upgrades": {"key": release.verifier(case.key.public), "host": {"python": "x"}}})
    assert {each["id"]: each["cannot"] for each in await case.desk.posts(case.sha256)}["west"] == "misfit"
    assert case.kinds() == [kinds.RELEASE_ADDED]


async def test_a_roll_out_needs_a_reason_and_posts_that_are_in_no_other(case: Case) -> None:
    await case.ordered()
    for posts, reason in ((POSTS, " "), ([], "why"), (["east", "east"], "why"), (["west"], "why")):
        with pytest.raises(UsageError):
            await case.desk.roll(case.sha256, posts, ANNA, reason)
    with pytest.raises(UsageError, match="roll-out"):
        await case.desk.remove(case.sha256, ANNA, "old")
    with pytest.raises(UsageError):
        await case.desk.roll("00" * 32, POSTS, ANNA, "why")


async def test_a_bundle_is_looked_at_entered_and_kept_once(case: Case) -> None:
    incoming = case.desk.incoming("1")
    incoming.write_bytes(case.bundle.read_bytes())
    row = await case.desk.add(incoming, ANNA, "the new one", move=True)
    assert not incoming.exists()
    assert (row.version, row.sha256.hex()) == ("1.2.3", case.sha256)
    assert await case.desk.add(case.bundle, ANNA, "again") == row
    broken = case.folder / "broken"
    broken.write_bytes(case.bundle.read_bytes()[:-40])
    with pytest.raises(LongwatchError):
        await case.desk.add(broken, ANNA, "")
    assert broken.exists()
    case.ledger.away = True
    other = case.folder / "b.bundle"
    release.pack([wheel(case.folder, "longwatch-1.2.4-py3-none-any.whl")], case.key, other, FORMATS)
    with pytest.raises(LongwatchError, match="recorder"):
        await case.desk.add(other, ANNA, "")
    case.ledger.away = False
    assert [path.name for path in (case.folder / "fleet/releases").iterdir()] == [f"{case.sha256}.bundle"]
    await case.desk.remove(case.sha256, ANNA, "old")
    assert await case.desk.releases() == []
    assert not list((case.folder / "fleet/releases").iterdir())
    assert case.kinds() == [kinds.RELEASE_ADDED, kinds.RELEASE_REMOVED]
    assert zipfile.is_zipfile(case.bundle)


async def test_an_order_that_is_not_entered_is_not_given(case: Case) -> None:
    await case.desk.add(case.bundle, ANNA, "")
    case.ledger.away = True
    with pytest.raises(LongwatchError):
        await case.desk.roll(case.sha256, POSTS, ANNA, "why")
    case.ledger.away = False
    await case.desk.look()
    assert case.uplinks.said == []
    assert (await case.state())[0] == "stopped"


async def test_verbs_name_a_release_by_its_version_or_the_begin_of_its_hash(case: Case) -> None:
    verbs = verbs_of(case.desk)
    added = await verbs["hub_upgrade_add"]({"path": str(case.bundle), "reason": "new", "by": "anna"})
    assert (added["version"], added["by"]) == ("1.2.3", "anna")
    with pytest.raises(UsageError):
        await verbs["hub_upgrade_add"]({"path": str(case.folder / "none")})
    for name in ("1.2.3", case.sha256[:8], case.sha256):
        assert len((await verbs["hub_upgrade_posts"]({"release": name}))["items"]) == 3
    for name in ("", "1.2", case.sha256[:7], "0" * 64):
        with pytest.raises(UsageError):
            await verbs["hub_upgrade_posts"]({"release": name})
    ordered = await verbs["hub_upgrade_order"]({"release": "1.2.3", "posts": ["west"], "reason": "a fix", "by": "anna"})
    [rollout] = (await verbs["hub_upgrade_list"]({}))["rollouts"]
    assert (rollout["id"], rollout["posts"][0]["stage"], rollout["reason"]) == (ordered["rollout"], "queued", "a fix")
    with pytest.raises(UsageError):
        await verbs["hub_upgrade_order"]({"release": "1.2.3", "posts": "west", "reason": "a fix"})
    with pytest.raises(UsageError):
        await verbs["hub_upgrade_stop"]({"rollout": "1", "reason": "x"})
    assert await verbs["hub_upgrade_stop"]({"rollout": 1, "reason": "no"}) == {"rollout": 1, "state": "stopped"}
    assert (await verbs["hub_upgrade_remove"]({"release": "1.2.3", "reason": "old"}))["sha256"] == case.sha256
