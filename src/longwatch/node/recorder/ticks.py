"""The tick: one for each volume, at most 700 ms apart, over all of its streams.

It collects what the streams brought, works out what that says of time, hands both to the archive as one, and tells the streams
what became durable. A volume whose disk hangs holds its own tick and no other's; what its streams bring waits in their
buffers. Owner of the state: the recorder's loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence

import structlog

from longwatch.accounting import Known
from longwatch.archive import Archive, Volume, VolumeState
from longwatch.archive.ops import Entry, Heartbeat, IndexOp, MediaOp, SpanExtend, Tick
from longwatch.base.clock import Clock
from longwatch.base.tasks import Tasks
from longwatch.causes import Evidence
from longwatch.ledger import kinds
from longwatch.model.causes import Cause
from longwatch.model.sessions import StreamKey
from longwatch.model.surroundings import SurroundingsSource
from longwatch.node.recorder.streams import StreamUnit
from longwatch.recording import STEPS_TOLERATED, Collected, HostTime, KernelTime, Step

PERIOD_S = 0.6
STALLED_US = 2_000_000
LAST_TICK_S = 1.5
_AT_ONCE = 8  # streams collected before other tasks of the loop have their turn
_log = structlog.get_logger(__name__)


class Ticks:
    """All volumes' ticks. units: every stream there is, by key; others may add to it. on_trouble: hears of errors of ours."""

    def __init__(
        self, archive: Archive, clock: Clock, kernel: KernelTime, host: HostTime, boot: str,
        on_trouble: Callable[[str, BaseException], None],
    ) -> None:  # fmt: skip
        self._on_trouble = on_trouble
        self.units: dict[object, StreamUnit] = {}
        self.around: SurroundingsSource | None = None
        self.gaps_told: Callable[[StreamKey, Sequence[IndexOp]], None] = lambda _key, _said: None
        self.entries: list[Entry] = []
        self.slowest_us = 0
        self.last_us = 0
        self.count = 0
        self.index_committed = True
        self._owed: list[IndexOp] = []
        self._told: dict[object, int] = {}  # how far each stream is accounted for in the index
        self._turns: dict[int, asyncio.Lock] = {}
        self._tasks = Tasks("ticks")
        self._archive = archive
        self._clock = clock
        self._kernel = kernel
        self._host = host
        self._boot = boot

    @property
    def accounted_until_us(self) -> int:
        """Up to here everything is accounted for in the index, over all streams; now, where there are none."""
        return self._accounted_until_us({})

    def _accounted_until_us(self, told: Mapping[object, int]) -> int:
        """The same once this tick is committed. told: how far it brings its own streams. Others' may still be on their way to a
        slow disk: what they will say is not said.
        """
        now_us = self._host.wall_us(self._clock.boottime_us())
        return min(
            (
                told.get(key, self._told.get(key, unit.account.accounted_until_us))
                for key, unit in self.units.items()
            ),
            default=now_us,
        )  # fmt: skip

    async def run(self, volume: Volume) -> None:
        """For ever."""
        while True:
            began_us = self._clock.boottime_us()
            await asyncio.shield(self._tasks.start(str(volume.path), self.once(volume)))  # half a tick is none
            took_s = (self._clock.boottime_us() - began_us) / 1e6
            await self._sleep(max(0.02, PERIOD_S - took_s))

    async def _sleep(self, seconds: float) -> None:
        """Waking up far too late means that this process did not run: what is missing from then is not the cameras' doing."""
        began_us = self._clock.boottime_us()
        await self._clock.sleep(seconds)
        now_us = self._clock.boottime_us()
        if now_us - began_us - round(seconds * 1e6) > STALLED_US:
            _log.error("the recorder did not run", seconds=(now_us - began_us) // 1_000_000)
            for unit in self.units.values():
                unit.recorder.stalled = (began_us, now_us)

    def _read_clocks(self) -> int:
        """Both clocks as of one moment (the closest of three pairs); gives CLOCK_BOOTTIME, and takes note of a step."""
        pairs = []
        for _ in range(3):
            before_us, wall_us, after_us = self._clock.boottime_us(), self._clock.wall_us(), self._clock.boottime_us()
            pairs.append((after_us - before_us, after_us, wall_us))
        _, boot_us, wall_us = min(pairs)
        step = self._host.observe(boot_us, wall_us, self._kernel.synchronised())
        if step is not None:
            self._note(step)
        return boot_us

    def _note(self, step: Step) -> None:
        _log.warning("the host's clock was set", by_us=step.by_us, unsteady=step.unsteady)
        if step.unsteady:
            self.entries.append(
                Entry(
                    kinds.CLOCK_UNSTEADY,
                    {"boot_us": step.boot_us, "wall_us": step.to_us, "steps": STEPS_TOLERATED + 1},
                )
            )
            return
        body: dict[str, object] = {
            "by_us": step.by_us, "boot_us": step.boot_us, "from_us": step.from_us, "to_us": step.to_us,
            "provenance": step.provenance.name.lower(),
        }  # fmt: skip
        self.entries.append(Entry(kinds.CLOCK_STEP, body))
        for unit in self.units.values():
            said = self._stepped(unit, step)
            self._owed.extend(said)
            self._tell(unit, said)

    def _stepped(self, unit: StreamUnit, step: Step) -> Sequence[IndexOp]:
        """What a step makes of a stream's gaps. An error of ours at one stream is its own: the others' clocks were set as well."""
        try:
            return unit.account.clock_stepped(step.from_us, step.to_us)
        except Exception as error:  # noqa: BLE001 - boundary: one stream's account must not end the tick of all
            self._on_trouble(f"the account of {unit.key.camera}/{unit.key.stream}", error)
            return unit.account.stepped_plainly(step.to_us)

    async def once(self, volume: Volume, *, final: bool = False) -> bool:
        """One tick of one volume, after the one before it. final: seal what is open. Says whether all became durable."""
        async with self._turns.setdefault(volume.row, asyncio.Lock()):
            return await self._once(volume, final=final)

    async def _once(self, volume: Volume, *, final: bool) -> bool:
        boot_us = self._read_clocks()
        wall_us = self._host.wall_us(boot_us)
        units = [unit for unit in self.units.values() if unit.volume is volume]
        media: list[MediaOp] = []
        index: list[IndexOp] = [*self.entries, *self._owed]  # a step before what it makes of gaps: they are of its era
        self._owed.clear()
        self.entries.clear()
        covered: list[int | None] = []
        tokens: set[int] = set()
        for unit in units:
            self._told.setdefault(unit.key, unit.account.accounted_until_us)
        try:
            for n, unit in enumerate(units):
                if n % _AT_ONCE == _AT_ONCE - 1:
                    await asyncio.sleep(0)
                covered.append(self._collect(unit, boot_us, wall_us, media, index, tokens, final=final))
        except Exception as error:
            self._owed += [op for op in index if not isinstance(op, SpanExtend)]
            self._lost(units, tokens, error)
            raise
        told: dict[object, int] = {unit.key: unit.account.accounted_until_us for unit in units}
        index.append(Heartbeat(self._boot, boot_us, wall_us, self._accounted_until_us(told)))
        try:
            result = await self._archive.tick(volume, Tick(media, index))
        except Exception as error:
            self._lost(units, tokens, error)
            raise
        done_us = self._clock.boottime_us()
        failure = result.failure
        failed = failure.tokens if failure is not None else frozenset()
        cause, detail = (failure.cause, failure.detail) if failure is not None else (None, "")
        for unit, covered_us in zip(units, covered, strict=True):
            if unit.recorder.settled(failed, cause, detail):
                unit.account.storage_failed(cause or Cause.STORAGE_FAILED, detail)
            elif covered_us is not None and result.index_committed:
                unit.durable_to_us, unit.durable_boot_us = covered_us, done_us
            if result.index_committed:
                self._told[unit.key] = min(told[unit.key], unit.account.accounted_until_us)
            if not unit.recorder.has_open_segment:
                unit.volume = self._archive.place(unit.key)
        self._measure(done_us - boot_us)
        self.index_committed = result.index_committed
        return failure is None and result.index_committed

    @staticmethod
    def _lost(units: Sequence[StreamUnit], tokens: set[int], error: Exception) -> None:
        """An error of ours cost this tick its media."""
        for unit in units:
            if unit.recorder.settled(frozenset(tokens), Cause.STORAGE_FAILED, repr(error)):
                unit.account.storage_failed(Cause.STORAGE_FAILED, repr(error))

    def _known(self, unit: StreamUnit, wall_us: int, boot_us: int) -> Known:
        """What is known around a stream; an error in there costs its evidence, and no media."""
        try:
            return unit.known(wall_us, boot_us, self.around)
        except Exception as error:  # noqa: BLE001 - boundary: what watches the surroundings must not end the tick of all
            self._on_trouble("surroundings", error)
            return unit.known(wall_us, boot_us, None)

    def _collect(
        self, unit: StreamUnit, boot_us: int, wall_us: int, media: list[MediaOp], index: list[IndexOp], tokens: set[int],
        *, final: bool,
    ) -> int | None:  # fmt: skip
        """One stream's part of the tick. An error of ours at one stream is its own, and disturbs no other."""
        try:
            collected = self._collected(unit, boot_us, wall_us, final=final)
        except Exception as error:  # noqa: BLE001 - boundary: one stream must not end the tick of all
            why = f"{type(error).__name__}: {error}"[:200]
            self._on_trouble(f"{unit.key.camera}/{unit.key.stream}", error)
            unit.recorder.abandon(why)
            try:
                collected = self._collected(unit, boot_us, wall_us, final=final)
            except Exception:  # noqa: BLE001 - boundary: it goes on; what came meanwhile is given up, and said
                collected = Collected(missing=Evidence(failure=why))
        media += collected.media
        index += collected.index
        tokens |= collected.tokens
        said = self._said(unit, boot_us, wall_us, collected, None if final else collected.missing)
        index += said
        self._tell(unit, said)
        return collected.covered_to_us

    def _said(
        self, unit: StreamUnit, boot_us: int, wall_us: int, collected: Collected, missing: Evidence | None
    ) -> list[IndexOp]:
        """What this tick says of the stream's time. An error of ours in there costs a cause, and no media."""
        try:
            known = None if missing is None else self._known(unit, wall_us, boot_us)
            return unit.account.tick(
                wall_us, collected.stretches, missing, unit.status, unit.recorder.not_planned, known
            )
        except Exception as error:  # noqa: BLE001 - boundary: one stream's account must not end the tick of all
            self._on_trouble(f"the account of {unit.key.camera}/{unit.key.stream}", error)
            why = f"{type(error).__name__}: {error}"[:200]
            return unit.account.plainly(wall_us, collected.stretches, missing=missing is not None, why=why)

    def _tell(self, unit: StreamUnit, said: Sequence[IndexOp]) -> None:
        """The alarms hear of it; an error in there is theirs."""
        try:
            self.gaps_told(unit.key, said)
        except Exception as error:  # noqa: BLE001 - boundary: an alarm must not cost the media that it is about
            self._on_trouble("alarms", error)

    @staticmethod
    def _collected(unit: StreamUnit, boot_us: int, wall_us: int, *, final: bool) -> Collected:
        recorder = unit.recorder
        recorder.not_planned, recorder.pause = unit.not_planned(wall_us), unit.paused(wall_us)
        down = unit.volume.state is not VolumeState.OK
        cause = Cause.STORAGE_FULL if unit.volume.state is VolumeState.FULL else Cause.STORAGE_FAILED
        recorder.storage_down = (cause, unit.volume.detail) if down else None
        return recorder.collect(boot_us, final=final)

    def _measure(self, took_us: int) -> None:
        self.count += 1
        self.last_us = took_us
        self.slowest_us = max(self.slowest_us, took_us)

    async def close(self, volumes: Iterable[Volume], last: Sequence[IndexOp]) -> None:
        """The last tick of each volume: what is open is sealed; the stop is written with the last of them."""
        for volume in volumes:
            if any(unit.volume is volume for unit in self.units.values()):
                try:
                    async with asyncio.timeout(LAST_TICK_S):
                        await self.once(volume, final=True)
                except TimeoutError:
                    _log.error("a disk hangs; what was not written is lost", volume=str(volume.path))
        await self._archive.commit([*self.entries, *self._owed, *last])
