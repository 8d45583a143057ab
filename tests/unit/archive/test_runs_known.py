"""A camera that comes back every few seconds, for ever: what the recorder knows by heart of its runs stays small, and nothing is lost by it."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from longwatch.archive import Flushing, index_rows, ops
from longwatch.archive.index import Index
from longwatch.archive.index_rows import IndexRows
from longwatch.base.clock import ManualClock
from longwatch.model.sessions import StreamKey
from longwatch.model.stores import Provenance

GATE = StreamKey("gate", "main")
BOOT = "0123456789abcdef" * 2


@pytest.fixture
def index(tmp_path: Path):
    made = Index(tmp_path / "index.db", BOOT, ManualClock(), Flushing())
    yield made
    made.close()


def begin(number: int) -> ops.RunStart:
    return ops.RunStart(GATE, number, number, 1_000_000 * number, Provenance.NTP)


def told(index: Index) -> list[tuple[int, int | None, str]]:
    return list(index.connection.execute("SELECT number, end_boot_us, detail FROM run ORDER BY number"))


def test_runs_that_are_over_are_forgotten_and_still_found(index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index_rows, "_RUNS_KNOWN", 5)
    rows = IndexRows(index, lambda: False)
    for number in range(1, 101):
        assert rows.commit([], [begin(number), ops.RunEnd(number, number + 1, "closed")]) is not None
    assert len(rows._runs) == len(rows._ended) == 5
    late = [
        ops.SpanExtend(GATE, 3, 3_000_000, 3_500_000, Provenance.NTP),
        ops.Placement(3, 0, 3_000_100, 0, Provenance.NTP, "late"),
        ops.RunEnd(3, 9, "closed again"),
    ]
    assert rows.commit([], late) is not None
    assert told(index) == [(n, 9 if n == 3 else n + 1, "closed again" if n == 3 else "closed") for n in range(1, 101)]
    found = "SELECT number FROM {} t JOIN run ON run.id = t.run_id WHERE number = 3"
    assert len(index.connection.execute(found.format("recorded_span")).fetchall()) == 1
    assert len(index.connection.execute(found.format("placement")).fetchall()) == 2


def test_a_commit_that_fails_forgets_nothing(index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index_rows, "_RUNS_KNOWN", 2)
    rows = IndexRows(index, lambda: False)
    rows.commit([], [begin(n) for n in range(1, 6)])
    rows.commit([], [ops.RunEnd(n, 10, "") for n in (1, 2)])
    before = dict(rows._runs), list(rows._ended)

    def fails(*_: object) -> None:
        raise sqlite3.OperationalError("disk I/O error")

    with monkeypatch.context() as broken:
        broken.setitem(index_rows._HANDLERS, ops.Heartbeat, fails)  # type: ignore[arg-type]  # the table is a dict
        ends = [ops.RunEnd(3, 10, ""), ops.RunEnd(4, 10, "")]
        assert rows.commit([], [*ends, ops.Heartbeat(BOOT, 1, 1, 1)]) is None
    assert (dict(rows._runs), list(rows._ended)) == before
    assert rows.commit([], []) is not None
    assert [end for _, end, _ in told(index)] == [10, 10, 10, 10, None]
    assert list(rows._ended) == [3, 4]
