"""The timed-text track (3GPP TS 26.245, `tx3g`): the wall time of each second, and a name for each gap that is closed up."""

from __future__ import annotations

import struct
from bisect import bisect_right
from collections.abc import Sequence

from longwatch.base.rfc3339 import format_us
from longwatch.formats.bmff.boxes import box
from longwatch.formats.bmff.progressive import ProgressiveTrack, SampleTables
from longwatch.formats.media import Kind
from longwatch.model.causes import Cause
from longwatch.model.stores import GapSpan
from longwatch.playback.compose import Composition, Joint

_TIMESCALE = 90_000
_GAP_SHOWN_90K = 4 * 90_000
_STYLE = struct.pack(">HHHBBI", 0, 0, 1, 0, 18, 0xFFFFFFFF)
_FONTS = box(b"ftab", struct.pack(">HHB", 1, 1, 10), b"Sans-Serif")
_ENTRY = box(
    b"tx3g", bytes(6), struct.pack(">HIbbI", 1, 0, 1, -1, 0), struct.pack(">hhhh", 0, 0, 0, 0), _STYLE, _FONTS
)  # fmt: skip
_SECOND_US = 1_000_000


def cause_of(gaps: Sequence[GapSpan], from_us: int, to_us: int) -> Cause:
    """The cause of the known gap that covers most of a span; unknown where none does."""
    best = max(gaps, key=lambda g: _overlap(g, from_us, to_us), default=None)
    return best.cause if best is not None and _overlap(best, from_us, to_us) > 0 else Cause.UNKNOWN


def _overlap(gap: GapSpan, from_us: int, to_us: int) -> int:
    return min(to_us, to_us if gap.to_us is None else gap.to_us) - max(from_us, gap.from_us)


def caption_track(composition: Composition, gaps: Sequence[GapSpan]) -> tuple[ProgressiveTrack, bytes]:
    """The track, whose samples are the bytes: they are to stand first in mdat. Not enabled: a player shows it on request."""
    return timed_text(_texts(composition, gaps), composition.duration_90k)


def timed_text(
    texts: Sequence[tuple[int, bytes]], duration_90k: int, *, enabled: bool = False
) -> tuple[ProgressiveTrack, bytes]:
    """A track of texts, each from its moment (in 1/90000 s, rising from 0) to the next one's; and its samples, which stand first in mdat."""
    tables = SampleTables()
    data = [struct.pack(">H", len(text)) + text for _, text in texts]
    times = [at for at, _ in texts]
    durations = [b - a for a, b in zip(times, [*times[1:], duration_90k], strict=True)]
    sizes = struct.pack(f">{len(data)}I", *map(len, data))
    tables.add_samples(sizes, [(1, d) for d in durations], [(len(data), 0)], ())
    tables.add_chunk(0, len(data), 0)
    track = ProgressiveTrack(
        Kind.METADATA, _TIMESCALE, (_ENTRY,), tables, ((duration_90k, 0),), handler=b"sbtl", enabled=enabled
    )  # fmt: skip
    return track, b"".join(data)


def _texts(composition: Composition, gaps: Sequence[GapSpan]) -> list[tuple[int, bytes]]:
    starts = [joint.at_90k for joint in composition.joints]
    named = [_gap_text(joint, gaps) for joint in composition.joints]
    texts: list[tuple[int, bytes]] = []
    ends = [mark.at_90k for mark in composition.marks[1:]] + [composition.duration_90k]
    for mark, end in zip(composition.marks, ends, strict=True):
        at, wall_us = max(0, mark.at_90k), mark.wall_us
        while at < end:
            whole_us = wall_us // _SECOND_US * _SECOND_US
            text = format_us(whole_us).replace("T", " ").replace("Z", " UTC").encode()
            n = bisect_right(starts, at) - 1
            if n >= 0 and named[n] and at < starts[n] + _GAP_SHOWN_90K:
                text += b"\n" + named[n]
            if texts and texts[-1][0] >= at:
                texts.pop()
            if not texts or texts[-1][1] != text:
                texts.append((at, text))
            at += (whole_us + _SECOND_US - wall_us) * 9 // 100
            wall_us = whole_us + _SECOND_US
    return texts


def _gap_text(joint: Joint, gaps: Sequence[GapSpan]) -> bytes:
    if joint.before_wall_us is None:
        return b""
    cause = cause_of(gaps, joint.before_wall_us, joint.wall_us)
    return f"no video {format_us(joint.before_wall_us)} to {format_us(joint.wall_us)}: {cause}".encode()
