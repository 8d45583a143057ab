"""Causes that lie with the post, each by really doing it to the recorder's process: stopped, killed, its power cut, its disks, its clock.

Figure 11: after each of them every second is recorded or a gap with a cause, to the microsecond.
"""

import contextlib
import errno
import shutil
import signal
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from tests.rig import disks
from tests.rig.causes_post import RigPost
from tests.support.accounted import tiles
from tests.support.upsd import SimulatedUpsd
from tests.support.wait import until

from longwatch.base.rfc3339 import parse_us
from longwatch.model.sessions import StreamKey
from longwatch.node.supervisor.process import STOPPED_BY_ORDER
from longwatch.simulate.camera import LOT, ROOM, SimulatedCamera

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900), pytest.mark.xdist_group("rig")]
SECOND = 1_000_000
HOUR_US = 3600 * SECOND


@pytest.fixture
async def camera() -> AsyncIterator[SimulatedCamera]:
    async with SimulatedCamera(ROOM, sender_reports=False) as simulated:
        yield simulated


@pytest.fixture
def post(tmp_path: Path) -> Iterator[RigPost]:
    made = RigPost(tmp_path, volumes=[tmp_path / "disk-a", tmp_path / "disk-b"])
    yield made
    made.kill()


def main(camera: SimulatedCamera) -> str:
    return f"streams: {{main: '{camera.url}'}}"


def skipped_us(post: RigPost) -> int:
    """How much of the wall's time the largest step of the clock skipped, as the gap's evidence says."""
    gaps = [gap for gap in post.gaps("gate") if gap.cause == "unknown" and gap.to_us - gap.from_us > SECOND]
    return max((int(str(gap.evidence["clock_step_us"])) for gap in gaps), default=0)


async def test_stopped_killed_power_cut_disks_and_clock(post: RigPost, camera: SimulatedCamera) -> None:
    post.settings({"gate": main(camera)})
    post.start()
    await post.records("gate")

    assert await post.end(signal.SIGTERM) == 0
    post.start()
    await post.records("gate")
    stopped = await post.tells("gate", "post_stopped", boot="same")
    assert "stopped in order" in str(stopped.evidence["detail"])

    await post.end(signal.SIGKILL)
    post.start()
    await post.records("gate")
    await post.tells("gate", "recorder_failed", boot="same")

    await post.end(signal.SIGKILL)
    post.tell(boot=f"{1:032x}")
    post.start()
    await post.records("gate")
    cut = await post.tells("gate", "post_power_lost", boot="another")
    assert cut.evidence["cannot_tell_apart"] == ["power lost", "host reset", "host crashed"]
    assert parse_us(str(cut.evidence["last_heartbeat"])) <= cut.to_us

    # a camera that is new since now, beside one that was there
    async with SimulatedCamera(LOT) as second:
        post.settings({"gate": main(camera), "yard": main(second)})
        post.signal(signal.SIGHUP)
        await post.records("yard")
        since_us = post.tiles("gate")[0].from_us
        before, *_ = await until(lambda: post.read(lambda r: tiles(r, StreamKey("yard", "main"), since_us)))
        assert before.cause == "never_recorded"
        assert before.to_us == post.tiles("yard")[0].from_us
        post.tell(errno=errno.EIO, where="media/gate")
        failed = await post.tells("gate", "storage_failed")
        assert "error" in str(failed.evidence["detail"]).lower()
        post.tell(errno=0)
        await post.records("gate")
        post.tell(errno=errno.ENOSPC, where="media/gate")
        await post.tells("gate", "storage_full")
        post.tell(errno=0)
        await post.records("gate", "yard")
    await post.tells("yard", "camera_unreachable")

    post.tell(clock_us=HOUR_US)
    await until(lambda: skipped_us(post), "the skipped hour is a gap")
    assert abs(skipped_us(post) - HOUR_US) < 5 * SECOND
    await post.records("gate")

    assert post.unexplained_us() == 0
    causes = [cause for cause in post.causes("gate") if cause != "unknown"]
    assert causes[:3] == ["post_stopped", "recorder_failed", "post_power_lost"]
    assert await post.end(signal.SIGTERM) == 0
    assert post.unexplained_us() == 0


