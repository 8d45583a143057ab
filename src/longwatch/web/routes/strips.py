"""Scrub strips: small pictures of many cameras at many moments, in one answer (docs/design/strips.md).

What is sent counts as seen: it is entered before it goes out, as a still is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Query
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from longwatch.base.errors import UsageError
from longwatch.base.rfc3339 import format_us
from longwatch.model.sessions import StreamKey
from longwatch.strips import Packed, Picture, Strips, pack, picked_at
from longwatch.strips.distant import DistantStrips
from longwatch.strips.packing import MEDIA_TYPE
from longwatch.strips.shelf import STREAMS
from longwatch.web.api import Api, Problem
from longwatch.web.deps import Deps, Index
from longwatch.web.errors import RefusedError
from longwatch.web.guard import principal_of
from longwatch.web.models_strips import Strip
from longwatch.web.people import enter_looks
from longwatch.web.places import CameraId, check_camera
from longwatch.web.policy import VIEW_ASKED, VIEW_CAMERA
from longwatch.web.ranges import serve
from longwatch.web.times import From, To, moment_us, span_us

MOST_CAMERAS = 100
MOST_MOMENTS = 100
MOST_PICTURES = 3_000
MOST_BYTES = 24 << 20
MOST_US = 32 * 86_400_000_000
_OLD = 3  # times `every`: how much older than the moment a picture may be
_KEPT = "private, max-age=3600, immutable"  # no longer: what retention removes is to be gone from browsers too
_PACK: dict[int | str, dict[str, Any]] = {
    200: {"content": {MEDIA_TYPE: {}}}, 206: {"content": {MEDIA_TYPE: {}}}, 304: {}, 416: {}, 404: {"model": Problem},
}  # fmt: skip
Moment = Annotated[str | None, Query(description="RFC 3339", json_schema_extra={"format": "date-time"})]
Seconds = Annotated[int, Query(ge=1, le=86_400, description="seconds: one picture for each; steps lie on UTC")]


@dataclass(frozen=True, slots=True)
class Asked:
    """Moments, or a stretch by steps."""

    cameras: tuple[str, ...]
    moments_us: tuple[int, ...] = ()
    from_us: int = 0
    to_us: int = 0
    step_us: int = 0


@dataclass(frozen=True, slots=True)
class _Chosen:
    """What goes out of one camera."""

    camera: str
    pictures: list[Picture | None]
    jpegs: list[bytes]


def register(api: Api, deps: Deps) -> None:
    """strips; strip and strip.jpg of a camera."""

    @api.get("/api/v1/strips", VIEW_ASKED, response_class=Response, responses=_PACK)
    async def strips(
        request: Request,
        camera: Annotated[list[str], Query(description="may be repeated")],
        at: Annotated[list[str] | None, Query(description="RFC 3339; may be repeated")] = None,
        from_: Annotated[str | None, Query(alias="from", json_schema_extra={"format": "date-time"})] = None,
        to: Moment = None,
        step: Seconds = 60,
    ) -> Response:
        """Pictures of each camera at moments, or one for each step of a stretch; a head in JSON, then the JPEGs."""
        asked = _asked(camera, at, from_, to, step)
        principal = principal_of(request)
        assert principal is not None
        for name in asked.cameras:
            await check_camera(deps, principal, name)
        body, chosen = await deps.read(_packed, deps, asked)
        await _enter(deps, request, chosen)
        whole = bool(asked.step_us) and deps.strips is not None and all(
            deps.strips.is_complete(name, asked.from_us, asked.to_us) for name in asked.cameras
        )  # fmt: skip
        headers = {"Vary": "Authorization, Cookie", **({"Cache-Control": _KEPT} if whole else {})}
        return serve(deps, request, body, headers, asked.cameras[0])

    @api.get("/api/v1/cameras/{id}/strip", VIEW_CAMERA, responses={200: {"model": Strip}})
    async def strip(request: Request, camera: CameraId, from_: From, to: To, step: Seconds = 60) -> Response:
        """Which pictures there are, without the pictures."""
        asked = _asked([camera], None, from_, to, step)
        principal = principal_of(request)
        assert principal is not None
        await check_camera(deps, principal, camera)
        found = await deps.read(_picked, deps, asked, camera)
        items = [[one.at_us, one.size] for one in found if one is not None]
        return JSONResponse({"camera": camera, **_said(deps.strips, camera), "items": items})

    @api.get(
        "/api/v1/cameras/{id}/strip.jpg", VIEW_CAMERA, response_class=Response,
        responses={200: {"content": {"image/jpeg": {}}}},
    )  # fmt: skip
    async def picture(
        request: Request,
        camera: CameraId,
        at: Annotated[str, Query(description="RFC 3339", json_schema_extra={"format": "date-time"})],
    ) -> Response:
        """The picture of a strip at that moment, or shortly before it."""
        asked = _asked([camera], [at], None, None, 60)
        principal = principal_of(request)
        assert principal is not None
        await check_camera(deps, principal, camera)
        chosen = await deps.read(_chosen, deps, asked, camera)
        if not chosen.jpegs or not chosen.jpegs[0] or chosen.pictures[0] is None:
            raise RefusedError(404, f"there is no strip picture of {camera} then", remedy="ask for still.jpg instead")
        await _enter(deps, request, [chosen])
        headers = {"X-Longwatch-Start": format_us(chosen.pictures[0].at_us), "Cache-Control": "private, no-cache"}
        return Response(chosen.jpegs[0], media_type="image/jpeg", headers=headers)


def _asked(cameras: Sequence[str], at: Sequence[str] | None, from_: str | None, to: str | None, step: int) -> Asked:
    """Raises UsageError."""
    named = tuple(dict.fromkeys(cameras))
    if not 0 < len(named) <= MOST_CAMERAS:
        raise UsageError(f"{len(named)} cameras at once", why=f"1 to {MOST_CAMERAS}", remedy="ask in parts")
    if at:
        if from_ is not None or to is not None or len(at) > MOST_MOMENTS:
            raise UsageError(
                f"ask for at most {MOST_MOMENTS} moments, or for a stretch",
                remedy="either at=, or from=, to= and step=",
            )
        return Asked(named, tuple(moment_us(text) for text in at))
    if from_ is None or to is None:
        raise UsageError("neither moments nor a stretch is asked for", remedy="either at=, or from=, to= and step=")
    from_us, to_us = span_us(from_, to)
    step_us = step * 1_000_000
    if to_us - from_us > MOST_US:
        raise UsageError("that is more than 32 days", remedy="ask for a shorter stretch")
    if len(named) * (-(-to_us // step_us) - from_us // step_us) > MOST_PICTURES:
        raise UsageError(f"that may be more than {MOST_PICTURES} pictures", remedy="ask for a larger step, or in parts")
    return Asked(named, (), from_us, to_us, step_us)


def _said(strips: Strips | DistantStrips | None, camera: str) -> dict[str, object]:
    if strips is None:
        return {"every_us": 0, "state": "off"}
    return {"every_us": strips.every_us, "state": strips.state(camera)}


def _picked(deps: Deps, asked: Asked, camera: str) -> Sequence[Picture | None]:
    """The pictures whose footage is held. Blocks."""
    if deps.strips is None:
        return [None] * len(asked.moments_us)
    if not asked.moments_us:
        return _held(deps.index, camera, deps.strips.shelf.by_step(camera, asked.from_us, asked.to_us, asked.step_us))
    oldest_us = _OLD * deps.strips.every_us
    parts: dict[int, Picture | None] = {}
    for at_us in asked.moments_us:
        near = deps.strips.shelf.between(camera, max(0, at_us - oldest_us), at_us + 1)
        parts[at_us] = picked_at(_held(deps.index, camera, near), [at_us], oldest_us)[0]
    return [parts[at_us] for at_us in asked.moments_us]


def _held(index: Index, camera: str, pictures: Sequence[Picture]) -> list[Picture]:
    """Without those whose footage is gone, and which the sweep has not come to yet."""
    if not pictures:
        return []
    kept: list[Picture] = []
    for number in {one.stream for one in pictures}:
        key = StreamKey(camera, STREAMS[number])
        first_us = index.stats(key).first_us
        if first_us is None:
            continue
        gone = index.gone(key, pictures[0].at_us, pictures[-1].at_us + 1)
        kept += [
            one for one in pictures
            if one.stream == number and one.at_us >= first_us and not any(a <= one.at_us < b for a, b in gone)
        ]  # fmt: skip
    return sorted(kept)


def _chosen(deps: Deps, asked: Asked, camera: str) -> _Chosen:
    pictures = list(_picked(deps, asked, camera))
    wanted = [one for one in pictures if one is not None]
    if deps.strips is None or not wanted:
        return _Chosen(camera, pictures, [b""] * len(pictures))
    read = dict(zip(wanted, deps.strips.shelf.read(camera, wanted), strict=True))
    jpegs = [b"" if one is None else read[one] for one in pictures]
    if asked.step_us:  # where nothing is asked for by name, nothing stands for what is not there
        both = [(one, jpeg) for one, jpeg in zip(pictures, jpegs, strict=True) if jpeg]
        return _Chosen(camera, [one for one, _ in both], [jpeg for _, jpeg in both])
    return _Chosen(camera, pictures, jpegs)


def _packed(deps: Deps, asked: Asked) -> tuple[Packed, list[_Chosen]]:
    chosen: list[_Chosen] = []
    size = 0
    for camera in asked.cameras:
        one = _chosen(deps, asked, camera)
        size += sum(map(len, one.jpegs))
        if size > MOST_BYTES:
            raise UsageError(f"that is more than {MOST_BYTES >> 20} MB", remedy="ask for a larger step, or in parts")
        chosen.append(one)
    head: dict[str, object] = {
        "every_us": deps.strips.every_us if deps.strips is not None else 0,
        "step_us": asked.step_us,
        "accounted_until_us": deps.index.accounted_until_us(),
    }
    of = [
        ({"camera": one.camera, "state": _said(deps.strips, one.camera)["state"]}, one.pictures, one.jpegs)
        for one in chosen
    ]
    return pack(head, of), chosen


async def _enter(deps: Deps, request: Request, chosen: Sequence[_Chosen]) -> None:
    """Who sees what, before it goes out: in one transaction, however many cameras."""
    stretches = []
    for one in chosen:
        shown = [picture for picture, jpeg in zip(one.pictures, one.jpegs, strict=True) if picture is not None and jpeg]
        for number in sorted({picture.stream for picture in shown}):
            times = [picture.at_us for picture in shown if picture.stream == number]
            stretches.append((StreamKey(one.camera, STREAMS[number]), min(times), max(times)))
    await enter_looks(deps, request, "strip", stretches)
