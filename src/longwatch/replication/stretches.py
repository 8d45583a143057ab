"""Footage that goes to the hub, at the post: what was asked for there, what lies around alarms and gaps, and all of it where bulk is wanted.

`StretchRows` keeps them in `server.db`, so that a restart goes on where it was. `Stretches` hands their objects to the uplink, segment by segment, as
it has room, and tells the hub how it stands. A stretch that reaches into what is still being written waits for the seal. What the hub holds already it
says when it is offered; asking again for what was sent looks again. docs/design/media-at-a-hub.md.

Owner of the rows and of the state: the server's loop.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import sqlalchemy as sa
import structlog

from longwatch.archive.pieces import DamagedError, Needed, Stretch
from longwatch.base.clock import Clock
from longwatch.base.errors import LongwatchError
from longwatch.model.sessions import StreamKey
from longwatch.model.stores import Held, RecordedSpan, SegmentRow
from longwatch.model.uplink import Class, ObjectInfo
from longwatch.server_db import ServerDb
from longwatch.server_db.schema import feeds, stretches
from longwatch.wire.uplink import Body, Message

MOST_US = 32 * 86_400_000_000
MOST_OPEN = 1_000
MOST_NEW = 2 * MOST_OPEN  # in an hour: each is an entry of this post's ledger
_BULK_WAITS = 64  # objects of bulk that wait at once: the rest is found when they are gone
_BULK_LOOK_US = 60_000_000
_TELL_US = 60_000_000
_AT_ONCE = 64  # stretches of one look
_log = structlog.get_logger(__name__)
_WITHIN = 1024  # places in the order for each second of a stretch: objects of one segment
_ROOM = 1_000  # of a segment of more fragments, some are offered again later


@dataclass(frozen=True, slots=True)
class StretchRow:
    """See `server_db.schema.stretches`."""

    id: int
    cls: Class
    request: int
    key: StreamKey
    from_us: int
    to_us: int
    next_us: int
    bytes: int
    state: str
    asked_us: int


class StretchRows:
    """The rows. Each call is one transaction, and blocks."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def open(self) -> list[StretchRow]:
        """Those of which something is still to be handed over, the oldest first within each class."""
        query = sa.select(stretches).where(stretches.c.state == "queued").order_by(stretches.c.rank, stretches.c.id)
        with self._engine.connect() as connection:
            return [_row(row) for row in connection.execute(query)]

    def asked(self, request: int) -> StretchRow | None:
        """The one that the hub knows by this number."""
        with self._engine.connect() as connection:
            row = connection.execute(
                sa.select(stretches).where(stretches.c.rank == int(Class.ASKED), stretches.c.request == request)
            ).first()
            return None if row is None else _row(row)

    def put(self, row: StretchRow) -> StretchRow:
        """Add it; one that is there already (the same stretch, the same request) stays."""
        values = {
            "rank": int(row.cls), "request": row.request, "camera": row.key.camera, "stream": row.key.stream, "from_us": row.from_us,
            "to_us": row.to_us, "next_us": row.next_us, "bytes": row.bytes, "state": row.state, "asked_us": row.asked_us,
        }  # fmt: skip
        with self._engine.begin() as connection:
            connection.execute(sa.insert(stretches).prefix_with("OR IGNORE").values(**values))
            same = [
                stretches.c[name] == values[name]
                for name in ("rank", "request", "camera", "stream", "from_us", "to_us")
            ]
            return _row(connection.execute(sa.select(stretches).where(*same)).one())

    def change(self, row: StretchRow, **values: Any) -> None:
        """`next_us`, `bytes` or `state`."""
        with self._engine.begin() as connection:
            connection.execute(sa.update(stretches).where(stretches.c.id == row.id).values(**values))

    def forget(self, before_us: int) -> None:
        """What was handed over, or ended, and was asked for before that."""
        with self._engine.begin() as connection:
            connection.execute(
                sa.delete(stretches).where(stretches.c.state != "queued", stretches.c.asked_us < before_us)
            )

    def feed(self, name: str) -> int | None:
        """How far something has come; None before it began."""
        with self._engine.connect() as connection:
            value = connection.execute(sa.select(feeds.c.value).where(feeds.c.name == name)).scalar()
            return None if value is None else int(value)

    def set_feed(self, name: str, value: int) -> None:
        """It has come so far."""
        with self._engine.begin() as connection:
            connection.execute(sa.insert(feeds).prefix_with("OR REPLACE").values(name=name, value=value))


def _row(row: Any) -> StretchRow:
    key = StreamKey(row.camera, row.stream)
    return StretchRow(
        row.id, Class(row.rank), row.request, key, row.from_us, row.to_us, row.next_us, row.bytes, row.state, row.asked_us
    )  # fmt: skip


