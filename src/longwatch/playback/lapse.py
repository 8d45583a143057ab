"""A time-lapse: one stored picture every so often, as a film of its own; the wall time of each in a timed-text track.

Pictures are sync samples, decoded and encoded in a child with limits (`lapse_child`): the last one at or before each moment. A moment
whose picture was shown already (a gap, or key pictures that are further apart) is left out; where footage is missing the text says
from when to when, and why.
"""

from __future__ import annotations

import contextlib
import os
import select
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Self

from longwatch.base.errors import LongwatchError, UsageError
from longwatch.base.rfc3339 import format_us
from longwatch.formats.bmff.progressive import ProgressiveTrack, SampleTables, progressive_header
from longwatch.formats.codecs.boxes import visual_size
from longwatch.formats.media import Kind, TrackFormat
from longwatch.model.sessions import StreamKey
from longwatch.model.stores import GapSpan, SegmentSource
from longwatch.pictures import plain_environment
from longwatch.playback.captions import cause_of, timed_text
from longwatch.playback.lapse_wire import CODECS, HEAD, MADE, MAX_BYTES, TICKS
from longwatch.playback.selection import NoVideoError
from longwatch.playback.stills import find_still
from longwatch.playback.tables import TableCache

MOST_PICTURES = 200_000
MAX_HEIGHT = 1080
FPS = 25
_SECONDS_A_PICTURE = 20.0


