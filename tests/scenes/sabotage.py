"""What is done to a camera so that it sees no longer. Frozen and replayed pictures are made where pictures leave the camera (`scene`, `encode`)."""

from __future__ import annotations

import math

import cv2
import numpy as np
from tests.scenes.recipe import Recipe
from tests.scenes.textures import Plane, Rng, cloud
from tests.scenes.truth import Sabotage


def _rise(now_s: float, begin_s: float, last_s: float) -> float:
    """0 before, 1 after, straight in between."""
    return float(np.clip((now_s - begin_s) / max(1e-6, last_s), 0, 1))


class Attack:
    """One sabotage of one scene. view: how the camera is turned. lens: what lies before its glass."""

    def __init__(self, rng: Rng, recipe: Recipe) -> None:
        self.rng, self.r = rng, recipe
        self.h, self.w = recipe.height, recipe.width
        kind = recipe.sabotage
        self.begin = {"replayed": 0.75, "fogged": 0.5, "sprayed": 0.6}.get(kind, 0.7) * recipe.seconds + float(
            rng.uniform(-5, 5)
        )
        self.last = {
            "covered": rng.uniform(0.3, 1.2), "sprayed": rng.uniform(3, 12), "turned": rng.uniform(0.6, 4), "moved": rng.uniform(0.1, 0.6),
            "defocused": rng.uniform(0.5, 3), "fogged": rng.uniform(15, 45), "blinded": rng.uniform(0.1, 0.5),
        }.get(kind, 0.0)  # fmt: skip
        self.last = float(self.last)
        self.angle = float(rng.uniform(1, 4) * rng.choice([-1, 1]))
        self.by = self._by(kind)
        self.strong = float(rng.uniform(0.75, 0.92))
        self.sigma = float(rng.uniform(4.5, 9)) if kind == "defocused" else float(rng.uniform(2.0, 5.0))
        self.sort = str(rng.choice(["hand", "bag", "tape"]))
        self.tone = {"hand": rng.uniform(20, 60), "bag": rng.uniform(40, 190), "tape": rng.uniform(4, 16)}[self.sort]
        self.first_gain = 0.0
        self.folds = cloud(rng, self.h, self.w, 120, 3)
        self.spot = (
            float(rng.uniform(0.25, 0.75)) * self.w,
            float(rng.uniform(0.25, 0.75)) * self.h,
            float(rng.uniform(0.45, 0.8)) * self.w,
        )
        self.side = int(rng.integers(0, 4))
        self.blots = self._blots() if kind == "sprayed" else []
        self.paint = float(rng.choice([12.0, 30.0, 120.0, 215.0]))
        self.patch: Plane = 0.5 + 0.5 * cloud(rng, self.h, self.w, 160, 3)

    def _by(self, kind: str) -> tuple[float, float]:
        if kind == "turned":
            return float(self.rng.uniform(0.55, 1.0)) * self.w, float(self.rng.uniform(-0.1, 0.1)) * self.h
        way = self.rng.uniform(0, 2 * math.pi)
        far = float(self.rng.uniform(0.04, 0.1)) * self.w
        return far * math.cos(way), far * math.sin(way) * 0.7

    def _blots(self) -> list[tuple[float, float, float, float]]:
        """x, y, radius, moment (0..1 of the whole): the can sweeps over the glass."""
        made = []
        for i in range(46):
            share = i / 46
            x = (share * 5 % 1) * 1.1 - 0.05 + self.rng.normal(0, 0.05)
            y = share + self.rng.normal(0, 0.1)
            made.append(
                (float(x * self.w), float(y * self.h), float(self.rng.uniform(0.1, 0.2) * self.w), share * 0.95)
            )
        return made

    def truth(self) -> Sabotage:
        """due: when the camera is blind enough to be called so, by kind (see docs/detection.md)."""
        kind = self.r.sabotage
        share = {"sprayed": 0.6, "fogged": 0.7, "defocused": 3.0 / self.sigma if kind == "defocused" else 1.0}.get(
            kind, 1.0
        )
        return Sabotage(kind, self.begin, self.begin + self.last * min(1.0, share), self.r.seconds)

    def view(self, now_s: float) -> tuple[float, float, float]:
        """x, y, degrees by which the view is off for good."""
        if self.r.sabotage not in {"turned", "moved"} or now_s < self.begin:
            return 0.0, 0.0, 0.0
        share = _rise(now_s, self.begin, self.last)
        share = share * share * (3 - 2 * share)
        return self.by[0] * share, self.by[1] * share, self.angle * share * (1.0 if self.r.sabotage == "moved" else 0.3)

    def lens(
        self, luma: Plane, u: Plane, v: Plane, now_s: float, *, thermal: bool, ir: bool, gain: float = 1.0
    ) -> tuple[Plane, Plane, Plane, Plane | None]:
        """Luma and colours behind what was done, and (or None) how much of each pixel is covered.

        gain: of the exposure, which lifts what lies on the glass as it lifts what is behind it.
        """
        kind = self.r.sabotage
        if now_s < self.begin or kind not in {"covered", "sprayed", "defocused", "fogged", "blinded"}:
            return luma, u, v, None
        share = _rise(now_s, self.begin, self.last)
        self.first_gain = self.first_gain or gain
        lift = np.float32(gain / self.first_gain)
        if kind == "defocused":
            sigma = max(0.3, self.sigma * share) * self.w / 640
            return (
                cv2.GaussianBlur(luma, (0, 0), sigma),
                cv2.GaussianBlur(u, (0, 0), sigma / 2),
                cv2.GaussianBlur(v, (0, 0), sigma / 2),
                None,
            )
        if kind == "fogged":
            return self._fog(luma, u, v, share, lift, thermal=thermal)
        if kind == "blinded":
            return self._torch(luma, u, v, share * float(lift), now_s)
        cover = self._cover(share, now_s) if kind == "covered" else self._spray(share)
        tone = self._tone(kind, thermal=thermal, ir=ir) * lift
        luma = luma * (1 - cover) + tone * cover
        small = cv2.resize(1 - cover, (u.shape[1], u.shape[0]), interpolation=cv2.INTER_AREA)
        return luma, 128 + (u - 128) * small, 128 + (v - 128) * small, cover

    def _tone(self, kind: str, *, thermal: bool, ir: bool) -> Plane:
        if kind == "sprayed":
            return self.folds * np.float32(4) + np.float32(95 if thermal else self.paint)
        tone = self.tone
        if ir and self.sort != "tape":
            tone = 185.0  # what is near shines in the camera's own infra-red
        if thermal:
            tone = {"hand": 215.0, "bag": 110.0, "tape": 125.0}[self.sort]
        return self.folds * np.float32(7) + np.float32(tone)

    def _cover(self, share: float, now_s: float) -> Plane:
        xs, ys = (
            np.linspace(0, 1, self.w, dtype=np.float32)[None, :],
            np.linspace(0, 1, self.h, dtype=np.float32)[:, None],
        )
        along = (xs + 0 * ys, 1 - xs + 0 * ys, ys + 0 * xs, 1 - ys + 0 * xs)[self.side]
        jitter = 0.004 * math.sin(now_s * 7) if self.sort == "hand" else 0.0
        edge = share * 1.35 + jitter + 0.08 * self.folds - 0.1
        return np.clip((edge - along) * 9, 0, 1).astype(np.float32)

    def _spray(self, share: float) -> Plane:
        small = np.zeros((self.h // 4, self.w // 4), np.float32)
        for x, y, radius, moment in self.blots:
            grown = float(np.clip((share - moment) * 8, 0, 1))
            if grown > 0:
                cv2.circle(small, (int(x / 4), int(y / 4)), max(1, int(radius * grown / 4)), 1.0, -1)
        return cv2.resize(cv2.GaussianBlur(small, (0, 0), 2.2), (self.w, self.h)) * np.float32(0.96)

    def _fog(
        self, luma: Plane, u: Plane, v: Plane, share: float, lift: np.float32, *, thermal: bool
    ) -> tuple[Plane, Plane, Plane, Plane | None]:
        veil = np.clip(np.float32(self.strong * share) * (0.8 + 0.4 * self.patch), 0, 0.96).astype(np.float32)
        sigma = max(0.3, self.sigma * share) * self.w / 640
        soft = cv2.GaussianBlur(luma, (0, 0), sigma)
        out = soft * (1 - veil) + veil * np.float32(100 if thermal else 150) * lift
        small = cv2.resize(1 - veil, (u.shape[1], u.shape[0]), interpolation=cv2.INTER_AREA)
        return out, 128 + (u - 128) * small, 128 + (v - 128) * small, veil

    def _torch(
        self, luma: Plane, u: Plane, v: Plane, share: float, now_s: float
    ) -> tuple[Plane, Plane, Plane, Plane | None]:
        x, y = self.spot[0] + 6 * math.sin(now_s * 2.1), self.spot[1] + 5 * math.sin(now_s * 1.7)
        ys, xs = np.mgrid[0 : self.h : 4, 0 : self.w : 4].astype(np.float32)
        far = np.sqrt((xs - x) ** 2 + (ys - y) ** 2) / np.float32(self.spot[2])
        glare = np.float32(900 * share) * np.exp(-((far * 2.2) ** 1.3)) + np.float32(70 * share)
        glare = cv2.resize(glare.astype(np.float32), (self.w, self.h), interpolation=cv2.INTER_LINEAR)
        pale = np.float32(max(0.2, 1 - 0.8 * share))
        return luma + glare, 128 + (u - 128) * pale, 128 + (v - 128) * pale, None
