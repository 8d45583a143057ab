"""The child that decodes and encodes for the server: `python -m longwatch.pictures.child`.

It reads frames (`wire`) from its standard input and writes frames to its standard output: `job` begins a piece of work, then `live_format` and
`live_sample` of one video track; `flush` ends the piece, answered by `done` {pictures, cpu_us}. `describe` is answered by the format that
an encoder would have. A job may stand in its command line: then its encoder is opened before anything is given up, since libx265 needs a thread. After start-up it can open no descriptor (so no file, no socket), write no file and start no process or
thread. Whoever started it kills it when it takes too long.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any, BinaryIO

import av

from longwatch.base.errors import LongwatchError
from longwatch.formats.media import Codec
from longwatch.model.areas import areas_of
from longwatch.pictures.encoding import Encoder, Quality
from longwatch.pictures.form import Form
from longwatch.pictures.limits import confine
from longwatch.pictures.work import Out, Output, Work
from longwatch.wire.frames import Decoder, Frame, check_hello, encode, hello
from longwatch.wire.media import decode_format, decode_sample, encode_format, encode_sample

_MEMORY_BYTES = 3 << 30
_READ_BYTES = 1 << 18


class Serving:
    """One conversation. Owner of the work at hand."""

    def __init__(self, out: BinaryIO) -> None:
        self._out = out
        self._work: Work | None = None
        self._generations: dict[str, int] = {}
        self._began_cpu = 0.0

    def take(self, frame: Frame) -> None:
        """One message. Raises LongwatchError, LookupError, TypeError or ValueError for one that makes no sense."""
        header = frame.header
        if frame.type == "job":
            self.begin(header)
        elif frame.type == "describe":
            form = Form(Codec.H264, int(header["width"]), int(header["height"]), fps=header["fps"])
            encoder = Encoder(form, _quality(header))
            self._write(encode_format(("", "described"), 0, (encoder.format,)))
        elif self._work is None:
            raise LookupError("no job")
        elif frame.type == "live_format":
            self._work.begin(decode_format(frame)[2][0])
        elif frame.type == "live_sample":
            self._tell(self._work.take(decode_sample(frame)[2]))
        elif frame.type == "flush":
            self._tell(self._work.rest())
            spent_us = round((time.process_time() - self._began_cpu) * 1e6)
            self._write(encode({"type": "done", "pictures": self._work.pictures, "cpu_us": spent_us}))
            self._work = None

    def begin(self, job: Mapping[str, Any]) -> None:
        """A piece of work. Raises as `take`."""
        self._work = Work(areas_of(job.get("areas") or {}), [_output(told) for told in job["outputs"]])
        self._generations = {}
        self._began_cpu = time.process_time()

    def _tell(self, made: list[Out]) -> None:
        for one in made:
            if one.format is not None:
                self._generations[one.output] = self._generations.get(one.output, 0) + 1
                self._write(encode_format(("", one.output), self._generations[one.output], (one.format,)))
            self._write(encode_sample(("", one.output), self._generations.get(one.output, 0), one.sample))

    def _write(self, data: bytes) -> None:
        self._out.write(data)


def _output(told: Mapping[str, Any]) -> Output:
    size, form, kept = told.get("size"), told.get("form"), told.get("kept_90k", (0, 0))
    return Output(
        str(told["name"]), told.get("max_height"), _quality(told), None if size is None else tuple(size),
        None if form is None else Form.of_message(form), (int(kept[0]), int(kept[1])),
    )  # fmt: skip


def _quality(header: Mapping[str, Any]) -> Quality:
    known = Quality()
    return Quality(
        str(header.get("preset", known.preset)),
        str(header.get("crf", known.crf)),
        float(header.get("bits_a_pixel", known.bits_a_pixel)),
    )


def serve(requests: int, out: BinaryIO, serving: Serving) -> None:
    """Until the input ends."""
    out.write(hello("pictures"))
    out.flush()
    decoder = Decoder()
    greeted = False
    while data := os.read(requests, _READ_BYTES):
        for frame in decoder.feed(data):
            if greeted:
                serving.take(frame)
            else:
                check_hello(frame)
                greeted = True
        out.flush()


def main(arguments: Sequence[str]) -> int:
    """The exit code: 0 where its input ended."""
    av.logging.set_level(av.logging.PANIC)
    serving = Serving(sys.stdout.buffer)
    try:
        if arguments:
            serving.begin(json.loads(arguments[0]))
        confine(memory_bytes=_MEMORY_BYTES, descriptors=3, cpu_seconds=None)
        with contextlib.suppress(BrokenPipeError):
            serve(0, sys.stdout.buffer, serving)
    except (LongwatchError, LookupError, TypeError, ValueError, av.FFmpegError):
        return 1
    return 0


if __name__ == "__main__":
    code = main(sys.argv[1:])
    with contextlib.suppress(OSError):
        sys.stdout.flush()
    os._exit(code)
