"""How soon a drag over a day of nine cameras shows pictures, in a real Chromium: at each pause, of all nine.

    python -m benchmarks.console_scrub

The pages are given a made-up post: a day of recorded footage, a strip picture every 10 s, each answer 40 ms late. The drag stops at
forty places of the day; from the last move of the pointer until all nine cells show a picture (`first_ms`), and until they show
the very one of that moment (`exact_ms`). Printed as JSON.
"""

from __future__ import annotations

import json
import random
import shutil
import statistics
import struct
import tempfile
import time
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import av
from playwright.sync_api import Page, Route, sync_playwright

from benchmarks.console_timeline import FLAGS, Pretended, console_post, sign_in
from longwatch.base.rfc3339 import format_us, parse_us

EVERY_US = 10_000_000
DAY_US = 86_400_000_000
LATE_S = 0.04

# Moves the pointer along the scale in steps, stops at x, and waits until all cells show the picture that is meant.
PAUSE = """async ([from, to, steps]) => {
  const canvas = document.querySelector('canvas[role=slider]')
  const box = canvas.getBoundingClientRect()
  const view = ['from', 'to'].map((end) => Number(document.querySelector('.dock').dataset[end]))
  const move = (share) => canvas.dispatchEvent(new PointerEvent('pointermove', {
    pointerId: 1, pointerType: 'mouse', buttons: 1, bubbles: true, clientX: box.left + share * box.width, clientY: box.top + 8 }))
  for (let n = 1; n <= steps; n++) {
    move(from + ((to - from) * n) / steps)
    await new Promise(requestAnimationFrame)
  }
  const ms = view[0] + to * (view[1] - view[0])
  const began = performance.now()
  const cells = [...document.querySelectorAll('[data-cell]')]
  const reach = (view[1] - view[0]) / 96 * 8
  const shows = (off) => cells.every((cell) => ms - Number(cell.dataset.strip ?? 0) < off && Number(cell.dataset.strip ?? 0) <= ms)
  let first = null
  for (;;) {
    const passed = performance.now() - began
    if (first === null && shows(reach)) first = passed
    if (shows(10_001)) return [first, passed]
    if (passed > 3_000) return [first ?? passed, passed]
    await new Promise(requestAnimationFrame)
  }
}"""


def jpeg() -> bytes:
    """A picture of 160 x 90 with something in it."""
    codec = av.CodecContext.create("mjpeg", "w")
    codec.width, codec.height, codec.pix_fmt = 160, 90, "yuvj420p"
    frame = av.VideoFrame(160, 90, "yuvj420p")
    chance = random.Random(1)
    for plane in frame.planes:
        row = bytes(chance.randrange(60, 200) for _ in range(plane.line_size))
        plane.update(b"".join(row[n:] + row[:n] for n in range(plane.buffer_size // plane.line_size)))
    return b"".join(bytes(packet) for packet in [*codec.encode(frame), *codec.encode(None)])


class PretendedDay(Pretended):
    """With a day of footage and its strips."""

    def __init__(self, page: Page, cameras: int) -> None:
        self._jpeg = jpeg()
        self._begin_us = (time.time_ns() // 1000 - 2 * DAY_US) // EVERY_US * EVERY_US
        super().__init__(page, cameras)

    def _answer(self, route: Route) -> None:
        parts = urlsplit(route.request.url)
        query = parse_qs(parts.query)
        if parts.path.endswith("/strips"):
            time.sleep(LATE_S)
            route.fulfill(body=self._strips(query), content_type="application/vnd.longwatch.strips")
        elif parts.path.endswith("/timeline"):
            stretch = {"from": query["from"][0], "to": query["to"][0], "state": "recorded", "held": "here"}
            route.fulfill(json={"items": [stretch], "accounted_until": format_us(time.time_ns() // 1000)})
        elif parts.path.endswith("/playlist.m3u8"):
            route.fulfill(body="#EXTM3U\n", content_type="application/vnd.apple.mpegurl")
        else:
            super()._answer(route)

    def _strips(self, query: dict[str, list[str]]) -> bytes:
        if "at" in query:
            times = [parse_us(at) // EVERY_US * EVERY_US for at in query["at"]]
        else:
            step_us = int(query["step"][0]) * 1_000_000
            times = list(
                range(parse_us(query["from"][0]), min(parse_us(query["to"][0]), time.time_ns() // 1000), step_us)
            )
        items: list[dict[str, Any]] = []
        for camera in query["camera"]:
            pictures = [[at, 0, len(self._jpeg)] for at in times]
            items.append({"camera": camera, "state": "following", "pictures": pictures})
        assert len(items) * len(times) <= 3000, "more than one answer may hold"
        head = json.dumps({"items": items}).encode()
        return struct.pack("<I", len(head)) + head + self._jpeg


def measure(page: Page, pauses: int = 40) -> dict[str, float]:
    """Drag from place to place of the day in view."""
    now_us = time.time_ns() // 1000
    page.evaluate("at => { location.hash = `#/review/${at}` }", format_us(now_us - DAY_US // 2))
    page.wait_for_selector("[data-cell]")
    page.keyboard.press(" ")
    page.get_by_role("button", name="24 h", exact=True).click()
    page.wait_for_timeout(5_000)
    box = page.locator("canvas[role=slider]").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + 8)
    page.mouse.down()
    chance = random.Random(7)
    at = 0.5
    found = []
    for _ in range(pauses):
        to = chance.uniform(0.05, 0.9)
        found.append(page.evaluate(PAUSE, [at, to, 12]))
        at = to
    page.mouse.up()
    first, exact = (sorted(each[n] for each in found) for n in (0, 1))
    return {
        "pauses": pauses, "first_median_ms": round(statistics.median(first)), "first_p90_ms": round(first[len(first) * 9 // 10]),
        "first_worst_ms": round(first[-1]),
        "exact_median_ms": round(statistics.median(exact)), "exact_worst_ms": round(exact[-1]),
    }  # fmt: skip


def main() -> None:
    """The command."""
    with tempfile.TemporaryDirectory() as folder, console_post(Path(folder), 0, 9) as address, sync_playwright() as playwright:  # fmt: skip
        chromium = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        page = chromium.new_page(viewport={"width": 1440, "height": 900})
        PretendedDay(page, 9)
        sign_in(page, address)
        print(json.dumps(measure(page), indent=2))
        chromium.close()


if __name__ == "__main__":
    main()
