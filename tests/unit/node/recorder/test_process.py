"""The recorder composed in this process, with sources made of numbers: what it survives, and what it says of itself."""

import asyncio
import dataclasses
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, ClassVar

import pytest
from tests.support.accounted import unexplained_in
from tests.support.recording import BOOT, VIDEO
from tests.support.wait import until

from longwatch.archive import ArchiveReader
from longwatch.archive import Options as ArchiveOptions
from longwatch.archive.ops import GapClose
from longwatch.base.clock import SystemClock
from longwatch.base.errors import LongwatchError, UsageError
from longwatch.formats.media import Sample
from longwatch.ingest import CameraUrl
from longwatch.ingest import Options as IngestOptions
from longwatch.model.sessions import Activity, Fault, StreamKey, StreamSink, StreamStatus
from longwatch.model.stores import Provenance
from longwatch.model.surroundings import Surroundings
from longwatch.node.recorder import options as recorder_options
from longwatch.node.recorder import retention as recorder_retention
from longwatch.node.recorder import streams as recorder_streams
from longwatch.node.recorder.options import CameraOptions, RecorderOptions, StreamOptions
from longwatch.node.recorder.process import Recorder
from longwatch.recording import Options as RecordingOptions
from longwatch.recording import Step
from longwatch.timeline import tile

pytestmark = pytest.mark.slow


class NumberSource:
    """Ten pictures a second; `begin` may say how an attempt goes otherwise."""

    begin: ClassVar[Callable[[str, int], str]] = lambda _camera, _attempt: ""
    attempts: ClassVar[dict[str, int]] = {}
    watched: ClassVar[dict[str, bool]] = {}

    def __init__(self, url: CameraUrl, options: IngestOptions, clock: SystemClock, stills: object = None) -> None:
        self._camera = str(url).rpartition("/")[2]
        self._clock = clock

    def try_now(self) -> None:
        NumberSource.attempts[f"{self._camera} now"] = 1

    def hurry(self, on: bool) -> None:
        NumberSource.watched[self._camera] = on

    async def run(self, sink: StreamSink) -> None:
        attempt = NumberSource.attempts[self._camera] = NumberSource.attempts.get(self._camera, 0) + 1
        how = NumberSource.begin(self._camera, attempt)
        if how == "dies":
            raise ZeroDivisionError("a bug in the source")
        if how == "absent":
            sink.status(
                StreamStatus(Activity.WAITING, self._clock.boottime_us(), Fault.UNREACHABLE, "no route", attempt=1)
            )
            await asyncio.Event().wait()
        sink.status(StreamStatus(Activity.STREAMING, self._clock.boottime_us()))
        sink.opened((VIDEO,))
        try:
            for n in range(1 << 30):
                sink.samples([Sample(0, n * 9000, 0, n % 5 == 0, b"\0\0\0\1" * 9, self._clock.boottime_us())])
                await asyncio.sleep(0.1)
        finally:
            sink.closed(None, "asked to end")


def camera(name: str, *, never: bool = False) -> CameraOptions:
    key = StreamKey(name, "main")
    url = CameraUrl.parse(f"rtsp://127.0.0.1:9/{name}")
    return CameraOptions(name, name, never, None, (StreamOptions(key, url, IngestOptions()),))


@asynccontextmanager
async def running(folder: Path, *cameras: CameraOptions) -> AsyncIterator[Recorder]:
    options = RecorderOptions(
        "post", "UTC", (folder / "data",), cameras, ArchiveOptions(), RecordingOptions(post="post")
    )
    recorder = await Recorder.open(options, None, SystemClock(), BOOT)
    task = asyncio.create_task(recorder.run())
    try:
        await until(lambda: recorder.ticks.count > 0 or task.done(), "the first tick")
        yield recorder
    finally:
        recorder.stopping.set()
        await asyncio.wait_for(task, 60)


@pytest.fixture(autouse=True)
def sources(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorder_streams, "RtspSource", NumberSource)
    NumberSource.attempts = {}
    NumberSource.begin = lambda _camera, _attempt: ""


