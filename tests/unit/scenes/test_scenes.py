"""Scenes are the same for the same seed, their truth is in their pictures, and what is encoded is what a camera would send."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from fractions import Fraction

import av
import cv2
import numpy as np
import pytest
from tests.scenes import BUSY, QUIET, SABOTAGE, Recipe, Scene, Truth, draw, encode
from tests.scenes.recipe import KINDS, LOOKS
from tests.scenes.truth import LEARNING_S

W, H = 192, 108


def small(
    seed: int,
    family: str,
    seconds: float,
    look: str = "day",
    sabotage: str = "",
    nuisances: tuple[str, ...] | None = (),
) -> Recipe:
    return replace(
        draw(seed, family, look=look, sabotage=sabotage, seconds=seconds, fps=5.0, nuisances=nuisances),
        width=W,
        height=H,
    )


def prints(recipe: Recipe) -> list[str]:
    return [
        hashlib.sha256(p.luma.tobytes() + p.u.tobytes() + p.v.tobytes()).hexdigest() for p in Scene(recipe).pictures()
    ]


@pytest.mark.slow
@pytest.mark.parametrize("look", LOOKS)
def test_the_same_seed_is_the_same_to_the_bit_and_another_is_another(look: str) -> None:
    every = ("wind", "shake", "rain", "insects", "spider", "clock")
    one = prints(small(11, QUIET, 2, look, nuisances=every))
    assert one == prints(small(11, QUIET, 2, look, nuisances=every))
    assert len(set(one)) == len(one)
    assert not set(one) & set(prints(small(12, QUIET, 2, look, nuisances=every)))


def test_recipes_are_drawn_from_the_seed_alone() -> None:
    assert draw(5, BUSY) == draw(5, BUSY)
    assert len({draw(seed, BUSY) for seed in range(30)}) == 30
    assert {draw(seed, QUIET).look for seed in range(60)} == set(LOOKS)


def test_things_are_where_the_truth_says_and_nowhere_else() -> None:
    recipe = small(3, BUSY, 60)
    with_things, without = Scene(recipe), Scene(replace(recipe, things=0))
    moved = {}
    for a, b in zip(with_things.pictures(), without.pictures(), strict=True):
        moved[round(a.at_s, 3)] = cv2.absdiff(a.luma, b.luma)
    truth = with_things.finish()
    moments = [(t, m) for t in truth.things for m in t.moments if m.counts and m.contrast > 30]
    assert moments
    for _, m in moments:
        x0, y0, x1, y1 = (round(e * (W, H)[i % 2]) for i, e in enumerate(m.box))
        inside = moved[m.at_s][max(0, y0) : y1, max(0, x0) : x1]
        assert (inside > 10).sum() >= 0.4 * m.pixels * (W * H) / (640 * 360)  # what nothing else changed, the thing did
    shown = [s for t in truth.things if (s := t.seen)]
    assert all(d.max() == 0 for at, d in moved.items() if at < min(a for a, _ in shown) - 1)
    assert min(a for a, _ in shown) > LEARNING_S


@pytest.mark.slow
@pytest.mark.parametrize("kind", [k for k in KINDS if k not in {"frozen", "replayed"}])
def test_after_sabotage_the_picture_is_another(kind: str) -> None:
    recipe = small(21, SABOTAGE, 30, sabotage=kind)
    scene = Scene(recipe)
    done = scene.truth.sabotage[0]
    assert scene.attack is not None
    scene.attack.begin, scene.attack.last = 1.0, 0.4
    pictures = [p.luma for p in scene.pictures() if p.at_s < 2][::9]
    assert np.abs(pictures[0].astype(int) - pictures[-1]).mean() > 2
    assert done.begin_s <= done.due_s


def test_a_frozen_camera_sends_one_picture() -> None:
    scene = Scene(small(22, SABOTAGE, 30, sabotage="frozen"))
    assert scene.attack is not None
    scene.attack.begin = 1.0
    pictures = [p.luma.tobytes() for p in scene.pictures() if p.at_s < 3]
    assert len(set(pictures[:5])) == 5
    assert len(set(pictures[4:])) == 1


def test_what_is_encoded_is_a_camera_s_sub_stream(tmp_path) -> None:
    recipe = replace(small(4, BUSY, 12), kbit_s=24, gop_s=2.0)
    made = encode(Scene(recipe), tmp_path / "a.mp4")
    with av.open(str(made.video)) as container:
        packets = [p for p in container.demux(video=0) if p.size]
    times = [p.pts * (p.time_base or Fraction(0)) for p in packets]
    assert times == [Fraction(n, 5) for n in range(60)]
    assert all(p.pts == p.dts for p in packets)  # no B-frames
    assert [i for i, p in enumerate(packets) if p.is_keyframe] == list(range(0, 60, 10))
    with av.open(str(made.video)) as container:
        assert sum(1 for _ in container.decode(video=0)) == 60
    assert 0.4 * 24_000 < made.size_bytes * 8 / 12 < 1.4 * 24_000
    assert Truth.load(tmp_path / "a.json") == made.truth


@pytest.mark.parametrize("seed", [30, 31])
def test_a_replayed_camera_sends_what_it_sent_before(tmp_path, seed: int) -> None:
    recipe = replace(small(seed, SABOTAGE, 30, sabotage="replayed"), fps=2.0)
    scene = Scene(recipe)
    assert scene.attack is not None
    scene.attack.begin = 22.0
    made = encode(scene, tmp_path / "a.mp4")
    with av.open(str(made.video)) as container:
        pictures = [f.to_ndarray(format="gray")[:, :W].astype(int) for f in container.decode(video=0)]
    assert len(pictures) == 60
    likest = [min(np.abs(pictures[n] - old).mean() for old in pictures[:44]) for n in range(44, 60)]
    assert max(likest) < 2
