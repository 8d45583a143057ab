"""A post that nobody has set up: the page asks for the code, makes the first user, and says that there is no camera."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser
from tests.e2e.post import Cameras, RunningPost

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("e2e")]


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[RunningPost]:
    cameras = Cameras()
    post = RunningPost(tmp_path, cameras)
    post.write_settings({})
    try:
        post.start()
        yield post
    finally:
        post.stop()
        cameras.close()


def test_the_first_user_is_made_with_the_code(fresh: RunningPost, browser: Browser) -> None:
    context = browser.new_context()
    context.set_default_timeout(15_000)
    page = context.new_page()
    page.goto(fresh.address)
    page.get_by_role("heading", name="Set up this post").wait_for()
    page.get_by_label("New user").fill("kari")
    page.get_by_label("Password", exact=True).fill("a few quiet words")
    page.get_by_label("Password again").fill("a few quiet words")
    page.get_by_label("Set-up code").fill("not-the-code")
    page.get_by_role("button", name="Set up and sign in").click()
    page.get_by_role("alert").filter(has_text="code").wait_for()
    page.get_by_label("Set-up code").fill((fresh.data / "setup-code").read_text("ascii").strip())
    page.get_by_role("button", name="Set up and sign in").click()
    page.get_by_role("heading", name="No cameras yet").wait_for()
    page.get_by_role("button", name="Sign out kari").click()
    page.get_by_role("heading", name="Sign in").wait_for()
    context.close()