async def status(recorder: Recorder) -> dict[str, Any]:
    return await recorder._status({})


async def stream(recorder: Recorder, name: str) -> dict[str, Any]:
    return next(s for s in (await status(recorder))["streams"] if s["camera"] == name)


def kinds(folder: Path) -> list[str]:
    reader = ArchiveReader([folder / "data"])
    try:
        return [json.loads(row.entry)["kind"] for row in reader.entries(0, 1000)]
    finally:
        reader.close()


async def test_a_source_that_dies_is_begun_again_and_neither_silent_nor_harmful(tmp_path: Path) -> None:
    NumberSource.begin = lambda name, attempt: "dies" if name == "gate" and attempt == 1 else ""
    async with running(tmp_path, camera("gate"), camera("yard")) as recorder:

        async def both() -> bool:
            return all(s["recording"] for s in (await status(recorder))["streams"])

        await until(both, "both record")
        assert NumberSource.attempts == {"gate": 2, "yard": 1}
        (issue,) = (await status(recorder))["health"]
        assert "gate/main" in issue["what"]
        assert "a bug in the source" in issue["why"]
    assert "task_died" in kinds(tmp_path)
    assert kinds(tmp_path)[-1] == "recorder_stopped"


async def test_a_camera_that_is_not_to_be_recorded_is_not_and_says_so(tmp_path: Path) -> None:
    async with running(tmp_path, camera("gate", never=True), camera("yard")) as recorder:

        async def yard_records() -> bool:
            return bool((await stream(recorder, "yard"))["recording"])

        await until(yard_records, "the other records")
        gate = await stream(recorder, "gate")
        assert (gate["planned"], gate["recording"], gate["cause"], gate["activity"]) == (
            False,
            False,
            "not_scheduled",
            "streaming",
        )
    assert not list((tmp_path / "data/media").glob("gate/**/*.mp4"))


async def test_commands(tmp_path: Path) -> None:
    NumberSource.begin = lambda _camera, _attempt: "absent"
    async with running(tmp_path, camera("gate")) as recorder:
        assert (await recorder._try_now({"camera": "gate"})) == {"streams": ["main"]}
        assert NumberSource.attempts["gate now"] == 1
        with pytest.raises(UsageError, match="no camera"):
            await recorder._try_now({"camera": "none"})
        assert await recorder.retention.preview({"limit": 5}) == {"items": [], "kept_back_bytes": 0}
        assert (await recorder._check({"mode": "size"}))["ok"]
        with pytest.raises(UsageError):
            await recorder._check({"mode": "smell"})
        with pytest.raises(UsageError):
            await recorder.people.entry({"kind": "segment_sealed", "body": {}})
        with pytest.raises(LongwatchError, match="no settings file"):
            await recorder.reload()

        async def told() -> bool:
            return (await stream(recorder, "gate"))["cause"] == "camera_unreachable"

        await until(told, "the cause is known")
        answer = await status(recorder)
        assert answer["accounted_until_us"] > answer["wall_us"] - 2_000_000
        assert answer["volumes"][0]["state"] == "ok"


async def test_only_a_camera_that_records_by_events_is_discarded_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder_options, "EVENT_SEGMENT_US", 500_000)
    monkeypatch.setattr(recorder_retention, "_YOUNG_US", 0)
    by_events = dataclasses.replace(camera("gate"), by_events=True)
    async with running(tmp_path, by_events, camera("yard")) as recorder:
        reader = ArchiveReader([tmp_path / "data"])
        gate, ever = StreamKey("gate", "main"), (0, 1 << 52)

        async def several() -> bool:
            return sum(s.sealed for s in reader.segments(gate, *ever)) >= 3

        await until(several, "short segments")
        everything = {"camera": "gate", "from_us": 0, "to_us": 1 << 52}
        answer = await recorder.retention.discard(everything)
        assert answer["segments"] >= 3
        assert answer["problem"] == ""
        assert [gap.evidence for gap in reader.gaps_of(gate, *ever) if gap.id is None] == [{"why": "no event"}]
        with pytest.raises(UsageError, match="does not record by events"):
            await recorder.retention.discard({**everything, "camera": "yard"})
        with pytest.raises(UsageError, match="from_us"):
            await recorder.retention.discard({**everything, "from_us": None})
        reader.close()


