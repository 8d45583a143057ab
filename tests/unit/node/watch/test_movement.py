"""What moved where, on disk: over restarts, cuts, full disks and cameras that are gone."""

from __future__ import annotations

import os
from array import array
from pathlib import Path

import pytest

from longwatch.detection.heat_hours import CELLS, HOUR_US
from longwatch.node.watch.movement import KEEP_EVERY_US, Movement

NOON_US = 500_000 * HOUR_US
GRID = array("H", [70] * CELLS).tobytes()


def moved(movement: Movement, camera: str = "gate") -> float:
    return movement.of(camera).within(NOON_US, 24).seconds[0]


def test_it_is_kept_each_five_minutes_and_goes_on_after_a_restart(tmp_path: Path) -> None:
    one = Movement(tmp_path / "looking")
    assert not one.add("gate", NOON_US, 1, 100, GRID)
    assert one.add("gate", NOON_US, 1 + KEEP_EVERY_US, 100, GRID)
    one.keep("gate")
    assert not one.add("gate", NOON_US, 2 + KEEP_EVERY_US, 100, GRID)
    one.keep_all()
    assert moved(Movement(tmp_path / "looking")) == 21.0
    assert sorted(path.name for path in (tmp_path / "looking").iterdir()) == ["gate.movement"]


def test_it_is_on_the_disk_before_it_takes_the_place_of_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a power cut leaves an empty file in place of a week."""
    one, done = Movement(tmp_path), []
    flushed, replaced = os.fsync, Path.replace
    monkeypatch.setattr("os.fsync", lambda fd: (done.append(("flushed", os.fstat(fd).st_size > 0)), flushed(fd))[1])
    monkeypatch.setattr(Path, "replace", lambda self, to: (done.append(("replaced", True)), replaced(self, to))[1])
    one.add("gate", NOON_US, 1, 100, GRID)
    one.keep("gate")
    assert done == [("flushed", True), ("replaced", True)]


@pytest.mark.parametrize(
    "left", [b"", b"{", b"[]", b"5", b"\xff", b'{"format": 1, "grid": [64, 36], "hours": [[1, 2]]}', b"x" * (3 << 20)]
)
def test_what_cannot_be_read_begins_anew(tmp_path: Path, left: bytes) -> None:
    (tmp_path / "gate.movement").write_bytes(left)
    one = Movement(tmp_path)
    assert moved(one) == 0.0
    one.add("gate", NOON_US, 1, 100, GRID)
    one.keep_all()
    assert moved(Movement(tmp_path)) == 7.0


def test_what_a_cut_left_half_written_changes_nothing(tmp_path: Path) -> None:
    one = Movement(tmp_path)
    one.add("gate", NOON_US, 1, 100, GRID)
    one.keep("gate")
    (tmp_path / "gate.movement.new").write_bytes(b"half")
    assert moved(Movement(tmp_path)) == 7.0


def test_a_disk_that_takes_nothing_is_said_and_tried_again(tmp_path: Path) -> None:
    blocked = tmp_path / "looking"
    blocked.write_bytes(b"a file where the folder should be")
    one = Movement(blocked)
    one.add("gate", NOON_US, 1, 100, GRID)
    one.keep_all()
    blocked.unlink()
    one.add("gate", NOON_US, 2, 100, GRID)
    one.keep_all()
    assert moved(Movement(blocked)) == 14.0


def test_no_id_leads_out_of_the_folder_and_files_of_cameras_that_are_gone_go(tmp_path: Path) -> None:
    one = Movement(tmp_path / "looking")
    for camera in ("../gate", "north.gate", "", "a/b"):
        one.add(camera, NOON_US, 1, 100, GRID)
    one.add("gate", NOON_US, 1, 100, GRID)
    one.add("yard", NOON_US, 1, 100, GRID)
    one.keep_all()
    assert sorted(path.name for path in tmp_path.rglob("*.movement")) == ["gate.movement", "yard.movement"]
    one.forget_others(("gate",))
    assert [path.name for path in tmp_path.rglob("*.movement")] == ["gate.movement"]
