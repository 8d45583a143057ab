"""What a browser is told of a stream before its first chunk."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from longwatch.base.rfc3339 import format_us
from longwatch.formats.bmff import live_init, mime_type
from longwatch.formats.media import Codec, Kind, TrackFormat

# What MediaSource takes inside mp4, one browser or another. H.265 is among them: those that cannot play it say so
# themselves when they are asked (`isTypeSupported`). G.711 and MJPEG no browser takes.
_PLAYABLE = frozenset({Codec.H264, Codec.H265, Codec.AAC, Codec.OPUS})


@dataclass(frozen=True, slots=True)
class LiveFormat:
    """One set of parameters of a stream. outputs: the session's track index to the one in `init`, for what is played."""

    tracks: tuple[TrackFormat, ...]
    outputs: dict[int, int]
    init: bytes = field(repr=False)
    mime: str
    described: tuple[dict[str, object], ...]
    dropped: tuple[dict[str, object], ...]

    @staticmethod
    def of(tracks: tuple[TrackFormat, ...]) -> LiveFormat:
        """What of these tracks a browser can play; the first video and the first audio of them."""
        outputs: dict[int, int] = {}
        dropped: list[dict[str, object]] = []
        kinds: set[Kind] = set()
        for index, track in enumerate(tracks):
            if track.codec in _PLAYABLE and track.kind not in kinds:
                kinds.add(track.kind)
                outputs[index] = len(outputs)
            else:
                why = "a second track of its kind" if track.codec in _PLAYABLE else "no browser plays it"
                dropped.append({"kind": str(track.kind), "codec": str(track.codec), "why": why})
        played = [tracks[index] for index in outputs] if Kind.VIDEO in kinds else []
        return LiveFormat(
            tracks,
            outputs if played else {},
            live_init(played) if played else b"",
            mime_type(played) if played else "",
            tuple(_described(track) for track in played),
            tuple(dropped),
        )

    @property
    def playable(self) -> bool:
        """Whether there is a video track that a browser may play."""
        return bool(self.outputs)

    def announcement(self, start_wall_us: int | None, media_start_s: float) -> str:
        """The JSON text. start: wall time of the first chunk that follows; media_start: its time in the chunks."""
        return json.dumps(
            {
                "mime": self.mime,
                "tracks": self.described,
                "start": None if start_wall_us is None else format_us(start_wall_us),
                "media_start": media_start_s,
                "dropped_tracks": self.dropped,
            }
        )


def _described(track: TrackFormat) -> dict[str, object]:
    known = {"kind": str(track.kind), "codec": str(track.codec), "codec_string": track.codec_string}
    if track.kind is Kind.VIDEO:
        return {**known, "width": track.width, "height": track.height, "fps": track.fps}
    return {**known, "sample_rate": track.timescale, "channels": track.channels}
