"""A contact sheet: pictures of a stretch of video, with the boxes of the truth and of what was found, so that a miss can be looked at.

python -m benchmarks.detection.contact --seed 7 --family busy --from 120 --to 150 --out miss.png
python -m benchmarks.detection.contact --video clip.mp4 --from 0 --to 30 --out sheet.png
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from tests.scenes import Scene, Truth, draw, encode

GREEN, GREY = (80, 220, 80), (160, 160, 160)


def pictures(video: Path, begin_s: float, end_s: float, many: int) -> Iterator[tuple[float, np.ndarray]]:
    """So many pictures of the stretch, evenly, in BGR."""
    wanted = list(np.linspace(begin_s, end_s, many, endpoint=False))
    with av.open(str(video)) as container:
        for frame in container.decode(video=0):
            at = float(frame.time or 0)
            if not wanted:
                return
            if at >= wanted[0] - 1e-3:
                while wanted and at >= wanted[0] - 1e-3:
                    wanted.pop(0)
                yield at, frame.to_ndarray(format="bgr24")


def sheet(
    video: Path, begin_s: float, end_s: float, truth: Truth | None, many: int = 20, columns: int = 4, width: int = 400
) -> Any:
    """One picture made of many; green boxes count, grey ones do not."""
    tiles = []
    for at, picture in pictures(video, begin_s, end_s, many):
        height, wide = picture.shape[:2]
        for thing in truth.things if truth else []:
            for m in thing.moments:
                if abs(m.at_s - at) < 0.01:
                    corners = [round(e * (wide, height)[i % 2]) for i, e in enumerate(m.box)]
                    cv2.rectangle(
                        picture,
                        (corners[0] - 2, corners[1] - 2),
                        (corners[2] + 2, corners[3] + 2),
                        GREEN if m.counts else GREY,
                        1,
                    )
        small = cv2.resize(picture, (width, width * height // wide), interpolation=cv2.INTER_AREA)
        cv2.putText(small, f"{at:.1f}", (4, 14), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (0, 0, 0), 3)
        cv2.putText(small, f"{at:.1f}", (4, 14), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (255, 255, 255), 1)
        tiles.append(small)
    while len(tiles) % columns:
        tiles.append(np.zeros_like(tiles[0]))
    return np.vstack([np.hstack(tiles[i : i + columns]) for i in range(0, len(tiles), columns)])


def main() -> None:
    """See the module's head."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--video", type=Path)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--family", default="busy")
    parser.add_argument("--look")
    parser.add_argument("--sabotage", default="")
    parser.add_argument("--from", dest="begin", type=float, default=0.0)
    parser.add_argument("--to", dest="end", type=float, default=60.0)
    parser.add_argument("--many", type=int, default=20)
    parser.add_argument("--out", type=Path, required=True)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        video, truth = chosen.video, None
        if chosen.seed is not None:
            video = Path(folder) / "scene.mp4"
            truth = encode(
                Scene(draw(chosen.seed, chosen.family, look=chosen.look, sabotage=chosen.sabotage)), video
            ).truth
        cv2.imwrite(str(chosen.out), sheet(video, chosen.begin, chosen.end, truth, chosen.many))
    print(chosen.out)


if __name__ == "__main__":
    main()
