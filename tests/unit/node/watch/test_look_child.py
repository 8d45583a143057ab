"""The child that decodes and looks: jobs and their answers, malformed streams, and what it has given up."""

from __future__ import annotations

import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.fuzz.campaign import mutate
from tests.support.looked import camera_frame, clip, format_frame, frame_of, job_frame

from longwatch.formats.media import Codec, Kind, Sample, TrackFormat
from longwatch.node.watch.look_child import Looks
from longwatch.wire.frames import Decoder, Frame, encode, hello

MOVING = clip(40, (30, 36))


def begin(looks: Looks, track: TrackFormat, camera: str = "gate", saved: bytes = b"") -> None:
    looks.take(frame_of(camera_frame(camera, saved)))
    looks.take(frame_of(format_frame(camera, track)))


def asked(looks: Looks, data: bytes) -> Frame:
    (answer,) = looks.take(frame_of(data))
    return frame_of(answer)


def later(samples: list[Sample], seconds: float, changed: Callable[[bytes], bytes] = lambda data: data) -> list[Sample]:
    """The same once more: what comes is younger than what came."""
    wait_us = round(seconds * 1e6)
    return [Sample(0, s.dts, 0, s.sync, changed(s.data), s.arrival_boot_us + wait_us) for s in samples]


def test_a_scene_that_stands_still_gives_nothing_and_what_moves_is_seen():
    track, samples = MOVING
    looks = Looks()
    begin(looks, track)
    for number in range(0, 150, 10):
        told = asked(
            looks, job_frame(number, "gate", track, samples[number : number + 1], fresh=True, single=True)
        ).header
        assert (told["job"], told["pictures"], told["decoded"], told["failed"]) == (number, 1, 1, 0)
        assert told["sightings"] == []
    told = asked(looks, job_frame(1, "gate", track, samples[140:190], fresh=True)).header
    assert 25 <= told["pictures"] <= 49, "the first was looked at before, and what is followed needs half of them"
    assert told["cpu_us"] > 0
    assert {one["kind"] for one in told["sightings"]} == {"motion"}
    assert any(one.get("on", True) for one in told["sightings"])


def test_where_nothing_is_there_half_of_the_pictures_do_and_all_once_something_is():
    track, samples = MOVING
    looks = Looks()
    begin(looks, track)
    told = asked(looks, job_frame(1, "gate", track, samples[:100], fresh=True)).header
    assert told["pictures"] == 50
    told = asked(looks, job_frame(2, "gate", track, samples[100:153], fresh=True)).header
    assert told["curious"], "somebody has just come in"
    told = asked(looks, job_frame(3, "gate", track, samples[153:157], fresh=False)).header
    assert told["pictures"] >= 3, "the pause that was begun before may still be over"


def test_pictures_are_looked_at_no_oftener_than_asked():
    track, samples = MOVING
    looks = Looks()
    begin(looks, track)
    told = asked(looks, job_frame(1, "gate", track, samples[:50], fresh=True, fps=1.0)).header
    assert told["decoded"] == 50
    assert 9 <= told["pictures"] <= 11


def test_what_is_older_than_asked_is_decoded_and_only_its_sync_samples_are_looked_at():
    track, samples = MOVING
    from_us = samples[25].arrival_boot_us
    looks = Looks()
    begin(looks, track)
    told = asked(looks, job_frame(1, "gate", track, samples[:50], fresh=True, fps=25.0, from_us=from_us)).header
    older = sum(sample.sync for sample in samples[:25])
    assert 0 < older < 25
    assert (told["decoded"], told["pictures"]) == (50, older + 25)
    assert told["blind"] is False


def test_what_is_decoded_again_is_not_looked_at_again():
    track, samples = MOVING
    looks = Looks()
    begin(looks, track)
    first = asked(looks, job_frame(1, "gate", track, samples[:40], fresh=True, fps=25.0)).header
    again = asked(looks, job_frame(2, "gate", track, samples[:50], fresh=True, fps=25.0)).header
    assert (first["pictures"], again["pictures"]) == (40, 10)
    assert again["decoded"] == 50
    assert again["blind"] is False


def test_what_it_learnt_comes_back_and_can_be_given_to_another():
    track, samples = MOVING
    looks = Looks()
    begin(looks, track)
    for number in range(0, 140, 10):
        asked(looks, job_frame(number, "gate", track, samples[number : number + 1], fresh=True, single=True))
    saved = asked(looks, encode({"type": "save", "camera": "gate"}))
    assert (saved.header["heat_bytes"], saved.header["looked"]) == (0, 240), (
        "nothing moved, of what was looked at since it knew the scene"
    )
    kept = saved.body[saved.header["heat_bytes"] :]
    moved = asked(looks, encode({"type": "save", "camera": "gate", "learnt": False}))
    assert len(moved.body) == moved.header["heat_bytes"], "what moved alone"
    assert len(kept) < 256 << 10
    other = Looks()
    begin(other, track, saved=kept)
    told = asked(other, job_frame(1, "gate", track, samples[140:190], fresh=True)).header
    assert any(one["kind"] == "motion" for one in told["sightings"])


