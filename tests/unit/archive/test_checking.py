"""`check` at three costs: each kind of damage is found, named with its camera, and mended where it can be."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.support.archive_case import FOR_EVER, GATE, ROAD, held, opened, record, stream

from longwatch.archive import Archive, ArchiveReader, Finding, Mode
from longwatch.model.stores import Held, SegmentRow

pytestmark = pytest.mark.slow


async def three(archive: Archive, paths: list[Path]) -> list[SegmentRow]:
    await record(archive, stream(archive), segments=3)
    await record(archive, stream(archive, ROAD, base=1000))
    return held(paths)


def flip(path: Path, at: int) -> None:
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)


def truncate(path: Path, by: int) -> None:
    path.write_bytes(path.read_bytes()[:-by])


async def test_all_well_is_said_at_every_cost(tmp_path: Path):
    seen: list[tuple[int, int]] = []
    async with opened([tmp_path / "a"]) as (archive, _):
        await three(archive, [tmp_path / "a"])
        for mode in Mode:
            report = await archive.check(mode, progress=lambda done, of: seen.append((done, of)))
            assert report.ok
            assert report.findings == []
        assert report.entries == 5


Damage = Callable[[SegmentRow], None]
CASES: list[tuple[str, Mode, Damage]] = [
    ("missing", Mode.SIZE, lambda s: Path(s.path).unlink()),
    ("short", Mode.SIZE, lambda s: Path(s.path).write_bytes(b"")),
    ("short", Mode.SIZE, lambda s: truncate(Path(s.path), 1)),
    ("longer", Mode.SIZE, lambda s: Path(s.path).write_bytes(Path(s.path).read_bytes() + b"x")),
    ("changed", Mode.HASH, lambda s: flip(Path(s.path), s.header_bytes + 200)),
    ("changed", Mode.HASH, lambda s: flip(Path(s.path), s.durable_bytes - 1)),
    ("root", Mode.HASH, lambda s: flip(Path(s.path), s.header_bytes - 1)),
]


@pytest.mark.parametrize(("kind", "mode", "damage"), CASES, ids=[f"{c[0]}-{n}" for n, c in enumerate(CASES)])
async def test_damage_is_found_and_named(tmp_path: Path, kind: str, mode: Mode, damage: Damage):
    paths = [tmp_path / "a"]
    async with opened(paths) as (archive, _):
        segments = await three(archive, paths)
        damage(segments[1])
        report = await archive.check(mode)
        (finding,) = report.findings
        assert (finding.kind, finding.what, finding.camera) == (kind, segments[1].path, "gate")
        assert not report.ok


async def test_a_missing_file_becomes_gone_and_nobody_of_ours_removed_it(tmp_path: Path):
    paths = [tmp_path / "a"]
    async with opened(paths) as (archive, _):
        segments = await three(archive, paths)
        Path(segments[1].path).unlink()
        report = await archive.check(Mode.SIZE, repair=True)
        assert report.ok
        assert report.findings[0].mended
        reader = ArchiveReader(paths)
        assert [s.held for s in reader.recorded_spans(GATE, *FOR_EVER)] == [Held.HERE, Held.GONE, Held.HERE]
        last = json.loads(reader.entries(reader.ledger_size() - 1, 1)[0].entry)
        assert (last["kind"], last["body"]["runs"][0]["why"]) == ("segments_removed", "missing")
        reader.close()
        assert (await archive.check(Mode.SIZE)).findings == []


@pytest.mark.parametrize("which", [0, 1, 2])
async def test_a_missing_file_that_is_put_back_is_here_again_and_what_lies_beside_it_stays_gone(
    tmp_path: Path, which: int
):
    paths = [tmp_path / "a"]
    async with opened(paths) as (archive, _):
        segments = await three(archive, paths)
        archive._index.connection.execute("UPDATE run SET end_boot_us = 1")
        for n, segment in enumerate(segments):
            Path(segment.path).rename(tmp_path / str(n))
        await archive.check(Mode.SIZE, repair=True)
        reader = ArchiveReader(paths)
        assert [s.held for s in reader.recorded_spans(GATE, *FOR_EVER)] == [Held.GONE]
        (tmp_path / str(which)).rename(segments[which].path)
        await archive.check(Mode.SIZE, repair=True)
        expected = {0: [Held.HERE, Held.GONE], 1: [Held.GONE, Held.HERE, Held.GONE], 2: [Held.GONE, Held.HERE]}[which]
        spans = reader.recorded_spans(GATE, *FOR_EVER)
        assert [s.held for s in spans] == expected
        (here,) = [s for s in spans if s.held is Held.HERE]
        assert (here.from_us, here.to_us) == (segments[which].wall_start_us, segments[which].wall_end_us)
        reader.close()
        assert (await archive.check(Mode.HASH)).findings == []


async def test_a_file_without_a_row_is_adopted_and_a_stranger_stays(tmp_path: Path):
    paths = [tmp_path / "a"]
    async with opened(paths) as (archive, _):
        segments = await three(archive, paths)
        db = archive._index.connection
        db.execute("UPDATE run SET end_boot_us = 1")
        for table, column in (("fragment_table", "segment_id"), ("segment", "id")):
            db.execute(f"DELETE FROM {table} WHERE {column} = ?", (segments[1].id,))
        stranger = Path(segments[0].path).with_name("holiday.mp4")
        shutil.copy(segments[0].path, stranger)
        before = (await archive.check(Mode.SIZE)).findings
        assert {(f.kind, f.what) for f in before} == {("orphan", segments[1].path), ("orphan", str(stranger))}
        report = await archive.check(Mode.SIZE, repair=True)
        assert {f.what: f.mended for f in report.findings} == {segments[1].path: "adopted", str(stranger): ""}
        assert [s.sequence for s in held(paths)] == [0, 1, 2]
        assert stranger.exists()
        assert [f.what for f in (await archive.check(Mode.HASH)).findings] == [str(stranger)]


async def test_an_open_segment_is_left_alone(tmp_path: Path):
    async with opened([tmp_path / "a"]) as (archive, _):
        source = stream(archive)
        await archive.tick(archive.volumes[0], source.tick())
        report = await archive.check(Mode.HASH, repair=True)
        assert report.findings == []
        assert await archive.tick(archive.volumes[0], source.tick(seal=True))
        assert (await archive.check(Mode.HASH)).segments == 1


LEDGER_CASES: list[tuple[str, str]] = [
    ("DELETE FROM ledger WHERE seq = 1", "hole"),
    (
        "UPDATE ledger SET entry = CAST(replace(CAST(entry AS TEXT), '\"run\":1', '\"run\":9') AS BLOB) WHERE seq = 1",
        "leaf",
    ),
    ("UPDATE ledger SET leaf = zeroblob(32) WHERE seq = 2", "leaf"),
    ("UPDATE fragment_table SET root = zeroblob(32) WHERE segment_id = 2", "seal"),
    ("UPDATE segment SET durable_bytes = durable_bytes - 1 WHERE id = 2", "seal"),
]


@pytest.mark.parametrize(("change", "kind"), LEDGER_CASES, ids=[f"{c[1]}-{n}" for n, c in enumerate(LEDGER_CASES)])
async def test_a_ledger_that_was_touched_is_found(tmp_path: Path, change: str, kind: str):
    async with opened([tmp_path / "a"]) as (archive, _):
        await three(archive, [tmp_path / "a"])
        assert archive._index.connection.execute(change).rowcount == 1
        findings = (await archive.check(Mode.LEDGER)).findings
        assert [f.kind for f in findings] == [kind]
        assert kind != "seal" or findings[0].camera == "gate"
        assert isinstance(findings[0], Finding)
        if kind == "hole":  # and it is the last log of its kind: each that began would lack the same entry
            assert archive.ledger.log.number <= 2
