"""The plots of a report: inline SVG that reads on paper without colour. Every group of causes has a hatching of its own."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape

from longwatch.model.causes import Cause
from longwatch.reports.days import Period
from longwatch.reports.figures import Figures
from longwatch.reports.report import CameraFigures

_HOUR_US = 3_600_000_000
_WIDTH = 1000.0
_LABEL = 150.0
_INK, _QUIET, _LINE = "#1d2730", "#54626e", "#c9d1d8"
_LEAST_PX = 2.4
_ROWS_AT_ONCE = 26
_MOST_BARS = 62


@dataclass(frozen=True, slots=True)
class Group:
    """Causes that are drawn alike. paint: its fill; edge: the line around it, so that a thin slice is seen. name: in the legend."""

    name: str
    paint: str
    edge: str
    causes: frozenset[Cause]


def _hatch(id_: str, colour: str, strokes: str, size: int = 5, turned: int = 0) -> str:
    turn = f' patternTransform="rotate({turned})"' if turned else ""
    return (
        f'<pattern id="{id_}" width="{size}" height="{size}" patternUnits="userSpaceOnUse"{turn}>'
        f'<rect width="{size}" height="{size}" fill="#fff"/><g fill="none" stroke="{colour}" stroke-width="1.8">{strokes}</g></pattern>'
    )


PATTERNS = (
    '<svg width="0" height="0" style="position:absolute" aria-hidden="true"><defs>'
    + _hatch("h-off", "#a3261b", '<path d="M0 2.5h5M2.5 0v5"/>', turned=45)
    + _hatch("h-camera", "#c05a11", '<path d="M1 0v5"/>', turned=45)
    + _hatch("h-power", "#5b3a8c", '<path d="M1 0v4"/>', 4)
    + _hatch("h-post", "#1f5f8b", '<path d="M1 0v5"/>', turned=-45)
    + _hatch("h-disk", "#6b4a1e", '<path d="M0 1h4"/>', 4)
    + '<pattern id="h-unknown" width="6" height="6" patternUnits="userSpaceOnUse"><rect width="6" height="6" fill="#fff"/>'
    '<circle cx="1.5" cy="1.5" r="1.5" fill="#111"/><circle cx="4.5" cy="4.5" r="1.5" fill="#111"/></pattern>'
    '<pattern id="h-planned" width="8" height="8" patternUnits="userSpaceOnUse"><rect width="8" height="8" fill="#f4f6f7"/>'
    '<circle cx="2" cy="2" r=".8" fill="#8a97a3"/><circle cx="6" cy="6" r=".8" fill="#8a97a3"/></pattern>'
    "</defs></svg>"
)

RECORDED = "#4d7a63"
MISSED: Sequence[Group] = (
    Group("camera switched off", "url(#h-off)", "#a3261b", frozenset({Cause.CAMERA_SWITCHED_OFF})),
    Group(
        "camera or its line",
        "url(#h-camera)",
        "#c05a11",
        frozenset({Cause.CAMERA_UNREACHABLE, Cause.CAMERA_REFUSED, Cause.STREAM_STALLED, Cause.PACKETS_LOST}),
    ),
    Group("no power at the post", "url(#h-power)", "#5b3a8c", frozenset({Cause.POST_POWER_LOST})),
    Group(
        "post or recorder stopped", "url(#h-post)", "#1f5f8b", frozenset({Cause.POST_STOPPED, Cause.RECORDER_FAILED})
    ),
    Group("disk", "url(#h-disk)", "#6b4a1e", frozenset({Cause.STORAGE_FULL, Cause.STORAGE_FAILED})),
    Group("not known", "url(#h-unknown)", "#111111", frozenset({Cause.UNKNOWN})),
)
PLANNED = ("not promised", "url(#h-planned)")
PENDING = ("not known yet", "#fff")


def missed_by_group(row: Figures) -> list[tuple[Group, int]]:
    """What of a row was promised and is missing, group by group, as drawn; what is excused is taken from the post's own."""
    parts = [(group, sum(row.gaps_us.get(cause, 0) for cause in group.causes)) for group in MISSED]
    excused_us = row.excused_us
    found = []
    for group, us in parts:
        taken_us = min(us, excused_us) if group.causes & {Cause.POST_POWER_LOST, Cause.POST_STOPPED} else 0
        excused_us -= taken_us
        found.append((group, us - taken_us))
    return found


def swatch(paint: str) -> str:
    """A sample of a fill, for the legend."""
    return (
        f'<svg class="swatch" viewBox="0 0 28 14" aria-hidden="true"><rect x=".5" y=".5" width="27" height="13" fill="{paint}" '
        f'stroke="{_INK}"/></svg>'
    )


