"""What a post tells its hub of how its streams look: codec, size, rate of pictures and bits, as part of `site`; and how a hub reads that.

A rate of bits is another at every look, and a link is dear: one that was told stands until it is half again as large or as small, for an hour at least. What a stream
looked like last stands while the camera is away. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from longwatch.health import StreamState, TrackState

Formats = dict[str, dict[str, dict[str, Any]]]
"""By camera and stream: {codec, width, height, fps, bitrate, audio}, without what is not known."""
RATES_EVERY_US = 3_600_000_000
_CODEC_MOST = 40
_SIZE_MOST = 65_535
_FPS_MOST = 1000.0
_BITRATE_MOST = 100_000_000_000


class FormatsTold:
    """Of one post. Owner: whoever tells. It remembers what was told, and since when its rates stand."""

    def __init__(self) -> None:
        self._told: Formats = {}
        self._rates_us: dict[tuple[str, str], int] = {}

    def now(self, streams: Iterable[StreamState], now_us: int) -> Formats:
        """What is to be told now: the same as before where nothing changed that is worth it. streams: none, where the recorder is away. now_us: a clock
        that does not step.
        """
        found: Formats = {}
        for stream in streams:
            camera, name = stream.key.camera, stream.key.stream
            before = self._told.get(camera, {}).get(name)
            said = self._stream((camera, name), _said(stream), before, now_us)
            if said:
                found.setdefault(camera, {})[name] = said
        self._told = found or self._told
        return self._told

    def _stream(
        self, key: tuple[str, str], said: dict[str, Any], before: dict[str, Any] | None, now_us: int
    ) -> dict[str, Any]:
        if not said:
            return before or {}
        if before is None or _shape(before) != _shape(said):
            self._rates_us[key] = now_us
            return said
        old, new = before.get("bitrate"), said.get("bitrate")
        if new is None or old == new:
            return before
        if old is not None and (not _differs(old, new) or now_us - self._rates_us.get(key, 0) < RATES_EVERY_US):
            return before
        self._rates_us[key] = now_us
        return said


def _said(stream: StreamState) -> dict[str, Any]:
    video = next((track for track in stream.tracks if track.kind == "video"), None)
    audio = next((track for track in stream.tracks if track.kind == "audio"), None)
    if video is None:
        return {}
    bitrate = next((track.bitrate for track in stream.tracks if track.bitrate), None)
    said = {
        "codec": video.codec, "width": video.width, "height": video.height, "fps": None if not video.fps else round(video.fps, 1),
        "bitrate": None if bitrate is None else _rounded(bitrate), "audio": None if audio is None else audio.codec,
    }  # fmt: skip
    return {name: value for name, value in said.items() if value}


def _shape(said: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in said.items() if name != "bitrate"}


def _differs(old: int, new: int) -> bool:
    return new * 2 >= old * 3 or new * 3 <= old * 2


def _rounded(bitrate: int) -> int:
    """To two digits: more is not known of it."""
    digits = max(0, len(str(bitrate)) - 2)
    return round(bitrate, -digits)


# -- at the hub


def tracks_of(said: object, *, recording: bool) -> tuple[TrackState, ...]:
    """Of one stream, as a post said it: nothing of it is believed to have its form. recording: a stream that is silent has no rate."""
    if not isinstance(said, Mapping) or not (codec := _codec(said.get("codec"))):
        return ()
    bitrate = _whole(said.get("bitrate"), _BITRATE_MOST)
    video = TrackState(
        codec, _whole(said.get("width"), _SIZE_MOST) or 0, _whole(said.get("height"), _SIZE_MOST) or 0, _fps(said.get("fps")),
        bitrate if recording and bitrate else None, "video",
    )  # fmt: skip
    audio = _codec(said.get("audio"))
    return (video, TrackState(audio, kind="audio")) if audio else (video,)


def _codec(value: object) -> str:
    ours = isinstance(value, str) and len(value) <= _CODEC_MOST and value.isascii() and value.isprintable()
    return str(value) if ours else ""


def _whole(value: object, most: int) -> int | None:
    return value if type(value) is int and 0 <= value <= most else None


def _fps(value: object) -> float | None:
    return float(value) if type(value) in {int, float} and 0 < value <= _FPS_MOST else None  # type: ignore[operator,arg-type]  # a number by its type
