"""Settings of `motion` tried on development seeds: what the committed configuration was chosen by.

    python -m benchmarks.detection tune

Of those with at most one false event a camera-hour the one with the best recall is taken; where none is so quiet, and none has been, the one that costs it least:
recall minus a hundredth for each false event an hour above one.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.scenes import SABOTAGE

from benchmarks.detection.exam import DEVELOPMENT, Size, peer_all, plan, render_all
from benchmarks.detection.scoring import Total

CANDIDATES: dict[str, dict[str, str]] = {
    "committed": {},
    "300 pixels, 3 pictures": {"threshold": "300", "minimum_motion_frames": "3"},
    "as shipped": {
        "threshold": "1500",
        "despeckle_filter": "",
        "minimum_motion_frames": "1",
        "lightswitch_percent": "0",
    },
    "150 pixels, 3 pictures": {"minimum_motion_frames": "3"},
    "100 pixels": {"threshold": "100"},
    "200 pixels": {"threshold": "200"},
    "600 pixels, 3 pictures": {"threshold": "600", "minimum_motion_frames": "3"},
    "1500 pixels, 3 pictures": {"threshold": "1500", "minimum_motion_frames": "3"},
    "1500 pixels, 5 pictures": {"threshold": "1500", "minimum_motion_frames": "5"},
    "3000 pixels, 5 pictures": {"threshold": "3000", "minimum_motion_frames": "5"},
    "noise fixed at 48": {"noise_tune": "off", "noise_level": "48"},
    "300 pixels, 3 pictures, noise fixed at 48": {
        "threshold": "300",
        "minimum_motion_frames": "3",
        "noise_tune": "off",
        "noise_level": "48",
    },
    "lightswitch 5 %": {"lightswitch_percent": "5"},
    "300 pixels, 3 pictures, lightswitch 5 %": {
        "threshold": "300",
        "minimum_motion_frames": "3",
        "lightswitch_percent": "5",
    },
    "threshold tuned": {"threshold_tune": "on"},
    "300 pixels, 3 pictures, threshold tuned": {
        "threshold": "300",
        "minimum_motion_frames": "3",
        "threshold_tune": "on",
    },
    "smart mask": {"smart_mask_speed": "5"},
    "300 pixels, 3 pictures, smart mask": {"threshold": "300", "minimum_motion_frames": "3", "smart_mask_speed": "5"},
}


AT_ONCE = 4
"""Candidates that run at a time: four dozen streams, two thirds of a core. More, and `motion` falls behind the clock that it follows."""


def run(folder: Path, names: list[str] | None = None) -> list[dict[str, object]]:
    """A row for each candidate."""
    recipes = [each for each in plan(Size(6, 6, 0), DEVELOPMENT) if each.family != SABOTAGE]
    render_all(recipes, folder)
    chosen = names or list(CANDIDATES)
    rows: list[dict[str, object]] = []
    with ThreadPoolExecutor(AT_ONCE) as pool:
        results = list(pool.map(lambda name: peer_all(recipes, folder, len(recipes), CANDIDATES[name]), chosen))
    for name, examined in zip(chosen, results, strict=True):
        total = Total([each.verdict for each in examined])
        cpu = sum(each.cpu_s for each in examined) / sum(each.seconds for each in examined) * 3600
        rows.append(
            {
                "settings": name,
                "recall": f"{total.recall:.3f}",
                "false an hour": f"{total.false_an_hour:.1f}",
                "found": f"{total.hits} of {total.wanted}",
                "CPU s an hour": f"{cpu:.0f}",
            }
        )
    return rows
