"""A relay with a meter that is not there: a real HTTP server that speaks as Shelly (both generations) and Tasmota do."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import re
from typing import Any, Self

_TASMOTA = re.compile(r"/cm\?cmnd=(?:Power|Status(?:%20|\+)8)", re.IGNORECASE)
_TURN = re.compile(r"/relay/0\?turn=(on|off)|/rpc/Switch\.Set\?id=0&on=(true|false)")
_MAX_REQUEST = 8192
_PATIENCE_S = 5.0


class SimulatedRelay:
    """A relay at `address`; `on` and `watts` may be set at any time. login: none, basic or digest (SHA-256), where a user is given.

    Owner of the state: this object, on the event loop it was started on.
    """

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        user: str = "",
        password: str = "",
        login: str = "basic",
        watts: float = 6.2,
    ) -> None:
        self.host = host
        self.port = port
        self.on = True
        self.watts = watts
        self.requests: list[str] = []
        self.answer: bytes | None = None  # instead of its own words, as they stand
        self._user, self._password, self._login = user, password, login
        self._server: asyncio.Server | None = None

    @property
    def address(self) -> str:
        """HOST:PORT."""
        return f"{self.host}:{self.port}"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, self.host, self.port, limit=_MAX_REQUEST)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def stop(self) -> None:
        """Answer no more."""
        server, self._server = self._server, None
        if server is not None:
            server.close()
            await server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(_PATIENCE_S):
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                writer.write(self.answer if self.answer is not None else self._reply(head))
                await writer.drain()
        except (OSError, EOFError, TimeoutError, asyncio.LimitOverrunError):
            pass
        finally:
            writer.close()

    def _reply(self, head: str) -> bytes:
        line, _, fields = head.partition("\r\n")
        method, target, *_ = [*line.split(" "), "", ""]
        self.requests.append(f"{method} {target}")
        login = re.search(r"^authorization:\s*(.+?)\r?$", fields, re.IGNORECASE | re.MULTILINE)
        if self._user and not self._accepts(login[1] if login else "", target):
            challenge = 'Basic realm="relay"'
            if self._login == "digest":
                challenge = 'Digest qop="auth", realm="relay", nonce="60dc2c69", algorithm=SHA-256'
            return _answer(401, {}, f"WWW-Authenticate: {challenge}\r\n")
        said = self._said(target) if method == "GET" else None
        return _answer(404, {}) if said is None else _answer(200, said)

    def _said(self, target: str) -> dict[str, Any] | None:
        """What the devices say: of the relay, and of the meter. Two requests switch it, as Shelly's do."""
        turn = _TURN.fullmatch(target)
        if turn is not None:
            self.on = (turn[1] or turn[2]) in {"on", "true"}
            return {"ison": self.on}
        watts = self.watts if self.on else 0.0
        if target == "/relay/0":
            return {"ison": self.on, "has_timer": False}
        if target == "/meter/0":
            return {"power": watts, "is_valid": True}
        if target == "/rpc/Switch.GetStatus?id=0":
            return {"id": 0, "output": self.on, "apower": watts, "voltage": 229.8}
        match = _TASMOTA.fullmatch(target)
        if match is None:
            return None
        return {"StatusSNS": {"ENERGY": {"Power": watts}}} if "8" in match[0] else {"POWER": "ON" if self.on else "OFF"}

    def _accepts(self, login: str, target: str) -> bool:
        if self._login == "basic":
            return login == "Basic " + base64.b64encode(f"{self._user}:{self._password}".encode()).decode()
        said = dict(re.findall(r'(\w+)="?([^",]+)"?', login.removeprefix("Digest ")))
        first = _sha(f"{self._user}:relay:{self._password}")
        right = _sha(
            f"{first}:60dc2c69:{said.get('nc')}:{said.get('cnonce')}:{said.get('qop')}:{_sha(f'GET:{target}')}"
        )  # fmt: skip
        return said.get("uri") == target and said.get("response") == right


def _sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _answer(status: int, said: dict[str, Any], extra: str = "") -> bytes:
    body = json.dumps(said).encode()
    words = {200: "OK", 401: "Unauthorized", 404: "Not Found"}[status]
    head = f"HTTP/1.1 {status} {words}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n{extra}Connection: close\r\n\r\n"
    return head.encode() + body
