"""What the world does to a lens, and is no sabotage: it was painted by nobody's generator, so it is drawn here."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import pytest
from tests.unit.detection.drawn import F32, HEIGHT, WIDTH, ground, learnt, looked, pictures

PLACE = ground()
FROM_S = 20.0
YS, XS = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float32)
LAMP = np.exp(-(((XS - 220) / 45) ** 2) - ((YS - 60) / 35) ** 2).astype(np.float32)


def dusk_into_a_lamp(at: float) -> F32:
    """It gets dark over a minute, and then a lamp lights a corner of the yard."""
    dark = np.float32(max(0.3, 1 - (at - FROM_S) / 60))
    lit = np.float32(at > FROM_S + 55)
    return np.clip(PLACE * (dark + 0.9 * lit * LAMP), 0, 252).astype(np.float32)


def web(at: float) -> F32:
    """Threads across the lens, out of focus, that sway: by no beat that would bring all of them back, as a loop does."""
    threads = np.zeros((HEIGHT, WIDTH), np.float32)
    sway = round(3 * np.sin(at * 2) + 2 * np.sin(at * 1.13 + 1))
    for n in range(7):
        cv2.line(threads, (40 * n + sway, 0), (WIDTH - 30 * n + sway, HEIGHT), 60.0, 2)
    return np.clip(PLACE + cv2.GaussianBlur(threads, (0, 0), 2), 0, 252).astype(np.float32)


def wiper(at: float) -> F32:
    """A black arm that goes over the glass and back, each two seconds."""
    made = PLACE.copy()
    along = abs((at % 2) - 1) * 2 - 0.5
    cv2.line(made, (WIDTH // 2, HEIGHT + 20), (int(WIDTH * along), -20), 8.0, 26)
    return made


def drops(at: float) -> F32:
    """A dozen drops that stay where they fell, each a small piece of the view upside down and blurred; one more each two seconds."""
    made, rng = PLACE.copy(), np.random.default_rng(2)
    turned = cv2.GaussianBlur(np.ascontiguousarray(PLACE[::-1, ::-1]), (0, 0), 4)
    for _ in range(min(12, int((at - FROM_S) / 2))):
        drop = np.zeros((HEIGHT, WIDTH), np.float32)
        cv2.circle(drop, (int(rng.integers(0, WIDTH)), int(rng.integers(0, HEIGHT))), int(rng.integers(6, 16)), 1.0, -1)
        drop = cv2.GaussianBlur(drop, (0, 0), 1.5)
        made = made * (1 - drop) + turned * drop
    return made.astype(np.float32)


@pytest.mark.slow
@pytest.mark.parametrize("drawn", [dusk_into_a_lamp, web, wiper, drops])
@pytest.mark.parametrize("step_s", [0.4, 4.0])
def test_it_is_not_called_sabotage(drawn: Callable[[float], F32], step_s: float):
    said = looked(learnt(), pictures(drawn, 90, from_s=FROM_S, step_s=step_s))
    assert not [each for each in said if each.kind.startswith("tamper.")]


@pytest.mark.slow
def test_drops_until_the_view_is_gone_are():
    """So that the scenes above are not harmless for being small."""

    def streaming(at: float) -> F32:
        return cv2.GaussianBlur(drops(at + 40), (0, 0), 7) if at > FROM_S + 10 else drops(at)

    said = looked(learnt(), pictures(streaming, 25, from_s=FROM_S, step_s=0.4))
    assert [each for each in said if each.kind.startswith("tamper.")]
