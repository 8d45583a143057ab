"""The settings through the API: read, tried, saved; one camera or section of them changed. docs/design/settings.md.

About every camera, so for whoever administers all of them.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, get_args

from fastapi import Header
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from longwatch.accounting.reasons import reason_of
from longwatch.base.errors import LongwatchError
from longwatch.base.secrets import scrub
from longwatch.config import schema
from longwatch.web.api import Api, Problem
from longwatch.web.deps import Deps
from longwatch.web.disks import disks
from longwatch.web.errors import RefusedError
from longwatch.web.guard import principal_of
from longwatch.web.models_settings import (
    CameraPatch,
    CameraRemoval,
    CameraSection,
    Check,
    Checked,
    Disks,
    PostSections,
    Save,
    Saved,
    SectionPatch,
    SectionRemoval,
    Shown,
    Unsaved,
)
from longwatch.web.people import who_of
from longwatch.web.places import CameraId
from longwatch.web.policy import ADMINISTER
from longwatch.web.settings_desk import SettingsDesk, UnsavedError, check_camera_id

_MOST_TEXT = 4 << 20  # of a body: the text, as JSON
_REFUSED = {409: {"model": Unsaved}, 422: {"model": Unsaved}}
Section = Literal["post", "retention", "notify", "mqtt"]
SECTIONS: tuple[Section, ...] = get_args(Section)
IfMatch = Annotated[str, Header(alias="If-Match", max_length=80, description="The revision that was read, in quotes.")]


def register(api: Api, deps: Deps) -> None:
    """settings, settings/check, settings/camera/{id}, settings/section/{name}, disks."""
    _whole(api, deps)
    _parts(api, deps)

    @api.get("/api/v1/disks", ADMINISTER, responses={200: {"model": Disks}})
    async def disks_of_this_machine(request: Request) -> Response:
        """File systems that recordings could go to, and which do."""
        _desk(deps, request)
        volumes = [volume.path for volume in (await deps.status.now()).volumes]
        return JSONResponse({"items": await deps.read(disks, volumes), "next": None})


def _whole(api: Api, deps: Deps) -> None:
    @api.get("/api/v1/settings", ADMINISTER, responses={200: {"model": Shown}})
    async def settings(request: Request) -> Response:
        """The file, its revision, what is wrong with it now, and its JSON Schema."""
        shown = await _desk(deps, request).shown()
        return JSONResponse({**shown, "schema": schema()}, headers={"ETag": f'"{shown["revision"]}"'})

    @api.post("/api/v1/settings/check", ADMINISTER, responses={200: {"model": Checked}}, max_body_size=_MOST_TEXT)
    async def check(request: Request, body: Check) -> Response:
        """What is wrong with a text, and what saving it would change. Nothing is saved."""
        return JSONResponse(await _desk(deps, request).check(body.text))

    @api.put("/api/v1/settings", ADMINISTER, responses={200: {"model": Saved}, **_REFUSED}, max_body_size=_MOST_TEXT)
    async def save(request: Request, body: Save, if_match: IfMatch) -> Response:
        """Save the file and apply it. Recordings of cameras that did not change go on."""
        desk = _desk(deps, request)
        return await _answer(desk.save(body.text, _revision(if_match), _reason(body.reason), who_of(request)))


def _parts(api: Api, deps: Deps) -> None:
    @api.get(
        "/api/v1/settings/camera/{id}", ADMINISTER, responses={200: {"model": CameraSection}, 404: {"model": Problem}}
    )
    async def camera(request: Request, camera: CameraId) -> Response:
        """One camera as the file says it."""
        desk = _desk(deps, request)
        revision, found = await desk.section(("cameras", camera))
        if not isinstance(found, dict):
            raise RefusedError(404, f"there is no camera {camera[:80]!r} in the settings", remedy="see /api/v1/cameras")
        return JSONResponse(
            {"id": camera, "revision": revision, "read_only": desk.file.why_not() or None, "camera": found}
        )

    @api.post("/api/v1/settings/camera/{id}", ADMINISTER, responses={200: {"model": Saved | Checked}, **_REFUSED})
    async def patch_camera(request: Request, camera: CameraId, body: CameraPatch) -> Response:
        """Set one camera up, or change it; comments and order of the file stay. Passwords go into the secrets file."""
        desk = _desk(deps, request)
        check_camera_id(camera)
        login = None if body.login is None else (body.login.user, body.login.password)
        return await _answer(
            desk.patch(
                ("cameras", camera), body.patch, body.revision, _reason(body.reason), who_of(request),
                login=login, check=body.check,
            )
        )  # fmt: skip

    @api.delete(
        "/api/v1/settings/camera/{id}", ADMINISTER,
        responses={200: {"model": Saved}, 404: {"model": Problem}, **_REFUSED},
    )  # fmt: skip
    async def remove_camera(request: Request, camera: CameraId, body: CameraRemoval) -> Response:
        """Take one camera out of the settings. Its footage stays until retention ends it."""
        desk = _desk(deps, request)
        return await _answer(
            desk.remove(("cameras", camera), body.revision, reason_of(body.reason, needed=True), who_of(request))
        )

    @api.get("/api/v1/settings/section", ADMINISTER, responses={200: {"model": PostSections}})
    async def sections(request: Request) -> Response:
        """The sections that a form may change."""
        desk = _desk(deps, request)
        revision, whole = await desk.section(())
        found = {name: whole.get(name) if isinstance(whole, dict) else None for name in SECTIONS}
        said = {name: one if isinstance(one, dict) else {} for name, one in found.items()}
        zones = _zones(whole.get("cameras")) if isinstance(whole, dict) else []
        return JSONResponse({"revision": revision, "read_only": desk.file.why_not() or None, **said, "zones": zones})

    @api.post("/api/v1/settings/section/{name}", ADMINISTER, responses={200: {"model": Saved | Checked}, **_REFUSED})
    async def patch_section(request: Request, name: Section, body: SectionPatch) -> Response:
        """Change the post's name and time zone, what is kept, who is told what, or the MQTT broker. A post's id never changes. An address or secret of a
        channel that is typed, or the broker's password, goes into the secrets file; one that is left out stays.
        """
        desk = _desk(deps, request)
        if name == "post" and "id" in body.patch:
            raise RefusedError(422, "the id of a post never changes", remedy="leave it out")
        return await _answer(
            desk.patch((name,), body.patch, body.revision, _reason(body.reason), who_of(request), check=body.check)
        )

    @api.delete(
        "/api/v1/settings/section/mqtt", ADMINISTER,
        responses={200: {"model": Saved}, 404: {"model": Problem}, **_REFUSED},
    )  # fmt: skip
    async def remove_broker(request: Request, body: SectionRemoval) -> Response:
        """Speak to no MQTT broker any more."""
        desk = _desk(deps, request)
        return await _answer(desk.remove(("mqtt",), body.revision, _reason(body.reason), who_of(request)))


def _desk(deps: Deps, request: Request) -> SettingsDesk:
    principal = principal_of(request)
    if principal is None or principal.cameras is not None:
        raise RefusedError(403, "this is about every camera", remedy="ask somebody who administers all of them")
    if deps.settings is None:
        raise LongwatchError("this server has no settings file")
    return deps.settings


def _zones(cameras: Any) -> list[str]:
    """Names of zones and lines, whatever shape a file has that somebody is half way through."""
    blocks = cameras.values() if isinstance(cameras, dict) else ()
    listed = [block.get(kind) for block in blocks if isinstance(block, dict) for kind in ("zones", "lines")]
    areas = [area for areas in listed if isinstance(areas, list) for area in areas if isinstance(area, dict)]
    return sorted({area["name"] for area in areas if isinstance(area.get("name"), str)})


def _reason(text: str | None) -> str:
    return reason_of(text, needed=False) or ""


def _revision(if_match: str) -> str:
    return if_match.strip().removeprefix("W/").strip('"')


async def _answer(saving: Any) -> Response:
    """What came of it; a refusal with all that it says."""
    try:
        return JSONResponse(await saving)
    except UnsavedError as error:
        said = {"what": scrub(error.what), "why": scrub(error.why), "remedy": scrub(error.remedy)}
        return JSONResponse({**said, **error.more}, error.status, {"Cache-Control": "no-store"})
