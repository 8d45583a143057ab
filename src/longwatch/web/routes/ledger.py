"""The log, for whoever keeps an earlier head of it: checkpoint and key for everybody who signs in, tiles for inspectors.

With `/api/v1/ledger/` as its base, a standard client of c2sp.org/tlog-tiles follows the log. Bundles hold entries as they
are hashed: of people numbers and commitments alone.
"""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Path
from starlette.responses import Response

from longwatch.archive.published import tile_at
from longwatch.ledger.tiles import WIDTH
from longwatch.web.api import Api, Problem
from longwatch.web.deps import Deps
from longwatch.web.errors import RefusedError
from longwatch.web.policy import INSPECT, SIGNED_IN

_NONE: dict[int | str, dict[str, Any]] = {404: {"model": Problem}}
_TEXT: dict[str, Any] = {"content": {"text/plain": {}}}
_PEM: dict[str, Any] = {"content": {"application/x-pem-file": {}}}
_BYTES: dict[str, Any] = {"content": {"application/octet-stream": {}}}


def register(api: Api, deps: Deps) -> None:
    """ledger/checkpoint, ledger/key, ledger/tile."""

    @api.get("/api/v1/ledger/checkpoint", SIGNED_IN, response_class=Response, responses={200: _TEXT, **_NONE})
    async def checkpoint() -> Response:
        """The newest signed head of the ledger (c2sp.org/tlog-checkpoint). Keep it: what is shown later is held against it."""
        text = await deps.read(deps.log.checkpoint)
        if text is None:
            raise _nothing()
        return Response(text, media_type="text/plain; charset=utf-8")

    @api.get("/api/v1/ledger/key", SIGNED_IN, response_class=Response, responses={200: _PEM, **_NONE})
    async def key() -> Response:
        """The public key of the post, as PEM."""
        text = await deps.read(deps.log.key)
        if text is None:
            raise _nothing()
        return Response(text, media_type="application/x-pem-file")

    @api.get("/api/v1/ledger/tile/{path:path}", INSPECT, response_class=Response, responses={200: _BYTES, **_NONE})
    async def tile(path: Annotated[str, Path(description="LEVEL/N, LEVEL/N.p/WIDTH, entries/N")]) -> Response:
        """A tile of hashes or a bundle of entries (c2sp.org/tlog-tiles)."""
        asked = tile_at(path)
        data = None if asked is None else await deps.read(deps.log.tile, asked)
        if asked is None or data is None:
            raise RefusedError(
                404, "there is no such tile", remedy="see c2sp.org/tlog-tiles, and the size in the checkpoint"
            )
        lasting = "private, max-age=31536000, immutable" if asked.width == WIDTH else "private, no-cache"
        return Response(data, media_type="application/octet-stream", headers={"Cache-Control": lasting})


def _nothing() -> RefusedError:
    return RefusedError(
        404, "nothing of the ledger is published yet", remedy="start the recorder; it signs within seconds"
    )
