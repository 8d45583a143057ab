"""manifest.html: what a package says, for people. One file, no script, nothing loaded; made to be printed and signed.

It shows the manifest and nothing else: every word is from there or fixed here. Text from outside is escaped.
"""

from __future__ import annotations

import zoneinfo
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from importlib import resources
from typing import Any

from longwatch.evidence import layout
from longwatch.evidence.drawing import LEGEND, moment, swatch, timeline
from longwatch.model import wording
from longwatch.model.causes import Cause

_KINDS = {
    "segment_sealed": "segment sealed", "gap_opened": "gap begins", "gap_refined": "cause of a gap known better",
    "gap_closed": "gap ends", "export_begun": "export begun", "segments_removed": "recordings removed",
    "clock_step": "clock set", "clock_unsteady": "clock unsteady", "recorder_started": "recorder started",
    "recorder_stopped": "recorder stopped", "log_begun": "ledger begun", "time_corrected": "time corrected",
    "power_changed": "power changed", "ledger_restored": "ledger restored", "index_rebuilt": "index rebuilt",
}  # fmt: skip
_PROVENANCE = {
    "ntp": "the post's clock, kept by NTP", "rtcp": "the camera's clock", "rtc": "the post's own clock, without NTP",
    "inferred": "inferred from elapsed time",
}  # fmt: skip


class _Times:
    """Moments, in UTC and in the post's zone."""

    def __init__(self, timezone: str) -> None:
        try:
            self.zone = zoneinfo.ZoneInfo(timezone)
        except (zoneinfo.ZoneInfoNotFoundError, ValueError):
            self.zone = zoneinfo.ZoneInfo("UTC")
        self.name = self.zone.key

    def stretches(self, from_us: int, to_us: int) -> str:
        """A table cell: a stretch in UTC, and below it in the post's zone."""
        begin, end = moment(from_us, self.zone), moment(to_us, self.zone)
        local = f"{_clock(begin)} {escape(begin.strftime('%Z'))}<br>to {_clock(end)} {escape(end.strftime('%Z'))}"
        return f"{self.utc(from_us)}<br>to {self.utc(to_us)}<br><span class=local>{local}</span>"

    def stretch(self, from_us: int, to_us: int) -> str:
        """A table cell: a stretch in UTC, the date once where it is one."""
        begin, end = _clock(moment(from_us)), _clock(moment(to_us))
        return f"{begin}<br>to {end[11:] if begin[:10] == end[:10] else end}"

    def utc(self, us: int) -> str:
        return f"{_clock(moment(us))} UTC"

    def local(self, us: int) -> str:
        local = moment(us, self.zone)
        return f"{_clock(local)} {escape(local.strftime('%Z'))} (UTC{local.strftime('%z')[:3]}:{local.strftime('%z')[3:5]})"


def _clock(at: Any) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S}.{at.microsecond // 1000:03d}"


def page(said: Mapping[str, Any], key: str) -> str:
    """The page of a manifest. key: the log's public key in PEM. `said` needs `files`, as far as they are written."""
    times = _Times(said["post"]["timezone"])
    title = f"{said['camera']['name']}, {times.utc(said['span']['from_us'])}"
    parts = [
        _head(said, times),
        _section("1", "What this is", _facts(said, times)),
        _section(
            "2", "What was recorded, and what was not", _picture(said, times) + _gaps(said, times) + _notes(said, times)
        ),
        _section("3", "The recordings", _recordings(said, times)),
        _section("4", "What the ledger says of this time", _entries(said, times)),
        _section("5", "Key and checkpoint", _proof(said, key)),
        _section("6", "How to check it", _how(said)),
        _section("7", "Files", _files(said)),
        _HANDED_OVER,
    ]
    style = (resources.files("longwatch.evidence") / "page.css").read_text(encoding="utf-8")
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        '<meta name="viewport" content="width=device-width">'
        f"<title>Evidence: {escape(title)}</title><style>{style}</style></head><body><main>{''.join(parts)}</main></body></html>\n"
    )


