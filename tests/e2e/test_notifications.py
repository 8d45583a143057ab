"""How people are told, as a person meets it: a real post, a receiver, a broker, a browser that is pushed to."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from paho.mqtt.publish import single
from playwright.sync_api import Browser, Page
from tests.e2e.axe import violations
from tests.e2e.conftest import DEADLINE_MS, WHOLE, WHOLE_FLAGS
from tests.e2e.post import ADMIN, Cameras, RunningPost
from tests.e2e.test_console import sign_in
from tests.e2e.test_pages import go
from tests.e2e.watched import Watched, visitor
from tests.support.mosquitto import PASSWORD as BROKER_PASSWORD
from tests.support.mosquitto import USER, Broker
from tests.support.receivers import HttpReceiver, signed

from longwatch.archive import ArchiveReader
from longwatch.simulate.camera import LOT, SimulatedCamera

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("e2e")]
SECRET = "a-secret-of-a-receiver"


@pytest.fixture
def told(tmp_path: Path) -> Iterator[tuple[RunningPost, HttpReceiver, Broker]]:
    cameras, broker = Cameras(), Broker(_made(tmp_path / "broker"))
    try:
        cameras.add("gate", lambda: SimulatedCamera({"main": LOT}))
        post = RunningPost(tmp_path, cameras)
        post.write_settings({"gate": "Main gate"})
        with HttpReceiver() as receiver:
            change(post, lambda settings: settings.update(
                notify={
                    "address": post.address, "channels": {"hook": {"kind": "webhook", "url": receiver.address, "secret": SECRET}},
                    "rules": {"outages": {"kinds": ["not_recording"], "to": ["hook"], "group": "0s"}},
                },
            ))  # fmt: skip
            post.person(ADMIN, "admin")
            try:
                post.start()
                yield post, receiver, broker
            finally:
                post.stop()
    finally:
        cameras.close()
        broker.kill()


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def change(post: RunningPost, how: Callable[[dict[str, Any]], None]) -> None:
    settings = json.loads(post.settings.read_text("utf-8"))
    how(settings)
    post.settings.write_text(json.dumps(settings, indent=2), encoding="utf-8")


def wait(page: Page, condition: Callable[[], bool], what: str, seconds: float = 120.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, what
        page.wait_for_timeout(100)


def test_an_outage_is_told_seen_and_acknowledged_and_the_broker_switches_recording(
    told: tuple[RunningPost, HttpReceiver, Broker], browser: Browser
) -> None:
    post, receiver, broker = told
    context = visitor(browser, color_scheme="light")
    page = context.new_page()
    page.goto(post.address)
    sign_in(page, ADMIN)
    page.wait_for_selector(".frame[data-live=yes]")
    go(page, "notifications", "Notifications")
    page.get_by_role("button", name="Send a trial by hook").click()
    wait(page, lambda: len(receiver.taken) >= 1, "the trial arrives")
    assert signed(SECRET, *receiver.taken[0])

    post.cameras.stop("gate")
    wait(page, lambda: _outages(receiver) != [], "the outage is told")
    said = _outages(receiver)[0]
    assert said["link"].startswith(f"{post.address}/#/camera/gate/")
    line = page.get_by_role("button", name=said["title"]).first
    line.click()
    page.locator(".detail li", has_text="accepted").first.wait_for()  # the trial above says so too
    assert violations(page) == []
    page.get_by_role("button", name="Acknowledge").click()
    page.get_by_text("Acknowledged ").wait_for()
    stranger = visitor(browser)
    outside = stranger.new_page()
    outside.goto(said["link"])  # a link leads to the login, and does nothing by itself
    outside.get_by_role("heading", name="Sign in").wait_for()
    stranger.close()

    mqtt = {"host": "127.0.0.1", "port": broker.port, "user": USER, "password": BROKER_PASSWORD, "commands": True}
    change(post, lambda settings: settings.update(mqtt=mqtt))  # without a restart
    page.get_by_role("row", name="MQTT").get_by_text("Works").wait_for()
    login = {"username": USER, "password": BROKER_PASSWORD}
    single("longwatch/north-ridge/gate/record/set", "OFF", qos=1, hostname="127.0.0.1", port=broker.port, auth=login)
    wait(page, lambda: _paused(post) == (3, "paused_by_operator"), "the ledger says who paused it")
    context.close()


def at_the_page(post: RunningPost, browser: Browser) -> tuple[Page, Watched]:
    """Of a post that tells nobody yet; its context is the page's."""
    change(post, lambda settings: settings.pop("notify"))
    page = visitor(browser, color_scheme="light").new_page()
    watched = Watched(page, post.address)
    watched.listen()
    page.goto(post.address)
    sign_in(page, ADMIN)
    go(page, "notifications", "Notifications")
    return page, watched


