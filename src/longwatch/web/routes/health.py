"""Alive, ready, and numbers."""

from __future__ import annotations

from dataclasses import asdict

from prometheus_client.exposition import CONTENT_TYPE_LATEST
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from longwatch.accounts import Right
from longwatch.base.secrets import scrub
from longwatch.health import (
    AlarmCounts,
    GapSeconds,
    LiveCounts,
    StreamTotals,
    StripCounts,
    StripWork,
    TranscodeCounts,
    examine,
    exposition,
    is_ready,
)
from longwatch.health.detecting import detection_exposition
from longwatch.health.seeing import Tally
from longwatch.model.sessions import StreamKey
from longwatch.model.watching import Doing
from longwatch.strips import Strips
from longwatch.web.api import Api
from longwatch.web.deps import Deps
from longwatch.web.guard import principal_of
from longwatch.web.models import Alive, Ready
from longwatch.web.policy import ALWAYS, SIGNED_IN

_DAY_US = 86_400 * 1_000_000


def register(api: Api, deps: Deps) -> None:
    """healthz, readyz, metrics."""
    tally = Tally()
    if deps.events is not None:
        deps.events.on_change.append(tally.take)

    @api.get("/healthz", ALWAYS, responses={200: {"model": Alive}})
    async def healthz() -> Response:
        return JSONResponse({"status": "ok"})

    @api.get("/readyz", ALWAYS, responses={200: {"model": Ready}, 503: {"model": Ready}})
    async def readyz(request: Request) -> Response:
        issues = examine(await deps.status.now())
        principal = principal_of(request)
        told = None
        if principal is not None:
            told = [
                {k: v if isinstance(v, bool) else scrub(str(v)) for k, v in asdict(issue).items() if k != "camera"}
                for issue in issues
                if issue.camera is None or principal.may(Right.VIEW, issue.camera)
            ]
        ready = is_ready(issues)
        return JSONResponse({"ready": ready, "issues": told}, 200 if ready else 503)

    @api.get("/metrics", SIGNED_IN, response_class=Response, responses={200: {"content": {"text/plain": {}}}})
    async def metrics(request: Request) -> Response:
        principal = principal_of(request)
        assert principal is not None
        snapshot = await deps.status.now()
        totals, gaps = await deps.read_long(_stored, deps, deps.clock.wall_us())
        alarms = [
            AlarmCounts(kind, camera, standing, ended)
            for (kind, camera), (standing, ended) in (await deps.read(deps.index.alarm_counts)).items()
        ]
        live = [LiveCounts(item.key, item.viewers, item.dropped) for item in deps.live.watched()]
        allowed = principal.cameras
        if allowed is not None:
            totals = [item for item in totals if item.key.camera in allowed]
            gaps = [item for item in gaps if item.camera in allowed]
            live = [item for item in live if item.key.camera in allowed]
            alarms = [item for item in alarms if item.camera in allowed]
            snapshot = snapshot.only(allowed)
        entries = await deps.accounts.journal.waiting()
        body = exposition(
            snapshot,
            examine(snapshot),
            totals,
            gaps,
            live,
            alarms,
            entries,
            _transcodes(deps),
            _strips(deps, allowed),
            None if allowed is not None or deps.link is None else deps.link.describe(),
        )
        return Response(body + _detection(deps, allowed, tally), media_type=CONTENT_TYPE_LATEST)


def _detection(deps: Deps, allowed: frozenset[str] | None, tally: Tally) -> bytes:
    """A hub looks at nothing itself, and hears of the events of its posts."""
    every = [] if deps.detection is None else deps.detection.states()
    states = [state for state in every if allowed is None or state.camera in allowed]
    seen = tally.families([state.camera for state in every if state.doing is not Doing.OFF], allowed)
    watcher = deps.detection.watcher if deps.detection is not None and allowed is None else None
    return detection_exposition(states, watcher, seen)


def _transcodes(deps: Deps) -> TranscodeCounts | None:
    if deps.recoder is None:
        return None
    slots = deps.recoder.slots
    return TranscodeCounts(len(slots.running), slots.limit, slots.refused, slots.spent_us)


def _strips(deps: Deps, allowed: frozenset[str] | None) -> StripWork | None:
    strips = deps.strips
    if not isinstance(strips, Strips):  # a hub makes none
        return None
    counts = [
        StripCounts(camera, of.made, of.left_out, of.failed)
        for camera, of in sorted(strips.following().items())
        if allowed is None or camera in allowed
    ]
    return StripWork(counts, strips.spent_us, strips.thinned)


def _stored(deps: Deps, now_us: int) -> tuple[list[StreamTotals], list[GapSeconds]]:
    totals = []
    for camera, stream, _ in deps.index.cameras():
        key = StreamKey(camera, stream)
        stats = deps.index.stats(key)
        totals.append(StreamTotals(key, stats.bytes, stats.segments))
    seconds: dict[tuple[str, str], float] = {}
    begin_us = now_us - _DAY_US
    for key, gap in deps.index.gaps(None, begin_us, now_us):
        if key.stream == "main":
            end_us = now_us if gap.to_us is None else min(gap.to_us, now_us)
            label = (key.camera, str(gap.cause))
            seconds[label] = seconds.get(label, 0.0) + max(0, end_us - max(gap.from_us, begin_us)) / 1e6
    return totals, [GapSeconds(camera, cause, value) for (camera, cause), value in sorted(seconds.items())]
