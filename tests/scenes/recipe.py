"""What happens in a scene, drawn from its seed before anything is painted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from tests.scenes.backdrop import PLACES

QUIET, BUSY, SABOTAGE = "quiet", "busy", "sabotage"
LOOKS = ("day", "dusk", "night", "thermal")
"""dusk: from day to night or back, through the IR-cut filter. night: by infra-red, or by street lamps in colour."""

KINDS = ("covered", "sprayed", "turned", "moved", "defocused", "fogged", "blinded", "frozen", "replayed")
NUISANCES = {
    "day": ("wind", "clouds", "rain", "snow", "shake", "exposure", "clock", "lamp"),
    "dusk": ("wind", "rain", "shake", "clock", "headlights", "lamp", "insects"),
    "night": ("wind", "rain", "snow", "shake", "insects", "spider", "headlights", "lamp", "clock"),
    "thermal": ("wind", "shake", "clock", "rain"),
}
_INDOOR = ("exposure", "clock", "lamp")
_NIGHTS_WITH_LAMPS = 0.3


@dataclass(frozen=True, slots=True)
class Recipe:
    """One scene. things: how many movers. sabotage: one of KINDS, or empty. lit: a night in colour. inverse: a thermal picture with hot as black."""

    seed: int
    family: str
    look: str
    place: str
    fps: float
    seconds: float
    nuisances: tuple[str, ...] = ()
    things: int = 0
    sabotage: str = ""
    lit: bool = False
    inverse: bool = False
    width: int = 640
    height: int = 360
    kbit_s: int = 384
    gop_s: float = 2.0
    profile: str = "main"

    @property
    def about(self) -> str:
        """In one line, for tables of misses."""
        what = [self.look + (" lit" if self.lit else ""), self.place, *self.nuisances]
        return " ".join(what + ([f"[{self.sabotage}]"] if self.sabotage else []))


def draw(
    seed: int,
    family: str,
    *,
    look: str | None = None,
    sabotage: str = "",
    seconds: float | None = None,
    fps: float | None = None,
    nuisances: tuple[str, ...] | None = None,
) -> Recipe:
    """The scene of this seed. What is given is not drawn; the rest stays what it was."""
    rng = np.random.default_rng([seed, 1])
    drawn = str(rng.choice(LOOKS, p=[0.4, 0.15, 0.3, 0.15]))
    place = str(rng.choice(PLACES))
    rate = float(rng.choice([5.0, 6.25, 8.0, 10.0, 12.5], p=[0.25, 0.2, 0.2, 0.25, 0.1]))
    some = int(rng.choice([0, 1, 2, 3], p=[0.2, 0.4, 0.3, 0.1]))
    order = rng.permutation(16)
    sort = look or drawn
    if sort == "thermal" and place == "indoor":
        place = "yard"
    known = _INDOOR if place == "indoor" and sort != "dusk" else NUISANCES[sort]
    picked = tuple(known[i] for i in order if i < len(known))[:some]
    if family == SABOTAGE:
        picked = picked[:1]
    if {"rain", "snow"} <= set(picked):
        picked = tuple(each for each in picked if each != "snow")
    if sabotage == "replayed":
        rate = min(rate, 8.0)
    return Recipe(
        seed, family, sort, place, fps or rate, seconds or _seconds(family, sabotage),
        nuisances=picked if nuisances is None else nuisances,
        things={QUIET: 0, BUSY: 99, SABOTAGE: int(rng.integers(0, 3))}[family],
        sabotage=sabotage,
        lit=bool(rng.random() < _NIGHTS_WITH_LAMPS) and sort == "night",
        inverse=bool(rng.random() < 0.5),
        kbit_s=int(rng.choice([256, 320, 384, 512])),
        gop_s=float(rng.choice([1.0, 2.0, 2.0, 4.0])),
        profile=str(rng.choice(["baseline", "main"])),
    )  # fmt: skip


def _seconds(family: str, sabotage: str) -> float:
    if family == SABOTAGE:
        return {"replayed": 300.0, "fogged": 140.0, "sprayed": 120.0}.get(sabotage, 110.0)
    return 300.0
