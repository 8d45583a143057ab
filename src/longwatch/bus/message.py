"""A message between two processes of one hub, sealed: ChaCha20-Poly1305 (RFC 8439), with a key of each sender's life. Pure but for the nonce.

    1 version (1) | 1 length of the sender's name | the name | 8 life | 12 nonce | sealed: 4 length of the header | header (JSON) | data

The channel (what kind of message this is, and to whom) is bound to it: one that is shown again elsewhere does not open. What is shown again in its own
place has a number that was taken already (`numbers`).
"""

from __future__ import annotations

import json
import os
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from longwatch.base.errors import LongwatchError
from longwatch.base.ids import is_slug

MAX_BYTES = 32 << 10
_VERSION = 1
_NONCE = 12
_TAG = 16
_MOST_KEYS = 64


class MessageError(LongwatchError):
    """What came is no message of this hub, or one that is to go is too large."""


@dataclass(frozen=True, slots=True)
class Said:
    """life: which of its sender's; it rises. number: of this sender, life and channel, from 1 on, without holes."""

    sender: str
    life: int
    number: int
    kind: str
    body: Mapping[str, Any] = field(default_factory=dict)
    data: bytes = b""


class Seal:
    """secret: what all processes of this hub have and nobody else. hub: its id."""

    def __init__(self, secret: bytes, hub: str) -> None:
        self._secret = secret
        self._hub = hub
        self._keys: OrderedDict[tuple[str, int], ChaCha20Poly1305] = OrderedDict()

    def seal(self, channel: str, said: Said) -> bytes:
        """As it goes. Raises MessageError for what is larger than MAX_BYTES."""
        header = json.dumps({"n": said.number, "k": said.kind, "b": said.body}, separators=(",", ":")).encode()
        clear = _clear(said.sender, said.life)
        size = len(clear) + _NONCE + 4 + len(header) + len(said.data) + _TAG
        if size > MAX_BYTES:
            raise MessageError(f"a message of {size} bytes is too large for the bus", why=f"at most {MAX_BYTES}")
        nonce = os.urandom(_NONCE)
        inner = len(header).to_bytes(4, "big") + header + said.data
        return clear + nonce + self._key(said.sender, said.life).encrypt(nonce, inner, self._bound(channel, clear))

    def opened(self, channel: str, raw: bytes) -> Said:
        """Raises MessageError for anything else than `seal` made for this channel."""
        if not 2 < len(raw) <= MAX_BYTES or raw[0] != _VERSION:
            raise MessageError("no message of this version")
        at = 2 + raw[1]
        clear, nonce, sealed = raw[: at + 8], raw[at + 8 : at + 8 + _NONCE], raw[at + 8 + _NONCE :]
        sender = raw[2:at].decode("ascii", "replace")
        if len(nonce) != _NONCE or not is_slug(sender):
            raise MessageError("a message that is cut short")
        life = int.from_bytes(clear[at:], "big")
        try:
            inner = self._key(sender, life).decrypt(nonce, sealed, self._bound(channel, clear))
        except InvalidTag:
            raise MessageError("a message that no process of this hub sealed for here") from None
        return _read(sender, life, inner)

    def _bound(self, channel: str, clear: bytes) -> bytes:
        return f"{self._hub}/{channel}\0".encode() + clear

    def _key(self, sender: str, life: int) -> ChaCha20Poly1305:
        known = self._keys.get((sender, life))
        if known is None:
            info = f"longwatch bus 1 {self._hub} {sender} {life}".encode()
            known = ChaCha20Poly1305(HKDF(SHA256(), 32, None, info).derive(self._secret))
            self._keys[sender, life] = known
            while len(self._keys) > _MOST_KEYS:
                self._keys.popitem(last=False)
        return known


def _clear(sender: str, life: int) -> bytes:
    name = sender.encode("ascii")
    return bytes([_VERSION, len(name)]) + name + life.to_bytes(8, "big")


def _read(sender: str, life: int, inner: bytes) -> Said:
    """Of what opened: a process of this hub made it, perhaps a newer one."""
    size = int.from_bytes(inner[:4], "big")
    try:
        header = json.loads(inner[4 : 4 + size])
        number, kind, body = header["n"], header["k"], header["b"]
    except (ValueError, KeyError, TypeError) as error:
        raise MessageError("a message of another form", why=repr(error)) from error
    if type(number) is not int or not isinstance(kind, str) or not isinstance(body, dict):
        raise MessageError("a message of another form")
    return Said(sender, life, number, kind, body, inner[4 + size :])
