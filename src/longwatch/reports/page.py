"""A report for people: one HTML file, no script, nothing loaded; made to be printed on A4 or letter and signed.

Every number is from the report and exact; what is cut for the eye is cut downwards, so that 100 % means every second. Numbers read the
same everywhere: a point before decimals, narrow spaces between thousands. Text from outside is escaped.
"""

from __future__ import annotations

import zoneinfo
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from importlib import resources

from longwatch.model import wording
from longwatch.model.causes import Cause
from longwatch.reports import drawing
from longwatch.reports.days import Period, local, zone_of
from longwatch.reports.figures import NOT_PROMISED, Figures
from longwatch.reports.report import AlarmSaid, Report

_HOUR_US = 3_600_000_000
_THIN = "\u202f"
_UNITS = ("B", "kB", "MB", "GB", "TB", "PB")
_MOST_LISTED = 60
_KINDS = {
    "recorder_started": "start", "clock_step": "clock set", "clock_unsteady": "clock unsteady", "time_corrected": "time corrected",
}  # fmt: skip


def page(report: Report) -> bytes:
    """The file. It names the checkpoint before it, so that its paper holds the ledger to what it was."""
    zone = zone_of(report.post.timezone)
    sections = [
        ("Week by week" if drawing.coarse(report.days, report.weeks) else "Day by day", _days(report, zone)),
        ("Camera by camera", _cameras(report)),
        ("What was missing, and why", _causes(report) + _longest(report, zone)),
        ("Alarms, and who dealt with them", _alarms(report, zone)),
        ("Starts, clock and corrections of time", _told(report, zone)),
        ("Storage", _storage(report)),
        ("What proves it", _proof(report)),
    ]
    body = "".join(
        f"<section><h2><span>{number}</span> {title}</h2>{text}</section>"
        for number, (title, text) in enumerate(sections, 1)
    )
    style = (resources.files("longwatch.reports") / "page.css").read_text(encoding="utf-8")
    title = f"{report.post.name}, {report.days[0].name if report.days else ''} to {report.days[-1].name if report.days else ''}"
    document = (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        '<meta name="viewport" content="width=device-width">'
        f"<title>Report: {escape(title)}</title><style>{style}</style></head><body>{drawing.PATTERNS}<main>"
        f"{_head(report, zone)}{body}{_SIGNED}</main></body></html>\n"
    )
    return document.encode("utf-8")


# ---- numbers and times ----------------------------------------------------------------------------------------------


def number(value: int) -> str:
    """With narrow spaces between thousands."""
    return f"{value:,}".replace(",", _THIN)


def hours(us: int) -> str:
    """Hours with two decimals, cut."""
    hundredths = us * 100 // _HOUR_US
    return f"{number(hundredths // 100)}.{hundredths % 100:02d}"


def lasting(us: int) -> str:
    """Hours, from one on; below that as a person says it."""
    return f"{hours(us)} h" if us >= _HOUR_US or not us else wording.duration(us)


