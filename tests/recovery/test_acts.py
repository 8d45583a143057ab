"""Alarms, pauses, settings and stops of a real recorder process: each is an entry first, and none is lost by a kill or a restart."""

from __future__ import annotations

import json
import signal
from collections.abc import AsyncIterator
from typing import Any

import pytest
from tests.support.measured import stretch
from tests.support.recorder_post import Post
from tests.support.sooner import SILENT_CAMERA
from tests.support.wait import until

from longwatch.archive import ArchiveReader
from longwatch.base.errors import LongwatchError, UsageError
from longwatch.model.alarms import Alarm
from longwatch.node.by_recorder.acts import act, apply_settings
from longwatch.simulate.camera import LOT, SimulatedCamera

pytestmark = pytest.mark.slow
ADA = {"subject": 12, "text": '{"user":"ada"}'}
WHY = "the roof is being mended"


@pytest.fixture
async def camera() -> AsyncIterator[SimulatedCamera]:
    async with SimulatedCamera(LOT, user="owner", password="hunter2-secret") as simulated:
        yield simulated


def alarms(post: Post, kind: str = "", *, everything: bool = True) -> list[Alarm]:
    """The newest first."""

    def look(reader: ArchiveReader) -> list[Alarm]:
        return [alarm for alarm in reader.alarms(everything=everything) if kind in {"", alarm.kind}]

    return post.read(look)


def person_of(post: Post, seq: int) -> dict[str, Any] | None:
    """The clear text beside an entry."""
    import sqlite3

    with sqlite3.connect(f"file:{post.data / 'index.db'}?mode=ro", uri=True) as db:
        row = db.execute("SELECT subject, text FROM personal WHERE seq = ?", (seq,)).fetchone()
    return None if row is None else {"subject": row[0], **json.loads(row[1])}


def in_ledger(post: Post, text: str) -> bool:
    return any(text in json.dumps(entry) for entry in post.entries())


async def test_a_silent_camera_is_one_alarm_over_a_kill_until_it_is_back_and_somebody_says_why(
    post: Post, camera: SimulatedCamera
) -> None:
    post.sooner = SILENT_CAMERA
    post.settings({"gate": camera.url})
    post.start()
    await post.recording()
    before = stretch()
    await camera.stop()
    (alarm,) = await until(lambda: alarms(post, "camera_silent"), "it is raised")
    entry = post.entries("alarm_raised")[0]["body"]
    held_up_us = 3_000_000 * max(before, stretch())  # a tick a second; on a busy machine it comes when it comes
    assert 3_000_000 <= entry["raised_us"] - entry["since_us"] <= 3_000_000 + held_up_us
    assert (alarm.camera, alarm.cause) == ("gate", "camera_unreachable")
    post.signal(signal.SIGKILL)
    await post.ended()
    post.start()
    await until(lambda: post.stream(), "it answers")
    dark_s = post.gap_seconds()["camera_unreachable"]
    await until(lambda: post.gap_seconds()["camera_unreachable"] > dark_s + 4, "it would be raised once more")
    answer = await post.ask("acknowledge", alarm=alarm.id, reason=WHY, person=ADA)
    (acknowledged,) = post.entries("alarm_acknowledged")
    assert (acknowledged["seq"], acknowledged["body"]["alarm"]) == (answer["seq"], alarm.id)
    assert acknowledged["body"]["person"]["subject"] == 12
    assert person_of(post, answer["seq"]) == {"subject": 12, "user": "ada", "reason": WHY}
    assert not in_ledger(post, "mended")
    await camera.start()
    await post.recording()
    (over,) = await until(lambda: [a for a in alarms(post) if a.ended_us is not None], "it is over")
    assert over.id == alarm.id
    assert over.acknowledged is not None
    assert (over.acknowledged.by, over.acknowledged.reason) == ("ada", WHY)
    assert [e["body"]["kind"] for e in post.entries("alarm_raised")] == ["camera_silent"], "none for our own outage"
    with pytest.raises(LongwatchError, match="acknowledged before"):
        await post.ask("acknowledge", alarm=alarm.id, reason=WHY, person=ADA)


