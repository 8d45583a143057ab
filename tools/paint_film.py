"""The painted film of the tests and the demo: `python -m tools.paint_film [--out FILE]`. Somebody crosses a yard, then a car, then an animal; by the generator of the tests.

640 x 360, 48 s, H.264 as cameras encode it, and what is true of it beside it as JSON. Nobody's picture, and under our licence: a place where the tiny model for objects is right.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
from tests.scenes.encode import encode
from tests.scenes.paths import Walks
from tests.scenes.recipe import BUSY, draw
from tests.scenes.scene import Scene, _Actor
from tests.scenes.things import mover
from tests.scenes.truth import Thing

SEED = 7_600_004
SECONDS = 48.0
CAST = (
    ("person", 12.0, 22.0, -30.0, 670.0, 0.55),
    ("vehicle", 25.5, 30.0, 760.0, -120.0, 0.5),
    ("animal", 34.0, 43.0, -60.0, 700.0, 0.6),
)
"""Kind, when it comes and goes, from where to where (pixels), how near (0 the horizon, 1 the lower edge)."""


def scene(seed: int) -> Scene:
    """It, still to be walked."""
    recipe = draw(seed, BUSY, look="day", seconds=SECONDS, fps=6.25, nuisances=())
    made = Scene(replace(recipe, place="yard", kbit_s=140, gop_s=2.0, profile="main", things=0))
    rng = np.random.default_rng([seed, 12])
    walks = Walks(rng, made.w, made.h, made.backdrop.horizon, made.backdrop.tall)
    made.actors = [
        _Actor(mover(rng, kind, None), walks._way(((begin, x0, near), (end, x1, near))), Thing(kind, "crossing"))
        for kind, begin, end, x0, x1, near in CAST
    ]
    made.truth.things = [each.thing for each in made.actors]
    return made


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--out", type=Path, default=Path("src/longwatch/simulate/media/painted.mp4"))
    asked.add_argument("--seed", type=int, default=SEED)
    told = asked.parse_args()
    made = encode(scene(told.seed), told.out)
    told.out.with_suffix(".json").unlink()  # the cast above says it
    print(f"{told.out}: {made.pictures} pictures, {told.out.stat().st_size} bytes")


if __name__ == "__main__":
    main()
