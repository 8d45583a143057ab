"""Both ends of an uplink over real sockets and TLS: a post's `node.post.uplink`, and a hub's listener over a store in memory."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from tests.support.uplink_memory import MemoryHub
from websockets.asyncio.server import Server, ServerConnection, serve

from longwatch.base.clock import Clock, SystemClock
from longwatch.base.tasks import ended
from longwatch.ledger.cosignature import cosign, cosigner_name
from longwatch.model.uplink import Held, HubStore, LogSource, Refused
from longwatch.node.post.uplink import Uplink
from longwatch.replication import Policy
from longwatch.replication.serving import Uplinks
from longwatch.server_db import ServerDb
from longwatch.trust import Authority, Enrolment, SigningKey, authority_of, make_request, server_context, site_of
from longwatch.trust import keep as keep_enrolment
from longwatch.wire.uplink import MAX_FRAME_BYTES, SUBPROTOCOL

NOW_US = 1_767_225_600_000_000


class CosigningHub(MemoryHub):
    """A store in memory that countersigns what it verified."""

    def __init__(self, authority: Authority) -> None:
        super().__init__()
        self.authority = authority

    def take_head(self, post: str, number: int, note: str, key: bytes) -> Held | Refused:
        found = super().take_head(post, number, note, key)
        if isinstance(found, Refused):
            return found
        signer = self.authority.cosigner
        return replace(
            found, note=cosign(note, cosigner_name(self.authority.hub), signer.sign, signer.public, NOW_US // 1_000_000)
        )


def hub_keys(folder: Path) -> Authority:
    folder.mkdir(parents=True, exist_ok=True)
    return authority_of(folder, "hq")


def joined(data: Path, authority: Authority, site: str, address: str) -> Enrolment:
    """As if the site had joined with a code."""
    (data / "trust").mkdir(parents=True, exist_ok=True)
    key = SigningKey(Ed25519PrivateKey.generate())
    certificate = authority.sign(make_request(key, site), site, NOW_US)
    given = Enrolment(
        authority.hub, "Headquarters", address, authority.root_pem.decode(), authority.fingerprint(), site, authority.cosigner.public,
        authority.commander.public, "", NOW_US + 10**15, Path(), NOW_US,
    )  # fmt: skip
    return keep_enrolment(data, given, certificate, key)


class HubEndpoint:
    """A listener on loopback, or where it is told to."""

    def __init__(self, authority: Authority, store: HubStore | None = None, clock: Clock | None = None) -> None:
        self.authority = authority
        self.store: Any = store or CosigningHub(authority)
        self.clock = clock or SystemClock()
        self.uplinks = Uplinks(self.clock)
        self.revoked: set[str] = set()
        self._server: Server | None = None
        self.port = 0

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> None:
        self._server = await serve(
            self._serve, host, port, ssl=server_context(self.authority), subprotocols=[SUBPROTOCOL], compression=None,
            max_size=MAX_FRAME_BYTES, ping_interval=None, process_request=self._may_come,
        )  # fmt: skip
        self.port = self._server.sockets[0].getsockname()[1]

    def _may_come(self, connection: ServerConnection, _request: Any) -> Any:
        return connection.respond(403, "revoked\n") if self._site(connection) in self.revoked else None

    def _site(self, connection: ServerConnection) -> str:
        shown = connection.transport.get_extra_info("ssl_object").getpeercert(binary_form=True)
        return site_of(shown)

    async def _serve(self, connection: ServerConnection) -> None:
        with contextlib.suppress(Exception):
            await self.uplinks.serve(connection, self._site(connection), self.store, _call, {"hub": self.authority.hub})

    async def aclose(self) -> None:
        await self.uplinks.aclose()
        if self._server is not None:
            self._server.close(close_connections=True)
            await self._server.wait_closed()


async def _call(function: Callable[..., Any], *arguments: Any) -> Any:
    return await asyncio.to_thread(function, *arguments)


class DialingPost:
    """A post's uplink over a source, with a `server.db` of its own."""

    def __init__(
        self,
        data: Path,
        enrolment: Enrolment | None,
        log: LogSource,
        policy: Policy | None = None,
        clock: Clock | None = None,
    ) -> None:
        data.mkdir(parents=True, exist_ok=True)
        self.data = data
        self.enrolment = enrolment
        self.policy = policy or Policy()
        self.db = ServerDb(data / "server.db")
        self.uplink = Uplink(
            lambda: self.enrolment,
            log,
            self.db,
            clock or SystemClock(),
            lambda: self.policy,
            data / "hub",
            chance=lambda: 0.0,
        )
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.ensure_future(self.uplink.run())

    async def stop(self) -> None:
        if self._task is not None:
            await ended([self._task], again_s=30)  # it keeps what it knows at its end
        self.db.close()
