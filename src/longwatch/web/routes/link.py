"""How a post's own link to its hub stands."""

from __future__ import annotations

from starlette.responses import JSONResponse, Response

from longwatch.web.api import Api, Problem
from longwatch.web.deps import Deps
from longwatch.web.errors import RefusedError
from longwatch.web.models_link import OwnLink
from longwatch.web.policy import INSPECT


def register(api: Api, deps: Deps) -> None:
    """Link."""

    @api.get("/api/v1/link", INSPECT, responses={200: {"model": OwnLink}, 404: {"model": Problem}})
    async def link() -> Response:
        """Whether a hub was joined, what goes over the link, what waits and why."""
        if deps.link is None:
            raise RefusedError(404, "this site keeps no link to a hub")
        return JSONResponse(deps.link.describe())
