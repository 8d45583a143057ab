"""From settings to what is watched, without a single address in it."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from longwatch.config import Settings
from longwatch.config.model import Camera
from longwatch.detection.manifest import NAMES
from longwatch.model.events import OBJECTS, Line, Watched, Zone
from longwatch.model.watching import LookOrders, WatchOrder

_NEEDED = ("numpy", "cv2", "av")


def installed() -> bool:
    """Whether what looks at pictures is there: the extra `watch`."""
    return all(find_spec(name) is not None for name in _NEEDED)


def orders_of(settings: Settings) -> LookOrders:
    """The cameras that are to be looked at, and what that may cost."""
    cameras = tuple(
        WatchOrder(
            camera.id,
            camera.looked_at_stream,
            asked.fps,
            watched_of(camera, objects=settings.detection.model is not None),
            asked.attention,
        )
        for camera in settings.cameras.values()
        if (asked := camera.looked_at) is not None
    )
    detection = settings.detection
    model = "" if detection.model is None else str(detection.model.absolute())
    return LookOrders(
        cameras, tuple(settings.cameras), detection.cores, detection.workers, installed(), model, _mark(detection.model),
        detection.objects_per_second,
    )  # fmt: skip


def _mark(folder: Path | None) -> str:
    """Other where the manifest in the folder is another one: the model is then opened anew. Looks at the file's time and size alone."""
    if folder is None:
        return ""
    stats = [path.stat() for name in NAMES if (path := folder / name).is_file()]
    return "|".join(f"{stat.st_mtime_ns}.{stat.st_size}" for stat in stats)


def watched_of(camera: Camera, *, objects: bool = False) -> Watched:
    """How it is looked at. What is masked is painted over before it comes here: nothing is looked for in it. objects: there is a model for them."""
    asked = camera.looked_at
    zones = tuple(
        Zone(z.name, z.polygon, tuple(z.kinds), z.dwell * 1_000_000, z.ignored, z.objects) for z in camera.zones
    )
    lines = tuple(Line(line.name, (line.from_, line.to), line.direction) for line in camera.lines)
    ignored = tuple(mask.polygon for mask in camera.masks)
    thermal = camera.kind == "thermal"
    if asked is None:
        return Watched(camera.id, thermal, zones=zones, lines=lines, ignored=ignored)
    classes = () if not objects else OBJECTS if asked.objects is None else asked.objects
    return Watched(
        camera.id, thermal, asked.sensitivity, asked.night_sensitivity, zones, lines, ignored, asked.tamper, classes
    )  # fmt: skip
