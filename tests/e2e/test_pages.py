"""Duties, reports, health and the notice, as a person meets them; and what holds for every page."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Request, Route
from tests.e2e.axe import violations
from tests.e2e.post import ADMIN, INSPECTOR, RunningPost
from tests.e2e.test_console import sign_in, until
from tests.e2e.watched import Watched, visitor

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("e2e")]
LONG = pytest.mark.long
CATALOGS = Path(__file__).parents[2] / "console/src/i18n"
TELEPHONE = 390
WORDS = {"fr": "Se connecter", "es": "Iniciar sesión", "sw": "Ingia"}
"""What stands over the form where one signs in."""


def go(page: Page, path: str, heading: str) -> None:
    page.evaluate("path => { location.hash = '#/' + path }", path)
    page.get_by_role("heading", level=1, name=heading).wait_for()


def test_a_gap_is_listed_with_its_cause_and_evidence_and_leads_to_its_moment(
    watched: Watched, post: RunningPost
) -> None:
    page = watched.page
    sign_in(page, at="reports")  # this page is opened once there is a gap
    post_gaps = (
        "() => fetch('/api/v1/gaps?camera=yard&from=2020-01-01T00:00:00Z&to=2100-01-01T00:00:00Z').then(r => r.json())"
    )

    def faults() -> list[str]:
        """When each began that is over, and that nobody wanted: those are what the page shows at first."""
        gaps = page.evaluate(post_gaps)["items"]
        return [gap["from"] for gap in gaps if gap["cause"].startswith("camera_") and not gap["open"]]

    before = faults()
    post.cameras.inject("yard", "drop", 3)
    until(lambda: set(faults()) - set(before), "the gap is over", page)
    go(page, "duties", "Gaps and duties")
    row = page.get_by_role("row").filter(has_text="Equipment yard").first
    row.wait_for()
    assert row.get_by_role("cell").count() >= 4
    page.get_by_role("combobox", name="Camera").select_option("hall")
    page.get_by_role("row").filter(has_text="Equipment yard").first.wait_for(state="detached")
    page.get_by_role("combobox", name="Camera").select_option("yard")
    row.wait_for()
    assert violations(page) == []
    row.get_by_role("button").click()
    page.wait_for_function("() => location.hash.startsWith('#/camera/yard/2')")
    assert (watched.console, watched.foreign) == ([], [])


def test_a_report_adds_up_and_its_signed_form_is_what_the_ledger_speaks_of(
    watched: Watched, post: RunningPost, tmp_path: Path
) -> None:
    page = watched.page
    sign_in(page, INSPECTOR, at="reports")
    go(page, "reports", "Reports")
    page.get_by_role("heading", name="By camera").wait_for()
    page.locator(".plot canvas").wait_for()
    unexplained = page.locator("dl div").filter(has_text="Unexplained").locator("dd")
    assert unexplained.inner_text().strip() == "0.0 s"
    assert violations(page) == []
    with page.expect_download() as downloading:
        page.get_by_role("button", name="Signed report").click()
    kept = tmp_path / downloading.value.suggested_filename
    downloading.value.save_as(kept)
    with zipfile.ZipFile(io.BytesIO(kept.read_bytes())) as package:
        assert {"report.html", "report.csv", "report.json"} <= set(package.namelist())
        assert json.loads(package.read("report.json"))["total"]["unexplained_us"] == 0
    assert post.verb("report", "--check", str(kept)).startswith("as it was made: entry ")
    assert (watched.console, watched.foreign) == ([], [])


def test_everything_is_proven_from_the_page_while_it_records(watched: Watched) -> None:
    page = watched.page
    sign_in(page, INSPECTOR, at="health")
    go(page, "health", "Health")
    page.get_by_text("takes recordings").first.wait_for()
    page.get_by_text("Newest checkpoint").wait_for()
    assert violations(page) == []
    page.get_by_role("button", name="Verify everything").click()
    told = page.locator("section[aria-labelledby=verify]")
    # The child that proves it gives way to everybody else: on a busy machine it takes its time.
    told.locator("[data-verified], p.bad").first.wait_for(timeout=240_000)
    assert told.locator("[data-verified=yes]").count() == 1, told.inner_text()
    assert (watched.console, watched.foreign) == ([], [])


def test_the_notice_is_read_without_a_login_in_four_languages(watched: Watched, post: RunningPost) -> None:
    page = watched.page
    for language, word in (
        ("en", "Video recording at"),
        ("fr", "Enregistrement"),
        ("es", "Grabación"),
        ("sw", "Kurekodi"),
    ):
        page.goto(f"{post.address}/notice?lang={language}")
        page.get_by_role("heading", level=1).filter(has_text=word).wait_for()
        assert page.evaluate("document.documentElement.lang") == language
        page.get_by_role("cell").first.wait_for()
        assert violations(page) == []
    assert page.locator("figure svg").count() == 1
    assert (watched.console, watched.foreign) == ([], [])


# One language holds it for all: that each catalog has every word is a test of its own, and the notice is read in four above.
@pytest.mark.parametrize("language", ["fr", pytest.param("es", marks=LONG), pytest.param("sw", marks=LONG)])
def test_the_page_speaks_the_browsers_language_and_another_where_one_is_chosen(
    post: RunningPost, browser: Browser, language: str
) -> None:
    context = visitor(browser, locale=language)
    page = context.new_page()
    page.goto(post.address)
    page.wait_for_function("language => document.documentElement.lang === language", arg=language)
    page.get_by_role("heading", name=WORDS[language]).wait_for()
    assert "Sign in" not in page.locator("main").inner_text()
    page.get_by_role("button", name="English", exact=True).click()
    page.get_by_role("heading", name="Sign in").wait_for()
    page.reload()
    page.get_by_role("heading", name="Sign in").wait_for()
    context.close()


def test_somebody_vouches_for_the_clock_that_retention_waits_for(watched: Watched) -> None:
    """That nothing expires is put into the answer; the word for the clock is the post's own, and an entry."""
    page = watched.page

    def waits(route: Route) -> None:
        answer = route.fetch()
        told = answer.json()
        remark = {
            "rule": "reported",
            "subject": "recorder",
            "what": "nothing expires by age: no clock",
            "why": "",
            "remedy": "",
            "camera": None,
        }
        route.fulfill(response=answer, json={**told, "remarks": [remark]})

    page.route("**/api/v1/health", waits)
    sign_in(page, at="health")
    go(page, "health", "Health")
    page.get_by_role("button", name="The clock is right…").click()
    dialog = page.get_by_role("dialog", name="Is this the time at the post?")
    assert violations(page) == []
    with page.expect_response("**/api/v1/retention/approve") as answered:
        dialog.get_by_role("button", name="The clock is right").click()
    assert answered.value.status == 200
    dialog.wait_for(state="hidden")
    page.unroute_all(behavior="wait")  # an answer that is still held up would end with the page


