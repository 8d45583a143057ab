"""The recorder as a process, against a real camera on loopback: killed, stopped, told new settings, and left by its viewers."""

import asyncio
import itertools
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from tests.support.accounted import unexplained_us
from tests.support.measured import within
from tests.support.recorder_post import STARTING, Post
from tests.support.wait import until

from longwatch.base.errors import LongwatchError
from longwatch.formats.media import Sample
from longwatch.model.sessions import StreamKey
from longwatch.node.link import LinkClient, socket_path
from longwatch.simulate.camera import LOT, ROOM, SimulatedCamera
from longwatch.timeline import State, Tile
from longwatch.wire.frames import Frame
from longwatch.wire.media import decode_sample

pytestmark = pytest.mark.slow
GATE = StreamKey("gate", "main")


@pytest.fixture
async def camera() -> AsyncIterator[SimulatedCamera]:
    async with SimulatedCamera(LOT, user="owner", password="hunter2-secret") as simulated:
        yield simulated


async def passes(post: Post, seconds: float) -> None:
    """Until the account has moved on by so much."""
    before = (await post.ask("status"))["accounted_until_us"]

    async def moved() -> bool:
        return (await post.ask("status"))["accounted_until_us"] >= before + seconds * 1e6

    await until(moved, f"{seconds} s accounted for", seconds + 60)


def causes(tiles: list[Tile]) -> list[str]:
    """Causes of gaps, in order, but for the moment it took to begin."""
    return [
        str(t.cause)
        for t in tiles
        if t.state is State.GAP and t.evidence.get("detail") != STARTING and t.to_us - t.from_us > 50_000
    ]


async def test_killed_while_recording_nothing_acknowledged_is_lost_and_the_gap_has_its_cause(
    post: Post, camera: SimulatedCamera
) -> None:
    post.settings({"gate": camera.url})
    post.start()
    await post.recording()
    await passes(post, 3)
    acknowledged_us = (await post.stream())["acked_wall_us"]
    post.signal(signal.SIGKILL)
    await post.ended()
    before = post.tiles()
    with within(5):
        post.start()
        await until(lambda: post.stream(), "it answers")
    await post.recording()
    await passes(post, 2)
    after = post.tiles()
    first = next(t for t in after if t.state is State.RECORDED)
    assert first.to_us >= acknowledged_us
    assert first.to_us >= next(t for t in before if t.state is State.RECORDED).to_us
    assert causes(after) == ["recorder_failed"]
    gap = next(t for t in after if t.cause == "recorder_failed")
    assert gap.evidence["boot"] == "same"
    assert post.read(unexplained_us) == 0
    assert "segments_recovered" in post.kinds()
    report = await post.ask("check", mode="hash")
    assert report["findings"] == []


async def test_sigterm_seals_and_exits_0_within_five_seconds(post: Post, camera: SimulatedCamera) -> None:
    post.settings({"gate": camera.url, "dead": "rtsp://127.0.0.1:9/x"})
    post.start()
    await post.recording()
    with within(5):
        post.signal(signal.SIGTERM)
        assert await post.ended() == 0
    assert post.kinds()[-1] == "recorder_stopped"
    assert "segment_sealed" in post.kinds()
    assert not socket_path(post.data, "recorder").exists()
    post.start()
    await post.recording()
    await passes(post, 1.5)
    assert causes(post.tiles()) == ["post_stopped"]
    assert "hunter2-secret" not in post.log.read_text()


async def test_a_wrong_camera_disturbs_no_other_and_says_why(post: Post, camera: SimulatedCamera) -> None:
    wrong = camera.url.replace("hunter2-secret", "guess")
    post.settings({"gate": camera.url, "dead": "rtsp://127.0.0.1:9/x", "refused": wrong})
    post.start()
    await post.recording()

    async def both_told() -> bool:
        told = {(await post.stream(name)).get("cause") for name in ("dead", "refused")}
        return told == {"camera_unreachable", "camera_refused"}

    await until(both_told, "both say why")
    await passes(post, 2)
    assert causes(post.tiles()) == []
    assert causes(post.tiles(StreamKey("dead", "main"))) == ["camera_unreachable"]
    assert causes(post.tiles(StreamKey("refused", "main"))) == ["camera_refused"]


async def test_a_camera_that_stops_and_comes_back(post: Post, camera: SimulatedCamera) -> None:
    post.settings({"gate": camera.url})
    post.start()
    await post.recording()
    await camera.stop()

    async def cause() -> Any:
        return (await post.stream()).get("cause") == "camera_unreachable"

    await until(cause, "it is missed")
    await passes(post, 2)
    await camera.start()
    await post.recording()
    await passes(post, 1.5)
    assert causes(post.tiles()) == ["camera_unreachable"]


