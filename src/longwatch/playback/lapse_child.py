"""The child that makes a time-lapse of stored pictures: untrusted bytes meet a decoder here, and nowhere in whoever exports.

It reads pictures from standard input and writes samples of H.264 to standard output (`lapse_wire`). After start-up it can open no
descriptor, write no file and start no process; memory and processor time are limited. Whoever started it kills it when a picture takes
too long.
"""

from __future__ import annotations

import contextlib
import os
import sys
from typing import BinaryIO

import av

from longwatch.formats.media import Codec, Kind, Sample, TrackFormat
from longwatch.pictures import confine
from longwatch.pictures.decoding import Decoder
from longwatch.pictures.encoding import Encoder, Quality
from longwatch.pictures.form import Form
from longwatch.playback.lapse_wire import CODECS, HEAD, MADE, MAX_BYTES, TICKS

_MEMORY_BYTES = 2 << 30
_CPU_SECONDS = 6 * 3600
_FPS = 25.0
_QUALITY = Quality("veryfast", "23")


class Lapse:
    """Owner of the encoder, which lives as long as the film: what has another size is scaled to that of the first picture."""

    def __init__(self, max_height: int) -> None:
        self._max_height = max_height
        self._encoder: Encoder | None = None
        self._count = 0

    def take(self, codec: Codec, sample_entry: bytes, data: bytes) -> tuple[bytes, bool, bytes]:
        """One sync sample; gives the encoder's sample entry, whether it is a sync sample, and its bytes; all empty where there is no
        picture in it. Raises LongwatchError, or an error of libav.
        """
        track = TrackFormat(Kind.VIDEO, codec, 90_000, sample_entry, "")
        sample = Sample(0, self._count * TICKS, 0, True, data, 0)
        decoder = Decoder(track)
        frames = [*decoder.decode(sample), *decoder.rest()]
        if not frames:
            return b"", False, b""
        frame = frames[0][0]
        if self._encoder is None:
            height = min(frame.height, self._max_height)
            width = max(2, frame.width * height // frame.height // 2 * 2)
            self._encoder = Encoder(Form(Codec.H264, width, max(2, height // 2 * 2), fps=_FPS), _QUALITY)
        width, height = self._encoder.size
        picture = frame.reformat(width=width, height=height, format="yuv420p")
        (made,) = self._encoder.encode(picture, sample)
        self._count += 1
        return self._encoder.format.sample_entry, made.sync, made.data


def serve(requests: BinaryIO, answers: BinaryIO, max_height: int) -> None:
    """Answer until standard input ends."""
    lapse = Lapse(max_height)
    while len(head := requests.read(HEAD.size)) == HEAD.size:
        codec, entry_bytes, sample_bytes = HEAD.unpack(head)
        if entry_bytes + sample_bytes > MAX_BYTES or codec >= len(CODECS):
            return
        entry, sample = requests.read(entry_bytes), requests.read(sample_bytes)
        try:
            made, sync, data = lapse.take(CODECS[codec], entry, sample)
        except Exception:  # noqa: BLE001  the boundary: whatever a decoder says of hostile bytes is no picture
            made, sync, data = b"", False, b""
        answers.write(MADE.pack(sync, len(made), len(data)) + made + data)
        answers.flush()


if __name__ == "__main__":
    av.logging.set_level(av.logging.PANIC)
    with contextlib.suppress(BrokenPipeError):
        confine(memory_bytes=_MEMORY_BYTES, descriptors=3, cpu_seconds=_CPU_SECONDS, parent=os.getppid())
        serve(sys.stdin.buffer, sys.stdout.buffer, int(sys.argv[1]))
