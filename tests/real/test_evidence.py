"""The whole way: a post records a camera, the camera goes, a stretch is exported as evidence while the recorder runs, and strangers check it.

What is run is what a user runs: `longwatch export`, `longwatch verify`, check.py by a bare Python with openssl, a C2PA reader, a player.
"""

from __future__ import annotations

import io
import json
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import av
import pytest
from tests.e2e.post import Cameras
from tests.support.post import Post, running_post
from tests.support.wait import until_now

from longwatch.base.rfc3339 import format_us, parse_us
from longwatch.evidence.c2pa_copy import read_copy
from longwatch.simulate.camera import LOT, SimulatedCamera

pytestmark = pytest.mark.slow

PASSWORD = "hunter2zz"


def longwatch(*words: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "longwatch.cli", *map(str, words)],
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )


@pytest.fixture(scope="module")
def post(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Post, Path, dict]]:
    """A post whose camera `gate` went dark; and the export of all its time, made while the recorder runs."""
    folder = tmp_path_factory.mktemp("evidence")
    cameras = Cameras()
    gate, yard = (
        cameras.add(name, lambda: SimulatedCamera(LOT, user="viewer", password=PASSWORD)) for name in ("gate", "yard")
    )
    urls = {"gate": gate.url, "yard": yard.url}
    with running_post(folder, urls) as running:
        began = running.recorded_until("gate")
        until_now(
            lambda: running.recorded_until("gate") > format_us(parse_us(began) + 4_000_000), "four seconds of gate"
        )
        cameras.stop("gate")
        until_now(lambda: _is_dark(running), "the gap of gate")
        to = format_us(time.time_ns() // 1000 + 3_600_000_000)
        done = longwatch(
            "export", "gate", "--from", began, "--to", to, "--out", folder / "gate.zip", "--evidence", "--reason", "request 17",
            "--config", running.config, "--json",
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        (folder / "check.py").write_bytes(_files(folder)["check.py"])
        yield running, folder, json.loads(done.stdout)


def _is_dark(running: Post) -> bool:
    gaps = running.get(
        "/api/v1/gaps", **{"from": "2020-01-01T00:00:00Z", "to": format_us(time.time_ns() // 1000), "camera": "gate"}
    )
    return any(gap["cause"].startswith("camera_") for gap in gaps.json()["items"])


def _files(folder: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(folder / "gate.zip") as zipped:
        return {name: zipped.read(name) for name in zipped.namelist()}


def test_up_to_now_everything_is_sealed_and_every_second_is_told(post):
    _, folder, told = post
    assert told["warnings"] == []
    said = json.loads(_files(folder)["manifest.json"])
    totals = said["totals"]
    assert totals["recorded_us"] > 4_000_000
    assert totals["unsealed_us"] == 0
    assert totals["recorded_us"] + totals["gap_us"] == said["span"]["to_us"] - said["span"]["from_us"]
    assert {gap["cause"] for gap in said["timeline"] if gap["state"] == "gap"} <= {
        "camera_unreachable",
        "camera_switched_off",
        "unknown",
    }
    assert all(segment["entry"] is not None for segment in said["segments"])


def test_verify_and_the_page_say_that_it_holds(post):
    _, folder, told = post
    done = longwatch("verify", folder / "gate.zip", "--key", told["key"])
    assert done.returncode == 0, done.stdout + done.stderr
    assert longwatch("verify", folder / "gate.zip").returncode == 0
    assert longwatch("verify", folder / "gate.zip", "--key", "SHA256:" + "A" * 43).returncode == 1
    page = subprocess.run(
        [sys.executable, "-I", "-S", "check.py", "gate.zip", told["key"]], cwd=folder, capture_output=True, text=True, timeout=180, check=False
    )  # fmt: skip
    assert (page.returncode, page.stdout.splitlines()[-1], page.stderr) == (0, "OK", "")


def test_one_changed_picture_is_named_by_its_second(post, tmp_path):
    _, folder, _ = post
    files = _files(folder)
    said = json.loads(files["manifest.json"])
    segment = said["segments"][-1]
    at = segment["header_bytes"] + segment["fragments"][0][0] // 2
    data = bytearray(files[segment["file"]])
    data[at] ^= 4
    with zipfile.ZipFile(tmp_path / "p.zip", "w") as zipped:
        for name, each in (files | {segment["file"]: bytes(data)}).items():
            zipped.writestr(name, each)
    done = longwatch("verify", tmp_path / "p.zip", "--json")
    assert done.returncode == 1
    assert "gate" in done.stdout
    assert format_us(segment["fragments"][0][1]) in done.stdout
    page = subprocess.run(
        [sys.executable, "-I", "-S", folder / "check.py", tmp_path / "p.zip"], capture_output=True, text=True, timeout=180, check=False
    )  # fmt: skip
    assert page.returncode == 1
    assert "gate" in page.stdout


def test_players_play_it_and_a_c2pa_reader_calls_the_copy_valid(post):
    _, folder, _ = post
    files = _files(folder)
    counts = []
    for name in ("video.mp4", "video-c2pa.mp4"):
        with av.open(io.BytesIO(files[name])) as file:
            counts.append(sum(1 for _ in file.decode(video=0)))
    assert counts[0] == counts[1] > 30
    for name in (each for each in files if each.startswith("segments/")):
        with av.open(io.BytesIO(files[name])) as file:
            assert sum(1 for packet in file.demux(video=0) if packet.size) > 0
    (folder / "copy.mp4").write_bytes(files["video-c2pa.mp4"])
    assert read_copy(folder / "copy.mp4")["state"] == "Valid"


def test_nothing_leaks(post):
    _, folder, _ = post
    for name, data in _files(folder).items():
        assert PASSWORD.encode() not in data, name
        assert str(folder).encode() not in data, name
        assert b'"yard"' not in data, name


def test_the_ledger_says_who_took_what(post):
    running, *_ = post
    said = running.get("/api/v1/ledger/checkpoint")
    assert said.status_code == 200
    assert said.text.startswith("longwatch/ridge/")
    again = longwatch(
        "export",
        "gate",
        "--from",
        "2020-01-01T00:00:00Z",
        "--to",
        "2020-01-01T00:00:01Z",
        "--out",
        "x",
        "--config",
        running.config,
    )
    assert again.returncode == 1, "there is no video of it, and the try is an entry"
