"""One GET from a device on the owner's network: bounded in time and size, one address, no redirect, no proxy.

Sans-I/O parsing is httptools'. Logins: Basic, and Digest (RFC 7616) where the device asks for it, as Shelly's second generation does.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import json
import os
import re
import ssl
from dataclasses import dataclass
from typing import Any

import httptools

from longwatch.surroundings.device import DeviceError
from longwatch.surroundings.options import HttpAddress

WITHIN_S = 4.0
MAX_BODY = 65_536
_MAX_HEADERS = 32_768
_MAX_CHALLENGE = 2048
_CHUNK = 16_384
_HASHES = {"MD5": hashlib.md5, "SHA-256": hashlib.sha256}


@dataclass(slots=True)
class Answer:
    """A whole answer. challenge: the first Digest challenge, as it stands."""

    status: int
    body: bytes
    challenge: str = ""


async def get_json(address: HttpAddress) -> Any:
    """The JSON that `address` answers with. Raises DeviceError, which shows neither path nor login."""
    body = await get_bytes(address, accept="application/json", within_s=WITHIN_S, most_bytes=MAX_BODY, login_first=True)
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise DeviceError(f"{_place(address)} did not answer in JSON", why=str(error)[:200]) from error


async def get_bytes(
    address: HttpAddress,
    *,
    accept: str,
    within_s: float,
    most_bytes: int,
    verify: bool = True,
    login_first: bool = False,
) -> bytes:
    """The body that `address` answers with. verify: its certificate, where it is asked by https. login_first: the password goes with the first request, as
    Basic; else it is sent as it is only where the device asks for that. Raises DeviceError, as `get_json`.
    """
    place = _place(address)
    asking = _Asking(address, accept, most_bytes, _tls(address, verify))
    try:
        async with asyncio.timeout(within_s):
            answer = await asking.get(_basic(address) if login_first else "")
            if answer.status == 401 and answer.challenge and address.user:
                answer = await asking.get(digest(address, answer.challenge, os.urandom(8).hex()))
            elif answer.status == 401 and address.user and not login_first:
                answer = await asking.get(_basic(address))
    except TimeoutError as error:
        raise DeviceError(f"{place} did not answer", why=f"{within_s:.0f} s") from error
    except (OSError, EOFError, ValueError, httptools.HttpParserError) as error:
        raise DeviceError(f"{place} did not answer", why=str(error) or type(error).__name__) from error
    if answer.status != 200:
        why = "a redirect is not followed" if 300 <= answer.status < 400 else f"status {answer.status}"
        raise DeviceError(f"{place} did not say", why=why)
    return answer.body


def _place(address: HttpAddress) -> str:
    return f"{address.scheme}://{address.host}:{address.port}"


def _tls(address: HttpAddress, verify: bool) -> ssl.SSLContext | None:
    if address.scheme != "https":
        return None
    context = ssl.create_default_context()
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


@dataclass(frozen=True, slots=True)
class _Asking:
    address: HttpAddress
    accept: str
    most_bytes: int
    context: ssl.SSLContext | None

    async def get(self, authorization: str) -> Answer:
        address = self.address
        reader, writer = await asyncio.open_connection(address.host, address.port, ssl=self.context, limit=_CHUNK)
        try:
            writer.write(request(address, authorization, self.accept))
            reading = Reading(self.most_bytes)
            while not reading.whole:
                data = await reader.read(_CHUNK)
                reading.take(data)
            return reading.answer()
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                writer.transport.abort()


def request(address: HttpAddress, authorization: str, accept: str = "application/json") -> bytes:
    """The request as it goes out."""
    host = f"[{address.host}]" if ":" in address.host else address.host
    login = f"Authorization: {authorization}\r\n" if authorization else ""
    return (
        f"GET {address.path} HTTP/1.1\r\nHost: {host}:{address.port}\r\nAccept: {accept}\r\n"
        f"User-Agent: longwatch\r\n{login}Connection: close\r\n\r\n"
    ).encode("latin-1", "replace")


class Reading:
    """An answer on its way. Pure: bytes in. Raises ValueError or httptools' errors where it is none, or too much."""

    def __init__(self, most_bytes: int = MAX_BODY) -> None:
        self.whole = False
        self._most = most_bytes
        self._parser = httptools.HttpResponseParser(self)
        self._body: list[bytes] = []
        self._size = 0
        self._raw = 0
        self._body_begun = False
        self._with_length = False
        self._challenge = ""

    def take(self, data: bytes) -> None:
        """What arrived; empty where the device hung up. Half of an answer is none: of a picture it would be a cold half."""
        if not data:
            if not self._body_begun:
                raise ValueError("the device hung up")
            if self._with_length:
                raise ValueError("the device hung up in the midst of its answer")
            self.whole = True  # an answer without length ends with its connection
            return
        self._raw += len(data)
        if self._raw > self._most + _MAX_HEADERS:
            raise ValueError(f"an answer of more than {self._most + _MAX_HEADERS} bytes")
        self._parser.feed_data(data)
        if not self._body_begun and self._raw > _MAX_HEADERS:
            raise ValueError(f"headers of more than {_MAX_HEADERS} bytes")
        if self._size > self._most:
            raise ValueError(f"a body of more than {self._most} bytes")

    def answer(self) -> Answer:
        """Once `whole`."""
        return Answer(self._parser.get_status_code(), b"".join(self._body), self._challenge)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Of httptools."""
        known = name.lower()
        if known in {b"content-length", b"transfer-encoding"}:
            self._with_length = True
        said = value[:_MAX_CHALLENGE].decode("latin-1")
        if known == b"www-authenticate" and said.lower().startswith("digest ") and not self._challenge:
            self._challenge = said[7:]

    def on_headers_complete(self) -> None:
        """Of httptools."""
        self._body_begun = True

    def on_body(self, body: bytes) -> None:
        """Of httptools."""
        self._size += len(body)
        self._body.append(body)

    def on_message_complete(self) -> None:
        """Of httptools."""
        self.whole = True


def _basic(address: HttpAddress) -> str:
    if not address.user:
        return ""
    return "Basic " + base64.b64encode(f"{address.user}:{address.password}".encode()).decode("ascii")


def digest(address: HttpAddress, challenge: str, client_nonce: str) -> str:
    """The answer to a Digest challenge (RFC 7616, section 3.4), with `qop=auth` or without. Raises ValueError where it asks for more."""
    said = {m[1].lower(): m[2] if m[2] is not None else m[3] for m in _PARAMETER.finditer(challenge)}
    algorithm = said.get("algorithm", "MD5").upper()
    make = _HASHES.get(algorithm)
    if make is None or "nonce" not in said:
        raise ValueError(f"a login by {algorithm[:20]} is not known")

    def hashed(text: str) -> str:
        return make(text.encode()).hexdigest()

    first = hashed(f"{address.user}:{said.get('realm', '')}:{address.password}")
    second = hashed(f"GET:{address.path}")
    fields = {
        "username": address.user, "realm": said.get("realm", ""), "nonce": said["nonce"], "uri": address.path,
    }  # fmt: skip
    if "auth" in re.split(r"\s*,\s*", said.get("qop", "")):
        fields["response"] = hashed(f"{first}:{said['nonce']}:00000001:{client_nonce}:auth:{second}")
        fields["cnonce"] = client_nonce
        tail = ", qop=auth, nc=00000001"
    elif "qop" not in said:
        fields["response"] = hashed(f"{first}:{said['nonce']}:{second}")
        tail = ""
    else:
        raise ValueError("a login by Digest without qop=auth is not known")
    if "opaque" in said:
        fields["opaque"] = said["opaque"]
    quoted = ", ".join(f'{name}="{_escaped(value)}"' for name, value in fields.items())
    return f"Digest {quoted}{tail}, algorithm={algorithm}"


# No step back over a name or over spaces: a challenge of letters alone would cost the square of its length, on the loop that records.
_PARAMETER = re.compile(r'(?<![A-Za-z])([A-Za-z]++)\s*+=\s*+(?:"((?:[^"\\]|\\.){0,500}+)"|([^\s",]{1,200}+))')


def _escaped(value: str) -> str:
    return re.sub(r'(["\\])', r"\\\1", value)
