"""The link of this site to its hub as a whole: the uplink with its policy from the settings, what it says of the site, and how it stands for the page.

`site` goes when it changed since the hub had it; `status` once a minute, and within seconds when something changed that a person would want to know.
docs/ref/uplink.md has their fields.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import structlog

from longwatch import trust
from longwatch.base.clock import Clock
from longwatch.base.errors import LongwatchError
from longwatch.base.rfc3339 import format_us
from longwatch.base.tasks import Tasks
from longwatch.config import Settings
from longwatch.health import Snapshot, examine
from longwatch.model.alarms import Alarm
from longwatch.model.uplink import Class, LogSource, Waiting
from longwatch.node.post.formats_told import FormatsTold
from longwatch.node.post.uplink import Uplink
from longwatch.replication import Policy, Window
from longwatch.server_db import ServerDb
from longwatch.trust.wheels import this_host
from longwatch.wire.uplink import Message

_log = structlog.get_logger(__name__)
STATUS_EVERY_US = 60_000_000
LOOK_EVERY_S = 5.0
FAREWELL_S = 1.5
MOST_ALARMS = 20
MOST_PROBLEMS = 20
FOLDER = "hub"
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def policy_of(settings: Settings) -> Policy:
    """What the settings allow the link."""
    given = settings.uplink
    budget = {"hour": given.budget.hour, "day": given.budget.day, "month": given.budget.month}
    return Policy(
        None if given.rate is None else given.rate // 8,
        {span: size for span, size in budget.items() if size is not None},
        tuple(Window(frozenset(window.days), window.from_, window.to) for window in given.windows),
        given.metered,
        settings.post.timezone,
    )


def upgrades_of(settings: Settings) -> dict[str, Any] | None:
    """Whether a hub may send releases, and what they have to fit: the verifier key of whoever signs them, and this host."""
    given = settings.upgrades
    if given is None or not given.from_hub or settings.role != "post":
        return None
    return {"key": given.key, "host": this_host().as_json()}


def site_of(settings: Settings) -> dict[str, Any]:
    """What the site says of itself: no address of a camera, nothing that is nobody's business."""
    place = settings.post.place
    return {
        "id": settings.post.id, "name": settings.post.name, "timezone": settings.post.timezone,
        "power_windows": None if settings.post.power_windows is None else [
            {"days": sorted(window.days), "from": window.from_, "to": window.to} for window in settings.post.power_windows
        ],
        "upgrades": upgrades_of(settings),
        "place": None if place is None else {"lat": place.lat, "lon": place.lon},
        "cameras": [
            {
                "id": camera.id, "name": camera.name, "kind": camera.kind, "record": camera.record, "audio": camera.audio,
                "streams": ["main"] if camera.streams.sub is None else ["main", "sub"], "covers": camera.covers,
                "scheduled": camera.schedule is not None, "masks": len(camera.masks), "shades": len(camera.shades),
                "max_age_s": min(settings.retention.max_age, camera.retention.max_age or settings.retention.max_age),
                "withheld": camera.id in settings.uplink.withhold,
            }
            for camera in settings.cameras.values()
        ],
    }  # fmt: skip


