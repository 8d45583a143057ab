"""What is entered of people by real HTTP, who may read it, and hostile clients."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path
from urllib.parse import parse_qsl

import httpx
import pytest
import pytest_asyncio
import websockets
from tests.support.shelf import Shelf, load_clip
from tests.support.site import GATE, PASSWORD, T0_US, Running, running_site
from tests.support.wait import until

from longwatch.accounts import STRANGER, Role
from longwatch.accounts.limits import Limiter
from longwatch.archive import Mention
from longwatch.base import secrets
from longwatch.base.rfc3339 import format_us
from longwatch.ledger import kinds
from longwatch.model.events import Sighting
from longwatch.model.sessions import StreamKey
from longwatch.model.stores import Provenance, RecordedSpan
from longwatch.node.watch.watching import Watching

S = 1_000_000
pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(loop_scope="module")
async def site(tmp_path: Path):
    """With thirty seconds of real footage of `gate` from T0_US on."""
    async with running_site(tmp_path / "site") as running:
        (tmp_path / "shelf").mkdir()
        shelf = Shelf(tmp_path / "shelf")
        rows = shelf.write_run(load_clip("lot"))
        index = running.index
        index.spans[GATE] = [RecordedSpan(T0_US, rows[-1].wall_end_us, 1, Provenance.NTP)]
        index.gap_list.clear()
        for name in ("segments", "fragments", "read", "sync_before"):
            setattr(index, name, getattr(shelf, name))
        running.clock.tick(120 * S)
        index.until_us = rows[-1].wall_end_us
        await drained(running)
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(tmp_path_factory: pytest.TempPathFactory):
    """For tests that leave it as it was."""
    async with running_site(tmp_path_factory.mktemp("shared")) as running:
        yield running


def span(from_s: float, to_s: float) -> dict[str, str]:
    return {"from": format_us(T0_US + int(from_s * S)), "to": format_us(T0_US + int(to_s * S))}


async def drained(site: Running) -> list[dict]:
    """What was entered since the last time."""
    before = len(site.recorder.taken)
    await site.accounts.journal.settle()
    await site.accounts.journal.deliver(site.deps.recorder)
    return site.recorder.taken[before:]


def subject(site: Running, name: str) -> int:
    return next(row["subject"] for row in site.accounts.store.listed() if row["name"] == name)


async def test_logins_are_entered_with_address_and_program(site: Running) -> None:
    async with site.client() as client:
        client.headers["User-Agent"] = "Firefox/140"
        await client.post("/api/v1/login", json={"name": "ada", "password": PASSWORD})
        await client.post("/api/v1/logout")
        await client.post("/api/v1/login", json={"name": "ada", "password": "wrong"})
        await client.post("/api/v1/login", json={"name": "my-password-in-the-wrong-field", "password": "x"})
    site.clock.tick(61 * S)
    login, logout, refused = await drained(site)
    assert [login["kind"], logout["kind"], refused["kind"]] == [kinds.LOGIN, kinds.LOGOUT, kinds.LOGIN_REFUSED]
    who = {"user": "ada", "address": "127.0.0.1", "agent": "Firefox/140"}
    assert json.loads(login["person"]["text"]) == json.loads(logout["person"]["text"]) == who
    assert refused["body"]["tries"] == 2
    assert "my-password" not in json.dumps(site.recorder.taken)


async def test_recorded_video_is_viewing_where_it_is_played_and_an_export_where_the_file_goes_out(
    site: Running,
) -> None:
    async with site.client("viewer") as client:
        url = "/api/v1/cameras/gate/video.mp4"
        played = {"Sec-Fetch-Dest": "video"}
        assert (await client.get(url, params=span(0, 5), headers=played)).status_code == 200
        assert (await client.get(url, params=span(1, 4), headers=played)).status_code == 200  # within what is entered
        assert (await client.head(url, params=span(0, 9))).status_code == 200
        assert (await client.get(url, params=span(0, 9), headers={"Range": "bytes=99999999999-"})).status_code == 416
        [viewing] = await drained(site)
        assert viewing["kind"] == kinds.VIEWING
        assert viewing["person"]["subject"] == subject(site, "viewer")
        assert viewing["body"] | {"at_us": 0} == {
            "camera": "gate", "stream": "main", "what": "recorded", "from_us": T0_US, "to_us": T0_US + 5 * S, "at_us": 0,
        }  # fmt: skip
        answer = await client.get(url, params=span(0, 7))
        await client.get(url, params=span(0, 7), headers={"If-None-Match": answer.headers["etag"]})
        await client.get(url, params=span(0, 7))  # tried again within a minute
        [export] = await drained(site)
        assert (export["kind"], export["body"]["evidence"], export["body"]["to_us"]) == (
            kinds.EXPORT_BEGUN, False, T0_US + 7 * S,
        )  # fmt: skip


async def test_a_playlist_and_its_parts_are_one_viewing(site: Running) -> None:
    async with site.client("viewer") as client:
        text = (await client.get("/api/v1/cameras/gate/playlist.m3u8", params=span(2, 12))).text
        parts = [line for line in text.splitlines() if line.startswith("segment.mp4")]
        assert len(parts) >= 3
        for part in parts:
            assert (await client.get(f"/api/v1/cameras/gate/{part}")).status_code == 200
        [viewing] = await drained(site)
    assert (viewing["body"]["what"], viewing["body"]["from_us"], viewing["body"]["to_us"]) == (
        "playlist", T0_US + 2 * S, T0_US + 12 * S,
    )  # fmt: skip
    async with site.client("inspector") as client:  # a part without its playlist is viewing too
        assert (await client.get(f"/api/v1/cameras/gate/{parts[0]}")).status_code == 200
    [viewing] = await drained(site)
    assert viewing["person"]["subject"] == subject(site, "inspector")


async def test_a_part_is_entered_by_what_is_in_it_whatever_its_address_says(site: Running) -> None:
    async with site.client("viewer") as client:
        text = (await client.get("/api/v1/cameras/gate/playlist.m3u8", params=span(0, 1))).text
        await drained(site)
        first = next(line for line in text.splitlines() if "part=media" in line)
        asked = dict(parse_qsl(first.partition("?")[2]))
        later = {**asked, "from": "0", "to": "9" * 18, "start": str(15 * 90_000), "end": str(20 * 90_000), "x": "y"}
        answer = await client.get("/api/v1/cameras/gate/segment.mp4", params=later)
        assert answer.status_code == 200
        assert len(answer.content) > 10_000
        site.clock.tick(61 * S)
        [viewing] = await drained(site)
    begin, end = viewing["body"]["from_us"] - T0_US, viewing["body"]["to_us"] - T0_US
    assert 14 * S < begin <= 16 * S
    assert 19 * S < end <= 21 * S


async def test_a_signed_url_names_who_signed_it_and_where_it_is_used(site: Running) -> None:
    async with site.client() as client, site.client() as player:
        await client.post("/api/v1/login", json={"name": "ada", "password": PASSWORD})
        body = {"what": "playlist.m3u8", **span(0, 10)}
        url = (await client.post("/api/v1/cameras/gate/signed-url", json=body)).json()["url"]
        await drained(site)
        player.headers["User-Agent"] = "VLC/3"
        assert (await player.get(url)).status_code == 200
        [viewing] = await drained(site)
    assert viewing["body"]["signed"] is True
    assert viewing["person"]["subject"] == subject(site, "ada")
    assert json.loads(viewing["person"]["text"]) == {"user": "ada", "address": "127.0.0.1", "agent": "VLC/3"}


async def test_live_and_stills_are_entered(site: Running) -> None:
    headers = {"Authorization": f"Bearer {site.tokens['viewer']}"}
    async with websockets.connect(f"{site.ws}/api/v1/cameras/gate/live", additional_headers=headers):
        await until(lambda: site.recorder.subscribed == [GATE])
        [begun] = await drained(site)
        assert (begun["body"]["what"], begun["body"]["from_us"]) == ("live", begun["body"]["to_us"])
        site.clock.tick(300 * S)
    await until(lambda: site.recorder.subscribed == [])

    async def ended() -> list[dict]:
        return [item for item in await drained(site) if item["kind"] == kinds.VIEWING]

    for _ in range(100):
        if told := await ended():
            break
        await asyncio.sleep(0.02)
    assert told[0]["body"]["to_us"] - told[0]["body"]["from_us"] == 300 * S
    async with site.client("operator") as client:
        assert (
            await client.get("/api/v1/cameras/gate/still.jpg", params={"at": span(3, 4)["from"]})
        ).status_code == 200
    [still] = await drained(site)
    assert still["body"]["what"] == "still"
    assert T0_US <= still["body"]["from_us"] <= T0_US + 3 * S


async def test_a_still_that_is_known_is_not_sent_again(site: Running) -> None:
    """Of that stream and width alone; the picture's moment is said either way."""
    url = "/api/v1/cameras/gate/still.jpg"
    async with site.client("viewer") as client:
        asked = {"at": span(3, 4)["from"], "width": "64"}
        first = await client.get(url, params=asked)
        again = await client.get(url, params=asked, headers={"If-None-Match": first.headers["etag"]})
        wider = await client.get(url, params={**asked, "width": "96"}, headers={"If-None-Match": first.headers["etag"]})
        odd = await client.get(url, params=asked, headers={"If-None-Match": '"x", W/"9-main-64"'})
    assert (first.status_code, again.status_code, again.content) == (200, 304, b"")
    assert again.headers["x-longwatch-start"] == first.headers["x-longwatch-start"]
    assert (wider.status_code, odd.status_code) == (200, 200)


