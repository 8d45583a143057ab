"""What lies at a post, seen from its hub: a stretch that is asked for comes and plays, live and a picture of now come over the link, strips too."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.support.asking import http
from tests.support.network import Hub, Network, Post, Site, network
from tests.support.wait import until_now
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosedError

from longwatch.base.rfc3339 import format_us, parse_us
from longwatch.evidence import verify_package
from longwatch.formats.bmff import Mp4File
from longwatch.ledger.findings import Kind

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900), pytest.mark.xdist_group("media")]
CAMERA = "ridge.gate"
INSPECTORS: dict[str, str] = {}


@pytest.fixture(scope="module")
def net(tmp_path_factory: pytest.TempPathFactory):
    with network(tmp_path_factory.mktemp("media")) as made:
        yield made


@pytest.fixture(scope="module")
def sites(net: Network) -> tuple[Hub, Post]:
    hub = net.hub("hq")
    ridge = net.post("ridge", ["gate", "attic"], uplink={"withhold": ["attic"], "live_limit": "20s"})
    net.join(hub, ridge)
    until_now(lambda: recorded_s(ridge) > 6, "the post has recorded for six seconds", 180)
    restarted(ridge)
    hub.until_post("ridge", state="connected")
    return hub, ridge


def recorded_s(post: Post) -> float:
    """How long its cameras have been recorded, at least, as its own timeline says."""
    spans = [item for item in timeline(post, "gate") if item["state"] == "recorded"]
    return sum((parse_us(item["to"]) - parse_us(item["from"])) / 1e6 for item in spans)


def timeline(site: Site, camera: str) -> list[dict[str, Any]]:
    now_us = time.time_ns() // 1000
    span = {"from": format_us(now_us - 900_000_000), "to": format_us(now_us)}
    answer = site.request("GET", f"/api/v1/cameras/{camera}/timeline", params=span)
    if answer.status_code in {404, 503}:  # it has not heard of the camera yet, or is not ready
        return []
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


def restarted(post: Post) -> None:
    """Its recorder: what was open is sealed by that; nobody has to wait a minute."""
    gone = until_now(lambda: post.recorder_pid, "a recorder runs")
    os.kill(gone, signal.SIGTERM)
    until_now(lambda: post.recorder_pid not in {None, gone}, "another recorder runs")


def audit(site: Site, kind: str) -> list[dict[str, Any]]:
    """As an inspector sees it: who looked at what is none of an admin's business."""
    if site.id not in INSPECTORS:
        INSPECTORS[site.id] = site.verb("token", "add", "inspector", "--role", "inspector").split()[-1]
    now_us = time.time_ns() // 1000
    span = {"from": format_us(now_us - 900_000_000), "to": format_us(now_us + 1_000_000)}
    headers = {"Authorization": f"Bearer {INSPECTORS[site.id]}"}
    answer = http().get(f"{site.base}/api/v1/audit", params={"kind": kind, **span}, headers=headers, timeout=180)
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


def sealed(hub: Hub) -> list[dict[str, Any]]:
    """What the hub knows to be recorded at the post: sealed, and told by its ledger."""
    items = timeline(hub, CAMERA)
    return [item for item in items if item["state"] == "recorded"]


def request(hub: Hub, number: int) -> dict[str, Any]:
    return next(item for item in hub.get("/api/v1/requests")["items"] if item["id"] == number)


def test_a_report_at_the_hub_says_of_a_camera_what_its_post_says(sites: tuple[Hub, Post]):
    hub, ridge = sites
    known = until_now(lambda: sealed(hub), "the post's first segment is told of", 180)
    span = {"from": known[0]["from"], "to": known[-1]["to"]}

    def totals(site: Site) -> dict[str, Any]:
        return {camera["id"]: camera["total"] for camera in site.get("/api/v1/report", **span)["cameras"]}

    until_now(lambda: set(totals(hub)) == {CAMERA, "ridge.attic"}, "both cameras are told of", 180)
    until_now(lambda: totals(hub)[CAMERA] == totals(ridge)["gate"], "the hub says what the post says", 180)
    assert totals(ridge)["gate"]["delivered_us"] > 0
    assert hub.get("/api/v1/report", **span)["post"]["id"] == "hq"