class PostLink:
    """snapshot: the recorder's state. alarms: those that stand, newest first. Owner of the uplink; of nothing else."""

    def __init__(
        self, settings: Callable[[], Settings], log: LogSource, db: ServerDb, clock: Clock, snapshot: Callable[[], Awaitable[Snapshot]],
        alarms: Callable[[], Awaitable[list[Alarm]]], *, version: str = "", through: Callable[[], list[dict[str, Any]]] | None = None,
    ) -> None:  # fmt: skip
        self._settings = settings
        self._clock = clock
        self._snapshot = snapshot
        self._alarms = alarms
        self._version = version
        self._data: Path = settings().volumes[0]
        self._site_told = b""
        self._formats = FormatsTold()
        self._status_told: dict[str, Any] = {}
        self._status_us: int | None = None
        self._leaving = False
        self._enrolment: trust.Enrolment | None = None
        self.uplink = Uplink(
            self._joined,
            log,
            db,
            clock,
            lambda: policy_of(settings()),
            self._data / FOLDER,
            version=version,
            through=through,
        )
        self.uplink.on_connect(self._connected)
        self._fresh = asyncio.Event()

    def start(self, tasks: Tasks) -> None:
        """Run for as long as the tasks do."""
        tasks.start("uplink", self.uplink.run())
        tasks.start("uplink-status", self._tell_for_ever())

    def _joined(self) -> trust.Enrolment | None:
        found = trust.enrolment_of(self._data)
        own = self._settings().post.id
        if found is not None and found.site != own:
            raise LongwatchError(
                f"the settings call this site {own}, and it joined the hub {found.hub} as {found.site}", why="an id does not change once joined",
                remedy=f"put `{found.site}` back, or leave that hub: `longwatch join --leave --reason TEXT`",
            )  # fmt: skip
        self._enrolment = found
        return found

    def hub(self) -> str:
        """The id of the hub that was joined; "" for none."""
        return "" if self._enrolment is None else self._enrolment.hub

    def changed(self) -> None:
        """Another hub was joined, or left: do not wait."""
        self.uplink.again()

    async def farewell(self, why: Callable[[], Awaitable[str]]) -> None:
        """Tell the hub at once that this process ends in order, and how. why: a word of `model.silence.Stop`. Within `FAREWELL_S`, and without waiting where
        no hub is in touch. The last word: how the post is, is not told after it.
        """
        self._leaving = True
        if not self.uplink.connected:
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(FAREWELL_S):
                told = {**self._status_told, "stopping": {"wall_us": self._clock.wall_us(), "why": await why()}}
                if self.uplink.say(Message("status", {"post": self._settings().post.id, **told}), Class.LEDGER):
                    await self.uplink.arrived()

    # -- what it tells

    def _connected(self, _welcome: Mapping[str, Any]) -> None:
        self._status_us = None
        self._fresh.set()

    async def _tell_for_ever(self) -> None:
        while True:
            try:
                if self.uplink.connected:
                    await self._tell()
            except LongwatchError as error:
                _log.warning("how the post is cannot be told now", reason=str(error))
            self._fresh.clear()
            waiting = asyncio.ensure_future(self._clock.sleep(LOOK_EVERY_S))
            fresh = asyncio.ensure_future(self._fresh.wait())
            try:
                await asyncio.wait({waiting, fresh}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                waiting.cancel()
                fresh.cancel()

    async def _tell(self) -> None:
        settings = self._settings()
        site = site_of(settings)
        formats = self._formats.now((await self._snapshot()).streams, self._clock.boottime_us())
        for camera in site["cameras"]:
            camera["formats"] = formats.get(camera["id"], {})
        stamp = hashlib.sha256(
            json.dumps([site, self._enrolment.hub if self._enrolment else ""], sort_keys=True).encode()
        ).digest()
        said = Message("site", {"post": settings.post.id, **site})
        if stamp != self._site_told and self.uplink.say(said, Class.LEDGER) and await self.uplink.arrived():
            self._site_told = stamp
        status = await self.status()
        now_us = self._clock.boottime_us()
        due = self._status_us is None or now_us - self._status_us >= STATUS_EVERY_US
        if not due and _worth_telling(status) == _worth_telling(self._status_told):
            return
        if self._leaving:  # asked before the farewell and answered after it: it would take the farewell back
            return
        if self.uplink.say(Message("status", {"post": settings.post.id, **status}), Class.LEDGER):
            self._status_told, self._status_us = status, now_us

    async def status(self) -> dict[str, Any]:
        """As it stands in the message."""
        snapshot = await self._snapshot()
        alarms = await self._alarms()
        main = [stream for stream in snapshot.streams if stream.key.stream == "main"]
        around = snapshot.around
        said: dict[str, Any] = {
            "wall_us": self._clock.wall_us(), "provenance": snapshot.provenance, "accounted_until_us": snapshot.accounted_until_us,
            "cameras": len(main), "recording": sum(stream.recording for stream in main), "version": self._version,
            "alarms": [_alarm(alarm) for alarm in alarms[:MOST_ALARMS]],
            "problems": [
                {"what": issue.what[:200], "why": issue.why[:300], "remedy": issue.remedy[:300]}
                for issue in examine(snapshot)[:MOST_PROBLEMS]
            ],
        }  # fmt: skip
        if around.mains is not None:
            said["power"] = {"mains": around.mains, "battery_percent": around.battery_percent}
        return said | self._of_link()

    def _of_link(self) -> dict[str, Any]:
        state, policy = self.uplink.state(), policy_of(self._settings())
        waits = next(
            (
                {"bytes": state.backlog.get(name, 0), "class": name, "until_us": waiting.until_us, "why": _why(waiting)}
                for name, waiting in sorted(state.waiting.items(), key=lambda item: Class[item[0].upper()])
            ),
            None,
        )
        return {
            "backlog": {name: size for name, size in state.backlog.items() if size},
            "link": {
                "bits_per_s": self.uplink.bits_per_s, "rate": None if policy.rate_bytes_s is None else policy.rate_bytes_s * 8,
                "round_trip_ms": self.uplink.round_trip_us // 1000,
            },
            "budget": [{"limit": limit, "span": span, "used": state.spent.get(span, 0)} for span, limit in policy.budget.items()],
            "waits": waits,
        }  # fmt: skip

    # -- for the page

    def describe(self) -> dict[str, Any]:
        """As `models_link.OwnLink`."""
        settings, state = self._settings(), self.uplink.state()
        enrolment = self._enrolment
        told = self._of_link()
        waits = told["waits"]
        if waits is not None:
            until_us = waits.pop("until_us")
            waits["until"] = None if until_us is None else format_us(until_us)
        last_us = self.uplink.last_contact_us
        return {
            "joined": enrolment is not None,
            "hub": None if enrolment is None else enrolment.public(),
            "post": None if enrolment is None else enrolment.site,
            "state": _STATES.get(state.state, "silent") if last_us or state.state == "connected" else "never",
            "detail": "; ".join(part for part in (state.detail, self.uplink.problem) if part),
            "since": format_us(state.since_us) if state.since_us else None,
            "last_contact": None if last_us is None else format_us(last_us),
            **told,
            "backlog": state.backlog,
            "windows": [
                {"days": ", ".join(_DAYS[day] for day in window.days), "from": _clock(window.from_), "to": _clock(window.to)}
                for window in settings.uplink.windows
            ],
            "metered": settings.uplink.metered,
            "countersigned": state.held.get(settings.post.id),
        }  # fmt: skip


_STATES = {"connected": "connected", "refused": "revoked"}


def _alarm(alarm: Alarm) -> dict[str, Any]:
    return {
        "alarm": alarm.id, "camera": alarm.camera, "cause": alarm.cause, "kind": str(alarm.kind), "since_us": alarm.body.get("since_us"),
    }  # fmt: skip


def _why(waiting: Waiting) -> str:
    return "budget" if waiting.why.startswith("budget") else waiting.why


def _worth_telling(status: Mapping[str, Any]) -> object:
    """What a person would want to know within seconds: not how much waits, and not what time it is."""
    names = ("cameras", "recording", "alarms", "problems", "power", "version", "provenance")
    return [status.get(name) for name in names]


def _clock(minute: int) -> str:
    return f"{minute // 60:02d}:{minute % 60:02d}"
