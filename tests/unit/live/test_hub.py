"""Fan-out over the real socket: who gets what, and what a slow viewer loses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.support.fake_recorder import FakeRecorder, audio_format, picture, video_format
from tests.support.wait import until

from longwatch.base.clock import ManualClock
from longwatch.base.tasks import Tasks
from longwatch.formats.bmff import scan_fragments
from longwatch.formats.media import Codec, Sample
from longwatch.live import Hub, Viewer
from longwatch.model.sessions import StreamKey
from longwatch.node.link import LinkClient, socket_path

GATE = StreamKey("gate", "main")


class Stage:
    """A fake recorder, the real link, and a hub."""

    def __init__(self, data: Path, most_waiting_bytes: int) -> None:
        path = socket_path(data, "recorder")
        self.recorder = FakeRecorder(path)
        self.link = LinkClient(path, "server")
        self.clock = ManualClock(boottime_us=0)
        self.hub = Hub(self.link, self.clock, most_waiting_bytes=most_waiting_bytes)
        self.tasks = Tasks("test")

    async def subscribed(self) -> None:
        await until(lambda: self.recorder.subscribed == [GATE], "subscribed")


@pytest.fixture
async def stage(tmp_path: Path):
    made = Stage(tmp_path, 20_000)
    await made.recorder.start()
    made.tasks.start("link", made.link.run())
    await until(lambda: made.link.is_connected)
    yield made
    await made.hub.aclose()
    await made.tasks.aclose()
    await made.recorder.stop()


async def take(viewer: Viewer, count: int) -> list[str | bytes | None]:
    return [await viewer.next() for _ in range(count)]


def number(chunk: str | bytes | None) -> int:
    """Which picture a chunk holds."""
    assert isinstance(chunk, bytes)
    (fragment,) = scan_fragments(lambda offset, size: chunk[offset : offset + size], 0, len(chunk))
    at = fragment.runs[0].data_offset
    return int.from_bytes(chunk[at : at + 4], "big")


async def test_a_stream_is_subscribed_only_while_somebody_watches(stage: Stage) -> None:
    assert stage.recorder.subscribed == []
    with stage.hub.watch(GATE), stage.hub.watch(GATE):
        await stage.subscribed()
        assert [w.viewers for w in stage.hub.watched()] == [2]
    await until(lambda: stage.recorder.subscribed == [])
    assert [kind for kind, _ in stage.recorder.requests] == ["subscribe", "unsubscribe"]


async def test_text_then_init_then_chunks_from_the_last_sync_sample(stage: Stage) -> None:
    with stage.hub.watch(GATE) as first:
        await stage.subscribed()
        stage.recorder.send_format(GATE, 1, video_format(), audio_format(Codec.PCMU))
        stage.recorder.send(GATE, 1, picture(0, sync=True), picture(1), picture(2, sync=True), picture(3))
        text, init, *chunks = await take(first, 6)
        assert [number(chunk) for chunk in chunks] == [0, 1, 2, 3]
        told = json.loads(text)
        assert told["mime"] == 'video/mp4; codecs="avc1.4d401e,flac"'
        assert [track["codec"] for track in told["tracks"]] == ["h264", "flac"]
        assert (told["audio"], told["dropped_tracks"]) == ("flac", [])
        assert told["start"] == "2026-01-01T00:00:00Z"
        assert init[4:8] == b"ftyp"
        with stage.hub.watch(GATE) as second:
            text, init, *chunks = await take(second, 4)
            assert [number(chunk) for chunk in chunks] == [2, 3]
            assert json.loads(text)["start"] == "2026-01-01T00:00:00.080000Z"
            assert json.loads(text)["media_start"] == pytest.approx(0.08)


async def test_a_change_of_parameters_sends_a_new_text_and_init_and_time_goes_on(stage: Stage) -> None:
    with stage.hub.watch(GATE) as viewer:
        await stage.subscribed()
        stage.recorder.send_format(GATE, 1, video_format())
        stage.recorder.send(GATE, 1, picture(0, sync=True))
        await take(viewer, 3)
        stage.recorder.send_format(GATE, 2, video_format(1280, 720))
        stage.recorder.send(GATE, 1, picture(1))  # of the old parameters: nobody can use it
        stage.recorder.send(GATE, 2, picture(2, sync=True))
        text, init, chunk = await take(viewer, 3)
        assert json.loads(text)["tracks"][0]["width"] == 1280
        assert json.loads(text)["media_start"] == pytest.approx(0.08)
        assert init[4:8] == b"ftyp"
        assert number(chunk) == 2


async def test_a_slow_viewer_loses_up_to_the_next_sync_sample_and_the_quick_one_nothing(stage: Stage) -> None:
    with stage.hub.watch(GATE) as slow, stage.hub.watch(GATE) as quick:
        await stage.subscribed()
        stage.recorder.send_format(GATE, 1, video_format())
        quick_got = []
        for n in range(40):
            stage.recorder.send(GATE, 1, picture(n, sync=n % 15 == 0, size=1000))
            while not quick_got or quick_got[-1] != n:
                message = await quick.next()
                if isinstance(message, bytes) and message[4:8] == b"moof":
                    quick_got.append(number(message))
        assert quick_got == list(range(40))
        assert quick.dropped == 0
        # 20,000 bytes hold 18 chunks: the slow one overflowed at 18 and starts anew at 30.
        text, _, *chunks = await take(slow, 12)
        assert json.loads(text)["start"] == "2026-01-01T00:00:01.200000Z"
        assert [number(chunk) for chunk in chunks] == list(range(30, 40))
        assert slow.dropped >= 30
        assert stage.hub.watched()[0].dropped == slow.dropped
    assert stage.hub.watched()[0].dropped == slow.dropped


async def test_live_goes_on_after_a_restart_of_the_recorder(stage: Stage) -> None:
    with stage.hub.watch(GATE) as viewer:
        await stage.subscribed()
        stage.recorder.send_format(GATE, 1, video_format())
        stage.recorder.send(GATE, 1, picture(0, sync=True))
        await take(viewer, 3)
        await stage.recorder.stop()
        await until(lambda: not stage.link.is_connected)
        await stage.recorder.start()
        await stage.subscribed()
        stage.recorder.send_format(GATE, 1, video_format())
        stage.recorder.send(GATE, 1, picture(50, sync=True))
        assert number(await viewer.next()) == 50  # the same parameters need not be said again
    await until(lambda: stage.recorder.subscribed == [])


async def test_who_comes_while_the_recorder_is_away_is_served_when_it_is_back(stage: Stage) -> None:
    await stage.recorder.stop()
    await until(lambda: not stage.link.is_connected)
    with stage.hub.watch(GATE) as viewer:
        await stage.recorder.start()
        await stage.subscribed()
        stage.recorder.send_format(GATE, 1, video_format())
        stage.recorder.send(GATE, 1, picture(7, sync=True))
        assert number((await take(viewer, 3))[2]) == 7


async def test_a_stream_that_the_recorder_learns_of_later_is_asked_for_again(stage: Stage) -> None:
    stage.recorder.unknown.add(GATE)
    with stage.hub.watch(GATE) as viewer:
        await until(lambda: len(stage.recorder.requests) == 1)
        stage.recorder.unknown.clear()

        async def asked_again() -> bool:
            await stage.clock.advance(1)
            return stage.recorder.subscribed == [GATE]

        await until(asked_again, "asked again")
        stage.recorder.send_format(GATE, 1, video_format())
        stage.recorder.send(GATE, 1, picture(7, sync=True))
        assert number((await take(viewer, 3))[2]) == 7


async def test_what_no_browser_plays_is_said_and_ends(stage: Stage) -> None:
    with stage.hub.watch(GATE) as viewer:
        await stage.subscribed()
        stage.recorder.send_format(GATE, 1, video_format(codec=Codec.MJPEG), audio_format())
        text, end = await take(viewer, 2)
        told = json.loads(text)
        assert (told["mime"], told["tracks"], end) == ("", [], None)
        assert [track["codec"] for track in told["dropped_tracks"]] == ["mjpeg"]
        with stage.hub.watch(GATE) as later:
            assert (await take(later, 2))[1] is None


async def test_a_jump_of_the_cameras_timestamps_leaves_no_hole(stage: Stage) -> None:
    with stage.hub.watch(GATE) as viewer:
        await stage.subscribed()
        stage.recorder.send_format(GATE, 1, video_format())
        jumped = [Sample(0, 10**10 + n * 3600, 0, n == 2, bytes(100), n * 40_000) for n in (2, 3)]
        stage.recorder.send(GATE, 1, picture(0, sync=True), picture(1), *jumped)
        messages = await take(viewer, 6)
        times = []
        for chunk in messages[2:]:
            (fragment,) = scan_fragments(lambda offset, size, c=chunk: c[offset : offset + size], 0, len(chunk))
            times.append(fragment.runs[0].dts)
        assert times == [0, 3600, 7200, 10800]


async def test_the_end_of_the_hub_is_the_end_of_every_viewer(stage: Stage) -> None:
    with stage.hub.watch(GATE) as viewer:
        await stage.hub.aclose()
        assert await viewer.next() is None


def sound(n: int, size: int = 160) -> Sample:
    """A G.711 packet of 20 ms that begins with its number."""
    return Sample(1, 900 + n * size, 0, True, bytes([n]) * size, n * 20_000)


async def test_g711_goes_out_as_flac_of_the_same_length(stage: Stage) -> None:
    with stage.hub.watch(GATE) as viewer:
        await stage.subscribed()
        stage.recorder.send_format(GATE, 1, video_format(), audio_format(Codec.PCMU))
        stage.recorder.send(GATE, 1, picture(0, sync=True), sound(0), sound(1))
        *_, first, second = await take(viewer, 5)
        for chunk, begins in ((first, 0), (second, 160)):
            assert isinstance(chunk, bytes)
            (fragment,) = scan_fragments(lambda offset, size, c=chunk: c[offset : offset + size], 0, len(chunk))
            (run,) = fragment.runs
            assert (run.dts, list(run.durations)) == (begins, [160])
            assert chunk[run.data_offset : run.data_offset + 2] == b"\xff\xf9"


async def test_who_does_not_listen_gets_no_sound_and_hears_that_there_is_one(stage: Stage) -> None:
    with stage.hub.watch(GATE, audio=False) as viewer:
        await stage.subscribed()
        stage.recorder.send_format(GATE, 1, video_format(), audio_format())
        stage.recorder.send(GATE, 1, picture(0, sync=True), sound(0), picture(1))
        text, _, *chunks = await take(viewer, 4)
        told = json.loads(text)
        assert (told["mime"], told["audio"]) == ('video/mp4; codecs="avc1.4d401e"', "aac")
        assert [track["kind"] for track in told["tracks"]] == ["video"]
        assert [number(chunk) for chunk in chunks] == [0, 1]


async def test_nothing_waits_for_longer_than_six_seconds(stage: Stage) -> None:
    """A slow link is given what is new, and not a minute that has passed."""
    with stage.hub.watch(GATE) as viewer, stage.hub.watch(GATE) as quick:
        await stage.subscribed()
        stage.recorder.send_format(GATE, 1, video_format())
        for n in range(200):
            stage.recorder.send(GATE, 1, picture(n, sync=n % 50 == 0, size=40))
            while (message := await quick.next()) is not None and not (
                isinstance(message, bytes) and message[4:8] == b"moof" and number(message) == n
            ):
                pass
        text, _, *chunks = await take(viewer, 2 + 50)
        assert json.loads(text)["media_start"] == pytest.approx(6.0)
        assert [number(chunk) for chunk in chunks] == list(range(150, 200))
        assert viewer.dropped == 2 + 150  # the text and the init segment that waited too


async def test_a_clock_that_runs_away_is_told_and_nothing_begins_anew(stage: Stage) -> None:
    """A camera whose clock loses half a second on the wall's, and a wall clock that is set."""
    with stage.hub.watch(GATE) as viewer:
        await stage.subscribed()
        stage.recorder.send_format(GATE, 1, video_format())
        stage.recorder.send(GATE, 1, picture(0, sync=True), picture(25, sync=True))
        stage.recorder.send(GATE, 1, picture(50, sync=True, arrival_boot_us=2_500_000), picture(75, sync=True))
        text, _, *rest = await take(viewer, 2 + 4 + 2)
        assert json.loads(text)["start"] == "2026-01-01T00:00:00Z"
        corrections = [json.loads(message) for message in rest if isinstance(message, str)]
        assert corrections == [
            {"start": "2026-01-01T00:00:02.500000Z", "media_start": 2.0},
            {"start": "2026-01-01T00:00:03Z", "media_start": 3.0},
        ]
        assert [number(message) for message in rest if isinstance(message, bytes)] == [0, 25, 50, 75]
