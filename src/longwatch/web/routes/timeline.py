"""What was recorded when, and every gap with its cause. Written without Pydantic: this path is to be fast."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import Query
from starlette.requests import Request
from starlette.responses import Response

from longwatch.accounts import Principal, Right
from longwatch.base.errors import UsageError
from longwatch.base.rfc3339 import format_us
from longwatch.base.secrets import scrub
from longwatch.model.sessions import StreamKey
from longwatch.timeline import State, Tile, gaps_in, tile
from longwatch.timeline.wide import DAY_US
from longwatch.web.api import Api, Problem
from longwatch.web.deps import Deps, Index
from longwatch.web.guard import principal_of
from longwatch.web.models import Gaps, Timeline
from longwatch.web.places import CameraId, StreamName, check_camera, stream_key
from longwatch.web.policy import VIEW_ASKED, VIEW_CAMERA
from longwatch.web.times import From, To, cursor_of, read_cursor, span_us

_MOST = 50_000
_STREAM_DAYS = 4_000  # read at once: some tens of thousands of tiles
Limit = Annotated[int, Query(ge=1, le=_MOST, description="items in one answer")]
Cursor = Annotated[str | None, Query(max_length=200, description="`next` of the answer before")]
_ENCODER = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False)


def register(api: Api, deps: Deps) -> None:
    """timeline, gaps."""

    @api.get("/api/v1/cameras/{id}/timeline", VIEW_CAMERA, responses={200: {"model": Timeline}})
    async def timeline(
        camera: CameraId, from_: From, to: To, stream: StreamName = "main", limit: Limit = _MOST, cursor: Cursor = None
    ) -> Response:
        """Tiles the whole interval: recorded, gap, or pending after `accounted_until`."""
        from_us, to_us = span_us(from_, to)
        if cursor is not None:
            from_us = _resumed(cursor, from_us, to_us)
        key = await stream_key(deps, camera, stream)
        body = await deps.read(_timeline, deps.index, key, from_us, to_us, limit)
        return Response(body, media_type="application/json")

    @api.get("/api/v1/gaps", VIEW_ASKED, responses={200: {"model": Gaps}, 404: {"model": Problem}})
    async def gaps(
        request: Request,
        from_: From,
        to: To,
        camera: Annotated[str | None, Query(max_length=200)] = None,
        post: Annotated[str | None, Query(max_length=40, description="at a hub: of that post's cameras only")] = None,
        limit: Limit = 10_000,
        cursor: Cursor = None,
    ) -> Response:
        """Gaps with causes over all cameras that the caller may see."""
        from_us, to_us = span_us(from_, to)
        principal = principal_of(request)
        assert principal is not None
        if camera is not None:
            await check_camera(deps, principal, camera)
        skip = _offset(cursor) if cursor is not None else 0
        body = await deps.read_long(_gaps, deps.index, principal, (camera, post), from_us, to_us, skip, limit)
        return Response(body, media_type="application/json")


def _resumed(cursor: str, from_us: int, to_us: int) -> int:
    text = read_cursor(cursor)[0]
    if not text.isdecimal() or not from_us <= int(text) < to_us:
        raise UsageError("the cursor is not of this span", remedy="use `next` with the same from and to")
    return int(text)


def _offset(cursor: str) -> int:
    text = read_cursor(cursor)[0]
    if not text.isdecimal() or len(text) > 12:
        raise UsageError("the cursor is none of ours", remedy="use `next` of the answer before, unchanged")
    return int(text)


def tiles_of(index: Index, key: StreamKey, from_us: int, to_us: int) -> tuple[list[Tile], int]:
    """The tiles of a span, and until when all is accounted for. Blocks."""
    accounted_until_us = index.accounted_until_us(key)  # first: what is read after it is at least as new
    set_up_us = index.set_up_us(key)
    if set_up_us is None:  # an index rebuilt from files: the first footage is all there is to go by
        set_up_us = index.stats(key).first_us
    gaps = index.gaps_of(key, from_us, to_us)  # before the spans: a gap that ends meanwhile ends where a span begins
    spans = index.recorded_spans(key, from_us, to_us)
    return tile(spans, gaps, from_us, to_us, accounted_until_us, set_up_us), accounted_until_us


def _timeline(index: Index, key: StreamKey, from_us: int, to_us: int, limit: int) -> str:
    tiles, accounted_until_us = tiles_of(index, key, from_us, to_us)
    rest = cursor_of(tiles[limit].from_us) if len(tiles) > limit else None
    items = []
    begins = format_us(from_us)
    for item in tiles[:limit]:
        ends = format_us(item.to_us)
        items.append(_tile(item, begins, ends))
        begins = ends  # tiles touch, so each time is written once
    return _ENCODER.encode({"items": items, "accounted_until": format_us(accounted_until_us), "next": rest})


def _tile(item: Tile, begins: str, ends: str) -> dict[str, Any]:
    told: dict[str, Any] = {
        "from": begins,
        "to": ends,
        "state": item.state,
        "cause": item.cause,
        "evidence": _told(item.evidence) if item.state is State.GAP else None,
    }
    if item.state is State.RECORDED:
        told["held"] = item.held
        told["provenance"] = item.provenance.name.lower() if item.provenance is not None else None
        told["run"] = item.run
        if item.also:
            told["also"] = item.also
    return told


def _gaps(
    index: Index,
    principal: Principal,
    of: tuple[str | None, str | None],
    from_us: int,
    to_us: int,
    skip: int,
    limit: int,
) -> str:
    """of: a camera, a post; None for all. The gap tiles of every stream's timeline, so that both routes say the same of the same second."""
    accounted_until_us = index.accounted_until_us()
    camera, post = of
    mine = "" if post is None else f"{post}."
    keys = sorted(StreamKey(name, stream) for name, stream, _ in index.cameras())
    keys = [key for key in keys if camera in {None, key.camera} and key.camera.startswith(mine)]
    mine_to_see = [key for key in keys if principal.may(Right.VIEW, key.camera)]
    found: list[tuple[StreamKey, Tile, int]] = []
    at_once = max(1, _STREAM_DAYS // (1 + (to_us - from_us) // DAY_US))
    for n in range(0, len(mine_to_see), at_once):
        if len(found) > skip + limit:  # the page is full, and there is more: what follows is for another
            break
        some = mine_to_see[n : n + at_once]
        found += [
            (key, item, until_us)
            for key, (until_us, tiles) in zip(some, index.tilings(some, from_us, to_us), strict=True)
            for item in gaps_in(tiles)
        ]
    page = [_gap(key, item, until_us) for key, item, until_us in found[skip : skip + limit]]
    rest = cursor_of(skip + limit) if len(found) > skip + limit else None
    return _ENCODER.encode({"items": page, "accounted_until": format_us(accounted_until_us), "next": rest})


def _gap(key: StreamKey, item: Tile, accounted_until_us: int) -> dict[str, Any]:
    """open: it reaches up to what is known; there may be more of it."""
    return {
        "camera": key.camera,
        "stream": key.stream,
        "from": format_us(item.from_us),
        "to": format_us(item.to_us),
        "open": item.to_us >= accounted_until_us,
        "cause": item.cause,
        "evidence": _told(item.evidence),
    }


def _told(evidence: Mapping[str, object]) -> Any:
    """Evidence is made without secrets; this is the second lock on that door."""
    return {name: _scrubbed(value) for name, value in evidence.items()}


def _scrubbed(value: object) -> object:
    if isinstance(value, str):
        return scrub(value)
    if isinstance(value, Mapping):
        return _told(value)
    if isinstance(value, list | tuple):
        return [_scrubbed(item) for item in value]
    return value
