"""A hub between posts and the hub above it: what is asked above is asked below, and what comes from below goes up.

A stretch that is wanted above is wanted here too; once all of it is held here, the same objects go up under the same hashes, and the hub above proves them
against the post's own ledger. Live views and pictures of now pass through, part by part. Packs of strips and pictures of events go up as they came. Nothing is made here,
and nothing of it is believed. Owner of its rows in `server.db` (`stretches`, `feeds`): the server's loop.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import structlog

from longwatch.accounts import Accounts, Who
from longwatch.accounts.who import AT_A_HUB
from longwatch.base.clock import Clock
from longwatch.base.errors import LongwatchError, UsageError
from longwatch.base.tasks import Tasks
from longwatch.fleet import Fleet, RequestRow
from longwatch.fleet.upward import Upward
from longwatch.ledger import kinds
from longwatch.live.remote import RemoteLive
from longwatch.model.sessions import StreamKey
from longwatch.model.uplink import Class
from longwatch.node.hub.events import PICTURE, HubEvents
from longwatch.node.hub.requests import RequestDesk, Uplinks
from longwatch.node.post.uplink import Uplink
from longwatch.replication.stretches import StretchRow, StretchRows, Wanted
from longwatch.wire.uplink import Body, Message

EVERY_S = 3.0
TELL_US = 30_000_000
_STRIPS_AT_ONCE = 200
_MOST_NUMBERS = 4096
_ABOVE = "above:"
_OVER = frozenset({"gone", "refused", "withdrawn"})
_log = structlog.get_logger(__name__)


class HubRelay:
    """above: the link to the hub above; below: the connections of posts. hub: the id of the hub above, "" for none. strips: whether packs of them go up."""

    def __init__(
        self, above: Uplink, below: Uplinks, fleet: Fleet, source: Upward, desk: RequestDesk, live: RemoteLive, accounts: Accounts,
        hub: Callable[[], str], strips: Callable[[], bool], clock: Clock, read: Callable[..., Awaitable[Any]], events: HubEvents,
    ) -> None:  # fmt: skip
        self._events = events
        self._above = above
        self._below = below
        self._fleet = fleet
        self._source = source
        self._desk = desk
        self._accounts = accounts
        self._hub = hub
        self._strips = strips
        self._clock = clock
        self._read = read
        self._rows = StretchRows(accounts.db.engine)
        self._numbers: dict[int, str] = {}
        self._told_us: dict[int, int] = {}
        above.sources |= dict.fromkeys(("closing", "piece", "strip", "picture"), source)
        above.on(PICTURE, self._picture)
        events.on_gone.append(self._no_picture)
        above.on("want", self._want)
        above.on("unwant", self._unwant)
        for kind in ("live_open", "live_close", "still"):
            above.on(kind, self._down)
        live.pass_on = self._up

    def start(self, tasks: Tasks) -> None:
        """For as long as these run."""
        tasks.start("relay", self._run())

    # -- live views and pictures of now

    async def _down(self, message: Message | Body) -> None:
        said = message.body if isinstance(message, Message) else {}
        post, number = said.get("post"), said.get("live", said.get("ask"))
        if not isinstance(post, str) or type(number) is not int:
            return
        self._numbers[number] = post
        while len(self._numbers) > _MOST_NUMBERS:
            del self._numbers[next(iter(self._numbers))]
        if self._below.say(post, message) or message.kind == "live_close":
            return
        why = f"{post} is not in touch with the hub below"
        if message.kind == "still":
            self._above.say(Message("still", {"ask": number, "post": post, "why": why}), Class.LEDGER)
        else:
            self._above.say(Message("live_end", {"live": number, "post": post, "why": why}), Class.LEDGER)

    def _up(self, post: str, message: Message | Body) -> None:
        """What a post sends that nobody here asked for."""
        said = message.header if isinstance(message, Body) else message.body
        number = said.get("live", said.get("ask"))
        if type(number) is not int or self._numbers.get(number) != post:
            return
        named = {**said, "post": post}
        taken = (
            self._above.say(Body(message.kind, named, message.data), Class.ASKED)
            if isinstance(message, Body)
            else self._above.say(Message(message.kind, named), Class.LEDGER)
        )
        if not taken and message.kind == "live_part":  # a message without one of its parts is none
            self._below.say(post, Message("live_close", {"live": number, "post": post}))
            self._above.say(Message("live_end", {"live": number, "post": post, "why": "too_thin"}), Class.LEDGER)
            del self._numbers[number]

    # -- stretches

    async def _want(self, message: Message | Body) -> None:
        """Said again at each connection while it is open above."""
        body = message.body if isinstance(message, Message) else {}
        post = body.get("post")
        try:
            wanted = Wanted.of(body)
        except ValueError as error:
            _log.warning("the hub above asks for what cannot be", reason=str(error))
            return
        if not isinstance(post, str):
            return
        known = await self._accounts.db.call(self._rows.asked, wanted.request)
        if known is not None and known.state != "queued":
            await self._change(known, state="queued")
        elif known is None:
            await self._ask_below(post, wanted)
        self._told_us.pop(wanted.request, None)

    async def _ask_below(self, post: str, wanted: Wanted) -> None:
        key, hub = wanted.key, self._hub()
        state, why = "queued", ""
        try:
            await self._fleet.db.call(
                self._fleet.want, post, key.camera, key.stream, wanted.from_us, wanted.to_us, f"{_ABOVE}{wanted.by} at {hub}",
                wanted.reason,
            )  # fmt: skip
            await self._desk.tell(post)
        except UsageError as error:
            state, why = "refused", str(error)
        body: dict[str, object] = {
            "hub": hub, "request": wanted.request, "camera": f"{post}.{key.camera}", "stream": key.stream, "from_us": wanted.from_us,
            "to_us": wanted.to_us, "state": state, "why": why,
        }  # fmt: skip
        who = Who(AT_A_HUB, user=f"{wanted.by or 'somebody'} at {hub}")
        await self._accounts.journal.say(kinds.FOOTAGE_ASKED, body, who, wanted.reason)
        if why:
            self._answer(wanted.request, post, state, why=why)
            return
        row = StretchRow(
            0, Class.ASKED, wanted.request, StreamKey(f"{post}.{key.camera}", key.stream), wanted.from_us, wanted.to_us,
            wanted.from_us, 0, "queued", self._clock.wall_us(),
        )  # fmt: skip
        await self._accounts.db.call(self._rows.put, row)

    async def _unwant(self, message: Message | Body) -> None:
        request = message.body.get("request") if isinstance(message, Message) else None
        if type(request) is not int:
            return
        known = await self._accounts.db.call(self._rows.asked, request)
        if known is None:
            return
        if known.state == "queued":
            await self._change(known, state="withdrawn")
        below = await self._below_of(known)
        if below is not None and below.by.startswith(_ABOVE) and below.state in {"wanted", "queued"}:
            await self._fleet.db.call(self._fleet.note_answer, below.id, "withdrawn")
            self._below.say(below.post, Message("unwant", {"request": below.id, "post": below.post}))
        await self._above.queue_drop(lambda item: item.request == request and item.cls is Class.ASKED)

    async def _change(self, row: StretchRow, **values: Any) -> None:
        await self._accounts.db.call(lambda: self._rows.change(row, **values))

    async def _below_of(self, row: StretchRow) -> RequestRow | None:
        """The request of this hub for the same stretch, the newest."""
        post, _, camera = row.key.camera.partition(".")
        found: list[RequestRow] = await self._fleet.db.call(lambda: self._fleet.wants(post, everything=True))
        same = (camera, row.key.stream, row.from_us, row.to_us)
        return next((one for one in found if (one.camera, one.stream, one.from_us, one.to_us) == same), None)

    def _answer(self, request: int, post: str, state: str, **more: object) -> None:
        self._told_us[request] = self._clock.boottime_us()
        self._above.say(Message("answer", {"request": request, "post": post, "state": state, **more}), Class.LEDGER)

    # -- the loop

    async def _run(self) -> None:
        while True:
            try:
                if self._hub():
                    await self.work()
            except LongwatchError as error:
                _log.warning("what goes to the hub above cannot be looked through now", reason=str(error))
            await self._clock.sleep(EVERY_S)

    async def work(self) -> None:
        """Hand up what is all here now, and what strips came."""
        for row in await self._accounts.db.call(self._rows.open):
            await self._stretch(row)
        if self._strips():
            await self._send("strip", Class.STRIP)
        await self._send("picture", Class.PICTURE)

    async def _stretch(self, row: StretchRow) -> None:
        post, _, camera = row.key.camera.partition(".")
        below = await self._below_of(row)
        if below is None:
            await self._change(row, state="gone")
            self._answer(row.request, post, "refused", why="it was withdrawn at the hub below")
            return
        if below.state in _OVER:
            await self._change(row, state="gone")
            state = below.state if below.state != "withdrawn" else "refused"
            self._answer(row.request, post, state, why=self._desk.why(below.id) or "it was withdrawn at the hub below")
            return
        if below.state == "done":
            key = StreamKey(camera, row.key.stream)
            infos = await self._read(self._source.stretch, post, key, row.from_us, row.to_us)
            if self._above.room(Class.ASKED) < min(1000, len(infos)):
                return
            for n, info in enumerate(infos):
                self._above.queue_add(info, Class.ASKED, (row.request << 32) + n, row.request)
            size = sum(info.size for info in infos)
            await self._change(row, state="sent", bytes=size)
            rate = self._above.state().rate_bytes_s
            self._answer(row.request, post, "queued", bytes=size, eta_s=round(size / rate) if rate else None)
            return
        if self._clock.boottime_us() - self._told_us.get(row.request, -TELL_US) >= TELL_US:
            self._answer(row.request, post, "queued", bytes=below.bytes, eta_s=below.eta_s)

    async def _send(self, kind: str, cls: Class) -> None:
        """What came since, as it came."""
        feed = f"above/{kind}s"
        before_us = after_us = await self._accounts.db.call(self._rows.feed, feed) or 0
        for at_us, info in await self._read(self._source.came, kind, after_us, _STRIPS_AT_ONCE):
            if not self._above.queue_add(info, cls, -info.at_us // 1_000_000):
                break
            after_us = at_us
        if after_us != before_us:
            await self._accounts.db.call(self._rows.set_feed, feed, after_us)

    # -- pictures of events

    async def _picture(self, message: Message | Body) -> None:
        """Wanted above: it goes up from here, or once the post has sent it."""
        said = message.body if isinstance(message, Message) else {}
        post, event, camera, at_us = (said.get(name) for name in ("post", "event", "camera", "at_us"))
        if not (isinstance(post, str) and isinstance(event, str) and isinstance(camera, str) and type(at_us) is int):
            return
        info = await self._read(self._source.picture, post, camera, at_us)
        if info is not None:
            self._above.queue_add(info, Class.ASKED, -at_us // 1_000_000)
        elif (
            await self._events.ask(f"{post}.{event}", f"{said.get('by') or 'somebody'} at {self._hub()}"[:200]) is None
        ):
            self._no_picture(post, event, "the hub below knows nothing of it")

    def _no_picture(self, post: str, event: str, why: str) -> None:
        self._above.say(Message(PICTURE, {"event": event, "post": post, "why": why}), Class.LEDGER)
