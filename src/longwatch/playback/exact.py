"""`video.mp4` whose first sample is the first picture at or after `from`, with nothing in it from before that: what stands between that picture and the
next sync sample is encoded anew (by `Recoder.exact`), and from there on everything is as it was stored.

The pictures of an open group of H.265 that are shown before that sync sample refer to what came before it: they are encoded anew too, and left out behind it.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import islice, takewhile
from typing import NamedTuple

from longwatch.base.errors import LongwatchError
from longwatch.formats.bmff import SYNC, TrackIndex
from longwatch.formats.codecs.h264 import NAL_IDR
from longwatch.formats.media import Codec, TrackFormat
from longwatch.model.stores import GapSpan, SegmentSource
from longwatch.playback.compose import compose, first_pts, shown_until
from longwatch.playback.selection import (
    NoVideoError,
    Part,
    Selection,
    Stretch,
    VideoRequest,
    first_slice,
    select,
)
from longwatch.playback.tables import SegmentTable, TableCache, TrackTable
from longwatch.playback.video_file import KEPT_HEAD_BYTES, Asked, VideoFile, asked_for

_SCALE = 90_000
_MOST_SAMPLES = 20_000
_H264_PICTURES = (0x1F, range(1, 6))


class Picture(NamedTuple):
    """One that was made. pts: when it is shown, in 1/90000 s since its run began."""

    pts: int
    sync: bool
    size: int


@dataclass(frozen=True, slots=True)
class Made:
    """Pictures encoded anew, in the order in which they are shown, and their bytes one after the other; none where none could be decoded."""

    format: TrackFormat
    pictures: tuple[Picture, ...]
    data: bytes = field(repr=False)

    @property
    def size(self) -> int:
        return len(self.data)


@dataclass(frozen=True, slots=True)
class Anew:
    """What is to be encoded anew: the pictures shown in [from_90k, to_90k) of what `fed` decodes to, which is in the order of decoding, of one run and format."""

    fed: tuple[Part, ...]
    from_90k: int
    to_90k: int

    @property
    def track(self) -> TrackFormat:
        return self.fed[0].video.format

    @property
    def name(self) -> tuple[object, ...]:
        """The same for the same pictures, whatever becomes of their segments' files and rows."""
        rows = ((part.table.row.boot, part.table.row.run, part.table.row.sequence, part.a, part.b) for part in self.fed)
        return (self.from_90k, self.to_90k, *rows)


class _Sample(NamedTuple):
    """One of the video track. stretch: which one of the selection."""

    stretch: int
    part: Part
    n: int

    @property
    def pts(self) -> int:
        return self.part.video.pts[self.n]

    @property
    def duration(self) -> int:
        return self.part.video.durations[self.n]


