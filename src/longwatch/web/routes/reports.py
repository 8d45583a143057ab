"""Hours promised and hours delivered: to look at, and signed to keep."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from longwatch.base.errors import LongwatchError
from longwatch.web.api import Api
from longwatch.web.deps import Deps, Reporting
from longwatch.web.errors import RefusedError
from longwatch.web.guard import principal_of
from longwatch.web.models_condition import ReportWish
from longwatch.web.people import who_of
from longwatch.web.policy import INSPECT, SIGNED_IN
from longwatch.web.times import From, To, span_us

_MOST_DAYS = 400
_US_PER_DAY = 86_400 * 1_000_000


def register(api: Api, deps: Deps) -> None:
    """Report (GET to look at, POST to have it signed)."""

    @api.get("/api/v1/report", SIGNED_IN, responses={200: {"content": {"application/json": {}}}})
    async def report(request: Request, from_: From, to: To) -> Response:
        """As `longwatch report` writes it as JSON (docs/ref/report.md), of the cameras that the caller may see; not signed."""
        principal = principal_of(request)
        assert principal is not None
        span = _span(from_, to)
        body = await deps.read_long(_reporting(deps).look, *span, principal.cameras)
        return Response(body, media_type="application/json")

    @api.post("/api/v1/report", INSPECT, responses={200: {"content": {"application/zip": {}}}}, response_class=Response)
    async def signed(request: Request, body: ReportWish) -> Response:
        """HTML, CSV and JSON with their proof and key, in a zip; its making is an entry of the ledger before it leaves."""
        principal = principal_of(request)
        if principal is None or principal.cameras is not None:
            raise RefusedError(
                403, "a signed report is about every camera", remedy="ask someone who may see all of them"
            )
        span = _span(body.from_.isoformat(), body.to.isoformat())
        made = await deps.read_long(_reporting(deps).make, *span, who_of(request).person())
        name = f"{deps.site().id}-{body.from_:%Y%m%d}-{body.to:%Y%m%d}.zip"
        return Response(
            made, media_type="application/zip", headers={"Content-Disposition": f'attachment; filename="{name}"'}
        )


def _span(from_: str, to: str) -> tuple[int, int]:
    span = span_us(from_, to)
    if span[1] - span[0] > _MOST_DAYS * _US_PER_DAY:
        raise RefusedError(422, f"a report is of at most {_MOST_DAYS} days", remedy="ask for a shorter span")
    return span


def _reporting(deps: Deps) -> Reporting:
    if deps.reporting is None:
        raise LongwatchError("this server makes no reports", remedy="use `longwatch report`")
    return deps.reporting
