"""What the recorder enters of settings, from a real settings file: every key of it stands there, no secret does, and what goes is said."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.support.archive_case import opened

from longwatch.archive import ArchiveReader
from longwatch.archive.ops import Person
from longwatch.base.clock import ManualClock
from longwatch.base.errors import UsageError
from longwatch.model.causes import Pause
from longwatch.node.recorder.acts import RecorderActs
from longwatch.node.recorder.options import RecorderOptions, decode
from longwatch.node.recorder.settings import Asked, RecorderSettings

ADA = Person(12, '{"reason":"a new hut","user":"ada"}')
SECRETS = ("camera-pass-word", "snmp-auth-word", "snmp-privacy-word", "relay-pass-word", "ups-pass-word")
FULL = """
post: {id: ridge, timezone: Europe/Oslo}
data: /tmp/never-made
switches:
  hut: {snmp: {address: 10.0.0.2, version: 3, user: reader, auth: sha, auth_password: snmp-auth-word, privacy: aes, privacy_password: snmp-privacy-word}}
ups: {nut: ups@127.0.0.1:3493, user: monitor, password: ups-pass-word}
retention: {max_age: 30d}
cameras:
  gate:
    streams: {main: 'rtsp://user:camera-pass-word@10.0.0.5/1', sub: 'rtsp://user:camera-pass-word@10.0.0.5/2'}
    behind: hut
    port: 3
    retention: {max_age: 20d}
  yard:
    streams: {main: 'rtsp://10.0.0.6/1'}
    relay: {url: 'http://user:relay-pass-word@10.0.0.9/rpc', field: output}
    meter: {url: 'http://10.0.0.9/rpc', field: apower, watts_above: 1.5}
"""
BARE = """
post: {id: ridge, timezone: Europe/Oslo}
data: /tmp/never-made
retention: {max_age: 10d}
cameras:
  gate:
    streams: {main: 'rtsp://user:camera-pass-word@10.0.0.5/1'}
    audio: false
    schedule: [{days: mon, from: '06:00', to: '07:00'}]
  yard:
    streams: {main: 'rtsp://10.0.0.6/1'}
    record: never
"""
WIDER = FULL.replace("30d", "40d").replace("name: yard", "name: The yard")


def resolved(folder: Path, text: str) -> RecorderOptions:
    """As the recorder gets it: by a child."""
    file = folder / "longwatch.yml"
    file.write_text(text)
    done = subprocess.run(
        [sys.executable, "-m", "longwatch.config", "resolve", str(file)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return decode(json.loads(done.stdout))


@pytest.fixture(scope="module")
def options(tmp_path_factory: pytest.TempPathFactory) -> dict[str, RecorderOptions]:
    folder = tmp_path_factory.mktemp("settings")
    return {name: resolved(folder, text) for name, text in (("full", FULL), ("bare", BARE), ("wider", WIDER))}


class Start:
    """One start after another over the same folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    async def apply(self, *steps: tuple[RecorderOptions, Asked], lost: bool = False) -> list[dict[str, Any]]:
        async def nowhere(_camera: str, _pause: Pause | None) -> None:
            return

        clock = ManualClock()
        async with opened([self.folder], clock=clock) as (archive, report):
            report.rebuilt = lost
            acts = RecorderActs(archive, clock, clock.wall_us, frozenset, nowhere)
            await acts.load(report)
            settings = RecorderSettings(archive, acts)
            settings.read()
            return [await settings.apply(options, asked) for options, asked in steps]

    def entries(self, kind: str = "settings_applied") -> list[dict[str, Any]]:
        reader = ArchiveReader([self.folder])
        try:
            found = [json.loads(row.entry) for row in reader.entries(0, 1000)]
        finally:
            reader.close()
        return [entry["body"] for entry in found if entry["kind"] == kind]


@pytest.fixture
def start(tmp_path: Path) -> Start:
    return Start(tmp_path / "data")


@pytest.mark.slow
async def test_the_first_start_enters_all_of_it_without_a_secret(
    start: Start, options: dict[str, RecorderOptions]
) -> None:
    await start.apply((options["full"], Asked("start")))
    (body,) = start.entries()
    assert (body["added"], body["reduces"], body["reason"], body["before"]) == (
        ["gate", "yard"],
        [],
        "not_needed",
        "not known",
    )
    added = body["changes"]["added"]
    assert added["cameras.gate.streams.main"] == "rtsp://user:(secret)@10.0.0.5/1"
    assert added["retention.max_age_s"] == 30 * 86_400
    text = json.dumps(body)
    for secret in SECRETS:
        assert secret not in text
    for file in start.folder.glob("index.db*"):
        for secret in SECRETS:
            assert secret.encode() not in file.read_bytes(), file


