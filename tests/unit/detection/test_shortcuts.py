"""What is computed only where it matters gives what computing it everywhere gives, to the bit."""

from __future__ import annotations

import math

import numpy as np
import pytest

from longwatch.detection import motion, planes, tracking
from longwatch.detection.background import HOLDS, STATES, Background
from longwatch.detection.motion import Blob
from longwatch.detection.tracking import Track, Tracker

SHAPE = (45, 80)


def _learnt(seed: int, looks: int) -> tuple[Background, np.random.Generator]:
    drawn = np.random.default_rng(seed)
    usual = drawn.uniform(20, 200, SHAPE).astype(np.float32)
    background = Background(SHAPE)
    background.begin(usual)
    for number in range(looks):
        sways = np.where(drawn.random(SHAPE) < 0.2, 40.0 * (number % 3), 0.0).astype(np.float32)
        picture = usual + drawn.normal(0, 4, SHAPE).astype(np.float32) + sways
        background.learn(picture, background.compare(picture), 2.0, None)
    return background, drawn


@pytest.mark.parametrize("seed", range(4))
def test_a_cell_is_new_where_it_lies_in_no_state_that_holds(seed: int) -> None:
    background, drawn = _learnt(seed, 12)
    picture = (background.usual + drawn.normal(0, 25, SHAPE)).astype(np.float32)
    least = background.threshold()
    known = np.zeros(SHAPE, bool)
    for k in range(STATES):
        weight = background._weights[k]
        near = np.abs(picture - background._means[k]) < least
        known |= near & (weight > HOLDS) if k else near
    new = background.compare(picture)
    assert np.array_equal(new, (~known).view(np.uint8))
    assert 0 < new.sum() < new.size


@pytest.mark.parametrize("seed", range(4))
def test_each_cell_teaches_the_first_state_that_it_lies_in(seed: int) -> None:
    background, drawn = _learnt(seed, 12)
    picture = (background.usual + drawn.normal(0, 25, SHAPE)).astype(np.float32)
    means = [mean.copy() for mean in background._means]
    weights = [weight.copy() for weight in background._weights]
    least = background.threshold()
    near = [np.abs(picture - mean) < least for mean in means]
    free = np.ones(SHAPE, bool)
    for k in range(STATES):
        here = near[k] & free
        free &= ~here
        planes.nearer(here.view(np.uint8), weights[k], 1 - math.exp(-2.0 / 30.0), None)
        planes.nearer(picture, means[k], 1 - math.exp(-2.0 / 12.0), here.view(np.uint8))
    means[-1][free] = picture[free]
    weights[-1][free] = np.float32(1 - math.exp(-2.0 / 30.0))
    background.learn(picture, background.compare(picture), 2.0, None)
    order = np.argsort(-np.stack(weights), axis=0, kind="stable")
    best = np.take_along_axis(np.stack(means), order, axis=0)[0]
    same = np.take_along_axis(np.stack(weights), order, axis=0)[0] > np.sort(np.stack(weights), axis=0)[-2]
    assert np.array_equal(background.usual[same], best[same])
    assert free.any()
    assert near[1].any()


def test_learning_goes_on_from_a_comparison() -> None:
    background, _ = _learnt(0, 1)
    with pytest.raises(ValueError, match="comparison"):
        background.learn(background.usual, np.zeros(SHAPE, np.uint8), 1.0, None)


def _blob(drawn: np.random.Generator) -> Blob:
    left, top, width, height = (int(each) for each in drawn.integers((0, 0, 1, 1), (150, 80, 12, 12)))
    cells = int(drawn.integers(1, width * height + 1))
    return Blob(
        left, top, width, height, left + width / 2, top + height / 2, cells, 20.0, 1.0, float(drawn.uniform(-0.5, 1)), 3.0, 3.0,
    )  # fmt: skip


def _may_be(track: Track, blob: Blob, now_us: int, width: int) -> float | None:
    """The same question of one pair, in its plain form."""
    passed = max((now_us - track.last_us) / 1e6, 0.02)
    size = max(blob.width, blob.height, track.box[2], track.box[3])
    ahead = min(passed, 1.5)
    apart = math.hypot(blob.x - track.x - track.vx * ahead, blob.y - track.y - track.vy * ahead)
    fastest = size * tracking.LENGTHS_S
    if track.hits >= tracking.KNOWN_HITS:
        own = max(track.box[2:]) if now_us - track.moved_us > tracking.STOOD_US else size
        fastest = min(fastest, max(own * tracking.KNOWN_LENGTHS_S, 1.5 * math.hypot(track.vx, track.vy)))
    reach = 2 + 0.5 * size + min(fastest * passed, tracking.FARTHEST * width)
    ratio = max(blob.cells / max(track.cells, 1), max(track.cells, 1) / blob.cells)
    left, top, wide, high = track.box
    across = min(left + wide, blob.left + blob.width) - max(left, blob.left)
    down = min(top + high, blob.top + blob.height) - max(top, blob.top)
    if apart > reach or ratio > tracking.LEAP or (ratio > 6 and not (across > 0 and down > 0)):
        return None
    lit = track.hits >= tracking.LIT_HITS and track.texture > tracking.LIT
    if lit and blob.texture <= tracking.SAME_TEXTURE and apart > 2 + 0.5 * size:
        return None
    return apart / reach + 0.15 * math.log2(ratio)


def test_the_pairs_of_a_crowd_are_those_of_the_plain_question() -> None:
    drawn = np.random.default_rng(7)
    tracker = Tracker(160)
    tracker.height = 90
    pairs = 0
    for number in range(40):
        now_us = 1_000_000 * (100 + number)
        found = [_blob(drawn) for _ in range(20)]
        tracker.tracks = []
        tracker.follow([_blob(drawn) for _ in range(15)], now_us - int(drawn.integers(100_000, 4_000_000)), 0.2)
        for track in tracker.tracks:
            track.hits, track.texture = int(drawn.integers(1, 12)), float(drawn.uniform(0, 1))
            track.vx, track.vy = (float(each) for each in drawn.normal(0, 8, 2))
            track.moved_us = now_us - int(drawn.integers(0, 20_000_000))
        asked = tracker._pairs(found, now_us)
        plain = {
            (i, j): cost
            for i, track in enumerate(tracker.tracks)
            for j, blob in enumerate(found)
            if (cost := _may_be(track, blob, now_us, 160)) is not None
        }
        assert {(i, j) for _, i, j in asked} == set(plain)
        assert all(math.isclose(cost, plain[i, j], abs_tol=1e-9) for cost, i, j in asked)
        assert asked == sorted(asked)
        pairs += len(asked)
    assert pairs > 100


def test_small_pieces_beside_a_thing_change_nothing_of_it() -> None:
    drawn = np.random.default_rng(3)
    usual = drawn.uniform(60, 90, (90, 160)).astype(np.float32)
    picture = usual.copy()
    picture[40:52, 60:68] += 60
    mask = np.zeros((90, 160), np.uint8)
    mask[40:52, 60:68] = 1
    alone = motion.blobs(mask, picture, usual, 0.5)
    mask[10:12, 61:63] = mask[70, 20:23] = 1
    beside = motion.blobs(mask, picture, usual, 0.5)
    assert len(alone) == 1
    assert beside[0] == alone[0]
