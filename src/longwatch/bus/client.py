"""One process's end of the bus: a connection to any of the broker's servers, made again for as long as the process lives.

Three ways, each with numbers of its own: `tell` (a fact for all, through JetStream: what a server that is killed had taken is still told), `say` (for one
process, at once or never), `ask` (for one process, with its answer). All queues are bounded; what finds no room leaves a hole in the numbers, and the
receiver reads the database again. While no server is there everything goes on, from the database alone.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any, TypeVar

import nats
import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.errors import NoRespondersError
from nats.js import JetStreamContext
from nats.js.api import DeliverPolicy, DiscardPolicy, RetentionPolicy, StorageType, StreamConfig
from nats.js.errors import NotFoundError

from longwatch.base import secrets
from longwatch.base.clock import Clock
from longwatch.base.errors import LongwatchError
from longwatch.base.tasks import Tasks, ended
from longwatch.bus.message import MAX_BYTES, MessageError, Said, Seal
from longwatch.bus.numbers import Numbers, Taken
from longwatch.bus.options import BusError, BusOptions
from longwatch.bus.parts import Joined, parts_of

_log = structlog.get_logger(__name__)
HERE_EVERY_S = 5.0
LOST_AFTER_US = 20_000_000
"""Own facts that do not come back for so long: JetStream is not there, or this server is cut off from the others."""
PATIENCE_US = 30_000_000
"""With one server, while facts do not go by it."""
MOST_FACTS = 1024
MOST_SAID = 256
MOST_ASKED = 16
_PENDING_BYTES = 8 << 20
_CONNECT_S = 5
_AGAIN_S = 2.0
_KEPT_S = 3600
_KEPT_BYTES = 64 << 20
_REPLICATED = 3

_T = TypeVar("_T")
Handler = Callable[[Said], Awaitable[None]]
Answer = Callable[[Said], Awaitable[Mapping[str, Any]]]


class Bus:
    """See the module. on_missed: called with a sender of whose facts some did not come, or "" for all: look into the database. on_broken: the same for
    what was said to this process.
    """

    def __init__(self, options: BusOptions, clock: Clock) -> None:
        self.options = options
        self.on_missed: list[Callable[[str], Awaitable[None]]] = []
        self.on_broken: list[Callable[[str], Awaitable[None]]] = []
        self.dropped = 0
        self._clock = clock
        self._seal = Seal(options.secret, options.hub)
        login = options.login
        if "password" in login:
            secrets.register_login(login["user"], login["password"])
        elif login:
            secrets.register(login["token"])
        self._facts: dict[str, Handler] = {}
        self._said: dict[str, Handler] = {}
        self._answers: dict[str, Answer] = {}
        self._numbers = Numbers()
        self._said_numbers = Numbers(first_is_next=True)
        self._asked_numbers = Numbers(first_is_next=True)
        self._next_fact = itertools.count(1)
        self._next_to: dict[str, int] = {}
        self._next_ask: dict[str, int] = {}
        self._to_tell: deque[tuple[int, bytes]] = deque()
        self._telling = asyncio.Event()
        self._to_say: asyncio.Queue[tuple[str, bytes]] = asyncio.Queue(MOST_SAID)
        self._asked = 0
        self._joined = Joined()
        self._client: Client | None = None
        self._heard_us = 0
        self._tasks = Tasks("bus")
        self._failing = ""

    @property
    def connected(self) -> bool:
        """To one of the servers, now."""
        return self._client is not None

    @property
    def is_telling(self) -> bool:
        """Whether facts go and come: our own was heard lately."""
        return self.connected and self._clock.boottime_us() - self._heard_us < LOST_AFTER_US

    # -- what others say

    def on(self, kind: str, handler: Handler) -> None:
        """Who takes facts of a kind. One for each."""
        self._facts[kind] = handler

    def on_said(self, kind: str, handler: Handler) -> None:
        """Who takes what is said to this process alone. One for each kind."""
        self._said[kind] = handler

    def answer(self, kind: str, handler: Answer) -> None:
        """Who answers a question. What it raises as LongwatchError is told to who asks."""
        self._answers[kind] = handler

    # -- what we say

    def tell(self, kind: str, body: Mapping[str, Any] | None = None) -> None:
        """A fact for all others, by and by: in order, and kept while no server is there as long as there is room."""
        number = next(self._next_fact)
        said = Said(self.options.process, self.options.life, number, kind, body or {})
        try:
            sealed = self._seal.seal("fact", said)
        except MessageError:
            sealed = self._seal.seal("fact", Said(said.sender, said.life, number, "missed"))  # all read again
        self._to_tell.append((number, sealed))
        while len(self._to_tell) > MOST_FACTS:
            self._to_tell.popleft()
            self.dropped += 1
        self._telling.set()

    def say(self, process: str, kind: str, body: Mapping[str, Any], data: bytes = b"") -> bool:
        """To one process, now. False where no server is there, or too much waits already. data may be larger than a message: it goes in
        parts, and comes as one.
        """
        if self._client is None:
            return False
        for part, last in parts_of(data):
            number = self._next_to[process] = self._next_to.get(process, 0) + 1
            said = Said(
                self.options.process, self.options.life, number, kind, {"last": last, "b": body if last else {}}, part
            )
            try:
                self._to_say.put_nowait((f"{self._subject}.to.{process}", self._seal.seal(f"to/{process}", said)))
            except (asyncio.QueueFull, MessageError):
                self.dropped += 1
                return False
        return True

    async def ask(self, process: str, kind: str, body: Mapping[str, Any], timeout_s: float = 20.0) -> Mapping[str, Any]:
        """A question to one process. Raises BusError."""
        client = self._client
        away = "the hub's first process cannot be asked now"
        remedy = "it is tried again by whoever asks; see that it runs, and the broker"
        if client is None:
            raise BusError(away, why="the broker is not in touch", remedy=remedy)
        number = self._next_ask[process] = self._next_ask.get(process, 0) + 1
        said = Said(self.options.process, self.options.life, number, kind, body)
        try:
            raw = self._seal.seal(f"ask/{process}", said)
            reply = await client.request(f"{self._subject}.ask.{process}", raw, timeout=timeout_s)
            told = self._seal.opened(_answer_to(said), reply.data).body
        except NoRespondersError as error:
            raise BusError(away, why=f"{process} is not at the broker", remedy=remedy) from error
        except (NatsError, TimeoutError, OSError, MessageError) as error:
            raise BusError(away, why=_why(error), remedy=remedy) from error
        failed = told.get("error")
        if isinstance(failed, dict):
            texts = {name: str(failed.get(name, "")) for name in ("why", "remedy", "reason")}
            raise BusError(str(failed.get("what", "")), **texts)
        return told

    # -- the connection

    async def run(self) -> None:
        """For ever."""
        servers = itertools.cycle(self.options.servers)
        here = self._tasks.start("here", self._here())
        try:
            while True:
                try:
                    await self._attempt(next(servers))
                except (NatsError, OSError, TimeoutError) as error:
                    self._say_failing(_why(error))
                except Exception as error:  # noqa: BLE001 - boundary: whatever the client library does, the hub goes on without it
                    _log.exception("a fault on the way to the broker", reason=repr(error)[:300])
                await self._clock.sleep(_AGAIN_S)
        finally:
            here.cancel()
            await self._tasks.aclose()

    def _say_failing(self, why: str) -> None:
        if why != self._failing:
            _log.warning("the broker is not in touch; the hub's processes go on by the database", reason=why)
        self._failing = why

    async def _attempt(self, server: str) -> None:
        over = asyncio.Event()

        async def closed() -> None:
            over.set()

        client = await nats.connect(
            [server], name=f"longwatch {self.options.hub} {self.options.process}", allow_reconnect=False, connect_timeout=_CONNECT_S,
            ping_interval=5, max_outstanding_pings=2, error_cb=_quiet, closed_cb=closed, disconnected_cb=closed,
            **self.options.login,
        )  # fmt: skip
        tasks: list[asyncio.Task[Any]] = []
        try:
            me = self.options.process
            for way, take in (("to", self._take_said), ("ask", self._take_asked)):
                await client.subscribe(
                    f"{self._subject}.{way}.{me}",
                    cb=take,
                    pending_msgs_limit=MOST_FACTS,
                    pending_bytes_limit=_PENDING_BYTES,
                )
            self._client, self._failing = client, ""
            _log.info("the broker is in touch", server=server)
            tasks = [
                self._tasks.start("facts", self._facts_for_ever(client, over)),
                self._tasks.start("say", self._say_all(client)),
                self._tasks.start("over", over.wait()),
            ]
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            self._say_failing("its server ended the connection, or facts do not go by it")
        finally:
            self._client = None
            await ended(tasks)
            with contextlib.suppress(Exception):
                async with asyncio.timeout(2):
                    await client.close()

    async def _say_all(self, client: Client) -> None:
        while True:
            subject, raw = await self._to_say.get()
            await client.publish(subject, raw)

    @property
    def _subject(self) -> str:
        return f"longwatch.{self.options.hub}"

    # -- facts, through JetStream

    async def _facts_for_ever(self, client: Client, over: asyncio.Event) -> None:
        """Until facts have not gone by this server for long, or the connection ends."""
        begun_us = self._clock.boottime_us()
        while not over.is_set():
            try:
                began = await self._facts_once(client, over)
                begun_us = max(begun_us, began)
            except (NatsError, TimeoutError, OSError) as error:
                self._say_failing(f"JetStream: {_why(error)}")
            if self._clock.boottime_us() - max(begun_us, self._heard_us) > PATIENCE_US:
                return
            await self._clock.sleep(1.0)

    async def _facts_once(self, client: Client, over: asyncio.Event) -> int:
        """Follow what is told, and tell, until our own facts do not come back. When they were heard last."""
        js = client.jetstream(timeout=_CONNECT_S)
        await self._stream(js)
        following = await js.subscribe(
            f"{self._subject}.fact.*", cb=self._take_fact, ordered_consumer=True, deliver_policy=DeliverPolicy.NEW,
            pending_msgs_limit=MOST_FACTS, pending_bytes_limit=_PENDING_BYTES,
        )  # fmt: skip
        telling = self._tasks.start("tell", self._tell_all(js))
        try:
            self._heard_us = self._clock.boottime_us()
            await self._tell_missed("")
            self.tell("here")
            while self.is_telling and not over.is_set():
                if telling.done():
                    await telling
                await self._clock.sleep(0.5)
        finally:
            await ended([telling])
            with contextlib.suppress(Exception):
                await following.unsubscribe()
        return self._heard_us

    async def _stream(self, js: JetStreamContext) -> None:
        name = f"LONGWATCH_{self.options.hub.upper()}"
        try:
            await js.stream_info(name)
        except NotFoundError:
            await js.add_stream(
                StreamConfig(
                    name=name, subjects=[f"{self._subject}.fact.*"], retention=RetentionPolicy.LIMITS, discard=DiscardPolicy.OLD,
                    storage=StorageType.FILE, max_age=_KEPT_S, max_bytes=_KEPT_BYTES, max_msg_size=MAX_BYTES + 1024,
                    num_replicas=_REPLICATED if len(self.options.servers) >= _REPLICATED else 1,
                )
            )  # fmt: skip

    async def _tell_all(self, js: JetStreamContext) -> None:
        subject = f"{self._subject}.fact.{self.options.process}"
        while True:
            while self._to_tell:
                number, raw = self._to_tell[0]
                name = f"{self.options.process}/{self.options.life}/{number}"  # a second try is known as one
                await js.publish(subject, raw, timeout=_CONNECT_S, headers={"Nats-Msg-Id": name})
                if self._to_tell and self._to_tell[0][0] == number:
                    self._to_tell.popleft()
            self._telling.clear()
            await self._telling.wait()

    async def _here(self) -> None:
        """So that the loss of a last fact is found too, and that of the way itself."""
        while True:
            await self._clock.sleep(HERE_EVERY_S)
            if self.connected and not self._to_tell:
                self.tell("here")

    async def _take_fact(self, message: Msg) -> None:
        said = self._open("fact", message.data)
        if said is None:
            return
        if said.sender == self.options.process:
            if said.life == self.options.life:
                self._heard_us = self._clock.boottime_us()
            return
        taken = self._numbers.take(said.sender, said.life, said.number)
        if taken is Taken.OLD:
            return
        if taken is Taken.MISSED or said.kind == "missed":
            await self._tell_missed(said.sender)
        await _handed(self._facts.get(said.kind), said)

    async def _tell_missed(self, sender: str) -> None:
        for told in self.on_missed:
            await _handed(told, sender)

    # -- what is for us alone

    async def _take_said(self, message: Msg) -> None:
        said = self._open(f"to/{self.options.process}", message.data)
        if said is None:
            return
        taken = self._said_numbers.take(said.sender, said.life, said.number)
        if taken is Taken.OLD:
            return
        if taken is Taken.MISSED:
            self._joined.drop(said.sender)
            for told in self.on_broken:
                await _handed(told, said.sender)
        body, last = said.body.get("b"), said.body.get("last") is True
        data = self._joined.take(said.sender, said.data, last=last)
        if data is not None and isinstance(body, dict):
            await _handed(self._said.get(said.kind), replace(said, body=body, data=data))

    async def _take_asked(self, message: Msg) -> None:
        said = self._open(f"ask/{self.options.process}", message.data)
        if said is None or self._asked_numbers.take(said.sender, said.life, said.number) is Taken.OLD:
            return
        if self._asked < MOST_ASKED:
            self._asked += 1
            self._tasks.start(f"answer {said.sender} {said.number}", self._answer(message, said))

    async def _answer(self, message: Msg, said: Said) -> None:
        try:
            handler = self._answers.get(said.kind)
            try:
                if handler is None:
                    raise LongwatchError(
                        "this process is not asked that", remedy="upgrade the older of the two processes"
                    )
                body = await handler(said)
            except LongwatchError as error:
                told = {
                    "what": error.what,
                    "why": error.why,
                    "remedy": error.remedy,
                    "reason": getattr(error, "reason", ""),
                }
                body = {"error": told}
            answer = Said(self.options.process, self.options.life, said.number, "answer", body)
            await message.respond(self._seal.seal(_answer_to(said), answer))
        except (NatsError, OSError, MessageError) as error:
            _log.warning("an answer to another process of this hub did not go", to=said.sender, reason=_why(error))
        except Exception as error:  # noqa: BLE001 - boundary: whoever asks is not answered, and tries again
            _log.exception(
                "a question of another process could not be dealt with", kind=said.kind, reason=repr(error)[:300]
            )
        finally:
            self._asked -= 1

    def _open(self, channel: str, raw: bytes) -> Said | None:
        try:
            return self._seal.opened(channel, raw)
        except MessageError as error:
            self._say_failing(f"what came is not of this hub: {error}")
            return None


def _answer_to(said: Said) -> str:
    return f"answer/{said.sender}/{said.life}/{said.number}"


async def _handed(handler: Callable[[_T], Awaitable[None]] | None, said: _T) -> None:
    if handler is None:
        return  # a newer process says more than we know
    try:
        await handler(said)
    except Exception as error:  # noqa: BLE001 - boundary: what one message does wrong must not end the bus
        _log.exception("what another process said could not be dealt with", reason=repr(error)[:300])


def _why(error: BaseException) -> str:
    return secrets.scrub(str(error).partition("\n")[0] or type(error).__name__)[:300]


async def _quiet(error: Exception) -> None:
    _log.debug("of the broker's client", reason=_why(error))
