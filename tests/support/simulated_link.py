"""A post and a hub on a thin link, in virtual time: both real protocol cores, a TCP connection as it looks from above.

TCP delivers in order or stalls: a packet that is lost costs its own time on the wire again, and one whose copy is lost too stalls the connection for a
time-out that doubles. Cuts are whole or one-way; what was on its way when a connection was cut is lost, or comes late, when the next connection is up already,
some of it twice. Either end is killed at any moment: what is durable stays, the rest is gone.
"""

from __future__ import annotations

import heapq
import itertools
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.support.uplink_memory import MemoryEvents, MemoryHub, MemoryLog, MemoryObjects

from longwatch.model.uplink import Class, ObjectInfo
from longwatch.replication import HubEnd, Item, Now, Policy, PostEnd, Queue, Spent
from longwatch.replication.planner import Bucket
from longwatch.wire.uplink import LinkError, decode, encode

US = 1_000_000
PACKET = 1400
HEADERS = 93  # of a frame: WebSocket, TLS, and TCP/IP of about one packet
WALL_US = 1_767_225_600 * US


@dataclass
class Weather:
    """What the link is like. loss: of a packet. delay_us: one way. down_until_us: nobody gets through before."""

    rate_bits_s: int = 64_000
    delay_us: int = 400_000
    loss: float = 0.0
    down_until_us: int = 0
    cuts_every_s: float = 0  # on average
    one_way: float = 0.3  # of the cuts
    late: float = 0.5  # of the cuts after which frames of the old connection still come
    twice: float = 0.3  # of these frames
    kills_every_s: float = 0
    calm_from_us: int = 1 << 62  # after this there are neither cuts nor kills


@dataclass
class Tally:
    """busy_us: the wire carried frames of ours. idle_us: it could have, something waited, and nothing was handed over."""

    busy_us: int = 0
    idle_us: int = 0
    connections: int = 0
    cuts: int = 0
    kills: int = 0
    refused: list[str] = field(default_factory=list)
    frames: int = 0

    @property
    def used(self) -> float:
        return self.busy_us / max(1, self.busy_us + self.idle_us)


class Connection:
    """One TCP connection: what was handed over and is not delivered yet, both ways."""

    def __init__(self, number: int, post: PostEnd, hub: HubEnd) -> None:
        self.number, self.post, self.hub = number, post, hub
        self.open = True
        self.up_dead = self.down_dead = False
        self.hub_closed = False
        self.free_us = {"up": 0, "down": 0}
        self.last_us = {"up": 0, "down": 0}
        self.on_the_way: dict[int, tuple[str, bytes]] = {}
        self.heard_us = 0