def test_what_was_damaged_is_learnt_anew():
    looks = Looks()
    begin(looks, MOVING[0], saved=b"\xff" * 1000)
    assert asked(looks, job_frame(1, "gate", *MOVING[:1], MOVING[1][:1], fresh=True, single=True)).header["why"] == ""


def test_a_job_that_builds_on_what_is_not_here_says_so_and_so_does_an_encoding_that_is_not_known():
    track, samples = MOVING
    looks = Looks()
    begin(looks, track)
    assert asked(looks, job_frame(1, "gate", track, samples[3:5], fresh=False)).header["lost"] is True
    begin(looks, TrackFormat(Kind.VIDEO, Codec.AAC, 90_000, b"", ""), "yard")
    assert "cannot be decoded" in asked(looks, job_frame(1, "yard", track, samples[:1], fresh=True)).header["why"]


def test_decoders_are_kept_of_the_cameras_that_were_used_last_alone():
    track, samples = clip(2)
    looks = Looks()
    for number in range(30):
        begin(looks, track, f"camera-{number}")
        asked(looks, job_frame(number, f"camera-{number}", track, samples[:2], fresh=True))
    assert asked(looks, job_frame(1, "camera-29", track, samples[2:3], fresh=False)).header["decoded"] == 1
    assert asked(looks, job_frame(2, "camera-0", track, samples[2:3], fresh=False)).header["lost"] is True
    assert asked(looks, job_frame(3, "camera-0", track, samples[:1], fresh=True)).header["decoded"] == 1


def vectors_job(number: int, track: TrackFormat, samples: list[Sample], camera: str = "gate") -> bytes:
    frame = frame_of(job_frame(number, camera, track, samples, fresh=False))
    return encode({**frame.header, "vectors": True}, frame.body)


def test_vectors_of_single_pictures_are_told_and_are_no_looks():
    track, samples = MOVING
    looks = Looks()
    begin(looks, track)
    quiet = [number for number in range(1, 150) if number % 10 in {3, 7}]
    told = asked(looks, vectors_job(1, track, [samples[number] for number in quiet])).header
    assert (told["pictures"], told["decoded"], told["sightings"], told["why"]) == (0, 0, [], "")
    assert len(told["stirs"]) == len(quiet)
    moving = asked(looks, vectors_job(2, track, [samples[156], samples[163]])).header["stirs"]
    assert min(moving) > 2 * max(told["stirs"][8:])
    assert told["cpu_us"] > 0


def test_vectors_of_what_has_none_and_of_what_was_never_told():
    track, samples = clip(1, codec="libx265")
    looks = Looks()
    begin(looks, track)
    assert "motion vectors of" in asked(looks, vectors_job(1, track, samples[1:2])).header["why"]
    looks.take(frame_of(camera_frame("yard")))
    assert asked(looks, vectors_job(2, track, samples[1:2], "yard")).header["lost"] is True


def test_a_picture_that_tells_no_vectors_is_not_said_to_be_quiet():
    track, samples = MOVING
    looks = Looks()
    begin(looks, track)
    cut = [Sample(0, samples[3].dts, 0, False, bytes(5), samples[3].arrival_boot_us), samples[4]]
    told = asked(looks, vectors_job(1, track, cut)).header
    assert told["why"] == ""
    assert told["stirs"][0] is None
    assert told["stirs"][1] is not None


def test_vectors_that_fail_cost_nothing_that_was_learnt_of_pictures(monkeypatch: pytest.MonkeyPatch):
    track, samples = MOVING
    looks = Looks()
    begin(looks, track)
    asked(looks, job_frame(1, "gate", track, samples[:20], fresh=True))
    looker = looks._eyes["gate"].looker
    with monkeypatch.context() as patched:
        patched.setattr("longwatch.node.watch.look_child.Vectors.field", _no_room)
        told = asked(looks, vectors_job(2, track, samples[3:4])).header
    assert "MemoryError" in told["why"]
    assert looks._eyes["gate"].looker is looker
    assert asked(looks, job_frame(3, "gate", track, samples[20:30], fresh=True)).header["decoded"] == 10


def _no_room(*_: object) -> None:
    """As where other cameras have taken what the child may have."""
    raise MemoryError


