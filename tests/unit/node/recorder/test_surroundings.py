"""What is around the cameras never stops their recording, whatever is wrong with our own code."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from longwatch.base.clock import ManualClock
from longwatch.model.sessions import StreamKey
from longwatch.model.surroundings import UNKNOWN, Answer, MainsState, Power
from longwatch.node.recorder.surroundings import Around
from longwatch.surroundings import Options, Place

GATE = Options((Place("gate", "10.0.0.5", 554),))


@pytest.fixture
def deaths() -> list[str]:
    return []


@pytest.fixture
def units() -> dict[StreamKey, Any]:
    return {StreamKey("gate", name): SimpleNamespace(recorder=SimpleNamespace(bytes_in=0)) for name in ("main", "sub")}


@pytest.fixture
def around(deaths: list[str], units: dict[StreamKey, Any]) -> Around:
    clock = ManualClock()
    host: Any = SimpleNamespace(wall_us=lambda boot_us: boot_us)
    told = MainsState(Power.OFF, 7)
    return Around(GATE, clock, host, units, lambda _: None, lambda name, error: deaths.append(f"{name}: {error}"), told)


def test_either_stream_is_a_sign_of_the_camera(around: Around, units: dict[StreamKey, Any]) -> None:
    watch = around._watch
    watch._beat()
    for stream in ("main", "sub"):
        before = around.of("gate").address_learnt.asked_boot_us
        watch._clock.tick(1_000_000)
        units[StreamKey("gate", stream)].recorder.bytes_in += 100
        watch._beat()
        known = around.of("gate")
        assert (known.address, known.address_learnt.by) == (Answer.ANSWERS, "stream")
        assert known.address_learnt.asked_boot_us > before
    del units[StreamKey("gate", "sub")]
    watch._beat()


def test_an_error_of_ours_is_said_once_and_nothing_is_known(
    around: Around, deaths: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def breaks(*_: object) -> Any:
        raise ValueError("not enough values to unpack")

    for name in ("of", "status", "issues", "apply"):
        monkeypatch.setattr(around._watch, name, breaks)
    for _ in range(3):
        assert around.of("gate") == UNKNOWN
        assert around.status() == {"mains": None, "devices": [], "cameras": []}
        assert around.health() == []
        around.apply(GATE)
    assert deaths == ["surroundings: not enough values to unpack"]
