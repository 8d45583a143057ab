"""The exam: scenes are drawn, rendered, and put before the product and the peer."""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import subprocess
import tempfile
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tests.scenes import BUSY, QUIET, SABOTAGE, Recipe, Scene, Truth, draw, encode
from tests.scenes.recipe import KINDS

from benchmarks.detection import peer, product
from benchmarks.detection.scoring import Sheet, Total, Verdict, judge
from longwatch.model.watching import Attention
from longwatch.node.watch.look_slot import ONE_THREAD

LOOKS = ("day", "day", "dusk", "night", "night", "thermal")
"""Of quiet and busy scenes, in turn."""
ATTACKED = ("day", "night", "thermal")
DEVELOPMENT = 9_000
"""Seeds from here to 9,999 are for development. Those of a real run are drawn beyond a million."""
REAL = Path(__file__).with_name("real.json")


@dataclass(frozen=True, slots=True)
class Size:
    """How many scenes of 300 s of each family, and rounds of all 27 sabotages."""

    quiet: int = 24
    busy: int = 24
    rounds: int = 1


@dataclass(frozen=True, slots=True)
class Examined:
    """One scene and one examinee."""

    family: str
    look: str
    seed: int
    seconds: float
    verdict: Verdict
    cpu_s: float
    note: str = ""


def fresh() -> int:
    """Where the seeds of a real run begin."""
    return random.SystemRandom().randrange(1_000_000, 2_000_000_000)


def plan(size: Size, first: int) -> list[Recipe]:
    """All scenes of a run, their seeds counted from `first`."""
    made = [draw(first + n, QUIET, look=LOOKS[n % len(LOOKS)]) for n in range(size.quiet)]
    made += [draw(first + 100 + n, BUSY, look=LOOKS[n % len(LOOKS)]) for n in range(size.busy)]
    pairs = [(kind, look) for kind in KINDS for look in ATTACKED]
    for n in range(size.rounds * len(pairs)):
        kind, look = pairs[n % len(pairs)]
        made.append(draw(first + 200 + n, SABOTAGE, look=look, sabotage=kind))
    return made


def file_of(folder: Path, recipe: Recipe) -> Path:
    """Where a scene's video stands."""
    return folder / f"{recipe.family}-{recipe.seed}.mp4"


def render(job: tuple[Recipe, Path]) -> None:
    """One scene to its file, unless it is there."""
    recipe, folder = job
    path = file_of(folder, recipe)
    if not path.with_suffix(".json").exists():
        encode(Scene(recipe), path)


def render_all(recipes: list[Recipe], folder: Path) -> None:
    """On all cores."""
    with ProcessPoolExecutor(os.cpu_count(), multiprocessing.get_context("spawn")) as pool:
        list(pool.map(render, [(recipe, folder) for recipe in recipes]))


def examine(job: tuple[Recipe, Path, Attention]) -> Examined:
    """The product on one rendered scene."""
    recipe, folder, attention = job
    path = file_of(folder, recipe)
    run = product.watch(path, thermal=recipe.look == "thermal", attention=attention)
    verdict = judge(Sheet.of(Truth.load(path.with_suffix(".json"))), run.found)
    note = f"gate open {run.open_share:.0%}, looked at {run.looked} of {run.samples}"
    return Examined(recipe.family, recipe.look, recipe.seed, recipe.seconds, verdict, run.cpu_s, note)


def examine_all(recipes: list[Recipe], folder: Path, attention: Attention = Attention.SPARING) -> list[Examined]:
    """The product on all scenes, as many at once as there are cores; nothing that is learnt in one is known in another."""
    os.environ.update(ONE_THREAD)  # as the watcher starts its children
    with ProcessPoolExecutor(os.cpu_count(), multiprocessing.get_context("spawn")) as pool:
        return list(pool.map(examine, [(recipe, folder, attention) for recipe in recipes]))


def stream_of(recipe: Recipe, folder: Path) -> peer.Stream:
    """For the peer."""
    return peer.Stream(file_of(folder, recipe), recipe.seconds, recipe.fps, recipe.width, recipe.height)


def peer_all(
    recipes: list[Recipe], folder: Path, at_once: int, changes: dict[str, str] | None = None
) -> list[Examined]:
    """The peer on all scenes, in real time."""
    runs = peer.watch_all([stream_of(each, folder) for each in recipes], at_once, changes)
    made = []
    for recipe, run in zip(recipes, runs, strict=True):
        truth = Truth.load(file_of(folder, recipe).with_suffix(".json"))
        made.append(
            Examined(
                recipe.family, recipe.look, recipe.seed, recipe.seconds, judge(Sheet.of(truth), run.found), run.cpu_s
            )
        )
    return made


def total(examined: list[Examined], family: str, look: str | None = None) -> Total:
    """Of one family, or of one look in it."""
    return Total([each.verdict for each in examined if each.family == family and look in {None, each.look}])


def cpu_an_hour(examined: list[Examined], family: str) -> float:
    """Seconds of a core that an hour of one such camera takes."""
    mine = [each for each in examined if each.family == family]
    return sum(each.cpu_s for each in mine) / max(1e-9, sum(each.seconds for each in mine)) * 3600


# -- real recordings


def real_clips(media: Path) -> Iterator[tuple[str, Path, float, float, Sheet]]:
    """name, a file that shows the clip twice, seconds and pictures a second of it, and the truth of its second showing: the first is for learning."""
    for clip in json.loads(REAL.read_text())["clips"]:
        source, once = media / clip["file"], float(clip["seconds"])
        twice = Path(tempfile.mkdtemp()) / clip["file"]
        subprocess.run(
            ["ffmpeg", "-v", "error", "-stream_loop", "1", "-i", source, "-map", "0:v", "-c", "copy", twice], check=True
        )
        wanted = tuple((name, (a + once, b + once)) for name, a, b in clip["wanted"])
        shown = tuple((a + once, b + once) for a, b in clip["shown"])
        sheet = Sheet(clip["file"], 2 * once, wanted, shown, (), (), once + 2.0)
        yield clip["file"], twice, 2 * once, 12.5 if "car" in clip["file"] else 10.0, sheet


def real(media: Path) -> list[tuple[str, str, Verdict]]:
    """clip, examinee and verdict on the real recordings."""
    made = []
    for name, twice, seconds, fps, sheet in real_clips(media):
        made.append(
            (name, "longwatch", judge(sheet, product.watch(twice, tamper=False).found))
        )  # twice the same: it would rightly be called a replay
        run = peer.watch(peer.Stream(twice, seconds, fps, 768, 432))
        made.append((name, "motion", judge(sheet, run.found)))
    return made
