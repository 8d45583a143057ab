"""Ledgers of posts: taken as they come, verified against the heads that the posts sign, and countersigned. docs/design/fleet.md.

A log is only ever a history that its own signed heads cover, each an extension of the one before. Entries beyond the last such head
are kept and not believed. What does not fit is kept as evidence, and nothing of it is shown. Of a post behind another hub what does not fit
may be that hub's doing: see `relayed`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

import sqlalchemy as sa

from longwatch.base.errors import LongwatchError
from longwatch.fleet.answers import Doubt
from longwatch.fleet.engine import FleetDb
from longwatch.fleet.relayed import Relayed, Trial
from longwatch.fleet.schema import entries as entries_table
from longwatch.fleet.schema import evidence, logs, posts
from longwatch.fleet.telling import Telling
from longwatch.ledger import leaf_hash
from longwatch.ledger.checkpoint import Checkpoint, CheckpointError, open_note, parse_unverified
from longwatch.ledger.entries import EntryError, parse_entry
from longwatch.ledger.peaks import Peaks
from longwatch.ledger.tiles import MAX_ENTRY_BYTES
from longwatch.model.uplink import Held, Refused

Cosign = Callable[[Checkpoint, str], str]
"""(what a verified note says, the note) to the note with our signature added."""

_AT_ONCE = 2_000  # entries read or told at a time
TOLD_AT_ONCE = 1_000
"""Entries that become the index in one transaction: a post that comes back with a week holds up no other for longer."""
_MOST_ENTRIES = 10_000  # of one call
_KEPT_EVIDENCE = 100  # of a post: one that repeats itself for ever fills no disk


@dataclass(frozen=True, slots=True)
class _Log:
    """A row of `logs`."""

    post: int
    era: int
    number: int
    origin: str
    key: bytes
    size: int
    verified: int
    peaks: bytes
    applied: int
    base: int
    base_size: int
    note: str
    cosigned: str
    at_us: int


class _MismatchError(Exception):
    """Entries that are held do not lead to the root that is signed."""


_OF = (logs.c.post == sa.bindparam("post_"), logs.c.era == sa.bindparam("era_"))
_POST = sa.select(
    posts.c.number, posts.c.id, posts.c.era, posts.c.origin, posts.c.key, posts.c.revoked_us, posts.c.via
).where(posts.c.id == sa.bindparam("id_"))
_LOG = sa.select(logs).where(*_OF, logs.c.number == sa.bindparam("number_"))
_SO_FAR = sa.select(sa.func.max(sa.case((logs.c.note != "", logs.c.number))), sa.func.max(logs.c.applied)).where(*_OF)
_ENTRIES = (
    sa.select(entries_table.c.entry)
    .where(
        entries_table.c.post == sa.bindparam("post_"), entries_table.c.era == sa.bindparam("era_"),
        entries_table.c.log == sa.bindparam("number_"), entries_table.c.seq >= sa.bindparam("low"), entries_table.c.seq < sa.bindparam("high"),
    )
    .order_by(entries_table.c.seq)
)  # fmt: skip
# made once: a thousand posts sign a hundred heads a second, and a statement costs less to run than to make
_THIS = (*_OF, logs.c.number == sa.bindparam("number_"))
_SET_SIZE = sa.update(logs).where(*_THIS).values(size=sa.bindparam("size_"))
_SET_APPLIED = sa.update(logs).where(*_THIS).values(applied=sa.bindparam("applied_"))
_SET_HEAD = sa.update(logs).where(*_THIS).values(
    verified=sa.bindparam("verified_"), peaks=sa.bindparam("peaks_"), note=sa.bindparam("note_"), cosigned=sa.bindparam("cosigned_"),
    key=sa.bindparam("key_"), at_us=sa.bindparam("at_"),
)  # fmt: skip


class Logs:
    """State: tables logs, entries, evidence; the index through `Telling`; in memory which logs of posts behind another hub are doubted. wall_us: the hub's clock."""

    def __init__(self, db: FleetDb, cosign: Cosign, wall_us: Callable[[], int]) -> None:
        self._db = db
        self._cosign = cosign
        self._wall_us = wall_us
        self._relayed = Relayed()

    # -- entries

    def cursor(self, post: str, number: int) -> int:
        """Entries held of a log, verified or not. Of one that is new, what of the log before is verified: it contains all of that. Of one
        that has to be told from its first entry once more, how far that has come.
        """
        trial = self._relayed.trial(post, number)
        if trial is not None:
            return trial.size
        with self._db.read() as db:
            row = self._post(db, post)
            log = self._log(db, row, number)
            return self._inherited(db, row, number)[1] if log is None else log.size

    def take(self, post: str, number: int, first: int, given: Sequence[bytes], *, proven: bool = False) -> int:
        """Keep entries [first, ...). Gives the new cursor. What is there already is compared: another entry at a number that is verified
        is evidence of a fork, and not taken; one that is not verified makes way for it. A hole, or what is no entry of that number, is
        not taken. proven: a head by the post's key is known to lead to these; else those of a post behind another hub are no evidence.
        """
        with self._db.write() as db:
            row = self._post(db, post, lock=True)
            log = self._log(db, row, number) or self._begin(db, row, number)
            trial = None if proven else self._relayed.trial(post, number)
            if first > (log.size if trial is None else trial.size) or not _in_order(first, given):
                return log.size if trial is None else trial.size
            signed = max(log.verified, log.base_size)
            if trial is not None:
                if first < trial.size:
                    return trial.size
                trial.add(given, list(self._read(db, log, first, min(signed, first + len(given)))))
                if trial.differs is not None or trial.size <= log.size:
                    return trial.size
            known = list(self._read(db, log, first, min(log.size, first + len(given))))
            for n, (old, new) in enumerate(zip(known, given, strict=False), first):
                if old == new:
                    continue
                if n < signed and not proven and _is_relayed(row):
                    return log.size
                if n < signed:
                    why = f"another entry {n} than the one that is covered by a signed head"
                    self._keep(db, row, number, Doubt.FORKED, why, log.note, bytes(new))
                    return log.size
                self._drop(db, log, n)
                log = replace(log, size=n)
                break
            fresh = given[log.size - first :]
            if fresh:
                values = [
                    {"post": log.post, "era": log.era, "log": number, "seq": seq, "entry": bytes(entry)}
                    for seq, entry in enumerate(fresh, log.size)
                ]
                db.execute(self._db.upsert(entries_table, ("post", "era", "log", "seq")), values)
            size = log.size + len(fresh)
            db.execute(_SET_SIZE, _key_values(log) | {"size_": size})
            return size

    # -- heads

    def head(self, post: str, number: int, note: str, key: bytes, *, proven: bool = False) -> Held | Refused:
        """Verify a head against all entries before it, make the index of them, and countersign, in one transaction. proven: it came by hand, with entries that are
        known to lead to it; one of less than is verified by now says nothing of the post, since it was on its way for long.
        """
        with self._db.write() as db:
            row = self._post(db, post, lock=True)
            if row.revoked_us is not None:
                return Refused(Doubt.REVOKED, "this post's enrolment was revoked")
            log = self._log(db, row, number)
            if log is None:
                log = self._begin(db, row, number)
            log = replace(log, key=log.key or (row.key if number == _number_of(row.origin) else b""))
            try:
                if log.key and log.key != key:
                    return Refused(Doubt.NOT_ITS_OWN, "the head is signed by another key than this log's")
                head = open_note(note, key)
            except CheckpointError as error:
                return Refused(Doubt.UNREADABLE, str(error))
            if head.origin != _origin(row.origin, number):
                return Refused(Doubt.NOT_ITS_OWN, f"a head of {head.origin}, not of this post's log")
            relayed = not proven and _is_relayed(row)
            trial = self._relayed.trial(post, number) if relayed else None
            if trial is not None and trial.differs is not None and trial.size >= head.size:
                return self._tried(db, row, log, trial, head, note, key)
            if head.size > log.size:
                return Refused(
                    Doubt.HOLE, f"entries up to {log.size} are here, the head speaks of {head.size}", later=True
                )
            if head.size < log.verified:
                return self._earlier(db, row, log, head, note, key, may_be_old=proven or relayed)
            return self._later(db, row, log, head, note, key, relayed=relayed)

    def _earlier(
        self, db: sa.Connection, row: Any, log: _Log, head: Checkpoint, note: str, key: bytes, *, may_be_old: bool
    ) -> Held | Refused:
        """A head of less than was signed before. With the same beginning the post went back, or its words are old; with another it forked.
        may_be_old: whoever brings it may show an old one, or one by a key of his own.
        """
        peaks = Peaks()
        for entry in self._read(db, log, 0, head.size):
            peaks.append(leaf_hash(entry))
        if peaks.root() != head.root:
            if may_be_old and not self._is_its_key(db, row, key):
                return _by_nobody(row)
            why = f"a head of {head.size} entries whose history is not the one that it signed before"
            self._keep(db, row, log.number, Doubt.FORKED, why, note)
            forked = Refused(Doubt.FORKED, why)
            return self._relayed.settle(row.id, log.number, forked) if _is_relayed(row) else forked
        if may_be_old:
            return Held(row.id, log.number, log.verified, log.cosigned)
        why = f"its log ends at {head.size} entries, and it signed {log.verified}: restored from a backup, or an old head shown again"
        self._keep(db, row, log.number, Doubt.ROLLED_BACK, why, note)
        return Refused(Doubt.ROLLED_BACK, why)

    def _later(
        self, db: sa.Connection, row: Any, log: _Log, head: Checkpoint, note: str, key: bytes, *, relayed: bool
    ) -> Held | Refused:
        before: _Log | None = None
        try:
            peaks = self._prove(db, log, head)
        except _MismatchError as error:
            self._drop(db, log, log.verified)
            db.execute(sa.update(logs).where(*_key(log)).values(size=log.verified))
            if relayed and head.size > log.verified:
                return self._relayed.next_step(row.id, log.number, str(error), whole=log.verified > 0)
            if relayed and not self._is_its_key(db, row, key):
                return _by_nobody(row)
            self._keep(db, row, log.number, Doubt.FORKED, str(error), note)
            forked = Refused(Doubt.FORKED, str(error))
            return self._relayed.settle(row.id, log.number, forked) if relayed else forked
        newest, applied = self._so_far(db, row)
        if not log.note:
            before = self._before(db, row, log.number)
        if before is not None and before.key != key:
            why = f"log {log.number} is signed by another key than log {before.number}; it contains all of that log{_told_by(row)}"
            self._keep(db, row, log.number, Doubt.KEY_CHANGED, why, note)
        cosigned = self._cosign(head, note) if head.size > log.verified or not log.cosigned else log.cosigned
        values = {
            "verified_": head.size,
            "peaks_": peaks.dump(),
            "note_": note,
            "cosigned_": cosigned,
            "key_": key,
            "at_": self._wall_us(),
        }
        db.execute(_SET_HEAD, _key_values(log) | values)
        self._relayed.fits(row.id, log.number)
        untold = 0
        if log.number >= newest:
            untold = self._apply(db, replace(log, verified=head.size), applied, post=row.id)
        return Held(row.id, log.number, head.size, cosigned, untold)

    def _tried(
        self, db: sa.Connection, row: Any, log: _Log, trial: Trial, head: Checkpoint, note: str, key: bytes
    ) -> Refused:
        """All of a relayed log came once more, and it is another than the one that is verified: by the post's own word, or by that of the hub between alone."""
        assert trial.differs is not None
        n, entry = trial.differs
        if not trial.leads_to(head) or not self._is_its_key(db, row, key):
            return self._relayed.settle(row.id, log.number, _by_nobody(row))
        why = f"another entry {n} than the one that is covered by a signed head"
        self._keep(db, row, log.number, Doubt.FORKED, why, log.note, entry)
        why = f"a head of {head.size} entries whose history is not the one that it signed before"
        self._keep(db, row, log.number, Doubt.FORKED, why, note)
        return self._relayed.settle(row.id, log.number, Refused(Doubt.FORKED, why))

    def _is_its_key(self, db: sa.Connection, row: Any, key: bytes) -> bool:
        """Whether something that is verified here was signed by it: a hub between can say of any key that it is the post's."""
        mine = (logs.c.post == row.number, logs.c.era == row.era, logs.c.note != "", logs.c.key == key)
        return db.execute(sa.select(logs.c.number).where(*mine).limit(1)).first() is not None

    def carried(
        self, post: str, number: int, first: int, given: Callable[[], Iterable[bytes]], note: str, key: bytes
    ) -> Held | Refused:
        """Entries [first, ...) and the head after them, from whoever had them in hands on the way: nothing is kept, and nobody is doubted, but for what the head
        proves. given: they, from the beginning each time.
        """
        with self._db.read() as db:
            row = self._post(db, post)
            if row.revoked_us is not None:
                return Refused(Doubt.REVOKED, "this post's enrolment was revoked")
            log = self._log(db, row, number)
            known = (log.key if log is not None else b"") or (row.key if number == _number_of(row.origin) else b"")
            try:
                head = open_note(note, key)
            except CheckpointError as error:
                return Refused(Doubt.UNREADABLE, str(error))
            if (known and known != key) or head.origin != _origin(row.origin, number):
                return Refused(Doubt.NOT_ITS_OWN, f"a head of {head.origin}, or by another key than this log's")
            before, verified = (log, log.verified) if log is not None else self._inherited(db, row, number)
            proven_from: int | None = verified
            if head.size > verified and not self._leads_to(db, before, verified, first, given, head):
                # With what is here it does not. Where with the bytes given alone it does, that is what the post signed: another history.
                forks = (
                    before is not None and first < verified and self._leads_to(db, before, first, first, given, head)
                )
                proven_from = first if forks else None
        if proven_from is None:
            why = f"the entries do not lead to the root of the head of {head.size}, from the {verified} that are verified here: some before them are missing, or they are not this post's"
            return Refused(Doubt.HOLE, why, later=True)
        at = max(first, proven_from)
        rest = islice(given(), at - first, max(at, head.size) - first)
        while part := list(islice(rest, _AT_ONCE)):
            if self.take(post, number, at, part, proven=True) < at + len(part):
                break  # another history: that stands as evidence now, and the head is refused for it
            at += len(part)
        return self.head(post, number, note, key, proven=True)

    def _leads_to(
        self,
        db: sa.Connection,
        log: _Log | None,
        size: int,
        first: int,
        given: Callable[[], Iterable[bytes]],
        head: Checkpoint,
    ) -> bool:
        """Whether the first `size` entries that are held, and from there on those that are given, make the tree of that head."""
        peaks = Peaks()
        if log is not None:
            if size == log.verified:
                peaks = Peaks.load(log.verified, log.peaks)
            for entry in self._read(db, log, peaks.size, max(size, first)):
                peaks.append(leaf_hash(entry))
        if peaks.size >= first:
            for entry in islice(given(), peaks.size - first, head.size - first):
                peaks.append(leaf_hash(entry))
        return peaks.size == head.size and peaks.root() == head.root

    def tell_more(self, post: str) -> bool:
        """Go on with the index where a head left off. Whether there is more yet; a post that is not known has none."""
        with self._db.write() as db:
            row = db.execute(self._db.locked(_POST), {"id_": post}).first()
            if row is None:
                return False
            newest, applied = self._so_far(db, row)
            log = self._log(db, row, newest)
            return log is not None and self._apply(db, log, applied, post=row.id) > 0

    def _prove(self, db: sa.Connection, log: _Log, head: Checkpoint) -> Peaks:
        """The tree at the head's size, from the one that is verified and the entries since. Raises _MismatchError."""
        peaks = Peaks.load(log.verified, log.peaks)
        for entry in self._read(db, log, log.verified, head.size):
            peaks.append(leaf_hash(entry))
        if peaks.size != head.size or peaks.root() != head.root:
            if log.base_size and not log.note:
                raise _MismatchError(f"log {log.number} does not contain what log {log.base} was signed for")
            raise _MismatchError(f"the entries up to {head.size} do not lead to the root that is signed")
        return peaks

    def _apply(self, db: sa.Connection, log: _Log, applied: int, post: str) -> int:
        """Tell the index of what is verified and new, or of the first of it. Of a log that goes on from another, from where that one was told. How many are left."""
        if applied >= log.verified:
            return 0
        until = min(log.verified, applied + TOLD_AT_ONCE)
        telling = Telling(self._db, db, log.post, log.era, post)
        for entry in self._read(db, log, applied, until):
            telling.tell(log.number, entry)
        telling.finish()
        db.execute(_SET_APPLIED, _key_values(log) | {"applied_": max(log.applied, until)})
        return log.verified - until

    # -- rows

    def _post(self, db: sa.Connection, post: str, *, lock: bool = False) -> Any:
        query = self._db.locked(_POST) if lock else _POST
        row = db.execute(query, {"id_": post}).first()
        if row is None:
            raise LongwatchError(
                f"post {post} is not enrolled here", remedy="`longwatch hub invite` makes a code for it"
            )
        return row

    def _log(self, db: sa.Connection, row: Any, number: int) -> _Log | None:
        found = db.execute(_LOG, {"post_": row.number, "era_": row.era, "number_": number}).first()
        return None if found is None else _Log(*found)

    def _before(self, db: sa.Connection, row: Any, number: int) -> _Log | None:
        """The newest log before this one of which something is verified."""
        found = db.execute(
            sa.select(logs)
            .where(logs.c.post == row.number, logs.c.era == row.era, logs.c.number < number, logs.c.note != "")
            .order_by(logs.c.number.desc())
            .limit(1)
        ).first()
        return None if found is None else _Log(*found)

    def _so_far(self, db: sa.Connection, row: Any) -> tuple[int, int]:
        """The newest log of this data folder of which something is verified, and how many entries any of them told: they are one history."""
        newest, applied = db.execute(_SO_FAR, {"post_": row.number, "era_": row.era}).one()
        return int(newest or 0), int(applied or 0)

    def _inherited(self, db: sa.Connection, row: Any, number: int) -> tuple[_Log | None, int]:
        before = self._before(db, row, number)
        return before, 0 if before is None else before.verified

    def _begin(self, db: sa.Connection, row: Any, number: int) -> _Log:
        """A log that is new here: it begins with all of the one before."""
        before, size = self._inherited(db, row, number)
        made = _Log(
            row.number, row.era, number, _origin(row.origin, number), b"", size, size, before.peaks if before else b"",
            0, before.number if before else 0, size, "", "", self._wall_us(),
        )  # fmt: skip
        names = [column.name for column in logs.columns]
        db.execute(sa.insert(logs).values({name: getattr(made, name) for name in names}))
        return made

    def _read(self, db: sa.Connection, log: _Log, first: int, last: int) -> Iterator[bytes]:
        """Entries [first, last), in order; those that it has from the log before from there."""
        if first < min(last, log.base_size):
            found = db.execute(
                sa.select(logs).where(logs.c.post == log.post, logs.c.era == log.era, logs.c.number == log.base)
            ).first()
            if found is not None:
                yield from self._read(db, _Log(*found), first, min(last, log.base_size))
            first = log.base_size
        while first < last:
            asked = {
                "post_": log.post, "era_": log.era, "number_": log.number, "low": first, "high": min(last, first + _AT_ONCE),
            }  # fmt: skip
            rows = db.execute(_ENTRIES, asked).all()
            if not rows:
                return
            for (entry,) in rows:
                yield bytes(entry)
            first += len(rows)

    def _drop(self, db: sa.Connection, log: _Log, first: int) -> None:
        """Entries that no head covers, from `first` on."""
        db.execute(
            sa.delete(entries_table).where(
                entries_table.c.post == log.post, entries_table.c.era == log.era, entries_table.c.log == log.number,
                entries_table.c.seq >= max(first, log.verified),
            )
        )  # fmt: skip

    def _keep(
        self, db: sa.Connection, row: Any, number: int, doubt: Doubt, why: str, note: str, entry: bytes = b""
    ) -> None:
        """As it came; the same once."""
        told = sa.select(evidence.c.id).where(
            evidence.c.post == row.number, evidence.c.era == row.era, evidence.c.number == number, evidence.c.doubt == str(doubt),
        )  # fmt: skip
        same = db.execute(told.where(evidence.c.note == note, evidence.c.entry == entry).limit(1)).first()
        count = db.execute(sa.select(sa.func.count()).select_from(told.subquery())).scalar_one()
        if same is None and count < _KEPT_EVIDENCE:
            db.execute(
                sa.insert(evidence).values(
                    post=row.number, era=row.era, number=number, doubt=str(doubt), why=why, note=note, entry=entry,
                    at_us=self._wall_us(), told=0,
                )
            )  # fmt: skip

    def doubt(self, post: str, doubt: Doubt, why: str) -> None:
        """What was said of a ledger, not by it."""
        with self._db.write() as db:
            row = self._post(db, post, lock=True)
            self._keep(db, row, _number_of(row.origin), doubt, why, "")

    # -- for whoever sends them on

    def listed(self, post: str) -> list[_Log]:
        """Every log of which something is verified, oldest first."""
        with self._db.read() as db:
            row = self._post(db, post)
            found = db.execute(
                sa.select(logs)
                .where(logs.c.post == row.number, logs.c.era == row.era, logs.c.note != "")
                .order_by(logs.c.number)
            )
            return [_Log(*each) for each in found]

    def entries(self, post: str, number: int, first: int, last: int) -> list[bytes]:
        """Verified entries [first, last), at most 2,000 of them."""
        with self._db.read() as db:
            log = self._log(db, self._post(db, post), number)
            if log is None:
                return []
            return list(self._read(db, log, first, min(last, log.verified, first + _AT_ONCE)))