async def test_new_settings_interrupt_only_what_changed_and_wrong_ones_nothing(
    post: Post, camera: SimulatedCamera
) -> None:
    async with SimulatedCamera(LOT) as second:
        post.settings({"gate": camera.url, "yard": second.url})
        post.start()
        await post.recording("gate")
        await post.recording("yard")
        post.config.write_text(post.config.read_text().replace("rtsp://127", "ftp://127"))
        with pytest.raises(LongwatchError) as refused:
            await post.ask("reload")
        assert refused.value.exit_code == 2
        assert any("old ones stay" in str(issue) for issue in (await post.ask("status"))["health"])
        post.settings({"gate": camera.url, "barn": second.url})
        post.signal(signal.SIGHUP)
        await post.recording("barn")
        status = await post.ask("status")
        assert {stream["camera"] for stream in status["streams"]} == {"gate", "barn"}
        assert status["health"] == []
        await passes(post, 2)
        assert causes(post.tiles()) == []
        assert len({t.run for t in post.tiles() if t.state is State.RECORDED}) == 1
        yard = post.tiles(StreamKey("yard", "main"))
        assert causes(yard) == ["not_scheduled"]
        assert yard[-1].evidence == {"why": "not in the settings"}
        assert {"settings_refused", "settings_applied"} <= set(post.kinds())


async def test_subscribers_see_every_sample_from_the_last_sync_on_and_their_death_disturbs_nothing(
    post: Post, camera: SimulatedCamera
) -> None:
    post.settings({"gate": camera.url})
    post.start()
    await post.recording()
    frames: list[Frame] = []
    client = LinkClient(socket_path(post.data, "recorder"), "server")
    client.on_push(frames.append)
    await client.connect()
    await client.request("subscribe", stream=["gate", "main"])
    await until(lambda: len(frames) > 60, "samples come")
    assert frames[0].type == "live_format"
    samples = [decode_sample(frame)[2] for frame in frames[1:]]
    video = [sample for sample in samples if sample.track == 0]
    assert video[0].sync
    steps = {two.dts - one.dts for one, two in itertools.pairwise(video)}
    assert max(steps) <= 90_000 // 5, "none is missing"
    assert all(isinstance(sample, Sample) for sample in samples)
    reader, writer = await asyncio.open_unix_connection(str(socket_path(post.data, "recorder")))
    from longwatch.wire.frames import encode, hello

    writer.write(hello("server") + encode({"type": "subscribe", "id": 1, "stream": ["gate", "main"]}))
    await reader.readexactly(10)
    writer.transport.abort()
    assert client._transport is not None
    client._transport.abort()
    await passes(post, 2)
    assert causes(post.tiles()) == []
    with pytest.raises(LongwatchError, match="no stream"):
        await post.ask("subscribe", stream=["none", "main"])


async def test_the_servers_entries_are_durable_once_answered(post: Post) -> None:
    post.settings({"gate": "rtsp://127.0.0.1:9/x"})
    post.start()
    await until(lambda: post.stream(), "it answers")
    await post.ask("entry", kind="video_viewed", body={"camera": "gate", "subject": 3})
    post.signal(signal.SIGKILL)
    await post.ended()
    assert "video_viewed" in post.kinds()


async def test_a_second_recorder_is_refused_and_a_wrong_file_exits_2(post: Post) -> None:
    post.settings({"gate": "rtsp://127.0.0.1:9/x"})
    post.start()
    await until(lambda: post.stream(), "it answers")
    again = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "longwatch.node.recorder", "--config", str(post.config)],
        capture_output=True, check=False, timeout=180,
    )  # fmt: skip
    assert again.returncode == 1
    assert (await post.stream())["camera"] == "gate"
    post.config.write_text("post: {id: North Ridge}\n")
    wrong = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "longwatch.node.recorder", "--config", str(post.config)],
        capture_output=True, check=False, timeout=180,
    )  # fmt: skip
    assert wrong.returncode == 2
    assert b"line 1" in wrong.stderr


async def test_ready_to_record_within_two_seconds_of_process_start(post: Post, camera: SimulatedCamera) -> None:
    post.settings({"gate": camera.url})
    with within(4, "two on an idle machine:"):
        post.start()
        await until(lambda: post.stream(), "it answers")
    await post.recording()


async def test_what_goes_wrong_at_a_camera_has_its_cause(post: Post, camera: SimulatedCamera) -> None:
    post.settings({"gate": camera.url})
    post.start()
    await post.recording()

    def told(cause: str) -> Callable[[], Any]:
        async def look() -> bool:
            return (await post.stream()).get("cause") == cause

        return look

    camera.inject("stall", 3)
    await until(told("stream_stalled"), "it stalls")
    await post.recording()
    camera.inject("lose", 3)
    await until(lambda: "packets_lost" in causes(post.tiles()), "losses are seen")
    camera.inject("refuse", 453, 3)
    await until(told("camera_refused"), "it refuses")
    camera.inject("mend")
    await post.recording()
    await passes(post, 1)
    before = len(causes(post.tiles()))
    camera.inject("jump", 60)
    await passes(post, 2)
    camera.inject("back", 60)
    await passes(post, 2)
    camera.inject("parameters", str(ROOM))
    await passes(post, 3)
    tiles = post.tiles()
    assert set(causes(tiles)) <= {"stream_stalled", "packets_lost", "camera_refused", "camera_unreachable"}
    assert {"stream_stalled", "packets_lost", "camera_refused"} <= set(causes(tiles))
    assert len(causes(tiles)) <= before + 2, "leaps and new parameters lose next to nothing"
    assert post.read(unexplained_us) == 0
    post.signal(signal.SIGTERM)
    assert await post.ended() == 0
    files = sorted(post.data.glob("media/gate/main/*/*.mp4"))
    import av

    for file in files:
        with av.open(str(file)) as opened:
            assert sum(1 for _ in opened.decode(video=0)) > 0, file
