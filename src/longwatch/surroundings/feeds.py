"""Which devices are to be asked, and what all of them together say of a camera's power."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from longwatch.base.clock import Clock
from longwatch.model.surroundings import Power
from longwatch.surroundings.device import Device, Feed
from longwatch.surroundings.fact import Fact
from longwatch.surroundings.limit import EntryLimit
from longwatch.surroundings.options import Meter, Options, Relay, Snmp, SwitchPort, Ups


@dataclass(frozen=True, slots=True)
class SwitchSpec:
    """A switch, and which cameras hang on which of its ports."""

    name: str
    snmp: Snmp
    ports: tuple[tuple[str, SwitchPort], ...]


@dataclass(frozen=True, slots=True)
class RelaySpec:
    """A camera's relay."""

    camera: str
    relay: Relay


@dataclass(frozen=True, slots=True)
class MeterSpec:
    """A camera's meter."""

    camera: str
    meter: Meter


Spec = SwitchSpec | RelaySpec | MeterSpec | Ups
"""Equal specs are one device, which new settings do not interrupt."""


def specs(options: Options) -> list[Spec]:
    """Every device that there is something to ask of."""
    found: list[Spec] = []
    for name, snmp in options.switches.items():
        ports = [(p.camera, p.switch_port) for p in options.places if p.behind == name and p.switch_port is not None]
        if snmp is not None and ports:
            found.append(SwitchSpec(name, snmp, tuple(ports)))
    for place in options.places:
        if place.relay is not None:
            found.append(RelaySpec(place.camera, place.relay))
        if place.meter is not None:
            found.append(MeterSpec(place.camera, place.meter))
    if options.ups is not None:
        found.append(options.ups)
    return found


def cameras_of(spec: Spec) -> tuple[str, ...]:
    """Of whom it speaks."""
    if isinstance(spec, SwitchSpec):
        return tuple(camera for camera, _ in spec.ports)
    return () if isinstance(spec, Ups) else (spec.camera,)


@dataclass(frozen=True, slots=True)
class Said:
    """What one device said of a camera, and when."""

    by: str
    feed: Feed
    asked_boot_us: int = 0


def make(spec: Spec, clock: Clock, delivered: set[tuple[str, SwitchPort]]) -> Device:
    """The device of a spec. Its library is loaded here, by who needs it. delivered: the ports that were ever seen to give power, by
    switch; kept by the caller, so that new settings do not forget it.
    """
    if isinstance(spec, SwitchSpec):
        from longwatch.surroundings.switch import SwitchDevice

        return SwitchDevice(spec.name, spec.snmp, spec.ports, clock, delivered)
    if isinstance(spec, Ups):
        from longwatch.surroundings.ups import UpsDevice

        return UpsDevice(spec, clock)
    from longwatch.surroundings.relay import MeterDevice, RelayDevice

    if isinstance(spec, RelaySpec):
        return RelayDevice(spec.camera, spec.relay)
    return MeterDevice(spec.camera, spec.meter)


def combined(said: Sequence[Said]) -> Said:
    """What several devices in a row say of one camera: off where any says off, else on where any says on."""
    decides = next((item for item in said if item.feed.power is Power.OFF), None)
    decides = decides or next((item for item in said if item.feed.power is Power.ON), None)
    decides = decides or next((item for item in said if item.feed.link is not Power.UNKNOWN), Said("", Feed()))
    link = next((item.feed.link for item in said if item.feed.link is not Power.UNKNOWN), Power.UNKNOWN)
    started = next((item.feed.started_boot_us for item in said if item.feed.started_boot_us is not None), None)
    return replace(decides, feed=replace(decides.feed, link=link, started_boot_us=started))


class CameraFeed:
    """One camera's power as it is known now. told: power and link as the ledger knows them."""

    __slots__ = ("detail", "limit", "link", "ordered", "power", "started_boot_us", "told")

    def __init__(self) -> None:
        self.power: Fact[Power] = Fact(Power.UNKNOWN)
        self.link = Power.UNKNOWN
        self.detail = ""
        self.ordered = False
        self.started_boot_us: int | None = None
        self.told: tuple[Power, Power] | None = None
        self.limit = EntryLimit()

    def take(self, said: Sequence[Said], now_us: int) -> bool:
        """What its devices say now. Whether that is news for the ledger: another state than the last that was known."""
        decides = combined(said)
        feed = decides.feed
        self.power.learn(feed.power, decides.by, now_us, decides.asked_boot_us)
        self.link, self.detail, self.started_boot_us = feed.link, feed.detail, feed.started_boot_us
        self.ordered = feed.ordered
        now = (feed.power, feed.link)
        if now in {(Power.UNKNOWN, Power.UNKNOWN), self.told}:
            return False
        first, was = self.told is None, self.told
        if first and Power.OFF not in now:
            self.told = now
            return False
        if was is not None:  # what is not known just now is no change of what was
            now = (was[0] if now[0] is Power.UNKNOWN else now[0], was[1] if now[1] is Power.UNKNOWN else now[1])
        if now == was or not self.limit.take(now_us):
            return False
        self.told = now
        return True
