"""Strips of posts at a hub: what `Strips` and `Shelf` are at a post, over packs that posts sent (wire/strip_pack.py). Only reads.

Nothing is made here: a picture is here when its pack came, and goes when its post says that the footage went, or with its age. Calls of the shelf block.
"""

from __future__ import annotations

import threading
import zlib
from collections import OrderedDict
from collections.abc import Sequence
from typing import Protocol

import structlog

from longwatch.base.errors import LongwatchError
from longwatch.strips.day_index import MOST_PICTURE_BYTES, Picture
from longwatch.wire.strip_pack import BLOCK_US, StripPicture, decode

EVERY_US = 60_000_000
_CACHED_BYTES = 32 << 20
_log = structlog.get_logger(__name__)


class Packs(Protocol):
    """`fleet.strips.StripObjects`. Calls block."""

    def strips(self, camera: str, from_us: int, to_us: int) -> list[tuple[int, bytes]]:
        """Begin and hash of the packs that begin in [from_us, to_us), by time."""
        ...

    def newest(self, camera: str, until_us: int) -> bytes | None:
        """Hash of the last pack that begins by then."""
        ...

    def read(self, sha256: bytes) -> bytes:
        """All of one. Raises LongwatchError."""
        ...


class DistantShelf:
    """What the strip routes ask of a `Shelf`."""

    def __init__(self, packs: Packs) -> None:
        self._packs = packs
        self._lock = threading.Lock()
        self._known: OrderedDict[bytes, tuple[list[StripPicture], int]] = OrderedDict()
        self._bytes = 0

    def between(self, camera: str, from_us: int, to_us: int) -> list[Picture]:
        """The pictures of [from_us, to_us), by time. offset of each: its place in its pack."""
        found = []
        for _, sha256 in self._packs.strips(camera, from_us // BLOCK_US * BLOCK_US, to_us):
            found += [_picture(n, one) for n, one in enumerate(self._pack(sha256)) if from_us <= one.at_us < to_us]
        return sorted(found)

    def by_step(self, camera: str, from_us: int, to_us: int, step_us: int) -> list[Picture]:
        """The first picture of each step; of steps longer than a pack, packs between are not read."""
        found: list[Picture] = []
        for begin_us, sha256 in self._packs.strips(camera, from_us // BLOCK_US * BLOCK_US, to_us):
            if found and step_us > BLOCK_US and (begin_us + BLOCK_US - 1) // step_us == found[-1].at_us // step_us:
                continue
            for n, one in enumerate(self._pack(sha256)):
                if from_us <= one.at_us < to_us and (not found or found[-1].at_us // step_us != one.at_us // step_us):
                    found.append(_picture(n, one))
        return found

    def read(self, camera: str, pictures: Sequence[Picture]) -> list[bytes]:
        """The JPEGs, in the order given; b"" for one that is no longer there."""
        blocks = {one.at_us // BLOCK_US * BLOCK_US for one in pictures}
        held: dict[tuple[int, int], bytes] = {}
        for block_us in blocks:
            for _, sha256 in self._packs.strips(camera, block_us, block_us + BLOCK_US):
                held |= {(one.at_us, one.stream): one.jpeg for one in self._pack(sha256)}
        return [held.get((one.at_us, one.stream), b"") for one in pictures]

    def newest(self, camera: str, until_us: int) -> StripPicture | None:
        """The last picture that is here of that moment or before it."""
        sha256 = self._packs.newest(camera, until_us)
        found = [] if sha256 is None else [one for one in self._pack(sha256) if one.at_us <= until_us]
        return max(found, key=lambda one: one.at_us, default=None)

    def _pack(self, sha256: bytes) -> list[StripPicture]:
        with self._lock:
            known = self._known.get(sha256)
            if known is not None:
                self._known.move_to_end(sha256)
                return known[0]
        try:
            data = self._packs.read(sha256)
            found = [one for one in decode(data) if 0 < len(one.jpeg) <= MOST_PICTURE_BYTES]
        except (LongwatchError, ValueError) as error:
            _log.warning("strip pictures of a post cannot be read", reason=str(error))
            return []
        with self._lock:
            self._known[sha256] = found, len(data)
            self._bytes += len(data)
            while self._bytes > _CACHED_BYTES:
                _, (_, size) = self._known.popitem(last=False)
                self._bytes -= size
        return found


class DistantStrips:
    """What the strip routes ask of `Strips`."""

    def __init__(self, packs: Packs) -> None:
        self.shelf = DistantShelf(packs)
        self.every_us = EVERY_US

    def state(self, camera: str) -> str:
        """Packs come as the link carries them: more may always follow."""
        del camera
        return "catching_up"

    def is_complete(self, camera: str, from_us: int, to_us: int) -> bool:
        """Never known here."""
        del camera, from_us, to_us
        return False


def _picture(n: int, one: StripPicture) -> Picture:
    return Picture(one.at_us, n, len(one.jpeg), zlib.crc32(one.jpeg), one.stream)