async def test_a_hostile_program_name_is_one_short_clean_line(site: Running) -> None:
    secrets.register("canary-of-a-camera-password")
    async with site.client("viewer") as client:
        client.headers["User-Agent"] = "evil\tX: canary-of-a-camera-password " + "A" * 50_000
        await client.get("/api/v1/cameras/gate/playlist.m3u8", params=span(0, 5))
    host, port = site.base.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(
        f"GET /api/v1/cameras/gate/playlist.m3u8?from=2026-01-01T00:00:06Z&to=2026-01-01T00:00:09Z HTTP/1.1\r\nHost: {host}:{port}\r\n"
        f"Authorization: Bearer {site.tokens['operator']}\r\nUser-Agent: \xff\xfe\x01\"}},{{'\r\nConnection: close\r\n\r\n".encode(
            "latin-1"
        )
    )
    assert (await reader.read()).split(b" ")[1] in {b"200", b"400"}
    writer.close()
    told = await drained(site)
    for item in told:
        assert len(item["person"]["text"]) < 500
        assert "canary" not in json.dumps(item)
        assert "\n" not in item["person"]["text"]
        json.loads(item["person"]["text"])
    assert "evil X: *** A" in json.loads(told[0]["person"]["text"])["agent"]


def mention(
    seq: int, of: int, kind: str = kinds.VIEWING, text: str | None = '{"user":"x","address":"10.0.0.1"}'
) -> Mention:
    return Mention(
        seq, T0_US + seq * S, of, kind, {"camera": "gate", "person": {"subject": of, "commitment": "00"}}, text
    )


