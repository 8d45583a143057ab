"""What moved where at each camera of this post, kept over restarts: `derived/looking/CAMERA.movement`, a week of hours each (`detection.heat_hours`).

Owner of those files. They are written five minutes apart and at the end, so a power cut takes five minutes of a help for drawing zones, and nothing else. What cannot be
read begins anew. A camera that is no longer in the settings has its file taken away at the next start.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import structlog

from longwatch.base.ids import is_slug
from longwatch.detection.heat_hours import MOST_BYTES, HeatHours

KEEP_EVERY_US = 300_000_000
_SUFFIX = ".movement"
_log = structlog.get_logger(__name__)


class Movement:
    """folder: None keeps nothing over a restart."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._known: dict[str, HeatHours] = {}
        self._unkept: dict[str, int] = {}  # camera -> boot time of the first thing that was not written yet

    def add(self, camera: str, now_us: int, boot_us: int, looked: int, cells: bytes) -> bool:
        """What a child says moved. now_us: wall time. True: it is time to `keep` it. Raises ValueError for what is no grid."""
        self.of(camera).add(now_us, looked, cells)
        return boot_us - self._unkept.setdefault(camera, boot_us) >= KEEP_EVERY_US

    def of(self, camera: str) -> HeatHours:
        """The first time it reads a small file."""
        known = self._known.get(camera)
        if known is None:
            known = self._known[camera] = self._read(camera)
        return known

    def keep(self, camera: str) -> None:
        """Write it down. Blocks."""
        self._unkept.pop(camera, None)
        if self._folder is None or not is_slug(camera):
            return
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            new = self._folder / f"{camera}{_SUFFIX}.new"
            with new.open(
                "wb"
            ) as file:  # flushed before it has its name: else a power cut may leave an empty file in place of a week
                file.write(self._known[camera].saved())
                file.flush()
                os.fsync(file.fileno())
            new.replace(self._folder / f"{camera}{_SUFFIX}")
        except OSError as error:  # tried again in five minutes
            _log.warning("what moved where cannot be kept", camera=camera, reason=str(error))

    def keep_all(self) -> None:
        """Write what is not written yet. Blocks."""
        for camera in list(self._unkept):
            self.keep(camera)

    def forget_others(self, cameras: tuple[str, ...]) -> None:
        """Files of cameras that are not among these go. Blocks."""
        if self._folder is None:
            return
        with contextlib.suppress(OSError):
            for path in self._folder.glob(f"*{_SUFFIX}"):
                if path.stem not in cameras:
                    path.unlink()

    def _read(self, camera: str) -> HeatHours:
        if self._folder is None or not is_slug(camera):
            return HeatHours()
        path = self._folder / f"{camera}{_SUFFIX}"
        try:
            if path.stat().st_size <= MOST_BYTES:
                return HeatHours.restored(path.read_bytes())
        except FileNotFoundError:
            pass
        except (OSError, ValueError) as error:
            _log.warning("what moved where cannot be read and begins anew", camera=camera, reason=str(error))
        return HeatHours()
