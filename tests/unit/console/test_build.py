"""What is shipped to a browser, judged without one: its logic, its weight, and that it asks nobody else for anything."""

from __future__ import annotations

import gzip
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[3]
CONSOLE = ROOT / "console"
STATIC = ROOT / "src/longwatch/web/static"
MOST_SCRIPT_BYTES = 150_000
# Names of XML vocabularies, of Svelte's own error pages and examples of a camera's address are no requests. Nor is what MapLibre
# names: its licence, issues it works around, a base that addresses are parsed against, and the words of a control that is off.
HARMLESS = re.compile(
    r"https?://(www\.w3\.org/|svelte\.dev/|maplibre\.(org|invalid)/|github\.com/map(box|libre)/|wiki\.openstreetmap\.org/wiki/This_map_requires)"
    r"|//10\.0\.0\.5/"
)

needs_node = pytest.mark.skipif(not (CONSOLE / "node_modules").exists(), reason="no node_modules: run `make install`")
needs_build = pytest.mark.skipif(not STATIC.exists(), reason="the pages are not built: run `make console`")


def npm(script: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [shutil.which("npm") or "npm", "run", "--silent", script],
        cwd=CONSOLE,
        capture_output=True,
        text=True,
        timeout=540,  # it only bounds a failure: a slow machine takes its time to check types
        check=False,
    )


@needs_node
def test_the_logic_of_timelines_passes_its_own_tests() -> None:
    done = npm("test")
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"^# pass [1-9]", done.stdout, re.MULTILINE)


@needs_node
def test_types_and_roles_are_checked_without_a_warning() -> None:
    done = npm("check")
    assert done.returncode == 0, done.stdout + done.stderr


def first_page() -> list[Path]:
    """The scripts that a visitor reads before the wall stands: the entry, what it imports at once, and the words of one language."""
    modules = json.loads((STATIC / "modules.json").read_text("utf-8"))
    wanted, found = ["index.html", "src/i18n/fr/index.ts"], set()
    while wanted:
        name = wanted.pop()
        if name not in found:
            found.add(name)
            wanted += modules[name].get("imports", [])
    return [STATIC / modules[name]["file"] for name in found]


@needs_build
def test_the_first_page_is_light() -> None:
    scripts = first_page()
    assert len(scripts) >= 2
    weight = sum(len(gzip.compress(script.read_bytes())) for script in scripts)
    print(f"the first page reads {weight} bytes of script, compressed, in {len(scripts)} files")
    assert weight < MOST_SCRIPT_BYTES


@needs_build
def test_what_the_service_worker_keeps_first_is_what_the_page_opens_with() -> None:
    listed = json.loads((STATIC / "assets.json").read_text("utf-8"))
    names = {path.relative_to(STATIC).as_posix() for path in first_page()}
    assert names <= set(listed["first"])
    assert all((STATIC / name).is_file() for name in [*listed["first"], *listed["files"]])


@needs_build
def test_the_page_has_nothing_inline_and_nothing_foreign() -> None:
    page = (STATIC / "index.html").read_text("utf-8")
    assert not re.search(r"<style|\sstyle=|\son\w+=|javascript:", page)
    assert re.findall(r"<script(?![^>]*\ssrc=\"/)", page) == []
    for file in STATIC.rglob("*"):
        if file.is_file() and file.suffix != ".png":
            addresses = re.findall(r"(?:https?:)?//[\w.-]+\.\w+/[^\s\"'`]*", file.read_text("utf-8"))
            assert [one for one in addresses if not HARMLESS.match(one)] == [], file.name


def test_the_lock_names_no_registry() -> None:
    lock = (CONSOLE / "package-lock.json").read_text("utf-8")
    assert '"resolved"' not in lock


def test_the_lock_is_whole_for_every_machine() -> None:
    """`npm ci` refuses a lock without the native parts of other machines, which npm drops where a registry lacks them."""
    packages = json.loads((CONSOLE / "package-lock.json").read_text("utf-8"))["packages"]
    for path, package in packages.items():
        assert path == "" or package["integrity"].startswith("sha512-"), path
        for name in package.get("optionalDependencies", {}):
            assert f"node_modules/{name}" in packages, f"{path} wants {name}"