@dataclass(frozen=True, slots=True)
class Cut:
    """Where a selection is cut. at: the sync sample from which on all is as it was stored; None: there is none, or it is not asked for. fed: what is decoded, in that
    order; before: of it, what comes before the cut. wanted: the pictures of it that are encoded anew, in the order in which they are shown. dropped: those behind the
    cut that are shown before it, and are left out. delay: how long after it is decoded a picture is shown, at the cut.
    """

    selection: Selection
    at: _Sample | None
    before: list[_Sample]
    fed: list[_Sample]
    wanted: list[_Sample]
    dropped: list[_Sample]
    delay: int

    @property
    def anew(self) -> Anew | None:
        """What is to be encoded anew, where anything is. Raises LongwatchError where that cannot be."""
        if not self.wanted:
            return None
        parts = _parts(self.fed)
        if parts[0].video.format.timescale != _SCALE:
            raise LongwatchError("these pictures cannot be encoded anew", why="their clock is not one of 90 kHz")
        return Anew(tuple(parts), self.wanted[0].pts, self.wanted[-1].pts + 1)

    def joined(self, made: Made | None) -> Selection:
        """What the file is made of. made: of `anew`; where nothing of that could be decoded, it begins at the cut. Raises NoVideoError where that is nothing."""
        stretches = [] if made is None or not made.pictures else self._anew(made)
        if self.at is not None:
            cut, copied = self.at, self._copied(self.at)
            if stretches and stretches[-1][0] == cut.stretch:
                stretches[-1][1].parts += copied
            else:
                stretches.append((cut.stretch, Stretch(copied)))
            stretches += [(n, each) for n, each in enumerate(self.selection.stretches) if n > cut.stretch]
        if not stretches:
            raise NoVideoError("no picture begins in that span", remedy="ask for a longer one, or without `exact`")
        self._beside(stretches)
        end_pts = self.selection.end_pts
        if stretches[-1][0] != len(self.selection.stretches) - 1:
            end_pts = shown_until(stretches[-1][1])
        shown = 0, first_pts(stretches[0][1])
        return Selection(
            [each for _, each in stretches], shown, end_pts, b"" if made is None else made.data, exact=True
        )

    def _anew(self, made: Made) -> list[tuple[int, Stretch]]:
        """The pictures that were made, each in the stretch and beside the segment of the sample whose place it takes."""
        times = [sample.pts for sample in self.wanted]
        order = {id(table): n for n, table in enumerate(_tables(self.fed))}
        groups: list[tuple[_Sample, list[Picture]]] = []
        before = (-1, -1)
        for picture in made.pictures:
            own = self.wanted[max(0, bisect_right(times, picture.pts) - 1)]
            place = own.stretch, order[id(own.part.table)]
            if place > before:
                groups.append((own, []))
                before = place
            groups[-1][1].append(picture)
        stretches: list[tuple[int, Stretch]] = []
        offset = count = 0
        for n, (own, pictures) in enumerate(groups):
            if not stretches or stretches[-1][0] != own.stretch:
                stretches.append((own.stretch, Stretch()))
            last = pictures[-1].pts
            end = last + self.wanted[max(0, bisect_right(times, last) - 1)].duration
            if n + 1 < len(groups) and groups[n + 1][0].stretch == own.stretch:
                end = groups[n + 1][1][0].pts
            # Decoded as long before they are shown as the cut is, so that they are decoded before it; and none before its run began.
            decoded = [max(m, picture.pts - self.delay) for m, picture in enumerate(pictures, count)]
            track = _track(made.format, pictures, decoded, offset, end)
            count += len(pictures)
            stretches[-1][1].parts.append(Part(own.part.table, 0, len(pictures), track))
            offset += sum(picture.size for picture in pictures)
        return stretches

    def _copied(self, cut: _Sample) -> list[Part]:
        """Its stretch from the cut on, without what is left out."""
        parts = self.selection.stretches[cut.stretch].parts
        if not self.dropped:
            return [Part(cut.part.table, cut.n, cut.part.b), *parts[_place(parts, cut) + 1 :]]
        last = self.dropped[-1]
        rest = [Part(last.part.table, last.n + 1, last.part.b)] if last.n + 1 < last.part.b else []
        return [Part(cut.part.table, cut.n, cut.n + 1), *rest, *parts[_place(parts, last) + 1 :]]

    def _beside(self, stretches: Sequence[tuple[int, Stretch]]) -> None:
        """Sound lags behind the pictures: what a segment holds of it may belong to pictures of the next one."""
        for at, stretch in stretches:
            left = _tables(sample for sample in self.before if sample.stretch == at)
            for n, part in enumerate(stretch.parts):
                until = left.index(part.table) if part.table in left else len(left)
                if until:
                    stretch.parts[n] = replace(part, beside=tuple(left[:until]))
                left = left[until + 1 :]


def cut_at(source: SegmentSource, selection: Selection, from_us: int, to_us: int) -> Cut:
    """Where a selection of what is shown from `from_us` to `to_us` is to be cut, so that it begins with the first picture from `from_us` on. Blocks for a few reads
    at most. Raises LongwatchError where too much lies before the cut, or a file is gone.
    """
    samples = list(islice(_samples(selection), _MOST_SAMPLES))
    for n, sample in enumerate(samples):
        is_other = _origin(sample) != _origin(samples[0])
        if not is_other and not (sample.part.video.flags[sample.n] & SYNC and _is_from(sample, from_us)):
            continue
        leading = list(takewhile(partial(_leads, sample), samples[n + 1 :]))
        nothing_anew = not leading and not any(_is_from(each, from_us) for each in samples[:n])
        if n == 0 or is_other or nothing_anew or _begins_anew(source, sample):
            return _cut(selection, sample, samples[:n], leading, from_us, to_us)
    if len(samples) == _MOST_SAMPLES:
        raise LongwatchError(
            "too much would have to be encoded anew", why=f"no key picture to go on from within {_MOST_SAMPLES} pictures",
            remedy="ask without `exact`",
        )  # fmt: skip
    return _cut(selection, None, samples, [], from_us, to_us)


def _leads(sync: _Sample, sample: _Sample) -> bool:
    """Whether it is shown before the sync sample that it stands behind."""
    return sample.stretch == sync.stretch and sample.pts < sync.pts


def _begins_anew(source: SegmentSource, sync: _Sample) -> bool:
    """Whether a decoder takes other parameter sets there: of H.264 at an IDR picture alone (ITU-T H.264, 7.4.1.2.1), and what follows another sync sample counts
    pictures that are not there.
    """
    if sync.part.video.format.codec is not Codec.H264:
        return True
    head = first_slice(source, sync.part.table.row, sync.part.video, sync.n, _H264_PICTURES)
    return head & _H264_PICTURES[0] == NAL_IDR