def test_the_shell_opens_without_the_post_and_says_so(post: RunningPost, browser: Browser) -> None:
    page = visitor(browser, worker=True).new_page()
    page.goto(post.address)
    page.get_by_role("heading", name="Sign in").wait_for()
    page.evaluate("() => navigator.serviceWorker.ready.then(() => true)")
    kept = "() => caches.open('longwatch-shell').then(c => c.keys()).then(keys => keys.length)"
    until(lambda: page.evaluate(kept) > 3, "the shell is kept", page)
    assert (
        page.evaluate(
            "() => caches.open('longwatch-shell').then(c => c.keys()).then(keys => keys.filter(k => k.url.includes('/api/')).length)"
        )
        == 0
    )
    post.stop()
    try:
        page.reload()
        page.get_by_role("heading", name="The post does not answer").wait_for()
    finally:
        post.start()
    page.get_by_role("heading", name="Sign in").wait_for()


def test_every_name_on_the_rail_is_read_whole_in_each_language(watched: Watched) -> None:
    """Also where it is the page that is open, whose name is heavier."""
    page = watched.page
    sign_in(page, at="health")
    page.get_by_role("heading", name="Health", exact=True).wait_for()
    for catalog in sorted(CATALOGS.glob("*/nav.json")):
        words = json.loads(catalog.read_text())
        words |= {"messages": json.loads((catalog.parent / "notify.json").read_text())["title"]}
        cut = page.evaluate(
            """words => {
              const name = document.querySelector('nav a[aria-current=page] span'), before = name.textContent
              const cut = words.filter(word => { name.textContent = word; return name.scrollWidth > name.clientWidth })
              name.textContent = before
              return cut
            }""",
            [word for key, word in words.items() if key not in {"pages", "skip"}],
        )
        assert cut == [], catalog.parent.name


