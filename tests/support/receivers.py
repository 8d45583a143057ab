"""Receivers of messages, as the world has them: a webhook's, a mail server, a browser behind its maker's push service."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
from collections.abc import Callable
from email.message import Message
from email.parser import BytesParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

import http_ece
from aiosmtpd.smtp import SMTP
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature


class HttpReceiver:
    """Answers POST with what `answer` says: a status, and headers. Keeps what it took. A context manager."""

    def __init__(self, port: int = 0) -> None:
        self.taken: list[tuple[dict[str, str], bytes]] = []
        self.seen: list[str] = []
        self.answer: Callable[[dict[str, str], bytes], tuple[int, dict[str, str]]] = lambda _headers, _body: (204, {})
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                size = int(self.headers.get("content-length", 0))
                body = self.rfile.read(size)
                if len(body) < size:  # whoever sent it was stopped in the midst: it has not arrived
                    self.close_connection = True
                    return
                headers = {name.lower(): value for name, value in self.headers.items()}
                status, more = receiver.answer(headers, body)
                receiver.seen.append(self.path)
                if 200 <= status < 300:
                    receiver.taken.append((headers, body))
                self.send_response(status)
                for name, value in more.items():
                    self.send_header(name, value)
                self.send_header("content-length", "0")
                self.end_headers()

            def do_GET(self) -> None:
                """What a redirect makes of a POST."""
                receiver.seen.append(self.path)
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                return

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.port = self._server.server_address[1]
        self.address = f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


def signed(secret: str, headers: dict[str, str], body: bytes) -> bool:
    """As Standard Webhooks 1.0 has receivers check it, written from its text and not from ours."""
    content = headers["webhook-id"].encode() + b"." + headers["webhook-timestamp"].encode() + b"." + body
    made = base64.b64encode(hmac.new(secret.encode(), content, hashlib.sha256).digest()).decode()
    return any(hmac.compare_digest(each, f"v1,{made}") for each in headers["webhook-signature"].split(" "))


class Mailbox:
    """What an SMTP server took. `protocol` is for `loop.create_server`."""

    def __init__(self) -> None:
        self.mails: list[Message] = []

    def protocol(self) -> SMTP:
        return SMTP(self, hostname="sink")

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:
        self.mails.append(BytesParser().parsebytes(envelope.content))
        return "250 taken"


class PushedBrowser:
    """A browser: its keys (RFC 8291), and what it makes of what its service hands it."""

    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._auth = b"0123456789abcdef"
        point = self._key.public_key().public_bytes(
            serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
        )
        self.p256dh, self.auth = _text(point), _text(self._auth)

    def read(self, body: bytes) -> dict[str, Any]:
        """The message. Raises where it is not for this browser."""
        plain = http_ece.decrypt(body, private_key=self._key, auth_secret=self._auth, version="aes128gcm")
        told: dict[str, Any] = json.loads(plain)
        return told


def vapid_claims(header: str, expected_key: str) -> dict[str, Any]:
    """Of `Authorization: vapid t=..., k=...` (RFC 8292). Raises where the signature is not of that key."""
    parts = dict(part.strip().split("=", 1) for part in header.removeprefix("vapid ").split(","))
    assert parts["k"].rstrip("=") == expected_key
    head, claims, signature = parts["t"].split(".")
    raw = _bytes(signature)
    key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), _bytes(expected_key))
    der = encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))
    try:
        key.verify(der, f"{head}.{claims}".encode(), ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        raise AssertionError("the signature is not of this server") from None
    read: dict[str, Any] = json.loads(_bytes(claims))
    return read


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
