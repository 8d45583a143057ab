"""How HTTP is served: uvicorn on our own socket and our own signals."""

from __future__ import annotations

import contextlib
import logging
import socket
from collections.abc import Iterator

import uvicorn
from fastapi import FastAPI

from longwatch.base.errors import UsageError
from longwatch.node.server_options import Door

_GRACE_S = 2


class _Uvicorn(uvicorn.Server):
    """Signals are ours: uvicorn would raise them once more after it has ended."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def listen(door: Door) -> socket.socket:
    """Raises UsageError where the address is taken or is not of this machine."""
    family = socket.AF_INET6 if ":" in door.host else socket.AF_INET
    try:
        return socket.create_server((door.host, door.port), family=family, backlog=256)
    except OSError as error:
        raise UsageError(
            f"cannot listen on {door.host}:{door.port}",
            why=error.strerror or str(error),
            remedy="choose another address in web.listen, or stop what uses this one",
        ) from error


def http_server(app: FastAPI, door: Door) -> uvicorn.Server:
    """How HTTP is served. No access log: signed URLs are keys. A proxy's word is taken only from its own networks."""
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
    config = uvicorn.Config(
        app,
        loop="none",
        http="httptools",
        ws="websockets-sansio",
        ws_max_size=16 << 10,
        ws_per_message_deflate=False,
        lifespan="off",
        access_log=False,
        log_config=None,
        server_header=False,
        proxy_headers=bool(door.proxies),
        forwarded_allow_ips=list(door.proxies),
        ssl_certfile=door.certificate,
        ssl_keyfile=door.key,
        timeout_graceful_shutdown=_GRACE_S,
        limit_concurrency=1000,
    )
    return _Uvicorn(config)
