"""The page of a report in a real browser: nothing sticks out at any width, and it prints on A4 and letter."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser
from tests.e2e.conftest import DEADLINE_MS
from tests.support.reported import month

from longwatch.reports import page

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("e2e-files")]


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("report") / "report.html"
    path.write_bytes(page(month()))
    return path


# The narrowest and the widest hold what lies between.
@pytest.mark.parametrize("width", [390, pytest.param(800, marks=pytest.mark.long), 1440])
def test_nothing_sticks_out_and_nothing_is_asked_for(file: Path, browser: Browser, width: int) -> None:
    tab = browser.new_page(viewport={"width": width, "height": 900})
    tab.set_default_timeout(DEADLINE_MS)
    asked: list[str] = []
    said: list[str] = []
    tab.on("request", lambda request: asked.append(request.url))
    tab.on("console", lambda message: said.append(message.text))
    tab.goto(file.as_uri())
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    assert asked == [file.as_uri()]
    assert said == []
    assert tab.locator("svg.plot").count() >= 2
    assert tab.locator("svg.plot").first.bounding_box() is not None


# A4 is the narrower of the two.
@pytest.mark.parametrize(("name", "width"), [("A4", 680), pytest.param("Letter", 702, marks=pytest.mark.long)])
def test_it_prints(file: Path, browser: Browser, name: str, width: int) -> None:
    tab = browser.new_page(viewport={"width": width, "height": 950})
    tab.set_default_timeout(DEADLINE_MS)
    tab.goto(file.as_uri())
    tab.emulate_media(media="print")
    assert tab.evaluate("document.documentElement.scrollWidth") <= width, "as wide as the paper between its margins"
    printed = tab.pdf(format=name)
    pages = len(re.findall(rb"/Type\s*/Page\b(?!s)", printed))
    assert 3 <= pages <= 16
    tallest = tab.evaluate(
        "Math.max(...[...document.querySelectorAll('svg.plot')].map(svg => svg.getBoundingClientRect().height))"
    )
    assert tallest < 900, "a picture fits on one page"
