"""Alive, ready, and numbers."""

from __future__ import annotations

from dataclasses import asdict

from prometheus_client.exposition import CONTENT_TYPE_LATEST
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from longwatch.accounts import Right
from longwatch.base.secrets import scrub
from longwatch.health import GapSeconds, LiveCounts, StreamTotals, examine, exposition
from longwatch.model.sessions import StreamKey
from longwatch.web.api import Api
from longwatch.web.deps import Deps
from longwatch.web.guard import principal_of
from longwatch.web.models import Alive, Ready
from longwatch.web.policy import ALWAYS, SIGNED_IN

_DAY_US = 86_400 * 1_000_000


def register(api: Api, deps: Deps) -> None:
    """healthz, readyz, metrics."""

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
                {k: scrub(str(v)) for k, v in asdict(issue).items() if k != "camera"}
                for issue in issues
                if issue.camera is None or principal.may(Right.VIEW, issue.camera)
            ]
        return JSONResponse({"ready": not issues, "issues": told}, 503 if issues else 200)

    @api.get("/metrics", SIGNED_IN, response_class=Response, responses={200: {"content": {"text/plain": {}}}})
    async def metrics(request: Request) -> Response:
        principal = principal_of(request)
        assert principal is not None
        snapshot = await deps.status.now()
        totals, gaps = await deps.read(_stored, deps, deps.clock.wall_us())
        live = [LiveCounts(item.key, item.viewers, item.dropped) for item in deps.live.watched()]
        allowed = principal.cameras
        if allowed is not None:
            totals = [item for item in totals if item.key.camera in allowed]
            gaps = [item for item in gaps if item.camera in allowed]
            live = [item for item in live if item.key.camera in allowed]
            snapshot = snapshot.only(allowed)
        body = exposition(snapshot, examine(snapshot), totals, gaps, live)
        return Response(body, media_type=CONTENT_TYPE_LATEST)


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
