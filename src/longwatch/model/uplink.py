"""What goes from a post to its hub, and what either end asks of the rooms below it. docs/design/uplink.md.

The ledger is its own queue: entries of a log, then the signed head that covers them. Everything else is an object, named by the
SHA-256 of its bytes. Classes are strict: nothing of a later class goes while something of an earlier one may.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from longwatch.model.event_rows import ToldEvent


class Class(enum.IntEnum):
    """In this order. LEDGER: alarms, entries, heads. PICTURE: pictures of events. STRIP: pictures for dragging. CLIP: footage around alarms and
    gaps. ASKED: what a person asked for, live views too. BULK: all footage, in its windows.
    """

    LEDGER = 0
    PICTURE = 1
    STRIP = 2
    CLIP = 3
    ASKED = 4
    BULK = 5

    @property
    def word(self) -> str:
        """As it stands in answers: `ledger`, `picture` and so on."""
        return self.name.lower()


KINDS = ("closing", "piece", "strip", "still", "picture")


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """What an object is. kind: one of KINDS. size: bytes.

    `closing`: the closing box of a sealed segment; `piece`: its leaves [first_leaf, last_leaf], both of them in it, where leaf 0 is the header and leaf
    n a fragment. boot, run, sequence: the segment. at_us: when a picture shows.
    """

    sha256: bytes
    size: int
    kind: str
    post: str
    camera: str
    stream: str
    boot: str = ""
    run: int = 0
    sequence: int = 0
    first_leaf: int = 0
    last_leaf: int = 0
    at_us: int = 0

    def as_json(self) -> dict[str, object]:
        """As it goes over links and lies on courier disks: what is empty is left out."""
        said: dict[str, object] = {
            "at_us": self.at_us, "boot": self.boot, "camera": self.camera, "first": self.first_leaf, "kind": self.kind,
            "last": self.last_leaf, "post": self.post, "run": self.run, "sequence": self.sequence, "size": self.size,
            "stream": self.stream,
        }  # fmt: skip
        return {name: value for name, value in said.items() if value} | {"sha256": self.sha256.hex()}

    @staticmethod
    def from_json(value: object) -> ObjectInfo:
        """The reverse. Raises ValueError for what is no object: foreign bytes are read here."""
        if not isinstance(value, dict) or value.get("kind") not in KINDS:
            raise ValueError("an object of no known kind")
        sha256 = _text(value, "sha256", 64)
        if not re.fullmatch("[0-9a-f]{64}", sha256):
            raise ValueError("an object without its hash")
        info = ObjectInfo(
            bytes.fromhex(sha256), _number(value, "size"), value["kind"], _text(value, "post", 200), _text(value, "camera", 80),
            _text(value, "stream", 40), _text(value, "boot", 80), _number(value, "run"), _number(value, "sequence"),
            _number(value, "first"), _number(value, "last"), _number(value, "at_us"),
        )  # fmt: skip
        if info.size < 1 or not info.post or not info.camera or info.last_leaf < info.first_leaf:
            raise ValueError("an object that cannot be")
        return info


def _text(value: dict[str, Any], name: str, most: int) -> str:
    text = value.get(name, "")
    if not isinstance(text, str) or len(text) > most or not text.isprintable():
        raise ValueError(f"no text as `{name}`")
    return text


def _number(value: dict[str, Any], name: str) -> int:
    number = value.get(name, 0)
    if type(number) is not int or not 0 <= number < 1 << 53:
        raise ValueError(f"no number as `{name}`")
    return number


@dataclass(frozen=True, slots=True)
class LogHead:
    """A log as it may be sent. note: its newest signed head, as text. key: 32 bytes, raw. size: entries that the head speaks of."""

    post: str
    number: int
    note: str
    key: bytes
    size: int


class LogSource(Protocol):
    """What an uplink sends from: a post's published log, or the logs that a hub keeps. Calls block."""

    def posts(self) -> Sequence[str]:
        """Ids of the posts whose logs there are."""
        ...

    def logs(self, post: str) -> Sequence[LogHead]:
        """Every log of a post, oldest first; the last is the one that is written now."""
        ...

    def entries(self, post: str, number: int, first: int, last: int) -> list[bytes]:
        """Canonical entries [first, last). Fewer where they are large. Raises LongwatchError where they cannot be read."""
        ...


class ObjectSource(Protocol):
    """Where the bytes of objects are. Calls block."""

    def read(self, info: ObjectInfo, offset: int, size: int) -> bytes:
        """Bytes [offset, offset+size). Raises LongwatchError where it is gone."""
        ...


@dataclass(frozen=True, slots=True)
class Position:
    """How far a hub has come in the events of a post. rev: of the last change that it has. life: of the table that gave that number, chosen by chance at each start
    of whoever writes it, so that a table that was lost, or taken from a backup, is told from the one that was there before. (0, 0): nothing.
    """

    life: int = 0
    rev: int = 0