class Media(Protocol):
    """`archive.pieces.PieceSource`. Calls block."""

    def needed(self, key: StreamKey, from_us: int, to_us: int) -> Needed: ...
    def bytes_of(self, stretch: Stretch) -> int: ...
    def objects(self, stretch: Stretch) -> list[ObjectInfo]: ...
    def whole(self, segment: SegmentRow) -> Stretch: ...


class Index(Protocol):
    """`archive.ArchiveReader`, as far as it is asked here. Calls block."""

    def cameras(self) -> Sequence[tuple[str, str, int | None]]: ...
    def recorded_spans(self, key: StreamKey, from_us: int, to_us: int) -> list[RecordedSpan]: ...
    def accounted_until_us(self) -> int: ...
    def unconfirmed(self, after: int, limit: int) -> list[SegmentRow]: ...


class Link(Protocol):
    """`node.post.uplink.Uplink`, as far as it is asked here."""

    @property
    def connected(self) -> bool: ...
    def say(self, message: Message | Body, cls: Class = ...) -> bool: ...
    def room(self, cls: Class) -> int: ...
    def queue_add(self, info: ObjectInfo, cls: Class, order: int, request: int = ...) -> bool: ...
    async def queue_drop(self, drop: Callable[[Any], bool]) -> None: ...


