"""People in the browser: somebody new, rights that change under them, passkeys by a virtual authenticator, logins, the audit."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from playwright.sync_api import Browser, CDPSession, Page, expect
from tests.e2e.axe import violations
from tests.e2e.post import ADMIN, INSPECTOR, PASSWORD, USER, RunningPost
from tests.e2e.test_console import until
from tests.e2e.watched import visitor

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("e2e")]
NEW = "three quiet lanterns"
Open = Callable[..., Page]


@pytest.fixture
def opened(browser: Browser) -> Iterator[Open]:
    """A visitor of their own each time. What a page says that it should not is kept in `page.said`."""
    with ExitStack() as stack:

        def one(address: str, width: int = 1440, height: int = 900, scheme: str = "light") -> Page:
            viewport = {"width": width, "height": height}
            context = visitor(browser, viewport=viewport, color_scheme=scheme, locale="en-GB")
            stack.callback(context.close)
            page = context.new_page()
            said: list[str] = []
            page.on("console", lambda m: said.append(m.text) if m.type in {"error", "warning"} else None)
            page.on("pageerror", lambda error: said.append(str(error)))
            page.said = said
            page.goto(address)
            return page

        yield one


def sign_in(page: Page, user: str, password: str = PASSWORD) -> None:
    page.get_by_label("User", exact=True).fill(user)
    page.get_by_label("Password", exact=True).fill(password)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("button", name=f"Sign out {user}").wait_for()


def go(page: Page, path: str, heading: str) -> None:
    page.goto(page.url.split("#")[0] + f"#/{path}")
    page.get_by_role("heading", name=heading, exact=True).wait_for()


def add_user(page: Page, name: str, role: str, cameras: list[str] | None = None) -> str:
    """By the page; the link for its user."""
    go(page, "people", "People")
    page.get_by_role("button", name="Add a user").click()
    dialog = page.get_by_role("dialog", name="Add a user")
    dialog.get_by_label("Name").fill(name)
    dialog.get_by_role("radio", name=re.compile(role)).check()
    if cameras is not None:
        dialog.get_by_label("Only these").check()
        for camera in cameras:
            dialog.get_by_label(camera).check()
    dialog.get_by_role("button", name="Add a user").click()
    link = page.get_by_role("dialog", name=f"{name} is added").get_by_label("Link").input_value()
    page.get_by_role("button", name="Done").click()
    return link


def set_password(page: Page, name: str) -> None:
    page.get_by_label("New password", exact=True).fill(NEW)
    page.get_by_label("New password again").fill(NEW)
    page.get_by_role("button", name="Set the password").click()
    page.get_by_role("button", name=f"Sign out {name}").wait_for()


def test_somebody_new_is_confined_to_a_camera_changed_and_disabled(post: RunningPost, opened: Open) -> None:
    who = f"kari-{random.randrange(1 << 20):05}"
    ada = opened(f"{post.address}/#/people")
    sign_in(ada, ADMIN)
    link = add_user(ada, who, "Operator", ["Main gate"])
    assert violations(ada) == []
    kari = opened(link)
    kari.get_by_role("heading", name="Set your password").wait_for()
    assert violations(kari) == []
    kari.get_by_label("New password", exact=True).fill(f"{who}-{who}-1")
    kari.get_by_label("New password again").fill(f"{who}-{who}-1")
    kari.get_by_role("button", name="Set the password").click()
    expect(kari.get_by_role("alert")).to_contain_text("too easy to guess")
    set_password(kari, who)
    expect(kari.get_by_text("Main gate").first).to_be_visible()
    assert kari.get_by_text("Pump hall").count() == 0

    ada.get_by_role("button", name=f"Change {who}").click()
    dialog = ada.get_by_role("dialog", name=who)
    assert violations(ada) == []
    dialog.get_by_label("Pump hall").check()
    dialog.get_by_label("Reason").fill("works in the hall from now on")
    dialog.get_by_role("button", name="Save role and cameras").click()
    expect(ada.get_by_role("row", name=re.compile(who)).get_by_text("Main gate and Pump hall")).to_be_visible()
    expect(kari.get_by_text("Pump hall").first).to_be_visible()

    ada.get_by_role("button", name=f"Change {who}").click()
    dialog.get_by_label("Reason").fill("left the post")
    dialog.get_by_role("button", name="Disable").click()
    expect(ada.get_by_role("row", name=re.compile(who)).get_by_text("Disabled")).to_be_visible()
    kari.get_by_role("heading", name="Sign in").wait_for()
    kari.get_by_label("User", exact=True).fill(who)
    kari.get_by_label("Password", exact=True).fill(NEW)
    kari.get_by_role("button", name="Sign in").click()
    expect(kari.get_by_role("alert")).to_contain_text("This account is disabled")
    assert ada.said == []


def test_the_last_administrator_is_told_so(post: RunningPost, opened: Open) -> None:
    ada = opened(f"{post.address}/#/people")
    sign_in(ada, ADMIN)
    go(ada, "people", "People")
    ada.get_by_role("button", name=f"Change {ADMIN}").click()
    dialog = ada.get_by_role("dialog", name=ADMIN)
    dialog.get_by_label("Reason").fill("by mistake")
    dialog.get_by_role("button", name="Disable").click()
    expect(dialog.get_by_role("alert")).to_contain_text("Nobody would be left who can administer this post")


def test_a_token_is_shown_once_and_revoked(post: RunningPost, opened: Open) -> None:
    ada = opened(f"{post.address}/#/people")
    sign_in(ada, ADMIN)
    go(ada, "people", "People")
    ada.get_by_role("button", name="Add a token").click()
    ada.get_by_label("Program").fill("grafana")
    ada.get_by_role("dialog").get_by_role("button", name="Add a token").click()
    token = ada.get_by_role("dialog").get_by_label("Token").input_value()
    assert token.startswith("lw_")
    assert violations(ada) == []
    ada.get_by_role("button", name="Done").click()
    expect(ada.get_by_role("dialog")).to_have_count(0)
    headers = {"Authorization": f"Bearer {token}"}
    assert ada.request.get(f"{post.address}/api/v1/me", headers=headers).json()["name"] == "grafana"
    assert token not in ada.content()
    ada.get_by_role("button", name="Revoke grafana").click()
    ada.get_by_role("dialog").get_by_label("Reason").fill("no longer used")
    ada.get_by_role("dialog").get_by_role("button", name="Revoke").click()
    expect(ada.get_by_role("dialog")).to_have_count(0)
    assert ada.request.get(f"{post.address}/api/v1/me", headers=headers).status == 401
    assert ada.said == []


def authenticator(page: Page) -> tuple[CDPSession, str]:
    """One in the browser that asks who is there, and answers by itself."""
    cdp = page.context.new_cdp_session(page)
    cdp.send("WebAuthn.enable")
    options = {
        "protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True,
        "isUserVerified": True, "automaticPresenceSimulation": True,
    }  # fmt: skip
    return cdp, cdp.send("WebAuthn.addVirtualAuthenticator", {"options": options})["authenticatorId"]


def test_a_passkey_is_made_and_signs_in(post: RunningPost, opened: Open) -> None:
    """At a name: an IP address has no passkeys, and the page says why."""
    at_address = opened(f"{post.address}/#/profile")
    sign_in(at_address, USER)
    go(at_address, "profile", "You at this post")
    expect(at_address.get_by_text("this page was opened by an address")).to_be_visible()
    assert at_address.get_by_role("button", name="Add a passkey").count() == 0

    page = opened(post.address.replace("127.0.0.1", "localhost") + "/#/profile")
    cdp, device = authenticator(page)
    sign_in(page, USER)
    go(page, "profile", "You at this post")
    page.get_by_role("button", name="Add a passkey").click()
    dialog = page.get_by_role("dialog", name="Add a passkey")
    dialog.get_by_label("What you call it").fill("my telephone")
    dialog.get_by_label("Password", exact=True).fill(PASSWORD)
    assert violations(page) == []
    dialog.get_by_role("button", name="Add a passkey").click()
    expect(page.get_by_text("my telephone")).to_be_visible()
    [credential] = cdp.send("WebAuthn.getCredentials", {"authenticatorId": device})["credentials"]
    assert credential["rpId"] == "localhost"
    assert credential["isResidentCredential"]
    assert violations(page) == []

    cdp.send("WebAuthn.setUserVerified", {"authenticatorId": device, "isUserVerified": False})
    page.get_by_role("button", name=f"Sign out {USER}").click()
    page.get_by_role("button", name="Use a passkey").click()
    expect(page.get_by_role("alert")).to_contain_text("No passkey was given")
    cdp.send("WebAuthn.setUserVerified", {"authenticatorId": device, "isUserVerified": True})
    page.get_by_role("button", name="Use a passkey").click()
    page.get_by_role("button", name=f"Sign out {USER}").wait_for()

    go(page, "profile", "You at this post")
    expect(page.get_by_role("row", name=re.compile("this one"))).to_contain_text("by passkey")
    page.get_by_role("button", name="Remove my telephone").click()
    expect(page.get_by_text("my telephone")).to_have_count(0)
    page.get_by_role("button", name=f"Sign out {USER}").click()
    page.get_by_role("button", name="Use a passkey").click()
    expect(page.get_by_role("alert")).to_contain_text(re.compile("not known|do not fit"))


def test_signing_out_everywhere_ends_every_open_page(post: RunningPost, opened: Open) -> None:
    post.person("oda", "viewer", NEW)
    here, there = (opened(f"{post.address}/#/audit", *size) for size in ((), (390, 844, "dark")))
    sign_in(here, "oda", NEW)
    sign_in(there, "oda", NEW)
    go(here, "profile", "You at this post")
    expect(here.get_by_role("row", name=re.compile("Chrome"))).to_have_count(2)
    here.get_by_role("button", name="Sign out everywhere").click()
    here.get_by_role("heading", name="Sign in").wait_for()
    there.get_by_role("heading", name="Sign in").wait_for()


def test_a_new_password_by_the_page(post: RunningPost, opened: Open) -> None:
    post.person("liv", "viewer", NEW)
    page = opened(f"{post.address}/#/profile", 390, 844, "dark")
    sign_in(page, "liv", NEW)
    go(page, "profile", "You at this post")
    assert violations(page) == []
    page.get_by_label("Password until now").fill(NEW)
    page.get_by_label("New password", exact=True).fill("a fourth lantern too")
    page.get_by_label("New password again").fill("a fourth lantern too")
    page.get_by_role("button", name="Change the password").click()
    expect(page.get_by_text("The password is changed.")).to_be_visible()
    fresh = opened(f"{post.address}/#/profile")
    sign_in(fresh, "liv", "a fourth lantern too")


def test_the_audit_says_who_watched_what_to_each_what_they_may_know(post: RunningPost, opened: Open) -> None:
    post.person("siv", "viewer", NEW)
    siv = opened(f"{post.address}/#/camera/gate")
    sign_in(siv, "siv", NEW)
    siv.goto(f"{post.address}/#/camera/gate")
    siv.wait_for_selector(
        "[data-stage=gate] .frame[data-live=yes]"
    )  # whoever left before a picture came has watched nothing
    go(siv, "audit", "Audit")
    expect(siv.get_by_text("What is entered about you.")).to_be_visible()
    ines = opened(f"{post.address}/#/audit")
    sign_in(ines, INSPECTOR)
    go(ines, "audit", "Audit")
    expect(ines.get_by_text(re.compile("of everybody"))).to_be_visible()
    ines.get_by_role("combobox", name="What").select_option(label="Viewing")
    row = ines.get_by_role("row", name=re.compile("siv.*Watched live.*Main gate"))
    camera = ines.get_by_role("combobox", name="Camera")

    def entered() -> bool:
        """What was looked at is told within a few seconds; each choice asks the post anew, and its answer is waited for."""
        for label in ("Main gate", "Any"):
            with ines.expect_response(lambda answer: "/api/v1/audit?" in answer.url):
                camera.select_option(label=label)
            if row.count():
                return True
        return False

    until(entered, "it is entered that siv watched", ines)
    expect(row.first).to_be_visible()
    assert violations(ines) == []
    ines.get_by_role("button", name="Only entries of siv").first.click()
    ines.get_by_role("button", name="Show everybody").wait_for()
    expect(ines.get_by_role("row", name=re.compile("siv")).first).to_be_visible()
    ines.get_by_role("button", name="Erase the words about this person").click()
    ines.get_by_role("dialog").get_by_label("Reason").fill("asked by the person")
    ines.get_by_role("dialog").get_by_role("button", name="Erase").click()
    expect(ines.get_by_role("status").filter(has_text="are gone")).to_be_visible()
    expect(ines.get_by_role("row", name=re.compile("number .*erased")).first).to_be_visible()
    assert ines.said == []
