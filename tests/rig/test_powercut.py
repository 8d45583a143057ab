"""Figures 1, 3, 4 and 5 of the reliability table: 100 cuts a run; and every deliberate mistake is caught."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest
from tests.rig import disks
from tests.rig.legs import WRONG, caught, control_legs, oracle, sound_legs
from tests.rig.powercut import Case, run

CUTS = 100
SEED = random.SystemRandom().randrange(1 << 30)
FOLDER = Path("/dev/shm") if Path("/dev/shm").is_dir() else Path("/tmp")
RUN = os.getpid()
"""Two runs on one machine have folders of their own."""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.root,
    pytest.mark.timeout(600),
    pytest.mark.xdist_group("rig"),
    pytest.mark.skipif(disks.why_not_here() is not None, reason=str(disks.why_not_here())),
]


@pytest.mark.parametrize("leg", range(len(sound_legs(CUTS, 0))))
def test_a_cut_loses_nothing_that_was_acknowledged(leg: int) -> None:
    case = sound_legs(CUTS, SEED)[leg]
    counts = run(case, FOLDER / f"longwatch-rig-{RUN}-{leg}", oracle)
    print(f"{case}, seed {case.seed}: {dict(counts)}")
    assert counts["cuts"] == case.cuts
    assert counts["mount_failed"] == 0 or "xfs" in case.disks, "a filesystem that a cut makes unmountable"
    assert counts["acknowledged"] > 0, "the cuts came before anything was acknowledged: the test saw nothing"
    assert {name: counts[name] for name in WRONG} == dict.fromkeys(WRONG, 0), counts


def test_there_are_enough_controls() -> None:
    assert len(control_legs(1, 0)) >= 12


@pytest.mark.parametrize("mistake", sorted(control_legs(1, 0)))
def test_a_mistake_is_caught(mistake: str) -> None:
    case: Case = control_legs(120, SEED)[mistake]
    counts = run(case, FOLDER / f"longwatch-rig-{RUN}-{mistake.replace(' ', '-')}", oracle, enough=caught)
    print(f"{mistake}, seed {case.seed}: caught after {counts['cuts']} cuts")
    assert caught(counts), f"{mistake}: not caught in {counts['cuts']} cuts, seed {case.seed}"