def _cut(
    selection: Selection, at: _Sample | None, before: list[_Sample], leading: list[_Sample], from_us: int, to_us: int
) -> Cut:
    goes_on = at is not None and bool(before) and _origin(at) == _origin(before[0])
    candidates = [*before, *leading] if goes_on else before
    wanted = [
        sample
        for sample in candidates
        if _is_from(sample, from_us) and not _is_from(sample, to_us) and not (goes_on and at and sample.pts >= at.pts)
    ]
    fed = before
    if at is not None and any(sample is one for sample in wanted for one in leading):
        fed = [*before, at, *leading]
    delay = at.part.video.cts_offsets[at.n] if at is not None and goes_on else 0
    drops = bool(before) or any(not _is_from(sample, from_us) for sample in leading)
    asked = at is not None and not _is_from(at, to_us)
    return Cut(
        selection, at if asked else None, before, fed, sorted(wanted, key=lambda sample: sample.pts),
        leading if drops else [], delay,
    )  # fmt: skip


def _samples(selection: Selection) -> Iterator[_Sample]:
    for stretch, each in enumerate(selection.stretches):
        for part in each.parts:
            for n in range(part.a, part.b):
                yield _Sample(stretch, part, n)


def _origin(sample: _Sample) -> tuple[object, ...]:
    """Its run and format: what has others cannot be decoded with it."""
    row = sample.part.table.row
    return row.boot, row.run, sample.part.video.format.sample_entry


def _is_from(sample: _Sample, wall_us: int) -> bool:
    """Whether it is shown at that moment at the earliest."""
    return sample.pts >= sample.part.table.media_time(wall_us, sample.part.video.format.timescale)


def _parts(samples: Sequence[_Sample]) -> list[Part]:
    """Samples that follow each other, as parts."""
    parts: list[Part] = []
    for sample in samples:
        last = parts[-1] if parts else None
        if last is not None and last.table is sample.part.table and last.b == sample.n:
            parts[-1] = Part(last.table, last.a, last.b + 1)
        else:
            parts.append(Part(sample.part.table, sample.n, sample.n + 1))
    return parts


def _tables(samples: Iterable[_Sample]) -> list[SegmentTable]:
    return list(dict.fromkeys(sample.part.table for sample in samples))


def _place(parts: Sequence[Part], sample: _Sample) -> int:
    return next(n for n, part in enumerate(parts) if part is sample.part)


def _track(format_: TrackFormat, pictures: Sequence[Picture], decoded: list[int], offset: int, end: int) -> TrackTable:
    """Pictures as a track. decoded: when each is. end: when the last one gives way."""
    lasts = max(0, end - pictures[-1].pts)
    index = TrackIndex(
        _SCALE, array("Q", [offset]), array("Q", decoded[:1]), array("I", [len(pictures)]),
        array("I", [picture.size for picture in pictures]),
        array("I", [b - a for a, b in zip(decoded, [*decoded[1:], decoded[-1] + lasts], strict=True)]),
        array("i", [picture.pts - dts for picture, dts in zip(pictures, decoded, strict=True)]),
        bytearray(SYNC if picture.sync else 0 for picture in pictures),
    )  # fmt: skip
    return TrackTable(format_, index)


class ExactVideo:
    """An answer in the making. anew: what is to be encoded for it first; None: nothing, or the file is known. Calls block."""

    def __init__(self, source: SegmentSource, request: VideoRequest, asked: Asked, cache: TableCache) -> None:
        """Raises as `open_exact`."""
        self._source = source
        self._request = request
        self._asked = asked
        self._cache = cache
        self._name = ("exact", id(source), request, asked)
        self._known: VideoFile | None = cache.lately(self._name)
        self._cut: Cut | None = None
        if self._known is None:
            selection = select(source, cache, request, asked.to_us, asked.rows)
            self._cut = cut_at(source, selection, request.from_us, asked.to_us)
        self.anew = None if self._cut is None else self._cut.anew

    def file(self, made: Made | None) -> VideoFile:
        """The file. made: of `anew`. Raises NoVideoError where no picture begins in the span, LongwatchError where a file is gone."""
        if self._known is not None:
            return self._known
        assert self._cut is not None
        selection = self._cut.joined(made)
        asked = self._asked

        def make() -> VideoFile:
            return VideoFile(self._source, self._request, asked.to_us, compose(selection), asked.gaps)

        return self._cache.made(self._name, make, keep=lambda video: video.head_bytes <= KEPT_HEAD_BYTES)


def open_exact(
    source: SegmentSource,
    request: VideoRequest,
    *,
    accounted_until_us: int,
    gaps: Sequence[GapSpan] = (),
    cache: TableCache | None = None,
) -> ExactVideo:
    """As `open_video`, from the first picture at or after `from` on. Raises as that one, and LongwatchError where too much lies between sync samples, or it
    cannot be encoded anew.
    """
    asked = asked_for(source, request, accounted_until_us, gaps)
    return ExactVideo(source, request, asked, cache or TableCache())
