"""Events in `server.db`: kept once, found by what is asked, put together for a timeline, dropped when they are old."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa

from longwatch.events import Asked, EventStore
from longwatch.model.event_rows import NO_PICTURE
from longwatch.model.events import Event, EventChange, Phase
from longwatch.server_db import ServerDb

S = 1_000_000
T0 = 1_800_000_000 * S
DAY = 86_400 * S


@pytest.fixture
def store(tmp_path: Path) -> Iterator[EventStore]:
    db = ServerDb(tmp_path / "server.db")
    yield EventStore(db)
    db.close()


def event(n: int, kind: str = "motion", at_s: float = 0, lasts_s: float | None = 2, **more: object) -> Event:
    from_us = T0 + round(at_s * S)
    to_us = None if lasts_s is None else from_us + round(lasts_s * S)
    made = Event(f"{n:022x}", "gate", kind, from_us, to_us, to_us or from_us, 0.5, (), from_us, (0.1, 0.2, 0.3, 0.4), 1)
    return replace(made, **more)  # type: ignore[arg-type]  # a test's shorthand


def keep(store: EventStore, *events: Event) -> None:
    store.keep([EventChange(Phase.NEW if each.to_us is None else Phase.END, each) for each in events])


def ids(store: EventStore, **asked: object) -> list[int]:
    found = store.find(Asked(T0 - DAY, T0 + DAY, **asked), 100)  # type: ignore[arg-type]  # a test's shorthand
    return [int(one.event.id, 16) for one in found]


def test_what_is_kept_comes_back_whole(store: EventStore) -> None:
    kept = event(1, "object.person", zones=("Road", 'the "old" gate'), detail="x", twin="f" * 22)
    keep(store, kept)
    found = store.one(kept.id)
    assert found is not None
    assert (found.event, found.level, found.pictured_us, found.reviewed_us) == (kept, 1, None, None)
    assert store.one("0" * 22) is None


def test_a_change_told_twice_leaves_one_row_and_what_people_did_stays(store: EventStore) -> None:
    going = event(1, lasts_s=None)
    keep(store, going)
    assert store.review(going.id, T0, 7, "ada")
    keep(store, event(1), event(1), replace(going, count=9))
    found = store.one(going.id)
    assert found is not None
    assert found.event.to_us == event(1).to_us, "what has ended does not begin again"
    assert (found.reviewed_us, found.reviewed_by) == (T0, "ada")


def test_it_is_found_by_what_is_asked(store: EventStore) -> None:
    keep(
        store, event(1), event(2, "motion.line", 10, zones=("Fence",)), event(3, "object.person", 20, zones=("Fence gate",)),
        event(4, "tamper.covered", 30, None, camera="yard"),
    )  # fmt: skip
    store.review(event(1).id, T0, 1, "ada")
    assert ids(store) == [4, 3, 2, 1]
    assert ids(store, cameras=["yard"]) == [4]
    assert ids(store, cameras=[]) == []
    assert ids(store, kinds=["motion"]) == [2, 1]
    assert ids(store, kinds=["object", "tamper"]) == [4, 3]
    assert ids(store, kinds=["motion.line"]) == [2]
    assert ids(store, zones=["Fence"]) == [2]
    assert ids(store, reviewed=True) == [1]
    assert ids(store, reviewed=False) == [4, 3, 2]
    assert ids(store, before=(T0 + 20 * S, f"{3:022x}")) == [2, 1]


def test_what_reaches_into_the_stretch_is_in_it_and_a_hidden_view_however_long(store: EventStore) -> None:
    keep(
        store, event(1, at_s=-1, lasts_s=2), event(2, at_s=-5, lasts_s=4), event(3, "tamper.turned", -50 * 86_400, None)
    )
    found = store.find(Asked(T0, T0 + S), 10)
    assert [int(one.event.id, 16) for one in found] == [1, 3]
    assert [each.kind for each in store.blind(Asked(T0, T0 + S))] == ["tamper.turned"]
    assert [each.kind for each in store.open()] == ["tamper.turned"]


def test_many_are_one_where_they_begin_in_one_step(store: EventStore) -> None:
    keep(
        store,
        *[event(n, at_s=n) for n in range(30)],
        event(99, "object.person", 3),
        event(98, "tamper.covered", 4, None),
    )
    crowds = store.crowds(Asked(T0, T0 + DAY), 60 * S)
    assert [(crowd.level, crowd.count, crowd.from_us, crowd.to_us) for crowd in crowds] == [
        (0, 30, T0, T0 + 31 * S), (1, 1, T0 + 3 * S, T0 + 5 * S),
    ]  # fmt: skip


def test_what_is_too_old_goes_but_never_what_goes_on(store: EventStore) -> None:
    keep(store, event(1, at_s=-100), event(2, "tamper.covered", -200, None), event(3))
    gone = store.drop_before(T0 - 10 * S)
    assert [int(each[1], 16) for each in gone] == [1]
    assert ids(store) == [3, 2]


def test_of_too_many_the_oldest_go(store: EventStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("longwatch.events.store.MOST_ROWS", 5)
    keep(store, *[event(n, at_s=n) for n in range(8)])
    assert [int(each[1], 16) for each in store.drop_before(0)] == [0, 1, 2]
    assert ids(store) == [7, 6, 5, 4, 3]


def test_a_picture_is_made_once_and_again_where_a_better_moment_is_known_at_the_end(store: EventStore) -> None:
    keep(store, event(1, lasts_s=None))

    def wanted() -> list[int]:
        return [int(one.event.id, 16) for one in store.to_picture(T0 + 60 * S, 10)]

    assert wanted() == [1]
    keep(store, event(2, at_s=DAY / S, lasts_s=None))
    assert [int(one.event.id, 16) for one in store.to_picture(T0, 1)] == [1], (
        "what a wrong clock put ahead hides nothing"
    )
    store.pictured(event(2).id, T0 + DAY)
    store.pictured(event(1).id, T0)
    keep(store, event(1, lasts_s=None, best_us=T0 + S))
    assert wanted() == []
    keep(store, event(1, best_us=T0 + S))
    assert wanted() == [1]
    store.pictured(event(1).id, NO_PICTURE)
    none = store.one(event(1).id)
    assert none is not None
    assert (none.pictured_us, none.away) == (None, "gone")
    assert wanted() == []


def test_events_without_a_picture_are_found_by_an_index(tmp_path: Path) -> None:
    """A table of a year's events would else be read through, once a second."""
    db = ServerDb(tmp_path / "server.db")
    asked: list[tuple[str, tuple[object, ...]]] = []
    sa.event.listen(db.engine, "before_cursor_execute", lambda _c, _cursor, text, told, *_: asked.append((text, told)))
    EventStore(db).to_picture(T0, 10)
    with db.engine.connect() as connection:
        for text, told in asked[:1]:
            plan = str(connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}", told).all())
            assert "ix_events_unpictured" in plan, plan
    db.close()


def test_erasing_a_person_leaves_that_somebody_looked(store: EventStore) -> None:
    keep(store, event(1), event(2))
    store.review(event(1).id, T0, 7, "ada")
    store.review(event(2).id, T0, 8, "bob")
    store.forget(7)
    assert [(one.reviewed_by, one.reviewed_us) for one in store.find(Asked(T0, T0 + DAY), 5)] == [("bob", T0), ("", T0)]
    assert store.review(event(2).id, None, 8, "bob")
    assert ids(store, reviewed=False) == [2]
    assert not store.review("0" * 22, T0, 8, "bob")