def _section(number: str, title: str, body: str) -> str:
    return f"<section><h2><span>{number}</span> {title}</h2>{body}</section>"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]], kind: str = "") -> str:
    """Cells are HTML."""
    top = "".join(f"<th scope=col>{cell}</th>" for cell in head)
    body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    return f'<table class="{kind}"><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>'


def _pairs(rows: Iterable[tuple[str, str]]) -> str:
    return f'<table class="pairs">{"".join(f"<tr><th scope=row>{name}</th><td>{value}</td></tr>" for name, value in rows)}</table>'


def _head(said: Mapping[str, Any], times: _Times) -> str:
    span, totals = said["span"], said["totals"]
    length = wording.duration(span["to_us"] - span["from_us"])
    gaps = sum(1 for part in said["timeline"] if part["state"] == "gap")
    if not gaps:
        missing = "Every second of it is recorded."
    elif gaps == 1:
        missing = f"One gap of {wording.duration(totals['gap_us'])}, with its cause below."
    else:
        missing = f"{gaps} gaps, {wording.duration(totals['gap_us'])} in all, each with its cause below."
    return (
        f"<header><p class=kicker>Longwatch evidence package</p><h1>{escape(said['camera']['name'])}</h1>"
        f"<p class=lead>{escape(said['post']['name'])}<br>{times.utc(span['from_us'])} to {times.utc(span['to_us'])}</p>"
        f"<p class=summary>{length}, all of it accounted for: {wording.duration(totals['recorded_us'])} recorded. {missing}</p></header>"
    )


def _facts(said: Mapping[str, Any], times: _Times) -> str:
    span, asked, operator = said["span"], said["asked"], said["operator"]
    rows = [
        ("Post", f"{escape(said['post']['name'])} <code>{escape(said['post']['id'])}</code>"),
        ("Camera", f"{escape(said['camera']['name'])} <code>{escape(said['camera']['id'])}</code>, stream <code>{escape(said['stream'])}</code>"),
        ("From", f"{times.utc(span['from_us'])}<br><span class=local>{times.local(span['from_us'])}</span>"),
        ("To", f"{times.utc(span['to_us'])}<br><span class=local>{times.local(span['to_us'])}</span>"),
    ]  # fmt: skip
    if (asked["from_us"], asked["to_us"]) != (span["from_us"], span["to_us"]):
        rows.append(("Asked for", f"{times.utc(asked['from_us'])} to {times.utc(asked['to_us'])}"))
    rows += [
        ("Local time", f"{escape(times.name)}, the zone of the post"),
        ("Exported", f"{times.utc(said['made']['us'])}<br><span class=local>{times.local(said['made']['us'])}</span>"),
        ("By", f"{escape(operator['user'])}{' (command line of the post)' if operator['subject'] == 0 else ''}"),
        ("Reason", escape(operator["reason"]) or "<em>none was given</em>"),
        ("Made with", escape(said["writer"])),
    ]
    return _pairs(rows)


def _picture(said: Mapping[str, Any], times: _Times) -> str:
    shown = {"recorded"} | {"gap" for p in said["timeline"] if p["state"] == "gap"}
    shown |= {"gone" for p in said["timeline"] if p.get("held") == "gone"}
    names = dict(zip(("recorded", "gap", "gone"), LEGEND, strict=True))
    legend = "".join(f"<span>{swatch(paint)} {text}</span>" for name, (paint, text) in names.items() if name in shown)
    return (
        f'<figure><p class="axis">UTC</p>{timeline(said, times.zone)}<p class="axis">{escape(times.name)}</p>'
        f"<figcaption>{legend}</figcaption></figure>"
    )


def _gaps(said: Mapping[str, Any], times: _Times) -> str:
    rows = [
        (
            times.stretches(part["from_us"], part["to_us"]), wording.duration(part["to_us"] - part["from_us"]),
            f"{escape(_cause(part['cause']))}<br><code class=name>{escape(part['cause'])}</code>",
            escape(wording.evidence(part["evidence"])) or "&ndash;",
        )
        for part in said["timeline"] if part["state"] == "gap"
    ]  # fmt: skip
    if not rows:
        return "<p>There is no gap in this time.</p>"
    return _table(("From, to", "Lasted", "Cause", "Evidence"), rows, "gaps")


