"""One camera in the watcher, and how its state is told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from longwatch.detection.gate import Why
from longwatch.detection.scheduling import Level
from longwatch.detection.stream_watch import Job, StreamWatch
from longwatch.formats.codecs.h264_qp import SliceQp, parameter_sets
from longwatch.formats.media import Codec, TrackFormat
from longwatch.wire.frames import encode
from longwatch.wire.looking import ROW

_SPANS_TOLD = 4
_SILENT_US = 10_000_000
_MOST_PIXELS = 1 << 20
"""Of a picture whose vectors are asked: a larger one takes longer, and its decoder holds some 15 MB and more."""


@dataclass(slots=True)
class Watching:
    """saved: what its looker knew when it was asked last. slot: of its child. problem: what the recorder said when it was asked for the stream.
    why: what keeps its samples from being decoded.
    """

    camera: str
    stream: str
    watched: dict[str, Any]
    watch: StreamWatch
    saved: bytes
    slot: int
    track: TrackFormat | None = None
    generation: int = -1
    asked_whole: bool = False
    asked_between_us: int = 0
    asked_us: int = 0
    saved_us: int = 0
    learnt_us: int = 0
    unsaved: bool = False
    problem: str = ""
    why: str = ""
    granted: int = 0
    """Crops that the job in hand may ask the model about."""

    def anew(self) -> None:
        """The recorder is a new one, or the connection is."""
        self.generation = -1
        self.watch.began()
        self.watch.reconnected()

    def format(self, generation: int, track: TrackFormat) -> None:
        """What follows has this format. What is queued of the one before cannot be decoded by it."""
        if self.track is not None and generation != self.generation:
            self.watch.drop_all()
        self.generation, self.track = generation, track
        self.watch.coarse = coarse_of(track)
        self.watch.has_vectors = has_vectors(track)
        self.watch.began()

    @property
    def between_us(self) -> int:
        """How often the recorder is to give a picture between sync samples, so that one is at hand whenever its vectors are asked; 0: never."""
        return min(self.watch.gate.options.ask_us) // 2 if self.watch.has_vectors else 0

    def job_frame(self, job: Job, number: int) -> bytes:
        """For the child."""
        header = {
            "type": "job", "job": number, "camera": self.camera, "samples": len(job.rows), "fresh": job.fresh,
            "single": job.single, "fps": job.fps, "offset_us": job.offset_us, "asks": self.granted, "again": job.again, "less": self.watch.gate.why is Why.LESS, "from_us": job.from_us, "anew": job.anew, "exact": job.exact, "vectors": job.vectors,
        }  # fmt: skip
        return encode(header, b"".join([*[ROW.pack(*row[:-1], 0) for row in job.rows], job.data]))


def has_vectors(track: TrackFormat) -> bool:
    """Whether motion vectors can be had of single pictures for less than the pictures are worth."""
    return track.codec is Codec.H264 and 0 < track.width * track.height <= _MOST_PIXELS


def coarse_of(track: TrackFormat) -> Callable[[bytes], int | None] | None:
    """What reads the quantizer from the head of a slice; None for an encoding of which that is not known here."""
    if track.codec is not Codec.H264:
        return None
    try:
        sps, pps = parameter_sets(track.sample_entry)
    except ValueError:
        return None
    return SliceQp(sps, pps).of_slice


def told_state(camera: Watching, now_boot_us: int, *, connected: bool) -> dict[str, Any]:
    """As `model.watching.DetectionState` takes it."""
    watch, counts = camera.watch, camera.watch.counts
    spans = watch.spans.all()
    return {
        "stream": camera.stream,
        "doing": _doing(camera, now_boot_us, connected=connected),
        "why": camera.problem or camera.why,
        "gate": str(watch.gate.why),
        "sizes_tell": watch.gate.tells,
        "level": Level(watch.level).name.lower(),
        "behind_us": watch.behind_us(now_boot_us),
        "spans": [list(span) for span in spans[-_SPANS_TOLD:]],
        "told": counts.told,
        "vectors_asked": counts.vectors_asked,
        "pictures": counts.pictures,
        "decoded": counts.decoded,
        "skipped": counts.skipped,
        "failed": counts.failed,
        "missed": counts.missed,
        "deaths": counts.deaths,
        "cpu_us": counts.cpu_us,
        "open_us": counts.open_us,
        "closed_us": counts.closed_us,
        "objects_asked": counts.objects_asked,
        "objects_skipped": counts.objects_skipped,
    }


def _doing(camera: Watching, now_boot_us: int, *, connected: bool) -> str:
    watch = camera.watch
    if not connected:
        return "waiting"  # for the recorder
    if watch.resting:
        return "resting"
    if camera.problem or not watch.told_us or now_boot_us - watch.told_us > _SILENT_US:
        return "no_pictures"
    if camera.why:
        return "failing"
    return "looking"
