"""Stills of a thermal camera by HTTP: the recorder's own bounded GET, as the surroundings are asked. docs/design/thermal.md."""

from __future__ import annotations

from longwatch.ingest.thermal_stills import MOST_BYTES
from longwatch.node.recorder.options import Stills
from longwatch.surroundings.http_get import get_bytes

WITHIN_S = 8.0
ACCEPT = "image/png, image/tiff, image/jpeg, multipart/form-data, */*;q=0.1"


class FetchedStills:
    """ingest.StillSource: one address, with the login that stands in it and no other."""

    def __init__(self, options: Stills) -> None:
        self._options = options

    @property
    def every_s(self) -> float:
        """As the settings say."""
        return self._options.every_s

    async def fetch(self) -> bytes:
        """The file. Raises LongwatchError (DeviceError)."""
        options = self._options
        return await get_bytes(
            options.address, accept=ACCEPT, within_s=WITHIN_S, most_bytes=MOST_BYTES, verify=options.verify_certificate
        )
