"""A post's end of one connection, without I/O of its own: what the hub says goes in, what goes next comes out.

    end = PostEnd(hello, log, objects, queue, spent, policy)
    frame = end.next(now, quantum)      # bytes, or None: nothing to send before end.look_us
    for message in end.take(frame, now) # what is for others: wants, commands, live views

One per connection; what outlives it (queue, budgets, cosigned heads) is handed in. Order is strict by class at every frame, so that an alarm waits for
one quantum at most. `next` hands out one frame; the caller asks again when the transport has passed it on. Calls read logs and media, and block.
Time is a parameter. A hub that is broken or dishonest gets LinkError, and the connection ends.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import structlog

from longwatch.base.errors import LongwatchError
from longwatch.model.uplink import Class, EventSource, LogHead, LogSource, ObjectSource, Waiting
from longwatch.replication.event_feed import EventFeed
from longwatch.replication.planner import Bucket, Policy, Spent, decide
from longwatch.replication.queue import Item, Queue
from longwatch.wire.uplink import MAX_ITEMS, Body, Chunk, Entries, LinkError, Message, decode, encode

_log = structlog.get_logger(__name__)
MIN_QUANTUM, MAX_QUANTUM = 1 << 10, 16 << 10
OFFER_ITEMS = 16
MOST_OFFERED = 64  # objects of one class between offer and confirmation
ENOUGH_OFFERED_BYTES = 512 << 10
ENTRIES_AT_ONCE = 256
MOST_DAMAGED = 3  # so often an object that arrived as something else is sent again
LINGER_US = 5_000_000  # what is not urgent waits so long for more of its kind
_LOOK_US = 200_000
_URGENT = b'"kind":"alarm_'
_AHEAD_US = 1_000_000  # so far the ledger may run ahead of a rate cap
_KIND_WITHIN = 160  # bytes at the end of an entry in which its kind stands: canonical keys are sorted
_MOST_SAID = 256
_MOST_TOLD = 64
FOR_OTHERS = frozenset(
    {"want", "unwant", "command", "live_open", "live_more", "live_close", "still", "no_fetch", "event_picture"}
)


@dataclass(frozen=True, slots=True)
class Now:
    """boot_us: CLOCK_BOOTTIME. wall_us: since 1970."""

    boot_us: int
    wall_us: int


@dataclass(slots=True)
class _Log:
    """One log on its way. sent: entries that went on this connection, or were there; None until the hub has said its cursor. told: size of the
    last head that went. held: of the last that the hub verified.
    """

    head: LogHead
    sent: int | None = None
    told: int = -1
    held: int = -1
    since_us: int = 0
    urgent: bool = False
    refused_size: int = -1
    asked: bool = False
    keyed: bool = False
    notes: dict[int, str] = field(default_factory=dict)  # heads that were told and not answered yet, by size


@dataclass(slots=True)
class Received:
    """What the hub said that is to be kept. cosigned: by post and log number, the head with the hub's signature. refused: by post, what and why."""

    cosigned: dict[tuple[str, int], str] = field(default_factory=dict)
    refused: dict[str, tuple[str, str]] = field(default_factory=dict)


