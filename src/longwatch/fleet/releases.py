"""Bundles of releases that a hub was given, and roll-outs of them. Their bytes are files of the process that has the console (`node.hub.upgrades`)."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from longwatch.base.errors import UsageError
from longwatch.fleet.engine import FleetDb
from longwatch.fleet.schema import releases, rollouts

ROLLOUT_STATES = frozenset({"running", "done", "stopping", "stopped"})
_KEPT = 200  # roll-outs that are over


@dataclass(frozen=True, slots=True)
class ReleaseRow:
    """sha256: of the whole file. manifest: bundle.json. signers: ids of keys, unverified."""

    sha256: bytes
    version: str
    size: int
    manifest: Mapping[str, Any]
    signers: tuple[str, ...]
    by: str
    added_us: int


@dataclass(frozen=True, slots=True)
class RolloutRow:
    """A release on its way to posts, in this order; the first of them tries it for all. posts: each with the number of its command, None where it was
    not told yet. state: running | done | stopping (what was not told is being taken back) | stopped. subject, by: who ordered it.
    """

    id: int
    sha256: bytes
    version: str
    subject: int
    by: str
    reason: str
    state: str
    why: str
    posts: tuple[tuple[str, int | None], ...]
    created_us: int
    changed_us: int


class Releases:
    """State: tables releases and rollouts. Every method blocks and is one transaction. wall_us: the hub's clock."""

    def __init__(self, db: FleetDb, wall_us: Callable[[], int]) -> None:
        self._db = db
        self._wall_us = wall_us

    def add(
        self, sha256: bytes, version: str, size: int, manifest: Mapping[str, Any], signers: Sequence[str], by: str
    ) -> ReleaseRow:
        """Its file is there, durable. The same again changes nothing."""
        values = {
            "sha256": sha256, "version": version, "size": size, "manifest": json.dumps(manifest), "signers": json.dumps(list(signers)), "by": by,
            "added_us": self._wall_us(),
        }  # fmt: skip
        with self._db.write() as db:
            if db.execute(sa.select(releases.c.size).where(releases.c.sha256 == sha256)).first() is None:
                db.execute(sa.insert(releases).values(**values))
            return _release(db.execute(sa.select(releases).where(releases.c.sha256 == sha256)).one())

    def listed(self) -> list[ReleaseRow]:
        """The newest first."""
        with self._db.read() as db:
            return [
                _release(row)
                for row in db.execute(
                    sa.select(releases).order_by(releases.c.added_us.desc(), releases.c.version.desc())
                )
            ]

    def one(self, sha256: bytes) -> ReleaseRow | None:
        """By its hash."""
        with self._db.read() as db:
            row = db.execute(sa.select(releases).where(releases.c.sha256 == sha256)).first()
            return None if row is None else _release(row)

    def remove(self, sha256: bytes) -> None:
        """Its roll-outs stay, as what was. Raises UsageError while one of them runs."""
        with self._db.write() as db:
            query = sa.select(rollouts.c.id).where(rollouts.c.sha256 == sha256, rollouts.c.state == "running")
            running = db.execute(query).first()
            if running is not None:
                raise UsageError(f"roll-out {running.id} sends this release to posts", remedy="wait for it, or stop it")
            db.execute(sa.delete(releases).where(releases.c.sha256 == sha256))

    def roll(self, sha256: bytes, version: str, subject: int, by: str, reason: str, posts: Sequence[str]) -> RolloutRow:
        """Raises UsageError where one of these posts is in another roll-out that runs."""
        now_us = self._wall_us()
        with self._db.write() as db:
            for row in db.execute(
                self._db.locked(sa.select(rollouts).where(rollouts.c.state.in_(("running", "stopping"))))
            ):
                busy = sorted({post for post, _ in json.loads(row.posts)} & set(posts))
                if busy:
                    raise UsageError(
                        f"{', '.join(busy[:5])}: roll-out {row.id} is not over yet", remedy="wait for it, or stop it"
                    )
            made = db.execute(
                sa.insert(rollouts).values(
                    sha256=sha256, version=version, subject=subject, by=by, reason=reason, state="running", why="",
                    posts=json.dumps([[post, None] for post in posts]), created_us=now_us, changed_us=now_us,
                )
            )  # fmt: skip
            assert made.inserted_primary_key is not None
            old = (
                sa.select(rollouts.c.id)
                .where(rollouts.c.state.in_(("done", "stopped")))
                .order_by(rollouts.c.id.desc())
                .offset(_KEPT)
            )
            db.execute(sa.delete(rollouts).where(rollouts.c.id.in_(old.limit(100))))
            return _rollout(db.execute(sa.select(rollouts).where(rollouts.c.id == made.inserted_primary_key[0])).one())

    def rollouts(self, *, everything: bool = False, limit: int = 50) -> list[RolloutRow]:
        """Those that are not over, the oldest first. everything: all, the newest first."""
        query = sa.select(rollouts).limit(limit)
        query = (
            query.order_by(rollouts.c.id.desc()) if everything else query.where(rollouts.c.state.in_(("running", "stopping"))).order_by(rollouts.c.id)
        )  # fmt: skip
        with self._db.read() as db:
            return [_rollout(row) for row in db.execute(query)]

    def rollout(self, number: int) -> RolloutRow | None:
        """By its id."""
        with self._db.read() as db:
            row = db.execute(sa.select(rollouts).where(rollouts.c.id == number)).first()
            return None if row is None else _rollout(row)

    def told(self, number: int, post: str, command: int) -> None:
        """A post of it was given its command."""
        with self._db.write() as db:
            row = db.execute(self._db.locked(sa.select(rollouts.c.posts).where(rollouts.c.id == number))).one()
            posts = [[each, command if each == post else known] for each, known in json.loads(row.posts)]
            db.execute(
                sa.update(rollouts)
                .where(rollouts.c.id == number)
                .values(posts=json.dumps(posts), changed_us=self._wall_us())
            )

    def ended(self, number: int, state: str, why: str = "") -> RolloutRow | None:
        """What became of one that is not over. The row as it is now."""
        if state not in ROLLOUT_STATES:
            raise UsageError(f"a roll-out cannot be {state}")
        values = {"state": state, "why": why, "changed_us": self._wall_us()}
        with self._db.write() as db:
            db.execute(
                sa.update(rollouts)
                .where(rollouts.c.id == number, rollouts.c.state.in_(("running", "stopping")))
                .values(**values)
            )
            row = db.execute(sa.select(rollouts).where(rollouts.c.id == number)).first()
            return None if row is None else _rollout(row)


def _release(row: Any) -> ReleaseRow:
    return ReleaseRow(
        bytes(row.sha256), row.version, row.size, json.loads(row.manifest), tuple(json.loads(row.signers)), row.by, row.added_us
    )  # fmt: skip


def _rollout(row: Any) -> RolloutRow:
    posts = tuple((str(post), command) for post, command in json.loads(row.posts))
    return RolloutRow(
        row.id, bytes(row.sha256), row.version, row.subject, row.by, row.reason, row.state, row.why, posts, row.created_us, row.changed_us
    )  # fmt: skip
