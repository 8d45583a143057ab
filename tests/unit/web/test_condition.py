"""How the post is, its reports, its proof and its public notice, over real HTTP."""

from __future__ import annotations

import asyncio
import dataclasses
import threading
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.support.site import running_site
from tests.support.wait import until

from longwatch.web import SiteCamera
from longwatch.web.deps import NoticeText
from longwatch.web.notice import language_of

SPAN = {"from": "2026-01-01T00:00:00Z", "to": "2026-01-02T00:00:00Z"}


class Made:
    """A `Reporting` that notes what it was asked."""

    def __init__(self) -> None:
        self.asked: list[Any] = []

    def look(self, from_us: int, to_us: int, cameras: frozenset[str] | None) -> bytes:
        self.asked.append((to_us - from_us, cameras))
        return b'{"form": 1}'

    def make(self, from_us: int, to_us: int, person: dict[str, Any]) -> bytes:
        self.asked.append((to_us - from_us, person["subject"]))
        return b"PK"


class Proving:
    """A `Verifying` that counts."""

    started = 0

    def start(self) -> None:
        self.started += 1

    def describe(self) -> dict[str, Any]:
        return {"state": "running"}


async def test_who_may_see_every_camera_hears_of_disks_and_the_ledger(tmp_path: Path):
    async with running_site(tmp_path) as site:
        site.recorder.status |= {
            "version": "0.9",
            "provenance": "ntp",
            "volumes": [
                {"path": "/v", "state": "ok", "detail": "", "free_bytes": 10**11, "size_bytes": 4 * 10**11},
            ],
            "ledger": {
                "origin": "longwatch/x",
                "fingerprint": "SHA256:abc",
                "signed": 7,
                "published": 6,
                "mirrors": [],
            },
            "process": {"resident_bytes": 1 << 20, "cpu_us": 500, "up_us": 1_000_000},
        }
        async with site.client("viewer") as client:
            told = (await client.get("/api/v1/health")).json()
        assert told["clock"] == "ntp"
        assert told["disks"][0]["size_bytes"] == 4 * 10**11
        assert told["ledger"] == {
            "origin": "longwatch/x",
            "fingerprint": "SHA256:abc",
            "signed": 7,
            "published": 6,
            "problems": [],
        }
        recorder, server = told["processes"]
        assert (recorder["resident_bytes"], recorder["cpu"]) == (1 << 20, 0.0005)
        assert server["resident_bytes"] > 1 << 20
        assert told["keeping"]["max_age_s"] == 30 * 86_400


async def test_who_may_see_one_camera_hears_of_that_alone(tmp_path: Path):
    async with running_site(tmp_path) as site, site.client("gate-only") as client:
        told = (await client.get("/api/v1/health")).json()
    assert (told["disks"], told["processes"], told["ledger"], told["keeping"]) == ([], [], None, None)
    assert {remark["camera"] for remark in told["remarks"]} <= {None, "gate"}


async def test_a_recorder_that_is_gone_is_a_remark(tmp_path: Path):
    async with running_site(tmp_path) as site:
        await site.recorder.stop()
        async with site.client("viewer") as client:
            told = (await client.get("/api/v1/health")).json()
    assert not told["ready"]
    assert [remark["rule"] for remark in told["remarks"]] == ["recorder"]
    assert told["ledger"] is None


async def test_a_report_is_of_the_cameras_that_the_caller_may_see(tmp_path: Path):
    async with running_site(tmp_path) as site:
        site.deps.reporting = made = Made()
        for token, cameras in (("viewer", None), ("gate-only", frozenset({"gate"}))):
            async with site.client(token) as client:
                assert (await client.get("/api/v1/report", params=SPAN)).json() == {"form": 1}
            assert made.asked[-1] == (86_400_000_000, cameras)


async def test_only_who_inspects_has_a_report_signed(tmp_path: Path):
    async with running_site(tmp_path) as site:
        site.deps.reporting = made = Made()
        async with site.client("viewer") as client:
            assert (await client.post("/api/v1/report", json=SPAN)).status_code == 403
        assert made.asked == []
        async with site.client("inspector") as client:
            answer = await client.post("/api/v1/report", json=SPAN)
        assert (answer.status_code, answer.content) == (200, b"PK")
        assert (
            answer.headers["Content-Disposition"]
            == f'attachment; filename="{site.deps.site().id}-20260101-20260102.zip"'
        )
        assert made.asked[0][0] == 86_400_000_000


@pytest.mark.parametrize(
    "span",
    [
        {"from": "2026-01-02T00:00:00Z", "to": "2026-01-01T00:00:00Z"},
        {"from": "2026-01-01T00:00:00Z", "to": "2029-01-01T00:00:00Z"},
        {"from": "yesterday", "to": "2026-01-01T00:00:00Z"},
    ],
)
async def test_a_wrong_span_is_refused_in_words(tmp_path: Path, span: dict[str, str]):
    async with running_site(tmp_path) as site:
        site.deps.reporting = Made()
        async with site.client("inspector") as client:
            for answer in (
                await client.get("/api/v1/report", params=span),
                await client.post("/api/v1/report", json=span),
            ):
                assert answer.status_code == 422
                assert answer.json()["what"]


