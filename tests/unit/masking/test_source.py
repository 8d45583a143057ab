"""The recorder's side of a masking child, with children that are small programs of the test: what they say, how they end, what is made of it."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from tests.support.wait import until

from longwatch.base.clock import SystemClock
from longwatch.formats.media import Sample, TrackFormat
from longwatch.masking import Job, Masking, source
from longwatch.model.areas import Area
from longwatch.model.sessions import Activity, Fault, StreamStatus

pytestmark = pytest.mark.slow
JOB = Job("gate", (Area("a", ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0))),), ("main", "sub"), "rtsp://u:c4n4ry@10.0.0.5/1")
_SPEAK = """
import os, sys, time
from longwatch.formats.codecs import h264
from longwatch.formats.media import Codec, Kind, Sample, TrackFormat
from longwatch.masking import messages
from longwatch.model.sessions import Activity, Fault, StreamStatus
from longwatch.wire.frames import encode, hello
from longwatch.wire.media import encode_format, encode_sample
def say(data): os.write(1, data)
VIDEO = TrackFormat(Kind.VIDEO, Codec.H264, 90000, b"entry", "avc1.640028", 64, 64, 25.0)
def pictures(stream, sync=True, n=1):
    say(encode_format(("", stream), 1, (VIDEO,)))
    for k in range(n): say(encode_sample(("", stream), 1, Sample(0, 3600 * k, 0, sync and k == 0, b"data", 1 + k)))
say(hello("masking"))
"""
GOOD = "say(messages.encode_state(StreamStatus(Activity.STREAMING, 5)))\npictures('main', n=3)\npictures('sub')\n"


class Heard:
    """A StreamSink that keeps what it heard, in order."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.statuses: list[StreamStatus] = []

    def opened(self, tracks: tuple[TrackFormat, ...]) -> None:
        self.said.append("opened")

    def samples(self, batch: list[Sample]) -> None:
        self.said += ["sample"] * len(batch)

    def lost(self, loss: object) -> None:
        self.said.append("lost")

    def sender_report(self, report: object) -> None:
        self.said.append("report")

    def formats_changed(self, tracks: tuple[TrackFormat, ...]) -> None:
        self.said.append("formats")

    def closed(self, fault: Fault | None, detail: str) -> None:
        self.said.append(f"closed {fault}: {detail}")

    def status(self, status: StreamStatus) -> None:
        self.statuses.append(status)


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """How long a process takes to begin says how busy the machine is."""
    monkeypatch.setattr(source, "SILENT_S", 120.0)


def masking(program: str) -> Masking:
    return Masking(SystemClock(), (sys.executable, "-c", _SPEAK + program))


async def while_running(
    made: Masking, check: Callable[[Heard], Awaitable[object]], stream: str = "main", job: Job = JOB
) -> Heard:
    heard = Heard()
    task = asyncio.create_task(made.source(job, stream).run(heard))
    try:
        await check(heard)
    finally:
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    return heard


async def test_a_child_that_speaks_is_a_session_and_its_end_is_said_with_the_signal() -> None:
    made = masking(GOOD + "time.sleep(0.3)\nos.kill(os.getpid(), 9)")
    heard = await while_running(made, lambda h: until(lambda: len(h.said) > 4))
    assert heard.said[:5] == [
        "opened",
        "sample",
        "sample",
        "sample",
        "closed masking: the masking child was killed by signal 9",
    ]
    waiting = next(status for status in heard.statuses if status.activity is Activity.WAITING)
    assert waiting.fault is Fault.MASKING
    assert waiting.next_attempt_boot_us is not None
    assert heard.statuses[-1].activity is Activity.STOPPED
    assert made.pids() == {}


async def test_it_is_started_again_with_patience() -> None:
    made = masking("sys.exit(3)")
    heard = await while_running(made, lambda h: until(lambda: len({s.attempt for s in h.statuses}) > 2))
    assert "closed" not in "".join(heard.said)
    assert any("code 3" in status.detail for status in heard.statuses)


