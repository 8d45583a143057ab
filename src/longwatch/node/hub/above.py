"""What a hub tells the hub above it of its posts: what each said of itself and how it is, and how it stands here. docs/design/enrolment.md.

The ledgers go up proven (`fleet_log`); this is a word of the hub between, and is shown as such: with the way that it came (`via`). It tells when a post was heard
as an age, so that no clock of another machine has to be right. Owner of the state: the loop.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import structlog

from longwatch.base.clock import Clock
from longwatch.base.errors import LongwatchError
from longwatch.fleet import PostRow
from longwatch.model.uplink import Class
from longwatch.wire.uplink import Body, Message

EVERY_S = 5.0
STATUS_EVERY_US = 60_000_000
_POSTS_A_MINUTE = 20
"""Where there are more, each is told less often while nothing of it changes: their link is shared."""
_WORTH = ("cameras", "recording", "alarms", "problems", "power", "version", "provenance", "stopping")
_TOLD = "told"
_log = structlog.get_logger(__name__)


class Above(Protocol):
    """`node.post.uplink.Uplink`, as far as it is asked here."""

    @property
    def connected(self) -> bool: ...
    def say(self, message: Message | Body, cls: Class = Class.ASKED) -> bool: ...
    async def arrived(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class Below:
    """A post as it stands at this hub. heard_us, since_us: by this hub's clock."""

    row: PostRow
    connected: bool
    heard_us: int | None
    since_us: int | None


class TellingAbove:
    """posts: all that are not revoked, as they stand now."""

    def __init__(self, above: Above, posts: Callable[[], Iterable[Below]], clock: Clock) -> None:
        self._above = above
        self._posts = posts
        self._clock = clock
        self._sites: dict[str, bytes] = {}
        self._told: dict[str, tuple[int, object]] = {}

    async def run(self) -> None:
        """For ever."""
        while True:
            try:
                if self._above.connected:
                    await self.look()
                else:
                    self._told.clear()
            except LongwatchError as error:
                _log.warning("how the posts are cannot be told to the hub above now", reason=str(error))
            await self._clock.sleep(EVERY_S)

    async def look(self) -> None:
        """Tell what changed, and each once in a while."""
        posts = list(self._posts())
        every_us = STATUS_EVERY_US * max(1, len(posts) // _POSTS_A_MINUTE)
        sites: dict[str, bytes] = {}
        for post in posts:
            digest = hashlib.sha256(json.dumps(dict(post.row.site), sort_keys=True).encode()).digest()
            if post.row.site and self._sites.get(post.row.id) != digest:
                if not self._above.say(Message("site", {**post.row.site, "post": post.row.id}), Class.LEDGER):
                    break  # the queue is full: the rest at the next look
                sites[post.row.id] = digest
            if not self._status(post, every_us):
                break
        if sites and await self._above.arrived():
            self._sites |= sites
        here = {post.row.id for post in posts}
        for name in [name for name in self._told if name not in here]:
            del self._told[name]

    def _status(self, post: Below, every_us: int) -> bool:
        now_us, row = self._clock.boottime_us(), post.row
        worth = (post.connected, [row.status.get(name) for name in _WORTH])
        before_us, before = self._told.get(row.id, (None, None))
        if before_us is not None and now_us - before_us < every_us and before == worth:
            return True
        wall_us = self._clock.wall_us()
        told = {
            "connected": post.connected, "heard_ago_us": None if post.heard_us is None else max(0, wall_us - post.heard_us),
            "since_ago_us": None if post.since_us is None else max(0, wall_us - post.since_us),
        }  # fmt: skip
        if not self._above.say(Message("status", {**row.status, _TOLD: told, "post": row.id}), Class.LEDGER):
            return False
        self._told[row.id] = now_us, worth
        return True


@dataclass(frozen=True, slots=True)
class Told:
    """What the hub between said. heard_us, since_us: by our clock, as far as messages take no time."""

    connected: bool
    heard_us: int | None
    since_us: int | None


def told_of(row: PostRow) -> Told | None:
    """Of a post that is seen through another hub; None where that hub said nothing, or the post is our own."""
    said = row.status.get(_TOLD)
    if not row.via or not isinstance(said, Mapping) or row.status_us is None:
        return None
    return Told(
        said.get("connected") is True, _before(row.status_us, said, "heard_ago_us"), _before(row.status_us, said, "since_ago_us")
    )  # fmt: skip


def _before(at_us: int, said: Mapping[str, Any], name: str) -> int | None:
    ago = said.get(name)
    return at_us - ago if type(ago) is int and 0 <= ago <= at_us else None
