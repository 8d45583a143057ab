"""A month of a post that had everything happen to it, as a report: made of numbers, not of an archive."""

from __future__ import annotations

import random

from longwatch.model.causes import Cause
from longwatch.model.stores import GapSpan, Provenance, RecordedSpan
from longwatch.reports.days import Period, days, weeks, zone_of
from longwatch.reports.figures import Figures, figures, total
from longwatch.reports.report import (
    AlarmSaid,
    CameraFigures,
    Interruption,
    LedgerSaid,
    Post,
    Report,
    Told,
    VolumeSaid,
)  # fmt: skip
from longwatch.timeline import tile

HOUR = 3_600_000_000
DAY = 24 * HOUR
BEGIN = 1_790_805_600_000_000  # 2026-09-30T22:00:00Z, midnight in Oslo
CHECKPOINT = (
    "longwatch/north-ridge/0a1b2c/1\n91234\nZm9vYmFyYmF6cXV4Zm9vYmFyYmF6cXV4Zm9vYmFyYmE=\n\n"
    "— longwatch/north-ridge/0a1b2c/1 x0a1Zm9vYmFyYmF6cXV4Zm9vYmFyYmF6cXV4Zm9vYmFyYmFyZm9vYmFyYmF6cXV4Zm9vYmFyYmF6cXV4Zm9vYmFyYmFyc2Q=\n"
)


def month(cameras: int = 30, count: int = 31) -> Report:
    """Every cause strikes somewhere."""
    end = BEGIN + count * DAY
    zone = zone_of("Europe/Oslo")
    by_day, by_week = days(BEGIN, end, zone), weeks(BEGIN, end, zone)
    made = [_camera(n, end, by_day, by_week) for n in range(cameras)]
    interruption = Interruption(
        tuple(camera.id for camera in made),
        BEGIN + 9 * DAY,
        BEGIN + 9 * DAY + 5 * HOUR,
        Cause.POST_POWER_LOST,
        {"detail": "x" * 400},
    )
    alarms = tuple(
        AlarmSaid(n, "camera_silent", "cam1", "Camera 1 sends no video: it was switched off while this post had power.", BEGIN + n * DAY, None, 2)
        for n in range(1, 4)
    )  # fmt: skip
    return Report(
        Post("north-ridge", "North ridge lookout", "Europe/Oslo"), BEGIN, end, end, end + HOUR, "0.1.0", tuple(by_day), tuple(by_week),
        tuple(made), total(camera.total for camera in made), _sums([camera.days for camera in made]),
        _sums([camera.weeks for camera in made]), (interruption,), alarms, 0,
        (Told(17, "clock_step", BEGIN + DAY, "the host's clock was set ahead by 1 h 00 min (ntp)"),),
        (VolumeSaid("/var/lib/longwatch", True, 2 * 10**12, 10**11, 10**12, 91_000),),
        LedgerSaid("longwatch/north-ridge/0a1b2c/1", "SHA256:xOX9yN6NKh2F+NUfd9R1AeZZhqX04bFLAVAB7UWodao", 91_234, CHECKPOINT), ("0.1.0",),
    )  # fmt: skip


def _camera(n: int, end: int, by_day: list[Period], by_week: list[Period]) -> CameraFigures:
    draw = random.Random(n)
    spans, gaps = [], []
    at, run = BEGIN, 1
    while at < end:
        length = draw.randrange(HOUR, 40 * HOUR)
        spans.append(RecordedSpan(at, at + length, run, Provenance.NTP))
        missing = draw.choice([300_000, 20_000_000, HOUR, 9 * HOUR])
        gaps.append(GapSpan(at + length, at + length + missing, draw.choice(list(Cause)), {}, run))
        at, run = at + length + missing, run + 1
    tiles = tile(spans, gaps, BEGIN, end, end, BEGIN)
    rows = [figures(tiles, periods, lambda _a, _b: 0) for periods in ([Period("", BEGIN, end)], by_day, by_week)]
    return CameraFigures(
        f"cam{n}", f"Camera {n} of the long name", "main", BEGIN, rows[0][0], tuple(rows[1]), tuple(rows[2]), 10**10
    )


def _sums(rows: list[tuple[Figures, ...]]) -> tuple[Figures, ...]:
    return tuple(total(row[n] for row in rows) for n in range(len(rows[0])))
