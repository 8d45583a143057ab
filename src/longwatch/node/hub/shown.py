"""What is shown of one post of a hub, made of what it told: the row of the list, its cameras and their states. Made anew when something of it changed, and not
for each who asks: a hub has a thousand of them. Nothing that a post says of itself is believed to have its form.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from longwatch.base.ids import is_slug
from longwatch.base.rfc3339 import format_us
from longwatch.fleet import PostRow
from longwatch.fleet.standing import PostNow, StreamNow
from longwatch.health import StreamState
from longwatch.model.sessions import StreamKey
from longwatch.node.post.formats_told import tracks_of
from longwatch.web import SiteCamera

_KINDS = frozenset({"visible", "thermal"})
_RECORDS = frozenset({"continuous", "never", "events"})


@dataclass(frozen=True, slots=True)
class Shown:
    """post: as its rows say. item: its row of the list, but for what changes with time alone (state, since, silence, last_contact). states: as it stood connected, or not."""

    post: PostNow
    item: Mapping[str, Any]
    cameras: tuple[SiteCamera, ...]
    states: tuple[StreamState, ...]
    connected: bool


def shown(post: PostNow, *, connected: bool, heard_us: int | None, before: Shown | None = None) -> Shown:
    """before: as it was shown; what is the same of it stays the same object, so that nobody makes anything of it anew."""
    cameras = _cameras(post)
    if before is not None and before.cameras == cameras:
        cameras = before.cameras
    return Shown(
        post, _item(post, len(cameras)), cameras, _states(post, cameras, heard_us, connected=connected), connected
    )


def _item(post: PostNow, cameras: int) -> dict[str, Any]:
    row, status, site = post.row, post.row.status, post.row.site
    head = post.head
    until = [stream.until_us for stream in post.streams.values() if stream.until_us]
    accounted_us = _number(status, "accounted_until_us") or (min(until) if until else 0)
    recording = _number(status, "recording")
    if recording is None:
        recording = sum(1 for (_, name), s in post.streams.items() if name == "main" and s.until_us and not s.cause)
    return {
        "id": row.id,
        "name": name_of(row),
        "timezone": _text(site, "timezone") or "UTC",
        "via": list(row.via),
        "enrolled": format_us(row.enrolled_us),
        "backlog": _counts(status.get("backlog")),
        "link": _link(status),
        "budget": _budget(status),
        "waits": _waits(status),
        "power": _power(status),
        "cameras": cameras,
        "recording": recording,
        "accounted_until": written(accounted_us or None),
        "checkpoint": None
        if head is None
        else {"size": head.size, "at": format_us(head.at_us), "countersigned": "longwatch-hub/" in head.cosigned},
        "place": _place(site),
        "alarms": len(_rows(status, "alarms")),
        "problems": _problems(status),
        "version": _text(status, "version") or None,
        "revoked": None if row.revoked_us is None else {"at": format_us(row.revoked_us), "reason": row.revoked_why},
    }


def name_of(row: PostRow) -> str:
    """What people call it."""
    return _text(row.site, "name") or row.name or row.id


def _states(
    post: PostNow, cameras: tuple[SiteCamera, ...], heard_us: int | None, *, connected: bool
) -> tuple[StreamState, ...]:
    """Of each stream of its cameras."""
    good = post.row.revoked_us is None and connected
    formats = {_text(item, "id"): item.get("formats") for item in _listed(post.row)}
    found = []
    for camera in cameras:
        name = camera.id.partition(".")[2]
        for stream in camera.streams:
            told = post.streams.get((name, stream))
            state = _stream_state(StreamKey(camera.id, stream), camera, told, heard_us, connected=good)
            looks = formats.get(name)
            said = looks.get(stream) if isinstance(looks, Mapping) else None
            found.append(replace(state, tracks=tracks_of(said, recording=state.recording)))
    return tuple(found)


def _stream_state(
    key: StreamKey, camera: SiteCamera, told: StreamNow | None, heard_us: int | None, *, connected: bool
) -> StreamState:
    planned = camera.record != "never"
    if not connected:
        said = (
            "the post has not been in touch yet"
            if heard_us is None
            else f"the post was last in touch at {format_us(heard_us)}"
        )
        return StreamState(
            key, "unknown", recording=False, planned=planned, detail=said, since_wall_us=heard_us,
            acked_wall_us=told.last_us if told else None,
        )  # fmt: skip
    if told is None or not told.until_us:
        return StreamState(
            key, "unknown", recording=False, planned=planned, detail="the post has told nothing of it yet"
        )
    if told.cause:
        return StreamState(
            key, "silent", recording=False, planned=planned, cause=told.cause, since_wall_us=told.since_us, acked_wall_us=told.last_us
        )  # fmt: skip
    return StreamState(key, "recording", recording=planned, planned=planned, acked_wall_us=told.last_us)


def _listed(row: PostRow) -> list[Mapping[str, Any]]:
    listed = row.site.get("cameras")
    return [item for item in listed if isinstance(item, dict)] if isinstance(listed, list) else []


def _cameras(post: PostNow) -> tuple[SiteCamera, ...]:
    """As the post said; those that only its ledger names come after."""
    found = {}
    for item in _listed(post.row):
        name = _text(item, "id")
        if is_slug(name):
            found[name] = _camera(post.row.id, name, item)
    for name, _ in post.streams:
        if name and name not in found:
            streams = tuple(sorted({stream for camera, stream in post.streams if camera == name})) or ("main",)
            found[name] = SiteCamera(f"{post.row.id}.{name}", name.replace("-", " ").capitalize(), streams=streams)
    return tuple(found.values())


def _camera(post: str, name: str, item: Mapping[str, Any]) -> SiteCamera:
    streams = item.get("streams")
    named = tuple(s for s in streams if isinstance(s, str) and is_slug(s)) if isinstance(streams, list | dict) else ()
    kind, record = _text(item, "kind"), _text(item, "record")
    max_age_s = _number(item, "max_age_s")
    return SiteCamera(
        f"{post}.{name}", _text(item, "name") or name, kind if kind in _KINDS else "visible", record if record in _RECORDS else "continuous",
        audio=item.get("audio") is not False, streams=named or ("main",), covers=_text(item, "covers"), scheduled=item.get("scheduled") is True,
        max_age_s=30 * 86_400 if max_age_s is None else max_age_s, masks=_number(item, "masks") or 0, shades=_number(item, "shades") or 0,
    )  # fmt: skip


# -- values that a post said: nothing of them is believed to have its form


def _text(said: Mapping[str, Any], name: str) -> str:
    value = said.get(name)
    return "".join(letter for letter in value if letter.isprintable())[:200] if isinstance(value, str) else ""


def _number(said: Mapping[str, Any], name: str) -> int | None:
    value = said.get(name)
    return value if type(value) is int and 0 <= value < 1 << 53 else None


def _part(said: Mapping[str, Any], name: str) -> dict[str, Any] | None:
    """A flat object of numbers and words."""
    value = said.get(name)
    return _flat(value) if isinstance(value, dict) else None


def _flat(value: Mapping[str, Any]) -> dict[str, Any]:
    return {str(k)[:40]: v[:500] if isinstance(v, str) else v for k, v in list(value.items())[:20] if _is_plain(v)}


def _is_plain(value: object) -> bool:
    return value is None or isinstance(value, str | bool) or type(value) in {int, float}


def _rows(said: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    value = said.get(name)
    return [_flat(item) for item in value[:50] if isinstance(item, dict)] if isinstance(value, list) else []


def _counts(value: object) -> dict[str, int]:
    names = ("ledger", "picture", "strip", "clip", "asked", "bulk")
    said = value if isinstance(value, dict) else {}
    return {name: _number(said, name) or 0 for name in names}


def _waits(status: Mapping[str, Any]) -> dict[str, Any] | None:
    said = _part(status, "waits") or {}
    if not (_text(said, "class") and _text(said, "why")):
        return None
    return {
        "class": _text(said, "class"), "why": _text(said, "why"), "bytes": _number(said, "bytes"),
        "until": written(_number(said, "until_us")),
    }  # fmt: skip


def _link(status: Mapping[str, Any]) -> dict[str, float | None] | None:
    said = _part(status, "link")
    return None if said is None else {name: _measure(said, name) for name in ("bits_per_s", "rate", "round_trip_ms")}


def _power(status: Mapping[str, Any]) -> dict[str, Any] | None:
    said = _part(status, "power")
    if said is None:
        return None
    return {"mains": _text(said, "mains") or None, "battery_percent": _measure(said, "battery_percent")}


def _budget(status: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [
        {"span": row["span"], "used": row["used"], "limit": row["limit"]}
        for row in _rows(status, "budget")
        if row.get("span") in ("hour", "day", "month")
        and _number(row, "used") is not None
        and _number(row, "limit") is not None
    ]


def _measure(said: Mapping[str, Any], name: str) -> float | None:
    value = said.get(name)
    return value if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1 << 53 else None


def _problems(status: Mapping[str, Any]) -> list[dict[str, str]]:
    return [{name: _text(item, name) for name in ("what", "why", "remedy")} for item in _rows(status, "problems")]


def _place(site: Mapping[str, Any]) -> dict[str, float] | None:
    place = site.get("place")
    if not isinstance(place, dict):
        return None
    lat, lon = place.get("lat"), place.get("lon")
    if not (isinstance(lat, int | float) and isinstance(lon, int | float) and abs(lat) <= 90 and abs(lon) <= 180):
        return None
    return {"lat": float(lat), "lon": float(lon)}


def written(us: int | None) -> str | None:
    """A time as it stands in answers."""
    return None if us is None else format_us(us)
