"""Recorded footage as a file that can be served or sent. Blocks."""

from __future__ import annotations

from longwatch.model.stores import GapSpan
from longwatch.playback import TableCache, VideoFile, VideoRequest, open_video
from longwatch.timeline import State
from longwatch.web.deps import Index
from longwatch.web.routes.timeline import tiles_of


def open_footage(index: Index, cache: TableCache, request: VideoRequest) -> VideoFile:
    """One mp4 of the stretch, with its gaps named. Raises LongwatchError: NoVideoError where none is held of it."""
    tiles, accounted_until_us = tiles_of(index, request.key, request.from_us, request.to_us)
    gaps = [
        GapSpan(item.from_us, item.to_us, item.cause, dict(item.evidence))
        for item in tiles
        if item.state is State.GAP and item.cause is not None
    ]
    return open_video(index, request, accounted_until_us=accounted_until_us, gaps=gaps, cache=cache)
