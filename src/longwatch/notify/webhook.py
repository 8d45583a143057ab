"""Webhooks, signed as Standard Webhooks 1.0 says (headers `webhook-id`, `webhook-timestamp`, `webhook-signature`). docs/ref/webhooks.md.

The address is an admin's word, from the settings. No redirect is followed, no proxy of the environment used, and of the answer nothing is
read but its status.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path

import httpx

from longwatch.base.certificates import client_context
from longwatch.base.clock import Clock
from longwatch.base.rfc3339 import format_us
from longwatch.notify.letter import Letter, SendingError

PATIENCE_S = 20.0
_TOO_LARGE = 413
_FINAL = frozenset({400, 404, 405, 410, 413, 414, 415, 422})
"""What no repetition mends. 401 and 403 are tried again: a receiver's key is often put in later."""


def key_of(secret: str) -> bytes:
    """`whsec_` and base64 is a key as Standard Webhooks writes it; anything else is the key itself, in UTF-8."""
    if secret.startswith("whsec_"):
        try:
            return base64.b64decode(secret.removeprefix("whsec_"), validate=True)
        except ValueError:
            pass
    return secret.encode()


def signature(secret: str, identity: str, timestamp: int, body: bytes) -> str:
    """`v1,` and the HMAC-SHA256 of `id.timestamp.body` in base64."""
    signed = f"{identity}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.new(key_of(secret), signed, hashlib.sha256).digest()).decode()


def body_of(letter: Letter, post: str, address: str = "") -> bytes:
    """JSON, as docs/ref/webhooks.md has it. address: of the console."""
    places = [
        {"id": event, "picture": f"{address}/api/v1/events/{event}/picture.jpg", "clip": f"{address}/api/v1/events/{event}/clip.mp4"}
        for event in letter.events
    ]  # fmt: skip
    enclosed = [
        {"event": one.event, "camera": one.camera, "kind": one.kind, "name": one.name, "type": one.media_type, "at": format_us(one.at_us),
         "data": base64.b64encode(one.data).decode()}
        for one in letter.enclosed
    ]  # fmt: skip
    told = {
        "type": "longwatch.message",
        "timestamp": format_us(letter.made_us),
        "data": {
            "post": post, "title": letter.title, "body": letter.body, "link": letter.whole_link, "grave": letter.grave, **letter.facts, "events": places,
            "enclosed": enclosed,
        },
    }  # fmt: skip
    return json.dumps(told, ensure_ascii=False, separators=(",", ":")).encode()


def after_s(header: str, now: datetime) -> float:
    """Retry-After (RFC 9110, 10.2.3): seconds, or a date; 0 where it cannot be read."""
    if header.strip().isdecimal() and len(header) < 10:
        return float(header)
    try:
        return max(0.0, (parsedate_to_datetime(header) - now).total_seconds())
    except (TypeError, ValueError, OverflowError):
        return 0.0


def reason(error: Exception) -> str:
    """What failed. httpx names no address in it."""
    return str(error)[:150] or type(error).__name__


class Webhook:
    """One receiver. post, address (of the console): asked at each letter."""

    def __init__(
        self, url: str, secret: str, post: Callable[[], str], clock: Clock, ca: Path | None = None, address: Callable[[], str] = str
    ) -> None:  # fmt: skip
        verify = client_context(ca)
        self._client = httpx.AsyncClient(
            verify=verify,
            follow_redirects=False,
            trust_env=False,
            timeout=PATIENCE_S,
            headers={"user-agent": "Longwatch"},
        )
        self._url = url
        self._secret = secret
        self._post = post
        self._address = address
        self._clock = clock

    async def send(self, letter: Letter) -> None:
        """2xx is accepted. Raises SendingError."""
        body, timestamp = body_of(letter, self._post(), self._address()), self._clock.wall_us() // 1_000_000
        headers = {
            "content-type": "application/json",
            "webhook-id": letter.key,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": signature(self._secret, letter.key, timestamp, body),
        }
        try:
            async with self._client.stream("POST", self._url, content=body, headers=headers) as answer:
                status, retry = answer.status_code, answer.headers.get("retry-after", "")
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            raise SendingError(f"the receiver cannot be reached: {reason(error)}") from None
        if 200 <= status < 300:
            return
        if 300 <= status < 400:
            raise SendingError(f"the receiver answered {status}, and no redirect is followed")
        final = status in _FINAL and not (status == _TOO_LARGE and letter.enclosed)  # it may take the words alone
        raise SendingError(f"the receiver answered {status}", final=final, after_s=after_s(retry, datetime.now(UTC)))

    async def aclose(self) -> None:
        """Close what is open."""
        await self._client.aclose()
