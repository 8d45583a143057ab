"""One post that is not there, on a connection that is: the same core (`replication.PostEnd`), certificate, TLS and frames as a real post's uplink, with its ledger in
memory and no thread of its own, so that a thousand of them fit into a process. docs/design/scale.md.

Owner of the state: the event loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

from longwatch.base.clock import Clock
from longwatch.base.errors import LongwatchError
from longwatch.base.tasks import ended
from longwatch.model.uplink import Class
from longwatch.node.post.uplink import GOOD_AFTER_US, PATH, wait_of
from longwatch.node.post.uplink_errors import told
from longwatch.replication import Now, Policy, PostEnd, Queue, Spent
from longwatch.replication.planner import Bucket
from longwatch.simulate.fleet_events import FleetEvents
from longwatch.simulate.fleet_life import Life, Taken
from longwatch.simulate.fleet_log import MemoryLog
from longwatch.simulate.fleet_pictures import Pictures, info_of
from longwatch.trust import Enrolment, client_context
from longwatch.wire.uplink import MAX_FRAME_BYTES, SUBPROTOCOL, Message, decode

STATUS_EVERY_US = 60_000_000
OPEN_TIMEOUT_S = 60.0
PING_EVERY_S, PING_TIMEOUT_S = 60.0, 90.0
QUANTUM = 16 << 10
LOOK_US = 60_000_000  # the ledger says by itself when it grew
MOST_PICTURES = 2_000
_PUBLISH_US = 1_000_000


@dataclass(slots=True)
class Numbers:
    """What all posts of a fleet did together. held_s: from a head's leaving to the hub's receipt of it. refused: by the hub's word; problems: of dialling."""

    dialled: int = 0
    connections: int = 0
    connected: int = 0
    cuts: int = 0
    frames: int = 0
    sent_bytes: int = 0
    entries_sent: int = 0
    heads: int = 0
    pictures: int = 0
    refused: dict[str, int] = field(default_factory=dict)
    problems: dict[str, int] = field(default_factory=dict)
    held_s: list[float] = field(default_factory=list)


