"""The header of a segment file: who wrote it and which segment it is, and the tracks (docs/ref/segment-file.md)."""

from __future__ import annotations

import struct
import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from longwatch.formats.bmff.boxes import BmffError, Box, Fields, box, parse_box, text, uuid_box
from longwatch.formats.bmff.guard import alignment
from longwatch.formats.bmff.moov import Track, fragmented_moov, parse_tracks
from longwatch.formats.media import Codec, Kind, TrackFormat

IDENTITY_UUID = uuid.UUID("6c6f6e67-7761-4863-a864-5f9b7c2e11d0").bytes
_VERSION = 1
_FTYP = box(b"ftyp", b"iso6", struct.pack(">I", 0), b"iso6", b"iso5", b"mp41")
_FPS_SCALE = 1000


@dataclass(frozen=True, slots=True)
class SegmentIdentity:
    """Who wrote a segment and which one it is.

    writer: program and version. post, camera, stream: ids. boot: the kernel's boot id; (boot, run, sequence) is unique.
    start_90k: media time of its beginning in the run. wall_start_us: where that was placed when it was opened, with the
    provenance of that placement (a number of `model.stores.Provenance`).
    """

    writer: str
    post: str
    camera: str
    stream: str
    boot: str
    run: int
    sequence: int
    start_90k: int
    wall_start_us: int
    provenance: int


@dataclass(frozen=True, slots=True)
class Header:
    """What a segment's header says. header_bytes: ftyp, uuid and moov; the first fragment follows."""

    identity: SegmentIdentity
    tracks: tuple[TrackFormat, ...]
    header_bytes: int


def segment_header(identity: SegmentIdentity, tracks: Sequence[TrackFormat]) -> bytes:
    """ftyp, the identity box and a moov without samples: what stands before the first fragment.

    Any player takes it as the start of a fragmented mp4; the identity is a `uuid` box, which players skip. Its length is a
    multiple of 8, for the guard that follows.
    """
    head = _FTYP + _identity_box(identity, tracks)
    moov = fragmented_moov([_track(t, n) for n, t in enumerate(tracks, 1)])
    pad = alignment(len(head) + len(moov))  # a box of 8 bytes and the padding keeps what follows where it should be
    return head + (box(b"free", bytes(pad)) if pad else b"") + moov


def _track(track: TrackFormat, number: int) -> Track:
    return Track(
        number=number, kind=track.kind, timescale=track.timescale, sample_entries=(track.sample_entry,),
        width=track.width, height=track.height,
    )  # fmt: skip


def _identity_box(identity: SegmentIdentity, tracks: Sequence[TrackFormat]) -> bytes:
    i = identity
    parts = [
        struct.pack(">I", _VERSION << 24),
        *(text(value) for value in (i.writer, i.post, i.camera, i.stream, i.boot)),
        struct.pack(">QIQqBH", i.run, i.sequence, i.start_90k, i.wall_start_us, i.provenance, len(tracks)),
    ]
    for t in tracks:
        fps = round((t.fps or 0) * _FPS_SCALE)
        parts += [text(t.codec), text(t.codec_string), struct.pack(">IHH", fps, t.channels, t.reorder_depth)]
    return uuid_box(IDENTITY_UUID, *parts)


def parse_header(data: bytes) -> Header:
    """Read what segment_header wrote, from the first bytes of a file.

    Raises BmffError where the bytes are not a header of ours, of a version that is not known, or cut off.
    """
    identity: Box | None = None
    at = 0
    while (found := parse_box(data, at, len(data))) is not None and found.end <= len(data):
        if at == 0 and found.kind != b"ftyp":
            raise BmffError("the file does not begin with ftyp")
        if found.uuid == IDENTITY_UUID:
            identity = found
        if found.kind == b"moov":
            if identity is None:
                raise BmffError("the file has no identity box of Longwatch")
            return _read(data, identity, found)
        if found.kind not in {b"ftyp", b"uuid", b"free"}:
            raise BmffError(f"a {found.kind!r} box before moov")
        at = found.end
    raise BmffError("the header is cut off")


def _read(data: bytes, identity_box: Box, moov: Box) -> Header:
    fields = Fields(data, identity_box.body, identity_box.end)
    version = fields.uint(1)
    if version != _VERSION:
        raise BmffError(f"an identity box of version {version}, {_VERSION} is known")
    fields.uint(3)
    writer, post, camera, stream, boot = (fields.text() for _ in range(5))
    identity = SegmentIdentity(
        writer, post, camera, stream, boot, run=fields.uint(8), sequence=fields.uint(4), start_90k=fields.uint(8),
        wall_start_us=fields.sint(8), provenance=fields.uint(1),
    )  # fmt: skip
    tracks = parse_tracks(data, moov)
    if fields.uint(2) != len(tracks):
        raise BmffError("identity box and moov differ in their number of tracks")
    return Header(identity, tuple(_format(fields, track) for track in tracks), moov.end)


def _format(fields: Fields, track: Track) -> TrackFormat:
    codec_name, codec_string = fields.text(), fields.text()
    fps, channels, reorder_depth = fields.uint(4), fields.uint(2), fields.uint(2)
    try:
        codec = Codec(codec_name)
    except ValueError as error:
        raise BmffError(f"codec {codec_name!r} is not known") from error
    if len(track.sample_entries) != 1:
        raise BmffError(f"{len(track.sample_entries)} sample entries in one track of a segment")
    return TrackFormat(
        kind=Kind(track.kind), codec=codec, timescale=track.timescale, sample_entry=track.sample_entries[0],
        codec_string=codec_string, width=track.width, height=track.height, fps=fps / _FPS_SCALE if fps else None,
        channels=channels, reorder_depth=reorder_depth,
    )  # fmt: skip


def live_init(tracks: Sequence[TrackFormat]) -> bytes:
    """The initialization segment of a live view or of HLS: ftyp and moov."""
    return _FTYP + fragmented_moov([_track(t, n) for n, t in enumerate(tracks, 1)])


def mime_type(tracks: Sequence[TrackFormat]) -> str:
    """RFC 6381, as `MediaSource.isTypeSupported` wants it."""
    kind = "video" if any(t.kind is Kind.VIDEO for t in tracks) else "audio"
    return f'{kind}/mp4; codecs="{",".join(t.codec_string for t in tracks)}"'
