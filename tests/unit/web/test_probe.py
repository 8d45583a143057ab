"""Trying a camera through the API, with real RTSP servers on loopback."""

from __future__ import annotations

import asyncio
import base64
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import pytest_asyncio
from tests.support.site import Running, running_site

from longwatch.base import secrets
from longwatch.base.errors import LongwatchError
from longwatch.config import load
from longwatch.node.server import probing
from longwatch.node.server.masked_places import leads_to
from longwatch.node.server.probing import Probing
from longwatch.pictures import plain_environment
from longwatch.simulate.camera import LOT, SimulatedCamera
from longwatch.web.settings_desk import SettingsDesk

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def camera():
    one = SimulatedCamera({"main": LOT, "sub": LOT}, user="admin", password="s3cret word")
    await one.start()
    yield one
    await one.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site(tmp_path_factory: pytest.TempPathFactory, camera: SimulatedCamera):
    folder = tmp_path_factory.mktemp("probe")
    file = folder / "longwatch.yml"
    (folder / "secrets.env").touch(0o600)
    (folder / "secrets.env").write_text("GATE=s3cret word\n")
    named = camera.url_of("main").replace("rtsp://", "rtsp://admin:${GATE}@").replace("admin:s3cret%20word@", "")
    file.write_text(
        f"post: {{id: a}}\ndata: x\nsecrets: secrets.env\ncameras:\n  gate:\n    streams:\n      main: {named}\n"
    )

    async def reread() -> None:
        return

    async with running_site(folder / "site") as running:
        running.deps.settings = SettingsDesk(
            file, running.deps.recorder, reread, lambda: load(file).web.model_dump(mode="json")
        )
        running.deps.probing = Probing(running.deps.stills)
        yield running


def bare(camera: SimulatedCamera) -> str:
    scheme, _, rest = camera.url_of("main").partition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}"


async def probe(site: Running, body: dict, token: str = "admin"):
    site.clock.tick(60_000_000)  # no test stands in the way of another
    async with site.client(token) as client:
        return await client.post("/api/v1/probe", json=body)


async def test_what_it_sends_and_costs_and_its_picture(site: Running, camera: SimulatedCamera) -> None:
    answer = await probe(site, {"url": bare(camera), "login": {"user": "admin", "password": "s3cret word"}})
    said = answer.json()
    assert (answer.status_code, said["ok"], said["fault"]) == (200, True, None), said
    video = said["tracks"][0]
    assert (video["codec"], video["kind"]) == ("h264", "video")
    assert video["bitrate"] > 10_000
    assert abs(said["bytes_per_day"] - sum(t["bitrate"] or 0 for t in said["tracks"]) * 10_800) < 100
    assert base64.b64decode(said["picture"].partition(",")[2])[:2] == b"\xff\xd8"
    assert "s3cret" not in answer.text
    assert abs(said["clock_offset_s"]) < 1


async def test_a_camera_with_masks_shows_no_picture(site: Running, camera: SimulatedCamera) -> None:
    """Whatever path is asked for, and by whatever name its address is called: its picture would come unmasked."""
    probing = site.deps.probing
    port = bare(camera).rpartition(":")[2].partition("/")[0]
    site.deps.probing = Probing(site.deps.stills, lambda: (f"rtsp://someone:else@localhost:{port}/another",))
    try:
        answer = await probe(site, {"url": bare(camera), "login": {"user": "admin", "password": "s3cret word"}})
    finally:
        site.deps.probing = probing
    said = answer.json()
    assert said["ok"], said
    assert said["picture"] is None
    assert "masked" in [finding["code"] for finding in said["findings"]]
    assert not leads_to("rtsp://10.0.0.5/1", ["rtsp://10.0.0.6/1"])
    assert leads_to("rtsp://10.0.0.5:554/1", ["rtsp://u:p@10.0.0.5/2"])
    assert leads_to("rtsp://10.0.0.5:8554/1", ["rtsp://u:p@10.0.0.5/2"]), "the same camera, by another door"
    assert leads_to("rtsp://[::ffff:10.0.0.5]/1", ["rtsps://10.0.0.5./2"])
    assert not leads_to("rtsp://127.0.0.1:8554/1", ["rtsp://127.0.0.1:8555/1"]), "cameras on this machine"
    assert leads_to("rtsp://what is this", ["rtsp://10.0.0.6/1"])


async def test_a_wrong_password_a_wrong_path_and_nobody_there_are_told_apart(
    site: Running, camera: SimulatedCamera
) -> None:
    wrong = (await probe(site, {"url": bare(camera), "login": {"user": "admin", "password": "no-such-word"}})).json()
    assert (wrong["fault"], wrong["findings"][0]["code"]) == ("login_refused", "login_refused")
    good = {"user": "admin", "password": "s3cret word"}
    lost = (await probe(site, {"url": bare(camera) + "x", "login": good})).json()
    assert lost["findings"][0]["code"] == "path_not_found", lost
    nobody = (await probe(site, {"url": "rtsp://127.0.0.1:1/x"})).json()
    assert (nobody["fault"], nobody["picture"], nobody["bytes_per_day"]) == ("unreachable", None, None)