async def test_the_audit_tells_text_where_it_is_there_and_erased_where_not(site: Running) -> None:
    site.index.mentions = [mention(1, 10), mention(2, 11, text=None)]
    async with site.client("inspector") as client:
        answer = (await client.get("/api/v1/audit", params=span(0, 100))).json()
    first, second = answer["items"]
    assert first == {
        "seq": 1, "at": "2026-01-01T00:00:01Z", "kind": "viewing", "camera": "gate", "subject": 10,
        "person": {"user": "x", "address": "10.0.0.1"}, "erased": False, "body": {"camera": "gate"},
    }  # fmt: skip
    assert (second["person"], second["erased"], answer["next"]) == (None, True, None)


async def test_who_may_read_what_of_whom(site: Running) -> None:
    """Inspectors all; administrators all but others' viewing; everybody else their own; confined ones their cameras."""
    asked = {}
    scopes = {}
    confined = await site.accounts.add_token("confined", Role.INSPECTOR, frozenset({"gate"}))
    for name in ("inspector", "admin", "operator", "viewer", confined):
        async with site.client(name) as client:
            scopes[name] = (await client.get("/api/v1/audit", params=span(0, 100))).json()["scope"]
            asked[name] = site.index.asked[-1]
    assert list(scopes.values()) == ["all", "rights", "own", "own", "all"]
    assert (asked["inspector"].subject, asked["inspector"].private_kinds, asked["inspector"].cameras) == (
        None,
        (),
        None,
    )
    assert set(asked["admin"].private_kinds) == {
        kinds.VIEWING, kinds.EXPORT_BEGUN, kinds.EXPORT_MADE, kinds.EXPORT_TAKEN, kinds.EXPORT_DELETED, kinds.AUDIT_READ,
    }  # fmt: skip
    assert asked["admin"].own_subject == subject(site, "admin")
    assert asked["viewer"].subject == subject(site, "viewer")
    assert asked[confined].cameras == frozenset({"gate"})
    async with site.client(confined) as client:
        assert (await client.get("/api/v1/audit", params={**span(0, 1), "camera": "yard"})).status_code == 403


