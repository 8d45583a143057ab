"""Exports over HTTP: who may order, see, fetch and remove which; ranges that resume; and an entry before anything leaves."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from tests.support.fake_exports import content
from tests.support.site import Running, running_site
from tests.support.wait import until

from longwatch.accounts import Role

pytestmark = pytest.mark.asyncio(loop_scope="module")
SPAN = {"from": "2025-12-31T23:10:00Z", "to": "2025-12-31T23:20:00Z"}
ORDER = {"cameras": ["gate"], **SPAN, "reason": "for the police, report 17"}


@pytest_asyncio.fixture(loop_scope="module")
async def site(tmp_path: Path):
    async with running_site(tmp_path) as running:
        for name, role, cameras in (("yard-only", Role.VIEWER, {"yard"}), ("another", Role.VIEWER, None)):
            allowed = None if cameras is None else frozenset(cameras)
            running.tokens[name] = await running.accounts.add_token(name, role, allowed)
        yield running


async def order(site: Running, token: str = "operator", **more: Any) -> dict[str, Any]:
    async with site.client(token) as client:
        answer = await client.post("/api/v1/exports", json={**ORDER, **more})
        assert answer.status_code == 201, answer.text
        number = answer.json()["id"]

        async def done() -> Any:
            job = (await client.get(f"/api/v1/exports/{number}")).json()
            return job if job["state"] in {"done", "failed"} else None

        return dict(await until(done))


async def status(site: Running, token: str, method: str, path: str, **more: Any) -> httpx.Response:
    async with site.client(token) as client:
        return await client.request(method, path, **more)


def entries(site: Running, kind: str) -> list[dict[str, Any]]:
    return [item for item in site.recorder.taken if item["kind"] == kind]


async def test_an_export_is_ordered_with_a_reason_made_and_fetched(site: Running) -> None:
    job = await order(site, cameras=["gate", "yard"])
    assert (job["state"], job["own"], job["by"], job["reason"]) == ("done", True, "operator", ORDER["reason"])
    assert [file["camera"] for file in job["files"]] == ["gate", "yard"]
    assert job["files"][0]["sha256"] == hashlib.sha256(content("gate")).hexdigest()
    answer = await status(site, "operator", "GET", job["files"][1]["url"])
    assert (answer.status_code, answer.content) == (200, content("yard"))
    assert answer.headers["content-disposition"].startswith("attachment; filename=")
    unnamed = await status(site, "operator", "GET", f"/api/v1/exports/{job['id']}/file")
    assert (unnamed.status_code, unnamed.json()["remedy"]) == (422, "say which, with `name`")
    await site.accounts.journal.settle(all_that_waits=True)
    await site.accounts.journal.deliver(site.deps.recorder)
    (taken,) = entries(site, "export_taken")
    assert (taken["body"]["export"], taken["body"]["camera"]) == (job["id"], "yard")
    assert taken["body"]["sha256"] == job["files"][1]["sha256"]


async def test_without_a_reason_nothing_leaves(site: Running) -> None:
    before = len(site.deps.exports.jobs) if site.deps.exports else 0
    for reason in ("", " ", "...", "x" * 501, "a\nb"):
        answer = await status(site, "operator", "POST", "/api/v1/exports", json={**ORDER, "reason": reason})
        assert answer.status_code == 422, reason
    assert site.deps.exports is not None
    assert len(site.deps.exports.jobs) == before


async def test_a_download_that_broke_off_goes_on(site: Running) -> None:
    job = await order(site)
    url, whole = job["files"][0]["url"], content("gate")
    etag = f'"{job["files"][0]["sha256"]}"'
    first = await status(site, "operator", "GET", url, headers={"Range": "bytes=0-99"})
    rest = await status(site, "operator", "GET", url, headers={"Range": "bytes=100-", "If-Range": etag})
    assert (first.status_code, rest.status_code) == (206, 206)
    assert first.content + rest.content == whole
    assert rest.headers["content-range"] == f"bytes 100-{len(whole) - 1}/{len(whole)}"
    other = await status(site, "operator", "GET", url, headers={"Range": "bytes=100-", "If-Range": '"another"'})
    assert (other.status_code, other.content) == (200, whole)
    assert (await status(site, "operator", "HEAD", url)).headers["etag"] == etag
    assert (await status(site, "operator", "GET", url, headers={"If-None-Match": etag})).status_code == 304
    beyond = await status(site, "operator", "GET", url, headers={"Range": f"bytes={len(whole)}-"})
    assert beyond.status_code == 416


async def test_one_reaches_ones_own_and_of_those_what_one_may_still_see(site: Running) -> None:
    job = await order(site, "viewer", cameras=["gate", "yard"])
    path = f"/api/v1/exports/{job['id']}"
    gate, yard = (file["url"] for file in job["files"])
    missing = await status(site, "another", "GET", "/api/v1/exports/999999")
    for method, where in (("GET", path), ("GET", gate), ("DELETE", path)):
        answer = await status(site, "another", method, where)
        assert answer.status_code == missing.status_code == 404, (method, where)
        assert answer.json()["what"].replace(str(job["id"]), "N") == missing.json()["what"].replace("999999", "N")
    listed = (await status(site, "another", "GET", "/api/v1/exports")).json()["items"]
    assert listed == []
    everything = (await status(site, "inspector", "GET", path)).json()
    assert (everything["own"], everything["by"], everything["reason"]) == (False, "viewer", ORDER["reason"])
    admin = (await status(site, "admin", "GET", path)).json()
    assert (admin["by"], admin["reason"]) == (None, None), "an administrator does not read the audit"
    assert (await status(site, "inspector", "DELETE", path)).status_code == 403, "an inspector changes nothing"
    part = (await status(site, "gate-only", "GET", path)).json()
    assert (part["cameras"], [file["camera"] for file in part["files"]]) == (["gate"], ["gate"])
    assert (await status(site, "gate-only", "GET", gate)).status_code == 200
    assert (await status(site, "gate-only", "GET", yard)).status_code == 404, "the rights of now count"
    assert (await status(site, "yard-only", "GET", path)).status_code == 404


async def test_a_camera_that_may_not_be_seen_cannot_be_exported_and_is_not_told_of(site: Running) -> None:
    for camera in ("gate", "nowhere"):
        answer = await status(site, "yard-only", "POST", "/api/v1/exports", json={**ORDER, "cameras": [camera]})
        asked = await status(site, "yard-only", "GET", "/api/v1/exports/estimate", params={**SPAN, "camera": camera})
        assert (answer.status_code, asked.status_code) == (403, 403)
        assert camera not in answer.text + asked.text
    assert (
        await status(site, "operator", "POST", "/api/v1/exports", json={**ORDER, "cameras": ["nowhere"]})
    ).status_code == 404
    package = await status(site, "viewer", "POST", "/api/v1/exports", json={**ORDER, "kind": "evidence"})
    assert package.status_code == 403


@pytest.mark.parametrize(
    "wrong",
    [
        {"to": SPAN["from"]}, {"kind": "timelapse"}, {"every_s": 2.0}, {"cameras": []}, {"from": "yesterday"}, {"kind": "zip"},
        {"to": "2026-03-01T00:00:00Z"}, {"stream": "../x"}, {"kind": "timelapse", "every_s": 0.001}, {"more": 1},
    ],
)  # fmt: skip
async def test_what_cannot_be_is_refused(site: Running, wrong: dict[str, Any]) -> None:
    assert (await status(site, "operator", "POST", "/api/v1/exports", json={**ORDER, **wrong})).status_code == 422


async def test_what_it_would_cost_is_said_before(site: Running) -> None:
    said = (
        await status(site, "viewer", "GET", "/api/v1/exports/estimate", params={**SPAN, "camera": ["gate", "yard"]})
    ).json()
    assert (said["files"], said["pictures"], said["fits"]) == (2, 0, True)
    film = {"kind": "timelapse", "every_s": 10.0, "camera": "gate", **SPAN}
    said = (await status(site, "viewer", "GET", "/api/v1/exports/estimate", params=film)).json()
    assert said["files"] == 1
    assert said["seconds"] == pytest.approx(said["pictures"] * 0.08, abs=0.1)


async def test_removing_is_an_entry_and_the_files_are_gone(site: Running) -> None:
    job = await order(site, "viewer")
    path, url = f"/api/v1/exports/{job['id']}", job["files"][0]["url"]
    assert (await status(site, "viewer", "DELETE", path, json={"reason": "it was the wrong day"})).status_code == 200
    gone = (await status(site, "viewer", "GET", path)).json()
    assert (gone["state"], gone["gone"], gone["bytes"], gone["files"][0]["url"]) == ("gone", "asked", 0, None)
    assert (await status(site, "viewer", "GET", url)).status_code == 404
    assert (await status(site, "viewer", "DELETE", path)).status_code == 404
    await site.accounts.journal.settle(all_that_waits=True)
    await site.accounts.journal.deliver(site.deps.recorder)
    (told,) = [e for e in entries(site, "export_deleted") if e["body"]["export"] == job["id"]]
    assert (told["body"]["why"], told["body"]["camera"]) == ("asked", "gate")
    assert "wrong day" in told["person"]["text"]
    assert "wrong day" not in str(told["body"])


async def test_lists_come_in_pages(site: Running) -> None:
    numbers = [(await order(site, "another"))["id"] for _ in range(3)]
    page = (await status(site, "another", "GET", "/api/v1/exports", params={"limit": 2})).json()
    rest = (await status(site, "another", "GET", "/api/v1/exports", params={"limit": 2, "cursor": page["next"]})).json()
    assert [item["id"] for item in page["items"] + rest["items"]] == sorted(numbers, reverse=True)
    assert rest["next"] is None
    assert (await status(site, "another", "GET", "/api/v1/exports", params={"cursor": "!"})).status_code == 422
