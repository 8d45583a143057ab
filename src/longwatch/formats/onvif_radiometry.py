"""Temperatures in ONVIF metadata: readings of spots and boxes, and the camera's own temperature rules.

ONVIF Analytics Service Specification, annex on radiometry: topics `tns1:VideoAnalytics/Radiometry/SpotTemperatureReading` and `BoxTemperatureReading` carry
an element of `ttr` (ver20/analytics/radiometry), in kelvin; `tns1:RuleEngine/Radiometry/TemperatureAlarm` carries `State`. Seen of Hanwha's cameras, which
add `AreaName` and, for each extreme, its place in pixels. Elements are told by their local names: cameras write the namespace with http and with https.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from xml.parsers import expat

MOST_BYTES = 256 << 10
MOST_READINGS = 64
_MOST_TEXT = 80
_MOST_DEPTH = 64
_READINGS = frozenset({"SpotTemperatureReading", "BoxTemperatureReading"})
_ALARM = "TemperatureAlarm"


@dataclass(frozen=True, slots=True)
class Reading:
    """item: the camera's id of the spot or box. name: what the camera calls it, or "". highest, lowest, mean: as the camera sends them (kelvin by the
    standard); of a spot all three are its temperature, and a mean that is not sent is None.
    """

    item: str
    name: str
    highest: float
    lowest: float
    mean: float | None


@dataclass(frozen=True, slots=True)
class RuleState:
    """One of the camera's own temperature rules. rule: its name, or ""."""

    rule: str
    on: bool


@dataclass(frozen=True, slots=True)
class Radiometry:
    """What one document says."""

    readings: tuple[Reading, ...] = ()
    rules: tuple[RuleState, ...] = ()


def parse(document: bytes) -> Radiometry:
    """Raises ValueError for what is no XML, declares entities or a document type, is nested deeper than 64, or is larger than 256 KiB."""
    if len(document) > MOST_BYTES:
        raise ValueError("a metadata document of more than 256 KiB")
    reader = _Reader()
    try:
        reader.parser.Parse(document, True)
    except (expat.ExpatError, LookupError) as error:  # LookupError: an encoding that nobody knows
        raise ValueError(f"metadata that is no XML: {error}") from error
    return Radiometry(tuple(reader.readings), tuple(reader.rules))


class _Reader:
    """One document. Owner of its state."""

    def __init__(self) -> None:
        self.readings: list[Reading] = []
        self.rules: list[RuleState] = []
        self._depth = 0
        self._topic: list[str] | None = None
        self._is_alarm = False
        self._rule = ""
        self._state: bool | None = None
        parser = self.parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.StartDoctypeDeclHandler = self._refuse
        parser.EntityDeclHandler = self._refuse
        parser.StartElementHandler = self._begin
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text

    def _refuse(self, *_: object) -> None:
        raise ValueError("metadata that declares a document type or an entity")

    def _begin(self, tag: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        if self._depth > _MOST_DEPTH:
            raise ValueError("metadata that is nested too deep")
        name = tag.rpartition(":")[2]
        if name == "NotificationMessage":
            self._is_alarm, self._rule, self._state = False, "", None
        elif name == "Topic":
            self._topic = []
        elif name in _READINGS and len(self.readings) < MOST_READINGS:
            reading = _reading(attributes)
            if reading is not None:
                self.readings.append(reading)
        elif name == "SimpleItem" and self._is_alarm:
            if attributes.get("Name") == "Rule":
                self._rule = attributes.get("Value", "")[:_MOST_TEXT]
            elif attributes.get("Name") == "State":
                self._state = attributes.get("Value", "").strip().lower() in {"true", "1"}

    def _text(self, text: str) -> None:
        if self._topic is not None and len(self._topic) < _MOST_DEPTH:
            self._topic.append(text)

    def _end(self, tag: str) -> None:
        self._depth -= 1
        name = tag.rpartition(":")[2]
        if name == "Topic":
            topic, self._topic = "".join(self._topic or []), None
            self._is_alarm = topic.strip().rpartition("/")[2].rpartition(":")[2] == _ALARM
        elif name == "NotificationMessage" and self._state is not None and len(self.rules) < MOST_READINGS:
            self.rules.append(RuleState(self._rule, self._state))
            self._state = None


def _reading(attributes: dict[str, str]) -> Reading | None:
    """None where it holds no temperature."""
    spot = _number(attributes.get("SpotTemperature"))
    highest, lowest = _number(attributes.get("MaxTemperature")), _number(attributes.get("MinTemperature"))
    mean = _number(attributes.get("AverageTemperature"))
    if spot is not None:
        highest = lowest = mean = spot
    if highest is None or lowest is None:
        return None
    return Reading(
        attributes.get("ItemID", "")[:_MOST_TEXT], attributes.get("AreaName", "")[:_MOST_TEXT], highest, lowest, mean
    )


def _number(text: str | None) -> float | None:
    try:
        value = float(text or "nan")
    except ValueError:
        return None
    return value if math.isfinite(value) and abs(value) < 1e5 else None
