"""The child that decodes one picture at a time: untrusted bytes meet a decoder here, and nowhere in the server.

It reads requests from standard input and writes JPEGs to standard output (see `still_wire`); with `--greet` an empty answer first, once it is there. After start-up it can open no
descriptor (so no file, no socket), write no file and start no process; memory and CPU time are limited. Whoever started it
kills it when it takes too long.
"""

from __future__ import annotations

import contextlib
import os
import sys
from fractions import Fraction
from typing import BinaryIO

import av
from av.video.frame import VideoFrame

from longwatch.pictures.limits import confine
from longwatch.pictures.still_wire import ANSWER, HEAD, IN_ROW, MAX_BYTES, ROUGH, ROW

_MAX_PIXELS = 8192 * 8192
_MEMORY_BYTES = 2 << 30
_CPU_SECONDS = 600
_QUALITY, _ROUGH = 4, 5  # of libavcodec's 1 (best) to 31
_NICE = 15


def limit() -> None:
    """Give up what a decoder does not need. Called after the imports. It ends by its pipes."""
    confine(memory_bytes=_MEMORY_BYTES, descriptors=3, cpu_seconds=_CPU_SECONDS)


def jpeg(
    codec: str, extradata: bytes, sample: bytes, max_width: int, *, rough: bool = False, row: bool = False
) -> bytes:
    """Decode one sync sample and encode it. rough: cheaper, for a picture that is made much smaller. row: it is a sync sample and those after it, and the
    picture shown last is wanted. Raises ValueError, or an error of libav, where that cannot be.
    """
    frame = _decoded(codec, extradata, _row(sample) if row else [(0, sample)], rough=rough)
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
    quality = str(_ROUGH if rough else _QUALITY)
    encoder.options = {"qmin": quality, "qmax": quality, "threads": "1"}
    picture.pts = 0
    return b"".join(bytes(packet) for packet in [*encoder.encode(picture), *encoder.encode(None)])


def _row(data: bytes) -> list[tuple[int, bytes]]:
    found, at = [], 0
    while at < len(data):
        pts, size = IN_ROW.unpack_from(data, at)
        at += IN_ROW.size
        if at + size > len(data):
            raise ValueError("a row that is cut short")
        found.append((pts, data[at : at + size]))
        at += size
    return found


def _decoded(codec: str, extradata: bytes, samples: list[tuple[int, bytes]], *, rough: bool) -> VideoFrame:
    decoder = av.CodecContext.create(codec, "r")
    assert isinstance(decoder, av.VideoCodecContext)
    decoder.thread_count = 1
    if rough:
        decoder.options = {"skip_loop_filter": "all"}  # what it smooths cannot be seen at a tenth of the size
    if extradata:
        decoder.extradata = extradata
    last: VideoFrame | None = None
    for pts, data in samples:
        packet = av.Packet(data)
        packet.pts = pts
        for frame in decoder.decode(packet):  # in the order in which they are shown; one at a time is held
            last = frame
    for frame in decoder.decode(None):
        last = frame if len(samples) > 1 or last is None else last
    if last is None:
        raise ValueError("the sample holds no picture")
    return last


def serve(requests: BinaryIO, answers: BinaryIO) -> None:
    """Answer until standard input ends."""
    while len(head := requests.read(HEAD.size)) == HEAD.size:
        name, max_width, flags, extra_bytes, sample_bytes = HEAD.unpack(head)
        if extra_bytes + sample_bytes > MAX_BYTES:
            return
        extradata, sample = requests.read(extra_bytes), requests.read(sample_bytes)
        try:
            rough, row = bool(flags & ROUGH), bool(flags & ROW)
            status, body = 0, jpeg(name.rstrip(b"\0").decode(), extradata, sample, max_width, rough=rough, row=row)
        except Exception as error:  # noqa: BLE001  the boundary: whatever a decoder says of hostile bytes is an answer
            status, body = 1, f"{type(error).__name__}: {error}".encode()[:1000]
        answers.write(ANSWER.pack(status, len(body)) + body)
        answers.flush()


if __name__ == "__main__":
    av.logging.set_level(av.logging.PANIC)
    if "--last" in sys.argv[1:]:
        os.nice(_NICE)
    with contextlib.suppress(BrokenPipeError):
        limit()
        if "--greet" in sys.argv[1:]:
            sys.stdout.buffer.write(ANSWER.pack(0, 0))
            sys.stdout.buffer.flush()
        serve(sys.stdin.buffer, sys.stdout.buffer)