class EventSource(Protocol):
    """What was seen, as an uplink tells it: rows in the order of their changes, each as it is now. Calls block."""

    def posts(self) -> Sequence[str]:
        """Ids of the posts whose events there are."""
        ...

    def end(self, post: str) -> Position:
        """Of the newest change."""
        ...

    def fits(self, post: str, position: Position) -> bool:
        """Whether this table gave that number: else all of it is to be told again."""
        ...

    def anew(self, post: str) -> None:
        """All of it is about to be told again, under a life that no hub has heard of."""
        ...

    def after(self, post: str, position: Position, limit: int) -> tuple[Sequence[ToldEvent], Position]:
        """The next that changed, at most so many, and how far that comes. What is not to leave the post is passed over."""
        ...


# -- what a hub's store answers


@dataclass(frozen=True, slots=True)
class Held:
    """A head was verified and everything before it is in the hub's database. note: the head with our cosignature, as text. untold: entries of it that the index
    does not show yet: `tell_more`.
    """

    post: str
    number: int
    size: int
    note: str
    untold: int = 0


@dataclass(frozen=True, slots=True)
class Refused:
    """What the hub does not take. later: it may be offered again after a while (what it rests on is not here yet).

    what: `forked`, `rolled_back`, `revoked`, `not_sealed`, `wrong_hash`, `too_large`, ...; why: for people.
    """

    what: str
    why: str = ""
    later: bool = False


@dataclass(frozen=True, slots=True)
class Confirmed:
    """The hub's database has committed id and hash of an object. Only now does it count as safe there."""

    sha256: bytes


class CarriedStore(Protocol):
    """What is done with what a disk brings by hand: `fleet.Fleet`. All is idempotent. Calls block. Raises LongwatchError where it cannot be done now."""

    def take_carried(
        self, post: str, number: int, first: int, entries: Callable[[], Iterable[bytes]], note: str, key: bytes, /
    ) -> Held | Refused:
        """Entries of a log from `first` on (from the beginning at each call), and the signed head after them: taken where the head proves them, else nothing of them."""
        ...

    def tell_more(self, post: str, /) -> bool:
        """As HubStore."""
        ...

    def begin_object(self, info: ObjectInfo, /) -> int | Refused:
        """As HubStore."""
        ...

    def add_chunk(self, sha256: bytes, offset: int, data: bytes, /) -> int:
        """As HubStore."""
        ...

    def finish_object(self, info: ObjectInfo, /) -> Confirmed | Refused:
        """As HubStore."""
        ...


class HubStore(Protocol):
    """What a hub's end of an uplink does with what comes: `fleet.Fleet`. All is idempotent. Calls block. Raises LongwatchError where it
    cannot be done now: then the connection ends, and all of it comes again.
    """

    def cursor(self, post: str, number: int) -> int:
        """Entries of a log that are here, verified or not; 0 for a log that is not known."""
        ...

    def take_entries(self, post: str, number: int, first: int, entries: list[bytes]) -> int:
        """The new cursor. What overlaps is fine; what leaves a hole is not taken, and the old cursor comes back."""
        ...

    def take_head(self, post: str, number: int, note: str, key: bytes) -> Held | Refused:
        """Verify a head against all entries before it."""
        ...

    def tell_more(self, post: str) -> bool:
        """Make the index of some more of what is verified. Whether there is more yet."""
        ...

    def take_site(self, post: str, site: dict[str, Any]) -> None:
        """What the post says of itself and its cameras."""
        ...

    def take_status(self, post: str, status: dict[str, Any], now_us: int) -> None:
        """How the post is now; also: it was in touch at `now_us`, the hub's wall time."""
        ...

    def events_at(self, post: str) -> Position:
        """How far it has come in the events of a post."""
        ...

    def take_events(
        self, post: str, begin: Position, end: Position, told: Sequence[ToldEvent], *, anew: bool
    ) -> Position:
        """Changes between two positions; anew: all of it, from the beginning. Those that do not follow what is here are passed over. Where it stands then."""
        ...

    def begin_object(self, info: ObjectInfo) -> int | Refused:
        """From which byte on it is needed; its size where it is here, committed."""
        ...

    def add_chunk(self, sha256: bytes, offset: int, data: bytes) -> int:
        """The new length. What is here already is passed over; what leaves a hole is not taken."""
        ...

    def stage_object(self, info: ObjectInfo) -> None:
        """All bytes are here: make them durable. The one call that may run beside others of the store."""
        ...

    def finish_object(self, info: ObjectInfo) -> Confirmed | Refused:
        """All bytes are here: verify and commit."""
        ...


# -- how an uplink is doing, for the page


@dataclass(frozen=True, slots=True)
class Waiting:
    """Why a class does not go now. why: `window`, `budget_hour`, `budget_day`, `budget_month`, `metered`, `rate`, `paused`. until_us: wall time
    when it is looked at again; None where that is not known.
    """

    why: str
    until_us: int | None = None


@dataclass(frozen=True, slots=True)
class LinkState:
    """How the way to the hub is. state: `off`, `connecting`, `connected`, `refused`. detail: for people, what went wrong last.

    backlog: bytes by class that are still to be sent. spent: bytes of this `hour`, `day` and `month`.
    """

    state: str
    hub: str = ""
    since_us: int = 0
    detail: str = ""
    rate_bytes_s: int = 0
    backlog: dict[str, int] = field(default_factory=dict)
    waiting: dict[str, Waiting] = field(default_factory=dict)
    spent: dict[str, int] = field(default_factory=dict)
    held: dict[str, int] = field(default_factory=dict)
