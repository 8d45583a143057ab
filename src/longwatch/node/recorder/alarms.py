"""What the recorder sees each second, put before the alarms: streams, volumes, the index, the post's own supply.

Takes what its neighbours in the process hold, and makes `accounting.alarms.Seen` of it; `RecorderActs` owns the machine and writes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from longwatch.accounting.alarms import Seen, Subject, Trouble
from longwatch.archive import Volume, VolumeState
from longwatch.base.secrets import scrub
from longwatch.model.alarms import AlarmKind
from longwatch.model.causes import PLANNED, Cause
from longwatch.model.surroundings import Power, SurroundingsSource
from longwatch.node.recorder.streams import StreamUnit

MAIN = "main"
HANGS_US = 5_000_000
_DURABLE_LATELY_US = 5_000_000
_STORAGE = frozenset({Cause.STORAGE_FULL, Cause.STORAGE_FAILED})


class Look:
    """One look. boot_us, wall_us: now. around: None where nothing is known of the surroundings."""

    def __init__(self, boot_us: int, wall_us: int, around: SurroundingsSource | None) -> None:
        self._boot_us = boot_us
        self._wall_us = wall_us
        self._around = around
        self._troubles: list[Trouble] = []
        self._well: set[Subject] = set()
        self._resting: dict[Subject, str] = {}
        self._unclear: set[Subject] = set()

    def at(self, units: Iterable[StreamUnit], volumes: Sequence[Volume], index_failed: str) -> Seen:
        """All of it."""
        for unit in units:
            if unit.key.stream == MAIN and unit.schedule is not None:
                self._camera(unit)
        for volume in volumes:
            self._volume(volume)
        self._index(index_failed)
        return Seen(self._troubles, frozenset(self._well), self._resting, frozenset(self._unclear))

    def _camera(self, unit: StreamUnit) -> None:
        """Silent is: a gap is open, that nobody planned and no disk of ours made."""
        subject = Subject(AlarmKind.CAMERA_SILENT, unit.key.camera)
        gap = unit.account.gap
        if gap is None:
            durable = unit.durable_to_us is not None and self._boot_us - unit.durable_boot_us < _DURABLE_LATELY_US
            (self._well if durable else self._unclear).add(subject)
        elif gap[0] in PLANNED:
            self._resting[subject] = f"recording is not wanted now: {gap[0]}"
        elif gap[0] in _STORAGE:
            self._unclear.add(subject)
        else:
            since_us = unit.account.dark_since_us
            self._troubles.append(
                Trouble(
                    subject, gap[1] if since_us is None else since_us, unit.key.camera, str(gap[0]),
                    unit.account.evidence, self._supply(unit.key.camera),
                )
            )  # fmt: skip

    def _supply(self, camera: str) -> dict[str, object]:
        """A post that runs on its battery says so: cameras on the mains have no power either."""
        known = self._around.of(camera) if self._around is not None else None
        if known is None or known.mains is Power.UNKNOWN:
            return {}
        facts: dict[str, object] = {"mains": str(known.mains)}
        if known.battery_percent is not None:
            facts["battery_percent"] = known.battery_percent
        return facts

    def _volume(self, volume: Volume) -> None:
        subject = Subject(AlarmKind.STORAGE, volume.id or str(volume.path))
        busy_us = volume.busy_since_boot_us
        if busy_us is not None and self._boot_us - busy_us > HANGS_US:
            self._storage(subject, Cause.STORAGE_FAILED, {"path": str(volume.path), "detail": "the disk hangs"})
        elif volume.state is VolumeState.OK:
            self._well.add(subject)
        else:
            cause = Cause.STORAGE_FULL if volume.state is VolumeState.FULL else Cause.STORAGE_FAILED
            detail = scrub(volume.detail)[:500] or str(volume.state)
            self._storage(subject, cause, {"path": str(volume.path), "detail": detail})

    def _index(self, failed: str) -> None:
        subject = Subject(AlarmKind.STORAGE, "index")
        if failed:
            self._storage(subject, Cause.STORAGE_FAILED, {"detail": scrub(failed)[:500]})
        else:
            self._well.add(subject)

    def _storage(self, subject: Subject, cause: Cause, evidence: dict[str, Any]) -> None:
        self._troubles.append(Trouble(subject, self._wall_us, "", str(cause), evidence))
