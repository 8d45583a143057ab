"""What retention takes next; and an operator's word for the clock it goes by."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from longwatch.accounts import Right
from longwatch.base.rfc3339 import format_us
from longwatch.web.api import Api
from longwatch.web.deps import Deps
from longwatch.web.errors import RefusedError
from longwatch.web.guard import principal_of
from longwatch.web.models import RetentionApproved, RetentionPreview
from longwatch.web.people import who_of
from longwatch.web.policy import INSPECT, OPERATE
from longwatch.web.times import written


def register(api: Api, deps: Deps) -> None:
    """retention/preview, retention/approve."""

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
                "due": written(item.get("due_us")),
                "holds": [int(number) for number in item.get("holds", [])],
            }
            for item in answer.get("items", [])
            if principal.may(Right.VIEW, str(item["camera"]))
        ]
        kept = int(answer.get("kept_back_bytes", 0))
        return JSONResponse({"items": items[:limit], "next": None, "kept_back_bytes": kept})

    @api.post("/api/v1/retention/approve", OPERATE, responses={200: {"model": RetentionApproved}})
    async def approve(request: Request) -> Response:
        """The host's clock is right: media may expire by age, also more than a day at once, until it is set again."""
        principal = principal_of(request)
        if principal is None or principal.cameras is not None:
            raise RefusedError(403, "this is about every camera", remedy="ask someone who may operate all of them")
        answer = await deps.recorder.request("retention_approve", person=who_of(request).person())
        return JSONResponse({"time": format_us(int(answer["wall_us"]))})
