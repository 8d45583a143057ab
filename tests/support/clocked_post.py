"""A post with one camera over several boots, on a real data folder: the host's clock is whatever the test makes it.

`boot` opens the archive as the recorder does and gives the studio that plays; `cut` is a power cut, `stop` an orderly end.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.support.recording import KEY, SECOND, Studio

from longwatch.accounting import StreamAccount, Tail
from longwatch.archive import Archive, ArchiveReader, Correction, Flushing, Options, Retention, ops, review, suggested
from longwatch.base.clock import ManualClock
from longwatch.causes import Restart
from longwatch.ledger import kinds
from longwatch.model.stores import GapSpan, RecordedSpan
from longwatch.timeline import State, Tile, tile

WHO = ops.Person(0, '{"reason":"a test"}')


class _NoFlush(Flushing):
    """No test here cuts the power: the disk need not be waited for."""

    synchronous = "OFF"

    def flush_volume(self, descriptor: int) -> None:
        pass

    def flush_file(self, descriptor: int) -> None:
        pass

    def flush_directory(self, path: Path) -> None:
        pass


KEEP_ALL = Options(Retention(max_age_us=None, keep_free_fraction=0), flushing=_NoFlush())


class FolderIndex:
    """What a Studio takes for its index: an archive on the disk, with the recorder's entries of the clock, and heartbeats."""

    def __init__(self, archive: Archive, loop: asyncio.AbstractEventLoop, boot: str) -> None:
        self.archive = archive
        self.studio: Studio | None = None
        self._loop = loop
        self._boot = boot
        self._steps = 0

    def apply(
        self, media: Sequence[ops.MediaOp], index: Sequence[ops.IndexOp], failed: frozenset[int] = frozenset()
    ) -> None:
        studio = self.studio
        assert studio is not None
        assert not failed
        said: list[ops.IndexOp] = []
        for step in studio.steps[self._steps :]:
            if step.unsteady:
                said.append(
                    ops.Entry(kinds.CLOCK_UNSTEADY, {"boot_us": step.boot_us, "wall_us": step.to_us, "steps": 4})
                )
                continue
            body: dict[str, object] = {
                "by_us": step.by_us, "boot_us": step.boot_us, "from_us": step.from_us, "to_us": step.to_us,
                "provenance": step.provenance.name.lower(),
            }  # fmt: skip
            said.append(ops.Entry(kinds.CLOCK_STEP, body))
        self._steps = len(studio.steps)
        wall_us = studio.host.wall_us(studio.boot_us)
        beat = ops.Heartbeat(self._boot, studio.boot_us, wall_us, studio.account.accounted_until_us)
        tick = ops.Tick(media, [*said, *index, beat])
        result = self._loop.run_until_complete(self.archive.tick(self.archive.volumes[0], tick))
        assert result.index_committed
        assert result.failure is None


