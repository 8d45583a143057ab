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
    "as shipped": {
        "threshold": "1500",
        "despeckle_filter": "",
        "minimum_motion_frames": "1",
        "lightswitch_percent": "0",
    },
    "150 pixels": {"threshold": "150"},
    "150 pixels, 2 pictures": {"threshold": "150", "minimum_motion_frames": "2"},
    "600 pixels": {"threshold": "600"},
    "1500 pixels": {"threshold": "1500"},
    "1500 pixels, 5 pictures": {"threshold": "1500", "minimum_motion_frames": "5"},
    "3000 pixels, 5 pictures": {"threshold": "3000", "minimum_motion_frames": "5"},
    "noise fixed at 48": {"noise_tune": "off", "noise_level": "48"},
    "lightswitch 5 %": {"lightswitch_percent": "5"},
    "threshold tuned": {"threshold_tune": "on"},
    "smart mask": {"smart_mask_speed": "5"},
}


def run(folder: Path, names: list[str] | None = None) -> list[dict[str, object]]:
    """A row for each candidate; all at the same time, since `motion` follows the clock."""
    recipes = [each for each in plan(Size(6, 6, 0), DEVELOPMENT) if each.family != SABOTAGE]
    render_all(recipes, folder)
    chosen = names or list(CANDIDATES)
    rows: list[dict[str, object]] = []
    with ThreadPoolExecutor(len(chosen)) as pool:
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
