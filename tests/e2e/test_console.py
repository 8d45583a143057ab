"""The page as a person meets it: a real post with real cameras, in a real browser."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page
from tests.e2e.post import PASSWORD, USER, RunningPost
from tests.e2e.watched import Watched

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("e2e")]

LIVE = "[data-camera={}] .frame[data-live=yes]"
NOT_LIVE = "[data-camera={}] .frame[data-live=no]"
FRAMES = "selector => document.querySelector(selector).getVideoPlaybackQuality().totalVideoFrames"


def until(condition: Callable[[], Any], what: str, page: Page, deadline_s: float = 20.0) -> Any:
    """Poll; the page's own loop runs meanwhile."""
    deadline = time.monotonic() + deadline_s
    while time.monotonic() < deadline:
        if found := condition():
            return found
        page.wait_for_timeout(50)
    raise AssertionError(f"not within {deadline_s} s: {what}")


def sign_in(page: Page) -> None:
    page.get_by_label("User", exact=True).fill(USER)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("region", name="Live pictures").wait_for()


def click_timeline(page: Page, row: int, seconds_ago: float) -> None:
    """Where that moment stands on the lane of the row-th camera, at the closest view."""
    canvas = page.locator("canvas[tabindex]")
    for _ in range(10):
        page.keyboard.press("+")
    page.get_by_role("button", name="Now", exact=True).click()
    page.wait_for_timeout(100)
    box = canvas.bounding_box()
    assert box is not None
    # A minute is shown, and six parts in a hundred of it lie ahead of now.
    x = box["width"] * (0.94 - seconds_ago / 60.0)
    canvas.click(position={"x": x, "y": 24 + 28 * row + 14})


def test_a_wrong_password_is_refused_in_words(watched: Watched) -> None:
    page = watched.page
    page.get_by_label("User", exact=True).fill(USER)
    page.get_by_label("Password", exact=True).fill("not this one, surely")
    page.get_by_role("button", name="Sign in").click()
    page.get_by_text("This name and password do not fit.").wait_for()
    assert not page.get_by_role("region", name="Live pictures").is_visible()


def test_the_wall_is_live_and_says_nothing_to_the_console(watched: Watched) -> None:
    """Decoded frames advance on every tile, under a second behind, from this origin alone."""
    page = watched.page
    sign_in(page)
    for camera in ("gate", "hall", "yard"):
        page.wait_for_selector(LIVE.format(camera))
        video = f"[data-camera={camera}] video"
        before = page.evaluate(FRAMES, video)
        until(lambda v=video, b=before: page.evaluate(FRAMES, v) >= b + 10, f"frames of {camera} advance", page)
    behind = "() => [...document.querySelectorAll('article video')].map(v => v.buffered.end(v.buffered.length - 1) - v.currentTime)"
    until(lambda: max(page.evaluate(behind)) < 1.0, "every picture under a second behind what has arrived", page)
    page.get_by_text("All 3 record").wait_for()
    page.get_by_text("Every camera is recording.").wait_for()
    assert watched.console == []
    assert watched.foreign == []


def test_the_picture_is_under_a_second_old(watched: Watched) -> None:
    """From the camera's sample to the screen, by the post's clock, which is this machine's."""
    page = watched.page
    sign_in(page)
    page.wait_for_selector(LIVE.format("hall"))
    age = "() => Date.now() - Number(document.querySelector('[data-camera=hall] .frame').dataset.picture)"
    until(lambda: page.evaluate(age) < 1_000, "a picture younger than a second", page)


def test_a_small_tile_takes_the_sub_stream_and_the_large_one_the_main(watched: Watched) -> None:
    page = watched.page
    opened: list[str] = []
    page.on("websocket", lambda socket: opened.append(socket.url))
    sign_in(page)
    page.wait_for_selector(LIVE.format("gate"))
    assert any("gate/live?stream=sub" in url for url in opened)
    page.get_by_role("button", name="Open Main gate large").click()
    page.wait_for_selector("[data-stage=gate] .frame[data-live=yes]")
    assert any("gate/live?stream=main" in url for url in opened)


def test_recorded_video_plays_from_where_the_timeline_was_clicked(watched: Watched) -> None:
    """Frames advance, the playhead is at the clicked moment and moves with wall time; keys do as the map says."""
    page = watched.page
    sign_in(page)
    page.wait_for_selector(LIVE.format("hall"))
    page.wait_for_timeout(6_000)  # something to have been recorded
    asked_ms = page.evaluate("() => Date.now()") - 5_000
    click_timeline(page, 1, seconds_ago=5.0)
    page.wait_for_selector("[data-stage=hall] .player[data-phase=playing]")
    wall = "() => Number(document.querySelector('.player').dataset.wall)"
    first = page.evaluate(wall)
    assert abs(first - asked_ms) < 2_500
    frames = page.evaluate(FRAMES, ".player video.front")
    until(lambda: page.evaluate(FRAMES, ".player video.front") >= frames + 8, "recorded frames advance", page)
    assert page.evaluate(wall) > first
    page.keyboard.press(" ")
    page.wait_for_selector(".player[data-phase=paused]")
    at = page.evaluate(wall)
    page.keyboard.press(",")
    until(lambda: 40 <= at - page.evaluate(wall) <= 260, "one frame back", page)
    page.keyboard.press("ArrowDown")
    until(lambda: 900 <= at - page.evaluate(wall) <= 1_500, "one second back", page)
    page.get_by_role("button", name="10 seconds back").click()
    page.keyboard.press(" ")  # the pointer's button has given the keys back
    page.wait_for_selector(".player[data-phase=playing]")
    page.keyboard.press("l")
    page.wait_for_selector("[data-stage=hall] .frame[data-live=yes]")
    assert watched.console == []
    assert watched.foreign == []