def _cause(name: str) -> str:
    try:
        return wording.CAUSES[Cause(name)]
    except ValueError:
        return name


def _notes(said: Mapping[str, Any], times: _Times) -> str:
    """What else is not as one would wish; said, never left out."""
    notes = []
    for part in said["timeline"]:
        span = f"{times.utc(part['from_us'])} to {times.utc(part['to_us'])}"
        if part.get("held") == "gone":
            notes.append(f"{span}: was recorded, and has expired. Its entries are still in the ledger.")
        if part.get("also"):
            notes.append(f"{span}: another run claims the same time with a worse clock; it is not in this package.")
    for each in said["segments"]:
        span = f"{times.utc(each['from_us'])} to {times.utc(each['to_us'])}"
        if each["entry"] is None:
            notes.append(
                f"{span}: no entry of the ledger seals this segment; only the entry of this export vouches for it."
            )
        for n in each["lossy"]:
            stretch = f"{times.utc(each['fragments'][n][1])} to {times.utc(each['fragments'][n][2])}"
            notes.append(
                f"{stretch}: pictures that depend on something that was lost on the way from the camera; they are as they came."
            )
        if each["recovered"]:
            notes.append(f"{span}: sealed by recovery after the recorder had ended without doing so.")
    for each in [*said["missing"], *said["faults"]]:
        what = each.get("detail") or each.get("what", "")
        notes.append(
            f"<strong>{times.utc(each['from_us'])} to {times.utc(each['to_us'])}: {escape(str(what))}</strong>"
        )
    notes += [_corrected(each) for each in said["corrections"]]
    provenances = sorted({part["provenance"] for part in said["timeline"] if part["state"] == "recorded"})
    clocks = ", ".join(_PROVENANCE.get(name, name) for name in provenances)
    notes.append(f"Times come from {clocks}." if clocks else "Nothing was recorded in this time.")
    return f"<ul>{''.join(f'<li>{note}</li>' for note in notes)}</ul>"


def _corrected(each: Mapping[str, Any]) -> str:
    why = f": {escape(each['why'])}" if each["why"] else ""
    return (
        f"Run {each['run']} was placed anew on the clock, by {each['shift_us'] / 1e6:+.3f} s: entry {each['entry']} of the ledger{why}. "
        "The times here are the corrected ones."
    )


def _recordings(said: Mapping[str, Any], times: _Times) -> str:
    video, parts = said["video"], []
    if video.get("file"):
        parts.append(
            f"<p><code>{layout.VIDEO}</code> plays {wording.duration(video['duration_us'])} of it in any player: the stored pictures, not "
            f"decoded and not encoded again; gaps are closed up. <code>{layout.SIGNED}</code> is the same with a C2PA signature.</p>"
        )
    else:
        parts.append(f"<p>There is no playable file: {escape(video['none'])}.</p>")
    rows = [
        (
            times.stretch(each["fragments"][0][1], each["fragments"][-1][2]),
            f"<code>{escape(each['file'].removeprefix('segments/'))}</code><br>{_kept(each)}",
            "&ndash;" if each["entry"] is None else str(each["entry"]), _hash(each["root"]) if each["root"] else "&ndash;",
        )
        for each in said["segments"]
    ]  # fmt: skip
    if rows:
        parts.append(
            "<p>The original fragments, unchanged, as they were sealed when they were recorded. The root stands in the ledger, "
            "in the entry of that number.</p>"
        )
        parts.append(
            _table(
                ("Time, in UTC", "File in <code>segments/</code>", "Entry", "Root of its hashes (SHA-256)"),
                rows,
                "segments",
            )
        )
    return "".join(parts)


