"""Alarms, pauses and settings in a real index: row and entry together, kept over starts, and nothing of what was refused."""

from __future__ import annotations

import json
import re
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from tests.support.archive_case import opened

from longwatch.archive import Archive, ArchiveReader
from longwatch.archive.ops import (
    AlarmAcknowledge,
    AlarmEnd,
    AlarmRaise,
    AlarmRefine,
    AlarmRepeat,
    Entry,
    LogSeen,
    PauseBegin,
    PauseEnd,
    Person,
    SettingsKeep,
)
from longwatch.base.errors import LongwatchError, UsageError
from longwatch.ledger import kinds
from longwatch.model.alarms import Alarm, AlarmKind
from longwatch.model.causes import Cause, Pause

T0 = 1_767_225_600_000_000
ADA = Person(12, '{"reason":"known","user":"ada"}')


def silent(number: int, camera: str = "gate") -> AlarmRaise:
    return AlarmRaise(
        number, AlarmKind.CAMERA_SILENT, camera, camera, T0 + number, T0, "camera_unreachable", {"fault": "unreachable"},
        {"mains": "off"},
    )  # fmt: skip


def entries(folder: Path, *wanted: str) -> list[dict[str, Any]]:
    reader = ArchiveReader([folder])
    try:
        found = [json.loads(row.entry) for row in reader.entries(0, 10_000)]
    finally:
        reader.close()
    return [entry for entry in found if entry["kind"] in wanted]


def alarms(folder: Path, **asked: Any) -> list[Alarm]:
    reader = ArchiveReader([folder])
    try:
        return reader.alarms(**asked)
    finally:
        reader.close()


async def refuses_writes(archive: Archive, on: bool) -> None:
    await archive._worker.run(archive._index.connection.execute, f"PRAGMA query_only = {int(on)}")


async def test_the_whole_story_of_an_alarm_stands_in_its_row_and_in_the_ledger(tmp_path: Path) -> None:
    folder = tmp_path / "a"
    async with opened([folder]) as (archive, _):
        await archive.commit([silent(1)])
        await archive.commit([AlarmRefine(1, "camera_switched_off", {"by": "snmp"}), AlarmRepeat(1, 1, {"returns": 2})])
        (alarm,) = alarms(folder)
        assert (alarm.cause, dict(alarm.evidence), alarm.repeats) == ("camera_switched_off", {"by": "snmp"}, 1)
        assert (alarm.body["mains"], alarm.body["returns"], alarm.stands) == ("off", 2, True)
        await archive.commit([AlarmEnd(1, T0 + 99, "it is back")])
        assert alarms(folder)[0].ended_us == T0 + 99
        seq = await archive.act(AlarmAcknowledge(1, ADA, None))
    assert alarms(folder) == []
    (alarm,) = alarms(folder, everything=True)
    assert alarm.acknowledged is not None
    assert (alarm.acknowledged.seq, alarm.acknowledged.by, alarm.acknowledged.reason) == (seq, "ada", "known")
    told = entries(folder, "alarm_raised", "alarm_refined", "alarm_repeated", "alarm_ended", "alarm_acknowledged")
    assert [entry["kind"].removeprefix("alarm_") for entry in told] == [
        "raised",
        "refined",
        "repeated",
        "ended",
        "acknowledged",
    ]
    assert all(entry["body"]["alarm"] == 1 for entry in told)
    assert (told[0]["body"]["cause"], told[0]["body"]["since_us"]) == ("camera_unreachable", T0)
    assert told[4]["body"]["person"]["subject"] == 12
    assert not re.search(r"\bada\b", json.dumps(told)), "a hash may hold these letters by chance"


async def test_it_is_acknowledged_once_and_only_where_it_is(tmp_path: Path) -> None:
    folder = tmp_path / "a"
    async with opened([folder]) as (archive, _):
        await archive.commit([silent(1)])
        with pytest.raises(UsageError, match="no alarm 7"):
            await archive.act(AlarmAcknowledge(7, ADA, None))
        await archive.act(AlarmAcknowledge(1, ADA, T0 + 5))
        with pytest.raises(UsageError, match="before"):
            await archive.act(AlarmAcknowledge(1, ADA, T0 + 6))
    assert len(entries(folder, "alarm_acknowledged")) == 1
    assert alarms(folder, everything=True)[0].ended_us == T0 + 5
    with sqlite3.connect(folder / "index.db") as db:
        assert db.execute("SELECT count(*) FROM personal").fetchone()[0] == 1, "no clear text of what was refused"


