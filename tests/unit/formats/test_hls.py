"""Playlists as RFC 8216 says."""

from __future__ import annotations

from longwatch.formats.hls import MediaPart, media_playlist

WALL_US = 1_767_225_600_000_000


def test_the_text_of_a_playlist() -> None:
    parts = [
        MediaPart("a.mp4", 4_000_000, "init1.mp4", WALL_US),
        MediaPart("b.mp4", 4_600_000, "init1.mp4", WALL_US + 4_000_000),
        MediaPart("c.mp4", 1_500_000, "init2.mp4", WALL_US + 60_000_000, discontinuity=True),
    ]
    assert media_playlist(parts, ended=True, start_offset_us=1_250_000).splitlines() == [
        "#EXTM3U",
        "#EXT-X-VERSION:7",
        "#EXT-X-TARGETDURATION:5",
        "#EXT-X-PLAYLIST-TYPE:VOD",
        "#EXT-X-MEDIA-SEQUENCE:0",
        "#EXT-X-INDEPENDENT-SEGMENTS",
        "#EXT-X-START:TIME-OFFSET=1.250000,PRECISE=YES",
        '#EXT-X-MAP:URI="init1.mp4"',
        "#EXT-X-PROGRAM-DATE-TIME:2026-01-01T00:00:00Z",
        "#EXTINF:4.000000,",
        "a.mp4",
        "#EXT-X-PROGRAM-DATE-TIME:2026-01-01T00:00:04Z",
        "#EXTINF:4.600000,",
        "b.mp4",
        "#EXT-X-DISCONTINUITY",
        '#EXT-X-MAP:URI="init2.mp4"',
        "#EXT-X-PROGRAM-DATE-TIME:2026-01-01T00:01:00Z",
        "#EXTINF:1.500000,",
        "c.mp4",
        "#EXT-X-ENDLIST",
    ]


def test_one_that_goes_on_has_no_end() -> None:
    text = media_playlist([MediaPart("a.mp4", 1_000_000, "i.mp4", WALL_US)], ended=False)
    assert "ENDLIST" not in text
    assert "#EXT-X-PLAYLIST-TYPE:EVENT" in text
    assert "EXT-X-START" not in text


def test_an_empty_one_is_still_a_playlist() -> None:
    assert "#EXT-X-TARGETDURATION:1\n" in media_playlist([], ended=False)
