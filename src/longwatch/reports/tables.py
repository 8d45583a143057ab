"""A report for programs: JSON with everything, CSV with one row for each camera (and the post) and each day, week and the whole.

Seconds have six decimals: nothing is rounded. Ids, not names, stand in the CSV; its lines end with CR LF (RFC 4180).
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from longwatch.base.rfc3339 import format_us
from longwatch.model.causes import Cause
from longwatch.reports.days import Period
from longwatch.reports.figures import Figures
from longwatch.reports.report import Report

FORM = "longwatch report 1"
_FIGURES = (
    "wall_s", "promised_s", "delivered_s", "missed_s", "not_promised_s", "pending_s", "unexplained_s", "excused_s", "gone_s",
    "blind_s", "interruptions", "longest_s",
)  # fmt: skip
COLUMNS = ("camera", "period", "name", "from", "to", *_FIGURES, *(f"{cause}_s" for cause in Cause))


def as_csv(report: Report) -> bytes:
    """Every row of the report. camera is empty in the rows of the post, which are sums."""
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    for camera, kind, period, row in _rows(report):
        said = _figures(row)
        numbers = [
            str(said[name]) if name == "interruptions" else _s(said[name.removesuffix("_s") + "_us"])
            for name in _FIGURES
        ]
        gaps = [_s(row.gaps_us.get(cause, 0)) for cause in Cause]
        writer.writerow(
            [camera, kind, period.name, format_us(period.from_us), format_us(period.to_us), *numbers, *gaps]
        )
    return out.getvalue().encode("utf-8")


def _rows(report: Report) -> Iterator[tuple[str, str, Period, Figures]]:
    whole = (Period("", report.from_us, report.to_us),)
    for camera in (None, *report.cameras):
        id_ = "" if camera is None else camera.id
        totals = (report.total,) if camera is None else (camera.total,)
        weeks, days = (report.week_totals, report.day_totals) if camera is None else (camera.weeks, camera.days)
        for kind, periods, rows in (("all", whole, totals), ("week", report.weeks, weeks), ("day", report.days, days)):
            for period, row in zip(periods, rows, strict=True):
                yield id_, kind, period, row


def _s(us: int) -> str:
    return f"{us // 1_000_000}.{us % 1_000_000:06d}"


def as_json(report: Report) -> bytes:
    """Everything. Times are RFC 3339, lengths microseconds; docs/ref/report.md says what each figure means."""
    said: dict[str, Any] = {
        "form": FORM,
        "post": asdict(report.post),
        "from": format_us(report.from_us),
        "to": format_us(report.to_us),
        "accounted_until": format_us(report.accounted_until_us),
        "made": format_us(report.made_us),
        "made_by": f"longwatch {report.version}",
        "versions": list(report.versions),
        "total": _figures(report.total),
        "days": _periods(report.days, report.day_totals),
        "weeks": _periods(report.weeks, report.week_totals),
        "cameras": [
            {
                "id": camera.id, "name": camera.name, "stream": camera.stream,
                "set_up": None if camera.set_up_us is None else format_us(camera.set_up_us), "held_bytes": camera.held_bytes,
                "total": _figures(camera.total), "days": _periods(report.days, camera.days),
                "weeks": _periods(report.weeks, camera.weeks),
            }
            for camera in report.cameras
        ],
        "longest_interruptions": [
            {
                "cameras": list(each.cameras), "from": format_us(each.from_us), "to": format_us(each.to_us), "cause": str(each.cause),
                "evidence": dict(each.evidence),
            }
            for each in report.interruptions
        ],
        "alarms": [_moments(asdict(alarm)) for alarm in report.alarms],
        "alarms_left_out": report.alarms_left_out,
        "ledger_entries": [_moments(asdict(item)) for item in report.told],
        "volumes": [asdict(volume) for volume in report.volumes],
        "ledger": None if report.ledger is None else asdict(report.ledger),
    }  # fmt: skip
    return (json.dumps(said, ensure_ascii=False, indent=1) + "\n").encode("utf-8")


def _periods(periods: Sequence[Period], rows: Sequence[Figures]) -> list[dict[str, Any]]:
    return [
        {"name": p.name, "from": format_us(p.from_us), "to": format_us(p.to_us), "whole": p.whole, **_figures(row)}
        for p, row in zip(periods, rows, strict=True)
    ]


def _figures(row: Figures) -> dict[str, Any]:
    return {
        "wall_us": row.wall_us, "promised_us": row.promised_us, "delivered_us": row.recorded_us, "missed_us": row.missed_us,
        "not_promised_us": row.not_promised_us, "pending_us": row.pending_us, "unexplained_us": row.unexplained_us,
        "excused_us": row.excused_us, "gone_us": row.gone_us, "blind_us": row.blind_us, "interruptions": row.interruptions, "longest_us": row.longest_us,
        "delivered_ppm": row.delivered_ppm, "gaps_us": {str(cause): us for cause, us in sorted(row.gaps_us.items())},
    }  # fmt: skip


def _moments(said: dict[str, Any]) -> dict[str, Any]:
    """`raised_us` as `raised`, in RFC 3339."""
    return {
        name.removesuffix("_us"): format_us(value) if name.endswith("_us") and value is not None else value
        for name, value in said.items()
    }