@dataclass(frozen=True, slots=True)
class LapseRequest:
    """One picture every every_us of [from_us, to_us). Raises UsageError where that is none, or too many."""

    key: StreamKey
    from_us: int
    to_us: int
    every_us: int

    def __post_init__(self) -> None:
        if self.from_us >= self.to_us or self.every_us <= 0:
            raise UsageError("the span is empty", remedy="ask for a later `to`")
        if self.pictures > MOST_PICTURES:
            raise UsageError(f"this would be {self.pictures} pictures", remedy="take one less often, or a shorter span")

    @property
    def pictures(self) -> int:
        """At most so many."""
        return -(-(self.to_us - self.from_us) // self.every_us)


@dataclass(frozen=True, slots=True)
class LapseResult:
    """What was written. from_us, to_us: of the first and last picture. pictures: how many there are. gaps: (from, to, cause)."""

    size: int
    from_us: int
    to_us: int
    pictures: int
    duration_us: int
    gaps: tuple[tuple[int, int, str], ...]


@dataclass(slots=True)
class _Film:
    """What is known of the samples written so far."""

    sizes: list[int] = field(default_factory=list)
    syncs: list[int] = field(default_factory=list)
    walls: list[int] = field(default_factory=list)
    entry: bytes = b""


def write_lapse(
    source: SegmentSource,
    request: LapseRequest,
    path: Path,
    *,
    gaps: Sequence[GapSpan] = (),
    progress: Callable[[int, int], None] | None = None,
) -> LapseResult:
    """Write the film to `path`: to a new file beside it first, flushed, then renamed over it. progress: moments done, and in all.

    Raises NoVideoError where there is no picture, LongwatchError where it cannot be made; what was begun is removed then.
    """
    begun = path.with_name(f".{path.name}.{os.getpid()}.part")
    samples = path.with_name(f".{path.name}.{os.getpid()}.samples")
    film = _Film()
    try:
        with samples.open("xb") as out, _Child(MAX_HEIGHT) as child:
            for n, (wall_us, format_, sample) in enumerate(_pictures(source, request), 1):
                if wall_us >= 0:
                    _add(film, wall_us, child.encoded(format_, sample), out)
                if progress is not None:
                    progress(n, request.pictures)
        if not film.sizes:
            raise NoVideoError(f"no picture of {request.key.camera} in that span")
        size, named = _put_together(film, samples, begun, gaps, request.from_us)
        begun.replace(path)
    except OSError as error:
        raise LongwatchError(f"cannot write {path.name}", why=error.strerror or str(error)) from error
    finally:
        begun.unlink(missing_ok=True)
        samples.unlink(missing_ok=True)
    count = len(film.sizes)
    return LapseResult(size, film.walls[0], film.walls[-1], count, count * 1_000_000 // FPS, tuple(named))


def _pictures(source: SegmentSource, request: LapseRequest) -> Iterator[tuple[int, TrackFormat, bytes]]:
    """For each moment the picture that is new then; -1 where there is none."""
    cache, last_us = TableCache(), request.from_us - 1
    nothing = TrackFormat(Kind.VIDEO, CODECS[0], 90_000, b"", "")
    for n in range(request.pictures):
        at_us = min(request.from_us + (n + 1) * request.every_us, request.to_us) - 1
        try:
            wall_us, format_, sample = find_still(source, cache, request.key, at_us)
        except NoVideoError:
            wall_us, format_, sample = -1, nothing, b""
        if wall_us <= last_us:
            yield -1, nothing, b""
            continue
        last_us = wall_us
        yield wall_us, format_, sample


def _add(film: _Film, wall_us: int, made: tuple[bool, bytes, bytes], out: IO[bytes]) -> None:
    sync, entry, data = made
    if not data:
        return  # a picture that cannot be decoded is left out
    film.entry = film.entry or entry
    if sync:
        film.syncs.append(len(film.sizes))
    film.sizes.append(out.write(data))
    film.walls.append(wall_us)


def _put_together(
    film: _Film, samples: Path, path: Path, gaps: Sequence[GapSpan], from_us: int
) -> tuple[int, list[tuple[int, int, str]]]:
    count, duration = len(film.sizes), len(film.sizes) * TICKS
    texts, named = _texts(film.walls, gaps, from_us)
    text_track, text = timed_text(texts, duration, enabled=True)
    tables = SampleTables()
    tables.add_samples(struct.pack(f">{count}I", *film.sizes), [(count, TICKS)], [(count, 0)], film.syncs)
    tables.add_chunk(len(text), count, 0)
    width, height = visual_size(film.entry)
    video = ProgressiveTrack(Kind.VIDEO, 90_000, (film.entry,), tables, ((duration, 0),), width, height)
    with path.open("xb") as out, samples.open("rb") as media:
        out.write(progressive_header([video, text_track], len(text) + sum(film.sizes)) + text)
        while chunk := media.read(1 << 20):
            out.write(chunk)
        out.flush()
        os.fsync(out.fileno())
        return out.tell(), named


def _texts(
    walls: Sequence[int], gaps: Sequence[GapSpan], from_us: int
) -> tuple[list[tuple[int, bytes]], list[tuple[int, int, str]]]:
    """Of each picture its wall time, to the second; for two seconds after footage that is missing, from when to when and why."""
    texts: list[tuple[int, bytes]] = []
    named: list[tuple[int, int, str]] = []
    said, until = b"", 0
    before_us = from_us
    for n, wall_us in enumerate(walls):
        missing = [g for g in gaps if g.from_us < wall_us and (g.to_us is None or g.to_us > before_us)]
        if missing:
            from_us = max(before_us, missing[0].from_us)
            to_us = min(wall_us, missing[-1].to_us or wall_us)
            cause = cause_of(missing, from_us, to_us)
            said, until = f"\nno video {format_us(from_us)} to {format_us(to_us)}: {cause}".encode(), n + 2 * FPS
            named.append((from_us, to_us, str(cause)))
        text = format_us(wall_us // 1_000_000 * 1_000_000).replace("T", " ").replace("Z", " UTC").encode()
        texts.append((n * TICKS, text + (said if n < until else b"")))
        before_us = wall_us
    return texts, named


class _Child:
    """Owner of the child process. A picture that takes longer than 20 s ends it, and the film is not made."""

    def __init__(self, max_height: int) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "longwatch.playback.lapse_child", str(max_height)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=plain_environment(),
        )  # fmt: skip

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()

    def encoded(self, format_: TrackFormat, sample: bytes) -> tuple[bool, bytes, bytes]:
        """One sync sample. Raises LongwatchError where the child ended, or takes too long."""
        if format_.codec not in CODECS or len(format_.sample_entry) + len(sample) > MAX_BYTES:
            return False, b"", b""
        head = HEAD.pack(CODECS.index(format_.codec), len(format_.sample_entry), len(sample))
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(head + format_.sample_entry + sample)
            self._process.stdin.flush()
            deadline = time.monotonic() + _SECONDS_A_PICTURE
            sync, entry_bytes, data_bytes = MADE.unpack(self._read(MADE.size, deadline))
            if entry_bytes + data_bytes > MAX_BYTES:
                raise OSError(f"an answer of {data_bytes} bytes")
            return sync, self._read(entry_bytes, deadline), self._read(data_bytes, deadline)
        except OSError as error:
            raise LongwatchError("the pictures could not be decoded", why=f"the decoder ended: {error}") from error

    def _read(self, size: int, deadline: float) -> bytes:
        assert self._process.stdout is not None
        descriptor, found = self._process.stdout.fileno(), bytearray()
        while len(found) < size:
            ready, _, _ = select.select([descriptor], [], [], max(0.0, deadline - time.monotonic()))
            if not ready:
                raise TimeoutError(f"no answer within {_SECONDS_A_PICTURE:g} s")
            piece = os.read(descriptor, min(size - len(found), 1 << 20))
            if not piece:
                raise OSError("it ended")
            found += piece
        return bytes(found)
