"""What a thermal camera says beside its picture: ONVIF metadata with the temperature of one spot, once a second."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass, field

from longwatch.formats.media import Codec, Kind
from longwatch.simulate.clip import Clip, Track, Unit

CLOCK = 90_000
ITEM = "spot-1"
_PIECE = 1200
_DOCUMENT = (
    '<?xml version="1.0" encoding="UTF-8"?><tt:MetadataStream xmlns:tt="http://www.onvif.org/ver10/schema"'
    ' xmlns:ttr="http://www.onvif.org/ver20/analytics/radiometry" xmlns:wsnt="http://docs.oasis-open.org/wsn/b-2"'
    ' xmlns:tns1="http://www.onvif.org/ver10/topics"><tt:Event><wsnt:NotificationMessage>'
    "<wsnt:Topic>tns1:VideoAnalytics/Radiometry/SpotTemperatureReading</wsnt:Topic><wsnt:Message><tt:Message>"
    '<tt:Data><tt:ElementItem Name="Reading"><ttr:SpotTemperatureReading ItemID="{item}" SpotTemperature="{kelvin:.2f}"/>'
    "</tt:ElementItem></tt:Data></tt:Message></wsnt:Message></wsnt:NotificationMessage></tt:Event></tt:MetadataStream>"
)


def document(celsius: float) -> bytes:
    """One reading."""
    return _DOCUMENT.format(item=ITEM, kelvin=celsius + 273.15).encode()


@dataclass(frozen=True, slots=True)
class HeatTrack(Track):
    """A track without an end: each unit holds what is measured when it is due."""

    celsius: Callable[[], float] = field(repr=False, kw_only=True)

    def at(self, number: int) -> tuple[Unit, int]:
        """Unit `number`, and what to add to its times."""
        data = document(self.celsius())
        pieces = tuple(data[at : at + _PIECE] for at in range(0, len(data), _PIECE))
        return Unit(number * CLOCK, number * CLOCK, True, data, pieces), 0

    def number_at(self, ticks: int) -> int:
        """The first unit whose time is not before `ticks`."""
        return max(0, -(-ticks // CLOCK))


def with_heat(clip: Clip, celsius: Callable[[], float]) -> Clip:
    """The same camera, measuring. celsius: asked for each reading."""
    track = HeatTrack(
        Kind.METADATA, Codec.ONVIF_METADATA, CLOCK, 0, (), 0, f"vnd.onvif.metadata/{CLOCK}", "", celsius=celsius
    )
    return dataclasses.replace(clip, tracks=(*clip.tracks, track))
