"""The console's pages, from a list made at the start: no path of a request ever meets the file system."""

from __future__ import annotations

import mimetypes
from pathlib import Path

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

    def served(name: str) -> Response:
        page = pages.get(name)
        if page is None and name == "index.html":
            return errors.answer(404, "the console is not built", remedy="run `make console`; the API works without it")
        if page is None:
            return errors.answer(404, f"there is nothing at /{name[:200]}", remedy="see /api/v1/openapi.json")
        # Names under assets/ carry a hash of what they hold, so they never change.
        caching = _YEAR if name.startswith("assets/") else _MINUTES
        return FileResponse(page, media_type=_type(page), headers={"Cache-Control": caching})

    @api.get("/", ALWAYS, head=True, include_in_schema=False, response_class=Response)
    async def index() -> Response:
        return served("index.html")

    @api.get("/assets/{name}", ALWAYS, head=True, include_in_schema=False, response_class=Response)
    async def asset(name: str) -> Response:
        return served(f"assets/{name}")

    @api.get("/{name}", ALWAYS, head=True, include_in_schema=False, response_class=Response)
    async def page(name: str) -> Response:
        return served(name)


def _type(page: Path) -> str:
    return _TYPES.get(page.suffix) or mimetypes.guess_type(page.name)[0] or "application/octet-stream"
