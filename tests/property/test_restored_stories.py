"""Random lives of a post whose index is then deleted: it comes back with the timeline, its causes and what is gone as they were.

Equal but for what a file cannot say: where provenance changed within a segment, a span is one and not two.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.clocked_post import Post
from tests.support.recording import SECOND
from tests.unit.archive.test_restoring import HOUR, WALL_0, dump, ledger, lose_index, reopened

from longwatch.archive import Retention, RetentionTime, ops
from longwatch.base.clock import ManualClock
from longwatch.ledger import kinds
from longwatch.model.sessions import Fault
from longwatch.timeline import Tile

HAPPENINGS = st.lists(
    st.tuples(
        st.sampled_from(
            ["play", "play", "silent", "lose", "close", "open", "step", "cut", "stop", "retain", "correct"]
        ),
        st.integers(1, 100),
    ),
    min_size=2,
    max_size=14,
)


def stop(post: Post) -> None:
    """An orderly end, with the recorder's last words, by the clock of the story."""
    assert post.archive is not None
    assert post.studio is not None
    clock = post.archive._clock
    assert isinstance(clock, ManualClock)
    clock.step_wall(post.studio.wall_us - clock.wall_us())
    post.studio.tick(final=True)
    last = ops.Entry(kinds.STOP, {"reason": "asked to stop", "segments_sealed": 0})
    post.loop.run_until_complete(post.archive.commit([last]))
    post._close(orderly=True)


def live(post: Post, story: list[tuple[str, int]]) -> None:
    """The story, from a first start to an orderly end."""
    studio = post.boot(wall_us=WALL_0)
    studio.open()
    playing, wall_us = True, WALL_0
    for what, how_much in [*story, ("play", 30)]:
        if what == "open" and not playing:
            studio.open()
            playing = True
        elif what == "close" and playing:
            studio.close(list(Fault)[how_much % len(Fault)], "ended")
            playing = False
        elif what == "silent":
            studio.play(how_much / 4, silent=True)
        elif what == "lose" and playing:
            studio.lose(how_much % 30 + 1)
        elif what == "step":
            studio.step_wall((how_much - 50) * 60 * SECOND)
        elif what in {"cut", "stop"}:
            wall_us = max(wall_us, studio.wall_us) + how_much * SECOND
            post.cut() if what == "cut" else stop(post)
            studio = post.boot(wall_us=wall_us)
            studio.open()
            playing = True
        elif what == "retain" and post.archive is not None:
            rules = Retention(max_age_us=None, max_size_bytes=how_much * 2000, keep_free_fraction=0)
            post.archive.use_retention(rules)
            post.loop.run_until_complete(post.archive.retain(RetentionTime(studio.wall_us, trusted=True)))
        elif what == "correct":
            post.correct()
        studio.play(how_much / 2)
    stop(post)


def shown(tiles: list[Tile]) -> list[tuple[Any, ...]]:
    """Neighbours of one run are one."""
    told: list[tuple[Any, ...]] = []
    for t in tiles:
        name = (str(t.state), str(t.cause), t.run, str(t.held))
        if told and told[-1][0] == name and told[-1][2] == t.from_us and t.run is not None:
            told[-1] = (name, told[-1][1], t.to_us)
        else:
            told.append((name, t.from_us, t.to_us))
    return told


@pytest.mark.slow
@settings(max_examples=6, deadline=None)
@given(HAPPENINGS)
def test_what_the_index_told_its_ledger_tells_again(
    tmp_path_factory: pytest.TempPathFactory, story: list[tuple[str, int]]
) -> None:
    post = Post(Path(tmp_path_factory.mktemp("life")) / "data")
    try:
        live(post, story)
        until_us = post.studio.account.accounted_until_us if post.studio is not None else 0
        before, rows = shown(post.tiles(WALL_0 - HOUR, until_us)), dump(post.folder, "gap", "clock", "gone_span")
        entries = ledger([post.folder])
        lose_index(post.folder)
        assert reopened(post).entries_restored == len(entries)
        assert ledger([post.folder])[: len(entries)] == entries
        again = dump(post.folder, "gap", "clock", "gone_span")
        assert [row[:3] + row[4:] for row in again["gap"]] == [row[:3] + row[4:] for row in rows["gap"]]
        assert [row[3] for row in again["gap"] if row[3] is None] == [], "one that stood open ends where the story does"
        assert shown(post.tiles(WALL_0 - HOUR, until_us)) == before
    finally:
        post.close()
