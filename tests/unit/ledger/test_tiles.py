"""Paths and files of a log: the examples of c2sp.org/tlog-tiles, and a frontier held against the definition of its tiles."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from longwatch.ledger import EMPTY_ROOT, leaf_hash, root
from longwatch.ledger.tiles import (
    ENTRIES,
    Frontier,
    Tile,
    TileError,
    bundle,
    edge,
    entries_path,
    parse_bundle,
    parse_tile,
    superseded,
    tile_of,
    tile_path,
    tiles_of,
)

LEAVES = [leaf_hash(n.to_bytes(4, "big")) for n in range(70_000)]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (tile_path(0, 1_234_067), "tile/0/x001/x234/067"),
        (tile_path(2, 0, 1), "tile/2/000.p/1"),
        (tile_path(1, 999, 17), "tile/1/999.p/17"),
        (tile_path(63, 1000), "tile/63/x001/000"),
        (entries_path(273, 112), "tile/entries/273.p/112"),
        (entries_path(0), "tile/entries/000"),
    ],
)
def test_paths(path: str, expected: str) -> None:
    assert path == expected


@pytest.mark.parametrize("tile", [(0, -1, 256), (0, 0, 0), (0, 0, 257), (64, 0, 1), (-2, 0, 1)])
def test_no_path_of_what_cannot_be(tile: tuple[int, int, int]) -> None:
    with pytest.raises(TileError):
        _ = Tile(*tile).path


def test_the_example_of_the_standard() -> None:
    """A tree of 70,000: 273 full and a partial tile of 112; one full tile of level 1 and one of 17; one of level 2 of 1."""
    files = tiles_of(0, 70_000)
    by_level = {level: [tile.width for tile in files if tile.level == level] for level in (ENTRIES, 0, 1, 2, 3)}
    assert by_level == {ENTRIES: [256] * 273 + [112], 0: [256] * 273 + [112], 1: [256, 17], 2: [1], 3: []}
    assert edge(70_000) == [Tile(ENTRIES, 273, 112), Tile(0, 273, 112), Tile(1, 1, 17), Tile(2, 0, 1)]
    assert edge(256) == [Tile(1, 0, 1)]
    assert edge(0) == tiles_of(0, 0) == []


def by_definition(tile: Tile) -> bytes:
    """MTH(D[(n * 256 + i) * 256**l : (n * 256 + i + 1) * 256**l]) for each i."""
    each = 256**tile.level
    first = tile.index * 256
    return b"".join(root(LEAVES[i * each : (i + 1) * each]) for i in range(first, first + tile.width))


SIZES = st.one_of(st.integers(0, 600), st.sampled_from([255, 256, 257, 511, 512, 65_535, 65_536, 65_537, 66_000]))


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(SIZES, SIZES)
def test_a_frontier_gives_the_tiles_that_changed_and_the_root(one: int, other: int) -> None:
    before, after = sorted((one, other))
    frontier = Frontier()
    held = frontier.extend(LEAVES[:before])
    spare = frontier.copy()
    changed = frontier.extend(LEAVES[before:after])
    assert sorted(changed) == sorted(tile for tile in tiles_of(before, after) if tile.level != ENTRIES)
    assert all(content == by_definition(tile) for tile, content in changed.items())
    assert frontier.size == after
    assert frontier.root() == root(LEAVES[:after])
    assert (spare.size, spare.root()) == (before, root(LEAVES[:before]))

    loaded = Frontier.load(before, held.__getitem__)
    assert loaded.root() == root(LEAVES[:before])
    assert loaded.extend(LEAVES[before:after]) == changed
    assert loaded.root() == frontier.root()


def test_a_frontier_is_small() -> None:
    frontier = Frontier()
    frontier.extend(LEAVES)
    assert sum(len(level) for level in frontier._open) == 112 + 17 + 1
    assert len(frontier._subtrees) == bin(70_000).count("1")
    assert Frontier().root() == EMPTY_ROOT


def test_a_frontier_is_not_loaded_from_a_tile_of_another_width() -> None:
    with pytest.raises(TileError):
        Frontier.load(300, lambda _: bytes(32 * 43))


def test_what_a_wider_file_replaces() -> None:
    assert superseded(300, 310) == [Tile(ENTRIES, 1, 44), Tile(0, 1, 44)]
    assert superseded(300, 600) == [Tile(ENTRIES, 1, 44), Tile(0, 1, 44), Tile(1, 0, 1)]
    assert superseded(300, 300) == []
    assert tile_of(0, 1, 300) == Tile(0, 1, 44)
    with pytest.raises(TileError):
        tile_of(1, 0, 255)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.binary(max_size=300), min_size=1, max_size=256))
def test_a_bundle_is_read_back(entries: list[bytes]) -> None:
    assert parse_bundle(bundle(entries)) == entries


@pytest.mark.parametrize("data", [b"", b"\0", b"\0\2x", b"\0\1ab", b"\0\0" * 257])
def test_what_is_no_bundle(data: bytes) -> None:
    with pytest.raises(TileError):
        parse_bundle(data)


@pytest.mark.parametrize("entries", [[], [b""] * 257, [bytes(65_536)]])
def test_what_cannot_be_bundled(entries: list[bytes]) -> None:
    with pytest.raises(TileError):
        bundle(entries)


@pytest.mark.parametrize("data", [b"", bytes(31), bytes(33), bytes(257 * 32)])
def test_what_is_no_tile(data: bytes) -> None:
    with pytest.raises(TileError):
        parse_tile(data)
