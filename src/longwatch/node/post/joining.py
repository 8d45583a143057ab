"""How a site joins a hub, leaves it, and renews its certificate. docs/design/enrolment.md.

The entry is durable before anything takes effect. The key of the certificate that is asked for is kept first, so that an answer that was lost is had by asking
again. Owner of `data/trust` of the site: the server, or a verb that holds `server.lock`.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog

from longwatch import trust
from longwatch.accounts import POST, Who
from longwatch.archive.published import PublishedLog
from longwatch.base.clock import Clock
from longwatch.base.errors import LongwatchError, UsageError
from longwatch.config import Settings
from longwatch.ledger import kinds
from longwatch.node.link import Ledger
from longwatch.node.post.dialling import ask_to_join, ask_to_renew
from longwatch.trust.exchange import Asking, Given

_log = structlog.get_logger(__name__)
_HEAD_WITHIN_S = 15.0
_LOOK_S = 0.2
_RENEW_EVERY_S = 3600.0


@dataclass(frozen=True, slots=True)
class Joiner:
    """The site that joins. id, name: of its settings. role: `post` or `hub`."""

    id: str
    name: str
    role: str
    volumes: Sequence[Path]

    @property
    def data(self) -> Path:
        """The first volume."""
        return self.volumes[0]


def joiner_of(settings: Settings) -> Joiner:
    """The site of these settings."""
    return Joiner(settings.post.id, settings.post.name, settings.role, tuple(settings.volumes))


class Joining:
    """One site's. site: asked each time, since settings are read again. on_change: told once another enrolment is in force, or none."""

    def __init__(self, site: Callable[[], Joiner], ledger: Ledger, clock: Clock) -> None:
        self.on_change: list[Callable[[], None]] = []
        self._site = site
        self._ledger = ledger
        self._clock = clock
        self._turn = asyncio.Lock()

    async def join(self, text: str, who: Who, *, reason: str = "", leave: bool = False) -> trust.Enrolment:
        """Use a code. leave: another hub, or this one of before, may be left for it, with a reason. Raises LongwatchError."""
        code = trust.parse_code(text)
        async with self._turn:
            site = self._site()
            if code.post != site.id:
                raise UsageError(
                    f"the code is for the post {code.post!r}, and this is {site.id!r}",
                    remedy=f"at the hub: `longwatch hub invite {site.id}`; an id does not change once a post has joined",
                )
            before = await asyncio.to_thread(trust.enrolment_of, site.data)
            _check_leaving(before, reason, leave=leave)
            origin, key = await self._log_of(site)
            pending = await asyncio.to_thread(trust.pending_key, site.data)
            asking = Asking(
                code.secret, site.id, site.name, site.role, origin, key, trust.make_request(pending, site.id)
            )
            ca, given = await ask_to_join(code, asking)
            if given.hub == site.id:
                raise UsageError(f"the hub there is called {site.id!r} too", remedy="give this one another id")
            enrolment = self._enrolment(code, ca, given, site)
            if before is not None:
                await self._enter(kinds.HUB_LEFT, {"hub": before.hub, "site": before.site}, who, reason)
            body: dict[str, object] = {
                "address": code.address, "fingerprint": code.fingerprint, "hub": given.hub, "serial": trust.serial_of(given.certificate),
                "site": site.id,
            }  # fmt: skip
            await self._enter(kinds.HUB_JOINED, body, who, reason)
            kept = await asyncio.to_thread(trust.keep, site.data, enrolment, given.certificate, pending)
            _log.info("joined a hub", hub=kept.hub, address=kept.address, serial=kept.serial)
        self._changed()
        return kept

    async def leave(self, who: Who, reason: str) -> str:
        """Belong to no hub any more; the id of the one that is left. Nothing is asked of it. Raises UsageError where there is none."""
        async with self._turn:
            site = self._site()
            before = await asyncio.to_thread(trust.enrolment_of, site.data)
            if before is None:
                raise UsageError("this site has joined no hub", remedy="`longwatch join CODE` joins one")
            _check_leaving(before, reason, leave=True)
            await self._enter(kinds.HUB_LEFT, {"hub": before.hub, "site": before.site}, who, reason)
            await asyncio.to_thread(trust.forget, site.data)
            _log.info("left a hub", hub=before.hub)
        self._changed()
        return before.hub

    async def renew(self) -> trust.Enrolment | None:
        """Ask the hub for a newer certificate, with a fresh key; None where no hub is joined. The older one stays until `used`. Raises LongwatchError."""
        async with self._turn:
            data = self._site().data
            enrolment = await asyncio.to_thread(trust.enrolment_of, data)
            if enrolment is None:
                return None
            pending = await asyncio.to_thread(trust.pending_key, data)
            given = await ask_to_renew(enrolment, trust.make_request(pending, enrolment.site))
            if (given.hub, given.cosigner) != (enrolment.hub, enrolment.cosigner):
                raise LongwatchError("the hub's keys have changed", remedy="join it again with a new code")
            fresh = trust.Enrolment(
                enrolment.hub, given.hub_name or enrolment.hub_name, enrolment.address, enrolment.ca, enrolment.fingerprint, enrolment.site,
                given.cosigner, given.command_key, "", given.expires_us, enrolment.credentials, enrolment.joined_us, given.courier,
            )  # fmt: skip
            kept = await asyncio.to_thread(trust.keep, data, fresh, given.certificate, pending)
            _log.info("the certificate of this site was renewed", hub=kept.hub, serial=kept.serial)
        self._changed()
        return kept

    async def used(self) -> None:
        """The certificate in force was let in: those before it go."""
        async with self._turn:
            data = self._site().data
            enrolment = await asyncio.to_thread(trust.enrolment_of, data)
            if enrolment is not None:
                await asyncio.to_thread(trust.tidy, data, enrolment)

    def _changed(self) -> None:
        for told in self.on_change:
            told()

    def _enrolment(self, code: trust.Code, ca: str, given: Given, site: Joiner) -> trust.Enrolment:
        return trust.Enrolment(
            given.hub, given.hub_name or given.hub, code.address, ca, code.fingerprint, site.id, given.cosigner, given.command_key, "",
            given.expires_us, site.data, self._clock.wall_us(), given.courier,
        )  # fmt: skip

    async def _log_of(self, site: Joiner) -> tuple[str, bytes]:
        """Origin and key of the ledger. A recorder that has just begun signs within seconds."""
        published = PublishedLog(site.volumes)
        deadline_us = self._clock.boottime_us() + int(_HEAD_WITHIN_S * 1e6)
        while (head := await asyncio.to_thread(published.head)) is None:
            if self._clock.boottime_us() > deadline_us:
                raise LongwatchError(
                    "nothing of the ledger is signed yet",
                    remedy="start the post: `longwatch run`; it signs within seconds",
                )
            await self._clock.sleep(_LOOK_S)
        return head.checkpoint.origin, head.key

    async def _enter(self, kind: str, body: dict[str, object], who: Who, reason: str) -> None:
        await self._ledger.request("entry", kind=kind, body=body, person=who.person(reason))


