"""Which tracks of a camera are taken."""

from __future__ import annotations

from dataclasses import dataclass

from longwatch.formats.rtp import TrackReceiver, receiver_for
from longwatch.formats.sdp import Description, Media
from longwatch.ingest.options import Options


@dataclass(frozen=True, slots=True)
class Chosen:
    """One track of the session. index: in the session, 0 is video. media: index in the description."""

    index: int
    media: int
    receiver: TrackReceiver


def choose(description: Description, options: Options, *, reorder: bool) -> list[Chosen]:
    """The first video that we can store, and where wanted the first such audio and metadata; [] where there is no video.

    Only video may make its format known later: other tracks must say it in the SDP.
    """
    chosen: list[Chosen] = []
    kinds = ["video", *(["audio"] if options.audio else []), *(["application"] if options.metadata else [])]
    for kind in kinds:
        for number, media in _of_kind(description, kind):
            receiver = receiver_for(len(chosen), media, reorder=reorder)
            if receiver is not None and (kind == "video" or receiver.format is not None):
                chosen.append(Chosen(len(chosen), number, receiver))
                break
        if not chosen:
            return []
    return chosen


def _of_kind(description: Description, kind: str) -> list[tuple[int, Media]]:
    """A back channel for speaking to the camera is `a=sendonly` beside an ordinary audio track (ONVIF): it comes last."""
    found = [(i, media) for i, media in enumerate(description.media) if media.kind == kind]
    return sorted(found, key=lambda pair: pair[1].direction in {"sendonly", "inactive"})
