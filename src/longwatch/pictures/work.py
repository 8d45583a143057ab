"""Samples in, samples of H.264 out: decoded once, painted once, encoded for each size that is wanted. Only children import this."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from av.video.frame import VideoFrame

from longwatch.formats.media import Sample, TrackFormat
from longwatch.model.areas import Area
from longwatch.pictures.decoding import Decoder
from longwatch.pictures.encoding import Encoder, Quality
from longwatch.pictures.painting import PIXELS, Painter
from longwatch.pictures.spans import fitted


@dataclass(frozen=True, slots=True)
class Output:
    """One stream to make. max_height: in pixels; None: as it came. size: exactly so, whatever comes."""

    name: str
    max_height: int | None = None
    quality: Quality = field(default_factory=Quality)
    size: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Out:
    """What became of one sample for one output. format: set where it is new, and then the sample is a key picture."""

    output: str
    format: TrackFormat | None
    sample: Sample


class Work:
    """Owner of decoder and encoders. pictures: how many were decoded."""

    def __init__(self, areas: Sequence[Area], outputs: Sequence[Output]) -> None:
        self._painter = Painter(areas)
        self._outputs = tuple(outputs)
        self._decoder: Decoder | None = None
        self._fps: float | None = None
        self._encoders: dict[str, Encoder] = {}
        self.pictures = 0

    def begin(self, track: TrackFormat) -> None:
        """A session, or other parameters: what follows has this format. Raises LongwatchError where it cannot be decoded."""
        self._decoder = Decoder(track)
        self._fps = track.fps
        self._encoders = {}

    def take(self, sample: Sample) -> list[Out]:
        """One sample of the video track."""
        assert self._decoder is not None
        return self._made(self._decoder.decode(sample))

    def rest(self) -> list[Out]:
        """What was held back for its order, at the end."""
        return [] if self._decoder is None else self._made(self._decoder.rest())

    def _made(self, frames: Sequence[tuple[VideoFrame, Sample]]) -> list[Out]:
        made: list[Out] = []
        for frame, of in frames:
            self.pictures += 1
            painted = self._painter.paint(frame)
            for output in self._outputs:
                made += self._encoded(output, painted, of)
        return made

    def _encoded(self, output: Output, painted: VideoFrame, of: Sample) -> list[Out]:
        size = output.size or fitted(painted.width, painted.height, output.max_height)
        picture = painted
        if size != (painted.width, painted.height):
            picture = painted.reformat(width=size[0], height=size[1], format=PIXELS)
        encoder = self._encoders.get(output.name)
        fresh = encoder is None or encoder.size != size
        if encoder is None or fresh:
            encoder = self._encoders[output.name] = Encoder(*size, self._fps, output.quality)
        samples = encoder.encode(picture, of)
        return [Out(output.name, encoder.format if fresh and n == 0 else None, s) for n, s in enumerate(samples)]
