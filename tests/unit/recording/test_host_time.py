"""Steps of the host's clock: what is followed, what is named, what is not believed."""

import pytest

from longwatch.model.stores import Provenance
from longwatch.recording import HostTime, KernelTime, Step

SECOND = 1_000_000
YEAR = 365 * 86_400 * SECOND
NOW = 1_767_225_600 * SECOND
BOOT = 100 * SECOND


def watch(
    host: HostTime, offset_us: int, seconds: float, *, ppm: int = 0, synchronised: bool = True, from_us: int = BOOT
) -> list[Step]:
    """Observe every 600 ms, the wall clock running `ppm` fast."""
    steps = []
    for n in range(int(seconds / 0.6)):
        boot_us = from_us + n * 600_000
        wall_us = boot_us + offset_us + (boot_us - from_us) * ppm // 1_000_000
        step = host.observe(boot_us, wall_us, synchronised)
        if step is not None:
            steps.append(step)
    return steps


def test_a_disciplined_clock_is_followed_without_a_step() -> None:
    host = HostTime(BOOT, NOW, True)
    assert watch(host, NOW - BOOT, 3600, ppm=500) == []
    assert host.epoch == 0
    assert host.provenance is Provenance.NTP
    at_us = BOOT + 3590 * SECOND
    assert abs(host.wall_us(at_us) - (at_us + NOW - BOOT + 3590 * 500)) < 5_000
    assert host.agreed_for_us(at_us) == 3590 * SECOND


@pytest.mark.parametrize("by_us", [-2 * YEAR, 10 * YEAR, 3600 * SECOND, -3600 * SECOND, 300_000, -300_000])
def test_a_step_is_named_once(by_us: int) -> None:
    host = HostTime(BOOT, NOW, True)
    watch(host, NOW - BOOT, 60)
    steps = watch(host, NOW - BOOT + by_us, 600, from_us=BOOT + 60 * SECOND)
    assert [step.by_us for step in steps] == [pytest.approx(by_us, abs=1000)]
    assert host.epoch == 1
    at_us = BOOT + 700 * SECOND
    assert host.wall_us(at_us) == at_us + NOW - BOOT + by_us
    assert not host.unsteady


def test_a_host_that_boots_in_1970_goes_on_from_the_archives_last_word_until_ntp_comes() -> None:
    host = HostTime(BOOT, BOOT, False, last_known_us=NOW)
    assert host.provenance is Provenance.INFERRED
    assert host.wall_us(BOOT) == NOW
    assert watch(host, 0, 60, synchronised=False) == []
    assert host.wall_us(BOOT + 60 * SECOND) == NOW + 60 * SECOND
    (step,) = watch(host, NOW + 3600 * SECOND - BOOT, 60, from_us=BOOT + 60 * SECOND)
    assert step.provenance is Provenance.NTP
    assert host.wall_us(BOOT + 120 * SECOND) == NOW + 3720 * SECOND
    assert host.epoch == 1


def test_a_new_archive_has_no_last_word_and_1970_is_inferred() -> None:
    assert HostTime(BOOT, BOOT, False).provenance is Provenance.INFERRED
    assert HostTime(BOOT, NOW, False).provenance is Provenance.RTC


def test_a_clock_set_ten_years_ahead_and_back_before_a_restart_is_believed_when_ntp_vouches() -> None:
    host = HostTime(BOOT, NOW, True, last_known_us=NOW + 10 * YEAR)
    assert host.wall_us(BOOT) == NOW
    assert host.provenance is Provenance.NTP


@pytest.mark.parametrize("ppm", [9_000_000, 5_000_000])
def test_a_clock_that_runs_away_is_left_after_a_few_steps_and_taken_up_when_it_is_even(ppm: int) -> None:
    host = HostTime(BOOT, NOW, True)
    steps = watch(host, NOW - BOOT, 300, ppm=ppm)
    assert len(steps) == 4
    assert steps[-1].unsteady
    assert host.unsteady
    assert host.provenance is Provenance.INFERRED
    before_us = host.wall_us(BOOT + 300 * SECOND)
    again = watch(host, NOW - BOOT, 120, from_us=BOOT + 300 * SECOND)
    assert len(again) == 1
    assert not again[0].unsteady
    assert again[0].from_us >= before_us
    assert not host.unsteady
    assert host.wall_us(BOOT + 500 * SECOND) == NOW + 500 * SECOND


def test_losing_ntp_is_worse_provenance_and_no_step() -> None:
    host = HostTime(BOOT, NOW, True)
    assert watch(host, NOW - BOOT, 60, synchronised=False) == []
    assert host.provenance is Provenance.RTC
    assert host.agreed_for_us(BOOT + 60 * SECOND) == 0


def test_the_kernel_says_whether_it_believes_its_clock() -> None:
    assert KernelTime().synchronised() in {True, False}
