"""Stretches that people at a hub want here: entered, told to their post, and done once all of it is held. docs/design/media-at-a-hub.md.

A request waits in the fleet's database for as long as its post is away. It is told at every connection until it is over, so that nothing has to
arrive for it to be kept. It is done when the timeline says `held: here` (or `gone`) for all of it, whichever way the footage came.
Owner of the state: the event loop; of the rows: the fleet.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import structlog

from longwatch.accounts import Who
from longwatch.base.clock import Clock
from longwatch.base.errors import LongwatchError, UsageError
from longwatch.fleet import Fleet, FleetDb, RequestRow
from longwatch.ledger import kinds
from longwatch.model.sessions import StreamKey
from longwatch.model.stores import Held, RecordedSpan
from longwatch.node.link import Ledger
from longwatch.wire.uplink import Body, Message

EVERY_S = 5.0
EXPIRES_US = 30 * 86_400_000_000
MOST_US = 32 * 86_400_000_000
_OPEN = ("wanted", "queued")
_log = structlog.get_logger(__name__)


class Index(Protocol):
    """`fleet.FleetIndex`, as far as it is asked here. Calls block."""

    def recorded_spans(self, key: StreamKey, from_us: int, to_us: int) -> list[RecordedSpan]: ...
    def accounted_until_us(self, key: StreamKey | None = None) -> int: ...


class Uplinks(Protocol):
    """`replication.serving.Uplinks`, as far as it is asked here."""

    def on(self, kind: str, handler: Any) -> None: ...
    def on_connect(self, told: Any) -> None: ...
    def connected(self, post: str) -> bool: ...
    def say(self, post: str, message: Message | Body) -> bool: ...


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as it is shown. state: waiting (its post has not heard of it), queued, coming (some of it is here), done, gone, refused, withdrawn, expired.

    share: how much of what was recorded is held here, 0 to 1. by: the name of who asked.
    """

    row: RequestRow
    state: str
    share: float
    by: str
    why: str = ""

    @property
    def done_bytes(self) -> int:
        """About, by the time that is here."""
        return round(self.row.bytes * self.share)


@dataclass(frozen=True, slots=True)
class _Here:
    """Of what was recorded in a stretch: how long what is here is, what is at the post, what is to be had nowhere; and whether its end is accounted for."""

    here_us: int
    away_us: int
    gone_us: int
    accounted: bool

    @property
    def share(self) -> float:
        """0 to 1."""
        return self.here_us / max(1, self.here_us + self.away_us)