def seconds(us: int) -> str:
    """Seconds with three decimals; a part of a millisecond that is left counts as one."""
    ms = -(-us // 1000)
    return f"{number(ms // 1000)}.{ms % 1000:03d} s"


def percent(ppm: int | None) -> str:
    """Three decimals, cut: 100 % is every second."""
    if ppm is None:
        return "nothing promised"
    if ppm == 1_000_000:
        return f"100{_THIN}%"
    return f"{ppm // 10_000}.{ppm % 10_000 // 10:03d}{_THIN}%"


def missing(us: int) -> str:
    """How long, for the eye."""
    return wording.duration(us) if us >= 100_000 else seconds(us)


def _missing_hours(us: int) -> str:
    """As the hours beside it, so that they add up: what those cut away is counted here."""
    return f"{hours(us + _HOUR_US // 100 - 1)} h" if us >= _HOUR_US else missing(us)


def size(count: int) -> str:
    """Bytes in steps of a thousand."""
    value, unit = float(count), 0
    while value >= 999.5 and unit < len(_UNITS) - 1:
        value, unit = value / 1000, unit + 1
    return f"{value:.0f}{_THIN}{_UNITS[unit]}" if unit < 3 else f"{value:.1f}{_THIN}{_UNITS[unit]}"


def when(us: int, zone: zoneinfo.ZoneInfo) -> str:
    """By the clock of the post."""
    at = local(us, zone)
    return f"{at:%Y-%m-%d %H:%M:%S} {escape(at.strftime('%Z'))}"


def _utc(us: int) -> str:
    return when(us, zoneinfo.ZoneInfo("UTC"))


def _table(head: Sequence[str], rows: Iterable[Sequence[str]], kind: str = "", right: Sequence[int] = ()) -> str:
    """Cells are HTML. right: columns of numbers."""

    def mark(n: int) -> str:
        return ' class="n"' if n in right else ""

    top = "".join(f"<th scope=col{mark(n)}>{cell}</th>" for n, cell in enumerate(head))
    lines = []
    for row in rows:
        cells, sums = (row[:-1], ' class="sum"') if row and row[-1] == _SUM else (row, "")
        lines.append(f"<tr{sums}>{''.join(f'<td{mark(n)}>{cell}</td>' for n, cell in enumerate(cells))}</tr>")
    return f'<table class="{kind}"><thead><tr>{top}</tr></thead><tbody>{"".join(lines)}</tbody></table>'


_SUM = "\0sum"


# ---- sections -------------------------------------------------------------------------------------------------------


def _head(report: Report, zone: zoneinfo.ZoneInfo) -> str:
    whole = report.total
    count = len(report.cameras)
    cameras = f"{count} camera{'' if count == 1 else 's'}"
    days = f"{len(report.days)} day{'' if len(report.days) == 1 else 's'}"
    done = percent(whole.delivered_ppm)
    if whole.promised_us and not whole.missed_us:
        said = f"{cameras}, {days}. Every second that was promised was recorded."
    elif whole.promised_us:
        said = (
            f"{cameras}, {days}. {done} of what was promised was recorded; {missing(whole.missed_us)} are missing, and every "
            "one of these seconds has a cause."
        )
    else:
        said = f"{cameras}, {days}. Nothing was promised in this time."
    if whole.unexplained_us:
        said += f" {seconds(whole.unexplained_us)} are not explained."
    open_alarms = sum(1 for alarm in report.alarms if alarm.acknowledged_us is None)
    figures = [
        ("promised", lasting(whole.promised_us), "camera hours to be recorded"),
        ("delivered", lasting(whole.recorded_us), done),
        ("missing", _missing_hours(whole.missed_us), _interruptions(whole.interruptions)),
        ("unexplained", seconds(whole.unexplained_us), "neither recorded nor a gap with a cause"),
        ("alarms", number(len(report.alarms) + report.alarms_left_out), f"{number(open_alarms)} not acknowledged" if open_alarms else "all acknowledged" if report.alarms else "none was raised"),
    ]  # fmt: skip
    cells = "".join(f"<div><dt>{name}</dt><dd>{value}<small>{note}</small></dd></div>" for name, value, note in figures)
    pending = f"<br>{missing(whole.pending_us)} of it is not known yet" if whole.pending_us else ""
    return (
        f"<header><p class=kicker>Report of hours promised and delivered</p><h1>{escape(report.post.name)}</h1>"
        f"<p class=lead>{when(report.from_us, zone)} to {when(report.to_us, zone)}<br>"
        f"{_utc(report.from_us)} to {_utc(report.to_us)}<br>made {_utc(report.made_us)}{pending}</p>"
        f"<p class=summary>{said}</p></header><dl class=figures>{cells}</dl>"
    )


def _interruptions(count: int) -> str:
    return "no interruption" if not count else f"in {number(count)} interruption{'' if count == 1 else 's'}"


def _days(report: Report, zone: zoneinfo.ZoneInfo) -> str:
    by_week = drawing.coarse(report.days, report.weeks)
    periods, rows = (report.weeks, report.week_totals) if by_week else (report.days, report.day_totals)
    picture = ""
    if any(row.missed_us for row in rows):
        picture = (
            f"<h3>What was promised and is missing, {'week by week' if by_week else 'day by day'}, all cameras together</h3>"
            f"<figure>{drawing.bars(periods, rows)}<figcaption>{_legend_of_missed(rows)}</figcaption></figure>"
        )
    else:
        picture = "<p>Nothing that was promised is missing on any day.</p>"
    weeks = (
        ""
        if by_week or len(report.weeks) < 2
        else f"<h3>By week</h3>{_periods(report.weeks, report.week_totals, None)}"
    )
    return (
        f"{picture}<h3>By {'week' if by_week else 'day'}, all cameras together</h3>"
        f"{_periods(periods, rows, None if by_week else zone, report.total)}{weeks}"
        f"<p class=small>Days begin at midnight in {escape(report.post.timezone)}. Hours are camera hours. "
        "Recorded, gaps and what is not known yet add up to the time that went by, to the microsecond, in every row.</p>"
    )


def _legend_of_missed(rows: Sequence[Figures]) -> str:
    shown = [
        group for group in drawing.MISSED if any(row.gaps_us.get(cause, 0) for row in rows for cause in group.causes)
    ]
    return "".join(f"<span>{drawing.swatch(group.paint)} {escape(group.name)}</span>" for group in shown)


_FIGURE_HEAD = ("promised", "delivered", "share", "missing", "interruptions", "longest", "unexplained")


def _figure_cells(row: Figures) -> list[str]:
    return [
        lasting(row.promised_us),
        lasting(row.recorded_us),
        percent(row.delivered_ppm) if row.promised_us else "",
        missing(row.missed_us),
        number(row.interruptions),
        missing(row.longest_us),
        seconds(row.unexplained_us),
    ]


def _periods(
    periods: Sequence[Period], rows: Sequence[Figures], zone: zoneinfo.ZoneInfo | None, whole: Figures | None = None
) -> str:
    lines = []
    for period, row in zip(periods, rows, strict=True):
        day = f' <span class="quiet">{drawing.weekday(period, zone)}</span>' if zone is not None else ""
        part = "" if period.whole else ' <span class="quiet">in part</span>'
        lines.append([f"{period.name}{day}{part}", *_figure_cells(row)])
    if whole is not None and len(rows) > 1:
        lines.append(["together", *_figure_cells(whole), _SUM])
    return _table(("", *_FIGURE_HEAD), lines, "small", range(1, 8))


def _cameras(report: Report) -> str:
    by_week = drawing.coarse(report.days, report.weeks)
    periods = report.weeks if by_week else report.days
    shown = [(camera, camera.weeks if by_week else camera.days) for camera in report.cameras]
    legend = drawing.legend(camera.total for camera in report.cameras)
    picture = (
        f"<figure>{drawing.strips(periods, shown)}<figcaption>{legend}</figcaption></figure>"
        f"<p class=small>Each cell is one {'week' if by_week else 'day'}; how much of it is filled is how much of it was so, and not when.</p>"
    )
    lines = [
        [f'{_free(camera.name)} <span class="id">{escape(camera.id)}</span>', *_figure_cells(camera.total)]
        for camera in report.cameras
    ]
    if len(lines) > 1:
        lines.append(["together", *_figure_cells(report.total), _SUM])
    return picture + _table(("camera", *_FIGURE_HEAD), lines, "small", range(1, 8))


def _causes(report: Report) -> str:
    whole = report.total
    lines = []
    for cause, us in drawing.by_cause(whole).items():
        if us and cause not in NOT_PROMISED:
            lines.append(
                [_paint(cause), escape(wording.CAUSES[cause]), f"<code>{cause}</code>", missing(us), seconds(us)]
            )
    if whole.excused_us:
        lines.append(["", "of these, while nothing was to be recorded anyway", "", f"-{missing(whole.excused_us)}", f"-{_exactly(whole.excused_us)}"])  # fmt: skip
    missed = (
        _table(("", "why", "cause", "missing", "exactly, in s"), [*lines, ["", "missing in all", "", missing(whole.missed_us), _exactly(whole.missed_us), _SUM]], "small", (3, 4))
        if lines else "<p>Nothing that was promised is missing.</p>"
    )  # fmt: skip
    planned = [
        [escape(wording.CAUSES[cause]), f"<code>{cause}</code>", lasting(us)]
        for cause, us in drawing.by_cause(whole).items()
        if us and cause in NOT_PROMISED
    ]
    if whole.blind_us:
        missed += (
            f"<p>Of what was recorded, {lasting(whole.blind_us)} (camera hours) show nothing of use: the view was covered, turned away, "
            f"blinded or the like, as the alarms below say. These hours are delivered, and counted here so that nobody takes them for watched.</p>"
        )
    if not planned:
        return missed
    return f"{missed}<h3>What was not promised</h3>{_table(('why', 'cause', 'camera hours'), planned, 'small', (2,))}"


def _paint(cause: Cause) -> str:
    return next((drawing.swatch(group.paint) for group in drawing.MISSED if cause in group.causes), "")


def _longest(report: Report, zone: zoneinfo.ZoneInfo) -> str:
    if not report.interruptions:
        return ""
    names = {camera.id: camera.name for camera in report.cameras}
    rows = [
        [
            _named(each.cameras, names), f'<span class="when">{when(each.from_us, zone)}</span>',
            wording.duration(each.to_us - each.from_us), f"<code>{each.cause}</code>", _free(_clip(wording.evidence(each.evidence))),
        ]
        for each in report.interruptions
    ]  # fmt: skip
    return f"<h3>The longest gaps</h3>{_table(('camera', 'from', 'lasted', 'cause', 'evidence'), rows, 'small', (2,))}"


def _named(cameras: Sequence[str], names: Mapping[str, str]) -> str:
    first = _free(names.get(cameras[0], cameras[0]))
    return first if len(cameras) == 1 else f'{first} <span class="quiet">and {number(len(cameras) - 1)} more</span>'


def _exactly(us: int) -> str:
    """Seconds to the microsecond: sums of these are seen to be right."""
    return f"{number(us // 1_000_000)}.{us % 1_000_000:06d}"


def _free(text: str) -> str:
    """Words of others, which may be as long as they like."""
    return f'<span class="free">{escape(text)}</span>'


def _clip(text: str, most: int = 180) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _alarms(report: Report, zone: zoneinfo.ZoneInfo) -> str:
    if not report.alarms:
        return "<p>No alarm was raised.</p>"
    # those that nobody dealt with stand first: they are what a reader has to ask about
    ordered = sorted(report.alarms, key=lambda alarm: (alarm.acknowledged_us is not None, alarm.raised_us))
    rows = [
        [
            f'<span class="when">{when(alarm.raised_us, zone)}</span>',
            escape(alarm.says),
            _lasted(alarm),
            _dealt(alarm, zone),
        ]
        for alarm in ordered[:_MOST_LISTED]
    ]
    more = len(report.alarms) + report.alarms_left_out - len(rows)
    rest = f"<p class=small>And {number(more)} more; the JSON beside this page lists them.</p>" if more else ""
    return _table(("raised", "what", "lasted", "acknowledged"), rows, "small alarms") + rest


def _lasted(alarm: AlarmSaid) -> str:
    return "lasts" if alarm.ended_us is None else wording.duration(max(0, alarm.ended_us - alarm.raised_us))


def _dealt(alarm: AlarmSaid, zone: zoneinfo.ZoneInfo) -> str:
    if alarm.acknowledged_us is None:
        return "<strong>by nobody</strong>"
    who = _free(alarm.by) if alarm.by else '<span class="quiet">name erased</span>'
    why = f"<br>{_free(alarm.reason)}" if alarm.reason else ""
    return f'{who}, <span class="when">{when(alarm.acknowledged_us, zone)}</span>{why}<br><span class="quiet">entry {alarm.entry}</span>'


def _told(report: Report, zone: zoneinfo.ZoneInfo) -> str:
    versions = f"<p>Version{'' if len(report.versions) == 1 else 's'} of Longwatch in this time: {escape(', '.join(report.versions))}.</p>"
    if not report.told:
        return f"{versions}<p>The recorder was not started anew, the clock was not set, and no footage was placed anew.</p>"
    rows = [
        [
            f'<span class="when">{when(item.at_us, zone)}</span>',
            _KINDS.get(item.kind, item.kind),
            escape(item.said),
            str(item.seq),
        ]
        for item in report.told[:_MOST_LISTED]
    ]
    more = len(report.told) - len(rows)
    rest = f"<p class=small>And {number(more)} more; the JSON beside this page lists them.</p>" if more else ""
    return versions + _table(("when", "what", "", "entry"), rows, "small", (3,)) + rest


def _storage(report: Report) -> str:
    rows = [
        [
            f"<code class=free>{escape(volume.path)}</code>{'' if volume.present else ' <strong>not there</strong>'}", size(volume.held_bytes),
            number(volume.segments), size(volume.free_bytes), size(volume.size_bytes),
        ]
        for volume in report.volumes
    ]  # fmt: skip
    gone = (
        f"<p>Of what was recorded in this time, {lasting(report.total.gone_us)} (camera hours) are no longer held here.</p>"
        if report.total.gone_us
        else "<p>Everything that was recorded in this time is still held here.</p>"
    )
    return (
        _table(("volume, when this was made", "recordings", "segments", "free", "size"), rows, "small", (1, 2, 3, 4))
        + gone
    )


def _proof(report: Report) -> str:
    if report.ledger is None:
        return "<p>The ledger of this post had no signed checkpoint when this was made.</p>"
    ledger = report.ledger
    pairs = "".join(
        f"<tr><th scope=row>{name}</th><td>{value}</td></tr>"
        for name, value in (
            ("Ledger", f"<code>{escape(ledger.origin)}</code>"),
            ("Key", f"<code>{escape(ledger.fingerprint)}</code>"),
            ("Entries before this report", number(ledger.size)),
        )
    )
    return (
        "<p>Making this report is itself an entry of the post's ledger, with the SHA-256 of its files; the proof of that entry stands beside them. "
        "The checkpoint below is the ledger's newest before the report. Whoever keeps this page can hold the post to it: "
        "a ledger that was rolled back, cut or written anew since no longer agrees with it.</p>"
        f'<table class="pairs small">{pairs}</table><pre>\n{escape(ledger.checkpoint)}</pre>'
        "<p class=small>To check: <code>longwatch verify DATA --checkpoint report.html --key FINGERPRINT</code></p>"
    )


_SIGNED = (
    '<section class="handed"><h2>Signed</h2>'
    '<table class="sign"><thead><tr><th>For the post</th><th>Received and looked at</th></tr></thead><tbody>'
    '<tr class="room"><td></td><td></td></tr><tr class="line"><td>Name, function</td><td>Name, function</td></tr>'
    '<tr class="room"><td></td><td></td></tr><tr class="line"><td>Place, date</td><td>Place, date</td></tr>'
    '<tr class="room"><td></td><td></td></tr><tr class="line"><td>Signature</td><td>Signature</td></tr>'
    "</tbody></table></section>"
)
