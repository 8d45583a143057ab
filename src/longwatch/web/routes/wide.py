"""Many cameras over a long time in one answer: the wide view, and the calendar (docs/design/wide-view.md)."""

from __future__ import annotations

import datetime as dt
import json
import operator
import re
from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import Query
from starlette.requests import Request
from starlette.responses import Response

from longwatch.accounts import Right
from longwatch.base.errors import UsageError
from longwatch.base.rfc3339 import format_us
from longwatch.model.sessions import StreamKey
from longwatch.reports.days import midnight_us, zone_of
from longwatch.timeline import wide
from longwatch.web.api import Api, Problem
from longwatch.web.deps import Deps, Index
from longwatch.web.guard import principal_of
from longwatch.web.models_wide import Calendar, Timelines
from longwatch.web.places import StreamName, check_camera
from longwatch.web.policy import VIEW_ASKED
from longwatch.web.times import From, To, span_us

MOST_CAMERAS = 200
MOST_US = 3_660 * wide.DAY_US
_ENCODER = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False)
_MONTH = re.compile(r"(\d{4})-(0[1-9]|1[0-2])")
Asked = Annotated[
    list[str] | None, Query(alias="camera", description="may be repeated; none: all that the caller may see")
]
_RESPONSES: dict[int | str, dict[str, Any]] = {404: {"model": Problem}}


def register(api: Api, deps: Deps) -> None:
    """timelines, calendar."""

    @api.get("/api/v1/timelines", VIEW_ASKED, responses={200: {"model": Timelines}, **_RESPONSES})
    async def timelines(
        request: Request,
        from_: From,
        to: To,
        camera: Asked = None,
        width: Annotated[int, Query(ge=1, le=8192, description="pixels: no step is longer than one")] = 1440,
        stream: StreamName = "main",
    ) -> Response:
        """What is there and what is not, of many cameras, a step of time at a time; a gap narrower than a step is never hidden."""
        from_us, to_us = span_us(from_, to)
        if to_us - from_us > MOST_US:
            raise UsageError("that is more than ten years", why=f"{from_} .. {to}", remedy="ask for a shorter stretch")
        keys = await asked_keys(deps, request, camera, stream)
        body = await deps.read_long(_timelines, deps.index, keys, from_us, to_us, width)
        return Response(body, media_type="application/json")

    @api.get("/api/v1/calendar", VIEW_ASKED, responses={200: {"model": Calendar}, **_RESPONSES})
    async def calendar(
        request: Request,
        month: Annotated[str | None, Query(max_length=7, description="2026-11: its days")] = None,
        year: Annotated[int | None, Query(ge=1971, le=8999, description="its months")] = None,
        camera: Asked = None,
        stream: StreamName = "main",
    ) -> Response:
        """Seconds recorded and not, by local day of the post or by month, over the cameras asked for."""
        days = _days(month, year)
        keys = await asked_keys(deps, request, camera, stream)
        body = await deps.read_long(
            _calendar, deps.index, keys, days, deps.site().timezone, "day" if month else "month"
        )
        return Response(body, media_type="application/json")


async def asked_keys(deps: Deps, request: Request, cameras: Sequence[str] | None, stream: str) -> list[StreamKey]:
    """The streams that are asked for, in that order; without a name: every one that the caller may see, of the settings first.

    Raises RefusedError and UsageError.
    """
    principal = principal_of(request)
    assert principal is not None
    if cameras:
        if len(cameras) > MOST_CAMERAS:
            raise UsageError(f"{len(cameras)} cameras at once", why=f"at most {MOST_CAMERAS}", remedy="ask in parts")
        for camera in cameras:
            await check_camera(deps, principal, camera)
        return [StreamKey(camera, stream) for camera in dict.fromkeys(cameras)]
    known = {row[0]: None for row in await deps.read(deps.index.cameras) if row[1] == stream}
    named = dict.fromkeys([*(camera.id for camera in deps.site().cameras if stream in camera.streams), *known])
    return [StreamKey(camera, stream) for camera in named if principal.may(Right.VIEW, camera)][:MOST_CAMERAS]


