"""Errors as answers: always `{"what", "why", "remedy"}`, scrubbed of known secrets, and never a traceback."""

from __future__ import annotations

from typing import Any

import structlog
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from longwatch.accounts import NotLetInError, ThrottledError
from longwatch.archive import NotReadyError
from longwatch.base.errors import LongwatchError, UsageError
from longwatch.base.secrets import scrub
from longwatch.pictures import SlotsFullError
from longwatch.playback import NoVideoError

_log = structlog.get_logger(__name__)


class RefusedError(LongwatchError):
    """An answer that is no success, with its HTTP status."""

    def __init__(self, status: int, what: str, *, why: str = "", remedy: str = "") -> None:
        super().__init__(what, why=why, remedy=remedy)
        self.status = status


def status_of(error: LongwatchError) -> int:
    """400s for what was asked wrongly, 503 for what cannot be done now."""
    if isinstance(error, RefusedError):
        return error.status
    if isinstance(error, ThrottledError):
        return 429
    if isinstance(error, NotLetInError):
        return 403
    if isinstance(error, NoVideoError):
        return 404
    return 422 if isinstance(error, UsageError) else 503


def answer(status: int, what: str, why: str = "", remedy: str = "", headers: dict[str, str] | None = None) -> Response:
    """One error."""
    body = {"what": scrub(what), "why": scrub(why), "remedy": scrub(remedy)}
    return JSONResponse(body, status, {"Cache-Control": "no-store", **(headers or {})})


def answer_to(error: LongwatchError) -> Response:
    """The answer to one of our own errors."""
    headers = {}
    if isinstance(error, ThrottledError):
        headers["Retry-After"] = str(max(1, round(error.after_s)))
    if isinstance(error, SlotsFullError | NotReadyError):
        headers["Retry-After"] = "2"
    status = status_of(error)
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return answer(status, error.what, error.why, error.remedy, headers)


def install(app: FastAPI) -> None:
    """Every way in which a request can fail ends here."""

    async def ours(_: Request, error: Exception) -> Response:
        assert isinstance(error, LongwatchError)
        return answer_to(error)

    async def invalid(_: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        first: dict[str, Any] = dict(error.errors()[0]) if error.errors() else {}
        place = ".".join(str(part) for part in first.get("loc", ()))
        return answer(
            422, f"{place or 'the request'} is not right", str(first.get("msg", "")), "see /api/v1/openapi.json"
        )

    async def http(_: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        return answer(error.status_code, str(error.detail), headers=dict(error.headers or {}))

    async def unforeseen(request: Request, error: Exception) -> Response:
        _log.error("request failed", path=request.url.path, error=repr(error), exc_info=error)
        return answer(500, "the server made a mistake", "its log says which", "report it")

    app.add_exception_handler(LongwatchError, ours)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(HTTPException, http)
    app.add_exception_handler(Exception, unforeseen)
