"""The page for people: every gap, nothing that runs, nothing that is loaded, text from outside as text."""

from __future__ import annotations

import asyncio
import html.parser
from pathlib import Path

import pytest
from tests.support.archive_case import GATE
from tests.support.evidence_case import files_of, record_post

from longwatch.base.clock import ManualClock
from longwatch.evidence import Post
from longwatch.evidence.drawing import moment, timeline
from longwatch.node.issuing.exporting import export_evidence

EVIL = '"><script>alert(1)</script><img src=x onerror=alert(1)>'


class _Tags(html.parser.HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: set[str] = set()
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> _Tags:
    folder = tmp_path_factory.mktemp("page")
    from_us, to_us = asyncio.run(record_post(folder / "data"))
    post = Post("ridge", EVIL, "No/Such_Zone", EVIL)
    person = {"subject": 0, "text": '{"reason":"<b>why</b>","user":"<i>anna</i>"}'}
    export_evidence([folder / "data"], GATE, from_us, to_us, folder / "p.zip", person, post=post, clock=ManualClock())
    tags = _Tags()
    tags.feed(files_of(Path(folder / "p.zip"))["manifest.html"].decode())
    return tags


def test_text_from_outside_stays_text(page: _Tags):
    assert not {"script", "img", "b", "i", "iframe", "link", "object"} & set(page.tags)
    assert EVIL in page.text
    assert "<b>why</b>" in page.text
    assert "<i>anna</i>" in page.text


def test_nothing_runs_and_nothing_is_loaded(page: _Tags):
    assert not {name for name in page.attributes if name.startswith("on")}
    assert not {"src", "href", "srcset", "action"} & page.attributes


def test_it_says_what_is_missing_and_how_to_check(page: _Tags):
    for text in (
        "One gap of 5.0 s",
        "the camera was switched off",
        "camera_switched_off",
        "check.py",
        "longwatch verify",
        "SHA256:",
    ):
        assert text in page.text
    assert page.text.count("2026-01-01 00:00:08.160 UTC") >= 1


def _said(parts: list[dict], to_us: int) -> dict:
    return {"span": {"from_us": 0, "to_us": to_us}, "timeline": parts}


def test_a_gap_of_one_picture_in_a_day_can_be_seen():
    import zoneinfo

    day = 86_400_000_000
    parts = [
        {"from_us": 0, "to_us": day // 2, "state": "recorded", "held": "here"},
        {"from_us": day // 2, "to_us": day // 2 + 40_000, "state": "gap", "cause": "packets_lost"},
        {"from_us": day // 2 + 40_000, "to_us": day, "state": "recorded", "held": "gone"},
    ]
    drawn = timeline(_said(parts, day), zoneinfo.ZoneInfo("Europe/Oslo"))
    assert 'width="2.00" height="46.0" fill="url(#gap)"' in drawn
    assert "url(#gone)" in drawn
    assert drawn.index("packets lost") > drawn.rindex("<title>gone"), "it is drawn over what is recorded"


@pytest.mark.parametrize("us", [-(1 << 53), 1 << 53])
def test_times_that_no_calendar_has_are_drawn_at_its_end(us: int):
    assert 1 <= moment(us).year <= 9999