async def test_a_camera_added_changed_and_removed_at_run_time(tmp_path: Path) -> None:
    async with running(tmp_path, camera("gate")) as recorder:
        old = recorder.options
        added = RecorderOptions(
            old.post, old.timezone, old.volumes, (camera("gate"), camera("yard")), old.archive, old.recording
        )
        assert (await recorder._apply(added))["added"] == ["yard"]
        moved = RecorderOptions(
            old.post, "Europe/Rome", old.volumes, (camera("yard", never=True),), old.archive, old.recording
        )
        said = await recorder._apply(moved)
        assert (said["changed"], said["removed"], said["restart_needed"]) == (["yard"], ["gate"], [])
        assert NumberSource.attempts == {"gate": 1, "yard": 1}, "a schedule alone interrupts no session"
        assert [s["camera"] for s in (await status(recorder))["streams"]] == ["yard"]
        assert recorder._tap(StreamKey("gate", "main")) is None


async def test_an_error_at_one_stream_is_its_own_gap_and_disturbs_no_other(tmp_path: Path) -> None:
    async with running(tmp_path, camera("gate"), camera("yard")) as recorder:

        async def both() -> bool:
            return all(s["recording"] for s in (await status(recorder))["streams"])

        await until(both, "both record")
        gate = recorder.ticks.units[StreamKey("gate", "main")]
        real, errors = gate.recorder.collect, [OverflowError("a duration of four hours")]

        def collect(boot_us: int, *, final: bool = False) -> Any:
            if errors:
                raise errors.pop()
            return real(boot_us, final=final)

        gate.recorder.collect = collect  # type: ignore[method-assign]
        await until(lambda: not errors and recorder._health(0), "it is told")
        await until(lambda: gate.account.gap is not None, "the gap is open")
        await until(lambda: gate.account.gap is None, "it is recorded again")
        (issue,) = (await status(recorder))["health"]
        assert "gate/main" in issue["what"]
    reader = ArchiveReader([tmp_path / "data"])
    try:
        gaps = [
            (key.camera, str(gap.cause)) for key, gap in reader.gaps(None, 0, 1 << 60) if gap.cause != "post_stopped"
        ]
    finally:
        reader.close()
    assert gaps == [("gate", "recorder_failed")]


async def tiles(folder: Path, name: str) -> list[tuple[str | None, int]]:
    """Cause (None where it is recorded) and beginning of each tile from long ago up to what is accounted for."""
    reader = ArchiveReader([folder / "data"])
    try:
        key = StreamKey(name, "main")
        (set_up_us,) = [row.set_up_us for row in reader.cameras() if row.camera == name]
        until_us = reader.accounted_until_us()
        found = tile(
            reader.recorded_spans(key, 0, until_us), reader.gaps_of(key, 0, until_us), 0, until_us, until_us, set_up_us
        )
        return [(None if each.cause is None else str(each.cause), each.from_us) for each in found]
    finally:
        reader.close()


async def test_a_new_camera_that_comes_at_once_has_no_gap_and_an_absent_one_is_unreachable_from_its_set_up(
    tmp_path: Path,
) -> None:
    NumberSource.begin = lambda name, _attempt: "absent" if name == "yard" else ""
    async with running(tmp_path, camera("gate"), camera("yard")) as recorder:
        assert (await stream(recorder, "yard"))["cause"] == "camera_unreachable"  # and not only at the next tick

        async def gate_records() -> bool:
            return bool((await stream(recorder, "gate"))["recording"])

        await until(gate_records, "it records")
    assert [cause for cause, _ in await tiles(tmp_path, "gate")] == ["never_recorded", None]
    assert [cause for cause, _ in await tiles(tmp_path, "yard")] == ["never_recorded", "camera_unreachable"]


