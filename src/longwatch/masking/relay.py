"""In the masking child: what the RTSP client takes in, masked, on its way to the recorder. Imports PyAV.

Behaviour over time: the event loop takes in samples and only queues them; one thread works the queue off in order: decode, paint, encode,
write. So nothing overtakes, and a recorder that does not read holds the thread up and not the camera. A queue that grows
beyond its bounds ends the session: pictures that come too fast to be masked are not recorded.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Sequence
from typing import BinaryIO

from longwatch.base.errors import LongwatchError
from longwatch.formats.media import Kind, Loss, Sample, SenderReport, TrackFormat
from longwatch.masking import messages
from longwatch.model.areas import Area
from longwatch.model.sessions import Fault, StreamStatus
from longwatch.pictures.work import Output, Work
from longwatch.wire.frames import encode
from longwatch.wire.media import encode_format, encode_sample

MOST_BEHIND_US = 4_000_000
_MOST_WAITING = 2_000
_SUB_HEIGHT = 360
_LAST_WORDS_S = 0.3

TOO_SLOW = "this machine does not mask pictures as fast as the camera sends them"


def outputs_of(streams: Sequence[str]) -> tuple[Output, ...]:
    """What to make: `main` as it came, any other smaller, from the same masked picture."""
    return tuple(Output(name, None if name == "main" else _SUB_HEIGHT) for name in streams)


class Relay:
    """A StreamSink, called on the event loop, and the thread that works off what it queued.

    failed: called, from either, with what made it impossible to go on.
    """

    def __init__(
        self,
        areas: Sequence[Area],
        streams: Sequence[str],
        out: BinaryIO,
        *,
        failed: Callable[[str], None],
        now_us: int,
    ) -> None:
        self._work = Work(areas, outputs_of(streams))
        self._streams = tuple(streams)
        self._out = out
        self._failed = failed
        self._queue: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._writing = threading.Lock()
        self._thread = threading.Thread(target=self._serve, name="masking", daemon=True)
        self._done_us = now_us
        self._tracks: tuple[TrackFormat, ...] = ()
        self._video = 0
        self._generations = dict.fromkeys(streams, 0)
        self._videos: dict[str, TrackFormat] = {}

    def start(self) -> None:
        """Start the thread: before the limits, which allow none."""
        self._thread.start()

    # ---- StreamSink: on the event loop ------------------------------------------------------------------------------

    def opened(self, tracks: tuple[TrackFormat, ...]) -> None:
        """A session begins."""
        self._put(lambda: self._begin(tracks))

    def formats_changed(self, tracks: tuple[TrackFormat, ...]) -> None:
        """Other parameters."""
        self._put(lambda: self._begin(tracks))

    def samples(self, batch: Sequence[Sample]) -> None:
        """Queue them; too many are the end."""
        taken = list(batch)
        self._put(lambda: self._samples(taken))
        first = taken[0].arrival_boot_us if taken else 0
        if self._queue.qsize() > _MOST_WAITING or (self._queue.qsize() > 1 and first - self._done_us > MOST_BEHIND_US):
            self._failed(TOO_SLOW)

    def lost(self, loss: Loss) -> None:
        """Packets never came."""
        self._put(lambda: self._write(messages.encode_loss(loss)))

    def sender_report(self, report: SenderReport) -> None:
        """The camera's own clock."""
        self._put(lambda: self._write(messages.encode_report(report)))

    def closed(self, fault: Fault | None, detail: str) -> None:
        """The session is over."""
        self._put(lambda: self._write(messages.encode_closed(fault, detail)))

    def status(self, status: StreamStatus) -> None:
        """What the source does."""
        self._put(lambda: self._write(messages.encode_state(status)))

    def beat(self) -> None:
        """Both the loop and the thread work."""
        self._put(lambda: self._write(encode({"type": "beat"})))

    def _put(self, step: Callable[[], None]) -> None:
        self._queue.put(step)

    # ---- the thread -------------------------------------------------------------------------------------------------

    def _serve(self) -> None:
        while True:
            step = self._queue.get()
            try:
                step()
            except (OSError, LongwatchError) as error:
                self._failed(str(error))
                return
            except Exception as error:  # noqa: BLE001  the boundary: whatever libav says ends this child, and is said
                self._failed(f"{type(error).__name__}: {error}")
                return

    def _begin(self, tracks: tuple[TrackFormat, ...]) -> None:
        self._tracks = tracks
        self._video = next((n for n, track in enumerate(tracks) if track.kind is Kind.VIDEO), 0)
        self._videos = {}
        self._work.begin(tracks[self._video])

    def _samples(self, batch: Sequence[Sample]) -> None:
        for sample in batch:
            if sample.track != self._video:
                if sample.track < len(self._tracks) and self._tracks[sample.track].kind is Kind.AUDIO:
                    self._pass_on(sample)
                continue  # a second picture, or what a camera says of the first, would tell what is hidden
            for made in self._work.take(sample):
                if made.format is not None:
                    self._announce(made.output, made.format)
                made.sample.track = self._video
                self._write(encode_sample(("", made.output), self._generations[made.output], made.sample))
            self._done_us = sample.arrival_boot_us

    def _announce(self, stream: str, video: TrackFormat) -> None:
        self._videos[stream] = video
        self._generations[stream] += 1
        tracks = tuple(video if n == self._video else track for n, track in enumerate(self._tracks))
        self._write(encode_format(("", stream), self._generations[stream], tracks))

    def _pass_on(self, sample: Sample) -> None:
        """Sound, as it came, once there are pictures."""
        for stream in self._videos:
            self._write(encode_sample(("", stream), self._generations[stream], sample))

    def _write(self, data: bytes) -> None:
        with self._writing:
            self._out.write(data)
            self._out.flush()

    def last_words(self, why: str) -> None:
        """Say why it cannot go on, where the thread does not hang in a write."""
        if self._writing.acquire(timeout=_LAST_WORDS_S):
            self._out.write(messages.encode_failed(why))
            self._out.flush()
            self._writing.release()
