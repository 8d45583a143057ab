"""The notice as HTML, to be read on a telephone and printed on one sheet. Everything of the settings is escaped."""

from __future__ import annotations

import json
from html import escape
from pathlib import Path

import segno

from longwatch.base.messages import LANGUAGES
from longwatch.web.deps import Site, SiteCamera

_FOLDER = Path(__file__).parent
_WORDS: dict[str, dict[str, str]] = json.loads((_FOLDER / "words.json").read_text("utf-8"))
STYLE = (_FOLDER / "notice.css").read_bytes()
_HOUR_S, _DAY_S = 3600, 86_400


def code_of(address: str) -> str:
    """What is scanned, as SVG. It takes a tenth of a second of a small post: not for the server's loop, and not for whatever anybody sends."""
    return str(
        segno.make(address, error="m").svg_inline(scale=1, border=2, omitsize=True, svgclass="code", lineclass=None)
    )


def page(site: Site, language: str, address: str, code: str, when: str) -> bytes:
    """address: of this notice; "" where it is not known. code: of the address, "" for none. when: date of today, for people."""
    words = {name: escape(text) for name, text in _WORDS[language].items()}
    title = words["title"].format(name=escape(site.name))
    notice = site.notice
    nothing = f"<em>{words['notSaid']}</em>"
    facts = "".join(
        f"<dt>{words[name]}</dt><dd>{escape(text) or nothing}</dd>"
        for name, text in (("operator", notice.operator), ("purpose", notice.purpose), ("contact", notice.contact))
    )
    kept = words["keptSays"].format(time=_lasting(site.keeping.max_age_s, words))
    figure = f'<figure role="img" aria-label="QR">{code}</figure>' if code else ""
    scanned = f"{words['qr'].format(address=escape(address))}<br>" if address else ""
    languages = " ".join(
        f"<strong>{name}</strong>"
        if short == language
        else f'<a href="?lang={short}" hreflang="{short}" lang="{short}">{name}</a>'
        for short, name in LANGUAGES.items()
    )
    return (
        f'<!doctype html><html lang="{language}"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><title>{title}</title>'
        '<link rel="stylesheet" href="/notice.css"><link rel="icon" href="/favicon.svg" type="image/svg+xml"></head>'
        f'<body><main><nav aria-label="{words["language"]}">{languages}</nav><h1>{title}</h1><p class="lead">{words["lead"]}</p>'
        f"<dl>{facts}<dt>{words['kept']}</dt><dd>{kept}</dd></dl><h2>{words['cameras']}</h2>{_cameras(site, words)}"
        f"<h2>{words['never_title']}</h2><p>{words['never_says']}</p>"
        f"<footer>{figure}<p>{scanned}"
        f"{words['asOf'].format(when=escape(when))}</p></footer></main></body></html>"
    ).encode()


def _cameras(site: Site, words: dict[str, str]) -> str:
    if not site.cameras:
        return f"<p>{words['noCameras']}</p>"
    heads = "".join(f'<th scope="col">{words[name]}</th>' for name in ("camera", "covers", "records", "keptFor"))
    rows = "".join(_row(camera, words) for camera in site.cameras)
    return f"<table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>"


def _row(camera: SiteCamera, words: dict[str, str]) -> str:
    if camera.record == "never":
        records, kept = words["never"], "–"
    else:
        when = words["scheduled" if camera.scheduled else "always"]
        sound = words["sound" if camera.audio else "silent"]
        records = f"{words['thermal' if camera.kind == 'thermal' else 'visible']}, {sound}, {when}"
        kept = _lasting(camera.max_age_s, words)
    for count, name in ((camera.masks, "masks"), (camera.shades, "shades")):
        if count:
            records += f"<br>{words[name]}"
    return (
        f'<tr><th scope="row">{escape(camera.name)}</th><td>{escape(camera.covers) or "–"}</td>'
        f"<td>{records}</td><td>{kept}</td></tr>"
    )


def _lasting(seconds: int, words: dict[str, str]) -> str:
    unit, size = ("day", _DAY_S) if seconds >= _DAY_S else ("hour", _HOUR_S)
    count = max(1.0, round(seconds / size, 1))
    return words[unit] if count == 1 else words[f"{unit}s"].format(n=f"{count:g}")
