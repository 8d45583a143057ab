"""Pictures of every page of the console, for docs/: `python -m tools.pictures [--out docs/images/console]`.

Starts a demo of its own, lets it record a little, does what leaves something to see (a pause, a protected stretch, an export), and takes
each page dark and light, on a desk and on a telephone. `--network`: of a network, at its station and at one of its posts.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import random
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from playwright.sync_api import APIRequestContext, Browser, sync_playwright

RECORD_S = 75
SIZES = {"desk": (1440, 900), "phone": (390, 844)}
PLACES = {
    "wall": "", "camera": "camera/gate", "review": "review", "duties": "duties", "reports": "reports", "exports": "exports",
    "holds": "holds", "settings": "settings", "add-camera": "cameras/new", "masks": "masks/gate", "people": "people", "audit": "audit",
    "health": "health", "profile": "profile", "events": "events", "notifications": "notifications",
}  # fmt: skip


# Of the network: name, whose page, path.
NETWORK = {
    "posts": ("Valley station", "posts"), "post": ("Valley station", "posts/north-ridge"), "station": ("Valley station", ""),
    "at-post": ("Valley station", "camera/north-ridge.gate/{then}"), "link": ("North ridge lookout", "link"),
}  # fmt: skip
GRAPHICS = ["--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]  # the map draws by WebGL


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("docs/images/console"))
    parser.add_argument("--only", nargs="*", default=[])
    parser.add_argument("--network", action="store_true")
    asked = parser.parse_args()
    asked.out.mkdir(parents=True, exist_ok=True)
    if asked.network:
        network(asked.out, asked.only)
        return
    with tempfile.TemporaryDirectory() as folder:
        port = free_port()
        command = [sys.executable, "-m", "longwatch.cli", "demo", "--cameras", "4", "--listen", f"127.0.0.1:{port}"]
        demo = subprocess.Popen([*command, "--data", folder], stdout=subprocess.PIPE, text=True)
        try:
            said = told(demo)
            time.sleep(RECORD_S)
            with sync_playwright() as playwright:
                chromium = playwright.chromium.launch(
                    executable_path=shutil.which("chromium"), args=["--no-sandbox", "--headless=new"]
                )
                take(chromium, f"http://127.0.0.1:{port}", said, asked.out, asked.only)
                chromium.close()
        finally:
            demo.terminate()
            demo.wait(15)


def network(out: Path, only: list[str]) -> None:
    # Seven ports in a row, from where the system gives none away.
    listen = f"127.0.0.1:{random.randrange(20_000, 32_000)}"
    command = [sys.executable, "-m", "longwatch.cli", "demo", "--network", "--listen", listen]
    demo = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        sites: dict[str, str] = {}
        login = told(demo, sites)
        time.sleep(2 * RECORD_S)
        with sync_playwright() as playwright:
            chromium = playwright.chromium.launch(
                executable_path=shutil.which("chromium"), args=["--no-sandbox", "--headless=new", *GRAPHICS]
            )
            take_network(chromium, sites, login, out, only)
            chromium.close()
    finally:
        demo.terminate()
        demo.wait(30)


def take_network(browser: Browser, sites: dict[str, str], login: dict[str, str], out: Path, only: list[str]) -> None:
    now = dt.datetime.now(dt.UTC)
    then = (now - dt.timedelta(seconds=105)).isoformat(timespec="seconds").replace("+00:00", "Z")
    prepared = False
    for look in ("dark", "light"):
        for size, (width, height) in SIZES.items():
            context = browser.new_context(
                viewport={"width": width, "height": height},
                color_scheme=look,
                has_touch=size == "phone",
                locale="en-GB",
            )
            page = context.new_page()
            for name, (site, path) in NETWORK.items():
                if only and name not in only:
                    continue
                base = sites[site]
                sign_in(context.request, base, login)
                if not prepared:
                    prepare_network(context.request, base, sites["links"], now)
                    prepared = True
                page.goto(base)
                page.evaluate("localStorage.setItem('longwatch-signed-in', 'yes')")
                page.goto(f"{base}/#/{path.format(then=then)}")
                page.reload()
                page.wait_for_timeout(9_000)
                page.screenshot(path=out / f"{name}-{look}-{size}.jpg", type="jpeg", quality=82)
            context.close()


def prepare_network(request: APIRequestContext, base: str, links: str, now: dt.datetime) -> None:
    """One stretch that has come, one on its way over a thin link, and one post that is silent."""
    headers = {"Content-Type": "application/json", "Origin": base}
    for camera, ago, thin in (("gate", 125, False), ("lookout", 120, True)):
        begin = now - dt.timedelta(seconds=ago)
        span = [(begin + dt.timedelta(seconds=n)).isoformat().replace("+00:00", "Z") for n in (0, 12)]
        if thin:
            request.post(f"{links}/links/north-ridge/thin")
            request.post(f"{links}/links/river-dam/cut")
        body = {"camera": f"north-ridge.{camera}", "from": span[0], "to": span[1], "reason": "a fox at the fence"}
        answer = request.post(f"{base}/api/v1/requests", data=json.dumps(body), headers=headers)
        if not answer.ok:
            print(camera, answer.status, answer.text())
        time.sleep(20)


def sign_in(request: APIRequestContext, base: str, login: dict[str, str]) -> None:
    answer = request.post(
        f"{base}/api/v1/login", data=json.dumps(login), headers={"Content-Type": "application/json", "Origin": base}
    )
    assert answer.ok, answer.text()


def take(browser: Browser, base: str, login: dict[str, str], out: Path, only: list[str]) -> None:
    """Events first: those of a camera whose recording is paused have no pictures."""
    wanted = [name for name in (*PLACES, "notice") if not only or name in only]
    prepared = False
    for names in (["events"], [name for name in wanted if name != "events"]):
        for look in ("dark", "light"):
            for size, (width, height) in SIZES.items():
                if not set(names) & set(wanted):
                    continue
                context = browser.new_context(
                    viewport={"width": width, "height": height},
                    color_scheme=look,
                    has_touch=size == "phone",
                    locale="en-GB",
                )
                sign_in(context.request, base, login)
                if names != ["events"] and not prepared:
                    prepare(context.request, base)
                    prepared = True
                page = context.new_page()
                page.goto(base)
                page.evaluate("localStorage.setItem('longwatch-signed-in', 'yes')")
                for name in names:
                    page.goto(f"{base}/{name}" if name == "notice" else f"{base}/#/{PLACES[name]}")
                    if name != "notice":
                        page.reload()
                        page.wait_for_timeout(3_500)
                    page.screenshot(path=out / f"{name}-{look}-{size}.jpg", type="jpeg", quality=82)
                context.close()


def prepare(request: APIRequestContext, base: str) -> None:
    """Something to see on every page. What a post refuses is printed, and the picture shows the page without it."""
    now = dt.datetime.now(dt.UTC)

    def at(seconds_ago: float) -> str:
        return (now - dt.timedelta(seconds=seconds_ago)).isoformat().replace("+00:00", "Z")

    for path, body in {
        "cameras/workshop/pause": {"reason": "work on the mast", "for_s": 900},
        "holds": {"cameras": ["yard"], "from": at(60), "to": at(20), "reason": "a fox at the fence"},
        "exports": {
            "cameras": ["gate", "lookout"],
            "from": at(60),
            "to": at(20),
            "kind": "evidence",
            "reason": "request 17",
        },
    }.items():
        answer = request.post(
            f"{base}/api/v1/{path}", data=json.dumps(body), headers={"Content-Type": "application/json", "Origin": base}
        )
        if not answer.ok:
            print(path, answer.status, answer.text())
    time.sleep(8)


def told(demo: subprocess.Popen[str], others: dict[str, str] | None = None) -> dict[str, str]:
    """Who may sign in; into `others` what else has an address."""
    found: dict[str, str] = {}
    assert demo.stdout is not None
    for line in demo.stdout:
        if others is not None and (place := re.match(r"([\w ]+): (http\S+)", line)):
            others[place[1]] = place[2]
        if match := re.match(r"(user|password): (.*)", line):
            found["name" if match[1] == "user" else "password"] = match[2].strip()
        if len(found) == 2:
            return found
    raise SystemExit("the demo did not come up")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    main()