async def test_what_ends_by_itself_stays_listed_until_it_is_acknowledged_even_while_no_recorder_runs(
    post: Post, camera: SimulatedCamera
) -> None:
    post.sooner = SILENT_CAMERA
    post.settings({"gate": camera.url})
    post.start()
    await post.recording()
    await camera.stop()
    await until(lambda: alarms(post, "camera_silent"), "it is raised")
    await camera.start()
    (over,) = await until(lambda: [a for a in alarms(post, everything=False) if a.ended_us is not None], "it is over")
    assert over.acknowledged is None
    post.signal(signal.SIGTERM)
    assert await post.ended() == 0
    (reduced,) = alarms(post, "accounting_reduced")
    assert reduced.subject == "stop"
    stopped = post.entries("recorder_stopped")[-1]["body"]
    assert stopped["reason"] == "no reason given"
    await _in_thread(act, [post.data], "post", "acknowledge", frozenset(), alarm=over.id, reason=WHY, person=ADA)
    await _in_thread(act, [post.data], "post", "acknowledge", frozenset(), alarm=reduced.id, reason=WHY, person=ADA)
    assert alarms(post, everything=False) == []
    post.start()
    await post.recording()
    assert {gap for gap in post.gap_seconds() if gap not in {"camera_unreachable"}} == {"post_stopped"}
    assert alarms(post, everything=False) == []


async def _in_thread(function: Any, *arguments: Any, **named: Any) -> Any:
    import asyncio

    return await asyncio.to_thread(function, *arguments, **named)


async def test_a_pause_for_privacy_ends_the_session_survives_a_kill_and_ends_with_a_word(
    post: Post, camera: SimulatedCamera
) -> None:
    post.sooner = SILENT_CAMERA
    post.settings({"gate": camera.url})
    post.start()
    await post.recording()
    answer = await post.ask("pause", camera="gate", privacy=True, reason=WHY, person=ADA)
    assert answer["until_us"] is None
    await until(lambda: not camera.sessions, "the session is ended")
    await until(lambda: post.gap_seconds().get("privacy_pause", 0) > 1, "the gap says why")
    paused = post.entries("paused")[0]
    opened = next(e for e in post.entries("gap_opened") if e["body"]["cause"] == "privacy_pause")
    assert paused["seq"] == answer["seq"] < opened["seq"], "the entry comes before it takes effect"
    post.signal(signal.SIGKILL)
    await post.ended()
    before = len(camera.requests)
    post.start()
    await until(lambda: post.stream(), "it answers")
    paused_s = post.gap_seconds()["privacy_pause"]
    await until(lambda: post.gap_seconds()["privacy_pause"] > paused_s + 4, "it goes on")
    assert (len(camera.requests), camera.sessions) == (before, set()), "nobody is asked for pictures"
    assert not alarms(post, "camera_silent")
    await post.ask("resume", camera="gate", person=ADA)
    await post.recording()
    assert post.entries("resumed")[0]["body"]["camera"] == "gate"
    with pytest.raises(LongwatchError, match="not paused"):
        await post.ask("resume", camera="gate", person=ADA)


async def test_a_pause_for_a_while_ends_by_itself_and_live_goes_on(post: Post, camera: SimulatedCamera) -> None:
    post.settings({"gate": camera.url})
    post.start()
    await post.recording()
    before = stretch()
    await post.ask("pause", camera="gate", for_s=4, reason=WHY, person=ADA)
    await until(lambda: post.gap_seconds().get("paused_by_operator", 0) > 1, "the gap says why")
    assert camera.sessions, "who watches live goes on watching"
    (resumed,) = await until(lambda: post.entries("resumed"), "it is over")
    assert "person" not in resumed["body"]
    await post.recording()
    assert 3 < post.gap_seconds()["paused_by_operator"] < 4 + 4 * max(before, stretch())
    assert not alarms(post)


