"""Exports and protected footage, as a person meets them: chosen, costed, made, fetched, checked, removed; placed and ended."""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import av
import pytest
from playwright.sync_api import Page, expect
from tests.e2e.axe import violations
from tests.e2e.test_console import sign_in, until
from tests.e2e.watched import Watched

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("e2e")]


def go(page: Page, path: str, heading: str) -> None:
    page.evaluate("path => { location.hash = '#/' + path }", path)
    page.get_by_role("heading", level=1, name=heading).wait_for()


def asked(page: Page, path: str) -> Any:
    return page.evaluate("path => fetch('/api/v1/' + path).then(r => r.json())", path)


def stretch(page: Page, seconds: int = 8) -> str:
    """`from` and `to` of an address: whole seconds that were recorded, with some to spare."""

    def known() -> datetime | None:
        cameras = {camera["id"]: camera for camera in asked(page, "cameras")["items"]}
        until_ = [cameras[name]["recorded_until"] for name in ("gate", "yard")]
        if not all(until_):
            return None
        end = min(datetime.fromisoformat(text) for text in until_).replace(microsecond=0)
        spans = [asked(page, f"cameras/{name}/timeline?from={stamp(end - timedelta(seconds=seconds))}&to={stamp(end)}") for name in ("gate", "yard")]  # fmt: skip
        return end if all(item["state"] == "recorded" for span in spans for item in span["items"]) else None

    end: datetime = until(known, "two cameras are recorded for a while", page)
    return f"from={stamp(end - timedelta(seconds=seconds))}&to={stamp(end)}"


