"""Reads an archive into a `Report`: spans and gaps of every camera, alarms, what was told of the clock, volumes, the log."""

from __future__ import annotations

import datetime as dt
import heapq
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from longwatch.archive import ArchiveReader, LedgerReader
from longwatch.base.rfc3339 import format_us
from longwatch.ledger import kinds
from longwatch.ledger.checkpoint import fingerprint
from longwatch.model import wording
from longwatch.model.alarms import Alarm, AlarmKind
from longwatch.model.sessions import StreamKey
from longwatch.model.stores import GapSpan, RecordedSpan
from longwatch.reports.days import Period, days, local, midnight_us, weeks, zone_of
from longwatch.reports.figures import NOT_PROMISED, Figures, Unwanted, apart, figures, total
from longwatch.reports.report import (
    AlarmSaid,
    CameraFigures,
    Interruption,
    LedgerSaid,
    Post,
    Report,
    Told,
    VolumeSaid,
)  # fmt: skip
from longwatch.timeline import State, Tile, tile

LONGEST = 20
AT_ONCE_US = 10_000_000
MOST_ALARMS = 2_000
_DAYS = 7
_PAGE = 500


def _always(_from_us: int, _to_us: int) -> int:
    return 0


@dataclass(frozen=True, slots=True)
class Wish:
    """What a report is to be about. names: of the cameras of the settings; unwanted: when the plan of each wants nothing (default: always
    wanted). alarm_words: an alarm in a sentence. made_us: now. cameras: of these alone, and of the post what is no secret of others;
    None: of all.
    """

    post: Post
    from_us: int
    to_us: int
    made_us: int
    version: str
    names: Mapping[str, str] = field(default_factory=dict)
    unwanted: Mapping[str, Unwanted] = field(default_factory=dict)
    alarm_words: Callable[[Alarm, str], str] = lambda alarm, _: str(alarm.kind)
    cameras: frozenset[str] | None = None

    def speaks_of(self, camera: str) -> bool:
        """Whether that camera is in it."""
        return self.cameras is None or camera in self.cameras


class Held(Protocol):
    """What is held of a stream."""

    @property
    def bytes(self) -> int: ...


class Source(Protocol):
    """What a report is about: the archive of a post, or what posts told their hub."""

    def cameras(self) -> Sequence[tuple[str, str, int | None]]:
        """Camera, stream, and since when it is answered for."""
        ...

    def accounted_until_us(self, key: StreamKey | None = None) -> int:
        """Up to when every second is known: of a stream, or of the one that is known furthest."""
        ...

    def stats(self, key: StreamKey) -> Held: ...
    def recorded_spans(self, key: StreamKey, from_us: int, to_us: int) -> list[RecordedSpan]: ...
    def gaps_of(self, key: StreamKey, from_us: int, to_us: int) -> list[GapSpan]: ...
    def alarms(
        self, *, everything: bool = False, before: int | None = None, limit: int = 1000, cameras: Sequence[str] | None = None
    ) -> list[Alarm]: ...  # fmt: skip


def usual_span(reader: Source, timezone: str) -> tuple[int, int]:
    """Where nobody says: today and the six days before it, by the post's clock, from the day its first camera was set up on, up to
    what is accounted for.
    """
    zone = zone_of(timezone)
    until_us = reader.accounted_until_us()
    set_up = [since_us for _, _, since_us in reader.cameras() if since_us is not None]
    first = max(
        local(until_us, zone).date() - dt.timedelta(days=_DAYS - 1), local(min(set_up, default=until_us), zone).date()
    )
    return min(midnight_us(first, zone), until_us - 1), until_us


