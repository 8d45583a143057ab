"""Gauges of looking at pictures: how far behind, what was looked at and what was not, and what it costs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import Collector

from longwatch.model.watching import DetectionState, Doing, WatcherState

_COUNTERS = (
    ("pictures", "longwatch_detection_pictures", "Pictures that were looked at"),
    ("decoded", "longwatch_detection_decoded", "Samples that were decoded for it"),
    ("told", "longwatch_detection_samples", "Samples whose size was seen"),
    ("skipped", "longwatch_detection_skipped", "Samples that were to be looked at and were not"),
    ("missed", "longwatch_detection_missed", "Samples that were lost on the way from the recorder"),
    ("failed", "longwatch_detection_failed", "Samples that could not be decoded"),
    (
        "vectors_asked",
        "longwatch_detection_vectors_asked",
        "Pictures that were asked for their motion vectors alone",
    ),
    (
        "objects_asked",
        "longwatch_detection_objects_asked",
        "Crops of what moves that the model for objects was asked about",
    ),
    (
        "objects_skipped",
        "longwatch_detection_objects_skipped",
        "Crops of what moves that were due and for which there was no room",
    ),
    ("deaths", "longwatch_detection_child_deaths", "Children that ended over its pictures"),
)


def detection_exposition(
    states: Sequence[DetectionState], watcher: WatcherState | None, seen: Iterable[Metric] = ()
) -> bytes:
    """Its part of `/metrics`; nothing where nothing is looked at. watcher: None for whom it is none of their business. seen: of `seeing.Tally`."""
    registry = CollectorRegistry()
    for family in [*_gauges(states, watcher), *seen]:
        registry.register(_Family(family))
    return generate_latest(registry)


class _Family(Collector):
    def __init__(self, family: Metric) -> None:
        self._family = family

    def collect(self) -> Iterable[Metric]:
        return [self._family]


def _gauges(states: Sequence[DetectionState], watcher: WatcherState | None) -> list[Metric]:
    watched = [state for state in states if state.doing is not Doing.OFF]
    if not watched:
        return []
    labels = ["camera"]
    looking = GaugeMetricFamily("longwatch_detection_looking", "1 while its pictures are looked at", labels=labels)
    behind = GaugeMetricFamily(
        "longwatch_detection_behind_seconds", "Age of the oldest sample that waits", labels=labels
    )
    open_ = GaugeMetricFamily("longwatch_detection_gate_open", "1 while all is decoded", labels=labels)
    ratio = GaugeMetricFamily(
        "longwatch_detection_gate_open_ratio", "Part of the time in which all was decoded", labels=labels
    )
    level = GaugeMetricFamily(
        "longwatch_detection_level", "1 for how closely it is looked at", labels=[*labels, "level"]
    )
    cpu = CounterMetricFamily(
        "longwatch_detection_cpu_seconds", "Processor time of decoding and looking", labels=labels
    )
    counters = [(name, CounterMetricFamily(metric, says, labels=labels)) for name, metric, says in _COUNTERS]
    for state in watched:
        camera = [state.camera]
        looking.add_metric(camera, int(state.doing is Doing.LOOKING))
        behind.add_metric(camera, state.behind_us / 1e6)
        open_.add_metric(camera, int(state.gate != "quiet"))
        whole_us = state.open_us + state.closed_us
        ratio.add_metric(camera, state.open_us / whole_us if whole_us else 0.0)
        level.add_metric([*camera, state.level], 1)
        cpu.add_metric(camera, state.cpu_us / 1e6)
        for name, family in counters:
            family.add_metric(camera, getattr(state, name))
    return [looking, behind, open_, ratio, level, cpu, *[family for _, family in counters], *_watcher(watcher)]


def _watcher(watcher: WatcherState | None) -> list[Metric]:
    if watcher is None:
        return []
    cpu = GaugeMetricFamily(
        "longwatch_detection_process_cpu_seconds",
        "Processor time of a process that looks, since it was started",
        labels=["process"],
    )
    rss = GaugeMetricFamily(
        "longwatch_detection_process_resident_bytes", "Memory of a process that looks", labels=["process"]
    )
    cpu.add_metric(["watcher"], watcher.cpu_us / 1e6)
    rss.add_metric(["watcher"], watcher.rss_bytes)
    for number, child in enumerate(watcher.children):
        cpu.add_metric([f"child-{number}"], child["cpu_us"] / 1e6)
        rss.add_metric([f"child-{number}"], child["rss_bytes"])
    up = GaugeMetricFamily("longwatch_detection_watcher_up", "1 while the watcher runs", int(watcher.running))
    restarts = CounterMetricFamily(
        "longwatch_detection_watcher_restarts", "How often it was started again", watcher.restarts
    )
    return [cpu, rss, up, restarts]
