"""The console's pages, from a list made at the start: no path of a request ever meets the file system."""

from __future__ import annotations

import mimetypes
from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, Response

from longwatch.web import errors
from longwatch.web.api import Api
from longwatch.web.deps import Deps
from longwatch.web.policy import ALWAYS

_YEAR = "public, max-age=31536000, immutable"
_MINUTES = "no-cache"
_TYPES = {".js": "text/javascript", ".webmanifest": "application/manifest+json", ".woff2": "font/woff2"}


def register(api: Api, deps: Deps) -> None:
    """/ and the assets."""
    pages = {
        path.relative_to(deps.options.static).as_posix(): path
        for path in (deps.options.static.rglob("*") if deps.options.static.is_dir() else ())
        if path.is_file() and not path.is_symlink()
    }

    @api.get("/{path:path}", ALWAYS, head=True, include_in_schema=False, response_class=Response)
    async def static(request: Request, path: str) -> Response:
        page = pages.get(path or "index.html")
        if page is None:
            if not path:
                return errors.answer(
                    404, "the console is not built", remedy="run `make console`; the API works without it"
                )
            return errors.answer(
                404, f"there is nothing at {request.url.path[:200]}", remedy="see /api/v1/openapi.json"
            )
        # Names under assets/ carry a hash of what they hold, so they never change.
        caching = _YEAR if path.startswith("assets/") else _MINUTES
        return FileResponse(page, media_type=_type(page), headers={"Cache-Control": caching})


def _type(page: Path) -> str:
    return _TYPES.get(page.suffix) or mimetypes.guess_type(page.name)[0] or "application/octet-stream"
