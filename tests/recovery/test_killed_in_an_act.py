"""Killed at any moment of an act: what a person asked for is done and entered, or neither; every second has its cause, and it verifies.

Where the moment lies within the act is drawn; the seed is said by what fails. KILLS=50, SEED=... makes a campaign of each.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
from collections.abc import AsyncIterator, Awaitable
from pathlib import Path
from typing import Any

import pytest
from tests.support.accounted import unexplained_in
from tests.support.recorder_post import GATE, Post
from tests.support.wait import until

from longwatch.archive import ArchiveReader
from longwatch.archive.verifying import verify_folder
from longwatch.base.errors import LongwatchError
from longwatch.base.rfc3339 import format_us
from longwatch.evidence import verify_package
from longwatch.simulate.camera import LOT, SimulatedCamera

pytestmark = pytest.mark.slow
KILLS = int(os.environ.get("KILLS", "1"))
ADA = {"subject": 12, "text": '{"user":"ada"}'}
WHY = "the roof is being mended"
HOUR_US = 3_600_000_000


@pytest.fixture
async def camera() -> AsyncIterator[SimulatedCamera]:
    async with SimulatedCamera(LOT) as simulated:
        yield simulated


async def killed_in(post: Post, act: Awaitable[Any], within_s: float, chance: random.Random) -> Any:
    """Begin an act, kill the recorder some time later, and start another. What was answered; None where nothing was."""
    asking = asyncio.ensure_future(act)
    moment_s = chance.uniform(0, within_s)
    await asyncio.wait([asking], timeout=moment_s)
    post.signal(signal.SIGKILL)
    await post.ended()
    answer = (await asyncio.gather(asking, return_exceptions=True))[0]
    post.start()
    await post.recording()
    if isinstance(answer, LongwatchError):
        return None
    if isinstance(answer, BaseException):
        raise answer
    return answer


async def all_is_told(post: Post, seed: int) -> None:
    """What holds after whatever was done to it."""
    await post.ask("publish")
    post.signal(signal.SIGTERM)
    await post.ended()
    assert unexplained_in([post.data]) == 0, f"seed {seed}"
    verdict = verify_folder(post.data)
    assert verdict.ok, (seed, verdict.blamed)


def runs(post: Post) -> list[tuple[int, int]]:
    """Number and begin of every run that was recorded, the oldest first."""

    def look(reader: ArchiveReader) -> list[tuple[int, int]]:
        return sorted({(span.run, span.from_us) for span in reader.recorded_spans(GATE, 0, 1 << 60)})

    first: dict[int, int] = {}
    for run, from_us in post.read(look):
        first.setdefault(run, from_us)
    return sorted(first.items())


@pytest.fixture
def seed() -> int:
    """A new one each time, or that of SEED."""
    return int(os.environ.get("SEED", random.SystemRandom().randrange(1 << 30)))


async def test_settings_are_applied_with_their_reason_or_the_start_says_that_there_was_none(
    post: Post, camera: SimulatedCamera, seed: int
) -> None:
    chance = random.Random(seed)
    post.settings({"gate": camera.url, "yard": camera.url})
    post.start()
    await post.recording("yard")
    for n in range(KILLS):
        there = {"gate": camera.url} if n % 2 == 0 else {"gate": camera.url, "yard": camera.url}
        before = len(post.entries("settings_applied"))
        post.settings(there)
        answer = await killed_in(post, post.ask("settings_apply", reason=WHY, person=ADA), 0.8, chance)
        (applied,) = post.entries("settings_applied")[before:]
        by = applied["body"]["by"]
        assert by == ("apply" if answer is not None else by), f"seed {seed}: an answer stands"
        reduces = n % 2 == 0
        assert applied["body"]["reason"] == ("given" if by == "apply" else "none" if reduces else "not_needed")

        def told(of: str = applied["body"]["sha256"]) -> bool:
            raised = [e["body"] for e in post.entries("alarm_raised") if e["body"]["kind"] == "accounting_reduced"]
            return any(body.get("settings") == of for body in raised)

        if reduces and by != "apply":
            await until(told, f"seed {seed}: who gave no reason is an alarm")
        else:
            assert not told(), f"seed {seed}: nothing that needs one is without its reason"
    await all_is_told(post, seed)


async def test_a_correction_of_time_moves_a_run_whole_or_not_at_all(
    post: Post, camera: SimulatedCamera, seed: int
) -> None:
    chance = random.Random(seed)
    post.settings({"gate": camera.url})
    post.start()
    await post.recording()
    post.signal(signal.SIGKILL)
    await post.ended()
    post.start()
    await post.recording()
    run, began_us = runs(post)[0]
    for n in range(KILLS):
        asked = post.ask("time_apply", runs=[run], shift_us=-HOUR_US, reason=WHY, person=ADA)
        answer = await killed_in(post, asked, 0.3, chance)
        corrected = post.entries("time_corrected")
        if answer is not None:
            assert answer["entries"][-1] in {entry["seq"] for entry in corrected}, f"seed {seed}: an answer stands"
        moved_us = sum(each["shift_us"] for entry in corrected for each in entry["body"]["runs"] if each["run"] == run)
        assert moved_us in {-HOUR_US * k for k in range(n + 2)}
        assert dict(runs(post))[run] == began_us + moved_us, f"seed {seed}: what the entries say, and nothing else"
    await all_is_told(post, seed)


async def test_a_stop_is_by_a_person_only_where_its_entry_stands(
    post: Post, camera: SimulatedCamera, seed: int
) -> None:
    chance = random.Random(seed)
    post.settings({"gate": camera.url})
    post.start()
    await post.recording()
    for _ in range(KILLS):
        await until(lambda: post.tiles()[-1].cause is None, "what was dark before is over")
        asked, stopped = len(post.entries("stop_asked")), len(post.entries("recorder_stopped"))
        known_us = post.read(lambda reader: reader.accounted_until_us())
        answer = await killed_in(post, post.ask("stop", reason=WHY, person=ADA), 0.3, chance)
        assert len(post.entries("stop_asked")) - asked in ({1} if answer is not None else {0, 1}), f"seed {seed}"
        orderly = post.entries("recorder_stopped")[stopped:]
        assert all(entry["body"]["reason"] == "asked by a person" for entry in orderly)
        gap = await until(
            lambda known=known_us: [t for t in post.tiles() if t.cause and t.to_us > max(t.from_us, known)][:1],
            "a gap",
        )
        assert str(gap[0].cause) == ("post_stopped" if orderly else "recorder_failed"), f"seed {seed}"
        assert not [e for e in post.entries("alarm_raised") if e["body"]["kind"] == "accounting_reduced"]
    await all_is_told(post, seed)


async def exported(post: Post, out: Path, span: tuple[int, int]) -> asyncio.subprocess.Process:
    words = ["export", "gate", "--evidence", "--reason", WHY, "--out", str(out), "--config", str(post.config)]
    words += ["--from", format_us(span[0]), "--to", format_us(span[1])]
    quiet = asyncio.subprocess.DEVNULL
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "longwatch.cli", *words, stdout=quiet, stderr=quiet
    )


def entered(post: Post, kind: str, span: tuple[int, int]) -> int:
    """How many entries of a kind speak of just this stretch."""
    return sum((entry["body"]["from_us"], entry["body"]["to_us"]) == span for entry in post.entries(kind))


@pytest.mark.parametrize("victim", ["recorder", "exporter"])
async def test_an_export_is_whole_or_not_there_and_who_wanted_it_is_entered(
    post: Post, camera: SimulatedCamera, tmp_path: Path, victim: str, seed: int
) -> None:
    chance = random.Random(seed)
    post.settings({"gate": camera.url})
    post.start()
    await post.recording()
    (first, *_) = await until(lambda: [t for t in post.tiles() if t.to_us - t.from_us > 3_000_000], "some seconds")
    for n in range(KILLS):
        # A stretch of its own: what an exporter asked for that was killed may be entered while the next one is at work.
        span = (first.from_us + 500_000 + n * 1_000, first.from_us + 2_500_000)
        out = tmp_path / f"package-{n}.zip"
        running = await exported(post, out, span)
        moment_s = chance.uniform(0.5, 3.0)  # it begins to speak after half a second
        await asyncio.wait([asyncio.ensure_future(running.wait())], timeout=moment_s)
        if victim == "recorder":
            post.signal(signal.SIGKILL)
            await post.ended()
        elif running.returncode is None:
            running.kill()
        code = await asyncio.wait_for(running.wait(), 180)
        if victim == "recorder":
            post.start()
            await post.recording()
        told, made = (entered(post, kind, span) for kind in ("export_begun", "export_made"))
        assert out.exists() <= (told == 1), f"seed {seed}: nobody takes anything without an entry"
        if out.exists():
            assert verify_package(out).ok, f"seed {seed}"
        assert (code == 0) <= (out.exists() and made == 1), f"seed {seed}"
    await all_is_told(post, seed)
