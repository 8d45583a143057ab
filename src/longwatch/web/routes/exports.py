"""Exports: what would it cost, order one, see how far it is, fetch it, remove it. docs/design/exports.md."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path as FilePath
from typing import Annotated, Any

from fastapi import Path, Query
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from longwatch.accounting.reasons import reason_of
from longwatch.accounts import Principal, Right
from longwatch.base.errors import LongwatchError, UsageError
from longwatch.base.rfc3339 import format_us
from longwatch.base.secrets import scrub
from longwatch.exports import ExportDesk, ExportedFile, Job, Kind, Order, Progress, State, parts_of
from longwatch.exports.jobs import LAPSE_FPS
from longwatch.ledger import kinds
from longwatch.model.sessions import StreamKey
from longwatch.model.stores import Held
from longwatch.web import models_exports as models
from longwatch.web.api import Api, Problem
from longwatch.web.deps import Deps
from longwatch.web.errors import RefusedError
from longwatch.web.guard import principal_of
from longwatch.web.people import who_of
from longwatch.web.places import stream_key
from longwatch.web.policy import SIGNED_IN, VIEW_ASKED
from longwatch.web.ranges import serve
from longwatch.web.times import From, To, cursor_of, read_cursor, span_us, written

ExportId = Annotated[str, Path(alias="id", description="as in /api/v1/exports", pattern="^[0-9]{1,15}$")]
_CHUNK = 256 << 10
_COPIED_A_SECOND = 40_000_000
_PACKED_A_SECOND = 12_000_000
_PICTURE_S = 0.08
_PICTURE_BYTES = 40_000
_SPEED = {Kind.VIDEO: (1.02, _COPIED_A_SECOND), Kind.EVIDENCE: (3.2, _PACKED_A_SECOND)}
"""How large it gets, as a multiple of the footage; and bytes of footage a second."""


def register(api: Api, deps: Deps) -> None:
    """exports: estimate, order, list, one, file, remove."""

    @api.get(
        "/api/v1/exports/estimate", VIEW_ASKED, responses={200: {"model": models.Estimate}, 404: {"model": Problem}}
    )
    async def estimate(
        request: Request,
        from_: From,
        to: To,
        camera: Annotated[list[str], Query(max_length=32, min_length=1)],
        kind: Annotated[models.Kind, Query()] = "video",
        stream: Annotated[str, Query(max_length=40, pattern="^[a-z0-9-]+$")] = "main",
        every_s: Annotated[float | None, Query(ge=0.04, le=86_400, allow_inf_nan=False)] = None,
    ) -> Response:
        """What an export would come to, before it is ordered: bytes, files, time."""
        order = await _order(deps, _principal(request), kind, camera, stream, span_us(from_, to), every_s)
        return JSONResponse(await _estimate(deps, order))

    @api.get("/api/v1/exports", SIGNED_IN, responses={200: {"model": models.Exports}})
    async def exports(
        request: Request,
        limit: Annotated[int, Query(ge=1, le=1000)] = 200,
        cursor: Annotated[str | None, Query(max_length=200, description="`next` of the answer before")] = None,
    ) -> Response:
        """The caller's own; with the right to inspect, everybody's. The newest first."""
        principal, desk = _principal(request), _desk(deps)
        before = int(_number(cursor)) if cursor is not None else 1 << 62
        found = [job for job in desk.jobs if job.id < before and _listed(job, principal)]
        items = [await _told(desk, job, principal) for job in found[:limit]]
        rest = cursor_of(found[limit - 1].id) if len(found) > limit else None
        room = max(0, min(await deps.read(desk.room)))
        return JSONResponse({"items": items, "next": rest, "room_bytes": room})

    @api.post("/api/v1/exports", SIGNED_IN, status_code=201, responses={201: {"model": models.Export}, 404: {"model": Problem}})  # fmt: skip
    async def place(request: Request, body: models.ExportRequest) -> Response:
        """Order an export. It is entered in the ledger, with who asks and why, before anything is read."""
        principal, desk = _principal(request), _desk(deps)
        order = await _order(
            deps, principal, body.kind, body.cameras, body.stream, span_us(body.from_, body.to), body.every_s
        )  # fmt: skip
        reason = reason_of(body.reason)
        who = who_of(request)
        expected = await _estimate(deps, order)
        if expected["at_post_s"]:
            raise RefusedError(
                409, "a part of this is held at the post, and not here", why=f"{expected['at_post_s']:.0f} s of it",
                remedy="ask for that stretch first (/api/v1/requests), and order it when it is here",
            )  # fmt: skip
        job = await desk.order(
            order, who.subject, principal.name, who.text(reason), scrub(reason), int(expected["bytes"])
        )
        return JSONResponse(await _told(desk, job, principal), 201)

    @api.get("/api/v1/exports/{id}", SIGNED_IN, responses={200: {"model": models.Export}, 404: {"model": Problem}})
    async def one(request: Request, number: ExportId) -> Response:
        """How far it is, and what it came to."""
        principal, desk = _principal(request), _desk(deps)
        return JSONResponse(await _told(desk, _job(desk, number, principal), principal))

    @api.get(
        "/api/v1/exports/{id}/file", SIGNED_IN, head=True,
        responses={200: {"content": {"application/octet-stream": {}}}, 404: {"model": Problem}},
    )  # fmt: skip
    async def file(
        request: Request,
        number: ExportId,
        name: Annotated[
            str | None, Query(max_length=200, description="of its files; not needed where there is one")
        ] = None,
    ) -> Response:
        """One of its files: whole, or the range that is still missing. Each fetching is an entry, before the first byte leaves."""
        principal, desk = _principal(request), _desk(deps)
        job = _job(desk, number, principal)
        made = _file_of(job, name, principal)
        if request.method != "HEAD":
            body = {
                "export": job.id, "camera": made.camera, "stream": job.order.stream, "file": made.name, "sha256": made.sha256,
                "from_us": made.from_us, "to_us": made.to_us,
            }  # fmt: skip
            await deps.accounts.journal.say_once(kinds.EXPORT_TAKEN, body, who_of(request))
        stored = await deps.read(_Stored, desk.path(job, made), made.sha256)
        headers = {"Content-Disposition": f'attachment; filename="{made.name}"'}
        return serve(deps, request, stored, headers, made.camera)

    @api.delete(
        "/api/v1/exports/{id}", SIGNED_IN, responses={200: {"model": models.ExportRemoved}, 404: {"model": Problem}}
    )
    async def remove(request: Request, number: ExportId, body: models.ExportReason | None = None) -> Response:
        """End an export that is not done, and remove its files. One's own; with the right to administer, anybody's."""
        principal, desk = _principal(request), _desk(deps)
        job = _job(desk, number, principal)
        if not _own(job, principal) and not principal.may(Right.ADMINISTER):
            raise RefusedError(403, "this export is somebody else's", remedy="ask them, or an admin")
        if job.state is State.GONE:
            raise RefusedError(404, f"export {job.id} is gone already")
        reason = reason_of(body.reason if body is not None else "", needed=False)
        order = job.order
        said: dict[str, object] = {
            "export": job.id, "kind": str(order.kind), "cameras": list(order.cameras), "stream": order.stream,
            "from_us": order.from_us, "to_us": order.to_us, "why": "asked",
            "files": [made.sha256 for made in job.files if made.sha256],
        }  # fmt: skip
        if len(order.cameras) == 1:
            said["camera"] = order.cameras[0]
        await deps.accounts.journal.say(kinds.EXPORT_DELETED, said, who_of(request), reason)
        await desk.remove(job, "asked")
        return JSONResponse({"id": job.id})


class _Stored:
    """A file on the disk as ranges are answered from it. Blocks. Raises RefusedError where it is gone."""

    def __init__(self, path: FilePath, sha256: str) -> None:
        try:
            self.size = path.stat().st_size
        except OSError:
            raise RefusedError(404, f"the file {path.name} is gone", remedy="export it again") from None
        self.etag = f'"{sha256}"'
        self.media_type = "video/mp4" if path.suffix == ".mp4" else "application/zip"
        self._path = path

    def chunks(self, start: int, end: int) -> Iterator[bytes]:
        """The bytes [start, end)."""
        with self._path.open("rb") as file:
            file.seek(start)
            while start < end and (chunk := file.read(min(_CHUNK, end - start))):
                start += len(chunk)
                yield chunk


def _principal(request: Request) -> Principal:
    principal = principal_of(request)
    assert principal is not None
    return principal


def _desk(deps: Deps) -> ExportDesk:
    if deps.exports is None:
        raise LongwatchError("this server makes no exports", remedy="use `longwatch export`")
    return deps.exports


async def _order(
    deps: Deps, principal: Principal, kind: str, cameras: Sequence[str], stream: str, span: tuple[int, int], every_s: float | None
) -> Order:  # fmt: skip
    """Rights first: of a camera that may not be seen nothing is said, not even whether it is there."""
    for camera in cameras:
        if not principal.may(Right.VIEW, camera):
            raise RefusedError(403, f"{principal.role} {principal.name!r} has no right to every camera of this", remedy="ask an admin")  # fmt: skip
    if kind == Kind.EVIDENCE and not (principal.may(Right.OPERATE) or principal.may(Right.INSPECT)):
        raise RefusedError(
            403,
            f"{principal.role} {principal.name!r} has no right to evidence packages",
            remedy="ask an operator or inspector",
        )
    for camera in cameras:
        await stream_key(deps, camera, stream)
    every_us = None if every_s is None else round(every_s * 1_000_000)
    return Order(Kind(kind), tuple(dict.fromkeys(cameras)), stream, *span, every_us)


async def _estimate(deps: Deps, order: Order) -> dict[str, Any]:
    recorded_us, footage = await deps.read(_footage, deps, order)
    if order.kind is Kind.TIMELAPSE:
        pictures = min(order.pictures, 1 + recorded_us // (order.every_us or 1)) * len(order.cameras)
        size, seconds = pictures * _PICTURE_BYTES, pictures * _PICTURE_S
    else:
        pictures = 0
        factor, speed = _SPEED[order.kind]
        size, seconds = int(footage * factor), footage / speed + len(parts_of(order))
    room = max(0, min(await deps.read(_desk(deps).room)))
    return {
        "bytes": size, "files": len(parts_of(order)), "seconds": round(seconds, 1), "pictures": pictures,
        "film_s": round(pictures / LAPSE_FPS / len(order.cameras), 1), "recorded_s": round(recorded_us / 1e6, 3),
        "at_post_s": round(await deps.read(_at_post_us, deps, order) / 1e6, 3),
        "room_bytes": room, "fits": size <= room,
    }  # fmt: skip


def _footage(deps: Deps, order: Order) -> tuple[int, int]:
    """Time recorded and held in the span, and its bytes, over all cameras; a segment at an edge counts by its share."""
    recorded_us, size = 0, 0
    for camera in order.cameras:
        for row in deps.index.segments(StreamKey(camera, order.stream), order.from_us, order.to_us):
            whole_us = max(1, row.wall_end_us - row.wall_start_us)
            inside_us = min(row.wall_end_us, order.to_us) - max(row.wall_start_us, order.from_us)
            recorded_us += max(0, inside_us)
            size += max(0, row.durable_bytes * inside_us // whole_us)
    return recorded_us, size


def _at_post_us(deps: Deps, order: Order) -> int:
    """At a hub: what of it lies at the posts, over all cameras."""
    away_us = 0
    for camera in order.cameras if deps.posts is not None else ():
        for span in deps.index.recorded_spans(StreamKey(camera, order.stream), order.from_us, order.to_us):
            if span.held is Held.POST:
                away_us += max(0, min(span.to_us, order.to_us) - max(span.from_us, order.from_us))
    return away_us


def _own(job: Job, principal: Principal) -> bool:
    return job.subject == principal.subject


def _listed(job: Job, principal: Principal) -> bool:
    """One's own, as far as one may still see a camera of it; with the right to inspect, everybody's."""
    sees = any(principal.may(Right.VIEW, camera) for camera in job.order.cameras)
    return sees and (_own(job, principal) or principal.may(Right.INSPECT))


def _job(desk: ExportDesk, number: str, principal: Principal) -> Job:
    """Whether it is not there or may not be seen, the answer is the same."""
    job = desk.job(int(number))
    if job is None or not _listed(job, principal):
        raise RefusedError(404, f"there is no export {number}", remedy="see /api/v1/exports")
    return job


def _file_of(job: Job, name: str | None, principal: Principal) -> ExportedFile:
    """The rights of now, not those of when it was ordered."""
    allowed = [file for file in job.files if file.sha256 and principal.may(Right.VIEW, file.camera)]
    if job.state is State.GONE:
        raise RefusedError(404, f"the files of export {job.id} are gone", remedy="export it again")
    if name is not None:
        found = next((file for file in allowed if file.name == name), None)
        if found is None:
            raise RefusedError(404, f"export {job.id} has no such file", remedy=f"see /api/v1/exports/{job.id}")
        return found
    if not allowed:
        raise RefusedError(404, f"export {job.id} has no file yet", remedy=f"see /api/v1/exports/{job.id}")
    if len(allowed) > 1:
        raise UsageError(f"export {job.id} has {len(allowed)} files", remedy="say which, with `name`")
    return allowed[0]


def _number(cursor: str) -> str:
    text = read_cursor(cursor)[0]
    if not text.isdecimal() or len(text) > 15:
        raise UsageError("the cursor is none of ours", remedy="use `next` of the answer before, unchanged")
    return text


async def _told(desk: ExportDesk, job: Job, principal: Principal) -> dict[str, Any]:
    order, own = job.order, _own(job, principal)
    open_to = own or principal.may(Right.AUDIT)
    progress = desk.progress(job.id)
    every_s = None if order.every_us is None else order.every_us / 1e6
    return {
        "id": job.id,
        "kind": str(order.kind),
        "state": str(job.state),
        "cameras": [camera for camera in order.cameras if principal.may(Right.VIEW, camera)],
        "stream": order.stream,
        "from": format_us(order.from_us),
        "to": format_us(order.to_us),
        "every_s": every_s,
        "own": own,
        "by": (job.by or None) if open_to else None,
        "reason": (job.reason or None) if open_to else None,
        "created": format_us(job.created_us),
        "ended": written(job.ended_us),
        "expires": written(await desk.expires_us(job)),
        "bytes": job.size,
        "bytes_estimated": job.bytes_estimated,
        "progress": None if progress is None else _progress(progress),
        "problem": None if job.problem is None else {name: scrub(text) for name, text in job.problem.items()},
        "gone": (job.why_gone or None) if job.state is State.GONE else None,
        "files": [_file(job, file) for file in job.files if principal.may(Right.VIEW, file.camera)],
    }


def _progress(progress: Progress) -> dict[str, Any]:
    left = progress.seconds_left
    return {
        "file": progress.file, "files": progress.files, "step": progress.step, "done": progress.done, "of": progress.of,
        "part": round(progress.part, 4), "left_s": None if left is None else round(left, 1),
    }  # fmt: skip


def _file(job: Job, file: ExportedFile) -> dict[str, Any]:
    there = bool(file.sha256) and job.state is not State.GONE
    return {
        "name": file.name, "camera": file.camera, "from": format_us(file.from_us), "to": format_us(file.to_us), "bytes": file.size,
        "sha256": file.sha256 or None, "url": f"/api/v1/exports/{job.id}/file?name={file.name}" if there else None,
        "about": dict(file.about),
    }  # fmt: skip
