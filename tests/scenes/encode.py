"""A scene as a camera's sub-stream: H.264 by x264 without B-frames, with a camera's GOPs and rate control, in an mp4 beside its truth."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any, cast

import av
import numpy as np
from av.container import OutputContainer
from tests.scenes.recipe import Recipe
from tests.scenes.scene import Picture, Scene
from tests.scenes.truth import Truth

_CLOCK = 90_000


@dataclass(frozen=True, slots=True)
class Encoding:
    """What was made. pictures: how many. bytes: of the elementary stream."""

    video: Path
    truth: Truth
    pictures: int
    size_bytes: int


@dataclass(slots=True)
class _Coder:
    """One x264, set as cameras are: constant rate, one reference, no look ahead, a floor under the quantizer."""

    recipe: Recipe
    context: Any = None
    rng: np.random.Generator = field(default_factory=lambda: np.random.default_rng(0))

    def __post_init__(self) -> None:
        r = self.recipe
        coder: Any = self.context or av.CodecContext.create("libx264", "w")
        coder.width, coder.height, coder.pix_fmt = r.width, r.height, "yuv420p"
        coder.time_base, coder.framerate = Fraction(1, _CLOCK), Fraction(round(r.fps * 100), 100)
        coder.bit_rate, coder.thread_count = r.kbit_s * 1000, 1
        coder.gop_size = max(1, round(r.gop_s * r.fps))
        coder.flags |= 1 << 22  # global header: parameter sets in the mp4's head, as recorders expect
        rate = f"vbv-maxrate={r.kbit_s}:vbv-bufsize={r.kbit_s}"
        still = "bframes=0:ref=1:scenecut=0:rc-lookahead=0:sync-lookahead=0:mbtree=0:qpmin=18:qpmax=46:threads=1:sliced-threads=0"
        coder.options = {"preset": "superfast", "profile": r.profile, "x264-params": f"{rate}:{still}:force-cfr=1"}
        self.context = coder

    def encode(self, picture: Picture | None, at_s: float = 0.0) -> list[Any]:
        """Packets of one picture; of None: what is left."""
        if picture is None:
            return list(self.context.encode(None))
        frame = av.VideoFrame(self.recipe.width, self.recipe.height, "yuv420p")
        for plane, data in zip(frame.planes, (picture.luma, picture.u, picture.v), strict=True):
            _fill(plane, data)
        frame.pts, frame.time_base = round(at_s * _CLOCK), Fraction(1, _CLOCK)
        return list(self.context.encode(frame))


def _fill(plane: Any, data: np.ndarray) -> None:
    into = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)
    into[: data.shape[0], : data.shape[1]] = data


def encode(scene: Scene, path: Path) -> Encoding:
    """Renders, encodes, and writes `path` (mp4) and `path` with .json: its truth."""
    recipe = scene.recipe
    with cast("OutputContainer", av.open(str(path), "w")) as out:
        stream: Any = out.add_stream("libx264", rate=Fraction(round(recipe.fps * 100), 100))
        coder = _Coder(recipe, stream.codec_context)
        packets: list[Any] = []
        for picture in scene.pictures():
            packets += coder.encode(picture, picture.at_s)
        packets += coder.encode(None)
        if recipe.sabotage == "replayed":
            packets += _replayed(scene, packets, coder.context.extradata)
        truth, size = scene.finish(), sum(packet.size for packet in packets)
        for packet in packets:
            packet.stream = stream
            out.mux(packet)
    truth.save(path.with_suffix(".json"))
    return Encoding(path, truth, len(packets), size)


def _replayed(scene: Scene, live: list[Any], head: bytes) -> list[Any]:
    """What is fed in place of the camera from the moment of the attack on: a minute or two of what it sent, over and over.

    Half of the seeds feed the very bytes, half decode them and encode them anew with a trace of noise, as a converter would.
    """
    r, attack = scene.recipe, scene.attack
    assert attack is not None
    rng = np.random.default_rng([r.seed, 11])
    exact, long_s = bool(rng.random() < 0.5), float(rng.uniform(0.3, 0.6)) * attack.begin
    begin = attack.begin - long_s - float(rng.uniform(2, 8))
    keys = [i for i, p in enumerate(live) if p.is_keyframe]
    first = min(keys, key=lambda i: abs(live[i].pts / _CLOCK - begin))
    loop = live[first : max(k for k in keys if k <= first + round(long_s * r.fps))]
    many = round(r.seconds * r.fps) - len(live)
    at = [round((len(live) + n) / r.fps * _CLOCK) for n in range(many)]
    looped = [loop[n % len(loop)] for n in range(many)]
    if exact:
        return [_copy(p, pts) for p, pts in zip(looped, at, strict=True)]
    decoder: Any = av.CodecContext.create("h264", "r")
    decoder.extradata = head
    pictures = [f for p in loop for f in decoder.decode(_copy(p, p.pts))] + list(decoder.decode(None))
    coder, made = _Coder(r), []
    for n in range(many):
        frame = pictures[n % len(pictures)]
        planes = [np.frombuffer(p, np.uint8).reshape(-1, p.line_size)[: p.height, : p.width] for p in frame.planes]
        noisy = np.clip(planes[0] + rng.normal(0, 0.6, planes[0].shape), 0, 255).astype(np.uint8)
        made += coder.encode(Picture(0.0, noisy, planes[1], planes[2]), at[n] / _CLOCK)
    return made + coder.encode(None)


def _copy(packet: Any, pts: int) -> Any:
    copy: Any = av.Packet(bytes(packet))
    copy.pts = copy.dts = pts
    copy.time_base, copy.is_keyframe = Fraction(1, _CLOCK), packet.is_keyframe
    return copy
