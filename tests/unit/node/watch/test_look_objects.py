"""The child that looks, with a model for objects: what moves gets a class, within what it may ask; and a model that is broken, hangs or lies costs what moves its class and nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.support.looked import camera_frame, clip, format_frame, frame_of, job_frame
from tests.support.tiny_models import answering, folder_of, stuck, yolov8
from tests.support.wait import until

from longwatch.base.clock import SystemClock
from longwatch.base.tasks import Tasks
from longwatch.detection.inference import Model
from longwatch.detection.manifest import read_folder
from longwatch.model.events import OBJECTS
from longwatch.node.watch.look_child import Looks
from longwatch.node.watch.look_objects import Objects
from longwatch.node.watch.look_slot import LookSlot
from longwatch.wire.frames import Decoder, Frame, encode, hello

MOVING = clip(18, (12, 16))
STILL, MOVES = MOVING[1][:60], MOVING[1][60:80]
IN_THE_MIDDLE = yolov8((32, 32, 40, 40, 1, 0.8))


def begin(looks: Looks, objects: tuple[str, ...] = OBJECTS) -> None:
    looks.take(frame_of(camera_frame("gate", objects=objects)))
    looks.take(frame_of(format_frame("gate", MOVING[0])))
    for n in range(0, 60, 10):
        looks.take(frame_of(job_frame(n, "gate", MOVING[0], STILL[n : n + 10], fresh=True, asks=4)))


def looked(looks: Looks, asks: int) -> dict[str, Any]:
    (answer,) = looks.take(frame_of(job_frame(1, "gate", MOVING[0], MOVES, fresh=True, asks=asks)))
    return frame_of(answer).header


def objects_of(told: dict[str, Any]) -> list[dict[str, Any]]:
    return [one for one in told["sightings"] if one["kind"].startswith("object.")]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return folder_of(tmp_path_factory.mktemp("model"), answering({"output0": IN_THE_MIDDLE}))


def with_model(folder: Path, say: Any = lambda _: None) -> Looks:
    return Looks(objects=Objects(Model(read_folder(folder)), say))


def test_what_moves_is_asked_about_and_gets_a_class(folder: Path):
    said: list[bool] = []
    looks = with_model(folder, said.append)
    begin(looks)
    assert said == [], "nothing moves, nothing is asked"
    told = looked(looks, 4)
    found = objects_of(told)
    assert {one["kind"] for one in found} == {"object.vehicle"}
    assert len({one["track"] for one in found}) == 1
    moves = {one["at"]: one["box"] for one in told["sightings"] if one["kind"] == "motion" and one.get("on", True)}
    for one in found:
        left, _, right, _ = moves[one["at"]]
        assert left - 0.05 < (one["box"][0] + one["box"][2]) / 2 < right + 0.05
    assert (told["asked"], told["passed"]) == (len(said) // 2, 0)
    assert said == [True, False] * (len(said) // 2)


def test_it_asks_no_oftener_than_it_may_and_says_what_it_left_out(folder: Path):
    looks = with_model(folder)
    begin(looks)
    told = looked(looks, 1)
    assert told["asked"] == 1
    assert told["passed"] >= 3
    assert objects_of(told) == [], "one answer is not enough"
    assert {one["kind"] for one in told["sightings"]} == {"motion"}


def test_a_camera_that_wants_no_objects_has_none(folder: Path):
    looks = with_model(folder)
    begin(looks, ())
    told = looked(looks, 4)
    assert (told["asked"], told["passed"], objects_of(told)) == (0, 0, [])
    begin(looks, ("person",))
    assert objects_of(looked(looks, 4)) == []


@pytest.mark.slow
def test_the_runtime_tells_nobody_of_us(tmp_path: Path):
    """Its telemetry would start a thread and keep a number for this machine in the home folder, as soon as it is loaded."""
    asked = "import os, longwatch.detection.inference; print(len(os.listdir('/proc/self/task')), os.listdir(os.environ['HOME']))"
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "OPENBLAS_NUM_THREADS": "1",
        "OPENCV_FOR_THREADS_NUM": "1",
    }
    ended = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True, env=environment)
    assert ended.stdout.split(" ", 1) == ["1", "[]\n"]


@pytest.mark.slow
def test_without_a_model_nothing_of_it_is_imported():
    asked = "import sys; import longwatch.node.watch.look_child, longwatch.node.watch.watcher; print([n for n in ('onnxruntime', 'longwatch.detection.inference', 'longwatch.node.watch.look_objects') if n in sys.modules])"
    assert (
        subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True).stdout.strip() == "[]"
    )


class Child:
    """The process itself, in a slot of the watcher."""

    def __init__(self, model: str) -> None:
        self.tasks = Tasks("test")
        self.frames: list[Frame] = []
        self.came: list[dict[str, Any]] = []
        self.ended: list[bool] = []
        self.gone: list[tuple[str, bool]] = []
        self.slot = LookSlot(
            SystemClock(), self.tasks, lambda _, frame: self.frames.append(frame), lambda slot, camera: self.gone.append((camera, slot.ended_asking)), lambda _: None,
            on_model=self._model,
        )  # fmt: skip
        self.slot.model = model
        self.slot.start()

    def _model(self, told: dict[str, Any] | None, asked: bool) -> None:
        if told is not None:
            self.came.append(told)
        else:
            self.ended.append(asked)

    async def ready(self) -> None:
        await until(lambda: self.slot.is_idle)

    def give(self, number: int, data: bytes) -> None:
        self.slot.send(data)
        self.slot.began(number, "gate")

    def learn(self) -> None:
        self.slot.send(camera_frame("gate", objects=OBJECTS) + format_frame("gate", MOVING[0]))
        self.slot.send(
            b"".join(job_frame(n, "gate", MOVING[0], STILL[n : n + 10], fresh=True) for n in range(0, 60, 10))
        )

    async def aclose(self) -> None:
        await self.slot.stop()
        await self.tasks.aclose()


@pytest.mark.slow
async def test_the_process_has_given_up_all_and_still_asks(folder: Path):
    child = Child(str(folder))
    try:
        await child.ready()
        await until(lambda: child.came)
        assert child.came[0]["doing"] == "ready"
        assert (child.came[0]["name"], child.came[0]["finds"]) == ("tiny", ["person", "vehicle", "animal"])
        child.learn()
        child.give(99, job_frame(99, "gate", MOVING[0], MOVES, fresh=True, asks=4))
        await until(lambda: any(frame.header.get("job") == 99 for frame in child.frames))
        assert objects_of(child.frames[-1].header)
        assert child.slot.running is not None
        pid = child.slot.running.process.pid
        limits, status = Path(f"/proc/{pid}/limits").read_text(), Path(f"/proc/{pid}/status").read_text()
        assert "Threads:\t1\n" in status
        assert all(
            f"Max {name:<22}{most:<10}".strip() in limits
            for name, most in (("open files", "5"), ("processes", "0"), ("file size", "0"))
        )
        print(next(line for line in status.splitlines() if line.startswith("VmRSS")), "with a model")
    finally:
        await child.aclose()


@pytest.mark.slow
async def test_a_model_that_hangs_is_ended_with_its_child_and_the_next_one_looks_on(tmp_path: Path):
    child = Child(str(folder_of(tmp_path, stuck())))
    try:
        await child.ready()
        await until(lambda: child.came)
        assert child.came[0]["doing"] == "ready", child.came
        child.learn()
        await until(lambda: len(child.frames) == 6)
        child.give(99, job_frame(99, "gate", MOVING[0], MOVES, fresh=True, asks=4))

        def killed() -> bool:
            child.slot.check()
            return bool(child.gone)

        await until(killed)
        assert child.gone == [("gate", True)]
        assert child.ended == [True], "the model is blamed for it"
        await child.ready()
        child.learn()
        child.give(100, job_frame(100, "gate", MOVING[0], MOVES, fresh=True))
        await until(lambda: any(frame.header.get("job") == 100 for frame in child.frames))
        assert {one["kind"] for one in child.frames[-1].header["sightings"]} == {"motion"}
    finally:
        await child.aclose()


def run_child(model: Path) -> list[Frame]:
    """What a child with this model says to a job."""
    ask = hello("watcher") + camera_frame("gate", objects=OBJECTS) + format_frame("gate", MOVING[0])
    ask += job_frame(1, "gate", MOVING[0], STILL[:5], fresh=True, asks=4) + encode({"type": "forget", "camera": "gate"})
    command = [sys.executable, "-m", "longwatch.node.watch.look_child", "--model", str(model)]
    ended = subprocess.run(command, input=ask, capture_output=True, check=True, timeout=120)
    return [frame for frame in Decoder().feed(ended.stdout) if frame.type != "beat"]  # where it is slow


@pytest.mark.slow
@pytest.mark.parametrize(
    ("data", "more", "why"), [(b"no model", {}, "cannot be opened"), (None, {"classes": ["face", "car", "dog"]}, "never of who")],
)  # fmt: skip
def test_a_model_that_is_refused_is_told_of_and_the_child_looks_without_it(
    data: bytes | None, more: dict[str, Any], why: str, tmp_path: Path
):
    model = answering({"output0": IN_THE_MIDDLE}).SerializeToString() if data is None else data
    greeted, told, answer = run_child(folder_of(tmp_path, model, **more))
    assert greeted.type == "hello"
    assert (told.type, told.header["doing"]) == ("model", "failing")
    assert why in told.header["why"]
    assert (answer.type, answer.header["decoded"], answer.header["why"]) == ("looked", 5, "")
    assert answer.header["pictures"] == 3, "nothing is there: every other picture does"
