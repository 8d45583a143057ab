"""What a child says of what it has learnt: of its own cameras, and of a form that the server can take."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from longwatch.base.clock import ManualClock
from longwatch.detection.stream_watch import StreamWatch
from longwatch.node.watch.watcher import Watcher, _ask_us
from longwatch.node.watch.watcher_cameras import Watching
from longwatch.wire.frames import Decoder, Frame
from longwatch.wire.looking import Row


class Out:
    def __init__(self, unread: int = 0) -> None:
        self.said: list[bytes] = []
        self.unread = unread

    def get_write_buffer_size(self) -> int:
        return self.unread

    def write(self, data: bytes) -> None:
        self.said.append(data)


def watcher(out: Out) -> Any:
    made: Any = Watcher(ManualClock(), out)  # type: ignore[arg-type]  # only what is said to it
    for name in ("gate", "yard"):
        made._cameras[name] = Watching(name, "sub", {}, StreamWatch(5.0), b"before", 0)
    return made


@pytest.mark.parametrize(
    ("header", "taken"),
    [
        ({"camera": "gate", "looked": 600, "heat_bytes": 4608}, True),
        ({"camera": "yard", "looked": 600, "heat_bytes": 4608}, False),
        ({"camera": "gate", "looked": None, "heat_bytes": 4608}, False),
        ({"camera": "gate", "looked": -1, "heat_bytes": 4608}, False),
        ({"camera": "gate", "looked": 70_000, "heat_bytes": 4608}, False),
        ({"camera": "gate", "looked": True, "heat_bytes": 4608}, False),
        ({"camera": "gate", "looked": 600, "heat_bytes": 8}, False),
        ({"camera": "gate", "looked": 600, "heat_bytes": 9999}, False),
    ],
)
def test_a_child_speaks_for_its_own_cameras_and_in_the_form_that_is_known(header: dict[str, Any], taken: bool) -> None:
    out = Out()
    slot = SimpleNamespace(running=SimpleNamespace(known={"gate": 1}, job=None, camera=""))
    made = watcher(out)
    made._answered(slot, Frame({"type": "saved", **header}, bytes(4608) + b"after"))
    assert bool(out.said) is taken
    assert made._cameras["gate"].saved == (b"after" if taken else b"before")


def test_what_moved_is_told_each_minute_and_what_was_learnt_stays_as_it_was_known_last() -> None:
    out = Out()
    slot = SimpleNamespace(running=SimpleNamespace(known={"gate": 1}, job=None, camera=""))
    made = watcher(out)
    made._answered(slot, Frame({"type": "saved", "camera": "gate", "looked": 600, "heat_bytes": 4608}, bytes(4608)))
    [told] = Decoder().feed(out.said[0])
    assert (told.header["learnt"], told.header["gate_bytes"], len(told.body)) == (False, 0, 4608)
    assert made._cameras["gate"].saved == b"before"


def test_what_was_learnt_is_asked_for_more_rarely_than_what_moved() -> None:
    made = watcher(Out())
    asked: list[dict[str, Any]] = []
    running = SimpleNamespace(known={"gate": 1}, job=None, camera="")
    made._slots = [
        SimpleNamespace(is_idle=True, running=running, send=lambda data: asked.append(Decoder().feed(data)[0].header))
    ]
    for minute in range(10):
        made._save(made._cameras["gate"], 10_000_000_000 + minute * 60_000_000)
    assert [each["learnt"] for each in asked] == [True, False, False] * 3 + [True]


@pytest.mark.parametrize(("problem", "heard_s", "asked_s"), [("", 1, 60), ("", 9, 10), ("there is no stream", 1, 10)])
def test_the_recorder_is_asked_soon_again_only_where_nothing_is_heard(problem: str, heard_s: int, asked_s: int) -> None:
    camera = watcher(Out())._cameras["gate"]
    camera.problem = problem
    camera.watch.batch([Row(100_000_000, 0, 0, 900, 0, 0)], b"", 0, 0, 0)
    assert _ask_us(camera, 100_000_000 + heard_s * 1_000_000) == asked_s * 1_000_000


def test_what_was_seen_and_could_not_be_told_is_not_called_looked_at() -> None:
    made = watcher(Out(unread=1 << 30))
    camera = made._cameras["gate"]
    done: list[dict[str, Any]] = []
    camera.watch.done = lambda **told: done.append(told)
    said = {"cpu_us": 1, "pictures": 1, "decoded": 1, "failed": 0, "curious": False, "blind": False}
    made._looked(camera, {**said, "sightings": [{"kind": "motion"}]})
    made._looked(camera, {**said, "sightings": []})
    assert [told["blind"] for told in done] == [True, False]
    assert made._unsaid == 1


@pytest.mark.parametrize("cpu_us", [10**400, 1e308, float("inf"), -5, True, None, "1"])
def test_nobody_waits_for_what_a_child_says_it_used(cpu_us: object) -> None:
    made = watcher(Out())
    said = {
        "cpu_us": cpu_us,
        "pictures": 10**30,
        "decoded": 1,
        "failed": 0,
        "curious": False,
        "blind": False,
        "sightings": [],
    }
    made._looked(made._cameras["gate"], said)
    used_us = made._scheduler._account("gate").used_us
    assert 0 <= used_us <= 20_000_000
    assert made._cameras["gate"].watch.counts.pictures <= 10_000


@pytest.mark.parametrize(
    ("said", "taken"),
    [([0.5, 2], [0.5, 2.0]), ([-3.0, 1e300], [0.0, 1e6]), ([float("nan")], [0.0]), ([10**400, None], [1e6, None]), (["9"], []), ([True], []), (7, []), (None, [])],
)  # fmt: skip
def test_what_a_child_says_of_vectors_is_bounded_or_not_taken(said: Any, taken: list[float | None]) -> None:
    made = watcher(Out())
    watch = made._cameras["gate"].watch
    heard: list[dict[str, Any]] = []
    watch.done = lambda **told: heard.append(told)
    told = {"cpu_us": 5, "sightings": [], "curious": False, "pictures": 0, "decoded": 0, "failed": 0, "stirs": said}
    made._looked(made._cameras["gate"], told)
    assert heard[0]["stirs"] == taken
    assert heard[0]["failed"] == (0 if taken else 1)
