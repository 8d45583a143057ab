"""A page with a switch for each simulated link: cut it, make it mute or thin, bring it back. For `longwatch demo --network`.

A plain HTTP server on loopback, with forms and no script. It answers only those who asked it by a loopback name, and takes a switch only
from its own page.
"""

from __future__ import annotations

import asyncio
import html
import json
import re
from collections.abc import Mapping
from typing import Self

from longwatch.simulate.thin_link import Conditions, SimulatedLink

_MAX_REQUEST = 8192
_PATIENCE_S = 5.0
_HOST = re.compile(r"(?:127\.0\.0\.1|localhost|\[::1\])(?::\d+)?")
STATES: Mapping[str, tuple[str, Conditions]] = {
    "open": ("Open", Conditions(delay_s=0.02)),
    "thin": ("64 kbit/s, 300 ms", Conditions(bits_a_second=64_000, delay_s=0.3)),
    "mute": ("Mute: nothing passes, nobody is told", Conditions(mute=True)),
    "cut": ("Cut", Conditions(cut=True)),
}
"""What a link can be switched to, and how it is called."""

_STYLE = """
:root { color-scheme: light dark; font: 15px/1.5 system-ui, sans-serif; }
body { max-width: 46rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.3rem; } h2 { font-size: 1rem; margin: 0; }
form { border-top: 1px solid #8886; padding: 1rem 0; display: flex; flex-wrap: wrap; gap: .5rem; align-items: center; }
form div { flex: 1 0 100%; } small { opacity: .75; }
button { font: inherit; padding: .35rem .8rem; border: 1px solid #888; border-radius: 6px; background: none; cursor: pointer; }
button[aria-pressed=true] { background: #17695d; border-color: #17695d; color: #fff; }
"""


class LinkSwitch:
    """The page at `address`. links: by a slug, with what a person calls them. Owner of no state but its socket."""

    def __init__(
        self, links: Mapping[str, tuple[str, SimulatedLink]], *, host: str = "127.0.0.1", port: int = 0
    ) -> None:
        self.host = host
        self.port = port
        self._links = links
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
        server, self._server = self._server, None
        if server is not None:
            server.close()
            await server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(_PATIENCE_S):
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                writer.write(self._answer(head))
                await writer.drain()
        except (OSError, EOFError, TimeoutError, asyncio.LimitOverrunError):
            pass
        finally:
            writer.close()

    def _answer(self, head: str) -> bytes:
        line, _, rest = head.partition("\r\n")
        method, target, *_ = [*line.split(" "), "", ""]
        fields = {
            name.strip().lower(): value.strip() for name, _, value in (x.partition(":") for x in rest.split("\r\n"))
        }
        if not _HOST.fullmatch(fields.get("host", "")):
            return _written(403, "text/plain", "Ask by a loopback address.")
        if method == "GET" and target == "/":
            return _written(200, "text/html", self._page())
        if method == "GET" and target == "/style.css":
            return _written(200, "text/css", _STYLE)
        if method == "GET" and target == "/links":
            return _written(200, "application/json", json.dumps(self._told()))
        if method == "POST":
            return self._switch(target, fields)
        return _written(404, "text/plain", "There is nothing here.")

    def _switch(self, target: str, fields: Mapping[str, str]) -> bytes:
        if fields.get("sec-fetch-site", "same-origin") not in {"same-origin", "none"}:
            return _written(403, "text/plain", "Switched only from this page.")
        found = re.fullmatch(r"/links/([a-z0-9-]+)/([a-z]+)", target)
        if found is None or found[1] not in self._links or found[2] not in STATES:
            return _written(404, "text/plain", "There is no such link.")
        self._links[found[1]][1].set(STATES[found[2]][1])
        return _written(303, "text/plain", "Switched.", "Location: /\r\n")

    def _told(self) -> dict[str, object]:
        return {
            name: {"title": title, "state": _state(link), "carried": link.carried, "connections": link.connections}
            for name, (title, link) in self._links.items()
        }

    def _page(self) -> str:
        parts = []
        for name, (title, link) in self._links.items():
            up, down = link.carried
            buttons = "".join(
                f'<button formaction="/links/{name}/{state}" aria-pressed="{"true" if state == _state(link) else "false"}">'
                f"{html.escape(words)}</button>"
                for state, (words, _) in STATES.items()
            )
            parts.append(
                f'<form method="post" data-link="{name}"><div><h2>{html.escape(title)}</h2>'
                f"<small>{up / 1000:,.0f} kB up, {down / 1000:,.0f} kB down so far</small></div>{buttons}</form>"
            )
        return (
            '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
            '<meta http-equiv="refresh" content="5"><title>Links of the demo</title><link rel="stylesheet" href="/style.css"></head>'
            "<body><h1>Links of the demo</h1><p>Each is a relay between real sockets. What you do to it here is done to the post.</p>"
            f"{''.join(parts)}</body></html>"
        )


def _state(link: SimulatedLink) -> str:
    return next((state for state, (_, conditions) in STATES.items() if conditions == link.conditions), "")


def _written(status: int, kind: str, text: str, extra: str = "") -> bytes:
    body = text.encode()
    words = {200: "OK", 303: "See Other", 403: "Forbidden", 404: "Not Found"}[status]
    head = (
        f"HTTP/1.1 {status} {words}\r\nContent-Type: {kind}; charset=utf-8\r\nContent-Length: {len(body)}\r\n{extra}"
        "Content-Security-Policy: default-src 'none'; style-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'\r\n"
        "X-Content-Type-Options: nosniff\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + body
