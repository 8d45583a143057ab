"""Whoever comes into a room large, stands there and goes again is said, also where nothing but key frames was looked at before; and in the first minute already."""

import cv2
import numpy as np
import pytest
from tests.unit.detection.drawn import F32, HEIGHT, START_US, WIDTH, noisy

from longwatch.detection.looker import Looker
from longwatch.detection.pictures import Picture
from longwatch.model.events import Sighting, Watched

ENTERS_S, STANDS_S, LEAVES_S = 1.5, 6.0, 1.5
KEY, STEP = 40, 0.1
"""Every so many pictures a key frame; seconds from picture to picture."""
HELD_S = 2.5


def room() -> F32:
    """Bright and plain: walls, a floor with some texture, a door and a picture."""
    rng = np.random.default_rng(1)
    across, down = np.meshgrid(np.linspace(0, 1, WIDTH), np.linspace(0, 1, HEIGHT))
    grain = cv2.GaussianBlur(rng.normal(0, 1, (HEIGHT, WIDTH)), (0, 0), 1.5)
    made = np.where(down > 0.55, 120 + 25 * down + grain * 6 / grain.std(), 175 + 20 * across - 10 * down)
    for left, top, width, height, level in ((240, 30, 40, 70, 110), (243, 35, 34, 65, 140), (60, 20, 50, 30, 90), (64, 24, 42, 22, 130), (0, 96, 320, 4, 80)):  # fmt: skip
        made[top : top + height, left : left + width] = level
    return made.astype(np.float32)


ROOM = room()


def visited(at: float, tall: float, side: str) -> F32:
    """The room `at` seconds after somebody began to enter; tall: in heights of the picture."""
    part = min(max(at / ENTERS_S, 0.0), max(min(1.0, (ENTERS_S + STANDS_S + LEAVES_S - at) / LEAVES_S), 0.0), 1.0)
    if part <= 0:
        return ROOM
    height = round(tall * HEIGHT)
    wide = round(0.3 * height)
    x = 150 + round(np.sin(3 * at)) if side == "below" else round(-wide + (150 + wide) * part)
    top = HEIGHT - 2 - height + (round((1 - part) * height) if side == "below" else 0)
    made = ROOM.copy()
    made[top + height // 7 : top + height, max(x - wide // 2, 0) : max(x + wide // 2, 0)] = 45
    cv2.circle(made, (x, top + height // 14), height // 14, 120.0, -1)
    return made


def watched_room(begin_s: float, tall: float, side: str) -> list[Sighting]:
    """As the gate lets pictures through whose sizes tell nothing: key frames, and all for a while after something was found or wondered about."""
    looker, rng = Looker(Watched("room")), np.random.default_rng(3)
    said: list[Sighting] = []
    until = -1.0
    for n in range(round((begin_s + 14) / STEP)):
        at = n * STEP
        if n % KEY and at > until:
            continue
        shown = noisy(visited(at - begin_s, tall, side), rng, 1.5)
        now = looker.look(Picture(shown, START_US + round(at * 1e6), key=n % KEY == 0))
        said += now
        if now or looker.curious:
            until = at + HELD_S
    return said


@pytest.mark.slow
@pytest.mark.parametrize("side", ["below", "beside"])
@pytest.mark.parametrize("tall", [0.5, 0.85])
@pytest.mark.parametrize("begin_s", [5.0, 13.0, 42.0])
def test_a_large_visitor_who_was_first_seen_standing_is_said_when_he_goes(begin_s: float, tall: float, side: str):
    said = watched_room(begin_s, tall, side)
    seen = [(each.at_us - START_US) / 1e6 - begin_s for each in said if each.kind == "motion" and each.on]
    assert seen
    assert all(0 <= at <= ENTERS_S + STANDS_S + LEAVES_S + 2 for at in seen)
    assert {each.kind for each in said} == {"motion"}
