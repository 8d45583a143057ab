"""The page for masks and shades, in a browser against a post of its own: drawn by pointer and keys, saved with a reason, and nothing
below a mask seen any more.
"""

from __future__ import annotations

import io
import time
from array import array
from collections.abc import Iterator
from pathlib import Path

import av
import pytest
from playwright.sync_api import Browser, Page, expect
from tests.e2e.axe import violations
from tests.e2e.post import RunningPost, post_of_its_own
from tests.e2e.watched import admin_at
from tests.support.painted import bright_clip, brightest
from tests.support.wait import until_now

from longwatch.detection.heat_hours import CELLS, COLUMNS, HOUR_US, HeatHours
from longwatch.simulate.camera import SimulatedCamera

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("e2e-masks")]
# Of a picture that begins anew, as it may on a busy machine, the count goes on.
FRAMES = """(of) => new Promise((done) => {
  let frames = 0
  const counted = new WeakSet()
  const look = setInterval(() => {
    for (const video of document.querySelectorAll(of)) {
      if (counted.has(video)) continue
      counted.add(video)
      const seen = () => { frames += 1; video.requestVideoFrameCallback(seen) }
      video.requestVideoFrameCallback(seen)
    }
    if (frames >= 20) { clearInterval(look); done(frames) }
  }, 100)
  setTimeout(() => done(frames), 100000)
})"""


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPost]:
    """A post that this file may change: one camera, bright all over."""
    folder = tmp_path_factory.mktemp("masks")
    clip, modern = bright_clip(folder / "bright.mp4"), bright_clip(folder / "modern.mp4", "libx265")
    cameras = {
        "gate": ("Main gate", lambda: SimulatedCamera({"main": clip})),
        "tower": ("Tower", lambda: SimulatedCamera({"main": modern})),
    }
    with post_of_its_own(folder, cameras, _moved) as post:
        yield post


def _moved(post: RunningPost) -> None:
    """What moved in the last day at the tower: a road along the lower edge in every hour, and a path at the top right in some. The hour that
    comes is there too: the last 24 are 24, whether or not the clock strikes while it is looked at.
    """
    week, now_us = HeatHours(), time.time_ns() // 1000
    for ago in reversed(range(-1, 24)):
        cells = array("H", [0]) * CELLS
        for x in range(COLUMNS):
            cells[30 * COLUMNS + x] = cells[31 * COLUMNS + x] = 1200 + 10 * x
        if ago % 4 == 0:
            for y in range(2, 9):
                cells[y * COLUMNS + 50 + y] = 400
        week.add(now_us - ago * HOUR_US, 36_000, cells.tobytes())
    folder = post.data / "derived" / "looking"
    folder.mkdir(parents=True)
    (folder / "tower.movement").write_bytes(week.saved())


@pytest.fixture
def page(own: RunningPost, browser: Browser) -> Iterator[Page]:
    with admin_at(browser, own.address) as one:
        until_now(lambda: _still(one.page) is not None, "there is a picture to draw on", every_s=0.3)
        one.page.goto(f"{own.address}/#/masks/gate")
        expect(one.page.get_by_role("heading", name="Masks and zones of Main gate")).to_be_visible()
        picture = one.page.get_by_role("group", name="Picture of Main gate").locator("img")
        until_now(
            lambda: picture.evaluate("image => image.complete && image.naturalWidth > 0"),
            "it has the picture's shape",
            every_s=0.1,
        )
        yield one.page


def _still(page: Page) -> av.VideoFrame | None:
    answer = page.request.get("/api/v1/cameras/gate/still.jpg")
    if answer.status != 200:
        return None
    with av.open(io.BytesIO(answer.body())) as picture:
        return next(picture.decode(video=0)).reformat(format="yuv420p")


def test_a_mask_is_drawn_said_what_it_costs_and_saved_with_a_reason(
    page: Page, own: RunningPost, tmp_path: Path
) -> None:
    page.get_by_role("button", name="New mask").click()
    name = page.get_by_role("region", name="Masks").get_by_role("textbox", name="Name")
    expect(name).to_have_value("Mask 1")
    name.fill("window")
    handle = page.get_by_role("button", name="Point 1 of window")
    before = handle.bounding_box()
    assert before is not None
    handle.focus()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Shift+ArrowUp")

    def moved() -> bool:
        after = handle.bounding_box()
        return after is not None and after["x"] < before["x"] and after["y"] < before["y"] - 5

    until_now(moved, "the point follows the keys")
    page.keyboard.press("+")
    expect(page.get_by_role("button", name="of window, ")).to_have_count(5)
    page.keyboard.press("Delete")
    expect(page.get_by_role("button", name="of window, ")).to_have_count(4)
    stage = page.get_by_role("group", name="Picture of Main gate").bounding_box()
    assert stage is not None
    corner = page.get_by_role("button", name="Point 3 of window").bounding_box()
    assert corner is not None
    page.mouse.move(corner["x"] + 14, corner["y"] + 14)
    page.mouse.down()
    page.mouse.move(stage["x"] + stage["width"] * 0.9, stage["y"] + stage["height"] * 0.9, steps=4)
    page.mouse.up()
    expect(page.get_by_role("button", name="Point 3 of window, 90 % from the left, 90 % from the top")).to_be_visible()
    page.get_by_role("button", name="New shade").click()
    page.get_by_role("button", name="Save…").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_text("The mask window is new: what it covers is not recorded any more.")).to_be_visible()
    expect(dialog.get_by_text("of one processor core")).to_be_visible()
    expect(dialog.get_by_text("What was recorded before stays as it was.")).to_be_visible()
    assert violations(page) == []
    dialog.get_by_role("textbox", name="Reason").fill("the neighbour asked for it")
    dialog.get_by_role("button", name="Save").click()
    expect(dialog).to_have_count(0)
    assert "window" in own.settings.read_text()
    until_now(lambda: _masked(page), "the pictures are masked", every_s=0.3)


