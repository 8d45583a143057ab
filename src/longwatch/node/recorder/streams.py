"""One stream in the recorder: its source, its recorder, its account, and the task that runs the source."""

from __future__ import annotations

import asyncio
from typing import Any

import structlog

from longwatch.accounting import Known, PowerPlan, Schedule, StreamAccount
from longwatch.archive import Volume
from longwatch.base.clock import Clock
from longwatch.base.tasks import Tasks, ended
from longwatch.causes import CAUSE_OF_FAULT
from longwatch.ingest import RtspSource
from longwatch.masking import Masking
from longwatch.model.causes import Cause, Pause
from longwatch.model.sessions import Activity, SampleSource, StreamKey, StreamStatus
from longwatch.model.stores import Provenance
from longwatch.model.surroundings import UNKNOWN, SurroundingsSource
from longwatch.node.recorder.options import StreamOptions
from longwatch.node.recorder.thermal_stills import FetchedStills
from longwatch.node.recorder.unasked import Unasked
from longwatch.recording import HostTime, StreamRecorder

REMOVED = "not in the settings"
PAUSED = "paused"
_OF_A_START = frozenset({Cause.POST_STOPPED, Cause.RECORDER_FAILED, Cause.POST_POWER_LOST})
_RATE_OVER_US = 2_000_000
_VOUCHES_FOR_US = 60_000_000
_VOUCHES_WITHIN_US = 3_600_000_000
_PARTING_S = 5.0
"""For a source to part from its camera: two seconds at most where a masking child has to be killed."""
_log = structlog.get_logger(__name__)


