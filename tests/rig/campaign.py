"""`make faults`: the long campaign of power cuts, every leg, a seed drawn for each and printed; and the deliberate mistakes.

python -m tests.rig.campaign [CUTS]
"""

from __future__ import annotations

import random
import sys
import time
from collections import Counter

from tests.rig import disks
from tests.rig.legs import WRONG, caught, control_legs, oracle, sound_legs
from tests.rig.powercut import run
from tests.rig.test_powercut import FOLDER

A_RECORDING = 100
"""Cuts of one recording; then the workload runs anew, with another seed."""


def main() -> int:
    """1 where anything acknowledged was lost, or a mistake was not caught."""
    if reason := disks.why_not_here():
        print(reason)
        return 2
    left = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    total: Counter[str] = Counter()
    start = time.monotonic()
    while left > 0:
        cuts = min(left, 7 * A_RECORDING)
        left -= cuts
        for case in sound_legs(cuts, random.SystemRandom().randrange(1 << 30)):
            if not case.cuts:
                continue
            counts = run(case, FOLDER / "longwatch-campaign", oracle)
            total += counts
            print(f"{case}, seed {case.seed}: {dict(counts)}", flush=True)
    missed = []
    for name, case in control_legs(120, random.SystemRandom().randrange(1 << 30)).items():
        counts = run(case, FOLDER / "longwatch-campaign", oracle, enough=caught)
        print(f"mistake {name}: {'caught' if caught(counts) else 'MISSED'} after {counts['cuts']} cuts", flush=True)
        if not caught(counts):
            missed.append(name)
    print(f"{total['cuts']} cuts, {total['acknowledged']} acknowledged, {[(w, total[w]) for w in WRONG]}, "
          f"{total['mount_failed']} filesystems that did not mount, mistakes missed: {missed}, {time.monotonic() - start:.0f} s")  # fmt: skip
    return 1 if missed or any(total[w] for w in WRONG) else 0


if __name__ == "__main__":
    sys.exit(main())
