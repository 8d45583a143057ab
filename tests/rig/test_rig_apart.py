"""The rig's own: a wreck is what its image says, also where others on this machine take a copy of every mount they see."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.rig import disks

ROOT = Path(__file__).parents[2]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.root,
    pytest.mark.xdist_group("rig"),
    pytest.mark.skipif(disks.why_not_here() is not None, reason=str(disks.why_not_here())),
]


@contextlib.contextmanager
def somebody() -> Iterator[subprocess.Popen[str]]:
    """A process that was there before, and makes itself a mount namespace when told to; it says when it has."""
    process = subprocess.Popen(
        ["sh", "-c", "read go; exec unshare -m sh -c 'echo has; read end'"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def takes_a_copy(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write("go\n")
    process.stdin.flush()
    assert process.stdout.readline() == "has\n"


def image_of(folder: Path, what: str) -> Path:
    """A filesystem with one file that says which it is."""
    image = folder / f"{what}.image"
    with image.open("wb") as file:
        file.truncate(8 << 20)
    disks.sh("mkfs.ext4", "-q", image)
    with disks.mounted(image, folder / "mount", "ext4") as volume:
        (volume / "which").write_text(what)
    return image


def test_an_image_is_read_although_somebody_took_a_copy_of_the_mount_before(tmp_path: Path) -> None:
    def two_wrecks(process: subprocess.Popen[str]) -> list[str]:
        seen = []
        first, second = image_of(tmp_path, "first"), image_of(tmp_path, "second")
        cut = tmp_path / "cut"
        disks.sh("cp", "--sparse=always", first, cut)
        with disks.mounted(cut, tmp_path / "mount", "ext4") as volume:
            seen.append((volume / "which").read_text())
            takes_a_copy(process)
        disks.sh("cp", "--sparse=always", second, cut)
        with disks.mounted(cut, tmp_path / "mount", "ext4") as volume:
            seen.append((volume / "which").read_text())
        return seen

    with somebody() as process:
        assert disks.apart(lambda: two_wrecks(process)) == ["first", "second"]
    assert not any(str(tmp_path) in line for line in Path("/proc/self/mountinfo").read_text().splitlines())


def test_a_filesystem_that_somebody_else_holds_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not apart, as the rig was: it would go on with what the copy keeps alive."""
    monkeypatch.setattr(disks, "HELD_S", 0.1)
    with somebody() as process:
        image = image_of(tmp_path, "held")
        with pytest.raises(OSError, match="somebody else"), disks.mounted(image, tmp_path / "mount", "ext4"):
            takes_a_copy(process)


HELD = """
import sys, time
from pathlib import Path
from tests.rig import disks

def work():
    with disks.LoggedDisk(Path(sys.argv[1]), "lost", "ext4") as disk:
        (disk.mount / "half").write_bytes(bytes(1 << 20))  # and no sync: its end has something to write
        print(disk._daemon.pid, disk._loop, flush=True)
        time.sleep(600)  # until it is killed

disks.apart(work)
"""


def test_a_rig_that_is_killed_with_all_its_processes_leaves_no_device_that_waits(tmp_path: Path) -> None:
    """As a time limit of CI kills it. The daemon ends last: where its end had to unmount its own disk, the kernel held both for ever."""
    rig = subprocess.Popen([sys.executable, "-c", HELD, tmp_path], stdout=subprocess.PIPE, text=True, cwd=ROOT)
    assert rig.stdout is not None
    daemon, loop = rig.stdout.readline().split()
    rig.kill()
    rig.wait(60)
    os.kill(int(daemon), signal.SIGKILL)
    try:
        assert gone(Path(f"/proc/{daemon}")), f"the daemon of the disk has not ended: {loop} waits for it"
        assert gone(Path("/sys/block") / Path(loop).name / "loop/backing_file"), f"{loop} is still in use"
        disks.why_no_loops.cache_clear()
        assert disks.why_no_loops() is None
    finally:
        subprocess.run(["umount", "-l", tmp_path / "lost.fuse"], check=False)


def gone(path: Path) -> bool:
    """Within a minute."""
    deadline = time.monotonic() + 60
    while path.exists():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)  # the kernel tells nobody when it has let go
    return True
