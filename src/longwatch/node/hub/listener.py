"""Where sites dial in: one port, TLS 1.3, WebSockets by path. docs/design/enrolment.md.

`/ca`: the CA certificate, for who has a code and holds it against that. `/enrol`: a code is used; no certificate is asked for. `/renew`, `/uplink`: with a
certificate that the table calls good, looked up at every handshake; a connection whose certificate is no longer good ends within seconds, a revoked one at once.
Owner of the connections: the event loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import http
import logging
import sys
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

import structlog
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol

from longwatch.base.clock import Clock
from longwatch.base.descriptors import allow_descriptors
from longwatch.base.errors import LongwatchError
from longwatch.base.tasks import Tasks
from longwatch.fleet.certificates import NotEnrolledError, Verdict
from longwatch.node.hub.strangers import Strangers
from longwatch.trust import Authority, CertificateError, DoorKeys, Peer, peer_of, server_context
from longwatch.trust.exchange import (
    MAX_BYTES,
    PATH_CA,
    PATH_ENROL,
    PATH_RENEW,
    PATH_UPLINK,
    REASON_HEADER,
    SUBPROTOCOL,
    Asking,
    ExchangeError,
    parse_asking,
    refusal,
)
from longwatch.wire import uplink

_log = structlog.get_logger(__name__)
MOST_TRIES = 10
TRIES_S = 60.0
MOST_RENEWALS = 10
"""Of one site in an hour."""
_MOST_ADDRESSES = 1024
_SAID_WITHIN_S = 60.0
STRANGER_S = 20.0
"""So long may somebody without a certificate say nothing: the one message of who joins is there a round trip after the connection."""
_LOOK_S = 5.0
_HANDSHAKE_S = 30.0
DESCRIPTORS = 16_384
"""Each post has one, and whoever watches."""
_SWITCH_S = 0.0005
_PING_S, _PONG_S = 30.0, 90.0


class Tries:
    """How often an address has failed to join lately. A code has 128 random bits; this keeps the log and the database quiet. Bounded."""

    def __init__(self, clock: Clock, most: int = MOST_TRIES, per_s: float = TRIES_S) -> None:
        self._clock = clock
        self._most = most
        self._per_us = int(per_s * 1e6)
        self._seen: OrderedDict[str, tuple[int, int]] = OrderedDict()

    def may(self, address: str) -> bool:
        """Whether this one may try now."""
        since_us, count = self._seen.get(address, (0, 0))
        return count < self._most or self._clock.boottime_us() - since_us >= self._per_us

    def failed(self, address: str) -> None:
        """It tried, and was not let in."""
        now_us = self._clock.boottime_us()
        since_us, count = self._seen.pop(address, (now_us, 0))
        if now_us - since_us >= self._per_us:
            since_us, count = now_us, 0
        self._seen[address] = since_us, count + 1
        while len(self._seen) > _MOST_ADDRESSES:
            self._seen.popitem(last=False)


class _Quiet(logging.Filter):
    """Whoever finds an open port knocks: a handshake that comes to nothing is no error of ours."""

    def filter(self, record: logging.LogRecord) -> bool:
        return "handshake failed" not in record.getMessage()


_websockets_log = logging.getLogger("longwatch.hub_listener")
_websockets_log.addFilter(_Quiet())


Serve = Callable[[ServerConnection, Peer], Awaitable[None]]


class Answered(Protocol):
    """What a site is answered that joins or renews: `trust.exchange.Given`."""

    def text(self) -> str: ...


class Desk(Protocol):
    """`desk.HubDesk`, or what stands for it at a door. on_revoked: told of a site that is no longer let in."""

    on_revoked: list[Callable[[str], Awaitable[None]]]

    @property
    def keys(self) -> Authority | DoorKeys: ...
    async def enrol(self, asked: Asking, address: str) -> Answered: ...
    async def renew(self, peer: Peer, csr: bytes, address: str) -> Answered: ...
    async def admit(self, peer: Peer) -> Verdict: ...
    async def standing(self) -> frozenset[tuple[str, str]]: ...
    def welcome(self, peer: Peer) -> dict[str, Any]: ...


class HubListener:
    """serve_site: what is done with a connection of a site that is let in, until it ends (`replication.Uplinks.serve`).

    on_refused: told of a site whose certificate is not let in, and why. stranger_s: how long one without a certificate may say nothing.
    """

    def __init__(
        self, desk: Desk, clock: Clock, serve_site: Serve, on_refused: Callable[[str, str], None] = lambda _site, _why: None,
        stranger_s: float = STRANGER_S,
    ) -> None:  # fmt: skip
        self._desk = desk
        self._clock = clock
        self._serve_site = serve_site
        self._on_refused = on_refused
        self._tries = Tries(clock)
        self._renewals = Tries(clock, MOST_RENEWALS, 3600.0)
        self._strangers: Strangers[ServerConnection] = Strangers()
        self._stranger_s = stranger_s
        self._connected: dict[ServerConnection, Peer] = {}
        self._tasks = Tasks("hub-listener")
        self._server: Server | None = None
        self.port = 0
        desk.on_revoked.append(self.end)

    async def start(self, host: str, port: int) -> None:
        """Listen. Raises LongwatchError."""
        allow_descriptors(DESCRIPTORS)
        # Each statement of the writing thread lets go of the interpreter and takes it back: by default whoever computes meanwhile may keep it for 5 ms.
        sys.setswitchinterval(_SWITCH_S)
        context = await asyncio.to_thread(server_context, self._desk.keys)
        try:
            self._server = await serve(
                self._handle, host, port, ssl=context, ssl_handshake_timeout=_HANDSHAKE_S, open_timeout=_HANDSHAKE_S,
                process_request=self._look, subprotocols=[Subprotocol(uplink.SUBPROTOCOL), Subprotocol(SUBPROTOCOL)],
                select_subprotocol=_subprotocol, max_size=uplink.MAX_FRAME_BYTES, max_queue=8, compression=None,
                ping_interval=_PING_S, ping_timeout=_PONG_S, server_header=None, logger=_websockets_log,
            )  # fmt: skip
        except OSError as error:
            raise LongwatchError(
                f"posts cannot dial in at {host}:{port}",
                why=error.strerror or str(error),
                remedy="see `uplink.listen` in the settings",
            ) from error
        self.port = next(iter(self._server.sockets)).getsockname()[1]
        self._tasks.start("watch", self._watch())

    async def aclose(self) -> None:
        """Let nobody in any more, and end what stands."""
        await self._tasks.aclose()
        if self._server is not None:
            self._server.close(close_connections=True)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(2):
                    await self._server.wait_closed()

    def sites(self) -> list[str]:
        """Who is connected."""
        return sorted({peer.site for peer in self._connected.values()})

    # -- handshakes

    async def _look(self, connection: ServerConnection, request: Request) -> Response | None:
        """Before the WebSocket is there: who it is, and whether this path is for them."""
        path = request.path.partition("?")[0]
        if path in {PATH_CA, PATH_ENROL}:
            address = _address(connection)
            if not self._strangers.may(address) or not self._tries.may(address):
                return _refused(connection, http.HTTPStatus.TOO_MANY_REQUESTS, "too_many")
            return None
        if path not in {PATH_RENEW, PATH_UPLINK}:
            return _refused(connection, http.HTTPStatus.NOT_FOUND, "no_such_path")
        try:
            peer = _peer(connection)
        except CertificateError:
            return _refused(connection, http.HTTPStatus.UNAUTHORIZED, "no_certificate")
        try:
            verdict = await self._desk.admit(peer) if path == PATH_UPLINK else Verdict.GOOD  # `renew` looks by itself
        except LongwatchError as error:
            _log.error("whether a post may be let in cannot be told now", site=peer.site, reason=str(error))
            return _refused(connection, http.HTTPStatus.SERVICE_UNAVAILABLE, "later")
        if verdict is not Verdict.GOOD:
            _log.warning("a certificate is not let in", site=peer.site, serial=peer.serial, why=str(verdict))
            self._on_refused(peer.site, str(verdict))
            return _refused(connection, http.HTTPStatus.FORBIDDEN, str(verdict))
        return None

    async def _handle(self, connection: ServerConnection) -> None:
        request = connection.request
        path = "" if request is None else request.path.partition("?")[0]
        with contextlib.suppress(ConnectionClosed, TimeoutError):
            if path == PATH_UPLINK:
                await self._site(connection)
            elif path == PATH_RENEW:
                await self._exchange(connection, self._renew)
            elif path == PATH_ENROL:
                await self._stranger(connection, self._enrol)
            else:
                await self._stranger(connection, self._ca)

    async def _site(self, connection: ServerConnection) -> None:
        peer = _peer(connection)
        self._connected[connection] = peer
        try:
            await self._serve_site(connection, peer)
        finally:
            self._connected.pop(connection, None)

    # -- exchanges

    async def _stranger(
        self, connection: ServerConnection, answer: Callable[[ServerConnection], Awaitable[str]]
    ) -> None:
        goes = self._strangers.enter(connection, _address(connection))
        if goes is not None:
            _log.info("somebody who said nothing makes way at the door", address=_address(goes))
            _end(goes)
        if goes is connection:
            return
        try:
            await self._exchange(connection, answer)
        finally:
            self._strangers.leave(connection)

    async def _exchange(
        self, connection: ServerConnection, answer: Callable[[ServerConnection], Awaitable[str]]
    ) -> None:
        try:
            said = await answer(connection)
        except NotEnrolledError as error:
            self._tries.failed(_address(connection))
            _log.warning("a code lets nobody join", address=_address(connection), why=error.reason)
            said = refusal(error, error.reason)
        except (ExchangeError, CertificateError) as error:
            self._tries.failed(_address(connection))
            _log.warning("what a site asks is no request", address=_address(connection), reason=str(error))
            said = refusal(error)
        except LongwatchError as error:
            _log.warning("a site was not let join or renew", address=_address(connection), reason=str(error))
            said = refusal(error)
        async with asyncio.timeout(_SAID_WITHIN_S):
            await connection.send(said)
        await connection.close()

    async def _asked(self, connection: ServerConnection, within_s: float = _SAID_WITHIN_S) -> bytes | str:
        async with asyncio.timeout(within_s):
            said = await connection.recv()
        return said if len(said) <= MAX_BYTES else ""

    async def _ca(self, _: ServerConnection) -> str:
        return self._desk.keys.root_pem.decode()

    async def _enrol(self, connection: ServerConnection) -> str:
        asked = parse_asking(await self._asked(connection, self._stranger_s))
        self._strangers.serve(connection, served=True)
        try:
            return (await self._desk.enrol(asked, _address(connection))).text()
        finally:
            self._strangers.serve(connection, served=False)

    async def _renew(self, connection: ServerConnection) -> str:
        csr = await self._asked(connection)
        peer = _peer(connection)
        if not self._renewals.may(peer.site):
            raise LongwatchError(
                f"{peer.site} asks for certificates too often", why=f"{MOST_RENEWALS} an hour", remedy="try again within the hour"
            )  # fmt: skip
        self._renewals.failed(peer.site)  # each may be an entry of the hub's own ledger, which nothing ever shortens
        given = await self._desk.renew(peer, csr if isinstance(csr, bytes) else csr.encode(), _address(connection))
        return given.text()

    # -- connections that stand

    async def end(self, site: str) -> None:
        """A site is not let in any more: its connection is cut."""
        for connection, peer in list(self._connected.items()):
            if peer.site == site:
                _end(connection)

    async def _watch(self) -> None:
        """Another process of this hub, or a verb, may have revoked a site."""
        while True:
            await self._clock.sleep(_LOOK_S)
            if not self._connected:
                continue
            before = dict(self._connected)
            try:
                standing = await self._desk.standing()
            except LongwatchError as error:
                _log.warning("whether posts may go on cannot be told now", reason=str(error))
                continue
            for connection, peer in before.items():
                if (peer.site, peer.serial) not in standing:
                    _log.warning("a connection ends: its certificate is no longer good", site=peer.site)
                    _end(connection)


def _end(connection: ServerConnection) -> None:
    """At once: nothing more is taken from it, and nothing is waited for."""
    transport = connection.transport
    if transport is not None:
        transport.abort()


def _peer(connection: ServerConnection) -> Peer:
    """Raises CertificateError."""
    ssl_object = connection.transport.get_extra_info("ssl_object")
    return peer_of(None if ssl_object is None else ssl_object.getpeercert(True))


def _address(connection: ServerConnection) -> str:
    found: Any = connection.remote_address
    return str(found[0])[:60] if isinstance(found, tuple) and found else ""


def _subprotocol(_: ServerConnection, offered: Any) -> Subprotocol | None:
    for known in (uplink.SUBPROTOCOL, SUBPROTOCOL):
        if known in offered:
            return Subprotocol(known)
    return None


def _refused(connection: ServerConnection, status: http.HTTPStatus, reason: str) -> Response:
    response = connection.respond(status, reason + "\n")
    response.headers[REASON_HEADER] = reason
    return response