async def test_settings_that_take_something_away_ask_for_a_reason_and_say_what(
    post: Post, camera: SimulatedCamera
) -> None:
    post.settings({"gate": camera.url, "yard": camera.url})
    post.start()
    await post.recording("yard")
    (first,) = post.entries("settings_applied")
    assert (first["body"]["by"], first["body"]["added"], first["body"]["reason"]) == (
        "start",
        ["gate", "yard"],
        "not_needed",
    )
    assert first["body"]["changes"]["added"]["cameras.gate.streams.main"].startswith("rtsp://owner:(secret)@127.0.0.1")
    post.settings({"gate": camera.url})
    with pytest.raises(LongwatchError, match="no reason was given") as refused:
        await post.ask("settings_apply", reason="", person=ADA)
    assert "camera yard is removed" in refused.value.why
    await post.recording("yard")
    assert len(post.entries("settings_applied")) == 1
    answer = await post.ask("settings_apply", reason=WHY, person=ADA)
    applied = post.entries("settings_applied")[-1]
    assert (applied["seq"], applied["body"]["reduces"], applied["body"]["reason"]) == (
        answer["seq"],
        ["camera yard is removed"],
        "given",
    )
    assert applied["body"]["changes"]["removed"]["cameras.yard.record"] == "continuous"
    assert person_of(post, applied["seq"])["reason"] == WHY
    assert not alarms(post)
    assert not in_ledger(post, "hunter2")
    assert (await post.ask("settings_apply", reason="", person=ADA))["seq"] is None, "nothing changed"


async def test_settings_that_come_without_a_reason_are_applied_and_an_alarm_stands(
    post: Post, camera: SimulatedCamera
) -> None:
    post.settings({"gate": camera.url, "yard": camera.url})
    post.start()
    await post.recording()
    post.settings({"gate": camera.url})
    post.signal(signal.SIGHUP)
    (by_signal,) = await until(lambda: alarms(post, "accounting_reduced"), "it is raised")
    assert by_signal.body["reduces"] == ["camera yard is removed"]
    entry = post.entries("settings_applied")[-1]["body"]
    assert (entry["reason"], entry["by"]) == ("none", "reload")
    post.signal(signal.SIGKILL)
    await post.ended()
    post.settings({"gate": camera.url}, ", record: never")
    post.start()
    await until(lambda: len(alarms(post, "accounting_reduced", everything=False)) == 2, "and so is a restart")
    by_start = alarms(post, "accounting_reduced")[0]
    assert by_start.body["reduces"] == ["camera gate is not recorded any more"]
    assert post.entries("settings_applied")[-1]["body"]["by"] == "start"
    for alarm in alarms(post, everything=False):
        await post.ask("acknowledge", alarm=alarm.id, reason=WHY, person=ADA)
    assert alarms(post, everything=False) == []


async def test_a_changed_password_is_told_as_changed_and_never_said(post: Post, camera: SimulatedCamera) -> None:
    post.settings({"gate": camera.url})
    post.start()
    await post.recording()
    post.settings({"gate": camera.url.replace("hunter2-secret", "another-secret")})
    answer = await post.ask("settings_apply", reason="", person=ADA)
    assert answer["reduces"] == []
    told = post.entries("settings_applied")[-1]["body"]["changes"]["changed"]["cameras.gate.streams.main"]
    assert told[1] == "(secret, changed)"
    for secret in ("hunter2", "another-secret"):
        assert not in_ledger(post, secret)
        for name in ("index.db", "index.db-wal"):
            assert secret.encode() not in (post.data / name).read_bytes()


async def test_a_stop_that_is_asked_for_says_who_and_raises_nothing(post: Post, camera: SimulatedCamera) -> None:
    post.settings({"gate": camera.url})
    post.start()
    await post.recording()
    answer = await post.ask("stop", reason=WHY, person=ADA)
    assert await post.ended() == 76
    stopped = post.entries("recorder_stopped")[-1]["body"]
    assert (stopped["reason"], stopped["asked"]) == ("asked by a person", answer["seq"])
    assert post.kinds().index("stop_asked") < post.kinds().index("recorder_stopped")
    assert not alarms(post)


async def test_what_a_verb_writes_alone_takes_effect_at_the_next_start(post: Post, camera: SimulatedCamera) -> None:
    post.settings({"gate": camera.url, "yard": camera.url})
    post.start()
    await post.recording()
    await post.ask("stop", reason=WHY, person=ADA)
    await post.ended()
    both = frozenset({"gate", "yard"})
    await _in_thread(act, [post.data], "post", "pause", both, camera="gate", reason=WHY, person=ADA, for_s=None)
    post.settings({"gate": camera.url})
    with pytest.raises(UsageError, match="no reason"):
        await _in_thread(apply_settings, [post.data], "post", post.config, reason="", person=ADA)
    await _in_thread(apply_settings, [post.data], "post", post.config, reason=WHY, person=ADA)
    post.start()
    await until(lambda: post.gap_seconds().get("paused_by_operator", 0) > 1, "it is paused")
    assert [e["body"]["by"] for e in post.entries("settings_applied")] == ["start", "apply"]
    assert not alarms(post)


