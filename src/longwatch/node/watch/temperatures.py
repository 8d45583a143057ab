"""Temperatures of thermal cameras, in the server: documents and stills come from the recorder, are read, and what passes a limit becomes sightings.
docs/design/thermal.md.

A document is at most 256 KiB, declares no entity, and is read in a thread: a hostile camera costs time of that thread, and loses its own readings. A still is read
by a child (`playback.heat`); of each camera the newest waits for it, and no other.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Protocol

import structlog

from longwatch.base.clock import Clock
from longwatch.base.errors import LongwatchError
from longwatch.events.temperatures import Options, Temperatures
from longwatch.formats import onvif_radiometry
from longwatch.formats.media import Codec
from longwatch.formats.onvif_radiometry import Radiometry, Reading
from longwatch.model.events import Sighting
from longwatch.model.heat import WHOLE, StillNews, StillOptions, StillTrouble
from longwatch.node.link import LinkClient
from longwatch.playback.heat import HeatStill, HeatStills
from longwatch.wire.frames import Frame

ASK_EVERY_S = 5.0
MOST_WAITING = 256
_log = structlog.get_logger(__name__)


class Told(Protocol):
    """Who makes events of sightings."""

    async def sightings(self, seen: Sequence[Sighting]) -> None: ...


class Heat:
    """options: by camera, asked each time, so that settings count at once. stills: who reads stills; ended by whoever made it. Owner of what was read last."""

    def __init__(
        self, link: LinkClient, options: Callable[[], Mapping[str, Options]], told: Told, clock: Clock, stills: HeatStills,
        read: Callable[..., Awaitable[Radiometry]] = asyncio.to_thread,
    ) -> None:  # fmt: skip
        self._stills = stills
        self._fresh: dict[str, tuple[bytes, int]] = {}
        self._any_fresh = asyncio.Event()
        self._news: dict[str, StillNews] = {}
        self._following_us: dict[str, int] = {}
        self._link = link
        self._options = options
        self._told = told
        self._clock = clock
        self._read = read
        self._cameras: dict[str, Temperatures] = {}
        self._waiting: asyncio.Queue[tuple[str, bytes, int]] = asyncio.Queue(MOST_WAITING)
        self._unread: dict[str, int] = {}
        link.on_push(self._pushed)

    def now(self, camera: str) -> Mapping[str, Reading]:
        """What it read lately, in degrees Celsius, by its own id of the spot or box."""
        known = self._cameras.get(camera)
        return {} if known is None else known.now(self._clock.wall_us())

    def unread(self, camera: str) -> int:
        """Documents of it that could not be read."""
        return self._unread.get(camera, 0)

    def still_options(self, camera: str) -> StillOptions | None:
        """What is read of its stills; None where it gives none."""
        options = self._options().get(camera)
        return None if options is None else options.stills

    def still_news(self, camera: str) -> StillNews | None:
        """How its stills go; None where it is to give none."""
        options = self._options().get(camera)
        if options is None or options.stills is None:
            return None
        news = self._news.get(camera, StillNews(None, "", {}))
        since_us = self._following_us.get(camera, self._clock.wall_us()) if news.at_us is None else news.at_us
        if not news.trouble and self._clock.wall_us() - since_us >= options.stale_us:
            return StillNews(news.at_us, "none comes", news.hottest)
        return news

    def troubles(self) -> tuple[StillTrouble, ...]:
        """Of all cameras."""
        found = ((camera, self.still_news(camera)) for camera in self._options())
        return tuple(StillTrouble(camera, news.trouble) for camera, news in found if news is not None and news.trouble)

    async def ask(self) -> None:
        """For ever: the recorder is asked for what it is to send, and what nothing is heard of is over."""
        while True:
            wanted = self._wanted()
            if wanted or self._cameras:
                await self._ask(wanted)
            await self._clock.sleep(ASK_EVERY_S)

    async def run(self) -> None:
        """For ever: one document after another."""
        while True:
            camera, document, at_us = await self._waiting.get()
            known = self._cameras.get(camera)
            if known is None:
                continue
            try:
                said = await self._read(onvif_radiometry.parse, document)
            except ValueError as error:
                if not self._unread.get(camera):
                    _log.warning("metadata of a camera cannot be read", camera=camera, reason=str(error))
                self._unread[camera] = self._unread.get(camera, 0) + 1
                continue
            await self._tell(known.read(said, at_us))

    async def run_stills(self) -> None:
        """For ever: the newest still of one camera after another."""
        while True:
            await self._any_fresh.wait()
            self._any_fresh.clear()
            while self._fresh:
                camera = next(iter(self._fresh))
                data, at_us = self._fresh.pop(camera)
                await self._read_still(camera, data, at_us)

    async def _read_still(self, camera: str, data: bytes, at_us: int) -> None:
        known = self._cameras.get(camera)
        asked = None if known is None else known.options.stills
        if known is None or asked is None:
            return
        try:
            still = await self._stills.read(camera, data, asked.scale, asked.parts, picture=False)
        except LongwatchError as error:
            last = self._news.get(camera)
            if last is None or not last.trouble:
                _log.warning("a thermal still cannot be read", camera=camera, reason=str(error))
            self._news[camera] = StillNews(at_us, error.why or error.what, {})
            return
        self._news[camera] = StillNews(at_us, "", {each.name: each.hottest for each in still.reads})
        if still.gain is not None:
            await self._tell(known.read(_measured(still), at_us, celsius=True))

    def _wanted(self) -> Mapping[str, Options]:
        wanted = self._options()
        for camera, options in wanted.items():
            known = self._cameras.get(camera)
            if known is None or known.options != options:
                self._cameras[camera] = Temperatures(camera, options)
                self._following_us[camera] = self._clock.wall_us()
                self._news.pop(camera, None)
        return wanted

    async def _ask(self, wanted: Mapping[str, Options]) -> None:
        for camera in [camera for camera in self._cameras if camera not in wanted]:
            del self._cameras[camera]
            self._news.pop(camera, None)
            await self._request("unnotes", camera)
        for camera in wanted:
            await self._request("notes", camera)
            await self._tell(self._cameras[camera].idle(self._clock.wall_us()))

    async def _request(self, kind: str, camera: str) -> None:
        try:
            await self._link.request(kind, stream=[camera, "main"])
        except (LongwatchError, OSError):
            return  # asked again soon; that the recorder is away is told elsewhere

    async def _tell(self, found: Sequence[Sighting]) -> None:
        if not found:
            return
        try:
            await self._told.sightings(found)
        except Exception as error:  # noqa: BLE001 - boundary: what cannot be stored now comes with the next reading
            _log.warning("temperatures are not stored", reason=str(error) or repr(error))

    def _pushed(self, frame: Frame) -> None:
        if frame.type != "note":
            return
        stream, arrival_us = frame.header.get("stream"), frame.header.get("arrival")
        if not isinstance(stream, list) or len(stream) != 2 or type(arrival_us) is not int:
            return
        camera = str(stream[0])
        if camera not in self._cameras:
            return
        at_us = self._clock.wall_us() - max(0, self._clock.boottime_us() - arrival_us)
        if frame.header.get("codec") == Codec.THERMAL_STILL:
            self._fresh[camera] = (bytes(frame.body), at_us)
            self._any_fresh.set()
            return
        if self._waiting.full():
            return
        self._waiting.put_nowait((camera, bytes(frame.body), at_us))


def _measured(still: HeatStill) -> Radiometry:
    """As a document says it. The whole is called by no name: it is the item that says so."""
    return Radiometry(
        tuple(
            Reading(each.name, "" if each.name == WHOLE else each.name, each.highest, each.lowest, each.mean)
            for each in still.reads
        )
    )
