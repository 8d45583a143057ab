"""A switch that is asked by SNMP which of its ports give power and have a link: POWER-ETHERNET-MIB (RFC 3621), IF-MIB (RFC 2863).

Only the ports of cameras are asked for, by GET, a few at a time. The library is loaded by whoever imports this module: only where a
switch is in the settings.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from pyasn1.error import PyAsn1Error  # type: ignore[import-untyped]  # it publishes no types
from pysnmp.error import PySnmpError  # type: ignore[import-untyped]  # nor does this
from pysnmp.hlapi.v3arch import asyncio as snmp  # type: ignore[import-untyped]  # nor does this

from longwatch.base.clock import Clock
from longwatch.base.secrets import scrub
from longwatch.model.surroundings import Power
from longwatch.surroundings.device import DeviceError, Feed
from longwatch.surroundings.options import Snmp, SwitchPort

SYS_UP_TIME = (1, 3, 6, 1, 2, 1, 1, 3, 0)
PSE_PORT = (1, 3, 6, 1, 2, 1, 105, 1, 1, 1)
ADMIN_ENABLE, DETECTION_STATUS = 3, 6
IF_OPER_STATUS = (1, 3, 6, 1, 2, 1, 2, 2, 1, 8)
_TIMEOUT_S = 1.5
_RETRIES = 1
_AT_ONCE = 18  # six ports: an answer that fits one packet of any link

_AUTH = {
    "": snmp.usmNoAuthProtocol, "md5": snmp.usmHMACMD5AuthProtocol, "sha": snmp.usmHMACSHAAuthProtocol,
    "sha256": snmp.usmHMAC192SHA256AuthProtocol, "sha512": snmp.usmHMAC384SHA512AuthProtocol,
}  # fmt: skip
_PRIVACY = {
    "": snmp.usmNoPrivProtocol, "des": snmp.usmDESPrivProtocol, "aes": snmp.usmAesCfb128Protocol,
    "aes256": snmp.usmAesCfb256Protocol,
}  # fmt: skip

Oid = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class PortState:
    """What the MIBs say of one port; None where the switch knows no such object."""

    admin: int | None = None
    detection: int | None = None
    link: int | None = None


_DETECTION = {
    1: (Power.OFF, "the switch gives no power: the port is disabled"),
    2: (Power.OFF, "the switch gives no power: it finds no device"),
    3: (Power.ON, "the switch gives power"),
    4: (Power.OFF, "the switch gives no power: fault"),
    6: (Power.OFF, "the switch gives no power: other fault"),
}
_DISABLED, _SEARCHING = 1, 2
_LINK = {1: Power.ON, 2: Power.OFF, 6: Power.OFF, 7: Power.OFF}  # up, down, notPresent, lowerLayerDown


def feed_of(state: PortState, *, delivered: bool) -> Feed:
    """What a port's state means. Pure. delivered: whether the port was ever seen to give power: one that never did says nothing
    while it is searching, since its camera may have a supply of its own.
    """
    if state == PortState():
        return Feed(detail="the switch knows no such port")
    link = _LINK.get(state.link or 0, Power.UNKNOWN)
    if state.admin == 2:
        return Feed(Power.OFF, link, "the switch gives no power: its administrator switched it off", ordered=True)
    power, detail = _DETECTION.get(state.detection or 0, (Power.UNKNOWN, ""))
    if state.detection == _SEARCHING and not delivered:
        return Feed(Power.UNKNOWN, link, "the switch never gave it power, and does not now")
    return Feed(power, link, detail, ordered=state.detection == _DISABLED)


class SwitchDevice:
    """One switch. Owner of its state: the watch's loop."""

    def __init__(
        self,
        name: str,
        options: Snmp,
        ports: tuple[tuple[str, SwitchPort], ...],
        clock: Clock,
        delivered: set[tuple[str, SwitchPort]] | None = None,
    ) -> None:
        """delivered: see `feeds.make`."""
        self.by = f"snmp {name}"
        self._options = options
        self._ports = dict(ports)
        self._clock = clock
        self._feeds: dict[str, Feed] = {}
        self._name = name
        self._delivered = set() if delivered is None else delivered
        self._engine: snmp.SnmpEngine | None = None
        self._target: snmp.UdpTransportTarget | snmp.Udp6TransportTarget | None = None

    def by_of(self, camera: str) -> str:
        """Who says it."""
        return f"{self.by} port {self._ports[camera].poe}"

    def feed(self, camera: str) -> Feed:
        """What it said last of a camera's port."""
        return self._feeds.get(camera, Feed())

    def forget(self) -> None:
        """Nobody knows any more; which ports ever gave power is kept."""
        self._feeds = {}

    def close(self) -> None:
        """Let go of the socket."""
        engine, self._engine, self._target = self._engine, None, None
        if engine is not None:
            engine.close_dispatcher()

    async def run_once(self) -> None:
        """Ask for every port of a camera. Raises DeviceError."""
        wanted = [oid for port in self._ports.values() for oid in _objects(port)]
        said: dict[Oid, int] = {}
        for part in _parts(wanted):
            said |= await self._get([SYS_UP_TIME, *part])
        self._keep(said, self._clock.boottime_us())

    def _keep(self, said: Mapping[Oid, int], now_us: int) -> None:
        up = said.get(SYS_UP_TIME)
        started_us = None if up is None else now_us - up * 10_000
        for camera, port in self._ports.items():
            admin, detection, link = (said.get(oid) for oid in _objects(port))
            feed = feed_of(PortState(admin, detection, link), delivered=(self._name, port) in self._delivered)
            if feed.power is Power.ON:
                self._delivered.add((self._name, port))
            self._feeds[camera] = replace(feed, started_boot_us=started_us)

    async def _get(self, oids: list[Oid]) -> dict[Oid, int]:
        """The integers behind `oids`; an object that there is not is left out. Raises DeviceError."""
        try:
            target = await self._connected()
            assert self._engine is not None
            failed, status, _, rows = await snmp.get_cmd(
                self._engine, self._login(), target, snmp.ContextData(),
                *(snmp.ObjectType(snmp.ObjectIdentity(oid)) for oid in oids), lookupMib=False,
            )  # fmt: skip
        except (PySnmpError, PyAsn1Error, OSError) as error:
            self.close()
            raise DeviceError(f"{self.by} cannot be asked", why=scrub(str(error))[:200]) from error
        if failed or status:
            if self._options.version == "3":
                self.close()  # a switch that restarted has another notion of time: discovery begins anew
            raise DeviceError(
                f"{self.by} does not answer", why=scrub(str(failed or f"error status {int(status)}"))[:200]
            )
        found: dict[Oid, int] = {}
        for name, value in rows:
            try:
                found[tuple(name)] = int(value)
            except (TypeError, ValueError, PyAsn1Error):
                continue  # noSuchObject, noSuchInstance
        return found

    async def _connected(self) -> snmp.UdpTransportTarget | snmp.Udp6TransportTarget:
        if self._target is None:
            self._engine = snmp.SnmpEngine()
            kind = snmp.Udp6TransportTarget if ":" in self._options.host else snmp.UdpTransportTarget
            self._target = await kind.create((self._options.host, self._options.port), _TIMEOUT_S, _RETRIES)
        return self._target

    def _login(self) -> snmp.CommunityData | snmp.UsmUserData:
        options = self._options
        if options.version != "3":
            return snmp.CommunityData(options.community, mpModel=1)  # noqa: S508 - many switches of cameras know no better
        return snmp.UsmUserData(
            options.user,
            authKey=options.auth_password or None,
            privKey=options.privacy_password or None,
            authProtocol=_AUTH[options.auth],
            privProtocol=_PRIVACY[options.privacy],
        )


def _objects(port: SwitchPort) -> tuple[Oid, Oid, Oid]:
    index = (port.group, port.poe)
    return (
        (*PSE_PORT, ADMIN_ENABLE, *index), (*PSE_PORT, DETECTION_STATUS, *index), (*IF_OPER_STATUS, port.interface),
    )  # fmt: skip


def _parts(oids: list[Oid]) -> Iterator[list[Oid]]:
    for at in range(0, len(oids), _AT_ONCE):
        yield oids[at : at + _AT_ONCE]
