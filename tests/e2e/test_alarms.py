"""What a person meets of alarms and pauses: raised, answered with a reason, and nothing dismissed without one."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect
from tests.e2e.post import RunningPost
from tests.e2e.test_console import sign_in, until
from tests.e2e.watched import Watched

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("e2e")]


def test_a_silent_camera_raises_an_alarm_that_only_a_reason_ends(watched: Watched, post: RunningPost) -> None:
    page = watched.page
    sign_in(page)
    post.cameras.stop("yard")
    try:
        raised = page.locator("[data-alarm=camera_silent]:not(.over)", has_text="Equipment yard").filter(
            has=page.locator("button", has_text="Acknowledge…")
        )
        raised.first.wait_for()
        expect(page.get_by_role("button", name="alarm")).to_be_visible()
        page.reload()  # it is the post that keeps it
        raised.first.wait_for()
        page.evaluate("location.hash = '#/health'")
        page.reload()  # a page without the list says it too
        page.get_by_role("heading", name="Health", exact=True).wait_for()
        expect(page.get_by_role("button", name="alarm")).to_be_visible()
        page.get_by_role("button", name="alarm").click()  # and leads to them
        raised.first.get_by_role("button", name="Acknowledge…").click()
        form = page.locator("aside form")
        expect(form.get_by_role("button", name="Acknowledge")).to_be_disabled()
        form.get_by_label("Reason").fill("the mast is being painted")
        form.get_by_role("button", name="Acknowledge").click()
        expect(page.locator("[data-alarm=camera_silent]:not(.over)", has_text="Equipment yard")).to_have_count(0)
    finally:
        post.cameras.start("yard")
    known = page.evaluate("() => fetch('/api/v1/alarms?all=true').then(answer => answer.json())")["items"]
    mine = [alarm for alarm in known if alarm["camera"] == "yard" and alarm["acknowledged"]]
    assert "the mast is being painted" in [alarm["acknowledged"]["reason"] for alarm in mine]
    assert (watched.console, watched.foreign) == ([], [])


def test_a_pause_asks_a_reason_and_says_so_until_it_is_resumed(watched: Watched, post: RunningPost) -> None:
    page = watched.page
    sign_in(page)
    page.get_by_role("button", name="Open Pump hall large").click()
    page.get_by_role("button", name="Pause recording…").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("button", name="Pause", exact=True)).to_be_disabled()
    dialog.get_by_label("Reason").fill("work on the pumps")
    dialog.get_by_text("15 minutes").click()
    dialog.get_by_role("button", name="Pause", exact=True).click()
    page.locator("[data-stage=hall]").get_by_text("Paused by operator").wait_for()
    page.get_by_role("button", name="Resume recording").click()
    expect(page.get_by_role("button", name="Pause recording…")).to_be_visible()
    expect(page.locator("[data-stage=hall]").get_by_text("Paused by operator")).to_have_count(0)
    asked = "/api/v1/gaps?camera=hall&from=2020-01-01T00:00:00Z&to=2100-01-01T00:00:00Z"

    def causes() -> list[str]:
        gaps = page.evaluate("asked => fetch(asked).then(answer => answer.json())", asked)["items"]
        return [gap["cause"] for gap in gaps]

    until(lambda: "paused_by_operator" in causes(), "the gap has its cause", page)
    assert (watched.console, watched.foreign) == ([], [])