def _timelines(index: Index, keys: Sequence[StreamKey], from_us: int, to_us: int, width: int) -> str:
    step_us = wide.step_for(from_us, to_us, width)
    from_us, to_us = wide.on_grid(from_us, to_us, step_us)
    whole = wide.is_whole_quarters(from_us, to_us, step_us)
    found = index.wide(keys, from_us, to_us, whole_quarters=whole)
    items = []
    for key, pieces in zip(keys, found.pieces, strict=True):
        who = _ENCODER.encode({"camera": key.camera, "stream": key.stream})
        items.append(f'{who[:-1]},"spans":{_spans(wide.reduce(pieces, from_us, to_us, step_us))}}}')
    head = _ENCODER.encode(
        {
            "from_us": from_us, "to_us": to_us, "step_us": step_us, "accounted_until_us": found.accounted_until_us,
            "codes": wide.CODES, "shares": wide.SHARES,
        }
    )  # fmt: skip
    return f'{head[:-1]},"items":[{",".join(items)}]}}'


_ENDS = {
    code << 8 | share: f",{code},{share}]" if share else f",{code}]"
    for code in range(len(wide.CODES))
    for share in (0, *wide.SHARES)
}
"""How a span ends, by its kind."""


def _spans(runs: wide.Runs) -> str:
    """Written by hand: an encoder takes twice as long for thousands of short lists."""
    told = map(operator.add, map(str, runs.begins), map(_ENDS.__getitem__, runs.kinds))
    return f"[[{',['.join(told)}]" if runs.begins else "[]"


def _days(month: str | None, year: int | None) -> list[dt.date]:
    """The first days of the periods, and of what follows. Raises UsageError."""
    if (month is None) == (year is None):
        raise UsageError("ask for a month or for a year", remedy="month=2026-11, or year=2026")
    if year is not None:
        return [*(dt.date(year, number, 1) for number in range(1, 13)), dt.date(year + 1, 1, 1)]
    found = _MONTH.fullmatch(month or "")
    if found is None or not 1971 <= int(found[1]) < 9000:
        raise UsageError(f"{month!r} is not a month", remedy="write it as 2026-11")
    first = dt.date(int(found[1]), int(found[2]), 1)
    after = dt.date(first.year + first.month // 12, first.month % 12 + 1, 1)
    return [first + dt.timedelta(days=n) for n in range((after - first).days + 1)]


def _calendar(index: Index, keys: Sequence[StreamKey], days: Sequence[dt.date], timezone: str, by: str) -> str:
    zone = zone_of(timezone)
    edges = [midnight_us(day, zone) for day in days]
    whole = wide.is_whole_quarters(*edges)
    found = index.wide(keys, edges[0], edges[-1], whole_quarters=whole)
    sums = [wide.summed(pieces, edges) for pieces in found.pieces]
    items = [
        {
            by: day.isoformat() if by == "day" else day.isoformat()[:7],
            "from": format_us(begin),
            "to": format_us(end),
            **_period([of[n] for of in sums]),
        }
        for n, (day, begin, end) in enumerate(zip(days, edges, edges[1:], strict=False))
    ]
    return _ENCODER.encode(
        {"timezone": zone.key, "accounted_until": format_us(found.accounted_until_us), "by": by, "items": items}
    )


def _period(sums: Sequence[wide.Sums]) -> dict[str, object]:
    """A day or a month over all cameras."""
    causes: dict[int, int] = {}
    for one in sums:
        for code, length_us in one.by_code.items():
            causes[code] = causes.get(code, 0) + length_us
    told = wide.Sums(causes, sum(one.length_us for one in sums))
    gaps = {wide.CODES[code]: length_us / 1e6 for code, length_us in sorted(causes.items()) if code > wide.POST}
    return {
        "recorded_s": told.recorded_us / 1e6,
        "gone_s": causes.get(wide.GONE, 0) / 1e6,
        "gap_s": round(sum(gaps.values()), 6),
        "pending_s": causes.get(wide.PENDING, 0) / 1e6,
        "worst": told.worst,
        "causes": gaps,
        "cameras": len(sums),
        "with_footage": sum(one.recorded_us > 0 for one in sums),
    }
