"""The wide view and the calendar, by real HTTP."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from tests.support.site import GATE, T0_US, Running, running_site

from longwatch.base.rfc3339 import format_us
from longwatch.model.causes import Cause
from longwatch.model.stores import GapSpan, Provenance, RecordedSpan

pytestmark = pytest.mark.asyncio(loop_scope="module")
HOUR = 3_600_000_000
DAY = 24 * HOUR


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site(tmp_path_factory: pytest.TempPathFactory):
    async with running_site(tmp_path_factory.mktemp("site")) as running:
        yield running


async def asked(site: Running, path: str, token: str = "viewer", **params: Any) -> Any:
    async with site.client(token) as client:
        return await client.get(f"/api/v1/{path}", params={name.rstrip("_"): value for name, value in params.items()})


async def test_many_cameras_in_one_answer(site: Running) -> None:
    answer = await asked(site, "timelines", from_=format_us(T0_US - HOUR), to=format_us(T0_US), width=60)
    told = answer.json()
    assert (told["step_us"], told["from_us"], told["to_us"]) == (60_000_000, T0_US - HOUR, T0_US)
    assert told["accounted_until_us"] == T0_US - 1_000_000
    codes = told["codes"]
    gate, yard = told["items"]
    assert [(at, codes[code], *share) for at, code, *share in gate["spans"]] == [
        (0, "recorded"), (30, "camera_unreachable"), (45, "recorded"),
    ]  # fmt: skip
    assert [(at, codes[code]) for at, code in yard["spans"]] == [(0, "camera_refused")]


async def test_a_gap_narrower_than_a_pixel_shows_with_its_share(site: Running) -> None:
    told = (
        await asked(site, "timelines", from_=format_us(T0_US - DAY), to=format_us(T0_US), width=8, camera="gate")
    ).json()
    assert told["step_us"] == 3 * HOUR
    at, code, *share = told["items"][0]["spans"][-1]
    assert (at, told["codes"][code], share) == (
        7,
        "camera_unreachable",
        [99],
    )  # with two hours of never: a little over 75


async def test_only_cameras_that_may_be_seen(site: Running) -> None:
    span = {"from_": format_us(T0_US - HOUR), "to": format_us(T0_US)}
    everything = (await asked(site, "timelines", "gate-only", **span)).json()
    assert [item["camera"] for item in everything["items"]] == ["gate"]
    for camera in ("yard", "nowhere"):
        for named in (camera, ["gate", camera], [camera, "gate"]):
            for path, more in (("timelines", span), ("calendar", {"month": "2026-01"})):
                answer = await asked(site, path, "gate-only", camera=named, **more)
                assert answer.status_code == 403, (path, named)
    assert (await asked(site, "timelines", camera=["gate", "nowhere"], **span)).status_code == 404


@pytest.mark.parametrize(
    ("params", "why"),
    [
        ({"from": "2026-01-02T00:00:00Z", "to": "2026-01-01T00:00:00Z"}, "not before"),
        ({"from": "2006-01-02T00:00:00Z", "to": "2026-01-01T00:00:00Z"}, "ten years"),
        ({"from": "2026-01-01T00:00:00Z", "to": "2026-01-02T00:00:00Z", "width": "0"}, "width"),
        ({"from": "2026-01-01T00:00:00Z", "to": "2026-01-02T00:00:00Z", "camera": ["gate"] * 201}, "at most 200"),
        ({"from": "yesterday", "to": "2026-01-02T00:00:00Z"}, "not a time"),
    ],
)
async def test_what_cannot_be_asked(site: Running, params: dict[str, Any], why: str) -> None:
    async with site.client("viewer") as client:
        answer = await client.get("/api/v1/timelines", params=params)
    assert answer.status_code == 422
    assert why in str(answer.json())


async def test_a_calendar_of_days(site: Running) -> None:
    told = (await asked(site, "calendar", month="2025-12", camera="gate")).json()
    assert (told["timezone"], told["by"], len(told["items"])) == ("Europe/Oslo", "day", 31)
    last = told["items"][-1]
    assert (last["day"], last["from"], last["to"]) == ("2025-12-31", "2025-12-30T23:00:00Z", "2025-12-31T23:00:00Z")
    assert (last["with_footage"], last["worst"]) == (0, "never_recorded")
    first = (await asked(site, "calendar", month="2026-01")).json()["items"][0]
    assert first["from"] == "2025-12-31T23:00:00Z"
    assert first["recorded_s"] == 45 * 60 - 1
    assert first["causes"] == {"camera_unreachable": 900.0, "camera_refused": 3599.0}
    assert first["pending_s"] == 2 * (23 * 3600 + 1)
    assert (first["cameras"], first["with_footage"], first["worst"]) == (2, 1, "camera_refused")


async def test_days_where_the_clock_is_changed_and_months_of_a_year(tmp_path: Path) -> None:
    async with running_site(tmp_path) as site:
        site.index.set_up = [("gate", "main", 0)]
        site.index.spans = {GATE: [RecordedSpan(T0_US, T0_US + 365 * DAY, 1, Provenance.NTP)]}
        site.index.gap_list = [(GATE, GapSpan(0, T0_US, Cause.UNKNOWN))]
        site.index.until_us = T0_US + 365 * DAY
        march = (await asked(site, "calendar", month="2026-03", camera="gate")).json()["items"]
        october = (await asked(site, "calendar", month="2026-10", camera="gate")).json()["items"]
        year = (await asked(site, "calendar", year=2026, camera="gate")).json()
    assert (march[28]["day"], march[28]["recorded_s"]) == ("2026-03-29", 23 * 3600)
    assert (october[24]["day"], october[24]["recorded_s"]) == ("2026-10-25", 25 * 3600)
    assert year["by"] == "month"
    assert [item["month"] for item in year["items"]] == [f"2026-{n:02}" for n in range(1, 13)]
    assert sum(item["recorded_s"] for item in year["items"]) == 365 * 86_400 - 3_600
    assert year["items"][0]["gap_s"] == 3_600


@pytest.mark.parametrize(
    "params", [{}, {"month": "2026-13"}, {"month": "2026-1"}, {"month": "2026-01", "year": "2026"}, {"year": "9"}]
)
async def test_a_calendar_is_of_one_month_or_one_year(site: Running, params: dict[str, str]) -> None:
    async with site.client("viewer") as client:
        assert (await client.get("/api/v1/calendar", params=params)).status_code == 422
