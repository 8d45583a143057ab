"""The child that decodes and looks: `python -m longwatch.node.watch.look_child`, started by the watcher alone (docs/design/watching.md).

It reads frames from its standard input and writes frames to its standard output: `camera` {camera, watched} with what a looker saved as body, `live_format`
of one video track, `job` {job, camera, samples, fresh, single, fps, offset_us, again, less, from_us, anew, exact} with rows and bytes as in `wire.looking`, answered by `looked` (with {vectors} nothing is looked at: {stirs} says of each sample what its motion vectors do, null where it told none); `save` {camera, learnt},
answered by `saved` (what moved since, and with `learnt` what was learnt); `forget` {camera}. While a job takes long it says `beat`. With `--model DIR` it has a model for objects (`node.watch.look_objects`), says `model` once what became of
it, and `beat` with {asks} before and after each crop that the model is asked about; a job's {asks} says of how many crops it may be. After start-up it can open no descriptor (so no file and no socket), write no file and
start no process or thread. Whoever started it kills it when it says nothing for too long.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import av
import cv2
import numpy as np
import numpy.ma  # which numpy imports at its first median, when no file can be opened any more

from longwatch.base.errors import LongwatchError
from longwatch.detection.looker import Looker
from longwatch.detection.pace import Pace
from longwatch.detection.pictures import LEAST_SIDE, Picture
from longwatch.detection.stirring import Stirring
from longwatch.detection.told import told_sighting, watched_of
from longwatch.formats.media import Sample, TrackFormat
from longwatch.model.events import Line, Sighting, Watched
from longwatch.pictures.limits import confine
from longwatch.pictures.small import SmallPictures
from longwatch.pictures.vectors import Vectors
from longwatch.wire.frames import Decoder, Frame, check_hello, encode, hello
from longwatch.wire.looking import Row, decode_rows
from longwatch.wire.media import decode_format

if TYPE_CHECKING:
    from longwatch.detection.things import Things
    from longwatch.node.watch.look_objects import Objects

MEMORY_BYTES = 3 << 29
_READ_BYTES = 1 << 18
_BEAT_S = 0.5
_MOST_DECODERS = 24
_AGAIN_US = 60_000_000
"""Longer than a group of pictures: what is older than the last that was looked at, and no more than this, was decoded again because the gate opened again."""


OpenModel = Callable[[Callable[[bool], None]], tuple["Objects | None", dict[str, Any]]]
"""Given whom to tell when the model is asked: what asks it, None where it is not used, and what is told of it."""


class LostError(LongwatchError):
    """The job builds on pictures that are not held any more."""


class Eye:
    """One camera's looker and decoders. Owner of all."""

    def __init__(self, watched: Watched, saved: bytes, objects: Objects | None = None) -> None:
        self.watched = watched
        self.objects = objects
        self.things: Things | None = objects.things(watched) if objects is not None and watched.objects else None
        self.why_fresh = ""
        try:
            self.looker = Looker.restored(watched, saved) if saved else Looker(watched)
        except ValueError as error:
            self.looker = Looker(watched)
            self.why_fresh = str(error)
        self.format: TrackFormat | None = None
        self.small: SmallPictures | None = None
        self._vectors: Vectors | None = None
        self._stirring = Stirring()
        self._arrived_us = 0  # of the last that was looked at: what is decoded again is not looked at again
        self._pace = Pace()
        self.pictures = 0
        self.shown = 0  # pictures that came of samples and could be looked at, whether or not they were

    def begin(self, track: TrackFormat) -> None:
        """What follows has this format."""
        self.format, self._arrived_us = track, 0
        self.rest()

    def rest(self) -> None:
        """Its decoders are given up: what comes next begins with a sync sample."""
        self.small = self._vectors = None

    def stirs(self, sample: Sample) -> float | None:
        """How far the motion vectors of this one sample are from what is usual; None where it tells none."""
        if self._vectors is None:
            if self.format is None:
                raise LostError("what it is was not told")
            self._vectors = Vectors(self.format)
        field = self._vectors.field(sample)
        return None if field is None else round(self._stirring.look(*field), 3)

    def look(self, sample: Sample, offset_us: int, every_us: int, *, last: bool, from_us: int = 0) -> list[Sighting]:
        """One sample. from_us: what arrived before is decoded, and looked at only where it came of a sync sample. every_us: on average one picture in so long (of six a second that come, five), half as many while what moves is only followed or nothing is there, and each that came of a sync sample."""
        assert self.small is not None
        found: list[Sighting] = []
        for frame, of in self.small.pictures(sample, last=last):
            wall_us = of.arrival_boot_us + offset_us
            pause_us = 2 * every_us if self.looker.follows or self.looker.calm else every_us
            arrived_us = of.arrival_boot_us
            due = last or of.sync or (arrived_us >= from_us and self._pace.is_due(wall_us, pause_us))
            if not due or 0 <= self._arrived_us - arrived_us < _AGAIN_US:
                self.shown += 1
                continue
            small = self.small.small(frame, of, colour=self.looker.wants_colour(wall_us))
            if (
                small is None or min(small.luma.shape) < LEAST_SIDE
            ):  # the looker would begin anew over each such picture
                continue
            self.shown += 1
            self._arrived_us = arrived_us
            self._pace.looked(wall_us, pause_us)
            self.pictures += 1
            seen = self.looker.look(Picture(small.luma, wall_us, of.sync, small.chroma, small.raw))
            found += seen
            if self.things is not None and self.objects is not None:
                found += self.objects.look(self.things, frame, small.raw, seen, wall_us)
        return found


