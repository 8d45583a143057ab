"""Figures 2 and 11 of the reliability table: at a cut at most one second of video is lost, and no second is unexplained.

The real recorder process records real RTSP streams on a logged disk. Each cut is recovered as after a real one; what was lost is
from where the recovered span of a stream ends to the moment of the cut.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter

import pytest
from tests.rig import disks
from tests.rig.powercut import Case, Wreck, run
from tests.rig.test_powercut import FOLDER, RUN
from tests.support.accounted import unexplained_us
from tests.support.measured import stretch

from longwatch.archive import Archive, ArchiveReader, Options
from longwatch.base.clock import SystemClock
from longwatch.base.ids import boot_id
from longwatch.model.sessions import StreamKey

CUTS = 30
CAMERAS = 3
SECONDS = 10
"""Of recording, in which the cuts are drawn."""
LOOKS = 3

pytestmark = [
    pytest.mark.slow,
    pytest.mark.root,
    pytest.mark.timeout(900),
    pytest.mark.xdist_group("rig"),
    pytest.mark.skipif(disks.why_not_here() is not None, reason=str(disks.why_not_here())),
]


@pytest.mark.parametrize("fs", ["ext4", pytest.param("xfs", marks=pytest.mark.long)])  # a cut on xfs: test_powercut
def test_a_cut_costs_at_most_a_second(fs: str) -> None:
    """In the best of three campaigns: what else this machine writes and computes may hold the recorder up in one."""
    seen = []
    for _ in range(LOOKS):
        before = stretch()
        p99 = campaign(fs)
        most_ms = 1000 * max(before, stretch())
        seen.append(f"{p99:.0f} of {most_ms:.0f} ms")
        if p99 <= most_ms:
            return
    raise AssertionError(f"lost in 99 of 100 cuts: {seen}")


def campaign(fs: str) -> float:
    """What 99 of 100 cuts cost at most, in ms. That no second is unexplained holds in every one."""
    lost_ms: list[float] = []

    def oracle(wreck: Wreck) -> Counter[str]:
        if "ready" not in wreck.said:
            return Counter(before_ready=1)
        wall_offset_us = time.time_ns() // 1000 - time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1000
        cut_us = wreck.cut_boot_us + wall_offset_us
        data = [volume / "data" for volume in wreck.volumes]

        async def recover() -> None:
            archive, _ = await Archive.open(data, Options(), SystemClock(), boot_id())
            await archive.close()

        asyncio.run(recover())
        reader = ArchiveReader(data)
        counts: Counter[str] = Counter(looked_at=1)
        for camera in reader.cameras():
            key = StreamKey(camera.camera, camera.stream)
            spans = reader.recorded_spans(key, 0, 1 << 60)
            lost_ms.append((cut_us - max(span.to_us for span in spans)) / 1000)
        counts["unexplained_us"] += unexplained_us(reader)
        reader.close()
        return counts

    seed = random.SystemRandom().randrange(1 << 30)
    case = Case(
        (fs,),
        4096,
        ("-m", "tests.rig.real_recorder", "{volumes}", "--cameras", str(CAMERAS), "--seconds", str(SECONDS)),
        CUTS,
        seed,
    )
    counts = run(case, FOLDER / f"longwatch-rig-{RUN}-seconds-{fs}", oracle)
    lost_ms.sort()
    p99 = lost_ms[int(0.99 * (len(lost_ms) - 1))]
    print(
        f"{fs}, seed {seed}: {dict(counts)}; lost: median {lost_ms[len(lost_ms) // 2]:.0f} ms, p99 {p99:.0f} ms, most {lost_ms[-1]:.0f} ms"
    )
    assert counts["looked_at"] > CUTS / 2
    assert counts["unexplained_us"] == 0
    return p99
