"""`make bench-detection`: the exam of detection, on seeds drawn at run time and printed.

    python -m benchmarks.detection [exam] [--quick] [--seed N] [--media DIR] [--write]
    python -m benchmarks.detection tune            settings of `motion`, on development seeds
    python -m benchmarks.detection develop         the product alone, on development seeds
    python -m benchmarks.detection processes       the real processes over RTSP: cost of watching, and recording with detection starved

docs/detection.md says what is measured, by which rules, and what it does not show.
"""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.scenes import SABOTAGE

from benchmarks.__main__ import machine
from benchmarks.detection import tables, tune
from benchmarks.detection.exam import DEVELOPMENT, Size, examine_all, fresh, peer_all, plan, real, render_all
from longwatch.model.watching import Attention

DOCUMENT = Path(__file__).parents[2] / "docs" / "detection.md"
AT_ONCE = 24
"""Streams that `motion` watches at a time: a third of two cores."""


def exam(size: Size, first: int, folder: Path, media: Path | None) -> list[str]:
    """All tables, as Markdown."""
    recipes = plan(size, first)
    told = [tables.heading(machine(), first, size)]
    both = [each for each in recipes if each.family != SABOTAGE]
    render_all(both, folder)
    with ThreadPoolExecutor(
        2
    ) as beside:  # the peer follows the clock and takes a third of the cores: the product is examined meanwhile
        peers = beside.submit(peer_all, both, folder, AT_ONCE)
        reals = beside.submit(real, media) if media is not None else None
        render_all(recipes, folder)
        ours = examine_all(recipes, folder)
        more = {each: examine_all(both, folder, each) for each in (Attention.CLOSE, Attention.FULL)}
        theirs = peers.result()
    told += [
        tables.cost(ours, theirs),
        tables.events(ours, theirs),
        tables.looks(ours, theirs),
        tables.sabotage(ours),
        tables.attention({Attention.SPARING: ours, **more}, theirs),
        tables.misses(ours),
    ]
    if reals is not None:
        told.append(tables.real(reals.result()))
    return told


def main() -> None:
    """See the module's head."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="?", default="exam", choices=["exam", "tune", "develop", "processes"])
    parser.add_argument("--quick", action="store_true", help="6 quiet, 6 busy scenes")
    parser.add_argument("--seed", type=int, help="instead of a drawn one")
    parser.add_argument("--media", type=Path, help="where the real recordings are")
    parser.add_argument("--folder", type=Path, help="keep the scenes here")
    parser.add_argument("--write", action="store_true", help="put the tables into docs/detection.md")
    parser.add_argument("--seconds", type=float, default=120.0, help="of each stretch that `processes` measures")
    chosen = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that posts, cameras and peers that were started end too
    size = Size(6, 6, 1) if chosen.quick else Size()
    with tempfile.TemporaryDirectory() as temporary:
        folder = chosen.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        if chosen.what == "tune":
            print(tables.rows(tune.run(folder)))
            return
        if chosen.what == "processes":
            from benchmarks.detection import processes  # it starts a post

            print(processes.run(chosen.seconds, chosen.seed if chosen.seed is not None else fresh(), folder))
            return
        if chosen.what == "develop":
            recipes = plan(size, DEVELOPMENT)
            render_all(recipes, folder)
            ours = examine_all(recipes, folder)
            told = [tables.cost(ours, []), tables.looks(ours, []), tables.sabotage(ours), tables.misses(ours)]
        else:
            first = chosen.seed if chosen.seed is not None else fresh()
            print(f"seeds from {first}", flush=True)
            told = exam(size, first, folder, chosen.media)
    print("\n\n".join(told))
    if chosen.write:
        tables.write(DOCUMENT, told)


if __name__ == "__main__":
    main()