async def test_a_proof_is_begun_by_who_inspects(tmp_path: Path):
    async with running_site(tmp_path) as site:
        site.deps.verifying = proving = Proving()
        async with site.client("operator") as client:
            assert (await client.post("/api/v1/verification")).status_code == 403
        async with site.client("inspector") as client:
            assert (await client.post("/api/v1/verification")).status_code == 202
            assert (await client.get("/api/v1/verification")).json() == {"state": "running"}
        assert proving.started == 1


async def test_the_notice_is_for_everybody_and_escapes_what_the_owner_wrote(tmp_path: Path):
    async with running_site(tmp_path) as site:
        there = site.deps.site()
        cameras = (
            SiteCamera("gate", "Gate <1>", covers="the gate & the road", masks=1, max_age_s=14 * 86_400),
            SiteCamera("yard", "Yard", kind="thermal", audio=False, record="never"),
        )
        text = NoticeText("Ridge <b>Reserve</b>", "", "+47 123", "https://ridge.example/")
        changed = dataclasses.replace(there, cameras=cameras, notice=text)
        site.deps.site = lambda: changed
        async with httpx.AsyncClient(base_url=site.base) as client:
            page = await client.get("/notice", headers={"Accept-Language": "sw;q=0.4, fr-CA, en;q=0.1"})
            told = (await client.get("/api/v1/notice")).json()
            assert (await client.get("/notice.css")).headers["content-type"].startswith("text/css")
    assert page.headers["content-language"] == "fr"
    assert "Ridge &lt;b&gt;Reserve&lt;/b&gt;" in page.text
    assert "Gate &lt;1&gt;" in page.text
    assert "the gate &amp; the road" in page.text
    assert "14 jours" in page.text
    assert "noircies" in page.text
    assert "https://ridge.example/notice" in page.text
    assert "<svg" in page.text
    assert "style=" not in page.text
    assert "<script" not in page.text
    assert told["cameras"][1] == {
        "name": "Yard", "covers": "", "kind": "thermal", "audio": False, "record": "never", "scheduled": False, "masks": 0,
        "shades": 0, "max_age_s": 30 * 86_400,
    }  # fmt: skip
    assert "10.0.0" not in page.text


@pytest.mark.parametrize(
    ("asked", "accepted", "language"),
    [
        ("", "", "en"), ("", "de, es;q=0.3", "es"), ("sw", "fr", "sw"), ("xx", "fr", "fr"), ("", "fr;q=0, sw;q=x, es", "es"),
        ("", "," * 5000, "en"), ("<script>", "", "en"),
    ],
)  # fmt: skip
def test_the_language_is_the_one_asked_for_or_the_browsers(asked: str, accepted: str, language: str):
    assert language_of(asked, accepted) == language


async def test_a_server_that_makes_no_reports_says_so(tmp_path: Path):
    async with running_site(tmp_path) as site, site.client("inspector") as client:
        for answer in (await client.get("/api/v1/report", params=SPAN), await client.get("/api/v1/verification")):
            assert answer.status_code == 503
            assert answer.json()["remedy"].startswith("use `longwatch")


async def test_the_notice_takes_little_whatever_it_is_called_by(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    made: list[str] = []

    def counted(address: str) -> str:
        made.append(address)
        return "<svg>code</svg>"

    monkeypatch.setattr("longwatch.web.notice.code_of", counted)
    async with running_site(tmp_path) as site, site.client() as client:
        for host in ("a" * 300, "a" * 5000, "a b", "<b>", "[::1"):
            page = await client.get("/notice", headers={"Host": host})
            assert page.status_code == 200
            assert host not in page.text
        assert set(made) <= {f"{site.base}/notice"}, "what is no name counts as none was said"
        for _ in range(3):
            for n in range(40):
                page = await client.get("/notice", headers={"Host": f"n{n}.example"})
                assert page.status_code == 200
                assert f"http://n{n}.example/notice" in page.text
        assert len(made) <= 10
        site.clock.tick(60_000_000)
        assert "<svg>" in (await client.get("/notice", headers={"Host": "ridge.example"})).text


async def test_pictures_do_not_wait_for_reports(tmp_path: Path):
    class Slow(Made):
        def __init__(self) -> None:
            super().__init__()
            self.go_on = threading.Event()

        def look(self, from_us: int, to_us: int, cameras: frozenset[str] | None) -> bytes:
            self.asked.append(from_us)
            assert self.go_on.wait(60)
            return b"{}"

    slow = Slow()
    async with running_site(tmp_path) as site, site.client("viewer") as client:
        site.deps.reporting = slow
        reports = [asyncio.ensure_future(client.get("/api/v1/report", params=SPAN)) for _ in range(8)]
        try:
            await until(lambda: len(slow.asked) == 2)
            for path in ("timeline", "playlist.m3u8"):
                answer = await client.get(f"/api/v1/cameras/gate/{path}", params=SPAN)
                assert answer.status_code in {200, 404}
            assert len(slow.asked) == 2
        finally:
            slow.go_on.set()
            answers = await asyncio.gather(*reports)
        assert {answer.status_code for answer in answers} == {200}