@dataclass(frozen=True, slots=True)
class Rules:
    """withheld: cameras of which nothing leaves the post. clips_us: before and after; None for none. bulk: all footage. hub: its id, "" for none."""

    withheld: frozenset[str] = frozenset()
    clips_us: tuple[int, int] | None = None
    bulk: bool = False
    hub: str = ""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a hub asks for. by, reason: of the person there, for the ledger."""

    request: int
    key: StreamKey
    from_us: int
    to_us: int
    by: str
    reason: str

    @staticmethod
    def of(body: Mapping[str, Any]) -> Wanted:
        """Raises ValueError: it came over a link."""
        request, from_us, to_us = (body.get(name) for name in ("request", "from_us", "to_us"))
        texts = [body.get(name, "") for name in ("camera", "stream", "by", "reason")]
        numbers = all(type(n) is int and 0 <= n < 1 << 53 for n in (request, from_us, to_us))
        if not numbers or not all(isinstance(text, str) and len(text) <= 500 for text in texts):
            raise ValueError("a request that cannot be read")
        camera, stream, by, reason = texts
        found = Wanted(int(request or 0), StreamKey(camera, stream), int(from_us or 0), int(to_us or 0), by, reason)
        if not found.from_us < found.to_us <= found.from_us + MOST_US:
            raise ValueError("a stretch that is empty, or longer than 32 days")
        return found


Enter = Callable[[Wanted, str, str], Awaitable[None]]
"""Tell the ledger what was asked, and what came of it: state and why."""


class Stretches:
    """See the module. rate: bytes a second that the link carries, 0 where that is not known; waits: bytes that go before what is asked for now."""

    def __init__(
        self, db: ServerDb, media: Media, index: Index, link: Link, rules: Callable[[], Rules], clock: Clock, enter: Enter,
        *, pressure: Callable[[], tuple[int, int]] = lambda: (0, 0), read: Callable[..., Awaitable[Any]],
    ) -> None:  # fmt: skip
        self._db = db
        self._rows = StretchRows(db.engine)
        self._media = media
        self._index = index
        self._link = link
        self._rules = rules
        self._clock = clock
        self._enter = enter
        self._pressure = pressure
        self._read = read
        self._told_us: dict[int, int] = {}
        self._new, self._new_since_us = 0, clock.boottime_us()
        self._bulk_us = 0
        self._told_all_us = clock.boottime_us()
        self._sent: set[int] = set()  # requests that were handed over whole since this start

    # -- what the hub says

    async def want(self, message: Message | Body) -> None:
        """A person at the hub wants a stretch; said again at each connection while it is open there."""
        body = message.body if isinstance(message, Message) else {}
        try:
            wanted = Wanted.of(body)
        except ValueError as error:
            request = body.get("request")
            if type(request) is int:
                self._answer(request, "refused", why=str(error))
            return
        known = await self._db.call(self._rows.asked, wanted.request)
        if known is not None and (known.key, known.from_us, known.to_us) == (wanted.key, wanted.from_us, wanted.to_us):
            await self._again(known)
            return
        state, why = await self._judged(wanted)
        if self._new > MOST_NEW:  # no entry: a hub fills no ledger with what it asks
            self._answer(wanted.request, state, why=why)
            return
        size = 0
        if state == "queued":
            size = await self._read(self._size, wanted.key, wanted.from_us, wanted.to_us)
        await self._enter(wanted, state, why)
        if state == "queued":
            row = StretchRow(
                0, Class.ASKED, wanted.request, wanted.key, wanted.from_us, wanted.to_us, wanted.from_us, size, "queued",
                self._clock.wall_us(),
            )  # fmt: skip
            await self._db.call(self._rows.put, row)
        self._answer(wanted.request, state, size, why)
        if state == "queued":
            await self.work()

    async def unwant(self, message: Message | Body) -> None:
        """It is wanted no more: what waits of it goes."""
        request = message.body.get("request") if isinstance(message, Message) else None
        if type(request) is not int:
            return
        known = await self._db.call(self._rows.asked, request)
        if known is not None:
            await self._change(known, state="withdrawn")
        self._sent.discard(request)
        await self._link.queue_drop(lambda item: item.request == request and item.cls is Class.ASKED)

    async def _judged(self, wanted: Wanted) -> tuple[str, str]:
        rules, key = self._rules(), wanted.key
        if not self._is_within_hour():
            return "refused", f"more than {MOST_NEW} stretches were asked for within an hour"
        known = {(camera, stream) for camera, stream, _ in await self._read(self._index.cameras)}
        if key.camera in rules.withheld:
            return "refused", "this post's settings keep this camera's footage here (`uplink: withhold`)"
        if (key.camera, key.stream) not in known:
            return "gone", "this post knows no such camera or stream"
        if len(await self._db.call(self._rows.open)) >= MOST_OPEN:
            return "refused", f"{MOST_OPEN} stretches wait already"
        until_us = await self._read(self._index.accounted_until_us)
        if wanted.to_us > until_us:
            return "queued", ""
        spans = await self._read(self._index.recorded_spans, key, wanted.from_us, wanted.to_us)
        if not spans:
            return "gone", "nothing was recorded then"
        if all(span.held is Held.GONE for span in spans):
            return "gone", "the post has removed it since"
        return "queued", ""

    def _is_within_hour(self) -> bool:
        """Of what a hub asked for and had not asked for before."""
        now_us = self._clock.boottime_us()
        if now_us - self._new_since_us >= 3_600_000_000:
            self._new_since_us, self._new = now_us, 0
        self._new += 1
        return self._new <= MOST_NEW

    async def _again(self, known: StretchRow) -> None:
        """It was asked for before. What was handed over and is not on its way any more is looked at again: the hub lacks some of it."""
        if known.state == "sent":
            if not await self._waits(lambda item: item.request == known.request):
                await self._change(known, state="queued", next_us=known.from_us)
        elif known.state == "withdrawn":
            await self._change(known, state="queued", next_us=known.from_us)
        elif known.state == "gone":
            self._answer(known.request, "gone", why="the post has removed it since")
            return
        self._answer(known.request, "queued", known.bytes)

    async def _change(self, row: StretchRow, **values: Any) -> None:
        await self._db.call(lambda: self._rows.change(row, **values))

    async def _waits(self, which: Callable[[Any], bool]) -> int:
        """How many objects of the uplink's queue are such."""
        count = 0

        def look(item: Any) -> bool:
            nonlocal count
            count += which(item)
            return False

        await self._link.queue_drop(look)
        return count

    def _size(self, key: StreamKey, from_us: int, to_us: int) -> int:
        return sum(self._media.bytes_of(stretch) for stretch in self._media.needed(key, from_us, to_us).stretches)

    def _answer(self, request: int, state: str, size: int = 0, why: str = "", *, left: int | None = None) -> None:
        """left: bytes of it that are not in the uplink's queue yet; all of it where nothing is said."""
        rate, before = self._pressure()
        eta_s = round(((size if left is None else left) + before) / rate) if rate and state == "queued" else None
        self._told_us[request] = self._clock.boottime_us()
        self._link.say(
            Message("answer", {"request": request, "state": state, "bytes": size, "eta_s": eta_s, "why": why}),
            Class.LEDGER,
        )

    # -- handing over

    async def add_clip(self, key: StreamKey, from_us: int, to_us: int) -> None:
        """What lies around something that happened."""
        if key.camera not in self._rules().withheld:
            row = StretchRow(0, Class.CLIP, 0, key, from_us, to_us, from_us, 0, "queued", self._clock.wall_us())
            await self._db.call(self._rows.put, row)

    async def work(self) -> None:
        """Hand over what there is room for. Called every few seconds, and when something was asked for."""
        if not self._rules().hub:
            return
        full: set[Class] = set()
        for row in (await self._db.call(self._rows.open))[:_AT_ONCE]:
            if row.cls in full:
                continue
            if row.key.camera in self._rules().withheld:
                await self._change(row, state="withdrawn")
                continue
            if not await self._hand_over(row):
                full.add(row.cls)
            if row.cls is Class.ASKED and self._clock.boottime_us() - self._told_us.get(row.request, 0) >= _TELL_US:
                self._answer(row.request, "queued", row.bytes)
        await self._tell_on_its_way()
        await self._hand_over_bulk()

    async def _tell_on_its_way(self) -> None:
        """Once a minute, of what is handed over: when it is expected at the hub now; or that nothing of it waits here any more, once: the rest, if the hub
        lacks any, cannot be sent.
        """
        now_us = self._clock.boottime_us()
        if now_us - self._told_all_us < _TELL_US:
            return
        self._told_all_us = now_us
        requests: set[int] = set()

        def look(item: Any) -> bool:
            requests.add(item.request)
            return False

        await self._link.queue_drop(look)
        for request in sorted(requests - {0}):
            row = await self._db.call(self._rows.asked, request)
            if row is not None and row.state == "sent":
                self._answer(request, "queued", row.bytes, left=0)
        for request in sorted(self._sent - requests):
            row = await self._db.call(self._rows.asked, request)
            if row is not None and row.state == "sent" and self._link.connected:
                self._answer(request, "sent", row.bytes, left=0)
                self._sent.discard(request)

    async def _hand_over(self, row: StretchRow) -> bool:
        """False where there is no room for more of its class."""
        needed: Needed = await self._read(self._media.needed, row.key, row.next_us, row.to_us)
        number = row.request if row.cls is Class.ASKED else row.id
        for stretch in needed.stretches:
            order = (number << 32) + _order(max(0, stretch.segment.wall_start_us - row.from_us))
            found = await self._offer(stretch, row.cls, order, row.request)
            if found is None:
                return False
            row = replace(row, next_us=max(row.next_us, stretch.segment.wall_end_us))
            await self._change(row, next_us=row.next_us)
        until_us = await self._read(self._index.accounted_until_us)
        if needed.open_us is None and until_us >= row.to_us:
            size = row.bytes or await self._read(self._size, row.key, row.from_us, row.to_us)
            state = "sent" if size else "gone"
            await self._change(row, state=state, bytes=size)
            if row.cls is Class.ASKED:
                why = "" if size else "the post has removed it since"
                self._answer(row.request, "queued" if size else "gone", size, why, left=0)
                if size and len(self._sent) < MOST_NEW:
                    self._sent.add(row.request)
        return True

    async def _offer(self, stretch: Stretch, cls: Class, order: int, request: int) -> int | None:
        """How many objects were handed over; None where there is no room for all of them. What is damaged or gone meanwhile is passed over."""
        if self._link.room(cls) < min(_ROOM, 2 + stretch.segment.fragments):
            return None
        try:
            infos: list[ObjectInfo] = await self._read(self._media.objects, stretch)
        except DamagedError as error:
            _log.error("damaged footage is not sent to the hub", camera=stretch.segment.key.camera, reason=str(error))
            return 0
        except LongwatchError as error:
            _log.info("footage is gone before it could be sent", camera=stretch.segment.key.camera, reason=str(error))
            return 0
        for n, info in enumerate(infos):
            if not self._link.queue_add(info, cls, order + min(n, _WITHIN - 1), request):
                return None
        return len(infos)

    # -- all of it

    async def _hand_over_bulk(self) -> None:
        """The next segments that no hub holds, in the order of their beginning, a few at a time."""
        rules, now_us = self._rules(), self._clock.boottime_us()
        if not rules.bulk or now_us < self._bulk_us:
            return
        waiting = await self._waits(lambda item: item.cls is Class.BULK)
        after = await self._db.call(self._rows.feed, "bulk") or 0
        while waiting < _BULK_WAITS:
            segments: list[SegmentRow] = await self._read(self._index.unconfirmed, after, 16)
            if not segments:  # from the beginning again, for what was refused for a while
                self._bulk_us = now_us + _BULK_LOOK_US
                after = 0
                break
            for segment in segments:
                if segment.key.camera not in rules.withheld:
                    found = await self._offer(self._media.whole(segment), Class.BULK, _order(segment.wall_start_us), 0)
                    if found is None:
                        waiting = _BULK_WAITS
                        break
                    waiting += found
                after = segment.id
        await self._db.call(self._rows.set_feed, "bulk", after)


def _order(us: int) -> int:
    """Of a segment that begins so far into a stretch: 32 days are below 1 << 32."""
    return us // 1_000_000 * _WITHIN
