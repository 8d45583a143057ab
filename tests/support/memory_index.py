"""An index held in memory, for routes whose subject is not the archive."""

from __future__ import annotations

from dataclasses import dataclass, field

from longwatch.model.sessions import StreamKey
from longwatch.model.stores import FragmentRow, GapSpan, RecordedSpan, SegmentRow


@dataclass
class Totals:
    bytes: int = 1_000_000
    segments: int = 3
    first_us: int | None = None
    last_us: int | None = None


@dataclass
class MemoryIndex:
    """Spans and gaps as a test puts them; no media."""

    set_up: list[tuple[str, str, int]] = field(default_factory=list)
    spans: dict[StreamKey, list[RecordedSpan]] = field(default_factory=dict)
    gap_list: list[tuple[StreamKey, GapSpan]] = field(default_factory=list)
    until_us: int = 0

    def cameras(self) -> list[tuple[str, str, int]]:
        return self.set_up

    def recorded_spans(self, key: StreamKey, from_us: int, to_us: int) -> list[RecordedSpan]:
        return [span for span in self.spans.get(key, []) if span.from_us < to_us and span.to_us > from_us]

    def gaps(self, camera: str | None, from_us: int, to_us: int) -> list[tuple[StreamKey, GapSpan]]:
        return [
            (key, gap)
            for key, gap in self.gap_list
            if camera in {None, key.camera} and gap.from_us < to_us and (gap.to_us is None or gap.to_us > from_us)
        ]

    def gaps_of(self, key: StreamKey, from_us: int, to_us: int) -> list[GapSpan]:
        return [gap for other, gap in self.gaps(key.camera, from_us, to_us) if other == key]

    def accounted_until_us(self) -> int:
        return self.until_us

    def stats(self, key: StreamKey) -> Totals:
        return Totals()

    def segments(self, key: StreamKey, from_us: int, to_us: int, run: int | None = None) -> list[SegmentRow]:
        return []

    def fragments(self, segment: SegmentRow) -> list[FragmentRow]:
        return []

    def read(self, segment: SegmentRow, offset: int, size: int) -> bytes:
        raise AssertionError("no media here")

    def sync_before(self, key: StreamKey, at_us: int) -> SegmentRow | None:
        return None
