"""Recorded footage as a file that can be served or sent. Blocks."""

from __future__ import annotations

from longwatch.model.stores import GapSpan
from longwatch.playback import ExactVideo, TableCache, VideoFile, VideoRequest, open_exact, open_video
from longwatch.timeline import State
from longwatch.web.deps import Index
from longwatch.web.routes.timeline import tiles_of


def open_footage(index: Index, cache: TableCache, request: VideoRequest) -> VideoFile:
    """One mp4 of the stretch, with its gaps named. Raises LongwatchError: NoVideoError where none is held of it."""
    gaps, accounted_until_us = _gaps(index, request)
    return open_video(index, request, accounted_until_us=accounted_until_us, gaps=gaps, cache=cache)


def open_exact_footage(index: Index, cache: TableCache, request: VideoRequest) -> ExactVideo:
    """The same from the first picture at or after `from` on, in the making. Raises as `open_footage`."""
    gaps, accounted_until_us = _gaps(index, request)
    return open_exact(index, request, accounted_until_us=accounted_until_us, gaps=gaps, cache=cache)


def _gaps(index: Index, request: VideoRequest) -> tuple[list[GapSpan], int]:
    """Of the span, and until when it is accounted for."""
    tiles, accounted_until_us = tiles_of(index, request.key, request.from_us, request.to_us)
    return [
        GapSpan(item.from_us, item.to_us, item.cause, dict(item.evidence))
        for item in tiles
        if item.state is State.GAP and item.cause is not None
    ], accounted_until_us
