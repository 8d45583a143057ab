"""A hub's end of one connection, without I/O of its own: what a post sends goes into the store, what is to be answered comes out.

What the store keeps it keeps by content and offset, so a frame that comes twice, late, or over an old connection does no harm. A post speaks for
itself (a hub below: for its posts) and for nobody else. Owner of nothing but what is on its way: objects that were offered and are not whole.
A post that is broken or dishonest gets LinkError, and the connection ends. Calls reach the store, and block.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, TypeGuard

import structlog

from longwatch.model.event_rows import ToldEvent
from longwatch.model.uplink import Confirmed, Held, HubStore, ObjectInfo, Position, Refused
from longwatch.wire.uplink import MAX_ITEMS, MAX_OBJECT_BYTES, Body, Chunk, Entries, Frame, LinkError, Message, decode

_log = structlog.get_logger(__name__)
MOST_OFFERED = 512
MOST_LOGS = 20_000
TO_STORE = frozenset({"hello", "logs", "head", "offer", "status", "site", "events_at", "events"})


class HubEnd:
    """One connection. may_speak: whether this site may speak for a post. greeted: told what it said first. For one thread at a time."""

    def __init__(
        self, site: str, store: HubStore, welcome: Mapping[str, Any], may_speak: Callable[[str], bool] | None = None,
        greeted: Callable[[Mapping[str, Any]], None] | None = None,
    ) -> None:  # fmt: skip
        self.site = site
        self.hello: Mapping[str, Any] | None = None
        self.untold: set[str] = set()  # posts of which more is verified than the index was told
        self.touched: set[str] = set()  # posts of which something is known that was not; whoever reads it empties it
        self._store = store
        self._welcome = welcome
        self._may_speak = may_speak or (lambda post: post == site)
        self._on_greeted = greeted
        self._offered: dict[bytes, ObjectInfo] = {}
        self._keys: dict[tuple[str, int], str] = {}
        self._answered: deque[bytes] = deque(
            maxlen=MOST_OFFERED
        )  # whole meanwhile: what is still on its way of them is passed over

    def receive(self, data: bytes) -> bool:
        """What of a frame needs no database: bytes of an object that is not whole yet, and the flushing of one that is. True where that is all there is to do; else
        `take` has to have it. Nothing that it says is believed here.
        """
        if data[:1] != b"C" or self.hello is None:
            return False
        chunk = decode(data)
        info = self._offered.get(chunk.sha256) if isinstance(chunk, Chunk) else None
        if info is None or not isinstance(chunk, Chunk) or chunk.offset + len(chunk.data) > info.size:
            return False
        end = chunk.offset + len(chunk.data)
        length = self._store.add_chunk(chunk.sha256, chunk.offset, chunk.data)
        if length < end:
            return False
        if length < info.size:
            return True
        self._store.stage_object(info)
        return False

    def tell(self) -> None:
        """One step of making the index of what is verified: again while there are `untold`."""
        post = next(iter(self.untold), None)
        if post is not None:
            self.touched.add(post)
            if not self._store.tell_more(post):
                self.untold.discard(post)

    def speaks_for(self, post: str) -> bool:
        """Whether what this site says of that post is taken."""
        return self._may_speak(post)

    def take(self, data: bytes, now_us: int) -> tuple[list[Frame], list[Message | Body]]:
        """What to answer, and what is for others (answers, live views). now_us: the hub's wall time. Raises LinkError."""
        frame = decode(data)
        if isinstance(frame, Message) and frame.kind == "hello":
            return self._greeted(frame), []
        if self.hello is None:
            raise LinkError("a post says who it is first")
        if isinstance(frame, Chunk):
            return self._chunk(frame), []
        if isinstance(frame, Entries):
            return self._entries(frame), []
        if isinstance(frame, Message) and frame.kind in TO_STORE:
            return self._message(frame, now_us), []
        self._speaks(
            frame.header.get("post", self.site) if isinstance(frame, Body) else frame.body.get("post", self.site)
        )
        return [], [frame]

    def _greeted(self, frame: Message) -> list[Frame]:
        if self.hello is not None:
            raise LinkError("a post says once who it is")
        if frame.body.get("site") != self.site:
            raise LinkError("a post that says it is another than its certificate")
        if self._on_greeted is not None:
            self._on_greeted(frame.body)
        self.hello = frame.body
        return [Message("welcome", self._welcome)]

    def _message(self, frame: Message, now_us: int) -> list[Frame]:
        body = frame.body
        if frame.kind == "logs":
            return [Message("cursors", {"items": [self._cursor(item) for item in _items(frame)]})]
        if frame.kind == "offer":
            return self._offer(frame)
        if frame.kind == "events_at":
            posts = [self._speaks(item) for item in _items(frame)]
            return [_standing(post, self._store.events_at(post)) for post in posts]
        post = self._speaks(body.get("post"))
        self.touched.add(post)
        if frame.kind == "head":
            return [self._head(post, body)]
        if frame.kind == "events":
            return [self._events(post, frame)]
        said = {name: value for name, value in body.items() if name != "post"}
        if frame.kind == "site":
            self._store.take_site(post, said)
        else:
            self._store.take_status(post, said, now_us)
        return []

    # -- the ledger

    def _cursor(self, item: object) -> list[object]:
        if not isinstance(item, list) or len(item) != 3 or not _is_number(item[1]) or type(item[2]) is not int:
            raise LinkError("a log that cannot be read")
        post = self._speaks(item[0])
        self.untold.add(post)  # a kill, or a cut, may have come between a head and all that it stands for
        return [post, item[1], self._store.cursor(post, item[1])]

    def _entries(self, frame: Entries) -> list[Frame]:
        post = self._speaks(frame.post)
        if not _is_number(frame.number):
            raise LinkError("a log that cannot be")
        cursor = self._store.take_entries(post, frame.number, frame.first, list(frame.entries))
        if cursor >= frame.first + len(frame.entries):
            return []
        return [_refusal(Refused("hole", "entries before these are not here", later=True), post, frame.number, cursor)]

    def _head(self, post: str, body: Mapping[str, Any]) -> Frame:
        number, note = body.get("number"), body.get("note")
        if not _is_number(number) or not isinstance(note, str):
            raise LinkError("a head that cannot be read")
        found = self._store.take_head(post, number, note, self._key(post, number, body))
        if isinstance(found, Held):
            if found.untold:
                self.untold.add(post)
            # our line alone: the post has the rest of the note
            return Message(
                "held", {"line": found.note.removeprefix(note), "number": number, "post": post, "size": found.size}
            )
        return _refusal(found, post, number, self._store.cursor(post, number))

    def _key(self, post: str, number: int, body: Mapping[str, Any]) -> bytes:
        """Of a log: said with its first head on a connection."""
        key = body.get("key", self._keys.get((post, number)))
        try:
            raw = bytes.fromhex(key) if isinstance(key, str) and len(key) == 64 else b""
        except ValueError:
            raw = b""
        if len(raw) != 32 or len(self._keys) > MOST_LOGS:
            raise LinkError("a head without its key, or of too many logs")
        self._keys[post, number] = raw.hex()
        return raw

    # -- events

    def _events(self, post: str, frame: Message) -> Frame:
        """One that cannot be read is passed over: it spoils nothing but itself."""
        begin, end = _position(frame.body.get("begin")), _position(frame.body.get("end"))
        told = [row for item in _items(frame) if (row := _told(item)) is not None]
        return _standing(post, self._store.take_events(post, begin, end, told, anew=frame.body.get("anew") is True))

    # -- objects

    def _offer(self, frame: Message) -> list[Frame]:
        needed: list[list[object]] = []
        answers: list[Frame] = []
        for item in _items(frame):
            try:
                info = ObjectInfo.from_json(item)
            except ValueError as error:
                raise LinkError("an offer that cannot be read", why=str(error)) from error
            self._speaks(info.post)
            begun = self._begin(info)
            if isinstance(begun, Refused):
                answers.append(_object_refusal(info.sha256, begun))
                continue
            if begun < info.size:
                self._keep(info)
            needed.append([info.sha256.hex(), begun])
        if needed:
            answers.insert(0, Message("need", {"items": needed}))
        return answers

    def _begin(self, info: ObjectInfo) -> int | Refused:
        if info.size > MAX_OBJECT_BYTES:
            return Refused("too_large", f"{info.size} bytes")
        begun = self._store.begin_object(info)
        if not isinstance(begun, Refused) and begun >= info.size:
            finished = self._store.finish_object(info)  # whole, whether committed before or not: a kill may lie between
            return finished if isinstance(finished, Refused) else info.size
        return begun

    def _keep(self, info: ObjectInfo) -> None:
        self._offered[info.sha256] = info
        if len(self._offered) > MOST_OFFERED:
            raise LinkError("more objects on their way than may be", why=f"at most {MOST_OFFERED}")

    def _chunk(self, chunk: Chunk) -> list[Frame]:
        info = self._offered.get(chunk.sha256)
        if info is None and chunk.sha256 in self._answered:
            return []
        if info is None:
            raise LinkError("bytes of an object that was not offered")
        end = chunk.offset + len(chunk.data)
        if end > info.size:
            raise LinkError("more bytes than the object has")
        length = self._store.add_chunk(chunk.sha256, chunk.offset, chunk.data)
        if length < end:
            return self._lacks(info)
        if length < info.size:
            return []
        del self._offered[chunk.sha256]
        self._answered.append(chunk.sha256)
        finished = self._store.finish_object(info)
        if isinstance(finished, Confirmed):
            return [Message("confirmed", {"items": [finished.sha256.hex()]})]
        return [_object_refusal(chunk.sha256, finished)]

    def _lacks(self, info: ObjectInfo) -> list[Frame]:
        """Less is here than there should be: a hole, or it came whole by another connection meanwhile and is on its way no more."""
        begun = self._begin(info)
        if not isinstance(begun, Refused) and begun < info.size:
            return [Message("need", {"items": [[info.sha256.hex(), begun]]})]
        del self._offered[info.sha256]
        self._answered.append(info.sha256)
        if isinstance(begun, Refused):
            return [_object_refusal(info.sha256, begun)]
        return [Message("confirmed", {"items": [info.sha256.hex()]})]

    def _speaks(self, post: object) -> str:
        if not isinstance(post, str) or not self._may_speak(post):
            raise LinkError(f"{self.site} does not speak for {str(post)[:80]!r}")
        return post


