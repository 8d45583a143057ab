"""An upgrade of this post, from its order to its end: verified, installed beside, tried, switched to, kept or gone back from. docs/design/upgrades.md.

Everything up to the switch may be interrupted anywhere, and is begun again from the beginning; the switch is one rename of `upgrade.json`; from there on
the supervisor goes back by itself unless this says `kept`. Owner of `upgrades/` of the first volume; with the supervisor of `upgrade.json`.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import structlog

import longwatch
from longwatch.base.clock import Clock
from longwatch.base.errors import LongwatchError, UsageError
from longwatch.base.ids import boot_id
from longwatch.base.secrets import scrub
from longwatch.config import Settings
from longwatch.ledger import kinds
from longwatch.node.link import Ledger
from longwatch.node.upgrade import order as upgrade_order
from longwatch.node.upgrade import state as upgrade_state
from longwatch.node.upgrade.checks import RefusedError, check, space_needed
from longwatch.node.upgrade.children import run_child
from longwatch.node.upgrade.files import Places, change, flush_folder, read_state, write_durably
from longwatch.node.upgrade.install import name_of
from longwatch.node.upgrade.order import Order, Stage
from longwatch.node.upgrade.state import BASE, INTERFACE, RELEASE, SPOKEN, State, Trial
from longwatch.node.upgrade.tidying import clear, make_room
from longwatch.node.upgrade.trial import Proof, Seen, missing, recording
from longwatch.trust.release import Release, order_of, parse_verifier, sha256_of, verify

LOOK_S = 2.0
INSTALL_S, TRY_S, COPY_S = 7200.0, 900.0, 3600.0
"""So long a child may take at the longest. Each is of low priority, on a post that is always busy."""
_PATIENCE_US = 300_000_000
_log = structlog.get_logger(__name__)


class Link(Protocol):
    """`node.post.uplink.Uplink`, as far as it is asked here."""

    @property
    def connected(self) -> bool: ...
    def on_connect(self, told: Callable[[Mapping[str, Any]], None]) -> None: ...


class Upgrading:
    """See the module. data: the first volume. leave: ends this server so that the supervisor starts it again. environ: says which release this is."""

    def __init__(
        self, data: Path, config: Path, settings: Callable[[], Settings], ledger: Ledger, link: Link, clock: Clock, leave: Callable[[], None],
        *, environ: Mapping[str, str] | None = None, boot: Callable[[], str] = boot_id,
    ) -> None:  # fmt: skip
        environ = os.environ if environ is None else environ
        self.on_wanted: list[Callable[[], None]] = []
        self.on_stage: list[Callable[[Order], Awaitable[None]]] = []
        self.order_now: Order | None = None
        self._data = data
        self._config = config
        self._settings = settings
        self._ledger = ledger
        self._link = link
        self._clock = clock
        self._leave = leave
        self._boot = boot
        self._places = Places(data)
        self._release = environ.get(RELEASE, "")
        self._base = environ.get(BASE, longwatch.__version__)
        self._supervised = environ.get(SPOKEN, "") == str(INTERFACE)
        self._turn = asyncio.Lock()
        self._wake = asyncio.Event()
        self._proof: Proof | None = None
        self._reached = False
        link.on_connect(self._connected)

    def _connected(self, _welcome: Mapping[str, Any]) -> None:
        self._reached = True
        self._wake.set()

    # -- orders

    def wanted(self) -> tuple[str, int] | None:
        """Hash and size of the one bundle that is waited for."""
        order = self.order_now
        return (order.sha256, order.size) if order is not None and order.wants_bundle else None

    async def order(
        self, sha256: str, size: int, version: str, person: Mapping[str, object], *, hub: str = "", command: int = 0
    ) -> Order:  # fmt: skip
        """Take an order. Where the bundle is in `upgrades/bundles` it is begun; else it is waited for. Raises UsageError where it may not be, or another is
        not over.
        """
        async with self._turn:
            now = self.order_now
            if now is not None and hub and (now.hub, now.command) == (hub, command):
                return now
            self._check_order(version, from_hub=bool(hub))
            body: dict[str, object] = {
                "sha256": sha256,
                "version": version,
                "was": longwatch.__version__,
                "by": "hub" if hub else "hand",
            }
            if hub:
                body |= {"hub": hub, "command": command}
            entered = await self._ledger.request("entry", kind=kinds.UPGRADE_ORDERED, body=body, person=dict(person))
            subject = person.get("subject")
            order = Order(
                sha256, size, version, longwatch.__version__, hub, command, int(entered["seq"]), str(person.get("text", "{}")),
                subject if isinstance(subject, int) else 0,
            )  # fmt: skip
            if self._bundle(sha256).exists():
                order = upgrade_order.arrived(order)
            await self._go(order)
            return order

    def _check_order(self, version: str, *, from_hub: bool) -> None:
        settings = self._settings().upgrades
        if settings is None or (from_hub and not settings.from_hub):
            raise UsageError(
                "this post takes no new version that way", why="`upgrades` of its settings does not say so",
                remedy="write `upgrades: {from: hub, key: ...}` into its settings, at the post",
            )  # fmt: skip
        if not self._supervised:
            raise UsageError(
                "this post cannot be upgraded so", why="recorder and server are not started by `longwatch run`",
                remedy="upgrade its package, or run it by `longwatch run`",
            )  # fmt: skip
        if self.order_now is not None and not self.order_now.over:
            raise UsageError(
                f"an upgrade to {self.order_now.version} is not over yet", remedy="see `longwatch upgrade status`"
            )
        if from_hub and order_of(version) <= order_of(longwatch.__version__):
            raise UsageError(
                f"{version} is not newer than {longwatch.__version__}, which runs here",
                remedy="an older one is installed by a person at the post alone",
            )  # fmt: skip

    async def take(self, path: Path, person: Mapping[str, object]) -> Order:
        """A bundle of a person at the post: verified, copied, ordered. Raises LongwatchError."""
        settings = self._settings().upgrades
        self._check_order("", from_hub=False)
        assert settings is not None
        key = parse_verifier(settings.key)
        release = await asyncio.to_thread(verify, path, [key])
        digest, size = await asyncio.to_thread(sha256_of, path)
        await asyncio.to_thread(self._keep_copy, path, digest.hex())
        return await self.order(digest.hex(), size, release.version, person)

    def _keep_copy(self, path: Path, sha256: str) -> None:
        target = self._bundle(sha256)
        fresh = target.with_suffix(".fresh")
        try:
            target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            shutil.copyfile(path, fresh)
            with fresh.open("rb") as copied:
                os.fsync(copied.fileno())
            fresh.replace(target)
            flush_folder(target.parent)
        except OSError as error:
            fresh.unlink(missing_ok=True)
            raise LongwatchError(
                f"{path} cannot be copied into {target.parent}", why=error.strerror or str(error)
            ) from error

    async def arrived(self, sha256: str, path: Path) -> None:
        """The bundle that was waited for is whole, and this file: it is moved. Raises LongwatchError."""
        async with self._turn:
            order = self.order_now
            if order is None or not order.wants_bundle or order.sha256 != sha256:
                return
            try:
                await asyncio.to_thread(self._move, path, sha256)
            except OSError as error:
                raise LongwatchError("the bundle cannot be kept", why=error.strerror or str(error)) from error
            await self._go(upgrade_order.arrived(order))

    def _move(self, path: Path, sha256: str) -> None:
        self._places.bundles.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.replace(self._bundle(sha256))

    async def travel_failed(self, sha256: str, why: str) -> None:
        """The bundle that was waited for does not come."""
        async with self._turn:
            order = self.order_now
            if order is not None and order.wants_bundle and order.sha256 == sha256:
                await self._refuse(order, why)

    def _bundle(self, sha256: str) -> Path:
        return self._places.bundles / f"{sha256}.bundle"

    async def _go(self, order: Order) -> None:
        """One step on, durable, and told."""
        before = self.order_now
        try:
            await asyncio.to_thread(write_durably, self._places.order, upgrade_order.text(order))
        except OSError as error:
            raise LongwatchError("the upgrade cannot be noted down", why=error.strerror or str(error)) from error
        self.order_now = order
        self._wake.set()
        if before is None or before.wants_bundle or order.wants_bundle:
            for wanted in self.on_wanted:
                wanted()
        if before is None or (before.id, before.stage, before.why) != (order.id, order.stage, order.why):
            await self._tell(order)

    async def _tell(self, order: Order) -> None:
        for told in self.on_stage:
            await told(order)

    # -- running

    async def run(self) -> None:
        """For ever."""
        await self.begin()
        while True:
            try:
                await self.look()
            except LongwatchError as error:
                _log.warning("the upgrade waits", reason=str(error))
            except Exception as error:  # noqa: BLE001 - boundary: a fault here is no reason to end the server; the trial ends by itself
                _log.error("a fault in the upgrade", reason=repr(error)[:500], exc_info=error)
            self._wake.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_S):
                    await self._wake.wait()

    async def begin(self) -> None:
        """What was left, before a first look; a file that cannot be read is as none."""
        with contextlib.suppress(OSError, ValueError):
            raw = await asyncio.to_thread(self._places.order.read_bytes)
            self.order_now = upgrade_order.parse(raw)
            await self._tell(self.order_now)
            for wanted in self.on_wanted:
                wanted()

    async def look(self) -> None:
        """Do what is to be done next. Raises LongwatchError; then it is tried again."""
        async with self._turn:
            order = self.order_now
            if order is None:
                return
            state = await self._state()
            if state.ended is not None and state.ended.order == order.id and not (state.ended.told and order.over):
                await self._ended(order, state)
            elif state.trial is not None:
                await self._on_trial(order, state, state.trial)
            elif order.stage is Stage.TRIAL:  # and nothing knows of it: `upgrade.json` was lost
                await self._end(order, Stage.RETURNED, "upgrade.json was lost in the trial")
            elif order.workable:
                await self._prepare(order)

    async def _state(self) -> State:
        try:
            return await asyncio.to_thread(read_state, self._data, self._base)
        except (OSError, ValueError) as error:
            raise LongwatchError("upgrade.json cannot be read", why=str(error)) from error

    async def _change(self, step: Callable[[State], State]) -> State:
        try:
            return await asyncio.to_thread(change, self._data, self._base, step)
        except OSError as error:
            raise LongwatchError("upgrade.json cannot be written", why=error.strerror or str(error)) from error

    # -- before the switch

    async def _prepare(self, order: Order) -> None:
        order = upgrade_order.begun(order)
        if order.over:
            await self._refuse(order, order.why)
            return
        await self._go(order)
        try:
            release = await self._verified(order)
            order = replace(order, version=release.version)
            name = name_of(release)
            await self._go(order.at(Stage.INSTALLING))
            await run_child(
                ["-m", "longwatch.node.upgrade.install", str(self._bundle(order.sha256)), str(self._data), name.name, self._key()],
                INSTALL_S,
            )  # fmt: skip
            await self._go(order.at(Stage.TRYING))
            await self._tried(name)
        except RefusedError as error:
            await self._refuse(order, str(error))
            return
        await self._go(order.at(Stage.SWITCHING))
        await self._switch(order, name)

    def _key(self) -> str:
        settings = self._settings().upgrades
        if settings is None:
            raise RefusedError("`upgrades` was taken out of the settings")
        return settings.key

    async def _verified(self, order: Order) -> Release:
        try:
            release = await asyncio.to_thread(verify, self._bundle(order.sha256), [parse_verifier(self._key())])
            check(release, order, longwatch.__version__)
            await asyncio.to_thread(make_room, self._places, self._release, name_of(release).name, order.sha256)
            needed = await asyncio.to_thread(space_needed, release, self._data)
        except LongwatchError as error:
            raise RefusedError(str(error)) from error
        except OSError as error:
            raise LongwatchError("the data folder cannot be read", why=str(error)) from error
        usage = await asyncio.to_thread(shutil.disk_usage, self._data)
        keep = self._settings().retention.keep_free
        keep_bytes = max(keep.size_bytes or 0, round(usage.total * (keep.fraction or 0.0)))
        if usage.free - keep_bytes < needed:
            raise RefusedError(
                f"the disk has not enough room: {needed >> 20} MiB are needed beside `keep_free`, and {max(0, usage.free - keep_bytes) >> 20} are free"
            )
        return release

    async def _tried(self, name: upgrade_state.Release) -> None:
        """By itself, from its own environment, on copies."""
        places = self._places
        try:
            await run_child(["-m", "longwatch.node.upgrade.copying", str(self._data), str(places.tried)], COPY_S)
            said = await run_child(
                ["-P", "-m", "longwatch.node.upgrade_trying", str(self._config), str(places.tried)], TRY_S, python=str(places.python(name)),
            )  # fmt: skip
        finally:
            await asyncio.to_thread(shutil.rmtree, places.tried, ignore_errors=True)
        problems = said.get("problems")
        if problems or said.get("version") != name.version:
            raise RefusedError("; ".join(map(str, problems or [f"it calls itself {said.get('version')}"]))[:900])
        _log.info("the new version tried itself", version=name.version, databases=said.get("databases"))

    async def _switch(self, order: Order, name: upgrade_state.Release) -> None:
        status = await self._patiently("status")
        try:
            await run_child(["-m", "longwatch.node.upgrade.copying", str(self._data), str(self._places.before)], COPY_S)
        except RefusedError as error:
            await self._refuse(order, str(error))
            return
        settings = self._settings().upgrades
        length_us = (900 if settings is None else settings.trial) * 1_000_000
        hub = bool(order.hub) or self._link.connected
        body = {
            "ordered": order.entry,
            "sha256": order.sha256,
            "version": order.version,
            "was": order.was,
            "trial_s": length_us // 1_000_000,
        }
        await self._patiently("entry", kind=kinds.UPGRADE_SWITCHED, body=body, person=_person(order))
        cameras, now_us = recording(status["streams"]), self._clock.boottime_us()
        state = await self._change(
            lambda state: upgrade_state.switched(
                state, name, order.id, boot=self._boot(), now_us=now_us, length_us=length_us, hub=hub, cameras=cameras
            )
        )
        if state.trial is None or state.trial.order != order.id:
            raise LongwatchError("another upgrade is on trial")
        await self._go(order.at(Stage.TRIAL))
        _log.info("switched; what runs ends now, and is started from the new version", version=order.version)
        self._leave()

    async def _patiently(self, kind: str, /, **fields: Any) -> dict[str, Any]:
        """A request of the recorder, which may just be away: what was installed and tried is not done anew for that. Raises LongwatchError."""
        until_us = self._clock.boottime_us() + _PATIENCE_US
        while True:
            try:
                return await self._ledger.request(kind, **fields)
            except LongwatchError:
                if self._clock.boottime_us() >= until_us:
                    raise
            await self._clock.sleep(LOOK_S)

    # -- from the switch on

    async def _on_trial(self, order: Order, state: State, trial: Trial) -> None:
        if state.current is None or trial.order != order.id or trial.returning:
            return  # the supervisor's business
        if order.stage is not Stage.TRIAL:
            order = order.at(Stage.TRIAL)
        if self._release != state.current.name:
            self._leave()
            return
        seen = await self._seen()
        if seen.recorder is not None and seen.recorder != state.current.name:
            await self._go(order)
            await self._ledger.request(
                "stop", again=order.entry, reason=f"upgrade to {order.version}", person=_person(order)
            )
            return
        lacks = missing(trial, state.current.name, seen)
        if self._proof is None:
            self._proof = Proof(trial.length_us)
        done = self._proof.done(self._clock.boottime_us(), lacks)
        await self._go(order.at(Stage.TRIAL, lacks))
        if done:
            state = await self._change(lambda state: upgrade_state.kept(state, order.id))
            if state.ended is not None:
                await self._ended(order, state)
        elif self._proof.hopeless(self._clock.boottime_us()):
            _log.error("the new version is given up", version=order.version, reason=lacks)
            await self._change(lambda state: upgrade_state.back(state, lacks))

    async def _seen(self) -> Seen:
        cameras = frozenset(self._settings().cameras)
        try:
            said = await self._ledger.request("ping")
            status = await self._ledger.request("status")
        except LongwatchError:
            return Seen(None, (), cameras, self._reached)
        return Seen(str(said.get("release", "")), status["streams"], cameras, self._reached)

    async def _ended(self, order: Order, state: State) -> None:
        """The trial is over, one way or the other."""
        assert state.ended is not None
        stage, why = (Stage.KEPT, "") if state.ended.kept else (Stage.RETURNED, state.ended.why)
        if order.stage is Stage.TRIAL and order.why and order.why not in why and stage is Stage.RETURNED:
            why = f"{why}; last: {order.why}"
        if not state.ended.told:
            await self._enter_end(order, stage, why)
            await self._change(upgrade_state.told)
        await self._finish(order, stage, why)

    async def _refuse(self, order: Order, why: str) -> None:
        _log.error("the upgrade is refused", version=order.version, reason=why)
        await self._end(order, Stage.REFUSED, why)

    async def _end(self, order: Order, stage: Stage, why: str) -> None:
        await self._enter_end(order, stage, why)
        await self._finish(order, stage, why)

    async def _enter_end(self, order: Order, stage: Stage, why: str) -> None:
        body = {
            "ordered": order.entry, "outcome": str(stage), "version": order.version, "was": order.was, "sha256": order.sha256,
            "why": scrub(why)[:500],
        }  # fmt: skip
        await self._ledger.request("entry", kind=kinds.UPGRADE_ENDED, body=body, person=_person(order))

    async def _finish(self, order: Order, stage: Stage, why: str) -> None:
        self._proof = None
        await self._go(
            replace(order.at(stage, scrub(why)), person="", subject=0)
        )  # who it was stands beside the ledger alone
        await asyncio.to_thread(clear, self._places)


def _person(order: Order) -> dict[str, object]:
    """Who ordered it: all that follows is by their word."""
    return {"subject": order.subject, "text": order.person}


def described(data: Path) -> dict[str, Any]:
    """`longwatch upgrade status`: from the files alone, so that it is told while nothing runs too. Raises LongwatchError."""
    places = Places(data)
    order, state = None, State("")
    with contextlib.suppress(FileNotFoundError, ValueError):
        order = upgrade_order.parse(places.order.read_bytes())
    try:
        state = read_state(data, "")
    except (OSError, ValueError) as error:
        raise LongwatchError("upgrade.json cannot be read", why=str(error)) from error
    told = None if order is None else {
        "version": order.version, "was": order.was, "stage": str(order.stage), "why": order.why, "by": order.hub or "hand",
        "command": order.command or None, "entry": order.entry, "sha256": order.sha256, "size": order.size,
    }  # fmt: skip
    if told is not None and state.trial is not None and state.trial.returning:
        told |= {"stage": "returning", "why": state.trial.returning}
    return {
        "release": None if state.current is None else state.current.name,
        "version": longwatch.__version__,
        "trial": state.trial is not None,
        "upgrade": told,
    }


def as_line(said: Mapping[str, Any]) -> str:
    """For people: the answer of `described`."""
    runs = f"version {said['version']}" + (
        f", from the release {said['release']}" if said["release"] else ", as it was installed"
    )
    order = said["upgrade"]
    if order is None:
        return f"{runs}; no upgrade was ordered"
    why = f": {order['why']}" if order["why"] else ""
    return f"{runs}\nupgrade {order['was']} -> {order['version'] or '?'} (entry {order['entry']}, by {order['by']}): {order['stage']}{why}"
