"""What an evidence package holds, and what it never holds."""

from __future__ import annotations

import asyncio
import io
import json
from pathlib import Path

import av
import pytest
from tests.support.archive_case import GATE, opened, record, stream
from tests.support.evidence_case import (
    FRAGMENT_US,
    PERSON,
    POST,
    T0_US,
    files_of,
    make_package,
    manifest_of,
    record_post,
    run_check,
)

from longwatch.archive import ArchiveReader, LedgerReader
from longwatch.base.clock import ManualClock
from longwatch.base.errors import LongwatchError, UsageError
from longwatch.evidence import c2pa_copy, verify_package
from longwatch.ledger import kinds, leaf_hash, parse_entry
from longwatch.ledger.findings import Kind
from longwatch.model.sessions import StreamKey
from longwatch.node.issuing import exporting
from longwatch.node.issuing.exporting import export_evidence


@pytest.fixture(scope="module")
def post(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int, int]:
    folder = tmp_path_factory.mktemp("post") / "data"
    return folder, *asyncio.run(record_post(folder))


@pytest.fixture(scope="module")
def package(post, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("out") / "gate.zip"
    make_package(*post[:1], out, *post[1:])
    return out


def test_it_holds_the_fragments_byte_for_byte(post, package):
    files = files_of(package)
    reader = ArchiveReader([post[0]])
    try:
        for row in reader.segments(GATE, post[1], post[2]):
            held = files[f"segments/{Path(row.path).name}"]
            parts = [reader.read(row, f.offset, f.size) for f in reader.fragments(row)]
            assert held == reader.read(row, 0, row.header_bytes) + b"".join(parts)
    finally:
        reader.close()


def test_only_whole_fragments_that_overlap_are_in_it(post, tmp_path):
    make_package(post[0], tmp_path / "p.zip", T0_US + 5 * FRAGMENT_US + 1, T0_US + 7 * FRAGMENT_US - 1)
    said = manifest_of(files_of(tmp_path / "p.zip"))
    (segment,) = said["segments"]
    assert (segment["first"], len(segment["fragments"]), len(segment["leaves"])) == (2, 2, 5)
    assert segment["fragments"][0][1:] == [T0_US + 5 * FRAGMENT_US, T0_US + 6 * FRAGMENT_US]
    assert verify_package(tmp_path / "p.zip").ok


def test_every_second_is_told_with_cause_and_evidence(package, post):
    said = manifest_of(files_of(package))
    assert [(p["state"], p.get("cause")) for p in said["timeline"]] == [
        ("recorded", None),
        ("gap", "camera_switched_off"),
    ]
    assert said["timeline"][-1]["evidence"]["port"] == 3
    totals = said["totals"]
    assert totals["recorded_us"] + totals["gap_us"] == post[2] - post[1]
    assert totals["gaps"] == {"camera_switched_off": 5_000_000}
    kinds_told = [entry["kind"] for entry in said["entries"]]
    assert kinds_told.count("segment_sealed") == 3
    assert {"log_begun", "gap_opened", "gap_refined", "gap_closed", "export_begun"} <= set(kinds_told)


def test_nothing_of_another_camera_no_path_and_no_script(package, post):
    files = files_of(package)
    for name, data in files.items():
        assert b'"road"' not in data, name
        assert str(post[0]).encode() not in data, name
        assert str(post[0].parent).encode() not in data, name
    page = files["manifest.html"].decode()
    assert "<script" not in page
    assert "http:" not in page
    assert "https:" not in page
    assert "src=" not in page


def test_the_key_of_the_post_stays_at_the_post(package, post):
    held = b"".join(files_of(package).values())
    for name in ("ledger.key", "c2pa.key"):
        path = post[0] / name
        assert path.stat().st_mode & 0o777 == 0o600
        secret = b"".join(path.read_bytes().split(b"\n")[1:-2])
        assert secret not in held
        assert path.read_bytes() not in held


def test_who_and_why_stand_in_the_package_and_as_a_commitment_in_the_ledger(package, post):
    files = files_of(package)
    said = manifest_of(files)
    assert (said["operator"]["user"], said["operator"]["reason"]) == ("anna", "request 17")
    begun = parse_entry(files[f"ledger/entries/{said['log']['begun']}.json"])
    assert begun.body["person"]["commitment"] == said["operator"]["commitment"]
    assert "anna" not in str(begun.body)
    assert "request 17" in files["manifest.html"].decode()


def test_it_is_begun_before_anything_is_read_and_made_at_last(package, post):
    ledger = LedgerReader([post[0]])
    try:
        rows = [row for row in ledger.speaking_of("gate", 0, ledger.size()) if b'"kind":"export_' in row.entry]
    finally:
        ledger.close()
    told = [parse_entry(row.entry) for row in rows]
    assert [each.kind for each in told[:2]] == [kinds.EXPORT_BEGUN, kinds.EXPORT_MADE]
    assert told[1].body["begun"] == told[0].seq
    assert all(row.leaf == leaf_hash(row.entry) for row in rows)


def test_the_c2pa_copy_is_valid_and_names_the_ledger(package, tmp_path):
    files = files_of(package)
    copy = tmp_path / "copy.mp4"
    copy.write_bytes(files["video-c2pa.mp4"])
    said = c2pa_copy.read_copy(copy)
    assert said["state"] == "Valid"
    (facts,) = [a["data"] for a in said["manifest"]["assertions"] if a["label"] == c2pa_copy.ASSERTION]
    assert (facts["post"], facts["camera"]) == ("north-ridge", "gate")
    assert facts["checkpoint"] == manifest_of(files)["log"]["checkpoint"]
    assert [gap["cause"] for gap in facts["gaps"]] == ["camera_switched_off"]
    data = bytearray(copy.read_bytes())
    data[len(data) - 1000] ^= 1
    copy.write_bytes(data)
    assert c2pa_copy.read_copy(copy)["state"] == "Invalid"


@pytest.mark.parametrize("name", ["video.mp4", "video-c2pa.mp4"])
def test_a_player_finds_every_picture(package, name):
    with av.open(io.BytesIO(files_of(package)[name])) as file:
        video = file.streams.video[0]
        packets = [packet for packet in file.demux(video) if packet.size]
    assert len(packets) == 3 * 4 * 17


def test_the_video_is_made_of_the_fragments(package):
    files = files_of(package)
    said = manifest_of(files)
    made = files["video.mp4"][: said["video"]["head_bytes"]]
    for n, offset, size in said["video"]["pieces"]:
        made += files[said["segments"][n]["file"]][offset : offset + size]
    assert made == files["video.mp4"]


def test_an_hour_that_has_not_come_is_clipped(post, tmp_path):
    make_package(post[0], tmp_path / "p.zip", post[2] - 6_000_000, post[2] + 3_600_000_000)
    said = manifest_of(files_of(tmp_path / "p.zip"))
    assert said["span"]["to_us"] == post[2]
    assert said["asked"]["to_us"] == post[2] + 3_600_000_000
    with pytest.raises(UsageError, match="nothing is known"):
        make_package(post[0], tmp_path / "q.zip", post[2], post[2] + 1)
    assert not (tmp_path / "q.zip").exists()


def test_a_stretch_without_any_picture_is_evidence_too(post, tmp_path):
    make_package(post[0], tmp_path / "p.zip", post[2] - 4_000_000, post[2])
    files = files_of(tmp_path / "p.zip")
    said = manifest_of(files)
    assert said["segments"] == []
    assert "video.mp4" not in files
    assert "no sample" in said["video"]["none"]
    assert verify_package(tmp_path / "p.zip").ok
    assert run_check(tmp_path / "p.zip")[0] == 0


def test_what_was_changed_at_the_post_is_said_and_never_certified(tmp_path):
    from_us, to_us = asyncio.run(record_post(tmp_path / "data"))
    file = sorted((tmp_path / "data" / "media" / "gate").rglob("*.mp4"))[1]
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)
    made = make_package(tmp_path / "data", tmp_path / "p.zip", from_us, to_us)
    assert any("changed at the post" in warning for warning in made.warnings)
    verdict = verify_package(tmp_path / "p.zip")
    (found,) = verdict.blamed
    assert (found.kind, found.camera) == (Kind.CHANGED, "gate")
    assert T0_US + 4 * FRAGMENT_US <= found.from_us < found.to_us <= T0_US + 8 * FRAGMENT_US
    assert run_check(tmp_path / "p.zip")[0] == 1


