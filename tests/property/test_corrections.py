"""Steps, cuts, absences, and an operator who moves any runs anywhere: nothing is unexplained, and the ledger says what the index says."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
from tests.support.clocked_post import WHO, Post
from tests.support.recording import SECOND, WALL_0

from longwatch.archive import Mode, stated
from longwatch.ledger import kinds
from longwatch.model.sessions import Fault


def gaps_of_the_ledger(post: Post) -> list[tuple[int, int | None, str]]:
    """Every gap as its entries tell it, the last word of each."""
    gaps: dict[int, Any] = {}
    for row in post.reading(lambda reader: reader.entries(0, 1 << 40)):
        entry = json.loads(row.entry)
        body = entry["body"]
        if entry["kind"] == kinds.GAP_OPENED:
            gaps[body["gap"]] = (body["from_us"], None, body["cause"])
        elif entry["kind"] == kinds.GAP_REFINED:
            gaps[body["gap"]] = (*gaps[body["gap"]][:2], body["cause"])
        elif entry["kind"] == kinds.GAP_CLOSED and body["never_was"]:
            del gaps[body["gap"]]
        elif entry["kind"] == kinds.GAP_CLOSED:
            gaps[body["gap"]] = (gaps[body["gap"]][0], body["to_us"], gaps[body["gap"]][2])
    return sorted(gaps.values(), key=repr)


SOME = [*range(6), *(pytest.param(n, marks=pytest.mark.slow) for n in range(6, 12))]
MORE = [pytest.param(n, marks=pytest.mark.long) for n in range(12, 60)]  # the same with other draws


@pytest.mark.parametrize("seed", [*SOME, *MORE])
def test_whatever_is_moved_every_second_is_explained(seed: int, tmp_path: Path) -> None:
    draw = random.Random(seed)
    post = Post(tmp_path / "data")
    studio = post.boot(wall_us=WALL_0, fps=2.0, gop=2)
    studio.open()
    studio.play(5)
    for _ in range(draw.randint(3, 6)):
        what, much = draw.choice(["play", "away", "step", "cut", "move", "move", "suggested"]), draw.randint(1, 40)
        if what == "away":
            studio.close(Fault.REFUSED, "gone")
            studio.play(much / 4)
            studio.open()
        elif what == "step":
            studio.synchronised = draw.random() < 0.5
            studio.step_wall((much - 20) * draw.choice([5, 60, 600]) * SECOND)
        elif what == "cut":
            now_us = studio.wall_us + much * 30 * SECOND
            post.cut()
            studio = post.boot(wall_us=now_us if much % 3 else 60 * SECOND, synchronised=bool(much % 2), fps=2.0, gop=2)
            studio.play(1)
            studio.open()
        elif what == "move":
            _move_some(post, draw)
        elif what == "suggested":
            post.correct()
        studio.play(much / 4)
        assert post.unexplained_us() == 0
        assert sorted(((g.from_us, g.to_us, str(g.cause)) for g in post.gaps()), key=repr) == gaps_of_the_ledger(post)
    assert post.archive is not None
    assert post.loop.run_until_complete(post.archive.check(Mode.SIZE)).ok
    post.close()


def _move_some(post: Post, draw: random.Random) -> None:
    assert post.archive is not None
    rows = post.archive._index.connection.execute("SELECT number FROM run WHERE end_boot_us IS NOT NULL").fetchall()
    if rows:
        runs = draw.sample([row[0] for row in rows], draw.randint(1, len(rows)))
        shift_us = draw.choice([-1, 1]) * draw.randint(1, 400) * SECOND
        post.correct(lambda db: stated(db, runs, None, shift_us, WHO))
