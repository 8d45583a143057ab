"""Samples to pictures, by libav. Only children import this."""

from __future__ import annotations

import av
from av.video.frame import VideoFrame

from longwatch.base.errors import LongwatchError
from longwatch.formats.media import Codec, Sample, TrackFormat
from longwatch.pictures.form import decoder_config

MAX_PIXELS = 8192 * 8192
_DECODERS = {Codec.H264: "h264", Codec.H265: "hevc", Codec.MJPEG: "mjpeg"}
_MOST_DELAY = 64


class Decoder:
    """Of one track format. A sample that cannot be decoded gives no picture; it never raises for what a camera sent."""

    def __init__(self, track: TrackFormat, *, rough: bool = False) -> None:
        """Raises LongwatchError where the codec is none that is known. rough: cheaper, and a little off until the next sync sample: for looking at
        small, not for showing.
        """
        known = _DECODERS.get(track.codec)
        if known is None:
            raise LongwatchError(f"pictures of {track.codec} cannot be decoded here")
        context = av.CodecContext.create(known, "r")
        assert isinstance(context, av.VideoCodecContext)
        context.thread_count = 1  # threads would each hold a picture back
        if rough:
            context.options = {"skip_loop_filter": "all", "flags2": "+fast"}
        extradata = decoder_config(track)
        if extradata:
            context.extradata = extradata
        self._context = context
        self._samples: dict[int, Sample] = {}
        self._is_fresh = True
        self.failed = 0

    def decode(self, sample: Sample) -> list[tuple[VideoFrame, Sample]]:
        """The pictures that this sample completes, in the order in which they are shown, each with its own sample."""
        self._is_fresh = False
        packet = av.Packet(sample.data)
        packet.pts = sample.dts + sample.cts_offset
        packet.dts = sample.dts
        self._samples[packet.pts] = sample
        while len(self._samples) > _MOST_DELAY:
            del self._samples[next(iter(self._samples))]
        try:
            frames = self._context.decode(packet)
        except av.FFmpegError:
            self.failed += 1
            return []
        return [(frame, self._of(frame, sample)) for frame in frames if frame.width * frame.height <= MAX_PIXELS]

    def fresh(self) -> None:
        """What comes next builds on nothing that was."""
        if not self._is_fresh:
            self._context.flush_buffers()
            self._samples.clear()
            self._is_fresh = True

    def rest(self) -> list[tuple[VideoFrame, Sample]]:
        """What was held back for its order."""
        self._is_fresh = False
        try:
            frames = self._context.decode(None)
        except av.FFmpegError:
            return []
        last = next(reversed(self._samples.values()), None)
        return [(frame, self._of(frame, last)) for frame in frames] if last is not None else []

    def _of(self, frame: VideoFrame, default: Sample) -> Sample:
        return self._samples.pop(frame.pts, default) if frame.pts is not None else default
