"""Random lives of a post, told to a hub: its timeline is the post's own, up to what the hub knows, however the entries came.

Equal but for what a seal cannot say, as for an index that is made again: where provenance changed within a segment, a span is one.
"""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from tests.property.test_restored_stories import HAPPENINGS, live
from tests.support import clocked_post
from tests.support.clocked_post import Post
from tests.support.fleet_case import Hub, Ledger, clipped, shown
from tests.support.recording import KEY, SECOND
from tests.unit.archive.test_correcting import _live as live_with_clocks
from tests.unit.archive.test_correcting import stories
from tests.unit.archive.test_restoring import HOUR, WALL_0, eventful, ledger, lose_index, reopened

from longwatch.timeline import State


def differing(one: list[tuple[Any, ...]], other: list[tuple[Any, ...]]) -> list[tuple[int, int]]:
    """Where the two say something else."""
    found = []
    for name, begin, end in one:
        for other_name, other_begin, other_end in other:
            low, high = max(begin, other_begin), min(end, other_end)
            if low < high and name != other_name:
                found.append((low, high))
    return found


PHASES = (Phase.explicit, Phase.reuse, Phase.generate)  # a life costs seconds: making it smaller would take minutes


def tell(hub: Hub, entries: list[bytes], seed: int) -> None:
    """In pieces of any length, each with its head."""
    log = Ledger(entries=entries)
    log.enrol(hub.fleet)
    draw = random.Random(seed)
    at = 0
    while at < len(entries):
        at = min(len(entries), at + draw.choice([1, 2, 5, 20, 100]))
        log.tell(hub.fleet, at)


def compare(hub: Hub, post: Post, entries: list[bytes], seed: int, from_us: int = WALL_0 - HOUR) -> None:
    tell(hub, entries, seed)
    known_us = post.reading(lambda reader: reader.accounted_until_us())
    whole = shown(post.tiles(from_us, known_us))
    mine = hub.tiles(KEY, from_us)
    until_us = min(known_us, mine[-1].to_us)
    assert clipped(shown(mine), until_us) == clipped(whole, until_us)
    assert until_us >= known_us - SECOND, "after an orderly end all is told"


@pytest.mark.slow
@settings(max_examples=8, deadline=None, phases=PHASES)
@given(HAPPENINGS, st.integers(0, 1000))
def test_a_hub_tells_what_the_post_tells(
    tmp_path_factory: pytest.TempPathFactory, story: list[tuple[str, int]], seed: int
) -> None:
    folder = Path(tmp_path_factory.mktemp("life"))
    post, hub = Post(folder / "data"), Hub(folder / "fleet.db", folder)
    try:
        live(post, story)
        compare(hub, post, ledger([post.folder]), seed)
    finally:
        post.close()
        hub.close()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.slow
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow], phases=PHASES)
@given(stories, st.integers(0, 3))
def test_whatever_clocks_did_and_corrections_moved(
    tmp_path_factory: pytest.TempPathFactory, story: list[tuple[str, int]], seed: int
) -> None:
    folder = Path(tmp_path_factory.mktemp("clocks"))
    post, hub = Post(folder / "data"), Hub(folder / "fleet.db", folder)
    try:
        live_with_clocks(post, story, seed)
        post.stop()
        tell(hub, ledger([post.folder]), seed)
        known_us = post.reading(lambda reader: reader.accounted_until_us())
        first = shown(post.tiles(0, known_us))
        mine = shown(hub.tiles(KEY, 0))
        until_us = min(known_us, mine[-1][2])
        lose_index(post.folder)
        reopened(post)
        assert clipped(mine, until_us) == clipped(shown(post.tiles(0, known_us)), until_us), "as the post remakes it"
        apart_us = sum(end - begin for begin, end in differing(clipped(mine, until_us), clipped(first, until_us)))
        assert apart_us <= SECOND * len(first), (
            "what a seal says of a boot without a clock is the last picture's length off"
        )
    finally:
        post.close()
        hub.close()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.slow
def test_an_eventful_life(tmp_path: Path) -> None:
    post, hub = Post(tmp_path / "data"), Hub(tmp_path / "fleet.db", tmp_path)
    try:
        eventful(post)
        compare(hub, post, ledger([post.folder]), 1)
        assert {"camera_refused", "packets_lost"} <= {str(t.cause) for t in hub.tiles(KEY, WALL_0 - HOUR)}
        assert "gone" in {str(t.held) for t in hub.tiles(KEY, WALL_0 - HOUR)}
    finally:
        post.close()
        hub.close()


@pytest.mark.slow
@settings(max_examples=6, deadline=None, phases=PHASES)
@given(HAPPENINGS)
def test_at_every_moment_the_hub_says_recorded_only_where_the_post_does(
    tmp_path_factory: pytest.TempPathFactory, story: list[tuple[str, int]]
) -> None:
    """The hub is told after every tick; what it accounts for is what the post accounted for then."""
    folder = Path(tmp_path_factory.mktemp("moments"))
    post, hub = Post(folder / "data"), Hub(folder / "fleet.db", folder)
    log = Ledger()
    log.enrol(hub.fleet)
    apply: Callable[..., Any] = clocked_post.FolderIndex.apply
    ticks = 0

    def looked(self: clocked_post.FolderIndex, *arguments: Any, **named: Any) -> None:
        nonlocal ticks
        apply(self, *arguments, **named)
        ticks += 1
        if ticks % 7 == 0:
            look()

    def look() -> None:
        entries = ledger([post.folder])
        if len(entries) == len(log.entries):
            return
        log.entries = entries
        log.tell(hub.fleet)
        mine = [t for t in hub.tiles(KEY, WALL_0 - HOUR) if t.state is not State.PENDING]
        if not mine:
            return
        until_us = mine[-1].to_us
        theirs = clipped(shown(post.tiles(WALL_0 - HOUR, until_us)), until_us)
        recorded = [(begin, end) for (state, _, _, _), begin, end in theirs if state == "recorded"]
        for t in mine:
            if t.state is State.RECORDED:
                covered = sum(max(0, min(end, t.to_us) - max(begin, t.from_us)) for begin, end in recorded)
                assert covered == t.to_us - t.from_us, (t, theirs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(clocked_post.FolderIndex, "apply", looked)
        try:
            live(post, story)
        finally:
            post.close()
            hub.close()
            shutil.rmtree(folder, ignore_errors=True)
    assert ticks > 10
