"""The page as a person meets it: a real post with real cameras, in a real browser."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page
from tests.e2e.axe import violations
from tests.e2e.measured import holds, seconds_until
from tests.e2e.post import PASSWORD, USER, RunningPost
from tests.e2e.watched import Watched

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("e2e")]

LIVE = "[data-camera={}] .frame[data-live=yes]"
NOT_LIVE = "[data-camera={}] .frame[data-live=no]"
FRAMES = "selector => document.querySelector(selector)?.getVideoPlaybackQuality().totalVideoFrames ?? 0"
PLAYED = """() => {
  window.played = []
  const look = () => {
    const player = document.querySelector('.player')
    if (!player) return
    const now = { phase: player.dataset.phase, wall: Number(player.dataset.wall), says: player.innerText }
    const last = window.played.at(-1)
    if (!last || last.phase !== now.phase || last.says !== now.says || Math.abs(last.wall - now.wall) > 500) window.played.push(now)
  }
  new MutationObserver(look).observe(document.body, { subtree: true, childList: true, characterData: true, attributeFilter: ['data-phase', 'data-wall'] })
  look()
}"""
"""Notes what the player of recorded footage shows, says, and where it is."""


def until(condition: Callable[[], Any], what: str, page: Page, deadline_s: float = 120.0) -> Any:
    """Poll; the page's own loop runs meanwhile."""
    deadline = time.monotonic() + deadline_s
    while time.monotonic() < deadline:
        if found := condition():
            return found
        page.wait_for_timeout(100)
    raise AssertionError(f"not within {deadline_s} s: {what}")


def sign_in(page: Page, user: str = USER, at: str = "") -> None:
    """To the wall; or to another page at once, without live pictures that nobody looks at."""
    if at:
        page.evaluate("path => { location.hash = '#/' + path }", at)
    page.get_by_label("User", exact=True).fill(user)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    if at:
        page.get_by_role("button", name=f"Sign out {user}").wait_for()
    else:
        page.get_by_role("region", name="Live pictures").wait_for()


def recorded_lately(page: Page, camera: str, seconds: float) -> float:
    """Wait until the last seconds of a camera are recorded without a gap, up to what is durable by now: until then (Unix time, ms)."""
    whole = """async ([camera, seconds]) => {
      const { items } = await (await fetch('/api/v1/cameras')).json()
      const to = items.find(one => one.id === camera).recorded_until
      if (!to || Date.now() - Date.parse(to) > 15000) return false
      const from = new Date(Date.parse(to) - seconds * 1000).toISOString()
      const span = await (await fetch(`/api/v1/cameras/${camera}/timeline?from=${from}&to=${to}`)).json()
      return span.items.length > 0 && span.items.every(item => item.state === 'recorded') && Date.parse(to)
    }"""
    return float(
        until(lambda: page.evaluate(whole, [camera, seconds]), f"the last {seconds} s of {camera} are recorded", page)
    )


def click_timeline(page: Page, row: int, at_ms: float) -> None:
    """Where that moment stands on the lane of the row-th camera, in a view of a minute or so; wider where that moment is longer ago."""
    canvas = page.locator("canvas[role=slider]")
    view = "() => ['from', 'to'].map((end) => Number(document.querySelector('.dock').dataset[end]))"

    def span_ms() -> float:
        from_ms, to_ms = page.evaluate(view)
        return float(to_ms - from_ms)

    page.get_by_role("button", name="Now", exact=True).click()
    ago_ms = page.evaluate("() => Date.now()") - at_ms
    while (before := span_ms()) >= max(90_000, 3 * ago_ms):
        page.keyboard.press("+")
        until(lambda before=before: span_ms() < before, "the view is closer", page)
    page.get_by_role("button", name="Now", exact=True).click()

    def holds_it() -> bool:
        from_ms, to_ms = page.evaluate(view)
        return bool(from_ms < page.evaluate("() => Date.now()") < to_ms)

    until(holds_it, "the view is at now", page)
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    assert box is not None
    from_ms, to_ms = page.evaluate(view)
    assert from_ms < at_ms < to_ms
    x = box["width"] * (at_ms - from_ms) / (to_ms - from_ms)
    page.mouse.click(box["x"] + x, box["y"] + 24 + 28 * row + 14)


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
    behind = "() => [...document.querySelectorAll('article video')].map(v => v.buffered.length ? v.buffered.end(v.buffered.length - 1) - v.currentTime : 1e9)"
    until(lambda: max(page.evaluate(behind)) < 1.0, "every picture under a second behind what has arrived", page)
    page.get_by_text("All 3 record").wait_for()
    page.get_by_text("Every camera is recording.").wait_for()
    assert watched.console == []
    assert watched.foreign == []


