"""Areas painted over in a picture: opaque and of one colour, so that nothing of what was there can be worked out."""

from __future__ import annotations

from collections.abc import Sequence

from av.video.frame import VideoFrame

from longwatch.model.areas import Area
from longwatch.pictures.spans import Row, halved, rows_of

_BLACK = (16, 128, 128)  # Y, Cb, Cr of BT.601/709 in their limited range
PIXELS = "yuv420p"


class Painter:
    """Keeps the rows of pixels of the areas for the size at hand."""

    def __init__(self, areas: Sequence[Area]) -> None:
        self._areas = tuple(areas)
        self._size = (0, 0)
        self._planes: tuple[list[Row], list[Row], list[Row]] = ([], [], [])

    def paint(self, frame: VideoFrame) -> VideoFrame:
        """The picture as 4:2:0 with 8 bits, painted over: a copy, since the decoder goes on using its own."""
        picture = frame.reformat(format=PIXELS) if frame.format.name != PIXELS else frame
        if not self._areas:
            return picture
        picture.make_writable()
        if (picture.width, picture.height) != self._size:
            self._measure(picture.width, picture.height)
        for number, rows in enumerate(self._planes):
            plane = picture.planes[number]
            stride = plane.line_size
            longest = max((end - first for _, first, end in rows), default=0)
            colour = bytes([_BLACK[number]]) * longest
            view = memoryview(plane).cast("B")
            for y, first, end in rows:
                view[y * stride + first : y * stride + end] = colour[: end - first]
        return picture

    def _measure(self, width: int, height: int) -> None:
        rows = rows_of(self._areas, width, height)
        halves = halved(rows)
        self._planes = (rows, halves, halves)
        self._size = (width, height)
