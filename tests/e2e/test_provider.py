"""Signing in by a provider of identities in the browser: the button, the way there and back, and what is said where it fails."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect
from tests.e2e.axe import violations
from tests.e2e.conftest import STATIC
from tests.support.provider import CLIENT, SECRET, FakeProvider, running_provider
from tests.support.site import Running, running_site

from longwatch.accounts import Role
from longwatch.accounts.provider import ProviderOptions
from longwatch.base.clock import ManualClock

pytestmark = pytest.mark.slow


@pytest.fixture
def both(tmp_path: Path) -> Iterator[tuple[Running, FakeProvider]]:
    """A site and a provider on a loop of their own thread: Playwright's synchronous half has the loop of this one."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    stack = contextlib.AsyncExitStack()

    async def begin() -> tuple[Running, FakeProvider]:
        clock = ManualClock()
        provider = await stack.enter_async_context(running_provider(clock))
        roles = (("rangers", Role.VIEWER),)
        options = ProviderOptions(provider.issuer, CLIENT, SECRET, "Head office", role_claim="groups", roles=roles)
        site = running_site(tmp_path, static=STATIC.parent, clock=clock, provider=options)
        return await stack.enter_async_context(site), provider

    try:
        yield asyncio.run_coroutine_threadsafe(begin(), loop).result(120)
    finally:
        asyncio.run_coroutine_threadsafe(stack.aclose(), loop).result(120)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(60)
        loop.close()


def test_the_button_leads_there_and_back(both: tuple[Running, FakeProvider], browser: Browser) -> None:
    site, provider = both
    context = browser.new_context(locale="en-GB", reduced_motion="reduce")
    context.set_default_timeout(120_000)
    page = context.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(site.base)
    button = page.get_by_role("button", name="Continue with Head office")
    button.wait_for()
    assert violations(page) == []
    assert all(url.startswith((site.base, "data:", "blob:")) for url in asked), "nobody asked for the provider yet"

    provider.claims["groups"] = []
    button.click()
    expect(page.get_by_role("alert")).to_contain_text("The provider knows you, and this post does not.")
    assert "way=" not in page.url
    provider.refuses = True
    button.click()
    expect(page.get_by_role("alert")).to_contain_text("The provider let nobody in.")
    provider.refuses, provider.claims["groups"] = False, ["rangers"]
    button.click()
    page.get_by_role("button", name="Sign out oda").wait_for()
    assert "way=" not in page.url
    page.goto(f"{site.base}/#/profile")
    expect(page.get_by_text(provider.issuer)).to_be_visible()
    expect(page.get_by_text("This account has no password.")).to_be_visible()
    context.close()
