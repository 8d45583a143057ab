"""Messages, their deliveries and each attempt, in `server.db`. Calls block: `Desk` makes them on the file's thread.

Invariants, and the tests cite them: (1) messages and the state of the rules that made them are one transaction: neither is ever there without
the other; (2) a key is there once; (3) a delivery ends as sent, failed or summarised, and only once; (4) what is summarised stands in a message
that waits, made in the same transaction.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert

from longwatch.base.messages import ENGLISH
from longwatch.notify.letter import Letter
from longwatch.notify.words import Reader
from longwatch.server_db import ServerDb
from longwatch.server_db.schema import notify_attempts as attempts
from longwatch.server_db.schema import notify_deliveries as deliveries
from longwatch.server_db.schema import notify_messages as messages
from longwatch.server_db.schema import notify_state as state

MOST_MESSAGES = 20_000
MOST_WAITING = 200
"""Of one channel and target; beyond it the oldest are summarised."""
STALE_US = 3_600_000_000
"""What has waited for longer is told in one message rather than in many."""
FEW = 3
"""So many stale ones are sent as they are."""
_TITLES = 12
MOST_ATTEMPTS = 20
_PROBLEM = 300


@dataclass(frozen=True, slots=True)
class Draft:
    """A message that is to be sent, in words. ways: (channel, target, language). told: (title, body) by language, where ways have others than
    its own words are in.
    """

    key: str
    rule: str
    recipient: str
    why: str
    title: str
    body: str
    link: str
    grave: bool
    count: int
    held: int
    made_us: int
    threads: tuple[str, ...]
    cameras: tuple[str, ...]
    ways: tuple[tuple[str, str, str], ...]
    told: Mapping[str, tuple[str, str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ChannelCounts:
    """Of one channel: what waits now, since when the oldest does, and what became of those that are kept."""

    waiting: int = 0
    oldest_us: int | None = None
    sent: int = 0
    failed: int = 0
    summarised: int = 0


def _kept_statement() -> sa.Executable:
    statement = insert(state)
    return statement.on_conflict_do_update(index_elements=["name"], set_={"value": statement.excluded.value})


_KEPT = _kept_statement()


class NotifyStore:
    """See the module."""

    def __init__(self, db: ServerDb) -> None:
        self._engine = db.engine

    # ---- state and messages -----------------------------------------------------------------------------------------

    def load(self) -> dict[str, Any]:
        """State by name, as JSON."""
        with self._engine.connect() as connection:
            return {row.name: json.loads(row.value) for row in connection.execute(sa.select(state))}

    def keep(self, drafts: Sequence[Draft], kept: Mapping[str, Any]) -> None:
        """Invariants 1 and 2."""
        with self._engine.begin() as connection:
            if kept:
                said = [
                    {"name": name, "value": json.dumps(value, separators=(",", ":"))} for name, value in kept.items()
                ]
                connection.execute(_KEPT, said)
            for draft in drafts:
                self._add(connection, draft)

    def _add(self, connection: sa.Connection, draft: Draft) -> None:
        if connection.execute(sa.select(messages.c.id).where(messages.c.key == draft.key)).first() is not None:
            return
        number = connection.execute(
            sa.insert(messages)
            .values(
                key=draft.key, rule=draft.rule, recipient=draft.recipient, why=draft.why, title=draft.title, body=draft.body,
                link=draft.link, grave=draft.grave, count=draft.count, held=draft.held, made_us=draft.made_us,
                threads=list(draft.threads), cameras=list(draft.cameras),
                told={language: list(words) for language, words in draft.told.items()} or None,
            )
            .returning(messages.c.id)
        ).scalar_one()  # fmt: skip
        for channel, target, language in draft.ways:
            connection.execute(
                sa.insert(deliveries).values(
                    message=number, channel=channel, target=target, state="waiting", attempts=0, made_us=draft.made_us,
                    next_us=draft.made_us, problem="", language=language,
                )
            )  # fmt: skip

    # ---- sending ----------------------------------------------------------------------------------------------------

    def next(self, channel: str, now_us: int, most: int = 20) -> list[Letter]:
        """What may be tried now, the oldest first. A moment that lies far ahead was set by a clock that has gone back."""
        due = sa.or_(deliveries.c.next_us <= now_us, deliveries.c.next_us > now_us + STALE_US * 2)
        query = (
            sa.select(deliveries, messages)
            .join_from(deliveries, messages, deliveries.c.message == messages.c.id)
            .where(deliveries.c.channel == channel, deliveries.c.state == "waiting", due)
            .order_by(deliveries.c.id)
            .limit(most)
        )
        with self._engine.connect() as connection:
            return [_letter(row) for row in connection.execute(query).mappings()]

    def due_us(self, channel: str) -> int | None:
        """When the next attempt of this channel is to be; None where nothing waits."""
        query = sa.select(sa.func.min(deliveries.c.next_us)).where(
            deliveries.c.channel == channel, deliveries.c.state == "waiting"
        )
        with self._engine.connect() as connection:
            found = connection.execute(query).scalar()
        return None if found is None else int(found)

    def attempts_of(self, delivery: int) -> int:
        """How often it was tried."""
        with self._engine.connect() as connection:
            query = sa.select(deliveries.c.attempts).where(deliveries.c.id == delivery)
            return int(connection.execute(query).scalar() or 0)

    def tried(
        self, delivery: int, at_us: int, took_ms: int, outcome: str, problem: str = "", next_us: int = 0
    ) -> None:  # fmt: skip
        """Invariant 3. outcome: sent, again (not before next_us) or failed."""
        now_state = "waiting" if outcome == "again" else outcome
        changed: dict[str, Any] = {
            "state": now_state,
            "problem": problem[:_PROBLEM],
            "attempts": deliveries.c.attempts + 1,
        }
        changed |= {"next_us": next_us} if outcome == "again" else {"ended_us": at_us}
        with self._engine.begin() as connection:
            connection.execute(
                sa.update(deliveries)
                .where(deliveries.c.id == delivery, deliveries.c.state == "waiting")
                .values(**changed)
            )
            connection.execute(
                sa.insert(attempts).values(
                    delivery=delivery, at_us=at_us, took_ms=took_ms, outcome=outcome, problem=problem[:_PROBLEM]
                )
            )
            kept = (
                sa.select(attempts.c.id)
                .where(attempts.c.delivery == delivery)
                .order_by(attempts.c.id.desc())
                .limit(MOST_ATTEMPTS)
            )
            connection.execute(
                sa.delete(attempts).where(attempts.c.delivery == delivery, attempts.c.id.not_in(kept.scalar_subquery()))
            )

    def wake(self, channel: str, now_us: int) -> None:
        """The channel works again: what waits need wait no longer."""
        with self._engine.begin() as connection:
            connection.execute(
                sa.update(deliveries)
                .where(deliveries.c.channel == channel, deliveries.c.state == "waiting", deliveries.c.next_us > now_us)
                .values(next_us=now_us)
            )

    def summarise(self, channel: str, now_us: int) -> int:
        """Invariant 4: what waits for too long, or is too much, becomes one message a target. How many went into it."""
        waiting = (
            sa.select(deliveries.c.id, deliveries.c.target, deliveries.c.made_us, deliveries.c.language, messages)
            .join_from(deliveries, messages, deliveries.c.message == messages.c.id)
            .where(deliveries.c.channel == channel, deliveries.c.state == "waiting", messages.c.why != "test")
            .order_by(deliveries.c.id)
        )
        done = 0
        with self._engine.begin() as connection:
            by_target: dict[str, list[Any]] = {}
            for row in connection.execute(waiting).all():
                by_target.setdefault(row[1], []).append(row)
            for target, rows in by_target.items():
                stale = [row for row in rows if now_us - row[2] > STALE_US]
                if len(stale) <= FEW:
                    stale = []
                if len(rows) - len(stale) > MOST_WAITING:
                    stale = rows[: len(rows) - MOST_WAITING // 2]
                if stale:
                    self._summary(connection, channel, target, stale, now_us)
                    done += len(stale)
        return done

    def _summary(self, connection: sa.Connection, channel: str, target: str, rows: Sequence[Any], now_us: int) -> None:
        numbers = [row[0] for row in rows]
        told = sorted(rows, key=lambda row: (not row.grave, row[0]))[:_TITLES]
        language = rows[-1][3]
        reader = Reader({}, language)
        lines = [_told(row.told, language, row.title, "")[0] for row in told]
        rest = sum(row.count for row in rows) - sum(row.count for row in told)
        if rest > 0:
            lines.append(reader.summary_rest(rest))
        draft = Draft(
            f"summary-{channel}-{target}-{numbers[0]}-{numbers[-1]}"[:200], rows[0].rule, rows[0].recipient, "summary",
            reader.summary(len(rows)), "\n".join(lines), "", any(row.grave for row in rows),
            sum(row.count for row in rows), sum(row.held for row in rows), now_us,
            tuple(dict.fromkeys(thread for row in rows for thread in row.threads))[:50],
            tuple(dict.fromkeys(camera for row in rows for camera in row.cameras)), ((channel, target, language),),
        )  # fmt: skip
        for start in range(0, len(numbers), 500):
            connection.execute(
                sa.update(deliveries)
                .where(deliveries.c.id.in_(numbers[start : start + 500]))
                .values(state="summarised", ended_us=now_us)
            )
        self._add(connection, draft)

    def give_up(self, channels: Sequence[str], now_us: int) -> None:
        """What waits for channels that are not among these waits for nothing."""
        with self._engine.begin() as connection:
            connection.execute(
                sa.update(deliveries)
                .where(deliveries.c.state == "waiting", deliveries.c.channel.not_in(list(channels)))
                .values(state="failed", ended_us=now_us, problem="this channel is not in the settings any more")
            )

    # ---- looking ----------------------------------------------------------------------------------------------------

    def counts(self) -> dict[str, ChannelCounts]:
        """By channel."""
        query = sa.select(
            deliveries.c.channel, deliveries.c.state, sa.func.count(), sa.func.min(deliveries.c.made_us)
        ).group_by(deliveries.c.channel, deliveries.c.state)
        found: dict[str, dict[str, tuple[int, int]]] = {}
        with self._engine.connect() as connection:
            for channel, what, number, oldest in connection.execute(query):
                found.setdefault(channel, {})[what] = (number, oldest)
        return {
            channel: ChannelCounts(
                by.get("waiting", (0, 0))[0], by["waiting"][1] if "waiting" in by else None,
                *(by.get(what, (0, 0))[0] for what in ("sent", "failed", "summarised")),
            )
            for channel, by in found.items()
        }  # fmt: skip

    def listed(self, before: int | None, limit: int) -> list[dict[str, Any]]:
        """Messages with their deliveries, the newest first."""
        query = sa.select(messages).order_by(messages.c.id.desc()).limit(limit)
        if before is not None:
            query = query.where(messages.c.id < before)
        with self._engine.connect() as connection:
            rows = [dict(row) for row in connection.execute(query).mappings()]
            ways = connection.execute(
                sa.select(deliveries)
                .where(deliveries.c.message.in_([row["id"] for row in rows]))
                .order_by(deliveries.c.id)
            ).mappings()
            by_message: dict[int, list[dict[str, Any]]] = {}
            for way in ways:
                by_message.setdefault(way["message"], []).append(dict(way))
        return [row | {"deliveries": by_message.get(row["id"], [])} for row in rows]

    def number_of(self, key: str) -> int:
        """Of a message that is there."""
        with self._engine.connect() as connection:
            return int(connection.execute(sa.select(messages.c.id).where(messages.c.key == key)).scalar_one())

    def one(self, number: int) -> dict[str, Any] | None:
        """A message, its deliveries and each attempt that is kept."""
        with self._engine.connect() as connection:
            row = connection.execute(sa.select(messages).where(messages.c.id == number)).mappings().first()
            if row is None:
                return None
            found = dict(row)
            ways = connection.execute(
                sa.select(deliveries).where(deliveries.c.message == number).order_by(deliveries.c.id)
            ).mappings()
            found["deliveries"] = [dict(way) for way in ways]
            for way in found["deliveries"]:
                tries = connection.execute(
                    sa.select(attempts).where(attempts.c.delivery == way["id"]).order_by(attempts.c.id)
                ).mappings()
                way["tries"] = [dict(each) for each in tries]
        return found

    def settle(self, number: int, at_us: int, subject: int) -> list[str]:
        """Somebody acknowledged it. The threads that it speaks of."""
        with self._engine.begin() as connection:
            connection.execute(
                sa.update(messages)
                .where(messages.c.id == number, messages.c.settled_us.is_(None))
                .values(settled_us=at_us, settled_by=subject)
            )
            found = connection.execute(sa.select(messages.c.threads).where(messages.c.id == number)).scalar()
        return [str(thread) for thread in found or []]

    def age(self, before_us: int) -> int:
        """Messages that are too old, or beyond the bound, go with all that is about them; what waits stays. How many went."""
        waits = sa.select(deliveries.c.message).where(deliveries.c.state == "waiting").scalar_subquery()
        with self._engine.begin() as connection:
            newest = connection.execute(sa.select(sa.func.max(messages.c.id))).scalar() or 0
            old = sa.or_(messages.c.made_us < before_us, messages.c.id <= newest - MOST_MESSAGES)
            return connection.execute(sa.delete(messages).where(old, messages.c.id.not_in(waits))).rowcount


def _told(told: Mapping[str, Any] | None, language: str, title: str, body: str) -> tuple[str, str]:
    """The words in that language, else those of the message itself."""
    found = (told or {}).get(language)
    return (title, body) if found is None else (str(found[0]), str(found[1]))


def _letter(row: Mapping[Any, Any]) -> Letter:
    language = row[deliveries.c.language]
    title, body = _told(row[messages.c.told], language, row[messages.c.title], row[messages.c.body])
    facts = {
        "key": row[messages.c.key], "rule": row[messages.c.rule], "to": row[messages.c.recipient], "why": row[messages.c.why],
        "count": row[messages.c.count], "held": row[messages.c.held], "cameras": list(row[messages.c.cameras]),
        "about": list(row[messages.c.threads]), "language": language or ENGLISH,
    }  # fmt: skip
    return Letter(
        row[deliveries.c.id], row[messages.c.key], row[deliveries.c.channel], row[deliveries.c.target], title, body, row[messages.c.link], row[messages.c.grave], row[messages.c.made_us], facts,
    )  # fmt: skip
