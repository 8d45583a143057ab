"""What is known around the cameras, kept up to date for ever (model.surroundings.SurroundingsSource).

Behaviour over time: twice a second it looks which cameras deliver; those that do not are asked whether they answer (`addresses`).
Switches, relays and meters are asked once a minute while all of their cameras deliver, and every two seconds from the moment
one falls silent; the UPS every two seconds always. What changes is an entry. A device that does not answer is `unknown` after
its second failure, a health issue after a minute, and never an error of the recorder.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any, cast

from longwatch.archive.ops import Entry
from longwatch.base.clock import Clock
from longwatch.base.tasks import Tasks
from longwatch.ledger import kinds
from longwatch.model.surroundings import UNKNOWN, Answer, MainsState, Surroundings
from longwatch.surroundings.addresses import Addresses, CameraAddress
from longwatch.surroundings.asking import Asker, Heard
from longwatch.surroundings.device import DEAD_US, Poller
from longwatch.surroundings.feeds import CameraFeed, Said, Spec, cameras_of, make, specs
from longwatch.surroundings.mains import Mains, SaysMains
from longwatch.surroundings.options import Options, SwitchPort, Ups

BEAT_S = 0.5
CALM_S = 60.0
EAGER_S = 2.0
PATIENT_S = 15.0
UPS_S = 2.0
_TIDY_EVERY_US = 10_000_000
_EAGER_US = 60_000_000


class Watch:
    """Owner of its state: the loop it runs on. `apply` and `of` may be called at any time on it."""

    def __init__(
        self,
        options: Options,
        clock: Clock,
        *,
        heard: Callable[[str], int],
        wall_us: Callable[[], int],
        enter: Callable[[Entry], None],
        died: Callable[[str, BaseException], None] | None = None,
        told: MainsState | None = None,
        asker: Asker | None = None,
    ) -> None:
        """heard: bytes that ever came of a camera. wall_us: the host's time. enter: takes an entry for the ledger. told: what the
        newest `power_changed` said, of this process or one before.
        """
        self._clock = clock
        self._enter = enter
        self._asker = asker or Asker(clock)
        self._addresses = Addresses(heard)
        self._feeds: dict[str, CameraFeed] = {}
        self._pollers: dict[Spec, tuple[Poller, asyncio.Task[None] | None]] = {}
        self._devices: dict[str, list[Poller]] = {}
        self._delivered: set[tuple[str, SwitchPort]] = set()
        self._mains = Mains(clock, wall_us, enter, told)
        self._tasks = Tasks("surroundings", died)
        self._running = False
        self._quiet: set[str] = set()
        self._tidied_us = 0
        self.apply(options)

    # ---- for others -----------------------------------------------------------------------------------------------------

    def of(self, camera: str) -> Surroundings:
        """The newest of one camera; UNKNOWN of one that is not in the settings."""
        address = self._addresses.cameras.get(camera)
        if address is None:
            return UNKNOWN
        answer, silent, unknown = self._addresses.neighbours(address)
        feed = self._feeds[camera]
        mains = self._mains
        return Surroundings(
            address=address.answer.value,
            address_learnt=address.answer.learnt,
            switch=address.place.behind,
            neighbours_answer=answer,
            neighbours_silent=silent,
            neighbours_unknown=unknown,
            port_power=feed.power.value,
            port_link=feed.link,
            port_learnt=feed.power.learnt,
            port_detail=feed.detail,
            port_ordered=feed.ordered,
            switch_started_boot_us=feed.started_boot_us,
            mains=mains.state.mains,
            mains_learnt=mains.learnt,
            battery_percent=mains.state.battery_percent,
        )

    @property
    def mains(self) -> MainsState:
        """The post's own supply, as it is known now."""
        return self._mains.state

    def status(self) -> dict[str, Any]:
        """For `status` of the socket (docs/design/socket.md)."""
        now_us = self._clock.boottime_us()
        return {
            "mains": self._mains.describe(),
            "devices": [
                {
                    "by": poller.device.by, "answers": poller.answered, "why": poller.why,
                    "silent_s": poller.dead_for_us(now_us) // 1_000_000,
                }
                for poller, _ in self._pollers.values()
            ],
            "cameras": [self._describe(camera) for camera in self._addresses.cameras.values()],
        }  # fmt: skip

    def issues(self) -> list[dict[str, str]]:
        """What is wrong, in words: devices that have not answered for a minute, and a battery that ends soon."""
        now_us = self._clock.boottime_us()
        issues = [
            {"what": f"{poller.device.by} does not answer", "why": poller.why}
            for poller, _ in self._pollers.values()
            if poller.dead_for_us(now_us) > DEAD_US
        ]
        return issues + self._mains.issues()

    def _describe(self, camera: CameraAddress) -> dict[str, Any]:
        feed = self._feeds[camera.place.camera]
        return {
            "camera": camera.place.camera, "address": str(camera.answer.value), "address_by": camera.answer.by,
            "why": camera.why, "asked": camera.asked, "behind": camera.place.behind,
            "port_power": str(feed.power.value), "port_by": feed.power.by, "port_detail": feed.detail,
            "port_link": str(feed.link),
        }  # fmt: skip

    # ---- life -----------------------------------------------------------------------------------------------------------

    def apply(self, options: Options) -> None:
        """New settings. What did not change is not interrupted, and what is known of it is kept."""
        now_us = self._clock.boottime_us()
        self._addresses.apply(options.places, now_us)
        self._feeds = {place.camera: self._feeds.get(place.camera) or CameraFeed() for place in options.places}
        wanted = specs(options)
        for spec in [spec for spec in self._pollers if spec not in wanted]:
            _, task = self._pollers.pop(spec)
            if task is not None:
                task.cancel()
        for spec in wanted:
            if spec not in self._pollers:
                poller = Poller(
                    make(spec, self._clock, self._delivered),
                    self._clock,
                    partial(self._pause_s, spec),
                    partial(self._said, spec),
                )
                self._pollers[spec] = (poller, None)
        self._devices = {camera: [] for camera in self._feeds}
        for spec, (poller, _) in self._pollers.items():
            for camera in cameras_of(spec):
                self._devices[camera].append(poller)
        for camera in self._feeds:
            self._took(camera, now_us)
        self._mains.use(None if options.ups is None else cast("SaysMains", self._pollers[options.ups][0].device))
        if self._running:
            self._begin()

    async def run(self) -> None:
        """For ever. Ends only by cancellation."""
        self._running = True
        self._begin()
        try:
            while True:
                self._beat()
                await self._clock.sleep(BEAT_S)
        finally:
            self._running = False
            await self._tasks.aclose()
            self._asker.close()

    def _begin(self) -> None:
        """Every poller runs; one whose task ended is begun again."""
        for spec, (poller, task) in list(self._pollers.items()):
            if task is None or task.done():
                self._pollers[spec] = (poller, self._tasks.start(poller.device.by, poller.run()))

    def _beat(self) -> None:
        now_us = self._clock.boottime_us()
        for camera in self._addresses.beat(now_us):
            camera.begin()
            self._tasks.start(f"ask {camera.place.camera}", self._ask(camera))
        quiet = {name for name, camera in self._addresses.cameras.items() if not camera.delivers(now_us)}
        for camera_name in quiet - self._quiet:
            for poller in self._devices.get(camera_name, ()):
                poller.hurry()
        self._quiet = quiet
        self._mains.beat()
        if now_us - self._tidied_us > _TIDY_EVERY_US:
            self._tidied_us = now_us
            self._asker.tidy()
            self._begin()

    async def _ask(self, camera: CameraAddress) -> None:
        began_us = self._clock.boottime_us()
        heard = Heard(Answer.UNKNOWN)
        try:
            heard = await self._asker.ask(camera.place.host, camera.place.port)
        finally:
            self._addresses.answered(camera, heard, began_us, self._clock.boottime_us())

    # ---- devices ----------------------------------------------------------------------------------------------------------

    def _pause_s(self, spec: Spec) -> float:
        """Until the next question to a device: often while one of its cameras has just fallen silent, seldom while all deliver."""
        if isinstance(spec, Ups):
            return UPS_S
        quiet = [self._addresses.cameras[camera] for camera in cameras_of(spec) if camera in self._quiet]
        if not quiet:
            return CALM_S
        now_us = self._clock.boottime_us()
        return EAGER_S if any(now_us - camera.heard_us < _EAGER_US for camera in quiet) else PATIENT_S

    def _said(self, spec: Spec) -> None:
        if isinstance(spec, Ups):
            self._mains.took()
            return
        now_us = self._clock.boottime_us()
        for camera in cameras_of(spec):
            self._took(camera, now_us)

    def _took(self, camera: str, now_us: int) -> None:
        feed = self._feeds[camera]
        said = [
            Said(poller.device.by_of(camera), poller.device.feed(camera), poller.asked_boot_us)
            for poller in self._devices[camera]
        ]
        if not feed.take(said, now_us):
            return
        started_us = feed.started_boot_us
        body: dict[str, object] = {
            "camera": camera, "by": feed.power.by, "power": str(feed.power.value), "link": str(feed.link), "detail": feed.detail,
            "switch_started_s_ago": None if started_us is None else (now_us - started_us) // 1_000_000,
            "left_out": feed.limit.told(),
        }  # fmt: skip
        self._enter(Entry(kinds.PORT_CHANGED, body))
