"""Web push: encrypted for one browser (RFC 8291), signed for its maker's service (RFC 8292), handed to that service (RFC 8030).

The service sees when something was sent, how long it is, and to which browser; never what. No redirect is followed.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import ssl
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

from longwatch.base.clock import Clock
from longwatch.base.errors import UsageError
from longwatch.notify.browsers import Browser, Browsers, check_endpoint
from longwatch.notify.letter import Letter, SendingError
from longwatch.notify.options import Options
from longwatch.notify.push_key import key_at
from longwatch.notify.webhook import PATIENCE_S, after_s, reason
from longwatch.server_db import ServerDb

_GONE = frozenset({404, 410})
_FINAL = frozenset({400, 413})
_VALID_S = 12 * 3600
_TTL_S = {True: 86_400, False: 14_400}
MOST_TEXT = 900
"""Characters of the body: a phone shows a few lines."""
MOST_BYTES = 3_900
"""Of all of it: a service takes 4,096 bytes, encrypted (RFC 8030, 7.2; RFC 8291 adds 103), and refuses what is larger for good."""


def payload(letter: Letter) -> bytes:
    """What the browser reads, as JSON. Letters of other alphabets take up to four bytes each: the body gives way."""
    told = {
        "key": letter.key, "title": letter.title, "body": letter.body[:MOST_TEXT], "link": letter.link.partition("#")[2], "grave": letter.grave,
        "event": next(iter(letter.events), ""),
    }  # fmt: skip
    while (
        len(made := json.dumps(told, ensure_ascii=False, separators=(",", ":")).encode()) > MOST_BYTES and told["body"]
    ):
        told["body"] = str(told["body"])[: len(str(told["body"])) * 9 // 10]
    return made


class Push:
    """All browsers. options: asked at each letter. key: the file of `push_key`."""

    def __init__(
        self, db: ServerDb, key: Path, options: Callable[[], Options], clock: Clock, verify: ssl.SSLContext | None = None
    ) -> None:  # fmt: skip
        self._db = db
        self._browsers = Browsers(db)
        self._key_path = key
        self._options = options
        self._clock = clock
        self._verify = verify
        self._made: httpx.AsyncClient | None = None

    async def send(self, letter: Letter) -> None:
        """To one browser. Raises SendingError; a browser that is gone is forgotten."""
        browser = await self._db.call(self._browsers.reached, letter.target, letter.facts["cameras"])
        if browser is None:
            raise SendingError("that browser is gone, or its user may not see this any more", final=True)
        try:
            check_endpoint(browser.endpoint, self._options().push_services)
        except UsageError as error:
            raise SendingError(str(error), final=True) from None
        body, headers = await asyncio.to_thread(self._sealed, browser, letter)
        try:
            async with self._client().stream("POST", browser.endpoint, content=body, headers=headers) as answer:
                status, retry = answer.status_code, answer.headers.get("retry-after", "")
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            raise SendingError(f"the push service cannot be reached: {reason(error)}") from None
        if status in _GONE:
            await self._db.call(self._browsers.remove, None, browser.id)
            raise SendingError("the browser has ended its subscription", final=True)
        if not 200 <= status < 300:
            raise SendingError(
                f"the push service answered {status}", final=status in _FINAL, after_s=after_s(retry, datetime.now(UTC))
            )
        await self._db.call(self._browsers.used, browser.id, self._clock.wall_us())

    def _client(self) -> httpx.AsyncClient:
        if self._made is None:
            verify: Any = self._verify or ssl.create_default_context()
            self._made = httpx.AsyncClient(verify=verify, follow_redirects=False, trust_env=False, timeout=PATIENCE_S)
        return self._made

    def _sealed(self, browser: Browser, letter: Letter) -> tuple[bytes, dict[str, str]]:
        """Ciphertext and headers. Imported here: few posts ever push, and what pywebpush brings takes 30 MB."""
        pywebpush, vapid = importlib.import_module("pywebpush"), importlib.import_module("py_vapid")
        subscription = {"endpoint": browser.endpoint, "keys": {"p256dh": browser.p256dh, "auth": browser.auth}}
        sealed = pywebpush.WebPusher(subscription).encode(payload(letter), "aes128gcm")
        parts = urlsplit(browser.endpoint)
        claims = {
            "aud": f"{parts.scheme}://{parts.netloc}",
            "exp": self._clock.wall_us() // 1_000_000 + _VALID_S,
            "sub": self._contact(),
        }
        key = key_at(self._key_path)
        headers = dict(vapid.Vapid02(private_key=key).sign(claims))
        headers |= {
            "content-encoding": "aes128gcm",
            "content-type": "application/octet-stream",
            "ttl": str(_TTL_S[letter.grave]),
            "urgency": "high" if letter.grave else "normal",
        }
        return bytes(sealed["body"]), headers

    def _contact(self) -> str:
        """Whom the service may ask (RFC 8292, 2.1): what the settings say, else the console's own address."""
        options = self._options()
        if options.contact:
            return f"mailto:{options.contact}"
        return options.address if options.address.startswith("https://") else "mailto:nobody@example.org"

    async def aclose(self) -> None:
        """Close what is open."""
        if self._made is not None:
            await self._made.aclose()
