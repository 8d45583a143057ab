"""What the routes answer, by real HTTP."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
import websockets
from starlette.websockets import WebSocket
from tests.support.fake_recorder import picture, video_format
from tests.support.site import GATE, PASSWORD, T0_US, Running, running_site
from tests.support.wait import until

from longwatch.archive import ArchiveReader
from longwatch.base import secrets
from longwatch.base.rfc3339 import format_us
from longwatch.web.routes import live

HOUR_US = 3_600_000_000


pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site(tmp_path_factory: pytest.TempPathFactory):
    """One for the tests that leave it as it was."""
    async with running_site(tmp_path_factory.mktemp("site")) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def fresh(tmp_path: Path):
    """One of its own, for a test that changes it."""
    async with running_site(tmp_path) as running:
        yield running


def span(from_us: int, to_us: int) -> dict[str, str]:
    return {"from": format_us(from_us), "to": format_us(to_us)}


async def test_login_by_cookie_then_me_then_logout(site: Running) -> None:
    async with site.client() as client:
        wrong = await client.post("/api/v1/login", json={"name": "ada", "password": "wrong password"})
        assert (wrong.status_code, set(wrong.json())) == (401, {"what", "why", "remedy"})
        right = await client.post("/api/v1/login", json={"name": "ada", "password": PASSWORD})
        assert right.status_code == 200
        cookie = right.headers["set-cookie"]
        assert cookie.startswith("longwatch=")  # loopback without TLS: no __Host-
        assert "HttpOnly" in cookie
        assert "SameSite=strict" in cookie
        me = (await client.get("/api/v1/me")).json()
        assert (me["name"], me["role"], me["cameras"]) == ("ada", "admin", None)
        assert me["post"]["timezone"] == "Europe/Oslo"
        out = await client.post("/api/v1/logout")
        assert (out.status_code, out.headers["clear-site-data"]) == (204, '"cache"'), "others use this machine too"
        assert (await client.get("/api/v1/me")).status_code == 401


async def test_at_a_first_start_before_there_is_an_index_the_post_asks_for_patience(
    fresh: Running, tmp_path: Path
) -> None:
    fresh.deps.index = ArchiveReader([tmp_path])
    for made in ("no file", "no tables"):
        if made == "no tables":
            (tmp_path / "index.db").touch()
        async with fresh.client("admin") as client:
            for path in ("cameras", "gaps", "health", "timeline", "reports", "holds", "retention/preview"):
                answer = await client.get(f"/api/v1/{path}", params=span(T0_US - HOUR_US, T0_US))
                assert answer.status_code < 500 or (answer.status_code, answer.headers.get("retry-after")) == (
                    503,
                    "2",
                ), path
            assert (await client.get("/api/v1/cameras")).status_code == 503, made


async def test_too_many_tries_are_429_with_a_time(fresh: Running) -> None:
    site = fresh
    async with site.client() as client:
        answers = [
            await client.post("/api/v1/login", json={"name": "ada", "password": "wrong password"}) for _ in range(12)
        ]
    assert [answer.status_code for answer in answers] == [401] * 10 + [429] * 2
    assert 1 <= int(answers[-1].headers["retry-after"]) <= 6


async def test_cameras_say_what_they_do_or_why_not(site: Running) -> None:
    async with site.client("viewer") as client:
        gate, yard = (await client.get("/api/v1/cameras")).json()["items"]
    assert (gate["state"], gate["reason"], gate["recorded_until"]) == ("recording", None, "2025-12-31T23:59:59Z")
    assert (gate["zones"], gate["lines"]) == (None, None), "where it is not known it is not said to be none"
    main, sub = gate["streams"]
    assert (main["codec"], main["width"], main["height"], main["fps"], main["bitrate"], main["audio"]) == (
        "h264", 1920, 1080, 25.0, 4_000_000, "aac",
    )  # fmt: skip
    assert (sub["state"], sub["codec"]) == ("unknown", None)
    assert (yard["state"], yard["reason"], yard["next_attempt"]) == (
        "camera_refused", "401 Unauthorized", "2026-01-01T00:01:00Z",
    )  # fmt: skip


async def test_cameras_say_that_the_recorder_is_away(fresh: Running) -> None:
    site = fresh
    await site.recorder.stop()
    site.clock.tick(1_000_000)
    async with site.client("viewer") as client:
        items = (await client.get("/api/v1/cameras")).json()["items"]
        assert {item["state"] for item in items} == {"recorder_failed"}
        ready = await client.get("/readyz")
    assert ready.status_code == 503
    assert ready.json()["issues"][0]["rule"] == "recorder"


async def test_a_timeline_tiles_the_whole_interval(site: Running) -> None:
    async with site.client("viewer") as client:
        answer = await client.get("/api/v1/cameras/gate/timeline", params=span(T0_US - 2 * HOUR_US, T0_US + HOUR_US))
    body = answer.json()
    items = body["items"]
    assert [(item["state"], item["cause"]) for item in items] == [
        ("gap", "never_recorded"), ("recorded", None), ("gap", "camera_unreachable"), ("recorded", None), ("pending", None),
    ]  # fmt: skip
    assert all(a["to"] == b["from"] for a, b in itertools.pairwise(items))
    assert (items[0]["from"], items[-1]["to"]) == (format_us(T0_US - 2 * HOUR_US), format_us(T0_US + HOUR_US))
    assert items[2]["evidence"] == {"detail": "no route"}
    assert [item.get("held") for item in items] == [None, "here", None, "here", None]
    assert items[3]["provenance"] == "rtcp"
    assert (body["accounted_until"], body["next"]) == ("2025-12-31T23:59:59Z", None)


async def test_a_timeline_in_pages_is_the_same_timeline(site: Running) -> None:
    asked: dict[str, str | int] = {**span(T0_US - 2 * HOUR_US, T0_US + HOUR_US)}
    async with site.client("viewer") as client:
        whole = (await client.get("/api/v1/cameras/gate/timeline", params=asked)).json()["items"]
        pages = []
        cursor = None
        while True:
            more = {"cursor": cursor} if cursor else {}
            body = (await client.get("/api/v1/cameras/gate/timeline", params={**asked, "limit": 2, **more})).json()
            pages += body["items"]
            cursor = body["next"]
            if cursor is None:
                break
    assert pages == whole


@pytest.mark.parametrize(
    ("params", "status"),
    [
        ({"from": "2026-01-01T00:00:00Z", "to": "2026-01-01T00:00:00Z"}, 422),
        ({"from": "2026-01-02T00:00:00Z", "to": "2026-01-01T00:00:00Z"}, 422),
        ({"from": "yesterday", "to": "2026-01-01T00:00:00Z"}, 422),
        ({"from": "0001-01-01T00:00:00Z", "to": "9999-12-31T23:59:59Z"}, 422),
        ({"from": "2026-01-01T00:00:00Z"}, 422),
        ({"from": "2026-01-01T00:00:00Z", "to": "2026-01-02T00:00:00Z", "cursor": "é"}, 422),
        ({"from": "2026-01-01T00:00:00Z", "to": "2026-01-02T00:00:00Z", "cursor": "!!!"}, 422),
        ({"from": "2026-01-01T00:00:00Z", "to": "2026-01-02T00:00:00Z", "stream": "other"}, 404),
        ({"from": "1970-01-01T00:00:00Z", "to": "8999-01-01T00:00:00+02:00"}, 200),
    ],
)
async def test_spans_that_cannot_be(site: Running, params: dict[str, str], status: int) -> None:
    async with site.client("viewer") as client:
        answer = await client.get("/api/v1/cameras/gate/timeline", params=params)
    assert answer.status_code == status
    if status != 200:
        assert set(answer.json()) == {"what", "why", "remedy"}


async def test_gaps_over_all_cameras_and_of_one(site: Running) -> None:
    async with site.client("viewer") as client:
        asked = span(T0_US - HOUR_US, T0_US)
        all_of_them = (await client.get("/api/v1/gaps", params=asked)).json()["items"]
        of_yard = (await client.get("/api/v1/gaps", params={**asked, "camera": "yard"})).json()["items"]
        first = (await client.get("/api/v1/gaps", params={**asked, "limit": 1})).json()
        rest = (await client.get("/api/v1/gaps", params={**asked, "limit": 1, "cursor": first["next"]})).json()
    assert [(gap["camera"], gap["cause"], gap["to"], gap["open"]) for gap in all_of_them] == [
        ("gate", "camera_unreachable", "2025-12-31T23:45:00Z", False), ("yard", "camera_refused", "2025-12-31T23:59:59Z", True),
    ]  # fmt: skip
    assert of_yard == all_of_them[1:]
    assert first["items"] + rest["items"] == all_of_them
    assert rest["next"] is None


async def test_who_may_see_one_camera_sees_nothing_of_others(site: Running) -> None:
    async with site.client("gate-only") as client:
        cameras = (await client.get("/api/v1/cameras")).json()["items"]
        gaps = (await client.get("/api/v1/gaps", params=span(T0_US - HOUR_US, T0_US))).json()["items"]
        metrics = (await client.get("/metrics")).text
        ready = await client.get("/readyz")
    assert [camera["id"] for camera in cameras] == ["gate"]
    assert {gap["camera"] for gap in gaps} == {"gate"}
    assert 'camera="gate"' in metrics
    assert "yard" not in metrics
    assert "yard" not in ready.text


async def test_health_says_why_only_to_those_who_are_signed_in(fresh: Running) -> None:
    site = fresh
    async with site.client() as nobody, site.client("viewer") as viewer:
        assert (await nobody.get("/healthz")).json() == {"status": "ok"}
        closed = await nobody.get("/readyz")
        told = await viewer.get("/readyz")
        assert (await nobody.get("/metrics")).status_code == 401
    assert (closed.status_code, closed.json()) == (503, {"ready": False, "issues": None})
    assert [(issue["rule"], issue["subject"]) for issue in told.json()["issues"]] == [("streams", "yard/main")]
    site.recorder.status["streams"][1]["planned"] = False
    site.clock.tick(1_000_000)
    async with site.client() as nobody:
        assert (await nobody.get("/readyz")).status_code == 200
    site.recorder.status["health"] = [{"what": "snmp hut does not answer", "why": "timed out", "weight": "remark"}]
    site.clock.tick(1_000_000)
    async with site.client("viewer") as viewer:
        remarked = await viewer.get("/readyz")
        assert (remarked.status_code, remarked.json()["ready"]) == (200, True), "recording goes on as planned"
        assert [(issue["what"], issue["blocks"]) for issue in remarked.json()["issues"]] == [
            ("snmp hut does not answer: timed out", False)
        ]


async def test_metrics(fresh: Running) -> None:
    site = fresh
    async with site.client("viewer") as client:
        text = (await client.get("/metrics")).text
    for line in (
        'longwatch_recording{camera="gate",stream="main"} 1.0',
        'longwatch_stream_state{camera="yard",state="camera_refused",stream="main"} 1.0',
        'longwatch_gap_seconds_last_day{camera="gate",cause="camera_unreachable"} 900.0',
        'longwatch_stored_bytes{camera="gate",stream="main"} 1e+06',
        "longwatch_accounted_behind_seconds 1.0",
    ):
        assert line in text.splitlines()


async def test_try_now_reaches_the_recorder(site: Running) -> None:
    async with site.client("operator") as client:
        assert (await client.post("/api/v1/cameras/yard/try-now")).status_code == 202
        assert (await client.post("/api/v1/cameras/nowhere/try-now")).status_code == 404
    assert ("try_now", {"camera": "yard"}) in site.recorder.requests


async def test_retention_preview(fresh: Running) -> None:
    site = fresh
    item = {"camera": "gate", "stream": "main", "from_us": T0_US, "to_us": T0_US + 1, "bytes": 5, "why": "max_age"}
    site.recorder.answers["retention_preview"] = {"items": [item, {**item, "camera": "yard"}]}
    async with site.client("inspector") as client:
        items = (await client.get("/api/v1/retention/preview")).json()["items"]
    assert [item["camera"] for item in items] == ["gate", "yard"]
    async with site.client("gate-only") as client:
        items = (await client.get("/api/v1/retention/preview")).json()["items"]
    assert [item["camera"] for item in items] == ["gate"]


async def test_an_operator_of_all_cameras_may_vouch_for_the_clock(fresh: Running) -> None:
    site = fresh
    site.recorder.answers["retention_approve"] = {"wall_us": T0_US}
    for role, status in (("operator", 200), ("viewer", 403), ("gate-only", 403)):
        async with site.client(role) as client:
            answer = await client.post("/api/v1/retention/approve")
        assert answer.status_code == status
        if status == 200:
            assert answer.json() == {"time": format_us(T0_US)}
    assert [kind for kind, _ in site.recorder.requests].count("retention_approve") == 1


async def test_live_from_the_recorders_socket_to_a_websocket(site: Running) -> None:
    headers = {"Authorization": f"Bearer {site.tokens['viewer']}"}
    async with websockets.connect(f"{site.ws}/api/v1/cameras/gate/live", additional_headers=headers) as socket:
        await until(lambda: site.recorder.subscribed == [GATE])
        site.recorder.send_format(GATE, 1, video_format())
        site.recorder.send(GATE, 1, picture(0, sync=True), picture(1))
        assert json.loads(await socket.recv())["mime"].startswith("video/mp4")
        assert (await socket.recv())[4:8] == b"ftyp"
        assert (await socket.recv())[4:8] == b"moof"
        assert (await socket.recv())[4:8] == b"moof"
    await until(lambda: site.recorder.subscribed == [])


@pytest.mark.slow
async def test_a_viewer_that_does_not_read_harms_nobody_and_starts_again_at_a_sync_sample(fresh: Running) -> None:
    site = fresh
    headers = {"Authorization": f"Bearer {site.tokens['viewer']}"}
    url = f"{site.ws}/api/v1/cameras/gate/live"
    async with (
        websockets.connect(url, additional_headers=headers, max_size=None, max_queue=1) as slow,
        websockets.connect(url, additional_headers=headers, max_size=None) as quick,
    ):
        await until(lambda: site.recorder.subscribed == [GATE])
        await until(lambda: site.deps.live.watched()[0].viewers == 2)
        site.recorder.send_format(GATE, 1, video_format())
        got = 0
        for n in range(120):  # 36 MB: more than sockets and queue hold
            site.recorder.send(GATE, 1, picture(n, sync=n % 20 == 0, size=300_000))
            while got <= n:
                message = await asyncio.wait_for(quick.recv(), 20)
                got += isinstance(message, bytes) and message[4:8] == b"moof"
        dropped = site.deps.live.watched()[0].dropped
        assert dropped > 20
        async with site.client("viewer") as client:
            text = (await client.get("/metrics")).text
        assert f'longwatch_live_dropped_chunks_total{{camera="gate",stream="main"}} {float(dropped)}' in text
        assert 'longwatch_live_viewers{camera="gate",stream="main"} 2.0' in text
        texts, numbers, after_text = 0, [], []
        while not numbers or numbers[-1] != 119:
            message = await asyncio.wait_for(slow.recv(), 20)
            if isinstance(message, str):
                texts += 1
                after_text.append(len(numbers))
            elif message[4:8] == b"moof":
                start = message.index(b"mdat") + 4
                numbers.append(int.from_bytes(message[start : start + 4], "big"))
    assert texts >= 2  # at the beginning, and after what it lost
    assert all(numbers[place] % 20 == 0 for place in after_text)
    assert len(numbers) < 120


async def test_live_ends_when_the_right_does(fresh: Running) -> None:
    site = fresh
    headers = {"Authorization": f"Bearer {site.tokens['viewer']}"}
    async with websockets.connect(f"{site.ws}/api/v1/cameras/gate/live", additional_headers=headers) as socket:
        await until(lambda: site.recorder.subscribed == [GATE])
        await site.accounts.remove("token", "viewer")
        with pytest.raises(websockets.ConnectionClosed):
            await socket.recv()
        assert (socket.close_code, socket.close_reason) == (4401, "the login is over")
    await until(lambda: site.recorder.subscribed == [])


async def test_live_does_not_begin_where_the_right_goes_while_it_is_let_in(
    fresh: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    site, accept = fresh, WebSocket.accept

    async def slowly(socket: WebSocket, *arguments: object, **named: object) -> None:
        await site.accounts.remove("token", "viewer")
        await accept(socket, *arguments, **named)  # type: ignore[arg-type]  # as it was called

    monkeypatch.setattr(WebSocket, "accept", slowly)
    headers = {"Authorization": f"Bearer {site.tokens['viewer']}"}
    async with websockets.connect(f"{site.ws}/api/v1/cameras/gate/live", additional_headers=headers) as socket:
        with pytest.raises(websockets.ConnectionClosed):
            await asyncio.wait_for(socket.recv(), 60)
        assert socket.close_code == 4401


async def test_one_account_does_not_take_every_connection(site: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "MOST_OF_ONE", 2)
    monkeypatch.setattr(live, "MOST_VIEWS", 3)
    url = f"{site.ws}/api/v1/cameras/gate/live"

    async def open_for(name: str, stack: contextlib.AsyncExitStack) -> None:
        headers = {"Authorization": f"Bearer {site.tokens[name]}"}
        await stack.enter_async_context(websockets.connect(url, additional_headers=headers))

    async with contextlib.AsyncExitStack() as stack:
        await open_for("viewer", stack)
        await open_for("viewer", stack)
        for name, let_in in (("viewer", False), ("operator", True), ("inspector", False)):
            if let_in:
                await open_for(name, stack)
                continue
            with pytest.raises(websockets.InvalidStatus) as refused:
                await open_for(name, stack)
            assert refused.value.response.status_code == 429
    await until(lambda: site.recorder.subscribed == [])


async def test_live_of_an_unknown_stream_is_404(site: Running) -> None:
    headers = {"Authorization": f"Bearer {site.tokens['viewer']}"}
    with pytest.raises(websockets.InvalidStatus) as refused:
        async with websockets.connect(f"{site.ws}/api/v1/cameras/attic/live", additional_headers=headers):
            pass
    assert refused.value.response.status_code == 404


async def test_until_set_up_only_health_and_set_up_answer(tmp_path: Path) -> None:
    async with running_site(tmp_path, set_up=False) as site, site.client() as client:
        code = site.accounts.offer_set_up()
        for path in ("/api/v1/cameras", "/api/v1/me", "/metrics", "/api/v1/openapi.json"):
            assert (await client.get(path)).status_code == 403
        login = await client.post("/api/v1/login", json={"name": "ada", "password": PASSWORD})
        assert login.status_code == 403
        assert (await client.get("/healthz")).status_code == 200
        assert (await client.get("/readyz")).json() == {"ready": False, "issues": None}
        assert (await client.get("/api/v1/setup")).json() == {"needed": True}
        body = {"code": "wrong", "name": "ada", "password": PASSWORD}
        assert (await client.post("/api/v1/setup", json=body)).status_code == 401
        assert (await client.post("/api/v1/setup", json={**body, "code": code})).status_code == 200
        assert (await client.get("/api/v1/cameras")).status_code == 200
        assert (await client.get("/api/v1/setup")).json() == {"needed": False}
        assert (await client.post("/api/v1/setup", json={**body, "code": code})).status_code == 422


async def test_the_pages_are_served_from_a_list(tmp_path: Path) -> None:
    static = tmp_path / "static"
    (static / "assets").mkdir(parents=True)
    (static / "index.html").write_text("<!doctype html>")
    (static / "assets" / "index-abc123.js").write_text("1")
    (tmp_path / "secret.txt").write_text("outside")
    (static / "link.txt").symlink_to(tmp_path / "secret.txt")
    async with running_site(tmp_path, static=static) as site, site.client() as client:
        page = await client.get("/")
        assert (page.status_code, page.headers["cache-control"]) == (200, "no-cache")
        assert page.headers["content-type"].startswith("text/html")
        script = await client.get("/assets/index-abc123.js")
        assert script.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert script.headers["content-type"].startswith("text/javascript")
        assert (script.headers["content-encoding"], script.headers["vary"], script.text) == (
            "gzip",
            "Accept-Encoding",
            "1",
        )
        plain = await client.get("/assets/index-abc123.js", headers={"Accept-Encoding": "identity"})
        assert ("content-encoding" in plain.headers, plain.text) == (False, "1")
        (static / "assets" / "index-abc123.js").write_text("22")
        assert (await client.get("/assets/index-abc123.js")).text == "22"
        assert (await client.get("/link.txt")).status_code == 404
        assert (await client.get("/api/v1/nothing")).status_code == 404


async def test_pages_that_are_put_in_place_while_the_server_runs_are_served(tmp_path: Path) -> None:
    static = tmp_path / "static"
    async with running_site(tmp_path, static=static) as site, site.client() as client:
        assert (await client.get("/")).status_code == 404
        (static / "assets").mkdir(parents=True)
        (static / "assets" / "index-old.js").write_text("1")
        (static / "index.html").write_text("old")
        assert (await client.get("/")).text == "old"
        (static / "assets" / "index-old.js").unlink()
        (static / "assets" / "index-new.js").write_text("2")
        assert (await client.get("/assets/index-new.js")).text == "2"
        assert (await client.get("/assets/index-old.js")).status_code == 404


async def test_every_answer_carries_the_security_headers(site: Running) -> None:
    async with site.client() as client:
        for path in ("/", "/healthz", "/api/v1/cameras", "/nowhere"):
            headers = (await client.get(path)).headers
            assert "default-src 'none'" in headers["content-security-policy"]
            assert headers["x-content-type-options"] == "nosniff"
            assert headers["referrer-policy"] == "no-referrer"
            assert "server" not in headers


async def test_secrets_that_reach_a_detail_do_not_reach_an_answer(fresh: Running) -> None:
    site = fresh
    canary = "c4n4ry-p/ss:word"
    secrets.register(canary)
    site.recorder.status["streams"][1]["detail"] = f"rtsp://u:{canary}@10.0.0.5/ said no"
    site.recorder.status["health"] = [f"task died: {canary}"]
    site.index.gap_list[0][1].evidence["detail"] = [{"url": f"rtsp://u:{canary}@10.0.0.5/"}]
    asked = span(T0_US - HOUR_US, T0_US)
    async with site.client("admin") as client:
        answers: list[httpx.Response] = [
            await client.get(path, params=asked)
            for path in ("/api/v1/cameras", "/readyz", "/metrics", "/api/v1/gaps", "/api/v1/cameras/gate/timeline")
        ]
        answers.append(await client.get(f"/api/v1/cameras/gate/timeline?from={canary}&to=x"))
    text = "".join(answer.text for answer in answers)
    assert canary not in text
    assert "***" in text


async def test_video_of_nothing_is_404_and_says_so(site: Running) -> None:
    async with site.client("viewer") as client:
        for path in ("video.mp4", "playlist.m3u8"):
            answer = await client.get(f"/api/v1/cameras/yard/{path}", params=span(T0_US - HOUR_US, T0_US))
            assert (answer.status_code, set(answer.json())) == (404, {"what", "why", "remedy"})


async def test_a_signed_url_opens_its_camera_and_span_and_nothing_else(fresh: Running) -> None:
    site = fresh
    asked = span(T0_US - HOUR_US, T0_US)
    async with site.client("viewer") as client, site.client() as player:
        body = {"what": "video.mp4", **asked}
        signed = (await client.post("/api/v1/cameras/gate/signed-url", json=body)).json()
        url = httpx.URL(signed["url"])
        assert (await player.get(url)).status_code == 404  # let in: there is just no media in this index
        assert (await player.get(url.copy_merge_params(span(T0_US - HOUR_US, T0_US - 1)))).status_code == 404
        assert (await player.get(url.copy_merge_params(span(T0_US - HOUR_US, T0_US + 1)))).status_code == 403
        other = str(url).replace("/gate/", "/yard/")
        assert (await player.get(other)).status_code == 401
        assert (await player.get(str(url).replace("video.mp4", "timeline"))).status_code == 401
        assert (await player.get(str(url).replace("video.mp4", "segment.mp4"))).status_code == 403
        site.clock.tick(600_000_000)
        assert (await player.get(url)).status_code == 401


async def test_a_signed_url_ends_with_its_owner(fresh: Running) -> None:
    site = fresh
    async with site.client("viewer") as client, site.client() as player:
        body = {"what": "playlist.m3u8", **span(T0_US - HOUR_US, T0_US)}
        url = (await client.post("/api/v1/cameras/gate/signed-url", json=body)).json()["url"]
        assert (await player.get(url)).status_code == 404
        await site.accounts.remove("token", "viewer")
        assert (await player.get(url)).status_code == 401


async def test_gaps_of_one_post_are_those_of_its_cameras(site: Running) -> None:
    async with site.client("viewer") as client:
        asked = {"from": format_us(T0_US - 60_000_000), "to": format_us(T0_US + 60_000_000)}
        assert (await client.get("/api/v1/gaps", params=asked)).json()["items"]
        found = await client.get("/api/v1/gaps", params={**asked, "post": "ridge"})
        assert (found.status_code, found.json()["items"]) == (200, []), "these cameras are of no post of a hub"


async def test_gaps_of_a_camera_one_may_not_see_are_refused_before_anything_of_the_question_is_read(
    site: Running,
) -> None:
    async with site.client("gate-only") as client:
        for camera in ("yard", "nowhere"):
            assert (await client.get("/api/v1/gaps", params={"camera": camera})).status_code == 403
        assert (await client.get("/api/v1/gaps", params={"camera": "gate"})).status_code == 422
