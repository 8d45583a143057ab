"""The recorder's acts over a real archive, on a clock moved by hand; and what it takes for silence, rest and trouble."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.archive_case import BOOT, opened

from longwatch.accounting.alarms import Seen, Subject, Trouble
from longwatch.archive import Archive, ArchiveReader, RetentionReport, VolumeState
from longwatch.archive.ops import LogSeen
from longwatch.base.clock import ManualClock
from longwatch.base.errors import LongwatchError, UsageError
from longwatch.model.alarms import Alarm, AlarmKind
from longwatch.model.causes import Cause, Pause
from longwatch.model.sessions import StreamKey
from longwatch.model.surroundings import Power, Surroundings
from longwatch.node.recorder.acts import RecorderActs, Stopping, person_with_reason
from longwatch.node.recorder.alarms import Look

SECOND, DAY = 1_000_000, 86_400_000_000
ADA = {"subject": 12, "text": '{"user":"ada"}'}
ASKED: dict[str, Any] = {"camera": "gate", "reason": "a visit", "person": ADA}


class Post:
    """A recorder without cameras: what takes effect is noted in `effects`."""

    def __init__(self, folder: Path, archive: Archive, acts: RecorderActs, clock: ManualClock) -> None:
        self.folder = folder
        self.archive = archive
        self.acts = acts
        self.clock = clock
        self.effects: list[tuple[str, str | None]] = []

    async def passes(self, seconds: int, *, step_s: int = 1, seen: Seen | None = None) -> None:
        for _ in range(0, seconds, step_s):
            self.clock.tick(step_s * SECOND)
            await self.acts.look(seen or Seen())

    def kinds(self) -> list[str]:
        return [entry["kind"] for entry in self.entries()]

    def entries(self, *wanted: str) -> list[dict[str, Any]]:
        reader = ArchiveReader([self.folder])
        try:
            found = [json.loads(row.entry) for row in reader.entries(0, 1000)]
        finally:
            reader.close()
        return [entry for entry in found if not wanted or entry["kind"] in wanted]

    def alarms(self) -> list[Alarm]:
        reader = ArchiveReader([self.folder])
        try:
            return reader.alarms()
        finally:
            reader.close()

    async def refuses_writes(self, on: bool) -> None:
        await self.archive._worker.run(self.archive._index.connection.execute, f"PRAGMA query_only = {int(on)}")


@asynccontextmanager
async def running(folder: Path, clock: ManualClock, *, boot: str = BOOT, rebuilt: bool = False) -> AsyncIterator[Post]:
    async with opened([folder], clock=clock, boot=boot) as (archive, report):
        report.rebuilt = report.rebuilt or rebuilt
        posts: list[Post] = []

        async def effect(camera: str, pause: Pause | None) -> None:
            posts[0].effects.append((camera, None if pause is None else str(pause.cause)))

        acts = RecorderActs(archive, clock, clock.wall_us, lambda: frozenset({"gate", "yard"}), effect)
        posts.append(Post(folder, archive, acts, clock))
        await acts.load(report)
        yield posts[0]


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "data"


async def test_the_entry_is_durable_before_the_pause_takes_effect(folder: Path, clock: ManualClock) -> None:
    async with running(folder, clock) as post:
        found: list[bool] = []

        async def effect(_camera: str, _pause: Pause | None) -> None:
            found.append("paused" in post.kinds())

        post.acts._apply_pause = effect
        await post.acts.pause(ASKED)
        assert found == [True]


async def test_where_the_index_takes_nothing_nothing_is_paused_and_nothing_resumed(
    folder: Path, clock: ManualClock
) -> None:
    async with running(folder, clock) as post:
        await post.refuses_writes(True)
        with pytest.raises(LongwatchError, match="was not done"):
            await post.acts.pause(ASKED)
        await post.refuses_writes(False)
        assert (post.effects, post.acts.pauses) == ([], {})
        await post.acts.pause(ASKED)
        await post.refuses_writes(True)
        with pytest.raises(LongwatchError, match="was not done"):
            await post.acts.resume({"camera": "gate", "person": ADA})
        await post.refuses_writes(False)
        assert post.effects == [("gate", "paused_by_operator")]


async def test_a_pause_whose_time_is_over_ends_though_it_cannot_be_written_and_is_told_later(
    folder: Path, clock: ManualClock
) -> None:
    async with running(folder, clock) as post:
        await post.acts.pause({**ASKED, "for_s": 60})
        await post.passes(59)
        assert len(post.effects) == 1
        await post.refuses_writes(True)
        await post.passes(2)
        assert post.effects[-1] == ("gate", None)
        assert await post.archive.commit([]), "the next tick"
        assert post.kinds().count("resumed") == 1
    async with running(folder, clock) as post:
        assert post.acts.pauses == {}


@pytest.mark.parametrize(("years", "after_s"), [(0, 3600), (-2, 3600), (-56, 3600), (10, 1)])
async def test_a_clock_that_is_set_draws_no_pause_out(
    folder: Path, clock: ManualClock, years: int, after_s: int
) -> None:
    async with running(folder, clock) as post:
        await post.acts.pause({**ASKED, "for_s": 3600})
        await post.passes(5)
        assert len(post.effects) == 1
        clock.step_wall(years * 365 * DAY)
        await post.passes(after_s + 1, step_s=max(1, after_s // 60))
        assert post.effects[-1] == ("gate", None)


@pytest.mark.parametrize(("years", "left_s"), [(0, 1800), (-2, 3600), (10, 0)])
async def test_nor_one_that_is_set_while_the_post_is_away(
    folder: Path, clock: ManualClock, years: int, left_s: int
) -> None:
    async with running(folder, clock) as post:
        await post.acts.pause({**ASKED, "for_s": 3600})
    clock.tick(1800 * SECOND)
    clock.step_wall(years * 365 * DAY)
    async with running(folder, clock) as post:
        assert set(post.acts.pauses) == {"gate"}
        await post.passes(max(left_s - 60, 0), step_s=60)
        assert post.effects == []
        await post.passes(121, step_s=60)
        assert post.effects == [("gate", None)]


async def test_an_alarm_that_stands_goes_on_in_the_next_recorder(folder: Path, clock: ManualClock) -> None:
    silent = Seen([Trouble(Subject(AlarmKind.CAMERA_SILENT, "gate"), clock.wall_us(), "gate", "camera_unreachable")])
    async with running(folder, clock) as post:
        await post.passes(12, seen=silent)
        (alarm,) = post.alarms()
    async with running(folder, clock, boot="cd" * 16) as post:
        await post.passes(100, seen=silent)
        assert [a.id for a in post.alarms()] == [alarm.id]
        assert post.kinds().count("alarm_raised") == 1
        assert post.kinds().count("alarm_repeated") == 1


async def test_after_a_power_cut_cameras_are_given_time_and_after_a_restart_not(
    folder: Path, clock: ManualClock
) -> None:
    silent = Seen([Trouble(Subject(AlarmKind.CAMERA_SILENT, "gate"), clock.wall_us(), "gate", "camera_unreachable")])
    from longwatch.archive.ops import Heartbeat

    async with running(folder, clock) as post:
        await post.archive.commit([Heartbeat(BOOT, clock.boottime_us(), clock.wall_us(), clock.wall_us())])
    async with running(folder, clock, boot="cd" * 16) as post:
        await post.passes(88, seen=silent)
        assert post.alarms() == []
        await post.passes(4, seen=silent)
        assert len(post.alarms()) == 1
        await post.archive.commit([Heartbeat("cd" * 16, clock.boottime_us(), clock.wall_us(), clock.wall_us())])
        await post.passes(1, seen=Seen(resting={silent.troubles[0].subject: "over"}))
    async with running(folder, clock, boot="cd" * 16) as post:
        await post.passes(12, seen=silent)
        assert [a.ended_us is None for a in post.alarms()] == [True, False]


async def test_a_log_that_was_begun_anew_is_an_alarm_once(folder: Path, clock: ManualClock) -> None:
    async with running(folder, clock) as post:
        await post.passes(1)
        assert post.alarms() == []
        assert post.acts.kept.log.startswith("1 ")
        await post.archive.commit([LogSeen("1 " + "00" * 32)])  # as if the key had been another one
    async with running(folder, clock) as post:
        await post.passes(1)
        (alarm,) = post.alarms()
        assert alarm.kind is AlarmKind.LEDGER
    async with running(folder, clock) as post:
        await post.passes(1)
        assert len(post.alarms()) == 1
        await post.acts.acknowledge({"alarm": alarm.id, "reason": "the disk was replaced", "person": ADA})
        assert post.alarms() == []


async def test_an_index_that_was_lost_is_an_alarm(folder: Path, clock: ManualClock) -> None:
    async with running(folder, clock, rebuilt=True) as post:
        await post.passes(1)
        (alarm,) = post.alarms()
        assert (alarm.kind, alarm.subject) == (AlarmKind.LEDGER, "index lost")


async def test_a_ledger_of_a_post_that_a_hub_doubts_is_an_alarm_once(folder: Path, clock: ManualClock) -> None:
    async with running(folder, clock) as post:
        said = {
            "post": "ridge",
            "doubt": "forked",
            "detail": "a head of 7 entries whose history is not the one that it signed before",
        }
        for _ in range(2):
            await post.acts.ledger_doubted(said)
        await post.acts.ledger_doubted({**said, "post": "valley"})
        await post.passes(1)
        assert sorted((alarm.kind, alarm.subject) for alarm in post.alarms()) == [
            (AlarmKind.LEDGER, "forked ridge"), (AlarmKind.LEDGER, "forked valley"),
        ]  # fmt: skip
        with pytest.raises(UsageError):
            await post.acts.ledger_doubted({**said, "post": "../etc"})


async def test_footage_that_goes_for_lack_of_room_is_an_alarm_and_by_age_it_is_none(
    folder: Path, clock: ManualClock
) -> None:
    async with running(folder, clock) as post:
        post.acts.removed(RetentionReport(removed=5, unconfirmed=5, by_why={"max_age": 5}))
        post.acts.removed(RetentionReport(removed=5, unconfirmed=0, by_why={"max_size": 5}))
        await post.passes(1)
        post.acts.removed(RetentionReport(removed=5, unconfirmed=4, by_why={"keep_free": 5}))
        await post.passes(1)
        assert post.alarms() == [], "no hub was joined that should have it"
        post.acts.has_hub = lambda: True
        for _ in range(3):
            post.acts.removed(RetentionReport(removed=5, unconfirmed=4, by_why={"keep_free": 5}))
            await post.passes(30)
        (alarm,) = post.alarms()
        assert (alarm.kind, alarm.evidence["segments"]) == (AlarmKind.UNCONFIRMED_REMOVED, 4)


@pytest.mark.parametrize(
    ("asked", "host_ends", "reason", "alarmed"),
    [
        (False, False, "no reason given", True),
        (False, True, "the host is shutting down", False),
        (True, False, "asked by a person", False),
    ],
)
async def test_the_last_words(
    folder: Path, clock: ManualClock, asked: bool, host_ends: bool, reason: str, alarmed: bool
) -> None:
    async with running(folder, clock) as post:
        stopped: list[bool] = []
        stop = Stopping(post.archive, lambda: stopped.append(True))
        if asked:
            await stop.ask(ASKED)
        await post.archive.commit(stop.last_words(post.acts, 3, host_ends=host_ends))
        last = post.entries()[-1]
        assert (last["kind"], last["body"]["reason"], last["body"]["segments_sealed"]) == (
            "recorder_stopped",
            reason,
            3,
        )
        assert [a.subject for a in post.alarms()] == (["stop"] if alarmed else [])


# ---- what is seen ---------------------------------------------------------------------------------------------------


@dataclass
class Account:
    gap: tuple[Cause, int] | None = None
    dark_since_us: int | None = None
    evidence: dict[str, object] = field(default_factory=dict)


@dataclass
class Unit:
    """What `Look` asks of a stream."""

    account: Account
    key: StreamKey = StreamKey("gate", "main")  # noqa: RUF009 - a frozen tuple
    schedule: object | None = "always"
    durable_to_us: int | None = 1
    durable_boot_us: int = 1_000_000


@dataclass
class Disk:
    state: VolumeState = VolumeState.OK
    detail: str = ""
    id: str = "uuid"
    path: Path = Path("/disk")
    busy_since_boot_us: int | None = None


class Around:
    def __init__(self, mains: Power, percent: int | None = None) -> None:
        self.known = Surroundings(mains=mains, battery_percent=percent)

    def of(self, camera: str) -> Surroundings:
        return self.known


GATE = Subject(AlarmKind.CAMERA_SILENT, "gate")


def look(*units: Any, disks: Any = (), index: str = "", around: Any = None, boot_us: int = 2_000_000) -> Seen:
    return Look(boot_us, 10**15, around).at(units, disks, index)


@pytest.mark.parametrize(
    "cause", [Cause.NOT_SCHEDULED, Cause.POWER_PLAN, Cause.PAUSED_BY_OPERATOR, Cause.PRIVACY_PAUSE]
)
def test_what_is_planned_rests(cause: Cause) -> None:
    assert str(cause) in look(Unit(Account((cause, 5)))).resting[GATE]


@pytest.mark.parametrize("cause", [Cause.STORAGE_FULL, Cause.STORAGE_FAILED])
def test_what_a_disk_of_ours_keeps_from_us_tells_nothing_of_the_camera(cause: Cause) -> None:
    assert look(Unit(Account((cause, 5)))).unclear == {GATE}


@pytest.mark.parametrize("cause", sorted(set(Cause) - {Cause.NOT_SCHEDULED, Cause.POWER_PLAN, Cause.PAUSED_BY_OPERATOR, Cause.PRIVACY_PAUSE, Cause.STORAGE_FULL, Cause.STORAGE_FAILED}))  # fmt: skip
def test_everything_else_is_trouble_with_its_evidence_since_the_silence_began(cause: Cause) -> None:
    (trouble,) = look(Unit(Account((cause, 9), 5, {"fault": "x"}))).troubles
    assert (trouble.subject, trouble.cause, trouble.since_us, dict(trouble.evidence)) == (
        GATE,
        str(cause),
        5,
        {"fault": "x"},
    )


def test_recorded_is_what_became_durable_just_now() -> None:
    assert look(Unit(Account())).well == {GATE, Subject(AlarmKind.STORAGE, "index")}
    assert look(Unit(Account()), boot_us=60_000_000).unclear == {GATE}, "no gap is told, and nothing is written"
    assert look(Unit(Account(), durable_to_us=None)).unclear == {GATE}


def test_sub_streams_and_what_left_the_settings_are_not_looked_at() -> None:
    seen = look(
        Unit(Account((Cause.UNKNOWN, 5)), StreamKey("gate", "sub")), Unit(Account((Cause.UNKNOWN, 5)), schedule=None)
    )
    assert (seen.troubles, seen.unclear, seen.resting) == ([], frozenset(), {})


@pytest.mark.parametrize(
    ("around", "facts"),
    [
        (None, {}),
        (Around(Power.UNKNOWN, 50), {}),
        (Around(Power.ON), {"mains": "on"}),
        (Around(Power.OFF, 40), {"mains": "off", "battery_percent": 40}),
    ],
)
def test_a_post_on_its_battery_says_so(around: Any, facts: dict[str, object]) -> None:
    (trouble,) = look(Unit(Account((Cause.CAMERA_UNREACHABLE, 5))), around=around).troubles
    assert trouble.facts == facts


@pytest.mark.parametrize(
    ("disk", "cause"),
    [
        (Disk(VolumeState.FULL, "no room"), Cause.STORAGE_FULL),
        (Disk(VolumeState.FAILED, "EIO"), Cause.STORAGE_FAILED),
        (Disk(VolumeState.MISSING), Cause.STORAGE_FAILED),
        (Disk(VolumeState.FOREIGN), Cause.STORAGE_FAILED),
        (Disk(busy_since_boot_us=1), Cause.STORAGE_FAILED),
    ],
)
def test_a_volume_that_is_not_well_is_trouble(disk: Disk, cause: Cause) -> None:
    (trouble,) = look(disks=[disk], boot_us=9_000_000).troubles
    assert (trouble.cause, trouble.evidence["path"]) == (str(cause), "/disk")
    assert trouble.evidence["detail"]


def test_an_index_that_takes_nothing_is_trouble() -> None:
    (trouble,) = look(index="disk I/O error").troubles
    assert trouble.subject == Subject(AlarmKind.STORAGE, "index")
    assert look().well == {Subject(AlarmKind.STORAGE, "index")}


# ---- whatever a neighbour sends -------------------------------------------------------------------------------------

_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "reason": _JSON,
            "person": _JSON
            | st.fixed_dictionaries(
                {"subject": _JSON, "text": _JSON | _JSON.map(json.dumps) | st.just('{"user":"ada"}')}
            ),
        },
    ),
    st.booleans(),
)
def test_whoever_is_named_and_whatever_is_said_is_kept_whole_or_refused(fields: dict[str, Any], needed: bool) -> None:
    try:
        person = person_with_reason(fields, needed=needed)
    except UsageError:
        return
    said = json.loads(person.text)
    assert isinstance(said, dict)
    assert (isinstance(said.get("reason"), str) and len(said["reason"]) <= 500) or not needed
    assert len(person.text) < 10_000