def _is_number(value: object) -> TypeGuard[int]:
    """Of a log."""
    return type(value) is int and 0 <= value < 1 << 31


def _position(value: object) -> Position:
    if (
        not isinstance(value, list)
        or len(value) != 2
        or not all(type(each) is int and 0 <= each < 1 << 53 for each in value)
    ):
        raise LinkError("a position that cannot be read")
    return Position(value[0], value[1])


def _standing(post: str, at: Position) -> Message:
    return Message("events_held", {"at": [at.life, at.rev], "post": post})


def _told(item: object) -> ToldEvent | None:
    try:
        return ToldEvent.from_json(item)
    except ValueError as error:
        _log.warning("an event of a post cannot be read", reason=str(error))
        return None


def _refusal(refused: Refused, post: str, number: int, cursor: int) -> Message:
    body: dict[str, object] = {"number": number, "post": post, "what": refused.what, "why": refused.why}
    return Message("refused", body | ({"cursor": cursor, "later": True} if refused.later else {}))


def _object_refusal(sha256: bytes, refused: Refused) -> Message:
    body: dict[str, object] = {"sha256": sha256.hex(), "what": refused.what, "why": refused.why}
    return Message("refused", body | ({"later": True} if refused.later else {}))


def _items(message: Message) -> list[object]:
    items = message.body.get("items")
    if not isinstance(items, list) or len(items) > MAX_ITEMS:
        raise LinkError(f"a message `{message.kind}` without its list, or with too long a one")
    return items