class StreamUnit:
    """Owner of its state: the recorder's loop. options: None once the stream is in the settings no more. pause: what an operator
    asked for; it ends by itself where it has an end. power_plan: when the camera has power.
    """

    def __init__(
        self,
        key: StreamKey,
        recorder: StreamRecorder,
        account: StreamAccount,
        volume: Volume,
        tasks: Tasks,
        clock: Clock,
        masking: Masking | None = None,
    ) -> None:
        self.key = key
        self.recorder = recorder
        self.account = account
        self.volume = volume
        self.options: StreamOptions | None = None
        self.schedule: Schedule | None = None
        self.power_plan: PowerPlan | None = None
        self.pause: Pause | None = None
        self.durable_to_us: int | None = None
        self.durable_boot_us = 0
        self._tasks = tasks
        self._clock = clock
        self._masking = masking
        self._source: SampleSource | None = None
        self._task: asyncio.Task[None] | None = None
        self._rate = (0, 0, 0)
        recorder.live.on_watched = self._watched

    def not_planned(self, wall_us: int) -> str:
        """Why the stream is not to be recorded at this moment; "" where it is."""
        if self.schedule is None:
            return REMOVED
        return self.schedule.not_planned(wall_us) or (PAUSED if self.paused(wall_us) else "")

    def paused(self, wall_us: int) -> Pause | None:
        """The pause that keeps it from being recorded at this moment; None where nothing does, or the schedule does."""
        if self.pause is None or self.schedule is None or not self.pause.holds(wall_us):
            return None
        return None if self.schedule.not_planned(wall_us) else self.pause

    def known(self, wall_us: int, boot_us: int, around: SurroundingsSource | None) -> Known:
        """What is known beside the stream's own session, while its video is missing."""
        return Known(
            boot_us,
            UNKNOWN if around is None else around.of(self.key.camera),
            "" if self.power_plan is None else self.power_plan.asleep(wall_us),
            self.paused(wall_us),
            self.durable_to_us,
        )

    @property
    def status(self) -> StreamStatus | None:
        """What the source said last of itself; None before its first word."""
        return self.recorder.last_status

    def begin(self, options: StreamOptions) -> None:
        """Run a source for ever; the one before has to be ended."""
        self.options = options
        if self.pause is not None and self.pause.cause is Cause.PRIVACY_PAUSE:
            return  # it begins when the pause is over
        self.recorder.audio = options.ingest.audio
        self._source = self._source_of(options)
        self._source.hurry(self.recorder.live.watched)
        self._task = self._tasks.start(f"{self.key.camera}/{self.key.stream}", self._source.run(self.recorder))

    def _source_of(self, options: StreamOptions) -> SampleSource:
        """The camera itself; or, where it has masks, the child that stands in front of it. Nothing else ever reaches the recorder. Nobody, where its
        secret is missing.
        """
        if options.lacking:
            return Unasked(options.lacking, self._clock)
        if options.masked is None:
            stills = None if options.stills is None else FetchedStills(options.stills)
            return RtspSource(options.url, options.ingest, self._clock, stills)
        assert self._masking is not None
        return self._masking.source(options.masked, self.key.stream)

    def _watched(self, on: bool) -> None:
        if self._source is not None:
            self._source.hurry(on)

    async def end(self) -> None:
        """End the source and its session."""
        task, self._task, self._source = self._task, None, None
        if task is not None:
            await ended([task], _PARTING_S)

    async def use_pause(self, pause: Pause | None) -> None:
        """From now on paused so, or not at all. A pause for privacy ends the session; after it a new one is begun."""
        self.pause = pause
        if pause is not None and pause.cause is Cause.PRIVACY_PAUSE:
            await self.end()
        elif self._task is None and self.options is not None:
            self.begin(self.options)

    def try_now(self) -> None:
        """Do not wait for the next attempt."""
        if self._source is not None:
            self._source.try_now()

    @property
    def died(self) -> bool:
        """Whether the source's task ended though nobody ended it."""
        return self._task is not None and self._task.done()

    def agrees_with(self, host: HostTime, boot_us: int) -> bool:
        """Whether the camera's own clock, read from its sender reports, vouches for the host's time now."""
        if self.durable_to_us is None or boot_us - self.durable_boot_us > _VOUCHES_FOR_US:
            return False
        apart_us = abs(self.durable_to_us - host.wall_us(self.durable_boot_us))
        return self.account.provenance is Provenance.RTCP and apart_us < _VOUCHES_WITHIN_US

    def _bitrate(self, boot_us: int) -> int:
        """Bits a second over the last seconds, measured between the questions for it."""
        at_us, total, rate = self._rate
        if boot_us - at_us >= _RATE_OVER_US:
            rate = (self.recorder.bytes_in - total) * 8_000_000 // (boot_us - at_us) if at_us else 0
            self._rate = (boot_us, self.recorder.bytes_in, rate)
        return rate

    @property
    def cause(self) -> str | None:
        """Why it is not recorded now: the open gap's cause; before the first session what the first attempt said, and nothing
        while that is on its way (how the process before this one ended is no state of this one).
        """
        gap, status = self.account.gap, self.status
        if gap is None or (self.account.starting and gap[0] in _OF_A_START):
            fault = status.fault if status is not None and status.activity is not Activity.STREAMING else None
            return str(CAUSE_OF_FAULT[fault]) if fault is not None and self.account.starting else None
        return str(gap[0])

    def _told_pause(self, wall_us: int) -> dict[str, Any] | None:
        """Also while the schedule would not have it recorded anyway."""
        pause = self.pause
        if pause is None or not pause.holds(wall_us):
            return None
        return {"kind": str(pause.cause), "since_us": pause.since_us, "until_us": pause.until_us}

    def describe(self, host: HostTime, boot_us: int) -> dict[str, Any]:
        """The stream's part of the answer to `status` (docs/design/socket.md)."""
        status, gap = self.status, self.account.gap
        wall_us = host.wall_us(boot_us)
        rate = self._bitrate(boot_us)
        tracks = [
            {
                "codec": str(t.codec), "kind": str(t.kind), "width": t.width, "height": t.height, "fps": t.fps,
                "bitrate": rate if n == 0 else None,
            }
            for n, t in enumerate(self.recorder.tracks)
        ]  # fmt: skip
        next_us = status.next_attempt_boot_us if status is not None else None
        return {
            "camera": self.key.camera,
            "stream": self.key.stream,
            "activity": str(status.activity if status is not None else Activity.CONNECTING),
            "fault": str(status.fault) if status is not None and status.fault is not None else None,
            "detail": status.detail if status is not None else "",
            "server": status.server if status is not None else "",
            "attempt": status.attempt if status is not None else 0,
            "since_wall_us": gap[1] if gap is not None else host.wall_us(status.since_boot_us) if status else None,
            "next_attempt_wall_us": None if next_us is None else host.wall_us(next_us),
            "planned": not self.not_planned(wall_us),
            "pause": self._told_pause(wall_us),
            "recording": gap is None and boot_us - self.durable_boot_us < 5_000_000 and self.durable_to_us is not None,
            "cause": self.cause,
            "acked_wall_us": self.durable_to_us,
            "dropped_bytes": self.recorder.dropped_bytes,
            "tracks": tracks,
        }