@pytest.mark.parametrize(
    "fields",
    [
        {"reason": ""},
        {"reason": None},
        {"reason": "   "},
        {"reason": "..."},
        {"reason": "x" * 501},
        {"reason": "x" * 1_000_000},
        {"reason": "two\nlines"},
        {"reason": "bell \a"},
        {"reason": "\u202egnp.exe"},
        {"reason": 7},
        {"reason": ["x"]},
        {"person": None},
        {"person": "ada"},
        {"person": {"subject": "0", "text": "{}"}},
        {"person": {"subject": True, "text": "{}"}},
        {"person": {"subject": 10**30, "text": "{}"}},
        {"person": {"subject": -1, "text": "{}"}},
        {"person": {"subject": 0, "text": "[" * 3900}},
        {"person": {"subject": 0, "text": '{"a":' * 700 + "1" + "}" * 700}},
        {"person": {"subject": 0, "text": "not json"}},
        {"person": {"subject": 0, "text": "[]"}},
        {"person": {"subject": 0, "text": '{"a": 1.5}'}},
        {"person": {"subject": 0, "text": '{"a": "' + "x" * 5000 + '"}'}},
        {"camera": "no-such"},
        {"camera": "../gate"},
        {"camera": None},
        {"for_s": 0},
        {"for_s": -1},
        {"for_s": 10**12},
        {"for_s": "2h"},
        {"for_s": True},
    ],
    ids=lambda fields: json.dumps(fields)[:40],
)
@pytest.mark.asyncio(loop_scope="module")
async def test_what_cannot_be_is_refused_and_nothing_is_paused(one: Post, fields: dict[str, Any]) -> None:
    asked = {"camera": "gate", "reason": WHY, "person": ADA} | fields
    with pytest.raises(LongwatchError) as refused:
        await one.ask("pause", **asked)
    assert refused.value.exit_code == 2
    assert one.entries("paused") == []


@pytest.mark.parametrize("number", [0, -1, 999, 10**30, "1", None, True, 1.5])
@pytest.mark.asyncio(loop_scope="module")
async def test_what_is_no_alarm_cannot_be_acknowledged(one: Post, number: Any) -> None:
    with pytest.raises(LongwatchError) as refused:
        await one.ask("acknowledge", alarm=number, reason=WHY, person=ADA)
    assert refused.value.exit_code == 2


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A recorder whose camera does not matter."""
    made = Post(tmp_path_factory.mktemp("one"))
    made.settings({"gate": "rtsp://127.0.0.1:9/x"})
    made.start()
    from tests.support.wait import until_now

    until_now(lambda: (made.data / "run" / "recorder.sock").exists(), "it listens")
    yield made
    assert made.process is not None
    made.process.kill()
    made.process.wait()


async def test_an_index_that_somebody_deletes_takes_no_alarm_and_no_pause_along(
    post: Post, camera: SimulatedCamera
) -> None:
    post.settings({"gate": camera.url, "yard": camera.url})
    post.start()
    await post.recording("yard")
    await post.ask("pause", camera="gate", privacy=True, reason=WHY, person=ADA)
    await until(lambda: post.gap_seconds().get("privacy_pause", 0) > 1, "it is paused")
    post.signal(signal.SIGTERM)
    assert await post.ended() == 0
    for file in post.data.glob("index.db*"):
        file.unlink()
    post.settings({"gate": camera.url})
    post.start()
    await until(lambda: post.stream(), "it answers")
    found = await until(
        lambda: (some := alarms(post, everything=False)) and len(some) >= 3 and some, "what stands is restored"
    )
    by_subject = {alarm.subject.split()[0]: alarm for alarm in found}
    assert by_subject["stop"].kind == "accounting_reduced"
    assert by_subject["index"].kind == "ledger"
    assert by_subject["settings"].body["reduces"] == ["camera yard is removed"]
    assert (await post.stream())["pause"]["kind"] == "privacy_pause"
    assert camera.sessions == set()
