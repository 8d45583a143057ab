"""What a browser is told of a stream before its first chunk."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from longwatch.base.rfc3339 import format_us
from longwatch.formats.bmff import live_init, mime_type
from longwatch.formats.codecs import flac, g711
from longwatch.formats.media import Codec, Kind, TrackFormat

# What MediaSource takes inside mp4, one browser or another. H.265 is among them: those that cannot play it say so
# themselves when they are asked (`isTypeSupported`). MJPEG no browser takes; G.711 is handed on as FLAC.
_PLAYABLE = frozenset({Codec.H264, Codec.H265, Codec.AAC, Codec.OPUS})
_AS_FLAC = frozenset({Codec.PCMU, Codec.PCMA})


@dataclass(frozen=True, slots=True)
class LiveFormat:
    """One set of parameters of a stream. played: what goes out, by the session's track index, video first.

    init, mime: of all that is played. silent_init, silent_mime: without the sound, for who does not listen.
    """

    tracks: tuple[TrackFormat, ...]
    played: dict[int, TrackFormat]
    init: bytes = field(repr=False)
    mime: str
    silent_init: bytes = field(repr=False)
    silent_mime: str
    dropped: tuple[dict[str, object], ...]

    @staticmethod
    def of(tracks: tuple[TrackFormat, ...]) -> LiveFormat:
        """What of these tracks a browser can play; the first video and the first audio of them."""
        chosen: dict[Kind, int] = {}
        dropped: list[dict[str, object]] = []
        for index, track in enumerate(tracks):
            usable = track.codec in _PLAYABLE or track.codec in _AS_FLAC
            if usable and track.kind not in chosen:
                chosen[track.kind] = index
            else:
                why = "a second track of its kind" if usable else "no browser plays it"
                dropped.append({"kind": str(track.kind), "codec": str(track.codec), "why": why})
        if Kind.VIDEO not in chosen:
            return LiveFormat(tracks, {}, b"", "", b"", "", tuple(dropped))
        order = [chosen[kind] for kind in (Kind.VIDEO, Kind.AUDIO) if kind in chosen]
        played = {index: _as_played(tracks[index]) for index in order}
        every = list(played.values())
        return LiveFormat(
            tracks,
            played,
            live_init(every),
            mime_type(every),
            live_init(every[:1]),
            mime_type(every[:1]),
            tuple(dropped),
        )

    @property
    def playable(self) -> bool:
        """Whether there is a video track that a browser may play."""
        return bool(self.played)

    def announcement(self, start_wall_us: int | None, media_start_s: float, *, audio: bool = True) -> str:
        """The JSON text. start: wall time of the first chunk that follows; media_start: its time in the chunks.

        audio: whether the sound goes along; `audio` in the text says what there is to hear, either way.
        """
        every = [_described(track) for track in self.played.values()]
        heard = next((str(t.codec) for t in self.played.values() if t.kind is Kind.AUDIO), None)
        return json.dumps(
            {
                "mime": self.mime if audio else self.silent_mime,
                "tracks": every if audio else every[:1],
                "start": None if start_wall_us is None else format_us(start_wall_us),
                "media_start": media_start_s,
                "audio": heard,
                "dropped_tracks": self.dropped,
            }
        )


def correction(start_wall_us: int, media_start_s: float) -> str:
    """A JSON text without `mime`: nothing begins anew, but from here on media time stands elsewhere on the wall."""
    return json.dumps({"start": format_us(start_wall_us), "media_start": media_start_s})


def _as_played(track: TrackFormat) -> TrackFormat:
    return flac.track_format(track.timescale, track.channels) if track.codec in _AS_FLAC else track


def as_played(track: TrackFormat, dts: int, data: bytes) -> bytes:
    """A sample as it goes out: G.711 in a FLAC frame, anything else as it is. Raises CodecError."""
    if track.codec not in _AS_FLAC:
        return data
    samples = memoryview(g711.linear(track.codec, data)).cast("H")
    return flac.verbatim_frame(dts, tuple(bytes(samples[n :: track.channels]) for n in range(track.channels)))


def _described(track: TrackFormat) -> dict[str, object]:
    known = {"kind": str(track.kind), "codec": str(track.codec), "codec_string": track.codec_string}
    if track.kind is Kind.VIDEO:
        return {**known, "width": track.width, "height": track.height, "fps": track.fps}
    return {**known, "sample_rate": track.timescale, "channels": track.channels}
