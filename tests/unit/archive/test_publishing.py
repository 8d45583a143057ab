"""The ledger as files: signed once, on every volume, in order, beside the ticks; a disk that hangs or fails holds its own mirror alone."""

from __future__ import annotations

import asyncio
import errno
import itertools
import json
import os
import stat
import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.archive_case import KEEP_ALL, opened, record, stream
from tests.support.wait import until
from tests.unit.archive.test_restoring import kinds_of, ledger, log_row, whole

from longwatch.archive import Archive, Flushing, Mode, ops
from longwatch.archive.log_files import read_head
from longwatch.archive.log_key import load_key, make_key
from longwatch.base.clock import ManualClock
from longwatch.base.errors import LongwatchError, UsageError
from longwatch.ledger import checkpoint, leaf_hash, proofs, root, verify_inclusion


class Told(Flushing):
    """Fails where it is told to, by the path; tells what was written, in order."""

    def __init__(self) -> None:
        self.broken = ""
        self.code = errno.EIO
        self.hang: threading.Event | None = None
        self.calls: list[str] = []

    def _maybe(self, path: Path) -> None:
        if self.broken and str(path).startswith(self.broken):
            if self.hang is not None:
                self.hang.wait(20)
            else:
                raise OSError(self.code, os.strerror(self.code))

    def put(self, path: Path, content: bytes) -> None:
        self._maybe(path)
        self.calls.append(f"put {path.parent.name}/{path.name}")
        super().put(path, content)

    def flush_log(self, descriptor: int, top: Path, written: Sequence[Path]) -> None:
        self.calls.append("flush")
        super().flush_log(descriptor, top, written)

    def replace(self, path: Path, content: bytes) -> None:
        self._maybe(path)
        self.calls.append(f"head {content.splitlines()[1].decode()}")
        super().replace(path, content)


def entry(n: int) -> ops.Entry:
    return ops.Entry("made_up", {"n": n})


async def test_a_seal_is_published_on_every_volume_within_a_second_of_the_clock(tmp_path: Path) -> None:
    paths, clock = [tmp_path / "a", tmp_path / "b"], ManualClock()
    async with opened(paths, clock=clock) as (archive, _):
        await archive.ledger.publish()
        source = stream(archive)
        for n in range(4):
            await record(archive, source)
            size = len(ledger(paths))
            await clock.advance(1)
            await until(lambda size=size: archive.ledger.published >= size, f"seal {n} is published")
        await until(lambda: all(m["size"] == size for m in archive.ledger.describe()["mirrors"]), "both have it")
        whole(paths, 1)
        assert archive.ledger.problems() == []


async def test_tiles_are_flushed_before_the_head_and_older_parts_go_after_it(tmp_path: Path) -> None:
    told = Told()
    async with opened([tmp_path / "a"], replace(KEEP_ALL, flushing=told)) as (archive, _):
        for upto in (3, 250, 256, 257, 600):
            await archive.commit([entry(upto)] * (upto - len(ledger([tmp_path / "a"]))))
            told.calls.clear()
            await archive.ledger.publish()
            assert told.calls[-2:] == ["flush", f"head {upto}"]
            shown = [n for n, call in enumerate(told.calls) if call.startswith("head")]
            assert all(told.calls[n - 1] == "flush" for n in shown if n)
    folder = tmp_path / "a/ledger/1"
    left = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    assert left == [
        "checkpoint", "key.pem", "tile/0/000", "tile/0/001", "tile/0/002.p/88", "tile/1/000.p/2", "tile/entries/000",
        "tile/entries/001", "tile/entries/002.p/88",
    ]  # fmt: skip
    whole([tmp_path / "a"], 1)


class NoHead(Told):
    """Takes every file but a head."""

    def replace(self, path: Path, content: bytes) -> None:
        if path.name == "checkpoint" and str(path).startswith(self.broken):
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        super().replace(path, content)

    def _maybe(self, path: Path) -> None:
        """Nothing else fails."""


async def test_parts_whose_head_was_never_shown_go_with_the_first_that_is(tmp_path: Path) -> None:
    paths, told = [tmp_path / "a", tmp_path / "b"], NoHead()
    told.broken = str(tmp_path / "b" / "ledger")
    async with opened(paths, replace(KEEP_ALL, flushing=told)) as (archive, _):
        await archive.ledger.publish()
    folder = tmp_path / "b/ledger/1"
    assert list(folder.glob("tile/entries/000.p/*"))
    assert not (folder / "checkpoint").exists()
    async with opened(paths) as (archive, _):
        await archive.commit([entry(1)])
        await archive.ledger.publish()
    whole(paths, 1)
    left = [sorted(path.name for path in (at / "ledger/1").glob("tile/*/000.p/*")) for at in paths]
    assert left[0] == left[1]