def only_refused(watched: Watched, times: int) -> bool:
    """Whether the page complained of nothing but what the form said, and went nowhere else."""
    refused = [said for said in watched.console if "status of 422" in said]
    return len(refused) == times == len(watched.console) and watched.foreign == []


def test_a_way_a_recipient_and_a_rule_are_made_tried_changed_and_removed(
    told: tuple[RunningPost, HttpReceiver, Broker], browser: Browser
) -> None:
    """From the page alone, on a desk and a telephone: what was typed is in the settings, its secrets beside them, and who did it in the ledger."""
    post, receiver, _ = told
    page, watched = at_the_page(post, browser)
    page.get_by_text("So far nobody would be told").wait_for()
    page.get_by_text("No browser yet").wait_for()

    page.get_by_role("button", name="Add a channel").click()
    page.get_by_role("radio", name="A program of yours").check()
    page.get_by_label("Name in rules").fill("hook")
    page.get_by_label("Address", exact=True).fill("ftp://nowhere")
    page.get_by_label("Secret for the signature", exact=True).fill(SECRET)
    assert violations(page) == []
    page.get_by_role("button", name="Save").click()
    page.get_by_role("alert").get_by_text("A webhook is an http or https address.").wait_for()
    assert "notify" not in json.loads(post.settings.read_text("utf-8"))
    page.get_by_label("Address", exact=True).fill(receiver.address)
    page.get_by_role("button", name="Save").click()
    page.get_by_text("The channel hook is saved").wait_for()
    page.get_by_role("button", name="Send a trial by hook").click()
    page.get_by_text("hook: accepted.").wait_for()
    assert signed(SECRET, *receiver.taken[0])

    page.set_viewport_size({"width": 390, "height": 844})
    page.get_by_role("button", name="Add a recipient").click()
    page.get_by_label("Name in rules").fill("ada")
    page.get_by_role("checkbox", name="hook").check()
    page.get_by_role("button", name="Save").click()
    page.get_by_text("ada is saved").wait_for()
    page.get_by_role("button", name="Add a rule").click()
    page.get_by_label("Name in rules").fill("outages")
    page.get_by_role("checkbox", name="Every alarm").uncheck()
    page.get_by_role("checkbox", name="Not recording").check()
    page.get_by_role("button", name="Save").click()
    page.get_by_role("alert").get_by_text("Tick who is to be told.").wait_for()
    page.get_by_role("checkbox", name="ada").check()
    page.get_by_role("group").filter(has_text="How often").get_by_text("How often, and what follows").click()
    page.get_by_label("One message for what comes within", exact=True).fill("0")
    assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.get_by_role("button", name="Save").click()
    page.get_by_text("The rule outages is saved").wait_for()

    said = json.loads(post.settings.read_text("utf-8"))["notify"]
    assert said["rules"] == {
        "alarms": {"kinds": ["alarm"], "to": ["push"]},  # what is built in does not go with the first of one's own
        "outages": {"kinds": ["not_recording"], "to": ["ada"], "group": "0s"},
    }
    assert said["channels"]["hook"]["secret"] == "${NOTIFY_HOOK_SECRET}"
    assert receiver.address not in post.settings.read_text("utf-8")
    taken = len(receiver.taken)
    page.get_by_role("button", name="Send a trial to whom outages tells").click()
    wait(page, lambda: len(receiver.taken) > taken, "a trial of the rule arrives")
    post.cameras.stop("gate")
    wait(page, lambda: _outages(receiver) != [], "the rule tells")

    page.get_by_role("button", name="Change hook").click()
    page.get_by_text("Used by ada").wait_for()
    page.get_by_label("With messages about events").select_option("picture")
    page.get_by_role("button", name="Save").click()
    page.get_by_text("The channel hook is saved").wait_for()
    channel = json.loads(post.settings.read_text("utf-8"))["notify"]["channels"]["hook"]
    assert channel == {**said["channels"]["hook"], "attach": "picture"}, "what was not typed stays"
    for name in ("outages", "ada", "hook"):
        page.get_by_role("button", name=f"Change {name}").click()
        page.get_by_role("button", name="Remove", exact=True).click()
        page.get_by_role("button", name="Really remove").click()
        page.get_by_role("button", name=f"Change {name}").wait_for(state="detached")
    left = json.loads(post.settings.read_text("utf-8"))["notify"]
    assert left == {"channels": {}, "people": {}, "rules": {"alarms": said["rules"]["alarms"]}}
    entries = [entry for entry in _entries(post) if entry["kind"] == "settings_applied" and "person" in entry["body"]]
    assert len(entries) == 7, "each is an entry, with whoever did it"
    told = re.sub(r"[0-9a-f]{16,}", "#", json.dumps(entries))  # hashes: one in a few hundred has an "ada" in it
    assert not any(word in told for word in ("ada", "hook", SECRET, receiver.address)), told
    assert only_refused(watched, 1), watched.console
    page.context.close()


