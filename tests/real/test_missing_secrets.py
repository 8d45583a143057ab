"""A whole post of which secrets are missing: it starts, records what it can, and its pages say what it lacks."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.e2e.post import Cameras
from tests.support.asking import http
from tests.support.post import Post
from tests.support.wait import until_now

from longwatch.simulate.camera import LOT, SimulatedCamera

pytestmark = pytest.mark.slow


@pytest.fixture
def gate():
    cameras = Cameras()
    yield cameras.add("gate", lambda: SimulatedCamera(LOT)).url
    cameras.close()


def test_the_whole_post_starts_with_it_and_its_pages_say_what_is_missing(tmp_path: Path, gate: str) -> None:
    (tmp_path / "secrets.env").write_text("OTHER=1\n")
    (tmp_path / "secrets.env").chmod(0o600)
    more = (
        "secrets: secrets.env\n"
        "mqtt: {host: 127.0.0.1, port: 9, password: '${BROKER}'}\n"
        "notify: {channels: {hook: {kind: webhook, url: 'http://127.0.0.1:9/', secret: '${HOOK}'}}}\n"
    )
    post = Post(tmp_path, {"gate": gate, "yard": "rtsp://u:${YARD}@127.0.0.1:9/1"}, more)
    try:
        post.start()
        until_now(lambda: post.recorded_until("gate"), "the gate is recorded", 240)

        def states() -> dict[str, tuple[str, str | None]]:
            items = post.get("/api/v1/cameras").json()["items"]
            return {item["id"]: (item["state"], item["reason"]) for item in items}

        said = ("recorder_failed", "its secret YARD is missing")
        expected = {"gate": ("recording", None), "yard": said}
        until_now(lambda: states() == expected, "the page says why, and that the other goes on", 60)
        assert post.get("/readyz").status_code == 503
        missing = ("cameras.yard.streams.main", "notify.channels.hook.secret", "mqtt.password")

        def health_says_all() -> bool:
            condition = post.get("/api/v1/health").text  # a recorder that is late with its answer is all that it says
            return all(where in condition for where in missing)

        until_now(health_says_all, "health says what is missing", 60)

        def hook() -> str:
            channels = post.get("/api/v1/notify").json()["channels"]
            return next(one["problem"] for one in channels if one["name"] == "hook")

        headers = {"Authorization": f"Bearer {post.token}"}
        tried = http().post(f"{post.base}/api/v1/notify/channels/hook/test", headers=headers, timeout=60)
        assert tried.status_code == 202
        until_now(lambda: hook() == "its secret HOOK is missing", "the channel says why nothing goes", 60)
        (tmp_path / "secrets.env").write_text("HOOK=of the receiver # 1\n")
        until_now(lambda: "missing" not in hook(), "the secret is back, and nobody had to say so", 60)
    finally:
        assert post.stop() == 0
