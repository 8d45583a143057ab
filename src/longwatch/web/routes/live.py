"""Live view over a WebSocket."""

from __future__ import annotations

import asyncio
from contextlib import AbstractContextManager
from typing import Annotated, Literal

from fastapi import Query
from starlette.websockets import WebSocket, WebSocketDisconnect

from longwatch.accounts import Principal
from longwatch.base.tasks import Tasks
from longwatch.live import Viewer
from longwatch.live.remote import LIMIT_S, MOST_LIMIT_S, POST_AWAY, PostAwayError, RemoteViewer
from longwatch.model.sessions import StreamKey
from longwatch.pictures import SlotsFullError
from longwatch.web import errors
from longwatch.web.api import Api
from longwatch.web.deps import Deps
from longwatch.web.errors import RefusedError
from longwatch.web.guard import principal_of
from longwatch.web.people import who_of
from longwatch.web.places import CameraId, stream_key
from longwatch.web.policy import VIEW_CAMERA

LOGIN_IS_OVER = 4401
NOT_PLAYABLE = 4415
NO_TRANSCODE = 4503
SERVER_STOPS = 1012
MOST_VIEWS = 800
"""WebSockets at once: the server takes 1,000 connections, and who asks for a page has to find one."""
MOST_OF_ONE = 200
"""Of one user or token: three walls of 64."""
_REASON_BYTES = 120  # of the 123 that a close frame has; camera ids are ASCII


class _Watching:
    """One viewer at a WebSocket: whose it is, and why it was ended, if it was."""

    def __init__(self, viewer: Viewer | RemoteViewer, principal: Principal, camera: str) -> None:
        self.viewer = viewer
        self.principal = principal
        self.camera = camera
        self.revoked = False

    def revoke(self) -> None:
        self.revoked = True
        self.viewer.close()


def register(api: Api, deps: Deps) -> None:
    """WS live."""
    tasks = Tasks("web-live")
    watching: set[_Watching] = set()

    async def check_rights() -> None:
        for one in list(watching):
            if not await deps.accounts.still_may(one.principal, one.camera):
                one.revoke()

    def revoked() -> None:
        tasks.start("check", check_rights())

    deps.accounts.on_revoked(revoked)

    @api.websocket("/api/v1/cameras/{id}/live", VIEW_CAMERA)
    async def live(
        socket: WebSocket,
        camera: CameraId,
        stream: Annotated[str, Query(max_length=40)] = "main",
        audio: bool = True,
        transcode: Annotated[Literal["h264"] | None, Query()] = None,
        limit_s: Annotated[int, Query(ge=5, le=MOST_LIMIT_S, description="at a hub: it ends after so long")] = LIMIT_S,
    ) -> None:
        """First a JSON text, then an initialization segment, then live chunks. audio: with the sound, where there is one.

        transcode: made H.264 here, for a browser that does not play what the camera sends. Where no more may be made, the socket is
        closed with 4503 and the reason: a browser cannot read a handshake that was refused. At a hub it takes the post's link: it ends after limit_s
        with 4408, with 4409 where the link does not carry it (ask for stills then), with 4410 where the post is not in touch.
        """
        principal = principal_of(socket)
        assert principal is not None
        try:
            _check_room(watching, principal)
            key = await stream_key(deps, camera, stream)
        except RefusedError as refusal:
            await socket.send_denial_response(errors.answer_to(refusal))
            return
        await socket.accept()
        try:
            with _watch(deps, socket, key, audio=audio, transcode=transcode is not None, limit_s=limit_s) as viewer:
                one = _Watching(viewer, principal, camera)
                watching.add(one)
                try:
                    # Again, now that whoever takes rights away knows of it: they may have gone since the guard looked.
                    if not await deps.accounts.still_may(principal, camera):
                        one.revoke()
                    await _entered(deps, tasks, socket, one, key)
                finally:
                    watching.discard(one)
        except SlotsFullError as full:
            await socket.close(NO_TRANSCODE, f"{full.what}: {full.why}"[:_REASON_BYTES])
        except PostAwayError as away:
            await socket.close(POST_AWAY, _short(str(away)))


def _watch(
    deps: Deps, socket: WebSocket, key: StreamKey, *, audio: bool, transcode: bool, limit_s: int
) -> AbstractContextManager[Viewer | RemoteViewer]:
    """Of this post, or of a post of this hub."""
    if deps.remote is None:
        return deps.live.watch(key, audio=audio, transcode=transcode)
    principal = principal_of(socket)
    name = "" if principal is None else principal.name
    return deps.remote.watch(key, audio=audio, transcode=transcode, limit_s=limit_s, by=name)


def _short(text: str) -> str:
    return text.encode()[:_REASON_BYTES].decode(errors="ignore")


def _check_room(watching: set[_Watching], principal: Principal) -> None:
    """Raises RefusedError 429: nobody takes every connection of the post."""
    own = sum((one.principal.kind, one.principal.id) == (principal.kind, principal.id) for one in watching)
    if own >= MOST_OF_ONE or len(watching) >= MOST_VIEWS:
        raise RefusedError(
            429,
            "too many live views are open",
            why=f"{own} of {MOST_OF_ONE} of this account, {len(watching)} of {MOST_VIEWS} in all",
            remedy="close some",
        )


async def _entered(deps: Deps, tasks: Tasks, socket: WebSocket, one: _Watching, key: StreamKey) -> None:
    """Who watches is entered before the first picture, and again at the end."""
    entered = await deps.accounts.journal.live_begins(who_of(socket), one.camera, key.stream)
    try:
        await _serve(deps, tasks, socket, one, key)
    finally:
        await asyncio.shield(tasks.start("entered", deps.accounts.journal.live_ends(entered)))


async def _serve(deps: Deps, tasks: Tasks, socket: WebSocket, one: _Watching, key: StreamKey) -> None:
    """Until the browser goes, the login is over, or the server stops. The end of a login is a timer beside the path of
    the samples, never on it.
    """
    listener = tasks.start(f"listen/{key.camera}", _listen(socket, one.viewer))
    expiry = None
    if one.principal.expires_us is not None:
        left_s = (one.principal.expires_us - deps.clock.wall_us()) / 1e6
        expiry = asyncio.get_running_loop().call_later(left_s, one.revoke)
    playable = True
    try:
        while (message := await one.viewer.next()) is not None:
            if isinstance(message, str):
                playable = '"mime": ""' not in message
                await socket.send_text(message)
            else:
                await socket.send_bytes(message)
        if not listener.done():
            await socket.close(*_end(one, playable=playable))
    except (WebSocketDisconnect, RuntimeError, OSError):
        return  # the browser went while something was being sent; RuntimeError is Starlette's word for it
    finally:
        listener.cancel()
        if expiry is not None:
            expiry.cancel()


def _end(one: _Watching, *, playable: bool) -> tuple[int, str]:
    if one.revoked:
        return LOGIN_IS_OVER, "the login is over"
    if isinstance(one.viewer, RemoteViewer) and one.viewer.ended is not None:
        return one.viewer.ended[0], _short(one.viewer.ended[1])
    if not playable:
        return NOT_PLAYABLE, "no browser plays what this camera sends"
    return SERVER_STOPS, "the server stops"


async def _listen(socket: WebSocket, viewer: Viewer | RemoteViewer) -> None:
    """Nothing is expected from a viewer but its going; what it says is ignored."""
    while (await socket.receive())["type"] != "websocket.disconnect":
        pass
    viewer.close()