class Post:
    """folder: of the data. Owner of its loop; `close` at the end."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.loop = asyncio.new_event_loop()
        self.archive: Archive | None = None
        self.studio: Studio | None = None
        self._boots = 0

    def boot(self, *, wall_us: int, synchronised: bool = True, **kwargs: Any) -> Studio:
        """The host starts, its clock says wall_us, and the recorder comes up."""
        self._boots += 1
        boot = f"{self._boots:032x}"
        clock = ManualClock(wall_us, 50 * SECOND)
        self.archive, report = self.loop.run_until_complete(Archive.open([self.folder], KEEP_ALL, clock, boot))
        beat, told = report.heartbeat, report.streams.get(KEY)
        until_us = told.accounted_to_us if told is not None else None
        index = FolderIndex(self.archive, self.loop, boot)
        studio = Studio(
            wall_us=wall_us, synchronised=synchronised, last_known_us=beat.wall_us if beat is not None else None, boot=boot,
            first_run=self.archive.next_run_number(), index=index, **kwargs,
        )  # fmt: skip
        ready_us = studio.host.wall_us(studio.boot_us)
        restart = Restart(report.orderly_stop, report.same_boot, beat.wall_us if beat is not None else None)
        studio.account = StreamAccount(
            KEY, Tail(ready_us if until_us is None else until_us), None if until_us is None else restart, ready_us,
            set_up=until_us is not None,
        )  # fmt: skip
        index.studio = studio
        words = {
            "boot_us": studio.boot_us, "wall_us": ready_us, "provenance": studio.host.provenance.name.lower(),
            "orderly": report.orderly_stop, "same_boot": report.same_boot,
        }  # fmt: skip
        self.loop.run_until_complete(self.archive.commit([ops.Entry(kinds.START, dict(words))]))
        self.studio = studio
        return studio

    def stop(self) -> None:
        """An orderly end."""
        assert self.studio is not None
        self.studio.tick(final=True)
        self._close(orderly=True)

    def cut(self) -> None:
        """The power goes."""
        self._close(orderly=False)

    def _close(self, *, orderly: bool) -> None:
        if self.archive is not None:
            self.loop.run_until_complete(self.archive.close(orderly=orderly))
            self.archive = None
            (self.folder / "reserve").unlink(missing_ok=True)  # 64 MiB for each test that is kept would fill a disk

    def close(self) -> None:
        self._close(orderly=False)
        self.loop.close()

    # ---- corrections

    def doubts(self) -> list[Any]:
        return self.reading(lambda reader: review(reader._db()))

    def correct(self, make: Any = None) -> list[Any]:
        """By the archive that is open, as a running recorder does it. make: as `correct_time` wants it; the suggestions."""
        assert self.archive is not None

        def wish(db: Any) -> Correction | None:
            return suggested(db, WHO)

        return self.loop.run_until_complete(self.archive.correct_time(make or wish))

    # ---- what a reader sees

    def reading(self, ask: Any) -> Any:
        reader = ArchiveReader([self.folder])
        try:
            return ask(reader)
        finally:
            reader.close()

    def tiles(self, from_us: int | None = None, to_us: int | None = None) -> list[Tile]:
        """The timeline from set-up to what is accounted for."""

        def ask(reader: ArchiveReader) -> list[Tile]:
            (row,) = [row for row in reader.cameras() if row.camera == KEY.camera]
            until_us = reader.accounted_until_us()
            first_us = (row.set_up_us if from_us is None else from_us) or 0
            last_us = until_us if to_us is None else to_us
            spans = reader.recorded_spans(KEY, first_us, last_us)
            return tile(spans, reader.gaps_of(KEY, first_us, last_us), first_us, last_us, until_us, row.set_up_us)

        found: list[Tile] = self.reading(ask)
        return found

    def story(self, least_us: int = 1) -> list[tuple[str, float]]:
        """What the timeline says: state or cause, and seconds to the tenth; of several runs end to end, as one."""
        told: list[tuple[str, int]] = []
        for part in self.tiles():
            name, length_us = str(part.cause or part.state), part.to_us - part.from_us
            if told and told[-1][0] == name:
                told[-1] = (name, told[-1][1] + length_us)
            elif length_us >= least_us:
                told.append((name, length_us))
        return [(name, round(length_us / SECOND, 1)) for name, length_us in told]

    def unexplained_us(self) -> int:
        return sum(t.to_us - t.from_us for t in self.tiles() if t.state is State.GAP and t.gap is None)

    def spans(self) -> list[RecordedSpan]:
        found: list[RecordedSpan] = self.reading(lambda reader: reader.recorded_spans(KEY, -(1 << 60), 1 << 60))
        return found

    def gaps(self) -> list[GapSpan]:
        found: list[GapSpan] = self.reading(lambda reader: reader.gaps_of(KEY, -(1 << 60), 1 << 60))
        return found

    def entries(self, kind: str) -> int:
        return sum(f'"kind":"{kind}"'.encode() in row.entry for row in self.reading(lambda r: r.entries(0, 1 << 40)))
