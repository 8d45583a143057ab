"""A hub's end of the WebSockets that posts dial in by: one connection a site, the newest counts. docs/design/uplink.md.

`serve` reads frames one after another, hands them to a `HubEnd` on a thread of the store, and sends what it answers. What a hub wants to say to a post
(wants, commands, live views) goes by `Uplinks.say`, in small queues that drop what finds no room and say so.
Owner of the connections: the event loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Coroutine, Mapping
from typing import Any, Protocol

import structlog

from longwatch.base.clock import Clock
from longwatch.base.errors import LongwatchError
from longwatch.base.tasks import Tasks
from longwatch.model.uplink import HubStore
from longwatch.replication.hub_end import HubEnd
from longwatch.wire.uplink import Body, LinkError, Message, encode

_log = structlog.get_logger(__name__)
CLOSED_NEWER = 4001  # another connection of this site took over
CLOSED_REFUSED = 4002  # what came was no frame, or not allowed
CLOSED_REVOKED = 4003
CLOSED_STORE = 4004  # the store cannot now: try again
MOST_WAITING = 256

Handler = Callable[[str, Message | Body], Awaitable[None]]


class Socket(Protocol):
    """What is asked of a WebSocket: `websockets.asyncio.server.ServerConnection` is one."""

    async def send(self, message: bytes) -> None: ...

    async def recv(self, decode: bool | None = None) -> str | bytes: ...

    async def close(self, code: int = 1000, reason: str = "") -> None: ...


class _Peer:
    """One connection: what is to be said to it, besides answers."""

    def __init__(self, site: str, socket: Socket) -> None:
        self.site = site
        self.socket = socket
        self.to_say: asyncio.Queue[bytes] = asyncio.Queue(MOST_WAITING)
        self.closed = asyncio.Event()
        self.posts: set[str] = set()


class Uplinks:
    """All connections of this process. dropped: what found no room. frames: how many were taken."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._peers: dict[str, _Peer] = {}
        self._of_post: dict[str, _Peer] = {}
        self._handlers: dict[str, Handler] = {}
        self._on_connect: list[Callable[[str], Coroutine[Any, Any, None]]] = []
        self.on_taken: list[Callable[[Collection[str]], None]] = []
        """Called on the loop with the posts of which something was taken and committed, or whose connection began or ended."""
        self._tasks = Tasks("uplinks")
        self.dropped = 0
        self.frames = 0
        self.bytes = 0
        self.superseded = 0

    def on(self, kind: str, handler: Handler) -> None:
        """Who takes messages of a kind that the store does not take. One for each; it is awaited, and holds the post's next frame up."""
        self._handlers[kind] = handler

    def on_connect(self, told: Callable[[str], Coroutine[Any, Any, None]]) -> None:
        """Called with the site once it has said who it is, as a task of its own."""
        self._on_connect.append(told)

    def connected(self, post: str) -> bool:
        """Whether it is there now, by itself or through a hub below."""
        return post in self._of_post or post in self._peers

    def sites(self) -> list[str]:
        """Who is connected here."""
        return sorted(self._peers)

    def say(self, post: str, message: Message | Body) -> bool:
        """False where the post is not here, or does not take what waits for it."""
        peer = self._peers.get(post) or self._of_post.get(post)
        if peer is None or peer.closed.is_set():
            return False
        try:
            peer.to_say.put_nowait(encode(message))
        except asyncio.QueueFull:
            self.dropped += 1
            return False
        return True

    async def drop(self, site: str, code: int = CLOSED_REVOKED, reason: str = "revoked") -> None:
        """End a site's connection: it is revoked, say."""
        peer = self._peers.get(site)
        if peer is not None:
            peer.closed.set()
            await peer.socket.close(code, reason)

    async def aclose(self) -> None:
        """End all of them."""
        for site in self.sites():
            await self.drop(site, 1001, "the hub stops")
        await self._tasks.aclose()

    async def serve(
        self, socket: Socket, site: str, store: HubStore, call: Callable[..., Awaitable[Any]], welcome: Mapping[str, Any],
        may_speak: Callable[[str], bool] | None = None, greeted: Callable[[Mapping[str, Any]], None] | None = None,
    ) -> None:  # fmt: skip
        """One connection, until it ends. site: from its certificate. call: runs something that blocks on a thread of the store, as
        `FleetDb.call`. greeted: as HubEnd. A second connection of a site ends the first.
        """
        before = self._peers.get(site)
        if before is not None:
            self.superseded += 1
            _log.info("a post dialled in anew; its older connection ends", site=site)
            await self.drop(site, CLOSED_NEWER, "another connection of this site took over")
        peer = self._peers[site] = _Peer(site, socket)
        end = HubEnd(site, store, welcome, may_speak, greeted)
        sending = self._tasks.start(f"say {site}", self._say(peer))
        try:
            await self._take_all(peer, end, call)
        except LinkError as error:
            _log.warning("a connection is ended for what came by it", site=site, reason=str(error))
            await socket.close(CLOSED_REFUSED, _short(error))
        except LongwatchError as error:
            _log.error("a hub's store cannot take what comes", site=site, reason=str(error))
            await socket.close(CLOSED_STORE, "the store cannot take it now")
        finally:
            peer.closed.set()
            sending.cancel()
            if self._peers.get(site) is peer:
                del self._peers[site]
            for post in peer.posts:
                if self._of_post.get(post) is peer:
                    del self._of_post[post]
            self.taken({site, *peer.posts})

    async def _take_all(self, peer: _Peer, end: HubEnd, call: Callable[..., Awaitable[Any]]) -> None:
        greeted = False
        while not peer.closed.is_set():
            data = await peer.socket.recv()
            if isinstance(data, str) or peer.closed.is_set():
                raise LinkError("a text where a frame belongs, or a frame after the end")
            self.frames += 1
            self.bytes += len(data)
            if data[:1] == b"C" and await asyncio.to_thread(end.receive, data):
                continue
            answers, told = await call(end.take, data, self._clock.wall_us())
            for answer in answers:
                await peer.socket.send(encode(answer))
            if not greeted and end.hello is not None:
                greeted = True
                self._greeted(peer, end.hello, end.speaks_for)
            for message in told:
                await self._hand_on(peer, message)
            self._touched(end)
            while end.untold and not peer.closed.is_set():  # one step a transaction: what others sent goes in between
                await call(end.tell)
                self._touched(end)

    def _greeted(self, peer: _Peer, hello: Mapping[str, Any], speaks_for: Callable[[str], bool]) -> None:
        """What it says to speak for counts as far as it may: else a post could pass for another that is silent, and be told what is for that one."""
        posts = hello.get("posts")
        if isinstance(posts, list):
            peer.posts = {post for post in posts if isinstance(post, str) and speaks_for(post)}
        for post in {peer.site, *peer.posts}:
            self._of_post[post] = peer
        peer.posts.add(peer.site)
        self.taken(peer.posts)
        for told in self._on_connect:
            self._tasks.start(f"connected {peer.site}", told(peer.site))

    def _touched(self, end: HubEnd) -> None:
        if end.touched:
            self.taken(end.touched)
            end.touched = set()

    def taken(self, posts: Collection[str]) -> None:
        """Tell whoever shows them that something of these posts changed."""
        for told in self.on_taken:
            told(posts)

    async def _hand_on(self, peer: _Peer, message: Message | Body) -> None:
        handler = self._handlers.get(message.kind)
        if handler is None:
            return  # a newer post says more than we know
        said = message.header if isinstance(message, Body) else message.body
        post = said.get("post")
        try:
            await handler(post if isinstance(post, str) else peer.site, message)
        except Exception:  # noqa: BLE001 - boundary: what one message does wrong must not end a post's link
            _log.exception("a message of a post could not be dealt with", site=peer.site, kind=message.kind)

    async def _say(self, peer: _Peer) -> None:
        while True:
            data = await peer.to_say.get()
            try:
                await peer.socket.send(data)
            except Exception as error:  # noqa: BLE001 - boundary: whatever a socket says at its end; its reader ends too
                _log.debug("a post is gone while it was told something", site=peer.site, reason=repr(error))
                return


def _short(error: Exception) -> str:
    """A reason of a WebSocket's end has at most 123 bytes."""
    return str(error).encode()[:120].decode(errors="ignore")
