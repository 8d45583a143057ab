"""`longwatch verify` of a data folder: what is said of a whole one, in whatever state it is found, and what fails it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import shutil
import sqlite3
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from tests.support.archive_case import GATE, ROAD, opened, record, stream

from longwatch.archive import ArchiveReader, Options, Retention, RetentionTime, ops, verifying
from longwatch.archive.log_key import KEY_FILE
from longwatch.archive.verifying import verify_folder
from longwatch.archive.verifying_media import MediaLook
from longwatch.archive.verifying_rows import IndexLook
from longwatch.base.clock import ManualClock
from longwatch.base.errors import UsageError
from longwatch.ledger.checkpoint import fingerprint, parse_public_key, parse_unverified, vkey
from longwatch.ledger.findings import Kind, Verdict
from longwatch.ledger.judging_index import IndexFacts
from longwatch.model.causes import Cause

DAY_US = 86_400_000_000


async def made(folder: Path, *, orderly: bool = True, segments: int = 2) -> list[Path]:
    """Two volumes, a camera on each, an entry about a person."""
    paths = [folder / "a", folder / "b"]
    async with opened(paths, orderly=orderly) as (archive, _):
        await record(archive, stream(archive), segments=segments, volume=archive.volumes[0])
        await record(archive, stream(archive, ROAD, base=1000), segments=segments, volume=archive.volumes[1])
        await archive.enter(ops.Entry("viewing", {"camera": "gate", "at_us": 5}, ops.Person(7, '{"user":"kari"}')))
    return paths


def kinds_of(verdict: Verdict) -> Counter[str]:
    return Counter(str(finding.kind) for finding in verdict.findings)


def public(paths: list[Path]) -> str:
    return (paths[0] / "ledger/1/key.pem").read_text()


async def test_a_whole_folder_says_whose_key_it_is_consistent_with(tmp_path: Path) -> None:
    paths = await made(tmp_path)
    verdict = verify_folder(paths[0])
    key = fingerprint(parse_public_key(public(paths)))
    assert verdict.findings == []
    assert verdict.summary == f"consistent with the key found inside ({key}), origin not shown"
    assert (verdict.segments, verdict.size, verdict.entries) == (4, 6, 6)


@pytest.mark.parametrize("form", ["pem", "vkey", "fingerprint"])
async def test_the_key_may_be_given_in_any_form(tmp_path: Path, form: str) -> None:
    paths = await made(tmp_path)
    raw = parse_public_key(public(paths))
    text = {"pem": public(paths), "vkey": vkey("any", raw), "fingerprint": fingerprint(raw)}[form]
    verdict = verify_folder(paths[0], key=text)
    assert verdict.ok
    assert verdict.summary.startswith("whole, and signed by the key SHA256:")


async def test_another_key_fails(tmp_path: Path) -> None:
    paths = await made(tmp_path / "one")
    other = await made(tmp_path / "other")
    for key in (public(other), fingerprint(parse_public_key(public(other)))):
        verdict = verify_folder(paths[0], key=key)
        assert kinds_of(verdict) == {"wrong_key": 1}


@pytest.mark.parametrize("key", ["", "SHA256", "-----BEGIN PUBLIC KEY-----", "a+b+c"])
async def test_what_is_no_key_is_wrong_use(tmp_path: Path, key: str) -> None:
    paths = await made(tmp_path)
    with pytest.raises(UsageError):
        verify_folder(paths[0], key=key)


def test_a_folder_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        verify_folder(tmp_path)


async def test_a_copy_elsewhere_that_cannot_be_written_is_judged_alike_and_left_as_it_is(tmp_path: Path) -> None:
    await made(tmp_path / "post")
    copy = tmp_path / "elsewhere"
    shutil.copytree(tmp_path / "post", copy)
    shutil.rmtree(tmp_path / "post")
    before = {str(path): path.stat().st_mtime_ns for path in copy.rglob("*")}
    os.chmod(copy / "a", 0o500)
    try:
        assert verify_folder(copy / "a").ok
    finally:
        os.chmod(copy / "a", 0o700)
    assert {str(path): path.stat().st_mtime_ns for path in copy.rglob("*")} == before


async def test_without_an_index_log_and_media_are_judged(tmp_path: Path) -> None:
    paths = await made(tmp_path)
    (paths[0] / "index.db").unlink()
    verdict = verify_folder(paths[0], more=[paths[1]])
    assert (verdict.ok, verdict.segments, kinds_of(verdict)) == (True, 4, {"not_here": 1})
    (file,) = list((paths[0] / "media").rglob("*-1.mp4"))
    file.unlink()
    verdict = verify_folder(paths[0])
    assert [(f.kind, f.camera) for f in verdict.blamed] == [(Kind.REMOVED, "gate")]


async def test_a_volume_that_is_not_here_is_said_and_fails_nothing(tmp_path: Path) -> None:
    paths = await made(tmp_path)
    away = tmp_path.parent / f"{tmp_path.name}-away"
    paths[1].rename(away)
    verdict = verify_folder(paths[0])
    assert verdict.ok
    assert [(f.kind, f.camera) for f in verdict.said if f.camera] == [(Kind.NOT_HERE, "road")] * 2
    verdict = verify_folder(paths[0], more=[away])
    assert (verdict.findings, verdict.segments) == ([], 4)


@pytest.mark.slow
async def test_any_of_its_volumes_may_be_named(tmp_path: Path) -> None:
    paths = await made(tmp_path)
    verdict = verify_folder(paths[1])
    assert (verdict.findings, verdict.segments, verdict.entries) == ([], 4, 6)


async def test_what_was_erased_is_said_to_be_erased(tmp_path: Path) -> None:
    paths = await made(tmp_path)
    with contextlib.closing(sqlite3.connect(paths[0] / "index.db")) as db, db:
        db.execute("DELETE FROM personal")
    verdict = verify_folder(paths[0])
    assert verdict.ok
    (said,) = verdict.findings
    assert (said.kind, said.camera) == (Kind.ERASED, "gate")


@pytest.mark.parametrize(
    ("doing", "kind"),
    [
        ("DELETE FROM mention", Kind.REMOVED),
        ("UPDATE mention SET at_us = at_us - 86400000000", Kind.CHANGED),
        ("UPDATE mention SET subject = subject + 1", Kind.CHANGED),
        ("INSERT INTO mention SELECT 0, at_us, subject, kind, camera FROM mention", Kind.INSERTED),
    ],
)
async def test_an_audit_that_hides_or_invents_an_act_is_found(tmp_path: Path, doing: str, kind: Kind) -> None:
    paths = await made(tmp_path)
    with contextlib.closing(sqlite3.connect(paths[0] / "index.db")) as db, db:
        db.execute(doing)
    verdict = verify_folder(paths[0])
    assert [f.kind for f in verdict.blamed] == [kind]


async def test_the_unsealed_end_is_said_with_its_seconds(tmp_path: Path) -> None:
    paths = [tmp_path / "a"]
    async with opened(paths, orderly=False) as (archive, _):
        source = stream(archive)
        await record(archive, source, segments=2)
        await archive.enter(ops.Entry("viewing", {"camera": "gate", "at_us": 5}))
        await archive.tick(archive.volumes[0], source.tick(reopen=True))
        verdict = verify_folder(paths[0])
    assert verdict.ok, verdict.blamed
    files = [f for f in verdict.said if f.kind is Kind.UNSEALED and f.camera == "gate"]
    (said,) = files
    assert said.from_us == source.wall_us(2 * 3 * 17 * 3600)
    assert said.to_us == source.wall_us(source.media_90k)


async def test_what_retention_took_is_expired_and_what_a_hand_took_is_removed(tmp_path: Path) -> None:
    from longwatch.archive import Options, Retention, RetentionTime

    paths, clock = [tmp_path / "a"], ManualClock()
    short = Options(Retention(max_age_us=None, max_size_bytes=30_000, keep_free_fraction=0))
    async with opened(paths, short, clock) as (archive, _):
        await record(archive, stream(archive, clock=clock), segments=4)
        report = await archive.retain(RetentionTime(clock.wall_us(), trusted=True, agreed_for_us=0, approved=True))
        assert report.removed
    verdict = verify_folder(paths[0])
    assert (verdict.ok, kinds_of(verdict)) == (True, {"expired": 1})
    next((paths[0] / "media").rglob("*.mp4")).unlink()
    assert kinds_of(verify_folder(paths[0]))["removed"] == 1


async def test_a_lost_index_and_a_lost_key_are_restorations(tmp_path: Path) -> None:
    paths = await made(tmp_path)
    earlier = (paths[0] / "ledger/1/checkpoint").read_text()
    (paths[0] / "index.db").unlink()
    async with opened(paths, boot="cd" * 16) as (archive, _):
        await record(archive, stream(archive, boot="cd" * 16))
    verdict = verify_folder(paths[0], key=public(paths), checkpoint=earlier)
    assert verdict.ok, verdict.blamed
    assert {"restored"} <= set(kinds_of(verdict))

    (paths[0] / KEY_FILE).unlink()
    async with opened(paths, boot="ef" * 16) as (archive, _):
        await record(archive, stream(archive, boot="ef" * 16))
    verdict = verify_folder(paths[0], checkpoint=earlier)
    assert verdict.ok, verdict.blamed
    assert any("another log begins" in finding.detail for finding in verdict.said)
    assert verdict.origin.endswith("/2")
    assert not verify_folder(paths[0], key=public(paths)).ok, "the newest log is of another key"


async def test_an_earlier_head_finds_what_was_taken_back(tmp_path: Path) -> None:
    paths = await made(tmp_path / "post")
    shutil.copytree(tmp_path / "post", tmp_path / "backup")
    async with opened(paths, boot="cd" * 16) as (archive, _):
        await record(archive, stream(archive, boot="cd" * 16))
    later = (paths[0] / "ledger/1/checkpoint").read_text()
    assert parse_unverified(later)[0].size > 6
    assert verify_folder(paths[0], checkpoint=later).ok
    old = tmp_path / "backup" / "a"
    assert verify_folder(old).ok, "it is whole, as far as it goes"
    verdict = verify_folder(old, checkpoint=later)
    assert kinds_of(verdict)["rolled_back"] == 1


async def test_a_head_of_another_post_is_not_this_ones(tmp_path: Path) -> None:
    paths = await made(tmp_path / "one")
    other = await made(tmp_path / "other")
    verdict = verify_folder(paths[0], checkpoint=(other[0] / "ledger/1/checkpoint").read_text())
    assert kinds_of(verdict) == {"forked": 1}
    with pytest.raises(UsageError):
        verify_folder(paths[0], checkpoint="nothing")


async def test_a_fragment_that_was_changed_is_named_to_the_second(tmp_path: Path) -> None:
    paths = await made(tmp_path)
    (file,) = list((paths[1] / "media").rglob("*-1.mp4"))
    data = bytearray(file.read_bytes())
    data[-9000] ^= 1
    file.write_bytes(data)
    (blamed,) = verify_folder(paths[0]).blamed
    assert (blamed.kind, blamed.camera, blamed.stream) == (Kind.CHANGED, "road", "main")
    assert blamed.from_us is not None
    assert blamed.to_us is not None
    assert blamed.to_us - blamed.from_us == 680_000, "one fragment of 17 pictures"


@pytest.mark.slow
async def test_an_index_that_is_damaged_anywhere_is_no_crash(tmp_path: Path) -> None:
    paths = await made(tmp_path)
    index = paths[0] / "index.db"
    sound, rng = index.read_bytes(), random.Random(7)
    for _ in range(150):
        data = bytearray(sound)
        for _ in range(rng.choice((1, 1, 8, 200))):
            data[rng.randrange(len(data))] = rng.randrange(256)
        index.write_bytes(data if rng.random() < 0.9 else data[: rng.randrange(len(data))])
        assert verify_folder(paths[0]).segments == 4, "log and media are judged all the same"


async def test_it_may_be_asked_while_a_recorder_writes(tmp_path: Path) -> None:
    paths = [tmp_path / "a"]
    async with opened(paths) as (archive, _):
        source = stream(archive)
        for _ in range(4):
            await record(archive, source)
            verdict = verify_folder(paths[0])
            assert verdict.ok, verdict.blamed


async def test_what_a_recorder_writes_while_the_rows_are_read_is_held_against_none_of_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows and the entries that judge them are of one moment, though the recorder commits between two looks at them."""
    paths = [tmp_path / "a"]
    read, loop = IndexLook.facts, asyncio.get_running_loop()
    async with opened(paths) as (archive, _):
        await record(archive, stream(archive))
        await archive.commit([ops.GapOpen(1, ROAD, 3_000_000, Cause.UNKNOWN, {})])
        closing = iter([ops.GapClose(1, 4_000_000), ops.GapOpen(2, ROAD, 5_000_000, Cause.UNKNOWN, {})])

        def interrupted(look: IndexLook) -> IndexFacts:
            facts = read(look)
            for op in closing:
                asyncio.run_coroutine_threadsafe(archive.commit([op]), loop).result(60)
                break
            return facts

        monkeypatch.setattr(IndexLook, "facts", interrupted)
        verdict = await asyncio.to_thread(verify_folder, paths[0])
        assert verdict.ok, verdict.blamed


