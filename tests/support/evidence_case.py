"""A post with a little of two cameras in it, and evidence packages of one of them."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path

from tests.support.archive_case import GATE, ROAD, opened, stream

from longwatch.archive import ops
from longwatch.base.clock import ManualClock
from longwatch.evidence import Made, Post
from longwatch.model.causes import Cause
from longwatch.node.issuing.exporting import export_evidence

T0_US = 1_767_225_600_000_000  # 2026-01-01, where ManualClock begins
FRAGMENT_US = 680_000
POST = Post("north-ridge", "North ridge lookout", "Europe/Oslo", "Gate")
PERSON = {"subject": 0, "text": '{"reason":"request 17","user":"anna"}'}
CHECK = Path(__file__).parents[2] / "src" / "longwatch" / "evidence" / "check.py"
SECRET = "hunter2zz"


async def record_post(data: Path, *, segments: int = 3, fragments: int = 4) -> tuple[int, int]:
    """`gate` records some segments, then is switched off for five seconds; `road` records all the while. Gives from and to."""
    clock = ManualClock()
    async with opened([data], clock=clock) as (archive, _):
        for key in (GATE, ROAD):
            await archive.camera_set_up(key.camera, key.camera.title(), [key.stream], clock.wall_us())
        gate, road = stream(archive), stream(archive, ROAD, base=1000)
        for source in (gate, road):
            for n in range(segments * fragments):
                tick = source.tick(reopen=n % fragments == 0, seal=n % fragments == fragments - 1)
                result = await archive.tick(archive.place(source.key), tick)
                assert result.index_committed
                assert result.failure is None
        end = gate.wall_us(gate.media_90k)
        until = end + 5_000_000
        detail = {"detail": "the switch says that its port was switched off by its administrator", "port": 3}
        await archive.commit(
            [
                ops.GapOpen(1, GATE, end, Cause.CAMERA_UNREACHABLE, {"detail": "no answer"}),
                ops.GapRefine(1, Cause.CAMERA_SWITCHED_OFF, detail),
                ops.GapClose(1, until),
                ops.Heartbeat("ab" * 16, 1, until, until),
            ]
        )
        return T0_US, until


def make_package(data: Path, out: Path, from_us: int, to_us: int) -> Made:
    """What `longwatch export gate --evidence` does, on a folder where no recorder runs."""
    return export_evidence([data], GATE, from_us, to_us, out, PERSON, post=POST, clock=ManualClock(to_us))


def files_of(package: Path) -> dict[str, bytes]:
    """Every file of a zip, in its order."""
    with zipfile.ZipFile(package) as zipped:
        return {info.filename: zipped.read(info) for info in zipped.infolist()}


def write_zip(path: Path, files: Mapping[str, bytes]) -> Path:
    """A zip as a package is one: stored."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as zipped:
        for name, data in files.items():
            zipped.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), data)
    return path


def manifest_of(files: Mapping[str, bytes]) -> dict:
    return json.loads(files["manifest.json"])


def run_check(package: Path, *more: str) -> tuple[int, list[str]]:
    """check.py by a bare Python: exit code, and what it said."""
    done = subprocess.run(
        [sys.executable, "-I", "-S", CHECK, package, *more], capture_output=True, text=True, timeout=180
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, done.stdout.splitlines()
