"""A camera's stream for ever: attempts, and the waits between them."""

from __future__ import annotations

import asyncio
import random

import structlog

from longwatch.base.clock import Clock
from longwatch.base.tasks import Tasks
from longwatch.ingest.backoff import Backoff
from longwatch.ingest.bounds import SHORT_SESSION_US, Bounds
from longwatch.ingest.camera_url import CameraUrl
from longwatch.ingest.frozen import Mark
from longwatch.ingest.options import Options
from longwatch.ingest.outcome import Outcome
from longwatch.ingest.session import Session
from longwatch.ingest.thermal_stills import StillSource
from longwatch.model.sessions import Activity, Fault, StreamSink, StreamStatus

_log = structlog.get_logger(__name__)


class RtspSource:
    """One stream of one camera (model.sessions.SampleSource). One task runs it; `try_now` and `hurry` may be called at any
    time on the same loop. New settings make a new source.
    """

    def __init__(self, url: CameraUrl, options: Options, clock: Clock, stills: StillSource | None = None) -> None:
        """stills: what is fetched beside the video, and recorded with it."""
        self._url = url
        self._stills = stills
        self._options = options
        self._clock = clock
        self._backoff = Backoff(random.random)
        self._bounds = Bounds()
        self._last: Outcome | None = None
        self._wake = asyncio.Event()
        self._unfinished = ""
        self._mark: Mark | None = None
        self._status: StreamStatus | None = None
        self._server = ""
        self._session: Session | None = None
        self._hurried = False

    def hurry(self, on: bool) -> None:
        """Whether somebody watches: then packets are taken in on every beat (`ingest.polling`)."""
        self._hurried = on
        if self._session is not None:
            self._session.hurry(on)

    def try_now(self) -> None:
        """Do not wait for the next attempt, and count failures from the beginning."""
        self._backoff.reset()
        self._wake.set()

    async def run(self, sink: StreamSink) -> None:
        """For ever. Ends only by cancellation."""
        try:
            while True:
                began_us = self._clock.boottime_us()
                outcome = await self._attempt(sink)
                now_us = self._clock.boottime_us()
                wait_s = max(
                    self._backoff.after(outcome, (now_us - began_us) / 1e6),
                    self._restless_s(outcome, now_us - began_us, now_us),
                )
                next_us = now_us + int(wait_s * 1e6)
                self._say(sink, Activity.WAITING, outcome.fault, outcome.detail, next_us)
                await self._wait(wait_s)
        finally:
            self._say(sink, Activity.STOPPED, None, "stopped")

    async def run_once(self, sink: StreamSink) -> None:
        """One attempt."""
        outcome = await self._attempt(sink)
        self._say(sink, Activity.STOPPED, outcome.fault, outcome.detail)

    def _restless_s(self, outcome: Outcome, lasted_us: int, now_us: int) -> float:
        """How long a camera that begins and ends all the time, or fails each time otherwise, has to wait; 0 for others."""
        last, self._last = self._last, outcome
        if outcome.streamed:
            restless = lasted_us < SHORT_SESSION_US
        else:
            restless = last is not None and not last.streamed and last.fault is not outcome.fault
        return self._bounds.restarts.take_one_s(now_us) if restless else 0.0

    async def _attempt(self, sink: StreamSink) -> Outcome:
        last = self._status
        fault, detail = (last.fault, last.detail) if last is not None else (None, "")
        self._wake.clear()
        self._say(sink, Activity.CONNECTING, fault, detail)

        def changed(fault: Fault | None, detail: str) -> None:
            self._server = session.server
            if fault is None:
                self._backoff.reset()
            self._say(sink, Activity.STREAMING if fault is None else Activity.WAITING, fault, detail)

        session = Session(
            self._url,
            self._options,
            self._clock,
            sink,
            changed=changed,
            unfinished=self._unfinished,
            mark=self._mark,
            bounds=self._bounds,
            stills=self._stills,
        )
        session.hurry(self._hurried)
        self._session = session
        try:
            outcome = await session.run()
        except Exception as error:  # noqa: BLE001  named boundary: a fault of ours in one attempt is not the end of the stream
            _log.error("an attempt failed inside", camera=self._url.origin, error=repr(error), exc_info=error)
            outcome = Outcome(Fault.UNUSABLE, f"internal error: {type(error).__name__}", session.streamed)
        finally:
            self._session = None
        if outcome.fault is not Fault.UNREACHABLE:
            self._unfinished = outcome.unfinished
        self._mark = session.mark
        self._server = outcome.server or self._server
        said = outcome.fault is fault and outcome.detail == detail
        write = _log.debug if said else _log.info
        write("session ended", camera=self._url.origin, fault=str(outcome.fault or ""), detail=outcome.detail)
        return outcome

    async def _wait(self, seconds: float) -> None:
        tasks = Tasks("wait")
        try:
            sleep = tasks.start("sleep", self._clock.sleep(seconds))
            wake = tasks.start("wake", self._wake.wait())
            await asyncio.wait({sleep, wake}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await tasks.aclose()

    def _say(
        self, sink: StreamSink, activity: Activity, fault: Fault | None, detail: str, next_us: int | None = None
    ) -> None:
        """Since when: of the same trouble, through all its attempts."""
        since_us = self._clock.boottime_us()
        last = self._status
        if last is not None and fault is not None and last.fault is fault:
            since_us = last.since_boot_us
        self._status = StreamStatus(activity, since_us, fault, detail, next_us, self._backoff.failures, self._server)
        sink.status(self._status)
