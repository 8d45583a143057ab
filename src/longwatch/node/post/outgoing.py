"""Pictures on their way to a hub: made as small as the settings say, and kept by their hash in `derived/uplink` until the hub has them."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Protocol

import structlog

from longwatch.base.errors import LongwatchError
from longwatch.formats.media import Codec, Kind, TrackFormat
from longwatch.model.uplink import ObjectInfo

_JPEG = TrackFormat(Kind.VIDEO, Codec.MJPEG, 90_000, b"", "jpeg")
_log = structlog.get_logger(__name__)


class Decoder(Protocol):
    """`playback.Stills`."""

    async def decoded(self, format_: TrackFormat, sample: bytes, max_width: int) -> bytes: ...


class Outgoing:
    """Of one kind of object; its files end with that kind. Owner of those files. Every method but `small` blocks."""

    def __init__(self, folder: Path, kind: str, decoder: Decoder) -> None:
        self._folder = folder
        self._kind = kind
        self._decoder = decoder

    def path(self, sha256: bytes) -> Path:
        """Where the object of this hash lies."""
        return self._folder / f"{sha256.hex()}.{self._kind}"

    def read(self, info: ObjectInfo, offset: int, size: int) -> bytes:
        """See model.uplink.ObjectSource."""
        try:
            with self.path(info.sha256).open("rb") as file:
                file.seek(offset)
                return file.read(min(size, info.size - offset))
        except OSError as error:
            raise LongwatchError(f"an object for the hub is gone: {self._kind}", why=error.strerror or "") from error

    def write(self, sha256: bytes, data: bytes) -> None:
        """Whole, or not at all."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self.path(sha256)
        fresh = path.with_suffix(f".{os.getpid()}")
        fresh.write_bytes(data)
        fresh.replace(path)

    def drop(self, sha256: bytes) -> None:
        """The hub has it, or is not to have it."""
        with contextlib.suppress(OSError):
            self.path(sha256).unlink()

    async def small(self, jpeg: bytes, width: int) -> bytes:
        """At most so many pixels wide; as it is where width is 0, where it cannot be decoded, and where that is smaller."""
        if not width:
            return jpeg
        try:
            small = await self._decoder.decoded(_JPEG, jpeg, width)
        except LongwatchError as error:
            _log.debug("a picture goes to the hub as it is", kind=self._kind, reason=str(error))
            return jpeg
        return small if len(small) < len(jpeg) else jpeg
