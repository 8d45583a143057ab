"""A thermal camera's stills on the page: each pixel read, over a span and in a palette that are chosen here, now and of then."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, expect
from tests.e2e.axe import violations
from tests.e2e.post import ADMIN, RunningPost, post_of_its_own
from tests.e2e.watched import Watched, admin_at
from tests.support.thermal_camera import ThermalCamera, centikelvin, png, thermal_camera
from tests.support.wait import until_now

from longwatch.simulate.camera import ROOM, SimulatedCamera

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("e2e-thermal")]
BOILER = [[0.58, 0.28], [0.72, 0.28], [0.72, 0.5], [0.58, 0.5]]


def picture(hot: float) -> bytes:
    """A hall of 14 to 23 degrees with a boiler in it, round and hottest in its middle at (104, 48) of 160 x 120."""
    rows, columns = np.mgrid[0:120, 0:160]
    hall = 14.0 + 6.0 * rows / 120 + 3.0 * np.sin(columns / 25.0) ** 2
    far = np.hypot(columns - 104, (rows - 48) * 0.8)
    boiler = hall + (hot - hall) * np.exp(-((far / 9.0) ** 4))
    door = np.where((columns < 26) & (columns > 10) & (rows > 60), 8.0, boiler)
    return png(centikelvin(door))


@pytest.fixture(scope="module")
def thermal() -> Iterator[ThermalCamera]:
    with thermal_camera(picture(64.0)) as camera:
        yield camera


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory, thermal: ThermalCamera) -> Iterator[RunningPost]:
    def measures(settings: dict[str, Any]) -> None:
        settings["cameras"]["oven"] |= {
            "kind": "thermal",
            "radiometry": {
                "stills": {
                    "url": thermal.url(), "every": "1s", "gain": 0.01, "offset": -273.15, "areas": [{"name": "Boiler", "polygon": BOILER}],
                    "spots": [{"name": "Door", "at": [0.11, 0.75]}],
                }
            },
        }  # fmt: skip

    cameras = {"oven": ("Boiler house", lambda: SimulatedCamera(ROOM))}
    folder = tmp_path_factory.mktemp("thermal")
    with post_of_its_own(folder, cameras, lambda post: post.change_settings(measures)) as post:
        yield post


@pytest.fixture
def watched(own: RunningPost, browser: Browser) -> Iterator[Watched]:
    with admin_at(browser, own.address) as one:
        yield one


def opened(page: Page) -> None:
    page.get_by_role("button", name="What is measured").click()
    expect(page.locator(".heat[data-at]:not([data-at=''])")).to_be_visible()


def pixel(page: Page, x: int, y: int) -> list[int]:
    return page.locator(".heat canvas").evaluate(
        """(shown, [x, y]) => {
            const copy = document.createElement('canvas')
            const context = copy.getContext('2d', { willReadFrequently: true })
            copy.width = copy.height = 1
            context.drawImage(shown, -x, -y)
            return [...context.getImageData(0, 0, 1, 1).data].slice(0, 3)
        }""",
        [x, y],
    )


def over(page: Page, x: float, y: float) -> None:
    """The pointer over a point of the still, which stands in the middle of its box."""
    box = page.locator(".heat canvas").bounding_box()
    assert box is not None
    scale = min(box["width"] / 160, box["height"] / 120)
    left, top = box["x"] + (box["width"] - 160 * scale) / 2, box["y"] + (box["height"] - 120 * scale) / 2
    page.mouse.move(left + (x + 0.5) * scale, top + (y + 0.5) * scale)


def test_each_pixel_is_read_in_colours_of_ones_own_now_and_then(
    own: RunningPost, watched: Watched, thermal: ThermalCamera
) -> None:
    page = watched.page
    with contextlib.closing(own.client(ADMIN)) as client:
        until_now(lambda: client.get("/api/v1/cameras/oven/thermal").status_code == 200, "a still is recorded")
        page.goto(f"{own.address}/#/camera/oven")
        opened(page)
        expect(page.locator("[data-read=Boiler] dd")).to_contain_text("64.0 °C")
        expect(page.locator("[data-read=Door] dd")).to_contain_text("8.0 °C")
        over(page, 104, 48)
        expect(page.locator("[data-here]")).to_have_text("64.0 °C")
        assert pixel(page, 104, 48) == [255, 255, 255], "white is hot, as it was sent"
        page.locator(".heat canvas").focus()
        for key in ["Shift+ArrowLeft"] * 9 + ["Shift+ArrowDown"] * 2 + ["ArrowDown"]:
            page.keyboard.press(key)
        expect(page.locator("[data-here]")).to_have_text("8.0 °C")

        scale = page.locator(".heat [role=img]").filter(has=page.locator(".colours"))
        expect(scale).to_have_accessible_name("The palette, from 8.0 °C to 64.0 °C")
        names = page.locator(".heat svg text")
        expect(names).to_have_count(2)
        assert sorted(names.all_text_contents()) == ["Boiler", "Door"]
        still = page.locator(".heat .picture").bounding_box()
        assert still is not None
        for name in names.all():
            size, left, right = name.evaluate(
                """text => {
                    const [box, scale] = [text.getBBox(), text.getScreenCTM()]
                    return [text.getAttribute('font-size') * scale.a, box.x * scale.a + scale.e, (box.x + box.width) * scale.a + scale.e]
                }"""
            )
            assert abs(size - 12) < 0.5, "as large as other words, however large the still is"
            assert still["x"] <= left < right <= still["x"] + still["width"], "within the picture"
        grey = page.locator(".heat .colours").evaluate("shown => getComputedStyle(shown).backgroundImage")
        page.get_by_label("Colours of heat").select_option("iron")
        until_now(
            lambda: page.locator(".heat .colours").evaluate("shown => getComputedStyle(shown).backgroundImage") != grey,
            "the scale has the colours of the picture",
        )
        until_now(lambda: pixel(page, 104, 48) == [255, 255, 247], "iron ends in a warm white")
        cold = pixel(page, 18, 90)
        page.get_by_label("Hottest colour at").fill("20")
        until_now(lambda: pixel(page, 60, 100) != cold, "a narrower span shows the ground")
        expect(scale).to_have_accessible_name("The palette, from 8.0 °C to 20.0 °C")
        shown = pixel(page, 104, 20)
        page.get_by_role("button", name="From coldest to hottest").click()
        until_now(lambda: pixel(page, 104, 20) != shown, "and is given up again")
        assert violations(page) == []

        before = client.get("/api/v1/cameras/oven/thermal").headers["X-Longwatch-Start"]
        thermal.body = picture(91.0)
        expect(page.locator("[data-read=Boiler] dd")).to_contain_text("91.0 °C", timeout=120_000)
        page.get_by_role("button", name="What is measured").click()
        expect(page.get_by_role("list", name="Measured now")).to_contain_text("91.0 °C", timeout=120_000)
        opened(page)
        page.goto(f"{own.address}/#/camera/oven/{before}")
        expect(page.locator("[data-read=Boiler] dd")).to_contain_text("64.0 °C", timeout=120_000)