def _masked(page: Page) -> bool:
    frame = _still(page)
    return frame is not None and brightest(frame, 0.5, 0.5, 0.6, 0.6)[0] < 50


def test_the_page_has_no_barrier_and_says_what_is_wrong(page: Page) -> None:
    assert violations(page) == []
    page.get_by_role("button", name="New mask").click()
    name = page.get_by_role("region", name="Masks").get_by_role("textbox", name="Name").last
    name.fill("")
    expect(page.get_by_text("It needs a name.")).to_be_visible()
    expect(page.get_by_role("button", name="Save…")).to_be_disabled()
    name.fill("crooked")
    point = page.get_by_role("button", name="Point 1 of crooked")
    point.focus()
    for _ in range(6):
        page.keyboard.press("Shift+ArrowRight")
    for _ in range(2):
        page.keyboard.press("Shift+ArrowDown")
    expect(page.get_by_text("Its edges cross each other.")).to_be_visible()
    assert violations(page) == []
    page.get_by_role("button", name="Undo all").click()
    expect(page.get_by_text("Its edges cross each other.")).to_have_count(0)


def test_what_moves_where_lies_over_the_picture_and_helps_to_draw_a_zone(page: Page) -> None:
    page.evaluate("() => { location.hash = '#/masks/tower' }")
    expect(page.get_by_role("heading", name="Masks and zones of Tower")).to_be_visible()
    stage = page.get_by_role("group", name="Picture of Tower")
    expect(stage.locator("canvas")).to_have_count(0)
    page.get_by_role("switch", name="Show it on the picture").check()
    part = page.get_by_role("region", name="What moves where")
    expect(part.get_by_text("Most moves at the bottom: 3 min 3 s an hour.")).to_be_visible()
    rows = part.get_by_role("row")
    expect(rows.nth(1)).to_contain_text("24 of 24 nearly always")
    expect(rows.nth(2)).to_contain_text("at the top right")
    expect(part.get_by_text("more likely a tree, a flag or a road")).to_be_visible()
    painted = """canvas => { const all = canvas.getContext('2d').getImageData(0, 0, 64, 36).data; return [all[4 * (63 + 64 * 30) + 3], all[4 * (20 + 64 * 15) + 3]] }"""
    assert stage.locator("canvas").evaluate(painted) == [240, 0]
    assert violations(page) == []
    part.get_by_role("button", name="Draw a zone at 1, at the bottom").click()
    name = page.get_by_role("region", name="Zones", exact=True).get_by_role("textbox", name="Name")
    name.fill("Road")
    expect(part.get_by_role("rowheader", name="in the zone Road")).to_be_visible()
    expect(page.get_by_role("button", name="Point 1 of Road, 0 % from the left, 78 % from the top")).to_be_visible()
    assert violations(page) == []
    part.get_by_role("combobox").select_option("the last 3 hours")
    expect(rows.nth(1)).to_contain_text("3 of 3")
    expect(part.get_by_text("nearly always")).to_have_count(0)
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")
    assert violations(page) == []


def test_a_shade_lies_over_live_and_recorded_pictures_and_says_what_it_is(page: Page) -> None:
    """Of the camera that the first test gave a mask and a shade."""
    cameras = page.request.get("/api/v1/cameras").json()["items"]
    (gate,) = [camera for camera in cameras if camera["id"] == "gate"]
    if not gate["shades"]:
        patch = {"patch": {"shades": [{"name": "road", "polygon": [[0, 0], [0.5, 0], [0.5, 0.5], [0, 0.5]]}]}}
        origin = {"Origin": page.url.partition("/#")[0]}
        assert page.request.post("/api/v1/settings/camera/gate", data=patch, headers=origin).status == 200
        page.reload()
    shade = page.get_by_role("img", name="One part is hidden here; the recording contains it")
    page.evaluate("() => { location.hash = '#/camera/gate' }")
    expect(shade.first).to_be_visible()
    until = gate["recorded_until"]
    page.evaluate("(at) => { location.hash = `#/review/${at}?camera=gate` }", until)
    expect(page.locator("[data-cell=gate]").get_by_role("img", name="One part is hidden here")).to_be_visible()


def test_h265_plays_live_and_in_review_where_the_browser_does_not_take_it(page: Page) -> None:
    """This Chromium plays no H.265; the post makes H.264 of it, and says how many it makes."""
    assert not page.evaluate("() => MediaSource.isTypeSupported('video/mp4; codecs=\"hvc1.1.6.L93.B0\"')")
    page.evaluate("() => { location.hash = '#/camera/tower' }")
    expect(page.locator("[data-live=yes]").first).to_be_visible()
    assert page.evaluate(FRAMES, "[data-live=yes] video") >= 20
    until_now(lambda: _made(page) == [("tower", "live")], "it says that it makes this one", every_s=0.3)
    tower = page.request.get("/api/v1/cameras").json()["items"][1]
    assert tower["id"] == "tower"
    page.evaluate("(at) => { location.hash = `#/review/${at}?camera=tower` }", tower["recorded_until"])
    cell = page.locator("[data-cell=tower]")
    expect(cell).to_have_attribute("data-showing", "picture")


def _made(page: Page) -> list[tuple[str, str]]:
    """What the post makes H.264 of just now; of a picture that began anew the one before may still be ending."""
    return [(one["camera"], one["kind"]) for one in page.request.get("/api/v1/transcodes").json()["running"]]
