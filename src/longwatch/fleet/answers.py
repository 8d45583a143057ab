"""What the fleet answers with, and the rows that others read: plain values."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


class Doubt(enum.StrEnum):
    """Why something that a post sent was not taken: `what` of a `Refused`. The first two are kept as evidence, and are alarms."""

    FORKED = "forked"  # what it says now contradicts what it signed before
    ROLLED_BACK = "rolled_back"  # its history ends earlier than it did: restored from a backup, or an old head again
    KEY_CHANGED = "key_changed"  # another key signs, for a log that contains all of the one before: taken, and noted
    NOT_ITS_OWN = "not_its_own"  # signed by another key, or the head of another log
    UNREADABLE = "unreadable"  # no checkpoint, no entry
    HOLE = "hole"  # entries before it are wanting
    UNKNOWN = "unknown"  # a post that is not enrolled
    REVOKED = "revoked"
    NOT_SEALED = "not_sealed"  # no verified entry seals this segment, or its closing box is not here: later
    WRONG_HASH = "wrong_hash"  # its bytes are not what its name, the closing box or the seal says: to be sent anew
    NO_ROOM = "no_room"  # the media store takes nothing now: later


@dataclass(frozen=True, slots=True)
class PostRow:
    """A post that is enrolled. number: of its rows. era: rises where it was enrolled anew with another data folder. origin, key: of its
    log as enrolled. site, status: as it told last. told_us: what its clock said in the last entry that was verified.
    """

    number: int
    id: str
    name: str
    serial: str
    origin: str
    key: bytes = field(repr=False)
    via: tuple[str, ...]
    era: int
    enrolled_us: int
    revoked_us: int | None
    revoked_why: str
    site: Mapping[str, Any]
    status: Mapping[str, Any]
    status_us: int | None
    told_us: int


@dataclass(frozen=True, slots=True)
class LogRow:
    """A log of a post. size: entries held. verified: how many of them a head of its own covers. note: that head; cosigned: with our
    signature.
    """

    number: int
    origin: str
    key: bytes = field(repr=False)
    size: int
    verified: int
    note: str
    cosigned: str
    at_us: int


@dataclass(frozen=True, slots=True)
class EvidenceRow:
    """What did not fit, as it came. told: it stands in the hub's own ledger."""

    id: int
    post: str
    number: int
    doubt: Doubt
    why: str
    note: str
    entry: bytes = field(repr=False)
    at_us: int
    told: bool


@dataclass(frozen=True, slots=True)
class RequestRow:
    """A stretch that a person wants here. state: wanted | queued | gone | refused | done | withdrawn. bytes, eta_s: as the post answered."""

    id: int
    post: str
    camera: str
    stream: str
    from_us: int
    to_us: int
    by: str
    reason: str
    state: str
    bytes: int
    done_bytes: int
    eta_s: int | None
    created_us: int
    changed_us: int


@dataclass(frozen=True, slots=True)
class CommandRow:
    """What a person tells a post to do. signed: as it goes over the link.

    state: waiting (nobody told the post yet) | sent (told; it may have it) | trial (applied there, until the hub was reached after it) |
    withdrawing | done | refused | returned (it put the old settings back) | withdrawn | expired.
    """

    id: int
    post: str
    kind: str
    body: Mapping[str, Any]
    by: str
    reason: str
    signed: bytes = field(repr=False)
    state: str
    answer: Mapping[str, Any]
    created_us: int
    changed_us: int


@dataclass(frozen=True, slots=True)
class ContactRow:
    """A connection of a post, by the hub's clock. to_us: None while it lasts; seen_us: when it was heard last. process: of the hub, which holds it."""

    id: int
    post: str
    from_us: int
    seen_us: int
    to_us: int | None
    address: str
    process: str = ""


@dataclass(frozen=True, slots=True)
class InviteRow:
    """A code that lets one post join, once. sha256: of its secret."""

    sha256: bytes = field(repr=False)
    post: str
    created_us: int
    expires_us: int
    used_us: int | None
    by: str


@dataclass(frozen=True, slots=True)
class ProcessRow:
    """A process of this hub. life: rises with every start. address: where it listens. ended_us: None while it runs, or where it was cut off."""

    name: str
    folder: str
    life: int
    address: str
    version: str
    started_us: int
    seen_us: int
    ended_us: int | None
