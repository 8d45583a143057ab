"""What was seen: search, one event and its picture, review, and all of it as it happens. docs/design/events.md."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import Path, Query
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.websockets import WebSocket, WebSocketDisconnect

from longwatch.accounts import Principal, Right
from longwatch.base.errors import UsageError
from longwatch.base.rfc3339 import format_us
from longwatch.base.secrets import scrub
from longwatch.base.tasks import Tasks
from longwatch.model.clips import clip_of
from longwatch.model.event_levels import level_of
from longwatch.model.event_rows import Asked, Crowd, Stored
from longwatch.model.events import Event, EventChange
from longwatch.model.sessions import StreamKey
from longwatch.timeline import wide
from longwatch.web import errors
from longwatch.web import models_events as models
from longwatch.web.api import Api, Problem
from longwatch.web.deps import Deps, EventDesk
from longwatch.web.errors import RefusedError
from longwatch.web.guard import principal_of
from longwatch.web.people import enter_look, who_of
from longwatch.web.places import check_camera
from longwatch.web.policy import OPERATE, SIGNED_IN, VIEW_ASKED
from longwatch.web.times import From, To, cursor_of, read_cursor, span_us, written

LOGIN_IS_OVER = 4401
MOST_LISTENERS = 200
MOST_OF_ONE = 20
MOST_UNSENT = 256
MOST_CAMERAS = 200
_ENCODER = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False)
EventId = Annotated[
    str,
    Path(
        alias="id",
        description="as in /api/v1/events; at a hub `post.id`",
        pattern="^([a-z0-9-]{1,40}[.])?[0-9a-f]{22}$",
    ),
]
Cameras = Annotated[
    list[str] | None, Query(alias="camera", description="may be repeated; none: all that the caller may see")
]
Kinds = Annotated[
    list[Annotated[str, Query(max_length=40, pattern="^[a-z_]+([.][a-z_]+)?$")]] | None,
    Query(alias="kind", description="a kind, or its group: `motion`, `object`, `tamper`, `thermal`; may be repeated", max_length=40),
]  # fmt: skip
Zones = Annotated[
    list[str] | None, Query(alias="zone", description="a zone or line, by its name; may be repeated", max_length=40)
]
Seen = Annotated[bool | None, Query(description="only those that somebody has reviewed, or that nobody has")]
_KNOWN: dict[int | str, dict[str, Any]] = {404: {"model": Problem}}


class _Listener:
    """One page that hears of events. missed: some did not go out; it is told so, and reads anew."""

    def __init__(self, principal: Principal) -> None:
        self.principal = principal
        self.queue: asyncio.Queue[tuple[str, str]] = asyncio.Queue(MOST_UNSENT)
        self.missed = False
        self.over = asyncio.Event()

    def put(self, camera: str, text: str) -> None:
        if self.over.is_set() or not self.principal.may(Right.VIEW, camera):
            return
        try:
            self.queue.put_nowait((camera, text))
        except asyncio.QueueFull:
            self.missed = True


class _Listeners:
    """All of them. Whoever loses rights meanwhile, or gets others, hears no more: the page asks anew, with those it has."""

    def __init__(self, deps: Deps) -> None:
        self.all: set[_Listener] = set()
        self.tasks = Tasks("web-events")
        self._accounts = deps.accounts
        if deps.events is not None:
            deps.events.on_change.append(lambda change: _spread(self.all, change))
        deps.accounts.on_revoked(self._revoked)

    def reviewed(self, stored: Stored) -> None:
        """Somebody reviewed it, or took that back. Each is told as much of who as he may know."""
        for one in self.all:
            one.put(stored.event.camera, _ENCODER.encode({"phase": "reviewed", "event": told(stored, one.principal)}))

    async def recheck(self, one: _Listener) -> None:
        """What the listener may now."""
        now = await self._accounts.still(one.principal)
        if now is None or (now.cameras, now.role) != (one.principal.cameras, one.principal.role):
            one.over.set()
        else:
            one.principal = now

    def _revoked(self) -> None:
        self.tasks.start("check", self._check_rights())

    async def _check_rights(self) -> None:
        for one in list(self.all):
            await self.recheck(one)


def register(api: Api, deps: Deps) -> None:
    """events, crowds, one, picture (here, or asked for), review; WS live."""
    listeners = _Listeners(deps)
    _of_many(api, deps)
    _of_one(api, deps, listeners)
    _live(api, deps, listeners)


def _of_many(api: Api, deps: Deps) -> None:
    @api.get("/api/v1/events", VIEW_ASKED, responses={200: {"model": models.Events}, **_KNOWN})
    async def events(
        request: Request,
        from_: From,
        to: To,
        camera: Cameras = None,
        kind: Kinds = None,
        zone: Zones = None,
        reviewed: Seen = None,
        limit: Annotated[int, Query(ge=1, le=1000)] = 200,
        cursor: Annotated[str | None, Query(max_length=200, description="`next` of the answer before")] = None,
    ) -> Response:
        """What was seen in that stretch, or reaches into it; the newest first."""
        desk = desk_of(deps)
        before = None if cursor is None else _before(cursor)
        asked = await _asked(deps, request, from_, to, camera, kind, zone, reviewed, before)
        found = await deps.read_long(desk.store.find, asked, limit + 1)
        last = found[limit - 1].event if len(found) > limit else None
        rest = None if last is None else cursor_of(last.from_us, last.id)
        principal = _principal(request)
        return JSONResponse({"items": [told(one, principal) for one in found[:limit]], "next": rest})

    @api.get("/api/v1/events/crowds", VIEW_ASKED, responses={200: {"model": models.Crowds}, **_KNOWN})
    async def crowds(
        request: Request,
        from_: From,
        to: To,
        camera: Cameras = None,
        kind: Kinds = None,
        width: Annotated[int, Query(ge=1, le=8192, description="pixels: no step is longer than one")] = 1440,
    ) -> Response:
        """The same for a timeline: events of a camera that begin within a pixel of each other are one, and say how many they are."""
        desk = desk_of(deps)
        asked = await _asked(deps, request, from_, to, camera, kind, None, None, None)
        return Response(await deps.read_long(_crowds, desk, asked, width), media_type="application/json")


def _of_one(api: Api, deps: Deps, listeners: _Listeners) -> None:
    @api.get("/api/v1/events/{id}", SIGNED_IN, responses={200: {"model": models.Event}, **_KNOWN})
    async def event(request: Request, number: EventId) -> Response:
        """One event."""
        stored = await event_for(deps, request, number, Right.VIEW)
        return JSONResponse(told(stored, _principal(request)))

    @api.get(
        "/api/v1/events/{id}/picture.jpg", SIGNED_IN, response_class=Response,
        responses={200: {"content": {"image/jpeg": {}}}, 304: {}, **_KNOWN},
    )  # fmt: skip
    async def picture(request: Request, number: EventId) -> Response:
        """Its picture: of the moment where it is seen best. It is footage: as long as that is held, and whoever looks is entered."""
        stored = await event_for(deps, request, number, Right.VIEW)
        jpeg = await desk_of(deps).pictures.of(stored)
        if jpeg is None or stored.pictured_us is None:
            raise RefusedError(
                404, "there is no picture of this event", why="none was made yet, or its footage is gone"
            )
        key = StreamKey(stored.event.camera, "main")
        await enter_look(deps, request, key, "still", stored.pictured_us, stored.pictured_us)
        tag = f'"{stored.pictured_us}"'
        headers = {
            "X-Longwatch-Start": format_us(stored.pictured_us),
            "Cache-Control": "private, no-cache",
            "ETag": tag,
        }
        if request.headers.get("if-none-match", "").strip().removeprefix("W/") == tag:
            return Response(status_code=304, headers=headers)
        return Response(jpeg, media_type="image/jpeg", headers=headers)

    @api.post(
        "/api/v1/events/{id}/picture", OPERATE, status_code=202, responses={202: {"model": models.Event}, **_KNOWN}
    )
    async def ask(request: Request, number: EventId) -> Response:
        """At a hub: the picture lies at its post, and is wanted here. It is asked for until it has come; `best.held` says how that stands."""
        await event_for(deps, request, number, Right.OPERATE)
        principal = _principal(request)
        stored = await desk_of(deps).ask(number, principal.name)
        if stored is None:
            raise RefusedError(404, "there is no such event any more", remedy="see /api/v1/events")
        return JSONResponse(told(stored, principal), status_code=202)

    @api.put("/api/v1/events/{id}/review", OPERATE, responses={200: {"model": models.Event}, **_KNOWN})
    async def review(request: Request, number: EventId, body: models.ReviewRequest) -> Response:
        """Somebody looked at it and is done with it, or takes that back. It is kept who did, and when."""
        await event_for(deps, request, number, Right.OPERATE)
        principal = _principal(request)
        who = who_of(request)
        stored = await desk_of(deps).reviewed(number, done=body.reviewed, subject=who.subject, by=principal.name)
        if stored is None:
            raise RefusedError(404, "there is no such event any more", remedy="see /api/v1/events")
        listeners.reviewed(stored)
        return JSONResponse(told(stored, principal))


def _live(api: Api, deps: Deps, listeners: _Listeners) -> None:
    @api.websocket("/api/v1/events/live", SIGNED_IN)
    async def live(socket: WebSocket) -> None:
        """Each change as it happens, of the cameras that the caller may see: `{phase: new|update|end|reviewed, event}`; `{phase: missed}` where
        some were left out, and the list is to be read anew.
        """
        principal = principal_of(socket)
        assert principal is not None
        try:
            _check_room(deps, listeners.all, principal)
        except RefusedError as refusal:
            await socket.send_denial_response(errors.answer_to(refusal))
            return
        await socket.accept()
        one = _Listener(principal)
        listeners.all.add(one)
        expiry = None
        if principal.expires_us is not None:
            left_s = (principal.expires_us - deps.clock.wall_us()) / 1e6
            expiry = asyncio.get_running_loop().call_later(left_s, one.over.set)
        try:
            await listeners.recheck(one)  # again, now that whoever takes rights away knows of it
            await _serve(listeners.tasks, socket, one)
        finally:
            listeners.all.discard(one)
            if expiry is not None:
                expiry.cancel()


def desk_of(deps: Deps) -> EventDesk:
    """Raises RefusedError where none are kept."""
    if deps.events is None:
        raise RefusedError(503, "no events are kept here", why="this server keeps none", remedy="ask the post itself")
    return deps.events


def _principal(request: Request) -> Principal:
    principal = principal_of(request)
    assert principal is not None
    return principal


async def _asked(
    deps: Deps, request: Request, from_: str, to: str, cameras: Sequence[str] | None, kinds: Sequence[str] | None,
    zones: Sequence[str] | None, reviewed: bool | None, before: tuple[int, str] | None,
) -> Asked:  # fmt: skip
    """Raises RefusedError and UsageError."""
    from_us, to_us = span_us(from_, to)
    principal = _principal(request)
    if len(cameras or ()) > MOST_CAMERAS:
        raise UsageError(f"{len(cameras or ())} cameras at once", why=f"at most {MOST_CAMERAS}", remedy="ask in parts")
    for camera in cameras or ():
        await check_camera(deps, principal, camera)
    own = None if principal.cameras is None else sorted(principal.cameras)
    return Asked(
        from_us, to_us, list(dict.fromkeys(cameras)) if cameras else own, kinds or (), zones or (), reviewed, before
    )


async def event_for(deps: Deps, request: Request, number: str, right: Right) -> Stored:
    """Raises RefusedError: 403 where the camera is not the caller's, and for whoever may not see all cameras also where there is no such event."""
    principal = _principal(request)
    stored: Stored | None = await deps.read(desk_of(deps).store.one, number)
    may = principal.may(right, stored.event.camera) if stored is not None else principal.cameras is None
    if not may:
        raise RefusedError(
            403, f"{principal.role} {principal.name!r} has no right to the camera of this event", remedy="ask an admin"
        )
    if stored is None:
        raise RefusedError(404, "there is no such event", remedy="see /api/v1/events")
    return stored