class PostEnd:
    """One connection of an uplink, from its opening to its cut. For one thread at a time."""

    def __init__(
        self, hello: Mapping[str, Any], log: LogSource, objects: ObjectSource, queue: Queue, spent: Spent, policy: Policy,
        *, bucket: Bucket | None = None, linger_us: int = LINGER_US, look_us: int = _LOOK_US, events: EventSource | None = None,
    ) -> None:  # fmt: skip
        """look_us: how often logs are looked at; longer where whoever writes them says so by `grown`. events: what was seen; it goes before its pictures."""
        self.policy = policy
        self.spent = spent
        self.bucket = bucket or Bucket(policy.rate_bytes_s)
        self.welcome: Mapping[str, Any] | None = None
        self.waiting: Mapping[Class, Waiting] = {}
        self.received = Received()
        self.look_us = 0
        self._log_source = log
        self._objects = objects
        self._queue = queue
        self._linger_us = linger_us
        self._look_us = look_us
        self._logs: dict[tuple[str, int], _Log] = {}
        self._events = None if events is None else EventFeed(events, look_us)
        self._looked_us: int | None = None
        self._said: dict[Class, deque[bytes]] = {cls: deque() for cls in Class}
        self._offered: dict[Class, dict[bytes, Item]] = {cls: {} for cls in Class}
        self._needed: dict[Class, dict[bytes, int]] = {
            cls: {} for cls in Class
        }  # hash to the next byte; in order of offers
        self._sent_whole: dict[bytes, Class] = {}
        self._said[Class.LEDGER].append(encode(Message("hello", hello)))
        queue.again()

    def grown(self) -> None:
        """A log has, or what was seen: look at the next `next`."""
        self._looked_us = None
        if self._events is not None:
            self._events.grown()

    # -- what others want to say

    def say(self, message: Message | Body, cls: Class = Class.LEDGER) -> bool:
        """Sent in its turn. False where too much of its class waits: it is not taken."""
        if len(self._said[cls]) >= _MOST_SAID:
            return False
        self._said[cls].append(encode(message))
        return True

    def saying(self, cls: Class) -> int:
        """How many messages of a class wait to be sent."""
        return len(self._said[cls])

    # -- what goes next

    def next(self, now: Now, quantum: int) -> bytes | None:
        """The next frame, of about `quantum` bytes at most; None where nothing may go before `look_us` (CLOCK_BOOTTIME) unless something comes in."""
        quantum = max(MIN_QUANTUM, min(MAX_QUANTUM, quantum))
        self._look(now)
        if self._events is not None and (question := self._events.look(now.boot_us)) is not None:
            self._said[Class.LEDGER].append(encode(question))
        frame = self._next_frame(now, quantum)
        if frame is not None:
            self.charge(len(frame), now)
        return frame

    def charge(self, size: int, now: Now) -> None:
        """Count bytes that went or came on the budgets and the rate cap."""
        self.spent.add(size, now.wall_us)
        self.bucket.spend(size, now.boot_us)

    def _next_frame(self, now: Now, quantum: int) -> bytes | None:
        if self._said[Class.LEDGER]:
            return self._said[Class.LEDGER].popleft()
        frame = self._ledger_frame(now, quantum)
        if frame is not None:
            return frame
        decision = decide(
            self._wanting(), self.spent, self.policy, now.wall_us, paid_us=now.wall_us + self.bucket.free_us - now.boot_us
        )  # fmt: skip
        self.waiting = decision.waiting
        for cls in decision.allowed:
            frame = self._class_frame(cls, now, quantum)
            if frame is not None:
                return frame
        self._set_look(now, decision.until_us)
        return None

    def _wanting(self) -> list[Class]:
        return [
            cls
            for cls in Class
            if cls is not Class.LEDGER and (self._said[cls] or self._queue.waits(cls) or self._tells(cls))
        ]

    def _tells(self, cls: Class) -> bool:
        return cls is Class.PICTURE and self._events is not None and self._events.waits()

    def _set_look(self, now: Now, until_us: int | None) -> None:
        times = [now.boot_us + self._look_us]
        if until_us is not None:
            times.append(now.boot_us + max(1000, until_us - now.wall_us))
        times += [log.since_us + self._linger_us for log in self._logs.values() if log.since_us]
        times += [] if self._events is None else [self._events.look_us]
        self.look_us = max(now.boot_us + 1000, min(times))

    # -- the ledger

    def _look(self, now: Now) -> None:
        """Five times a second, or as often as was asked: whether logs have grown."""
        if self._looked_us is not None and now.boot_us - self._looked_us < self._look_us:
            return
        self._looked_us = now.boot_us
        for post in self._log_source.posts():
            try:
                for head in self._log_source.logs(post):
                    self._grown(head, now)
            except LongwatchError as error:
                _log.warning("a log cannot be read now", post=post, reason=str(error))
        self._ask_cursors()

    def _grown(self, head: LogHead, now: Now) -> None:
        log = self._logs.get((head.post, head.number))
        if log is None:
            self._logs[head.post, head.number] = _Log(head, since_us=now.boot_us, urgent=True)
        elif head.size != log.head.size or head.note != log.head.note:
            before, log.head = log.head.size, head
            log.since_us = log.since_us or now.boot_us
            log.urgent = log.urgent or head.size - before > ENTRIES_AT_ONCE or self._has_urgent(head, before)

    def _has_urgent(self, head: LogHead, before: int) -> bool:
        entries = self._log_source.entries(head.post, head.number, before, head.size)
        return any(_URGENT in entry[-_KIND_WITHIN:] for entry in entries)

    def _ask_cursors(self) -> None:
        unasked = [log for log in self._logs.values() if not log.asked]
        for start in range(0, len(unasked), MAX_ITEMS):
            part = unasked[start : start + MAX_ITEMS]
            items = [[log.head.post, log.head.number, log.head.size] for log in part]
            if self.say(Message("logs", {"items": items})):
                for log in part:
                    log.asked = True

    def _ledger_frame(self, now: Now, quantum: int) -> bytes | None:
        """Logs in order of post and number, so that an older log is whole before the newer one speaks."""
        if self.bucket.free_us > now.boot_us + _AHEAD_US:
            return None
        for key in sorted(self._logs):
            log = self._logs[key]
            if (
                log.sent is None
                or log.refused_size == log.head.size
                or (log.sent >= log.head.size and log.told == log.head.size)
            ):
                continue
            if (
                not log.urgent
                and now.boot_us - log.since_us < self._linger_us
                and log.head.size - log.sent < ENTRIES_AT_ONCE
            ):
                continue
            try:
                frame = self._entries_frame(log, quantum) if log.sent < log.head.size else self._head_frame(log)
            except LongwatchError as error:
                _log.warning("entries cannot be read now", post=key[0], log=key[1], reason=str(error))
                continue
            if frame is not None:
                return frame
        return None

    def _entries_frame(self, log: _Log, quantum: int) -> bytes | None:
        assert log.sent is not None
        head = log.head
        last = min(head.size, log.sent + ENTRIES_AT_ONCE)
        entries = self._log_source.entries(head.post, head.number, log.sent, last)
        if not entries:
            raise LongwatchError("no entries where the head says there are some")
        count = _as_many(entries, quantum * 3)
        while True:
            frame = encode(Entries(head.post, head.number, log.sent, entries[:count]))
            if len(frame) <= quantum + quantum // 4 or count == 1:
                break
            count = max(1, count * quantum // len(frame))
        log.sent += count
        return frame

    def _head_frame(self, log: _Log) -> bytes:
        head = log.head
        log.told, log.since_us, log.urgent = head.size, 0, False
        body: dict[str, Any] = {"note": head.note, "number": head.number, "post": head.post}
        if not log.keyed:
            body["key"], log.keyed = head.key.hex(), True
        log.notes[head.size] = head.note
        while len(log.notes) > _MOST_TOLD:
            del log.notes[next(iter(log.notes))]
        return encode(Message("head", body))

    # -- objects

    def _class_frame(self, cls: Class, now: Now, quantum: int) -> bytes | None:
        if self._said[cls]:
            return self._said[cls].popleft()
        if self._events is not None and cls is Class.PICTURE and (told := self._events.next(quantum)) is not None:
            return told
        offered, needed = self._offered[cls], self._needed[cls]
        ahead = sum(item.info.size for item in offered.values())
        if len(offered) <= MOST_OFFERED // 2 and (ahead < ENOUGH_OFFERED_BYTES or len(offered) < 4):
            frame = self._offer(cls, now)
            if frame is not None:
                return frame
        while needed:
            sha256, offset = next(iter(needed.items()))
            chunk = self._chunk(cls, sha256, offset, quantum)
            if chunk is not None:
                return chunk
        return None

    def _offer(self, cls: Class, now: Now) -> bytes | None:
        items: list[Item] = []
        offered = self._offered[cls]
        size = sum(item.info.size for item in offered.values())
        most = min(OFFER_ITEMS, MOST_OFFERED - len(offered))
        while len(items) < most and (size < ENOUGH_OFFERED_BYTES or len(items) + len(offered) < 4):
            item = self._queue.take(cls, now.boot_us, taken=self._sent_whole)
            if item is None:
                break
            if not self._is_offered_elsewhere(item, cls):
                items.append(item)
                size += item.info.size
        for item in items:
            offered[item.info.sha256] = item
        return (
            encode(Message("offer", {"class": int(cls), "items": [i.info.as_json() for i in items]})) if items else None
        )

    def _is_offered_elsewhere(self, item: Item, cls: Class) -> bool:
        """It moved to this class while it was on its way: what is there of it goes on from here."""
        sha256 = item.info.sha256
        for other in Class:
            if other is not cls and sha256 in self._offered[other]:
                self._offered[cls][sha256] = item
                del self._offered[other][sha256]
                if sha256 in self._needed[other]:
                    self._needed[cls][sha256] = self._needed[other].pop(sha256)
                return True
        return False

    def _chunk(self, cls: Class, sha256: bytes, offset: int, quantum: int) -> bytes | None:
        item = self._queue.get(sha256)
        if item is None:  # it was dropped meanwhile
            self._forget(sha256)
            return None
        size = min(quantum, item.info.size - offset)
        try:
            data = self._objects.read(item.info, offset, size)
            if len(data) != size:
                raise LongwatchError("shorter than it was")
        except LongwatchError as error:
            _log.info(
                "an object is gone before it was sent", kind=item.info.kind, camera=item.info.camera, reason=str(error)
            )
            self._forget(sha256)
            self._queue.leave(sha256, "gone", str(error))
            return None
        if offset + size >= item.info.size:
            del self._needed[cls][sha256]
            self._sent_whole[sha256] = cls
        else:
            self._needed[cls][sha256] = offset + size
        return encode(Chunk(sha256, offset, data))

    def _forget(self, sha256: bytes) -> None:
        self._sent_whole.pop(sha256, None)
        for cls in Class:
            self._offered[cls].pop(sha256, None)
            self._needed[cls].pop(sha256, None)

    # -- what comes

    def take(self, data: bytes, now: Now) -> list[Message | Body]:
        """What the hub said; what is for others is given back. Raises LinkError."""
        self.charge(len(data), now)
        frame = decode(data)
        if isinstance(frame, Body) or (isinstance(frame, Message) and frame.kind in FOR_OTHERS):
            return [frame]
        if not isinstance(frame, Message):
            raise LinkError("the hub sent what only a post sends")
        if frame.kind == "welcome":
            self.welcome = frame.body
        elif frame.kind == "cursors":
            for item in _items(frame):
                self._cursor(item)
        elif frame.kind == "held":
            self._held(frame.body)
        elif frame.kind == "refused":
            self._refused(frame.body, now)
        elif frame.kind == "need":
            for item in _items(frame):
                self._need(item)
        elif frame.kind == "confirmed":
            for item in _items(frame):
                self._confirmed(_sha256(item))
        elif frame.kind == "events_held" and self._events is not None:
            self._events.held(frame.body)
        return []  # what this version does not know is passed over

    def _cursor(self, item: object) -> None:
        if not isinstance(item, list) or len(item) != 3:
            raise LinkError("a cursor that cannot be read")
        post, number, cursor = item
        log = self._logs.get((post, number)) if isinstance(post, str) and type(number) is int else None
        if type(cursor) is not int or cursor < 0:
            raise LinkError("a cursor that cannot be read")
        if log is not None:
            log.sent, log.told = cursor, -1

    def _held(self, body: Mapping[str, Any]) -> None:
        post, number, size, line = (body.get(name) for name in ("post", "number", "size", "line"))
        if not (isinstance(post, str) and type(number) is int and type(size) is int and isinstance(line, str)):
            raise LinkError("a receipt that cannot be read")
        log = self._logs.get((post, number))
        if log is None or size not in log.notes:
            return  # of a head that was not told on this connection
        note = log.notes[size]
        log.notes = {told: text for told, text in log.notes.items() if told > size}
        log.held = max(log.held, size)
        self.received.cosigned[post, number] = note + line
        self.received.refused.pop(post, None)

    def _refused(self, body: Mapping[str, Any], now: Now) -> None:
        what, why = str(body.get("what", ""))[:80], str(body.get("why", ""))[:500]
        if "sha256" in body:
            sha256 = _sha256(body["sha256"])
            self._forget(sha256)
            item = self._queue.get(sha256)
            damaged = what == "wrong_hash" and item is not None and item.tries < MOST_DAMAGED
            if body.get("later") is True or damaged:
                self._queue.put_off(sha256, now.boot_us)
            elif self._queue.leave(sha256, "refused", f"{what}: {why}") is not None:
                _log.warning("the hub refuses an object", what=what, why=why)
            return
        post, number = body.get("post"), body.get("number")
        if not isinstance(post, str):
            raise LinkError("a refusal that cannot be read")
        self.received.refused[post] = (what, why)
        log = self._logs.get((post, number)) if type(number) is int else None
        if log is not None:
            cursor = body.get("cursor")
            if body.get("later") is True and type(cursor) is int and cursor >= 0:
                log.sent, log.told = cursor, -1  # there was a hole: from there again
            else:
                log.refused_size = log.head.size
                _log.error("the hub refuses this log", post=post, log=number, what=what, why=why)

    def _need(self, item: object) -> None:
        if not isinstance(item, list) or len(item) != 2 or type(item[1]) is not int:
            raise LinkError("a need that cannot be read")
        sha256, offset = _sha256(item[0]), item[1]
        for cls in Class:
            offered = self._offered[cls].get(sha256)
            if offered is None:
                continue
            if not 0 <= offset <= offered.info.size:
                raise LinkError("the hub asks for bytes that no object has")
            self._sent_whole.pop(sha256, None)
            if offset == offered.info.size:
                self._confirmed(sha256)
            else:
                self._needed[cls][sha256] = offset
            return

    def _confirmed(self, sha256: bytes) -> None:
        if any(sha256 in self._offered[cls] for cls in Class):
            self._forget(sha256)
            self._queue.leave(sha256, "confirmed")

    # -- how it stands

    def ledger_backlog(self) -> int:
        """Entries that the hub has not verified yet, of all logs."""
        return sum(max(0, log.head.size - max(log.held, log.sent or 0)) for log in self._logs.values())

    def held(self) -> dict[str, int]:
        """By post: entries of its newest log that the hub has verified on this connection."""
        return {post: log.held for (post, _), log in sorted(self._logs.items()) if log.held >= 0}

    def idle(self) -> bool:
        """Whether the hub has all that there is: nothing waits, nothing is on its way."""
        return (
            self.welcome is not None
            and not len(self._queue)
            and not any(self._said.values())
            and bool(self._logs)
            and all(log.held >= log.head.size or log.refused_size == log.head.size for log in self._logs.values())
            and (self._events is None or self._events.settled())
        )


def _as_many(entries: Sequence[bytes], size: int) -> int:
    """How many of them are within so many bytes, at least one."""
    total = 0
    for count, entry in enumerate(entries):
        total += len(entry) + 2
        if total > size and count:
            return count
    return len(entries)


def _items(message: Message) -> list[object]:
    items = message.body.get("items")
    if not isinstance(items, list) or len(items) > MAX_ITEMS:
        raise LinkError(f"a message `{message.kind}` without its list, or with too long a one")
    return items


def _sha256(value: object) -> bytes:
    try:
        digest = bytes.fromhex(value) if isinstance(value, str) and len(value) == 64 else b""
    except ValueError:
        digest = b""
    if len(digest) != 32:
        raise LinkError("no hash where one belongs")
    return digest
