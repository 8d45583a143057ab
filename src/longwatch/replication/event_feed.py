"""A post's end of events: what changed since the hub's position, in its order, a few changes a message. Without I/O of its own; part of a `PostEnd`.

The hub says its position at each connection. Each message says from where to where it goes, so one that comes twice, late or not at all does no harm: the hub takes
what follows on, and says where it stands. Where this table did not give the hub's number (it was lost, or is an older copy), all of it is told again. A row
that changed often while nobody was in touch goes once, as it is. Calls read the source, and block.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import structlog

from longwatch.base.errors import LongwatchError
from longwatch.model.uplink import EventSource, Position
from longwatch.wire.uplink import MAX_ITEMS, LinkError, Message, encode

_log = structlog.get_logger(__name__)
LINGER_US = 1_000_000  # a change waits so long for more of its kind
LOOK_US = 1_000_000
AT_ONCE = 64
MOST_UNANSWERED = 4


@dataclass(slots=True)
class _Feed:
    """Of one post. asked: the hub was asked where it stands. sent: how far it went on this connection, None until the hub has said. anew: from the beginning. held: the
    hub's own word. on_the_way: ends of messages that are not answered. since_us: when a change was seen first that did not go.
    """

    asked: bool = False
    sent: Position | None = None
    anew: bool = False
    held: Position = field(default_factory=Position)
    on_the_way: deque[Position] = field(default_factory=deque)
    since_us: int = 0
    due: bool = False


class EventFeed:
    """Of one connection. For one thread at a time."""

    def __init__(self, source: EventSource, look_us: int = LOOK_US) -> None:
        """look_us: how often the source is looked at; longer where whoever writes it says so by `grown`."""
        self._source = source
        self._every_us = max(LOOK_US, look_us)
        self._feeds: dict[str, _Feed] = {}
        self._looked_us: int | None = None
        self.look_us = 0

    def grown(self) -> None:
        """The source has: look at the next `look`."""
        self._looked_us = None

    def look(self, now_us: int) -> Message | None:
        """Now and then: whether anything changed. now_us: CLOCK_BOOTTIME. A question to the hub, where there is one to ask."""
        if self._looked_us is not None and now_us < self.look_us:
            return None
        self._looked_us, self.look_us = now_us, now_us + self._every_us
        try:
            for post in self._source.posts():
                self._look_at(post, self._feeds.setdefault(post, _Feed()), now_us)
        except LongwatchError as error:
            _log.warning("events cannot be read now", reason=str(error))
        unasked = [post for post, feed in self._feeds.items() if not feed.asked][:MAX_ITEMS]
        for post in unasked:
            self._feeds[post].asked = True
        return Message("events_at", {"items": unasked}) if unasked else None

    def _look_at(self, post: str, feed: _Feed, now_us: int) -> None:
        if feed.sent is None:
            return
        if not feed.anew and self._source.end(post).rev <= feed.sent.rev:
            feed.since_us, feed.due = 0, False
            return
        feed.since_us = feed.since_us or now_us
        feed.due = feed.anew or now_us - feed.since_us >= LINGER_US
        if not feed.due:
            self.look_us = min(self.look_us, feed.since_us + LINGER_US)

    def waits(self) -> bool:
        """Whether a message is due."""
        return any(feed.due and len(feed.on_the_way) < MOST_UNANSWERED for feed in self._feeds.values())

    def next(self, quantum: int) -> bytes | None:
        """The next message, of about so many bytes at most."""
        for post, feed in self._feeds.items():
            if not feed.due or feed.sent is None or len(feed.on_the_way) >= MOST_UNANSWERED:
                continue
            try:
                frame = self._frame(post, feed, quantum)
            except LongwatchError as error:
                feed.due = False
                _log.warning("events cannot be read now", post=post, reason=str(error))
                continue
            if frame is not None:
                return frame
        return None

    def _frame(self, post: str, feed: _Feed, quantum: int) -> bytes | None:
        assert feed.sent is not None
        count = AT_ONCE
        while True:
            told, end = self._source.after(post, feed.sent, count)
            if not told and end == feed.sent and not feed.anew:
                feed.due = False
                return None
            body: dict[str, Any] = {
                "begin": [feed.sent.life, feed.sent.rev], "end": [end.life, end.rev], "items": [each.as_json() for each in told], "post": post,
            }  # fmt: skip
            frame = encode(Message("events", body | ({"anew": True} if feed.anew else {})))
            if len(frame) <= quantum + quantum // 4 or count == 1:
                break
            count = max(1, min(count - 1, count * quantum // len(frame)))
        feed.sent, feed.anew = end, False
        feed.on_the_way.append(end)
        feed.due = self._source.end(post).rev > end.rev
        feed.since_us = 0
        return frame

    def held(self, body: Mapping[str, Any]) -> None:
        """The hub says where it stands. Raises LinkError."""
        post, at = body.get("post"), body.get("at")
        if (
            not isinstance(post, str)
            or not isinstance(at, list)
            or len(at) != 2
            or not all(_is_number(each) for each in at)
        ):
            raise LinkError("a position that cannot be read")
        feed = self._feeds.get(post)
        if feed is None:
            return
        position = Position(at[0], at[1])
        if position in feed.on_the_way:
            while feed.on_the_way.popleft() != position:
                pass
            feed.held = position
        elif feed.sent is None or position != feed.held:
            self._go_on_from(post, feed, position)

    def _go_on_from(self, post: str, feed: _Feed, position: Position) -> None:
        feed.held = feed.sent = position
        feed.on_the_way.clear()
        feed.since_us, feed.anew = 0, False
        self._looked_us = None
        if not self._source.fits(post, position) and (position.rev or position.life or self._source.end(post).rev):
            if position.life:
                _log.warning("what the hub has of events is of another table: all of them are told again", post=post)
                self._source.anew(post)
            feed.sent, feed.anew = Position(), True

    def settled(self) -> bool:
        """The hub has all there is."""
        return all(
            feed.sent is not None
            and not feed.on_the_way
            and not feed.anew
            and self._source.end(post).rev <= feed.held.rev
            for post, feed in self._feeds.items()
        )


def _is_number(value: object) -> bool:
    return type(value) is int and 0 <= value < 1 << 53
