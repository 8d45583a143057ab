"""Stored segments to what players get: progressive mp4, HLS, stills, exports. Bytes are cut, never re-muxed by a library.

Comes in: a `model.stores.SegmentSource` (a post's archive, or a hub's store), a request, and how far all is accounted for.
Promises: the same request gives the same bytes; nothing behind what is acknowledged is read; media is never held whole;
only `pictures.still_child` and `lapse_child`, processes of their own with limits, decode. Calls block, but for `Stills`: run them off the event loop.
Rooms: `tables` reads sample tables, `selection` chooses samples, `compose` lays them out, `video_file` and `hls_view` serve.
"""

from longwatch.playback.exact import ExactVideo, open_exact
from longwatch.playback.export import ExportResult, export
from longwatch.playback.hls_view import PART_PARAMETERS, open_part, open_playlist, part_span
from longwatch.playback.lapse import LapseRequest, LapseResult, write_lapse
from longwatch.playback.recoded import Cost, Footage, HeldBytes, Recoder, newest_footage
from longwatch.playback.selection import NoVideoError, VideoRequest
from longwatch.playback.stills import Still, Stills
from longwatch.playback.tables import TableCache, start_fetchers
from longwatch.playback.video_file import PlayedGap, StoredBytes, VideoFile, open_video

__all__ = [
    "PART_PARAMETERS",
    "Cost",
    "ExactVideo",
    "ExportResult",
    "Footage",
    "HeldBytes",
    "LapseRequest",
    "LapseResult",
    "NoVideoError",
    "PlayedGap",
    "Recoder",
    "Still",
    "Stills",
    "StoredBytes",
    "TableCache",
    "VideoFile",
    "VideoRequest",
    "export",
    "newest_footage",
    "open_exact",
    "open_part",
    "open_playlist",
    "open_video",
    "part_span",
    "start_fetchers",
    "write_lapse",
]
