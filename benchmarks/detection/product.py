"""The product in the exam: the parts that the recorder, the watcher, its child and the server run, one after another in one process, on the video's own clock.

`node.recorder.looks.Look` tells sizes and gives bytes as the recorder does, `StreamWatch` with its gate decides, `look_child.Looks` decodes and looks, `Maker` makes
events; messages are encoded and decoded between them as they cross the sockets. Processor time is of all of these; what stays out is reading the file,
and the sockets and event loops of the real processes, which `python -m benchmarks.detection processes` measures over RTSP.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import cv2

from benchmarks.detection.scoring import Found
from longwatch.detection.stream_watch import StreamWatch
from longwatch.detection.told import sighting_of, told_watched
from longwatch.events.making import Maker
from longwatch.formats.bmff import Mp4File
from longwatch.formats.media import Codec, Kind, Sample, TrackFormat
from longwatch.model.events import EventChange, Phase, Watched
from longwatch.model.watching import Attention
from longwatch.node.recorder.looks import Look
from longwatch.node.watch.look_child import Looks
from longwatch.node.watch.watcher_cameras import Watching
from longwatch.wire.frames import Decoder, Frame, encode
from longwatch.wire.looking import decode_rows
from longwatch.wire.media import decode_format, encode_format

CAMERA = "exam"
FPS = 5.0
"""Pictures a second that are looked at while the gate is open: the product's default."""
_BEGIN_US = 1_772_000_000_000_000


@dataclass(frozen=True, slots=True)
class Run:
    """What the product said of one stream. cpu_s: of all its parts; looked, samples: pictures that were looked at, of so many."""

    found: list[Found]
    cpu_s: float
    looked: int
    samples: int
    open_share: float


@dataclass(slots=True)
class _Tap:
    """The recorder's side of a stream, as `Look` uses it."""

    track: TrackFormat
    video: int = 0
    open_group: list[Sample] = field(default_factory=list)
    give: Callable[[int, Sequence[Sample]], None] | None = None

    def subscribe(self, _: int, formats: Callable[..., None], samples: Callable[..., None], **__: Any) -> None:
        formats(1, (self.track,))
        self.give = samples

    def unsubscribe(self, _: int) -> None:
        self.give = None

    def sample(self, sample: Sample) -> None:
        """The next of the stream."""
        if sample.sync:
            self.open_group = []
        self.open_group.append(sample)
        assert self.give is not None
        self.give(1, [sample])


@dataclass(slots=True)
class _Peer:
    """The socket between recorder and watcher: whole frames, at once."""

    taken: Callable[[Frame], None]
    on_gone: list[Callable[[], None]] = field(default_factory=list)
    decoder: Decoder = field(default_factory=Decoder)

    def push(self, data: bytes) -> bool:
        for frame in self.decoder.feed(data):
            self.taken(frame)
        return True


