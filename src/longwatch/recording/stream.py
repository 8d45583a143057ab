"""One stream from samples to runs, segments and fragments, and what of its time is covered.

Behaviour over time: between ticks what a source delivers is only kept (`intake`). The tick works it off. The last video sample is held back until the next one tells its duration, or until it is
HOLD_US old. A sample covers up to the next one in its run, at most max(1 s, 3 x the median interval of the last 32);
beyond that video is missing from its end on. A run ends with its session, with a step of the host's clock, or where
media time cannot be placed any more; the next one begins with a sync sample, and until that comes the old one goes on,
so that nothing is lost by it. What the buffer cannot hold is dropped up to the next sync sample, and said.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence

from longwatch.archive.ops import RunEnd, RunStart
from longwatch.causes import Evidence
from longwatch.formats.media import Codec, Kind, Loss, Sample, SenderReport, TrackFormat
from longwatch.model.causes import Cause, Pause
from longwatch.model.sessions import Fault, StreamKey
from longwatch.model.stores import Provenance
from longwatch.recording.audio import AudioLine
from longwatch.recording.host_time import HostTime
from longwatch.recording.intake import Closed, Dropped, FormatsChanged, Intake, Opened, video_of
from longwatch.recording.live_tap import LiveTap
from longwatch.recording.moments import MomentLine
from longwatch.recording.options import Budget, Options
from longwatch.recording.placement import CameraClock, Placer, us_of_90k
from longwatch.recording.runs import Collected, Run, Stretch
from longwatch.recording.segments import OpenSegment, RunIdentity

SECOND_90K = 90_000
MEDIAN_OF = 32
HOLD_US = 250_000
GRACE_US = 600_000
SILENT_US = 2_000_000  # without a sample: a sync sample to seal at is not waited for
AHEAD_US = 3_000_000  # a sample placed further in the future than this has a media time that jumped
MAX_RUN_90K = 7 * 86_400 * SECOND_90K  # a run begins anew once a week
_AFTER_STALL_US = 10_000_000  # of CLOCK_BOOTTIME after a stall of this process in which a hole may be its doing
_BUFFERED_US = 2_000_000  # what the kernel held back meanwhile is read within this


class StreamRecorder(Intake):
    """The StreamSink of one stream. Owner of its state: the recorder's loop; `collect` and `settled` are called by its tick.

    next_run: gives the number of a run. not_planned: why samples are not to be stored now ("": they are), with the pause where
    it is one; live goes on.
    storage_down: why no file can be begun where this stream is placed. audio: whether audio is stored.
    """

    def __init__(
        self,
        key: StreamKey,
        boot: str,
        options: Options,
        host: HostTime,
        next_run: Callable[[], int],
        buffer: Budget,
        live: LiveTap,
        *,
        audio: bool = True,
        now_boot_us: Callable[[], int],
    ) -> None:
        super().__init__(options, buffer, live, now_boot_us)
        self.key = key
        self.not_planned = ""
        self.pause: Pause | None = None
        self.storage_down: tuple[Cause, str] | None = None
        self.seal_wanted = False  # the open segment ends with the next sync sample, or where none comes
        self.stalled = (-_AFTER_STALL_US, -_AFTER_STALL_US)  # CLOCK_BOOTTIME, when this process last did not run
        self._boot = boot
        self._options = options
        self.segment_us = options.segment_us
        self._host = host
        self._next_run = next_run
        self.audio = audio
        self._video = 0  # as of the event that is worked off
        self._formats: tuple[TrackFormat, ...] = ()
        self._stored_formats: tuple[TrackFormat, ...] = ()
        self._file_tracks: dict[int, int] = {}
        self._camera_clock = CameraClock()
        self._shift_90k = 0
        self._held: Sample | None = None
        self._last_dts: int | None = None
        self._last_arrival_us = 0
        self._intervals: deque[int] = deque(maxlen=MEDIAN_OF)
        self._median = SECOND_90K // 25
        self._run: Run | None = None
        self._break: Evidence | None = None
        self._out = Collected()
        self._flying_tokens: frozenset[int] = frozenset()

    @property
    def has_open_segment(self) -> bool:
        """Whether a file is being written: then the stream stays on its volume."""
        return self._run is not None and self._run.segment is not None

    @property
    def open_token(self) -> int | None:
        """Which file is being written."""
        run = self._run
        return run.segment.token if run is not None and run.segment is not None else None

    # ---- the tick ---------------------------------------------------------------------------------------------------

    def collect(self, boot_us: int, *, final: bool = False) -> Collected:
        """Work off what came since the last tick. final: the recorder ends, seal what is open."""
        out = self._out = Collected()
        events = self.take_events()
        self._median_now()
        for n, event in enumerate(events):
            if type(event) is Sample:
                if event.track == self._video:
                    self._take_video(event, events, n)
                elif self._run is not None:
                    self._take_other(event)
            else:
                self._take_event(event)
        run = self._run
        if final and run is not None:
            self._end_run("the recorder stops", boot_us)
            self._break = Evidence(ended_by_us="the recorder was stopped")
        elif run is not None:
            self._end_tick(run, boot_us)
        self._say_missing(boot_us)
        self._flying_tokens = frozenset(out.tokens)
        return out

    def _take_event(self, event: object) -> None:
        if isinstance(event, Loss):
            if event.track == self._video and self._run is not None:
                self._run.lost_since += max(1, event.packets)
        elif isinstance(event, SenderReport):
            self._take_report(event)
        elif isinstance(event, Opened):
            self._camera_clock = CameraClock()
            self._shift_90k = 0
            self._last_dts = None
            self._take_tracks(event.tracks)
        elif isinstance(event, FormatsChanged):
            self._flush_held()
            if self._run is not None and self._run.segment is not None:
                self._seal(self._run)
            self._take_tracks(event.tracks)
        elif isinstance(event, Closed):
            self._end_run(event.detail or (str(event.fault) if event.fault else "ended"), event.boot_us)
            self._break = Evidence(fault=event.fault, detail=event.detail) if event.fault else Evidence(
                ended_by_us=event.detail or "the session was ended here"
            )  # fmt: skip
        elif isinstance(event, Dropped):
            self._flush_held()
            if self._run is not None:
                self._part(self._run, Evidence(dropped_bytes=max(1, event.size)))

    def _take_tracks(self, tracks: tuple[TrackFormat, ...]) -> None:
        """Which tracks are stored, and where: video first; audio unless told not to."""
        self._formats = tracks
        self._video = video_of(tracks)
        self._median_now()
        kept = [n for n, t in enumerate(tracks) if n != self._video and (self.audio or t.kind is not Kind.AUDIO)]
        self._file_tracks = {self._video: 0, **{track: n for n, track in enumerate(kept, 1)}}
        self._stored_formats = tuple(tracks[n] for n in (self._video, *kept))

    def _take_other(self, sample: Sample) -> None:
        """Audio or metadata, beside the video of a run that is being written."""
        run = self._run
        track = self._file_tracks.get(sample.track)
        if run is None or run.segment is None or track is None or track >= len(run.segment.tracks):
            return
        line = run.audio.get(sample.track)
        if line is None:
            format_ = self._formats[sample.track]
            kind = MomentLine if format_.codec is Codec.THERMAL_STILL else AudioLine
            line = run.audio[sample.track] = kind(format_.timescale, run.boot_us)
        stored = line.take(sample)
        if stored is not None:
            run.segment.other(track, stored)

    def _take_report(self, report: SenderReport) -> None:
        if report.track == self._video:
            self._camera_clock.report(report, self._shift_90k)
        elif self._run is not None:
            line = self._run.audio.get(report.track)
            if line is not None:
                line.report(report)

    # ---- video ------------------------------------------------------------------------------------------------------

    def _take_video(self, sample: Sample, events: Sequence[object], at: int) -> None:
        last = self._last_dts
        dts = sample.dts + self._shift_90k
        if last is not None:
            delta = dts - last
            if delta <= 0 or delta > SECOND_90K:
                dts = self._mend(dts, delta, sample)
                delta = dts - last
            self._flush_held(delta)
        run = self._run
        if self.not_planned:
            if run is not None:
                self._end_run(self.not_planned, sample.arrival_boot_us)
                self._break = Evidence(not_planned=self.not_planned, pause=self.pause)
        elif sample.sync and (run is None or run.ends_because or run.epoch != self._host.epoch):
            run = self._begin_run(dts, sample, events, at)
        run = self._run
        if run is not None:
            self._admit(run, sample, dts, last)
        self._last_dts = dts
        self._last_arrival_us = sample.arrival_boot_us

    def _admit(self, run: Run, sample: Sample, dts: int, last: int | None) -> None:
        """The sample belongs to the run: note what lies between it and the one before, and hold it back."""
        at_90k = dts - run.dts0
        run.placer.observe(at_90k, sample.arrival_boot_us)
        if last is not None and not run.fresh:
            delta = at_90k - run.last_90k
            self._intervals.append(delta)
            if run.lost_since and delta > self._median * 3 // 2:
                self._part(run, Evidence(lost_packets=run.lost_since), run.last_90k + self._median)
            elif delta > self._limit_90k():
                self._part(run, self._silence(run, sample.arrival_boot_us), run.last_90k + self._limit_90k())
        run.lost_since = 0
        segment = run.segment
        if sample.sync and segment is not None:
            long = us_of_90k(at_90k - segment.start_90k) >= self.segment_us
            if long or self.seal_wanted:
                self._seal(run)
                segment = None
        if segment is None:
            if not sample.sync or self.storage_down is not None:
                return
            segment = run.segment = OpenSegment(run.identity, run.sequence, at_90k, self._stored_formats, self._options)
            run.sequence += 1
            for line in run.audio.values():
                line.realign()
        if run.begins and run.span_from_us == 0:
            run.span_from_us = run.said_to_us = run.placer.wall_us(at_90k)
            run.span_provenance = run.placer.provenance
        run.fresh = False
        run.last_90k = at_90k
        self._held = sample

    def _mend(self, dts: int, delta: int, sample: Sample) -> int:
        """A media time that went back, or leapt into the future, is bridged by arrival: nothing is lost by it."""
        run, last = self._run, self._last_dts
        assert last is not None
        elapsed_us = max(0, sample.arrival_boot_us - self._last_arrival_us)
        ahead = delta > 0 and us_of_90k(delta) > elapsed_us + AHEAD_US
        if run is not None and delta > 0:
            least = run.placer.least_delay_us()
            ahead = least is not None and least + us_of_90k(dts - run.dts0) > sample.arrival_boot_us + AHEAD_US
        if delta > 0 and not ahead:
            return dts
        mended = last + max(self._median, elapsed_us * 9 // 100)
        self._shift_90k += mended - dts
        self._camera_clock = CameraClock()
        return mended

    def _flush_held(self, delta: int | None = None) -> None:
        """Store the sample that was held back; delta: to the next one, None where that is not known."""
        held, run = self._held, self._run
        if held is None:
            return
        self._held = None
        assert run is not None
        segment = run.segment
        if segment is None:
            return
        duration = self._median if delta is None else delta
        if duration > self._limit_90k() or (run.lost_since and duration > self._median * 3 // 2):
            duration = self._median if run.lost_since else self._limit_90k()
        segment.video(
            (run.last_90k, held.cts_offset, duration, held.sync, held.data, held.damaged), held.arrival_boot_us
        )  # fmt: skip
        run.video_end_90k = run.last_90k + duration

    def _limit_90k(self) -> int:
        return max(SECOND_90K, 3 * self._median)

    def _median_now(self) -> None:
        """Of the last 32 intervals; worked out once a tick."""
        if len(self._intervals) >= 3:
            self._median = max(1, sorted(self._intervals)[len(self._intervals) // 2])
        elif self._formats and (fps := self._formats[self._video].fps):
            self._median = max(1, round(SECOND_90K / max(fps, 0.1)))

    def _silence(self, run: Run, boot_us: int) -> Evidence:
        """Why there is a hole in what came, up to boot_us. What went by while this process did not run is not the camera's."""
        if run.lost_since:
            return Evidence(lost_packets=run.lost_since)
        from_us, to_us = self.stalled
        if boot_us - to_us <= _AFTER_STALL_US and self._last_arrival_us - to_us <= _BUFFERED_US:
            said = f"the recorder did not run for {(to_us - from_us) / 1e6:.1f} s: the host was suspended or overloaded"
            return Evidence(failure=said)
        return Evidence(fault=Fault.SILENT, detail="no video came, and the session went on")

    # ---- runs and spans ---------------------------------------------------------------------------------------------

    def _begin_run(self, dts: int, sample: Sample, events: Sequence[object], at: int) -> Run:
        old = self._run
        self._flush_held()
        least_us = self._least_at(sample, events, at)
        camera_us = self._camera_clock.wall_minus_media_us(self._host)
        if camera_us is not None:
            wall_us, provenance = camera_us + us_of_90k(dts), Provenance.RTCP
        else:
            wall_us, provenance = self._host.wall_us(least_us), self._host.provenance
        if old is not None:
            believed_anew = (old.placer.provenance is Provenance.RTCP) != (provenance is Provenance.RTCP)
            last_end_us = old.placer.wall_us(max(old.video_end_90k, old.last_90k))
            if old.epoch != self._host.epoch or believed_anew:
                self._break = Evidence(clock_step_us=wall_us - last_end_us)
            else:
                self._break = Evidence(timestamps=old.ends_because)
            why = self._break
            self._end_run(old.ends_because or "the host's clock was set", sample.arrival_boot_us)
            self._break = why
        number = self._next_run()
        placer = Placer(wall_us, provenance)
        run = Run(RunIdentity(self.key, self._boot, number, placer), placer, dts, self._host.epoch, least_us)
        run.before = self._break
        self._break = None
        self._out.index.append(RunStart(self.key, number, least_us, wall_us, provenance))
        self._run = run
        return run

    @staticmethod
    def _least_at(sample: Sample, events: Sequence[object], at: int) -> int:
        """CLOCK_BOOTTIME of a run's first sample, as the quickest of those that came with it say; up to a leap of media time."""
        least_us, last_dts = sample.arrival_boot_us, sample.dts
        for event in events[at + 1 :]:
            if type(event) is not Sample:
                break
            if event.track == sample.track:
                if not 0 < event.dts - last_dts <= SECOND_90K:
                    break
                last_dts = event.dts
                least_us = min(least_us, event.arrival_boot_us - us_of_90k(last_dts - sample.dts))
        return least_us

    def _end_run(self, why: str, boot_us: int) -> None:
        run = self._run
        if run is None:
            return
        self._flush_held()
        if run.segment is not None:
            self._seal(run)
        self._say_covered(run, run.video_end_90k)
        self._out.index.append(RunEnd(run.identity.number, boot_us, why))
        self._run = None

    def _part(self, run: Run, why: Evidence, at_90k: int | None = None) -> None:
        """Video is missing from at_90k on: the span ends there, the next sample begins another."""
        end_90k = run.video_end_90k if at_90k is None else at_90k
        self._say_covered(run, end_90k, parts=bool(why.lost_packets))
        run.begins = run.fresh = True
        run.span_from_us = 0
        run.before = why
        if why.dropped_bytes and run.segment is not None:
            self._seal(run)

    def _say_covered(self, run: Run, to_90k: int, *, parts: bool = False) -> None:
        """What was stored covers up to here: a stretch for the accounting. parts: and no further, whatever was said."""
        to_us = run.placer.wall_us(to_90k)
        if run.span_from_us == 0 or to_us <= run.span_from_us:
            return
        if not run.begins and not parts:
            to_us = max(to_us, run.said_to_us)
        self._out.stretches.append(
            Stretch(run.identity.number, run.span_from_us, to_us, run.span_provenance, run.begins, run.before)
        )
        run.said_to_us = to_us
        run.begins = False
        run.before = None
        self._out.covered_to_us = to_us

    def _seal(self, run: Run) -> None:
        segment = run.segment
        assert segment is not None
        self._out.tokens.add(segment.token)
        segment.seal(self._out.media.append)
        run.segment = None
        self.seal_wanted = False

    def _end_tick(self, run: Run, boot_us: int) -> None:
        """Close the fragment, follow the clock, and say how far video covers."""
        if self._held is not None and boot_us - self._held.arrival_boot_us > HOLD_US:
            self._flush_held()
        if run.segment is not None:
            self._out.tokens.add(run.segment.token)
            run.segment.cut(self._out.media.append)
            if self.seal_wanted and boot_us - self._last_arrival_us > SILENT_US:
                self._seal(run)
        self._say_covered(run, self._covered_90k(run, boot_us))
        if run.epoch != self._host.epoch or run.ends_because:
            return
        camera_us = self._camera_clock.wall_minus_media_us(self._host)
        said_90k = max(run.video_end_90k, run.last_90k, self._covered_90k(run, boot_us))
        made = run.placer.adjust(
            run.identity.number, said_90k, self._host, None if camera_us is None else camera_us + us_of_90k(run.dts0)
        )
        if isinstance(made, str):
            run.ends_because = made
            self._camera_clock.distrusted += camera_us is not None
        elif made is not None:
            self._out.index.append(made)
            self._new_provenance(run)
        if said_90k > MAX_RUN_90K:
            run.ends_because = "a week"

    def _covered_90k(self, run: Run, boot_us: int) -> int:
        """How far in the run's media time stored video covers now."""
        if self._held is not None or run.segment is None or run.lost_since:
            return run.video_end_90k
        least_us = run.placer.least_delay_us()
        now_90k = run.last_90k if least_us is None else (boot_us - least_us) * 9 // 100
        return max(run.video_end_90k, min(now_90k, run.last_90k + self._limit_90k()))

    def _new_provenance(self, run: Run) -> None:
        """A better (or worse) word for the time: the span goes on as another, without a gap between."""
        if run.placer.provenance != run.span_provenance and not run.begins:
            run.span_from_us = run.said_to_us
            run.span_provenance = run.placer.provenance
            run.begins = True

    def _say_missing(self, boot_us: int) -> None:
        """Whether video is missing now, and what speaks for why."""
        run, out = self._run, self._out
        if self.storage_down is not None and (run is None or run.segment is None) and not self.not_planned:
            out.missing = Evidence(storage=self.storage_down[0], storage_detail=self.storage_down[1])
            return
        if run is None:
            resting = Evidence(not_planned=self.not_planned, pause=self.pause) if self.not_planned else None
            out.missing = resting or self._break or Evidence()
            return
        if run.begins and run.before is not None and run.span_from_us == 0:
            out.missing = run.before
            return
        since_us = boot_us - self._last_arrival_us
        patience_us = 0 if run.lost_since else us_of_90k(self._limit_90k())
        if since_us > patience_us + GRACE_US and self._held is None:
            out.missing = self._silence(run, boot_us)

    def abandon(self, why: str) -> None:
        """An error of ours at this stream: what it holds is given up, and its next sync sample begins a run. The archive seals
        the file that is left open when it starts next.
        """
        self.take_events()
        self._out = Collected()
        self._flying_tokens = frozenset()
        self._held = self._run = self._last_dts = None
        self._break = Evidence(failure=why)

    def settled(self, failed: frozenset[int], cause: Cause | None, detail: str) -> bool:
        """The tick is over. failed: tokens whose media is abandoned. Answers whether any was ours."""
        self.give_back()
        ours = bool(self._flying_tokens & failed) or (
            self._run is not None and self._run.segment is not None and self._run.segment.token in failed
        )
        if not ours:
            return False
        why = Evidence(storage=cause or Cause.STORAGE_FAILED, storage_detail=detail)
        run = self._run
        if run is not None:
            self._held = None
            run.segment = None
            run.begins = run.fresh = True
            run.span_from_us = 0
            run.before = why
            run.said_to_us = 0
        else:
            self._break = why
        return True
