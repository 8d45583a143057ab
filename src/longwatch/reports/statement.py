"""The page of a statement about a post that never returns: what existed, what is safe, what is lost. One file, nothing foreign. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from importlib import resources
from typing import Any

from longwatch.base.rfc3339 import format_us
from longwatch.reports.page import lasting, number, size

_MOST_SPANS = 200


def statement_page(told: Mapping[str, Any]) -> bytes:
    """told: as `fleet.statement` says it, with `hub` and `made_us`."""
    post, total, hub = told["post"], told["total"], told["hub"]
    style = (resources.files("longwatch.reports") / "page.css").read_text(encoding="utf-8")
    newest = told["logs"][-1]
    sections = [
        (
            "What existed",
            f"<p>By its own signed ledger, as far as this hub has verified it: {number(newest['entries'])} entries, the last written at {_when(post['told_us'])} "
            f"by the post's clock. The post recorded {lasting(total['recorded_us'])} in {number(total['segments'])} sealed segments. What it did after that, "
            f"nobody but the post knows.{_unverified(newest)}</p>" + _streams(told["streams"]),
        ),
        ("What is safe here", _spans(told["streams"], "safe", "Nothing of its footage is here.")),
        ("What is lost", _spans(told["streams"], "lost", "Nothing: all footage that it had not removed is here.")),
        ("What does not fit", _doubts(told["doubts"])),
        ("What proves it", _proof(told, hub)),
    ]
    body = "".join(
        f"<section><h2><span>{n}</span> {title}</h2>{text}</section>" for n, (title, text) in enumerate(sections, 1)
    )
    document = (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        '<meta name="viewport" content="width=device-width">'
        f"<title>Statement: {escape(post['name'])}</title><style>{style}</style></head><body><main>"
        f"<header><h1>What is left of {escape(post['name'])}</h1><p>Post <code>{escape(post['id'])}</code>, stated by the hub {escape(hub['name'])} "
        f"on {_when(told['made_us'])}. In touch last on {_when(post['heard_us'])}.</p></header>{body}</main></body></html>\n"
    )
    return document.encode("utf-8")


def _unverified(log: Mapping[str, Any]) -> str:
    count = log["not_verified"]
    return f" {number(count)} entries more came, and no signed head covers them: they are not counted." if count else ""


def _streams(streams: Sequence[Mapping[str, Any]]) -> str:
    rows = [
        (
            f"{each['camera']} ({each['stream']})", number(each["sums"]["segments"]), lasting(each["sums"]["recorded_us"]), lasting(each["sums"]["removed_us"]),
            lasting(each["sums"]["safe_us"]), lasting(each["sums"]["lost_us"]), size(each["sums"]["safe_bytes"]), _when(each["accounted_until_us"] or None),
        )
        for each in streams
    ]  # fmt: skip
    head = (
        "Camera",
        "Segments",
        "Recorded",
        "Removed by its rules",
        "Safe here",
        "Lost",
        "Bytes here",
        "Accounted for until",
    )
    return _table(head, rows)


def _spans(streams: Sequence[Mapping[str, Any]], which: str, none: str) -> str:
    rows = [
        (f"{each['camera']} ({each['stream']})", _when(from_us), _when(to_us), lasting(to_us - from_us))
        for each in streams
        for from_us, to_us in each[which]
    ]
    if not rows:
        return f"<p>{none}</p>"
    more = (
        f"<p>And {number(len(rows) - _MOST_SPANS)} stretches more, in the JSON beside this page.</p>"
        if len(rows) > _MOST_SPANS
        else ""
    )
    return _table(("Camera", "From", "To", "Length"), rows[:_MOST_SPANS]) + more


def _doubts(doubts: Sequence[Mapping[str, Any]]) -> str:
    if not doubts:
        return "<p>Nothing: its ledger never contradicted itself here.</p>"
    return _table(
        ("When", "Log", "What", "Why"),
        [(_when(each["at_us"]), str(each["log"]), each["what"], each["why"]) for each in doubts],
    )


def _proof(told: Mapping[str, Any], hub: Mapping[str, Any]) -> str:
    notes = "".join(
        f"<h3>Log {log['number']}, {number(log['entries'])} entries, verified on {_when(log['verified_us'])}</h3><pre>{escape(log['checkpoint'])}</pre>"
        for log in told["logs"]
    )
    return (
        "<p>The last heads of the post's ledger, signed by the post, with this hub's countersignature. Each segment stands in the JSON beside this page with the "
        "hashes that its seal names, and with whether it is here; what is safe here was held against them when it came. The making of this statement is an entry "
        "of the hub's own ledger, which names both files by their hashes: <code>longwatch report --check</code> proves it.</p>"
        f"<p>Key of the hub's countersignatures: <code>{escape(hub['cosigner'])}</code></p>{notes}"
    )


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    top = "".join(f'<th scope="col">{escape(name)}</th>' for name in head)
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"


def _when(us: int | None) -> str:
    return "never" if us is None else format_us(us)
