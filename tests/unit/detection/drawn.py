"""Simple scenes, drawn in a line or two, for the unit tests of looking. Not the exam's: those are `tests.scenes`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from longwatch.detection.looker import Looker
from longwatch.detection.pictures import Picture
from longwatch.model.events import Sighting, Watched

F32 = NDArray[np.float32]
WIDTH, HEIGHT = 320, 180
START_US = 1_700_000_000_000_000


def ground(seed: int = 1, rough: float = 10.0) -> F32:
    """A place with shades and texture."""
    rng = np.random.default_rng(seed)
    shades = cv2.resize(
        rng.uniform(60, 170, (7, 12)).astype(np.float32), (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC
    )
    grain = cv2.GaussianBlur(rng.normal(0, 1, (HEIGHT, WIDTH)).astype(np.float32), (0, 0), 2.5)
    made = shades + grain * np.float32(rough / grain.std())
    for _ in range(14):
        x, y = int(rng.integers(0, WIDTH - 40)), int(rng.integers(0, HEIGHT - 30))
        made[y : y + int(rng.integers(8, 30)), x : x + int(rng.integers(8, 40))] += np.float32(rng.uniform(-50, 50))
    return np.clip(made, 25, 225).astype(np.float32)


@lru_cache(maxsize=1)
def _noise() -> F32:
    return np.random.default_rng(99).standard_normal((HEIGHT * 3, WIDTH * 3), np.float32)


def noisy(picture: F32, rng: np.random.Generator, sigma: float = 3.0) -> NDArray[np.uint8]:
    """As a sensor gives it: a piece of a field of noise that is drawn once, at a place of its own."""
    y, x = (int(each) for each in rng.integers(0, (HEIGHT * 2, WIDTH * 2)))
    made = picture + np.float32(sigma) * _noise()[y : y + HEIGHT, x : x + WIDTH]
    return np.clip(made, 0, 255).astype(np.uint8)


def boxed(picture: F32, x: float, y: float, width: int = 14, height: int = 26, level: float = 30.0) -> F32:
    """With a thing in it; what lies outside is not drawn."""
    made = picture.copy()
    left, top = round(x), round(y)
    made[max(top, 0) : max(top + height, 0), max(left, 0) : max(left + width, 0)] = level
    return made


def pictures(
    draw: Callable[[float], F32],
    seconds: float,
    *,
    step_s: float = 0.25,
    from_s: float = 0.0,
    sigma: float = 3.0,
    seed: int = 7,
) -> Iterator[Picture]:
    """A picture at each step; draw: the scene at that second."""
    rng = np.random.default_rng(seed + round(from_s * 1000))
    for n in range(round(seconds / step_s)):
        at = from_s + n * step_s
        yield Picture(noisy(draw(at), rng, sigma), START_US + round(at * 1e6), key=n % 8 == 0 or step_s >= 1)


def looked(looker: Looker, shown: Iterator[Picture]) -> list[Sighting]:
    """All that is said of them."""
    return [sighting for picture in shown for sighting in looker.look(picture)]


def learnt(
    watched: Watched | None = None,
    *,
    base: F32 | None = None,
    seconds: float = 20.0,
    step_s: float = 2.0,
    sigma: float = 3.0,
) -> Looker:
    """A looker that has seen an empty place for a while."""
    looker = Looker(watched or Watched("yard"))
    place = ground() if base is None else base
    looked(looker, pictures(lambda _: place, seconds, step_s=step_s, sigma=sigma))
    return looker


def kinds(sightings: list[Sighting], *, on: bool = True) -> set[str]:
    """Of what was said."""
    return {each.kind for each in sightings if each.on is on}
