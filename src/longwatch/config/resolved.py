"""The settings, all said, as the JSON that the recorder reads. It holds passwords: it goes through a pipe, never a file."""

from __future__ import annotations

from typing import Any

from longwatch.base import secrets
from longwatch.config.model import Camera, Settings, Window


def resolved(settings: Settings) -> dict[str, Any]:
    """What `python -m longwatch.config resolve PATH` prints; `node.recorder_options` decodes it."""
    retention = settings.retention
    return {
        "post": {"id": settings.post.id, "name": settings.post.name, "timezone": settings.post.timezone},
        "volumes": [str(volume) for volume in settings.data],
        "cameras": [_camera(camera) for camera in settings.cameras.values()],
        "retention": {
            "max_age_s": retention.max_age,
            "max_size_bytes": retention.max_size,
            "keep_free_bytes": retention.keep_free.size_bytes,
            "keep_free_fraction": retention.keep_free.fraction,
            "cameras": {
                camera.id: {"max_age_s": camera.retention.max_age, "max_size_bytes": camera.retention.max_size}
                for camera in settings.cameras.values()
                if camera.retention.max_age is not None or camera.retention.max_size is not None
            },
        },
        "secrets": secrets.known(),
    }


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
        "transport": camera.transport,
        "verify_certificate": camera.verify_certificate,
        "schedule": None
        if camera.schedule is None
        else [part for window in camera.schedule for part in _parts(window)],
        "streams": streams,
    }


def _parts(window: Window) -> list[dict[str, Any]]:
    """A window within days: one that passes midnight becomes two."""
    if window.from_ < window.to:
        return [{"days": list(window.days), "from_minute": window.from_, "to_minute": window.to}]
    parts = [{"days": list(window.days), "from_minute": window.from_, "to_minute": 1440}]
    if window.to:
        parts.append({"days": sorted((day + 1) % 7 for day in window.days), "from_minute": 0, "to_minute": window.to})
    return [part for part in parts if part["from_minute"] != part["to_minute"]]