def test_vectors_come_between_looks_and_spoil_no_chain_of_pictures():
    track, samples = MOVING
    both, alone = Looks(), Looks()
    for looks in (both, alone):
        begin(looks, track)
        asked(looks, job_frame(1, "gate", track, samples[140:150], fresh=True))
    asked(both, vectors_job(2, track, samples[121:125]))
    told = [asked(looks, job_frame(3, "gate", track, samples[150:180], fresh=False)).header for looks in (both, alone)]
    for each in told:
        del each["cpu_us"]
    assert told[0] == told[1]


@pytest.mark.slow
@pytest.mark.parametrize("codec", ["libx264", "libx265"])
def test_malformed_streams_cost_pictures_and_nothing_else(codec: str):
    track, samples = clip(4, (0, 4), codec=codec)
    chance = random.Random(7)
    looks = Looks()
    begin(looks, track)
    for number in range(60):
        bad = later(samples, 10.0 * number, lambda data: mutate(data, chance))
        told = asked(looks, job_frame(number, "gate", track, bad, fresh=True)).header
        assert "looking failed" not in told["why"]
        assert told["decoded"] == len(bad)
        told = asked(looks, vectors_job(number, track, bad)).header
        assert "looking failed" not in told["why"]
        assert all(0 <= each < 1e6 for each in told.get("stirs", []) if each is not None)
    assert asked(looks, job_frame(99, "gate", track, later(samples, 900.0), fresh=True)).header["pictures"] > 0


@pytest.mark.slow
def test_the_process_answers_with_all_that_it_has_given_up():
    track, samples = MOVING
    job = job_frame(1, "gate", track, samples[:60], fresh=True)
    ask = (
        hello("watcher")
        + camera_frame("gate")
        + format_frame("gate", track)
        + job
        + encode({"type": "save", "camera": "gate"})
    )
    child = subprocess.Popen([sys.executable, "-m", "longwatch.node.watch.look_child"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)  # fmt: skip
    assert child.stdin is not None
    assert child.stdout is not None
    child.stdin.write(ask)
    child.stdin.flush()
    decoder, frames = Decoder(), list[Frame]()
    while len(frames) < 3:
        frames += [
            frame for frame in decoder.feed(child.stdout.read1(1 << 16)) if frame.type != "beat"
        ]  # where it is slow
    said = [frame.type for frame in frames]
    limits = Path(f"/proc/{child.pid}/limits").read_text()
    status = Path(f"/proc/{child.pid}/status").read_text()
    print(next(line for line in status.splitlines() if line.startswith("VmRSS")), "of the child")
    assert said == ["hello", "looked", "saved"]
    assert frames[1].header["pictures"] == 30, "half of them, where nothing is there"
    for name, most in (("open files", "5"), ("processes", "0"), ("file size", "0")):
        assert f"Max {name:<22}{most:<10}" in limits.replace("  ", "  "), limits
    assert "NoNewPrivs:\t1" in status
    child.stdin.close()
    assert child.wait(60) == 0
    child.stdout.close()


LOOKS_AT_ALL = """
import sys
import numpy as np
from longwatch.node.watch import look_child
from longwatch.detection.looker import Looker
from longwatch.detection.pictures import Picture
from longwatch.model.events import Line, Watched

look_child.warm_up()
known = set(sys.modules)
rng = np.random.default_rng(1)
ground = rng.integers(60, 120, (180, 320)).astype(np.int16)
told = set()
for thermal in (False, True):
    looker = Looker(Watched("gate", thermal=thermal, lines=(Line("line", ((0.5, 0.0), (0.5, 1.0))),)))
    for number in range(360):
        luma = ground + rng.integers(-2, 3, ground.shape)
        colours = None if thermal else np.full((2, 90, 160), 128 if number > 120 else 118, np.int16)
        if colours is not None and number <= 120:
            colours[:, ::2] = 150
        if number > 120:  # the filter moves: brighter, and without colours
            luma = luma + max(60, 140 - 8 * (number - 120))
        if number % 120 > 70:
            luma[40:140, max(0, 6 * (number % 120) - 420) : 6 * (number % 120) - 380] = 230
        if number > 330:
            luma[:] = 20
        picture = Picture(np.clip(luma, 0, 255).astype(np.uint8), number * 200_000, number % 10 == 0, None if colours is None else colours.astype(np.uint8))
        told |= {sighting.kind for sighting in looker.look(picture)}
    Looker.restored(looker.watched, looker.saved())
print(sorted(told), sorted(set(sys.modules) - known))
"""


@pytest.mark.slow
def test_what_looks_imports_nothing_once_it_has_given_up_all():
    """A module that numpy or cv2 imports at the first use of something would find no file to open, and every look that needs it would fail."""
    ended = subprocess.run(
        [sys.executable, "-c", LOOKS_AT_ALL], capture_output=True, text=True, check=True, timeout=120
    )
    told, imported = ended.stdout.strip().split("] ", 1)
    assert imported == "[]"
    assert "motion" in told
    assert "tamper" in told
