"""What a page says and asks for, noted."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import urlsplit

from playwright.sync_api import Page


@dataclass
class Watched:
    """A page, and what it said and asked for that it should not have."""

    page: Page
    address: str
    console: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)

    def listen(self) -> None:
        self.page.on("console", lambda m: self.console.append(m.text) if m.type in {"error", "warning"} else None)
        self.page.on("pageerror", lambda error: self.console.append(str(error)))
        self.page.on("request", lambda request: self._asked(request.url))
        self.page.on("websocket", lambda opened: self._asked(opened.url))

    def _asked(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in {"blob", "data"} and parts.netloc != urlsplit(self.address).netloc:
            self.foreign.append(url)
