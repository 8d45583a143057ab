"""What the first who asks would otherwise wait for is done when the server starts: nobody's first look is slower than the next.

Seen with every cache dropped (docs/performance.md): an import that a framework puts off until its first request, 20 ms; the source of
each endpoint, which it looks up on the event loop at the first request for words of an error, 6 ms; each reader's own connection to the
index, which reads its schema; the first statement that enters who looks, and four threads, 3 ms; and 10 ms here and there of what a process
does only once.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading

import structlog
from fastapi import FastAPI, routing
from starlette.concurrency import run_in_threadpool

from longwatch.archive.reader import NotReadyError
from longwatch.base.errors import LongwatchError
from longwatch.model.sessions import StreamKey
from longwatch.playback import VideoRequest, open_video, start_fetchers
from longwatch.web.deps import READERS, Deps
from longwatch.web.routes.timeline import tiles_of

_AGAIN_S = 1.0
_TRIES = 60
_TOGETHER_S = 0.2
_SECONDS_US = 10_000_000
_log = structlog.get_logger(__name__)


async def warm(app: FastAPI, deps: Deps) -> None:
    """Once, beside what is asked meanwhile. Where the recorder has not made its index yet, once it has."""
    forget_sources(app)
    await run_in_threadpool(int)  # the framework's threads: imported with the first use of them
    start_fetchers()
    await deps.accounts.journal.rehearse()
    for _ in range(_TRIES):
        try:
            await _readers(deps)
        except NotReadyError:
            await deps.clock.sleep(_AGAIN_S)
        except LongwatchError as error:  # whoever asks is told the same
            _log.info("the readers are not warm", reason=str(error))
            return
        else:
            return


def forget_sources(app: FastAPI) -> None:
    """FastAPI looks up file and line of an endpoint at its first request, on the event loop, for texts of errors that ours replace."""
    known = getattr(routing, "_endpoint_context_cache", None)
    if not isinstance(known, dict):
        return
    for route in app.routes:
        endpoint = getattr(getattr(route, "dependant", None), "call", None)
        if endpoint is not None:
            known[id(endpoint)] = {}


async def _readers(deps: Deps) -> None:
    """Every thread of the readers at once: each has a connection of its own. Raises LongwatchError."""
    together = threading.Barrier(READERS)
    await asyncio.gather(*(deps.read(_look, deps, together, n == 0) for n in range(READERS)))


def _look(deps: Deps, together: threading.Barrier, first: bool) -> None:
    with contextlib.suppress(threading.BrokenBarrierError):  # a thread that is busy is warm
        together.wait(_TOGETHER_S)
    for camera, stream, _ in deps.index.cameras()[:1]:
        key = StreamKey(camera, stream)
        until_us = deps.index.stats(key).last_us or deps.index.accounted_until_us(key)
        tiles_of(deps.index, key, until_us - _SECONDS_US, until_us)
        if first and deps.posts is None:
            _play(deps, key, until_us)


def _play(deps: Deps, key: StreamKey, until_us: int) -> None:
    """The last seconds of a stream, as a player would have them, for nobody: at a post, where that is a few reads of a disk."""
    request = VideoRequest(key, until_us - _SECONDS_US, until_us)
    if until_us > _SECONDS_US:
        with contextlib.suppress(LongwatchError):  # there may be none, or be gone
            next(open_video(deps.index, request, accounted_until_us=until_us).chunks())