async def test_a_start_finds_what_stands_and_goes_on_counting(tmp_path: Path) -> None:
    folder = tmp_path / "a"
    async with opened([folder], orderly=False) as (archive, _):
        assert (await archive.kept_acts()).next_alarm == 1
        await archive.commit([silent(1), silent(2, "yard"), silent(3, "barn"), AlarmEnd(2, T0, "it is back")])
        await archive.act(AlarmAcknowledge(3, ADA, None))
        await archive.act(PauseBegin("gate", Cause.PRIVACY_PAUSE, T0, None, ADA))
        entry = await archive.act(PauseBegin("yard", Cause.PAUSED_BY_OPERATOR, T0, T0 + 9, ADA))
        await archive.commit([LogSeen("1 ab")])
    async with opened([folder]) as (archive, _):
        kept = await archive.kept_acts()
    assert [(alarm.id, alarm.acknowledged is not None) for alarm in kept.standing] == [(1, False), (3, True)]
    assert kept.next_alarm == 4
    assert kept.pauses["yard"] == Pause(Cause.PAUSED_BY_OPERATOR, T0, T0 + 9, entry)
    assert kept.pauses["gate"].cause is Cause.PRIVACY_PAUSE
    assert kept.log_seen == "1 ab"


async def test_a_camera_is_paused_anew_and_resumed_once(tmp_path: Path) -> None:
    folder = tmp_path / "a"
    async with opened([folder]) as (archive, _):
        await archive.act(PauseBegin("gate", Cause.PAUSED_BY_OPERATOR, T0, T0 + 9, ADA))
        await archive.act(PauseBegin("gate", Cause.PRIVACY_PAUSE, T0 + 1, None, ADA))
        assert (await archive.kept_acts()).pauses["gate"].until_us is None
        assert await archive.act(PauseEnd("gate", "resumed by a person", ADA)) > 0
        assert await archive.act(PauseEnd("gate", "its time was over")) == -1
        assert (await archive.kept_acts()).pauses == {}
    assert [entry["body"].get("kind") for entry in entries(folder, "paused", "resumed")] == [
        "paused_by_operator",
        "privacy_pause",
        None,
    ]


