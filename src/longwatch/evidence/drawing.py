"""The timeline of a package as a picture: one bar of SVG, drawn so that it reads on paper without colour."""

from __future__ import annotations

import zoneinfo
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from html import escape
from typing import Any

_WIDTH, _BAR_Y, _BAR_H = 1000.0, 26.0, 46.0
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EARLIEST_US, _LATEST_US = -62_000_000_000_000_000, 253_000_000_000_000_000  # what a date can be, with room for a zone
_STEPS_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 14400, 21600)
_LEAST_PX = 2.0  # a gap of one lost picture in a day must be seen

_DEFS = """<defs>
<pattern id="gap" width="7" height="7" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">
<rect width="7" height="7" fill="#fff"/><rect width="2.4" height="7" fill="#a3261b"/></pattern>
<pattern id="gone" width="8" height="8" patternUnits="userSpaceOnUse">
<rect width="8" height="8" fill="#fff"/><rect width="4" height="4" fill="#8a97a3"/><rect x="4" y="4" width="4" height="4" fill="#8a97a3"/></pattern>
</defs>"""


def moment(us: int, zone: zoneinfo.ZoneInfo | None = None) -> datetime:
    """A time of a package as a datetime: in UTC, or in a zone."""
    at = _EPOCH + timedelta(microseconds=min(max(us, _EARLIEST_US), _LATEST_US))
    return at if zone is None else at.astimezone(zone)


def timeline(said: Mapping[str, Any], zone: zoneinfo.ZoneInfo) -> str:
    """An inline SVG of the manifest's timeline: times in UTC above the bar, in the post's zone below it."""
    from_us, to_us = int(said["span"]["from_us"]), int(said["span"]["to_us"])

    def x(us: int) -> float:
        return float(us - from_us) * _WIDTH / (to_us - from_us)

    bars = [_bar(part, x) for part in sorted(said["timeline"], key=lambda part: _fill(part) == "gap")]
    return (
        f'<svg class="timeline" viewBox="-1 0 {_WIDTH + 2:.0f} 100" role="img" aria-label="What was recorded, and what was not">'
        f"{_DEFS}{''.join(bars)}"
        f'<rect x="0" y="{_BAR_Y}" width="{_WIDTH:.0f}" height="{_BAR_H}" fill="none" stroke="#1d2730"/>'
        f"{_ticks(from_us, to_us, x, zone)}</svg>"
    )


def _fill(part: Mapping[str, Any]) -> str:
    if part["state"] != "recorded":
        return "gap"
    return "gone" if part.get("held") == "gone" else "recorded"


def _bar(part: Mapping[str, Any], x: Any) -> str:
    fill = _fill(part)
    left, right = x(part["from_us"]), x(part["to_us"])
    if fill == "gap" and right - left < _LEAST_PX:
        left = max(0.0, min(left - _LEAST_PX / 2, _WIDTH - _LEAST_PX))
        right = left + _LEAST_PX
    paint = {"recorded": "#4d7a63", "gap": "url(#gap)", "gone": "url(#gone)"}[fill]
    title = escape(str(part.get("cause", fill)).replace("_", " "))
    return f'<rect x="{left:.2f}" y="{_BAR_Y}" width="{right - left:.2f}" height="{_BAR_H}" fill="{paint}"><title>{title}</title></rect>'


def _ticks(from_us: int, to_us: int, x: Any, zone: zoneinfo.ZoneInfo) -> str:
    """Round times, at most eight of them."""
    seconds = (to_us - from_us) / 1e6
    step_us = next((step for step in _STEPS_S if seconds / step <= 8), 43_200) * 1_000_000
    form = "%H:%M:%S" if step_us < 60_000_000 else "%H:%M"
    marks = []
    for us in range(-(-from_us // step_us) * step_us, to_us + 1, step_us):
        at = x(us)
        anchor = "start" if at < 30 else "end" if at > _WIDTH - 30 else "middle"
        marks.append(
            f'<path d="M{at:.1f} {_BAR_Y - 6}v{_BAR_H + 12}" stroke="#1d2730" stroke-width="1"/>'
            f'<text x="{at:.1f}" y="{_BAR_Y - 11}" text-anchor="{anchor}">{moment(us).strftime(form)}</text>'
            f'<text x="{at:.1f}" y="{_BAR_Y + _BAR_H + 22}" text-anchor="{anchor}">{moment(us, zone).strftime(form)}</text>'
        )
    return "".join(marks)


LEGEND: Sequence[tuple[str, str]] = (
    ("#4d7a63", "recorded, and in this package"),
    ("url(#gap)", "a gap: nothing was recorded"),
    ("url(#gone)", "recorded, expired since"),
)


def swatch(paint: str) -> str:
    """A sample of a fill, for the legend."""
    return (
        f'<svg class="swatch" viewBox="0 0 28 14" aria-hidden="true"><rect x=".5" y=".5" width="27" height="13" fill="{paint}" '
        'stroke="#1d2730"/></svg>'
    )