def told(stored: Stored, principal: Principal) -> dict[str, Any]:
    """As `models_events.Event`."""
    event = stored.event
    named = principal.may(Right.OPERATE) or principal.may(Right.INSPECT)
    at = stored.reviewed_us
    plain = _plain(event, "here" if stored.pictured_us is not None else stored.away or None)
    if stored.pictured_us not in {None, event.best_us}:
        plain["best"]["box"] = (
            None  # while it goes on its picture is of an earlier moment: a frame there would be around nothing
        )
    return {
        **plain,
        "reviewed": None
        if at is None
        else {"at": format_us(at), "by": (scrub(stored.reviewed_by) or None) if named else None},
    }


def _plain(event: Event, held: str | None) -> dict[str, Any]:
    return {
        "id": event.id, "camera": event.camera, "kind": event.kind, "level": level_of(event.kind).word, "from": format_us(event.from_us),
        "to": written(event.to_us), "score": round(event.score, 3), "zones": list(event.zones), "count": event.count,
        "best": {"at": format_us(event.best_us), "box": None if event.best_box is None else [round(part, 4) for part in event.best_box],
                 "picture": held == "here", "held": held},
        "clip": dict(zip(("from", "to"), map(format_us, clip_of(event)), strict=True)), "detail": scrub(event.detail), "twin": event.twin or None,
    }  # fmt: skip