def gather(reader: Source, own: ArchiveReader, ledger: LedgerReader, wish: Wish) -> Report:
    """Everything that a report says. own: the archive whose disks and log it names; at a post it is the source too. Raises LongwatchError where the archive cannot be read, ValueError where the span is no date."""
    zone = zone_of(wish.post.timezone)
    by_day, by_week = days(wish.from_us, wish.to_us, zone), weeks(wish.from_us, wish.to_us, zone)
    until_us = reader.accounted_until_us()
    longest: list[Interruption] = []
    cameras = []
    hidden = _hidden(reader, wish, until_us)
    for key, set_up_us, held in _streams(reader, wish):
        blind = apart(hidden.get(key.camera, ()))
        tiles = _tiles(reader, key, wish, reader.accounted_until_us(key), set_up_us)
        unwanted = wish.unwanted.get(key.camera, _always)
        whole = [Period("", wish.from_us, wish.to_us)]
        cameras.append(
            CameraFigures(
                key.camera, wish.names.get(key.camera, key.camera), key.stream, set_up_us, figures(tiles, whole, unwanted, blind)[0],
                tuple(figures(tiles, by_day, unwanted, blind)), tuple(figures(tiles, by_week, unwanted, blind)), held,
            )
        )  # fmt: skip
        longest += _interruptions(key.camera, tiles)
    alarms, left_out = _alarms(reader, wish)
    told = _told(ledger, wish)
    return Report(
        wish.post, wish.from_us, wish.to_us, until_us, wish.made_us, wish.version, tuple(by_day), tuple(by_week), tuple(cameras),
        total(camera.total for camera in cameras), _sums([camera.days for camera in cameras], by_day),
        _sums([camera.weeks for camera in cameras], by_week),
        tuple(heapq.nlargest(LONGEST, _together(longest), key=_lasted)), alarms, left_out,
        tuple(told), _volumes(own) if wish.cameras is None else (), _log(ledger), _versions(told, wish.version),
    )  # fmt: skip


def _streams(reader: Source, wish: Wish) -> Iterator[tuple[StreamKey, int | None, int]]:
    """Each camera's main stream (the first, where none is called so), since when it is answered for, and what is held of all of them."""
    known: dict[str, dict[str, int | None]] = {}
    for name, stream, since_us in reader.cameras():
        known.setdefault(name, {})[stream] = since_us
    for camera in sorted(filter(wish.speaks_of, {*known, *wish.names})):
        streams = known.get(camera, {"main": None})
        name = "main" if "main" in streams else min(streams)
        held = sum(reader.stats(StreamKey(camera, stream)).bytes for stream in streams) if camera in known else 0
        yield StreamKey(camera, name), streams[name], held


def _tiles(reader: Source, key: StreamKey, wish: Wish, until_us: int, set_up_us: int | None) -> list[Tile]:
    spans = reader.recorded_spans(key, wish.from_us, wish.to_us)
    gaps = reader.gaps_of(key, wish.from_us, wish.to_us)
    return tile(spans, gaps, wish.from_us, wish.to_us, until_us, set_up_us)


def _interruptions(camera: str, tiles: Iterable[Tile]) -> list[Interruption]:
    """The longest unplanned gaps of a camera."""
    found = (
        Interruption((camera,), part.from_us, part.to_us, part.cause, part.evidence)
        for part in tiles
        if part.state is State.GAP and part.cause is not None and part.cause not in NOT_PROMISED
    )
    return heapq.nlargest(LONGEST, found, key=_lasted)


