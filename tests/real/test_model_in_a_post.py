"""A whole post with a model for objects: what moves in a painted film becomes events with a class, a picture and an end, found by that class; and models that tell
people apart are refused by it.
"""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import pytest
from tests.e2e.post import Cameras
from tests.support.post import Post, rest
from tests.support.wait import until_now

from longwatch.simulate.camera import MODEL, PAINTED, SimulatedCamera

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900), pytest.mark.xdist_group("model-in-a-post")]
ALWAYS = {"from": "2020-01-01T00:00:00Z", "to": "2099-01-01T00:00:00Z"}
BEGIN_S = 4.0
"""Where the camera begins in its film: the background is known before the first thing comes at its second 12."""


@pytest.fixture
def post(tmp_path: Path) -> Iterator[Post]:
    shutil.copytree(MODEL, tmp_path / "model")
    cameras = Cameras()
    with contextlib.closing(cameras):
        url = cameras.add("yard", lambda: SimulatedCamera(PAINTED, offset_s=BEGIN_S)).url
        made = Post(tmp_path, {"yard": url}, f"detection: {{model: {tmp_path / 'model'}}}\n")
        made.config.write_text(made.config.read_text().replace("detect: false", "detect: {tamper: false}"))
        try:
            made.start()
            yield made
        finally:
            made.stop()


def found(post: Post, kind: str) -> list[dict[str, Any]]:
    rest(0.5)
    return list(post.get("/api/v1/events", kind=kind, **ALWAYS).json()["items"])


def model(post: Post) -> dict[str, Any]:
    rest(0.5)
    answer = post.get("/api/v1/detection")
    assert answer.status_code in {200, 503}, answer.text  # not ready yet
    return dict((answer.json()["model"] if answer.status_code == 200 else None) or {"doing": ""})


def test_what_moves_is_an_event_of_its_class_and_a_model_that_tells_people_apart_is_refused(post: Post) -> None:
    ready = until_now(lambda: told if (told := model(post))["doing"] == "ready" else None, "the model is asked", 240)
    assert (ready["name"], ready["finds"]) == ("longwatch-tiny", ["person", "vehicle", "animal"])
    event = until_now(
        lambda: next((one for one in found(post, "object") if one["to"] and one["best"]["picture"]), None),
        "something that has a class was there, is gone, and has a picture", 400,
    )  # fmt: skip
    assert event["kind"] in {"object.person", "object.vehicle", "object.animal"}
    assert event["level"] == "detection"
    assert event["id"] in {one["id"] for one in found(post, event["kind"])}
    others = {"object.person", "object.vehicle", "object.animal"} - {event["kind"]}
    assert all(one["kind"] in others for other in others for one in found(post, other))
    picture = post.get(f"/api/v1/events/{event['id']}/picture.jpg")
    with av.open(io.BytesIO(picture.content)) as still:
        frame = next(still.decode(video=0))
    assert (frame.width, frame.height) == (640, 360)
    detection = post.get("/api/v1/detection").json()["items"][0]
    assert detection["objects_asked"] > 0

    manifest = post.config.parent / "model" / "model.yml"
    good = manifest.read_text()
    usual = "classes: [person, vehicle, animal]"
    assert usual in good
    changed(post, manifest, good.replace(usual, "classes: [person, face, animal]"))
    told = until_now(lambda: told if (told := model(post))["doing"] == "failing" else None, "it is refused", 240)
    assert (
        "'face': it tells people apart" in told["why"]
    )  # number plates and the rest: tests/unit/detection/test_models.py
    changed(post, manifest, good)
    until_now(lambda: model(post)["doing"] == "ready", "a good one is taken again", 240)


def changed(post: Post, manifest: Path, text: str) -> None:
    manifest.write_text(text)
    assert post.server_pid is not None
    os.kill(post.server_pid, signal.SIGHUP)
