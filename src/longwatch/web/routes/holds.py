"""Holds: footage that is protected from removal, by whom and until when. docs/design/holds.md."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import Path, Query
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from longwatch.accounts import Principal, Right
from longwatch.base.errors import LongwatchError, UsageError
from longwatch.base.rfc3339 import format_us
from longwatch.base.secrets import scrub
from longwatch.model.holds import Hold
from longwatch.web import models_holds as models
from longwatch.web.api import Api, Problem
from longwatch.web.deps import Deps
from longwatch.web.errors import RefusedError
from longwatch.web.guard import principal_of
from longwatch.web.people import who_of
from longwatch.web.policy import OPERATE, SIGNED_IN
from longwatch.web.times import moment_us, span_us, written

HoldId = Annotated[str, Path(alias="id", description="as in /api/v1/holds", pattern="^[0-9]{1,15}$")]
Moment = Annotated[str | None, Query(description="RFC 3339", json_schema_extra={"format": "date-time"})]
_MOST = 10_000


def register(api: Api, deps: Deps) -> None:
    """holds: list, place, end."""

    @api.get("/api/v1/holds", SIGNED_IN, responses={200: {"model": models.Holds}})
    async def holds(
        request: Request,
        everything: Annotated[bool, Query(alias="all", description="also those that have ended")] = False,
        camera: Annotated[list[str] | None, Query(max_length=200, description="only of these")] = None,
        from_: Annotated[str | None, Query(alias="from", json_schema_extra={"format": "date-time"})] = None,
        to: Moment = None,
    ) -> Response:
        """What is protected from removal, the newest first; of the cameras that the caller may see."""
        principal = _principal(request)
        span = None
        if (from_ is None) != (to is None):
            raise UsageError("`from` and `to` go together", remedy="send both, or neither")
        if from_ is not None and to is not None:
            span = span_us(from_, to)
        found = await deps.read(_read, deps, everything)
        law = await _law(deps)
        items = [
            _told(hold, principal, law)
            for hold in found
            if _seen(hold, principal, camera) and (span is None or (hold.from_us < span[1] and hold.to_us > span[0]))
        ]
        return JSONResponse({"items": items[:_MOST], "next": None})

    @api.post(
        "/api/v1/holds", OPERATE, status_code=201, responses={201: {"model": models.Hold}, 404: {"model": Problem}}
    )
    async def place(request: Request, body: models.HoldRequest) -> Response:
        """Protect footage from removal. It takes effect once its entry is durable. Asks for the right to operate each of its cameras."""
        principal = _principal(request)
        _check_cameras(principal, body.cameras)
        from_us, to_us = span_us(body.from_, body.to)
        answer = await deps.recorder.request(
            "hold_place", cameras=body.cameras, streams=body.streams, from_us=from_us, to_us=to_us,
            until_us=None if body.until is None else moment_us(body.until), authority=body.authority, reason=body.reason,
            person=who_of(request).person(),
        )  # fmt: skip
        found = await deps.read(_one, deps, int(answer["hold"]))
        if found is None:
            raise LongwatchError("the hold stands, and cannot be read back yet", remedy="see /api/v1/holds")
        return JSONResponse(_told(found, principal, {found.id: answer.get("law_us")}), 201)

    @api.delete("/api/v1/holds/{id}", OPERATE, responses={200: {"model": models.HoldEnded}, 404: {"model": Problem}})
    async def end(request: Request, number: HoldId, body: models.HoldReason) -> Response:
        """End a hold, with a reason. What it kept goes as the settings say; the entries stay."""
        principal = _principal(request)
        found = await deps.read(_one, deps, int(number))
        if principal.cameras is not None and found is None:
            _check_cameras(principal, [""])  # whoever may not see all cameras does not learn which numbers there are
        _check_cameras(principal, [] if found is None else found.cameras)
        if found is None:
            raise RefusedError(404, f"there is no hold {number}", remedy="see /api/v1/holds?all=true")
        answer = await deps.recorder.request(
            "hold_end", hold=found.id, reason=body.reason, person=who_of(request).person()
        )
        return JSONResponse({"entry": int(answer["seq"])})


def _principal(request: Request) -> Principal:
    principal = principal_of(request)
    assert principal is not None
    return principal


def _read(deps: Deps, everything: bool) -> list[Hold]:
    return deps.index.holds(everything=everything)


def _one(deps: Deps, number: int) -> Hold | None:
    return next(iter(deps.index.holds(number=number)), None)


async def _law(deps: Deps) -> dict[int, int | None]:
    """By hold, from when on the maximum age takes from it; empty while the recorder does not answer."""
    try:
        answer = await deps.recorder.request("holds")
    except LongwatchError:
        return {}
    return {int(item["hold"]): item.get("law_us") for item in answer.get("items", [])}


def _check_cameras(principal: Principal, cameras: Sequence[str]) -> None:
    if not all(principal.may(Right.OPERATE, camera) for camera in cameras):
        raise RefusedError(
            403,
            f"{principal.role} {principal.name!r} has no right to operate every camera of this",
            remedy="ask an admin",
        )


def _seen(hold: Hold, principal: Principal, asked: Sequence[str] | None) -> bool:
    return any(principal.may(Right.VIEW, camera) and (not asked or camera in asked) for camera in hold.cameras)


def _told(hold: Hold, principal: Principal, law: dict[int, int | None]) -> dict[str, Any]:
    open_to = principal.may(Right.OPERATE) or principal.may(Right.INSPECT)

    def word(text: str | None) -> str | None:
        return scrub(text) if text and open_to else None

    ended = hold.ended
    return {
        "id": hold.id,
        "cameras": [camera for camera in hold.cameras if principal.may(Right.VIEW, camera)],
        "streams": list(hold.streams),
        "from": format_us(hold.from_us),
        "to": format_us(hold.to_us),
        "until": written(hold.until_us),
        "authority": word(hold.authority),
        "firm": hold.firm,
        "law": written(law.get(hold.id)),
        "placed": format_us(hold.placed_us),
        "by": word(hold.by),
        "reason": word(hold.reason),
        "entry": hold.seq,
        "ended": None
        if ended is None
        else {
            "at": format_us(ended.at_us), "why": str(ended.why), "by": word(ended.by), "reason": word(ended.reason),
            "entry": ended.seq,
        },
        "overruled": list(hold.overruled),
    }  # fmt: skip
