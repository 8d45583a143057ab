"""A stretch of a stream as a file: the same bytes that video.mp4 would be."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from longwatch.base.errors import LongwatchError
from longwatch.model.stores import GapSpan, SegmentSource
from longwatch.playback.selection import VideoRequest
from longwatch.playback.video_file import PlayedGap, open_video


@dataclass(frozen=True, slots=True)
class ExportResult:
    """What was written. from_us: of the first picture shown; to_us: `to`, clipped to what is accounted for.

    gaps: (from, to, cause) of each gap in it. duration_us: of the file, which has its gaps closed up.
    """

    size: int
    from_us: int
    to_us: int
    duration_us: int
    gaps: tuple[tuple[int, int, str], ...]
    etag: str


def export(
    source: SegmentSource,
    request: VideoRequest,
    path: Path,
    *,
    accounted_until_us: int,
    gaps: Sequence[GapSpan] = (),
    progress: Callable[[int, int], None] | None = None,
) -> ExportResult:
    """Write the video of a request to `path`: to a new file beside it first, flushed, then renamed over it.

    progress: called with bytes written and bytes in all. Raises as open_video, and LongwatchError where the file cannot be
    written; what was begun is removed then, and an older file at `path` is as it was.
    """
    video = open_video(source, request, accounted_until_us=accounted_until_us, gaps=gaps)
    begun = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with begun.open("xb") as out:
            done = 0
            for chunk in video.chunks():
                done += out.write(chunk)
                if progress is not None:
                    progress(done, video.size)
            out.flush()
            os.fsync(out.fileno())
        begun.replace(path)
    except OSError as error:
        raise LongwatchError(f"cannot write {path}", why=error.strerror or str(error)) from error
    finally:
        begun.unlink(missing_ok=True)
    return ExportResult(
        video.size, video.shown_from_wall_us, video.to_us, video.duration_us, tuple(map(_plain, video.gaps)), video.etag
    )


def _plain(gap: PlayedGap) -> tuple[int, int, str]:
    return gap.from_us, gap.to_us, str(gap.cause)
