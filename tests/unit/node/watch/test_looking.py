"""The watcher as the server sees it: told what to watch, believed as far as it makes sense, started again, and its memory kept."""

from __future__ import annotations

import asyncio
import json
import sys
from array import array
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from tests.support.wait import until

from longwatch.base.clock import SystemClock
from longwatch.config import compose
from longwatch.detection.heat_hours import CELLS
from longwatch.model.events import Sighting
from longwatch.model.watching import Doing, LookOrders
from longwatch.node.watch.looking import Looking
from longwatch.node.watch.options import orders_of

SETTINGS = """
post: {id: a}
data: /d
detection: {cores: 2, workers: 3, model: models/a, objects_per_second: 3}
cameras:
  gate:
    streams: {main: rtsp://u:hunter2-canary@h/1, sub: rtsp://u:hunter2-canary@h/2}
    detect: {fps: 3, attention: close, sensitivity: 0.7, objects: [person]}
    masks: [{name: window, polygon: [[0, 0], [1, 0], [1, 1]]}]
    zones: [{name: Road, polygon: [[0, 0], [1, 0], [1, 1]], kinds: [person], dwell: 30s, objects: [vehicle]}]
    lines: [{name: Door, from: [0, 0.5], to: [1, 0.5], direction: left_to_right}]
  off: {streams: {main: rtsp://h/3}, detect: false}
"""
WATCHER = """
import json, os, sys, time
from longwatch.wire.frames import Decoder, encode, hello
folder = sys.argv[1]
out = sys.stdout.buffer
out.write(hello("watcher")); out.flush()
decoder = Decoder()
with open(folder + "/starts", "a") as file: file.write("x")
while data := os.read(0, 65536):
    for frame in decoder.feed(data):
        with open(folder + "/heard", "a") as file: file.write(json.dumps({**frame.header, "body": len(frame.body)}) + chr(10))
        if frame.type == "watch":
            for line in open(folder + "/says").read().splitlines():
                said = json.loads(line)
                out.write(encode(said["header"], bytes.fromhex(said.get("body", "")))); out.flush()
            if os.path.exists(folder + "/end"):
                os.remove(folder + "/end"); sys.exit(1)
"""
COUNTS = {name: 0 for name in ("told", "pictures", "decoded", "skipped", "failed", "missed", "deaths", "cpu_us", "open_us", "closed_us", "behind_us", "vectors_asked", "objects_asked", "objects_skipped")}  # fmt: skip
MODEL = {"doing": "none", "why": "", "name": "", "version": "", "licence": "", "finds": [], "ask_us": 0, "deaths": 0}


def state(camera: str, spans: list[list[int]], **more: Any) -> dict[str, Any]:
    each = {"stream": "sub", "doing": "looking", "why": "", "gate": "quiet", "sizes_tell": True, "level": "all", "spans": spans, **COUNTS, **more}  # fmt: skip
    return {
        "type": "state", "connected": True, "cpu_us": 1, "rss_bytes": 2, "unsaid": 0, "children": [{"pid": 1, "rss_bytes": 2, "cpu_us": 3, "deaths": 0}],
        "cameras": {camera: each}, "model": MODEL,
    }  # fmt: skip


class Told:
    """Who makes events."""

    def __init__(self) -> None:
        self.seen: list[Sighting] = []
        self.until: list[tuple[str, int]] = []
        self.gone: list[str] = []

    async def sightings(self, found: Sequence[Sighting]) -> None:
        self.seen += found

    async def looked(self, camera: str, until_us: int) -> None:
        self.until.append((camera, until_us))

    def lost(self, camera: str) -> None:
        self.gone.append(camera)


class Case:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.told = Told()
        self.orders = orders_of(compose(Path("x.yml"), SETTINGS, {}, Path("/etc")))
        (folder / "watcher.py").write_text(WATCHER)
        command = (sys.executable, str(folder / "watcher.py"), str(folder))
        self.looking = Looking(lambda: self.orders, folder / "sock", folder / "kept", SystemClock(), self.told, command)
        self.task: asyncio.Task[None] | None = None

    def says(self, *frames: dict[str, Any], body: bytes = b"") -> None:
        lines = [
            json.dumps({"header": frame, "body": body.hex() if frame["type"] == "saved" else ""}) for frame in frames
        ]
        (self.folder / "says").write_text("\n".join(lines))

    def start(self) -> None:
        self.task = asyncio.get_running_loop().create_task(self.looking.run())

    def heard(self) -> list[dict[str, Any]]:
        path = self.folder / "heard"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


@pytest.fixture
async def case(tmp_path: Path):
    made = Case(tmp_path)
    yield made
    if made.task is not None:
        made.task.cancel()
        await asyncio.gather(made.task, return_exceptions=True)


async def test_it_is_told_what_to_watch_without_an_address_or_a_password(case: Case):
    case.says()
    case.start()
    await until(lambda: any(each["type"] == "watch" for each in case.heard()))
    (told,) = [each for each in case.heard() if each["type"] == "watch"]
    assert "hunter2" not in json.dumps(told)
    assert "rtsp" not in json.dumps(told)
    assert (told["cores"], told["workers"], list(told["cameras"])) == (2.0, 3, ["gate"])
    assert (told["model"], told["model_mark"], told["asks"]) == ("/etc/models/a", "", 3.0)
    gate = told["cameras"]["gate"]
    assert gate["watched"]["objects"] == ["person"]
    assert (gate["stream"], gate["fps"], gate["attention"]) == ("sub", 3.0, "close")
    assert gate["watched"]["zones"] == [
        ["Road", [[0, 0], [1, 0], [1, 1]], ["object.person"], 30_000_000, False, ["vehicle"]]
    ]
    assert gate["watched"]["lines"] == [["Door", [[0, 0.5], [1, 0.5]], "left_to_right"]]
    assert gate["watched"]["ignored"] == [[[0, 0], [1, 0], [1, 1]]]