def test_a_stretch_that_is_asked_for_comes_plays_and_is_entered_on_both_sides(sites: tuple[Hub, Post]):
    hub, ridge = sites
    known = until_now(lambda: sealed(hub), "the post's first segment is told of", 180)
    assert known[0]["held"] == "post"
    body = {"camera": CAMERA, "from": known[0]["from"], "to": known[-1]["to"], "reason": "smoke over the ridge"}
    before = hub.request("GET", f"/api/v1/cameras/{CAMERA}/video.mp4", params={"from": body["from"], "to": body["to"]})
    assert before.status_code != 200, "nothing of it is here"
    answer = hub.request("POST", "/api/v1/requests", json=body)
    assert answer.status_code == 201, answer.text
    number = answer.json()["id"]
    until_now(lambda: request(hub, number)["state"] == "done", "all of it is here", 180)
    done = request(hub, number)
    assert done["bytes"] == done["done_bytes"] > 10_000
    assert (done["by"], done["reason"]) == ("test", "smoke over the ridge")

    def held() -> set[str]:
        return {item["held"] for item in sealed(hub) if item["to"] <= body["to"]}

    until_now(lambda: held() == {"here"}, "the timeline says that it is here", 180)
    played = hub.request("GET", f"/api/v1/cameras/{CAMERA}/video.mp4", params={"from": body["from"], "to": body["to"]})
    assert played.status_code == 200
    same = ridge.request("GET", "/api/v1/cameras/gate/video.mp4", params={"from": body["from"], "to": body["to"]})
    assert len(played.content) == len(same.content) > 10_000
    exact = {"from": format_us(parse_us(body["from"]) + 1_330_000), "to": body["to"], "exact": "1"}
    files = [
        site.request("GET", f"/api/v1/cameras/{camera}/video.mp4", params=exact)
        for site, camera in ((hub, CAMERA), (ridge, "gate"))
    ]
    assert [file.status_code for file in files] == [200, 200]
    assert files[0].headers["x-longwatch-start"] == files[1].headers["x-longwatch-start"] >= exact["from"]
    at_hub, at_post = (Mp4File.from_bytes(file.content) for file in files)
    assert len(at_hub.tracks[0].sample_entries) == 2, "its begin was encoded anew, here and there"
    first, again = ([file.data(sample) for sample in file.tracks[0].samples] for file in (at_hub, at_post))
    assert first == again
    assert len(until_now(lambda: audit(hub, "request_made"), "it is entered at the hub", 180)) == 1
    asked = until_now(lambda: audit(ridge, "footage_asked"), "the post's ledger says so too", 180)
    assert "test at hq" in json.dumps(asked)


def order(hub: Hub, kind: str, from_: str, to: str) -> httpx.Response:
    body = {"kind": kind, "cameras": [CAMERA], "from": from_, "to": to, "reason": "for the court"}
    return hub.request("POST", "/api/v1/exports", json=body)


def exported(hub: Hub, kind: str, item: dict[str, Any], out: Path) -> dict[str, Any]:
    """An export that was ordered at the hub, once it is done; its file at `out`."""
    answer = order(hub, kind, item["from"], item["to"])
    assert answer.status_code == 201, answer.text
    where = f"/api/v1/exports/{answer.json()['id']}"
    until_now(lambda: hub.get(where)["state"] in {"done", "failed"}, "the export is made", 180)
    job = hub.get(where)
    assert job["state"] == "done", job["problem"]
    out.write_bytes(hub.request("GET", f"{where}/file").content)
    made: dict[str, Any] = job["files"][0]
    return made