def _before(cursor: str) -> tuple[int, str]:
    parts = read_cursor(cursor)
    if len(parts) != 2 or not parts[0].isdecimal() or len(parts[0]) > 18:
        raise UsageError("the cursor is none of ours", remedy="use `next` of the answer before, unchanged")
    return int(parts[0]), parts[1]


def _crowds(desk: EventDesk, asked: Asked, width: int) -> str:
    step_us = wide.step_for(asked.from_us, asked.to_us, width)
    by_camera: dict[str, dict[str, list[Any]]] = {}
    open_ends: dict[tuple[str, int], list[Any]] = {}
    for crowd in desk.store.crowds(asked, step_us):
        spans = by_camera.setdefault(crowd.camera, {"spans": [], "blind": []})["spans"]
        last = open_ends.get((crowd.camera, crowd.level))
        if last is not None and _joins(last, crowd, step_us):
            last[1] = None if last[1] is None or crowd.to_us is None else max(last[1], crowd.to_us)
            last[3] += crowd.count
            continue
        span = [crowd.from_us, crowd.to_us, crowd.level, crowd.count]
        open_ends[crowd.camera, crowd.level] = span
        spans.append(span)
    for event in desk.store.blind(asked):
        found = by_camera.setdefault(event.camera, {"spans": [], "blind": []})["blind"]
        found.append([event.from_us, event.to_us, event.kind.partition(".")[2], event.id])
    items = [{"camera": camera, **of} for camera, of in sorted(by_camera.items())]
    return _ENCODER.encode({"from_us": asked.from_us, "to_us": asked.to_us, "step_us": step_us, "items": items})