class Product:
    """One camera watched. Owner of all that it learns."""

    def __init__(
        self, track: TrackFormat, watched: Watched | None = None, attention: Attention = Attention.SPARING
    ) -> None:
        noun = watched or Watched(CAMERA)
        self.camera = Watching(CAMERA, "sub", told_watched(noun), StreamWatch(FPS), b"", 0)
        self.camera.watch.gate.attend(attention)
        self.looks, self.maker = Looks(), Maker(CAMERA)
        self.changes: list[tuple[int, EventChange]] = []
        self._jobs = 0
        self._inbox: list[Frame] = []
        self._answers = Decoder()
        self.tap = _Tap(track)
        peer = _Peer(self._inbox.append)
        self._take(encode({"type": "camera", "camera": CAMERA, "watched": self.camera.watched}))
        self.look = Look(
            cast("Any", peer), (CAMERA, "sub"), cast("Any", self.tap), self.camera.watch.gate.options.key_us // 2
        )
        self.look.begin()
        self._drain(0)

    def sample(self, sample: Sample) -> None:
        """The next of the stream, at its own time."""
        self.tap.sample(sample)
        if self._inbox:
            self._drain(sample.arrival_boot_us)

    def _drain(self, now_us: int) -> None:
        while self._inbox:
            frame = self._inbox.pop(0)
            watch = self.camera.watch
            if frame.type == "live_format":
                _, generation, tracks = decode_format(frame)
                self.camera.format(generation, tracks[0])
                self.look.between_us = self.camera.between_us
                self._take(encode_format((CAMERA, "look"), generation, (tracks[0],)))
            else:
                rows, begin = decode_rows(frame)
                if frame.type == "look_group":
                    watch.group(rows, frame.body, begin, _BEGIN_US)
                else:
                    watch.batch(rows, frame.body, begin, 0, _BEGIN_US)
            self._ask()
            while (job := watch.next_job()) is not None:
                self._jobs += 1
                for answer in self._take(self.camera.job_frame(job, self._jobs)):
                    self._looked(answer.header, now_us)
            self._ask()
            for change in self.maker.idle(watch.spans.until_us):
                self.changes.append((now_us, change))

    def _ask(self) -> None:
        wanted = self.camera.watch.wants_whole
        if wanted is not self.camera.asked_whole:
            self.camera.asked_whole = wanted
            self.look.give_all(on=wanted)

    def _take(self, data: bytes) -> list[Frame]:
        out: list[Frame] = []
        for frame in Decoder().feed(data):
            for answer in self.looks.take(frame):
                out += Decoder().feed(answer)
        return out

    def _looked(self, told: dict[str, Any], now_us: int) -> None:
        sightings = [sighting_of(CAMERA, one) for one in told["sightings"]]
        sure = any(one.on and not one.kind.startswith("tamper.") for one in sightings)
        self.camera.watch.done(
            pictures=told["pictures"], decoded=told["decoded"], failed=told["failed"], cpu_us=told["cpu_us"],
            something=told["curious"] is True, sure=sure, follows=told["follows"] is True, stirs=told.get("stirs", ()),
        )  # fmt: skip
        if told["why"]:
            raise RuntimeError(told["why"])
        for one in sightings:
            for change in self.maker.sighting(one):
                self.changes.append((now_us, change))

    def found(self, end_us: int) -> list[Found]:
        """All events, those that go on too."""
        for change in self.maker.lost("the end"):
            self.changes.append((end_us, change))
        told, made = {}, []
        for now_us, change in self.changes:
            event = change.event
            if change.phase is Phase.NEW:
                told[event.id] = now_us
            elif change.phase is Phase.END:
                at_s = [(each - _BEGIN_US) / 1e6 for each in (event.from_us, event.last_us)]
                made.append(Found(event.kind, at_s[0], at_s[1], told[event.id] / 1e6))
        return made


def samples_of(video: Path) -> tuple[TrackFormat, list[Sample]]:
    """The video track of an mp4 as the recorder hands it on; arrival is when it is shown."""
    file = Mp4File.from_bytes(video.read_bytes())
    track = next(each for each in file.tracks if each.kind == "video")
    format_ = TrackFormat(
        Kind.VIDEO, Codec.H264, track.timescale, track.sample_entry, "avc1", track.width, track.height
    )
    return format_, [
        Sample(0, each.dts, each.cts_offset, each.sync, file.data(each), round(each.dts * 1e6 / track.timescale))
        for each in track.samples
    ]


def watch(video: Path, *, thermal: bool = False, tamper: bool = True, attention: Attention = Attention.SPARING) -> Run:
    """Lets the product watch one file from its begin to its end."""
    cv2.setNumThreads(1)
    format_, samples = samples_of(video)
    began = time.process_time()
    product = Product(format_, Watched(CAMERA, thermal=thermal, tamper=tamper), attention)
    for sample in samples:
        product.sample(sample)
    cpu_s = time.process_time() - began
    counts = product.camera.watch.counts
    share = counts.open_us / max(1, counts.open_us + counts.closed_us)
    return Run(product.found(samples[-1].arrival_boot_us), cpu_s, counts.pictures, len(samples), share)
