"""New versions at a hub, in a browser over the real desk: a bundle is given, ordered for posts, followed through its stages, stopped and forgotten."""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Page, async_playwright, expect
from tests.e2e.axe import AXE, RULES
from tests.e2e.conftest import CHROMIUM, DEADLINE_MS, FLAGS, STATIC
from tests.support.site import PASSWORD, Running, running_site
from tests.unit.node.hub.test_upgrades import POSTS, Case
from tests.unit.web.test_posts import Posts, item

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]
expect.set_options(timeout=120_000)
SHOTS = os.environ.get("LONGWATCH_SHOTS")


class Named(Posts):
    """The posts of the case."""

    def items(self) -> list[dict[str, Any]]:
        return [item(post, version="1.0.0", cameras=2, recording=2) for post in [*POSTS, "old-tower"]]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Running]:
    if not STATIC.exists() or not CHROMIUM:
        pytest.skip("the pages are not built (`make console`), or there is no chromium")
    async with running_site(tmp_path_factory.mktemp("hub"), static=STATIC.parent) as running:
        running.deps.posts = Named()
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def case(site: Running, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Case]:
    made = Case(tmp_path_factory.mktemp("case"))
    made.uplinks.here |= set(POSTS)
    made.hub.fleet.add_post("old-tower", "Old tower", "", "longwatch/old-tower/x/1", bytes(32))
    site.deps.upgrades = made.desk
    yield made
    made.hub.close()


@pytest_asyncio.fixture(loop_scope="module")
async def page(site: Running) -> AsyncIterator[Page]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS, timeout=DEADLINE_MS)
        context = await browser.new_context(
            viewport={"width": 1440, "height": 900}, color_scheme="dark", reduced_motion="reduce", locale="en-GB"
        )
        context.set_default_timeout(120_000)
        answer = await context.request.post(
            f"{site.base}/api/v1/login", data=json.dumps({"name": "ada", "password": PASSWORD}),
            headers={"Content-Type": "application/json", "Origin": site.base},
        )  # fmt: skip
        assert answer.ok, await answer.text()
        opened = await context.new_page()
        await opened.goto(site.base)
        await opened.evaluate("localStorage.setItem('longwatch-signed-in', 'yes')")
        await opened.goto(f"{site.base}/#/upgrades")
        await opened.reload()
        yield opened
        await browser.close()


async def wrong(page: Page) -> list[str]:
    """What axe finds."""
    if not await page.evaluate("() => 'axe' in window"):
        await page.evaluate(AXE.read_text("utf-8"))
    found = await page.evaluate(
        "rules => axe.run(document, {runOnly: {type: 'tag', values: rules}, resultTypes: ['violations']})", RULES
    )
    return [f"{one['id']}: {[node['target'] for node in one['nodes']]}" for one in found["violations"]]


async def shot(page: Page, name: str) -> None:
    """For eyes, where somebody asks for them."""
    if SHOTS is None:
        return
    for scheme in ("dark", "light"):
        for width, height in ((1440, 900), (390, 844)):
            await page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]  # one of its words
            await page.set_viewport_size({"width": width, "height": height})
            await page.screenshot(path=Path(SHOTS) / f"{name}-{scheme}-{width}.png")
    await page.set_viewport_size({"width": 1440, "height": 900})


async def test_a_release_is_given_ordered_followed_stopped_and_forgotten(site: Running, case: Case, page: Page) -> None:
    await expect(page.get_by_text("This hub was given no bundle yet.")).to_be_visible()
    await page.get_by_role("button", name="Give a bundle").click()
    dialog = page.get_by_role("dialog")
    await dialog.locator("input[type=file]").set_input_files(case.bundle)
    await dialog.get_by_label("Reason").fill("fixes the gate camera")
    assert await wrong(page) == []
    await shot(page, "add")
    await dialog.get_by_role("button", name="Give it to this hub").click()
    row = page.locator("[data-release='1.2.3']")
    await expect(row).to_contain_text("ada")

    await row.get_by_role("button", name="Send to posts").click()
    for post in ("East", "North", "West"):
        await dialog.get_by_role("checkbox", name=post).check()
    await dialog.get_by_label("Tries it for all").select_option("north")
    await dialog.get_by_text("1 post cannot take it from here").click()
    await expect(dialog.get_by_text("Its settings take no new version from a hub")).to_be_visible()
    await dialog.get_by_label("Reason").fill("the gate camera again")
    assert await wrong(page) == []
    await shot(page, "send")
    await dialog.get_by_role("button", name="Send to posts").click()
    stage = {post: page.locator(f"[data-rollout='1'] [data-post='{post}']") for post in POSTS}
    await expect(stage["north"]).to_contain_text("tries it for all")
    await case.desk.look()
    await case.says("north", "trial", stage="waiting")
    await case.fetch("north", case.bundle.stat().st_size // 2)
    await expect(stage["north"]).to_have_attribute("data-stage", "travelling")
    await expect(stage["north"].get_by_role("progressbar")).to_be_visible()
    await expect(stage["east"]).to_have_attribute("data-stage", "queued")
    assert await wrong(page) == []
    await shot(page, "travelling")
    await case.says("north", "trial", stage="trial")
    await expect(stage["north"]).to_contain_text("Runs, on trial")
    await case.says("north", "done")
    await expect(stage["east"]).to_have_attribute("data-stage", "told")
    await case.says("east", "returned", why="gate did not record again")
    await expect(page.locator("[data-rollout='1']")).to_have_attribute("data-state", "stopped")
    await expect(stage["east"]).to_contain_text("Went back to the old version")
    await shot(page, "stopped")

    await row.get_by_role("button", name="Send to posts").click()
    await dialog.get_by_role("checkbox", name="West").check()
    await dialog.get_by_label("Reason").fill("once more")
    await dialog.get_by_role("button", name="Send to posts").click()
    second = page.locator("[data-rollout='2']")
    await expect(second).to_have_attribute("data-state", "running")
    await expect(row.get_by_role("button", name="Forget")).to_be_disabled()
    await second.get_by_role("button", name="Stop it").click()
    await dialog.get_by_label("Reason").fill("the wrong one")
    await dialog.get_by_role("button", name="Stop it").click()
    await expect(second).to_have_attribute("data-state", "stopped")
    await row.get_by_role("button", name="Forget").click()
    await dialog.get_by_label("Reason").fill("old")
    await dialog.get_by_role("button", name="Forget it").click()
    await expect(page.get_by_text("This hub was given no bundle yet.")).to_be_visible()
    assert site.deps.posts is not None
