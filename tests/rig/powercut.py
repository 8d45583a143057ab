"""Power cuts: run a workload on logged disks, cut the power at random moments, and ask the oracle what was lost.

The moment of an acknowledgement is the size of the write logs when its line is read: later than the truth by the time a line
takes through a pipe, so an acknowledgement is believed only where the logs had certainly come so far. With index and media on
disks of their own a sampler thread notes the sizes of both logs together, twice in a row the same, so that every cut is one
moment in both.
"""

from __future__ import annotations

import contextlib
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.rig.disks import Aftermath, LoggedDisk, apart, mounted

Moment = tuple[int, ...]
"""The sizes of the write logs, one a disk, at one instant."""


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """One line of the workload, and when it had certainly been said."""

    line: str
    at: Moment


@dataclass(slots=True)
class Recording:
    """A workload that ran: what it said, and every moment that could be a cut."""

    acknowledged: list[Acknowledged] = field(default_factory=list)
    moments: list[tuple[Moment, int]] = field(default_factory=list)  # with CLOCK_BOOTTIME in microseconds

    def said_before(self, cut: Moment) -> list[str]:
        """The lines that were certainly said when the power went."""
        return [a.line for a in self.acknowledged if all(x <= y for x, y in zip(a.at, cut, strict=True))]


@dataclass(frozen=True, slots=True)
class Wreck:
    """What a cut left: the mounted volumes, the lines certainly said before it, and when it was."""

    volumes: Sequence[Path]
    said: Sequence[str]
    cut_boot_us: int


Oracle = Callable[[Wreck], Counter[str]]
"""What is wrong with a wreck, and what was looked at, counted."""


@dataclass(frozen=True, slots=True)
class Case:
    """One leg of the campaign. disks: filesystem of each volume, the index's first."""

    disks: tuple[str, ...]
    tear_bytes: int
    command: tuple[str, ...]  # `{volumes}` stands for the volumes' folders
    cuts: int
    seed: int
    lies: frozenset[int] = frozenset()  # the disks whose FLUSH keeps nothing

    def __str__(self) -> str:
        return f"{'+'.join(self.disks)} tear {self.tear_bytes}{f' lying {sorted(self.lies)}' if self.lies else ''}"


def run(
    case: Case, folder: Path, oracle: Oracle, *, enough: Callable[[Counter[str]], bool] = lambda _: False
) -> Counter[str]:
    """Record once, cut `case.cuts` times. The counts of the oracle summed, with `cuts` and `mount_failed`.

    enough: ends the leg early, once the counts say all that is asked (a negative control that is caught).
    """
    return apart(lambda: _run(case, folder, oracle, enough))


def _run(case: Case, folder: Path, oracle: Oracle, enough: Callable[[Counter[str]], bool]) -> Counter[str]:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        with contextlib.ExitStack() as stack:
            disks = [stack.enter_context(LoggedDisk(folder, f"disk{n}", fs)) for n, fs in enumerate(case.disks)]
            recording = _record(case.command, disks)
        return _cut(case, folder, disks, recording, oracle, enough)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _record(command: Sequence[str], disks: Sequence[LoggedDisk]) -> Recording:
    volumes = [str(disk.mount) for disk in disks]
    filled: list[str] = []
    for part in command:
        filled += volumes if part == "{volumes}" else [part]
    recording = Recording()
    stop = threading.Event()

    def now() -> Moment:
        return tuple(disk.log_bytes() for disk in disks)

    def sample() -> None:
        last = now()
        while not stop.is_set():
            time.sleep(0.0005)  # the rate of sampling, not a wait for something
            here = now()
            again = now()
            if here == again and here != last:
                recording.moments.append((here, time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1000))
                last = here

    sampler = threading.Thread(target=sample)
    sampler.start()
    process = subprocess.Popen([sys.executable, *filled], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        for line in process.stdout:
            recording.acknowledged.append(Acknowledged(line.rstrip("\n"), now()))
        if process.wait(60):
            raise OSError(f"the workload ended with {process.returncode}")
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
        stop.set()
        sampler.join()
    assert recording.acknowledged, "the workload acknowledged nothing"
    return recording


def _cut(
    case: Case,
    folder: Path,
    disks: Sequence[LoggedDisk],
    recording: Recording,
    oracle: Oracle,
    enough: Callable[[Counter[str]], bool],
) -> Counter[str]:
    rng = random.Random(case.seed)
    counts: Counter[str] = Counter()
    aftermaths = [
        Aftermath(disk, folder, f"after{n}", tear_bytes=case.tear_bytes, lies=n in case.lies)
        for n, disk in enumerate(disks)
    ]
    moments = sorted(rng.choice(recording.moments) for _ in range(case.cuts))
    for moment, boot_us in moments:
        if enough(counts):
            break
        counts["cuts"] += 1
        images = [a.image(size, rng) for a, size in zip(aftermaths, moment, strict=True)]
        with contextlib.ExitStack() as stack:
            try:
                volumes = [
                    stack.enter_context(mounted(image, folder / f"volume{n}", disk.fs))
                    for n, (image, disk) in enumerate(zip(images, disks, strict=True))
                ]
            except OSError:
                counts["mount_failed"] += 1
                continue
            counts += oracle(Wreck(volumes, recording.said_before(moment), boot_us))
    return counts
