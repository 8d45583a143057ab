"""A real post, shared by the tests of the console, and a real Chromium."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright
from tests.e2e.post import RunningPost, running_post
from tests.e2e.watched import Watched

CHROMIUM = shutil.which("chromium") or ""
STATIC = Path(__file__).parents[2] / "src/longwatch/web/static/index.html"
FLAGS = [
    "--no-sandbox", "--headless=new", "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--no-first-run", "--autoplay-policy=no-user-gesture-required",
]  # fmt: skip


@pytest.fixture(scope="session")
def post(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPost]:
    if not STATIC.exists():
        pytest.skip("the pages are not built: run `make console`")
    yield from running_post(tmp_path_factory.mktemp("post"))


@pytest.fixture
def browser() -> Iterator[Browser]:
    """One for each test: Playwright's synchronous half keeps an event loop running in this thread as long as it lives, and
    no test that has a loop of its own could run beside it.
    """
    if not CHROMIUM:
        pytest.skip("there is no chromium: install the Debian package of that name")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture
def watched(post: RunningPost, browser: Browser) -> Iterator[Watched]:
    """A fresh visitor at the post's door."""
    context = browser.new_context(viewport={"width": 1440, "height": 900}, color_scheme="dark", reduced_motion="reduce")
    context.set_default_timeout(20_000)
    one = Watched(context.new_page(), post.address)
    one.listen()
    one.page.goto(post.address)
    yield one
    context.close()
