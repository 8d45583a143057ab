"""Strips follow what is acknowledged, make up what is missing, keep to their budget, and go when their footage goes."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import itertools
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from tests.support.archive_case import BOOT, GATE, opened, record, stream
from tests.support.fake_stream import TRACK
from tests.support.wait import until

from longwatch.archive import Archive, ArchiveReader, Retention, RetentionTime
from longwatch.archive import Options as ArchiveOptions
from longwatch.base.clock import ManualClock
from longwatch.base.errors import LongwatchError
from longwatch.formats.media import TrackFormat
from longwatch.model.sessions import StreamKey
from longwatch.strips import Options, Shelf, Strips, shelf
from longwatch.strips.picking import Samples, held, syncs

S = 1_000_000
T0 = 1_767_225_600_000_000
SUB = StreamKey("gate", "sub")
FRAGMENT_US = 680_000  # 17 pictures of 25 a second, the first a sync sample
OPTIONS = Options(every_us=2 * S, cameras={"gate": ("main",)})


class QuickClock:
    """The strips' view of a clock: whoever sleeps lets time pass. The archive's own tasks go on sleeping."""

    def __init__(self, clock: ManualClock) -> None:
        self._clock = clock

    def boottime_us(self) -> int:
        return self._clock.boottime_us()

    def wall_us(self) -> int:
        return self._clock.wall_us()

    async def sleep(self, seconds: float) -> None:
        self._clock.tick(round(seconds * 1e6))


@dataclass
class FakeDecoder:
    """A "JPEG" that names its sample. takes_us: how long the machine is busy with one."""

    clock: ManualClock
    takes_us: int = 3_000
    broken: bool = False
    widths: list[int] = field(default_factory=list)

    async def decoded(self, format_: TrackFormat, sample: bytes, max_width: int, key: StreamKey | None = None) -> bytes:
        assert format_.sample_entry == TRACK.sample_entry
        self.clock.tick(self.takes_us)
        self.widths.append(max_width)
        if self.broken:
            raise LongwatchError("no picture")
        return b"\xff\xd8" + hashlib.sha256(sample).digest() + b"\xff\xd9"


@dataclass
class Case:
    archive: Archive
    reader: ArchiveReader
    shelf: Shelf
    clock: ManualClock
    decoder: FakeDecoder
    strips: Strips
    options: Options = OPTIONS

    def times(self, from_us: int = 0) -> list[float]:
        return [(one.at_us - T0) / S for one in self.shelf.between("gate", from_us, T0 + 10**12)]

    async def rounds(self, count: int = 1) -> None:
        for _ in range(count):
            await self.strips.run_once()
            self.clock.tick(S)

    def again(self) -> None:
        """The server starts anew."""
        self.strips.close()
        self.strips = Strips(
            Shelf(self.shelf._folder),
            self.reader,
            self.decoder,
            QuickClock(self.clock),
            lambda: self.options,
            lambda: 0,
        )


@contextlib.asynccontextmanager
async def case(folder: Path, options: ArchiveOptions | None = None) -> AsyncIterator[Case]:
    clock = ManualClock(T0)
    keep = options or ArchiveOptions(Retention(max_age_us=None, keep_free_fraction=0))
    async with opened([folder / "a"], keep, clock, boot=BOOT) as (archive, _):
        await archive.camera_set_up("gate", "Gate", ["main", "sub"], T0)
        reader, decoder, shelf = ArchiveReader([folder / "a"]), FakeDecoder(clock), Shelf(folder / "strips")
        made = Case(archive, reader, shelf, clock, decoder, None)  # type: ignore[arg-type]  # at once
        made.strips = Strips(shelf, reader, decoder, QuickClock(clock), lambda: made.options, lambda: 0)
        try:
            yield made
        finally:
            made.strips.close()
            reader.close()


async def test_sync_samples_are_found_and_read_from_fragments_alone(tmp_path: Path) -> None:
    async with case(tmp_path) as of:
        source = stream(of.archive)
        await record(of.archive, source, segments=2)
        await of.archive.tick(of.archive.place(GATE), source.tick(reopen=True))
        found = list(syncs(of.reader, held(of.reader, GATE, 0, T0 * 2), 0, T0 * 2))
        assert [(one.at_us - T0) // FRAGMENT_US for one in found] == list(range(7))
        samples = Samples()
        read = [samples.read(of.reader, one) for one in found]
        assert len({data for _, data in read}) == 7
        for one, (_, data) in zip(found, read, strict=True):
            whole = of.reader.read(one.segment, one.fragment.offset, one.fragment.size)
            assert data in whole
        assert list(syncs(of.reader, held(of.reader, GATE, 0, T0 * 2), T0 + 1, T0 + 1 + FRAGMENT_US)) == [found[1]]


async def test_one_picture_a_slot_as_footage_arrives(tmp_path: Path) -> None:
    async with case(tmp_path) as of:
        source = stream(of.archive)
        await of.rounds()
        for n in range(12):
            await of.archive.tick(of.archive.place(GATE), source.tick(seal=n == 11, reopen=n == 0))
            await of.rounds()
        assert len({int(at // 2) for at in of.times()}) == len(of.times()) == 5
        assert set(of.decoder.widths) == {160}
        assert of.strips.state("gate") == "following"
        assert of.strips.following()["gate"].made == len(of.times())


async def test_after_a_start_the_newest_hours_are_made_up_first(tmp_path: Path) -> None:
    async with case(tmp_path) as of:
        for hour in range(3):
            of.clock.tick(3600 * S)
            await record(of.archive, stream(of.archive, base=100 * hour), segments=2, fragments=9)
        order = []
        add = of.shelf.add

        def noted(camera: str, at_us: int, jpeg: bytes, number: int) -> None:
            order.append(at_us)
            add(camera, at_us, jpeg, number)

        of.shelf.add = noted  # type: ignore[method-assign]  # to see the order
        of.strips.shelf = of.shelf
        assert of.strips.state("gate") == "off"
        await of.rounds(1)
        assert not of.strips.is_complete("gate", T0, T0 + 1)
        await of.rounds(60)
        assert order == sorted(order, reverse=True)
        assert len(order) >= 3 * 5
        assert of.strips.state("gate") == "following"
        first_us = of.reader.stats(GATE).first_us
        assert of.strips.is_complete("gate", first_us, first_us + S)
        made = of.times()
        of.again()
        await of.rounds(60)
        assert of.times() == made
        assert of.strips.following()["gate"].made == 0


async def test_what_is_older_than_two_days_is_made_up_by_the_minute(tmp_path: Path) -> None:
    async with case(tmp_path) as of:
        await record(of.archive, stream(of.archive), segments=3, fragments=60)  # two minutes
        of.clock.tick(3 * 86_400 * S)
        await record(of.archive, stream(of.archive, base=100), segments=2, fragments=9)
        await of.rounds(120)
        old = [at for at in of.times() if at < 1000]
        assert 2 <= len(old) <= 3
        assert all(b - a > 50 for a, b in itertools.pairwise(old))
        assert len(of.times()) - len(old) > 4


async def test_the_sub_stream_where_it_is_recorded(tmp_path: Path) -> None:
    async with case(tmp_path) as of:
        of.options = replace(OPTIONS, cameras={"gate": ("sub", "main")})
        await record(of.archive, stream(of.archive), segments=2, fragments=9)
        of.clock.tick(7200 * S)
        await record(of.archive, stream(of.archive, base=100), segments=2, fragments=9)
        of.clock.step_wall(-20 * S)
        await record(of.archive, stream(of.archive, SUB, base=200), segments=2, fragments=9)
        of.again()
        await of.rounds(40)
        streams = {one.stream for one in of.shelf.between("gate", T0 + 7000 * S, T0 + 10**12)}
        assert 1 in streams
        assert {one.stream for one in of.shelf.between("gate", T0, T0 + 100 * S)} == {0}


async def test_what_cannot_be_decoded_costs_a_picture_and_nothing_else(tmp_path: Path) -> None:
    async with case(tmp_path) as of:
        of.decoder.broken = True
        await record(of.archive, stream(of.archive), segments=1, fragments=9)
        await of.rounds(20)
        assert of.times() == []
        assert of.strips.following()["gate"].failed > 0
        assert of.strips.state("gate") == "following"


async def test_a_busy_machine_makes_fewer_and_says_so_and_makes_up_for_them(tmp_path: Path) -> None:
    async with case(tmp_path) as of:
        source = stream(of.archive)
        await of.rounds()
        of.decoder.takes_us = 3 * S
        for n in range(120):
            await of.archive.tick(of.archive.place(GATE), source.tick(seal=n % 30 == 29, reopen=n % 30 == 0))
            await of.rounds()
        assert of.strips.thinned > 1
        assert of.strips.state("gate") == "thinned"
        assert of.strips.following()["gate"].left_out > 10
        few = len(of.times())
        assert not of.strips.is_complete("gate", T0, T0 + S)
        of.decoder.takes_us = 1_000
        await of.rounds(200)
        assert of.strips.thinned == 1
        assert of.strips.state("gate") == "following"
        assert len(of.times()) > few
        gaps = [b - a for a, b in zip(of.times(), of.times()[1:], strict=False)]
        assert max(gaps) < 3.5


async def test_a_loaded_machine_makes_up_one_a_round(tmp_path: Path) -> None:
    async with case(tmp_path) as of:
        await record(of.archive, stream(of.archive), segments=4, fragments=9)
        of.strips._load = lambda: 3.0
        await of.rounds(3)
        assert 1 <= len(of.times()) <= 3
        assert of.strips.following()["gate"].made == len(of.times())
        of.strips._load = lambda: 0.5
        await of.rounds(3)
        assert len(of.times()) > 6


async def test_a_strip_does_not_outlive_its_footage(tmp_path: Path) -> None:
    keep = ArchiveOptions(Retention(max_age_us=3600 * S, keep_free_fraction=0))
    async with case(tmp_path, keep) as of:
        await record(of.archive, stream(of.archive), segments=3, fragments=9)
        of.clock.tick(7200 * S)
        await record(of.archive, stream(of.archive, base=100), segments=3, fragments=9)
        await of.rounds(40)
        early = [at for at in of.times() if at < 100]
        assert early
        now = RetentionTime(of.clock.wall_us(), trusted=True, agreed_for_us=10**12)
        report = await of.archive.retain(now)
        assert report.removed
        of.clock.tick(61 * S)
        await of.rounds(1)
        assert [at for at in of.times() if at < 100] == []
        assert [at for at in of.times() if at > 100]


async def test_what_went_out_of_the_midst_goes_too(tmp_path: Path) -> None:
    async with case(tmp_path) as of:
        await record(of.archive, stream(of.archive), segments=3, fragments=9)
        await of.rounds(40)
        rows = of.reader.segments(GATE, 0, T0 * 2)
        Path(rows[1].path).unlink()
        report = await of.archive.check("size", repair=True)
        assert [finding.kind for finding in report.findings] == ["missing"]
        of.clock.tick(61 * S)
        await of.rounds(1)
        inside = [at for at in of.times() if rows[1].wall_start_us <= at * S + T0 < rows[1].wall_end_us]
        assert inside == []
        assert of.times()


async def test_a_camera_that_is_switched_off_has_none(tmp_path: Path) -> None:
    async with case(tmp_path) as of:
        await record(of.archive, stream(of.archive), segments=2, fragments=9)
        await of.rounds(30)
        assert of.times()
        of.options = replace(OPTIONS, off=frozenset({"gate"}))
        of.clock.tick(61 * S)
        await of.rounds(2)
        assert of.times() == []
        assert of.strips.state("gate") == "off"
        assert of.shelf.cameras() == []


async def test_pictures_of_what_is_now_placed_elsewhere_are_made_again(tmp_path: Path) -> None:
    async with case(tmp_path) as of:
        await record(of.archive, stream(of.archive), segments=2, fragments=9)
        await of.rounds(30)
        good = of.times()
        of.shelf.add("gate", T0 + 500 * S, b"\xff\xd8stray\xff\xd9", 0)
        of.again()
        await of.rounds(40)
        assert of.times() == good


async def test_a_disk_that_is_nearly_full_is_left_to_footage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with case(tmp_path) as of:
        await record(of.archive, stream(of.archive), segments=2, fragments=9)
        monkeypatch.setattr(shelf, "ROOM_BYTES", 1 << 60)
        with pytest.raises(LongwatchError, match="no room"):
            await of.rounds(1)
        assert of.times() == []
        monkeypatch.undo()
        await of.rounds(20)
        assert of.times()


async def test_an_error_of_ours_does_not_end_the_strips(tmp_path: Path) -> None:
    async with case(tmp_path) as of:
        await record(of.archive, stream(of.archive), segments=2, fragments=9)
        calls = []

        def broken(*_: object) -> None:
            calls.append(1)
            raise ValueError("no table")

        plan, of.strips._plan = of.strips._plan, broken  # type: ignore[method-assign]  # once, then as it was
        ending = asyncio.get_running_loop().create_task(of.strips.run())
        await until(lambda: calls)
        of.strips._plan = plan  # type: ignore[method-assign]
        await asyncio.sleep(0)
        assert not ending.done()
        ending.cancel()
