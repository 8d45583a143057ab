"""Alarms over HTTP: who reads them, who may acknowledge which, and that what reaches the recorder names the account."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from tests.support.site import T0_US, Running, running_site

from longwatch.accounts import Role
from longwatch.base.rfc3339 import format_us
from longwatch.model.alarms import Acknowledgement, Alarm, AlarmKind

pytestmark = pytest.mark.asyncio(loop_scope="module")
SILENT = Alarm(
    3, AlarmKind.CAMERA_SILENT, "gate", T0_US - 60_000_000, None, 1,
    {"subject": "gate", "cause": "camera_switched_off", "evidence": {"by": "snmp hut port 3"}, "mains": "off"},
)  # fmt: skip
OVER = Alarm(
    4, AlarmKind.CAMERA_SILENT, "yard", T0_US - 50_000_000, T0_US, 0, {"cause": "stream_stalled", "evidence": {}}
)
REDUCED = Alarm(
    5, AlarmKind.ACCOUNTING_REDUCED, "", T0_US - 40_000_000, None, 0,
    {"subject": "settings 00", "reduces": ["camera barn is removed"], "cause": "", "evidence": {}},
)  # fmt: skip
DONE = Alarm(
    2, AlarmKind.STORAGE, "", T0_US - 90_000_000, T0_US - 80_000_000, 0, {"subject": "u", "cause": "storage_full", "evidence": {}},
    Acknowledgement(70, T0_US - 70_000_000, "ada", "a larger disk is ordered"),
)  # fmt: skip
ERASED = Alarm(
    1, AlarmKind.LEDGER, "", T0_US - 99_000_000, T0_US - 98_000_000, 0, {}, Acknowledgement(7, T0_US, None, None)
)


@pytest_asyncio.fixture(loop_scope="module")
async def site(tmp_path: Path):
    async with running_site(tmp_path) as running:
        running.index.alarm_list = [SILENT, OVER, REDUCED, DONE, ERASED]
        running.recorder.answers |= {
            "acknowledge": {"seq": 91}, "resume": {"seq": 93},
            "pause": {"seq": 92, "kind": "privacy_pause", "since_us": T0_US, "until_us": T0_US + 7_200_000_000},
        }  # fmt: skip
        yield running


def asked(site: Running, kind: str) -> list[dict[str, Any]]:
    return [fields for name, fields in site.recorder.requests if name == kind]


async def get(site: Running, token: str, path: str = "/api/v1/alarms", **params: Any) -> dict[str, Any]:
    async with site.client(token) as client:
        answer = await client.get(path, params=params)
        assert answer.status_code == 200, answer.text
        return answer.json()


async def test_a_viewer_reads_what_is_not_dealt_with_the_newest_first(site: Running) -> None:
    items = (await get(site, "viewer"))["items"]
    assert [item["id"] for item in items] == [5, 4, 3]
    assert items[2] == {
        "id": 3, "kind": "camera_silent", "camera": "gate", "cause": "camera_switched_off",
        "evidence": {"by": "snmp hut port 3"}, "raised": format_us(T0_US - 60_000_000), "ended": None, "acknowledged": None,
        "acknowledging": None,
        "repeats": 1,
        "facts": {"subject": "gate", "mains": "off"},
        "says": "Camera Gate sends no video: it was switched off while this post had power."
        " The mains are off and this post runs on its battery: a camera on the mains has no power either.",
    }  # fmt: skip
    assert items[1]["ended"] == format_us(T0_US)
    assert "nobody has acknowledged it" in items[1]["says"]
    assert items[0]["camera"] is None
    assert "camera barn is removed" in items[0]["says"]


async def test_all_of_them_with_who_dealt_with_them_in_pages(site: Running) -> None:
    answer = await get(site, "viewer", all="true", limit=3)
    assert [item["id"] for item in answer["items"]] == [5, 4, 3]
    rest = await get(site, "viewer", all="true", limit=3, cursor=answer["next"])
    assert [item["id"] for item in rest["items"]] == [2, 1]
    assert rest["next"] is None
    done, erased = rest["items"]
    assert done["acknowledged"] == {
        "at": format_us(T0_US - 70_000_000), "by": "ada", "reason": "a larger disk is ordered", "entry": 70,
    }  # fmt: skip
    assert (erased["acknowledged"]["by"], erased["acknowledged"]["reason"]) == (None, None)


@pytest.mark.parametrize("cursor", ["x", "!!", "LTE", "OTk5OTk5OTk5OTk5OTk5OTk5OTk"])
async def test_a_cursor_of_somebody_else_is_refused(site: Running, cursor: str) -> None:
    async with site.client("viewer") as client:
        assert (await client.get("/api/v1/alarms", params={"cursor": cursor})).status_code == 422


async def test_who_may_see_one_camera_sees_its_alarms_and_none_of_the_post(site: Running) -> None:
    assert [item["id"] for item in (await get(site, "gate-only", all="true"))["items"]] == [3]


async def test_an_operator_acknowledges_with_a_reason_as_the_account(site: Running) -> None:
    async with site.client("operator") as client:
        answer = await client.post("/api/v1/alarms/3/acknowledge", json={"reason": "the fitter is there"})
        assert (answer.status_code, answer.json()) == (200, {"entry": 91})
    (fields,) = asked(site, "acknowledge")
    assert (fields["alarm"], fields["reason"]) == (3, "the fitter is there")
    assert fields["person"]["subject"] >= 10, "an account, not the command line"
    assert json.loads(fields["person"]["text"])["token"] == "operator"


@pytest.mark.parametrize("role", ["viewer", "inspector"])
async def test_who_may_not_operate_acknowledges_and_pauses_nothing(site: Running, role: str) -> None:
    async with site.client(role) as client:
        for path in ("/api/v1/alarms/3/acknowledge", "/api/v1/cameras/gate/pause", "/api/v1/cameras/gate/resume"):
            assert (await client.post(path, content=b"nonsense")).status_code == 403
    assert asked(site, "acknowledge") + asked(site, "pause") + asked(site, "resume") == []


async def test_rights_come_before_bodies_also_where_the_alarm_says_whose_camera_it_is(site: Running) -> None:
    only_gate = await site.accounts.add_token("gatekeeper", Role.OPERATOR, frozenset({"gate"}))
    async with site.client(only_gate) as client:
        for number in (4, 5, 99):  # another camera's, the post's, none: all the same
            for body in (b'{"reason": "x1"}', b"nonsense", b""):
                answer = await client.post(f"/api/v1/alarms/{number}/acknowledge", content=body)
                assert answer.status_code == 403, (number, body)
        assert (await client.post("/api/v1/alarms/3/acknowledge", json={"reason": "mine"})).status_code == 200
        assert (await client.post("/api/v1/alarms/3/acknowledge", content=b"nonsense")).status_code == 422
        assert (await client.post("/api/v1/cameras/yard/pause", content=b"nonsense")).status_code == 403
    assert len(asked(site, "acknowledge")) == 1


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/api/v1/alarms/99/acknowledge", b'{"reason": "x1"}', 404),
        ("/api/v1/alarms/gate/acknowledge", b'{"reason": "x1"}', 422),
        ("/api/v1/alarms/3/acknowledge", b"{}", 422),
        ("/api/v1/alarms/3/acknowledge", b'{"reason": ""}', 422),
        ("/api/v1/alarms/3/acknowledge", b'{"reason": 7}', 422),
        ("/api/v1/alarms/3/acknowledge", b'["reason"]', 422),
        ("/api/v1/alarms/3/acknowledge", b"\xff\xfe", 422),
        ("/api/v1/alarms/3/acknowledge", b'{"reason": "' + b"x" * 501 + b'"}', 422),
        ("/api/v1/alarms/3/acknowledge", b'{"reason": "' + b"x" * 1_000_000 + b'"}', 413),
        ("/api/v1/cameras/gate/pause", b"{}", 422),
        ("/api/v1/cameras/gate/pause", b'{"reason": "x1", "for_s": 0}', 422),
        ("/api/v1/cameras/gate/pause", b'{"reason": "x1", "for_s": 1e12}', 422),
        ("/api/v1/cameras/gate/pause", b'{"reason": "x1", "for_s": true}', 422),
        ("/api/v1/cameras/gate/pause", b'{"reason": "' + b"x" * 1_000_000 + b'"}', 413),
        ("/api/v1/cameras/none/pause", b'{"reason": "x1"}', 404),
        ("/api/v1/cameras/%2e%2e/pause", b'{"reason": "x1"}', 404),
        ("/api/v1/cameras/none/resume", b"{}", 404),
    ],
)
async def test_what_is_not_right_reaches_no_recorder(site: Running, path: str, body: bytes, status: int) -> None:
    async with site.client("operator") as client:
        answer = await client.post(path, content=body, headers={"Content-Type": "application/json"})
        assert answer.status_code == status, answer.text
    assert asked(site, "acknowledge") + asked(site, "pause") + asked(site, "resume") == []


@pytest.mark.parametrize("mark", ["\u202e", "\u0007", "\u2028", "\u200b"])
async def test_a_reason_that_the_recorder_refuses_is_the_askers_mistake_and_not_an_outage(
    site: Running, mark: str
) -> None:
    async with site.client("operator") as client:
        for path in ("/api/v1/alarms/3/acknowledge", "/api/v1/cameras/gate/pause", "/api/v1/cameras/gate/resume"):
            answer = await client.post(path, json={"reason": f"the roof {mark}leaks"})
            assert (answer.status_code, answer.json()["what"]) == (
                422,
                "a reason is one line, without control characters",
            )


async def test_a_pause_and_its_end(site: Running) -> None:
    async with site.client("operator") as client:
        answer = await client.post(
            "/api/v1/cameras/gate/pause", json={"reason": "a visit", "for_s": 7200, "privacy": True}
        )
        assert answer.json() == {
            "entry": 92, "camera": "gate", "kind": "privacy_pause", "since": format_us(T0_US),
            "until": format_us(T0_US + 7_200_000_000),
        }  # fmt: skip
        assert (await client.post("/api/v1/cameras/gate/resume", json={})).json() == {"entry": 93}
    (fields,) = asked(site, "pause")
    assert (fields["camera"], fields["for_s"], fields["privacy"], fields["reason"]) == ("gate", 7200, True, "a visit")
    assert asked(site, "resume")[0]["reason"] == ""


async def test_prometheus_counts_what_nobody_has_acknowledged(site: Running) -> None:
    async with site.client("viewer") as client:
        text = (await client.get("/metrics")).text
    assert 'longwatch_alarms{kind="camera_silent"} 1.0' in text
    assert 'longwatch_alarms_ended{kind="camera_silent"} 1.0' in text
    assert 'longwatch_alarms{kind="accounting_reduced"} 1.0' in text
    assert 'longwatch_alarms{kind="storage"} 0.0' in text
    assert 'longwatch_camera_alarms{camera="gate",kind="camera_silent"} 1.0' in text
    async with site.client("gate-only") as client:
        text = (await client.get("/metrics")).text
    assert 'longwatch_alarms{kind="accounting_reduced"} 0.0' in text
    assert 'camera="yard"' not in text