def _together(found: Iterable[Interruption]) -> list[Interruption]:
    """What several cameras went through at once, as one: the same cause, from and to the same moment but for a few seconds."""
    groups: dict[tuple[str, int, int], Interruption] = {}
    for each in sorted(found, key=lambda item: (item.from_us, item.cameras)):
        spot = (str(each.cause), each.from_us // AT_ONCE_US, each.to_us // AT_ONCE_US)
        near = [(spot[0], spot[1] + a, spot[2] + b) for a in (0, -1, 1) for b in (0, -1, 1)]
        key = next((key for key in near if key in groups), spot)
        first = groups.get(key)
        cameras = () if first is None else first.cameras
        if each.cameras[0] not in cameras:
            groups[key] = replace(first or each, cameras=(*cameras, *each.cameras))
    return list(groups.values())


def _lasted(interruption: Interruption) -> int:
    return interruption.to_us - interruption.from_us


def _sums(rows: Sequence[Sequence[Figures]], periods: Sequence[Period]) -> tuple[Figures, ...]:
    return tuple(total(row[n] for row in rows) for n in range(len(periods)))


def _alarms(reader: Source, wish: Wish) -> tuple[tuple[AlarmSaid, ...], int]:
    """Those raised in the span, oldest first; and how many more there are than a report lists."""
    found: list[AlarmSaid] = []
    left_out = 0
    for alarm in _every_alarm(reader, wish):
        if not wish.from_us <= alarm.raised_us < wish.to_us:
            continue
        if len(found) < MOST_ALARMS:
            found.append(_alarm(alarm, wish))
        else:
            left_out += 1
    return tuple(sorted(found, key=lambda alarm: (alarm.raised_us, alarm.id))), left_out


def _every_alarm(reader: Source, wish: Wish) -> Iterator[Alarm]:
    before = None
    cameras = None if wish.cameras is None else sorted(wish.cameras)
    while page := reader.alarms(everything=True, before=before, limit=_PAGE, cameras=cameras):
        before = page[-1].id
        yield from page


def _hidden(reader: Source, wish: Wish, until_us: int) -> dict[str, list[tuple[int, int]]]:
    """By camera, when its view was hidden, as the ledger has it: from when it was seen to be so until it was seen to be over."""
    found: dict[str, list[tuple[int, int]]] = {}
    for alarm in _every_alarm(reader, wish):
        if alarm.kind is AlarmKind.CAMERA_BLIND:
            since_us = alarm.body.get("since_us")
            begin_us = since_us if type(since_us) is int else alarm.raised_us
            found.setdefault(alarm.camera, []).append(
                (begin_us, until_us if alarm.ended_us is None else alarm.ended_us)
            )
    return found


def _alarm(alarm: Alarm, wish: Wish) -> AlarmSaid:
    done = alarm.acknowledged
    return AlarmSaid(
        alarm.id, str(alarm.kind), alarm.camera, wish.alarm_words(alarm, wish.names.get(alarm.camera, "")), alarm.raised_us,
        alarm.ended_us, alarm.repeats, None if done is None else done.at_us, None if done is None else done.by,
        None if done is None else done.reason, None if done is None else done.seq,
    )  # fmt: skip


def _told(ledger: LedgerReader, wish: Wish) -> list[Told]:
    found = []
    for row in ledger.of_clock(wish.from_us, wish.to_us):
        entry = json.loads(row.entry)
        body = entry["body"]
        at_us = body.get("to_us" if entry["kind"] == kinds.CLOCK_STEP else "wall_us", entry["wall_us"])
        found.append(Told(row.seq, entry["kind"], at_us, _in_words(entry["kind"], body)))
    return found


def _in_words(kind: str, body: Mapping[str, object]) -> str:
    if kind == kinds.START:
        version = f"version {body.get('version', '?')} started"
        if body.get("last_heartbeat", "") is None:
            return f"{version}, for the first time"
        return f"{version}; {'it had been stopped in order' if body.get('orderly') else 'it had ended without a word'}"
    if kind == kinds.CLOCK_STEP:
        by_us = int(str(body["by_us"]))
        way = "ahead" if by_us > 0 else "back"
        return f"the host's clock was set {way} by {wording.duration(abs(by_us))} ({body.get('provenance')})"
    if kind == kinds.CLOCK_UNSTEADY:
        return "the host's clock stepped again and again; time was counted without it"
    runs = body.get("runs")
    moved = runs if isinstance(runs, list) else []
    who = "an operator" if body.get("by") == "operator" else "CLOCK_BOOTTIME"
    shifts = sorted({int(run["shift_us"]) for run in moved})
    by = ", ".join(f"{'-' if us < 0 else '+'}{wording.duration(abs(us))}" for us in shifts[:3])
    return f"{len(moved)} runs were placed anew ({by}), by word of {who}"


def _volumes(reader: ArchiveReader) -> tuple[VolumeSaid, ...]:
    return tuple(
        VolumeSaid(row.path, row.present, row.size_bytes, row.free_bytes, row.held_bytes, row.segments)
        for row in reader.volumes_state()
    )


def _log(ledger: LedgerReader) -> LedgerSaid | None:
    log, head = ledger.log(), ledger.head()
    if log is None or head is None:
        return None
    return LedgerSaid(log.origin, fingerprint(log.key), head[0], head[1])


def _versions(told: Iterable[Told], version: str) -> tuple[str, ...]:
    """Of this program, as its starts in the span told them; the one that makes the report where there were none."""
    found = [item.said.split(" ")[1].rstrip(",;") for item in told if item.kind == kinds.START]
    return tuple(dict.fromkeys(found)) or (version,)


def span_words(report: Report) -> str:
    """The span in UTC."""
    return f"{format_us(report.from_us)} to {format_us(report.to_us)}"
