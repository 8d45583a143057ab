"""Real H.264 and H.265 for those who look: small clips, their samples as the recorder hands them on, and the frames that a child takes."""

from __future__ import annotations

import io
from fractions import Fraction
from typing import cast

import av
import numpy as np
from av.container import OutputContainer

from longwatch.detection.told import told_watched
from longwatch.formats.bmff import Mp4File
from longwatch.formats.media import Codec, Kind, Sample, TrackFormat
from longwatch.model.events import Watched
from longwatch.wire.frames import Decoder, Frame, encode
from longwatch.wire.looking import row_of
from longwatch.wire.media import encode_format

WIDTH, HEIGHT = 320, 180
OFFSET_US = 1_800_000_000_000_000


def clip(
    seconds: float, moving: tuple[float, float] = (0.0, 0.0), *, codec: str = "libx264", fps: int = 5, gop_s: float = 2.0, more: str = ""
) -> tuple[TrackFormat, list[Sample]]:  # fmt: skip
    """A still, noisy scene; between these seconds a bright block crosses it. more: parameters of the encoder."""
    data = io.BytesIO()
    chance = np.random.default_rng(5)
    ground = np.clip(90 + 30 * np.sin(np.arange(WIDTH) / 17) + chance.normal(0, 8, (HEIGHT, WIDTH)), 16, 235)
    with cast("OutputContainer", av.open(data, "w", "mp4")) as out:
        stream = out.add_stream(codec, rate=Fraction(fps))
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        name = "x265-params" if codec == "libx265" else "x264-params"
        quiet = "log-level=none:" if codec == "libx265" else ""
        params = f"{quiet}bframes=0:keyint={round(gop_s * fps)}:min-keyint={round(gop_s * fps)}:scenecut=0"
        stream.options = {"preset": "ultrafast", "crf": "26", name: f"{params}:{more}" if more else params}
        for number in range(round(seconds * fps)):
            luma = ground + chance.normal(0, 1.5, ground.shape)
            if moving[0] <= number / fps < moving[1]:
                left = round(20 + (number / fps - moving[0]) * 60) % (WIDTH - 50)
                luma[60:130, left : left + 40] = 220
            planes = np.full((HEIGHT * 3 // 2, WIDTH), 128, np.uint8)
            planes[:HEIGHT] = np.clip(luma, 0, 255)
            out.mux(stream.encode(av.VideoFrame.from_ndarray(planes, format="yuv420p")))
        out.mux(stream.encode(None))
    file = Mp4File.from_bytes(data.getvalue())
    (track,) = file.tracks
    kind = Codec.H265 if codec == "libx265" else Codec.H264
    format_ = TrackFormat(
        Kind.VIDEO, kind, track.timescale, track.sample_entry, "", track.width, track.height, float(fps)
    )
    first = track.samples[0].dts
    return format_, [
        Sample(0, s.dts - first, s.cts_offset, s.sync, file.data(s), 1_000_000 + round((s.dts - first) * 1e6 / track.timescale))
        for s in track.samples
    ]  # fmt: skip


def frame_of(data: bytes) -> Frame:
    """The one frame of these bytes."""
    (frame,) = Decoder().feed(data)
    return frame


def camera_frame(camera: str, saved: bytes = b"", objects: tuple[str, ...] = ()) -> bytes:
    """Makes a camera known to a child."""
    return encode(
        {"type": "camera", "camera": camera, "watched": told_watched(Watched(camera, objects=objects))}, saved
    )


def format_frame(camera: str, track: TrackFormat) -> bytes:
    return encode_format((camera, "look"), 1, (track,))


def job_frame(
    number: int, camera: str, track: TrackFormat, samples: list[Sample], *, fresh: bool, single: bool = False, fps: float = 5.0, asks: int = 0, from_us: int = 0
) -> bytes:  # fmt: skip
    header = {
        "type": "job", "job": number, "camera": camera, "samples": len(samples), "fresh": fresh, "single": single, "fps": fps,
        "offset_us": OFFSET_US, "asks": asks, "from_us": from_us,
    }  # fmt: skip
    rows = [row_of(sample, track.codec, whole=True)[0][:-1] + b"\0" for sample in samples]
    return encode(header, b"".join([*rows, *[sample.data for sample in samples]]))
