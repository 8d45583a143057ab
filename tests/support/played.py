"""What a player makes of a file: libav's packets and frames, with their times."""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass, field

import av


@dataclass
class Played:
    """packets: (dts, pts, key, md5) by stream kind; shown: presentation time in seconds of each decoded picture."""

    packets: dict[str, list[tuple[int, int, bool, str]]] = field(default_factory=dict)
    shown: list[float] = field(default_factory=list)
    pictures: list[str] = field(default_factory=list)
    texts: list[tuple[float, str]] = field(default_factory=list)
    damaged: int = 0


def play(data: bytes, *, edits: bool = True, decode: bool = True) -> Played:
    """Open a file with libav and read it to its end."""
    result = Played()
    with av.open(io.BytesIO(data), options={} if edits else {"ignore_editlist": "1"}) as container:
        for packet in container.demux():
            if not packet.size:
                continue
            kind = packet.stream.type
            result.packets.setdefault(kind, []).append(
                (packet.dts, packet.pts, packet.is_keyframe, hashlib.md5(bytes(packet)).hexdigest())
            )
            if kind == "subtitle":
                result.texts.append((float(packet.pts * packet.time_base), bytes(packet)[2:].decode()))
    if decode:
        with av.open(io.BytesIO(data)) as container:
            for frame in container.decode(video=0):
                assert frame.pts is not None
                result.shown.append(float(frame.pts * frame.time_base))
                result.pictures.append(picture(frame))
                result.damaged += bool(frame.is_corrupt)
    return result


def picture(frame: av.VideoFrame) -> str:
    """A picture's content, to know it again; what pads its lines in memory is left out."""
    digest = hashlib.md5()
    for plane in frame.planes:
        data = bytes(plane)
        for start in range(0, plane.line_size * plane.height, plane.line_size):
            digest.update(data[start : start + plane.width])
    return digest.hexdigest()