def test_the_broker_and_what_holds_for_all_messages_are_set_tried_and_removed_on_the_page(
    told: tuple[RunningPost, HttpReceiver, Broker], browser: Browser
) -> None:
    post, _, broker = told
    page, watched = at_the_page(post, browser)

    page.get_by_role("button", name="Connect a broker").click()
    page.get_by_label("Name or address of the broker").fill("127.0.0.1")
    page.get_by_label("Port", exact=True).fill(str(broker.port))
    page.get_by_label("User at the broker").fill(USER)
    page.get_by_label("Password there", exact=True).fill("none of theirs")
    page.get_by_label("Encrypted connection").check()
    page.get_by_text("Certificates", exact=True).click()
    page.get_by_text("Topics", exact=True).click()
    assert violations(page) == []
    page.get_by_label("Encrypted connection").uncheck()
    page.get_by_label("All topics begin with").fill("fleet/south")
    page.get_by_role("button", name="Save").click()
    page.get_by_text("The broker 127.0.0.1 is saved").wait_for()
    page.get_by_role("button", name="Send a trial by MQTT").click()
    page.get_by_text(f"does not accept this login, of the user {USER}").wait_for()
    page.get_by_role("button", name="Change MQTT").click()
    page.get_by_label("Password there", exact=True).fill(BROKER_PASSWORD)
    page.get_by_role("button", name="Save").click()
    page.get_by_role("row", name="MQTT").get_by_text("Works").wait_for()
    page.get_by_role("button", name="Send a trial by MQTT").click()
    page.get_by_text("The broker took a message at fleet/south/north-ridge/trial and gave it back").wait_for()
    assert violations(page) == []
    said = json.loads(post.settings.read_text("utf-8"))["mqtt"]
    block = {"host": "127.0.0.1", "port": broker.port, "user": USER, "prefix": "fleet/south"}
    assert said == {**block, "password": "${MQTT_PASSWORD}"}
    assert BROKER_PASSWORD not in page.content()

    page.set_viewport_size({"width": 390, "height": 844})
    page.get_by_role("button", name="Change For all messages").click()
    page.get_by_label("Address in links").fill("ridge.lan")
    page.get_by_role("button", name="Save").click()
    assert page.get_by_label("Address in links").evaluate("field => field.validity.typeMismatch")
    page.get_by_label("Address in links").fill("https://ridge.lan/?x=1")
    page.get_by_role("button", name="Save").click()
    page.get_by_role("alert").get_by_text("is not the address of the console").wait_for()
    page.get_by_label("Address in links").fill("https://ridge.lan")
    page.get_by_label("Contact for makers of browsers").fill("post@example.org")
    page.get_by_label("Kept for", exact=True).fill("14")
    assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.get_by_role("button", name="Save").click()
    page.get_by_text("Saved, and in force.").wait_for()
    page.get_by_text("https://ridge.lan", exact=True).wait_for()
    given = {"address": "https://ridge.lan", "contact": "post@example.org", "keep": "14d"}
    assert json.loads(post.settings.read_text("utf-8"))["notify"] == given

    page.get_by_role("button", name="Change MQTT").click()
    page.get_by_role("button", name="Remove", exact=True).click()
    page.get_by_role("button", name="Really remove").click()
    page.get_by_role("button", name="Connect a broker").wait_for()
    assert "mqtt" not in json.loads(post.settings.read_text("utf-8"))
    assert only_refused(watched, 1), watched.console
    page.context.close()