def test_what_is_held_at_the_hub_is_exported_there_and_the_package_proves_the_post(
    sites: tuple[Hub, Post], tmp_path: Path
):
    hub, ridge = sites
    here = next(item for item in sealed(hub) if item["held"] == "here")
    film, package = tmp_path / "film.mp4", tmp_path / "package.zip"
    exported(hub, "video", here, film)
    played = hub.request("GET", f"/api/v1/cameras/{CAMERA}/video.mp4", params={"from": here["from"], "to": here["to"]})
    assert film.read_bytes() == played.content
    about = exported(hub, "evidence", here, package)["about"]
    assert about["recorded_us"] > 5_000_000
    assert not [said for said in about["warnings"] if "seals" in said]
    verdict = verify_package(package, key=about["key"])
    assert verdict.ok, verdict.findings
    assert not [one for one in verdict.findings if one.kind is Kind.UNSEALED]
    own = json.loads(ridge.verb("key", "--json"))["fingerprint"]
    assert verify_package(package, key=own).ok, "a court may know the post, and not the hub"
    assert not verify_package(package, key="SHA256:" + "A" * 43).ok
    with zipfile.ZipFile(package) as files:
        names = files.namelist()
        assert b"longwatch-hub/hq" in files.read("post/checkpoint")
        assert [name for name in names if name.startswith("post/entries/")]
        files.extractall(tmp_path / "unpacked")
    stranger = subprocess.run(
        [sys.executable, str(tmp_path / "unpacked/check.py")], capture_output=True, text=True, check=False
    )
    assert stranger.stdout.rstrip().endswith("OK"), stranger.stdout + stranger.stderr
    for name in (
        "post/checkpoint",
        next(n for n in names if n.startswith("post/entries/")),
        next(n for n in names if n.startswith("segments/")),
    ):
        changed = tmp_path / "changed"
        shutil.rmtree(changed, ignore_errors=True)
        shutil.copytree(tmp_path / "unpacked", changed)
        data = bytearray((changed / name).read_bytes())
        data[len(data) // 2] ^= 1
        (changed / name).write_bytes(data)
        assert name in {one.what.partition(":")[0] for one in verify_package(changed).blamed}


def test_what_is_held_at_the_post_is_asked_for_first(sites: tuple[Hub, Post]):
    hub, ridge = sites
    restarted(ridge)
    away = until_now(
        lambda: [item for item in sealed(hub) if item["held"] == "post"], "there is more at the post", 180
    )[0]
    answer = order(hub, "video", away["from"], away["to"])
    assert answer.status_code == 409
    assert "held at the post" in answer.text
    span = {"from": away["from"], "to": away["to"]}
    assert hub.get("/api/v1/exports/estimate", camera=CAMERA, **span)["at_post_s"] > 0


def test_a_camera_whose_footage_stays_at_the_post_is_refused_with_the_reason(sites: tuple[Hub, Post]):
    hub, _ = sites
    known = until_now(lambda: sealed(hub), "the post's first segment is told of", 180)
    body = {"camera": "ridge.attic", "from": known[0]["from"], "to": known[-1]["to"], "reason": "all of it"}
    number = hub.request("POST", "/api/v1/requests", json=body).json()["id"]
    until_now(lambda: request(hub, number)["state"] == "refused", "it is refused", 180)
    assert "withhold" in request(hub, number)["why"]
    still = hub.request("GET", "/api/v1/cameras/ridge.attic/still.jpg", params={"fresh": "1"})
    assert still.status_code == 503
    assert "keep" in still.text


def test_a_picture_of_now(sites: tuple[Hub, Post]):
    hub, _ = sites
    answer = hub.request("GET", f"/api/v1/cameras/{CAMERA}/still.jpg", params={"fresh": "1", "width": "320"})
    assert answer.status_code == 200, answer.text
    assert answer.content.startswith(b"\xff\xd8")
    assert answer.headers["content-type"] == "image/jpeg"


def test_live_over_the_link_with_an_end(sites: tuple[Hub, Post]):
    hub, ridge = sites

    async def watch() -> tuple[dict[str, Any], int, int | None]:
        url = f"ws://127.0.0.1:{hub.port}/api/v1/cameras/{CAMERA}/live?limit_s=5"
        headers = {"Authorization": f"Bearer {hub.token}"}
        async with connect(url, additional_headers=headers, max_size=None) as socket:
            first = json.loads(await socket.recv())
            count = 0
            with contextlib.suppress(ConnectionClosedError):  # any code but 1000 and 1001
                async for _ in socket:
                    count += 1
            return first, count, socket.close_code

    def seen_live() -> bool:
        """For the whole of the five seconds; a machine that is slow may need them to begin."""
        first, count, code = asyncio.run(watch())
        assert first["via"]["quality"] == "main"
        assert first["mime"].startswith("video/mp4")
        assert code == 4408
        return count > 10

    until_now(seen_live, "chunks come over the link", 180)
    seen = until_now(
        lambda: [one for one in audit(ridge, "viewing") if "test at hq" in json.dumps(one)],
        "the post's ledger says who watched", 90,
    )  # fmt: skip
    assert seen


def test_who_may_not_operate_asks_for_nothing(sites: tuple[Hub, Post]):
    hub, _ = sites
    token = hub.verb("token", "add", "guest", "--role", "viewer").split()[-1]
    headers = {"Authorization": f"Bearer {token}"}
    body = {"camera": CAMERA, "from": "2026-01-01T00:00:00Z", "to": "2026-01-01T00:01:00Z", "reason": "curious"}
    assert http().post(f"{hub.base}/api/v1/requests", json=body, headers=headers).status_code == 403
    assert http().delete(f"{hub.base}/api/v1/requests/1", headers=headers).status_code == 403
    fresh = http().get(f"{hub.base}/api/v1/cameras/{CAMERA}/still.jpg?fresh=1", headers=headers)
    assert fresh.status_code == 403
    listed = http().get(f"{hub.base}/api/v1/requests", headers=headers).json()["items"]
    assert {item["reason"] for item in listed} == {None}


def test_a_request_waits_for_a_post_that_is_off_and_survives_both_servers(sites: tuple[Hub, Post]):
    hub, ridge = sites
    restarted(ridge)
    known = until_now(lambda: [one for one in sealed(hub) if one["held"] == "post"], "more footage is told of", 180)
    ridge.stop()
    hub.until_post("ridge", 180, state="silent")
    body = {"camera": CAMERA, "from": known[-1]["from"], "to": known[-1]["to"], "reason": "what was that"}
    number = hub.request("POST", "/api/v1/requests", json=body).json()["id"]
    assert request(hub, number)["state"] == "waiting"
    hub.kill_server()
    until_now(hub._answers, "the hub is back", 180)
    ridge.start()
    until_now(lambda: request(hub, number)["state"] == "done", "it came when the post was back", 180)


def test_what_no_link_carried_goes_on_a_disk_and_its_receipt_comes_back(sites: tuple[Hub, Post], tmp_path: Path):
    hub, ridge = sites
    restarted(ridge)
    ridge.stop()  # a disk is packed whether the post runs or not
    away = ridge.run("courier", "pack", str(tmp_path / "not-there"))
    assert away.returncode == 2
    assert "mount the disk first" in away.stderr
    disk = tmp_path / "disk"
    disk.mkdir()
    packed = json.loads(ridge.verb("courier", "pack", str(disk), "--json", "--reason", "by car"))
    assert packed["segments"] > 0
    assert packed["failed"] == []
    foreign = hub.run("courier", "pack", str(disk))
    assert "this is a hub" in foreign.stderr
    [done] = json.loads(hub.verb("courier", "unpack", str(disk), "--json"))["items"]
    assert (done["post"], done["whole"], done["taken"]) == ("ridge", True, done["files"])
    assert 0 < done["new"] <= done["objects"]
    again = json.loads(hub.verb("courier", "unpack", str(disk), "--json"))["items"]
    assert again[0]["objects"] == 0
    ridge.start()
    [back] = json.loads(ridge.verb("courier", "unpack", str(disk), "--json"))["receipts"]
    assert (back["segments"], back["packed"], back["new"]) == (packed["segments"], packed["segments"], True)
    spans = [item for item in timeline(hub, CAMERA) if item["state"] == "recorded"]
    assert spans
    assert {item["held"] for item in spans if parse_us(item["to"]) < parse_us(back["at"]) - 30_000_000} <= {"here"}
    empty = tmp_path / "second"
    empty.mkdir()
    rest = json.loads(ridge.verb("courier", "pack", str(empty), "--json"))
    assert rest["segments"] < packed["segments"] or packed["segments"] <= 2, "what is confirmed is not packed again"
    assert rest["travelling"] == 0
    for site, kind in ((ridge, "courier_packed"), (ridge, "courier_confirmed"), (hub, "courier_unpacked")):
        assert until_now(lambda site=site, kind=kind: audit(site, kind), f"{kind} is entered", 180)