async def test_the_mains_fail(post: RigPost, camera: SimulatedCamera) -> None:
    """With a UPS the post has last words; and what it was told to do is no power cut."""
    async with SimulatedUpsd() as ups:
        post.settings({"gate": main(camera)}, f"ups: {{nut: ups@127.0.0.1:{ups.port}}}\n")
        post.start()
        await post.records("gate")
        await _mains(post, ups, "OB DISCHRG", "off", 35)
        await post.end(signal.SIGKILL)
        post.tell(boot=f"{1:032x}")
        ups.variables |= {"ups.status": "OL", "battery.charge": "40"}
        post.start()
        await post.records("gate")
        cut = await post.tells("gate", "post_power_lost", mains="off", battery_percent=35)
        assert "cannot_tell_apart" not in cut.evidence
        assert parse_us(str(cut.evidence["mains_learnt"])) < cut.to_us

        await _mains(post, ups, "OL CHRG", "on", 40)
        await _mains(post, ups, "OB DISCHRG LB", "off", 9)
        assert await post.end(signal.SIGTERM) == 0  # as upsmon's shutdown does
        post.tell(boot=f"{2:032x}")
        post.start()
        await post.records("gate")
        down = await post.tells("gate", "post_power_lost", mains="off", battery_percent=9)
        assert "in order" in str(down.evidence["detail"])

        person = {"subject": 0, "text": '{"reason":"new battery","user":"test"}'}
        await post.ask("stop", reason="new battery", person=person)
        assert await post.ended() == STOPPED_BY_ORDER
        post.tell(boot=f"{3:032x}")
        post.start()
        await post.records("gate")
        asked = next(gap for gap in reversed(post.gaps("gate")) if gap.cause == "post_stopped")
        assert post.entries()[int(str(asked.evidence["asked"]))]["kind"] == "stop_asked"
        assert post.unexplained_us() == 0


async def _mains(post: RigPost, ups: SimulatedUpsd, status: str, mains: str, percent: int) -> None:
    """The UPS says so, and the ledger has it."""
    ups.variables |= {"ups.status": status, "battery.charge": str(percent)}

    def told() -> bool:
        said = [entry["body"] for entry in post.entries() if entry["kind"] == "power_changed"]
        return bool(said) and (said[-1]["mains"], said[-1]["battery_percent"]) == (mains, percent)

    await until(told, f"the ledger says that mains are {mains}")


async def test_a_camera_that_restarts_while_the_recorder_does_is_told_so_before_and_after(
    post: RigPost, camera: SimulatedCamera
) -> None:
    post.settings({"gate": main(camera)})
    post.start()
    await post.records("gate")
    await camera.stop()
    await post.tells("gate", "camera_unreachable", fault="unreachable")
    await post.end(signal.SIGKILL)
    post.start()
    await until(lambda: len(post.gaps("gate")) == 3, "it is missed again")
    await camera.start()
    await post.tells("gate", "camera_unreachable", restarted=True)
    before, failed, after = post.gaps("gate")
    assert [gap.cause for gap in (before, failed, after)] == [
        "camera_unreachable",
        "recorder_failed",
        "camera_unreachable",
    ]
    assert before.evidence["restarted"] is after.evidence["restarted"] is True
    kinds = [(entry["kind"], entry["body"].get("gap")) for entry in post.entries() if entry["kind"].startswith("gap_")]
    assert kinds.index(("gap_closed", before.gap)) < len(kinds) - 1 - kinds[::-1].index(("gap_refined", before.gap))
    assert post.unexplained_us() == 0


async def test_an_index_that_was_lost_with_its_ledger_leaves_one_gap_unknown_and_says_so(
    post: RigPost, camera: SimulatedCamera
) -> None:
    post.settings({"gate": main(camera)})
    post.start()
    await post.records("gate")
    await post.end(signal.SIGTERM)
    for file in post.volumes[0].glob("index.db*"):
        file.unlink()
    for volume in post.volumes:
        shutil.rmtree(volume / "ledger", ignore_errors=True)
    post.start()
    await post.records("gate")
    lost = await post.tells("gate", "unknown")
    assert lost.evidence["cannot_tell_apart"] == ["post stopped", "recorder failed", "power lost"]
    assert post.unexplained_us() == 0


@contextlib.contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[Path]:
    """A mounted ext4 of its own."""
    image, mount = folder / "disk.img", folder / "disk"
    with image.open("wb") as file:
        file.truncate(megabytes << 20)
    mount.mkdir()
    subprocess.run(["mkfs.ext4", "-q", "-m", "0", image], check=True)
    disks.sh("mount", "-o", "loop", image, mount)
    try:
        yield mount
    finally:
        subprocess.run(["umount", "-l", mount], check=False)


@pytest.mark.root
@pytest.mark.skipif(disks.why_not_here() is not None, reason=str(disks.why_not_here()))
async def test_a_disk_that_really_fills_up_and_is_emptied_again(tmp_path: Path, camera: SimulatedCamera) -> None:
    with small_disk(tmp_path, 400) as disk:
        post = RigPost(tmp_path, volumes=[tmp_path / "index", disk / "data"])
        post.settings({"gate": main(camera), "yard": main(camera)})  # each volume takes one
        try:
            post.start()
            await post.records("gate", "yard")
            file, *_ = await until(lambda: list((disk / "data" / "media").rglob("*.mp4")), "media on the small disk")
            (hit,) = {"gate", "yard"} & set(file.parts)
            filler = disk / "filler"
            subprocess.run(["fallocate", "-l", str(shutil.disk_usage(disk).free), filler], check=False)
            with filler.open("ab") as last, contextlib.suppress(OSError):
                while True:
                    last.write(bytes(1 << 16))
                    last.flush()
            full = await post.tells(hit, "storage_full")
            assert "space" in str(full.evidence["detail"]).lower()
            filler.unlink()
            await post.records("gate", "yard")
            assert post.unexplained_us() == 0
        finally:
            post.kill()