def test_a_stopped_camera_is_marked_within_two_seconds_and_never_looks_live(
    watched: Watched, post: RunningPost
) -> None:
    """Then it says why, and since when; and it is live again soon after the camera is back, its gap on the list."""
    page = watched.page
    sign_in(page)
    page.wait_for_selector(LIVE.format("yard"))
    page.wait_for_timeout(1_500)
    post.cameras.stop("yard")
    stopped = time.monotonic()
    try:
        page.wait_for_selector(NOT_LIVE.format("yard"))
        assert time.monotonic() - stopped < 2.0
        tile = page.locator("article[data-camera=yard]")
        tile.get_by_text("Last picture").wait_for()
        tile.get_by_text("Not recording").wait_for()
        page.get_by_role("complementary", name="Account").get_by_text("Camera unreachable").first.wait_for()
        while time.monotonic() - stopped < 5.0:
            assert page.locator(LIVE.format("yard")).count() == 0
            page.wait_for_timeout(100)
    finally:
        post.cameras.start("yard")
    page.wait_for_selector(LIVE.format("yard"))
    page.get_by_text("Every camera is recording.").wait_for()
    gaps = page.get_by_role("complementary", name="Account").get_by_role("listitem")
    until(
        lambda: gaps.filter(has_text="Equipment yard").filter(has_text="Camera").count() > 0, "its gap is listed", page
    )
    assert watched.foreign == []


def test_a_silent_camera_is_marked_too(watched: Watched, post: RunningPost) -> None:
    """Connected, and nothing comes: the worst of lies would be its last picture."""
    page = watched.page
    sign_in(page)
    page.wait_for_selector(LIVE.format("yard"))
    page.wait_for_timeout(1_500)
    post.cameras.inject("yard", "stall", 4)
    asked = time.monotonic()
    page.wait_for_selector(NOT_LIVE.format("yard"))
    assert time.monotonic() - asked < 2.0
    page.wait_for_selector(LIVE.format("yard"))


def test_playback_says_what_it_skips_and_goes_on_after_it(watched: Watched, post: RunningPost) -> None:
    """A gap is never jumped in silence: its cause is read on the picture, and the playhead then stands behind it."""
    page = watched.page
    sign_in(page)
    page.wait_for_selector(LIVE.format("yard"))
    page.wait_for_timeout(6_000)
    before_ms = page.evaluate("() => Date.now()") - 2_500
    post.cameras.inject("yard", "drop", 4)
    page.wait_for_selector(NOT_LIVE.format("yard"))
    page.wait_for_selector(LIVE.format("yard"))
    page.wait_for_timeout(5_000)  # something behind the gap, accounted for
    now_ms = page.evaluate("() => Date.now()")
    click_timeline(page, 2, seconds_ago=(now_ms - before_ms) / 1_000)
    page.wait_for_selector("[data-stage=yard] .player[data-phase=playing]")
    page.wait_for_selector(".player[data-phase=gap]")
    page.locator(".player").get_by_text("No video for").wait_for()
    page.wait_for_selector(".player[data-phase=playing]")
    wall = page.evaluate("() => Number(document.querySelector('.player').dataset.wall)")
    assert wall > before_ms + 4_000
    frames = page.evaluate(FRAMES, ".player video.front")
    until(lambda: page.evaluate(FRAMES, ".player video.front") >= frames + 8, "frames advance behind the gap", page)


def test_a_post_that_goes_and_comes_back_needs_no_reload(watched: Watched, post: RunningPost) -> None:
    page = watched.page
    sign_in(page)
    page.wait_for_selector(LIVE.format("hall"))
    post.stop()
    try:
        page.get_by_text("The post has not answered").wait_for()
        until(lambda: page.locator(".frame[data-live=yes]").count() == 0, "no tile claims to be live", page, 5.0)
        page.locator("article[data-camera=hall]").get_by_text("The post does not answer.").wait_for()
        page.locator("article[data-camera=hall]").get_by_text("Recording not known").wait_for()
        assert page.get_by_text("Every camera is recording.").count() == 0
    finally:
        post.start()
    for camera in ("gate", "hall", "yard"):
        page.wait_for_selector(LIVE.format(camera))
    page.get_by_text("All 3 record").wait_for()


def test_the_keyboard_map_opens_and_closes(watched: Watched) -> None:
    page = watched.page
    sign_in(page)
    page.keyboard.press("?")
    page.get_by_role("dialog", name="Keyboard").wait_for()
    page.keyboard.press("Escape")
    page.get_by_role("dialog", name="Keyboard").wait_for(state="hidden")


def test_signing_out_ends_it(watched: Watched) -> None:
    page = watched.page
    sign_in(page)
    page.get_by_role("button", name="Sign out").click()
    page.get_by_role("heading", name="Sign in").wait_for()
    page.reload()
    page.get_by_role("heading", name="Sign in").wait_for()
