"""Events over HTTP: what is found, who may see and review which, their pictures, and hearing of them as they happen."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import websockets
from tests.support.site import T0_US, Running, running_site

from longwatch.accounts import Principal, Role
from longwatch.base.rfc3339 import format_us
from longwatch.events import Asked, Maker
from longwatch.model.events import EventChange, Sighting
from longwatch.node.watch.watching import Watching
from longwatch.web.routes.events import MOST_UNSENT, _Listener, _spread

pytestmark = pytest.mark.asyncio(loop_scope="module")
S = 1_000_000
EVERYTHING = Asked(T0_US - 3_600 * S, T0_US + 3_600 * S)
SPAN = {"from": format_us(T0_US - 3_600 * S), "to": format_us(T0_US + 3_600 * S)}


def watching(site: Running) -> Watching:
    assert isinstance(site.deps.events, Watching)
    return site.deps.events


async def see(site: Running, camera: str, kind: str, at_s: float, **more: Any) -> None:
    await watching(site).sightings([Sighting(camera, kind, T0_US + round(at_s * S), **more)])


@contextlib.asynccontextmanager
async def seen(data: Path) -> AsyncIterator[Running]:
    async with running_site(data) as running:
        await see(running, "gate", "motion", -300, score=0.5, box=(0.1, 0.2, 0.3, 0.4))
        await see(running, "gate", "motion.line", -299, zones=("Fence",), detail="left_to_right")
        await see(running, "yard", "object.person", -200, track=4, score=0.9)
        await see(running, "yard", "tamper.covered", -100)
        await watching(running).looked("gate", T0_US)
        await watching(running).looked("yard", T0_US - 71 * S)
        yield running


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def site(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Running]:
    """Shared by all that only read."""
    async with seen(tmp_path_factory.mktemp("events")) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def own(tmp_path: Path) -> AsyncIterator[Running]:
    """For those that change something."""
    async with seen(tmp_path) as running:
        yield running


async def get(
    site: Running, token: str = "viewer", path: str = "", *, status: int = 200, **params: Any
) -> dict[str, Any]:
    async with site.client(token) as client:
        answer = await client.get(
            f"/api/v1/events{path}", params=params if path.startswith("/") and "crowds" not in path else SPAN | params
        )
        assert answer.status_code == status, answer.text
        return answer.json()


async def kinds(site: Running, token: str = "viewer", **params: Any) -> list[str]:
    return [item["kind"] for item in (await get(site, token, **params))["items"]]


async def test_the_newest_first_with_all_that_is_known(site: Running) -> None:
    items = (await get(site))["items"]
    assert [item["kind"] for item in items] == ["tamper.covered", "object.person", "motion.line", "motion"]
    assert items[3] == {
        "id": items[3]["id"], "camera": "gate", "kind": "motion", "level": "motion", "from": format_us(T0_US - 300 * S),
        "to": format_us(T0_US - 300 * S), "score": 0.5, "zones": [], "count": 1, "detail": "", "twin": None, "reviewed": None,
        "best": {"at": format_us(T0_US - 300 * S), "box": [0.1, 0.2, 0.3, 0.4], "picture": False, "held": None},
        "clip": {"from": format_us(T0_US - 305 * S), "to": format_us(T0_US - 295 * S)},
    }  # fmt: skip
    assert (items[0]["to"], items[0]["level"]) == (None, "alert")
    assert await get(site, path=f"/{items[3]['id']}") == items[3]


async def test_it_is_found_by_camera_kind_zone_and_review(site: Running) -> None:
    assert await kinds(site, camera="gate") == ["motion.line", "motion"]
    assert await kinds(site, kind=["object", "tamper"]) == ["tamper.covered", "object.person"]
    assert await kinds(site, zone="Fence") == ["motion.line"]
    assert await kinds(site, reviewed="true") == []
    assert len(await kinds(site, reviewed="false")) == 4
    assert await kinds(site, to=format_us(T0_US - 250 * S)) == ["motion.line", "motion"]


async def test_pages_are_whole_and_do_not_overlap(site: Running) -> None:
    found: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        page = await get(site, limit=1, **cursor)
        found += [item["id"] for item in page["items"]]
        if page["next"] is None:
            break
        cursor = {"cursor": page["next"]}
    assert found == [item["id"] for item in (await get(site))["items"]]
    await get(site, cursor="bm9uZQ", status=422)
    too_large = "OTk5OTk5OTk5OTk5OTk5OTk5OXx4"  # 9999999999999999999|x: more than a column holds
    await get(site, cursor=too_large, status=422)


async def test_wrong_questions_are_told_so(site: Running) -> None:
    await get(site, to=SPAN["from"], status=422)
    await get(site, kind="MOTION", status=422)
    await get(site, camera="nowhere", status=404)
    await get(site, path="/" + "0" * 22, status=404)
    await get(site, path="/..%2f", status=404)


async def test_nobody_learns_of_a_camera_that_is_not_theirs(site: Running) -> None:
    """The same answer for another camera's event and for one that is not there."""
    items = (await get(site))["items"]
    assert await kinds(site, "gate-only") == ["motion.line", "motion"]
    await get(site, "gate-only", camera="yard", status=403)
    for id_ in (items[0]["id"], "0" * 22):
        for path in (f"/{id_}", f"/{id_}/picture.jpg"):
            await get(site, "gate-only", path=path, status=403)
    async with site.client("gate-only") as client:
        answer = await client.put(f"/api/v1/events/{items[0]['id']}/review", json={"reviewed": True})
        assert answer.status_code == 403
        found = (await client.get("/api/v1/events/crowds", params=SPAN)).json()
        assert [item["camera"] for item in found["items"]] == ["gate"]


