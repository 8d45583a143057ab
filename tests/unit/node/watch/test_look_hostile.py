"""The child that looks, against a camera that means no good: sizes that change, pictures too small or far too large, and what it had had kept."""

from __future__ import annotations

import contextlib
import json
import resource
import struct
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np
import pytest
from tests.support.looked import camera_frame, clip, format_frame, frame_of, job_frame

from longwatch.detection.state import MAGIC
from longwatch.formats.media import Codec, Kind, Sample, TrackFormat
from longwatch.node.watch.look_child import Looks
from longwatch.wire.frames import Decoder, Frame, encode, hello

TRACK = TrackFormat(Kind.VIDEO, Codec.MJPEG, 90_000, b"", "", 160, 120, 5.0)


def jpeg(width: int, height: int, *, seed: int = 1, deep: bool = False) -> bytes:
    chance = np.random.default_rng(seed)
    picture = chance.integers(40, 200, (height, width) if deep else (height, width, 3), np.uint8)
    ok, data = cv2.imencode(".jpg", picture)
    assert ok
    return data.tobytes()


def samples_of(pictures: list[bytes], first: int = 0) -> list[Sample]:
    return [
        Sample(0, (first + n) * 18_000, 0, True, data, 1_000_000 + (first + n) * 200_000)
        for n, data in enumerate(pictures)
    ]


def claiming(data: bytes, width: int, height: int) -> bytes:
    """The same JPEG with another size in its head (SOF0, ITU-T T.81 B.2.2)."""
    at = data.index(b"\xff\xc0") + 5
    return data[:at] + struct.pack(">HH", height, width) + data[at + 4 :]


def looks_of(track: TrackFormat = TRACK, saved: bytes = b"") -> Looks:
    looks = Looks()
    looks.take(frame_of(camera_frame("gate", saved)))
    looks.take(frame_of(format_frame("gate", track)))
    return looks


def asked(looks: Looks, data: bytes) -> dict[str, Any]:
    (answer,) = looks.take(frame_of(data))
    return frame_of(answer).header


def test_pictures_too_small_to_look_at_cost_nothing_that_was_learnt() -> None:
    looks = looks_of()
    assert asked(looks, job_frame(1, "gate", TRACK, samples_of([jpeg(160, 120)] * 5), fresh=True))["pictures"] == 5
    looker = looks._eyes["gate"].looker
    mixed = [jpeg(160, 120), jpeg(16, 16), jpeg(160, 120), jpeg(8, 120), jpeg(600, 8)]
    told = asked(looks, job_frame(2, "gate", TRACK, samples_of(mixed, 5), fresh=True))
    assert (told["why"], told["pictures"], told["blind"]) == ("", 2, False)
    assert looks._eyes["gate"].looker is looker
    told = asked(looks, job_frame(3, "gate", TRACK, samples_of([jpeg(16, 16)] * 3, 10), fresh=True))
    assert (told["pictures"], told["blind"]) == (0, True), "and a camera that sends no others is said to be of no use"


def test_sizes_and_colours_that_change_amid_a_stream_end_nothing() -> None:
    looks = looks_of()
    sizes = [(160, 120), (320, 240), (640, 80), (48, 640), (161, 121), (1280, 720), (2000, 240), (160, 120)]
    number = 0
    for deep in (False, True):
        for width, height in sizes:
            told = asked(
                looks,
                job_frame(
                    number,
                    "gate",
                    TRACK,
                    samples_of([jpeg(width, height, seed=n, deep=deep) for n in range(3)], number * 3),
                    fresh=True,
                ),
            )
            assert "looking failed" not in told["why"]
            assert told["pictures"] == 3
            number += 1


@pytest.mark.parametrize(
    # a few of them in the quick half, with some of each kind
    "which",
    [slice(0, 32, 2), pytest.param(slice(None), marks=pytest.mark.slow)],
    ids=["some", "all"],
)
def test_what_it_cannot_write_down_is_learnt_anew_and_ends_no_child(which: slice) -> None:
    """Numbers that it had had kept may grow beyond any that JSON has: each of them, as large as a number may be written."""
    track, samples = clip(3, (0, 3))
    looks = looks_of(track)
    asked(looks, job_frame(1, "gate", track, samples, fresh=True))
    saved = _saved(looks)
    refused = beyond = 0
    for head in list(_grown(saved))[which]:
        again = looks_of(track, _with_head(saved, head))
        told = asked(again, job_frame(1, "gate", track, samples[:6], fresh=True))
        assert told["decoded"] == 6
        refused += bool(again._eyes["gate"].why_fresh)
        with contextlib.suppress(ValueError):
            again._eyes["gate"].looker.saved()
            beyond -= 1
        beyond += 1
        assert _saved(again)
        again.take(frame_of(camera_frame("gate")))  # other settings: what is known goes over
        assert _saved(again)
    assert refused, "some of them are refused when they are read"
    assert beyond, "and some are taken, and cannot be written down"


