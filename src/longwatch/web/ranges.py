"""HTTP ranges and validators (RFC 9110, 13 and 14) over something of known size and ETag."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator
from typing import Protocol

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from longwatch.web.deps import Deps

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


def serve(deps: Deps, request: Request, file: Servable, headers: dict[str, str]) -> Response:
    """The answer: 200, 206, 304 or 416."""
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
    return StreamingResponse(_sent(deps, file, start, end), status, known, media_type=file.media_type)


def _listed(etag: str, header: str | None) -> bool:
    if header is None:
        return False
    return header.strip() == "*" or etag in {tag.strip().removeprefix("W/") for tag in header.split(",")}


async def _sent(deps: Deps, file: Servable, start: int, end: int) -> AsyncIterator[bytes]:
    chunks = file.chunks(start, end)
    while chunk := await deps.read(next, chunks, b""):
        yield chunk
