"""Which part of a picture is shown to a model for objects, and how it is laid into the model's input. Pure.

Parts are in parts of the picture's width and height, as everywhere; a crop is in pixels of the decoded picture.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from longwatch.model.events import Box

U8 = NDArray[np.uint8]
ROOM = 1.5
"""A crop is so many times as long and wide as the longer side of what moves: a model wants to see what is around it."""
LEAST_PIXELS = 64
"""Of a crop's side: nothing is made of less."""
FILL = 114
"""Grey level beside a crop that is not as wide or high as the model's input: what the YOLO family was trained with."""


@dataclass(frozen=True, slots=True)
class Crop:
    """Pixels of the decoded picture: from left and top up to, without, right and bottom."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def wide(self) -> int:
        return self.right - self.left

    @property
    def high(self) -> int:
        return self.bottom - self.top


def crop_of(box: Box, width: int, height: int) -> Crop:
    """A square about what moves, as far as the picture goes. width, height: of the picture."""
    left, top, right, bottom = box
    side = max((right - left) * width * ROOM, (bottom - top) * height * ROOM, LEAST_PIXELS)
    wide, high = min(round(side), width), min(round(side), height)
    x = min(max(round((left + right) / 2 * width - wide / 2), 0), width - wide)
    y = min(max(round((top + bottom) / 2 * height - high / 2), 0), height - high)
    return Crop(x, y, x + wide, y + high)


def holds(crop: Crop, box: Box, width: int, height: int) -> bool:
    """Whether a box lies within the crop, as a whole."""
    return (
        crop.left <= box[0] * width + 0.5
        and crop.top <= box[1] * height + 0.5
        and box[2] * width <= crop.right + 0.5
        and box[3] * height <= crop.bottom + 0.5
    )


@dataclass(frozen=True, slots=True, eq=False)
class Laid:
    """pixels: height x width x 3, as large as the model's input. scale, left, top: where the crop lies in it."""

    pixels: U8
    scale: float
    left: float
    top: float
    wide: int
    high: int

    def back(self, box: Box) -> Box:
        """From pixels of the input to parts of the crop; what lies beside it is cut off."""
        across, down = self.scale * self.wide, self.scale * self.high
        x0, y0, x1, y1 = (
            (box[0] - self.left) / across,
            (box[1] - self.top) / down,
            (box[2] - self.left) / across,
            (box[3] - self.top) / down,
        )
        return max(0.0, min(x0, 1.0)), max(0.0, min(y0, 1.0)), max(0.0, min(x1, 1.0)), max(0.0, min(y1, 1.0))


def laid(picture: U8, width: int, height: int, fill: int = FILL) -> Laid:
    """A picture (height x width x 3) into an input of this size, in the middle, its sides in their proportion."""
    high, wide = picture.shape[:2]
    scale = min(width / wide, height / high)
    w, h = max(1, round(wide * scale)), max(1, round(high * scale))
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    small = picture if (w, h) == (wide, high) else cv2.resize(picture, (w, h), interpolation=way)
    left, top = (width - w) // 2, (height - h) // 2
    pixels = np.full((height, width, 3), fill, np.uint8)
    pixels[top : top + h, left : left + w] = small
    return Laid(pixels, scale, left, top, wide, high)


def back_in_picture(box: Box, crop: Crop, width: int, height: int) -> Box:
    """From parts of the crop to parts of the picture."""
    return (
        (crop.left + box[0] * crop.wide) / width,
        (crop.top + box[1] * crop.high) / height,
        (crop.left + box[2] * crop.wide) / width,
        (crop.top + box[3] * crop.high) / height,
    )
