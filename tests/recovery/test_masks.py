"""Masks in the real recorder, with real cameras: from the first picture on nothing that is hidden is ever written; a child that is killed or
hangs is a gap that says so. docs/design/masks.md.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
from pathlib import Path

import pytest
from tests.support.measured import stretch
from tests.support.painted import bright_clip, brightest, decoded
from tests.support.recorder_post import GATE, Post
from tests.support.wait import until

from longwatch.model.sessions import StreamKey
from longwatch.model.stores import Provenance
from longwatch.simulate import timecode
from longwatch.simulate.camera import SimulatedCamera
from longwatch.timeline import State, Tile

pytestmark = pytest.mark.slow
POLYGON = "[[0.25, 0.25], [0.75, 0.25], [0.75, 0.75], [0.25, 0.75]]"
INSIDE, OUTSIDE = (0.25, 0.25, 0.75, 0.75), (0.0, 0.0, 0.2, 0.2)
SECRET = "hunter2-canary-mask"
ADA = {"subject": 7, "text": '{"name": "ada"}'}
BLACK_AT_MOST, GREY_AT_MOST = 40, 24
"""Of a decoded picture: what lossy coding makes of black next to bright stripes."""


def settings(post: Post, url: str, masks: str, sub: str = "") -> None:
    post.config.write_text(
        f"post: {{id: post}}\ndata: {post.data}\ncameras:\n  gate:\n    streams: {{main: '{url}'{sub}}}\n{masks}"
    )


def masks(polygon: str = POLYGON, name: str = "window") -> str:
    return f"    masks: [{{name: {name}, polygon: {polygon}}}]\n"


def small_clip(folder: Path, codec: str = "libx264") -> Path:
    """Of few pictures a second: masks are made by decoding and encoding each, and a machine that is slow is to keep up."""
    return bright_clip(folder / "bright.mp4", codec, fps=10)


def children(post: Post) -> list[int]:
    """The masking children of this recorder."""
    assert post.process is not None
    found = []
    for pid in Path(f"/proc/{post.process.pid}/task/{post.process.pid}/children").read_text().split():
        with contextlib.suppress(OSError):  # it has ended since
            if b"children.masking" in Path(f"/proc/{pid}/cmdline").read_bytes():
                found.append(int(pid))
    return found


def recorded(post: Post, stream: str = "main") -> list[Path]:
    return sorted(path for path in post.data.rglob("*.mp4") if f"/{stream}/" in str(path) or f"_{stream}_" in str(path))


def look(files: list[Path]) -> tuple[int, int, int, int]:
    """Pictures; the greatest luma and colour inside the mask over all of them; the least luma outside."""
    count, luma, colour, outside = 0, 0, 0, 255
    for path in files:
        for frame in decoded(path):
            inside = brightest(frame, *INSIDE)
            count, luma, colour = count + 1, max(luma, inside[0]), max(colour, inside[1])
            outside = min(outside, brightest(frame, *OUTSIDE)[0])
    return count, luma, colour, outside


@pytest.mark.parametrize(
    # H.265 that is masked, in a whole post: tests/real/test_transcodes.py
    "codec",
    ["libx264", pytest.param("libx265", marks=pytest.mark.long)],
)
async def test_every_recorded_picture_is_masked_from_the_first_on(post: Post, tmp_path: Path, codec: str) -> None:
    clip = small_clip(tmp_path, codec)
    async with SimulatedCamera(clip, user="watch", password=SECRET) as camera:
        settings(post, camera.url, masks(), f", sub: '{camera.url}'")
        post.start()
        await post.recording()
        (child,) = children(post)
        told = Path(f"/proc/{child}/cmdline").read_bytes() + Path(f"/proc/{child}/environ").read_bytes()
        assert SECRET.encode() not in told, "a password is for pipes alone"
        both = (GATE, StreamKey("gate", "sub"))
        await until(lambda: all(_seconds(post, key) > 5 for key in both), "five seconds of both are recorded")
        post.signal(signal.SIGTERM)
        assert await post.ended() == 0
        assert not Path(f"/proc/{child}").exists(), "its child ends with it"
    for stream in ("main", "sub"):
        count, luma, colour, outside = look(recorded(post, stream))
        assert count > 40
        assert luma <= BLACK_AT_MOST, f"{stream}: something bright shows through the mask"
        assert colour <= GREY_AT_MOST, f"{stream}: something coloured shows through the mask"
        assert outside > 150, "what is not masked is there"
    # what was on its way through the child when the recorder ended is a gap where the machine is slow
    assert {str(gap.cause) for gap in _gaps(post)} <= {"post_stopped"}, "no gap once it is recorded"
    for path in post.data.rglob("*"):
        if path.is_file():
            assert SECRET.encode() not in path.read_bytes(), path


def _seconds(post: Post, key: StreamKey = GATE) -> float:
    spans = post.read(lambda reader: reader.recorded_spans(key, 0, 1 << 60))
    return sum(span.to_us - span.from_us for span in spans) / 1e6


async def test_a_killed_child_is_a_gap_with_its_cause_and_comes_back(post: Post, tmp_path: Path) -> None:
    async with SimulatedCamera(small_clip(tmp_path)) as camera:
        settings(post, camera.url, masks())
        post.start()
        await post.recording()
        await until(lambda: _seconds(post) > 2, "it is recorded")
        (child,) = children(post)
        before = stretch()
        os.kill(child, signal.SIGKILL)
        await until(lambda: children(post) not in ([], [child]), "another child is started")
        await until(lambda: len(post.read(lambda r: r.recorded_spans(GATE, 0, 1 << 60))) > 1, "it goes on")
        (gap,) = _gaps(post)
        assert str(gap.cause) == "recorder_failed"
        assert gap.evidence["fault"] == "masking"
        assert "killed by signal 9" in str(gap.evidence["detail"])
        assert (gap.to_us - gap.from_us) < 8_000_000 * max(before, stretch()), "its child is started anew in that"
        await until(lambda: len(camera.sessions) <= 1, "no session of the old child is left at the camera")


def _gaps(post: Post) -> list[Tile]:
    """Once it was recorded: where the machine is slow, a child takes its time to begin."""
    begun = itertools.dropwhile(lambda tile: tile.state is not State.RECORDED, post.tiles())
    return [tile for tile in begun if tile.cause is not None]


async def test_a_child_that_hangs_is_killed_and_the_gap_says_so(post: Post, tmp_path: Path) -> None:
    async with SimulatedCamera(small_clip(tmp_path)) as camera:
        settings(post, camera.url, masks())
        post.start()
        await post.recording()
        (child,) = children(post)
        os.kill(child, signal.SIGSTOP)
        await until(lambda: children(post) not in ([], [child]), "another child is started")
        await until(lambda: len(post.read(lambda r: r.recorded_spans(GATE, 0, 1 << 60))) > 1, "it goes on")
        gaps = _gaps(post)
        assert {str(gap.cause) for gap in gaps} == {"recorder_failed"}
        assert any("hangs" in str(gap.evidence["detail"]) for gap in gaps)


async def test_a_camera_that_is_gone_is_not_blamed_on_the_child(post: Post, tmp_path: Path) -> None:
    async with SimulatedCamera(small_clip(tmp_path)) as camera:
        settings(post, camera.url, masks())
        post.start()
        await post.recording()
        await until(lambda: _seconds(post) > 1, "it is recorded")
    await until(lambda: "camera_unreachable" in post.gap_seconds(), "the gap names the camera")
    assert "recorder_failed" not in {str(gap.cause) for gap in _gaps(post)}
    assert children(post), "the child goes on trying"


async def test_masks_that_are_new_end_the_run_and_need_a_reason(post: Post, tmp_path: Path) -> None:
    clip = small_clip(tmp_path)
    async with SimulatedCamera(clip) as camera:
        settings(post, camera.url, "")
        post.start()
        await post.recording()
        await until(lambda: _seconds(post) > 1, "it is recorded")
        settings(post, camera.url, masks())
        with pytest.raises(Exception, match="no reason was given"):
            await post.ask("settings_apply")
        assert not children(post)
        before = _runs(post)
        await post.ask("settings_apply", person=ADA, reason="the neighbour asked for it")
        await until(lambda: _runs(post) > before, "a new run is recorded")
        post.signal(signal.SIGTERM)
        await post.ended()
    (entry,) = post.entries("settings_applied")[1:]
    assert any("window of camera gate is new" in said for said in entry["body"]["reduces"])
    first, *_, last = recorded(post)
    assert look([first])[1] > 150, "what was recorded before stays as it was"
    count, luma, *_ = look([last])
    assert count > 0
    assert luma <= BLACK_AT_MOST


def _runs(post: Post) -> set[int]:
    """Those of which something is recorded."""
    return {span.run for span in post.read(lambda reader: reader.recorded_spans(GATE, 0, 1 << 60))}


async def test_a_child_does_not_outlive_a_recorder_that_is_killed(post: Post, tmp_path: Path) -> None:
    async with SimulatedCamera(small_clip(tmp_path)) as camera:
        settings(post, camera.url, masks())
        post.start()
        await post.recording()
        (child,) = children(post)
        post.signal(signal.SIGKILL)
        await post.ended()
        await until(lambda: not Path(f"/proc/{child}").exists() or "Z" in _state(child), "it dies with its parent")


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return "Z"


async def test_wall_time_and_its_provenance_stay_those_of_the_camera(post: Post) -> None:
    """A camera burns its clock into each picture. A masked and an unmasked recording of it place the same picture at the same moment."""
    async with SimulatedCamera(timecode=True) as camera:
        corner = "[[0, 0], [0.02, 0], [0, 0.05]]"
        post.config.write_text(
            f"post: {{id: post}}\ndata: {post.data}\ncameras:\n"
            f"  bare: {{streams: {{main: '{camera.url}'}}}}\n"
            f"  gate:\n    streams: {{main: '{camera.url}'}}\n{masks(corner)}"
        )
        post.start()
        await post.recording("gate")
        await post.recording("bare")
        both = (GATE, StreamKey("bare", "main"))
        await until(lambda: all(_seconds(post, key) > 4 for key in both), "both are recorded")
        # the camera tells its time every five seconds: either of both may have been told and the other not
        names = ("bare", "gate")
        await until(lambda: all(Provenance.RTCP in _provenances(post, name) for name in names), "both know its time")
        post.signal(signal.SIGTERM)
        await post.ended()
    assert _provenances(post, "gate") == _provenances(post, "bare")
    placed = {name: _placed(post, name) for name in ("bare", "gate")}
    both = placed["bare"].keys() & placed["gate"].keys()
    assert len(both) > 50, "the time codes of both can be read"
    apart = [abs(placed["gate"][code] - placed["bare"][code]) for code in both]
    assert max(apart) < 120_000, "the jitter of their first packets alone"
    spread = [placed["gate"][code] - placed["bare"][code] for code in both]
    assert max(spread) - min(spread) < 45_000, "and no picture is moved against another"


def _provenances(post: Post, name: str) -> set[Provenance]:
    spans = post.read(lambda reader: reader.recorded_spans(StreamKey(name, "main"), 0, 1 << 60))
    return {span.provenance for span in spans}


def _placed(post: Post, name: str) -> dict[int, int]:
    """The wall time at which the recording shows the picture that was taken at each millisecond."""
    rows = post.read(lambda reader: reader.segments(StreamKey(name, "main"), 0, 1 << 60))
    found: dict[int, int] = {}
    for row in rows:
        for frame in decoded(post.data / row.path):
            luma, stride = bytes(frame.planes[0]), frame.planes[0].line_size
            bits = [
                int(luma[(r * timecode.BLOCK + 8) * stride + c * timecode.BLOCK + 8] > 128)
                for r in range(timecode.ROWS)
                for c in range(timecode.COLUMNS)
            ]
            taken_ms = timecode.wall_ms_of(bits)
            if taken_ms is not None:
                since_run_us = round(frame.pts * frame.time_base * 1_000_000)
                found[taken_ms] = row.wall_start_us + since_run_us - row.start_90k * 100 // 9
    return found
