"""Holds over HTTP: who sees which and how much of it, who places and ends them, and what reaches the recorder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from tests.support.site import T0_US, Running, running_site

from longwatch.accounts import Role
from longwatch.model.holds import Hold, HoldEnd, HoldEnded

pytestmark = pytest.mark.asyncio(loop_scope="module")
HOUR_US = 3_600_000_000
BOTH = Hold(
    3, ("gate", "yard"), (), T0_US - HOUR_US, T0_US, None, "", T0_US, 40, "ada", "theft, report 17", 0, ("max_age",)
)
YARD = Hold(
    4,
    ("yard",),
    ("main",),
    T0_US - 2 * HOUR_US,
    T0_US - HOUR_US,
    T0_US + HOUR_US,
    "District court",
    T0_US,
    41,
    "ada",
    "order",
)
OVER = Hold(
    2,
    ("gate",),
    (),
    0,
    9,
    None,
    "",
    T0_US,
    30,
    None,
    None,
    ended=HoldEnded(HoldEnd.RELEASED, T0_US, 33, "bob", "closed"),
)
ORDER = {
    "cameras": ["gate"], "from": "2025-12-31T23:10:00Z", "to": "2025-12-31T23:20:00Z", "reason": "theft", "authority": "court",
    "until": "2026-06-01T00:00:00Z",
}  # fmt: skip


@pytest_asyncio.fixture(loop_scope="module")
async def site(tmp_path: Path):
    async with running_site(tmp_path) as running:
        running.index.hold_list = [BOTH, YARD, OVER]
        running.recorder.answers |= {
            "holds": {"items": [{"hold": 3, "law_us": T0_US + HOUR_US}]},
            "hold_place": {"seq": 50, "hold": 4, "law_us": None}, "hold_end": {"seq": 51, "hold": 3},
        }  # fmt: skip
        running.tokens["yard-only"] = await running.accounts.add_token("y", Role.OPERATOR, frozenset({"yard"}))
        yield running


async def call(site: Running, token: str, method: str, path: str = "/api/v1/holds", **more: Any) -> httpx.Response:
    async with site.client(token) as client:
        return await client.request(method, path, **more)


async def test_what_stands_is_listed_the_newest_first_and_what_has_ended_on_request(site: Running) -> None:
    items = (await call(site, "operator", "GET")).json()["items"]
    assert [item["id"] for item in items] == [4, 3]
    court, theft = items
    assert (court["firm"], court["authority"], court["until"], court["law"]) == (
        True, "District court", "2026-01-01T01:00:00Z", None,
    )  # fmt: skip
    assert (theft["firm"], theft["law"], theft["overruled"]) == (False, "2026-01-01T01:00:00Z", ["max_age"])
    items = (await call(site, "operator", "GET", params={"all": "true"})).json()["items"]
    assert [item["id"] for item in items] == [4, 3, 2]
    assert items[2]["ended"] == {
        "at": "2026-01-01T00:00:00Z", "why": "released", "by": "bob", "reason": "closed", "entry": 33,
    }  # fmt: skip


async def test_the_list_can_be_narrowed_to_cameras_and_a_stretch(site: Running) -> None:
    async def asked(**params: Any) -> list[int]:
        return [item["id"] for item in (await call(site, "operator", "GET", params=params)).json()["items"]]

    assert await asked(camera="gate") == [3]
    assert await asked(**{"from": "2025-12-31T22:00:00Z", "to": "2025-12-31T22:30:00Z"}) == [4]
    assert await asked(**{"from": "2025-12-31T22:00:00Z", "to": "2025-12-31T23:00:00.000001Z"}) == [4, 3]
    assert (await call(site, "operator", "GET", params={"from": "2025-12-31T22:00:00Z"})).status_code == 422


async def test_a_viewer_sees_that_footage_is_held_and_not_by_whom_or_why(site: Running) -> None:
    items = (await call(site, "viewer", "GET")).json()["items"]
    assert [(i["id"], i["by"], i["reason"], i["authority"]) for i in items] == [
        (4, None, None, None),
        (3, None, None, None),
    ]
    assert (await call(site, "inspector", "GET")).json()["items"][1]["reason"] == "theft, report 17"


async def test_who_is_confined_sees_their_cameras_alone(site: Running) -> None:
    items = (await call(site, "gate-only", "GET")).json()["items"]
    assert [(item["id"], item["cameras"]) for item in items] == [(3, ["gate"])]


async def test_placing_hands_all_of_it_to_the_recorder_with_the_account(site: Running) -> None:
    site.recorder.requests.clear()
    answer = await call(site, "operator", "POST", json=ORDER)
    assert (answer.status_code, answer.json()["id"]) == (201, 4)
    (fields,) = [fields for kind, fields in site.recorder.requests if kind == "hold_place"]
    assert (fields["cameras"], fields["authority"], fields["reason"]) == (["gate"], "court", "theft")
    assert fields["until_us"] == 1_780_272_000_000_000
    assert '"token":"operator"' in fields["person"]["text"]


@pytest.mark.parametrize("token", ["viewer", "inspector"])
async def test_who_may_not_operate_places_and_ends_none(site: Running, token: str) -> None:
    assert (await call(site, token, "POST", json=ORDER)).status_code == 403
    assert (await call(site, token, "DELETE", "/api/v1/holds/3", json={"reason": "x"})).status_code == 403


async def test_every_camera_of_it_must_be_ones_own(site: Running) -> None:
    assert (await call(site, "yard-only", "POST", json={**ORDER, "cameras": ["yard", "gate"]})).status_code == 403
    assert (await call(site, "yard-only", "DELETE", "/api/v1/holds/3", json={"reason": "over"})).status_code == 403
    assert (await call(site, "yard-only", "DELETE", "/api/v1/holds/4", json={"reason": "over"})).status_code == 200
    assert (await call(site, "yard-only", "DELETE", "/api/v1/holds/99", json={"reason": "over"})).status_code == 403


@pytest.mark.parametrize(
    "wrong",
    [
        {"reason": ""}, {"cameras": []}, {"to": ORDER["from"]}, {"until": "soon"}, {"cameras": ["../x"]}, {"more": 1},
        {"cameras": ["x" * 41]},
    ],
)  # fmt: skip
async def test_what_cannot_be_is_refused(site: Running, wrong: dict[str, Any]) -> None:
    assert (await call(site, "operator", "POST", json={**ORDER, **wrong})).status_code == 422


async def test_ending_asks_for_a_reason(site: Running) -> None:
    assert (await call(site, "operator", "DELETE", "/api/v1/holds/3", json={"reason": ""})).status_code == 422
    assert (await call(site, "operator", "DELETE", "/api/v1/holds/3")).status_code == 422
    answer = await call(site, "operator", "DELETE", "/api/v1/holds/3", json={"reason": "closed"})
    assert answer.json() == {"entry": 51}
    assert (await call(site, "operator", "DELETE", "/api/v1/holds/99", json={"reason": "x"})).status_code == 404