async def test_a_head_is_noted_before_it_is_shown_and_is_never_smaller(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []

    class Looks(Told):
        def replace(self, path: Path, content: bytes) -> None:
            seen.append((int(content.splitlines()[1]), log_row(tmp_path / "a")[4]))
            super().replace(path, content)

    for _ in range(3):
        async with opened([tmp_path / "a"], replace(KEEP_ALL, flushing=Looks())) as (archive, _):
            for n in range(5):
                await archive.enter(entry(n))
                await archive.ledger.publish()
    assert [shown for shown, _ in seen] == sorted({shown for shown, _ in seen})
    assert all(noted >= shown for shown, noted in seen)


async def test_a_failing_disk_holds_its_own_mirror_is_told_once_and_catches_up(tmp_path: Path) -> None:
    paths, told, clock = [tmp_path / "a", tmp_path / "b"], Told(), ManualClock()
    async with opened(paths, replace(KEEP_ALL, flushing=told), clock) as (archive, _):
        await archive.ledger.publish()
        told.broken = str(tmp_path / "b" / "ledger")
        for n in range(5):
            await archive.commit([entry(n)] * 60)
            await archive.ledger.publish()
            await clock.advance(1)
        first, second = archive.ledger.describe()["mirrors"]
        assert first["size"] > 240
        assert second["size"] < 5
        assert "Input/output error" in second["problem"]
        (problem,) = archive.ledger.problems()
        assert str(tmp_path / "b") in problem["what"]
        told.broken = ""
        await archive.ledger.publish()
        await until(lambda: archive.ledger.describe()["mirrors"][1]["problem"] == "", "it is written again")
        assert archive.ledger.problems() == []
        await until(lambda: kinds_of(paths)[-1] == "storage_readmitted", "and said to be")
        await archive.ledger.publish_everywhere()  # not left to the end, which does not wait for long
    said = [e for line in ledger(paths) if (e := json.loads(line))["kind"].startswith("storage")]
    assert [(e["kind"], e["body"]["what"]) for e in said] == [
        ("storage_failed", "ledger"),
        ("storage_readmitted", "ledger"),
    ]
    whole(paths, 1)


async def test_a_disk_that_hangs_holds_nobody_else(tmp_path: Path) -> None:
    paths, told, clock = [tmp_path / "a", tmp_path / "b"], Told(), ManualClock()
    async with opened(paths, replace(KEEP_ALL, flushing=told), clock) as (archive, _):
        await archive.ledger.publish()
        told.hang, told.broken = threading.Event(), str(tmp_path / "b" / "ledger")
        for n in range(5):
            seq = await archive.enter(entry(n))
            proven = await asyncio.wait_for(archive.prove(seq), 5)
            head = checkpoint.open_note(proven.checkpoint, archive.ledger.key.public)
            assert verify_inclusion(seq, head.size, leaf_hash(proven.entry), proven.path, head.root)
            await record(archive, stream(archive))
        await until(
            lambda: archive.ledger._mirrors[1].worker.busy_since_boot_us is not None, "the mirror hangs in its thread"
        )
        clock.tick(11_000_000)
        (problem,) = archive.ledger.problems()
        assert problem["why"] == "its disk hangs"
        told.broken = ""
        told.hang.set()
        await until(lambda: archive.ledger.describe()["mirrors"][1]["size"] >= archive.ledger.log.size, "it is back")
        await archive.ledger.publish_everywhere()
    whole(paths, 1)


async def test_a_full_disk_waits_and_the_last_words_keep_their_room(tmp_path: Path) -> None:
    told, clock = Told(), ManualClock()
    async with opened([tmp_path / "a"], replace(KEEP_ALL, flushing=told), clock) as (archive, _):
        await archive.ledger.publish()
        await until(lambda: archive._reserve._path.exists(), "the reserve is held")
        archive._reserve.owed_bytes = 1 << 60
        before = archive.ledger.published
        await archive.enter(entry(1))
        archive.ledger.poke()
        await clock.advance(2)
        await until(lambda: archive.ledger.problems() != [], "it is said")
        assert "last words" in archive.ledger.problems()[0]["why"]
        assert archive.ledger.published == before
        archive._reserve.owed_bytes = 0
        await archive.ledger.publish()
        await until(lambda: kinds_of([tmp_path / "a"])[-1] == "storage_readmitted", "it is written again")
        await archive.ledger.publish_everywhere()
    kinds = [json.loads(line)["kind"] for line in ledger([tmp_path / "a"])]
    assert "storage_full" in kinds
    assert "storage_readmitted" in kinds
    whole([tmp_path / "a"], 1)


async def test_another_disk_under_the_same_path_is_not_written(tmp_path: Path) -> None:
    paths, clock = [tmp_path / "a", tmp_path / "b"], ManualClock()
    async with opened(paths, clock=clock) as (archive, _):
        await archive.ledger.publish_everywhere()  # so that nothing is on its way there
        (tmp_path / "b").rename(tmp_path / "out")
        (tmp_path / "b").mkdir()
        await archive.enter(entry(1))
        await archive.ledger.publish()
        await clock.advance(1)
        await until(lambda: archive.ledger.describe()["mirrors"][1]["problem"] != "", "it is seen")
        assert "another disk" in archive.ledger.describe()["mirrors"][1]["problem"]
        assert list((tmp_path / "b").iterdir()) == []


@pytest.mark.parametrize("damage", ["tile", "bundle", "checkpoint", "all", "foreign head"])
async def test_files_that_are_not_what_was_published_are_written_anew_at_the_start(tmp_path: Path, damage: str) -> None:
    paths = [tmp_path / "a", tmp_path / "b"]
    async with opened(paths) as (archive, _):
        await archive.commit([entry(n) for n in range(300)])
    folder = tmp_path / "b" / "ledger" / "1"
    if damage == "tile":
        next((folder / "tile/0/001.p").iterdir()).write_bytes(bytes(64))
    elif damage == "bundle":
        next((folder / "tile/entries/001.p").iterdir()).write_bytes(b"")
    elif damage == "checkpoint":
        (folder / "checkpoint").write_text("x")
    elif damage == "all":
        for path in folder.rglob("*"):
            if path.is_file():
                path.write_bytes(path.read_bytes()[:-1])
    else:
        other = make_key_in(tmp_path / "elsewhere")
        head = read_head(folder)
        assert head is not None
        (folder / "checkpoint").write_text(
            checkpoint.sign(replace(head.checkpoint, size=9999), other.sign, other.public)
        )
    async with opened(paths) as (archive, _):
        await archive.enter(entry(1))
        await archive.ledger.publish()
        await until(lambda: archive.ledger.describe()["mirrors"][1]["size"] == archive.ledger.log.size, "caught up")
        assert any("were not what was published" in problem["what"] for problem in archive.ledger.problems())
        assert archive.ledger.begun == ""
        await archive.ledger.publish_everywhere()
    whole(paths, 1)


async def test_a_new_volume_gets_the_whole_log(tmp_path: Path) -> None:
    async with opened([tmp_path / "a"]) as (archive, _):
        await archive.commit([entry(n) for n in range(700)])
    async with opened([tmp_path / "a", tmp_path / "b"]) as (archive, _):
        await until(lambda: archive.ledger.describe()["mirrors"][1]["size"] >= 701, "brought over")
    whole([tmp_path / "a", tmp_path / "b"], 1)


async def test_an_entry_that_no_bundle_can_hold_is_refused_and_what_a_tick_says_is_told_by_its_hash(
    tmp_path: Path,
) -> None:
    async with opened([tmp_path / "a"]) as (archive, _):
        with pytest.raises(UsageError):
            await archive.enter(ops.Entry("made_up", {"text": "x" * 65_535}))
        assert await archive.commit([ops.Entry("made_up", {"text": "x" * 70_000}), entry(2)])
    long, after = (json.loads(line)["body"] for line in ledger([tmp_path / "a"])[-2:])
    assert set(long) == {"sha256", "too_long"}
    assert after == {"n": 2}


# -- the key


def make_key_in(folder: Path) -> object:
    folder.mkdir()
    return make_key(folder, Flushing())


async def test_the_key_is_made_once_is_the_owners_alone_and_its_public_half_is_published(tmp_path: Path) -> None:
    paths = [tmp_path / "a", tmp_path / "b"]
    async with opened(paths, replace(KEEP_ALL, post="north-ridge")) as (archive, _):
        key = archive.ledger.key
        assert archive.ledger.log.origin.startswith("longwatch/north-ridge/")
    file = tmp_path / "a" / "ledger.key"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert file.read_bytes().startswith(b"-----BEGIN PRIVATE KEY-----")
    assert not (tmp_path / "b" / "ledger.key").exists()
    for path in paths:
        published = (path / "ledger/1/key.pem").read_text()
        assert published == key.pem
        assert checkpoint.parse_public_key(published) == key.public
    again = load_key(tmp_path / "a")
    assert again is not None
    assert again.public == key.public
    assert "PRIVATE" not in repr(key) + repr(vars(again))
    with pytest.raises(FileExistsError):
        make_key(tmp_path / "a", Flushing())


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o666])
async def test_a_key_that_others_may_read_is_an_error_with_its_remedy(tmp_path: Path, mode: int) -> None:
    async with opened([tmp_path / "a"]):
        pass
    (tmp_path / "a" / "ledger.key").chmod(mode)
    with pytest.raises(LongwatchError, match="chmod 600"):
        await Archive.open([tmp_path / "a"], KEEP_ALL, ManualClock(), "ab" * 16)


