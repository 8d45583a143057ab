"""Where a run stands on the wall: drift followed, jitter seen through, no step and no overlap, provenance in order."""

import itertools
import random

import pytest

from longwatch.archive.ops import Placement
from longwatch.formats.media import SenderReport
from longwatch.model.stores import Provenance
from longwatch.recording.host_time import HostTime
from longwatch.recording.placement import MAX_RATE_PPB, CameraClock, Placer, us_of_90k

SECOND = 1_000_000
NOW = 1_767_225_600 * SECOND
BOOT = 100 * SECOND


def run_for(
    seconds: int, ppm: int, jitter_us: int, *, synchronised: bool = True, first_late_us: int = 0
) -> tuple[Placer, list[Placement], list[int]]:
    """A camera `ppm` fast, ten pictures a second; gives the placer, its rows, and the error of every picture."""
    rng = random.Random(7)
    host = HostTime(BOOT, NOW, synchronised)
    placer = Placer(NOW + first_late_us, host.provenance)
    rows: list[Placement] = []
    errors = []
    last_us = 0
    for n in range(seconds * 10):
        true_us = n * 100_000
        media_90k = round(true_us * (1 + ppm / 1e6) * 9 / 100)
        placer.observe(media_90k, BOOT + true_us + rng.randrange(jitter_us + 1))
        wall_us = placer.wall_us(media_90k)
        assert wall_us > last_us, "order is kept"
        last_us = wall_us
        errors.append(wall_us - (NOW + true_us))
        if n % 6 == 0:
            made = placer.adjust(1, media_90k, host, None)
            assert not isinstance(made, str)
            if made is not None:
                rows.append(made)
    return placer, rows, errors


@pytest.mark.slow
@pytest.mark.parametrize(("ppm", "jitter_us"), [(-500, 40_000), (0, 40_000), (20, 0), (500, 40_000)])
def test_drift_is_followed_for_hours(ppm: int, jitter_us: int) -> None:
    """moonfire-nvr skipped this once and drifted 15 s in four hours."""
    _, rows, errors = run_for(4 * 3600, ppm, jitter_us)
    assert max(abs(error) for error in errors[600:]) < 60_000
    assert all(abs(row.rate_ppb) <= MAX_RATE_PPB for row in rows)
    assert len(rows) < 4 * 60 + 20


def test_rows_meet_end_to_end() -> None:
    _, rows, _ = run_for(3600, 500, 20_000)
    assert len(rows) > 3
    for one, two in itertools.pairwise(rows):
        us = us_of_90k(two.at_90k - one.at_90k)
        assert abs(one.wall_us + us + us * one.rate_ppb // 1_000_000_000 - two.wall_us) <= 2


def test_a_run_placed_late_at_first_is_slewed_and_never_stepped() -> None:
    """The first sync sample is big and comes late: half a second is taken back gently."""
    _, rows, errors = run_for(3600, 0, 5_000, first_late_us=500_000)
    assert errors[0] == 500_000
    assert max(abs(one - two) for one, two in itertools.pairwise(errors)) <= 100
    assert abs(errors[-1]) < 30_000
    assert rows


def test_what_cannot_be_slewed_ends_the_run() -> None:
    host = HostTime(BOOT, NOW, True)
    placer = Placer(NOW, Provenance.NTP)
    for n in range(400):
        placer.observe(n * 9_000, BOOT + n * 150_000)
        made = placer.adjust(1, n * 9_000, host, None)
        if isinstance(made, str):
            assert "+" in made
            return
    raise AssertionError("a camera whose clock runs at two thirds was slewed")


def report(media_s: float, ntp_us: int, at_us: int) -> SenderReport:
    return SenderReport(0, round(media_s * 90_000), ntp_us, at_us)


def test_a_camera_is_believed_where_nothing_disciplines_the_host_and_two_reports_agree() -> None:
    clock = CameraClock()
    host = HostTime(BOOT, NOW, False)
    clock.report(report(10, NOW + 15 * SECOND, BOOT + 10 * SECOND), 0)
    assert clock.wall_minus_media_us(host) is None
    clock.report(report(15, NOW + 20 * SECOND, BOOT + 15 * SECOND), 0)
    assert clock.wall_minus_media_us(host) == NOW + 5 * SECOND
    assert clock.wall_minus_media_us(HostTime(BOOT, NOW, True)) is None, "ntp over rtcp"
    clock.distrusted = 2
    assert clock.wall_minus_media_us(host) is None


@pytest.mark.parametrize("wall_us", [0, 3600 * SECOND, NOW + 3 * 86_400 * SECOND])
def test_a_camera_whose_clock_cannot_be_right_is_not_believed(wall_us: int) -> None:
    clock = CameraClock()
    for n in range(3):
        clock.report(report(n, wall_us + n * SECOND, BOOT + n * SECOND), 0)
    assert clock.wall_minus_media_us(HostTime(BOOT, NOW, False)) is None


def test_a_host_without_any_clock_believes_the_camera() -> None:
    clock = CameraClock()
    for n in range(3):
        clock.report(report(n, NOW + n * SECOND, BOOT + n * SECOND), 0)
    assert clock.wall_minus_media_us(HostTime(BOOT, BOOT, False)) == NOW


def test_ntp_that_comes_later_is_better_provenance_from_then_on() -> None:
    host = HostTime(BOOT, NOW, False)
    placer = Placer(NOW, host.provenance)
    rows = []
    for n in range(600):
        placer.observe(n * 9_000, BOOT + n * 100_000)
        host.observe(BOOT + n * 100_000, NOW + n * 100_000, n > 300)
        made = placer.adjust(1, n * 9_000, host, None)
        if isinstance(made, Placement):
            rows.append(made)
    assert [row.provenance for row in rows] == [Provenance.NTP]
    assert rows[0].at_90k >= 300 * 9_000
