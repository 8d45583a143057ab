"""Counters of what was seen: events by camera and kind since the server started, those that last now, and views that are hidden now."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from longwatch.model.events import MOTION, EventChange, Phase, group_of

MOST = 20_000
"""Pairs of camera and kind, and events that last; what comes beyond is in no counter."""
MOST_OF_POST = 1_000
"""Of those, at a hub, of one post: kinds and cameras are its words, and it shall not use up what others have."""


class Tally:
    """Told of each change of an event (`EventDesk.on_change`); owner of what it counted: the server's loop."""

    def __init__(self) -> None:
        self._begun: dict[tuple[str, str], int] = {}
        self._open: dict[str, tuple[str, str]] = {}
        self._pairs_of: Counter[str] = Counter()
        self._open_of: Counter[str] = Counter()

    def take(self, change: EventChange) -> None:
        """Cheap; never waits."""
        event = change.event
        key = event.camera, event.kind
        post, dot, _ = event.camera.partition(".")
        most = MOST_OF_POST if dot else MOST
        post = post if dot else ""
        if (
            change.phase is Phase.NEW
            and key not in self._begun
            and len(self._begun) < MOST
            and self._pairs_of[post] < most
        ):
            self._begun[key] = 0
            self._pairs_of[post] += 1
        if change.phase is Phase.NEW and key in self._begun:
            self._begun[key] += 1
        if change.phase is Phase.END:
            if self._open.pop(event.id, None) is not None:
                self._open_of[post] -= 1
        elif event.id in self._open:
            self._open[event.id] = key
        elif len(self._open) < MOST and self._open_of[post] < most:
            self._open[event.id] = key
            self._open_of[post] += 1

    def families(self, watched: Collection[str], allowed: Collection[str] | None) -> Iterable[Metric]:
        """watched: cameras that are looked at here: they have a sample before the first event, so that a rule on it misses none. allowed: whose cameras may
        be told; None for all. Nothing where nothing is looked at and nothing was seen.
        """

        def may(camera: str) -> bool:
            return allowed is None or camera in allowed

        lasting: dict[tuple[str, str], int] = {}
        for key in self._open.values():
            lasting[key] = lasting.get(key, 0) + 1
        first = {(camera, MOTION): 0 for camera in watched} | dict.fromkeys(lasting, 0)
        begun = {key: number for key, number in sorted((first | self._begun).items()) if may(key[0])}
        hidden = {camera for camera, kind in self._open.values() if group_of(kind) == "tamper"}
        if not begun:
            return ()
        labels = ["camera", "kind"]
        events = CounterMetricFamily("longwatch_events", "Events that began since the server started", labels=labels)
        lasts = GaugeMetricFamily("longwatch_events_lasting", "Events that last now", labels=labels)
        view = GaugeMetricFamily(
            "longwatch_view_hidden", "1 while it is recorded, and its view is hidden", labels=["camera"]
        )
        for key, number in begun.items():
            events.add_metric(key, number)
            lasts.add_metric(key, lasting.get(key, 0))
        for camera in sorted({camera for camera, _ in begun}):
            view.add_metric([camera], int(camera in hidden))
        return events, lasts, view
