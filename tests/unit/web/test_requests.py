"""Requests of stretches over HTTP: who asks, who sees which and how much of it, who withdraws; and that a post has none."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from tests.support.site import T0_US, running_site

from longwatch.fleet import RequestRow
from longwatch.node.hub.requests import Asked

pytestmark = pytest.mark.asyncio(loop_scope="module")
ROW = RequestRow(
    3, "gate", "gate", "main", T0_US, T0_US + 60_000_000, "10:ada", "smoke", "queued", 4000, 0, 90, T0_US, T0_US
)
BODY = {"camera": "gate", "from": "2025-12-31T23:10:00Z", "to": "2025-12-31T23:20:00Z", "reason": "smoke"}


class Desk:
    """`node.hub.requests.RequestDesk`, with two requests: of a camera of post `gate`, and of one of post `yard`."""

    def __init__(self) -> None:
        yard = replace(ROW, id=4, post="yard", state="wanted", bytes=0, eta_s=None)
        self.items = [Asked(yard, "waiting", 0.0, "ben"), Asked(ROW, "coming", 0.25, "ada")]
        self.made: list[tuple[Any, ...]] = []
        self.withdrawn: list[int] = []

    async def make(self, key: Any, from_us: int, to_us: int, who: Any, reason: str) -> Asked:
        self.made.append((key.camera, key.stream, from_us, to_us, who.token, reason))
        return self.items[1]

    async def listed(self, limit: int = 1000) -> list[Asked]:
        return self.items

    async def one(self, number: int) -> Asked | None:
        return next((item for item in self.items if item.row.id == number), None)

    async def withdraw(self, number: int, who: Any) -> None:
        self.withdrawn.append(number)


@pytest_asyncio.fixture(loop_scope="module")
async def site(tmp_path: Path):
    async with running_site(tmp_path) as running:
        running.deps.requests = Desk()
        yield running


async def test_a_request_is_told_with_how_far_it_is(site: Any) -> None:
    async with site.client("operator") as client:
        items = (await client.get("/api/v1/requests")).json()["items"]
        assert [item["id"] for item in items] == [4, 3]
        assert items[1] == {
            "id": 3, "post": "gate", "camera": "gate.gate", "stream": "main", "from": "2026-01-01T00:00:00Z",
            "to": "2026-01-01T00:01:00Z", "by": "ada", "reason": "smoke", "asked": "2026-01-01T00:00:00Z", "state": "coming",
            "bytes": 4000, "done_bytes": 1000, "eta": "2026-01-01T00:01:30Z", "why": None,
        }  # fmt: skip
        assert (items[0]["bytes"], items[0]["eta"]) == (None, None)
        for query, found in (
            ({"post": "yard"}, [4]),
            ({"state": "coming"}, [3]),
            ({"camera": "gate.gate"}, [3]),
            ({"camera": "x"}, []),
        ):
            kept = (await client.get("/api/v1/requests", params=query)).json()["items"]
            assert [item["id"] for item in kept] == found
    async with site.client("viewer") as client:
        items = (await client.get("/api/v1/requests")).json()["items"]
        assert {(item["by"], item["reason"]) for item in items} == {(None, None)}


async def test_who_may_operate_asks_and_withdraws(site: Any) -> None:
    desk = site.deps.requests
    async with site.client("viewer") as client:
        assert (await client.post("/api/v1/requests", json=BODY)).status_code == 403
        assert (await client.request("DELETE", "/api/v1/requests/3")).status_code == 403
    async with site.client("operator") as client:
        for wrong, status in (
            ({"to": BODY["from"]}, 422),
            ({"reason": ""}, 422),
            ({"camera": "nowhere"}, 404),
            ({"stream": "x y"}, 422),
        ):
            assert (await client.post("/api/v1/requests", json={**BODY, **wrong})).status_code == status, wrong
        assert desk.made == []
        made = await client.post("/api/v1/requests", json=BODY)
        assert made.status_code == 201
        assert [row[:2] + row[5:] for row in desk.made] == [("gate", "main", "smoke")]
        assert (await client.request("DELETE", "/api/v1/requests/3")).status_code == 204
        assert (await client.request("DELETE", "/api/v1/requests/99")).status_code == 404
        assert desk.withdrawn == [3]


async def test_who_is_confined_reaches_only_requests_of_their_cameras(site: Any) -> None:
    async with site.client("gate-only") as client:
        assert (await client.get("/api/v1/requests")).json()["items"] == []
        for number in (3, 4, 99):
            assert (await client.request("DELETE", f"/api/v1/requests/{number}")).status_code == 403, number
        assert (await client.post("/api/v1/requests", json={**BODY, "camera": "yard"})).status_code == 403
    assert site.deps.requests.withdrawn == []


async def test_a_post_has_all_that_it_recorded_and_no_requests(site: Any) -> None:
    site.deps.requests = None
    async with site.client("operator") as client:
        for answer in (await client.get("/api/v1/requests"), await client.post("/api/v1/requests", json=BODY)):
            assert answer.status_code == 404
            assert answer.json()["what"] == "this is a post"
