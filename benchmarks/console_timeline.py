"""Frame times of the console's timeline while it is panned: 30 days of 100 cameras, in a real Chromium.

    python -m benchmarks.console_timeline [--rows 10000000] [--cameras 100]

It makes an archive of that many segments (tests.support.big_archive), a post over it, and drags the timeline back and forth;
each frame of the page is timed by `requestAnimationFrame`. Printed as JSON: frames, median, 95 %, worst, and how many took over
32 ms. Without --rows the pages are given made-up answers instead of a post's: frames cost the same, and no archive is needed.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import shutil
import signal
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from playwright.sync_api import Page, Route, sync_playwright
from tests.support.big_archive import END_US, make

from benchmarks.post import CLI, Post, free_port, wait_until_answers
from longwatch.base.rfc3339 import format_us, parse_us

USER, PASSWORD = "ann", "lookout over the ridge"
FLAGS = ["--no-sandbox", "--headless=new", "--disable-background-networking", "--no-first-run"]
LADDER_US = [
    1, 1_000, 10_000, 100_000, 1_000_000, 5_000_000, 15_000_000, 60_000_000, 300_000_000, 900_000_000, 1_800_000_000, 3_600_000_000,
    10_800_000_000, 21_600_000_000, 43_200_000_000, 86_400_000_000,
]  # fmt: skip
CODES = ["pending", "recorded", "gone", "post", "not_scheduled", "camera_unreachable", "packets_lost", "stream_stalled"]

# What the page's own work costs in a frame, whatever else the machine does meanwhile.
WORK = """() => {
  const ask = window.requestAnimationFrame.bind(window)
  window.work = []
  let frame = -1
  window.requestAnimationFrame = (callback) => ask((at) => {
    const began = performance.now()
    callback(at)
    if (frame !== at) window.work.push(0)
    frame = at
    window.work[window.work.length - 1] += performance.now() - began
  })
}"""
TIMED = """async ([frames, step]) => {
  const canvas = document.querySelector('canvas[role=slider]')
  const box = canvas.getBoundingClientRect()
  const y = box.top + 60
  const at = (kind, x) => canvas.dispatchEvent(new PointerEvent(kind, {
    pointerId: 1, pointerType: 'mouse', button: 0, buttons: 1, clientX: x, clientY: y, bubbles: true }))
  canvas.setPointerCapture = () => undefined
  const middle = box.left + box.width / 2
  at('pointerdown', middle)
  const times = []
  let last = await new Promise(requestAnimationFrame)
  for (let n = 0; n < frames; n++) {
    at('pointermove', middle + Math.sin(n / 40) * step)
    const now = await new Promise(requestAnimationFrame)
    times.push(now - last)
    last = now
  }
  at('pointerup', middle)
  return times
}"""


def spans(camera: int, from_us: int, to_us: int, step_us: int, now_us: int) -> list[list[int]]:
    """A dense lane: a gap of some kind every 20 to 60 steps, many of them narrower than a step."""
    found: list[list[int]] = []
    count = (to_us - from_us) // step_us
    last = (now_us - from_us) // step_us
    first = from_us // step_us
    for at in range(count):
        if at > last:
            found.append([at, 0])
            break
        place = (first + at + camera * 7) % (20 + camera % 41)
        code, share = (5 + (first + at) % 3, 25) if place == 0 else (5, 0) if place == 1 else (1, 0)
        if not found or found[-1][1] != code or (found[-1][2] if len(found[-1]) > 2 else 0) != share:
            found.append([at, code, share] if share else [at, code])
    return found


class Pretended:
    """A post's answers, made up: enough for the wall and the timelines. Owner of its state: the page's routes."""

    def __init__(self, page: Page, cameras: int) -> None:
        self._cameras = cameras
        page.route("**/api/v1/**", self._answer)

    def _answer(self, route: Route) -> None:
        parts = urlsplit(route.request.url)
        query = parse_qs(parts.query)
        name = parts.path.removeprefix("/api/v1/")
        answers: dict[str, Any] = {
            "setup": {"needed": False}, "me": {"name": "ann", "role": "operator", "rights": ["view", "operate"]},
            "login/ways": {"passkey": {"offered": False, "why": "address", "host": ""}, "provider": None},
            "login": {"name": "ann", "role": "operator", "rights": ["view", "operate"]},
            "post": {"id": "ridge", "name": "Ridge", "timezone": "Europe/Oslo"}, "cameras": {"items": self._listed()},
        }  # fmt: skip
        body = answers.get(name, {"items": [], "next": None})
        if name == "timelines":
            body = self._wide(query)
        route.fulfill(json=body)

    def _listed(self) -> list[dict[str, Any]]:
        return [
            {"id": f"cam{n:03d}", "name": f"Camera {n}", "state": "camera_unreachable", "streams": [{"name": "main"}]}
            for n in range(self._cameras)
        ]

    def _wide(self, query: dict[str, list[str]]) -> dict[str, Any]:
        from_us, to_us = (parse_us(query[name][0]) for name in ("from", "to"))
        step = max(s for s in LADDER_US if s <= max(1, (to_us - from_us) // int(query["width"][0])))
        now_us = time.time_ns() // 1000
        items = [{"camera": c, "spans": spans(int(c[3:]), from_us, to_us, step, now_us)} for c in query["camera"]]
        return {
            "from_us": from_us, "to_us": to_us, "step_us": step, "accounted_until_us": now_us, "codes": CODES, "items": items,
        }  # fmt: skip


def measure(page: Page, *, frames: int = 240, days: str = "30 d") -> dict[str, float]:
    """Pan by what a hand pans, in the view of that many days, after everything has come."""
    page.get_by_role("button", name=days, exact=True).click()
    page.wait_for_timeout(2_500)
    page.evaluate(TIMED, [30, 300])
    page.wait_for_timeout(500)
    page.evaluate("() => { window.work.length = 0 }")
    times = sorted(page.evaluate(TIMED, [frames, 450]))
    work = sorted(page.evaluate("() => window.work"))
    return {
        "frames": len(times), "median_ms": round(statistics.median(times), 1), "p95_ms": round(times[int(len(times) * 0.95)], 1),
        "worst_ms": round(times[-1], 1), "over_32_ms": sum(each > 32 for each in times),
        "work_median_ms": round(statistics.median(work), 1), "work_p95_ms": round(work[int(len(work) * 0.95)], 1),
        "work_worst_ms": round(work[-1], 1),
    }  # fmt: skip


def sign_in(page: Page, address: str) -> None:
    """From the door to the wall."""
    page.add_init_script(f"({WORK})()")
    page.goto(address)
    page.get_by_label("User", exact=True).fill(USER)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_selector("canvas[role=slider]")


@contextlib.contextmanager
def console_post(folder: Path, rows: int, cameras: int) -> Iterator[str]:
    """The address of a post over an archive of that many segments, until the block ends; of an empty one for 0."""
    (folder / "data").mkdir(mode=0o700)
    if rows:
        make(folder / "data", rows, cameras=cameras)
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    listed = {
        f"cam{n:03d}": {"name": f"Camera {n}", "streams": {"main": "rtsp://127.0.0.1:9/"}}
        for n in range(cameras if rows else 1)
    }
    config = folder / "longwatch.yml"
    settings = {
        "post": {"id": "bench", "name": "Bench", "timezone": "UTC"}, "data": str(folder / "data"), "web": {"listen": f"127.0.0.1:{port}"},
        "retention": {"max_age": "36500d", "keep_free": "0%"}, "defaults": {"detect": False}, "cameras": listed,
    }  # fmt: skip
    config.write_text(json.dumps(settings))  # JSON is YAML
    add = [*CLI, "user", "add", USER, "--role", "operator", "--password-stdin", "--config", str(config)]
    subprocess.run(add, input=PASSWORD + "\n", text=True, check=True, capture_output=True)
    process = subprocess.Popen([*CLI, "run", "--config", str(config)], stderr=(folder / "log").open("wb"))
    try:
        wait_until_answers(Post(address, "", config, process))
        yield address
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=0)
    parser.add_argument("--cameras", type=int, default=100)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, console_post(Path(folder), args.rows, args.cameras) as address, sync_playwright() as playwright:  # fmt: skip
        chromium = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        page = chromium.new_page(viewport={"width": 1440, "height": 900})
        if not args.rows:
            Pretended(page, args.cameras)
        sign_in(page, address)
        if args.rows:
            # The archive ends at a fixed time: look at its last weeks, with nothing playing.
            page.evaluate("at => { location.hash = `#/review/${at}` }", format_us(END_US - 16 * 86_400_000_000))
            page.wait_for_selector(".review")
            page.keyboard.press(" ")
        found = {"cameras": args.cameras, "rows": args.rows, **measure(page)}
        chromium.close()
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
