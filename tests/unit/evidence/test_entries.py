"""Which entries go into a package, which are withheld, which stay."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.archive_case import GATE, opened
from tests.support.evidence_case import SECRET, T0_US, files_of, make_package, record_post, run_check

from longwatch.archive import LedgerReader, ops
from longwatch.base import secrets
from longwatch.base.clock import ManualClock
from longwatch.evidence import verify_package
from longwatch.evidence.entries import Told, Wanted, find, subtrees
from longwatch.ledger import kinds
from longwatch.model.causes import Cause

SECOND = 1_000_000
SPAN = (T0_US + 2 * SECOND, T0_US + 6 * SECOND)


@pytest.fixture(autouse=True)
def own_secrets(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(secrets, "_known", {SECRET})
    monkeypatch.setattr(secrets, "_ordered", None)
    yield
    monkeypatch.setattr(secrets, "_ordered", None)


def _enter(data: Path, *entries: ops.Entry, at_us: int = T0_US + 3 * SECOND) -> list[int]:
    async def work() -> list[int]:
        async with opened([data], clock=ManualClock(at_us)) as (archive, _):
            return [await archive.enter(entry) for entry in entries]

    return asyncio.run(work())


def _find(data: Path) -> dict[int, Told]:
    ledger = LedgerReader([data])
    try:
        wanted = Wanted(GATE, *SPAN, frozenset(), frozenset(), -1)
        return {each.seq: each for each in find(ledger, wanted, ledger.size(), lambda *_: None)}
    finally:
        ledger.close()


@pytest.fixture
def data(tmp_path: Path) -> Path:
    asyncio.run(record_post(tmp_path / "data"))
    return tmp_path / "data"


def test_what_concerns_the_span_is_told_and_nothing_else(data: Path):
    told = _enter(
        data,
        ops.Entry(kinds.CLOCK_STEP, {"by_us": 5, "from_us": 1, "to_us": 6, "boot_us": 1, "provenance": "ntp"}),
        ops.Entry(kinds.POWER_CHANGED, {"mains": "off", "by": "ups"}),
        ops.Entry(kinds.PORT_CHANGED, {"camera": "gate", "power": "off"}),
    )
    left = _enter(
        data,
        ops.Entry(kinds.PORT_CHANGED, {"camera": "road", "power": "off"}),
        ops.Entry(kinds.VIEWING, {"camera": "gate", "stream": "main", "from_us": SPAN[0], "to_us": SPAN[1]}),
        ops.Entry(kinds.LOGIN, {}, ops.Person(10, '{"user":"anna"}')),
        ops.Entry(kinds.SETTINGS, {"added": ["gate"], "changed": [], "removed": []}),
        ops.Entry(kinds.EXPORT_BEGUN, kinds.export_begun(GATE, *SPAN, evidence=True)),
    )
    late = _enter(data, ops.Entry(kinds.POWER_CHANGED, {"mains": "on", "by": "ups"}), at_us=SPAN[1] + 3600 * SECOND)
    far = _enter(
        data,
        ops.Entry(kinds.CLOCK_STEP, {"by_us": 5, "from_us": SPAN[0] + 1, "to_us": SPAN[0] + 6, "boot_us": 1, "provenance": "ntp"}),
        at_us=SPAN[1] + 3600 * SECOND,
    )  # fmt: skip
    found = _find(data)
    assert set(told + far) <= set(found)
    assert not set(left + late) & set(found)
    assert all(found[seq].withheld == "" for seq in told)


def test_what_must_not_leave_the_post_is_withheld_and_still_proven(data: Path, tmp_path: Path):
    seqs = _enter(
        data,
        ops.Entry(kinds.STORAGE_FULL, {"detail": f"{data}/media: no space left"}),
        ops.Entry(kinds.TASK_DIED, {"task": "x", "error": f"rtsp://u:{SECRET}@10.0.0.5/"}),
        ops.Entry(kinds.ALARM_RAISED, {"camera": "gate", "also": [{"camera": "road"}]}),
        ops.Entry(kinds.PORT_CHANGED, {"camera": "gate", "evidence": {"camera": "road"}}),
    )
    found = _find(data)
    assert [found[seq].withheld for seq in seqs] == [
        "it names a path of the post", "it holds a secret", "it names other cameras too", "",
    ]  # fmt: skip
    made = make_package(data, tmp_path / "p.zip", *SPAN)
    listed = {each["seq"]: each for each in made.manifest["entries"]}
    assert all("leaf" in listed[seq] for seq in seqs[:3])
    held = (tmp_path / "p.zip").read_bytes()
    assert SECRET.encode() not in held
    assert str(data).encode() not in held
    assert b"10.0.0.5" not in held
    assert verify_package(tmp_path / "p.zip").ok
    assert run_check(tmp_path / "p.zip")[0] == 0


@pytest.mark.parametrize("size", [0, 1, 2, 3, 7, 256, 1000, 65_535])
def test_whole_subtrees_tile_the_leaves(size: int):
    parts = list(subtrees(size))
    assert sum(high - low for low, high in parts) == size
    assert all((high - low).bit_count() == 1 and low % (high - low) == 0 for low, high in parts)
    assert [high - low for low, high in parts] == sorted((high - low for low, high in parts), reverse=True)


def test_an_entry_that_the_evidence_of_a_gap_names_is_told_however_old(data: Path, tmp_path: Path):
    pause = {"camera": "gate", "kind": "privacy_pause", "since_us": T0_US, "until_us": None}
    (seq,) = _enter(
        data, ops.Entry(kinds.PAUSED, pause, ops.Person(10, '{"user":"anna"}')), at_us=T0_US - 3600 * SECOND
    )
    later = T0_US + 20 * SECOND

    async def gap() -> None:
        async with opened([data], clock=ManualClock(later)) as (archive, _):
            await archive.commit(
                [
                    ops.GapOpen(9, GATE, later, Cause.PRIVACY_PAUSE, {"entry": seq}),
                    ops.GapClose(9, later + 5 * SECOND),
                    ops.Heartbeat("ab" * 16, 1, later + 5 * SECOND, later + 5 * SECOND),
                ]
            )

    asyncio.run(gap())
    made = make_package(data, tmp_path / "p.zip", later, later + 5 * SECOND)
    assert seq in [each["seq"] for each in made.manifest["entries"]]
    assert b"anna" not in b"".join(
        data for name, data in files_of(tmp_path / "p.zip").items() if name.endswith(f"/{seq}.json")
    )
    assert verify_package(tmp_path / "p.zip").ok