async def test_what_it_sees_is_handed_on_and_how_far_it_came_is_known(case: Case):
    seen = {"kind": "motion", "at": 5, "score": 0.5, "box": [0, 0, 2, 0.5], "track": 3, "zones": ["Road"]}
    bad = {"type": "sightings", "camera": "gate", "items": [{"kind": 7}]}
    strange = {"type": "sightings", "camera": "nobody", "items": [seen]}
    good = {"type": "sightings", "camera": "gate", "items": [seen]}
    case.says(bad, strange, good, state("gate", [[10, 20], [30, 90]], behind_us=5), state("nobody", [[1, 2]]))
    case.start()
    await until(lambda: case.told.until)
    assert case.told.seen == [Sighting("gate", "motion", 5, 0.5, (0.0, 0.0, 1.0, 0.5), 3, ("Road",))]
    assert case.told.until == [("gate", 90)]
    assert case.looking.looked("gate") == (), (
        "something that was seen before now cannot be read: it may have been an event"
    )
    case.looking._doubt_us.clear()
    assert case.looking.looked("gate") == ((10, 20), (30, 90))
    assert case.looking.looked_until("gate") == 90
    known = case.looking.state("gate")
    assert known is not None
    assert (known.doing, known.behind_us, known.looked_until_us) == (Doing.LOOKING, 5, 90)
    assert [each.doing for each in case.looking.states()] == [Doing.LOOKING, Doing.OFF]
    assert case.looking.state("nobody") is None
    assert case.looking.watcher.children[0]["cpu_us"] == 3


async def test_one_that_ends_is_started_again_and_that_is_said(case: Case):
    case.says(state("gate", [[10, 20]]))
    (case.folder / "end").touch()
    case.start()
    await until(lambda: case.told.until)
    await until(lambda: case.looking.watcher.restarts == 1 and case.looking.watcher.running)
    assert (case.folder / "starts").read_text() == "xx"
    assert case.looking.looked("gate") == ((10, 20),), "what was looked at stays so"


async def test_what_was_learnt_is_kept_over_a_start(case: Case):
    moved = array("H", [20, *[0] * (CELLS - 1)]).tobytes()
    saved = {"type": "saved", "camera": "gate", "gate_bytes": 4, "looked": 600, "heat_bytes": len(moved)}
    case.says(saved, {**saved, "camera": "nobody"}, body=b"gate" + moved + b"looker")
    case.start()
    await until(lambda: (case.folder / "kept" / "gate.state").exists())
    assert case.task is not None
    case.task.cancel()
    await asyncio.gather(case.task, return_exceptions=True)
    assert sorted(path.name for path in (case.folder / "kept").iterdir()) == ["gate.movement", "gate.state"]
    (case.folder / "kept" / "gone.movement").write_bytes(b"of a camera that was taken out of the settings")
    again = Case(case.folder)
    known = await again.looking.moved("gate", 24)
    assert (known.seconds[:2], known.looked_s) == ((2.0, 0.0), 60.0), "and so is what moved where"
    again.says()
    (case.folder / "heard").unlink()
    again.start()
    await until(lambda: any(each["type"] == "watch" for each in again.heard()))
    assert again.task is not None
    again.task.cancel()
    await asyncio.gather(again.task, return_exceptions=True)
    told = next(each for each in again.heard() if each["type"] == "saved")
    assert (told["camera"], told["gate_bytes"], told["body"]) == ("gate", 4, 10)
    assert not (case.folder / "kept" / "gone.movement").exists()


async def test_what_moved_alone_is_added_and_replaces_nothing_that_was_learnt(case: Case):
    moved = array("H", [20, *[0] * (CELLS - 1)]).tobytes()
    saved = {
        "type": "saved",
        "camera": "gate",
        "gate_bytes": 0,
        "looked": 600,
        "heat_bytes": len(moved),
        "learnt": False,
    }
    case.says(saved, state("gate", [[10, 20]]), body=moved)
    case.start()
    await until(lambda: case.told.until)
    assert (await case.looking.moved("gate", 24)).seconds[0] == 2.0
    assert not (case.folder / "kept" / "gate.state").exists()


async def test_where_nothing_is_to_be_looked_at_nothing_runs_and_a_change_is_heard_at_once(case: Case):
    wanted, case.orders = case.orders, LookOrders((), ("gate", "off"))
    case.looking.changed()
    case.says(state("gate", [[10, 20]]))
    case.start()
    await until(lambda: case.told.gone == ["gate", "off"])
    assert not (case.folder / "starts").exists()
    case.orders = wanted
    case.looking.changed()
    await until(lambda: case.told.until)
    case.orders = LookOrders((), ("gate", "off"))
    case.looking.changed()
    await until(lambda: not case.looking.watcher.running)
    state_now = case.looking.state("gate")
    assert state_now is not None
    assert state_now.doing is Doing.OFF


async def test_a_post_without_what_looks_says_so_and_starts_nothing(case: Case):
    case.orders = LookOrders(case.orders.cameras, case.orders.all_cameras, installed=False)
    case.looking.changed()
    case.start()
    await until(lambda: case.told.gone)
    known = case.looking.state("gate")
    assert known is not None
    assert known.doing is Doing.NOT_INSTALLED
    assert "watch" in known.why
    assert not (case.folder / "starts").exists()
