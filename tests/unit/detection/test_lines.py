"""Who goes on one line among much that passes, told from what only seems to."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from tests.unit.detection.test_crowds import tracker
from tests.unit.detection.test_ghosts import SIZE, START, boxed

from longwatch.detection.lines import PERHAPS, SURELY, Lines
from longwatch.detection.state import packed, unpacked
from longwatch.detection.tracking import Track

Place = tuple[float, float]


def seen(*places: Place, cells: float = 12.0) -> list[Track]:
    """Tracks that were just begun there."""
    made = tracker()
    made.follow([boxed(x, y, 3, 4, round(cells)) for x, y in places], START, 0.2)
    return made.tracks


def flakes(look: int, many: int = 8, seed: int = 5) -> list[Place]:
    drawn = np.random.default_rng((seed, look))
    return [(float(x), float(y)) for x, y in drawn.uniform((4, 4), (SIZE[0] - 6, SIZE[1] - 8), (many, 2))]


def evidence(
    way: Callable[[int], Place | None], looks: int = 8, each_s: float = 4.0, seed: int = 5, lines: Lines | None = None
) -> float:
    """For somebody who is at `way` in each look, in snow, in the last of them; 0: none."""
    lines, told = lines or Lines(), 0.0
    for n in range(looks):
        place = way(n)
        tracks = seen(*([place] if place else []), *flakes(n, seed=seed))
        found = lines.look(tracks, START + round(n * each_s * 1e6), SIZE)
        mine = [each for track, each in found if place and track is tracks[0]]
        told = mine[0] if mine else 0.0
    return told


def walks(n: int) -> Place:
    return 20 + 10.0 * n, 40 + 0.4 * (n % 2)


def walks_at(at: float) -> Place:
    return 20 + 10.0 * at, 40.0


def test_who_goes_on_one_line_among_flakes_is_known_after_some_key_frames():
    assert evidence(walks, looks=3) == 0
    assert PERHAPS < evidence(walks, looks=5) < SURELY
    assert evidence(walks, looks=7) > SURELY


def test_who_is_hidden_now_and_then_is_known_later():
    hidden = evidence(lambda n: None if n == 3 else walks(n), looks=6)
    assert 0 < hidden < evidence(walks, looks=6)
    assert evidence(lambda n: None if n % 2 else walks(n), looks=15) == 0


def test_a_look_that_does_not_see_him_is_evidence_against_him():
    told = []
    for looked_at in (True, False):
        lines, found = Lines(), []
        for n in range(7):
            if n != 3 or looked_at:
                tracks = seen(*([] if n == 3 else [walks(n)]), *flakes(n))
                found = lines.look(tracks, START + n * 4_000_000, SIZE)
        told.append(max(each for _, each in found))
    assert told[0] < told[1] - 0.5


@pytest.mark.parametrize(
    "way",
    [
        pytest.param(lambda n: (60.0, 40.0), id="stays"),
        pytest.param(lambda n: (60 + 3.0 * n, 40.0), id="crawls over the lens"),
        pytest.param(lambda n: (60 + 12.0 * (n % 3), 40.0), id="sways"),
        pytest.param(lambda n: (60 + 2.0 * n, 8 + 10.0 * n), id="falls"),
    ],
)
def test_what_sways_crawls_or_falls_is_on_no_line(way: Callable[[int], Place]):
    assert evidence(way) == 0


def test_flakes_by_themselves_are_hardly_ever_on_a_line():
    """An hour of snow, a key frame each 4 s."""
    lines, most = Lines(), 0.0
    for n in range(900):
        found = lines.look(seen(*flakes(n)), START + n * 4_000_000, SIZE)
        most = max([most, *(each for _, each in found)])
    assert most < SURELY


def test_where_something_is_always_to_be_seen_a_line_says_little():
    """A hedge in the wind, along the way."""

    def told(hedge: int) -> float:
        lines, last = Lines(), 0.0
        for n in range(6):
            drawn = np.random.default_rng(n)
            sways = [(float(x), 40 + float(y)) for x, y in drawn.uniform((20, -5), (75, 5), (hedge, 2))]
            tracks = seen(walks(n), *sways)
            found = dict((track.number, each) for track, each in lines.look(tracks, START + n * 4_000_000, SIZE))
            last = found.get(tracks[0].number, 0.0)
        return last

    assert told(0) > SURELY
    assert told(8) < SURELY


def test_whoever_may_be_on_a_line_is_asked_about_in_each_look():
    one = Lines()
    assert evidence(walks, looks=5, lines=one) > PERHAPS
    for n, at in enumerate((4.15, 4.3, 4.45)):
        close = one.look(seen(walks_at(at), *flakes(20 + n)), START + round(at * 4_000_000), SIZE)
        assert close, at
    assert close[0][1] > SURELY


def test_looks_at_the_same_flake_count_once():
    """Two flakes, four seconds apart, each of them in all looks of half a second."""
    lines = Lines()
    for n, at in enumerate([0.0, 0.1, 0.2, 0.3, 0.4, 4.0, 4.1, 4.2, 4.3, 4.4]):
        assert not lines.look(seen((20 + 10 * at, 40.0), *flakes(n)), START + round(at * 1e6), SIZE)


def test_lines_go_through_bytes():
    one = Lines()
    evidence(walks, looks=6, lines=one)
    other = Lines()
    other.restore(unpacked(packed({}, one.arrays()))[1])
    last = seen(walks(6), *flakes(6))
    told = [[each for _, each in lines.look(last, START + 24_000_000, SIZE)] for lines in (one, other)]
    assert told[0] == told[1]
    assert max(told[0]) > SURELY


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("line_look", np.array([0, 7], np.int64)),
        ("line_look", np.array([1, 0], np.int64)),
        ("line_at", np.array([5, 3], np.int64)),
        ("line_places", np.zeros((2, 2), np.float32)),
        ("line_places", np.full((2, 3), np.nan, np.float32)),
        ("line_places", np.full((2, 3), 3e38, np.float32)),
        ("line_at", np.array([np.nan, np.nan], np.float32)),
        ("line_look", np.array([0, np.nan], np.float32)),
        ("line_asked", np.array([], np.int64)),
    ],
)
def test_lines_of_another_form_are_refused(name: str, other: np.ndarray):
    good = {
        "line_at": np.array([3, 5], np.int64), "line_look": np.array([0, 1], np.int64), "line_places": np.ones((2, 3), np.float32),
        "line_asked": np.array([0]),
    }  # fmt: skip
    Lines().restore(good)
    Lines().restore({})
    with pytest.raises(ValueError, match="lines of"):
        Lines().restore(good | {name: other})


def test_more_lines_than_are_kept_are_refused():
    """Each place is compared with each: some megabytes of them would take all memory."""
    usual = Lines()
    for n in range(80):
        usual.look(seen(*flakes(n, many=24)), START + n * 500_000, SIZE)
    Lines().restore(usual.arrays())
    one = {"line_at": np.array([3, 5], np.int64), "line_asked": np.array([0])}
    with pytest.raises(ValueError, match="more lines"):
        Lines().restore(
            one | {"line_look": np.zeros(20_000, np.int64), "line_places": np.ones((20_000, 3), np.float32)}
        )
    with pytest.raises(ValueError, match="more lines"):
        Lines().restore(
            {
                "line_at": np.arange(100),
                "line_look": np.zeros(1, np.int64),
                "line_places": np.ones((1, 3), np.float32),
                "line_asked": np.array([0]),
            }
        )
