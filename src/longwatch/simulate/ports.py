"""The ports of a simulated switch, and what the MIBs say of them. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

PSE_PORT = (1, 3, 6, 1, 2, 1, 105, 1, 1, 1)
IF_OPER_STATUS = (1, 3, 6, 1, 2, 1, 2, 2, 1, 8)
SYS_DESCR = (1, 3, 6, 1, 2, 1, 1, 1, 0)
SYS_UP_TIME = (1, 3, 6, 1, 2, 1, 1, 3, 0)
ADMIN_ENABLE, DETECTION_STATUS = 3, 6
TRUE, FALSE = 1, 2
DISABLED, SEARCHING, DELIVERING, FAULT = 1, 2, 3, 4
UP, DOWN = 1, 2

Oid = tuple[int, ...]


@dataclass(slots=True)
class Port:
    """One port. enabled: by its administrator. plugged: a device that takes power hangs on it. fault: it takes too much."""

    enabled: bool = True
    plugged: bool = True
    fault: bool = False

    @property
    def delivers(self) -> bool:
        """Whether the device has power."""
        return self.enabled and self.plugged and not self.fault

    @property
    def detection(self) -> int:
        """PethPsePortDetectionStatus (RFC 3621)."""
        if not self.enabled:
            return DISABLED
        if self.fault:
            return FAULT
        return DELIVERING if self.plugged else SEARCHING


class Ports:
    """All of them, by number from 1, read and set as SNMP does. changed: called with the number of a port that changed."""

    def __init__(self, count: int, up_ticks: Callable[[], int]) -> None:
        """up_ticks: since the switch started, in 1/100 s."""
        self.ports = {number: Port() for number in range(1, count + 1)}
        self.changed: Callable[[int], None] = lambda _: None
        self._up_ticks = up_ticks
        self._oids = sorted(self._all())

    def switch(self, number: int, *, on: bool) -> None:
        """As its administrator does."""
        self.ports[number].enabled = on
        self.changed(number)

    def plug(self, number: int, *, on: bool) -> None:
        """A device is plugged in, or its plug is pulled."""
        self.ports[number].plugged = on
        self.changed(number)

    def read(self, oid: Oid) -> int | str | None:
        """The value of one object; None where there is none."""
        if oid == SYS_UP_TIME:
            return self._up_ticks() & 0xFFFFFFFF
        if oid == SYS_DESCR:
            return "Longwatch simulated switch"
        port = self.ports.get(oid[-1]) if oid else None
        if port is None or oid not in self._oids:
            return None
        if oid[: len(IF_OPER_STATUS)] == IF_OPER_STATUS:
            return UP if port.delivers else DOWN
        return port.detection if oid[len(PSE_PORT)] == DETECTION_STATUS else TRUE if port.enabled else FALSE

    def after(self, oid: Oid) -> Oid | None:
        """The object that follows; None at the end."""
        return next((other for other in self._oids if other > oid), None)

    def settable(self, oid: Oid, value: int) -> bool:
        """Whether SNMP may set it: pethPsePortAdminEnable alone, to true (1) or false (2)."""
        own = oid[:-2] == (*PSE_PORT, ADMIN_ENABLE) and oid[-2] == 1 and oid[-1] in self.ports
        return own and value in {TRUE, FALSE}

    def _all(self) -> Iterator[Oid]:
        yield SYS_DESCR
        yield SYS_UP_TIME
        for number in self.ports:
            yield (*PSE_PORT, ADMIN_ENABLE, 1, number)
            yield (*PSE_PORT, DETECTION_STATUS, 1, number)
            yield (*IF_OPER_STATUS, number)