async def test_what_was_only_tried_is_no_secret_of_the_server(site: Running) -> None:
    await probe(site, {"url": "rtsp://127.0.0.1:1/x", "login": {"user": "a", "password": "gate"}})
    assert "gate" not in secrets.known()


async def test_a_name_is_sent_where_the_settings_send_it_and_nowhere_else(
    site: Running, camera: SimulatedCamera
) -> None:
    named = bare(camera).replace("rtsp://", "rtsp://admin:${GATE}@")
    assert (await probe(site, {"url": named})).json()["ok"]
    elsewhere = await probe(site, {"url": "rtsp://admin:${GATE}@10.9.9.9/x"})
    assert (elsewhere.status_code, elsewhere.json()["what"]) == (422, "this password is not of that host")
    assert (await probe(site, {"url": "rtsp://admin:${HOME}@127.0.0.1:1/x"})).status_code == 422


@pytest.mark.parametrize(
    "url",
    ["http://10.0.0.5/", "file:///etc/passwd", "rtsp://224.0.0.1/1", "rtsp://0.0.0.0/", "rtsp://[::]/1", "rtsp:///x", "10.0.0.5", "rtsp+unix://x/"],
)  # fmt: skip
async def test_only_what_a_camera_may_be_is_tried(site: Running, url: str) -> None:
    assert (await probe(site, {"url": url})).status_code == 422


async def test_what_answers_and_is_no_camera_says_nothing_of_itself(site: Running) -> None:
    port = site.base.rpartition(":")[2]
    said = (await probe(site, {"url": f"rtsp://127.0.0.1:{port}/healthz"})).json()
    assert (said["ok"], said["fault"], said["detail"]) == (
        False,
        "protocol_error",
        "what answers there does not speak RTSP",
    )


async def test_it_is_limited_and_for_administrators(site: Running) -> None:
    for token in ("viewer", "operator", "inspector", "gate-only"):
        assert (await probe(site, {"url": "rtsp://127.0.0.1:1/"}, token)).status_code == 403
    async with site.client("admin") as client:
        statuses = [
            (await client.post("/api/v1/probe", json={"url": "rtsp://224.0.0.1/"})).status_code for _ in range(12)
        ]
        assert statuses[-1] == 429
        makes = (await client.get("/api/v1/probe/makes")).json()["items"]
    assert {"Hikvision", "Dahua", "Axis", "Reolink"} <= {make["make"] for make in makes}
    assert all(make["main"].startswith("/") for make in makes)


async def test_how_long_its_process_takes_to_be_there_is_not_held_against_the_camera(
    site: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    late = tmp_path / "late"
    late.write_text('#!/bin/sh\nsleep 3\necho\nread asked\necho \'{"findings": [], "ok": true}\'\n')
    late.chmod(0o700)
    monkeypatch.setattr(probing.sys, "executable", str(late))
    monkeypatch.setattr(probing, "_PATIENCE_S", 2.5)
    asked = Probing(site.deps.stills)
    assert (await asked.probe("rtsp://127.0.0.1:1/x", "tcp", verify_certificate=True))["ok"]
    monkeypatch.setattr(probing, "_START_S", 0.0)
    with pytest.raises(LongwatchError, match="could not be tried") as refused:
        await asked.probe("rtsp://127.0.0.1:1/x", "tcp", verify_certificate=True)
    assert "too busy" in refused.value.why


async def test_what_tries_a_camera_gives_up_what_a_decoding_child_does_and_can_look_up_a_name(
    camera: SimulatedCamera,
) -> None:
    asked = {"url": camera.url_of("main").replace("127.0.0.1", "localhost")}  # a name is looked up in a thread
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "longwatch.node.children.probe",
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=plain_environment(),
    )  # fmt: skip
    assert child.stdout is not None
    assert await child.stdout.readline() == b"\n"
    limits = dict(re.findall(r"^(Max [a-z ]+?)  +(\S+)", Path(f"/proc/{child.pid}/limits").read_text(), re.MULTILINE))
    status = Path(f"/proc/{child.pid}/status").read_text()
    said = json.loads((await child.communicate(json.dumps(asked).encode()))[0])
    assert (limits["Max file size"], limits["Max core file size"], limits["Max open files"]) == ("0", "0", "64")
    assert (limits["Max address space"], limits["Max cpu time"]) == (str(1 << 30), "20")
    assert "NoNewPrivs:\t1" in status
    assert said["ok"], said
