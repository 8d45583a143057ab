"""A thermal camera that gives 16-bit stills, in a whole post: fetched, recorded beside the video, shown, and an event where they pass a limit."""

from __future__ import annotations

import asyncio
import json
import re
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.support.heat_of_a_post import SOON_S, heat_events, over_and_recorded
from tests.support.post import Post, running_post
from tests.support.thermal_camera import ThermalCamera, centikelvin, png, scene, thermal_camera
from tests.support.wait import until_now

from longwatch.formats.bmff import Mp4File
from longwatch.simulate.camera import ROOM, SimulatedCamera

pytestmark = pytest.mark.slow
PASSWORD = "hot-secret"
SETTINGS = """kind: thermal
    radiometry:
      stills:
        url: {url}
        every: 1s
        gain: 0.01
        offset: -273.15
        areas: [{{name: Boiler, polygon: [[0.6, 0.3], [0.7, 0.3], [0.7, 0.45], [0.6, 0.45]]}}]
        spots: [{{name: Door, at: [0.1, 0.9]}}]
      alarms: [{{name: Too hot, item: Boiler, above: 80, for: 1s}}]"""


def answer(post: Post, **asked: str) -> tuple[dict[str, Any], np.ndarray[Any, np.dtype[np.uint16]]]:
    said = post.get("/api/v1/cameras/oven/thermal", **asked)
    assert said.status_code == 200, said.text
    size = int.from_bytes(said.content[:4], "little")
    head = json.loads(said.content[4 : 4 + size])
    return head, np.frombuffer(said.content[4 + size :], "<u2").reshape(head["height"], head["width"])


def temperatures(post: Post) -> dict[str, Any]:
    said = post.get("/api/v1/cameras/oven/temperatures")
    assert said.status_code == 200, said.text
    return said.json()


def issues(post: Post) -> list[tuple[str, str]]:
    said = post.get("/readyz")
    assert said.status_code == 200, said.text
    return [(each["rule"], each["subject"]) for each in said.json()["issues"] if each["rule"] == "thermal_stills"]


def live_through(post: Post, camera: ThermalCamera) -> None:
    assert post.get("/api/v1/cameras/oven/thermal").status_code == 404, "none is given that was not asked for"
    text = post.config.read_text()
    post.config.write_text(re.sub(r"(oven:\n)", rf"\1    {SETTINGS.format(url=camera.url())}\n", text))
    assert post.supervisor is not None
    post.supervisor.send_signal(signal.SIGHUP)
    items = until_now(lambda: temperatures(post)["items"], "the first still is read", SOON_S)
    assert {each["item"]: each["highest"] for each in items} == {
        "picture": 22.0, "Boiler": pytest.approx(21.4, abs=0.05), "Door": pytest.approx(20.21, abs=0.02),
    }  # fmt: skip
    assert camera.refused > 0, "its login is asked for first"
    until_now(lambda: post.get("/api/v1/cameras/oven/thermal").status_code == 200, "it is recorded", SOON_S)
    head, levels = answer(post)
    assert (levels == centikelvin(scene(21.0))).all(), "each pixel as the camera measured it"
    assert (head["gain"], head["offset"]) == (0.01, -273.15)
    before = head["at"]

    camera.body = png(centikelvin(scene(95.0)))
    (event,) = until_now(lambda: heat_events(post), "the heat is an event", SOON_S)
    assert (event["kind"], event["zones"], event["level"]) == ("thermal.hot", ["Too hot"], "alert")
    assert event["detail"] == "95.0 °C at Boiler, over 80 °C"
    hot, _ = answer(post, at=event["from"])
    boiler = next(each for each in hot["reads"] if each["name"] == "Boiler")
    assert boiler["highest"] == pytest.approx(95.0)
    assert boiler["hottest"] == [100.5 / 160, 40.5 / 120]
    then, levels = answer(post, at=before)
    assert then["at"] == before
    assert (levels == centikelvin(scene(21.0))).all(), "what was measured then is there yet"

    camera.body = b"no picture at all"
    until_now(lambda: temperatures(post)["stills"]["trouble"], "that it cannot be read is said", SOON_S)
    camera.body = png(centikelvin(scene(30.0)))
    event = over_and_recorded(post)
    assert temperatures(post)["stills"]["trouble"] == ""
    camera.status = 302
    camera.headers = {"Location": camera.url("/elsewhere")}
    until_now(lambda: temperatures(post)["stills"]["trouble"] == "none comes", "that none comes is said", SOON_S)
    remarks = until_now(lambda: issues(post), "and a remark of health", SOON_S)
    assert remarks == [("thermal_stills", "oven")]
    assert post.recorded_until("oven") > event["to"], "and the video goes on"


def stills_in(file: Path) -> list[bytes]:
    mp4 = Mp4File.from_bytes(file.read_bytes())
    return [mp4.data(sample) for track in mp4.tracks if track.fourcc == "mett" for sample in track.samples]


async def test_what_is_measured_at_each_pixel_is_shown_recorded_and_an_event(tmp_path: Path) -> None:
    first = png(centikelvin(scene(21.0)))
    async with SimulatedCamera(ROOM) as camera:

        def whole() -> None:
            with (
                thermal_camera(first, ("viewer", PASSWORD)) as thermal,
                running_post(tmp_path, {"oven": camera.url}) as post,
            ):
                live_through(post, thermal)

        await asyncio.to_thread(whole)
    files = sorted((tmp_path / "data" / "media").rglob("*.mp4"))
    kept = [each for file in files for each in stills_in(file)]
    assert first in kept, "each as the camera gave it"
    assert png(centikelvin(scene(95.0))) in kept
    logs = [path.read_text(errors="replace") for path in tmp_path.rglob("*.log")]
    assert not any(PASSWORD in text for text in logs)
