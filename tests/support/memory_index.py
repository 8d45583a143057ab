"""An index held in memory, for routes whose subject is not the archive."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from longwatch.model.alarms import Alarm
from longwatch.model.audit import Mention, Question
from longwatch.model.holds import Hold
from longwatch.model.sessions import StreamKey
from longwatch.model.stores import FragmentRow, GapSpan, Held, RecordedSpan, SegmentRow
from longwatch.timeline import Tile, tile
from longwatch.timeline.wide import WideRows, pieces_of


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
    first_us: int | None = None
    mentions: list[Mention] = field(default_factory=list)
    asked: list[Question] = field(default_factory=list)
    alarm_list: list[Alarm] = field(default_factory=list)
    hold_list: list[Hold] = field(default_factory=list)

    def cameras(self) -> list[tuple[str, str, int]]:
        return self.set_up

    def set_up_us(self, key: StreamKey) -> int | None:
        return next((at_us for camera, stream, at_us in self.set_up if (camera, stream) == key), None)

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

    def tilings(self, keys: Sequence[StreamKey], from_us: int, to_us: int) -> list[tuple[int, list[Tile]]]:
        set_up = {StreamKey(camera, stream): at_us for camera, stream, at_us in self.set_up}

        def of(key: StreamKey) -> list[Tile]:
            spans, gaps = self.spans.get(key, []), self.gaps_of(key, from_us, to_us)
            return tile(spans, gaps, from_us, to_us, self.until_us, set_up.get(key))

        return [(self.until_us, of(key)) for key in keys]

    def wide(self, keys: Sequence[StreamKey], from_us: int, to_us: int, *, whole_quarters: bool = False) -> WideRows:
        return WideRows(self.until_us, [pieces_of(tiles) for _, tiles in self.tilings(keys, from_us, to_us)])

    def gone(self, key: StreamKey, from_us: int, to_us: int) -> list[tuple[int, int]]:
        return [
            (span.from_us, span.to_us) for span in self.recorded_spans(key, from_us, to_us) if span.held is Held.GONE
        ]

    def accounted_until_us(self, key: StreamKey | None = None) -> int:
        return self.until_us

    def stats(self, key: StreamKey) -> Totals:
        return Totals(first_us=self.first_us)

    def alarms(
        self,
        *,
        everything: bool = False,
        before: int | None = None,
        limit: int = 1000,
        cameras: Sequence[str] | None = None,
    ) -> list[Alarm]:
        found = [
            alarm
            for alarm in sorted(self.alarm_list, key=lambda alarm: -alarm.id)
            if (everything or alarm.ended_us is None or alarm.acknowledged is None)
            and (before is None or alarm.id < before)
            and (cameras is None or alarm.camera in cameras)
        ]
        return found[:limit]

    def alarm(self, number: int) -> Alarm | None:
        return next((alarm for alarm in self.alarm_list if alarm.id == number), None)

    def alarm_counts(self) -> dict[tuple[str, str], tuple[int, int]]:
        counts: dict[tuple[str, str], tuple[int, int]] = {}
        for alarm in self.alarm_list:
            if alarm.acknowledged is None:
                standing, ended = counts.get((str(alarm.kind), alarm.camera), (0, 0))
                over = alarm.ended_us is not None
                counts[str(alarm.kind), alarm.camera] = (standing + (not over), ended + over)
        return counts

    def holds(self, *, everything: bool = False, number: int | None = None) -> list[Hold]:
        found = [h for h in self.hold_list if (h.id == number if number is not None else everything or h.ended is None)]
        return sorted(found, key=lambda h: -h.id)

    def audit(self, asked: Question) -> list[Mention]:
        self.asked.append(asked)
        return [item for item in self.mentions if asked.from_us <= item.at_us < asked.to_us][: asked.limit]

    def segments(self, key: StreamKey, from_us: int, to_us: int, run: int | None = None) -> list[SegmentRow]:
        return []

    def fragments(self, segment: SegmentRow) -> list[FragmentRow]:
        return []

    def read(self, segment: SegmentRow, offset: int, size: int) -> bytes:
        raise AssertionError("no media here")

    def sync_before(self, key: StreamKey, at_us: int) -> SegmentRow | None:
        return None
