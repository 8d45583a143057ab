"""Somebody's browser, fresh; and what a page says and asks for, noted."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page
from tests.e2e.post import ADMIN, PASSWORD

# What keeps the shell fetches and compiles every page once more: only tests that are about it have it.
NO_WORKER = "ServiceWorkerContainer.prototype.register = () => Promise.reject(new Error('not in this test'))"


def visitor(browser: Browser, *, worker: bool = False, **how: Any) -> BrowserContext:
    """A browser that has never been here, at a desk unless told otherwise. worker: with the page's service worker."""
    desk = {"viewport": {"width": 1440, "height": 900}, "color_scheme": "dark", "reduced_motion": "reduce"}
    context = browser.new_context(**{**desk, **how})
    context.set_default_timeout(120_000)
    if not worker:
        context.add_init_script(NO_WORKER)
    return context


@dataclass
class Watched:
    """A page, and what it said and asked for that it should not have."""

    page: Page
    address: str
    console: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)

    def listen(self) -> None:
        self.page.on("console", self._said)
        self.page.on("pageerror", lambda error: self.console.append(str(error)))
        self.page.on("request", lambda request: self._asked(request.url))
        self.page.on("websocket", lambda opened: self._asked(opened.url))

    def _said(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.console.append(f"{message.text} ({message.location.get('url', '')})")

    def _asked(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in {"blob", "data"} and parts.netloc != urlsplit(self.address).netloc:
            self.foreign.append(url)


@contextlib.contextmanager
def admin_at(browser: Browser, address: str, **how: Any) -> Iterator[Watched]:
    """A page of the admin, by day, where no live pictures play that nobody looks at. By the end of the block it has complained of nothing, and asked nobody else."""
    context = visitor(browser, base_url=address, **{"color_scheme": "light", **how})
    one = Watched(context.new_page(), address)
    one.listen()
    one.page.goto(f"{address}/#/audit")
    one.page.get_by_label("User", exact=True).fill(ADMIN)
    one.page.get_by_label("Password", exact=True).fill(PASSWORD)
    one.page.get_by_role("button", name="Sign in", exact=True).click()
    one.page.get_by_role("button", name=f"Sign out {ADMIN}").wait_for()
    yield one
    assert (one.console, one.foreign) == ([], [])
    context.close()
