"""What of the table of events a hub is told: in the order of changes, and told apart from a table that was lost or put back."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from longwatch.events import EventStore, outgoing
from longwatch.events.outgoing import Outgoing
from longwatch.events.store import TELL_EVERY_US
from longwatch.model.event_rows import NO_PICTURE
from longwatch.model.events import Event, EventChange, Phase
from longwatch.model.uplink import Position
from longwatch.server_db import ServerDb

US = 1_000_000


def seen(number: int, last_s: int = 4, *, over: bool = True, camera: str = "gate") -> Event:
    begin = number * 1_000 * US
    return Event(
        f"{number:022x}",
        camera,
        "motion",
        begin,
        begin + last_s * US if over else None,
        begin + last_s * US,
        best_us=begin,
    )


class Post:
    def __init__(self, folder: Path) -> None:
        self.path = folder / "server.db"
        self.withheld: set[str] = set()
        self.open()

    def open(self) -> None:
        self.db = ServerDb(self.path)
        self.store = EventStore(self.db)
        self.source = Outgoing(self.store, self.db, "north", lambda: self.withheld)
        self.source.begin()

    def restart(self) -> None:
        self.db.close()
        self.open()

    def keep(self, phase: Phase, event: Event) -> None:
        self.store.keep([EventChange(phase, event)])

    def told(self, position: Position = Position(), limit: int = 99):  # noqa: B008 - frozen
        rows, end = self.source.after("north", position, limit)
        return [row.event.id[-2:] for row in rows], end


@pytest.fixture
def post(tmp_path: Path):
    made = Post(tmp_path)
    yield made
    made.db.close()


def test_rows_go_in_the_order_of_their_last_change(post: Post):
    for number in (1, 2, 3):
        post.keep(Phase.NEW, seen(number, over=False))
    post.keep(Phase.END, seen(1))
    found, end = post.told(limit=2)
    assert found == ["02", "03"]
    assert post.told(end) == (["01"], post.source.end("north"))
    assert post.told(post.source.end("north"))[0] == []
    post.store.review(seen(2).id, 77, 1, "ada")
    post.store.pictured(seen(3).id, NO_PICTURE)
    rows, end = post.source.after("north", Position(0, 4), 99)
    assert [(row.event.id[-2:], row.reviewed_us, row.pictured_us) for row in rows] == [
        ("02", 77, None),
        ("03", None, NO_PICTURE),
    ]
    assert end == post.source.end("north")


def test_that_an_event_goes_on_is_told_now_and_then_and_its_end_whole(post: Post):
    post.keep(Phase.NEW, seen(1, 0, over=False))
    begin = post.source.end("north")
    for second in range(1, 30):
        post.keep(Phase.UPDATE, seen(1, second, over=False))
    assert post.source.end("north") == begin
    post.keep(Phase.UPDATE, seen(1, TELL_EVERY_US // US, over=False))
    after = post.source.end("north")
    assert after.rev == begin.rev + 1
    post.keep(Phase.END, seen(1, 33))
    ((row,), _) = post.source.after("north", after, 9)
    assert row.event == seen(1, 33)


def test_numbers_never_go_back_whatever_rows_go(post: Post):
    for number in (1, 2):
        post.keep(Phase.NEW, seen(number))
    end = post.source.end("north")
    post.store.drop_before(1 << 50)
    post.restart()
    assert post.source.end("north").rev == end.rev
    post.keep(Phase.NEW, seen(3))
    assert post.told(end)[0] == ["03"]


def test_a_restart_goes_on_and_a_table_that_was_put_back_is_told_apart(post: Post, tmp_path: Path):
    post.keep(Phase.NEW, seen(1))
    first = post.source.end("north")
    post.restart()
    assert post.source.fits("north", first)
    post.db.close()
    shutil.copyfile(post.path, tmp_path / "copy")
    post.open()
    post.keep(Phase.NEW, seen(2))
    second = post.source.end("north")
    assert post.source.fits("north", second)
    post.db.close()
    shutil.copyfile(tmp_path / "copy", post.path)
    post.open()
    for number in (5, 6, 7):
        post.keep(Phase.NEW, seen(number))
    assert post.source.fits("north", first)  # what both have
    assert not post.source.fits("north", second)
    assert not post.source.fits("north", Position(9, 1))
    assert not post.source.fits("south", first)
    post.source.anew("north")
    assert not post.source.fits("north", first)
    assert post.source.fits("north", post.source.end("north"))
    assert post.told() == (["01", "05", "06", "07"], post.source.end("north"))


def test_a_restart_with_nothing_new_is_nothing_new_to_the_hub(post: Post):
    for _ in range(2):
        post.keep(Phase.NEW, seen(1))
        end = post.source.end("north")
        for _ in range(3):
            post.restart()
            assert (post.source.end("north"), post.source.fits("north", end)) == (end, True)


def test_what_is_withheld_is_passed_over(post: Post):
    post.withheld = {"yard"}
    post.keep(Phase.NEW, seen(1, camera="yard"))
    post.keep(Phase.NEW, seen(2))
    post.keep(Phase.NEW, seen(3, camera="yard"))
    assert post.told() == (["02"], post.source.end("north"))
    assert post.told(limit=1) == ([], Position(post.source.end("north").life, 1))


def test_lives_are_bounded(post: Post, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(outgoing, "MOST_LIVES", 5)
    lives = post.source._lives
    for number in range(9):
        lives._newest = lambda number=number: number
        lives.begin()
    assert len(lives._known()) == 5
