"""Whether something goes somewhere, told from where its box was look by look. Pure.

What only flickers, sways, crumbles or is lit from one side changes its box and goes nowhere: both sides of what goes go along, and it goes on and on.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Box = tuple[float, float, float, float]
Step = tuple[int, float, float, float, float, float, float]
"""wall_us, x of the centre, y of the foot, y of the centre, x of the left and of the right side, y of the top; in cells."""

STRAIGHT = 2.5
"""The way that a straight line through its steps makes, against how far they stray from it (root mean square)."""
SURELY_STRAIGHT = 10.0
"""The same of pictures seconds apart, in a place where much comes to nothing: a line that hardly anything but a thing on its way draws."""
LONG_STEPS, GROW_STEPS = 8, 12
GROWN = math.log(1.6)
JUMPED = 0.6
"""Of all that its height grew or shrank, in one step: it did not come nearer, it was taken for something else."""
STILL_GROWS = 0.15
"""Of all that it grew or shrank, from the middle third of the time to the last: half of what steady growth makes."""
BROADER = 0.2
"""In parts of how its height grows or shrinks (as logarithms), so much at least its width does: of a person who goes away, few cells wide, a little less than of his height."""
STEADY = 0.3
"""Half of its steps are at least so fast, in parts of its speed over all of them: what jumped once and stands has gone nowhere, it has changed its shape."""
OTHERS = 0.15
"""Of the way of its foot, that another side of it makes too: what is covered or uncovered from below changes at that side alone."""
ALONG, TOUCHING = 0.35, 1.5
"""Both sides of what goes somewhere go along, each at least so far in parts of its middle's way. A side that lies so near the picture's border may stay."""


def goes(
    steps: Sequence[Step], least: float, size: tuple[int, int], straight: float = STRAIGHT, fewest: int = 2
) -> bool:
    """Whether centre or foot got on by so many cells, along a line rather than to and fro: straight lines are laid through them over time, and what they
    gain must stand out from how far the steps stray from them. size: of the picture in cells, since a side at its border may stay.
    """
    if len(steps) < fewest:
        return False
    taken = np.array(steps, np.float64)
    at, ways = taken[:, 0] - taken[0, 0], taken[:, 1:] - taken[:, 1:].mean(axis=0)
    lasted = float(at[-1]) or 1.0
    at = at / lasted - float(at.mean()) / lasted
    gains = at @ ways / (float(at @ at) or 1.0)
    stray = np.sqrt(((ways[:, :3] - at[:, None] * gains[:3]) ** 2).mean(axis=0))
    x, foot, y, left, right, top = (float(gain) for gain in gains)
    stray_x, stray_foot, stray_y = (float(each) for each in stray)
    centre = math.hypot(x, y)
    if centre >= least and centre >= straight * math.hypot(stray_x, stray_y) and _steady(taken[:, (0, 1, 3)], x, y):
        if abs(x) >= abs(y):
            return _along(x, left, right, _at_border(taken[:, 4], taken[:, 5], size[0]))
        return _along(y, top, foot, _at_border(taken[:, 6], taken[:, 2], size[1]))
    return (
        len(steps) >= LONG_STEPS
        and math.hypot(x, foot) >= 1.5 * least
        and abs(foot) >= straight * stray_foot
        and max(abs(left), abs(right), abs(top)) >= OTHERS * abs(foot)
        and _steady(taken[:, (0, 1, 2)], x, foot)
    )


def grows(steps: Sequence[Step]) -> bool:
    """Whether it comes nearer or goes away: its height changes by much, and steadily, and its width with it. What is lit and fades from one end is as broad as before."""
    if len(steps) < GROW_STEPS:
        return False
    taken = np.array(steps, np.float64)
    height = np.log(np.maximum(taken[:, 2] - taken[:, 3], 0.5))
    at = (taken[:, 0] - taken[0, 0]) / max(float(taken[-1, 0] - taken[0, 0]), 1.0)
    at -= at.mean()
    slope = float(at @ height) / (float(at @ at) or 1.0)
    if abs(slope) < GROWN or float(np.abs(np.diff(height)).max()) > JUMPED * abs(slope):
        return False
    stray = float(np.sqrt(((height - height.mean() - slope * at) ** 2).mean()))
    if abs(slope) < STRAIGHT * stray or not _goes_on(at, height, slope):
        return False
    width = np.log(np.maximum(taken[:, 5] - taken[:, 4], 0.5))
    return float(at @ width) / (float(at @ at) or 1.0) * math.copysign(1.0, slope) >= BROADER * abs(slope)


def _goes_on(at: NDArray[np.float64], height: NDArray[np.float64], slope: float) -> bool:
    """Whether it still grows, or shrinks, in the last third of the time: a glow that shrank once and stays has gone nowhere."""
    thirds = at - at[0] > 2 / 3, (at - at[0] > 1 / 3) & (at - at[0] <= 2 / 3)
    if not all(third.any() for third in thirds):
        return False
    last, middle = (float(height[third].mean()) for third in thirds)
    return (last - middle) * math.copysign(1.0, slope) >= STILL_GROWS * abs(slope)


def has_grown(box: Box, was: Box) -> bool:
    """Whether a box has grown or shrunk by much."""
    return abs(math.log((box[2] * box[3] + 1) / (was[2] * was[3] + 1))) > GROWN


def is_elsewhere(box: Box, was: Box, way: tuple[float, float], size: tuple[int, int]) -> bool:
    """Whether a box has moved from where it was, or grown or shrunk by much. way: what its centre went."""
    (left, top, width, height), (was_left, was_top, was_width, was_height) = box, was
    if has_grown(box, was):
        return True
    if abs(way[0]) >= abs(way[1]):
        free = min(left, was_left) <= TOUCHING, max(left + width, was_left + was_width) >= size[0] - TOUCHING
        return _along(way[0], left - was_left, left + width - was_left - was_width, free)
    free = min(top, was_top) <= TOUCHING, max(top + height, was_top + was_height) >= size[1] - TOUCHING
    return _along(way[1], top - was_top, top + height - was_top - was_height, free)


def _steady(taken: NDArray[np.float64], x: float, y: float) -> bool:
    """Whether it goes on and on. taken: times and places; x, y: what a line through them gains."""
    steps = np.diff(taken, axis=0)
    far = math.hypot(x, y) or 1.0
    rates = (steps[:, 1] * x + steps[:, 2] * y) / far / np.maximum(steps[:, 0], 1.0)
    half = float(rates.min() if len(rates) == 2 else np.median(rates))  # of two the mean would stand for a single leap
    return half >= STEADY * far / float(taken[-1, 0] - taken[0, 0] or 1.0)


def _at_border(first: NDArray[np.float64], second: NDArray[np.float64], size: int) -> tuple[bool, bool]:
    """Which of two sides lies at the picture's border at some time; none where both do for half of it, since then nothing can be told from them."""
    near, far = first <= TOUCHING, second >= size - TOUCHING
    if float(np.mean(near & far)) >= 0.5:
        return False, False
    return bool(near.any()), bool(far.any())


def _along(way: float, first: float, second: float, free: tuple[bool, bool]) -> bool:
    """Whether both sides go along, or lie at the picture's border."""
    sign = math.copysign(1.0, way)
    return all(
        at_border or side * sign >= ALONG * abs(way) for side, at_border in zip((first, second), free, strict=True)
    )