@pytest.mark.parametrize("every", [4, pytest.param(1, marks=pytest.mark.slow)], ids=["some", "all"])
def test_whatever_form_its_parts_have_it_is_refused_and_ends_no_child(every: int) -> None:
    """Each part of the head in turn (of a list the first) as another thing than it is: a number for a list, a list for a table."""
    track, samples = clip(36, (30, 36))  # something moves at its end, so that a track is kept
    looks = looks_of(track)
    asked(looks, job_frame(1, "gate", track, samples, fresh=True))
    saved = _saved(looks)
    whole, _ = _head_of(saved)
    refused = 0
    assert whole["head"]["tracker"]["tracks"]
    places = [path for path in _places(whole["head"], ()) if not any(key for key in path if isinstance(key, int))]
    for path in places[::every]:
        for odd in (5, None, [], {}, "x", [[1]]):
            made = json.loads(json.dumps(whole))
            at = made["head"]
            for key in path[:-1]:
                at = at[key]
            at[path[-1]] = odd
            again = looks_of(track, _with_head(saved, json.dumps(made, separators=(",", ":"))))
            refused += bool(again._eyes["gate"].why_fresh)
            assert _saved(again)
    assert refused > 50 / every


def _places(value: Any, path: tuple[Any, ...]) -> Iterator[tuple[Any, ...]]:
    """Of everything in it, tables and lists included."""
    for key, each in value.items() if isinstance(value, dict) else enumerate(value):
        yield (*path, key)
        if isinstance(each, dict | list):
            yield from _places(each, (*path, key))


def _saved(looks: Looks) -> bytes:
    (answer,) = looks.take(frame_of(encode({"type": "save", "camera": "gate"})))
    frame = frame_of(answer)
    assert frame.type == "saved"
    return frame.body[frame.header["heat_bytes"] :]


def _head_of(saved: bytes) -> tuple[dict[str, Any], int]:
    (length,) = struct.unpack_from("<I", saved, len(MAGIC))
    start = len(MAGIC) + 4
    return json.loads(saved[start : start + length]), start + length


def _with_head(saved: bytes, head: str) -> bytes:
    _, rest = _head_of(saved)
    return MAGIC + struct.pack("<I", len(head.encode())) + head.encode() + saved[rest:]


def _grown(saved: bytes) -> Iterator[str]:
    """The head with each of its numbers in turn as large as can be, and beyond."""
    whole, _ = _head_of(saved)

    def places(value: Any, path: tuple[Any, ...]) -> Iterator[tuple[Any, ...]]:
        for key, each in value.items() if isinstance(value, dict) else enumerate(value):
            if isinstance(each, dict | list):
                yield from places(each, (*path, key))
            elif isinstance(each, int | float) and not isinstance(each, bool):
                yield (*path, key)

    for path in list(places(whole["head"], ()))[:60]:
        for number in ("1e308", "-1e308", "1e999"):
            made = json.loads(json.dumps(whole))
            at = made["head"]
            for key in path[:-1]:
                at = at[key]
            at[path[-1]] = "@"
            yield json.dumps(made, separators=(",", ":")).replace('"@"', number)


@contextlib.contextmanager
def a_child() -> Iterator[subprocess.Popen[bytes]]:
    child = subprocess.Popen(
        [sys.executable, "-m", "longwatch.node.watch.look_child"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert child.stdin is not None
    assert child.stdout is not None
    try:
        yield child
    finally:
        child.stdin.close()
        child.wait(60)
        child.stdout.close()


@pytest.mark.slow
def test_pictures_larger_than_memory_cost_themselves_alone() -> None:
    """In the confined child: what libav would set aside for them is more than it may have."""
    good = [jpeg(160, 120, seed=n) for n in range(3)]
    huge = [
        claiming(good[0], *size)
        for size in ((65_500, 65_500), (65_500, 8), (32_000, 32_000), (8_192, 8_192), (1, 65_500), (0, 0), (65_535, 1))
    ]
    jobs = [job_frame(1, "gate", TRACK, samples_of(good), fresh=True)]
    jobs += [job_frame(2 + n, "gate", TRACK, samples_of([one], 3 + n), fresh=True) for n, one in enumerate(huge)]
    jobs += [job_frame(90, "gate", TRACK, samples_of(good, 20), fresh=True)]
    ask = hello("watcher") + camera_frame("gate") + format_frame("gate", TRACK) + b"".join(jobs)
    with a_child() as child:
        assert child.stdin is not None
        assert child.stdout is not None
        child.stdin.write(ask)
        child.stdin.flush()
        decoder, frames = Decoder(), list[Frame]()
        while len(frames) < 1 + len(jobs):
            data = child.stdout.read1(1 << 16)
            assert data, "the child has ended"
            frames += [frame for frame in decoder.feed(data) if frame.type != "beat"]
        assert [frame.header["job"] for frame in frames[1:]] == [1, *range(2, 2 + len(huge)), 90]
        assert frames[-1].header["pictures"] == 3
        for frame in frames[1:]:
            assert frame.header["cpu_us"] < 3_500_000, "the watcher would have ended it"
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss < 3 << 20
