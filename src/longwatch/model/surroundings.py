"""What a post can learn of the world around a camera, apart from the camera's own stream. `surroundings` learns it, `causes` reads it."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Protocol


class Answer(enum.StrEnum):
    """Whether an address answers on the wire."""

    ANSWERS = "answers"
    SILENT = "silent"
    UNKNOWN = "unknown"  # not asked yet, or nobody to ask


class Power(enum.StrEnum):
    """Whether something has power, as a switch, relay, meter or UPS says."""

    ON = "on"
    OFF = "off"
    UNKNOWN = "unknown"  # there is no such device, or it does not answer


@dataclass(frozen=True, slots=True)
class Learnt:
    """Where a fact came from and when. by: for people and programs ("arp", "snmp hut port 3", "relay gate-relay", "nut ups@host"),
    without secrets. since_boot_us: when this state was first learnt, CLOCK_BOOTTIME. asked_boot_us: when it was last confirmed.
    """

    by: str = ""
    since_boot_us: int = 0
    asked_boot_us: int = 0


_NOTHING = Learnt()


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What is known around one camera at a moment. Frozen; the newest is asked for when it is needed.

    address: whether the camera's own address answers (ARP or NDP on the same link; through a router, whether any port answers).
    switch: the switch it stands behind, as the settings say; "" where they do not. neighbours_answer, neighbours_silent: ids of the
    other cameras behind that switch by whether they answer, at most eight of each;
    neighbours_unknown: how many are not known, or not asked again since. port_power: of the switch's port, relay or meter that feeds it;
    port_detail: the same in words; port_ordered: it is off because somebody told the switch or relay so, and not only because nothing
    is drawn. port_link: whether the switch's port has a link. switch_started_boot_us: CLOCK_BOOTTIME of when
    the switch itself started; None where it does not say. mains: of the post, by its UPS; battery_percent: of the UPS.
    """

    address: Answer = Answer.UNKNOWN
    address_learnt: Learnt = _NOTHING
    switch: str = ""
    neighbours_answer: tuple[str, ...] = ()
    neighbours_silent: tuple[str, ...] = ()
    neighbours_unknown: int = 0
    port_power: Power = Power.UNKNOWN
    port_link: Power = Power.UNKNOWN
    port_learnt: Learnt = _NOTHING
    port_detail: str = ""
    port_ordered: bool = False
    switch_started_boot_us: int | None = None
    mains: Power = Power.UNKNOWN
    mains_learnt: Learnt = _NOTHING
    battery_percent: int | None = None


UNKNOWN = Surroundings()


class SurroundingsSource(Protocol):
    """Whoever knows them. `of` returns at once, on the event loop."""

    def of(self, camera: str) -> Surroundings:
        """The newest of one camera; UNKNOWN where nothing is known."""
        ...


@dataclass(frozen=True, slots=True)
class MainsState:
    """The post's own supply, for the ledger and for the next start: what was last known before a cut.

    since_wall_us: since when `mains` is as it is. runtime_s: what the UPS believes it lasts. low_battery: the UPS says that it ends
    soon. forced_shutdown: the UPS was told to cut its output.
    """

    mains: Power = Power.UNKNOWN
    battery_percent: int | None = None
    runtime_s: int | None = None
    by: str = ""
    since_wall_us: int = 0
    low_battery: bool = False
    forced_shutdown: bool = False