def test_a_file_that_is_gone_from_the_disk_is_said(tmp_path):
    from_us, to_us = asyncio.run(record_post(tmp_path / "data"))
    sorted((tmp_path / "data" / "media" / "gate").rglob("*.mp4"))[1].unlink()
    made = make_package(tmp_path / "data", tmp_path / "p.zip", from_us, to_us)
    assert [each["from_us"] for each in made.manifest["missing"]] == [T0_US + 4 * FRAGMENT_US]
    assert any("cannot be read" in warning for warning in made.warnings)
    assert str(tmp_path) not in json.dumps(made.manifest)
    assert verify_package(tmp_path / "p.zip").ok


def test_what_expired_is_said_and_still_proven(tmp_path):
    from longwatch.archive import Options, Retention, RetentionTime

    from_us, to_us = asyncio.run(record_post(tmp_path / "data"))

    async def expire() -> None:
        clock = ManualClock(to_us)
        options = Options(Retention(max_age_us=to_us - from_us - 5 * FRAGMENT_US, keep_free_fraction=0))
        async with opened([tmp_path / "data"], options, clock) as (archive, _):
            report = await archive.retain(RetentionTime(to_us, trusted=True))
            assert report.removed

    asyncio.run(expire())
    made = make_package(tmp_path / "data", tmp_path / "p.zip", from_us, to_us)
    assert made.manifest["totals"]["gone_us"] > 0
    assert any("expired" in warning for warning in made.warnings)
    told = {each["kind"]: each.get("withheld", "") for each in made.manifest["entries"]}
    assert told["segments_removed"] == "it names other cameras too"
    verdict = verify_package(tmp_path / "p.zip")
    assert verdict.ok
    assert Kind.EXPIRED in {finding.kind for finding in verdict.said}
    assert run_check(tmp_path / "p.zip")[0] == 0