async def test_settings_their_alarm_and_what_the_next_start_compares_with_come_together_or_not_at_all(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "a"
    keep = SettingsKeep(
        [Entry(kinds.SETTINGS, {"sha256": "x"}), Entry(kinds.SETTINGS, {"part": [2, 2]})], '{"flat":1}', [silent(1)]
    )
    async with opened([folder]) as (archive, _):
        await refuses_writes(archive, True)
        with pytest.raises(LongwatchError, match="was not done"):
            await archive.act(keep)
        await refuses_writes(archive, False)
        assert (await archive.kept_acts()).settings == ""
        seq = await archive.act(keep)
        kept = await archive.kept_acts()
    assert (kept.settings, [alarm.id for alarm in kept.standing]) == ('{"flat":1}', [1])
    assert [entry["seq"] for entry in entries(folder, "settings_applied", "alarm_raised")] == [seq, seq + 1, seq + 2]


async def test_what_a_person_asked_for_and_could_not_be_written_is_not_done_later(tmp_path: Path) -> None:
    folder = tmp_path / "a"
    async with opened([folder]) as (archive, _):
        await refuses_writes(archive, True)
        with pytest.raises(LongwatchError, match="was not done"):
            await archive.act(PauseBegin("gate", Cause.PRIVACY_PAUSE, T0, None, ADA))
        await refuses_writes(archive, False)
        await archive.commit([silent(1)])
        assert (await archive.kept_acts()).pauses == {}
    assert entries(folder, "paused") == []


async def test_what_the_watch_said_while_the_index_failed_is_made_good_in_order(tmp_path: Path) -> None:
    folder = tmp_path / "a"
    async with opened([folder]) as (archive, _):
        await refuses_writes(archive, True)
        assert not await archive.commit([silent(1)])
        assert await archive.commit([AlarmRepeat(1, 1), AlarmEnd(1, T0 + 9, "it is back")])
    (alarm,) = alarms(folder)
    assert (alarm.id, alarm.repeats, alarm.ended_us) == (1, 1, T0 + 9)
    assert len(entries(folder, "alarm_raised")) == 1


async def test_a_word_about_an_alarm_that_is_not_there_stops_nothing_else(tmp_path: Path) -> None:
    folder = tmp_path / "a"
    async with opened([folder]) as (archive, _):
        ops = [
            AlarmRepeat(9, 1),
            AlarmEnd(9, T0, "gone"),
            AlarmRefine(9, "unknown", {}),
            silent(1),
            silent(1),
            PauseEnd("x", "over"),
        ]
        assert await archive.commit(ops)
    assert [alarm.id for alarm in alarms(folder)] == [1]
    assert len(entries(folder, "alarm_raised", "alarm_repeated", "alarm_ended", "alarm_refined", "resumed")) == 1


async def test_who_may_see_some_cameras_and_pages(tmp_path: Path) -> None:
    folder = tmp_path / "a"
    async with opened([folder]) as (archive, _):
        await archive.commit([silent(n, "gate" if n % 2 else "yard") for n in range(1, 8)])
        await archive.commit(
            [AlarmRaise(8, AlarmKind.STORAGE, "", "disk", T0, T0), AlarmEnd(1, T0, "x"), AlarmEnd(2, T0, "x")]
        )
        await archive.act(AlarmAcknowledge(1, ADA, None))
    assert [alarm.id for alarm in alarms(folder)] == [8, 7, 6, 5, 4, 3, 2]
    assert [alarm.id for alarm in alarms(folder, limit=3)] == [8, 7, 6]
    assert [alarm.id for alarm in alarms(folder, before=6, limit=2)] == [5, 4]
    assert [alarm.id for alarm in alarms(folder, cameras=["gate"])] == [7, 5, 3]
    assert [alarm.id for alarm in alarms(folder, cameras=["gate"], everything=True)] == [7, 5, 3, 1]
    assert alarms(folder, cameras=[]) == []
    reader = ArchiveReader([folder])
    try:
        assert reader.alarm_counts() == {
            ("camera_silent", "gate"): (3, 0),
            ("camera_silent", "yard"): (2, 1),
            ("storage", ""): (1, 0),
        }
        assert reader.alarm(1) is not None
        assert reader.alarm(99) is None
    finally:
        reader.close()


async def test_text_that_was_erased_leaves_who_and_why_empty(tmp_path: Path) -> None:
    folder = tmp_path / "a"
    async with opened([folder]) as (archive, _):
        await archive.commit([silent(1)])
        await archive.act(AlarmAcknowledge(1, ADA, T0))
    with sqlite3.connect(folder / "index.db") as db:
        db.execute("DELETE FROM personal")
    (alarm,) = alarms(folder, everything=True)
    assert alarm.acknowledged is not None
    assert (alarm.acknowledged.by, alarm.acknowledged.reason) == (None, None)
    assert alarm.acknowledged.at_us > 0


def test_what_stands_is_found_without_reading_the_rest(tmp_path: Path) -> None:
    from longwatch.archive.index import schema

    db = sqlite3.connect(":memory:")
    db.executescript(schema())
    for question in (
        "SELECT id FROM alarm WHERE ended_us IS NULL ORDER BY id",
        "SELECT id FROM alarm WHERE acknowledged_seq IS NULL",
        "SELECT kind, camera, count(*) FROM alarm WHERE acknowledged_seq IS NULL GROUP BY kind, camera",
    ):
        plan = " ".join(row[3] for row in db.execute("EXPLAIN QUERY PLAN " + question))
        assert "alarm_open" in plan or "alarm_unacknowledged" in plan, plan
