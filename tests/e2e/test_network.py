"""Two posts, a station and headquarters, as `longwatch demo --network` makes them, seen in a browser: what is known of posts, what lies at one and
is asked for, a link that is cut, live through the hub.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import random
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Page, Route, expect
from tests.e2e.axe import violations
from tests.e2e.conftest import STATIC
from tests.e2e.watched import visitor
from tests.support import wait
from tests.support.sooner import NETWORK, environment

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("e2e-network")]
START_S = 240.0
ARRIVE_S = 240.0
CAMERA = "north-ridge.gate"
LOOK_S = 0.4  # each look is an answer of a site


def until_now(condition: Callable[[], Any], what: str, seconds: float) -> Any:
    return wait.until_now(condition, what, seconds, LOOK_S)


class Network:
    """A demo that runs. sites: addresses by name."""

    def __init__(self, child: subprocess.Popen[str], sites: dict[str, str]) -> None:
        self.child = child
        self.sites = sites
        self.user, self.password = sites.pop("user"), sites.pop("password")
        self.station = sites["Valley station"]

    def client(self, base: str) -> httpx.Client:
        """Signed in."""
        client = httpx.Client(base_url=base, headers={"Origin": base}, timeout=60)
        answer = client.post("/api/v1/login", json={"name": self.user, "password": self.password})
        assert answer.status_code == 200, answer.text
        return client

    def switch(self, link: str, state: str) -> None:
        """As its page does it."""
        answer = httpx.post(f"{self.sites['links']}/links/{link}/{state}", timeout=60)
        assert answer.status_code == 303, answer.text

    def at_post(self, camera: str) -> dict[str, Any]:
        """A stretch of that camera of which the station knows, and which lies at the post; waited for."""
        with contextlib.closing(self.client(self.station)) as client:

            def found() -> dict[str, Any] | None:
                now = dt.datetime.now(dt.UTC)
                span = {"from": _stamp(now - dt.timedelta(minutes=20)), "to": _stamp(now)}
                items = client.get(f"/api/v1/cameras/{camera}/timeline", params=span).json().get("items", [])
                return next(
                    (item for item in reversed(items) if item.get("held") == "post" and _length(item) > 15), None
                )

            item: dict[str, Any] = until_now(found, "a stretch lies at the post", ARRIVE_S)
            return item


def _stamp(moment: dt.datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _length(item: dict[str, Any]) -> float:
    return (dt.datetime.fromisoformat(item["to"]) - dt.datetime.fromisoformat(item["from"])).total_seconds()


def _ports() -> int:
    """The first of seven ports in a row that nobody has, from where the system gives none away meanwhile."""
    while True:
        first = random.randrange(20_000, 32_000)
        with contextlib.suppress(OSError), contextlib.ExitStack() as stack:
            for port in range(first, first + 7):
                stack.enter_context(contextlib.closing(_bound(port)))
            return first


def _bound(port: int) -> Any:
    import socket

    taken = socket.socket()
    try:
        taken.bind(("127.0.0.1", port))
    except OSError:
        taken.close()
        raise
    return taken


@pytest.fixture(scope="module")
def network() -> Iterator[Network]:
    if not STATIC.exists():
        pytest.skip("the pages are not built: run `make console`")
    command = [
        sys.executable,
        "-m",
        "longwatch.cli",
        "demo",
        "--network",
        "--cameras",
        "1",
        "--listen",
        f"127.0.0.1:{_ports()}",
    ]
    child = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment(NETWORK)
    )
    try:
        yield Network(child, _said(child))
    finally:
        child.send_signal(signal.SIGTERM)
        try:
            child.wait(60)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def _said(child: subprocess.Popen[str]) -> dict[str, str]:
    said: dict[str, str] = {}
    lines: list[str] = []
    assert child.stdout is not None
    for line in child.stdout:  # it ends by itself where it cannot start
        lines.append(line)
        if match := re.match(r"([\w ]+): (\S.*)", line):
            said[match[1]] = match[2].strip()
        if "password" in said:
            # What it says from here on is read too: a pipe that is full would hold it up.
            threading.Thread(target=child.stdout.read, daemon=True).start()
            return said
    raise AssertionError("the demo did not start:\n" + "".join(lines))


@contextlib.contextmanager
def signed_in(browser: Browser, network: Network, base: str, **how: Any) -> Iterator[Page]:
    """A page of that site, in English, on a desk."""
    context = visitor(browser, locale="en-GB", **how)
    context.add_init_script("localStorage.setItem('longwatch-signed-in', 'yes')")
    answer = context.request.post(
        f"{base}/api/v1/login", data=json.dumps({"name": network.user, "password": network.password}),
        headers={"Content-Type": "application/json", "Origin": base},
    )  # fmt: skip
    assert answer.ok, answer.text()
    foreign: list[str] = []
    refused: list[str] = []
    page = context.new_page()
    page.on(
        "request", lambda one: foreign.append(one.url) if not one.url.startswith((base, "blob:", "data:")) else None
    )
    page.on("console", lambda one: refused.append(one.text) if "Content Security Policy" in one.text else None)
    page.goto(base)
    try:
        yield page
        assert foreign == []
        assert refused == []
    finally:
        context.close()


def go(page: Page, path: str) -> None:
    page.evaluate("path => { location.hash = path }", f"#/{path}")


def test_the_posts_stand_in_a_list_and_on_a_map(network: Network, browser: Browser) -> None:
    with signed_in(browser, network, network.station) as page:
        go(page, "posts")
        rows = page.locator("[data-post]")
        expect(rows).to_have_count(2)
        expect(page.locator('[data-post="north-ridge"]')).to_have_attribute("data-standing", "connected")
        expect(page.locator('[data-post="river-dam"]')).to_contain_text("countersigned")
        expect(page.locator("[data-map]")).to_have_attribute("data-map", "ready")
        assert violations(page) == []
        page.get_by_label("Find a post").fill("dam")
        expect(rows).to_have_count(1)
        page.get_by_role("link", name="River dam").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("River dam")
        expect(page.locator("pre")).to_contain_text("longwatch-hub/valley")
        expect(page.get_by_role("table", name="Waiting").locator("tbody tr")).to_have_count(6)
        assert violations(page) == []


def test_without_webgl_the_list_stands_alone_and_says_so(network: Network, browser: Browser) -> None:
    with signed_in(browser, network, network.station) as page:
        page.add_init_script(
            "HTMLCanvasElement.prototype.getContext = (old => function (kind, ...more) { return /webgl/.test(kind) ? null : old.call(this, kind, ...more) })(HTMLCanvasElement.prototype.getContext)"
        )
        page.reload()
        go(page, "posts")
        expect(page.get_by_text("has no WebGL")).to_be_visible()
        expect(page.locator("[data-post]")).to_have_count(2)


def test_live_through_the_hub_is_asked_for_says_how_it_comes_and_can_be_ended(
    network: Network, browser: Browser
) -> None:
    with signed_in(browser, network, network.station) as page:
        tile = page.locator(f'[data-camera="{CAMERA}"]')
        expect(tile.locator("[data-hub-live]")).to_have_attribute("data-hub-live", "here")
        tile.get_by_role("button", name="Ask for live").click()
        expect(tile.locator("[data-hub-live]")).to_have_attribute("data-hub-live", re.compile("live|pictures"))
        shown = tile.locator('[data-live="yes"], [data-hub-live="pictures"] img')
        expect(shown.first).to_be_visible(timeout=120_000)
        expect(tile.get_by_role("status").filter(has_text="left")).to_be_visible()
        tile.get_by_role("button", name="End live").click()
        expect(tile.get_by_text("The time for live is over")).to_be_visible()
        expect(tile.get_by_role("button", name="Ask again")).to_be_visible()


def test_settings_of_a_post_are_read_changed_and_kept_from_the_hub(network: Network, browser: Browser) -> None:
    with signed_in(browser, network, network.station) as page:
        go(page, "posts/north-ridge")
        page.get_by_role("link", name="Settings…").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Settings of North ridge lookout")
        page.get_by_role("button", name="Read them from the post").click()
        place = page.locator(".cm-line", has_text='"lat"')
        place.click()
        page.keyboard.press("End")
        page.keyboard.press("ArrowLeft")
        page.keyboard.type("1x")  # no number
        expect(page.get_by_text("One thing is wrong")).to_be_visible()
        expect(page.get_by_role("button", name="Save…")).to_be_disabled()
        page.keyboard.press("Backspace")
        expect(page.get_by_text("Nothing is wrong with it")).to_be_visible()
        assert violations(page) == []
        page.get_by_role("button", name="Save…").click()
        dialog = page.get_by_role("dialog", name="Change the settings of North ridge lookout")
        expect(dialog).to_contain_text("61.6421")
        expect(dialog).to_contain_text("puts the old settings back by itself")
        dialog.get_by_label("Reason").fill("surveyed anew")
        assert violations(page) == []
        dialog.get_by_role("button", name="Send to the post").click()
        change = page.locator('[data-kind="settings_save"]').first
        expect(change).to_contain_text("surveyed anew")
        expect(change).to_have_attribute("data-state", "done", timeout=ARRIVE_S * 1000)
        expect(change).to_contain_text("Applied and kept")
        expect(page.get_by_role("button", name="Save…")).to_be_disabled()
        page.get_by_role("button", name="Read them again").click()
        expect(page.get_by_text("As it is saved")).to_be_visible()
        expect(place).to_contain_text("61.6421")
        assert violations(page) == []


def test_what_waits_for_a_post_that_is_off_says_so_and_can_be_withdrawn(network: Network, browser: Browser) -> None:
    with signed_in(browser, network, network.station) as page:
        go(page, "posts/river-dam/settings")
        network.switch("river-dam", "cut")
        try:
            page.get_by_role("button", name="Read them from the post").wait_for()
            with contextlib.closing(network.client(network.station)) as station:
                state = "/api/v1/posts/river-dam"
                until_now(lambda: station.get(state).json()["state"] == "silent", "it is out of touch", 120)
            page.get_by_role("button", name="Read them from the post").click()
            told = page.locator('[data-kind="settings_read"]').first
            expect(told).to_have_attribute("data-state", "waiting")
            expect(told).to_contain_text("Waits for the post, until")
            assert violations(page) == []
            told.get_by_role("button", name="Withdraw").click()
            expect(told).to_have_attribute("data-state", "withdrawn")
        finally:
            network.switch("river-dam", "open")


def test_a_post_shows_its_link_to_the_hub(network: Network, browser: Browser) -> None:
    with signed_in(browser, network, network.sites["North ridge lookout"]) as page:
        go(page, "link")
        expect(page.get_by_role("heading", name="Connected to Valley station")).to_be_visible()
        expect(page.locator("[data-class]")).to_have_count(6)
        assert violations(page) == []
        expect(page.get_by_role("link", name="Posts", exact=True)).to_have_count(0)


def _seen(client: httpx.Client, camera: str, held: str | None = "here") -> list[dict[str, Any]]:
    """Events of a camera that are over, the oldest first. held: where their picture is; None: anywhere."""
    now = dt.datetime.now(dt.UTC)
    asked = {"from": _stamp(now - dt.timedelta(hours=1)), "to": _stamp(now), "camera": camera, "limit": 500}
    items = client.get("/api/v1/events", params=asked).json()["items"]
    return [item for item in reversed(items) if item["to"] and held in {None, item["best"]["held"]}]


def test_what_a_post_saw_is_found_at_its_hubs_with_pictures_and_reviewed_there(
    network: Network, browser: Browser
) -> None:
    top = network.sites["address"]  # headquarters
    with contextlib.ExitStack() as stack:
        addresses = (top, network.station, network.sites["North ridge lookout"])
        hq, station, post = (stack.enter_context(contextlib.closing(network.client(each))) for each in addresses)
        came = until_now(lambda: _seen(hq, CAMERA), "an event and its picture came up to headquarters", ARRIVE_S)
        number = str(came[-1]["id"])  # the newest: an older one may be further down than the page shows at once
        own = number.partition(".")[2]
        picture = f"/api/v1/events/{number}/picture.jpg"
        until_now(lambda: _is_last(post, own) and _is_last(station, number), "its last picture is there", ARRIVE_S)
        whole = post.get(f"/api/v1/events/{own}/picture.jpg").content
        assert len(station.get(picture).content) < len(whole)
        assert station.post(f"/api/v1/events/{number}/picture").status_code == 202
        until_now(lambda: station.get(picture).content == whole, "the whole picture came", ARRIVE_S)
        with signed_in(browser, network, top) as page:
            away = {"on": True}
            page.route("**/api/v1/events?*", lambda route: _away(route, away))
            page.route(f"**/{number}/picture", lambda route: (away.update(on=False), route.continue_()))
            go(page, f"events?state=all&camera={CAMERA}")
            item = page.locator(f'[data-event="{number}"]')
            expect(item.locator('[data-held="post"]')).to_be_visible()
            assert violations(page) == []
            item.get_by_role("button", name="Ask for it").click()
            expect(item.locator("img")).to_be_visible()
            item.get_by_role("button", name=re.compile("^Reviewed")).click()
            expect(item.get_by_role("button", name=re.compile("^Reviewed"))).to_have_attribute("aria-pressed", "true")
            assert violations(page) == []
            page.unroute_all(behavior="wait")  # an answer that is still held up would end with the page
        assert hq.get(f"/api/v1/events/{number}").json()["reviewed"]["by"] == network.user
        assert post.get(f"/api/v1/events/{own}").json()["reviewed"] is None  # the hub's own


def _is_last(client: httpx.Client, number: str) -> bool:
    """An event that is over has its best picture, and there will be no other."""
    event = client.get(f"/api/v1/events/{number}").json()
    picture = client.get(f"/api/v1/events/{number}/picture.jpg")
    return bool(event["to"]) and picture.headers.get("X-Longwatch-Start") == event["best"]["at"]


def _away(route: Route, away: dict[str, bool]) -> None:
    """As if no picture had come yet."""
    answer = route.fetch()
    told = answer.json()
    for item in told["items"] if away["on"] else ():
        item["best"].update(picture=False, held="post")
    route.fulfill(response=answer, json=told)


# A hub hears of footage once its segment is sealed, a minute after it began: these come last, so that nobody waits for it.


def test_what_lies_at_a_post_is_asked_for_comes_over_the_link_and_plays(network: Network, browser: Browser) -> None:
    item = network.at_post(CAMERA)
    at = dt.datetime.fromisoformat(item["from"]) + dt.timedelta(seconds=6)
    with signed_in(browser, network, network.station) as page:
        go(page, f"camera/{CAMERA}/{_stamp(at)}")
        notice = page.locator("[data-at-post]")
        expect(notice).to_have_attribute("data-at-post", "not-asked")
        assert violations(page) == []
        page.keyboard.press("a")  # the key, instead of the button
        dialog = page.get_by_role("dialog", name="Ask for a stretch of North ridge lookout / Gate")
        dialog.get_by_label("30 s around this moment").check()
        expect(dialog).to_contain_text("About")
        dialog.get_by_label("Reason").fill("a fox at the fence")
        assert violations(page) == []
        dialog.get_by_role("button", name="Ask for it").click()
        expect(page.locator("video")).to_be_visible(timeout=ARRIVE_S * 1000)
        until_now(lambda: page.evaluate("document.querySelector('video').readyState >= 2"), "it plays", ARRIVE_S)
        go(page, "posts/north-ridge")
        expect(page.locator("[data-request]").first).to_contain_text("a fox at the fence")


def test_a_press_on_the_chequerboard_asks_for_it(network: Network, browser: Browser) -> None:
    item = network.at_post("river-dam.dam")
    middle = (
        dt.datetime.fromisoformat(item["from"]).timestamp() + dt.datetime.fromisoformat(item["to"]).timestamp()
    ) * 500
    with signed_in(browser, network, network.station) as page:
        page.get_by_label("Posts shown").select_option("River dam")
        dock = page.get_by_role("region", name="Timelines")
        canvas = dock.get_by_role("slider")
        expect(canvas).to_be_visible()

        def pressed() -> bool:
            """Once what is drawn there has been read."""
            box = canvas.bounding_box()
            first, last = (float(dock.get_attribute(name) or "nan") for name in ("data-from", "data-to"))
            if box is None or not first <= middle < last:
                return False
            x = box["x"] + (middle - first) / (last - first) * box["width"]
            page.mouse.move(x, box["y"] + 24 + 12)  # what lies under the pointer is said when it moves
            page.mouse.move(x, box["y"] + 24 + 14)
            tip = page.get_by_text("Recorded, held at the post")
            with contextlib.suppress(AssertionError):
                expect(tip).to_be_visible(timeout=2_000)
                page.mouse.down()
                page.mouse.up()
                return True
            return False

        until_now(pressed, "the chequerboard is there", 120)
        dialog = page.get_by_role("dialog", name="Ask for a stretch of River dam / Dam")
        expect(dialog).to_be_visible()
        page.keyboard.press("Escape")
        expect(dialog).to_have_count(0)


def test_a_cut_link_is_silence_and_what_was_asked_meanwhile_comes_when_it_is_back(
    network: Network, browser: Browser
) -> None:
    item = network.at_post("river-dam.dam")
    at = dt.datetime.fromisoformat(item["from"]) + dt.timedelta(seconds=8)
    with signed_in(browser, network, network.station) as page:
        go(page, "posts")
        row = page.locator('[data-post="river-dam"]')
        expect(row).to_have_attribute("data-standing", "connected")
        network.switch("river-dam", "cut")
        try:
            expect(row).to_have_attribute("data-standing", "silent", timeout=120_000)
            expect(row).to_contain_text("recorded then")  # not that they record
            go(page, f"camera/river-dam.dam/{_stamp(dt.datetime.now(dt.UTC))}")
            told = page.get_by_text("Nothing later was reported here yet")  # not that nothing is recorded
            expect(told).to_be_visible()
            go(page, f"camera/river-dam.dam/{_stamp(at)}")
            page.get_by_role("button", name="Ask for this stretch…").click()
            dialog = page.get_by_role("dialog")
            expect(dialog).to_contain_text("waits until it is back")
            dialog.get_by_label("30 s around this moment").check()
            dialog.get_by_label("Reason").fill("who opened the sluice")
            dialog.get_by_role("button", name="Ask for it").click()
            expect(page.locator("[data-at-post]")).to_have_attribute("data-at-post", "waiting")
        finally:
            network.switch("river-dam", "open")
        expect(page.locator("[data-at-post]")).to_have_count(0, timeout=ARRIVE_S * 1000)
        until_now(lambda: page.evaluate("document.querySelector('video').readyState >= 2"), "it plays", ARRIVE_S)
        go(page, "posts")
        expect(row).to_have_attribute("data-standing", "connected", timeout=120_000)


def test_footage_of_an_event_is_asked_for_from_where_it_is_reviewed(network: Network, browser: Browser) -> None:
    camera = "river-dam.dam"

    def lies_at_the_post(event: dict[str, Any]) -> bool:
        begin, end = (dt.datetime.fromisoformat(event[name]) for name in ("from", "to"))
        span = {"from": _stamp(begin - dt.timedelta(seconds=5)), "to": _stamp(end + dt.timedelta(seconds=5))}
        items = station.get(f"/api/v1/cameras/{camera}/timeline", params=span).json()["items"]
        return any(item.get("held") == "post" for item in items)

    with contextlib.closing(network.client(network.station)) as station:
        event = until_now(
            lambda: next(filter(lies_at_the_post, _seen(station, camera, None)), None), "an event's footage lies there", ARRIVE_S,
        )  # fmt: skip
        with signed_in(browser, network, network.station) as page:
            go(page, f"review/{event['from']}?camera={camera}&event={event['id']}")
            page.get_by_role("button", name="Ask for its footage").click()
            dialog = page.get_by_role("dialog")
            expect(dialog.get_by_label("The event")).to_be_checked()
            dialog.get_by_label("Reason").fill("who was it")
            assert violations(page) == []
            dialog.get_by_role("button", name="Ask for it").click()
            expect(dialog).to_have_count(0)
        asked = station.get("/api/v1/requests").json()["items"][0]
        assert (asked["camera"], asked["reason"]) == (camera, "who was it")