def stamp(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def order(page: Page, kind: str, cameras: str, reason: str, span: str) -> int:
    """From the form, as the timeline opens it; its number, once it is done."""
    go(page, f"exports/new?{span}&{cameras}", "New export")
    page.get_by_role("radio", name=re.compile(kind)).check()
    begin = page.get_by_role("button", name="Export", exact=True)
    expect(page.locator(".estimate")).to_contain_text("ready in about")
    expect(begin).to_be_disabled()
    page.get_by_label("Reason").fill(reason)
    expect(begin).to_be_enabled()
    begin.click()
    page.wait_for_function("() => /^#\\/exports\\/\\d+$/.test(location.hash)")
    page.get_by_text("done", exact=True).wait_for()
    return int(page.evaluate("() => location.hash.split('/')[2]"))


def fetch(page: Page, name: str, folder: Path) -> Path:
    with page.expect_download() as downloading:
        page.get_by_role("link", name=re.compile(f"^Download {name}")).click()
    kept = folder / downloading.value.suggested_filename
    downloading.value.save_as(kept)
    return kept


def test_an_export_of_two_cameras_is_costed_made_fetched_and_removed(watched: Watched, tmp_path: Path) -> None:
    page = watched.page
    sign_in(page, at="exports")
    span = stretch(page)
    go(page, f"exports/new?{span}&camera=gate&camera=yard", "New export")
    assert page.get_by_role("checkbox", checked=True).count() == 2
    expect(page.locator(".estimate")).to_contain_text("2 files")
    assert violations(page) == []
    number = order(page, "Video", "camera=gate&camera=yard", "for the police, report 17", span)
    assert violations(page) == []
    kept = fetch(page, "gate", tmp_path)
    digest = hashlib.sha256(kept.read_bytes()).hexdigest()
    assert page.locator("code", has_text=digest).count() == 1
    with av.open(str(kept)) as container:
        pictures = sum(1 for _ in container.decode(video=0))
    assert pictures > 20
    go(page, "exports", "Exports")
    row = page.get_by_role("listitem").filter(has=page.locator(f"a[href='#/exports/{number}']"))
    expect(row).to_contain_text("for the police, report 17")
    assert violations(page) == []
    row.get_by_role("button", name=re.compile("^Remove")).click()
    dialog = page.get_by_role("dialog", name="Remove this export?")
    dialog.wait_for()
    assert violations(page) == []
    dialog.get_by_role("button", name="Remove").click()
    expect(row).to_contain_text("removed")
    assert page.evaluate("number => fetch(`/api/v1/exports/${number}/file`).then(r => r.status)", number) == 404
    now = datetime.now(UTC)
    told = asked(page, f"audit?from={stamp(now - timedelta(minutes=30))}&to={stamp(now + timedelta(minutes=1))}")
    assert {"export_begun", "export_taken"} <= {item["kind"] for item in told["items"]}
    expected = [line for line in watched.console if "404" not in line]
    assert (expected, watched.foreign) == ([], [])


def test_an_evidence_package_from_the_page_is_proven_by_the_hint_that_stands_beside_it(
    watched: Watched, tmp_path: Path
) -> None:
    page = watched.page
    sign_in(page, at="exports")
    order(page, "Evidence", "camera=gate", "for the court", stretch(page))
    kept = fetch(page, "gate", tmp_path)
    hint = page.locator(".hint code").inner_text()
    assert kept.name in hint
    key = hint.split("--key ")[1].strip()
    done = subprocess.run(
        [sys.executable, "-m", "longwatch.cli", "verify", str(kept), "--key", key],
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    wrong = subprocess.run(
        [sys.executable, "-m", "longwatch.cli", "verify", str(kept), "--key", "SHA256:" + "A" * 43],
        capture_output=True,
        timeout=180,
        check=False,
    )
    assert wrong.returncode == 1
    assert (watched.console, watched.foreign) == ([], [])


def test_a_time_lapse_is_a_film_that_says_when(watched: Watched, tmp_path: Path) -> None:
    page = watched.page
    sign_in(page, at="exports")
    span = stretch(page)
    go(page, f"exports/new?{span}&camera=gate", "New export")
    page.get_by_role("radio", name=re.compile("Time-lapse")).check()
    page.get_by_label("Length of the film").select_option("15")
    expect(page.locator(".estimate")).to_contain_text("pictures are decoded")
    assert violations(page) == []
    order(page, "Time-lapse", "camera=gate", "weather of the week", span)
    kept = fetch(page, "gate", tmp_path)
    with av.open(str(kept)) as container:
        assert sum(1 for _ in container.decode(video=0)) >= 1
        assert len(container.streams.subtitles) == 1
    assert (watched.console, watched.foreign) == ([], [])


def test_footage_is_protected_with_a_reason_and_let_go_with_another(watched: Watched) -> None:
    page = watched.page
    sign_in(page, at="exports")
    span = stretch(page, 2)
    go(page, f"holds/new?{span}&camera=yard", "Protect footage")
    assert page.get_by_role("checkbox", name="Equipment yard").is_checked()
    stands = page.locator(".stands")
    expect(stands).to_contain_text("gives way to the maximum age")
    page.get_by_label("Ordered by").fill("District court, file 17/2026")
    page.get_by_label("Until").fill((datetime.now(UTC) + timedelta(days=90)).strftime("%Y-%m-%d"))
    expect(stands).to_contain_text("against the maximum age, until that day")
    assert violations(page) == []
    page.get_by_label("Reason").fill("theft at the yard")
    page.get_by_role("button", name="Protect", exact=True).click()
    row = page.get_by_role("listitem").filter(has_text="theft at the yard")
    expect(row).to_contain_text("Stands against the maximum age too.")
    assert violations(page) == []
    held = next(hold for hold in asked(page, "holds")["items"] if hold["reason"] == "theft at the yard")
    assert (held["firm"], held["authority"], held["cameras"]) == (True, "District court, file 17/2026", ["yard"])
    row.get_by_role("button", name=re.compile("^End the hold")).click()
    dialog = page.get_by_role("dialog", name="End this hold?")
    dialog.get_by_label("Reason").fill("the case is closed")
    assert violations(page) == []
    dialog.get_by_role("button", name="End", exact=True).click()
    row.wait_for(state="detached")
    page.get_by_label("Also those that have ended").check()
    expect(page.get_by_role("listitem").filter(has_text="the case is closed")).to_be_visible()
    assert (watched.console, watched.foreign) == ([], [])