class Looks:
    """All cameras of one child; used without a process of its own by the benchmarks. beat: called while a job goes on. objects: None without a model."""

    def __init__(self, beat: Callable[[int], None] = lambda _: None, objects: Objects | None = None) -> None:
        self._objects = objects
        self._eyes: dict[str, Eye] = {}
        self._recent: dict[str, None] = {}
        self._beat = beat
        self._said = 0.0

    def take(self, frame: Frame) -> list[bytes]:
        """One message, and what is answered. Raises LongwatchError, LookupError, TypeError or ValueError for one that makes no sense."""
        header = frame.header
        if frame.type == "camera":
            camera = str(header["camera"])
            before = self._eyes.get(camera)
            saved = frame.body or (_learnt(before) if before is not None else b"")
            eye = self._eyes[camera] = Eye(watched_of(header["watched"]), saved, self._objects)
            if before is not None and before.format is not None:
                eye.begin(before.format)
            return []
        if frame.type == "live_format":
            key, _, tracks = decode_format(frame)
            self._eyes[key[0]].begin(tracks[0])
            return []
        if frame.type == "job":
            return [self._job(frame)]
        if frame.type == "save":
            return [self._saved(str(header["camera"]), learnt=header.get("learnt") is not False)]
        if frame.type == "forget":
            self._eyes.pop(str(header["camera"]), None)
            self._recent.pop(str(header["camera"]), None)
        return []

    def _saved(self, camera: str, *, learnt: bool) -> bytes:
        eye = self._eyes[camera]
        looked, heat = eye.looker.heat()
        knows = (_learnt(eye) or self._again(eye).looker.saved()) if learnt else b""
        told = {"type": "saved", "camera": camera, "looked": looked, "heat_bytes": len(heat)}
        return encode(told, heat + knows)

    def _job(self, frame: Frame) -> bytes:
        header = frame.header
        began = time.process_time()
        self._said = time.monotonic()
        eye = self._eyes[str(header["camera"])]
        self._use(str(header["camera"]))
        told: dict[str, Any] = {"type": "looked", "job": header["job"], "why": ""}
        before, shown = (eye.pictures, *_counted(eye)), eye.shown
        objects = self._objects
        if objects is not None:
            objects.grants, objects.asked, objects.passed = int(header.get("asks", 0)), 0, 0
        found: list[Sighting] = []
        try:
            if header.get("vectors") is True:
                told["stirs"] = self._stirs(eye, frame)
            else:
                found = self._decoded(eye, frame)
        except LostError:
            told["lost"] = True
        except LongwatchError as error:
            told["why"] = str(error)
        except Exception as error:  # noqa: BLE001 - boundary: what one camera sends costs the others no child
            told["why"] = f"looking failed: {error!r}"[:200]
            if header.get("vectors") is True:
                eye.rest()  # what was learnt of pictures had no part in it
            else:
                eye = self._again(eye)
        decoded, failed = _counted(eye)
        told |= {
            "pictures": max(0, eye.pictures - before[0]), "decoded": max(0, decoded - before[1]), "failed": max(0, failed - before[2]),
            "sightings": [told_sighting(one) for one in found], "curious": bool(eye.looker.curious), "follows": bool(eye.looker.follows),
            "blind": bool(told["why"]) or eye.shown == shown, "cpu_us": round((time.process_time() - began) * 1e6),
        }  # fmt: skip
        if objects is not None:
            told |= {"asked": objects.asked, "passed": objects.passed, "model_why": objects.why}
        return encode(told)

    def _again(self, eye: Eye) -> Eye:
        """One that knows nothing yet: what the one before has learnt may be what it failed at."""
        made = self._eyes[eye.watched.camera] = Eye(eye.watched, b"", self._objects)
        if eye.format is not None:
            made.begin(eye.format)
        return made

    def _decoded(self, eye: Eye, frame: Frame) -> list[Sighting]:
        header = frame.header
        rows, at = decode_rows(frame)
        offset_us, single = int(header["offset_us"]), header["single"] is True
        if eye.small is None and not header["fresh"]:
            raise LostError("what it builds on is no longer here")
        every_us = round(1e6 / max(0.1, float(header["fps"])))
        if header["fresh"] and eye.format is not None:
            eye.small = eye.small or SmallPictures(eye.format)
            eye.small.fresh(exact=header.get("exact") is True)
        found: list[Sighting] = []
        eye.looker.again = header.get("again") is True
        eye.looker.less = header.get("less") is True
        eye.looker.anew = header.get("anew") is True
        from_us = int(header.get("from_us", 0))
        for row in rows:
            sample = _sample(row, frame.body[at : at + row.given])
            found += eye.look(sample, offset_us, every_us, last=single, from_us=from_us)
            at += row.given
            self._lives(header["job"])
        return found

    def _stirs(self, eye: Eye, frame: Frame) -> list[float | None]:
        rows, at = decode_rows(frame)
        told = []
        for row in rows:
            told.append(eye.stirs(_sample(row, frame.body[at : at + row.given])))
            at += row.given
            self._lives(frame.header["job"])
        return told

    def _lives(self, job: int) -> None:
        """While a job takes long."""
        now = time.monotonic()
        if now - self._said > _BEAT_S:
            self._said = now
            self._beat(job)

    def _use(self, camera: str) -> None:
        """Decoders hold pictures: only those used last are kept. One that is gone needs a sync sample, with which each job after a pause begins."""
        self._recent.pop(camera, None)
        self._recent[camera] = None
        if len(self._recent) > _MOST_DECODERS:
            oldest = next(iter(self._recent))
            del self._recent[oldest]
            if oldest in self._eyes:
                self._eyes[oldest].rest()


