"""A shelf of real segment files in a folder: a SegmentSource without an index, for tests of what reads segments."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from longwatch.base.errors import LongwatchError
from longwatch.formats.bmff import (
    LIFTED,
    IndexBuilder,
    Mp4File,
    SegmentIdentity,
    Stored,
    closing,
    fragment,
    segment_header,
)
from longwatch.formats.media import Codec, Kind, TrackFormat
from longwatch.model.sessions import StreamKey
from longwatch.model.stores import FragmentRow, Provenance, SegmentRow

MEDIA = Path(__file__).parents[2] / "src" / "longwatch" / "simulate" / "media"
KEY = StreamKey("gate", "main")
WALL_US = 1_767_225_600_000_000  # 2026-01-01T00:00:00Z
BOOT = "0" * 32


@dataclass
class Clip:
    """A real clip as a camera would send it: formats, and the samples of each track from media time 0 on."""

    tracks: tuple[TrackFormat, ...]
    samples: tuple[list[Stored], ...]


def load_clip(name: str, *, audio: bool = True) -> Clip:
    """`lot` (H.264 baseline, 12.5 fps, AAC) or `room` (H.264 main with B-frames, 10 fps)."""
    file = Mp4File.from_bytes((MEDIA / f"{name}.mp4").read_bytes())
    tracks, samples = [], []
    for track in file.tracks:
        video = track.kind == "video"
        if not (video or audio):
            continue
        scale = 90_000 if video else track.timescale
        tracks.append(
            TrackFormat(
                Kind.VIDEO, Codec.H264, scale, track.sample_entry, "avc1.4d401f", track.width, track.height, 12.5
            )
            if video
            else TrackFormat(Kind.AUDIO, Codec.AAC, scale, track.sample_entry, "mp4a.40.2", channels=2)
        )
        ratio = scale / track.timescale
        samples.append(
            [
                (round(s.dts * ratio), round(s.cts_offset * ratio), round(s.duration * ratio), s.sync, file.data(s), False)
                for s in track.samples
            ]
        )  # fmt: skip
    return Clip(tuple(tracks), tuple(samples))


@dataclass
class Shelf:
    """Segments in a folder. reads counts calls and `touched` the bytes they gave."""

    folder: Path
    rows: list[SegmentRow] = field(default_factory=list)
    fragment_rows: dict[int, list[FragmentRow]] = field(default_factory=dict)
    reads: int = 0

    def segments(self, key: StreamKey, from_us: int, to_us: int, run: int | None = None) -> list[SegmentRow]:
        return sorted(
            (
                r
                for r in self.rows
                if r.key == key and r.wall_start_us < to_us and r.wall_end_us > from_us and run in {None, r.run}
            ),
            key=lambda r: r.wall_start_us,
        )

    def fragments(self, segment: SegmentRow) -> list[FragmentRow]:
        return self.fragment_rows[segment.id]

    def read(self, segment: SegmentRow, offset: int, size: int) -> bytes:
        self.reads += 1
        try:
            with open(segment.path, "rb") as file:
                file.seek(offset)
                limit = size if segment.sealed else min(size, segment.durable_bytes - offset)
                return file.read(max(0, limit))
        except FileNotFoundError as error:
            raise LongwatchError("gone") from error

    def sync_before(self, key: StreamKey, at_us: int) -> SegmentRow | None:
        found = None
        for row in self.rows:
            if row.key != key:
                continue
            for each in self.fragment_rows[row.id]:
                for sync in each.sync_offsets_90k:
                    at = row.wall_start_us + (each.start_90k + sync - row.start_90k) * 100 // 9
                    if at <= at_us and (found is None or at >= found[0]):
                        found = (at, row)
        return found[1] if found else None

    def write(
        self,
        tracks: Sequence[TrackFormat],
        samples: Sequence[Sequence[Stored]],
        *,
        run: int,
        sequence: int,
        wall_us: int,
        key: StreamKey = KEY,
        provenance: Provenance = Provenance.NTP,
        fragment_90k: int = 63_000,
        sealed: bool = True,
    ) -> SegmentRow:
        """One segment of these samples; its first video sample is placed at wall_us."""
        start = samples[0][0][0]
        end = samples[0][-1][0] + samples[0][-1][2]
        identity = SegmentIdentity(
            "longwatch test", "post", key.camera, key.stream, BOOT, run, sequence, start, wall_us, provenance
        )
        data = bytearray(segment_header(identity, tracks))
        header_bytes = len(data)
        index = IndexBuilder([t.timescale for t in tracks])
        rows = []
        for number, runs in enumerate(_cut(tracks, samples, fragment_90k), 1):
            parts = fragment(number, runs, stored=True)
            data += LIFTED + b"free"
            index.add(len(data), len(parts[0]), runs)
            body = b"".join(parts)
            video = next((s for t, s in runs if t == 0), ())
            first = video[0][0] if video else 0
            rows.append(
                FragmentRow(
                    len(data), len(body), first, video[-1][0] + video[-1][2] if video else 0,
                    tuple(s[0] - first for s in video if s[3]), hashlib.sha256(body).digest(),
                )
            )  # fmt: skip
            data += body
        durable = len(data)
        if sealed:
            data += LIFTED + b"free" + closing(rows, index.pack())
        path = self.folder / f"{run}-{sequence}.mp4"
        path.write_bytes(data)
        row = SegmentRow(
            id=len(self.rows) + 1, key=key, boot=BOOT, run=run, sequence=sequence, path=str(path), sealed=sealed,
            header_bytes=header_bytes, durable_bytes=durable, start_90k=start, end_90k=end, wall_start_us=wall_us,
            wall_end_us=wall_us + (end - start) * 100 // 9, provenance=provenance, fragments=len(rows),
        )  # fmt: skip
        self.rows.append(row)
        self.fragment_rows[row.id] = rows
        return row

    def write_run(
        self, clip: Clip, *, run: int = 1, wall_us: int = WALL_US, segment_90k: int = 720_000, last_open: bool = False,
        skip_90k: tuple[int, int] = (0, 0), **options: object,
    ) -> list[SegmentRow]:  # fmt: skip
        """A whole clip as one run, cut into segments at sync samples; what lies in skip_90k was never received."""
        kept = [
            [s for s in samples if not skip_90k[0] <= s[0] * 90_000 // t.timescale < skip_90k[1]]
            for t, samples in zip(clip.tracks, clip.samples, strict=True)
        ]
        starts = [kept[0][0][0]]
        for dts, _, _, sync, _, _ in kept[0]:
            if sync and dts - starts[-1] >= segment_90k:
                starts.append(dts)
        rows = []
        for n, start in enumerate(starts):
            end = starts[n + 1] if n + 1 < len(starts) else 1 << 60
            part = [
                [s for s in samples if start <= s[0] * 90_000 // t.timescale < end]
                for t, samples in zip(clip.tracks, kept, strict=True)
            ]
            rows.append(
                self.write(
                    clip.tracks, part, run=run, sequence=n, wall_us=wall_us + (start - kept[0][0][0]) * 100 // 9,
                    sealed=not (last_open and n == len(starts) - 1), **options,  # type: ignore[arg-type]  # passed on
                )
            )  # fmt: skip
        return rows

    def replace(self, row: SegmentRow, **changes: object) -> SegmentRow:
        """Change a row, as the index would."""
        changed = replace(row, **changes)  # type: ignore[arg-type]  # fields by name
        self.rows[self.rows.index(row)] = changed
        return changed


def _cut(
    tracks: Sequence[TrackFormat], samples: Sequence[Sequence[Stored]], fragment_90k: int
) -> Iterator[list[tuple[int, list[Stored]]]]:
    at = [0] * len(tracks)
    limit = samples[0][0][0] + fragment_90k
    while any(a < len(s) for a, s in zip(at, samples, strict=True)):
        runs = []
        for n, (track, own) in enumerate(zip(tracks, samples, strict=True)):
            a = at[n]
            while at[n] < len(own) and own[at[n]][0] * 90_000 // track.timescale < limit:
                at[n] += 1
            if at[n] > a:
                runs.append((n, list(own[a : at[n]])))
        if runs:
            yield runs
        limit += fragment_90k
