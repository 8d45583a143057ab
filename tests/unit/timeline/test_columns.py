"""Tiles in columns: a sequence as any other, and what is said of each."""

from __future__ import annotations

from array import array

import pytest

from longwatch.model.causes import Cause
from longwatch.model.stores import Held, Provenance
from longwatch.timeline import State, Tile, Tiling, columns, gaps_in

TOLD = {"detail": "connection refused"}
TILES = [
    Tile(0, 10, State.RECORDED, held=Held.HERE, provenance=Provenance.NTP, run=7),
    Tile(10, 20, State.GAP, Cause.CAMERA_REFUSED, TOLD, gap=3),
    Tile(20, 30, State.RECORDED, held=Held.GONE, provenance=Provenance.INFERRED, run=8, also=(2, 5), confirmed=False),
    Tile(30, 40, State.GAP, Cause.UNKNOWN),
    Tile(40, 50, State.RECORDED, held=Held.POST, provenance=Provenance.RTC, run=9),
    Tile(50, 60, State.PENDING),
]


def test_it_is_a_sequence_of_its_tiles() -> None:
    tiling = Tiling.of(TILES)
    assert tiling == TILES
    as_list: object = TILES
    assert as_list == tiling
    assert tiling != TILES[:-1]
    assert tiling != [*TILES[:-1], TILES[-1]._replace(to_us=61)]
    assert [tiling[n] for n in range(-6, 6)] == TILES + TILES
    assert tiling[1:-1] == TILES[1:-1]
    assert tiling[::-2] == TILES[::-2]
    assert tiling[1] in tiling
    with pytest.raises(IndexError):
        tiling[6]
    with pytest.raises(IndexError):
        tiling[-7]


def test_nothing_has_no_tiles() -> None:
    assert Tiling.of([]) == []
    assert Tiling.joined([]) == []
    assert Tiling.joined([Tiling.of([]), Tiling.of(TILES), Tiling.of([])]) == TILES
    assert Tiling.of([]).clipped(0, 10) == []


def test_gaps_are_found_among_columns_and_among_tiles() -> None:
    gaps = [TILES[1], TILES[3]]
    assert list(gaps_in(Tiling.of(TILES))) == gaps
    assert list(gaps_in(TILES)) == gaps


def test_every_stretch_of_it_is_what_lies_in_the_stretch() -> None:
    tiling = Tiling.of(TILES)
    for first in range(-5, 65, 5):
        for last in range(first + 5, 70, 5):
            inside = [
                item._replace(from_us=max(item.from_us, first), to_us=min(item.to_us, last))
                for item in TILES
                if item.to_us > first and item.from_us < last
            ]
            assert tiling.clipped(first, last) == inside


def test_stretches_that_are_joined_where_they_were_cut_are_the_whole() -> None:
    tiling = Tiling.of(TILES)
    for first in range(60):
        for last in range(first, 61, 7):
            cut = [(0, first), (first, last), (last, 60)]
            assert Tiling.joined(tiling.clipped(*stretch) for stretch in cut if stretch[0] < stretch[1]) == TILES


@pytest.mark.parametrize(
    "changed", [{"gap": 4}, {"cause": Cause.CAMERA_UNREACHABLE}, {"evidence": {"detail": "no route"}}, {"evidence": {}}]
)
def test_neighbours_that_differ_in_anything_stay_two(changed: dict[str, object]) -> None:
    before = TILES[1]
    after = before._replace(from_us=20, to_us=30)
    assert Tiling.joined([Tiling.of([before]), Tiling.of([after])]) == [before._replace(to_us=30)]
    other = after._replace(**changed)  # type: ignore[arg-type]  # of the fields' types
    assert Tiling.joined([Tiling.of([before]), Tiling.of([other])]) == [before, other]
    assert Tiling.joined([Tiling.of([other._replace(from_us=0, to_us=10)]), Tiling.of([before])])[1] == before


def test_what_is_said_of_very_many_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(columns, "MOST_WORDS", 3)
    tiles = [Tile(n, n + 1, State.GAP, Cause.CAMERA_REFUSED, {"n": n} if n % 3 else {}, gap=n) for n in range(40)]
    tiling = Tiling.of(tiles)
    assert len(tiling.words) > 5
    assert tiling == tiles
    assert tiling.clipped(11, 29) == tiles[11:29]
    assert Tiling.joined([tiling.clipped(0, 13), tiling.clipped(13, 40)]) == tiles


@pytest.mark.parametrize(
    ("what", "words"), [(0xFF, b""), (columns.kind_of(TILES[1]) | 5 << 16, b'[{"a":1}]'), (1 | 1 << 16, b"[1"), (0x0F01, b"")]
)  # fmt: skip
def test_what_nobody_wrote_is_refused_where_it_is_looked_at(what: int, words: bytes) -> None:
    tiling = Tiling(array("q", [0]), array("q", [1]), array("I", [what]), [0], [words], 10)
    with pytest.raises(ValueError):
        tiling[0]
    with pytest.raises(ValueError):
        list(tiling)