def _kept(each: Mapping[str, Any]) -> str:
    held, whole = len(each["fragments"]), len(each["leaves"]) - 1
    return (
        f"all {whole} fragments"
        if held == whole
        else f"fragments {each['first']} to {each['first'] + held - 1} of {whole}"
    )


def _hash(digest: str) -> str:
    """In groups, so that it can be compared by eye."""
    return f'<code class="hash">{" ".join(digest[at : at + 8] for at in range(0, len(digest), 8))}</code>'


def _entries(said: Mapping[str, Any], times: _Times) -> str:
    sealed = [each["seq"] for each in said["entries"] if each["kind"] == "segment_sealed"]
    rows = [
        (str(each["seq"]), times.utc(each["wall_us"]), escape(_KINDS.get(each["kind"], each["kind"].replace("_", " "))),
         f"<em>text withheld: {escape(each['withheld'])}</em>" if each.get("withheld") else f"<code>ledger/entries/{each['seq']}.json</code>")
        for each in said["entries"] if each["kind"] != "segment_sealed"
    ]  # fmt: skip
    text = (
        f"<p>{len(said['entries'])} entries speak of this time; each is in the package with a proof that it stands in the ledger. "
        f"{len(sealed)} of them seal the segments above.</p>"
    )
    return text + (_table(("Entry", "Written, by the post's clock", "What", "Text"), rows, "entries") if rows else "")


def _proof(said: Mapping[str, Any], key: str) -> str:
    log = said["log"]
    return (
        _pairs(
            [
                ("Ledger", f"<code>{escape(log['origin'])}</code>"),
                ("Key", f"<code>{escape(log['fingerprint'])}</code>"),
                ("Export begun", f"entry {log['begun']}"),
            ]
        )
        + f"<pre>{escape(key.strip())}</pre>"
        + "<p>The head of the ledger when this export began, signed with that key. Whoever keeps it can tell later whether the ledger was "
        "rewritten.</p>"
        + f"<pre>{escape(log['checkpoint'].strip())}</pre>"
        + "<p>The last word is the entry <code>export_made</code>: it names the SHA-256 of <code>manifest.json</code>, which names this "
        "page and every other file. The signed head that holds it is <code>ledger/checkpoint</code>.</p>"
    )


def _how(said: Mapping[str, Any]) -> str:
    fingerprint = escape(said["log"]["fingerprint"])
    return (
        "<ol><li>Compare the key above with the one that the post shows, or that you noted earlier. Without this a package shows only that it "
        "is consistent in itself.</li>"
        f"<li>With Longwatch: <code>longwatch verify PACKAGE --key {fingerprint}</code></li>"
        f"<li>Without: <code>python3 check.py PACKAGE {fingerprint}</code>. It needs Python 3.8 or later and <code>openssl</code> 3; it is one page, and can be "
        "read. Take it from a source you trust rather than from a package that you doubt.</li>"
        "<li>Both say which second of which camera fails, and how; or that nothing does.</li></ol>"
    )


def _files(said: Mapping[str, Any]) -> str:
    entries = sum(1 for name in said["files"] if name.startswith("ledger/entries/"))
    rows = [
        (f"<code>{escape(name)}</code>", f"{each['bytes']:,}".replace(",", "&#8239;"), _hash(each["sha256"]))
        for name, each in said["files"].items() if not name.startswith("ledger/entries/")
    ]  # fmt: skip
    more = f"<p>and {entries} entries of the ledger, listed with their hashes in <code>manifest.json</code>.</p>"
    return _table(("File", "Bytes", "SHA-256"), rows, "files") + more


_HANDED_OVER = """<section class="handed"><h2>Handed over</h2>
<table class="sign"><tr class="room"><td></td><td></td></tr>
<tr><td>Number of the entry <code>export_made</code></td><td>SHA-256 of <code>manifest.json</code></td></tr>
<tr class="room"><td></td><td></td></tr>
<tr><td>Handed over by: name, place, date, signature</td><td>Received by: name, place, date, signature</td></tr></table></section>"""
