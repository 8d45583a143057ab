"""A post's log and objects, and a hub's store, in memory: they keep what a real one would keep over a kill, and say what a real one would say."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Sequence
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from longwatch.base.errors import LongwatchError
from longwatch.ledger import entry_bytes, leaf_hash, root
from longwatch.ledger.checkpoint import Checkpoint, CheckpointError, open_note, sign
from longwatch.model.event_rows import ToldEvent
from longwatch.model.events import Event
from longwatch.model.uplink import Confirmed, Held, LogHead, ObjectInfo, Position, Refused

BOOT = "5b0c6a52-0a3c-4f0e-9a36-0d3a6e1b6c11"


class MemoryLog:
    """LogSource: one log of one post, signed as often as somebody publishes."""

    def __init__(self, post: str = "north", number: int = 1, seed: int = 1) -> None:
        self.post, self.number = post, number
        self._private = Ed25519PrivateKey.from_private_bytes(hashlib.sha256(f"{post}{number}{seed}".encode()).digest())
        self.key = self._private.public_key().public_bytes_raw()
        self.written: list[bytes] = []
        self._leaves: list[bytes] = []
        self.head = self._signed()
        self.failing = False

    def _signed(self) -> LogHead:
        checkpoint = Checkpoint(f"longwatch/{self.post}/data/{self.number}", len(self.written), root(self._leaves))
        note = sign(checkpoint, self._private.sign, self.key)
        return LogHead(self.post, self.number, note, self.key, len(self.written))

    def write(self, kind: str, wall_us: int, /, **body: object) -> int:
        """An entry, not yet published. Its number."""
        data = entry_bytes(len(self.written), wall_us, BOOT, kind, body)
        self.written.append(data)
        self._leaves.append(leaf_hash(data))
        return len(self.written) - 1

    def publish(self) -> None:
        if self.head.size != len(self.written):
            self.head = self._signed()

    def posts(self) -> Sequence[str]:
        return [self.post]

    def logs(self, post: str) -> Sequence[LogHead]:
        return [self.head] if self.head.size else []

    def entries(self, post: str, number: int, first: int, last: int) -> list[bytes]:
        if self.failing:
            raise LongwatchError("the disk does not answer")
        return self.written[first : min(last, self.head.size)]


class MemoryObjects:
    """ObjectSource: bytes by hash. What is taken out is gone."""

    def __init__(self) -> None:
        self.data: dict[bytes, bytes] = {}

    def put(
        self, data: bytes, kind: str = "strip", post: str = "north", camera: str = "gate", at_us: int = 0
    ) -> ObjectInfo:
        sha256 = hashlib.sha256(data).digest()
        self.data[sha256] = data
        return ObjectInfo(sha256, len(data), kind, post, camera, "main", at_us=at_us)

    def read(self, info: ObjectInfo, offset: int, size: int) -> bytes:
        if info.sha256 not in self.data:
            raise LongwatchError("it is gone")
        return self.data[info.sha256][offset : offset + size]


class MemoryEvents:
    """EventSource of one post: rows by id with the number of their last change, and who gave the numbers, as `events.outgoing` keeps them."""

    def __init__(self, post: str = "north", seed: int = 1) -> None:
        self.post = post
        self.rows: dict[str, tuple[int, ToldEvent]] = {}
        self.rev = 0
        self.lives: list[tuple[int, int]] = []
        self._dice = random.Random(f"{post}{seed}")
        self.restart()

    def restart(self) -> None:
        self.lives = [(life, first) for life, first in self.lives if first <= self.rev]
        self.lives.append((self._dice.randrange(1, 1 << 52), self.rev + 1))

    def saved(self) -> tuple:
        return dict(self.rows), self.rev, list(self.lives)

    def restore(self, saved: tuple | None = None) -> None:
        """An older copy, or nothing at all, is the table from now on."""
        rows, self.rev, lives = saved or ({}, 0, [])
        self.rows, self.lives = dict(rows), list(lives)
        self.restart()

    def change(self, event: Event, pictured_us: int | None = None) -> None:
        self.rev += 1
        self.rows[event.id] = (self.rev, ToldEvent(event, pictured_us))

    def told(self) -> dict[str, ToldEvent]:
        return {name: row for name, (_, row) in self.rows.items()}

    def posts(self) -> Sequence[str]:
        return [self.post]

    def _at(self, rev: int) -> Position:
        return Position(next((life for life, first in reversed(self.lives) if first <= rev), self.lives[0][0]), rev)

    def end(self, post: str) -> Position:
        return self._at(self.rev)

    def fits(self, post: str, position: Position) -> bool:
        return position.rev <= self.rev and self._at(position.rev) == position

    def anew(self, post: str) -> None:
        self.lives = [(self._dice.randrange(1, 1 << 52), 0)]

    def after(self, post: str, position: Position, limit: int) -> tuple[Sequence[ToldEvent], Position]:
        rows = sorted(((rev, row) for rev, row in self.rows.values() if rev > position.rev), key=lambda each: each[0])[
            :limit
        ]
        return [row for _, row in rows], self._at(rows[-1][0] if len(rows) == limit else self.rev)


@dataclass
class MemoryHub:
    """HubStore. `kill` loses what a power cut may lose: nothing that was committed, any of the bytes of an object that is not whole."""

    logs: dict[tuple[str, int], list[bytes]] = field(default_factory=dict)
    verified: dict[tuple[str, int], int] = field(default_factory=dict)
    objects: dict[bytes, bytes] = field(default_factory=dict)
    spool: dict[bytes, bytearray] = field(default_factory=dict)
    sites: dict[str, dict] = field(default_factory=dict)
    status: dict[str, dict] = field(default_factory=dict)
    committed_twice: int = 0
    bytes_again: int = 0
    not_yet: set[bytes] = field(default_factory=set)  # objects that are refused for now
    never: set[bytes] = field(default_factory=set)  # objects that are refused for good
    events: dict[str, ToldEvent] = field(default_factory=dict)
    position: Position = field(default_factory=Position)
    lives: set[int] = field(default_factory=set)
    events_taken: int = 0

    def kill(self, dice: random.Random) -> None:
        for data in self.spool.values():
            del data[dice.randrange(len(data) + 1) :]

    def cursor(self, post: str, number: int) -> int:
        return len(self.logs.get((post, number), ()))

    def take_entries(self, post: str, number: int, first: int, entries: list[bytes]) -> int:
        log = self.logs.setdefault((post, number), [])
        if first <= len(log):
            log += entries[len(log) - first :]
        return len(log)

    def take_head(self, post: str, number: int, note: str, key: bytes) -> Held | Refused:
        log = self.logs.get((post, number), [])
        try:
            checkpoint = open_note(note, key)
        except CheckpointError as error:
            return Refused("not_signed", str(error))
        if checkpoint.size < self.verified.get((post, number), 0):
            return Refused("rolled_back")
        if checkpoint.size > len(log):
            return Refused("hole", later=True)
        if checkpoint.root != root(leaf_hash(each) for each in log[: checkpoint.size]):
            return Refused("forked")
        self.verified[post, number] = checkpoint.size
        return Held(post, number, checkpoint.size, note)

    def take_site(self, post: str, site: dict) -> None:
        self.sites[post] = site

    def take_status(self, post: str, status: dict, now_us: int) -> None:
        self.status[post] = status

    def events_at(self, post: str) -> Position:
        return self.position

    def take_events(
        self, post: str, begin: Position, end: Position, told: Sequence[ToldEvent], *, anew: bool
    ) -> Position:
        if (end.life in self.lives) if anew else begin != self.position:
            return self.position
        self.events_taken += len(told)
        self.events |= {row.event.id: row for row in told}
        self.lives.add(end.life)
        self.position = end
        return end

    def begin_object(self, info: ObjectInfo) -> int | Refused:
        if info.sha256 in self.never:
            return Refused("not_wanted")
        if info.sha256 in self.objects:
            return info.size
        return len(self.spool.setdefault(info.sha256, bytearray()))

    def add_chunk(self, sha256: bytes, offset: int, data: bytes) -> int:
        if sha256 in self.objects:
            self.bytes_again += len(data)
            return len(self.objects[sha256])
        spool = self.spool.setdefault(sha256, bytearray())
        if offset <= len(spool):
            self.bytes_again += min(len(data), len(spool) - offset)
            spool += data[len(spool) - offset :]
        return len(spool)

    def tell_more(self, post: str) -> bool:
        return False

    def stage_object(self, info: ObjectInfo) -> None:
        pass

    def finish_object(self, info: ObjectInfo) -> Confirmed | Refused:
        if info.sha256 in self.objects:
            return Confirmed(info.sha256)
        if info.sha256 in self.not_yet:
            return Refused("not_sealed", later=True)
        data = bytes(self.spool.pop(info.sha256, b""))
        if hashlib.sha256(data).digest() != info.sha256:
            return Refused("wrong_hash")
        self.committed_twice += info.sha256 in self.objects
        self.objects[info.sha256] = data
        return Confirmed(info.sha256)
