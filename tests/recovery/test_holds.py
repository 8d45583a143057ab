"""Ended at every step of placing, ending and removing: what was acknowledged stands, and nothing held goes without its entry."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from tests.support.archive_case import held, opened

from longwatch.archive import ArchiveReader, Mode
from longwatch.model.holds import HoldEnd

STEPS = [(step, nth) for step in ("S5", "S6") for nth in (1, 2, 3)] + [
    (step, nth) for step in ("D1", "D3", "D4") for nth in (1, 2)
] + [("D2", 1), ("D2", 5), ("D2", 6)]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(("step", "nth"), STEPS)
async def test_a_hold_is_there_as_it_was_acknowledged(tmp_path: Path, step: str, nth: int) -> None:
    folder = tmp_path / "a"
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.held_workload", folder, f"{step}:{nth}"],
        capture_output=True, text=True, check=False, timeout=180,
    )  # fmt: skip
    assert done.returncode == 77, (done.returncode, done.stderr)
    said = [line.split() for line in done.stdout.splitlines()]
    async with opened([folder]) as (archive, report):
        assert not report.rebuilt
        holds = {hold.id: hold for hold in await archive.holds(everything=True)}
        entries = [
            json.loads(row[0]) for row in archive._index.connection.execute("SELECT entry FROM ledger ORDER BY seq")
        ]
        assert not (await archive.check(Mode.SIZE)).findings
    bodies = {kind: [e["body"] for e in entries if e["kind"] == kind] for kind in {e["kind"] for e in entries}}
    assert [body["hold"] for body in bodies.get("hold_placed", [])] == sorted(holds), "a row and an entry, or neither"
    ended = {number for number, hold in holds.items() if hold.ended is not None}
    assert {body["hold"] for body in bodies.get("hold_ended", [])} == ended
    here = {segment.sequence for segment in held([folder])}
    for what, number, *segment in said:
        assert int(number) in holds, "what was acknowledged stands"
        if what == "ended":
            assert holds[1].ended is not None
            assert holds[1].ended.why is HoldEnd.RELEASED
        elif int(number) not in ended and int(segment[0]) not in here:
            assert holds[int(number)].overruled == ("max_age",), "footage of a hold goes by the law alone"
    overruled = [body["hold"] for body in bodies.get("hold_overruled", [])]
    assert overruled == [number for number, hold in sorted(holds.items()) if hold.overruled]
    reader = ArchiveReader([folder])
    assert reader.holds(everything=True) == sorted(holds.values(), key=lambda hold: -hold.id)
    reader.close()