async def test_an_unchanged_start_enters_nothing(start: Start, options: dict[str, RecorderOptions]) -> None:
    await start.apply((options["full"], Asked("start")))
    (answer,) = await start.apply((options["full"], Asked("start")))
    assert (answer["seq"], len(start.entries())) == (None, 1)


async def test_everything_that_is_taken_away_is_said_and_asks_for_a_reason(
    start: Start, options: dict[str, RecorderOptions]
) -> None:
    await start.apply((options["full"], Asked("start")))
    with pytest.raises(UsageError) as refused:
        await start.apply((options["bare"], Asked("apply")))
    assert len(start.entries()) == 1
    (answer,) = await start.apply((options["bare"], Asked("apply", ADA, reasoned=True)))
    reduces = answer["reduces"]
    assert refused.value.why == "; ".join(reduces)
    assert set(reduces) == {
        "the stream sub of camera gate is removed",
        "camera gate is to be recorded 167 h a week less (schedule)",
        "the sound of camera gate is not recorded any more",
        "`behind` of camera gate is removed: it tells why the camera is silent",
        "`port` of camera gate is removed: it tells why the camera is silent",
        "camera yard is not recorded any more",
        "`relay` of camera yard is removed: it tells why the camera is silent",
        "`meter` of camera yard is removed: it tells why the camera is silent",
        "footage is kept for 10 d instead of 30 d",
        "switch hut is removed: it tells why a camera is silent",
        "the UPS is removed: it tells why a camera is silent",
    }
    body = start.entries()[-1]
    assert (body["reason"], body["by"], body["person"]["subject"], body["sha256"]) == (
        "given",
        "apply",
        12,
        answer["sha256"],
    )
    assert start.entries("alarm_raised") == []


@pytest.mark.slow
@pytest.mark.parametrize("by", ["start", "reload"])
async def test_without_a_reason_it_is_applied_and_an_alarm_stands_over_starts(
    start: Start, options: dict[str, RecorderOptions], by: str
) -> None:
    await start.apply((options["full"], Asked("start")))
    await start.apply((options["bare"], Asked(by)))
    (raised,) = start.entries("alarm_raised")
    assert (raised["kind"], raised["by"], len(raised["reduces"])) == ("accounting_reduced", by, 11)
    assert start.entries()[-1]["reason"] == "none"
    await start.apply((options["full"], Asked(by)), (options["bare"], Asked(by)))
    assert len(start.entries("alarm_raised")) == 1, "the same reduction is the same alarm while it stands"


async def test_what_is_widened_needs_no_reason(start: Start, options: dict[str, RecorderOptions]) -> None:
    await start.apply((options["full"], Asked("start")))
    (answer,) = await start.apply((options["wider"], Asked("apply")))
    assert answer["reduces"] == []
    assert start.entries()[-1]["changes"]["changed"]["retention.max_age_s"] == [30 * 86_400, 40 * 86_400]


async def test_where_the_row_was_lost_the_entries_say_what_was_before(
    start: Start, options: dict[str, RecorderOptions]
) -> None:
    import sqlite3

    await start.apply((options["bare"], Asked("start")), (options["full"], Asked("start")))
    with sqlite3.connect(start.folder / "index.db") as db:
        db.execute("DELETE FROM meta WHERE name = 'settings_applied'")
    db.close()
    (same,) = await start.apply((options["full"], Asked("start")), lost=True)
    assert same["seq"] is None, "nothing has changed, though no fingerprint of a secret is left"
    with sqlite3.connect(start.folder / "index.db") as db:
        db.execute("DELETE FROM meta WHERE name = 'settings_applied'")
    db.close()
    (less,) = await start.apply((options["bare"], Asked("start")), lost=True)
    assert len(less["reduces"]) == 11
    assert len(start.entries("alarm_raised")) == 1


async def test_a_row_that_cannot_be_read_is_as_none(start: Start, options: dict[str, RecorderOptions]) -> None:
    import sqlite3

    await start.apply((options["full"], Asked("start")))
    for broken in ("", "{", "[]", '{"salt": "zz"}', '{"salt": "00", "flat": 1, "fingerprints": {}}'):
        with sqlite3.connect(start.folder / "index.db") as db:
            db.execute("UPDATE meta SET value = ? WHERE name = 'settings_applied'", (broken,))
        db.close()
        (answer,) = await start.apply((options["full"], Asked("start")))
        assert answer["seq"] is not None
        assert start.entries()[-1]["before"] == "not known"