def test_seconds_of_a_segment_that_is_still_open_are_sealed_first(tmp_path):
    async def record_open() -> int:
        clock = ManualClock()
        async with opened([tmp_path / "data"], clock=clock, orderly=False) as (archive, _):
            await archive.camera_set_up("gate", "Gate", ["main"], clock.wall_us())
            source = stream(archive)
            await record(archive, source)
            result = await archive.tick(archive.place(GATE), source.tick(reopen=True))
            assert result.index_committed
            return source.wall_us(source.media_90k)

    to_us = asyncio.run(record_open())
    made = make_package(tmp_path / "data", tmp_path / "p.zip", T0_US, to_us)
    assert made.manifest["totals"]["unsealed_us"] == 0
    assert all(segment["entry"] is not None for segment in made.manifest["segments"])
    assert verify_package(tmp_path / "p.zip").said == []


def test_a_package_that_cannot_be_made_leaves_nothing(post, tmp_path, monkeypatch):
    (tmp_path / "p.zip").write_bytes(b"older")

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(c2pa_copy, "sign_copy", full)
    with pytest.raises(LongwatchError, match="No space left"):
        make_package(post[0], tmp_path / "p.zip", post[1], post[2])
    assert [path.name for path in tmp_path.iterdir()] == ["p.zip"]
    assert (tmp_path / "p.zip").read_bytes() == b"older"


def test_orders_that_cannot_be(post, tmp_path):
    day = 86_400_000_000
    for key, span, out in (
        (GATE, (post[1], post[1] + 2 * day), tmp_path / "p.zip"),
        (GATE, (post[1], post[2]), tmp_path / "nowhere" / "p.zip"),
        (GATE, (post[1], post[2]), tmp_path),
        (StreamKey("nobody", "main"), (post[1], post[2]), tmp_path / "p.zip"),
    ):
        with pytest.raises(UsageError):
            export_evidence([post[0]], key, *span, out, PERSON, post=POST, clock=ManualClock())


def test_an_mp4_alone_is_entered_too(post, tmp_path):
    before = _begun(post[0])
    exporting.export_video([post[0]], GATE, post[1], post[2], tmp_path / "x.mp4", PERSON)
    after = _begun(post[0])
    assert len(after) == len(before) + 1
    assert (after[-1].body["evidence"], after[-1].body["camera"]) == (False, "gate")


def _begun(data: Path) -> list:
    ledger = LedgerReader([data])
    try:
        told = [parse_entry(row.entry) for row in ledger.speaking_of("gate", 0, ledger.size())]
        return [each for each in told if each.kind == kinds.EXPORT_BEGUN]
    finally:
        ledger.close()


def test_pictures_that_depend_on_a_loss_are_named_by_their_seconds(tmp_path):
    from tests.support.fake_stream import FakeStream

    from longwatch.archive import ops
    from longwatch.formats import bmff
    from longwatch.model.stores import FragmentRow

    class Lossy(FakeStream):
        """Every second fragment has samples that depend on a lost one."""

        def append(self, frames: int = 17) -> ops.FragmentAppend:
            start, is_lossy = self.media_90k, len(self.rows) % 2 == 1
            runs = [
                (
                    0,
                    [
                        bmff.StoredSample(start + n * 3600, 0, 3600, n == 0, b"x" * 50, is_lossy and n > 8)
                        for n in range(frames)
                    ],
                )
            ]
            parts = bmff.fragment(len(self.rows) + 1, runs, stored=True)
            self.media_90k += frames * 3600
            offset = self.end + bmff.GUARD_BYTES
            row = FragmentRow(offset, sum(map(len, parts)), start, self.media_90k, (0,), b"")
            self._builder.add(offset, len(parts[0]), runs)
            self.rows.append(row)
            self.end = offset + row.size
            wall_us = self.wall_us(self.media_90k)
            return ops.FragmentAppend(self.token, parts, row, wall_us, self.clock.boottime_us(), damaged=is_lossy)

    async def record_losses() -> int:
        clock = ManualClock()
        async with opened([tmp_path / "data"], clock=clock) as (archive, _):
            await archive.camera_set_up("gate", "Gate", ["main"], clock.wall_us())
            source = Lossy(GATE, archive.next_run_number(), "ab" * 16, clock, 0, sample_bytes=300)
            await record(archive, source, fragments=4)
            return source.wall_us(source.media_90k)

    to_us = asyncio.run(record_losses())
    make_package(tmp_path / "data", tmp_path / "p.zip", T0_US, to_us)
    files = files_of(tmp_path / "p.zip")
    assert [segment["lossy"] for segment in manifest_of(files)["segments"]] == [[1, 3]]
    assert (
        "2026-01-01 00:00:00.680 UTC to 2026-01-01 00:00:01.360 UTC: pictures that depend"
        in files["manifest.html"].decode()
    )
    assert verify_package(tmp_path / "p.zip").ok
