"""What a camera really sees, from its stream to the page: an event with its picture, reviewed by a key, played at a press; and a zone drawn for it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect
from tests.e2e.axe import violations
from tests.e2e.conftest import DEADLINE_MS, WHOLE, WHOLE_FLAGS
from tests.e2e.post import ADMIN, RunningPost, post_of_its_own
from tests.e2e.watched import Watched, admin_at
from tests.support.wait import until_now

from longwatch.base.rfc3339 import parse_us
from longwatch.simulate.camera import LOT, SimulatedCamera

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("e2e-events")]
EVENTS = "/api/v1/events?from=2020-01-01T00:00:00Z&to=2100-01-01T00:00:00Z&kind=motion"
LOOK_S = 0.5  # each look is an answer of the post


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPost]:
    """A post that looks: one camera at a car park, where cars drive; and one that nobody looks at."""

    def looks(settings: dict[str, Any]) -> None:
        settings["cameras"]["shed"]["detect"] = False
        # A clip in a loop is a replayed picture, and rightly said to be.
        settings["defaults"] = {"detect": {"tamper": False}}

    def car_park() -> SimulatedCamera:
        return SimulatedCamera({"main": LOT})

    cameras = {"gate": ("Main gate", car_park), "shed": ("Shed", car_park)}
    folder = tmp_path_factory.mktemp("events")
    with post_of_its_own(folder, cameras, lambda post: post.change_settings(looks), detect=True) as post:
        yield post


@pytest.fixture
def watched(own: RunningPost, browser: Browser) -> Iterator[Watched]:
    with admin_at(browser, own.address) as one:
        yield one


def _pictured(page: Page) -> bool:
    items = page.request.get(EVENTS).json()["items"]
    return any(item["best"]["picture"] and item["to"] for item in items)


def test_what_moves_is_an_event_with_a_picture_reviewed_by_a_key_and_played_at_a_press(watched: Watched) -> None:
    page = watched.page
    until_now(lambda: _pictured(page), "a car has driven by, and there is a picture of it", 240, LOOK_S)
    page.goto("/#/events?kind=motion")
    page.get_by_role("heading", level=1, name="Events").wait_for()
    first = page.locator("li[data-event]").filter(has=page.locator("img")).last
    first.wait_for()
    until_now(
        lambda: first.locator("img").evaluate("image => image.naturalWidth") > 100,
        "its picture is shown",
        every_s=LOOK_S,
    )
    assert violations(page) == []

    which = first.get_attribute("data-event") or ""
    link = page.locator(f"li[data-event='{which}'] > a")
    mark = page.locator(f"li[data-event='{which}'] button[aria-pressed]")
    link.focus()
    page.keyboard.press("r")
    expect(mark).to_have_attribute("aria-pressed", "true")
    stored = page.request.get(f"/api/v1/events/{which}").json()
    assert stored["reviewed"]["by"] == ADMIN
    with page.expect_response(
        lambda answer: "/api/v1/events?" in answer.url and "reviewed=false" in answer.url, timeout=240_000
    ):
        pass  # the next car: the list is read anew, and has no word of what is reviewed
    expect(mark).to_have_attribute("aria-pressed", "true")

    page.get_by_role("button", name="Reviewed", exact=True).click()
    expect(page.locator(f"li[data-event='{which}']")).to_be_visible()
    page.locator(f"li[data-event='{which}'] > a").click()
    page.wait_for_function("() => location.hash.startsWith('#/review/')")
    expect(page.get_by_role("button", name="Reviewed")).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("r")
    expect(page.get_by_role("button", name="Reviewed")).to_have_attribute("aria-pressed", "false")


def test_the_clip_of_an_event_plays_where_it_stands_and_can_be_saved(watched: Watched) -> None:
    page = watched.page
    until_now(lambda: _pictured(page), "a car has driven by, and there is a picture of it", 240, LOOK_S)
    page.goto("/#/events?kind=motion&state=all")
    first = page.locator("li[data-event]").filter(has=page.locator("img")).last
    which = first.get_attribute("data-event") or ""
    item = page.locator(f"li[data-event='{which}']")
    item.get_by_role("button", name="Play the clip here").click()
    video = item.locator("video")
    until_now(lambda: video.evaluate("video => video.currentTime") > 0.5, "it plays", every_s=LOOK_S)
    event = page.request.get(f"/api/v1/events/{which}").json()
    lasts_s = (parse_us(event["clip"]["to"]) - parse_us(event["clip"]["from"])) / 1e6
    # It begins with the key picture before: the edit list hides that, to within a picture.
    assert abs(video.evaluate("video => video.duration") - lasts_s) < 1.0
    assert violations(page) == []
    with page.expect_download() as saved:
        item.get_by_role("link", name="Save the clip").click()
    assert saved.value.suggested_filename.startswith("gate-20")
    assert b"ftyp" in Path(saved.value.path()).read_bytes()[:16]
    item.get_by_role("button", name="Close the clip").click()
    expect(video).to_have_count(0)


def test_nothing_moves_under_a_film_that_plays_and_what_is_new_waits(watched: Watched) -> None:
    page = watched.page
    until_now(lambda: _pictured(page), "a car has driven by, and there is a picture of it", 240, LOOK_S)
    page.goto("/#/events?state=all")
    cards = page.locator("li[data-event]")
    cards.filter(has=page.locator("img")).last.wait_for()
    which = cards.filter(has=page.locator("img")).last.get_attribute("data-event") or ""
    page.locator(f"li[data-event='{which}']").get_by_role("button", name="Play the clip here").click()
    before = [card.get_attribute("data-event") for card in cards.all()]
    pill = page.get_by_role("button", name="new: show")
    expect(pill).to_be_visible(timeout=240_000)  # the next car
    assert [card.get_attribute("data-event") for card in cards.all()] == before
    assert violations(page) == []
    pill.click()
    expect(pill).to_have_count(0)
    until_now(lambda: cards.first.get_attribute("data-event") != before[0], "what waited is there")


def test_only_what_can_be_seen_here_is_offered(watched: Watched) -> None:
    page = watched.page
    page.goto("/#/events")
    kinds = page.get_by_label("Kind")
    expect(kinds.get_by_role("option", name="Line crossed")).to_be_attached()
    said = kinds.get_by_role("option").all_text_contents()
    assert not {"Objects", "Heat"} & set(said), said
    assert not any("Person" in each or "Vehicle" in each for each in said), "there is no model"
    page.goto("/#/events?kind=object.person")  # of a link from elsewhere: what is chosen can be seen
    expect(page.get_by_label("Kind")).to_have_value("object.person")


def test_a_notification_shows_the_picture_to_whom_is_signed_in(own: RunningPost, watched: Watched) -> None:
    """Chromium hands our service worker what the post pushes; the worker fetches the picture as the page would."""
    if not WHOLE:
        pytest.skip("there is no chromium: install the Debian package of that name")
    until_now(lambda: _pictured(watched.page), "there is a picture", 240, LOOK_S)
    items = watched.page.request.get(EVENTS).json()["items"]
    event = next(item["id"] for item in items if item["best"]["picture"] and item["to"])
    launched = watched.page.context.browser
    assert launched is not None
    browser = launched.browser_type.launch(executable_path=WHOLE, args=WHOLE_FLAGS, timeout=DEADLINE_MS)
    context = browser.new_context(reduced_motion="reduce", storage_state=watched.page.context.storage_state())
    context.grant_permissions(["notifications"], origin=own.address)
    page = context.new_page()
    page.goto(own.address)
    page.evaluate("() => navigator.serviceWorker.ready.then(() => true)")
    debugger = context.new_cdp_session(page)
    seen: list[dict[str, Any]] = []
    debugger.on("ServiceWorker.workerRegistrationUpdated", lambda event: seen.extend(event["registrations"]))
    debugger.send("ServiceWorker.enable")
    until_now(lambda: page.wait_for_timeout(100) or seen, "the worker is known")
    shown = "() => navigator.serviceWorker.ready.then(r => r.getNotifications()).then(all => all.map(n => [n.tag, (n.image || '').slice(0, 23)]))"

    def is_shown() -> bool:
        """The worker waits some seconds for a picture and then says it without: on a machine that is busy just then the message comes again, in the place of the first."""
        for key, of in (("r-1", event), ("r-2", "no/event")):
            told = {"key": key, "title": "It moves", "body": "", "link": "/events", "grave": False, "event": of}
            debugger.send(
                "ServiceWorker.deliverPushMessage",
                {"origin": own.address, "registrationId": seen[0]["registrationId"], "data": json.dumps(told)},
            )
        for _ in range(100):
            if sorted(page.evaluate(shown)) == [["r-1", "data:image/jpeg;base64,"], ["r-2", ""]]:
                return True
            page.wait_for_timeout(100)
        return False

    until_now(is_shown, "the one has its picture, and of what is no event there is none", every_s=LOOK_S)
    browser.close()


def test_the_page_says_what_nobody_looked_at(watched: Watched) -> None:
    page = watched.page
    page.goto("/#/events?state=all")
    note = page.locator("main details")
    note.locator("summary").click()
    expect(note).to_contain_text("Shed: detection is off")
    assert violations(page) == []
    page.get_by_label("Camera", exact=True).select_option("gate")
    expect(page.get_by_text("Shed: detection is off")).to_have_count(0)


def test_a_new_event_comes_by_itself_and_the_timeline_has_it(watched: Watched) -> None:
    page = watched.page
    until_now(lambda: len(page.request.get(EVENTS).json()["items"]) > 0, "something was seen", 240, LOOK_S)
    with page.expect_response(
        lambda answer: "/api/v1/events/crowds" in answer.url and answer.status == 200
    ) as answered:
        page.goto("/#/review")
    asked = answered.value.url
    until_now(
        lambda: any(item["spans"] for item in page.request.get(asked).json()["items"]),
        "what the timeline asks for has it", every_s=LOOK_S,
    )  # fmt: skip
    page.goto("/#/events?state=all")
    before = page.locator("li[data-event]").first
    before.wait_for()
    newest = before.get_attribute("data-event")
    first = page.locator("li[data-event]").first
    until_now(lambda: first.get_attribute("data-event") != newest, "the next car", 240, LOOK_S)


def test_the_health_page_says_how_closely_it_looks_and_has_no_barrier(watched: Watched) -> None:
    page = watched.page
    page.goto("/#/health")
    row = (
        page.get_by_role("region", name="Detection")
        .get_by_role("row")
        .filter(has=page.get_by_role("rowheader", name="Main gate"))
    )
    row.wait_for()
    expect(page.locator("[data-costs]")).to_contain_text("% of a core now", timeout=DEADLINE_MS)
    page.get_by_text("Newest checkpoint").wait_for()
    for width in (1440, 390):
        page.set_viewport_size({"width": width, "height": 860})
        for look in ("light", "dark"):
            page.emulate_media(color_scheme=look)
            assert violations(page) == [], f"{width} wide, {look}"
        assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth"), "only the table scrolls"


def test_a_zone_and_a_line_are_drawn_and_stand_in_the_settings(watched: Watched) -> None:
    page = watched.page
    still = "/api/v1/cameras/gate/still.jpg"
    until_now(lambda: page.request.get(still).status == 200, "there is a picture to draw on", every_s=LOOK_S)
    page.goto("/#/masks/gate")
    page.get_by_role("button", name="New zone").click()
    zones = page.get_by_role("region", name="Zones")
    zones.get_by_role("textbox", name="Name").fill("Drive")
    zones.get_by_label("Person").check()
    zones.get_by_label("Said when something stays").fill("30")
    page.get_by_role("button", name="New line").click()
    lines = page.get_by_role("region", name="Lines")
    lines.get_by_role("textbox", name="Name").fill("Barrier")
    lines.get_by_label("Counts").select_option("left_to_right")
    assert violations(page) == []
    page.get_by_role("button", name="Save…").click()
    page.get_by_role("dialog").get_by_role("button", name="Save").click()
    page.get_by_role("dialog").wait_for(state="detached")
    camera = page.request.get("/api/v1/settings/camera/gate").json()["camera"]
    assert [(zone["name"], zone["kinds"], zone["dwell"]) for zone in camera["zones"]] == [
        ("Drive", ["object.person"], "30s")
    ]
    assert [(line["name"], line["direction"], line["from"]) for line in camera["lines"]] == [
        ("Barrier", "left_to_right", camera["lines"][0]["from"])
    ]
    assert len(camera["zones"][0]["polygon"]) == 4
