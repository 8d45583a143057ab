"""The settings, all said, as the JSON that the recorder reads. It holds passwords: it goes through a pipe, never a file."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from longwatch.base import secrets
from longwatch.config import around
from longwatch.config.model import Camera, Settings
from longwatch.config.week import Window


def resolved(settings: Settings) -> dict[str, Any]:
    """What `python -m longwatch.config resolve PATH` prints; `node.recorder.options` decodes it."""
    retention = settings.retention
    return {
        "post": {
            "id": settings.post.id,
            "name": settings.post.name,
            "timezone": settings.post.timezone,
            **(
                {}
                if settings.role == "hub" or settings.post.power_windows is None
                else {"power_windows": _week(settings.post.power_windows)}
            ),
        },
        **(
            {}
            if settings.hub is None
            else {"silence": {"after_s": settings.hub.silence.after, "posts": dict(settings.hub.silence.posts)}}
        ),
        **({"door": settings.door} if settings.door else {}),
        "volumes": [str(volume) for volume in settings.data],
        "cameras": [_camera(camera) for camera in settings.cameras.values()],
        "retention": {
            "max_age_s": retention.max_age,
            "max_size_bytes": retention.max_size,
            "keep_free_bytes": retention.keep_free.size_bytes,
            "keep_free_fraction": retention.keep_free.fraction,
            "personal_s": retention.personal,
            "cameras": {
                camera.id: {"max_age_s": camera.retention.max_age, "max_size_bytes": camera.retention.max_size}
                for camera in settings.cameras.values()
                if camera.retention.max_age is not None or camera.retention.max_size is not None
            },
        },
        **(
            {}
            if settings.upgrades is None
            else {
                "upgrades": {
                    "from": settings.upgrades.from_,
                    "key": settings.upgrades.key,
                    "trial_s": settings.upgrades.trial,
                }
            }
        ),
        "switches": {name: around.resolved_switch(switch) for name, switch in settings.switches.items()},
        "ups": around.resolved_ups(settings.ups),
        **_notify(settings),
        **_mqtt(settings),
        "secrets": [*secrets.known(), *_telling(settings), *_login(settings)],
        **_lacking(settings),
    }


def _lacking(settings: Settings) -> dict[str, Any]:
    """What is left out, and the file where it may come."""
    if not settings.lacking:
        return {}
    file = {} if settings.secrets is None else {"secrets_file": str(settings.secrets)}
    return {"lacking": [problem.as_json() for problem in settings.lacking], **file}


def _notify(settings: Settings) -> dict[str, Any]:
    """For the ledger alone, so that a change of who is told what is an entry. The names in it are people's, and the addresses open something: how many
    there are is said, and of all else that it is another now.
    """
    telling, said = _telling(settings), settings.notify
    if not telling:
        return {}
    rules = {} if said.rules is None else {"rules": len(said.rules)}
    return {"notify": {"channels": len(said.channels), "people": len(said.people), **rules, "said": telling[0]}}


def _telling(settings: Settings) -> list[str]:
    """A hash of all of `notify`, as a secret: the ledger keeps a salted fingerprint of it. Nothing where the settings say nothing."""
    said = settings.notify.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    return [hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()] if said else []


def _mqtt(settings: Settings) -> dict[str, Any]:
    """For the ledger alone, too: where the post tells everything, and whether who may write there may pause recording."""
    broker = settings.mqtt
    if broker is None:
        return {}
    return {
        "mqtt": {
            "host": broker.host, "port": broker.port, "tls": broker.tls, "prefix": broker.prefix,
            "discovery": broker.discovery, "commands": broker.commands, "pictures": broker.pictures,
            "login": _login(settings)[0],
        }
    }  # fmt: skip


def _login(settings: Settings) -> list[str]:
    """A hash of what opens the broker, as a secret, like `_telling`. Nothing where there is no broker."""
    broker = settings.mqtt
    if broker is None:
        return []
    opens = [broker.user, broker.password or "", *(str(file or "") for file in (broker.ca, broker.cert, broker.key))]
    return [hashlib.sha256(json.dumps(["mqtt", *opens]).encode()).hexdigest()]


def _camera(camera: Camera) -> dict[str, Any]:
    streams = {"main": str(camera.streams.main)}
    if camera.streams.sub is not None:
        streams["sub"] = str(camera.streams.sub)
    return {
        "id": camera.id,
        "name": camera.name,
        "kind": camera.kind,
        "record": camera.record,
        "audio": camera.audio,
        "tamper": camera.looked_at is not None and camera.looked_at.tamper,
        **({} if camera.radiometry is None else {"metadata": True}),
        **_stills(camera),
        "transport": camera.transport,
        "verify_certificate": camera.verify_certificate,
        "schedule": _week(camera.schedule),
        "power_windows": _week(camera.power_windows),
        "streams": streams,
        **({"lacking": {name: list(names) for name, names in camera.lacking.items()}} if camera.lacking else {}),
        **{
            kind: {area.name: [list(point) for point in area.polygon] for area in areas}
            for kind, areas in (("masks", camera.masks), ("shades", camera.shades))
            if areas
        },
        "behind": camera.behind,
        "port": None if camera.port is None else camera.port.model_dump(),
        "relay": None
        if camera.relay is None
        else {"address": around.resolved_url(camera.relay.url), "field": camera.relay.field, "on": camera.relay.on},
        "meter": None
        if camera.meter is None
        else {
            "address": around.resolved_url(camera.meter.url), "field": camera.meter.field,
            "watts_above": camera.meter.watts_above,
        },
    }  # fmt: skip


def _stills(camera: Camera) -> dict[str, Any]:
    asked = None if camera.radiometry is None else camera.radiometry.stills
    if asked is None or "stills" in camera.lacking:
        return {}
    return {"stills": {"address": around.resolved_url(asked.url), "every_s": asked.every}}


def _week(windows: list[Window] | None) -> list[dict[str, Any]] | None:
    return None if windows is None else [part for window in windows for part in _parts(window)]


def _parts(window: Window) -> list[dict[str, Any]]:
    """A window within days: one that passes midnight becomes two."""
    if window.from_ < window.to:
        return [{"days": list(window.days), "from_minute": window.from_, "to_minute": window.to}]
    parts = [{"days": list(window.days), "from_minute": window.from_, "to_minute": 1440}]
    if window.to:
        parts.append({"days": sorted((day + 1) % 7 for day in window.days), "from_minute": 0, "to_minute": window.to})
    return [part for part in parts if part["from_minute"] != part["to_minute"]]