@pytest.mark.parametrize("when", ["before the files are listed", "before they are read"])
async def test_what_reaches_its_age_while_it_is_proven_is_missed_by_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    """A recorder goes on removing, and its newest entries say so; a file that went without an entry is missed all the same."""
    paths = [tmp_path / "a"]
    where = {"before the files are listed": "run", "before they are read": "_examine"}[when]
    look, loop = getattr(MediaLook, where), asyncio.get_running_loop()
    async with opened(paths, Options(Retention(max_age_us=DAY_US, keep_free_fraction=0))) as (archive, _):
        await record(archive, stream(archive), segments=3)
        (first, _, third) = ArchiveReader(paths).segments(GATE, 0, 1 << 60)

        def interrupted(self: MediaLook, *args: Any) -> Any:
            due = RetentionTime(third.wall_start_us + DAY_US, trusted=True, agreed_for_us=7_200_000_000)
            asyncio.run_coroutine_threadsafe(archive.retain(due), loop).result(60)
            Path(third.path).unlink(missing_ok=True)
            return look(self, *args)

        monkeypatch.setattr(MediaLook, where, interrupted)
        monkeypatch.setattr(verifying, "_TRIES", 1)  # an archive that takes hours to read is never read undisturbed
        verdict = await asyncio.to_thread(verify_folder, paths[0])
        assert not Path(first.path).exists()
        assert [(finding.from_us, finding.kind.blames) for finding in verdict.blamed] == [(third.wall_start_us, True)]


