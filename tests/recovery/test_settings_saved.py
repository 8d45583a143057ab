"""Settings saved from the server's desk, with a real recorder and real cameras: what did not change goes on, what is refused is put back."""

from __future__ import annotations

import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.recorder_post import GATE, Post
from tests.support.wait import until

from longwatch.accounts import Who
from longwatch.base.errors import LongwatchError
from longwatch.config import load
from longwatch.node.link import LinkClient, socket_path
from longwatch.node.server.options import web_of
from longwatch.simulate.camera import LOT, SimulatedCamera
from longwatch.web.settings_desk import SettingsDesk, UnsavedError

pytestmark = pytest.mark.slow
ADA = Who(12, user="ada")
TEXT = """# two huts
post: {id: post, timezone: Europe/Rome}
data: DATA
cameras:
  gate:   # the old one
    streams: {main: 'URL'}
"""


@pytest.fixture
async def camera() -> AsyncIterator[SimulatedCamera]:
    one = SimulatedCamera({"main": LOT, "sub": LOT}, user="owner", password="hunter2-secret")
    await one.start()
    yield one
    await one.close()


@pytest.fixture
async def post(tmp_path: Path, camera: SimulatedCamera) -> AsyncIterator[Post]:
    one = Post(tmp_path)
    one.config.write_text(TEXT.replace("DATA", str(one.data)).replace("URL", camera.url_of("main")))
    one.start()
    await one.recording()
    yield one
    if one.process is not None and one.process.poll() is None:
        one.signal(signal.SIGTERM)
        await one.ended()


@pytest.fixture
async def desk(post: Post) -> AsyncIterator[SettingsDesk]:
    link = LinkClient(socket_path(post.data, "recorder"), "server")
    await link.connect()

    async def reread() -> None:
        load(post.config)

    yield SettingsDesk(post.config, link, reread, lambda: web_of(load(post.config)))
    await link.aclose()


def runs(post: Post) -> set[int]:
    spans = post.read(lambda reader: reader.recorded_spans(GATE, 0, 4_000_000_000_000_000))
    return {span.run for span in spans}


async def test_a_camera_is_added_and_another_renamed_and_no_run_ends(
    post: Post, desk: SettingsDesk, camera: SimulatedCamera
) -> None:
    before, sessions = runs(post), set(camera.sessions)
    shown = await desk.shown()
    text = shown["text"].replace("gate:   # the old one\n", "gate:   # the old one\n    name: Old gate\n")
    told: dict[str, Any] = (await desk.check(text))["difference"]
    assert (told["changed"], told["interrupted"], told["added"]) == (["gate"], [], [])
    assert told["values"] == [{"key": "cameras.gate.name", "old": "Gate", "new": "Old gate"}]
    saved = await desk.save(text, shown["revision"], "", ADA)
    entry = post.entries("settings_applied")[-1]
    assert (entry["seq"], entry["body"]["changes"]["changed"]) == (
        saved["entry"],
        {"cameras.gate.name": ["Gate", "Old gate"]},
    )
    assert entry["body"]["person"]["subject"] == 12
    patch = {"streams": {"main": camera.url_of("sub")}, "audio": False}
    made = await desk.patch(("cameras", "yard"), patch, saved["revision"], "", ADA)
    assert (made["difference"]["added"], made["difference"]["interrupted"]) == (["yard"], [])
    await post.recording("yard")
    assert post.config.read_text().count("hunter2") == 1, "in the URL of the gate, where it stood before"
    assert "YARD_PASSWORD=hunter2-secret" in (post.folder / "secrets.env").read_text()
    assert "# the old one" in post.config.read_text()
    assert runs(post) == before != set()
    assert sessions <= set(camera.sessions), "the session with the gate is the same"


async def test_what_takes_away_is_said_before_and_entered_with_its_reason(post: Post, desk: SettingsDesk) -> None:
    with pytest.raises(UnsavedError) as refused:
        await desk.remove(("cameras", "gate"), None, "", ADA)
    assert refused.value.more["reduces"] == ["camera gate is removed"]
    assert "gate:" in post.config.read_text()
    await post.recording()
    await desk.remove(("cameras", "gate"), None, "sold", ADA)
    body = post.entries("settings_applied")[-1]["body"]
    assert (body["removed"], body["reason"]) == (["gate"], "given")
    assert "# two huts" in post.config.read_text()


async def test_without_a_recorder_nothing_is_saved(post: Post, desk: SettingsDesk) -> None:
    before = post.config.read_bytes()
    shown = await desk.shown()
    post.signal(signal.SIGKILL)
    await post.ended()
    with pytest.raises(LongwatchError):
        await desk.save(shown["text"].replace("two huts", "three huts"), shown["revision"], "", ADA)
    assert post.config.read_bytes() == before
    checked = await desk.check(shown["text"])
    assert (checked["ok"], checked["difference"]) == (True, None)


async def test_where_the_recorder_dies_while_it_applies_what_stood_there_is_back(
    post: Post, desk: SettingsDesk, camera: SimulatedCamera, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = post.config.read_bytes()
    put = desk.file.replace

    def replaced_and_killed(text: str, revision: str) -> Any:
        stand = put(text, revision)
        post.signal(signal.SIGKILL)
        return stand

    monkeypatch.setattr(desk.file, "replace", replaced_and_killed)
    with pytest.raises(LongwatchError):
        await desk.patch(("cameras", "yard"), {"streams": {"main": camera.url_of("sub")}}, None, "", ADA)
    assert post.config.read_bytes() == before
    await post.ended()
    post.start()
    await post.recording()
    await until(
        lambda: [entry["body"]["by"] for entry in post.entries("settings_applied")] == ["start"],
        "nothing was applied",
    )
