"""Prometheus' text exposition of one snapshot. Names begin with `longwatch_`; the label `camera` is the camera's id."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import Collector

from longwatch.health.rules import Issue
from longwatch.health.snapshot import Snapshot
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
class LiveCounts:
    """The viewers of a stream: now, and chunks that slow ones lost since the server started."""

    key: StreamKey
    viewers: int
    dropped_chunks: int


def exposition(
    snapshot: Snapshot,
    issues: Sequence[Issue],
    totals: Sequence[StreamTotals],
    gaps: Sequence[GapSeconds],
    live: Sequence[LiveCounts],
) -> bytes:
    """The answer of `/metrics`."""
    registry = CollectorRegistry()
    registry.register(_Families([*_post(snapshot, issues), *_streams(snapshot), *_stored(totals, gaps), *_live(live)]))
    return generate_latest(registry)


class _Families(Collector):
    def __init__(self, families: list[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        return self._families


def _post(snapshot: Snapshot, issues: Sequence[Issue]) -> list[Metric]:
    up = GaugeMetricFamily("longwatch_recorder_up", "1 while the recorder answers", int(snapshot.running))
    ready = GaugeMetricFamily("longwatch_ready", "1 while recording goes as planned", int(not issues))
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
