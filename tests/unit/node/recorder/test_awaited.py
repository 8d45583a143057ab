"""Secrets that are awaited are used once they are there, whole, and nothing else is used with them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from longwatch.base.clock import ManualClock
from longwatch.base.errors import LongwatchError
from longwatch.node.recorder.awaited import AGAIN_S, Awaited
from longwatch.node.recorder.options import RecorderOptions, resolve

CAMERA = "  {name}: {{streams: {{main: 'rtsp://u:${{{secret}}}@10.0.0.5/1'}}}}\n"


class Case:
    """Settings of two cameras that lack their secrets, and what awaits them."""

    def __init__(self, folder: Path) -> None:
        self.config, self.secrets = folder / "longwatch.yml", folder / "late" / "secrets.env"
        cameras = "".join(CAMERA.format(name=name, secret=name.upper()) for name in ("gate", "yard"))
        self.config.write_text(f"post: {{id: a}}\ndata: d\nsecrets: late/secrets.env\ncameras:\n{cameras}")
        self.used: list[RecorderOptions] = []
        self.clock = ManualClock()
        self.is_full = False

    async def begin(self) -> Awaited:
        self.options = await resolve(self.config)
        assert len(self.options.lacking) == 3, "both, and the file itself"
        awaited = Awaited(self.config, lambda: self.options, self.use, self.clock)
        await awaited.look()
        return awaited

    async def use(self, new: RecorderOptions) -> None:
        if self.is_full:
            raise LongwatchError("the entry cannot be written")
        self.used.append(new)
        self.options = new

    def put(self, text: str) -> None:
        self.secrets.parent.mkdir(exist_ok=True)
        fresh = self.secrets.with_suffix(".new")
        fresh.write_text(text)
        fresh.chmod(0o600)
        fresh.replace(self.secrets)

    def lacking(self) -> list[tuple[str, ...]]:
        return [stream.lacking for camera in self.options.cameras for stream in camera.streams]


@pytest.fixture
def case(tmp_path: Path) -> Case:
    return Case(tmp_path)


async def test_a_file_that_comes_late_is_used_once_and_then_what_is_left_of_it(case: Case) -> None:
    awaited = await case.begin()
    case.put("GATE=one\n")
    await awaited.look()
    assert case.used == [], "it may be half written"
    await awaited.look()
    assert case.lacking() == [(), ("YARD",)]
    for _ in range(3):
        await awaited.look()
    assert len(case.used) == 1
    case.put("GATE=one\nYARD=two\n")
    for _ in range(4):
        await awaited.look()
    assert case.lacking() == [(), ()]
    assert len(case.used) == 2
    assert [str(stream.url.password) for camera in case.options.cameras for stream in camera.streams] == ["one", "two"]


async def test_what_brings_nothing_is_read_once_and_not_used(case: Case) -> None:
    awaited = await case.begin()
    case.put("OTHER=one\n")
    case.secrets.chmod(0o644)
    for _ in range(4):
        await awaited.look()
    assert case.used == []
    case.secrets.unlink()
    os.mkfifo(case.secrets, 0o600)
    for _ in range(3):
        await awaited.look()
    assert case.used == []


async def test_what_cannot_be_used_is_tried_again_later_and_not_at_each_look(case: Case) -> None:
    awaited = await case.begin()
    case.put("GATE=one\nYARD=two\n")
    case.is_full = True
    for _ in range(2):
        await awaited.look()
    case.is_full = False
    await awaited.look()
    assert case.used == []
    case.clock.tick(round(AGAIN_S * 1e6))
    await awaited.look()
    assert case.lacking() == [(), ()]


async def test_settings_that_somebody_changed_meanwhile_wait_for_his_word(case: Case) -> None:
    awaited = await case.begin()
    case.config.write_text(case.config.read_text().replace("10.0.0.5", "10.0.0.66"))
    case.put("GATE=one\nYARD=two\n")
    for _ in range(4):
        await awaited.look()
    assert case.used == []


async def test_where_nothing_is_missing_nothing_is_looked_at(case: Case) -> None:
    case.put("GATE=one\nYARD=two\n")
    case.options = await resolve(case.config)
    assert case.options.secrets_file is None
    awaited = Awaited(case.config, lambda: case.options, case.use, case.clock)
    for _ in range(3):
        await awaited.look()
    assert case.used == []
