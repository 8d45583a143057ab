"""A small recorder for the fault rigs: opens an Archive, records made-up streams, and says at once what was acknowledged.

    python -m tests.support.archive_workload VOLUME... [--streams 2] [--ticks 40] [--pause-ms 50] [--seal-every 8]
        [--fault none] [--seed 1] [--end-at S4:3] [--retain-bytes N] [--index-alone]

Prints one line per fact, unbuffered, each with CLOCK_BOOTTIME in microseconds as its second word:
    ready <boot_us> <open_us>
    sent  <boot_us> <token> <end_90k>                                   handed to `tick`, not yet acknowledged
    ack   <boot_us> <token> <volume>/<path> <durable_bytes> <sha256 of those bytes but for the guards> <end_90k> <arrived_boot_us>
    fail  <boot_us> <token> <cause>
    gone  <boot_us> <path>                                              about to be removed by retention: no longer to be missed
    head  <boot_us> <volume> <size> <root>                              a checkpoint of the ledger is durable on a volume
    done  <boot_us>
`volume` is the number of the VOLUME, from 0. `arrived_boot_us` is when the last acknowledged sample was made: at a cut at T,
T - arrived_boot_us of the stream's last ack is what was lost.

`judge` is the oracle: what a (remounted) data folder holds against what was acknowledged; figures 1 to 5 of RELIABILITY.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import os
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.archive_faults import FAULTS, EndsAt
from tests.support.fake_stream import FakeStream
from tests.support.ledger_oracle import Head, as_closed, as_left, as_recovered, committed

from longwatch.archive import (
    Archive,
    ArchiveReader,
    Mode,
    Options,
    Retention,
    RetentionTime,
    Volume,
    names,
    ops,
    publishing,
)
from longwatch.archive.signed_log import SignedLog
from longwatch.base.clock import SystemClock
from longwatch.base.errors import LongwatchError
from longwatch.formats import bmff
from longwatch.model.sessions import StreamKey

BOOT = "0123456789abcdef" * 2


def say(*words: object) -> None:
    """One line, at once: a pipe outlives the process."""
    now = time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1000
    os.write(1, (" ".join([str(words[0]), str(now), *map(str, words[1:])]) + "\n").encode())


class Recorder:
    """Streams on one volume: a tick for all of them, again and again."""

    def __init__(self, archive: Archive, volume: Volume, streams: Sequence[FakeStream], seal_every: int) -> None:
        self._archive = archive
        self._volume = volume
        self._streams = streams
        self._seal_every = seal_every
        self._hashes: dict[int, tuple[hashlib._Hash, int]] = {}
        self._sent: dict[int, list[tuple[int, str, int, int]]] = {}  # by token: (bytes, sha256, end_90k, arrived)
        self._paths: dict[int, str] = {}

    async def tick(self, number: int) -> None:
        media: list[ops.MediaOp] = []
        index: list[ops.IndexOp] = []
        for stream in self._streams:
            opens = number % self._seal_every == 0
            tick = stream.tick(seal=number % self._seal_every == self._seal_every - 1, reopen=opens)
            media += tick.media
            index += tick.index
        for op in media:
            self._note(op)
        result = await self._archive.tick(self._volume, ops.Tick(media, index))
        for token, durable in sorted(result.acknowledged.items()):
            for size, digest, end_90k, arrived in self._sent.get(token, ()):
                if size == durable:
                    say("ack", token, self._paths[token], durable, digest, end_90k, arrived)
        if result.failure is not None:
            for token in sorted(result.failure.tokens):
                say("fail", token, result.failure.cause)
                for stream in self._streams:
                    if stream.token == token:
                        stream.started = False
                        stream.run = self._archive.next_run_number()

    def _note(self, op: ops.MediaOp) -> None:
        if isinstance(op, ops.SegmentOpen):
            path = names.segment_path(op.key, BOOT, op.run, op.sequence, op.wall_start_us)
            place = [v.id for v in self._archive.volumes].index(self._volume.id)
            self._paths[op.token] = f"{place}/{path}"
            self._hashes[op.token] = (hashlib.sha256(op.header), len(op.header))
            self._sent[op.token] = [(len(op.header), hashlib.sha256(op.header).hexdigest(), 0, 0)]
        elif isinstance(op, ops.FragmentAppend):
            digest, size = self._hashes[op.token]
            size += bmff.GUARD_BYTES
            for part in op.parts:
                digest.update(part)
                size += len(part)
            self._hashes[op.token] = (digest, size)
            self._sent[op.token].append((size, digest.hexdigest(), op.row.end_90k, op.arrival_boot_us))
            say("sent", op.token, op.row.end_90k)


def announce_heads(archive: Archive) -> None:
    """Say what each volume shows, once it is durable there."""
    for number, kept in enumerate(archive.ledger._mirrors):
        advance = kept.mirror.advance

        def announced(log: SignedLog, reserved_bytes: int, number: int = number, advance: Any = advance) -> bool:
            done: bool = advance(log, reserved_bytes)
            if done:
                say("head", number, log.size, log.root.hex())
            return done

        kept.mirror.advance = announced  # type: ignore[method-assign]


async def work(args: argparse.Namespace) -> None:
    """Open, record, close."""
    publishing.COALESCE_S = args.pause_ms / 1000  # as often as ticks come: each cut is to hit a publication
    flushing = FAULTS[args.fault]()
    if args.end_at:
        step, _, nth = args.end_at.partition(":")
        flushing = EndsAt(step, int(nth or 1))
    clock = SystemClock()
    retention = Retention(keep_free_fraction=0, max_size_bytes=args.retain_bytes)
    archive, report = await Archive.open(args.volumes, Options(retention, flushing), clock, BOOT)
    say("ready", report.open_us)
    announce_heads(archive)
    flushing.sabotage(archive) if hasattr(flushing, "sabotage") else None
    recorders = []
    for n, volume in enumerate(archive.volumes):
        if args.index_alone and n == 0:
            continue
        streams = [
            FakeStream(
                StreamKey(f"cam{n}-{m}", "main"), archive.next_run_number(), BOOT, clock, (n * 100 + m) * 1_000_000,
                seed=args.seed + m, sample_bytes=args.sample_bytes,
            )
            for m in range(args.streams)
        ]  # fmt: skip
        recorders.append(Recorder(archive, volume, streams, args.seal_every))

    async def record(recorder: Recorder) -> None:
        for number in range(args.ticks):
            await recorder.tick(number)
            await clock.sleep(args.pause_ms / 1000)

    choose = archive._keeper._choose

    def announced(*args: object, **kwargs: object) -> object:
        """Say what goes before its row is marked."""
        batch = choose(*args, **kwargs)
        for doomed in batch:
            say("gone", doomed.path)
        return batch

    archive._keeper._choose = announced

    async def retain() -> None:
        while args.retain_bytes:
            await archive.retain(RetentionTime(clock.wall_us(), trusted=True, approved=True))
            await clock.sleep(args.pause_ms / 500)

    removing = asyncio.ensure_future(retain())
    await asyncio.gather(*(record(recorder) for recorder in recorders))
    removing.cancel()
    await archive.close()
    say("done")


@dataclass(frozen=True)
class Acknowledged:
    """One `ack` line."""

    boot_us: int
    token: int
    volume: int
    path: str
    durable_bytes: int
    sha256: str
    end_90k: int
    arrived_boot_us: int


@dataclass
class Story:
    """What a workload said, up to a moment."""

    acks: dict[int, Acknowledged] = field(default_factory=dict)
    heads: list[Head] = field(default_factory=list)
    gone: set[str] = field(default_factory=set)
    failed: int = 0
    ready: bool = False
    done: bool = False

    @property
    def arrived(self) -> dict[int, int]:
        """By stream (token // 1_000_000), when its last acknowledged sample was made."""
        last: dict[int, int] = {}
        for ack in self.acks.values():
            stream = ack.token // 1_000_000
            last[stream] = max(last.get(stream, 0), ack.arrived_boot_us)
        return last


def read_story(lines: Iterable[str], until_boot_us: int | None = None) -> Story:
    """Parse a workload's words; with until_boot_us, only those said by then."""
    story = Story()
    for line in lines:
        words = line.split()
        if len(words) < 2 or (until_boot_us is not None and int(words[1]) > until_boot_us):
            continue
        if words[0] == "ack" and len(words) == 8:
            place, _, path = words[3].partition("/")
            ack = Acknowledged(
                int(words[1]), int(words[2]), int(place), path, int(words[4]), words[5], int(words[6]), int(words[7])
            )
            story.acks[ack.token] = ack
        elif words[0] == "head" and len(words) == 5:
            story.heads.append(Head(int(words[2]), int(words[3]), words[4]))
        elif words[0] == "gone" and len(words) == 3:
            story.gone.add(Path(words[2]).name)
        elif words[0] == "fail":
            story.failed += 1
        elif words[0] == "ready":
            story.ready = True
        elif words[0] == "done":
            story.done = True
    return story


@dataclass
class Judgement:
    """wrong_ledger: a head that was shown and does not hold, or whose files are not there, on any volume.

    lost: acknowledged and not there, or not the same bytes, or not in the index (figure 1). unplayable: files that a
    player cannot open, before any repair (3). wrong_rows: rows that point at wrong or missing bytes, after recovery (4).
    """

    acknowledged: int = 0
    lost: list[str] = field(default_factory=list)
    unplayable: list[str] = field(default_factory=list)
    wrong_rows: list[str] = field(default_factory=list)
    wrong_ledger: list[str] = field(default_factory=list)
    open_us: int = 0
    recovered: int = 0

    @property
    def sound(self) -> bool:
        return not (self.lost or self.unplayable or self.wrong_rows or self.wrong_ledger)


def judge(volumes: Sequence[Path], story: Story, *, play: bool = True) -> Judgement:
    """Hold a data folder, as a cut left it, against a story. Opens it (recovery runs), and closes it again."""
    judgement = Judgement(len(story.acks))
    for ack in story.acks.values():
        path = volumes[ack.volume] / ack.path
        if path.name in story.gone:
            continue
        try:
            content = path.read_bytes()[: ack.durable_bytes]
        except OSError as error:
            judgement.lost.append(f"{path}: {error}")
            continue
        if hashlib.sha256(without_guards(content)).hexdigest() != ack.sha256:
            judgement.lost.append(f"{path}: its first {ack.durable_bytes} bytes are not those that were acknowledged")
        elif play and not _plays(path):
            judgement.unplayable.append(str(path))
    try:
        if story.acks:  # before the first, there may be no index yet
            _compare(volumes, story, judgement, "before recovery")
        if story.acks or story.heads:
            judgement.wrong_ledger += as_left(volumes, story.heads)
        asyncio.run(_after_recovery(volumes, story, judgement))
    except LongwatchError as error:
        judgement.lost.append(f"the data folder does not open: {error}")
    return judgement


def without_guards(content: bytes) -> bytes:
    """A segment's header and fragments; the guards between them may be lifted or not."""
    try:
        at = bmff.parse_header(content).header_bytes
    except bmff.BmffError:
        return content
    kept = [content[:at]]
    while at < len(content):
        start = at + bmff.GUARD_BYTES
        moof = int.from_bytes(content[start : start + 4], "big")
        mdat = int.from_bytes(content[start + moof : start + moof + 4], "big")
        if not moof or not mdat:
            return content
        at = start + moof + mdat
        kept.append(content[start:at])
    return b"".join(kept)


def _plays(path: Path) -> bool:
    """libav opens it and finds samples; a header alone is a file of no length."""
    import av

    size = path.stat().st_size
    with path.open("rb") as file:
        try:
            header = bmff.parse_header(file.read(1 << 16))
        except bmff.BmffError:
            return False

        def read(offset: int, count: int) -> bytes:
            file.seek(offset)
            return file.read(count)

        if not any(bmff.scan_fragments(read, header.header_bytes, size)):
            return True
    try:
        with av.open(str(path)) as container:
            return next(iter(container.demux(video=0))).size > 0
    except (av.FFmpegError, StopIteration):
        return False


def _compare(volumes: Sequence[Path], story: Story, judgement: Judgement, when: str) -> None:
    """Acknowledged means: its row is committed. So the index has it as the cut left it, and recovery, which could make a row
    again from the file, must not be what saves it.
    """
    reader = ArchiveReader(volumes)
    held: dict[str, int] = {}
    try:
        for camera in reader.cameras():
            key = StreamKey(camera.camera, camera.stream)
            # by run: made-up media overtakes the clock, and the better placed would hide the other
            for run in {span.run for span in reader.recorded_spans(key, 0, 1 << 60)}:
                for segment in reader.segments(key, 0, 1 << 60, run):
                    held[Path(segment.path).name] = segment.durable_bytes
    finally:
        reader.close()
    for ack in story.acks.values():
        name = Path(ack.path).name
        if name not in story.gone and held.get(name, 0) < ack.durable_bytes and ack.end_90k:
            judgement.lost.append(f"{ack.path}: {when} the index has {held.get(name)} of {ack.durable_bytes} bytes")


async def _after_recovery(volumes: Sequence[Path], story: Story, judgement: Judgement) -> None:
    before = committed(volumes)
    archive, report = await Archive.open(volumes, Options(Retention(keep_free_fraction=0)), SystemClock(), BOOT)
    try:
        judgement.open_us = report.open_us
        judgement.recovered = len(report.recovered)
        judgement.lost += [
            f"{path}: missing at recovery" for path in report.missing if Path(path).name not in story.gone
        ]
        _compare(volumes, story, judgement, "after recovery")
        for mode in (Mode.HASH, Mode.LEDGER):
            checked = await archive.check(mode)
            judgement.wrong_rows += [f"{f.kind} {f.what}: {f.detail}" for f in checked.findings if f.kind != "orphan"]
        judgement.wrong_ledger += await as_recovered(archive, volumes, before)
    finally:
        await archive.close()
    judgement.wrong_ledger += as_closed(volumes)


def main(words: Sequence[str]) -> None:
    """The command."""
    parser = argparse.ArgumentParser()
    parser.add_argument("volumes", nargs="+", type=Path)
    parser.add_argument("--streams", type=int, default=2)
    parser.add_argument("--ticks", type=int, default=40)
    parser.add_argument("--pause-ms", type=float, default=50)
    parser.add_argument("--index-alone", action="store_true", help="no media on the first volume")
    parser.add_argument("--seal-every", type=int, default=8)
    parser.add_argument("--sample-bytes", type=int, default=2000)
    parser.add_argument("--fault", choices=sorted(FAULTS), default="none")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--end-at", default="")
    parser.add_argument("--retain-bytes", type=int, default=None)
    asyncio.run(work(parser.parse_args(words)))


if __name__ == "__main__":
    main(sys.argv[1:])