def test_by_the_keyboard_alone_one_comes_past_the_rail(watched: Watched) -> None:
    page = watched.page
    sign_in(page)
    page.evaluate("() => document.activeElement && document.activeElement.blur()")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_function("() => document.activeElement.id === 'content'")


# At the desk each page is made as narrow as a telephone too, and must fit; what axe says of it there is the longer form.
@pytest.mark.parametrize("width", [1440, pytest.param(390, marks=LONG)])
def test_no_page_breaks_a_rule_of_access(post: RunningPost, browser: Browser, width: int) -> None:
    """Every page of the rail, in both looks, on a desk and on a telephone: axe finds nothing, nothing is wider than the screen."""
    context = visitor(browser, viewport={"width": width, "height": 860}, has_touch=width < 500)
    watched = Watched(context.new_page(), post.address)
    watched.listen()
    page = watched.page
    answers = Answers(page)
    page.goto(post.address)
    page.get_by_role("heading", name="Sign in").wait_for()
    holds_in_both_looks(page, "sign in")
    sign_in(page, ADMIN)
    page.wait_for_selector(".frame[data-live=yes]")
    holds_in_both_looks(page, "the wall")
    paths = page.evaluate(
        "() => [...document.querySelectorAll('nav.rail a')].map(a => a.getAttribute('href').slice(2))"
    )
    assert len(paths) >= 3
    for path in filter(None, paths):
        page.evaluate("() => { for (const part of document.querySelectorAll('main > *')) part.dataset.before = 'yes' }")
        page.evaluate("path => { location.hash = '#/' + path }", path)
        page.locator("main > :not([data-before]) h1, main > h1:not([data-before])").first.wait_for()
        until(answers.are_here, f"what {path} asks for at once", page)
        holds_in_both_looks(page, path)
    assert (watched.console, watched.foreign) == ([], [])
    context.close()


class Answers:
    """What a page has asked for and not got yet, pictures and sockets apart."""

    def __init__(self, page: Page) -> None:
        self._awaited: set[Request] = set()
        kinds = {"fetch", "script", "stylesheet"}
        page.on("request", lambda request: self._awaited.add(request) if request.resource_type in kinds else None)
        page.on("requestfinished", lambda request: self._awaited.discard(request))
        page.on("requestfailed", lambda request: self._awaited.discard(request))

    def are_here(self) -> bool:
        return not self._awaited


def holds_in_both_looks(page: Page, where: str) -> None:
    for look in ("light", "dark"):
        page.emulate_media(color_scheme=look)
        assert violations(page, of_colours=look == "dark") == [], f"{where}, {look}"
    fits(page, where)
    size = page.viewport_size
    assert size is not None
    if size["width"] > TELEPHONE:
        page.set_viewport_size({"width": TELEPHONE, "height": 844})
        page.evaluate("() => new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)))")
        fits(page, f"{where}, on a telephone,")
        page.set_viewport_size(size)


def fits(page: Page, where: str) -> None:
    assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth"), f"{where} is too wide"
