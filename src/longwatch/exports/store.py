"""Exports in `server.db`, by SQLAlchemy Core. Calls block: `ExportDesk` makes them on the file's thread."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from longwatch.exports.jobs import ExportedFile, Job, Kind, Order, State
from longwatch.server_db import ServerDb
from longwatch.server_db.schema import exports


class ExportStore:
    """The table `exports`."""

    def __init__(self, db: ServerDb) -> None:
        self._engine = db.engine

    def add(self, job: Job) -> int:
        """A new row; gives its number, which is never used twice."""
        values = _values(job)
        del values["id"]
        with self._engine.begin() as connection:
            return int(connection.execute(sa.insert(exports).values(values)).inserted_primary_key[0])  # type: ignore[index]  # one row is inserted

    def keep(self, job: Job) -> None:
        """Write a row anew."""
        with self._engine.begin() as connection:
            connection.execute(sa.update(exports).where(exports.c.id == job.id).values(_values(job)))

    def load(self) -> list[Job]:
        """All there are, the oldest first."""
        with self._engine.begin() as connection:
            rows = connection.execute(sa.select(exports).order_by(exports.c.id)).mappings().all()
        return [_job(dict(row)) for row in rows]

    def drop(self, numbers: Sequence[int]) -> None:
        """Rows that nobody needs any more."""
        with self._engine.begin() as connection:
            connection.execute(sa.delete(exports).where(exports.c.id.in_(list(numbers))))

    def forget(self, subject: int) -> None:
        """The words of one person go; the exports stay."""
        with self._engine.begin() as connection:
            connection.execute(
                sa.update(exports).where(exports.c.subject == subject).values(by="", who="{}", reason="")
            )


def _values(job: Job) -> dict[str, Any]:
    order = job.order
    return {
        "id": job.id, "kind": str(order.kind), "cameras": list(order.cameras), "stream": order.stream, "from_us": order.from_us,
        "to_us": order.to_us, "every_us": order.every_us, "state": str(job.state), "subject": job.subject, "by": job.by,
        "who": job.who, "reason": job.reason, "created_us": job.created_us, "started_us": job.started_us,
        "ended_us": job.ended_us, "bytes_estimated": job.bytes_estimated,
        "files": [dataclasses.asdict(file) for file in job.files],
        "problem": None if job.problem is None else dict(job.problem), "why_gone": job.why_gone,
    }  # fmt: skip


def _job(row: Mapping[str, Any]) -> Job:
    order = Order(
        Kind(row["kind"]), tuple(row["cameras"]), row["stream"], row["from_us"], row["to_us"], row["every_us"]
    )  # fmt: skip
    return Job(
        row["id"], order, State(row["state"]), row["subject"], row["by"], row["who"], row["reason"], row["created_us"],
        row["bytes_estimated"], tuple(ExportedFile(**file) for file in row["files"]), row["started_us"], row["ended_us"],
        row["problem"], row["why_gone"],
    )  # fmt: skip
