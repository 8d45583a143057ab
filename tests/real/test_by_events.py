"""A camera that records by events, end to end: its quiet time is a gap that says so, what moved is recorded with what was before it."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from tests.e2e.post import Cameras
from tests.support.post import Post, rest
from tests.support.wait import until_now

from longwatch.base.rfc3339 import parse_us
from longwatch.simulate.camera import SimulatedCamera

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900), pytest.mark.xdist_group("by-events")]
FPS, QUIET_S, MOVES_S, S = 10, 10, 3, 1_000_000
BEFORE_S, AFTER_S = 2, 1
SOONER = {
    "longwatch.node.watch.keeping": "EVERY_S, SETTLE_US = 1.0, 4_000_000",
    "longwatch.node.recorder.options": "EVENT_SEGMENT_US = 2_000_000",
    "longwatch.node.recorder.retention": "_YOUNG_US = 2_000_000",
}
"""A decision each second instead of every ten, about segments of two seconds instead of ten: the story is the same, and four times as short."""
WIDTH, HEIGHT = 320, 176


def film(path: Path) -> Path:
    """Noise over one scene; from QUIET_S on something bright crosses it; then it is as long quiet again. The camera begins with it, and a post that
    starts beside it has two segments of quiet time before what moves.
    """
    rng = np.random.default_rng(7)
    scene = rng.integers(60, 140, (HEIGHT // 8, WIDTH // 8)).repeat(8, 0).repeat(8, 1).astype(np.float32)
    with av.open(str(path), "w") as out:
        video = out.add_stream("libx264", rate=FPS, options={"g": "10", "bf": "0", "preset": "veryfast", "crf": "28"})
        video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for n in range((2 * QUIET_S + MOVES_S) * FPS):
            luma = scene + rng.normal(0, 2, scene.shape)
            at = (n / FPS - QUIET_S) / MOVES_S
            if 0 <= at < 1:
                left = int(at * (WIDTH - 48))
                luma[60:140, left : left + 48] = 230
            yuv = np.full((HEIGHT * 3 // 2, WIDTH), 128, np.uint8)
            yuv[:HEIGHT] = np.clip(luma, 16, 235)
            frame = av.VideoFrame.from_ndarray(yuv, "yuv420p")
            frame.pts = n
            out.mux(video.encode(frame))
        out.mux(video.encode(None))
    return path


def timeline(post: Post) -> list[dict[str, Any]]:
    whole = {"from": "2020-01-01T00:00:00Z", "to": "2099-01-01T00:00:00Z"}
    return items(post, "/api/v1/cameras/gate/timeline", **whole)


def seen(post: Post) -> list[dict[str, Any]]:
    whole = {"from": "2020-01-01T00:00:00Z", "to": "2099-01-01T00:00:00Z"}
    return items(post, "/api/v1/events", camera="gate", **whole)


def items(post: Post, path: str, **params: str) -> list[dict[str, Any]]:
    """None while the post is not ready."""
    answer = post.get(path, **params)
    assert answer.status_code in {200, 503}, answer.text
    return list(answer.json()["items"]) if answer.status_code == 200 else []


def no_event(item: dict[str, Any]) -> bool:
    return item["state"] == "gap" and item["evidence"] == {"why": "no event"}


def test_quiet_time_is_a_gap_and_what_moved_is_recorded_with_what_was_before(tmp_path: Path) -> None:
    cameras = Cameras()
    clip = film(tmp_path / "film.mp4")
    with contextlib.closing(cameras):
        url = cameras.add("gate", lambda: SimulatedCamera(clip)).url
        post = Post(tmp_path, {"gate": url}, sooner=SOONER)
        text = post.config.read_text().replace("detect: false", "detect: {tamper: false}")
        by_events = f"    record: events\n    around_events: {{before: {BEFORE_S}s, after: {AFTER_S}s}}\n"
        post.config.write_text(text.replace("  gate:\n", f"  gate:\n{by_events}"))
        try:
            post.start()

            def apart() -> tuple[int, int] | None:
                """An event with discarded time before and after it, and what it needs between them."""
                rest(0.3)
                gaps = [(parse_us(item["from"]), parse_us(item["to"])) for item in timeline(post) if no_event(item)]
                for event in seen(post):
                    if event["kind"] != "motion" or not event["to"]:
                        continue
                    begin, end = parse_us(event["from"]) - BEFORE_S * S, parse_us(event["to"]) + AFTER_S * S
                    if any(to <= begin for _, to in gaps) and any(from_ >= end for from_, _ in gaps):
                        return begin, end
                return None

            needed = until_now(apart, "quiet time before and after something that moved is discarded", 800)
            reach = [i for i in timeline(post) if parse_us(i["from"]) < needed[1] and parse_us(i["to"]) > needed[0]]
            assert [(item["state"], item["held"]) for item in reach] == [("recorded", "here")] * len(reach)
            assert reach
            listed = post.get("/api/v1/gaps", **{"from": "2020-01-01T00:00:00Z", "to": "2099-01-01T00:00:00Z"}).json()
            assert any(
                gap["cause"] == "not_scheduled" and gap["evidence"] == {"why": "no event"} for gap in listed["items"]
            )
            post.stop()
            verified = subprocess.run(
                [sys.executable, "-m", "longwatch.cli", "verify", str(post.data)],
                capture_output=True,
                text=True,
                check=False,
            )
            assert verified.returncode == 0, verified.stdout + verified.stderr
        finally:
            post.stop()