async def test_reading_the_audit_is_an_entry_and_a_forged_cursor_does_not_avoid_it(site: Running) -> None:
    site.index.mentions = [mention(n, 10) for n in range(1, 8)]
    async with site.client("inspector") as client:
        first = (await client.get("/api/v1/audit", params={**span(0, 100), "limit": 3})).json()
        await client.get("/api/v1/audit", params={**span(0, 100), "limit": 3, "cursor": first["next"]})
        assert site.index.asked[-1].after == (T0_US + 3 * S, 3)
        [read] = await drained(site)
        assert (read["kind"], read["body"]["scope"], read["person"]["subject"]) == (
            kinds.AUDIT_READ, "all", subject(site, "inspector"),
        )  # fmt: skip
        answer = await client.get(
            "/api/v1/audit", params={**span(0, 50), "kind": ["viewing", "login"], "cursor": first["next"]}
        )
        assert answer.status_code == 200
        [read] = await drained(site)
        assert read["body"]["kinds"] == ["login", "viewing"]


async def test_the_clip_of_an_event_is_that_stretch_of_the_footage_and_a_look_at_it(site: Running) -> None:
    assert isinstance(site.deps.events, Watching)
    await site.deps.events.sightings([Sighting("gate", "motion", T0_US + n * S) for n in (8, 9)])
    async with site.client("viewer") as client, site.client("gate-only") as gate:
        await site.deps.events.sightings([Sighting("yard", "motion", T0_US + 8 * S)])
        [event] = (await client.get("/api/v1/events", params=span(0, 50) | {"camera": "gate"})).json()["items"]
        [other] = (await client.get("/api/v1/events", params=span(0, 50) | {"camera": "yard"})).json()["items"]
        assert event["clip"] == {"from": format_us(T0_US + 3 * S), "to": format_us(T0_US + 13 * S)}
        assert (await gate.get(f"/api/v1/events/{other['id']}/clip.mp4")).status_code == 403
        await drained(site)
        clip = await client.get(f"/api/v1/events/{event['id']}/clip.mp4", headers={"Sec-Fetch-Dest": "video"})
        same = await gate.get("/api/v1/cameras/gate/video.mp4", params=span(3, 13))
        assert (clip.status_code, clip.headers["content-type"]) == (200, "video/mp4")
        assert (clip.content, clip.headers["etag"]) == (same.content, same.headers["etag"])
        some = await client.get(f"/api/v1/events/{event['id']}/clip.mp4", headers={"Range": "bytes=0-99"})
        assert (some.status_code, some.content) == (206, clip.content[:100])
        head = await client.head(f"/api/v1/events/{event['id']}/clip.mp4")
        assert (head.status_code, head.headers["content-length"]) == (200, str(len(clip.content)))
        [looked, exported] = await drained(site)
        assert (looked["kind"], exported["kind"]) == (kinds.VIEWING, kinds.EXPORT_BEGUN)
        site.index.spans.clear()
        site.index.segments = lambda *_, **__: []  # type: ignore[attr-defined]
        site.index.until_us = T0_US + 200 * S
        assert (await client.get("/api/v1/events/ffffffffffffffffffffff/clip.mp4")).status_code == 404
        gone = await client.get(f"/api/v1/events/{event['id']}/clip.mp4")
        assert (gone.status_code, "what" in gone.json()) == (404, True)


