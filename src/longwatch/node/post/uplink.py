"""The post's end of the uplink: dials out for as long as it runs, and sends what is next. docs/design/uplink.md.

    uplink = Uplink(enrolment, log, db, clock, policy, site, status, folder)
    uplink.sources["piece"] = source        # where the bytes of a kind are
    uplink.on("want", handler)              # what the hub says that others deal with
    uplink.queue_add(info, Class.CLIP, order)

The protocol core, logs and media are touched by one thread of its own, so that a disk that hangs holds neither the console nor recording. Nothing here
knows why something is sent. Owner of the state: the event loop; of the core and the queue: that thread.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import structlog
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

from longwatch.base.clock import Clock
from longwatch.base.errors import LongwatchError
from longwatch.base.tasks import Tasks, ended
from longwatch.ledger.checkpoint import CheckpointError, open_note
from longwatch.ledger.cosignature import CosignatureError, cosigner_name, open_cosigned
from longwatch.model.uplink import Class, EventSource, LinkState, LogSource, ObjectInfo, ObjectSource
from longwatch.node.post.uplink_errors import reason_of, told
from longwatch.replication import Now, Policy, PostEnd, Queue, Spent
from longwatch.replication.outbox import Outbox
from longwatch.replication.pacing import Pace, cork, numbers, prepare
from longwatch.replication.planner import Bucket
from longwatch.replication.post_end import MIN_QUANTUM
from longwatch.replication.queue import Change
from longwatch.server_db import ServerDb
from longwatch.trust import Enrolment, client_context
from longwatch.wire.uplink import MAX_FRAME_BYTES, SUBPROTOCOL, Body, LinkError, Message

_log = structlog.get_logger(__name__)
_T = TypeVar("_T")
PATH = "/uplink"
OPEN_TIMEOUT_S = 60.0
PING_EVERY_S, PING_TIMEOUT_S = 60.0, 90.0
GOOD_AFTER_US = 20_000_000  # a connection that lasted so long was a good one
QUICK_S = 1.0
SLOWEST_S = 120.0
REFUSED_S = 300.0
_KEEP_EVERY_S = 1.0
_COUNT_EVERY_US = 5_000_000
_MOST_PENDING = 2_000
_MOST_UNWRITTEN = 50_000  # changes kept for a database that takes nothing; of older ones the hub's word comes again
_SMALL = 1200  # bytes of a frame that may share a packet

Handler = Callable[[Message | Body], Awaitable[None]]


def wait_of(failures: int, chance: float, *, refused: bool = False) -> float:
    """Seconds until the next attempt. chance: in [0, 1), so that a thousand posts that were cut together do not come back together."""
    if refused:
        return REFUSED_S * (0.75 + chance / 2)
    return (min(SLOWEST_S, 2.0**failures) if failures else QUICK_S) * (0.5 + chance)


class _Sources:
    """An ObjectSource that knows which kind lies where."""

    def __init__(self, sources: Mapping[str, ObjectSource]) -> None:
        self._sources = sources

    def read(self, info: ObjectInfo, offset: int, size: int) -> bytes:
        source = self._sources.get(info.kind)
        if source is None:
            raise LongwatchError(f"nothing here knows objects of the kind {info.kind}")
        return source.read(info, offset, size)


class Uplink:
    """See the module. enrolment: asked at each attempt, None while the site has joined no hub. policy: asked at each connection. folder: for the
    cosigned head (`cosigned`), made where it is missing. through: of a hub, the posts that it speaks for; blocks.
    """

    def __init__(
        self, enrolment: Callable[[], Enrolment | None], log: LogSource, db: ServerDb, clock: Clock, policy: Callable[[], Policy],
        folder: Path, *, version: str = "", through: Callable[[], list[dict[str, Any]]] | None = None,
        chance: Callable[[], float] | None = None,
    ) -> None:  # fmt: skip
        self.sources: dict[str, ObjectSource] = {}
        self.events: EventSource | None = None
        """What was seen, for the hub to know; asked for at each connection."""
        self.connections = 0
        self._enrolment = enrolment
        self._source = log
        self._db = db
        self._outbox = Outbox(db.engine)
        self._clock = clock
        self._policy = policy
        self._folder = folder
        self._version = version
        self._through = through
        self._chance = chance or (lambda: secrets.randbelow(1000) / 1000)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="uplink")
        self._tasks = Tasks("uplink")
        self._handlers: dict[str, Handler] = {}
        self._on_change: list[Callable[[Change], None]] = []
        self._on_connect: list[Callable[[Mapping[str, Any]], None]] = []
        self._on_refused: list[Callable[[str], None]] = []
        self._ws: ClientConnection | None = None
        self._bits_s = 0
        self._pending: deque[tuple[ObjectInfo, Class, int, int]] = deque()
        self._queue = Queue()
        self._changes: list[Change] = []
        """What became of objects and is not written down yet: it goes when it is, not when somebody begins to."""
        self._spent = Spent("UTC")
        self._spent_kept: Mapping[str, tuple[int, int]] = {}
        self._bucket = Bucket()
        self._end: PostEnd | None = None
        self._pace: Pace | None = None
        self._wake = asyncio.Event()
        self._retry = asyncio.Event()
        self._quiet = asyncio.Event()
        self._loaded = asyncio.Event()
        self._state = LinkState("off")
        self._last_contact_us: int | None = None
        self._welcomed_us: int | None = None
        self._rtt_us = 0
        self._held: dict[str, int] = {}
        self.problem = ""

    # -- for others

    def on(self, kind: str, handler: Handler) -> None:
        """Who takes messages of this kind from the hub. It is awaited: long work belongs in a task."""
        self._handlers[kind] = handler

    def on_change(self, told: Callable[[Change], None]) -> None:
        """Called on the loop with what became of objects, once it is written down."""
        self._on_change.append(told)

    def on_connect(self, told: Callable[[Mapping[str, Any]], None]) -> None:
        """Called on the loop at each new connection, with what the hub greeted with."""
        self._on_connect.append(told)

    def on_refused(self, told: Callable[[str], None]) -> None:
        """Called on the loop where the hub lets nobody in with this certificate: its word for why (`revoked`, `expired`, ...)."""
        self._on_refused.append(told)

    @property
    def connected(self) -> bool:
        """Whether there is a connection that the hub has welcomed."""
        return self._state.state == "connected"

    def say(self, message: Message | Body, cls: Class = Class.ASKED) -> bool:
        """Sent in its turn. False where there is no connection, or too much of its class waits: it is not kept."""
        end = self._end
        if end is None or not self.connected:
            return False
        taken = end.say(message, cls)
        self._wake.set()
        return taken

    def saying(self, cls: Class = Class.ASKED) -> int:
        """Messages of a class that wait to be sent: for who drops frames of a live view."""
        return 0 if self._end is None else self._end.saying(cls)

    def room(self, cls: Class) -> int:
        """How many objects more are taken."""
        return min(self._queue.room(cls), _MOST_PENDING) - len(self._pending)

    def queue_add(self, info: ObjectInfo, cls: Class, order: int, request: int = 0) -> bool:
        """An object that the hub is to have. False where there is no room: come again later."""
        if self.room(cls) <= 0:
            return False
        self._pending.append((info, cls, order, request))
        self._wake.set()
        return True

    async def queue_drop(self, drop: Callable[[Any], bool]) -> None:
        """Take out of the queue what is wanted no more (an `Item` for which `drop` says True)."""
        await self._call(self._drop, drop)

    def _drop(self, drop: Callable[[Any], bool]) -> None:
        for item in self._queue.items():
            if drop(item):
                self._queue.leave(item.info.sha256, "dropped")

    def again(self) -> None:
        """Dial in anew, now: the site joined another hub, or has another certificate, or a person asks."""
        self._retry.set()
        ws = self._ws
        if ws is not None:
            self._tasks.start("again", ws.close(1000, "again"))

    async def arrived(self) -> bool:
        """Wait until the hub has taken in what was said before; False where the connection ends first."""
        ws = self._ws
        if ws is None:
            return False
        self._quiet.clear()
        try:
            async with asyncio.timeout(OPEN_TIMEOUT_S):
                await self._quiet.wait()
            await (await ws.ping())
        except (WebSocketException, TimeoutError):
            return False
        return True

    def state(self) -> LinkState:
        """How it stands, for pages and numbers."""
        policy, spent = self._policy(), self._spent
        end, pace, state = self._end, self._pace, self._state
        backlog = {cls.word: size for cls, size in self._queue.backlog().items()}
        backlog["ledger"] = self._ledger_backlog()
        return LinkState(
            state.state, state.hub, state.since_us, state.detail, 0 if pace is None else pace.rate, backlog,
            {} if end is None else {cls.word: why for cls, why in end.waiting.items()},
            {span: spent.of(span) for span in policy.budget} if policy.budget else {"month": spent.of("month")}, dict(self._held),
        )  # fmt: skip

    @property
    def quantum(self) -> int:
        """Bytes of a frame that takes a moment on this link, as far as its rate is known."""
        pace = self._pace
        return MIN_QUANTUM if pace is None else pace.quantum

    @property
    def round_trip_us(self) -> int:
        """As the kernel measures it; 0 where there is no connection."""
        return self._rtt_us if self.connected else 0

    @property
    def bits_per_s(self) -> int:
        """What went and came over the last seconds, headers and all."""
        return self._bits_s if self.connected else 0

    @property
    def last_contact_us(self) -> int | None:
        """Wall time of the last frame from the hub."""
        return self._last_contact_us

    def _ledger_backlog(self) -> int:
        """Bytes, about: entries that the hub has not verified, as they go deflated."""
        end = self._end
        return 0 if end is None else end.ledger_backlog() * 190

    # -- running

    async def run(self) -> None:
        """For ever: quick after a cut, ever slower after failures, seldom where the hub refuses us."""
        await self._load()
        keeping = self._tasks.start("keep", self._keep_for_ever())
        failures = 0
        try:
            while True:
                self._welcomed_us = None
                refused = await self._attempt()
                failures = 0 if self._was_good() else failures + 1
                await self._pause(failures, refused=refused)
        finally:
            keeping.cancel()
            await self._tasks.aclose()
            with contextlib.suppress(Exception):
                await self._keep()
            self._thread.shutdown(wait=False, cancel_futures=True)

    def _was_good(self) -> bool:
        welcomed_us = self._welcomed_us
        return welcomed_us is not None and self._clock.boottime_us() - welcomed_us >= GOOD_AFTER_US

    async def _attempt(self) -> bool:
        """One connection. Whether the hub refuses us."""
        try:
            enrolment = await self._call(self._enrolment)
        except LongwatchError as error:
            self._set("refused", "", str(error))
            return True
        if enrolment is None:
            self._set("off", "", "")
            return False
        try:
            await self.run_once(enrolment)
        except (LongwatchError, WebSocketException, OSError, TimeoutError) as error:
            detail, refused = told(error, enrolment.address)
            if detail != self._state.detail:
                _log.warning("the hub is not in touch", hub=enrolment.hub, reason=detail)
            self._set("refused" if refused else "connecting", enrolment.hub, detail)
            for told_ in self._on_refused if refused else ():
                told_(reason_of(error))
            return refused
        except Exception as error:  # noqa: BLE001 - boundary: a fault of ours ends a connection, and never the link for good
            _log.exception("a fault on the way to the hub")
            self._set("connecting", enrolment.hub, f"a fault of this program: {error!r}")
            return False
        finally:
            self._end = self._ws = None
        self._set("connecting", enrolment.hub, "the connection ended")
        return False

    async def _pause(self, failures: int, *, refused: bool) -> None:
        wait_s = 5.0 if self._state.state == "off" else wait_of(failures, self._chance(), refused=refused)
        self._retry.clear()
        sleeping = asyncio.ensure_future(self._clock.sleep(wait_s))
        asked = asyncio.ensure_future(self._retry.wait())
        try:
            await asyncio.wait({sleeping, asked}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            sleeping.cancel()
            asked.cancel()

    def _set(self, state: str, hub: str, detail: str) -> None:
        if (state, hub, detail) != (self._state.state, self._state.hub, self._state.detail):
            since_us = self._state.since_us if state == self._state.state else self._clock.wall_us()
            self._state = LinkState(state, hub, since_us, detail)

    def _now(self) -> Now:
        return Now(self._clock.boottime_us(), self._clock.wall_us())

    async def _call(self, function: Callable[..., _T], *arguments: Any) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, function, *arguments)

    # -- one connection

    async def run_once(self, enrolment: Enrolment) -> None:
        """Dial in, and send and take until it ends. Raises what ended it."""
        self._set("connecting", enrolment.hub, self._state.detail)
        context = await self._call(client_context, enrolment)
        policy = self._policy()
        async with connect(
            f"wss://{enrolment.address}{PATH}", ssl=context, subprotocols=[SUBPROTOCOL], compression=None,  # type: ignore[list-item]  # a NewType of str
            max_size=MAX_FRAME_BYTES, open_timeout=OPEN_TIMEOUT_S, ping_interval=PING_EVERY_S, ping_timeout=PING_TIMEOUT_S,
            close_timeout=2, proxy=None, user_agent_header=None,
        ) as ws:  # fmt: skip
            sock = ws.transport.get_extra_info("socket")
            prepare(sock)
            self._bucket.rate_bytes_s = policy.rate_bytes_s
            hello: dict[str, Any] = {
                "posts": list(await self._call(self._source.posts)),
                "site": enrolment.site,
                "version": self._version,
            }
            if self._through is not None:
                hello["through"] = through = await self._call(self._through)
                known = [
                    item["post"] for item in through
                ]  # one that joined just now too: its log may not be looked at yet
                hello["posts"] = list(dict.fromkeys([*hello["posts"], *known]))
            end = await self._call(self._begin, hello, policy)
            self._pace = Pace(policy.rate_bytes_s)
            self._end, self._ws = end, ws
            sending = self._tasks.start("send", self._send_all(ws, sock, end, self._pace))
            try:
                await self._take_all(ws, end, enrolment, sending)
            finally:
                await ended([sending])

    def _begin(self, hello: Mapping[str, Any], policy: Policy) -> PostEnd:
        return PostEnd(
            hello,
            self._source,
            _Sources(self.sources),
            self._queue,
            self._spent,
            policy,
            bucket=self._bucket,
            events=self.events,
        )

    async def _send_all(self, ws: ClientConnection, sock: Any, end: PostEnd, pace: Pace) -> None:
        """One frame after another, each when the one before has left. Ends the connection where the core ends."""
        counted_us, wire, charged, corked = 0, 0, 0, False
        try:
            while True:
                found = numbers(sock)
                if found is None:
                    return
                now = self._now()
                self._rtt_us = found.rtt_us
                pace.see(found, now.boot_us)
                if (
                    now.boot_us - counted_us >= _COUNT_EVERY_US
                ):  # what frames do not count: TLS, headers, what went again
                    more = found.wire - wire
                    self._bits_s = more * 8_000_000 // (now.boot_us - counted_us) if counted_us else 0
                    counted_us = now.boot_us
                    wire, over = found.wire, max(0, more - charged)
                    charged = 0
                    await self._call(end.charge, over, now)
                if not pace.has_room(found) or ws.transport.get_write_buffer_size() > 0:
                    if corked:
                        corked = False
                        cork(sock, on=False)
                    await asyncio.sleep(pace.wait_s(found))
                    continue
                self._wake.clear()
                frame = await self._call(self._next, end, pace.quantum)
                if frame is not None:
                    charged += len(frame)
                    if not corked and len(frame) < _SMALL:
                        corked = True
                        cork(sock, on=True)
                    await ws.send(frame)
                if not end.saying(Class.LEDGER):
                    self._quiet.set()
                if frame is not None and len(frame) < _SMALL:
                    continue
                if corked:
                    corked = False
                    cork(sock, on=False)
                if frame is not None:
                    continue
                wait_s = max(0.001, (end.look_us - self._clock.boottime_us()) / 1e6)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(wait_s):  # `wait_for` of Python 3.11 may swallow a cancellation
                        await self._wake.wait()
        except (WebSocketException, OSError, LongwatchError) as error:
            _log.debug("sending to the hub ended", reason=str(error))
        finally:
            await ws.close()

    def _next(self, end: PostEnd, quantum: int) -> bytes | None:
        self._take_pending()
        return end.next(self._now(), quantum)

    def _take_pending(self) -> None:
        while self._pending:
            info, cls, order, request = self._pending.popleft()
            self._queue.add(info, cls, order, request)

    async def _take_all(
        self, ws: ClientConnection, end: PostEnd, enrolment: Enrolment, sending: asyncio.Task[None]
    ) -> None:
        async for data in ws:
            if isinstance(data, str):
                raise LinkError("the hub sent a text where a frame belongs")
            before = end.welcome
            for message in await self._call(end.take, data, self._now()):
                await self._hand_on(message)
            self._last_contact_us = self._clock.wall_us()
            if before is None and end.welcome is not None:
                self._welcomed(enrolment, end.welcome)
            if end.received.cosigned:
                await self._call(self._keep_cosigned, end, enrolment)
            self.problem = "; ".join(f"{post}: {what} {why}" for post, (what, why) in end.received.refused.items())
            self._wake.set()
        await sending

    async def _hand_on(self, message: Message | Body) -> None:
        handler = self._handlers.get(message.kind)
        if handler is None:
            return  # a newer hub says more than we know
        try:
            await handler(message)
        except Exception:  # noqa: BLE001 - boundary: what one message does wrong must not end the link
            _log.exception("a message of the hub could not be dealt with", kind=message.kind)

    def _welcomed(self, enrolment: Enrolment, welcome: Mapping[str, Any]) -> None:
        self.connections += 1
        self._welcomed_us = self._clock.boottime_us()
        self._set("connected", enrolment.hub, "")
        _log.info("the hub is in touch", hub=enrolment.hub)
        for told_ in self._on_connect:
            told_(welcome)

    # -- what is kept

    def _keep_cosigned(self, end: PostEnd, enrolment: Enrolment) -> None:
        """A head that the hub countersigned lies beside the ledger: whoever has it can show what the hub had seen."""
        heads = {(head.post, head.number): head for post in self._source.posts() for head in self._source.logs(post)}
        for (post, number), note in sorted(end.received.cosigned.items()):
            head = heads.get((post, number))
            try:
                open_cosigned(note, cosigner_name(enrolment.hub), enrolment.cosigner)
                size = open_note(note, head.key).size if head is not None else 0
            except (CosignatureError, CheckpointError) as error:
                _log.error(
                    "what the hub says to have countersigned is not that", post=post, log=number, reason=str(error)
                )
                continue
            self._held[post] = size
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            path = self._folder / ("cosigned" if post == enrolment.site else f"cosigned-{post}")
            fresh = path.with_suffix(".new")
            fresh.write_text(note)
            fresh.replace(path)
        end.received.cosigned.clear()

    async def _load(self) -> None:
        items = await self._db.call(self._outbox.load)
        spent = await self._db.call(self._outbox.spent)
        self._queue = Queue(items)
        self._spent = Spent(self._policy().timezone, spent)
        self._spent_kept = self._spent.kept()
        self._loaded.set()

    async def _keep_for_ever(self) -> None:
        while True:
            await self._clock.sleep(_KEEP_EVERY_S)
            try:
                await self._keep()
            except Exception as error:  # noqa: BLE001 - boundary: a full disk here must not end the uplink
                _log.error("what waits for the hub cannot be written down", reason=str(error))

    async def _keep(self) -> None:
        """Raises what keeps the rows from being written: then, and where this is broken off, the next call writes the same again."""
        spent = await self._call(self._drain)
        changes = list(self._changes)
        if changes:
            await self._db.call(self._outbox.keep, changes)
            del self._changes[: len(changes)]
        for change in changes:
            for told_ in self._on_change:
                told_(change)
        if spent != self._spent_kept:
            await self._db.call(self._outbox.keep_spent, spent)
            self._spent_kept = spent

    def _drain(self) -> dict[str, tuple[int, int]]:
        """What changed in the queue goes to `_changes`; what was spent until now. On the uplink's thread."""
        self._take_pending()
        self._changes += self._queue.changes
        self._queue.changes.clear()
        del self._changes[:-_MOST_UNWRITTEN]
        return self._spent.kept()
