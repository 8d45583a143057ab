"""Holds on a recorder: what is refused, what ends by itself and when it waits, and the warnings before the law comes."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from tests.support.archive_case import GATE, ROAD, held, opened, record, stream
from tests.unit.archive.test_holds import told

from longwatch.archive import Archive, Options, RecoveryReport, Retention, RetentionTime
from longwatch.base.clock import ManualClock
from longwatch.base.errors import UsageError
from longwatch.model.alarms import Alarm, AlarmKind
from longwatch.node.recorder.acts import RecorderActs
from longwatch.node.recorder.holds import LONGEST_LEASE_S, MOST_LEASES, RecorderHolds

DAY_US = 86_400_000_000
HOUR_US = 3_600_000_000
PERSON = {"subject": 12, "text": '{"user":"ada"}'}


class Case(NamedTuple):
    holds: RecorderHolds
    acts: RecorderActs
    archive: Archive
    clock: ManualClock
    from_us: int
    folder: Path

    async def place(self, **more: Any) -> dict[str, Any]:
        given = {
            "cameras": ["gate"], "from_us": self.from_us, "to_us": self.from_us + HOUR_US, "reason": "theft", "person": PERSON, **more,
        }  # fmt: skip
        return await self.holds.place(given)

    def at(self, us: int, *, trusted: bool = True, agreed_s: int = 7200) -> RetentionTime:
        return RetentionTime(us, trusted, agreed_s * 1_000_000)

    async def alarms(self) -> list[Alarm]:
        await self.acts._write()
        kept = await self.archive.kept_acts()
        return [alarm for alarm in kept.standing if alarm.kind is AlarmKind.HOLD]


@contextlib.asynccontextmanager
async def case(path: Path, max_age_us: int | None = 30 * DAY_US) -> AsyncIterator[Case]:
    options, clock = Options(Retention(max_age_us=max_age_us, keep_free_fraction=0)), ManualClock()
    async with opened([path / "a"], options, clock) as (archive, report):
        await record(archive, stream(archive))
        await record(archive, stream(archive, ROAD, base=1000))
        acts = RecorderActs(archive, clock, clock.wall_us, lambda: frozenset({"gate"}), _no_pause)
        assert isinstance(report, RecoveryReport)
        await acts.load(report)
        from_us = held([path / "a"], GATE)[0].wall_start_us
        yield Case(RecorderHolds(archive, clock, clock.wall_us, acts), acts, archive, clock, from_us, path / "a")


async def _no_pause(*_: object) -> None:
    return


@pytest.mark.slow
@pytest.mark.parametrize(
    "wrong",
    [
        {"cameras": []}, {"cameras": ["../x"]}, {"cameras": "gate"}, {"cameras": ["nowhere"]}, {"from_us": -1}, {"to_us": 0},
        {"to_us": True}, {"to_us": 1 << 53}, {"until_us": 5}, {"until_us": "x"}, {"authority": "a\nb"}, {"authority": 5}, {"reason": ""},
        {"person": None}, {"streams": ["a b"]}, {"cameras": ["gate"] * 201},
    ],
)  # fmt: skip
async def test_a_hold_that_cannot_be_is_refused_and_leaves_nothing(tmp_path: Path, wrong: dict[str, Any]) -> None:
    async with case(tmp_path) as c:
        with pytest.raises(UsageError):
            await c.place(**wrong)
        assert await c.archive.holds(everything=True) == []


async def test_a_camera_that_left_the_settings_can_still_be_held(tmp_path: Path) -> None:
    async with case(tmp_path) as c:
        assert (await c.place(cameras=["road"]))["hold"] == 1


async def test_placing_says_when_the_law_comes_and_a_firm_one_has_none(tmp_path: Path) -> None:
    async with case(tmp_path) as c:
        soft = await c.place()
        assert (soft["firm"], soft["law_us"]) == (False, c.from_us + 30 * DAY_US)
        firm = await c.place(authority="District court", until_us=c.clock.wall_us() + DAY_US)
        assert (firm["firm"], firm["law_us"]) == (True, None)


async def test_the_law_is_announced_a_week_and_a_day_before_and_then_ends_it(tmp_path: Path) -> None:
    async with case(tmp_path) as c:
        await c.place()
        await c.place(authority="court", until_us=c.from_us + 400 * DAY_US)
        law_us = c.from_us + 30 * DAY_US
        await c.holds.look(c.at(law_us - 8 * DAY_US))
        assert (await c.alarms(), told(c.folder, "hold_warned")) == ([], [])
        await c.holds.look(c.at(law_us - 7 * DAY_US))
        await c.holds.look(c.at(law_us - 6 * DAY_US))
        assert told(c.folder, "hold_warned") == [{"hold": 1, "days": 7, "goes_us": law_us}]
        await c.holds.look(c.at(law_us - DAY_US))
        await c.holds.look(c.at(law_us - HOUR_US))
        assert [body["days"] for body in told(c.folder, "hold_warned")] == [7, 1]
        assert [alarm.evidence["days"] for alarm in await c.alarms()] == [7, 1]
        await c.holds.look(c.at(law_us + HOUR_US - 1))
        assert [hold.id for hold in await c.archive.holds()] == [2, 1]
        await c.holds.look(c.at(law_us + HOUR_US))
        assert [hold.id for hold in await c.archive.holds()] == [2]
        (body,) = told(c.folder, "hold_ended")
        assert (body["hold"], body["why"], "person" in body) == (1, "law", False)


async def test_one_that_ends_before_the_law_comes_is_not_warned_of(tmp_path: Path) -> None:
    async with case(tmp_path) as c:
        await c.place(until_us=c.clock.wall_us() + DAY_US)
        await c.holds.look(c.at(c.clock.wall_us() + DAY_US - 1))
        assert told(c.folder, "hold_warned") == []


async def test_an_end_of_its_own_waits_while_time_is_not_trusted_or_leapt(tmp_path: Path) -> None:
    async with case(tmp_path, None) as c:
        until_us = c.clock.wall_us() + 400 * DAY_US
        await c.place(authority="court", until_us=until_us)
        for now in (
            c.at(until_us + HOUR_US, trusted=False),
            c.at(until_us + 3650 * DAY_US, agreed_s=3599),
            c.at(until_us - 1),
        ):
            await c.holds.look(now)
            assert len(await c.archive.holds()) == 1, now
        await c.holds.look(c.at(until_us, agreed_s=0))
        assert await c.archive.holds() == []
        assert told(c.folder, "hold_ended")[0]["why"] == "expired"


async def test_footage_of_a_hold_that_went_all_the_same_is_an_alarm_with_words(tmp_path: Path) -> None:
    from longwatch.accounting.alarm_words import sentence

    async with case(tmp_path, DAY_US) as c:
        await c.place()
        report = await c.archive.retain(c.at(c.from_us + 3 * DAY_US))
        c.holds.removed(report)
        (alarm,) = await c.alarms()
        assert sentence(alarm).startswith("The maximum age takes footage that hold 1 protects")
        c.holds.removed(report)
        assert len(await c.alarms()) == 1


async def test_leases_of_exports_run_out_and_are_bounded(tmp_path: Path) -> None:
    async with case(tmp_path) as c:
        asked = {"name": "export 1", "streams": [["gate", "main"]], "from_us": 1, "to_us": 9, "for_s": 60}
        await c.holds.protect(asked)
        assert [(g.camera, g.from_us, g.to_us) for g in c.holds.guards()] == [("gate", 1, 9)]
        c.clock.tick(60_000_000)
        assert c.holds.guards() == []
        await c.holds.protect(asked)
        await c.holds.protect({**asked, "for_s": 0})
        assert c.holds.guards() == []
        for n in range(MOST_LEASES):
            await c.holds.protect({**asked, "name": f"export {n}"})
        with pytest.raises(UsageError, match="too many"):
            await c.holds.protect({**asked, "name": "one more"})
        for wrong in (
            {"for_s": LONGEST_LEASE_S + 1},
            {"for_s": True},
            {"name": ""},
            {"streams": [["gate"]]},
            {"from_us": None},
        ):
            with pytest.raises(UsageError):
                await c.holds.protect({**asked, **wrong})
