"""How HTTP is served: uvicorn on our own socket and our own signals."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import logging
import re
import socket
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from longwatch.accounts.limits import place_of
from longwatch.base.errors import UsageError
from longwatch.node.server.options import Door
from longwatch.wire.uplink import MAX_OBJECT_BYTES

_GRACE_S = 2
MOST_REQUEST_BYTES = 128 << 10
_HEAD_BYTES = 1 << 20  # beside the largest body: its head, and how a body is cut into parts
LARGE = (
    (re.compile(r"/api/v1/settings(/check)?"), 4 << 20),
    (re.compile(r"/api/v1/posts/[^/]+/(commands|settings/check)"), 1 << 20),
    (re.compile(r"/api/v1/upgrades/releases"), MAX_OBJECT_BYTES),
)
"""Paths whose bodies may be longer, and how long. What takes them says the same as its `max_body_size`."""
WHOLE_WITHIN_S = 20.0
_STEP_BYTES = 64 << 10
MOST_UNSENT_BYTES = 128 << 10
MOST_CONNECTIONS = 1000
MOST_OF_ONE_ADDRESS = 200
_TOO_LARGE = b"HTTP/1.1 431 Request Header Fields Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
_TOO_MANY = b"HTTP/1.1 429 Too Many Requests\r\nContent-Length: 0\r\nRetry-After: 5\r\nConnection: close\r\n\r\n"


class Crowd:
    """How many connections each address has (of IPv6: each network of 64 bits). Owner of its state: one server, on its event loop.

    proxies: networks that speak for many people, and are not counted.
    """

    def __init__(self, proxies: Sequence[str] = ()) -> None:
        self._proxies = [ipaddress.ip_network(text, strict=False) for text in proxies]
        self._counts: Counter[str] = Counter()

    def enter(self, address: str) -> bool:
        """Whether there is room for one more. Every one that entered has to leave."""
        place = place_of(address)
        if self._counts[place] >= MOST_OF_ONE_ADDRESS:
            return False
        self._counts[place] += 1
        return True

    def leave(self, address: str) -> None:
        """One that entered is gone."""
        place = place_of(address)
        self._counts[place] -= 1
        if self._counts[place] <= 0:
            del self._counts[place]

    def counts(self, address: str) -> bool:
        """Whether connections of this address are counted: it is one, and no proxy's."""
        try:
            place = ipaddress.ip_address(address)
        except ValueError:
            return False
        return not any(place in network for network in self._proxies)


class CappedHttp(HttpToolsProtocol):
    """HTTP/1.1 with bounds that httptools has not: a request is at most 128 KiB, head and body, and is whole within 20 s. A settings
    file and a bundle may be larger, by their paths, and 64 KiB more of them come each 20 s: nothing of it is read before the guard let it in, and no more than 64 KiB of it wait for that.
    One address has at most 200 connections that are not WebSockets (those need a login).

    Without them anybody could fill the memory with one endless header, or take every connection and never say a word.
    """

    crowd = Crowd()
    _counted = ""
    _most = MOST_REQUEST_BYTES
    _step = _STEP_BYTES
    _deadline: asyncio.TimerHandle

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._begin()
        address = str((transport.get_extra_info("peername") or ("",))[0])
        if self.crowd.counts(address):
            if self.crowd.enter(address):
                self._counted = address
            else:
                transport.write(_TOO_MANY)
                transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self._deadline.cancel()
        self._leave()
        super().connection_lost(exc)

    def _leave(self) -> None:
        counted, self._counted = self._counted, ""
        if counted:
            self.crowd.leave(counted)

    def data_received(self, data: bytes) -> None:
        if self._incoming:
            self._received += len(data)
            if self._received > self._most:
                self.transport.write(_TOO_LARGE)
                self.transport.close()
                return
            if self._most > MOST_REQUEST_BYTES and self._received >= self._step:
                self._step = self._received + _STEP_BYTES
                self._deadline.cancel()
                self._deadline = self.loop.call_later(WHOLE_WITHIN_S, self._late)
        if not self.transport.is_closing():
            super().data_received(data)

    def on_message_begin(self) -> None:
        if not self._incoming:  # the next request of a connection that is kept
            self._begin()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        super().on_headers_complete()
        path = str(self.scope.get("path", ""))
        self._most = next((most + _HEAD_BYTES for form, most in LARGE if form.fullmatch(path)), self._most)

    def on_message_complete(self) -> None:
        self._end()
        super().on_message_complete()

    def handle_websocket_upgrade(self) -> None:
        self._end()
        self._leave()
        super().handle_websocket_upgrade()

    def _begin(self) -> None:
        self._incoming = True
        self._received = 0
        self._most = MOST_REQUEST_BYTES
        self._step = _STEP_BYTES
        self._deadline = self.loop.call_later(WHOLE_WITHIN_S, self._late)

    def _end(self) -> None:
        self._incoming = False
        self._deadline.cancel()

    def _late(self) -> None:
        self.transport.close()


class _Uvicorn(uvicorn.Server):
    """Signals are ours: uvicorn would raise them once more after it has ended."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def listen(door: Door) -> socket.socket:
    """Raises UsageError where the address is taken or is not of this machine."""
    family = socket.AF_INET6 if ":" in door.host else socket.AF_INET
    try:
        listening = socket.create_server((door.host, door.port), family=family, backlog=256)
    except OSError as error:
        raise UsageError(
            f"cannot listen on {door.host}:{door.port}",
            why=error.strerror or str(error),
            remedy="choose another address in web.listen, or stop what uses this one",
        ) from error
    # Every connection takes it over. Without it the kernel takes megabytes of live video for a link that carries them in
    # minutes: the picture would be old before it left, and nobody here could know.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, MOST_UNSENT_BYTES)
    return listening


def http_server(app: FastAPI, door: Door) -> uvicorn.Server:
    """How HTTP is served. No access log: signed URLs are keys. A proxy's word is taken only from its own networks."""
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
    config = uvicorn.Config(
        app,
        loop="none",
        http=type("CountingHttp", (CappedHttp,), {"crowd": Crowd(door.proxies)}),
        ws="websockets-sansio",
        ws_max_size=16 << 10,
        ws_per_message_deflate=False,
        lifespan="off",
        access_log=False,
        log_config=None,
        server_header=False,
        proxy_headers=bool(door.proxies),
        forwarded_allow_ips=list(door.proxies),
        ssl_certfile=door.certificate,
        ssl_keyfile=door.key,
        timeout_graceful_shutdown=_GRACE_S,
        limit_concurrency=MOST_CONNECTIONS,
    )
    return _Uvicorn(config)
