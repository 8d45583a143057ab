"""Who belongs to a hub: invites, joining, renewing, revoking. Each is an entry in the hub's own ledger before it takes effect.

Owner of no state but what is in the fleet's database; the same desk serves the server's routes and socket, and a verb while no server runs.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from longwatch.accounts import Who
from longwatch.accounts.who import STRANGER
from longwatch.base.clock import Clock
from longwatch.base.errors import LongwatchError, UsageError
from longwatch.base.ids import is_slug
from longwatch.base.rfc3339 import format_us
from longwatch.fleet import Fleet, PostRow, Processes
from longwatch.fleet.certificates import Certificates, Issued, Verdict
from longwatch.health import DoorState
from longwatch.ledger import kinds
from longwatch.node.link import Ledger
from longwatch.trust import LIFE_S, Authority, CertificateError, Code, Peer, fresh_secret, hash_of, peer_of, serial_of
from longwatch.trust.certificates import der_of
from longwatch.trust.courier_key import courier_identity, recipient_of
from longwatch.trust.exchange import Asking, Given

_log = structlog.get_logger(__name__)
INVITE_S = 24 * 3600


@dataclass(frozen=True, slots=True)
class HubOptions:
    """id, name: of the hub. address: HOST:PORT under which sites reach it."""

    id: str
    name: str
    address: str
    data: Path


class HubDesk:
    """See the module. on_revoked: told of a site that is no longer let in, so that its connection ends. on_joined: told that there is one more: the
    hub above has to hear of it.
    """

    def __init__(
        self, options: HubOptions, authority: Authority, fleet: Fleet, ledger: Ledger, clock: Clock, *, life_s: int = LIFE_S
    ) -> None:  # fmt: skip
        self.options = options
        self.authority = authority
        self.fleet = fleet
        self.certificates = Certificates(fleet, clock.wall_us)
        self.on_revoked: list[Callable[[str], Awaitable[None]]] = []
        self.on_joined: list[Callable[[], None]] = []
        self._ledger = ledger
        self._clock = clock
        self._life_s = life_s
        self._courier = recipient_of(courier_identity(options.data))

    @property
    def keys(self) -> Authority:
        """What the listening end needs."""
        return self.authority

    # -- what people do

    async def invite(self, post: str, who: Who, reason: str = "") -> tuple[Code, int]:
        """A code that lets one site join, once, within a day; and when it ends. Codes for it from before are void. Raises UsageError."""
        if not is_slug(post) or post == self.options.id:
            raise UsageError(
                f"{post[:80]!r} cannot be the id of a post here", why="it is the hub's own" if post == self.options.id else "",
                remedy="use a-z, 0-9 and -, at most 40, not - at the ends; as `post.id` in the settings of that post",
            )  # fmt: skip
        row = await self.fleet.db.call(self.fleet.post, post)
        if row is not None and row.via and row.revoked_us is None:
            raise UsageError(
                f"{post} belongs to the hub {row.via[-1]}, through which it is seen here",
                remedy="invite it there; to have it here instead, revoke it here first",
            )
        secret = fresh_secret()
        expires_us = self._clock.wall_us() + INVITE_S * 1_000_000
        body: dict[str, object] = {"expires_us": expires_us, "post": post}
        await self._enter(kinds.POST_INVITED, body, who, reason)
        await self.fleet.db.call(self.fleet.invite, hash_of(secret), post, expires_us, f"subject {who.subject}")
        return Code(self.options.address, self.authority.fingerprint(), post, secret), expires_us

    async def revoke(self, post: str, who: Who, reason: str) -> None:
        """Take nothing from this post any more, from now on; what it told stays. Raises UsageError where it is not known or a reason is missing."""
        if not reason.strip():
            raise UsageError("this asks for a reason", remedy="say why, in one line")
        row = await self.fleet.db.call(self.fleet.post, post)
        if row is None:
            raise UsageError(f"there is no post {post[:80]!r}", remedy="see `longwatch hub posts`")
        await self._enter(kinds.POST_REVOKED, {"post": post, "serial": row.serial}, who, reason)
        await self.fleet.db.call(self.certificates.revoke, post, reason)
        for told in self.on_revoked:
            await told(post)

    async def posts(self) -> list[PostRow]:
        """All that ever joined."""
        return await self.fleet.db.call(self.fleet.posts)

    async def doors(self) -> tuple[DoorState, ...]:
        """Processes of this hub, the console among them; none where there is one process over a file."""
        known = Processes(self.fleet.db, self._clock.wall_us)
        rows = await self.fleet.db.call(known.listed)
        holding = [
            found.process for post, found in (await asyncio.to_thread(known.reached)).items() if found.site == post
        ]
        return tuple(
            DoorState(
                row.name, row.address, row.version, row.started_us, row.seen_us, known.is_there(row),
                row.ended_us is not None, holding.count(row.name),
            )
            for row in rows
        )  # fmt: skip

    async def processes(self) -> list[dict[str, Any]]:
        """The same, as verbs show it."""
        return [
            {"name": door.name, "address": door.address, "version": door.version, "started": format_us(door.started_us),
             "seen": format_us(door.seen_us), "connections": door.connections,
             "state": "here" if door.here else "ended" if door.ended else "away"}
            for door in await self.doors()
        ]  # fmt: skip

    # -- what sites do

    async def enrol(self, asked: Asking, address: str) -> Given:
        """A code is used. Raises LongwatchError: NotEnrolledError where it lets nobody in, CertificateError for a request that is none."""
        if asked.post == self.options.id:
            raise UsageError("a hub does not join itself")

        def issue() -> Issued:
            return self._issue(asked.csr, asked.post)

        issued = await self.fleet.db.call(
            self.certificates.enrol, hash_of(asked.secret), asked.post, asked.name or asked.post, asked.origin, asked.key,
            _key_hash(asked.csr), issue,
        )  # fmt: skip
        body: dict[str, object] = {
            "again": issued.again, "key": asked.key.hex(), "origin": asked.origin, "post": asked.post, "role": asked.role,
            "serial": issued.serial,
        }  # fmt: skip
        await self._enter(kinds.POST_JOINED, body, Who(STRANGER, address=address))
        _log.info("a post has joined", post=asked.post, serial=issued.serial, again=issued.again)
        self.joined()
        return self._given(issued)

    def joined(self) -> None:
        """A post is known that was not, or by another ledger."""
        for told in self.on_joined:
            told()

    async def renew(self, peer: Peer, csr: bytes, address: str) -> Given:
        """A newer certificate for a site that showed one which is good, or has ended and was not revoked. Raises LongwatchError."""
        verdict = await self.fleet.db.call(self.certificates.look, peer.site, peer.serial)
        if verdict not in {Verdict.GOOD, Verdict.EXPIRED}:
            raise LongwatchError(f"the certificate is {verdict}", remedy="join again with a new code")

        def issue() -> Issued:
            return self._issue(csr, peer.site)

        issued = await self.fleet.db.call(self.certificates.renew, peer.site, _key_hash(csr), issue)
        body: dict[str, object] = {"before": peer.serial, "post": peer.site, "serial": issued.serial}
        await self._enter(kinds.POST_RENEWED, body, Who(STRANGER, address=address))
        return self._given(issued)

    def _issue(self, csr: bytes, site: str) -> Issued:
        pem = self.authority.sign(csr, site, self._clock.wall_us(), self._life_s)
        return Issued(serial_of(pem), pem, peer_of(der_of(pem)).expires_us)

    def _given(self, issued: Issued) -> Given:
        authority = self.authority
        return Given(
            self.options.id, self.options.name, issued.pem, issued.expires_us, authority.cosigner.public, authority.commander.public,
            self._courier,
        )  # fmt: skip

    async def admit(self, peer: Peer) -> Verdict:
        """Whether a connection of this site may begin."""
        return await self.fleet.db.call(self.certificates.admit, peer.site, peer.serial)

    async def standing(self) -> frozenset[tuple[str, str]]:
        """(site, serial) of all whose connections may go on. Raises LongwatchError."""
        return await asyncio.to_thread(self.certificates.standing)

    def welcome(self, peer: Peer) -> dict[str, Any]:
        """What a site is greeted with. left_s: how long its certificate is good yet, by our clock; it counts on by its own boot time."""
        return greeting_of(self.options.id, self.options.name, peer, self._clock.wall_us(), self._life_s)

    async def _enter(self, kind: str, body: dict[str, object], who: Who, reason: str = "") -> None:
        await self._ledger.request("entry", kind=kind, body=body, person=who.person(reason))


def greeting_of(hub: str, name: str, peer: Peer, now_us: int, life_s: int = LIFE_S) -> dict[str, Any]:
    """What a site is greeted with, at whichever process of the hub."""
    left_s = (peer.expires_us - now_us) // 1_000_000
    return {"hub": hub, "name": name, "certificate": {"left_s": left_s, "life_s": life_s}, "wall_us": now_us}


def _key_hash(csr: bytes) -> bytes:
    try:
        public = x509.load_pem_x509_csr(csr).public_key()
    except (ValueError, UnsupportedAlgorithm) as error:
        raise CertificateError("no request for a certificate", why=str(error)) from error
    return hashlib.sha256(public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).digest()
