"""Live samples on the socket: track formats and samples as frames.

`live_format` {stream, generation, tracks: [...]} with the sample entries as body, one after another;
`live_sample` {stream, generation, track, dts, cts, sync, arrival, damaged} with the sample as body.
"""

from __future__ import annotations

from typing import Any

from longwatch.base.errors import LongwatchError
from longwatch.formats.media import Codec, Kind, Sample, TrackFormat
from longwatch.wire.frames import Frame, encode


def encode_format(key: tuple[str, str], generation: int, tracks: tuple[TrackFormat, ...]) -> bytes:
    """The formats of a session's tracks; `generation` rises with each change."""
    listed = [
        {
            "kind": t.kind, "codec": t.codec, "timescale": t.timescale, "entry_bytes": len(t.sample_entry),
            "codec_string": t.codec_string, "width": t.width, "height": t.height, "fps": t.fps,
            "channels": t.channels, "reorder_depth": t.reorder_depth,
        }
        for t in tracks
    ]  # fmt: skip
    header = {"type": "live_format", "stream": list(key), "generation": generation, "tracks": listed}
    return encode(header, b"".join(t.sample_entry for t in tracks))


def decode_format(frame: Frame) -> tuple[tuple[str, str], int, tuple[TrackFormat, ...]]:
    """The reverse of encode_format. Raises LongwatchError."""
    try:
        tracks = []
        offset = 0
        for t in frame.header["tracks"]:
            end = offset + t["entry_bytes"]
            entry = frame.body[offset:end]
            offset = end
            tracks.append(
                TrackFormat(
                    Kind(t["kind"]), Codec(t["codec"]), t["timescale"], entry, t["codec_string"], t["width"], t["height"],
                    t["fps"], t["channels"], t["reorder_depth"],
                )
            )  # fmt: skip
        return _key(frame.header), int(frame.header["generation"]), tuple(tracks)
    except (KeyError, TypeError, ValueError) as error:
        raise LongwatchError("a live_format frame cannot be read", why=repr(error)) from error


def encode_sample(key: tuple[str, str], generation: int, sample: Sample) -> bytes:
    """One sample, on its way to a viewer."""
    header: dict[str, Any] = {
        "type": "live_sample", "stream": list(key), "generation": generation, "track": sample.track, "dts": sample.dts,
        "cts": sample.cts_offset, "sync": sample.sync, "arrival": sample.arrival_boot_us, "damaged": sample.damaged,
    }  # fmt: skip
    return encode(header, sample.data)


def decode_sample(frame: Frame) -> tuple[tuple[str, str], int, Sample]:
    """The reverse of encode_sample. Raises LongwatchError."""
    h = frame.header
    try:
        sample = Sample(h["track"], h["dts"], h["cts"], h["sync"], frame.body, h["arrival"], h["damaged"])
        return _key(h), int(h["generation"]), sample
    except (KeyError, TypeError, ValueError) as error:
        raise LongwatchError("a live_sample frame cannot be read", why=repr(error)) from error


def _key(header: dict[str, Any]) -> tuple[str, str]:
    camera, stream = header["stream"]
    return str(camera), str(stream)
