"""Prometheus' text exposition of one snapshot. Names begin with `longwatch_`; the label `camera` is the camera's id."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import Collector

from longwatch.health.around import gauges
from longwatch.health.doors import door_gauges
from longwatch.health.notifying import notify_gauges
from longwatch.health.rules import Issue, is_ready
from longwatch.health.snapshot import Snapshot
from longwatch.health.uplink import link_gauges
from longwatch.model.alarms import AlarmKind
from longwatch.model.sessions import StreamKey


@dataclass(frozen=True, slots=True)
class StreamTotals:
    """What is stored of a stream."""

    key: StreamKey
    stored_bytes: int
    segments: int


@dataclass(frozen=True, slots=True)
class GapSeconds:
    """Seconds without video in the last 24 hours, by cause."""

    camera: str
    cause: str
    seconds: float


@dataclass(frozen=True, slots=True)
class AlarmCounts:
    """Alarms of one kind about one camera ("": the post) that nobody has acknowledged: what lasts, and what is over."""

    kind: str
    camera: str
    standing: int
    ended: int


@dataclass(frozen=True, slots=True)
class LiveCounts:
    """The viewers of a stream: now, and chunks that slow ones lost since the server started."""

    key: StreamKey
    viewers: int
    dropped_chunks: int


@dataclass(frozen=True, slots=True)
class StripCounts:
    """Strip pictures of a camera since the server started: made, left out for the sake of the budget, and not to be decoded."""

    camera: str
    made: int
    left_out: int
    failed: int


@dataclass(frozen=True, slots=True)
class StripWork:
    """All cameras. spent_us: on decoding; of_slots: of so many moments one gets a picture, 1 while there is time for each."""

    cameras: Sequence[StripCounts] = ()
    spent_us: int = 0
    of_slots: int = 1


@dataclass(frozen=True, slots=True)
class TranscodeCounts:
    """Transcodes for viewers: now, at most, refused, and processor time of those that are over."""

    running: int
    limit: int
    refused: int
    spent_us: int


def exposition(
    snapshot: Snapshot,
    issues: Sequence[Issue],
    totals: Sequence[StreamTotals],
    gaps: Sequence[GapSeconds],
    live: Sequence[LiveCounts],
    alarms: Sequence[AlarmCounts] = (),
    entries: tuple[int, int] = (0, 0),
    transcodes: TranscodeCounts | None = None,
    strips: StripWork | None = None,
    link: Mapping[str, Any] | None = None,
) -> bytes:
    """The answer of `/metrics`. entries: about people, that wait for the recorder, and that found no room. link: to the hub, as it describes itself."""
    registry = CollectorRegistry()
    registry.register(
        _Families(
            [
                *_post(snapshot, issues),
                *_streams(snapshot),
                *_stored(totals, gaps),
                *_live(live),
                *_alarms(alarms),
                *_entries(*entries),
                *_transcodes(transcodes),
                *_strips(strips),
                *gauges(snapshot.around),
                *link_gauges(link),
                *notify_gauges(snapshot.telling, snapshot.wall_us),
                *door_gauges(snapshot.doors),
            ]
        )
    )
    return generate_latest(registry)


class _Families(Collector):
    def __init__(self, families: list[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        return self._families


def _post(snapshot: Snapshot, issues: Sequence[Issue]) -> list[Metric]:
    up = GaugeMetricFamily("longwatch_recorder_up", "1 while the recorder answers", int(snapshot.running))
    ready = GaugeMetricFamily("longwatch_ready", "1 while recording goes as planned", int(is_ready(issues)))
    families: list[Metric] = [up, ready]
    if snapshot.running and snapshot.accounted_until_us:
        behind = (snapshot.wall_us - snapshot.accounted_until_us) / 1e6
        families.append(
            GaugeMetricFamily("longwatch_accounted_behind_seconds", "Age of the last second accounted for", behind)
        )
    volume = GaugeMetricFamily("longwatch_volume_ok", "1 while the volume takes media", labels=["volume"])
    free = GaugeMetricFamily("longwatch_volume_free_bytes", "Free space", labels=["volume"])
    for item in snapshot.volumes:
        volume.add_metric([item.path], int(item.state == "ok"))
        if item.free_bytes is not None:
            free.add_metric([item.path], item.free_bytes)
    return [*families, volume, free]


def _streams(snapshot: Snapshot) -> list[Metric]:
    labels = ["camera", "stream"]
    recording = GaugeMetricFamily("longwatch_recording", "1 while bytes of it become durable", labels=labels)
    planned = GaugeMetricFamily("longwatch_planned", "1 while it is planned to be recorded", labels=labels)
    state = GaugeMetricFamily("longwatch_stream_state", "1 for what it is now", labels=[*labels, "state"])
    behind = GaugeMetricFamily("longwatch_durable_behind_seconds", "Age of what is durable of it", labels=labels)
    bitrate = GaugeMetricFamily("longwatch_bits_per_second", "What arrives", labels=labels)
    for stream in snapshot.streams:
        recording.add_metric(stream.key, int(stream.recording))
        planned.add_metric(stream.key, int(stream.planned))
        state.add_metric([*stream.key, _state(stream.recording, stream.cause, stream.activity)], 1)
        if stream.acked_wall_us is not None:
            behind.add_metric(stream.key, (snapshot.wall_us - stream.acked_wall_us) / 1e6)
        bitrate.add_metric(stream.key, sum(track.bitrate or 0 for track in stream.tracks))
    return [recording, planned, state, behind, bitrate]


def _entries(waiting: int, dropped: int) -> list[Metric]:
    return [
        GaugeMetricFamily(
            "longwatch_entries_waiting", "Entries about people that the recorder does not have yet", waiting
        ),
        GaugeMetricFamily("longwatch_entries_dropped", "Those that found no room, until that is told", dropped),
    ]


def _transcodes(counts: TranscodeCounts | None) -> list[Metric]:
    if counts is None:
        return []
    return [
        GaugeMetricFamily("longwatch_transcodes", "Streams that are made H.264 for a browser now", counts.running),
        GaugeMetricFamily("longwatch_transcodes_limit", "How many there may be", counts.limit),
        CounterMetricFamily("longwatch_transcodes_refused", "How often none was free", counts.refused),
        CounterMetricFamily(
            "longwatch_transcode_cpu_seconds",
            "Processor time of recordings that were made H.264",
            counts.spent_us / 1e6,
        ),
    ]


def _state(recording: bool, cause: str | None, activity: str) -> str:
    return "recording" if recording else cause or activity


def _stored(totals: Sequence[StreamTotals], gaps: Sequence[GapSeconds]) -> list[Metric]:
    labels = ["camera", "stream"]
    stored = GaugeMetricFamily("longwatch_stored_bytes", "Bytes of media held here", labels=labels)
    segments = GaugeMetricFamily("longwatch_segments", "Segment files held here", labels=labels)
    for item in totals:
        stored.add_metric(item.key, item.stored_bytes)
        segments.add_metric(item.key, item.segments)
    missing = GaugeMetricFamily(
        "longwatch_gap_seconds_last_day", "Seconds without video in the last 24 h", labels=["camera", "cause"]
    )
    for gap in gaps:
        missing.add_metric([gap.camera, gap.cause], gap.seconds)
    return [stored, segments, missing]


def _alarms(alarms: Sequence[AlarmCounts]) -> list[Metric]:
    """Every kind is told, also where there is none: a rule on an alarm must not miss its first one."""
    standing = GaugeMetricFamily("longwatch_alarms", "Alarms that stand and nobody has acknowledged", labels=["kind"])
    ended = GaugeMetricFamily(
        "longwatch_alarms_ended", "Alarms that are over and nobody has acknowledged", labels=["kind"]
    )
    by_camera = GaugeMetricFamily("longwatch_camera_alarms", "Those that stand, by camera", labels=["kind", "camera"])
    for kind in AlarmKind:
        of = [item for item in alarms if item.kind == kind]
        standing.add_metric([str(kind)], sum(item.standing for item in of))
        ended.add_metric([str(kind)], sum(item.ended for item in of))
        for item in of:
            if item.camera:
                by_camera.add_metric([str(kind), item.camera], item.standing)
    return [standing, ended, by_camera]


def _live(live: Sequence[LiveCounts]) -> list[Metric]:
    labels = ["camera", "stream"]
    viewers = GaugeMetricFamily("longwatch_live_viewers", "Who is watching", labels=labels)
    dropped = CounterMetricFamily(
        "longwatch_live_dropped_chunks", "Chunks that viewers were too slow for", labels=labels
    )
    for item in live:
        viewers.add_metric(item.key, item.viewers)
        dropped.add_metric(item.key, item.dropped_chunks)
    return [viewers, dropped]


def _strips(work: StripWork | None) -> list[Metric]:
    if work is None:
        return []
    made = CounterMetricFamily("longwatch_strip_pictures", "Strip pictures that were made", labels=["camera"])
    left = CounterMetricFamily(
        "longwatch_strip_left_out", "Strip pictures left out for the sake of the budget", labels=["camera"]
    )
    failed = CounterMetricFamily("longwatch_strip_failed", "Sync samples that could not be decoded", labels=["camera"])
    for of in work.cameras:
        made.add_metric([of.camera], of.made)
        left.add_metric([of.camera], of.left_out)
        failed.add_metric([of.camera], of.failed)
    spent = CounterMetricFamily("longwatch_strip_seconds", "Time that decoding for strips took", work.spent_us / 1e6)
    thinned = GaugeMetricFamily(
        "longwatch_strip_thinned", "Of so many moments one gets a picture; 1: each", work.of_slots
    )
    return [made, left, failed, spent, thinned]
