"""The legs of the power-cut campaign: which disks, which tears, which mistakes; and the oracle over `archive_workload`."""

from __future__ import annotations

from collections import Counter

from tests.rig.powercut import Case, Wreck
from tests.support.archive_faults import FAULTS, SOUND
from tests.support.archive_workload import judge, read_story

WRONG = ("lost", "unplayable", "wrong_rows", "wrong_ledger")
"""Figures 1, 3 and 4 of the reliability table, and heads of the ledger that do not hold: each must be 0."""


def workload(*extra: str) -> tuple[str, ...]:
    """The command of the fake recorder."""
    return ("-m", "tests.support.archive_workload", "{volumes}", *extra)


def sound_legs(cuts: int, seed: int) -> list[Case]:
    """Every filesystem, both tears, index apart and together; with retention on, so that deleting is cut as well."""
    legs = [
        (("ext4",), 4096),
        (("ext4",), 512),
        (("ext4", "ext4"), 4096),
        (("xfs",), 4096),
        (("ext4", "xfs"), 512),
        (("btrfs",), 4096),
        (("ext4", "btrfs"), 4096),
    ]
    share, rest = divmod(cuts, len(legs))
    return [
        Case(disks, tear, workload("--retain-bytes", "6000000", "--seed", str(seed + n)), share + (n < rest), seed + n)
        for n, (disks, tear) in enumerate(legs)
    ]


def control_legs(cuts: int, seed: int) -> dict[str, Case]:
    """Every deliberate mistake, and disks that lie. Index and media are on disks of their own, and no media with the index:
    a flush of the one must not mask the lack of a flush of the other.
    """
    disks = ("ext4", "ext4")
    legs = {
        name: Case(disks, 4096, workload("--index-alone", "--fault", name, "--seed", str(seed)), cuts, seed)
        for name in FAULTS
        if name not in SOUND
    }
    liars = {"both disks lie": {0, 1}, "the disk of the index lies": {0}, "the disk of the media lies": {1}}
    for name, which in liars.items():
        legs[name] = Case(
            disks, 4096, workload("--index-alone", "--seed", str(seed)), cuts, seed, lies=frozenset(which)
        )
    return legs


def oracle(wreck: Wreck) -> Counter[str]:
    """Hold a wreck against its story."""
    story = read_story(wreck.said)
    if not story.ready:
        return Counter(before_ready=1)
    judgement = judge(wreck.volumes, story)
    counts = Counter(
        acknowledged=judgement.acknowledged,
        lost=len(judgement.lost),
        unplayable=len(judgement.unplayable),
        wrong_rows=len(judgement.wrong_rows),
        wrong_ledger=len(judgement.wrong_ledger),
        heads=len(story.heads),
    )
    for words in (
        *judgement.lost[:2],
        *judgement.unplayable[:2],
        *judgement.wrong_rows[:2],
        *judgement.wrong_ledger[:2],
    ):
        counts[f"said: {words}"] += 1
    return counts


def caught(counts: Counter[str]) -> bool:
    """Something is wrong, and the oracle says so."""
    return any(counts[name] for name in WRONG)
