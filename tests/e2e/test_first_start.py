"""From a post that nobody has set up to recorded video, all in the browser, against a real RTSP camera; and the settings afterwards."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect
from tests.e2e.axe import violations
from tests.e2e.post import Cameras, RunningPost
from tests.e2e.test_console import until
from tests.e2e.watched import Watched
from tests.support.measured import stretch

from longwatch.simulate.camera import LOT, SimulatedCamera

pytestmark = pytest.mark.slow

USER, PASSWORD = "kari", "a few quiet words"
SETTINGS = """# our post, as it came
post: {id: north-ridge}
data: DATA   # one disk
web: {listen: ADDRESS}

# cameras come below
cameras: {}
"""
SET_UP = """# our post, as it came
post: {id: north-ridge, name: North ridge lookout, timezone: Africa/Nairobi}
data: DATA   # one disk
web: {listen: ADDRESS}
secrets: secrets.env

# cameras come below
cameras:
  main-gate:
    name: Main gate
    streams:
      main: MAIN
"""
FIRST_START_S = 180.0


@contextlib.contextmanager
def running(folder: Path, settings: str) -> Iterator[RunningPost]:
    """A post with one camera beside it, at this text of settings; with a user where the text knows the camera."""
    cameras = Cameras()
    post = RunningPost(folder, cameras)
    try:
        gate = cameras.add(
            "gate", lambda: SimulatedCamera({"main": LOT, "sub": LOT}, user="admin", password="of the gate")
        )
        post.data.mkdir(mode=0o700)
        address = bare(gate.url_of("main")).replace("rtsp://", "rtsp://admin:${MAIN_GATE_PASSWORD}@")
        text = settings.replace("DATA", str(post.data)).replace("ADDRESS", f"127.0.0.1:{post.port}")
        post.settings.write_text(text.replace("MAIN\n", f"{address}\n"), encoding="utf-8")
        if "secrets.env" in settings:
            secrets = folder / "secrets.env"
            secrets.touch(mode=0o600)
            secrets.write_text("MAIN_GATE_PASSWORD=of the gate\n", "utf-8")
            post.person(USER, "admin", PASSWORD)
        post.start()
        yield post
    finally:
        post.stop()
        cameras.close()


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[RunningPost]:
    """Nobody has set it up yet."""
    with running(tmp_path, SETTINGS) as post:
        yield post


@pytest.fixture
def set_up(tmp_path: Path) -> Iterator[RunningPost]:
    """As the first start leaves it: a user, and a camera with a password that is recorded."""
    with running(tmp_path, SET_UP) as post:
        yield post


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    one = browser.new_context(
        viewport={"width": 390, "height": 844}, reduced_motion="reduce", timezone_id="Africa/Nairobi", locale="en-GB"
    )
    one.set_default_timeout(120_000)
    yield one
    one.close()


def bare(url: str) -> str:
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}"


def answer(page: Page, path: str) -> dict:
    return page.evaluate("path => fetch('/api/v1/' + path).then(answer => answer.json())", path)


def recorded(page: Page) -> list[dict]:
    """Every stretch of the camera that is held, the oldest first."""
    items = answer(page, "cameras/main-gate/timeline?from=2020-01-01T00:00:00Z&to=2100-01-01T00:00:00Z")["items"]
    return [item for item in items if item["state"] == "recorded"]


def sign_in(page: Page, address: str) -> None:
    page.goto(address)
    page.get_by_label("User").fill(USER)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.get_by_role("button", name=f"Sign out {USER}").wait_for()


def in_editor(page: Page, before: str, after: str) -> None:
    """Replace a piece of the text, as a person does: find it, select it, type."""
    content = page.locator(".cm-content")
    content.click()
    page.keyboard.press("Control+f")
    page.locator(".cm-search input[name=search]").fill(before)
    page.locator(".cm-search button[name=select]").click()
    page.keyboard.press("Escape")
    content.press_sequentially(after)


def test_from_nothing_to_recorded_video_on_a_phone(fresh: RunningPost, context: BrowserContext) -> None:
    page = context.new_page()
    watched = Watched(page, fresh.address)
    page.goto(fresh.address)
    page.get_by_role("heading", name="Set up this post").wait_for()
    assert violations(page) == []
    page.get_by_label("Your user name").fill(USER)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_text("Strong", exact=True).wait_for()
    page.get_by_label("Password again").fill(PASSWORD)
    page.get_by_label("Set-up code").fill("not-the-code")
    page.get_by_role("button", name="Make the user").click()
    page.get_by_role("alert").filter(has_text="code").wait_for()
    watched.listen()  # from here on nothing is refused
    began = time.monotonic()
    page.get_by_label("Set-up code").fill((fresh.data / "setup-code").read_text("ascii").strip())
    page.get_by_role("button", name="Make the user").click()

    page.get_by_role("heading", name="Name and time").wait_for()
    assert page.get_by_label("Time zone").input_value() == "Africa/Nairobi"
    assert violations(page) == []
    page.get_by_label("Name of this post").fill("North ridge lookout")
    page.get_by_role("button", name="Save and go on").click()

    page.get_by_role("heading", name="Disk", exact=True).wait_for()
    page.get_by_text("Room for about").wait_for()
    assert violations(page) == []
    page.get_by_label("Keep footage for at most").fill("14")
    page.get_by_role("button", name="Save and go on").click()

    page.get_by_role("heading", name="First camera", exact=True).wait_for()
    gate = fresh.cameras.by_id["gate"]
    page.get_by_role("textbox", name="Address").fill(bare(gate.url_of("main")))
    page.get_by_label("Its user").fill("admin")
    page.get_by_label("Its password").fill("of the wrong gate")
    page.get_by_role("button", name="Test", exact=True).click()
    page.get_by_text("It refuses this user and password").wait_for()
    page.get_by_label("Its password").fill("of the gate")
    page.get_by_label("Second, smaller stream").fill("/sub")
    page.get_by_role("button", name="Test", exact=True).click()
    page.get_by_role("img", name="First picture").first.wait_for()
    page.get_by_text("of disk a day").wait_for()
    assert violations(page) == []
    page.get_by_placeholder("Main gate").fill("Main gate")
    page.get_by_role("button", name="Save and record").click()

    page.get_by_text("Main gate is being recorded").wait_for()
    page.wait_for_function(
        "() => [...document.querySelectorAll('video')].some(video => video.currentTime > 0 && video.videoWidth > 0)"
    )
    assert time.monotonic() - began < FIRST_START_S * stretch()
    assert violations(page) == []
    assert (watched.console, watched.foreign) == ([], [])

    text = fresh.settings.read_text("utf-8")
    assert "# our post, as it came" in text
    assert "# cameras come below" in text
    assert "of the gate" not in text
    assert "MAIN_GATE_PASSWORD=of the gate" in (fresh.settings.parent / "secrets.env").read_text("utf-8")
    post = answer(page, "post")
    assert (post["name"], post["timezone"]) == ("North ridge lookout", "Africa/Nairobi")
    history = answer(page, "audit?from=2020-01-01T00:00:00Z&to=2100-01-01T00:00:00Z&kind=settings_applied")["items"]
    assert [entry["person"]["user"] for entry in history] == [USER] * len(history) != []
    assert "First set-up" in json.dumps(history)
    page.get_by_role("button", name="To the wall").click()
    page.locator("video").first.wait_for()


def test_a_broken_file_cannot_be_saved_and_a_right_one_interrupts_nothing(
    set_up: RunningPost, context: BrowserContext
) -> None:
    page = context.new_page()
    page.set_viewport_size({"width": 1440, "height": 900})
    watched = Watched(page, set_up.address)
    watched.listen()
    sign_in(page, set_up.address)
    page.evaluate("() => { location.hash = '#/settings' }")
    page.get_by_role("heading", level=1, name="Settings").wait_for()
    page.locator(".cm-content").wait_for()
    save = page.get_by_role("button", name="Save…")
    expect(save).to_be_disabled()

    # Completion from the schema: a key, then a word for it.
    in_editor(page, "    name: Main gate", "    name: Main gate\ntrans")
    page.locator(".cm-tooltip-autocomplete").get_by_text("transport").click()
    page.locator(".cm-content").press_sequentially("carrier pigeon")
    page.get_by_text("cameras.main-gate.transport").wait_for()
    page.get_by_text("One thing is wrong").wait_for()
    expect(save).to_be_disabled()
    page.locator(".cm-lint-marker-error").first.wait_for()
    assert violations(page) == []
    before = set_up.settings.read_bytes()
    status = page.evaluate(
        """async () => {
          const now = await (await fetch('/api/v1/settings')).json()
          const text = now.text.replace('name: Main gate', 'name: [')
          const headers = {'If-Match': '"' + now.revision + '"', 'Content-Type': 'application/json'}
          return (await fetch('/api/v1/settings', {method: 'PUT', headers, body: JSON.stringify({text})})).status
        }"""
    )
    assert status == 422
    assert set_up.settings.read_bytes() == before
    watched.console.clear()  # the refusal above

    in_editor(page, "carrier pigeon", "tcp   # as always")
    page.get_by_text("Nothing is wrong with it").wait_for()
    in_editor(page, "name: North ridge lookout", "name: North ridge")
    until(lambda: recorded(page), "it is recorded", page)
    runs = recorded(page)
    save.click()
    dialog = page.get_by_role("dialog", name="Save the settings")
    dialog.get_by_text("No recording is interrupted.").wait_for()
    assert violations(page) == []
    dialog.get_by_label("Reason").fill("a shorter name")
    dialog.get_by_role("button", name="Save and apply").click()
    page.get_by_text("Saved and applied: entry").wait_for()
    text = set_up.settings.read_text("utf-8")
    assert "tcp   # as always" in text
    assert "# cameras come below" in text
    page.get_by_role("cell", name="a shorter name").wait_for()

    def gone_on() -> list[dict]:
        return [now for now in recorded(page) if now["run"] == runs[-1]["run"] and now["to"] > runs[-1]["to"]]

    until(gone_on, f"the same recording goes on: {runs[-1]}, {recorded(page)[-1]}", page)

    # Somebody edits the file by hand meanwhile.
    in_editor(page, "name: North ridge", "name: North ridge mine")
    set_up.settings.write_text(text.replace("# our post", "# by hand: our post"), "utf-8")
    page.get_by_text("Nothing is wrong with it").wait_for()
    save.click()
    page.get_by_role("dialog").get_by_role("button", name="Save and apply").click()
    page.get_by_text("Somebody else changed the file meanwhile").wait_for()
    page.get_by_role("button", name="Keep mine").click()
    dialog.get_by_text("What will happen").wait_for()
    dialog.get_by_role("button", name="Cancel").click()
    page.get_by_role("button", name="Discard changes").click()
    expect(page.locator(".cm-content")).to_contain_text("# by hand: our post")
    assert watched.foreign == []


def test_a_camera_is_changed_by_its_form_and_removed_with_a_reason(
    set_up: RunningPost, context: BrowserContext
) -> None:
    page = context.new_page()
    sign_in(page, set_up.address)
    page.evaluate("() => { location.hash = '#/cameras/main-gate' }")
    page.get_by_role("heading", level=1, name="Main gate").wait_for()
    page.get_by_label("Its user").wait_for()
    assert page.get_by_label("Its password").input_value() == ""
    assert violations(page) == []
    page.get_by_role("button", name="Test", exact=True).click()
    page.get_by_role("img", name="First picture").first.wait_for()  # with the password that is kept
    page.get_by_label("Only at these times").check()
    page.get_by_role("button", name="Save", exact=True).click()
    page.get_by_text("This takes something away").wait_for()
    page.get_by_label("Reason").fill("only by day")
    page.get_by_role("button", name="Save", exact=True).click()
    page.wait_for_function("() => location.hash === '#/camera/main-gate'")
    assert "{days: mon-fri, from: '08:00', to: '18:00'}" in set_up.settings.read_text("utf-8")
    page.evaluate("() => { location.hash = '#/cameras/main-gate' }")
    page.get_by_role("button", name="Remove").first.click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Reason").fill("the gate is walled up")
    dialog.get_by_role("button", name="Remove").click()
    page.wait_for_function("() => location.hash === '#/settings'")
    until(lambda: answer(page, "cameras")["items"] == [], "no camera is left", page)
    assert "# cameras come below" in set_up.settings.read_text("utf-8")
