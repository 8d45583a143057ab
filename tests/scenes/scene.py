"""A scene: a recipe rendered picture by picture, with what is true of each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from tests.scenes.backdrop import Backdrop, paint
from tests.scenes.light import Light, Lighting, pool
from tests.scenes.paths import HOWS, Place, Walks, Way
from tests.scenes.recipe import SABOTAGE, Recipe
from tests.scenes.sabotage import Attack
from tests.scenes.textures import Noise, Plane, Rng
from tests.scenes.thermal import Thermal
from tests.scenes.things import Mover, mover
from tests.scenes.truth import LEARNING_S, Moment, Thing, Truth
from tests.scenes.weather import Weather, Wind

AFTER_GLARE_S = 4.0
BEFORE_GLARE_S = 8.0


@dataclass(frozen=True, slots=True)
class Picture:
    """As a camera's sensor hands it to the encoder. u, v: half as wide and high."""

    at_s: float
    luma: NDArray[np.uint8]
    u: NDArray[np.uint8]
    v: NDArray[np.uint8]


@dataclass(slots=True)
class _Actor:
    """One mover on its way, and the thing in the truth that it is."""

    mover: Mover
    way: Way
    thing: Thing


class Scene:
    """One scene. `pictures` may be walked once; `truth` is complete when it has been walked."""

    def __init__(self, recipe: Recipe) -> None:
        """Paints what stands still and draws who will come."""
        self.recipe = recipe
        r = recipe
        self.h, self.w = r.height, r.width
        self.backdrop: Backdrop = paint(
            self._rng(2), r.place, r.height, r.width, trees=6 if r.sabotage else 4 if "wind" in r.nuisances else None
        )
        self.thermal = Thermal(self._rng(3), r) if r.look == "thermal" else None
        self.light = Light(self._rng(4), r, self._crop(self.backdrop.luma))
        self.weather, self.wind = (
            Weather(self._rng(5), r),
            Wind(self._rng(6), r, self.backdrop.trees, self.backdrop.origin),
        )
        self.attack = Attack(self._rng(7), r) if r.sabotage else None
        rng = self._rng(8)
        self.noise = Noise(rng, r.height, r.width, soft=bool(rng.random() < 0.6))
        self.clock_at = (int(rng.choice([8, r.width - 190])), int(rng.choice([20, r.height - 12])))
        self.truth = Truth(r.seed, r.family, r.look, r.about, r.fps, r.seconds, neutral=[(0.0, LEARNING_S, "learning")])
        if self.attack:
            self.truth.sabotage.append(self.attack.truth())
            self.truth.neutral.append((self.attack.begin - 2, r.seconds, "sabotage"))
        self.actors = self._cast(self._rng(9))
        self.truth.things = [each.thing for each in self.actors]

    def _rng(self, of: int) -> Rng:
        return np.random.default_rng([self.recipe.seed, of])

    def _crop(self, plane: Plane, half: int = 1) -> Plane:
        x, y = self.backdrop.origin
        x, y, w, h = x // half, y // half, self.w // half, self.h // half
        return plane[y : y + h, x : x + w]

    def _cast(self, rng: Rng) -> list[_Actor]:
        """Who comes, one after another, mostly alone."""
        r, actors = self.recipe, []
        walks = Walks(rng, self.w, self.h, self.backdrop.horizon, self.backdrop.tall)
        at = LEARNING_S + float(rng.uniform(2, 15))
        until = (self.attack.begin - 6 if self.attack else r.seconds) - 4
        kinds, odds = (
            (("person", "vehicle", "animal"), (0.5, 0.28, 0.22))
            if r.place != "indoor"
            else (("person", "animal"), (0.9, 0.1))
        )
        while len(actors) < r.things and at < until:
            kind, how = str(rng.choice(kinds, p=odds)), str(rng.choice(HOWS))
            tone = self._tone(rng) if how == "low contrast" else None
            who = mover(rng, kind, tone)
            way = walks.draw(kind, how, at, who.tall, who.wide, 16.0 if r.family == SABOTAGE else 45.0)
            if way.end_s < until:
                actors.append(_Actor(who, way, Thing(kind, how)))
                together = rng.random() < 0.12 and r.family != SABOTAGE
                at = at + 2 if together else max(at, way.end_s) + float(rng.uniform(9, 32))
            else:
                at += 5
        return actors

    def _tone(self, rng: Rng) -> float:
        """Near what lies behind it: clothes like the ground."""
        ground = float(self._crop(self.backdrop.luma)[int(self.h * 0.6) :].mean())
        return float(np.clip(ground + rng.choice([-1, 1]) * rng.uniform(12, 30), 12, 240))

    def pictures(self) -> Iterator[Picture]:
        """Every picture, in order. For a replayed camera only the live ones: what is fed in their place is made of the encoded stream (`encode`)."""
        r, mean, held = self.recipe, 100.0, None
        for n in range(round(r.seconds * r.fps)):
            now = n / r.fps
            begun = self.attack is not None and now >= self.attack.begin
            if begun and r.sabotage == "replayed":
                return
            frozen = begun and r.sabotage == "frozen"
            shut = self.thermal is not None and self.thermal.shut(now)
            if held is None or not (frozen or shut):
                held, mean = self._picture(now, mean)
            yield Picture(now, held.luma, held.u, held.v)

    def _picture(self, now: float, mean: float) -> tuple[Picture, float]:
        lighting = self.light.step(now, mean) if self.thermal is None else Lighting(1.0, 1.0, 1.6, grey=True, flash=0.0)
        luma, u, v, hidden = self._still(now)
        for actor in self.actors:
            if actor.way.begin_s <= now <= actor.way.end_s and (place := actor.way.at(now)) is not None:
                self._put(actor, place, now, lighting, luma, u, v, hidden)
        if self.thermal is not None:
            luma = self.thermal.look(luma, now)
        else:
            luma = luma * (lighting.falls * np.float32(lighting.gain))
        luma = self.weather.fall(luma, now, near=lighting.grey and self.thermal is None)
        if self.attack:
            luma, u, v, _ = self.attack.lens(
                luma, u, v, now, thermal=self.thermal is not None, ir=lighting.grey, gain=lighting.gain
            )
        if lighting.flash:
            luma = luma * np.float32(1 - 0.9 * lighting.flash)
        seen = float(np.minimum(luma[::8, ::8], 255).mean())
        luma = luma + self.noise.of(lighting.noise)
        out = np.clip(luma, 4, 252).astype(np.uint8)
        if "clock" in self.recipe.nuisances:
            text = f"2026-03-14 {int(now) // 3600 + 7:02d}:{int(now) // 60 % 60:02d}:{int(now) % 60:02d}"
            cv2.putText(out, text, self.clock_at, cv2.FONT_HERSHEY_SIMPLEX, 0.45, 20, 3)
            cv2.putText(out, text, self.clock_at, cv2.FONT_HERSHEY_SIMPLEX, 0.45, 240, 1)
        if lighting.grey:
            grey = np.full((self.h // 2, self.w // 2), 128, np.uint8)
            return Picture(now, out, grey, grey), seen
        return Picture(now, out, np.clip(u, 16, 240).astype(np.uint8), np.clip(v, 16, 240).astype(np.uint8)), seen

    def _still(self, now: float) -> tuple[Plane, Plane, Plane, Plane]:
        """What stands still, as the camera points now: luma (or heat), u, v, occluder."""
        b = self.backdrop
        of = b.heat if self.thermal is not None else b.luma
        dx, dy = self.wind.shake(now)
        turned = self.attack.view(now) if self.attack else (0.0, 0.0, 0.0)
        dx, dy, angle = dx + turned[0], dy + turned[1], turned[2]
        if dx == dy == angle == 0.0:
            luma, u, v, hidden = (
                self._crop(of).copy(),
                self._crop(b.u, 2).copy(),
                self._crop(b.v, 2).copy(),
                self._crop(b.occluder),
            )
        else:
            luma, hidden = self._warped(of, dx, dy, angle, 1), self._warped(b.occluder, dx, dy, angle, 1)
            u, v = self._warped(b.u, dx, dy, angle, 2), self._warped(b.v, dx, dy, angle, 2)
        return self.wind.sway(now, luma), u, v, hidden

    def _warped(self, plane: Plane, dx: float, dy: float, angle: float, half: int) -> Plane:
        x, y = self.backdrop.origin[0] + dx, self.backdrop.origin[1] + dy
        turn = cv2.getRotationMatrix2D(((x + self.w / 2) / half, (y + self.h / 2) / half), angle, 1.0)
        turn[0, 2] -= x / half
        turn[1, 2] -= y / half
        return cv2.warpAffine(
            plane, turn, (self.w // half, self.h // half), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT
        )

    def _put(
        self,
        actor: _Actor,
        place: Place,
        now: float,
        lighting: Lighting,
        luma: Plane,
        u: Plane,
        v: Plane,
        hidden: Plane,
    ) -> None:
        """Paints one mover into the picture and writes down how well it is to be seen."""
        dx, dy = self.wind.shake(now)
        x, y = place.x - dx, place.y - dy
        pixels = self.backdrop.tall * actor.mover.tall * place.near
        if pixels < 3:
            return
        sprite = actor.mover.sprite(pixels, place.gone, place.left, (x % 1 - 0.5, y % 1 - 0.5), place.toward)
        sh, sw = sprite.alpha.shape
        left, top = int(np.floor(x)) - sw // 2, int(np.floor(y)) - sh + 1
        x0, y0, x1, y1 = max(0, left), max(0, top), min(self.w, left + sw), min(self.h, top + sh)
        if x0 >= x1 or y0 >= y1:
            return
        inner = (slice(y0 - top, y1 - top), slice(x0 - left, x1 - left))
        part = luma[y0:y1, x0:x1]
        alpha = sprite.alpha[inner] * (1 - hidden[y0:y1, x0:x1])
        own = sprite.colours[inner][..., 3 if self.thermal is not None else 0]
        self._note(actor, now, lighting, alpha, own - part, (x0, y0, x1, y1))
        if self.recipe.look == "day" and self.thermal is None:
            self._shadow(luma, x, y, sw, sh)
        part += alpha * (own - part)
        if not lighting.grey:
            hx0, hy0, hx1, hy1 = x0 // 2, y0 // 2, x1 // 2, y1 // 2
            if hx1 > hx0 and hy1 > hy0:
                size = (hx1 - hx0, hy1 - hy0)
                small = cv2.resize(alpha, size, interpolation=cv2.INTER_AREA)
                for plane, c in ((u, 1), (v, 2)):
                    tint = cv2.resize(
                        np.ascontiguousarray(sprite.colours[inner][..., c]), size, interpolation=cv2.INTER_AREA
                    )
                    plane[hy0:hy1, hx0:hx1] += small * (tint - plane[hy0:hy1, hx0:hx1])
        if actor.thing.kind == "vehicle" and self.thermal is None and self.recipe.look in {"night", "dusk"}:
            ahead = x + (-1 if place.left else 1) * (0 if place.toward else sw * 0.8)
            luma *= 1 + np.float32(1.6) * pool(self.h, self.w, ahead, y, max(12, sw * 0.7), max(6, sh * 0.3))

    def _shadow(self, luma: Plane, x: float, y: float, sw: int, sh: int) -> None:
        x0, x1 = max(0, int(x - sw * 0.35)), min(self.w, int(x + sw * 0.6))
        y0, y1 = max(0, int(y - sh * 0.04)), min(self.h, int(y + sh * 0.07) + 1)
        if x1 > x0 and y1 > y0:
            luma[y0:y1, x0:x1] *= np.float32(0.72)

    def _note(
        self, actor: _Actor, now: float, lighting: Lighting, alpha: Plane, off: Plane, box: tuple[int, int, int, int]
    ) -> None:
        weight = float(alpha.sum())
        if weight < 1:
            return
        x0, y0, x1, y1 = box
        if self.thermal is not None:
            factor = self.thermal.gain
        else:
            falls = lighting.falls
            local = float(falls if isinstance(falls, float) else falls[y0:y1, x0:x1].mean())
            factor = local * lighting.gain
        contrast = float((np.abs(off) * alpha).sum()) / weight * factor
        cols, rows = np.flatnonzero(alpha.max(axis=0) > 0.3), np.flatnonzero(alpha.max(axis=1) > 0.3)
        if not cols.size or not rows.size:
            return
        tight = (
            (x0 + cols[0]) / self.w,
            (y0 + rows[0]) / self.h,
            (x0 + cols[-1] + 1) / self.w,
            (y0 + rows[-1] + 1) / self.h,
        )
        pixels = weight * (640 * 360) / (self.w * self.h)
        actor.thing.moments.append(
            Moment(
                round(now, 3),
                tuple(round(float(e), 4) for e in tight),
                round(pixels, 1),
                round(contrast, 1),
                round(lighting.noise, 2),
            )
        )  # type: ignore[arg-type]  # four of them

    def finish(self) -> Truth:
        """The truth, with the glare ahead of cars at night set neutral."""
        for actor in self.actors:
            seen = actor.thing.seen
            if actor.thing.kind == "vehicle" and seen and self.recipe.look in {"night", "dusk"}:
                self.truth.neutral.append((seen[0] - BEFORE_GLARE_S, seen[1] + AFTER_GLARE_S, "headlights of its own"))
        return self.truth
