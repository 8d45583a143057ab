"""One camera's stream on its way to be looked at: what the gate says of each sample, what waits, and up to when it was looked at. Pure.

Sizes of all samples come in; the bytes of sync samples now and then, and of all samples once they are asked for (`wants_whole`). Out go `Job`s for a child.
What waits is bounded: what does not fit is dropped from the oldest on, counted, and makes a hole in what was looked at.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from longwatch.detection.gate import Gate, GateOptions, Why
from longwatch.detection.repeats import Repeats
from longwatch.detection.scheduling import Level
from longwatch.wire.looking import Row

MOST_WAITING_BYTES = 12 << 20
MOST_SPANS = 64
_JOB_SAMPLES = 75
_JOB_BYTES = 2 << 20
_JUMP_US = 5_000_000
_STEP_US = 250_000
"""The wall clock was set where it moves so far against CLOCK_BOOTTIME from one frame to the next."""
_LEAST_SPAN_US = 1_000_000
_UNSEEN_US = 60_000_000
"""Sizes alone are believed no longer: a camera whose sync samples never come, or never whole, was not looked at."""
_TELLS_LATE_US = 500_000
"""Sizes are smoothed: what opens the gate so soon after a sync sample may have begun in the group before, and with a car that crosses in a second there is no other."""
_SPARED_US = 1_400_000
"""While what moves is only followed, so much of the end of each group is not decoded; of short groups all but the sync sample. Looks that are further apart would no longer count as close ones
(`looker.PASSED_S`), and who goes away, small and slow, is not found again."""
_EVEN = 4
"""A group whose length differs by more than a fourth from what is usual says that the end of the next is not known."""
_EARLIER_US = 2_000_000
"""Before the gate opened: what is older is decoded, since what follows builds on it, and not looked at. Sizes are averaged over 1.5 s at most."""
_GLANCED_EARLIER_US = 800_000
"""The same for a glance, which is taken at less, and so sooner."""
_LONG_US = 2_500_000
"""Groups of pictures that last so long are decoded exactly; not where the stream began anew: what it sends is held against sync samples that were kept, and those were decoded alone."""
_COARSE_EACH_US = 90_000
"""The quantizer is read about ten times a second: it follows a rate control, and reading it is the dearest thing here."""
_REST_US = (0, 5_000_000, 15_000_000, 60_000_000, 300_000_000)
_SOUND_AFTER_US = 60_000_000


class Piece(NamedTuple):
    """Samples one after another, with their bytes. fresh: it begins with a sync sample, or with what needs none. times: of CLOCK_BOOTTIME. came_us: when it came here, as far as that is known. vectors: each is asked by itself for its motion vectors."""

    rows: Sequence[Row]
    data: bytes
    fresh: bool
    whole_group: bool
    came_us: int
    vectors: bool = False

    @property
    def first_us(self) -> int:
        return self.rows[0].arrival_us

    @property
    def last_us(self) -> int:
        return self.rows[-1].arrival_us


@dataclass(frozen=True, slots=True)
class Job:
    """What a child is to decode and look at. fresh: forget what was decoded before. single: nothing follows that builds on it.
    fps: pictures a second that are looked at. offset_us: from the samples' times to wall time. again: what the stream sends now it has sent before, to the byte.
    from_us: of the samples' times; of what is older sync samples alone are looked at. anew: the stream has just begun anew. exact: so many pictures build on each other that what is cheap to decode would stray. vectors: nothing is looked at: each sample is asked by itself for its motion vectors.
    """

    rows: Sequence[Row]
    data: bytes
    fresh: bool
    single: bool
    fps: float
    offset_us: int
    again: bool = False
    from_us: int = 0
    anew: bool = False
    exact: bool = False
    vectors: bool = False


@dataclass(slots=True)
class Counts:
    """Since it is watched. told: samples whose size was seen. pictures: that were looked at. vectors_asked: that were asked for their motion vectors. skipped: samples that the gate would have had looked at. failed:
    samples that could not be decoded. missed: samples that the recorder had to drop on the way here. deaths: of children with its job. objects_asked, objects_skipped: crops that the model for objects was asked
    about, and those that were due and for which there was no room.
    """

    told: int = 0
    vectors_asked: int = 0
    pictures: int = 0
    decoded: int = 0
    skipped: int = 0
    failed: int = 0
    missed: int = 0
    deaths: int = 0
    cpu_us: int = 0
    open_us: int = 0
    closed_us: int = 0
    objects_asked: int = 0
    objects_skipped: int = 0


@dataclass(slots=True)
class Spans:
    """What was looked at, as spans of wall time without holes, the newest last."""

    items: deque[tuple[int, int]] = field(default_factory=lambda: deque(maxlen=MOST_SPANS))
    open_from_us: int | None = None
    until_us: int = 0

    def reach(self, until_us: int) -> None:
        """It was looked at up to here. What lies before the last hole stays there: work may still wait that is older."""
        if self.open_from_us is None:
            self.open_from_us = self.until_us = until_us
        else:
            self.until_us = max(self.until_us, until_us)

    def hole(self, to_us: int) -> None:
        """From where it is up to here it was not. Holes that overlap are one."""
        self.anew(max(to_us, self.until_us))

    def anew(self, from_us: int) -> None:
        """The wall clock was set: what is looked at from now on begins here, which may be earlier."""
        if self.open_from_us is not None and self.until_us - self.open_from_us >= _LEAST_SPAN_US:
            self.items.append((self.open_from_us, self.until_us))
        self.open_from_us, self.until_us = from_us, from_us

    def all(self) -> tuple[tuple[int, int], ...]:
        """With the one that grows."""
        if self.open_from_us is None or self.until_us <= self.open_from_us:
            return tuple(self.items)
        return (*self.items, (self.open_from_us, self.until_us))


class StreamWatch:
    """Owner of its state. level: how closely it is looked at, as the scheduler says. coarse: reads the quantizer from the head of a slice. has_vectors: motion vectors can be had of its pictures."""

    def __init__(self, fps: float, gate: Gate | None = None, options: GateOptions | None = None) -> None:
        self.gate = gate or Gate(options)
        self.fps = fps
        self.level = Level.ALL
        self.repeats = Repeats()
        self.coarse: Callable[[bytes], int | None] | None = None
        self.has_vectors = False
        self.counts = Counts()
        self.spans = Spans()
        self._queue: deque[Piece] = deque()
        self._queued_bytes = 0
        self._job: Job | None = None
        self._chain = False  # whether the next sample builds on what is queued or was decoded
        self._needs_fresh = True  # of the child: whether it lost what it had decoded
        self._group_from_us = 0
        self._before_us = 0  # where the group before it began
        self._reach_us = 0  # from where on pictures are of use, while a group is waited for
        self._awaits_group_us: int | None = None
        self._asked_us = 0  # since when
        self._told_us = 0
        self._came_us = 0  # the last that was told
        self._job_came_us = 0
        self._offset_us = 0
        self._missed_told = 0
        self._coarse_us = 0
        self._turn = 0
        self._failures = 0
        self._failed_us = 0
        self._rest_until_us = 0
        self._put_us = 0
        self._given_us = 0
        self._from_us = 0
        self._away = False
        self._follows = False  # all that is new is known for a thing that moves, and is being told
        self._spared = False  # the rest of the open group, on purpose

    # -- what is to be asked for

    @property
    def wants_whole(self) -> bool:
        """Whether the bytes of all samples are needed now."""
        return self.gate.is_open and self.level < Level.KEYS and not self._resting

    @property
    def _resting(self) -> bool:
        return self._told_us < self._rest_until_us

    @property
    def resting(self) -> bool:
        """Whether its pictures killed a child several times, and are left alone for a while."""
        return self._resting

    @property
    def waiting_bytes(self) -> int:
        """That are held for it."""
        return self._queued_bytes

    @property
    def has_work(self) -> bool:
        """Whether `next_job` gives one."""
        return self._job is None and bool(self._queue) and not self._is_early

    @property
    def _is_early(self) -> bool:
        """Whether pictures are on their way that come before what waits."""
        return self._awaits_group_us is not None and self._queue[0].first_us > self._reach_us

    @property
    def told_us(self) -> int:
        """Of the last sample: CLOCK_BOOTTIME."""
        return self._told_us

    def behind_us(self, now_boot_us: int) -> int:
        """Age of the oldest sample that waits or is being looked at; 0 where none is."""
        oldest = self._oldest_us()
        return 0 if oldest is None else max(0, now_boot_us - oldest)

    def late_us(self, now_boot_us: int) -> int:
        """For how long the oldest that waits has waited here; 0 where none does. A group of four seconds is four seconds old when it comes, and nobody is late for that."""
        since = [self._queue[0].came_us] if self._queue else []
        if self._job is not None:
            since.append(self._job_came_us)
        if self._awaits_group_us is not None and self.gate.is_open:
            since.append(self._asked_us)
        return max(0, now_boot_us - min(since)) if since else 0

    # -- what comes in

    def began(self) -> None:
        """A session, or other parameters: what is queued of the one before is still looked at."""
        if self._told_us:
            self.repeats.begins(self._told_us + self._offset_us)
        self._chain = False
        self._not_come(self._told_us)

    def batch(self, rows: Sequence[Row], body: bytes, begin: int, missed: int, offset_us: int) -> None:
        """Samples of the stream in order, their bytes in `body` from `begin` on. missed: in all, on the way here."""
        self._place(offset_us, rows)
        if rows:
            self._came_us = rows[-1].arrival_us
            self.gate.told_until_us = self._came_us + offset_us
        if missed != self._missed_told or self._away:
            self.counts.missed += max(0, missed - self._missed_told)
            self._chain = False
            self._lost(0, rows[0].arrival_us if rows else self._told_us)
            self._missed_told, self._away = missed, self._away and not rows
        taken: list[Row] = []
        at = taken_at = begin
        head_at = begin - sum([row.head for row in rows])
        reads, read_us = self.coarse, self._coarse_us
        for row in rows:
            arrival_us, _, _, _, given, flags, head = row
            coarse = None
            if head:
                if reads is not None and not flags & 1 and not 0 <= arrival_us - read_us < _COARSE_EACH_US:
                    coarse = reads(body[head_at : head_at + head])
                    self._coarse_us = read_us = arrival_us
                head_at += head
            if self._passes(row, coarse):
                if row.sync and taken:
                    self._put(taken, body[taken_at:at])
                    taken = []
                if not taken:
                    taken_at = at
                taken.append(row)
            else:
                if taken:
                    self._put(taken, body[taken_at:at])
                    taken = []
                if self.has_vectors and given and not flags:  # no sync sample, and whole
                    self._ask(row, body[at : at + given])
            at += given
        if taken:
            self._put(taken, body[taken_at:at])
        self._reached()

    def group(self, rows: Sequence[Row], body: bytes, begin: int, offset_us: int) -> None:
        """The open group of pictures, whose sizes were told before; and the group before it, which is left out where the gate did not open in it."""
        self._place(offset_us, rows)
        awaited_us, self._awaits_group_us = self._awaits_group_us, None
        first = self._first_of(rows) if awaited_us is not None else self._last_sync(rows)
        begin += sum([row.given for row in rows[:first]])
        rows = rows[first:]
        if rows and awaited_us is not None and rows[0].arrival_us > awaited_us:
            self._lost(0, rows[0].arrival_us)
        while self._queue and rows and self._queue[-1].first_us >= rows[0].arrival_us:
            self._queued_bytes -= len(self._queue.pop().data)
        if not rows or not rows[0].sync or any(row.damaged for row in rows):
            self._chain = False
            self._lost(0, self._told_us)
            return
        self._chain, self._spared = True, False
        earlier_us = _GLANCED_EARLIER_US if self.gate.glances_now else _EARLIER_US
        if self.gate.peeks_now:
            earlier_us = 0
        self._from_us = self.gate.opened_us - offset_us - earlier_us
        self._put(rows, body[begin:], fresh=True)
        self._reached()

    def _first_of(self, rows: Sequence[Row]) -> int:
        """With which of the rows to begin: as far back as is of use, but with nothing that was looked at before."""
        from_us = max(self._reach_us, self._given_us)
        reached = [number for number, row in enumerate(rows) if row.sync and row.arrival_us >= from_us]
        return reached[0] if reached else self._last_sync(rows)

    @staticmethod
    def _last_sync(rows: Sequence[Row]) -> int:
        return max((number for number, row in enumerate(rows) if row.sync), default=0)

    def reconnected(self) -> None:
        """The recorder counts anew, and may have recorded meanwhile what was not told here."""
        self._missed_told = 0
        self._away = True

    def drop_all(self) -> None:
        """Nothing that waits can be looked at any more."""
        while self._queue:
            self.drop_oldest()

    def _place(self, offset_us: int, rows: Sequence[Row]) -> None:
        """Where the wall clock was set, nothing reaches over it: footage of another time may stand in between."""
        stepped = self._told_us and abs(offset_us - self._offset_us) > _STEP_US
        self._offset_us = offset_us
        if stepped:
            self._chain = False
            self.drop_all()
            self.spans.anew(max(self._told_us, rows[0].arrival_us if rows else 0) + offset_us)

    def _not_come(self, to_us: int) -> None:
        """The open group was asked for and is needed no more, or never comes: a hole."""
        if self._awaits_group_us is not None:
            self._awaits_group_us = None
            self._lost(0, to_us)

    def _ask(self, row: Row, data: bytes) -> None:
        """A picture that is not decoded, to be asked for its motion vectors where that is due."""
        wall_us = row.arrival_us + self._offset_us
        if self.level >= Level.KEYS or self._resting or not self.gate.asks(wall_us):
            return
        self.gate.asked(wall_us)
        self._queue.append(Piece((row,), data, True, False, self._came_us, vectors=True))
        self._queued_bytes += len(data)

    def _passes(self, row: Row, coarse: int | None) -> bool:
        """Whether this sample is to be decoded, and can be."""
        counts = self.counts
        counts.told += 1
        arrival_us, sync, damaged = row.arrival_us, row.sync, row.damaged
        wall_us = arrival_us + self._offset_us
        if not damaged:
            self.repeats.sample(row.size, wall_us, sync=sync, makeup=row.makeup if sync else 0)
            if sync and self.repeats.is_anew(wall_us):
                self.gate.doubted(self.repeats.anew_until_us)
        before_us, self._told_us = self._told_us, arrival_us
        step_us = arrival_us - before_us if before_us and arrival_us > before_us else 0
        if step_us < _JUMP_US:
            if self.gate.is_open:
                counts.open_us += step_us
            else:
                counts.closed_us += step_us
        here = row.given > 0 and not damaged
        verdict = self.gate.sample(row.size, sync, wall_us, here=here, coarse=coarse)
        if sync:
            if (
                self._awaits_group_us != self._group_from_us
            ):  # of the group before the recorder sends what opened the gate in it
                self._not_come(arrival_us)
            self._before_us, self._group_from_us = self._group_from_us, arrival_us
            self._turn += 1
            self._chain = here
            self._spared = False
        if not verdict.decode:
            self._chain = self._follows = False
            return False
        return self._wanted(row, verdict.reason)

    def _wanted(self, row: Row, why: Why) -> bool:
        """Of a sample that the gate would have decoded."""
        arrival_us, sync = row.arrival_us, row.sync
        if self._spared:
            return False
        if self._resting:
            return self._skip(row)
        if why is Why.KEY or (self.level >= Level.KEYS and row.sync):
            self._chain = False
            return row.given > 0 and (self.level < Level.TURNS or self._turn % 2 == 0 or self._skip(row))
        if self.level >= Level.KEYS:
            return self._skip(row)
        if not row.given and not row.damaged and not self._chain:
            if self._awaits_group_us is None:
                self._await_group(row.arrival_us)
            return False
        if not row.given or row.damaged or not self._chain:
            self._chain = False  # until the next sync sample, or the open group, nothing can be decoded
            if self._awaits_group_us is None:
                self._lost(0, row.arrival_us)
            return False
        share = self.gate.group_us // 2 if self.level is Level.FEWER else 0
        if share and row.arrival_us - self._group_from_us > share:
            return self._skip(row)
        if self._follows and not sync and self._is_spare(arrival_us):
            self._chain, self._spared = False, True
            return False
        return True

    def _await_group(self, opened_us: int) -> None:
        """The open group is asked for; and the one before it, where what opened the gate then may lie in that."""
        self._awaits_group_us = self._reach_us = self._group_from_us
        self._asked_us = self._came_us
        if opened_us - self._group_from_us < _TELLS_LATE_US and self._before_us:
            self._reach_us = self._before_us

    def _is_spare(self, arrival_us: int) -> bool:
        """Whether it is of the end of its group, as far as groups are of one length: the next sync sample is near, and shows where what moves has gone."""
        group_us = self.gate.group_us
        if not self._before_us or abs(self._group_from_us - self._before_us - group_us) * _EVEN > group_us:
            return False
        return arrival_us - self._group_from_us > max(0, group_us - _SPARED_US)

    def _skip(self, row: Row) -> bool:
        """It should be looked at, and is not."""
        self._chain = False
        self._lost(1, row.arrival_us)
        return False

    def _put(self, rows: Sequence[Row], data: bytes, *, fresh: bool = False) -> None:
        piece = Piece(tuple(rows), data, fresh or rows[0].sync, self._chain, self._came_us)
        self._queue.append(piece)
        self._queued_bytes += len(data)
        self._put_us = rows[-1].arrival_us
        while self._queued_bytes > MOST_WAITING_BYTES and self._queue:
            self.drop_oldest()

    def drop_oldest(self) -> None:
        """There is no room for it: the oldest piece that waits, and what builds on it."""
        dropped = self._queue.popleft()
        self._queued_bytes -= len(dropped.data)
        samples, last_us = len(dropped.rows), dropped.last_us
        while self._queue and not self._queue[0].fresh:
            more = self._queue.popleft()
            self._queued_bytes -= len(more.data)
            samples, last_us = samples + len(more.rows), more.last_us
        if not self._queue:
            self._chain = False
        self._needs_fresh = True
        self._lost(samples, last_us)

    def _lost(self, samples: int, to_us: int) -> None:
        """Samples that are not looked at though they should be: a hole."""
        self.counts.skipped += samples
        self.spans.hole(to_us + self._offset_us)

    # -- work

    def next_job(self) -> Job | None:
        """What is to be done next, and is then being done."""
        while self._queue and self._needs_fresh and not self._queue[0].fresh:
            self.drop_oldest()
        if self._job is not None or not self._queue or self._is_early:
            return None
        first = self._queue.popleft()
        self._job_came_us = first.came_us
        if first.vectors:
            return self._vectors_of(first)
        rows, pieces = list(first.rows), [first.data]
        size = len(first.data)
        while (
            self._queue
            and not self._queue[0].fresh
            and len(rows) + len(self._queue[0].rows) <= _JOB_SAMPLES
            and size + len(self._queue[0].data) <= _JOB_BYTES
        ):
            more = self._queue.popleft()
            rows += more.rows
            pieces.append(more.data)
            size += len(more.data)
        self._queued_bytes -= size
        self._needs_fresh = False
        single = first.fresh and len(rows) == 1 and not self._chain_goes_on()
        fps = self.fps / 2 if self.level is Level.FEWER else self.fps
        again = self.repeats.ago_us > 0
        self._given_us = rows[-1].arrival_us
        data, from_us = b"".join(pieces), self._from_us
        anew = self.repeats.is_anew(rows[-1].arrival_us + self._offset_us)
        exact = not single and not anew and self.gate.group_us >= _LONG_US
        self._job = Job(tuple(rows), data, first.fresh, single, fps, self._offset_us, again, from_us, anew, exact)
        return self._job

    def _vectors_of(self, first: Piece) -> Job:
        """With those that wait behind it."""
        asked = [first]
        while self._queue and self._queue[0].vectors:
            asked.append(self._queue.popleft())
        data = b"".join([piece.data for piece in asked])
        self._queued_bytes -= len(data)
        rows = tuple(piece.rows[0] for piece in asked)
        self._job = Job(rows, data, False, False, self.fps, self._offset_us, vectors=True)
        return self._job

    def _chain_goes_on(self) -> bool:
        return self._chain if not self._queue else not self._queue[0].fresh

    def done(
        self,
        *,
        pictures: int,
        decoded: int,
        failed: int,
        cpu_us: int,
        something: bool,
        sure: bool = False,
        blind: bool = False,
        follows: bool = False,
        stirs: Sequence[float | None] = (),
    ) -> None:
        """The job was done. something: it found what is worth a closer look; sure: what is worth saying. follows: all that is new is known for a thing that moves. blind: no picture came of it, or what was seen could not be told.
        stirs: of each sample that was asked for its vectors (`stirring`); None where it told none.
        """
        job, self._job = self._job, None
        if job is None:
            return
        counts = self.counts
        if job.vectors:
            counts.vectors_asked += len(job.rows)
            counts.cpu_us += cpu_us
            for row, much in zip(job.rows, stirs, strict=False):
                if much is None:  # the gate is to look closer by itself again where vectors never come
                    continue
                if self.gate.stirs(much, row.arrival_us + self._offset_us) and self.wants_whole:
                    self._await_group(row.arrival_us)  # other pictures came while it was asked: its group may be over
            self._reached()
            return
        counts.pictures += pictures
        counts.decoded += decoded
        counts.failed += failed
        counts.cpu_us += cpu_us
        self._follows = follows and sure
        # in the gate's time of now: were the clock set back meanwhile, what was found would hold it open until it is there again
        self.gate.found(job.rows[-1].arrival_us + self._offset_us, something=something, sure=sure)
        if failed or blind:
            self._lost(0, job.rows[-1].arrival_us)
        if self._failures and self._told_us - self._failed_us > _SOUND_AFTER_US:
            self._failures = 0
        self._reached()

    def died(self, *, by_it: bool, forgiven: bool = False) -> bool:
        """The child ended. by_it: over this camera's job, which is then not tried again; forgiven: not by its pictures, so that it is not left alone for it. Gives whether the open group is to be asked for once more."""
        job, self._job = self._job, None
        self._needs_fresh = True
        if by_it and job is not None:
            self.counts.deaths += 1
            self._lost(len(job.rows), job.rows[-1].arrival_us)
            rest_us = 0 if forgiven else _REST_US[min(self._failures, len(_REST_US) - 1)]
            self._failures += not forgiven
            self._failed_us = self._told_us
            if job.vectors:  # it can do without: what is decoded as a whole may be sound, and is not to rest for them
                self.has_vectors = False
            self._rest_until_us = self._told_us + rest_us
            while self._queue and (rest_us or not self._queue[0].fresh):
                self.drop_oldest()
            return False
        if job is not None and not job.vectors:
            self._queue.appendleft(Piece(job.rows, job.data, job.fresh, not job.single, self._job_came_us))
            self._queued_bytes += len(job.data)
        if self._queue and not self._queue[0].fresh:
            oldest_us = self._queue[0].first_us
            while self._queue and not self._queue[0].fresh:
                gone = self._queue.popleft()
                self._queued_bytes -= len(gone.data)
            if not self._queue:
                self._chain = False
            again = self.wants_whole and not self._queue and oldest_us >= self._group_from_us
            if again:
                self._awaits_group_us = self._reach_us = self._group_from_us
                self._asked_us = self._came_us
            else:
                self._lost(1, self._told_us)
            return again
        return False

    # -- up to when

    def _oldest_us(self) -> int | None:
        oldest = self._queue[0].first_us if self._queue else None
        if self._job is not None:
            first_us = self._job.rows[0].arrival_us
            oldest = first_us if oldest is None else min(oldest, first_us)
        if self._awaits_group_us is not None and self.gate.is_open:
            oldest = self._awaits_group_us if oldest is None else min(oldest, self._awaits_group_us)
        return oldest

    def _reached(self) -> None:
        oldest = self._oldest_us()
        if not self.gate.is_open:
            self._not_come(self._told_us)
            if not self.gate.knows or self._told_us - self._put_us > _UNSEEN_US:
                self._lost(0, self._told_us)
        self.spans.reach((self._told_us if oldest is None else oldest) + self._offset_us)
