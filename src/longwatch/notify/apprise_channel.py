"""Mail, chat, SMS gateways and what else Apprise speaks. Its calls block: each attempt has a thread, of which a channel has one at a time.

No pool: at the end of the program Python waits for a pool's threads, and a mail server that greets letter by letter would keep ours from ending for as long as it likes.

An address of Apprise holds logins; it is registered as a secret, and what Apprise logs passes through the same scrubbing as all else.
"""

from __future__ import annotations

import asyncio
import importlib
import logging
import threading
from concurrent.futures import Future
from typing import Any

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
        self._busy = False

    async def send(self, letter: Letter) -> None:
        """Raises SendingError. A call that hangs cannot be ended: until it does, nothing more is sent here."""
        if self._busy:
            raise SendingError("the attempt before has not ended yet")
        self._busy = True
        done: Future[None] = Future()
        try:
            threading.Thread(target=self._run, args=(letter, done), name="apprise", daemon=True).start()
        except RuntimeError:  # no more threads: tried again, as any failure is
            self._busy = False
            raise
        await asyncio.wrap_future(done)

    def _run(self, letter: Letter, done: Future[None]) -> None:
        done.set_running_or_notify_cancel()
        try:
            self._send(letter)
        except BaseException as error:  # noqa: BLE001  handed to whoever waits
            done.set_exception(error)
        else:
            done.set_result(None)

    def _send(self, letter: Letter) -> None:
        said = _Said()
        logger = logging.getLogger("apprise")
        logger.addHandler(said)
        try:
            kind = self._apprise.NotifyType.WARNING if letter.grave else self._apprise.NotifyType.INFO
            text = letter.body + (f"\n\n{letter.whole_link}" if letter.whole_link else "")
            done = self._plugin.notify(
                body=text, title=letter.title, notify_type=kind, body_format=self._apprise.NotifyFormat.TEXT, attach=self._attached(letter)
            )  # fmt: skip
        finally:
            logger.removeHandler(said)
            self._busy = False
        if not done:
            raise SendingError("; ".join(said.lines) or "it was not accepted")

    def _attached(self, letter: Letter) -> Any:
        """As Apprise takes them; None for a service that takes none."""
        if not letter.enclosed or not self._plugin.attachment_support:
            return None
        memory = importlib.import_module("apprise.attachment.memory").AttachMemory
        all_of_it = self._apprise.AppriseAttachment()
        for one in letter.enclosed:
            all_of_it.add(memory(content=one.data, name=one.name, mimetype=one.media_type))
        return all_of_it

    async def aclose(self) -> None:
        """What hangs is left behind."""
