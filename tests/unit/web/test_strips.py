"""Strips by real HTTP: many cameras and moments in one answer, rights, limits, caching, and the audit."""

from __future__ import annotations

import json
import struct
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
import pytest_asyncio
from tests.support.memory_index import Totals
from tests.support.site import GATE, T0_US, Running, running_site

from longwatch.base.rfc3339 import format_us
from longwatch.model.stores import Held, Provenance, RecordedSpan
from longwatch.strips import Following, Options, Shelf, Strips
from longwatch.strips.distant import DistantStrips
from longwatch.wire.strip_pack import StripPicture, encode

pytestmark = pytest.mark.asyncio(loop_scope="module")
S = 1_000_000
HOUR = 3600 * S


def jpeg(camera: str, n: int) -> bytes:
    return b"\xff\xd8" + f"{camera} {n}".encode() + b"\xff\xd9"


async def stocked(running: Running, folder: Path) -> Running:
    """Ten minutes of gate and yard, a picture every ten seconds."""
    options = Options(cameras={"gate": ("main",), "yard": ("main",)})
    strips = Strips(Shelf(folder / "strips"), running.index, running.deps.stills, running.clock, lambda: options)  # type: ignore[arg-type]
    for camera in ("gate", "yard"):
        for n in range(60):
            strips.shelf.add(camera, T0_US - HOUR + n * 10 * S + 3 * S, jpeg(camera, n), 0)
        strips._of[camera] = Following(T0_US, T0_US - HOUR, T0_US - HOUR, oldest_us=T0_US - HOUR)
    running.deps.strips = strips
    running.index.stats = lambda key: Totals(first_us=T0_US - HOUR)  # type: ignore[method-assign]
    return running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Running]:
    folder = tmp_path_factory.mktemp("site")
    async with running_site(folder) as running:
        yield await stocked(running, folder)


@pytest_asyncio.fixture(loop_scope="module")
async def fresh(tmp_path: Path) -> AsyncIterator[Running]:
    async with running_site(tmp_path) as running:
        yield await stocked(running, tmp_path)


async def asked(
    site: Running, token: str = "viewer", headers: dict[str, str] | None = None, **params: Any
) -> httpx.Response:
    async with site.client(token) as client:
        named = {name.rstrip("_"): value for name, value in params.items()}
        return await client.get("/api/v1/strips", params=named, headers=headers)


def unpacked(answer: httpx.Response) -> tuple[dict[str, Any], list[list[bytes | None]]]:
    assert answer.status_code == 200, answer.text
    body = answer.content
    (length,) = struct.unpack_from("<I", body)
    head = json.loads(body[4 : 4 + length])

    def of(rows: Sequence[Any]) -> list[bytes | None]:
        return [None if row is None else body[4 + length + row[1] : 4 + length + row[1] + row[2]] for row in rows]

    return head, [of(item["pictures"]) for item in head["items"]]


async def test_many_cameras_at_many_moments(site: Running) -> None:
    at = [format_us(T0_US - HOUR + n * S) for n in (2, 3, 25, 593, 640)]
    head, pictures = unpacked(await asked(site, camera=["gate", "yard"], at=at))
    assert pictures == [
        [None, jpeg(camera, 0), jpeg(camera, 2), jpeg(camera, 59), None] for camera in ("gate", "yard")
    ]  # the last is older than three times `every`
    assert (head["every_us"], head["step_us"]) == (10 * S, 0)
    assert [item["state"] for item in head["items"]] == ["following", "following"]


async def test_one_picture_a_step(site: Running) -> None:
    span = {"from_": format_us(T0_US - HOUR), "to": format_us(T0_US)}
    head, pictures = unpacked(await asked(site, camera="yard", step=120, **span))
    assert pictures == [[jpeg("yard", n) for n in range(0, 60, 12)]]
    assert [row[0] for row in head["items"][0]["pictures"]] == [T0_US - HOUR + n * 120 * S + 3 * S for n in range(5)]