def _outages(receiver: HttpReceiver) -> list[dict[str, Any]]:
    """What was told of the camera that is off, the oldest first."""
    told = [json.loads(body).get("data", {}) for _, body in list(receiver.taken)]
    ends = ("Not recording at Main gate", "Switched off at Main gate")
    return [one for one in told if one.get("title", "").endswith(ends)]


def _paused(post: RunningPost) -> tuple[int, str] | None:
    """Subject and kind of the newest pause in the ledger."""
    found = [entry["body"] for entry in _entries(post) if entry["kind"] == "paused"]
    return (found[-1]["person"]["subject"], found[-1]["kind"]) if found else None


def _entries(post: RunningPost) -> list[dict[str, Any]]:
    reader = ArchiveReader([post.data])
    try:
        return [json.loads(row.entry) for row in reader.entries(0, 1_000_000)]
    finally:
        reader.close()


def test_the_service_worker_shows_what_it_is_pushed(post: RunningPost, chromium: Browser) -> None:
    """Chromium hands our service worker a message as its push service would. The one without windows shows no notifications."""
    if not WHOLE:
        pytest.skip("there is no chromium: install the Debian package of that name")
    browser = chromium.browser_type.launch(executable_path=WHOLE, args=WHOLE_FLAGS, timeout=DEADLINE_MS)
    context = browser.new_context(reduced_motion="reduce")
    context.set_default_timeout(120_000)
    context.grant_permissions(["notifications"], origin=post.address)
    page = context.new_page()
    page.goto(post.address)
    page.evaluate("() => navigator.serviceWorker.ready.then(() => true)")
    debugger = context.new_cdp_session(page)
    seen: list[dict[str, Any]] = []
    debugger.on("ServiceWorker.workerRegistrationUpdated", lambda event: seen.extend(event["registrations"]))
    debugger.send("ServiceWorker.enable")
    wait(page, lambda: bool(seen), "the worker is known")
    message = {
        "key": "r-1",
        "title": "North ridge: disk at Gate",
        "body": "Something.",
        "link": "/camera/gate",
        "grave": True,
    }
    last = {**message, "key": "r-2", "title": "North ridge: the last of three"}
    for one in (message, message, last):  # twice the same is shown once
        debugger.send(
            "ServiceWorker.deliverPushMessage",
            {"origin": post.address, "registrationId": seen[0]["registrationId"], "data": json.dumps(one)},
        )
    shown = "() => navigator.serviceWorker.ready.then(r => r.getNotifications()).then(all => all.map(n => [n.title, n.body, n.tag, n.data]))"
    both = sorted([one["title"], one["body"], one["key"], one["link"]] for one in (message, last))
    wait(page, lambda: sorted(page.evaluate(shown)) == both, "each is shown, and once")
    browser.close()