@pytest.mark.parametrize(
    "content", [b"", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", b"\0" * 100]
)
async def test_a_file_that_is_no_key_is_an_error_and_never_replaced(tmp_path: Path, content: bytes) -> None:
    async with opened([tmp_path / "a"]):
        pass
    (tmp_path / "a" / "ledger.key").write_bytes(content)
    with pytest.raises(LongwatchError, match="no Ed25519 key"):
        await Archive.open([tmp_path / "a"], KEEP_ALL, ManualClock(), "ab" * 16)
    assert (tmp_path / "a" / "ledger.key").read_bytes() == content


async def test_every_head_grows_out_of_the_one_before(tmp_path: Path) -> None:
    """Over starts, whatever was published between: consistency by proof, as anybody who kept an old checkpoint asks for it."""
    kept: list[checkpoint.Checkpoint] = []
    for _ in range(4):
        async with opened([tmp_path / "a"]) as (archive, _):
            await archive.commit([entry(n) for n in range(90)])
            await archive.ledger.publish()
            kept.append(checkpoint.open_note(archive.ledger.log.text, archive.ledger.key.public))
    leaves = [leaf_hash(line) for line in ledger([tmp_path / "a"])]
    for old, new in itertools.pairwise(kept):
        path = proofs.consistency_path(old.size, new.size, proofs.from_leaves(leaves))
        assert proofs.verify_consistency(old.size, new.size, old.root, new.root, path)
        assert new.root == root(leaves[: new.size])


# -- check


def spoil(folder: Path, how: str) -> str:
    """Something about a log's files is wrong; the name of what."""
    name = {
        "tile": "tile/0/000", "bundle": "tile/entries/000", "edge": "tile/entries/001.p/45", "level": "tile/1/000.p/1",
        "head": "checkpoint", "key": "key.pem", "gone": "tile/0/001.p/45",
    }[how]  # fmt: skip
    path = folder / name
    if how == "gone":
        path.unlink()
    else:
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
    return str(path)


@pytest.mark.slow
@pytest.mark.parametrize("how", ["tile", "bundle", "edge", "level", "head", "key", "gone"])
async def test_check_compares_the_files_too_and_writes_them_anew(tmp_path: Path, how: str) -> None:
    paths = [tmp_path / "a", tmp_path / "b"]
    async with opened(paths) as (archive, _):
        await archive.commit([entry(n) for n in range(300)])
        await archive.ledger.publish()
        await until(lambda: archive.ledger.describe()["mirrors"][1]["size"] == 301, "both have it")
        assert (await archive.check(Mode.LEDGER)).findings == []
        wrong = spoil(tmp_path / "b/ledger/1", how)
        (found,) = (await archive.check(Mode.LEDGER)).findings
        assert (found.kind, found.what, found.mended) == ("published", wrong, "")
        report = await archive.check(Mode.LEDGER, repair=True)
        assert [f.mended for f in report.findings] == ["written anew"]
        assert report.ok
        assert (await archive.check(Mode.LEDGER)).findings == []
    whole(paths, 1)


async def test_check_is_not_misled_by_a_log_that_grows(tmp_path: Path) -> None:
    async with opened([tmp_path / "a"]) as (archive, _):
        done = asyncio.Event()

        async def grow() -> None:
            for n in range(15):
                await archive.enter(entry(n))
                await archive.ledger.publish()
            done.set()

        growing = asyncio.ensure_future(grow())
        while not done.is_set():
            assert (await archive.check(Mode.LEDGER)).findings == []
        await growing
