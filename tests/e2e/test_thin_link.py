"""The wall over 256 kbit/s with 400 ms there and back: pictures by itself, their ages on them, and a page that can be used."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser
from tests.e2e.measured import LOOKS
from tests.e2e.post import PASSWORD, USER, RunningPost
from tests.e2e.test_console import until
from tests.support.measured import within
from tests.support.thin_link import ThinLink

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("e2e")]

BITS_A_SECOND = 256_000
DELAY_S = 0.2


@pytest.fixture
def thin(post: RunningPost) -> Iterator[ThinLink]:
    link = ThinLink(post.port, bits_a_second=BITS_A_SECOND, delay_s=DELAY_S)
    yield link
    link.close()


def test_a_thin_link_gets_pictures_by_itself_and_stays_usable(thin: ThinLink, browser: Browser) -> None:
    context = browser.new_context(viewport={"width": 1440, "height": 900}, reduced_motion="reduce")
    context.set_default_timeout(120_000)
    page = context.new_page()
    sockets: set[object] = set()

    def opened(socket: object) -> None:
        url = socket.url  # type: ignore[attr-defined]  # Playwright's own class
        if "/cameras/" not in url:
            return  # it hears of events
        sockets.add(socket)
        socket.on("close", lambda _: sockets.discard(socket))  # type: ignore[attr-defined]  # as above

    page.on("websocket", opened)
    began = time.monotonic()
    page.goto(thin.address)
    page.get_by_label("User", exact=True).fill(USER)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_text("The link is thin: pictures instead of video.").wait_for()
    page.wait_for_selector("[data-camera=hall] .frame[data-phase=pictures][data-still]")
    print(f"pictures after {time.monotonic() - began:.1f} s")
    until(lambda: not sockets, "no live stream is left on the link", page)

    ages = "() => [...document.querySelectorAll('[data-camera] .frame')].map(f => Date.now() - Number(f.dataset.still || 0))"
    until(lambda: max(page.evaluate(ages)) < 15_000, "every picture younger than 15 s", page)
    taken = "() => [...document.querySelectorAll('[data-camera] .frame')].map(f => Number(f.dataset.still))"
    before = page.evaluate(taken)
    until(lambda: all(a > b for a, b in zip(page.evaluate(taken), before, strict=True)), "all are renewed", page)
    assert page.locator("[data-camera=hall] .badge").inner_text().startswith("Still, ")

    def share() -> float:
        """Of the link, that is taken over a few seconds."""
        carried, since = thin.down_bytes, time.monotonic()
        page.wait_for_timeout(5_000)
        return (thin.down_bytes - carried) * 8 / (time.monotonic() - since) / BITS_A_SECOND

    shares: list[float] = []
    while len(shares) < LOOKS and not (shares and shares[-1] < 0.95):
        shares.append(share())
    assert shares[-1] < 0.95, f"{shares} of the link is taken: nothing is left for anything else"

    with within(10, "a large picture"):
        page.get_by_role("button", name="Open Main gate large").click()
        page.wait_for_selector("[data-stage=gate] .frame[data-phase=pictures][data-still]")
    context.close()