async def test_review_is_kept_with_who_and_when_and_names_are_for_those_who_operate(own: Running) -> None:
    first = (await get(own))["items"][0]["id"]
    async with own.client("viewer") as client:
        assert (await client.put(f"/api/v1/events/{first}/review", json={"reviewed": True})).status_code == 403
    async with own.client("operator") as client:
        answer = await client.put(f"/api/v1/events/{first}/review", json={"reviewed": True})
        assert answer.json()["reviewed"] == {"at": format_us(own.clock.wall_us()), "by": "operator"}
    assert (await get(own, path=f"/{first}"))["reviewed"]["by"] is None
    assert await kinds(own, reviewed="true") == ["tamper.covered"]
    async with own.client("operator") as client:
        answer = await client.put(f"/api/v1/events/{first}/review", json={"reviewed": False})
        assert answer.json()["reviewed"] is None
        assert (await client.put(f"/api/v1/events/{'0' * 22}/review", json={"reviewed": True})).status_code == 404


async def test_a_timeline_gets_them_together_and_hidden_views_apart(site: Running) -> None:
    found = await get(site, path="/crowds", width=10)
    of = {item["camera"]: item for item in found["items"]}
    assert found["step_us"] == 300 * S
    assert of["gate"]["spans"] == [[T0_US - 300 * S, T0_US - 300 * S, 0, 1], [T0_US - 299 * S, T0_US - 299 * S, 1, 1]]
    assert of["yard"]["blind"][0][:3] == [T0_US - 100 * S, None, "covered"]
    assert of["yard"]["spans"] == [[T0_US - 200 * S, T0_US - 200 * S, 1, 1]]


async def test_a_picture_is_footage(own: Running) -> None:
    """There is none before it is made; whoever sees one is entered; one that the caller has is not sent again."""
    desk = watching(own)
    stored = next(one for one in desk.store.find(EVERYTHING, 10) if one.event.kind == "motion")
    path = f"/{stored.event.id}/picture.jpg"
    await get(own, path=path, status=404)
    file = desk.pictures._path("gate", stored.event.id, stored.event.from_us)
    file.parent.mkdir(parents=True)
    file.write_bytes(b"\xff\xd8 a picture\xff\xd9")
    await own.accounts.db.call(desk.store.pictured, stored.event.id, stored.event.best_us)
    own.index.first_us = T0_US - 3_600 * S
    async with own.client("viewer") as client:
        answer = await client.get(f"/api/v1/events{path}")
        assert (answer.status_code, answer.content) == (200, b"\xff\xd8 a picture\xff\xd9")
        assert answer.headers["X-Longwatch-Start"] == format_us(stored.event.best_us)
        again = await client.get(f"/api/v1/events{path}", headers={"If-None-Match": answer.headers["ETag"]})
        assert (again.status_code, again.content) == (304, b"")
    own.index.first_us = T0_US
    await get(own, path=path, status=404)


async def test_a_frame_is_of_the_moment_that_the_picture_shows(own: Running) -> None:
    """While an event goes on its best moment moves on, and its picture is made anew when it is over: until then a frame would be around nothing."""
    desk = watching(own)
    event = next(one for one in desk.store.find(EVERYTHING, 10) if one.event.kind == "motion").event
    await own.accounts.db.call(desk.store.pictured, event.id, event.best_us - S)
    assert (await get(own, path=f"/{event.id}"))["best"]["box"] is None
    await own.accounts.db.call(desk.store.pictured, event.id, event.best_us)
    assert (await get(own, path=f"/{event.id}"))["best"]["box"] == [0.1, 0.2, 0.3, 0.4]


async def test_a_page_hears_of_what_it_may_see(own: Running) -> None:
    headers = {"Authorization": f"Bearer {own.tokens['gate-only']}"}
    async with websockets.connect(f"{own.ws}/api/v1/events/live", additional_headers=headers) as socket:
        await see(own, "yard", "object.person", 10, track=9)
        await see(own, "gate", "object.vehicle", 11, track=1)
        heard = json.loads(await asyncio.wait_for(socket.recv(), 60))
        assert (heard["phase"], heard["event"]["camera"], heard["event"]["kind"]) == ("new", "gate", "object.vehicle")
        async with own.client("operator") as client:
            await client.put(f"/api/v1/events/{heard['event']['id']}/review", json={"reviewed": True})
        assert json.loads(await asyncio.wait_for(socket.recv(), 60))["phase"] == "reviewed"
        await own.accounts.remove("token", "gate-only")
        with pytest.raises(websockets.ConnectionClosed) as closed:
            await asyncio.wait_for(socket.recv(), 60)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 4401


async def test_who_reads_too_slowly_is_told_to_read_anew() -> None:
    listener = _Listener(Principal("token", 1, "t", Role.VIEWER, None, b""))
    (change,) = Maker("gate").sighting(Sighting("gate", "motion", T0_US))
    assert isinstance(change, EventChange)
    for _ in range(MOST_UNSENT + 1):
        _spread({listener}, change)
    assert listener.missed
    assert listener.queue.qsize() == MOST_UNSENT


async def test_a_server_that_keeps_none_says_so(own: Running) -> None:
    own.deps.events = None
    answer = await get(own, status=503)
    assert answer["why"]
