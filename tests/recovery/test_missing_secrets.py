"""A password that is gone from the secrets file costs its camera, and no other: at a start, at a reload, and until it is back."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import AsyncIterator

import pytest
from tests.support.accounted import unexplained_us
from tests.support.recorder_post import STARTING, Post
from tests.support.wait import until

from longwatch.model.sessions import StreamKey
from longwatch.simulate.camera import LOT, SimulatedCamera
from longwatch.timeline import State, Tile

pytestmark = pytest.mark.slow
PASSWORD = "hunter2-secret"
YARD = StreamKey("yard", "main")


@pytest.fixture
async def camera() -> AsyncIterator[SimulatedCamera]:
    async with SimulatedCamera({"main": LOT, "sub": LOT}, user="owner", password=PASSWORD) as simulated:
        yield simulated


def with_secrets(post: Post, **names: str) -> None:
    """The secrets file with these, and no other."""
    secrets = post.folder / "secrets.env"
    secrets.write_text("".join(f"{name}={value}\n" for name, value in names.items()))
    secrets.chmod(0o600)


def two_cameras(post: Post, camera: SimulatedCamera) -> None:
    """The gate has its password in the settings; that of the yard is `YARD` of the secrets file."""
    post.settings({"gate": camera.url_of("main"), "yard": camera.url_of("sub").replace(PASSWORD, "${YARD}")})
    post.config.write_text(post.config.read_text() + "secrets: secrets.env\n")


def gaps(post: Post) -> list[Tile]:
    """Of the yard, but for the moments it took to begin, and ends of processes."""
    return [
        tile
        for tile in post.tiles(YARD)
        if tile.state is State.GAP and tile.evidence.get("detail") != STARTING and tile.cause != "post_stopped"
    ]


async def health(post: Post) -> str:
    return str((await post.ask("status"))["health"])


async def test_at_a_start_all_others_are_recorded_and_it_is_a_gap_that_says_why(
    post: Post, camera: SimulatedCamera
) -> None:
    with_secrets(post)
    two_cameras(post, camera)
    post.start()
    await post.recording("gate")

    async def told() -> bool:
        return (await post.stream("yard")).get("cause") == "recorder_failed"

    await until(told, "it is said why the yard is not recorded")
    yard = await post.stream("yard")
    assert (yard["fault"], yard["detail"]) == ("no_secret", "its secret YARD is missing")
    assert "cameras.yard.streams.main: ${YARD} is not set" in await health(post)
    await until(lambda: gaps(post), "the gap is in the index")
    (gap,) = gaps(post)
    assert gap.cause == "recorder_failed"
    assert gap.evidence["detail"] == "its secret YARD is missing"
    assert post.read(unexplained_us) == 0
    opened = [entry for entry in post.entries("gap_opened", "gap_refined") if "YARD" in str(entry)]
    assert opened, "the ledger has it"
    assert any("YARD" in str(entry) for entry in post.entries("settings_applied"))
    for verb in (["settings", "check"], ["check"]):
        done = subprocess.run(
            [sys.executable, "-m", "longwatch.cli", *verb, "--config", str(post.config)],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 2
        assert "${YARD} is not set" in done.stderr + done.stdout
    with_secrets(post, YARD=PASSWORD)
    await post.recording("yard")  # and nobody had to say so
    assert await health(post) == "[]"
    assert post.read(unexplained_us) == 0
    assert len({tile.run for tile in post.tiles() if tile.state is State.RECORDED}) == 1, "the gate went on"


async def test_at_a_reload_what_runs_goes_on_what_cannot_begin_is_a_gap_and_another_camera_is_added(
    post: Post, camera: SimulatedCamera
) -> None:
    with_secrets(post, YARD=PASSWORD)
    two_cameras(post, camera)
    post.start()
    await post.recording("gate")
    await post.recording("yard")
    sessions = set(camera.sessions)
    with_secrets(post)
    text = post.config.read_text()
    new = f"  barn: {{streams: {{main: '{camera.url_of('main')}'}}}}\n"
    post.config.write_text(text.replace("cameras:\n", f"cameras:\n{new}"))
    answer = await post.ask("reload")
    assert answer["added"] == ["barn"]
    await post.recording("barn")
    assert sessions <= set(camera.sessions), "no session ended"
    assert (await post.stream("yard"))["recording"]
    assert gaps(post) == []
    assert "recorded with the password that was there before, until the next start: yard" in await health(post)
    post.config.write_text(post.config.read_text().replace("/sub", "/other"))
    await post.ask("reload")

    async def told() -> bool:
        return (await post.stream("yard")).get("detail") == "its secret YARD is missing"

    await until(told, "at another address it is not known whether the password of before is right")
    await until(lambda: gaps(post), "the gap is in the index")
    assert {gap.cause for gap in gaps(post)} == {"recorder_failed"}
    assert (await post.stream("gate"))["recording"]
    assert post.read(unexplained_us) == 0
