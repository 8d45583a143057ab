"""How far an export is, and how long it will take: from what was done, not from what was hoped. Values; no I/O."""

from __future__ import annotations

from dataclasses import dataclass

_LEAST_S = 1.0
_FULL = {"fingerprint": 1.0, "proofs": 0.9, "check": 0.95, "ledger": 0.02}
"""Steps of one file that are not its bulk, as parts of it."""
_BULK = {"video": (0.0, 0.98), "pictures": (0.0, 0.98), "segments": (0.02, 0.6)}
_BULK_OF_PACKAGE = {"video": (0.6, 0.88), "proofs": (0.88, 0.95), "check": (0.95, 1.0)}


@dataclass(frozen=True, slots=True)
class Progress:
    """file: which of how many is made, from 0. step, done, of: what its maker said last. part: of the whole, 0 to 1."""

    file: int = 0
    files: int = 1
    step: str = ""
    done: int = 0
    of: int = 0
    part: float = 0.0
    seconds_left: float | None = None


def part_of_file(step: str, done: int, of: int, *, package: bool) -> float:
    """How much of one file is made. It never goes back with the steps in their order."""
    bulk = _BULK | _BULK_OF_PACKAGE if package else _BULK
    if step in bulk and of > 0:
        begin, end = bulk[step]
        return begin + (end - begin) * min(1.0, done / of)
    return _FULL.get(step, 0.0)


def advanced(
    before: Progress, said: tuple[str, int, int], running_s: float, began_part: float, *, package: bool
) -> Progress:
    """What is known after its maker said `said`. running_s: since this process began at began_part of the whole."""
    step, done, of = said
    here = part_of_file(step, done, of, package=package)
    part = max(before.part, (before.file + here) / before.files)
    gained = part - began_part
    left = (1 - part) * running_s / gained if running_s >= _LEAST_S and gained > 0.002 else None
    return Progress(before.file, before.files, step, done, of, part, left)