class World:
    """Everything in one thread of virtual time. seed: decides all that is by chance."""

    def __init__(
        self, seed: int, weather: Weather, policy: Policy | None = None, events: MemoryEvents | None = None
    ) -> None:
        self.dice = random.Random(seed)
        self.weather = weather
        self.policy = policy or Policy()
        self.now_us = 0
        self.log = MemoryLog()
        self.media = MemoryObjects()
        self.events = events
        self.hub = MemoryHub()
        self.tally = Tally()
        self.connection: Connection | None = None
        self.bucket = Bucket(self.policy.rate_bytes_s)
        self.spent = Spent("UTC")
        self.durable: dict[bytes, Item] = {}  # the outbox, as server.db has it
        self.wanted: dict[bytes, tuple[ObjectInfo, Class, int]] = {}  # what policy wants: index and ledger say so
        self.confirmed: list[bytes] = []
        self.queue = Queue()
        self.arrived_us: dict[int, int] = {}  # when the hub held an entry, verified
        self.told: list[Any] = []
        self._events: list[tuple[int, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._wake_us = -1
        self._numbers = itertools.count(1)
        self._weathering()

    # -- time

    def at(self, at_us: int, what: Callable[[], None]) -> None:
        heapq.heappush(self._events, (max(at_us, self.now_us), next(self._order), what))

    def run(self, until: Callable[[], bool], limit_us: int) -> bool:
        """Until something is so; False where it is not by `limit_us`."""
        while self._events and self._events[0][0] <= limit_us:
            self.now_us, _, what = heapq.heappop(self._events)
            what()
            if until():
                return True
        return until()

    def now(self) -> Now:
        return Now(self.now_us + US, WALL_US + self.now_us)

    # -- the post

    def want(self, info: ObjectInfo, cls: Class) -> None:
        order = len(self.wanted)
        self.wanted[info.sha256] = (info, cls, order)
        self.queue.add(info, cls, order)
        self._keep()

    def _keep(self) -> None:
        """The outbox as the database has it: now and then the last changes are not written down when the kill comes."""
        for change in self.queue.changes:
            sha256 = change.item.info.sha256
            if change.what in ("added", "moved"):
                self.durable[sha256] = change.item
            else:
                self.durable.pop(sha256, None)
                if change.what == "confirmed":
                    self.confirmed.append(sha256)
                    self.wanted.pop(sha256, None)
        self.queue.changes.clear()

    def kill_post(self) -> None:
        self.tally.kills += 1
        self._cut(self.connection)
        if self.events is not None:
            self.events.restart()
        if self.dice.random() < 0.2:
            self.durable.clear()  # server.db is lost: index and ledger say again what is wanted
        self.queue = Queue([Item(i.info, i.cls, i.order, i.request) for i in self.durable.values()])
        self.spent = Spent("UTC", self.spent.kept())
        for info, cls, order in self.wanted.values():
            self.queue.add(info, cls, order)

    def kill_hub(self) -> None:
        self.tally.kills += 1
        self.hub.kill(self.dice)
        self._cut(self.connection)

    # -- the link

    def _weathering(self) -> None:
        weather = self.weather
        self.at(weather.down_until_us, self._connect)
        if weather.cuts_every_s:
            self.at(weather.down_until_us + self._by_chance(weather.cuts_every_s), self._next_cut)
        if weather.kills_every_s:
            self.at(weather.down_until_us + self._by_chance(weather.kills_every_s), self._next_kill)

    def _by_chance(self, seconds: float) -> int:
        return int(self.dice.expovariate(1 / seconds) * US)

    def _next_cut(self) -> None:
        if self.now_us > self.weather.calm_from_us:
            return
        connection = self.connection
        if connection is not None and connection.open:
            self.tally.cuts += 1
            if self.dice.random() < self.weather.one_way:
                side = self.dice.choice(["up_dead", "down_dead"])
                setattr(connection, side, True)
                self.at(self.now_us + 90 * US, lambda: self._cut(connection))  # nothing comes: a ping fails in the end
            else:
                self._cut(connection)
        self.at(self.now_us + self._by_chance(self.weather.cuts_every_s), self._next_cut)

    def _next_kill(self) -> None:
        if self.now_us > self.weather.calm_from_us:
            return
        self.dice.choice([self.kill_post, self.kill_hub])()
        self.at(self.now_us + self._by_chance(self.weather.kills_every_s), self._next_kill)

    def _connect(self) -> None:
        self._keep()
        number = next(self._numbers)
        self.tally.connections += 1
        post = PostEnd(
            {"site": "north"},
            self.log,
            self.media,
            self.queue,
            self.spent,
            self.policy,
            bucket=self.bucket,
            events=self.events,
        )
        hub = HubEnd("north", self.hub, {"hub": "hq"})
        self.connection = Connection(number, post, hub)
        begin_us = self.now_us + 4 * self.weather.delay_us  # TCP and TLS and the upgrade
        self.connection.free_us = {"up": begin_us, "down": begin_us}
        self._wake_at(self.connection, begin_us)

    def _cut(self, connection: Connection | None) -> None:
        if connection is None or not connection.open:
            return
        connection.open = False
        if connection.on_the_way and self.dice.random() < self.weather.late:
            again_us = self.now_us + self.dice.randrange(1, 30) * US
            for number, (way, data) in sorted(connection.on_the_way.items()):
                if way == "up":
                    for _ in range(2 if self.dice.random() < self.weather.twice else 1):
                        self.at(again_us + number, lambda data=data: self._late(connection, data))
        connection.on_the_way.clear()
        self.at(self.now_us + self.dice.randrange(1, 8) * US, self._connect_if_none)

    def _connect_if_none(self) -> None:
        if self.connection is None or not self.connection.open:
            self._connect()

    def _late(self, connection: Connection, data: bytes) -> None:
        """A hub that does not know yet that the connection is dead, or another process of it, takes what still comes."""
        if not connection.hub_closed:
            try:
                connection.hub.take(data, WALL_US + self.now_us)
            except LinkError:
                connection.hub_closed = True

    def _carry(self, connection: Connection, way: str, data: bytes) -> int:
        """Hand a frame to the transport; when the next may be handed over."""
        weather = self.weather
        size = len(data) + HEADERS
        begin = max(self.now_us, connection.free_us[way])
        time_us = size * 8 * US // weather.rate_bits_s
        stall_us = 0
        for _ in range(-(-size // PACKET)):
            timeout_us = max(US // 5, 2 * weather.delay_us)
            while self.dice.random() < weather.loss:
                time_us += min(size, PACKET) * 8 * US // weather.rate_bits_s  # it goes again
                if self.dice.random() < weather.loss:
                    stall_us += timeout_us
                    timeout_us = min(60 * US, timeout_us * 2)
        end = begin + time_us + stall_us
        connection.free_us[way] = end
        due = max(end + weather.delay_us, connection.last_us[way])
        connection.last_us[way] = due
        number = next(self._order)
        connection.on_the_way[number] = (way, data)
        self.at(due, lambda: self._arrive(connection, number))
        if way == "up":
            self.tally.busy_us += time_us + stall_us
        return end

    def _arrive(self, connection: Connection, number: int) -> None:
        found = connection.on_the_way.pop(number, None)
        if found is None or not connection.open:
            return
        way, data = found
        if connection.up_dead if way == "up" else connection.down_dead:
            return
        self.tally.frames += 1
        if way == "up":
            answers, told = connection.hub.take(data, WALL_US + self.now_us)
            self.told += told
            for answer in answers:
                self._note(answer)
                self._carry(connection, "down", encode(answer))
        else:
            connection.post.take(data, self.now())
            if self.dice.random() < 0.1:
                self._keep()
            self._wake_at(connection, self.now_us)

    def _note(self, answer: Any) -> None:
        if getattr(answer, "kind", "") == "held":
            self.arrived_us[answer.body["size"]] = self.now_us
        elif getattr(answer, "kind", "") == "refused":
            self.tally.refused.append(f"{answer.body['what']}")

    def wake(self) -> None:
        """Something new is there to be sent."""
        if self.connection is not None and self.connection.open:
            self._wake_at(self.connection, self.now_us)

    def _wake_at(self, connection: Connection, at_us: int) -> None:
        self.at(at_us, lambda: self._pump(connection))

    def _pump(self, connection: Connection) -> None:
        """One frame at a time: the next is asked for when the transport has passed the last one on."""
        if not connection.open or connection is not self.connection or self.now_us < connection.free_us["up"]:
            return
        rate = self.weather.rate_bits_s // 8
        frame = connection.post.next(self.now(), rate * 2 // 5)
        if frame is not None:
            end = self._carry(connection, "up", frame)
            self._wake_at(connection, end)
            connection.heard_us = end
        else:
            look = max(connection.post.look_us - US, self.now_us + 1000)
            if len(self.queue) and not connection.up_dead and not connection.down_dead:
                self.tally.idle_us += min(look, self._next_arrival(connection)) - self.now_us
            self._wake_at(connection, look)

    def _next_arrival(self, connection: Connection) -> int:
        return min((due for due, _, _ in self._events[:1]), default=self.now_us + US)

    # -- what must be so in the end

    def done(self) -> bool:
        self._keep()
        key = (self.log.post, self.log.number)
        if self.events is not None and self.hub.position != self.events.end(self.log.post):
            return False
        return not self.wanted and not len(self.queue) and self.hub.verified.get(key, 0) >= self.log.head.size

    def decoded(self, data: bytes) -> Any:
        return decode(data)
