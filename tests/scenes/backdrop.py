"""What stands still: sky, ground, trees, houses, fences. Never the same twice."""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np
from tests.scenes.textures import Plane, Rng, cloud, receding

PLACES = ("yard", "forest", "road", "field", "indoor", "lot")


@dataclass(slots=True)
class Backdrop:
    """A canvas larger than the picture, so that the camera can be turned and shaken. luma, u, v: 0..255. heat: luma of the thermal look.

    occluder: 0..1, near things that hide what walks behind them. trees: boxes on the canvas that sway. horizon: row of the picture where the
    ground begins; tall: height in pixels of a person who stands at the lower edge.
    """

    luma: Plane
    u: Plane
    v: Plane
    heat: Plane
    occluder: Plane
    trees: list[tuple[int, int, int, int]] = field(default_factory=list)
    horizon: float = 0.0
    tall: float = 0.0
    origin: tuple[int, int] = (0, 0)  # of the picture on the canvas: x, y


class _Painter:
    """Paints into all planes at once. Colours are (luma, u, v, heat)."""

    def __init__(self, rng: Rng, place: str, height: int, width: int) -> None:
        self.rng, self.place = rng, place
        self.h, self.w = height, width
        self.ch, self.cw = round(height * 0.65) * 2, round(width * 1.1) * 2  # even: colour planes are half as large
        self.top, self.left = round(height * 0.075) * 2, round(width * 0.075) * 2
        self.horizon = (
            float(rng.uniform(0.16, 0.4)) * height if place != "indoor" else float(rng.uniform(0.3, 0.5)) * height
        )
        self.image = np.zeros((self.ch, self.cw, 4), np.float32)
        self.occluder = np.zeros((self.ch, self.cw), np.float32)
        self.trees: list[tuple[int, int, int, int]] = []

    def ground(self) -> None:
        """Sky, far hills and the ground in front of them."""
        rng, row = self.rng, self.top + round(self.horizon)
        rows = np.linspace(0, 1, row, dtype=np.float32)[:, None]
        sky = 150 + rng.uniform(0, 60) + 20 * rows + rng.uniform(2, 14) * cloud(rng, row, self.cw, 160)
        if self.place == "indoor":
            sky = rng.uniform(90, 190) + 4 * cloud(rng, row, self.cw, 200) - 15 * rows
        self.image[:row, :, 0] = sky
        self.image[:row, :, 1], self.image[:row, :, 2] = 128 + rng.uniform(0, 12), 128 - rng.uniform(0, 8)
        self.image[:row, :, 3] = 30 + 20 * rows if self.place != "indoor" else 90
        if self.place != "indoor":
            self._ridge(row)
        tone, rough = rng.uniform(60, 140), rng.uniform(8, 30)
        rest = self.ch - row
        self.image[row:, :, 0] = tone + rough * receding(rng, rest, self.cw) + 10 * cloud(rng, rest, self.cw, 300)
        self.image[row:, :, 1] = 128 - rng.uniform(0, 16) + 3 * cloud(rng, rest, self.cw, 90)
        self.image[row:, :, 2] = 128 + rng.uniform(-8, 8) + 3 * cloud(rng, rest, self.cw, 90)
        self.image[row:, :, 3] = rng.uniform(70, 100) + 8 * cloud(rng, rest, self.cw, 120)

    def _ridge(self, row: int) -> None:
        rng = self.rng
        line = row - 4 - rng.uniform(4, 30) * (1 + cloud(rng, 4, self.cw, 220)[0])
        below = np.arange(self.ch, dtype=np.float32)[:, None] > line[None, :]
        below[row:] = False
        texture = cloud(rng, self.ch, self.cw, 12, 3)
        self.image[below, 0] = (rng.uniform(70, 130) + 12 * texture)[below]
        self.image[below, 1], self.image[below, 2], self.image[below, 3] = 124, 124, (65 + 6 * texture)[below]

    def road(self) -> None:
        """A band of asphalt that leads away, with a line in its middle."""
        rng, row = self.rng, self.top + round(self.horizon)
        far, near, wide = (
            rng.uniform(0.2, 0.8) * self.w + self.left,
            rng.uniform(0, 1) * self.w + self.left,
            rng.uniform(0.3, 0.8),
        )
        shape = np.array(
            [[far - 8, row], [far + 8, row], [near + wide * self.w / 2, self.ch], [near - wide * self.w / 2, self.ch]]
        )
        mask = self._filled(shape)
        self._shade(mask, rng.uniform(70, 110), 128, 128, 92, 5)
        self._shade(
            self._filled(np.array([[far - 0.5, row], [far + 0.5, row], [near + 6, self.ch], [near - 6, self.ch]])),
            190,
            128,
            128,
            88,
            2,
        )

    def house(self) -> None:
        """A wall with windows and a door."""
        rng, row = self.rng, self.top + round(self.horizon)
        wide, high = round(rng.uniform(0.12, 0.4) * self.w), round(rng.uniform(0.12, 0.4) * self.h)
        x, foot = round(rng.uniform(0, 1) * (self.cw - wide)), row + round(rng.uniform(0, 0.12) * self.h)
        tone = rng.uniform(80, 200)
        self._box(x, foot - high, x + wide, foot, tone, 128 - rng.uniform(-8, 8), 128 + rng.uniform(-2, 18), 105, 4)
        step = round(rng.uniform(18, 42))
        for wx in range(x + 6, x + wide - step, step):
            for wy in range(foot - high + 6, foot - step // 2, step):
                self._box(wx, wy, wx + step // 2, wy + step // 2, tone * rng.uniform(0.3, 0.8), 130, 126, 120, 2)

    def tree(self) -> None:
        """A trunk and a crown; it sways if the wind blows."""
        rng, row = self.rng, self.top + round(self.horizon)
        near = rng.uniform(0.05, 0.7)
        foot, x = row + near * (self.h - self.horizon), rng.uniform(0, self.cw)
        high, wide = (
            (0.25 + near) * self.h * rng.uniform(0.5, 0.9),
            (0.08 + near * 0.3) * self.h * rng.uniform(0.6, 1.2),
        )
        self._box(
            round(x - wide * 0.07),
            round(foot - high * 0.6),
            round(x + wide * 0.07) + 2,
            round(foot),
            60,
            128,
            134,
            80,
            8,
        )
        tone, u, v = rng.uniform(45, 100), 128 - rng.uniform(4, 18), 128 - rng.uniform(4, 14)
        for _ in range(round(40 + 80 * near)):
            at = (x + rng.normal(0, wide * 0.33), foot - high * 0.65 + rng.normal(0, high * 0.17))
            self._blob(at, rng.uniform(2, 5 + wide * 0.16), tone + rng.normal(0, 16), u, v, 72 + rng.normal(0, 4))
        box = (round(x - wide), round(foot - high * 1.15), round(x + wide), round(foot - high * 0.25))
        self.trees.append((max(0, box[0]), max(0, box[1]), min(self.cw, box[2]), min(self.ch, box[3])))

    def fence(self) -> None:
        """Posts and rails between the camera and the ground: they hide parts of what passes behind."""
        rng = self.rng
        y0, y1 = self.top + rng.uniform(0.45, 0.7) * self.h, self.top + rng.uniform(0.8, 1.1) * self.h
        step, thick, tone = rng.uniform(40, 120), rng.uniform(3, 9), rng.uniform(40, 190)
        for x in np.arange(rng.uniform(0, step), self.cw, step):
            self._hide(round(x), round(y0), round(x + thick), round(y1), tone)
        for y in (y0 + 6, y1 - 14):
            self._hide(0, round(y), self.cw, round(y + thick * 0.6), tone * 0.9)

    def pillar(self) -> None:
        """Something wide and near that hides whole things for a while."""
        rng = self.rng
        x, wide = rng.uniform(0.1, 0.9) * self.w + self.left, rng.uniform(0.04, 0.12) * self.w
        self._hide(
            round(x),
            round(self.top + self.horizon * rng.uniform(0.2, 1)),
            round(x + wide),
            self.ch,
            rng.uniform(30, 200),
        )

    def room(self) -> None:
        """Shelves and boxes along the wall."""
        for _ in range(int(self.rng.integers(4, 12))):
            rng = self.rng
            x, y = rng.uniform(0, self.cw), self.top + rng.uniform(0, self.horizon + 30)
            self._box(
                round(x),
                round(y),
                round(x + rng.uniform(20, 120)),
                round(y + rng.uniform(10, 80)),
                rng.uniform(30, 220),
                128 + rng.uniform(-25, 25),
                128 + rng.uniform(-25, 25),
                95,
                3,
            )

    def parked(self) -> None:
        """Boxes as large as cars that never move."""
        for _ in range(int(self.rng.integers(2, 7))):
            rng = self.rng
            near = rng.uniform(0.05, 0.5)
            foot = self.top + self.horizon + near * (self.h - self.horizon)
            wide, x, tone = near * 1.1 * self.h, rng.uniform(0, self.cw), rng.uniform(30, 210)
            self._box(
                round(x),
                round(foot - wide * 0.2),
                round(x + wide),
                round(foot),
                tone,
                128 + rng.uniform(-20, 20),
                128 + rng.uniform(-20, 20),
                98,
                3,
            )
            self._box(
                round(x + wide * 0.2),
                round(foot - wide * 0.36),
                round(x + wide * 0.8),
                round(foot - wide * 0.2),
                tone * 0.6,
                128,
                128,
                90,
                3,
            )

    def _filled(self, shape: np.ndarray) -> np.ndarray:
        mask = np.zeros((self.ch, self.cw), np.uint8)
        cv2.fillPoly(mask, [np.round(shape).astype(np.int32)], 1)
        return mask.astype(bool)

    def _shade(self, mask: np.ndarray, luma: float, u: float, v: float, heat: float, rough: float) -> None:
        count = int(mask.sum())
        self.image[mask] = (luma, u, v, heat)
        self.image[mask, 0] += self.rng.normal(0, rough, count).astype(np.float32)

    def _box(
        self, x0: int, y0: int, x1: int, y1: int, luma: float, u: float, v: float, heat: float, rough: float
    ) -> None:
        part = self.image[max(0, y0) : max(0, y1), max(0, x0) : max(0, x1)]
        part[:] = (luma, u, v, heat)
        part[..., 0] += self.rng.normal(0, rough, part.shape[:2])

    def _blob(self, at: tuple[float, float], radius: float, luma: float, u: float, v: float, heat: float) -> None:
        cv2.circle(self.image, (round(at[0]), round(at[1])), max(1, round(radius)), (luma, u, v, heat), -1)

    def _hide(self, x0: int, y0: int, x1: int, y1: int, tone: float) -> None:
        self._box(x0, y0, x1, y1, tone, 128, 128, 84, 4)
        self.occluder[max(0, y0) : max(0, y1), max(0, x0) : max(0, x1)] = 1


def paint(rng: Rng, place: str, height: int, width: int, *, trees: int | None = None) -> Backdrop:
    """A place of this sort. trees: at least so many."""
    p = _Painter(rng, place, height, width)
    p.ground()
    if place in {"road", "lot"}:
        p.road()
    if place == "indoor":
        p.room()
    for _ in range({"yard": 2, "road": 1, "lot": 3, "forest": 0, "field": 0, "indoor": 0}[place]):
        p.house()
    if place == "lot":
        p.parked()
    many = {"yard": 4, "road": 4, "lot": 2, "forest": 18, "field": 2, "indoor": 0}[place]
    for _ in range(max(many, trees or 0)):
        p.tree()
    if place != "indoor" and rng.random() < 0.4:
        p.fence()
    if rng.random() < 0.4:
        p.pillar()
    image = np.clip(p.image, 8, 247)
    half = (p.cw // 2, p.ch // 2)
    u, v = (cv2.resize(np.ascontiguousarray(image[..., c]), half, interpolation=cv2.INTER_AREA) for c in (1, 2))
    tall = float(rng.uniform(0.45, 0.85)) * height
    luma = cv2.GaussianBlur(np.ascontiguousarray(image[..., 0]), (0, 0), 0.6)
    heat = cv2.GaussianBlur(np.ascontiguousarray(image[..., 3]), (0, 0), 1.6)
    return Backdrop(luma, u, v, heat, p.occluder, p.trees, p.horizon, tall, (p.left, p.top))