def legend(rows: Iterable[Figures]) -> str:
    """Of what stands in these rows, and nothing else."""
    all_rows = list(rows)
    shown = [("recorded", RECORDED)]
    shown += [
        (group.name, group.paint)
        for group in MISSED
        if any(row.gaps_us.get(cause, 0) for row in all_rows for cause in group.causes)
    ]
    if any(row.not_promised_us for row in all_rows):
        shown.append(PLANNED)
    if any(row.pending_us for row in all_rows):
        shown.append(PENDING)
    return "".join(f"<span>{swatch(paint)} {escape(name)}</span>" for name, paint in shown)


def coarse(days: Sequence[Period], weeks: Sequence[Period]) -> bool:
    """Whether days are too many to be drawn one by one, so that weeks are."""
    return len(days) > _MOST_BARS and len(weeks) < len(days)


# ---- bars: what is missing, period by period ------------------------------------------------------------------------


def bars(periods: Sequence[Period], rows: Sequence[Figures]) -> str:
    """Hours that were promised and are missing, stacked by cause: one bar for each day or week. Each has its own scale below: what was
    delivered is nearly all, and would hide what is missing.
    """
    tallest_us = max((row.missed_us for row in rows), default=0)
    top, height = 14.0, 190.0
    step = (_WIDTH - 70) / max(1, len(periods))
    unit_us, unit = (
        (_HOUR_US, "h")
        if tallest_us >= _HOUR_US
        else (60_000_000, "min")
        if tallest_us >= 60_000_000
        else (1_000_000, "s")
    )
    scale = _round_up(tallest_us / unit_us) if tallest_us else 1.0
    drawn = [_axis(scale, unit, top, height)]
    for n, row in enumerate(rows):
        x = 62 + n * step
        drawn.append(_stack(row, x + step * 0.14, step * 0.72, top, height, scale * unit_us))
    drawn.append(_names(periods, step, top + height))
    words = f"{len(periods)} bars: what was promised and is missing"
    return f'<svg class="plot" viewBox="0 0 {_WIDTH:.0f} {top + height + 44:.0f}" role="img" aria-label="{words}">{"".join(drawn)}</svg>'


def _round_up(value: float) -> float:
    """The next of 1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 24, 30, 40, 50, 60 and so on, times a power of ten."""
    power = 1.0
    while True:
        for step in (1, 2, 3, 4, 5, 6, 8):
            if value <= step * power:
                return step * power
        power *= 10


def _axis(scale: float, unit: str, top: float, height: float) -> str:
    lines = []
    for part in (0, 1, 2):
        y = top + height - height * part / 2
        label = f"{scale * part / 2:g}"
        lines.append(
            f'<path d="M62 {y:.1f}H{_WIDTH:.0f}" stroke="{_INK if part == 0 else _LINE}"/>'
            f'<text x="54" y="{y + 5:.1f}" text-anchor="end">{label}{f" {unit}" if part else ""}</text>'
        )
    return "".join(lines)


def _stack(row: Figures, x: float, width: float, top: float, height: float, scale_us: float) -> str:
    y = top + height
    parts = []
    for group, us in missed_by_group(row):
        if us <= 0:
            continue
        tall = max(_LEAST_PX, height * us / scale_us)
        y -= tall
        parts.append(
            f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{tall:.1f}" fill="{group.paint}" stroke="{_INK}" stroke-width=".8"/>'
        )
    return "".join(parts)


