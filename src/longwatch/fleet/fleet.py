"""A hub's writer: what comes from posts, by the way of the link or of a courier, and what people ask. `model.uplink.HubStore`.

Every method blocks, is idempotent, and is one transaction; run it by `FleetDb.call`. What it answers is committed.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from longwatch.base.errors import LongwatchError, UsageError
from longwatch.base.ids import is_slug
from longwatch.fleet.answers import Doubt, EvidenceRow, LogRow, PostRow
from longwatch.fleet.asks import Asks
from longwatch.fleet.engine import FleetDb
from longwatch.fleet.events import FleetEvents
from longwatch.fleet.logs import Cosign, Logs
from longwatch.fleet.objects import Objects
from longwatch.fleet.schema import evidence, gaps, posts, streams
from longwatch.fleet.store import ObjectStore
from longwatch.ledger.checkpoint import KEY_BYTES, Checkpoint
from longwatch.model.event_rows import ToldEvent
from longwatch.model.uplink import Confirmed, Held, LogHead, ObjectInfo, Position, Refused

_MOST_TOLD = 1 << 20  # of site and status, as JSON


def _wall_us() -> int:
    return time.clock_gettime_ns(time.CLOCK_REALTIME) // 1000


def _unsigned(_: Checkpoint, note: str) -> str:
    """Where no key is given (a courier's rehearsal, a test): the note as it came."""
    return note


class Fleet(Asks):
    """State: the whole database, and the store of objects. cosign: makes the hub's countersignature. wall_us: the hub's clock.

    store: None where no media is taken (a verb that only asks).
    """

    def __init__(
        self, db: FleetDb, store: ObjectStore | None = None, *, cosign: Cosign = _unsigned, wall_us: Callable[[], int] = _wall_us
    ) -> None:  # fmt: skip
        super().__init__(db, wall_us)
        self.db = db
        self._logs = Logs(db, cosign, wall_us)
        self._objects = None if store is None else Objects(db, store, wall_us)
        self.events = FleetEvents(db, wall_us)

    # -- posts

    def add_post(self, id: str, name: str, serial: str, origin: str, key: bytes, via: Sequence[str] = ()) -> PostRow:  # noqa: A002 - the word of the interface
        """Enrol a post, or enrol it anew. origin, key: of its log. With another data folder its numbers begin again (a new era): what
        it told before stays. A post that was revoked is good again.
        """
        folder = origin.rpartition("/")[0]
        if not is_slug(id) or len(key) != KEY_BYTES or not folder:
            raise UsageError(f"{id!r} cannot be enrolled", why="its id, the origin or the key of its log is not one")
        values = {
            "name": name, "serial": serial, "origin": origin, "key": key, "via": json.dumps(list(via)), "revoked_us": None,
            "revoked_why": "",
        }  # fmt: skip
        with self.db.write() as db:
            row = db.execute(self.db.locked(sa.select(posts).where(posts.c.id == id))).first()
            if row is None:
                db.execute(
                    sa.insert(posts).values(
                        id=id, era=1, enrolled_us=self._wall_us(), site="{}", status="{}", status_us=None, settings="{}", told_us=0,
                        **values,
                    )
                )  # fmt: skip
            else:
                begins_again = row.origin.rpartition("/")[0] != folder
                if begins_again:
                    _end_gaps(db, row.number, row.era)
                db.execute(
                    sa.update(posts).where(posts.c.number == row.number).values(era=row.era + begins_again, **values)
                )
        found = self.post(id)
        assert found is not None
        return found

    def posts(self, only: Sequence[str] | None = None) -> list[PostRow]:
        """All that were ever enrolled, or these of them, by id."""
        query = sa.select(posts).order_by(posts.c.id)
        with self.db.read() as db:
            return [_post(row) for row in db.execute(query if only is None else query.where(posts.c.id.in_(only)))]

    def post(self, id: str) -> PostRow | None:  # noqa: A002 - the word of the interface
        """By its id."""
        with self.db.read() as db:
            row = db.execute(sa.select(posts).where(posts.c.id == id)).first()
            return None if row is None else _post(row)

    def set_serial(self, id: str, serial: str) -> None:  # noqa: A002 - the word of the interface
        """Its certificate was renewed."""
        self._change(id, serial=serial)

    def revoke(self, id: str, reason: str) -> None:  # noqa: A002 - the word of the interface
        """Nothing more is taken from it. What it told stays."""
        self._change(id, revoked_us=self._wall_us(), revoked_why=reason)

    def _change(self, post: str, **values: Any) -> None:
        with self.db.write() as db:
            if not db.execute(sa.update(posts).where(posts.c.id == post).values(**values)).rowcount:
                raise UsageError(f"there is no post {post!r}", remedy="see `longwatch hub posts`")

    def take_site(self, post: str, site: Mapping[str, Any]) -> None:
        """What the post says of itself and its cameras."""
        self._change(post, site=_json(site))

    def take_status(self, post: str, status: Mapping[str, Any], now_us: int) -> None:
        """How the post is now, and when that came."""
        self._change(post, status=_json(status), status_us=now_us)

    # -- ledgers

    def cursor(self, post: str, number: int) -> int:
        """Entries of a log that are here, verified or not."""
        return self._logs.cursor(post, number)

    def take_entries(self, post: str, number: int, first: int, entries: list[bytes]) -> int:
        """See `Logs.take`."""
        return self._logs.take(post, number, first, entries)

    def take_head(self, post: str, number: int, note: str, key: bytes) -> Held | Refused:
        """See `Logs.head`."""
        return self._logs.head(post, number, note, key)

    def take_carried(
        self, post: str, number: int, first: int, entries: Callable[[], Iterable[bytes]], note: str, key: bytes
    ) -> Held | Refused:
        """See `Logs.carried`."""
        return self._logs.carried(post, number, first, entries, note, key)

    def tell_more(self, post: str) -> bool:
        """See `Logs.tell_more`."""
        return self._logs.tell_more(post)

    def logs(self, post: str) -> list[LogHead]:
        """Heads that fitted, with our cosignature, oldest log first: what a hub above this one is sent (`model.uplink.LogSource`)."""
        return [LogHead(post, log.number, log.cosigned, log.key, log.verified) for log in self._logs.listed(post)]

    def log_rows(self, post: str) -> list[LogRow]:
        """The same, with all that is known of them."""
        return [
            LogRow(log.number, log.origin, log.key, log.size, log.verified, log.note, log.cosigned, log.at_us)
            for log in self._logs.listed(post)
        ]

    def entries(self, post: str, number: int, first: int, last: int) -> list[bytes]:
        """Verified entries [first, last), fewer where they are many."""
        return self._logs.entries(post, number, first, last)

    def evidence(self, *, untold: bool = False) -> list[EvidenceRow]:
        """What did not fit, the oldest first. untold: what does not stand in the hub's own ledger yet."""
        query = sa.select(evidence, posts.c.id.label("of")).join_from(
            evidence, posts, posts.c.number == evidence.c.post
        )
        with self.db.read() as db:
            rows = db.execute((query.where(evidence.c.told == 0) if untold else query).order_by(evidence.c.id))
            return [
                EvidenceRow(r.id, r.of, r.number, Doubt(r.doubt), r.why, r.note, bytes(r.entry), r.at_us, bool(r.told))
                for r in rows
            ]

    def note_doubt(self, post: str, doubt: Doubt, why: str) -> None:
        """What somebody said of a post's ledger becomes an alarm of the hub's own, as what did not fit."""
        self._logs.doubt(post, doubt, why)

    def evidence_told(self, number: int) -> None:
        """It is an entry, and an alarm, of the hub's own now."""
        with self.db.write() as db:
            db.execute(sa.update(evidence).where(evidence.c.id == number).values(told=1))

    # -- events

    def events_at(self, post: str) -> Position:
        """See `FleetEvents.at`."""
        return self.events.at(post)

    def take_events(
        self, post: str, begin: Position, end: Position, told: Sequence[ToldEvent], *, anew: bool
    ) -> Position:
        """See `FleetEvents.take`."""
        return self.events.take(post, begin, end, told, anew=anew)

    # -- objects

    def begin_object(self, info: ObjectInfo) -> int | Refused:
        """From which byte on it is needed; its size where it is here, committed."""
        return self._media().begin(info)

    def add_chunk(self, sha256: bytes, offset: int, data: bytes) -> int:
        """The new length. What is here already is passed over; what leaves a hole is not taken."""
        return self._media().add(sha256, offset, data)

    def stage_object(self, info: ObjectInfo) -> None:
        """Make it durable before `finish_object`, on any thread: nothing of the database is touched, and nothing confirmed."""
        self._media().stage(info)

    def finish_object(self, info: ObjectInfo) -> Confirmed | Refused:
        """Verify: by hash, and footage against closing box and seal; make it durable, and commit."""
        return self._media().finish(info)

    def _media(self) -> Objects:
        if self._objects is None:
            raise LongwatchError("no media is taken here")
        return self._objects


def _end_gaps(db: sa.Connection, post: int, era: int) -> None:
    """The numbers begin again: gaps of the old ones that are open end where their stream was told of last."""
    rows = db.execute(
        sa.select(gaps.c.stream, gaps.c.from_us, gaps.c.id, streams.c.until_us)
        .join_from(gaps, streams, streams.c.id == gaps.c.stream)
        .where(gaps.c.post == post, gaps.c.era == era, gaps.c.to_us.is_(None))
    ).all()
    for row in rows:
        mine = (gaps.c.post == post, gaps.c.stream == row.stream, gaps.c.era == era, gaps.c.id == row.id)
        db.execute(sa.update(gaps).where(*mine).values(to_us=max(row.from_us, row.until_us)))
    db.execute(sa.update(streams).where(streams.c.post == post).values(open_us=None))


def _json(value: Mapping[str, Any]) -> str:
    text = json.dumps(value)
    if len(text) > _MOST_TOLD:
        raise UsageError("a post tells more of itself than can be kept")
    return text


def _post(row: Any) -> PostRow:
    return PostRow(
        row.number, row.id, row.name, row.serial, row.origin, bytes(row.key), tuple(json.loads(row.via)), row.era, row.enrolled_us,
        row.revoked_us, row.revoked_why, json.loads(row.site), json.loads(row.status), row.status_us, row.told_us,
    )  # fmt: skip
