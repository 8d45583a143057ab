"""Has the newest checkpoint stamped by a timestamp authority, every so often (RFC 3161 over HTTP, section 3.4).

The request holds a hash and nothing else. No redirect is followed, no proxy of the environment used, and an answer is at most
64 KiB. An answer that does not hold is not kept. Owner of the state: the server's loop.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import structlog

from longwatch.accounts import Recorder
from longwatch.archive.log_files import log_folder
from longwatch.archive.published import PublishedLog
from longwatch.archive.stamps import stamps_of
from longwatch.base.clock import Clock
from longwatch.base.errors import LongwatchError
from longwatch.base.secrets import scrub
from longwatch.ledger import stamps
from longwatch.ledger.checkpoint import parse_unverified

_PATIENCE_S = 30.0
_LOOK_S = 60.0
_RETRY_S = (60.0, 300.0, 900.0, 3600.0)
_ANSWER = "application/timestamp-reply"
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class StampOptions:
    """url: of the authority. ca: PEM file of roots that its certificates must lead to; None: what it answers is not held against any."""

    url: str
    every_s: int
    ca: Path | None = None


class Stamping:
    """See the module. options: asked each time, so that new settings hold at once; None: no stamps. problem: why the last try
    failed, "" after one that did not.
    """

    def __init__(
        self, volumes: Sequence[Path], recorder: Recorder, clock: Clock, options: Callable[[], StampOptions | None]
    ) -> None:
        self.problem = ""
        self._volumes = tuple(volumes)
        self._log = PublishedLog(volumes)
        self._recorder = recorder
        self._clock = clock
        self._options = options

    async def run(self) -> None:
        """For ever; a failure is tried again, ever more seldom."""
        failed = 0
        while True:
            wait_s = _LOOK_S
            try:
                await self.run_once()
                failed, self.problem = 0, ""
            except (LongwatchError, OSError) as error:
                self.problem = scrub(str(error))
                wait_s = _RETRY_S[min(failed, len(_RETRY_S) - 1)]
                failed += 1
                _log.warning("the checkpoint was not stamped", reason=self.problem)
            await self._clock.sleep(wait_s)

    async def run_once(self) -> bool:
        """Stamp, where it is time and there is something new. Says whether it did. Raises LongwatchError."""
        options = self._options()
        if options is None:
            return False
        text = await asyncio.to_thread(self._log.checkpoint)
        if text is None:
            return False
        size, at_us = await asyncio.to_thread(self._last)
        if size == parse_unverified(text)[0].size:
            return False
        since_us = self._clock.wall_us() - at_us
        if 0 <= since_us < options.every_s * 1_000_000:
            return False
        await self._stamp(options, text)
        return True

    def _last(self) -> tuple[int, int]:
        """Size and moment of the newest stamp of the current log; (-1, 0) where there is none that can be read. Blocks."""
        head = self._log.head()
        if head is None:
            return -1, 0
        for volume in self._volumes:
            for found in stamps_of(log_folder(volume, head.number)):
                try:
                    return found.size, stamps.read(found.response, found.checkpoint).at_us
                except stamps.StampError:
                    continue
        return -1, 0

    async def _stamp(self, options: StampOptions, text: str) -> None:
        asked = stamps.request(text)
        response = await self._ask(options.url, asked.data)
        try:
            if options.ca is None:
                stamp = stamps.read(response, text, asked.nonce)
            else:
                stamp = stamps.verify(response, text, await asyncio.to_thread(options.ca.read_bytes), asked.nonce)
        except stamps.StampError as error:
            raise LongwatchError("the authority's stamp does not hold", why=str(error)) from error
        await self._recorder.request(
            "stamp", timeout_s=60.0, checkpoint=text, response=base64.b64encode(response).decode(),
            authority=scrub(stamp.authority), at_us=stamp.at_us,
        )  # fmt: skip
        _log.info("a checkpoint was stamped", authority=stamp.authority)

    async def _ask(self, url: str, data: bytes) -> bytes:
        import httpx  # most posts have nothing stamped; with what it brings along it is 80 modules

        headers = {"Content-Type": "application/timestamp-query", "Accept": _ANSWER}
        try:
            async with (
                asyncio.timeout(_PATIENCE_S),
                httpx.AsyncClient(follow_redirects=False, trust_env=False, timeout=_PATIENCE_S) as client,
                client.stream("POST", url, content=data, headers=headers) as answer,
            ):
                if answer.status_code != 200 or not answer.headers.get("content-type", "").startswith(_ANSWER):
                    raise LongwatchError(
                        "the authority does not answer as one",
                        why=f"{answer.status_code}, {answer.headers.get('content-type', '')[:80]}",
                    )
                response = b""
                async for chunk in answer.aiter_raw():
                    response += chunk
                    if len(response) > stamps.MAX_RESPONSE_BYTES:
                        raise LongwatchError(
                            "the authority's answer is too large", why=f"more than {len(response)} bytes"
                        )
                return response
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError) as error:
            raise LongwatchError("the authority cannot be asked", why=str(error) or type(error).__name__) from error
