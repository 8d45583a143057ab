"""The console's pages, from a list: no path of a request ever meets the file system.

The list is made anew where the folder changed: an upgrade in place, or `make console`, puts in pages whose scripts have
other names, and a server that knew only the old ones would show an empty page until somebody restarts it.

Text goes out with gzip to whoever takes it: over 256 kbit/s the page is there in five seconds instead of thirteen. Nothing
secret is in these files, so their packed length tells nothing.
"""

from __future__ import annotations

import asyncio
import gzip
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
_PACKED = frozenset({".html", ".js", ".css", ".svg", ".json", ".webmanifest"})
_TYPES = {".js": "text/javascript", ".webmanifest": "application/manifest+json", ".woff2": "font/woff2"}


def register(api: Api, deps: Deps) -> None:
    """/ and the assets."""
    pages = _Pages(deps.options.static)

    async def served(request: Request, name: str) -> Response:
        page = pages.find(name)
        if page is None and name == "index.html":
            return errors.answer(404, "the console is not built", remedy="run `make console`; the API works without it")
        if page is None:
            return errors.answer(404, f"there is nothing at /{name[:200]}", remedy="see /api/v1/openapi.json")
        # Names under assets/ carry a hash of what they hold, so they never change.
        caching = _YEAR if name.startswith("assets/") else _MINUTES
        headers = {"Cache-Control": caching}
        if page.suffix not in _PACKED:
            return FileResponse(page, media_type=_type(page), headers=headers)
        headers["Vary"] = "Accept-Encoding"
        if "gzip" not in request.headers.get("accept-encoding", "") or "range" in request.headers:
            return FileResponse(page, media_type=_type(page), headers=headers)
        body = await pages.packed(name, page)
        return Response(body, media_type=_type(page), headers={**headers, "Content-Encoding": "gzip"})

    @api.get("/", ALWAYS, head=True, include_in_schema=False, response_class=Response)
    async def index(request: Request) -> Response:
        return await served(request, "index.html")

    @api.get("/assets/{name}", ALWAYS, head=True, include_in_schema=False, response_class=Response)
    async def asset(request: Request, name: str) -> Response:
        return await served(request, f"assets/{name}")

    @api.get("/{name}", ALWAYS, head=True, include_in_schema=False, response_class=Response)
    async def page(request: Request, name: str) -> Response:
        return await served(request, name)


class _Pages:
    """What is in the folder, by name. Owner of the list: this object; used on the loop alone."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._stamp = self._now()
        self._known = self._listed()
        self._packed: dict[str, tuple[int, bytes]] = {}

    async def packed(self, name: str, page: Path) -> bytes:
        """The file as gzip; made once, off the loop. At most the pages themselves are kept, a third of their size."""
        changed_ns = _changed_ns(page)
        known = self._packed.get(name)
        if known is None or known[0] != changed_ns:
            known = changed_ns, await asyncio.to_thread(lambda: gzip.compress(page.read_bytes(), 9, mtime=0))
            self._packed[name] = known
        return known[1]

    def find(self, name: str) -> Path | None:
        """The file of that name, or None. Costs three stats; the folder is read only where they changed."""
        stamp = self._now()
        if stamp != self._stamp:
            self._stamp, self._known, self._packed = stamp, self._listed(), {}
        return self._known.get(name)

    def _now(self) -> tuple[int, ...]:
        return tuple(_changed_ns(path) for path in (self._root, self._root / "assets", self._root / "index.html"))

    def _listed(self) -> dict[str, Path]:
        return {
            path.relative_to(self._root).as_posix(): path
            for path in (self._root.rglob("*") if self._root.is_dir() else ())
            if path.is_file() and not path.is_symlink()
        }


def _changed_ns(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


def _type(page: Path) -> str:
    return _TYPES.get(page.suffix) or mimetypes.guess_type(page.name)[0] or "application/octet-stream"
