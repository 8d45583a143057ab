"""Looking at pictures in a whole post with real cameras: whoever of the processes is killed or hangs, the cameras are looked at again, and recording
does not notice. docs/design/watching.md.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.painted import bright_clip
from tests.support.post import Post, is_running, running_post
from tests.support.wait import until_now

pytestmark = pytest.mark.slow
CAMERAS = ("gate", "yard")
SOON_S = 240.0


@pytest.fixture
def post(tmp_path: Path) -> Iterator[Post]:
    clip = bright_clip(tmp_path / "clip.mp4")
    child = subprocess.Popen(
        [sys.executable, "-m", "longwatch.simulate"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert child.stdin is not None
    assert child.stdout is not None
    child.stdin.write(json.dumps([{"files": {"main": str(clip)}}] * 2) + "\n")
    child.stdin.flush()
    urls = {camera: made["main"] for camera, made in zip(CAMERAS, json.loads(child.stdout.readline()), strict=True)}
    try:
        with running_post(tmp_path, urls) as running:
            yield running
    finally:
        child.stdin.close()
        child.wait(60)
        child.stdout.close()


def use(post: Post, detect: str) -> None:
    """Write the settings with `defaults: {detect: ...}`, and have them read."""
    text = post.config.read_text()
    post.config.write_text(re.sub(r"defaults: .*\n", f"defaults: {{detect: {detect}}}\n", text))
    assert post.supervisor is not None
    post.supervisor.send_signal(signal.SIGHUP)


def told(post: Post) -> dict[str, Any]:
    answer = post.get("/api/v1/detection")
    assert answer.status_code == 200, answer.text
    return answer.json()


def of(post: Post, camera: str) -> dict[str, Any]:
    return next(item for item in told(post)["items"] if item["camera"] == camera)


def pid_of_watcher(post: Post) -> int | None:
    with contextlib.suppress(OSError):  # who is asked for may have ended since
        for pid in Path(f"/proc/{post.server_pid}/task/{post.server_pid}/children").read_text().split():
            with contextlib.suppress(OSError):
                if b"node.watch.watcher" in Path(f"/proc/{pid}/cmdline").read_bytes():
                    return int(pid)
    return None


def pid_of_child(post: Post) -> int | None:
    """Of the child that works, not of the one that waits beside it."""
    watcher = told(post)["watcher"]
    return watcher["children"][0]["pid"] or None if watcher and watcher["children"] else None


def looked(post: Post) -> list[str]:
    """Up to when each camera was looked at."""
    return [item["looked_until"] or "" for item in told(post)["items"]]


def looks_on(post: Post, what: str) -> None:
    """Every camera is looked at further than now, by children that have done something."""
    before, pictures = looked(post), [of(post, camera)["pictures"] for camera in CAMERAS]

    def further() -> bool:
        items = told(post)["items"]
        return (
            all(item["doing"] == "looking" for item in items)
            and all(later > earlier for later, earlier in zip(looked(post), before, strict=True))
            and all(item["pictures"] > 0 and item["pictures"] != n for item, n in zip(items, pictures, strict=True))
        )

    until_now(further, what, SOON_S)


def test_whoever_is_killed_the_cameras_are_looked_at_again_and_recording_does_not_notice(post: Post):
    recorder = post.recorder_pid
    assert of(post, "gate")["doing"] == "off"
    assert pid_of_watcher(post) is None, "nothing is to be looked at, so nothing runs"
    use(post, "true")
    looks_on(post, "all are looked at")

    child = until_now(lambda: pid_of_child(post), "a child works")
    os.kill(child, signal.SIGKILL)
    until_now(lambda: pid_of_child(post) not in {None, child}, "another child", SOON_S)
    looks_on(post, "after a child was killed")
    assert told(post)["watcher"]["children"][0]["deaths"] == 1
    assert told(post)["watcher"]["restarts"] == 0

    ended(post, signal.SIGKILL)
    looks_on(post, "after the watcher was killed")

    assert post.recorder_pid == recorder
    metrics = post.get("/metrics").text
    for name in ("behind_seconds", "pictures_total", "skipped_total", "gate_open_ratio", "cpu_seconds_total", "child_deaths_total"):  # fmt: skip
        assert f'longwatch_detection_{name}{{camera="gate"}}' in metrics

    def resident() -> dict[str, int]:
        of = r'longwatch_detection_process_resident_bytes\{process="([a-z0-9-]+)"\} (\S+)'
        return {name: round(float(size) / 1e6) for name, size in re.findall(of, post.get("/metrics").text)}

    until_now(lambda: set(resident()) == {"watcher", "child-0"}, "what each of them takes is told")
    print(resident(), "MB resident")

    watcher = pid_of_watcher(post)
    use(post, "{attention: full}")
    until_now(lambda: {of(post, camera)["gate"] for camera in CAMERAS} == {"full"}, "they are looked at all the time")
    looks_on(post, "all the time")
    use(post, "true")
    until_now(lambda: "full" not in {of(post, camera)["gate"] for camera in CAMERAS}, "and when sizes say so again")
    assert pid_of_watcher(post) == watcher, "nothing was started anew for it"
    use(post, "false")
    until_now(lambda: of(post, "gate")["doing"] == "off", "it is not looked at any more")
    until_now(lambda: watcher is None or not is_running(watcher), "and nothing runs")


# A child or a watcher that hangs is killed by who waits for it: tests/unit/node/watch/test_looking_hangs.py and (a child) test_look_objects.py; what comes after is the story above.
@pytest.mark.long
def test_whoever_hangs_is_killed_and_the_cameras_are_looked_at_again(post: Post):
    recorder = post.recorder_pid
    use(post, "true")
    looks_on(post, "all are looked at")
    child = until_now(lambda: pid_of_child(post), "a child works")
    os.kill(child, signal.SIGSTOP)
    until_now(lambda: not is_running(child), "a child that hangs is killed", SOON_S)
    looks_on(post, "after a child hung")
    assert sum(item["child_deaths"] for item in told(post)["items"]) >= 1, "one camera had its job with it"
    ended(post, signal.SIGSTOP)
    looks_on(post, "after the watcher hung")
    assert post.recorder_pid == recorder


def ended(post: Post, number: signal.Signals) -> None:
    """The watcher is killed or made to hang; another one takes its place, and recording goes on meanwhile."""
    watcher = until_now(lambda: pid_of_watcher(post), "a watcher", SOON_S)
    recorded = post.recorded_until("gate")
    os.kill(watcher, number)
    until_now(lambda: post.recorded_until("gate") > recorded, "recording goes on")
    until_now(lambda: pid_of_watcher(post) not in {None, watcher}, "another watcher", SOON_S)
    assert not is_running(watcher)
