"""A PoE switch that is not there: a real SNMP agent on a real socket (v2c, and v3 where a user is given), whose ports can be switched."""

from __future__ import annotations

import socket
from typing import Any, Self

from pyasn1.error import PyAsn1Error  # type: ignore[import-untyped]  # it publishes no types
from pysnmp.carrier.asyncio.dgram import udp  # type: ignore[import-untyped]  # nor does this
from pysnmp.entity import config, engine  # type: ignore[import-untyped]  # nor does this
from pysnmp.entity.rfc3413 import cmdrsp, context  # type: ignore[import-untyped]  # nor does this
from pysnmp.proto import rfc1902, rfc1905  # type: ignore[import-untyped]  # nor does this
from pysnmp.smi import error, instrum  # type: ignore[import-untyped]  # nor does this

from longwatch.base.clock import Clock, SystemClock
from longwatch.simulate.ports import SYS_UP_TIME, Ports

_ALL = (1, 3, 6)


class SimulatedSwitch:
    """A switch at `address`. Anybody who knows the community, or the user's passwords, may read, and set
    pethPsePortAdminEnable. Owner of the state: this object, on the event loop it was started on.
    """

    def __init__(
        self,
        ports: int = 8,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        community: str = "public",
        user: str = "",
        auth_password: str = "",
        privacy_password: str = "",
        clock: Clock | None = None,
    ) -> None:
        self.host = host
        self.port = port
        self.clock = clock or SystemClock()
        self.requests = 0
        self._began_us = self.clock.boottime_us()
        self.ports = Ports(ports, lambda: (self.clock.boottime_us() - self._began_us) // 10_000)
        self._community = community
        self._user = (user, auth_password, privacy_password)
        self._engine: Any = None

    @property
    def address(self) -> str:
        """HOST:PORT."""
        return f"{self.host}:{self.port}"

    async def __aenter__(self) -> Self:
        self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Answer. Raises OSError where the port is taken."""
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        try:
            sock.bind((self.host, self.port))
        except OSError:
            sock.close()
            raise
        self.port = sock.getsockname()[1]
        self._engine = snmp = engine.SnmpEngine()
        config.add_transport(snmp, udp.DOMAIN_NAME, udp.UdpAsyncioTransport().open_server_mode(sock=sock))
        self._let_in(snmp)
        around = context.SnmpContext(snmp)
        around.unregister_context_name(b"")
        around.register_context_name(b"", _Objects(self))
        for responder in (
            cmdrsp.GetCommandResponder, cmdrsp.NextCommandResponder, cmdrsp.BulkCommandResponder, cmdrsp.SetCommandResponder,
        ):  # fmt: skip
            responder(snmp, around)

    def stop(self) -> None:
        """Answer no more: the switch is without power. `start` begins it again at the same port."""
        snmp, self._engine = self._engine, None
        if snmp is not None:
            snmp.close_dispatcher()

    def restart(self) -> None:
        """It loses power for a moment: its uptime begins anew."""
        self._began_us = self.clock.boottime_us()

    def _let_in(self, snmp: Any) -> None:
        if self._community:
            config.add_v1_system(snmp, "read-write", self._community)
            config.add_vacm_user(snmp, 2, "read-write", "noAuthNoPriv", _ALL, _ALL)
        user, auth, privacy = self._user
        if user:
            config.add_v3_user(
                snmp, user,
                config.USM_AUTH_HMAC192_SHA256 if auth else config.USM_AUTH_NONE, auth or None,
                config.USM_PRIV_CFB128_AES if privacy else config.USM_PRIV_NONE, privacy or None,
            )  # fmt: skip
            level = "authPriv" if privacy else "authNoPriv" if auth else "noAuthNoPriv"
            config.add_vacm_user(snmp, 3, user, level, _ALL, _ALL)


class _Objects(instrum.AbstractMibInstrumController):  # type: ignore[misc]  # its base has no types
    """What the agent's requests reach."""

    def __init__(self, switch: SimulatedSwitch) -> None:
        self._switch = switch

    def read_variables(self, *rows: Any, **_: Any) -> list[Any]:
        """GET."""
        self._switch.requests += 1
        return [(name, self._value(tuple(name), rfc1905.noSuchInstance)) for name, _ in rows]

    def read_next_variables(self, *rows: Any, **_: Any) -> list[Any]:
        """GETNEXT and GETBULK."""
        self._switch.requests += 1
        found = []
        for name, _ in rows:
            after = self._switch.ports.after(tuple(name))
            if after is None:
                found.append((name, rfc1905.endOfMibView))
            else:
                found.append((rfc1902.ObjectName(after), self._value(after, rfc1905.endOfMibView)))
        return found

    def write_variables(self, *rows: Any, **_: Any) -> list[Any]:
        """SET: all or nothing."""
        self._switch.requests += 1
        orders = []
        for index, (name, value) in enumerate(rows):
            try:
                number = int(value)
            except (TypeError, ValueError, PyAsn1Error):
                raise error.WrongTypeError(name=name, idx=index) from None
            if not self._switch.ports.settable(tuple(name), number):
                raise error.NotWritableError(name=name, idx=index)
            orders.append((int(name[-1]), number == 1))
        for port, on in orders:
            self._switch.ports.switch(port, on=on)
        return list(rows)

    def _value(self, oid: tuple[int, ...], missing: Any) -> Any:
        value = self._switch.ports.read(oid)
        if value is None:
            return missing
        if isinstance(value, str):
            return rfc1902.OctetString(value)
        return rfc1902.TimeTicks(value) if oid == SYS_UP_TIME else rfc1902.Integer32(value)