async def test_what_will_not_change_is_kept_by_browsers_for_an_hour(site: Running) -> None:
    past = {"from_": format_us(T0_US - HOUR), "to": format_us(T0_US - HOUR // 2), "camera": "gate"}
    answer = await asked(site, **past)
    assert answer.headers["cache-control"] == "private, max-age=3600, immutable"
    assert answer.headers["vary"] == "Authorization, Cookie"
    again = await asked(site, headers={"If-None-Match": answer.headers["etag"]}, **past)
    assert (again.status_code, again.content) == (304, b"")
    part = await asked(site, headers={"Range": "bytes=4-9"}, **past)
    assert (part.status_code, part.content) == (206, answer.content[4:10])
    now = await asked(site, **{**past, "to": format_us(T0_US)})
    assert now.headers["cache-control"] == "private, no-cache"
    moment = await asked(site, camera="gate", at=format_us(T0_US - HOUR + 5 * S))
    assert moment.headers["cache-control"] == "private, no-cache"


async def test_a_camera_that_may_not_be_seen_is_refused_whether_it_is_there_or_not(site: Running) -> None:
    at = format_us(T0_US)
    for named in ("yard", "nowhere", ["gate", "yard"], ["gate", "nowhere"], ["nowhere", "gate"]):
        assert (await asked(site, "gate-only", camera=named, at=at)).status_code == 403, named
    assert (await asked(site, "gate-only", camera="gate", at=at)).status_code == 200
    assert (await asked(site, camera="nowhere", at=at)).status_code == 404
    async with site.client("gate-only") as client:
        for path in ("strip", "strip.jpg"):
            for camera in ("yard", "nowhere"):
                params = {"at": at, "from": format_us(T0_US - HOUR), "to": at}
                assert (await client.get(f"/api/v1/cameras/{camera}/{path}", params=params)).status_code == 403


@pytest.mark.parametrize(
    ("params", "why"),
    [
        ({"camera": "gate"}, "neither moments nor a stretch"),
        ({"at": "2026-01-01T00:00:00Z"}, "camera"),
        ({"camera": "gate", "at": "2026-01-01T00:00:00Z", "from": "2026-01-01T00:00:00Z"}, "or for a stretch"),
        ({"camera": "gate", "at": ["2026-01-01T00:00:00Z"] * 101}, "at most 100"),
        ({"camera": ["gate"] + [f"c{n}" for n in range(100)], "at": "2026-01-01T00:00:00Z"}, "at once"),
        ({"camera": "gate", "from": "2026-01-02T00:00:00Z", "to": "2026-01-01T00:00:00Z"}, "not before"),
        ({"camera": "gate", "from": "2026-01-01T00:00:00Z", "to": "2026-02-22T00:00:00Z", "step": "900"}, "32 days"),
        (
            {"camera": "gate", "from": "2026-01-01T00:00:00Z", "to": "2026-01-02T00:00:00Z", "step": "10"},
            "3000 pictures",
        ),
        ({"camera": "gate", "from": "2026-01-01T00:00:00Z", "to": "2026-01-02T00:00:00Z", "step": "0"}, "step"),
    ],
)
async def test_what_cannot_be_asked(site: Running, params: dict[str, Any], why: str) -> None:
    async with site.client("viewer") as client:
        answer = await client.get("/api/v1/strips", params=params)
    assert answer.status_code == 422
    assert why in str(answer.json())


async def test_one_picture_and_the_list(site: Running) -> None:
    async with site.client("viewer") as client:
        one = await client.get("/api/v1/cameras/gate/strip.jpg", params={"at": format_us(T0_US - HOUR + 27 * S)})
        none = await client.get("/api/v1/cameras/gate/strip.jpg", params={"at": format_us(T0_US)})
        params = {"from": format_us(T0_US - HOUR), "to": format_us(T0_US - HOUR + 60 * S), "step": "20"}
        listed = (await client.get("/api/v1/cameras/gate/strip", params=params)).json()
    assert (one.status_code, one.content, one.headers["content-type"]) == (200, jpeg("gate", 2), "image/jpeg")
    assert one.headers["x-longwatch-start"] == format_us(T0_US - HOUR + 23 * S)
    assert none.status_code == 404
    begin = T0_US - HOUR + 3 * S
    size = len(jpeg("gate", 0))
    assert listed == {
        "camera": "gate",
        "every_us": 10 * S,
        "state": "following",
        "items": [[begin + n * 20 * S, size] for n in range(3)],
    }


async def test_footage_that_is_gone_shows_no_picture_even_before_the_sweep(fresh: Running) -> None:
    fresh.index.stats = lambda key: Totals(first_us=T0_US - HOUR + 100 * S)  # type: ignore[method-assign]
    fresh.index.spans = {
        GATE: [RecordedSpan(T0_US - HOUR + 200 * S, T0_US - HOUR + 300 * S, 1, Provenance.NTP, Held.GONE)]
    }
    span = {"from_": format_us(T0_US - HOUR), "to": format_us(T0_US)}
    head, _ = unpacked(await asked(fresh, camera="gate", step=10, **span))
    seconds = [(row[0] - T0_US + HOUR) // S for row in head["items"][0]["pictures"]]
    assert (seconds[0], len(seconds)) == (103, 60 - 10 - 10)
    assert not any(200 <= second < 300 for second in seconds)


async def test_what_is_sent_is_entered_as_seen(fresh: Running) -> None:
    at = [format_us(T0_US - HOUR + n * S) for n in (25, 65)]
    unpacked(await asked(fresh, camera=["gate", "yard"], at=at))
    unpacked(await asked(fresh, camera=["gate", "yard"], at=at))
    unpacked(await asked(fresh, camera="gate", at=format_us(T0_US + HOUR)))  # nothing there, nothing seen
    waiting = await fresh.accounts.journal._call(fresh.accounts.journal._outbox.oldest, 100)
    bodies = [one.said.body for one in waiting if one.said.kind == "viewing"]
    assert sorted(body["camera"] for body in bodies) == ["gate", "yard"]
    assert {body["what"] for body in bodies} == {"strip"}
    assert {(body["from_us"], body["to_us"]) for body in bodies} == {(T0_US - HOUR + 23 * S, T0_US - HOUR + 63 * S)}


async def test_without_strips_there_is_nothing_and_it_says_so(tmp_path: Path) -> None:
    async with running_site(tmp_path) as site:
        head, pictures = unpacked(await asked(site, camera="gate", at=format_us(T0_US)))
    assert (head["items"][0]["state"], pictures) == ("off", [[None]])


async def test_metrics_say_what_was_made_and_left_out(fresh: Running) -> None:
    assert fresh.deps.strips is not None
    fresh.deps.strips.following()["gate"].made = 7
    fresh.deps.strips.following()["gate"].left_out = 2
    async with fresh.client("gate-only") as client:
        lines = (await client.get("/metrics")).text.splitlines()
    assert 'longwatch_strip_pictures_total{camera="gate"} 7.0' in lines
    assert 'longwatch_strip_left_out_total{camera="gate"} 2.0' in lines
    assert "longwatch_strip_thinned 1.0" in lines
    assert not any(line.startswith("longwatch_strip") and "yard" in line for line in lines)


class Packs:
    """What posts sent a hub: one pack, of one camera."""

    def __init__(self, *moments: int) -> None:
        self.moments = moments

    def strips(self, camera: str, from_us: int, to_us: int) -> list[tuple[int, bytes]]:
        return []

    def newest(self, camera: str, until_us: int) -> bytes | None:
        return b"n" * 32 if camera == "gate" and until_us >= self.moments[0] else None

    def read(self, sha256: bytes) -> bytes:
        return encode([StripPicture(at_us, 0, jpeg("gate", n)) for n, at_us in enumerate(self.moments)])


async def test_at_a_hub_a_newer_strip_stands_in_for_footage_that_is_not_here(fresh: Running) -> None:
    soon_us, late_us = T0_US + 20 * S, T0_US + HOUR
    fresh.deps.strips = DistantStrips(Packs(soon_us, late_us))
    held: Any = SimpleNamespace(wall_end_us=T0_US)
    fresh.index.sync_before = lambda key, at_us: held if key == GATE and at_us >= T0_US else None  # type: ignore[method-assign]
    url = "/api/v1/cameras/gate/still.jpg"
    async with fresh.client("viewer") as client:
        near = await client.get(url, params={"at": format_us(soon_us + S)})
        late = await client.get(url, params={"at": format_us(late_us + 10 * S)})
        again = await client.get(
            url, params={"at": format_us(late_us + 10 * S)}, headers={"If-None-Match": late.headers["etag"]}
        )
        none = await client.get("/api/v1/cameras/yard/still.jpg", params={"at": format_us(late_us)})
        before = await client.get(url, params={"at": format_us(T0_US + S)})
    assert "x-longwatch-picture" not in near.headers  # footage of seconds before is here
    assert (late.content, late.headers["x-longwatch-picture"]) == (jpeg("gate", 1), "strip")
    assert late.headers["x-longwatch-start"] == format_us(late_us)
    assert again.status_code == 304
    assert "x-longwatch-picture" not in none.headers
    assert "x-longwatch-picture" not in before.headers