async def test_entries_by_the_thousand_are_429_and_nobody_elses_are(
    site: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(site.accounts.journal, "_limits", Limiter(site.clock, 5, 1.0))
    async with site.client("viewer") as client, site.client("operator") as other:
        answers = [(await client.get("/api/v1/audit", params=span(n, n + 1))).status_code for n in range(8)]
        assert answers == [200] * 5 + [429] * 3
        assert (await client.get("/api/v1/audit", params=span(0, 1))).status_code == 200  # asked before
        assert (await client.get("/api/v1/cameras/gate/video.mp4", params=span(0, 3))).status_code == 200
        assert (await other.get("/api/v1/audit", params=span(0, 1))).status_code == 200
        site.clock.tick(S)
        assert (await client.get("/api/v1/audit", params=span(50, 51))).status_code == 200
    assert len([item for item in await drained(site) if item["kind"] == kinds.AUDIT_READ]) == 7


async def test_a_question_that_reaches_far_ahead_is_answered(site: Running) -> None:
    async with site.client("inspector") as client:
        for asked in (
            {"from": "2020-01-01T00:00:00Z", "to": "8999-12-31T00:00:00Z"},
            {"from": "8000-01-01T00:00:00Z", "to": "8001-01-01T00:00:00Z"},
        ):
            assert (await client.get("/api/v1/audit", params=asked)).status_code == 200
    for item in await drained(site):
        assert item["body"]["to_us"] <= site.clock.wall_us()


@pytest.mark.parametrize(
    "asked",
    [
        {"cursor": "x"}, {"cursor": "eHx5"}, {"cursor": "MXwyfDM"}, {"cursor": "A" * 201}, {"cursor": "MTc2NzIyNTYwMDAwMDAwMHwtMQ"},
        {"cursor": "OTk5OTk5OTk5OTk5OTk5OTk5OXwx"}, {"cursor": "é"}, {"limit": "0"}, {"limit": "501"}, {"limit": "1e9"},
        {"kind": "viewing' OR 1=1"}, {"kind": "V" * 41}, {"kind": ["viewing"] * 11}, {"kind": ""}, {"from": "yesterday"},
        {"to": "2025-01-01T00:00:00Z"}, {"camera": "c" * 201},
    ],
)  # fmt: skip
async def test_forged_cursors_and_giant_filters_are_422(shared: Running, asked: dict) -> None:
    async with shared.client("inspector") as client:
        answer = await client.get("/api/v1/audit", params={**span(0, 100), **asked})
    assert answer.status_code == 422, answer.text
    assert set(answer.json()) == {"what", "why", "remedy"}


async def test_erasing_is_an_inspectors_act_with_a_reason_and_never_on_oneself(site: Running) -> None:
    site.recorder.answers["erase"] = {
        "count": 3,
        "seq": 99,
        "gone_from_file": True,
        "left_behind": ["/data/index.db.damaged-1"],
    }
    body = {"subject": 4711, "reason": "asked by the person, article 17"}
    for role in ("viewer", "operator", "admin", "gate-only"):
        async with site.client(role) as client:
            assert (await client.post("/api/v1/audit/erase", json=body)).status_code == 403
    confined = await site.accounts.add_token("confined", Role.INSPECTOR, frozenset({"gate"}))
    async with site.client(confined) as client:
        assert (await client.post("/api/v1/audit/erase", json=body)).status_code == 403
    async with site.client("inspector") as client:
        own = subject(site, "inspector")
        assert (await client.post("/api/v1/audit/erase", json={**body, "subject": own})).status_code == 403
        for wrong in ({"reason": "x"}, {"subject": 1}, {"subject": 1, "user": "ada", "reason": "x"}, {"subject": 1, "reason": "  "},
                      {"user": "nobody", "reason": "x"}, {"subject": -1, "reason": "x"}, {"subject": 1, "reason": "x" * 2001}):  # fmt: skip
            assert (await client.post("/api/v1/audit/erase", json=wrong)).status_code == 422, wrong
        assert not [kind for kind, _ in site.recorder.requests if kind == "erase"]
        answer = await client.post("/api/v1/audit/erase", json=body)
        assert answer.json() == {"entries": 3, "seq": 99, "gone_from_file": True, "left_behind": ["index.db.damaged-1"]}
        await client.post("/api/v1/audit/erase", json={"user": "ada", "reason": "gone"})
    first, second = [fields for kind, fields in site.recorder.requests if kind == "erase"]
    assert (first["subject"], first["person"]["subject"]) == (4711, own)
    assert json.loads(first["person"]["text"])["reason"] == "asked by the person, article 17"
    assert second["subject"] == subject(site, "ada")


async def test_what_waits_here_is_handed_over_before_it_is_erased(site: Running) -> None:
    site.recorder.answers["erase"] = {"count": 1, "seq": 9, "gone_from_file": True, "left_behind": []}
    async with site.client("viewer") as client:
        for n in range(3):
            await client.get("/api/v1/cameras/gate/playlist.m3u8", params=span(n, n + 1))
    before = len(site.recorder.taken)
    async with site.client("inspector") as client:
        body = {"subject": subject(site, "viewer"), "reason": "asked"}
        assert (await client.post("/api/v1/audit/erase", json=body)).status_code == 200
    kinds_taken = [item["kind"] for item in site.recorder.taken[before:]]
    assert kinds_taken == [kinds.VIEWING] * 2
    order = [kind for kind, _ in site.recorder.requests if kind in {"entries", "erase"}]
    assert order[-1] == "erase"
    files = {file.name: file.read_bytes() for file in (site.recorder.path.parents[1]).glob("server.db*")}
    assert not [name for name, data in files.items() if b"python-httpx" in data]


async def test_no_entry_holds_a_name_an_address_or_a_secret(site: Running) -> None:
    """Bodies go into the ledger for ever: whatever a client sends, they hold numbers, cameras and words of ours."""
    async with site.client() as client:
        client.headers["User-Agent"] = "CANARY-AGENT"
        await client.post("/api/v1/login", json={"name": "CANARY-NAME", "password": "CANARY-PASSWORD"})
        await client.post("/api/v1/login", json={"name": "ada", "password": PASSWORD})
        await client.get("/api/v1/cameras/gate/video.mp4", params={**span(0, 5), "CANARY": "CANARY"})
        await client.get("/api/v1/cameras/gate/playlist.m3u8", params=span(0, 5))
        await client.get("/api/v1/audit", params=span(0, 5))
        await client.post(
            "/api/v1/setup", json={"code": "CANARY-CODE", "name": "CANARY", "password": "CANARY-PASSWORD"}
        )
    site.clock.tick(61 * S)
    told = await drained(site)
    assert len(told) >= 5
    for item in told:
        body = json.dumps(item["body"])
        for word in ("CANARY", "ada", "127.0.0.1", "httpx", PASSWORD, *site.tokens.values()):
            assert word not in body, item
        assert re.fullmatch(r"[0-9a-f]{16}:\d+", item["key"])
        assert "CANARY-PASSWORD" not in item["person"]["text"]
        assert "CANARY-NAME" not in item["person"]["text"]
    assert STRANGER in {item["person"]["subject"] for item in told}


async def test_what_waits_for_the_recorder_is_counted(site: Running) -> None:
    async with site.client("viewer") as client:
        await client.get("/api/v1/cameras/gate/playlist.m3u8", params=span(0, 5))
        text = (await client.get("/metrics")).text
        assert "longwatch_entries_waiting 1.0" in text
        await drained(site)
        assert "longwatch_entries_waiting 0.0" in (await client.get("/metrics")).text
    assert "longwatch_entries_dropped 0.0" in text


async def test_recorded_until_is_known_after_a_start_of_the_recorder(site: Running) -> None:
    site.recorder.status["streams"][0]["acked_wall_us"] = None
    real = site.index.stats

    def stats(key: StreamKey):
        totals = real(key)
        totals.last_us = T0_US + 30 * S if key == GATE else None
        return totals

    site.index.stats = stats  # type: ignore[method-assign]
    site.clock.tick(S)
    async with site.client("viewer") as client:
        gate, yard = (await client.get("/api/v1/cameras")).json()["items"]
    assert (gate["recorded_until"], yard["recorded_until"]) == ("2026-01-01T00:00:30Z", None)


async def test_the_route_of_gaps_asks_once_for_the_cameras(site: Running) -> None:
    site.index.set_up = [(f"c{n}", "main", T0_US) for n in range(50)]
    asked = 0
    real = site.index.cameras

    def cameras():
        nonlocal asked
        asked += 1
        return real()

    site.index.cameras = cameras  # type: ignore[method-assign]
    async with site.client("viewer") as client:
        answer: httpx.Response = await client.get("/api/v1/gaps", params=span(0, 10))
    assert answer.status_code == 200
    assert asked == 1