@pytest.mark.long  # test_wall reads the same age from the details of a picture
def test_the_picture_is_under_a_second_old(watched: Watched) -> None:
    """From the camera's sample to the screen, by the post's clock, which is this machine's."""
    page = watched.page
    sign_in(page)
    page.wait_for_selector(LIVE.format("hall"))
    age = "() => Date.now() - Number(document.querySelector('[data-camera=hall] .frame').dataset.picture)"
    until(lambda: page.evaluate(age) < 1_000, "a picture younger than a second", page)


@pytest.mark.long  # test_wall goes from the one to the other, without a break
def test_a_small_tile_takes_the_sub_stream_and_the_large_one_the_main(watched: Watched) -> None:
    page = watched.page
    opened: list[str] = []
    page.on("websocket", lambda socket: opened.append(socket.url))
    sign_in(page)
    page.wait_for_selector(LIVE.format("gate"))
    assert any("gate/live?stream=sub" in url for url in opened)
    page.get_by_role("button", name="Open Main gate large").click()
    page.wait_for_selector("[data-stage=gate] .frame[data-live=yes]")  # of the small stream, until the other is there
    until(lambda: any("gate/live?stream=main" in url for url in opened), "the main stream is asked for", page)


def test_recorded_video_plays_from_where_the_timeline_was_clicked(watched: Watched) -> None:
    """Frames advance, the playhead is at the clicked moment and moves with wall time; keys do as the map says."""
    page = watched.page
    sign_in(page)
    page.wait_for_selector(LIVE.format("hall"))
    asked_ms = recorded_lately(page, "hall", 20) - 4_000  # it goes back by ten seconds and more
    clicked_ms = page.evaluate("() => Date.now()")
    click_timeline(page, 1, at_ms=asked_ms)
    page.wait_for_selector("[data-stage=hall] .player[data-phase=playing]")
    wall = "() => Number(document.querySelector('.player').dataset.wall)"
    first, now_ms = page.evaluate(f"() => [({wall})(), Date.now()]")
    assert -2_500 < first - asked_ms < 2_500 + (now_ms - clicked_ms), "it has played since, and no longer"
    frames = page.evaluate(FRAMES, ".player video")
    until(lambda: page.evaluate(FRAMES, ".player video") >= frames + 8, "recorded frames advance", page)
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
    at = page.evaluate(wall)
    page.keyboard.press("j")
    page.wait_for_selector(".player[data-rate='-1']")
    until(lambda: page.evaluate(wall) < at - 500, "backwards", page)
    page.keyboard.press("j")
    page.get_by_label("Speed").select_option("0.125")
    page.wait_for_selector(".player[data-rate='0.125'][data-phase=playing]")
    assert violations(page) == []
    page.keyboard.press("l")
    page.wait_for_selector("[data-stage=hall] .frame[data-live=yes]")
    assert watched.console == []
    assert watched.foreign == []


def stopped_and_marked(page: Page, post: RunningPost) -> float:
    """Seconds; the camera is back afterwards."""
    page.wait_for_selector(LIVE.format("yard"))
    page.wait_for_timeout(1_500)  # it has been live for a while, and is not judged in its first moments
    try:
        return seconds_until(page, NOT_LIVE.format("yard"), lambda: post.cameras.stop("yard"))
    finally:
        post.cameras.start("yard")


