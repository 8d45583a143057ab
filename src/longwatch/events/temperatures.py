"""Alarms by temperature: what the settings ask of a thermal camera's spots and boxes, against what it reads. Pure. docs/design/thermal.md."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from longwatch.formats.onvif_radiometry import Radiometry, Reading
from longwatch.model.events import COLD, HOT, Sighting
from longwatch.model.heat import StillOptions

_KELVIN_AT_0 = 273.15
STALE_US = 30_000_000
"""A spot that was read last so long ago is not known any more: what stood by it is over. Of stills: three times as long as there is between them, at least that."""
_MOST_ITEMS = 64


@dataclass(frozen=True, slots=True)
class Limit:
    """One alarm. item: id or name of the camera's spot or box; "" is each. of: highest, lowest or mean. above, below: degrees Celsius. for_us: so long it has to hold."""

    name: str
    item: str = ""
    of: str = "highest"
    above: float | None = None
    below: float | None = None
    for_us: int = 0


@dataclass(frozen=True, slots=True)
class Options:
    """Of one camera. celsius: it sends degrees Celsius and not kelvin. own: its own rules (TemperatureAlarm) count too. stills: what is read of those; None
    where it gives none.
    """

    limits: tuple[Limit, ...] = ()
    celsius: bool = False
    own: bool = True
    stills: StillOptions | None = None

    @property
    def stale_us(self) -> int:
        """What was read last so long ago is not known any more: stills come seldom."""
        return STALE_US if self.stills is None else max(STALE_US, 3 * self.stills.every_us)


@dataclass(slots=True)
class _Held:
    since_us: int
    last_us: int
    told: bool = False


@dataclass(slots=True)
class Temperatures:
    """One camera. Owner of its state: what was read last, and since when each limit is passed."""

    camera: str
    options: Options
    last: dict[str, tuple[int, Reading]] = field(default_factory=dict)
    _held: dict[tuple[str, str], _Held] = field(default_factory=dict)
    _rules: dict[str, bool] = field(default_factory=dict)

    def read(self, said: Radiometry, at_us: int, *, celsius: bool | None = None) -> list[Sighting]:
        """What one document, or one still, comes to. at_us: wall time. celsius: whether it says degrees Celsius; None: as the camera's documents do."""
        found: list[Sighting] = []
        for reading in said.readings:
            warm = reading if (self.options.celsius if celsius is None else celsius) else in_celsius(reading)
            if warm.item in self.last or len(self.last) < _MOST_ITEMS:
                self.last[warm.item] = (at_us, warm)
            for limit in self.options.limits:
                if limit.item in {"", warm.item, warm.name}:
                    found += self._judged(limit, warm, at_us)
        return found + (self._own(said, at_us) if self.options.own else [])

    def _own(self, said: Radiometry, at_us: int) -> list[Sighting]:
        """A rule says when it changes; what it says holds until it says otherwise, as long as anything comes."""
        ended = [rule.rule for rule in said.rules if not rule.on and self._rules.pop(rule.rule, False)]
        for rule in said.rules:
            if rule.on and len(self._rules) < _MOST_ITEMS:
                self._rules[rule.rule] = True
        told = [
            Sighting(self.camera, HOT, at_us, detail=f"the camera's own rule {rule}".strip()) for rule in self._rules
        ]
        return told or ([Sighting(self.camera, HOT, at_us, on=False)] if ended else [])

    def idle(self, at_us: int) -> list[Sighting]:
        """Nothing came for long: what stood is not known any more, and is over."""
        gone = {
            name
            for (name, _), held in self._held.items()
            if at_us - held.last_us >= self.options.stale_us and held.told
        }
        self._held = {key: held for key, held in self._held.items() if at_us - held.last_us < self.options.stale_us}
        return [each for limit in self.options.limits if limit.name in gone for each in self._over(limit, at_us)]

    def now(self, at_us: int) -> Mapping[str, Reading]:
        """By the camera's id: what was read lately, in degrees Celsius."""
        return {
            item: reading
            for item, (read_us, reading) in self.last.items()
            if 0 <= at_us - read_us < self.options.stale_us
        }

    def _judged(self, limit: Limit, reading: Reading, at_us: int) -> list[Sighting]:
        value = {"highest": reading.highest, "lowest": reading.lowest, "mean": reading.mean}[limit.of]
        if value is None:
            return []
        hot = limit.above is not None and value > limit.above
        cold = limit.below is not None and value < limit.below
        key = (limit.name, reading.item)
        held = self._held.get(key)
        if not hot and not cold:
            self._held.pop(key, None)
            return self._over(limit, at_us) if held is not None and held.told else []
        if held is None or not 0 <= at_us - held.last_us < self.options.stale_us:
            held = self._held[key] = _Held(at_us, at_us)
        held.last_us = at_us
        if at_us - held.since_us < limit.for_us:
            return []
        held.told = True
        bound = limit.above if hot else limit.below
        where = reading.name or reading.item
        detail = f"{value:.1f} °C{f' at {where}' if where else ''}, {'over' if hot else 'under'} {bound:g} °C"
        return [Sighting(self.camera, HOT if hot else COLD, at_us, zones=(limit.name,), detail=detail)]

    def _over(self, limit: Limit, at_us: int) -> list[Sighting]:
        """Unless another spot stands by the same limit."""
        if any(held.told for (name, _), held in self._held.items() if name == limit.name):
            return []
        kinds = [kind for kind, bound in ((HOT, limit.above), (COLD, limit.below)) if bound is not None]
        return [Sighting(self.camera, kind, at_us, zones=(limit.name,), on=False) for kind in kinds]


def in_celsius(reading: Reading) -> Reading:
    """From kelvin."""
    mean = None if reading.mean is None else reading.mean - _KELVIN_AT_0
    return Reading(reading.item, reading.name, reading.highest - _KELVIN_AT_0, reading.lowest - _KELVIN_AT_0, mean)