async def test_its_last_words_are_the_reason() -> None:
    made = masking(GOOD + "say(messages.encode_failed('too slow'))")
    heard = await while_running(made, lambda h: until(lambda: len(h.said) > 4))
    assert heard.said[4] == "closed masking: the masking child ended: too slow"


async def test_one_that_hangs_is_killed_and_the_gap_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    made = masking(GOOD + "time.sleep(60)")
    pids: set[int] = set()

    async def killed(heard: Heard) -> None:
        opened = heard.opened

        def impatient_from_now_on(tracks: tuple[TrackFormat, ...]) -> None:
            opened(tracks)
            monkeypatch.setattr(source, "SILENT_S", 0.6)

        monkeypatch.setattr(heard, "opened", impatient_from_now_on)
        await until(made.pids)
        pids.update(made.pids().values())
        await until(lambda: any("closed" in said for said in heard.said))

    heard = await while_running(made, killed)
    assert "closed masking: the masking child hangs: it said nothing for 0.6 s" in heard.said
    assert len(pids) == 1


@pytest.mark.parametrize(
    "nonsense",
    ["os.write(1, bytes(64))", "say(encode({'type': 'live_sample', 'stream': ['', 'main']}))", "say(encode({'type': 'state'}))", "os.write(1, b'\\xff' * 64)"],
)  # fmt: skip
async def test_one_that_speaks_nonsense_is_ended(nonsense: str) -> None:
    made = masking(nonsense + "\ntime.sleep(60)")
    heard = await while_running(made, lambda h: until(lambda: any(s.fault is Fault.MASKING for s in h.statuses)))
    assert any("cannot be understood" in status.detail for status in heard.statuses)


async def test_two_streams_share_one_child_and_the_second_begins_with_a_key_picture(tmp_path: Path) -> None:
    joined = tmp_path / "joined"
    made = masking(
        f"{GOOD}pictures('main')\n"  # said after all of the first stream's and the second's: these have come once it has
        # it looks every 20 ms, so as not to take a processor from those who join; and lives until it is ended
        f"while not os.path.exists({str(joined)!r}): time.sleep(0.02)\n"
        "pictures('sub', sync=False, n=2)\npictures('sub', n=2)\ntime.sleep(60)"
    )
    first, second = Heard(), Heard()
    one = asyncio.create_task(made.source(JOB, "main").run(first))
    await until(lambda: first.said.count("sample") == 4)
    two = asyncio.create_task(made.source(JOB, "sub").run(second))
    await until(lambda: second.statuses, "it has joined")
    joined.touch()
    await until(lambda: second.said.count("sample") >= 2)
    assert second.said == ["opened", "sample", "sample"]
    assert len(made.pids()) == 1
    one.cancel()
    await until(one.done)
    assert made.pids(), "the other stream still runs"
    two.cancel()
    await until(two.done)
    assert made.pids() == {}
    assert second.said[-1] == "closed None: stopped"


async def test_one_attempt_ends_with_its_session() -> None:
    heard = Heard()
    made = masking(GOOD + "say(messages.encode_closed(Fault.SILENT, 'no packet'))\ntime.sleep(60)")
    await asyncio.wait_for(made.source(JOB, "main").run_once(heard), 60)
    assert heard.said[-1] == "closed silent: no packet"


async def test_the_job_comes_by_the_pipe_and_by_nothing_else(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATE_PASSWORD", "c4n4ry")
    told = tmp_path / "told"
    look = f"open({str(told)!r}, 'wb').write(open('/proc/self/cmdline', 'rb').read() + open('/proc/self/environ', 'rb').read() + b'|' + os.read(0, 4096))\n"
    await while_running(
        masking(look + "time.sleep(60)"), lambda _: until(lambda: told.exists() and told.read_bytes().count(b"|"))
    )
    outside, _, piped = told.read_bytes().rpartition(b"|")
    assert b"c4n4ry" in piped
    assert b"c4n4ry" not in outside
    assert "c4n4ry" not in repr(JOB)