def test_a_stopped_camera_is_marked_within_two_seconds_and_never_looks_live(
    watched: Watched, post: RunningPost
) -> None:
    """Then it says why, and since when; and it is live again soon after the camera is back, its gap on the list."""
    page = watched.page
    sign_in(page)
    holds("a stopped camera is marked, seconds", page, lambda: stopped_and_marked(page, post), 2.0)
    page.wait_for_selector(LIVE.format("yard"))
    post.cameras.stop("yard")
    stopped = time.monotonic()
    try:
        page.wait_for_selector(NOT_LIVE.format("yard"))
        tile = page.locator("[data-camera=yard]")
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

    def marked() -> float:
        page.wait_for_selector(LIVE.format("yard"))
        page.wait_for_timeout(1_500)  # as above
        return seconds_until(page, NOT_LIVE.format("yard"), lambda: post.cameras.inject("yard", "stall", 4))

    holds("a silent camera is marked, seconds", page, marked, 2.0)
    page.wait_for_selector(LIVE.format("yard"))


def test_playback_says_what_it_skips_and_goes_on_after_it(watched: Watched, post: RunningPost) -> None:
    """A gap is never jumped in silence: its cause is read on the picture, and the playhead then stands behind it."""
    page = watched.page
    sign_in(page)
    page.wait_for_selector(LIVE.format("yard"))
    recorded_lately(page, "yard", 5)
    before_ms = page.evaluate("() => Date.now()") - 2_500
    post.cameras.inject("yard", "drop", 4)
    page.wait_for_selector(NOT_LIVE.format("yard"))
    page.wait_for_selector(LIVE.format("yard"))
    recorded_lately(page, "yard", 3)  # something behind the gap, accounted for
    page.evaluate(
        PLAYED
    )  # its cause stands there for two seconds or so: the page itself notes it, however late this test looks
    click_timeline(page, 2, at_ms=before_ms)
    page.wait_for_function(
        "() => window.played.some((each) => each.phase === 'gap' && each.says.includes('No video for'))"
    )
    page.wait_for_selector(".player[data-phase=playing]")
    wall = "() => Number(document.querySelector('.player').dataset.wall)"
    behind_ms = page.evaluate(wall)
    assert behind_ms > before_ms + 4_000
    frames = page.evaluate(FRAMES, ".player video")
    until(lambda: page.evaluate(FRAMES, ".player video") >= frames + 8, "frames advance behind the gap", page)

    def back() -> bool:
        """Ten seconds, and ten more where it has played further than that meanwhile."""
        page.keyboard.press("ArrowLeft")
        return bool(page.evaluate(wall) < behind_ms)

    page.evaluate("() => { window.played = [] }")
    until(back, "not behind the gap any more", page)
    # What was before it is wanted, after the cause was read.
    page.wait_for_function(
        """(most) => window.played.some((each) => each.phase === 'gap' && each.says.includes('No video for'))
          && window.played.some((each) => each.phase === 'playing' && each.wall < most)""",
        arg=before_ms + 4_000,
    )


def test_a_post_that_goes_and_comes_back_needs_no_reload(watched: Watched, post: RunningPost) -> None:
    page = watched.page
    sign_in(page)
    page.wait_for_selector(LIVE.format("hall"))
    post.stop()
    try:
        page.get_by_text("The post has not answered").wait_for()
        until(lambda: page.locator(".frame[data-live=yes]").count() == 0, "no tile claims to be live", page)
        page.locator("[data-camera=hall]").get_by_text("The post does not answer.").wait_for()
        page.locator("[data-camera=hall]").get_by_text("Recording not known").wait_for()
        assert page.get_by_text("Every camera is recording.").count() == 0
    finally:
        post.start()
    for camera in ("gate", "hall", "yard"):
        page.wait_for_selector(LIVE.format(camera))
    page.get_by_text("All 3 record").wait_for()


@pytest.mark.long  # so does test_review's, which reads its words too
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
