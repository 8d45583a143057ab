"""The live wall in Chromium: how soon a tile has its first picture, and how old its pictures are.

python -m benchmarks.live_wall [tiles ...]

Loopback, a post with that many simulated cameras (768x432, real pictures: a decoder has to take them), a wall of that many tiles. The first picture: from the page's wish for
it to the browser's word that the frame was presented (`requestVideoFrameCallback`). The age: the post's clock when the page looks,
against the sample's arrival at the post. Several visits, each with a browser that remembers nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from benchmarks.post import CLI, Post, percentile, post, wait_until_recording
from longwatch.simulate.camera import LOT, ROOM, SimulatedCamera

VISITS = 3
LOOKS = 20
PASSWORD = "a bench on the ridge"
_FLAGS = ["--no-sandbox", "--headless=new", "--autoplay-policy=no-user-gesture-required"]
_ALL_SHOWN = """count => document.querySelectorAll('.frame[data-live=yes][data-first]').length >= count"""
_FIRST = """() => [...document.querySelectorAll('.frame')].map(frame => Number(frame.dataset.first))"""
_AGES = """() => [...document.querySelectorAll('.frame[data-picture]')].map(frame => Date.now() - Number(frame.dataset.picture))"""


@contextlib.contextmanager
def _cameras(count: int) -> Iterator[list[str]]:
    """Simulated cameras on a loop of their own; their URLs."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    async def started() -> list[SimulatedCamera]:
        made = [SimulatedCamera((LOT, ROOM)[n % 2], offset_s=n * 3.0) for n in range(count)]
        for camera in made:
            await camera.start()
        return made

    async def closed(made: list[SimulatedCamera]) -> None:
        for camera in made:
            await camera.close()

    made = asyncio.run_coroutine_threadsafe(started(), loop).result(30)
    try:
        yield [camera.url for camera in made]
    finally:
        asyncio.run_coroutine_threadsafe(closed(made), loop).result(30)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)


def _measured(count: int) -> dict[str, object]:
    folder = Path(tempfile.mkdtemp(prefix="longwatch-bench-"))
    try:
        with _cameras(count) as urls, post(folder, urls) as running:
            subprocess.run(
                [*CLI, "user", "add", "bench", "--role", "viewer", "--password-stdin", "--config", str(running.config)],
                input=PASSWORD + "\n", text=True, capture_output=True, check=True,
            )  # fmt: skip
            wait_until_recording(running, count)
            return _visits(running, count)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _visits(running: Post, count: int) -> dict[str, object]:
    firsts: list[float] = []
    ages: list[float] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=_FLAGS)
        for _ in range(VISITS):
            page = _wall(browser, running)
            page.wait_for_function(_ALL_SHOWN, arg=count, timeout=60_000)
            firsts += page.evaluate(_FIRST)
            for _ in range(LOOKS):
                page.wait_for_timeout(250)
                ages += page.evaluate(_AGES)
            page.context.close()
        browser.close()
    return {
        "tiles": count,
        "first picture, median ms": round(percentile(firsts, 0.5)),
        "p95 ms": round(percentile(firsts, 0.95)),
        "age, median ms": round(percentile(ages, 0.5)),
        "age p95 ms": round(percentile(ages, 0.95)),
    }


def _wall(browser: Browser, running: Post) -> Page:
    page = browser.new_context(viewport={"width": 1280, "height": 720}).new_page()
    page.goto(f"{running.base}/#/?screen")
    page.get_by_label("User", exact=True).fill("bench")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    return page


if __name__ == "__main__":
    for tiles in tuple(int(word) for word in sys.argv[1:]) or (1, 4, 9):
        print(_measured(tiles), flush=True)
