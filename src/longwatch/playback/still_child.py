"""The child that decodes one picture at a time: untrusted bytes meet a decoder here, and nowhere in the server.

It reads requests from standard input and writes JPEGs to standard output (see `still_wire`). After start-up it can open no
descriptor (so no file, no socket), write no file and start no process; memory and CPU time are limited. Whoever started it
kills it when it takes too long.
"""

from __future__ import annotations

import contextlib
import resource
import sys
from fractions import Fraction
from typing import BinaryIO

import av
from av.video.frame import VideoFrame

from longwatch.playback.still_wire import ANSWER, HEAD, MAX_BYTES

_MAX_PIXELS = 8192 * 8192
_MEMORY_BYTES = 2 << 30
_CPU_SECONDS = 600
_QUALITY = 4  # of libavcodec's 1 (best) to 31


def limit() -> None:
    """Give up what a decoder does not need. Called after the imports."""
    for what, most in (
        (resource.RLIMIT_AS, _MEMORY_BYTES),
        (resource.RLIMIT_CPU, _CPU_SECONDS),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NPROC, 0),
        (resource.RLIMIT_NOFILE, 3),
    ):
        resource.setrlimit(what, (most, most))


def jpeg(codec: str, extradata: bytes, sample: bytes, max_width: int) -> bytes:
    """Decode one sync sample and encode it. Raises ValueError, or an error of libav, where that cannot be."""
    frame = _decoded(codec, extradata, sample)
    width, height = frame.width, frame.height
    if width * height > _MAX_PIXELS:
        raise ValueError(f"a picture of {width}x{height}")
    if max_width and width > max_width:
        height = max(2, height * max_width // width // 2 * 2)
        width = max_width // 2 * 2
    picture = frame.reformat(width=width, height=height, format="yuvj420p")
    encoder = av.CodecContext.create("mjpeg", "w")
    assert isinstance(encoder, av.VideoCodecContext)
    encoder.width, encoder.height, encoder.pix_fmt = width, height, "yuvj420p"
    encoder.framerate = Fraction(25)
    encoder.options = {"qmin": str(_QUALITY), "qmax": str(_QUALITY), "threads": "1"}
    picture.pts = 0
    return b"".join(bytes(packet) for packet in [*encoder.encode(picture), *encoder.encode(None)])


def _decoded(codec: str, extradata: bytes, sample: bytes) -> VideoFrame:
    decoder = av.CodecContext.create(codec, "r")
    assert isinstance(decoder, av.VideoCodecContext)
    decoder.thread_count = 1
    if extradata:
        decoder.extradata = extradata
    frames = [*decoder.decode(av.Packet(sample)), *decoder.decode(None)]
    if not frames:
        raise ValueError("the sample holds no picture")
    return frames[0]


def serve(requests: BinaryIO, answers: BinaryIO) -> None:
    """Answer until standard input ends."""
    while len(head := requests.read(HEAD.size)) == HEAD.size:
        name, max_width, _, extra_bytes, sample_bytes = HEAD.unpack(head)
        if extra_bytes + sample_bytes > MAX_BYTES:
            return
        extradata, sample = requests.read(extra_bytes), requests.read(sample_bytes)
        try:
            status, body = 0, jpeg(name.rstrip(b"\0").decode(), extradata, sample, max_width)
        except Exception as error:  # noqa: BLE001  the boundary: whatever a decoder says of hostile bytes is an answer
            status, body = 1, f"{type(error).__name__}: {error}".encode()[:1000]
        answers.write(ANSWER.pack(status, len(body)) + body)
        answers.flush()


if __name__ == "__main__":
    av.logging.set_level(av.logging.PANIC)
    with contextlib.suppress(BrokenPipeError):
        limit()
        serve(sys.stdin.buffer, sys.stdout.buffer)
