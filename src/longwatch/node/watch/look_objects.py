"""What a look child does about objects: its model, how many crops it may ask about, and what comes of them. Imported only where there is a model.

The folder is read and its sums are verified before the child gives up files (`read_folder`); the model is opened after that (`opened`), so that a hostile one finds no file and no socket.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import av
import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import Interpolation, VideoReformatter
from numpy.typing import NDArray

from longwatch.detection.crops import Crop, back_in_picture
from longwatch.detection.inference import Model
from longwatch.detection.layouts import Found
from longwatch.detection.manifest import Folder, ModelError
from longwatch.detection.pictures import Span
from longwatch.detection.things import Things, Wanted
from longwatch.model.events import Sighting, Watched

MORE_MEMORY_BYTES = 1 << 30
"""Of address space, for the runtime and what a model works with; and six times the model itself."""


def memory_for(folder: Folder) -> int:
    """Address space that a child needs on top of its own."""
    return MORE_MEMORY_BYTES + 6 * len(folder.data)


class Objects:
    """One child's model. grants: crops that the job in hand may still ask about. say: told True before the model is asked, False after it has answered.
    asked, passed: crops since the child began.
    """

    def __init__(self, model: Model, say: Callable[[bool], None] = lambda _: None) -> None:
        self._model = model
        self._say = say
        self._scaler = VideoReformatter()
        self.grants = 0
        self.asked = 0
        self.passed = 0
        self.why = ""

    def things(self, watched: Watched) -> Things:
        """For a camera that is looked at from now on."""
        return Things(watched)

    def look(
        self, things: Things, frame: VideoFrame, raw: NDArray[np.uint16] | None, seen: Sequence[Sighting], now_us: int
    ) -> list[Sighting]:
        """Things in this picture, by class. seen: what moves in it. raw: of a thermal camera of 16 bits; else None."""
        things.moved(seen, now_us)
        width, height = (frame.width, frame.height) if raw is None else (raw.shape[1], raw.shape[0])
        for wanted in things.wanted(now_us, width, height):
            if self.grants <= 0:
                self.passed += 1
                things.passed(wanted, now_us)
                continue
            self.grants -= 1
            self.asked += 1
            things.answered(wanted, self._found(wanted, frame, raw, (width, height)), now_us)
        return things.said(now_us)

    def _found(
        self, wanted: Wanted, frame: VideoFrame, raw: NDArray[np.uint16] | None, size: tuple[int, int]
    ) -> list[Found]:
        crop = wanted.crop
        try:
            pixels = self._pixels(frame, crop) if raw is None else _grey(raw, crop)
        except (av.FFmpegError, ValueError):
            return []
        self._say(True)
        try:
            answered = self._model.find(pixels)
        except ModelError as error:
            self.why = str(error)
            answered = []
        finally:
            self._say(False)
        return [Found(each.kind, each.score, back_in_picture(each.box, crop, *size)) for each in answered]

    def _pixels(self, frame: VideoFrame, crop: Crop) -> NDArray[np.uint8]:
        """The crop in RGB, out of the picture that was decoded, made as small before as the model's input allows."""
        told = self._model.manifest.input
        scale = min(1.0, max(told.width / crop.wide, told.height / crop.high))
        width, height = max(2, round(frame.width * scale)), max(2, round(frame.height * scale))
        made = self._scaler.reformat(frame, width, height, "rgb24", interpolation=Interpolation.AREA, threads=1)
        plane = made.planes[0]
        rows = np.frombuffer(memoryview(plane).cast("B"), np.uint8, plane.line_size * height).reshape(
            height, plane.line_size
        )
        left, top = int(crop.left * width / frame.width), int(crop.top * height / frame.height)
        right = max(left + 1, round(crop.right * width / frame.width))
        bottom = max(top + 1, round(crop.bottom * height / frame.height))
        return rows[top:bottom, 3 * left : 3 * min(right, width)].reshape(min(bottom, height) - top, -1, 3)

    def told(self) -> dict[str, Any]:
        """What the model is, for the watcher."""
        manifest = self._model.manifest
        return {
            "doing": "ready", "why": "", "name": manifest.name, "version": manifest.version, "licence": manifest.licence, "finds": list(manifest.says),
            "ask_us": round(self._model.ask_s * 1e6),
        }  # fmt: skip


def _grey(raw: NDArray[np.uint16], crop: Crop) -> NDArray[np.uint8]:
    """The crop of a thermal picture, its levels between its coolest and its warmest."""
    levels = np.clip(Span.of(raw).levels(raw), 0, 255).astype(np.uint8)
    return np.repeat(levels[crop.top : crop.bottom, crop.left : crop.right, None], 3, axis=2)


def failing(error: Exception) -> dict[str, Any]:
    """What is told of a model that is not used."""
    return {
        "doing": "failing",
        "why": str(error)[:300],
        "name": "",
        "version": "",
        "licence": "",
        "finds": [],
        "ask_us": 0,
    }
