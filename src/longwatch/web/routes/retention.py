"""What retention takes next."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from longwatch.accounts import Right
from longwatch.base.rfc3339 import format_us
from longwatch.web.api import Api
from longwatch.web.deps import Deps
from longwatch.web.guard import principal_of
from longwatch.web.models import RetentionPreview
from longwatch.web.policy import INSPECT


def register(api: Api, deps: Deps) -> None:
    """retention/preview."""

    @api.get("/api/v1/retention/preview", INSPECT, responses={200: {"model": RetentionPreview}})
    async def preview(request: Request, limit: Annotated[int, Query(ge=1, le=1000)] = 100) -> Response:
        """The segments that go next, oldest first, as the recorder would remove them now."""
        principal = principal_of(request)
        assert principal is not None
        answer = await deps.recorder.request("retention_preview", limit=limit)
        items = [
            {
                "camera": item["camera"],
                "stream": item["stream"],
                "from": format_us(int(item["from_us"])),
                "to": format_us(int(item["to_us"])),
                "bytes": int(item["bytes"]),
                "why": str(item["why"]),
            }
            for item in answer.get("items", [])
            if principal.may(Right.VIEW, str(item["camera"]))
        ]
        return JSONResponse({"items": items[:limit], "next": None})
