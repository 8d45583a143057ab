"""Alarms as the recorder keeps them, and what a person does about them: acknowledge, pause, resume. docs/design/alarms.md."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import Path, Query
from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from longwatch.accounting.alarm_words import sentence
from longwatch.accounts import Principal, Right
from longwatch.base.errors import UsageError
from longwatch.base.rfc3339 import format_us
from longwatch.base.secrets import scrub
from longwatch.model.alarms import POSTS_FROM, Alarm
from longwatch.web.api import Api, Problem
from longwatch.web.deps import Deps
from longwatch.web.errors import RefusedError
from longwatch.web.guard import principal_of
from longwatch.web.models import Acknowledge, Acted, Alarms, Paused, PauseRequest, ResumeRequest
from longwatch.web.people import who_of
from longwatch.web.places import CameraId
from longwatch.web.policy import OPERATE, OPERATE_CAMERA, SIGNED_IN
from longwatch.web.times import cursor_of, read_cursor, written

AlarmId = Annotated[str, Path(alias="id", description="as in /api/v1/alarms", pattern="^[0-9]{1,15}$")]
_FACTS = (
    "subject",
    "gaps",
    "missing_us",
    "mains",
    "battery_percent",
    "reduces",
    "returns",
)  # beside the evidence of its gap
_BODY = {
    "requestBody": {"required": True, "content": {"application/json": {"schema": Acknowledge.model_json_schema()}}}
}


def register(api: Api, deps: Deps) -> None:
    """alarms, acknowledge, pause, resume."""

    @api.get("/api/v1/alarms", SIGNED_IN, responses={200: {"model": Alarms}})
    async def alarms(
        request: Request,
        everything: Annotated[bool, Query(alias="all", description="also what is over and dealt with")] = False,
        limit: Annotated[int, Query(ge=1, le=1000)] = 200,
        cursor: Annotated[str | None, Query(max_length=200, description="`next` of the answer before")] = None,
    ) -> Response:
        """What was raised and is not over, or is over and nobody has acknowledged it; the newest first."""
        principal = principal_of(request)
        assert principal is not None
        before = _number(cursor) if cursor is not None else None
        cameras = None if principal.cameras is None else sorted(principal.cameras)
        found = await deps.read(_read, deps, everything, before, limit + 1, cameras)
        rest = cursor_of(found[limit - 1].id) if len(found) > limit else None
        given = {} if deps.commands is None else await deps.commands.acknowledging()
        items = [_told(alarm, deps) | _given(given.get(alarm.id), alarm) for alarm in found[:limit]]
        return JSONResponse({"items": items, "next": rest})

    @api.post(
        "/api/v1/alarms/{id}/acknowledge", OPERATE, responses={200: {"model": Acted}, 404: {"model": Problem}},
        openapi_extra={**_BODY, "security": [{"bearer": []}, {"cookie": []}]},
    )  # fmt: skip
    async def acknowledge(request: Request, number: AlarmId) -> Response:
        """Somebody deals with it, and says why. What is wrong stays so until it is over; it is not said again. At a hub, of an alarm of a post: entered
        here, and told to the post (`acknowledging`), in whose ledger it takes effect.
        """
        principal = principal_of(request)
        assert principal is not None
        alarm = await deps.read(deps.index.alarm, int(number))
        _check_right(principal, alarm)  # before the body: whose camera it is stands in the alarm
        reason = (await _acknowledgement(request)).reason
        if alarm is None:
            raise RefusedError(404, f"there is no alarm {number}", remedy="see /api/v1/alarms?all=true")
        if deps.commands is not None and alarm.body.get("post") is not None and alarm.id >= POSTS_FROM:
            return JSONResponse({"entry": await deps.commands.acknowledge(alarm.id, who_of(request), reason)})
        answer = await deps.recorder.request(
            "acknowledge", alarm=alarm.id, reason=reason, person=who_of(request).person()
        )
        return JSONResponse({"entry": int(answer["seq"])})

    @api.post("/api/v1/cameras/{id}/pause", OPERATE_CAMERA, responses={200: {"model": Paused}})
    async def pause(request: Request, camera: CameraId, body: PauseRequest) -> Response:
        """Nothing of this camera is recorded until it is resumed, or for so long. A pause for privacy also ends live view."""
        _check_camera(deps, camera)
        answer = await deps.recorder.request(
            "pause", camera=camera, privacy=body.privacy, for_s=body.for_s, reason=body.reason,
            person=who_of(request).person(),
        )  # fmt: skip
        told = {"entry": int(answer["seq"]), "camera": camera, "kind": str(answer["kind"])}
        return JSONResponse({**told, "since": format_us(int(answer["since_us"])), "until": written(answer["until_us"])})

    @api.post("/api/v1/cameras/{id}/resume", OPERATE_CAMERA, responses={200: {"model": Acted}})
    async def resume(request: Request, camera: CameraId, body: ResumeRequest) -> Response:
        """Record it again."""
        _check_camera(deps, camera)
        answer = await deps.recorder.request(
            "resume", camera=camera, reason=body.reason or "", person=who_of(request).person()
        )
        return JSONResponse({"entry": int(answer["seq"])})


def _read(
    deps: Deps, everything: bool, before: int | None, limit: int, cameras: list[str] | None
) -> list[Alarm]:  # fmt: skip
    return deps.index.alarms(everything=everything, before=before, limit=limit, cameras=cameras)


def _check_right(principal: Principal, alarm: Alarm | None) -> None:
    """Of one camera: the right to it. Of the post, or of none: the right to every camera, so that numbers tell nothing."""
    camera = alarm.camera if alarm is not None else ""
    if not principal.may(Right.OPERATE, camera or None) or (not camera and principal.cameras is not None):
        raise RefusedError(
            403,
            f"{principal.role} {principal.name!r} has no right to operate what this is about",
            remedy="ask an admin",
        )


async def _acknowledgement(request: Request) -> Acknowledge:
    try:
        return Acknowledge.model_validate_json(await request.body())
    except ValidationError as error:
        why = str(error.errors()[0].get("msg", "")) if error.errors() else ""
        raise UsageError("the body is not right", why=why, remedy='send {"reason": "..."}') from None


def _check_camera(deps: Deps, camera: str) -> None:
    if deps.site().camera(camera) is None:
        raise RefusedError(404, f"there is no camera {camera[:80]!r}", remedy="see /api/v1/cameras")


def _number(cursor: str) -> int:
    text = read_cursor(cursor)[0]
    if not text.isdecimal() or len(text) > 15:
        raise UsageError("the cursor is none of ours", remedy="use `next` of the answer before, unchanged")
    return int(text)


def _told(alarm: Alarm, deps: Deps) -> dict[str, Any]:
    camera = deps.site().camera(alarm.camera) if alarm.camera else None
    by = alarm.acknowledged
    return {
        "id": alarm.id,
        "kind": str(alarm.kind),
        "camera": alarm.camera or None,
        "cause": alarm.cause or None,
        "evidence": _scrubbed(alarm.evidence),
        "raised": format_us(alarm.raised_us),
        "ended": written(alarm.ended_us),
        "acknowledged": None
        if by is None
        else {
            "at": format_us(by.at_us),
            "by": None if by.by is None else scrub(by.by),
            "reason": None if by.reason is None else scrub(by.reason),
            "entry": by.seq,
        },
        "repeats": alarm.repeats,
        "facts": _scrubbed({name: alarm.body[name] for name in _FACTS if name in alarm.body}),
        "says": scrub(sentence(alarm, camera.name if camera is not None else "")),
    }


def _given(row: Any, alarm: Alarm) -> dict[str, Any]:
    """What was said of it here, at a hub, while its post has not entered it."""
    if row is None or alarm.acknowledged is not None:
        return {"acknowledging": None}
    told = {"by": scrub(row.by), "reason": scrub(row.reason), "at": format_us(row.created_us), "state": row.state}
    return {"acknowledging": {**told, "why": scrub(str(row.answer.get("why", ""))) or None}}


def _scrubbed(value: object) -> Any:
    if isinstance(value, str):
        return scrub(value)
    if isinstance(value, Mapping):
        return {str(name): _scrubbed(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_scrubbed(item) for item in value]
    return value
