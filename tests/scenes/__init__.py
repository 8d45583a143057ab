"""Scenes with known truth, for the exam of detection: what a fixed camera would send, drawn from a seed.

They live among the tests and not in the product, so that no detector can ever lean on them: `src` cannot import this. The exam
(`benchmarks.detection`), the trainer of the tiny model and tests import it. Plain numpy and OpenCV; a scene of one seed is the same to the
bit on one machine (`Scene.pictures`), its truth is made together with each picture and never looked up in the pictures afterwards.

`recipe` draws what happens, `scene` renders it, `truth` says what counts, `encode` makes real H.264 of it as a camera's sub-stream.
"""

from tests.scenes.encode import Encoding, encode
from tests.scenes.recipe import BUSY, QUIET, SABOTAGE, Recipe, draw
from tests.scenes.scene import Picture, Scene
from tests.scenes.truth import Sabotage, Thing, Truth

__all__ = [
    "BUSY", "QUIET", "SABOTAGE", "Encoding", "Picture", "Recipe", "Sabotage", "Scene", "Thing", "Truth", "draw", "encode",
]  # fmt: skip