async def test_a_recorder_that_ends_before_its_first_word_on_a_camera_leaves_nothing_unknown(tmp_path: Path) -> None:
    options = RecorderOptions(
        "post", "UTC", (tmp_path / "data",), (camera("gate"),), ArchiveOptions(), RecordingOptions(post="post")
    )
    recorder = await Recorder.open(options, None, SystemClock(), BOOT)
    await recorder._set_up(options.cameras[0], 1000)
    await recorder._sources.aclose()
    await recorder.archive.close(orderly=False)
    async with running(tmp_path, camera("gate")) as recorder:

        async def gate_records() -> bool:
            return bool((await stream(recorder, "gate"))["recording"])

        await until(gate_records, "it records")
    assert [cause for cause, _ in await tiles(tmp_path, "gate")] == ["never_recorded", None]


async def test_a_clock_that_nothing_vouches_for_lets_nothing_expire_until_ntp_a_camera_or_an_operator_does(
    tmp_path: Path,
) -> None:
    async with running(tmp_path, camera("gate")) as recorder:

        async def gate_records() -> bool:
            return bool((await stream(recorder, "gate"))["recording"])

        await until(gate_records, "it records")
        host, unit = recorder.host, next(iter(recorder.ticks.units.values()))
        for provenance, trusted in ((Provenance.NTP, True), (Provenance.RTC, False), (Provenance.INFERRED, False)):
            host.provenance = provenance
            assert recorder.retention.time().trusted is trusted
        unit.account._provenance = Provenance.RTCP
        assert recorder.retention.time().trusted
        host.offset_us += 10 * 365 * 86_400_000_000
        assert not recorder.retention.time().trusted  # the camera's clock speaks against it
        assert not recorder.retention.time().approved
        await recorder.retention.approve({})
        assert recorder.retention.time().trusted
        assert recorder.retention.time().approved
        host.epoch += 1
        assert not recorder.retention.time().approved
    assert "retention_approved" in kinds(tmp_path)


async def test_a_source_hears_whether_it_is_watched(tmp_path: Path) -> None:
    NumberSource.begin = lambda _camera, _attempt: ""
    async with running(tmp_path, camera("gate")) as recorder:
        tap = recorder._tap(StreamKey("gate", "main"))
        assert tap is not None
        assert not NumberSource.watched["gate"]
        tap.subscribe(1, lambda _generation, _tracks: None, lambda _generation, _batch: None)
        assert NumberSource.watched["gate"]
        tap.unsubscribe(1)
        assert not NumberSource.watched["gate"]


class BrokenWatch:
    """An error of ours in what watches the surroundings."""

    def of(self, camera: str) -> Surroundings:
        raise ZeroDivisionError(camera)


async def test_an_error_in_what_watches_the_surroundings_costs_its_evidence_and_no_media(tmp_path: Path) -> None:
    NumberSource.begin = lambda name, _: "absent" if name == "yard" else ""
    async with running(tmp_path, camera("gate"), camera("yard")) as recorder:
        recorder.ticks.around = BrokenWatch()
        unit = recorder.ticks.units[StreamKey("gate", "main")]
        await until(lambda: unit.durable_to_us, "the other is recorded")
        await until(lambda: recorder.ticks.units[StreamKey("yard", "main")].account.gap, "its cause is said")
        assert (await stream(recorder, "yard"))["cause"] == "camera_unreachable"
        assert any("surroundings" in str(issue) for issue in (await status(recorder))["health"])
    assert unexplained_in([tmp_path / "data"]) == 0


