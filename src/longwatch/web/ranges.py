"""HTTP ranges and validators (RFC 9110, 13 and 14) over something of known size and ETag."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Iterator
from typing import Protocol

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from longwatch.web.deps import Deps
from longwatch.web.errors import RefusedError
from longwatch.web.guard import grant_of, principal_of

_LOOK_US = 2_000_000
"""So often it is asked whether who fetches something long may still have it."""
_ONE_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")


class Servable(Protocol):
    """What playback opens. chunks blocks; each is at most some hundred KiB."""

    @property
    def size(self) -> int: ...
    @property
    def etag(self) -> str: ...
    @property
    def media_type(self) -> str: ...
    def chunks(self, start: int, end: int) -> Iterator[bytes]: ...


def wanted(header: str | None, size: int) -> tuple[int, int] | str | None:
    """(start, end) of the one range asked for; None for the whole; "unsatisfiable" for one outside.

    Several ranges at once are answered with the whole, as RFC 9110 allows.
    """
    match = _ONE_RANGE.fullmatch(header.strip()) if header else None
    if match is None or not (match[1] or match[2]):
        return None
    if not match[1]:
        length = min(int(match[2]), size)
        return (size - length, size) if length else "unsatisfiable"
    start = int(match[1])
    end = min(int(match[2]) + 1, size) if match[2] else size
    if match[2] and int(match[2]) < start:
        return None
    return (start, end) if start < size else "unsatisfiable"


class _Foreseeing(Servable, Protocol):
    """What can begin to read before it is asked. head_bytes: so many at its begin are in memory."""

    @property
    def head_bytes(self) -> int: ...
    def read_ahead(self, start: int, end: int) -> None: ...


def serve(
    deps: Deps, request: Request, file: Servable, headers: dict[str, str], camera: str, *, ahead: _Foreseeing | None = None
) -> Response:  # fmt: skip
    """The answer: 200, 206, 304 or 416. camera: whose pictures these are; who may not see it any more gets no more of them, however
    long the file is. ahead: the file, where its first bytes are to be read meanwhile, on a reader's thread: before they are sent,
    whoever looks is entered, which waits for a disk too.
    """
    known = {"ETag": file.etag, "Accept-Ranges": "bytes", "Cache-Control": "private, no-cache", **headers}
    if _listed(file.etag, request.headers.get("if-none-match")):
        return Response(status_code=304, headers=known)
    if_range = request.headers.get("if-range")
    asked = request.headers.get("range") if if_range is None or if_range == file.etag else None
    span = wanted(asked, file.size)
    if isinstance(span, str):
        return Response(status_code=416, headers={**known, "Content-Range": f"bytes */{file.size}"})
    start, end = span or (0, file.size)
    known["Content-Length"] = str(end - start)
    if span is not None:
        known["Content-Range"] = f"bytes {start}-{end - 1}/{file.size}"
    status = 206 if span is not None else 200
    if request.method == "HEAD":
        return Response(status_code=status, headers=known, media_type=file.media_type)
    sent = _sent(deps, request, file, start, end, camera)
    if ahead is not None:
        sent = _once_read(sent, deps.begin_reading(ahead.read_ahead, start, end), at_once=start < ahead.head_bytes)
    return StreamingResponse(sent, status, known, media_type=file.media_type)


async def _once_read(sent: AsyncIterator[bytes], reading: Awaitable[None], *, at_once: bool) -> AsyncIterator[bytes]:
    """The same, what is stored not before it was read ahead. at_once: its first bytes are in memory, and wait for nothing."""
    if not at_once:
        await reading
    async for chunk in sent:
        yield chunk
        await reading


def _listed(etag: str, header: str | None) -> bool:
    if header is None:
        return False
    return header.strip() == "*" or etag in {tag.strip().removeprefix("W/") for tag in header.split(",")}


async def _sent(
    deps: Deps, request: Request, file: Servable, start: int, end: int, camera: str
) -> AsyncIterator[bytes]:
    chunks = file.chunks(start, end)
    looked_us = deps.clock.boottime_us()
    while chunk := await deps.read(next, chunks, b""):
        yield chunk
        if deps.clock.boottime_us() - looked_us >= _LOOK_US:
            looked_us = deps.clock.boottime_us()
            await _check_still(deps, request, camera)


async def _check_still(deps: Deps, request: Request, camera: str) -> None:
    """Raises RefusedError where the right to it is gone: the answer breaks off, and is seen to be not whole."""
    principal, grant = principal_of(request), grant_of(request)
    if principal is not None:
        allowed = await deps.accounts.still_may(principal, camera)
    else:  # a signed URL is good to begin with for ten minutes, and what was begun ends with its owner
        allowed = grant is not None and await deps.accounts.owner_subject(grant.owner, camera) is not None
    if not allowed:
        raise RefusedError(403, "the right to this is over", remedy="sign in again")
