"""Samples in, samples of H.264 out: decoded once, painted once, encoded for each size that is wanted; or those of a stretch alone, as they are. Only children
import this.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from av.video.frame import VideoFrame

from longwatch.base.errors import LongwatchError
from longwatch.formats.media import Codec, Sample, TrackFormat
from longwatch.model.areas import Area
from longwatch.pictures.decoding import Decoder
from longwatch.pictures.encoding import Encoder, Quality
from longwatch.pictures.form import Form
from longwatch.pictures.painting import PIXELS, Painter
from longwatch.pictures.spans import fitted


@dataclass(frozen=True, slots=True)
class Output:
    """One stream to make. max_height: in pixels; None: as it came. size: exactly so, whatever comes. form: pictures like those that come, of the same
    codec, for a file that goes on with these; and only those that are shown in `kept_90k`, half-open.
    """

    name: str
    max_height: int | None = None
    quality: Quality = field(default_factory=Quality)
    size: tuple[int, int] | None = None
    form: Form | None = None
    kept_90k: tuple[int, int] = (0, 0)


@dataclass(frozen=True, slots=True)
class Out:
    """What became of one sample for one output. format: set where it is new, and then the sample is a key picture."""

    output: str
    format: TrackFormat | None
    sample: Sample


class Work:
    """Owner of decoder and encoders. pictures: how many were decoded."""

    def __init__(self, areas: Sequence[Area], outputs: Sequence[Output]) -> None:
        """Raises LongwatchError for an output of a form that cannot be made. The encoder of such a one is opened here, and may start a thread."""
        self._painter = Painter(areas)
        self._outputs = tuple(output for output in outputs if output.form is None)
        self._alike = [
            _Alike(output.name, Encoder(output.form, output.quality), output.kept_90k)
            for output in outputs
            if output.form
        ]
        if self._alike and areas:
            raise ValueError("what keeps its form is not painted over")
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
            for alike in self._alike:
                made += alike.made(frame, of)
            if self._outputs:
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
            encoder = self._encoders[output.name] = Encoder(Form(Codec.H264, *size, fps=self._fps), output.quality)
        samples = encoder.encode(picture, of)
        return [Out(output.name, encoder.format if fresh and n == 0 else None, s) for n, s in enumerate(samples)]


class _Alike:
    """An output that goes on as what came."""

    def __init__(self, name: str, encoder: Encoder, kept_90k: tuple[int, int]) -> None:
        self._name = name
        self._encoder = encoder
        self._kept_90k = kept_90k
        self._is_fresh = True

    def made(self, frame: VideoFrame, of: Sample) -> list[Out]:
        if not self._kept_90k[0] <= of.dts + of.cts_offset < self._kept_90k[1]:
            return []
        form = self._encoder.form
        if (frame.width, frame.height) != (form.width, form.height):
            raise LongwatchError(f"a picture of {frame.width}x{frame.height} among those of {form.width}x{form.height}")
        picture = frame if frame.format.name == form.pixels else frame.reformat(format=form.pixels)
        fresh, self._is_fresh = self._is_fresh, False
        samples = self._encoder.encode(picture, of)
        return [Out(self._name, self._encoder.format if fresh and n == 0 else None, s) for n, s in enumerate(samples)]
