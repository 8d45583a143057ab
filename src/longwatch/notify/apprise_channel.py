"""Mail, chat, SMS gateways and what else Apprise speaks. Its calls block: each channel has one thread.

An address of Apprise holds logins; it is registered as a secret, and what Apprise logs passes through the same scrubbing as all else.
"""

from __future__ import annotations

import asyncio
import importlib
import logging
from concurrent.futures import ThreadPoolExecutor

from longwatch.base import secrets
from longwatch.notify.apprise_addresses import plugin_of
from longwatch.notify.letter import Letter, SendingError


class _Said(logging.Handler):
    """What Apprise says while it sends: its answer is a bare yes or no."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if len(self.lines) < 5:
            self.lines.append(secrets.scrub(record.getMessage()))


class AppriseChannel:
    """One address."""

    def __init__(self, url: str) -> None:
        """Raises UsageError where Apprise does not know what to do with it."""
        self._plugin = plugin_of(url)
        self._apprise = importlib.import_module("apprise")
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="apprise")
        self._busy = False

    async def send(self, letter: Letter) -> None:
        """Raises SendingError. A call that hangs cannot be ended: until it does, nothing more is sent here."""
        if self._busy:
            raise SendingError("the attempt before has not ended yet")
        self._busy = True
        await asyncio.wrap_future(self._thread.submit(self._send, letter))

    def _send(self, letter: Letter) -> None:
        said = _Said()
        logger = logging.getLogger("apprise")
        logger.addHandler(said)
        try:
            kind = self._apprise.NotifyType.WARNING if letter.grave else self._apprise.NotifyType.INFO
            text = letter.body + (f"\n\n{letter.whole_link}" if letter.whole_link else "")
            done = self._plugin.notify(
                body=text, title=letter.title, notify_type=kind, body_format=self._apprise.NotifyFormat.TEXT
            )
        finally:
            logger.removeHandler(said)
            self._busy = False
        if not done:
            raise SendingError("; ".join(said.lines) or "it was not accepted")

    async def aclose(self) -> None:
        """What hangs is left behind."""
        self._thread.shutdown(wait=False, cancel_futures=True)