def _names(periods: Sequence[Period], step: float, y: float) -> str:
    """Every so many periods one name; the month with the first, and where it changes."""
    every = max(1, -(-len(periods) // max(1, int((_WIDTH - 70) // 58))))
    texts = []
    month = ""
    for n, period in enumerate(periods):
        if n % every:
            continue
        x = 62 + (n + 0.5) * step
        name, under = _short(period.name)
        texts.append(f'<text x="{x:.1f}" y="{y + 18:.1f}" text-anchor="middle">{name}</text>')
        if under != month:
            texts.append(f'<text class="quiet" x="{x:.1f}" y="{y + 36:.1f}" text-anchor="middle">{under}</text>')
            month = under
    return "".join(texts)


def _short(name: str) -> tuple[str, str]:
    """`2026-01-31` as 31 and 2026-01; `2026-W05` as W05 and 2026."""
    head, _, tail = name.rpartition("-")
    return tail, head


# ---- strips: each camera, period by period --------------------------------------------------------------------------


def strips(periods: Sequence[Period], cameras: Sequence[tuple[CameraFigures, Sequence[Figures]]]) -> str:
    """A row for each camera, a cell for each period: filled as far as it was recorded, hatched where it is missing."""
    parts = (cameras[first : first + _ROWS_AT_ONCE] for first in range(0, len(cameras), _ROWS_AT_ONCE))
    return "".join(_strip(periods, part) for part in parts)


def _strip(periods: Sequence[Period], cameras: Sequence[tuple[CameraFigures, Sequence[Figures]]]) -> str:
    pitch, cell, top = 26.0, 20.0, 24.0
    step = (_WIDTH - _LABEL) / max(1, len(periods))
    gap = min(3.0, step * 0.16)
    every = max(1, -(-len(periods) // max(1, int((_WIDTH - _LABEL) // 46))))
    parts = [
        f'<text x="{_LABEL + (n + 0.5) * step:.1f}" y="14" text-anchor="middle">{_short(period.name)[0]}</text>'
        for n, period in enumerate(periods)
        if n % every == 0
    ]
    for line, (camera, rows) in enumerate(cameras):
        y = top + line * pitch
        name = camera.name if len(camera.name) <= 20 else f"{camera.name[:19]}…"
        parts.append(f'<text x="0" y="{y + 15:.1f}">{escape(name)}</text>')
        paths: dict[str, list[str]] = {}
        for n, row in enumerate(rows):
            _cell(paths, row, _LABEL + n * step + gap / 2, y, step - gap, cell)
        parts += [f'<path d="{"".join(boxes)}" fill="{paint}"{_edge(paint)}/>' for paint, boxes in paths.items()]
        edges = "".join(_box(_LABEL + n * step + gap / 2, y, step - gap, cell) for n in range(len(rows)))
        parts.append(f'<path d="{edges}" fill="none" stroke="{_INK}" stroke-width=".7"/>')
    height = top + len(cameras) * pitch
    return (
        f'<svg class="plot strip" viewBox="0 0 {_WIDTH:.0f} {height:.0f}" role="img" aria-label="What was recorded of each camera">'
        f"{''.join(parts)}</svg>"
    )


def _edge(paint: str) -> str:
    colour = next((group.edge for group in MISSED if group.paint == paint), "")
    return f' stroke="{colour}" stroke-width=".9"' if colour else ""


def _cell(paths: dict[str, list[str]], row: Figures, x: float, y: float, width: float, height: float) -> None:
    """One cell, from the left: recorded, missing by cause, not promised, not known yet. What is missing is never too thin to be seen."""
    if not row.wall_us:
        return
    missing = [(group.paint, us) for group, us in missed_by_group(row) if us > 0]
    shares: list[tuple[str, float]] = [(RECORDED, width * row.recorded_us / row.wall_us)]
    shares += [(paint, max(_LEAST_PX, width * us / row.wall_us)) for paint, us in missing]
    shares += [
        (PLANNED[1], width * row.not_promised_us / row.wall_us),
        (PENDING[1], width * row.pending_us / row.wall_us),
    ]
    over = sum(wide for _, wide in shares) - width
    if over > 0:  # what was made wide enough to be seen is taken from the widest
        widest = max(range(len(shares)), key=lambda n: shares[n][1])
        shares[widest] = (shares[widest][0], max(0.0, shares[widest][1] - over))
    at = x
    for paint, wide in shares:
        if wide > 0:
            paths.setdefault(paint, []).append(_box(at, y, wide, height))
            at += wide


def _box(x: float, y: float, width: float, height: float) -> str:
    return f"M{x:.1f} {y:.1f}h{width:.1f}v{height:.1f}h{-width:.1f}z"


def shares(row: Figures) -> str:
    """One row of figures as a bar, for a table."""
    paths: dict[str, list[str]] = {}
    _cell(paths, row, 0.5, 0.5, 159, 13)
    inside = "".join(f'<path d="{"".join(boxes)}" fill="{paint}"/>' for paint, boxes in paths.items())
    return (
        f'<svg class="share" viewBox="0 0 160 14" aria-hidden="true">{inside}'
        f'<rect x=".5" y=".5" width="159" height="13" fill="none" stroke="{_INK}" stroke-width=".8"/></svg>'
    )


def weekday(period: Period, zone: dt.tzinfo) -> str:
    """Mon to Sun."""
    return (
        (dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(microseconds=period.from_us))
        .astimezone(zone)
        .strftime("%a")
    )


def by_cause(row: Figures) -> Mapping[Cause, int]:
    """Gaps of a row, the longest first."""
    return dict(sorted(row.gaps_us.items(), key=lambda item: -item[1]))
