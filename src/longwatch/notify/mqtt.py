"""One broker: what stands, is kept standing there; what happens, is said there; and, where the settings allow it, its word is heard.

Behaviour over time: on each connection every retained topic is published anew, discovery first, `available` last; after that only what changed,
looked at once a second. Events are said in order; while the broker is away the last `MOST_EVENTS` wait and the rest is counted. What the
settings no longer have is cleared. A camera is switched as was wished last, `MOST_SWITCHES` times in ten minutes: each is an entry that is kept for ever. Of a packet
nothing beyond `MOST_PACKET_BYTES` is kept, and what the library says of a broker is logged a few times a minute. A connection that fails is made again after 1 s, then twice as long, up to a minute. Home Assistant's birth
message has discovery said again. Owner of the connection and of what is believed to stand at the broker: the server's loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import logging
import random
import ssl
from collections import OrderedDict, deque
from dataclasses import dataclass
from typing import Any, Protocol

import structlog

from longwatch.base.certificates import client_context
from longwatch.base.clock import Clock
from longwatch.base.errors import LongwatchError
from longwatch.base.secrets import scrub
from longwatch.base.tasks import ended
from longwatch.model.events import EventChange, Phase
from longwatch.notify import discovery
from longwatch.notify import mqtt_topics as topics
from longwatch.notify.feeds import event_link
from longwatch.notify.mqtt_topics import PostFacts, Seen
from longwatch.notify.options import MqttOptions

MOST_EVENTS = 1_000
MOST_PICTURE_BYTES = 1 << 20
MOST_PACKET_BYTES = 128 << 10
"""Of what a broker sends: a birth message and switches are some bytes, a topic at most 64 KiB. The protocol allows 256 MiB, and the library would keep them."""
MOST_HEARD = 100
_READ_BYTES = 64 << 10
MOST_SWITCHES = 10
_SWITCHES_WITHIN_US = 600_000_000
_MOST_LINES, _LINES_WITHIN_S = 10, 60.0
_LOOK_S = 1.0
_PATIENCE_S = 20.0
_FAREWELL_S = 2.0
"""To say `offline` and to part, each: whoever stops a post does not wait for a broker that answers nothing."""
_MOST_WAIT_S = 60.0
_log = structlog.get_logger(__name__)


class Seldom(logging.Filter):
    """What the library says, a few times a minute and without where in it: a broker can have it complain at every packet."""

    def __init__(self) -> None:
        super().__init__()
        self._since = 0.0
        self._count = 0

    def filter(self, record: logging.LogRecord) -> bool:
        """As logging.Filter."""
        if not 0 <= record.created - self._since < _LINES_WITHIN_S:
            self._since, self._count = record.created, 0
        self._count += 1
        record.exc_info = record.exc_text = None
        return self._count <= _MOST_LINES


_library_log = logging.getLogger("longwatch.notify.mqtt.library")
_library_log.addFilter(Seldom())


class Surroundings(Protocol):
    """What the bridge asks of the rest of the server."""

    async def facts(self) -> PostFacts:
        """How everything is now. Never raises."""
        ...

    async def record(self, camera: str, *, on: bool) -> None:
        """Somebody at the broker wants it recorded, or not. Raises LongwatchError."""
        ...

    async def picture(self, event: str) -> bytes | None:
        """The best picture of an event, as JPEG. Raises LongwatchError."""
        ...


@dataclass(slots=True)
class MqttPulse:
    """How the connection is. dropped: events that nobody heard."""

    connected: bool = False
    problem: str = ""
    since_us: int | None = None
    published: int = 0
    dropped: int = 0


class Bridge:
    """See the module."""

    def __init__(
        self, options: MqttOptions, around: Surroundings, clock: Clock, patience_s: float = _PATIENCE_S
    ) -> None:
        self.pulse = MqttPulse()
        self._options = options
        self._around = around
        self._patience_s = patience_s
        self._clock = clock
        self._seen = Seen()
        self._events: deque[str] = deque()
        self._pictures_due: OrderedDict[str, str] = OrderedDict()
        self._pictures: dict[str, bytes] = {}
        self._standing: dict[str, str | bytes] = {}
        self._wake = asyncio.Event()
        self._picture_wanted = asyncio.Event()
        self._facts: PostFacts | None = None
        self._again = False
        self._wishes: dict[str, bool] = {}
        self._wished = asyncio.Event()
        self._switched: dict[str, deque[int]] = {}

    def take(self, change: EventChange) -> None:
        """One step of one event. Cheap, never waits."""
        self._seen.take(change)
        if len(self._events) >= MOST_EVENTS:
            self._events.popleft()
            self.pulse.dropped += 1
        address = "" if self._facts is None else self._facts.address
        self._events.append(topics.event(change, address, event_link(change.event)))
        if self._options.pictures and change.phase is not Phase.UPDATE:
            self._pictures_due[change.event.camera] = change.event.id
            self._picture_wanted.set()
        self._wake.set()

    async def run(self) -> None:
        """For ever."""
        wait_s = 1.0
        while True:
            try:
                await self.run_once()
                wait_s = 1.0
            except LongwatchError as error:
                if _is_ended():
                    raise asyncio.CancelledError from error
                told = scrub(str(error))
                if told != self.pulse.problem:
                    _log.warning("the broker is not there", reason=told)
                wait_s = 1.0 if self.pulse.connected else min(wait_s * 2, _MOST_WAIT_S)
                self.pulse = MqttPulse(
                    False, told, self.pulse.since_us or self._clock.wall_us(), self.pulse.published, self.pulse.dropped
                )
            await self._clock.sleep(wait_s * random.uniform(0.5, 1.0))  # noqa: S311  it spreads load, and guards nothing

    async def run_once(self) -> None:
        """One connection, as long as it lasts. Raises LongwatchError with why it ended.

        aiomqtt is imported here: most posts speak to no broker.
        """
        aiomqtt = importlib.import_module("aiomqtt")
        facts = self._facts = await self._around.facts()
        try:
            async with self._client(aiomqtt, facts.id) as client:
                try:
                    if _is_ended():
                        raise asyncio.CancelledError  # its welcome came in the same moment
                    await self._follow(client, facts)
                except asyncio.CancelledError:
                    await self._farewell(client, facts.id)
                    raise
        except (aiomqtt.MqttError, OSError, ssl.SSLError, TimeoutError, ValueError) as error:
            raise LongwatchError(
                f"the MQTT broker {self._options.host} cannot be spoken to", why=scrub(str(error) or type(error).__name__),
                remedy="look at mqtt in the settings, and whether the broker runs",
            ) from error  # fmt: skip
        finally:
            self._standing = {}

    def _client(self, aiomqtt: Any, post: str) -> Any:
        given = self._options
        gone = aiomqtt.Will(topics.available(given.prefix, post), topics.OFFLINE, qos=1, retain=True)
        return client_of(aiomqtt, given, f"longwatch-{post}", self._patience_s, gone)

    async def _follow(self, client: Any, facts: PostFacts) -> None:
        """Say all of it, then what changes; listen beside it."""
        given = self._options
        if given.discovery != "off":
            await client.subscribe(f"{given.discovery}/status", qos=1)
        if given.commands:
            await client.subscribe(f"{topics.base(given.prefix, facts.id)}/+/record/set", qos=1)
        await self._stand(client, facts)
        await self._publish(client, topics.available(given.prefix, facts.id), topics.ONLINE)
        self.pulse = MqttPulse(True, "", self._clock.wall_us(), self.pulse.published, self.pulse.dropped)
        _log.info("the broker is there", host=given.host)
        hearing = asyncio.ensure_future(self._hear(client))
        picturing = asyncio.ensure_future(self._take_pictures())
        switching = asyncio.ensure_future(self._switch())
        try:
            while not hearing.done():
                await self._say(client)
                self._wake.clear()
                if self._events:
                    continue
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(_LOOK_S):
                        await self._wake.wait()
            await hearing
        finally:
            await ended([hearing, picturing, switching])

    async def _farewell(self, client: Any, post: str) -> None:
        """`offline`, and from here on no patience: parting, which comes next, has the same."""
        client.timeout = _FAREWELL_S
        with contextlib.suppress(Exception):  # the boundary: it is a last word, on a connection that may be gone
            await self._publish(client, topics.available(self._options.prefix, post), topics.OFFLINE)

    async def _say(self, client: Any) -> None:
        while self._events:
            await client.publish(f"{topics.base(self._options.prefix, self._post())}/events", self._events[0], qos=1)
            self._events.popleft()
            self.pulse.published += 1
        facts = self._facts = await self._around.facts()
        await self._stand(client, facts)

    def _post(self) -> str:
        return "" if self._facts is None else self._facts.id

    async def _take_pictures(self) -> None:
        """For ever, one at a time: a picture is made some seconds after its event, and events do not wait for it."""
        while True:
            if not self._pictures_due:
                self._picture_wanted.clear()
                await self._picture_wanted.wait()
                continue
            camera, event = self._pictures_due.popitem(last=False)
            try:
                async with asyncio.timeout(_PATIENCE_S):
                    jpeg = await self._around.picture(event)
            except (LongwatchError, TimeoutError, OSError) as error:
                _log.info("an event has no picture for the broker", camera=camera, reason=scrub(str(error)))
                continue
            if jpeg is not None and len(jpeg) <= MOST_PICTURE_BYTES:
                self._pictures[camera] = jpeg
                self._wake.set()

    async def _stand(self, client: Any, facts: PostFacts) -> None:
        """Retained topics become what they should be; those that should not be are cleared."""
        given = self._options
        wanted: dict[str, str | bytes] = {}
        if given.discovery != "off":
            wanted |= discovery.messages(
                given.prefix, given.discovery, facts, commands=given.commands, pictures=given.pictures
            )
        wanted |= topics.retained(given.prefix, facts, self._seen)
        known = {camera.id for camera in facts.cameras}
        for camera in [camera for camera in self._pictures if camera not in known]:
            del self._pictures[camera]
        for camera, jpeg in self._pictures.items():
            wanted[f"{topics.of_camera(given.prefix, facts.id, camera)}/picture"] = jpeg
        if self._again:
            self._again = False
            self._standing = {t: p for t, p in self._standing.items() if not t.startswith(f"{given.discovery}/")}
        for topic, payload in wanted.items():
            if self._standing.get(topic) != payload:
                await self._publish(client, topic, payload)
                self._standing[topic] = payload
        for topic in [topic for topic in self._standing if topic not in wanted]:
            await self._publish(client, topic, "")
            del self._standing[topic]

    async def _publish(self, client: Any, topic: str, payload: str | bytes) -> None:
        await client.publish(topic, payload, qos=1, retain=True)
        self.pulse.published += 1

    async def _hear(self, client: Any) -> None:
        """What others say. What was retained is no command: it was meant for whoever listened then."""
        given = self._options
        async for message in client.messages:
            topic, payload = str(message.topic), bytes(message.payload or b"")[:64].decode("utf-8", "replace")
            if topic == f"{given.discovery}/status":
                self._again = self._again or payload == topics.ONLINE
                self._wake.set()
                continue
            cameras = () if self._facts is None else self._facts.cameras
            wanted = topics.switched(given.prefix, self._post(), topic, payload, cameras)
            if wanted is None or message.retain or not given.commands:
                continue
            self._wishes[wanted[0]] = wanted[1]
            self._wished.set()

    async def _switch(self) -> None:
        """For ever: what was wished last of each camera, as often as may be."""
        while True:
            camera = next((camera for camera in self._wishes if self._may_switch(camera)), None)
            if camera is None:
                self._wished.clear()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(_LOOK_S):
                        await self._wished.wait()
                continue
            self._switched[camera].append(self._clock.boottime_us())
            on = self._wishes.pop(camera)
            try:
                await self._around.record(camera, on=on)
            except LongwatchError as error:
                _log.warning("a command by MQTT was refused", camera=camera, reason=scrub(str(error)))
            self._wake.set()

    def _may_switch(self, camera: str) -> bool:
        done, now_us = self._switched.setdefault(camera, deque(maxlen=MOST_SWITCHES)), self._clock.boottime_us()
        return len(done) < MOST_SWITCHES or now_us - done[0] >= _SWITCHES_WITHIN_US

    async def aclose(self) -> None:
        """The task that runs this must have ended; the broker says `offline` by then."""
        self._events.clear()


def client_of(
    aiomqtt: Any, given: MqttOptions, name: str, patience_s: float, will: Any = None, log: logging.Logger = _library_log
) -> Any:  # fmt: skip
    """A connection that is not made yet, as the settings say it. name: which the broker knows it by; it ends another of the same. log: of what the library says. Raises OSError or SSLError where a
    certificate cannot be used.
    """
    context = client_context(given.ca, given.cert, given.key) if given.tls else None
    client = aiomqtt.Client(
        given.host.strip("[]"), given.port, username=given.user or None, password=given.password or None, will=will,
        identifier=name, tls_context=context, timeout=patience_s, keepalive=30, max_queued_incoming_messages=MOST_HEARD,
        logger=log,
    )  # fmt: skip
    _bound(client._client)  # noqa: SLF001 - aiomqtt has no word for it
    _end_with_it(aiomqtt, client)
    return client


def _is_ended() -> bool:
    """Whether this task was cancelled. The library may keep that to itself (`asyncio.wait_for` of Python 3.11, bpo-37658), and parts from a broker that does not
    answer with an error of its own in place of it.
    """
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _end_with_it(aiomqtt: Any, client: Any) -> None:
    """A connection that ends before its welcome fails then: aiomqtt looks away, and waits out its patience for who has gone."""
    loop, library = asyncio.get_running_loop(), client._client  # noqa: SLF001
    told = library.on_disconnect

    def fail() -> None:
        welcome = client._connected  # noqa: SLF001
        if not welcome.done():
            welcome.set_exception(aiomqtt.MqttError("the broker ended the connection before its welcome"))
            welcome.exception()  # nobody may wait for it any more: then it is no news

    def gone(*said: Any) -> None:
        told(*said)
        loop.call_soon_threadsafe(fail)  # the library may say it in the thread that connects

    library.on_disconnect = gone


def _bound(library: Any) -> None:
    """Of a packet no more is kept than may be: paho gathers all of its length before it looks at it. The rest is read and thrown away: ended for it, a connection would be
    anybody's to end for ever who may publish at the same broker. library: paho's client.
    """
    receive = library._sock_recv  # noqa: SLF001 - the one place between the socket and what is gathered

    def bounded(size: int) -> bytes:
        del library._in_packet["packet"][MOST_PACKET_BYTES:]  # noqa: SLF001
        return bytes(receive(min(size, _READ_BYTES)))

    library._sock_recv = bounded  # noqa: SLF001