def _learnt(eye: Eye) -> bytes:
    """What its looker would have kept; empty where that cannot be written down: what it once had kept may have held numbers that grew beyond any."""
    try:
        return eye.looker.saved()
    except (ValueError, OverflowError):
        return b""


def _counted(eye: Eye) -> tuple[int, int]:
    return (0, 0) if eye.small is None else (eye.small.decoded, eye.small.failed)


def _sample(row: Row, data: bytes) -> Sample:
    return Sample(0, row.dts, row.cts, row.sync, data, row.arrival_us, row.damaged)


def serve(requests: int, out: BinaryIO, model: OpenModel | None = None) -> None:
    """Until the input ends. model: opens the model, and gives it with what is told of it."""

    def write(data: bytes) -> None:
        out.write(data)
        out.flush()

    objects, said = (None, None) if model is None else model(lambda asks: write(encode({"type": "beat", "asks": asks})))
    write(hello("looking"))
    if said is not None:
        write(encode({"type": "model", **said}))
    decoder = Decoder()
    looks = Looks(lambda job: write(encode({"type": "beat", "job": job})), objects)
    greeted = False
    while data := os.read(requests, _READ_BYTES):
        for frame in decoder.feed(data):
            if greeted:
                for answer in looks.take(frame):
                    write(answer)
            else:
                check_hello(frame)
                greeted = True


def warm_up() -> None:
    """Look at some pictures of nothing, so that whatever imports at its first use does so while it still can."""
    looker = Looker(Watched("warm-up", lines=(Line("line", ((0.5, 0.0), (0.5, 1.0))),)))
    noise = np.random.default_rng(0).integers(0, 20, (180, 320), np.uint8)
    for number in range(60):
        luma = noise + 60
        if number > 30:
            luma[60:120, 5 * number - 100 : 5 * number - 60] = 200
        grey = np.full((2, 90, 160), 128, np.uint8)
        looker.look(Picture(luma, number * 200_000, number % 10 == 0, grey))
    Looker.restored(looker.watched, looker.saved())


_PARENT = os.getppid()


def with_model(folder: Path) -> tuple[int, OpenModel]:
    """(address space that it needs, what opens it once that is given up which a child gives up). Reads the folder now."""
    from longwatch.detection.inference import Model
    from longwatch.detection.manifest import ModelError, read_folder
    from longwatch.node.watch.look_objects import Objects, failing, memory_for

    try:
        read = read_folder(folder)
    except ModelError as error:
        told = failing(error)
        return 0, lambda _: (None, told)

    def opened(say: Callable[[bool], None]) -> tuple[Objects | None, dict[str, Any]]:
        try:
            objects = Objects(Model(read), say)
        except (ModelError, MemoryError) as error:
            return None, failing(error)
        return objects, objects.told()

    return memory_for(read), opened


def main() -> int:
    """The exit code: 0 where its input ended."""
    model, more_bytes = None, 0
    if len(sys.argv) == 3 and sys.argv[1] == "--model":
        more_bytes, model = with_model(Path(sys.argv[2]))
    av.logging.set_level(av.logging.PANIC)
    cv2.setNumThreads(1)
    out = os.fdopen(os.dup(1), "wb", buffering=1 << 16)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # whoever prints does not speak for us
    warm_up()
    confine(memory_bytes=MEMORY_BYTES + more_bytes, descriptors=5, cpu_seconds=None, parent=_PARENT)
    try:
        with contextlib.suppress(BrokenPipeError):
            serve(0, out, model)
    except (LongwatchError, LookupError, TypeError, ValueError, MemoryError):
        return 1
    return 0


if __name__ == "__main__":
    code = main()
    sys.stderr.flush()
    os._exit(code)