def _in_order(first: int, given: Sequence[bytes]) -> bool:
    """Whether these are entries, numbered from `first` on."""
    if len(given) > _MOST_ENTRIES:
        return False
    for seq, entry in enumerate(given, first):
        try:
            if len(entry) > MAX_ENTRY_BYTES or parse_entry(bytes(entry)).seq != seq:
                return False
        except EntryError:
            return False
    return True


def _is_relayed(row: Any) -> bool:
    """Whether another hub speaks for this post."""
    return bool(row.via != "[]")


def _told_by(row: Any) -> str:
    return f", as the hub {json.loads(row.via)[-1]} tells it" if _is_relayed(row) else ""


def _by_nobody(row: Any) -> Refused:
    """What does not fit, and was signed by no key that anything verified of this post was signed by."""
    return Refused(Doubt.NOT_ITS_OWN, f"it contradicts what this post signed, and not by its own word{_told_by(row)}")


def _key_values(log: _Log) -> dict[str, Any]:
    return {"post_": log.post, "era_": log.era, "number_": log.number}


def _key(log: _Log) -> tuple[sa.ColumnElement[bool], ...]:
    return logs.c.post == log.post, logs.c.era == log.era, logs.c.number == log.number


def _number_of(origin: str) -> int:
    last = origin.rpartition("/")[2]
    return int(last) if last.isascii() and last.isdecimal() and len(last) < 10 else 0


def _origin(enrolled: str, number: int) -> str:
    """The name of another log of the same data folder (checkpoint.origin_of)."""
    return f"{enrolled.rpartition('/')[0]}/{number}"


def claimed(note: str) -> Checkpoint | None:
    """What a note says, believed by nobody."""
    try:
        return parse_unverified(note)[0]
    except CheckpointError:
        return None
