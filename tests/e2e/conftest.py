"""A real post, shared by the tests of the console, and a real Chromium."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Playwright, expect, sync_playwright
from tests.e2e.post import RunningPost, running_post
from tests.e2e.watched import Watched, visitor

# The one without windows needs less than half the processor of the other, which makes a whole desktop browser around each page.
SHELL = shutil.which("chromium-headless-shell") or ""
WHOLE = shutil.which("chromium") or ""
CHROMIUM = SHELL or WHOLE
DEADLINE_MS = 120_000
"""The machine of a test may be slow, or busy with others: it only bounds a failure."""
expect.set_options(timeout=DEADLINE_MS)
STATIC = Path(__file__).parents[2] / "src/longwatch/web/static/index.html"
COMMON = [
    "--no-sandbox", "--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run",
    "--autoplay-policy=no-user-gesture-required",
]  # fmt: skip
WHOLE_FLAGS = [*COMMON, "--headless=new", "--disable-gpu-rasterization"]
FLAGS = COMMON if SHELL else WHOLE_FLAGS


@pytest.fixture(scope="session")
def post(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPost]:
    if not STATIC.exists():
        pytest.skip("the pages are not built: run `make console`")
    yield from running_post(tmp_path_factory.mktemp("post"))


class Kept:
    """One Chromium for file after file. Playwright's synchronous half keeps an event loop running in this thread as long as it lives, and no test that
    has a loop of its own could run beside it: so it ends before a test that does not use it. Owner of both: this object.
    """

    def __init__(self) -> None:
        self._playwright: Playwright | None = None
        self._browser: Browser | None = None

    def browser(self) -> Browser:
        if self._browser is None or not self._browser.is_connected():
            self.close()
            self._playwright = sync_playwright().start()
            self._browser = self._playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS, timeout=DEADLINE_MS)
        return self._browser

    def close(self) -> None:
        browser, playwright = self._browser, self._playwright
        self._browser = self._playwright = None
        if browser is not None:
            browser.close()
        if playwright is not None:
            playwright.stop()


KEPT = Kept()


@pytest.hookimpl(tryfirst=True)  # before the fixtures of the test, which may want a loop
def pytest_runtest_setup(item: pytest.Item) -> None:
    if "chromium" not in getattr(item, "fixturenames", ()):
        KEPT.close()


def pytest_sessionfinish() -> None:
    KEPT.close()


@pytest.fixture(scope="module")
def chromium() -> Browser:
    if not CHROMIUM:
        pytest.skip("there is no chromium: install the Debian package of that name")
    return KEPT.browser()


@pytest.fixture
def browser(chromium: Browser) -> Iterator[Browser]:
    """For one test: whatever it opened is closed behind it."""
    yield chromium
    for context in chromium.contexts:
        context.close()


@pytest.fixture
def watched(post: RunningPost, browser: Browser) -> Iterator[Watched]:
    """A fresh visitor at the post's door."""
    context = visitor(browser)
    one = Watched(context.new_page(), post.address)
    one.listen()
    one.page.goto(post.address)
    yield one
    context.close()