class SimulatedPost:
    """enrolment: how it joined. on_head: told when a signed head leaves, and of how many entries. place: latitude, longitude.

    sealed: which camera the newest head knows furthest, and up to when.
    """

    def __init__(
        self, enrolment: Enrolment, life: Life, log: MemoryLog, clock: Clock, numbers: Numbers, draw: random.Random, name: str,
        place: tuple[float, float], on_head: Callable[[SimulatedPost, int], None] = lambda _post, _size: None,
    ) -> None:  # fmt: skip
        self.id = life.post
        self.log = log
        self.life = life
        self.held = 0
        self.connected = False
        self.dialled = 0
        self.sealed: tuple[str, int] | None = None
        self._enrolment = enrolment
        self._clock = clock
        self._numbers = numbers
        self._draw = draw
        self._name = name
        self._place = place
        self._on_head = on_head
        self._queue = Queue()
        self._events = FleetEvents(life.post, draw.random())
        self._spent = Spent("UTC")
        self._context: ssl.SSLContext | None = None
        self._end: PostEnd | None = None
        self._ws: ClientConnection | None = None
        self._wake = asyncio.Event()
        self._is_up = asyncio.Event()
        self._is_up.set()
        self._signed_us = 0
        self._status_us = 0
        self._said_failed = -1
        self._said_site = False
        self._heads: dict[int, int] = {}

    # -- its life

    def live(self, now_us: int, *, last: bool = False) -> int:
        """What happened up to now becomes entries and pictures. When to come again, wall time. last: sign at once."""
        if self.life.next_us <= now_us:
            for happened in self.life.until(now_us):
                if isinstance(happened, Taken):
                    self._take_picture(happened)
                else:
                    self.log.add(happened.kind, happened.body, happened.wall_us)
        due_us = self.life.next_us
        if self.log.head is None or self.log.size > self.log.head.size:
            if now_us - self._signed_us < _PUBLISH_US and not last:
                return min(due_us, self._signed_us + _PUBLISH_US)
            self._signed_us = now_us
            self.sealed = self.life.sealed()
            self.log.publish()
            if self._end is not None:
                self._end.grown()
                self._wake.set()
        return due_us

    def _take_picture(self, taken: Taken) -> None:
        if len(self._queue) < MOST_PICTURES:
            self._queue.add(info_of(self.id, taken.camera, taken.at_us), Class.PICTURE, taken.at_us)
            self._events.saw(taken.camera, taken.at_us)
            self._numbers.pictures += 1
            if self._end is not None:
                self._end.grown()
                self._wake.set()

    @property
    def backlog(self) -> tuple[int, int]:
        """Entries that the hub has not verified, and pictures that it has not confirmed."""
        return self.log.size - self.held, len(self._queue)

    # -- its link

    def cut(self) -> None:
        """The link is down, in mid-flow."""
        self._is_up.clear()
        self._numbers.cuts += 1
        if self._ws is not None and self._ws.transport is not None:
            self._ws.transport.abort()

    def mend(self) -> None:
        """It carries again: the post finds that out at its next attempt."""
        self._is_up.set()

    async def run(self) -> None:
        """For ever: as `node.post.uplink.Uplink.run`, with the same waiting between attempts."""
        failures = 0
        while True:
            begun_us, refused, was_let_in = self._clock.boottime_us(), False, False
            try:
                self._numbers.dialled += 1
                self.dialled += 1
                if self._is_up.is_set():
                    was_let_in = await self._run_once()
            except (LongwatchError, WebSocketException, OSError, TimeoutError) as error:
                why, refused = told(error, self._enrolment.address)
                if self._is_up.is_set():
                    self._count(self._numbers.problems, why)
            good = was_let_in and self._clock.boottime_us() - begun_us >= GOOD_AFTER_US
            failures = 0 if good else failures + 1
            await self._clock.sleep(wait_of(failures, self._draw.random(), refused=refused))

    @staticmethod
    def _count(counts: dict[str, int], what: str) -> None:
        if what in counts or len(counts) < 50:
            counts[what] = counts.get(what, 0) + 1

    async def _run_once(self) -> bool:
        """One connection; whether the hub welcomed it."""
        if self._context is None:
            self._context = client_context(self._enrolment)
        was_let_in = False
        async with connect(
            f"wss://{self._enrolment.address}{PATH}", ssl=self._context, subprotocols=[SUBPROTOCOL], compression=None,  # type: ignore[list-item]  # a NewType of str
            max_size=MAX_FRAME_BYTES, open_timeout=OPEN_TIMEOUT_S, ping_interval=PING_EVERY_S, ping_timeout=PING_TIMEOUT_S,
            close_timeout=1, proxy=None, user_agent_header=None,
        ) as ws:  # fmt: skip
            hello = {"posts": [self.id], "site": self.id, "version": "simulated"}
            end = PostEnd(
                hello,
                self.log,
                Pictures(),
                self._queue,
                self._spent,
                Policy(),
                bucket=Bucket(),
                look_us=LOOK_US,
                events=self._events,
            )
            self._end, self._ws, self._status_us, self._said_failed = end, ws, 0, -1
            self._heads = {}
            sending = asyncio.create_task(self._send_all(ws, end), name=f"send {self.id}")
            try:
                async for data in ws:
                    end.take(data if isinstance(data, bytes) else data.encode(), self._now())
                    if not was_let_in and end.welcome is not None:
                        was_let_in = self.connected = True
                        self._numbers.connections += 1
                        self._numbers.connected += 1
                    self._receive(end)
            finally:
                if self.connected:
                    self.connected = False
                    self._numbers.connected -= 1
                self._end = self._ws = None
                await ended([sending])
        return was_let_in

    async def _send_all(self, ws: ClientConnection, end: PostEnd) -> None:
        numbers = self._numbers
        with contextlib.suppress(WebSocketException, OSError, LongwatchError):
            while True:
                self._wake.clear()
                self._say_status(end)
                frame = end.next(self._now(), QUANTUM)
                if frame is not None:
                    self._note(frame)
                    numbers.frames += 1
                    numbers.sent_bytes += len(frame)
                    await ws.send(frame)
                    continue
                due_us = min(end.look_us, self._status_us + STATUS_EVERY_US)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(max(0.001, (due_us - self._clock.boottime_us()) / 1e6)):
                        await self._wake.wait()

    def _note(self, frame: bytes) -> None:
        """When a head left."""
        if frame[:1] == b"E":
            said = decode(frame)
            self._numbers.entries_sent += len(getattr(said, "entries", ()))
        elif frame[:1] in b"jJ":
            said = decode(frame)
            if isinstance(said, Message) and said.kind == "head" and self.log.head is not None:
                self._heads[self.log.head.size] = self._clock.boottime_us()
                self._numbers.heads += 1
                self._on_head(self, self.log.head.size)

    def _receive(self, end: PostEnd) -> None:
        for what, why in end.received.refused.values():
            self._count(self._numbers.refused, f"{what}: {why}")
        end.received.refused.clear()
        if end.received.cosigned:
            end.received.cosigned.clear()
            self.held = max(self.held, end.held().get(self.id, 0))
            self.log.forget(self.held)
            now_us = self._clock.boottime_us()
            for size in [size for size in self._heads if size <= self.held]:
                self._numbers.held_s.append((now_us - self._heads.pop(size)) / 1e6)
        self._queue.changes.clear()
        self._wake.set()

    def _now(self) -> Now:
        return Now(self._clock.boottime_us(), self._clock.wall_us())

    # -- what it says of itself

    def _say_status(self, end: PostEnd) -> None:
        if end.welcome is None:
            return
        if not self._said_site:
            self._said_site = end.say(Message("site", {"post": self.id, **self._site()}), Class.LEDGER)
        now_us = self._clock.boottime_us()
        if self._status_us and now_us - self._status_us < STATUS_EVERY_US and self._said_failed == self.life.failed:
            return
        if end.say(Message("status", {"post": self.id, **self._status()}), Class.LEDGER):
            self._status_us, self._said_failed = now_us, self.life.failed

    def _site(self) -> dict[str, Any]:
        lat, lon = self._place
        return {
            "name": self._name, "timezone": "UTC", "place": {"lat": lat, "lon": lon},
            "cameras": [
                {"id": camera, "name": camera.replace("-", " ").capitalize(), "kind": "visible", "record": "continuous", "audio": False,
                 "streams": ["main"], "covers": "", "scheduled": False, "masks": 0, "shades": 0, "max_age_s": 30 * 86_400, "withheld": False}
                for camera in self.life.cameras
            ],
        }  # fmt: skip

    def _status(self) -> dict[str, Any]:
        entries, _ = self.backlog
        count = len(self.life.cameras)
        return {
            "wall_us": self._clock.wall_us(), "provenance": "ntp", "accounted_until_us": self._clock.wall_us() - 2_000_000, "cameras": count,
            "recording": count - self.life.failed, "version": "simulated", "problems": [],
            "alarms": [
                {"alarm": number, "camera": camera, "cause": "camera_unreachable", "kind": "camera_silent", "since_us": since_us}
                for number, camera, since_us in self.life.alarms()
            ],
            "backlog": {"ledger": entries * 190, "picture": self._queue.backlog().get(Class.PICTURE, 0)},
            "link": {"bits_per_s": 0, "rate": None, "round_trip_ms": 0}, "budget": [], "waits": None,
        }  # fmt: skip