async def test_a_tick_that_fails_in_the_middle_loses_no_second_of_the_account(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(tmp_path, camera("gate"), camera("yard")) as recorder:
        gate, yard = (recorder.ticks.units[StreamKey(name, "main")] for name in ("gate", "yard"))
        await until(lambda: gate.durable_to_us and yard.durable_to_us, "both are recorded")
        with monkeypatch.context() as patched:
            patched.setattr(yard.account, "tick", lambda *_: 1 // 0)
            await until(lambda: recorder._deaths, "the tick died")
        before_us = gate.durable_to_us
        await until(lambda: (gate.durable_to_us or 0) > before_us + 3_000_000, "both go on")
    assert unexplained_in([tmp_path / "data"]) == 0


async def test_an_account_that_fails_each_time_costs_neither_its_own_media_nor_that_of_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    NumberSource.begin = lambda name, _: "absent" if name == "pier" else ""
    async with running(tmp_path, camera("gate"), camera("yard"), camera("pier")) as recorder:
        gate, yard, pier = (recorder.ticks.units[StreamKey(name, "main")] for name in ("gate", "yard", "pier"))
        await until(lambda: gate.durable_to_us and yard.durable_to_us, "both are recorded")
        monkeypatch.setattr(yard.account, "tick", lambda *_: 1 // 0)
        monkeypatch.setattr(pier.account, "_gather", lambda *_: 1 // 0)
        monkeypatch.setattr(recorder.ticks, "gaps_told", lambda *_: 1 // 0)
        after_us = max(gate.durable_to_us or 0, yard.durable_to_us or 0) + 2_000_000
        await until(lambda: min(gate.durable_to_us or 0, yard.durable_to_us or 0) > after_us, "both are recorded on")
        assert any("the account of yard/main" in str(issue) for issue in (await status(recorder))["health"])
    assert unexplained_in([tmp_path / "data"]) == 0
    for name in ("gate", "yard"):
        assert [cause for cause, _ in await tiles(tmp_path, name)].count(None) == 1, "one span, without a gap"


async def test_an_account_that_fails_at_a_step_of_the_clock_costs_no_other_stream_its_tick(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    NumberSource.begin = lambda name, _: "absent" if name == "pier" else ""
    async with running(tmp_path, camera("gate"), camera("yard"), camera("pier")) as recorder:
        gate, yard, pier = (recorder.ticks.units[StreamKey(name, "main")] for name in ("gate", "yard", "pier"))
        await until(lambda: gate.durable_to_us and yard.durable_to_us and pier.account.gap, "all are accounted for")
        stepped: list[int] = []
        now_us = recorder.ticks.accounted_until_us
        back_us = now_us - 60_000_000
        with monkeypatch.context() as patched:
            patched.setattr(gate.account, "clock_stepped", lambda *_: 1 // 0)
            patched.setattr(pier.account, "_open", lambda *_: 1 // 0)  # its gap is closed by then
            patched.setattr(yard.account, "clock_stepped", lambda *step: stepped.append(step[1]) or [])
            recorder.ticks._note(Step(-60_000_000, 1, now_us, back_us, Provenance.NTP))
        assert stepped == [back_us], "the others hear of it"
        ends = [op for op in recorder.ticks._owed if isinstance(op, GapClose)]
        assert [op.to_us for op in ends] == [now_us], "what was said before the error stands"
        assert any("the account of gate/main" in str(issue) for issue in (await status(recorder))["health"])
        assert any("the account of pier/main" in str(issue) for issue in (await status(recorder))["health"])


async def test_a_stream_that_fails_each_time_is_a_gap_and_disturbs_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(tmp_path, camera("gate"), camera("yard")) as recorder:
        gate, yard = (recorder.ticks.units[StreamKey(name, "main")] for name in ("gate", "yard"))
        await until(lambda: gate.durable_to_us and yard.durable_to_us, "both are recorded")
        with monkeypatch.context() as patched:
            patched.setattr(yard, "not_planned", lambda *_: 1 // 0)
            await until(lambda: yard.account.gap is not None, "the gap is open")
            after_us = (gate.durable_to_us or 0) + 2_000_000
            await until(lambda: (gate.durable_to_us or 0) > after_us, "the other goes on")
            assert yard.account.gap is not None
            assert str(yard.account.gap[0]) == "recorder_failed"
        await until(lambda: yard.account.gap is None, "it is recorded again")
    assert unexplained_in([tmp_path / "data"]) == 0