def commands_of(joining: Joining) -> dict[str, Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]]:
    """What verbs ask of a site's server: `join` and `leave`."""

    async def join(fields: dict[str, Any]) -> dict[str, Any]:
        reason, leave = str(fields.get("reason") or ""), bool(fields.get("leave"))
        enrolment = await joining.join(str(fields.get("code", "")), _by(fields), reason=reason, leave=leave)
        return {"hub": enrolment.public(), "post": enrolment.site}

    async def leave(fields: dict[str, Any]) -> dict[str, Any]:
        return {"left": await joining.leave(_by(fields), str(fields.get("reason") or ""))}

    return {"join": join, "leave": leave}


def _by(fields: dict[str, Any]) -> Who:
    """Whoever reaches the socket owns the data, and says who types."""
    return Who(POST, user=str(fields.get("by", "")))


def _check_leaving(before: trust.Enrolment | None, reason: str, *, leave: bool) -> None:
    """Raises UsageError where a hub would be left without a word."""
    if before is None:
        return
    if not leave:
        raise UsageError(
            f"this site belongs to the hub {before.hub} ({before.address}) as {before.site}",
            remedy="to leave it for the hub of this code: `longwatch join CODE --leave --reason TEXT`",
        )
    if not reason.strip():
        raise UsageError("leaving a hub asks for a reason", remedy="--reason TEXT")


class Rotation:
    """When a certificate is renewed: once a third of its life is left, by the hub's clock, which it says at each greeting, and counted on by boot
    time. A site whose own clock says 1970 renews like any other. Owner of its state: the server's loop.
    """

    def __init__(self, joining: Joining, clock: Clock) -> None:
        self._joining = joining
        self._clock = clock
        self._due_us: int | None = None
        self._was_let_in = False
        self._wake = asyncio.Event()

    def told(self, welcome: dict[str, Any]) -> None:
        """What the hub greeted with."""
        self._was_let_in = True
        self._wake.set()
        said = welcome.get("certificate")
        left_s = said.get("left_s") if isinstance(said, dict) else None
        life_s = said.get("life_s") if isinstance(said, dict) else None
        if type(left_s) is int and type(life_s) is int and life_s > 0:
            self._due_us = self._clock.boottime_us() + int(max(0.0, left_s - life_s / 3) * 1e6)

    def refused(self, reason: str) -> None:
        """The hub did not let us in. `expired`: it takes the certificate for renewing alone."""
        if reason == "expired":
            self._due_us = self._clock.boottime_us()
            self._wake.set()

    def is_due(self) -> bool:
        """Now."""
        return self._due_us is not None and self._clock.boottime_us() >= self._due_us

    async def _tidied(self) -> None:
        if self._was_let_in:
            self._was_let_in = False
            await self._joining.used()

    async def run(self) -> None:
        """For ever. What fails is tried again within the hour, or when the hub is there again."""
        while True:
            try:
                await self._tidied()
            except LongwatchError as error:
                _log.warning("older certificates could not be removed", reason=str(error))
            if self.is_due():
                self._due_us = None
                try:
                    await self._joining.renew()
                except LongwatchError as error:
                    _log.warning("the certificate could not be renewed; it is tried again", reason=str(error))
                    self._due_us = self._clock.boottime_us() + int(_RENEW_EVERY_S * 1e6)
            self._wake.clear()
            left_s = _RENEW_EVERY_S if self._due_us is None else (self._due_us - self._clock.boottime_us()) / 1e6
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(_RENEW_EVERY_S, max(0.0, left_s))):
                    await self._wake.wait()
