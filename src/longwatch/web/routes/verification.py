"""Proving the whole data folder from the page: started by an inspector, done by a child of low priority, told as it goes."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from longwatch.base.errors import LongwatchError
from longwatch.web.api import Api
from longwatch.web.deps import Deps, Verifying
from longwatch.web.errors import RefusedError
from longwatch.web.guard import principal_of
from longwatch.web.models_condition import Verification
from longwatch.web.policy import INSPECT


def register(api: Api, deps: Deps) -> None:
    """Verification."""

    @api.get("/api/v1/verification", INSPECT, responses={200: {"model": Verification}})
    async def state(request: Request) -> Response:
        """The last one, or the one under way."""
        _whole(request)
        return JSONResponse(_verifying(deps).describe())

    @api.post("/api/v1/verification", INSPECT, status_code=202, responses={202: {"model": Verification}})
    async def start(request: Request) -> Response:
        """Begin, as `longwatch verify` does it. Where one is under way that one goes on."""
        _whole(request)
        verifying = _verifying(deps)
        verifying.start()
        return JSONResponse(verifying.describe(), 202)


def _whole(request: Request) -> None:
    principal = principal_of(request)
    if principal is None or principal.cameras is not None:
        raise RefusedError(403, "this is about every camera", remedy="ask someone who may see all of them")


def _verifying(deps: Deps) -> Verifying:
    if deps.verifying is None:
        raise LongwatchError("this server verifies nothing", remedy="use `longwatch verify`")
    return deps.verifying