class RequestDesk:
    """See the module."""

    def __init__(
        self, db: FleetDb, fleet: Fleet, index: Index, uplinks: Uplinks, ledger: Ledger, clock: Clock, read: Any
    ) -> None:
        """read: runs something that asks the index, off the event loop."""
        self._db = db
        self._fleet = fleet
        self._index = index
        self._uplinks = uplinks
        self._ledger = ledger
        self._clock = clock
        self._read = read
        self._why: dict[int, str] = {}
        self._sent: set[int] = set()  # of these nothing waits at the post any more
        uplinks.on("answer", self._answered)
        uplinks.on_connect(self._connected)

    # -- for the web

    async def make(self, key: StreamKey, from_us: int, to_us: int, who: Who, reason: str) -> Asked:
        """Enter it, keep it, tell the post. key: `post.camera`. What lies ahead of now cannot be asked for. Raises LongwatchError."""
        post, _, camera = key.camera.partition(".")
        to_us = min(to_us, self._clock.wall_us())
        if not camera or not from_us < to_us <= from_us + MOST_US:
            raise UsageError(
                "this stretch cannot be asked for", why="it lies ahead, or is longer than 32 days", remedy="ask in parts"
            )  # fmt: skip
        body = {"post": post, "camera": key.camera, "stream": key.stream, "from_us": from_us, "to_us": to_us}
        body["at_us"] = self._clock.wall_us()
        await self._ledger.request("entry", kind=kinds.REQUEST_MADE, body=body, person=who.person(reason))
        name = f"{who.subject}:{who.user or who.token}"
        row: RequestRow = await self._db.call(self._fleet.want, post, camera, key.stream, from_us, to_us, name, reason)
        self._tell(row)
        return await self._shown(row)

    async def listed(self, limit: int = 1000) -> list[Asked]:
        """The newest first."""
        rows: Sequence[RequestRow] = await self._db.call(lambda: self._fleet.wants(everything=True, limit=limit))
        return [await self._shown(row) for row in rows]

    async def one(self, number: int) -> Asked | None:
        """By its number."""
        row: RequestRow | None = await self._db.call(self._fleet.request, number)
        return None if row is None else await self._shown(row)

    async def withdraw(self, number: int, who: Who) -> None:
        """It is wanted no more; what came of it stays."""
        row: RequestRow | None = await self._db.call(self._fleet.request, number)
        if row is None or row.state not in _OPEN:
            return
        body = {"request": number, "at_us": self._clock.wall_us()}
        await self._ledger.request("entry", kind=kinds.REQUEST_WITHDRAWN, body=body, person=who.person())
        await self._note(row, "withdrawn")
        self._uplinks.say(row.post, Message("unwant", {"request": number, "post": row.post}))

    async def forget(self, subject: int) -> None:
        """The words of one person go."""
        await self._db.call(self._fleet.forget_asker, f"{subject}:")

    # -- posts

    async def tell(self, post: str) -> None:
        """Tell a post what is open, if it is here."""
        await self._connected(post)

    def why(self, number: int) -> str:
        """What a post said of a request, in words."""
        return self._why.get(number, "")

    async def _connected(self, site: str) -> None:
        """A post, or a hub with posts below it, is in touch."""
        for row in await self._db.call(self._fleet.wants):
            if row.post == site or self._uplinks.connected(row.post):
                self._tell(row)

    def _tell(self, row: RequestRow) -> None:
        said = {
            "request": row.id, "post": row.post, "camera": row.camera, "stream": row.stream, "from_us": row.from_us, "to_us": row.to_us,
            "by": row.by.partition(":")[2], "reason": row.reason,
        }  # fmt: skip
        self._uplinks.say(row.post, Message("want", said))

    async def _answered(self, post: str, message: Message | Body) -> None:
        """What a post says of a request of its own."""
        said = message.body if isinstance(message, Message) else {}
        number, state, size, eta_s = (said.get(name) for name in ("request", "state", "bytes", "eta_s"))
        if type(number) is not int or state not in {"queued", "sent", "gone", "refused"}:
            return
        row: RequestRow | None = await self._db.call(self._fleet.request, number)
        if row is None or row.post != post:
            return
        if row.state not in _OPEN:
            self._uplinks.say(post, Message("unwant", {"request": number, "post": row.post}))
            return
        if state == "sent":
            self._sent.add(number)
            state = "queued"
        else:
            self._sent.discard(number)
        why = said.get("why")
        self._why[number] = why[:300] if isinstance(why, str) else ""
        numbers = {
            "bytes_": size if type(size) is int and 0 <= size < 1 << 53 else None,
            "eta_s": eta_s if type(eta_s) is int and 0 <= eta_s < 1 << 31 else None,
        }
        await self._note(row, state, **{name: value for name, value in numbers.items() if value is not None})

    async def _note(self, row: RequestRow, state: str, **values: Any) -> None:
        await self._db.call(lambda: self._fleet.note_answer(row.id, state, **values))

    # -- what is done

    async def run(self) -> None:
        """For ever."""
        while True:
            try:
                await self.settle()
            except LongwatchError as error:
                _log.warning("requests of stretches cannot be looked through now", reason=str(error))
            await self._clock.sleep(EVERY_S)

    async def settle(self) -> None:
        """What is all here is done; what is to be had nowhere is gone; what nobody could answer for a month is over."""
        now_us = self._clock.wall_us()
        for row in await self._db.call(self._fleet.wants):
            here = await self._here(row)
            ended = self._end_of(row, here, now_us)
            if ended:
                await self._note(row, ended, **({"done_bytes": row.bytes} if ended == "done" else {}))
                self._sent.discard(row.id)
                self._uplinks.say(row.post, Message("unwant", {"request": row.id, "post": row.post}))
            elif round(row.bytes * here.share) != row.done_bytes:
                await self._db.call(self._fleet.note_progress, row.id, round(row.bytes * here.share))

    def _end_of(self, row: RequestRow, here: _Here, now_us: int) -> str:
        """The state that it ends in; "" while it goes on."""
        if here.away_us == 0 and (here.accounted or (row.id in self._sent and here.here_us)):
            if here.here_us:
                return "done"
            self._why[row.id] = "the post has removed it since" if here.gone_us else "nothing was recorded then"
            return "gone"
        if (
            row.id in self._sent
        ):  # the post has nothing more of it to send, and its account, which came before, says that there was more
            self._why[row.id] = "the rest cannot be sent: it is damaged at the post"
            return "done" if here.here_us else "refused"
        if now_us - row.created_us > EXPIRES_US:
            self._why[row.id] = "it waited 30 days"
            return "withdrawn"
        return ""

    async def _here(self, row: RequestRow) -> _Here:
        key = StreamKey(f"{row.post}.{row.camera}", row.stream)
        until_us: int = await self._read(
            self._index.accounted_until_us, key
        )  # first: what is recorded until then is told then
        spans: list[RecordedSpan] = await self._read(self._index.recorded_spans, key, row.from_us, row.to_us)
        found = dict.fromkeys(Held, 0)
        for span in spans:
            found[span.held or Held.POST] += max(0, min(span.to_us, row.to_us) - max(span.from_us, row.from_us))
        return _Here(found[Held.HERE], found[Held.POST], found[Held.GONE], until_us >= row.to_us)

    async def _shown(self, row: RequestRow) -> Asked:
        share = 1.0 if row.state == "done" else 0.0
        state = "waiting" if row.state == "wanted" else row.state
        if row.state in _OPEN:
            share = (await self._here(row)).share
            if row.state == "queued" and share > 0:
                state = "coming"
        return Asked(row, state, share, row.by.partition(":")[2], self._why.get(row.id, ""))
