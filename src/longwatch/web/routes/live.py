"""Live view over a WebSocket."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import Query
from starlette.websockets import WebSocket, WebSocketDisconnect

from longwatch.accounts import Principal, Right
from longwatch.base.tasks import Tasks
from longwatch.live import Viewer
from longwatch.model.sessions import StreamKey
from longwatch.web import errors
from longwatch.web.api import Api
from longwatch.web.deps import Deps
from longwatch.web.errors import RefusedError
from longwatch.web.guard import principal_of
from longwatch.web.places import CameraId, stream_key
from longwatch.web.policy import VIEW_CAMERA

LOGIN_IS_OVER = 4401
NOT_PLAYABLE = 4415
SERVER_STOPS = 1012


class _Watching:
    """One viewer at a WebSocket: whose it is, and why it was ended, if it was."""

    def __init__(self, viewer: Viewer, principal: Principal, camera: str) -> None:
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
            principal = await deps.accounts.still(one.principal)
            if principal is None or not principal.may(Right.VIEW, one.camera):
                one.revoke()

    def revoked() -> None:
        tasks.start("check", check_rights())

    deps.accounts.on_revoked(revoked)

    @api.websocket("/api/v1/cameras/{id}/live", VIEW_CAMERA)
    async def live(socket: WebSocket, camera: CameraId, stream: Annotated[str, Query(max_length=40)] = "main") -> None:
        """First a JSON text, then an initialization segment, then live chunks."""
        try:
            key = await stream_key(deps, camera, stream)
        except RefusedError as refusal:
            await socket.send_denial_response(errors.answer_to(refusal))
            return
        await socket.accept()
        principal = principal_of(socket)
        assert principal is not None
        with deps.live.watch(key) as viewer:
            one = _Watching(viewer, principal, camera)
            watching.add(one)
            try:
                await _serve(deps, tasks, socket, one, key)
            finally:
                watching.discard(one)


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
    if not playable:
        return NOT_PLAYABLE, "no browser plays what this camera sends"
    return SERVER_STOPS, "the server stops"


async def _listen(socket: WebSocket, viewer: Viewer) -> None:
    """Nothing is expected from a viewer but its going; what it says is ignored."""
    while (await socket.receive())["type"] != "websocket.disconnect":
        pass
    viewer.close()
