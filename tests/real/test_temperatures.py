"""A thermal camera that measures, in a whole post: its readings are shown, recorded with the picture, and an event where they pass a limit."""

from __future__ import annotations

import asyncio
import re
import signal
from pathlib import Path
from typing import Any

import pytest
from tests.support.heat_of_a_post import SOON_S, heat_events, over_and_recorded
from tests.support.post import Post, running_post
from tests.support.wait import until_now

from longwatch.formats.bmff import Mp4File
from longwatch.simulate.camera import ROOM, SimulatedCamera
from longwatch.simulate.radiometry import ITEM

pytestmark = pytest.mark.slow
ASKED = "kind: thermal\n    radiometry: {alarms: [{name: Too hot, above: 80, for: 1s}]}"


def measured(post: Post) -> list[dict[str, Any]]:
    answer = post.get("/api/v1/cameras/oven/temperatures")
    assert answer.status_code == 200, answer.text
    return answer.json()["items"]


def live_through(post: Post, camera: SimulatedCamera) -> None:
    """All of it; the camera is on another thread's loop, which reads its temperature with each reading."""
    assert measured(post) == [], "nothing is read that was not asked for"
    text = post.config.read_text()
    post.config.write_text(re.sub(r"(oven:\n)", rf"\1    {ASKED}\n", text))
    assert post.supervisor is not None
    post.supervisor.send_signal(signal.SIGHUP)
    until_now(
        lambda: [(each["item"], each["highest"]) for each in measured(post)] == [(ITEM, 20.0)], "20 °C are read", SOON_S
    )
    assert heat_events(post) == []
    camera.celsius = 95.0
    found = until_now(lambda: heat_events(post), "the heat is an event", SOON_S)
    assert [(each["kind"], each["zones"], each["level"]) for each in found] == [("thermal.hot", ["Too hot"], "alert")]
    assert found[0]["detail"] == f"95.0 °C at {ITEM}, over 80 °C"
    camera.celsius = 30.0
    over_and_recorded(post)


def readings_in(file: Path) -> list[bytes]:
    mp4 = Mp4File.from_bytes(file.read_bytes())
    return [mp4.data(sample) for track in mp4.tracks if track.fourcc == "mett" for sample in track.samples]


async def test_what_is_measured_is_shown_recorded_and_an_event(tmp_path: Path) -> None:
    async with SimulatedCamera(ROOM, celsius=20.0) as camera:

        def whole() -> None:
            with running_post(tmp_path, {"oven": camera.url}) as post:
                live_through(post, camera)

        await asyncio.to_thread(whole)
    documents = [each for file in sorted((tmp_path / "data" / "media").rglob("*.mp4")) for each in readings_in(file)]
    assert any(b'SpotTemperature="368.15"' in each for each in documents), (
        "the reading of 95 °C is recorded beside the picture"
    )
