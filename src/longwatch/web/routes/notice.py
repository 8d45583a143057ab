"""The public notice of the post: a page and the same as JSON, without a login."""

from __future__ import annotations

import asyncio
import datetime as dt
import re
from collections import OrderedDict
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from fastapi import Query
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from longwatch.accounts.limits import Limiter
from longwatch.web import notice
from longwatch.web.api import Api
from longwatch.web.deps import Deps, Site
from longwatch.web.models_condition import Notice
from longwatch.web.policy import PUBLIC

_CACHED = {"Cache-Control": "no-cache"}
_ADDRESS = re.compile(r"https?://[A-Za-z0-9.:\[\]-]{1,260}/")
_MOST_KEPT = 16
_BURST, _REFILL_S = 10, 5.0


def register(api: Api, deps: Deps) -> None:
    """notice, notice.css, api/v1/notice."""
    codes = _Codes(deps)

    @api.get("/notice", PUBLIC, head=True, response_class=Response, responses={200: {"content": {"text/html": {}}}})
    async def page(
        request: Request, lang: Annotated[str, Query(max_length=20, description="en, fr, es or sw")] = ""
    ) -> Response:
        """For everybody: who runs the post, what each camera records, for how long, whom to ask. It prints, with a code to scan."""
        site = deps.site()
        language = notice.language_of(lang, request.headers.get("accept-language", ""))
        today = dt.datetime.fromtimestamp(deps.clock.wall_us() / 1e6, ZoneInfo(site.timezone)).date().isoformat()
        address = _address(request, site)
        body = notice.page(site, language, address, await codes.of(address, own=bool(site.notice.address)), today)
        headers = {**_CACHED, "Content-Language": language, "Vary": "Accept-Language"}
        return Response(body, media_type="text/html; charset=utf-8", headers=headers)

    @api.get("/notice.css", PUBLIC, include_in_schema=False, response_class=Response)
    async def style() -> Response:
        return Response(notice.STYLE, media_type="text/css; charset=utf-8", headers=_CACHED)

    @api.get("/api/v1/notice", PUBLIC, responses={200: {"model": Notice}})
    async def told() -> Response:
        """The same for programs."""
        return JSONResponse(_told(deps.site()))


class _Codes:
    """What is scanned, by address. Anybody may call the page by any name, and making one takes a while: few are kept, and few are made."""

    def __init__(self, deps: Deps) -> None:
        self._kept: OrderedDict[str, str] = OrderedDict()
        self._turn = asyncio.Lock()
        self._limiter = Limiter(deps.clock, _BURST, _REFILL_S)

    async def of(self, address: str, *, own: bool) -> str:
        """own: it stands in the settings. "" for none: there is no address, or too many others were asked for."""
        if not address:
            return ""
        async with self._turn:
            code = self._kept.get(address)
            if code is None:
                if not own and self._limiter.take(""):
                    return ""
                code = await asyncio.to_thread(notice.code_of, address)
                while len(self._kept) >= _MOST_KEPT:
                    self._kept.popitem(last=False)
                self._kept[address] = code
            self._kept.move_to_end(address)
            return code


def _address(request: Request, site: Site) -> str:
    """Where this page is: as the settings name the post, else as it was called; "" where that is nobody's name."""
    base = site.notice.address or str(request.base_url)
    return f"{base}notice" if site.notice.address or _ADDRESS.fullmatch(base) else ""


def _told(site: Site) -> dict[str, Any]:
    return {
        "id": site.id,
        "name": site.name,
        "timezone": site.timezone,
        "operator": site.notice.operator,
        "purpose": site.notice.purpose,
        "contact": site.notice.contact,
        "max_age_s": site.keeping.max_age_s,
        "cameras": [
            {
                "name": camera.name, "covers": camera.covers, "kind": camera.kind, "audio": camera.audio, "record": camera.record,
                "scheduled": camera.scheduled, "masks": camera.masks, "shades": camera.shades, "max_age_s": camera.max_age_s,
            }
            for camera in site.cameras
        ],
    }  # fmt: skip