def _joins(last: Sequence[Any], crowd: Crowd, step_us: int) -> bool:
    """Whether two crowds cannot be told apart on the screen; where a step is short, one event is one mark."""
    return step_us >= 1_000_000 and (last[1] is None or crowd.from_us - last[1] <= step_us)


def _spread(listeners: set[_Listener], change: EventChange) -> None:
    if listeners:
        text = _ENCODER.encode({"phase": str(change.phase), "event": {**_plain(change.event, None), "reviewed": None}})
        for one in listeners:
            one.put(change.event.camera, text)


def _check_room(deps: Deps, listeners: set[_Listener], principal: Principal) -> None:
    desk_of(deps)
    own = sum((one.principal.kind, one.principal.id) == (principal.kind, principal.id) for one in listeners)
    if own >= MOST_OF_ONE or len(listeners) >= MOST_LISTENERS:
        raise RefusedError(
            429, "too many pages listen for events", why=f"{own} of {MOST_OF_ONE} of this account", remedy="close some"
        )


async def _serve(tasks: Tasks, socket: WebSocket, one: _Listener) -> None:
    """Until the page goes, or the login is over."""
    listening = tasks.start("listen", _listen(socket))
    over = tasks.start("over", one.over.wait())
    try:
        while True:
            waiting = tasks.start("next", one.queue.get())
            done, _ = await asyncio.wait({waiting, listening, over}, return_when=asyncio.FIRST_COMPLETED)
            if waiting not in done or over in done:  # however much waits: who reads slowly does not read on for it
                waiting.cancel()
                break
            camera, text = waiting.result()
            if one.principal.may(Right.VIEW, camera):  # as it is now
                await socket.send_text(text)
            if one.missed and one.queue.empty():
                one.missed = False
                await socket.send_text('{"phase":"missed"}')
        if over.done():
            await socket.close(LOGIN_IS_OVER, "the login is over")
    except (WebSocketDisconnect, RuntimeError, OSError):
        return  # the page went while something was being sent; RuntimeError is Starlette's word for it
    finally:
        listening.cancel()
        over.cancel()


async def _listen(socket: WebSocket) -> None:
    """Nothing is expected from a page but its going."""
    while (await socket.receive())["type"] != "websocket.disconnect":
        pass
