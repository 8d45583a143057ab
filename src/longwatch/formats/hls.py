"""HLS media playlists (RFC 8216) of fragmented mp4."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from longwatch.base.rfc3339 import format_us

CONTENT_TYPE = "application/vnd.apple.mpegurl"


@dataclass(frozen=True, slots=True)
class MediaPart:
    """One media segment in HLS's sense: it begins with a sync sample. uri: relative to the playlist.

    map_uri: of its initialization segment. wall_us: of its first picture. discontinuity: it does not go on where the one
    before it ended, or its parameters are others (4.3.2.3).
    """

    uri: str
    duration_us: int
    map_uri: str
    wall_us: int
    discontinuity: bool = False


def media_playlist(parts: Sequence[MediaPart], *, ended: bool, start_offset_us: int = 0) -> str:
    """The playlist's text. ended: no more follows (ENDLIST). start_offset_us: where to begin in it; what comes before is
    only there to be decoded.

    EXT-X-PROGRAM-DATE-TIME stands at each part (a camera's clock drifts within a run, and durations do not say by how much),
    EXT-X-MAP where it changes.
    """
    longest_us = max((part.duration_us for part in parts), default=1_000_000)
    lines = [
        "#EXTM3U",
        "#EXT-X-VERSION:7",
        f"#EXT-X-TARGETDURATION:{max(1, (longest_us + 500_000) // 1_000_000)}",
        f"#EXT-X-PLAYLIST-TYPE:{'VOD' if ended else 'EVENT'}",
        "#EXT-X-MEDIA-SEQUENCE:0",
        "#EXT-X-INDEPENDENT-SEGMENTS",
    ]
    if start_offset_us:
        lines.append(f"#EXT-X-START:TIME-OFFSET={start_offset_us / 1e6:.6f},PRECISE=YES")
    known_map = ""
    for n, part in enumerate(parts):
        if part.discontinuity and n:
            lines.append("#EXT-X-DISCONTINUITY")
        if part.map_uri != known_map:
            lines.append(f'#EXT-X-MAP:URI="{part.map_uri}"')
            known_map = part.map_uri
        lines.append(f"#EXT-X-PROGRAM-DATE-TIME:{format_us(part.wall_us)}")
        lines += [f"#EXTINF:{part.duration_us / 1e6:.6f},", part.uri]
    if ended:
        lines.append("#EXT-X-ENDLIST")
    return "\n".join(lines) + "\n"
