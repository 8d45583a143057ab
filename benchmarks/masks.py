"""What masks cost: decoding, painting over and encoding, as the masking child does it, on footage that comes with the program.

    python -m benchmarks.masks

Prints processor time as a part of one core at the footage's own rate, and bits a second before and after. One process, one thread.
"""

from __future__ import annotations

import time
from fractions import Fraction

import av

from longwatch.formats.codecs import h264
from longwatch.formats.media import Codec, Kind, Sample, TrackFormat
from longwatch.model.areas import Area
from longwatch.pictures.work import Output, Work
from longwatch.simulate.camera import LOT, ROOM

WINDOW = Area("window", ((0.6, 0.1), (0.85, 0.1), (0.85, 0.4), (0.6, 0.4)))
SECONDS = 10


def footage(path, codec: str, width: int, height: int, fps: int) -> tuple[TrackFormat, list[Sample]]:
    """A file's pictures in that size and rate, encoded as a camera might: a key picture every two seconds."""
    encoder = av.CodecContext.create(codec, "w")
    encoder.width, encoder.height, encoder.pix_fmt = width, height, "yuv420p"
    encoder.time_base, encoder.framerate = Fraction(1, 90_000), Fraction(fps)
    bits = str(round(width * height * fps * 0.08))
    encoder.options = {
        "preset": "fast",
        "g": str(2 * fps),
        "bf": "0",
        "b": bits,
        "x265-params": f"log-level=none:bframes=0:keyint={2 * fps}",
    }
    encoder.flags |= av.codec.context.Flags.global_header
    encoder.open()
    packets = []
    with av.open(str(path)) as container:
        for n, frame in enumerate(container.decode(video=0)):
            if n >= SECONDS * fps:
                break
            picture = frame.reformat(width=width, height=height, format="yuv420p")
            picture.pts, picture.time_base = n * 90_000 // fps, Fraction(1, 90_000)
            picture.pict_type = 0
            packets += encoder.encode(picture)
    packets += encoder.encode(None)
    samples = [Sample(0, p.pts, 0, p.is_keyframe, bytes(p), 0) for p in packets]
    kind = Codec.H264 if codec == "libx264" else Codec.H265
    track = TrackFormat(Kind.VIDEO, kind, 90_000, _entry(bytes(encoder.extradata)), "", width, height, float(fps))
    return track, samples


def _entry(annex_b: bytes) -> bytes:
    """A sample entry that holds nothing: these samples carry start codes, and their parameter sets go before the first."""
    global PREFIX
    PREFIX = annex_b
    return b""


PREFIX = b""


def measure(name: str, path, codec: str, width: int, height: int, fps: int, *, sub: bool) -> None:
    track, samples = footage(path, codec, width, height, fps)
    samples[0] = Sample(0, samples[0].dts, 0, True, PREFIX + samples[0].data, 0)
    work = Work([WINDOW], [Output("main"), *([Output("sub", 360)] if sub else [])])
    work.begin(track)
    began = time.process_time()
    out = sum(len(made.sample.data) for sample in samples for made in work.take(sample))
    spent = time.process_time() - began
    seconds = len(samples) / fps
    before = sum(len(s.data) for s in samples) * 8 / seconds / 1e6
    print(
        f"{name:38} {100 * spent / seconds:6.1f} % of a core   {before:5.2f} -> {out * 8 / seconds / 1e6:5.2f} Mbit/s"
    )


def main() -> None:
    assert h264.NAL_SPS
    for name, path in (("lot", LOT), ("room", ROOM)):
        for codec, said in (("libx264", "H.264"), ("libx265", "H.265")):
            measure(f"{name}, {said} 1280x720, 15 a second", path, codec, 1280, 720, 15, sub=False)
            measure(f"{name}, {said} 1920x1080, 25 a second", path, codec, 1920, 1080, 25, sub=False)
    measure("lot, H.264 1920x1080, 25, and a sub", LOT, "libx264", 1920, 1080, 25, sub=True)


if __name__ == "__main__":
    main()