async def set_up(folder: Path) -> list[Path]:
    """As `made`, its cameras set up by an entry, and one gap."""
    paths = [folder / "a", folder / "b"]
    async with opened(paths) as (archive, _):
        await archive.camera_set_up("gate", "Gate", ["main"], 1_000_000)
        await archive.camera_set_up("road", "Road", ["main"], 2_000_000)
        await record(archive, stream(archive), segments=2, volume=archive.volumes[0])
        await archive.commit([ops.GapOpen(1, ROAD, 3_000_000, Cause.UNKNOWN, {}), ops.GapClose(1, 4_000_000)])
    return paths


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "what", "camera"),
    [
        (
            "UPDATE stream SET set_up_us = set_up_us + 60000000 WHERE camera = 'gate'",
            "set-up time of gate/main",
            "gate",
        ),
        ("UPDATE stream SET set_up_us = set_up_us - 1 WHERE camera = 'road'", "set-up time of road/main", "road"),
        ("UPDATE stream SET set_up_us = NULL WHERE camera = 'gate'", "set-up time of gate/main", "gate"),
        ("UPDATE meta SET value = 1 WHERE name = 'next_gap'", "number of the next gap", ""),
        ("UPDATE meta SET value = 1000 WHERE name = 'longest_segment_us'", "length of the longest segment", ""),
        ("DELETE FROM meta WHERE name = 'longest_segment_us'", "length of the longest segment", ""),
    ],
)
async def test_a_single_value_of_the_index_that_an_entry_tells_is_held_against_it(
    tmp_path: Path, change: str, what: str, camera: str
) -> None:
    paths = await set_up(tmp_path)
    assert verify_folder(paths[0]).findings == []
    with contextlib.closing(sqlite3.connect(paths[0] / "index.db")) as db, db:
        assert db.execute(change).rowcount == 1
    (finding,) = verify_folder(paths[0]).blamed
    assert (str(finding.kind), finding.what, finding.camera) == ("changed", what, camera)
    if camera:
        assert (finding.to_us or 0) - (finding.from_us or 0) in {60_000_000, 1}


@pytest.mark.parametrize("lost", ["index", "index and ledger", "an older index"])
async def test_an_index_that_was_made_again_is_blamed_for_no_single_value(tmp_path: Path, lost: str) -> None:
    paths = [tmp_path / "a", tmp_path / "b"]
    async with opened(paths) as (archive, _):
        await archive.camera_set_up("gate", "Gate", ["main"], 1_000_000)
    older = (paths[0] / "index.db").read_bytes()
    await set_up(tmp_path)
    (paths[0] / "index.db").unlink()
    if lost == "an older index":
        (paths[0] / "index.db").write_bytes(older)
    if lost == "index and ledger":
        for path in paths:
            shutil.rmtree(path / "ledger")
    async with opened(paths) as (archive, _):
        await archive.camera_set_up("gate", "Gate", ["main"], 9_000_000)
        await archive.camera_set_up("pier", "Pier", ["main"], 9_000_000)
    verdict = verify_folder(paths[0])
    assert verdict.ok, verdict.blamed
