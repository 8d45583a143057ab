"""How looking at a camera's pictures goes, as the server tells it. Pure."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from longwatch.model.events import OBJECTS, Watched


class Doing(enum.StrEnum):
    """What is done about a camera's pictures now."""

    OFF = "off"
    """`detect: false`."""
    NOT_INSTALLED = "not_installed"
    """The program is installed without what looks."""
    STARTING = "starting"
    """What looks is not there yet, or was lost and is started again."""
    WAITING = "waiting"
    """For the recorder."""
    NO_PICTURES = "no_pictures"
    """The camera sends none."""
    LOOKING = "looking"
    RESTING = "resting"
    """Its pictures ended what decodes them several times: they are left alone for some minutes at most."""
    FAILING = "failing"
    """Its pictures cannot be decoded."""


class Attention(enum.StrEnum):
    """How much is spent on a quiet camera."""

    SPARING = "sparing"
    """Sizes and motion vectors of pictures decide; for some minutes after something was found less is enough."""
    CLOSE = "close"
    """Less is enough at all times."""
    FULL = "full"
    """They decide nothing: it is looked at all the time."""


@dataclass(frozen=True, slots=True)
class WatchOrder:
    """One camera that is to be looked at. stream: which of its streams. fps: pictures a second while something moves."""

    camera: str
    stream: str
    fps: float
    watched: Watched
    attention: Attention = Attention.SPARING


@dataclass(frozen=True, slots=True)
class LookOrders:
    """cameras: that are to be watched. all_cameras: of the settings. cores, workers: what it may cost. installed: whether it can be done at all.
    model: folder with a model for objects, "" for none; model_mark: other where its manifest is another one; asks: crops a second it is asked about.
    """

    cameras: tuple[WatchOrder, ...]
    all_cameras: tuple[str, ...]
    cores: float = 0.5
    workers: int = 1
    installed: bool = True
    model: str = ""
    model_mark: str = ""
    asks: float = 2.0


@dataclass(frozen=True, slots=True)
class Moved:
    """What moved where in a stretch of time, on a coarse grid, row by row from the top left.

    looked_s: seconds that the picture was looked at; looked_hours: in so many clock hours. seconds: of movement in each part of the picture; hours: in so many
    clock hours something moved there for a second at least.
    """

    columns: int
    rows: int
    looked_s: float
    looked_hours: int
    seconds: tuple[float, ...]
    hours: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ModelState:
    """The model for objects, as the children say it. doing: `none`, `opening`, `ready`, `resting` (it ended a child, and is left alone for a while), `failing` (it is not used: why).
    finds: classes it may say. ask_us: processor time of one crop. deaths: of children that it ended.
    """

    doing: str = "none"
    why: str = ""
    name: str = ""
    version: str = ""
    licence: str = ""
    finds: tuple[str, ...] = ()
    ask_us: int = 0
    deaths: int = 0


@dataclass(frozen=True, slots=True)
class WatcherState:
    """The watcher's own: processor time and memory of it, and of its children together."""

    running: bool = False
    pid: int = 0
    cpu_us: int = 0
    rss_bytes: int = 0
    children: tuple[dict[str, int], ...] = ()
    restarts: int = 0
    unsaid: int = 0
    model: ModelState = ModelState()


@dataclass(frozen=True, slots=True)
class DetectionState:
    """gate: why all is decoded now; `quiet` where it is not. sizes_tell: False where the encoder pads, and the gate stays open. level: how closely it is
    looked at. behind_us: age of the oldest sample that waits. looked_until_us: wall time; 0 where nothing was looked at. skipped: samples that were to be looked at
    and were not. missed: that were lost on the way from the recorder. open_us, closed_us: how long the gate was. vectors_asked: pictures that were asked for their motion vectors, and not looked at. objects_asked, objects_skipped: crops of what moves
    that the model was asked about, and those that were due and for which there was no room. All counts since the watcher was started.
    """

    camera: str
    doing: Doing
    stream: str = ""
    why: str = ""
    gate: str = "quiet"
    sizes_tell: bool = True
    level: str = "all"
    behind_us: int = 0
    looked_until_us: int = 0
    told: int = 0
    vectors_asked: int = 0
    pictures: int = 0
    decoded: int = 0
    skipped: int = 0
    failed: int = 0
    missed: int = 0
    deaths: int = 0
    cpu_us: int = 0
    open_us: int = 0
    closed_us: int = 0
    objects_asked: int = 0
    objects_skipped: int = 0


_COUNTS = ("vectors_asked", "objects_asked", "objects_skipped", "told", "pictures", "decoded", "skipped", "failed", "missed", "deaths", "cpu_us", "open_us", "closed_us", "behind_us")  # fmt: skip


def state_of(camera: str, told: Mapping[str, Any], looked_until_us: int) -> DetectionState:
    """From what the watcher says. Raises LookupError, TypeError or ValueError."""
    counts = {name: int(told[name]) for name in _COUNTS}
    return DetectionState(
        camera, Doing(told["doing"]), str(told["stream"]), str(told["why"]), str(told["gate"]), bool(told["sizes_tell"]),
        str(told["level"]), looked_until_us=looked_until_us, **counts,
    )  # fmt: skip


def model_of(told: Mapping[str, Any]) -> ModelState:
    """From what the watcher says, which may have it from a child that a camera took over. Raises LookupError, TypeError or ValueError."""
    doing, why, name, version, licence = (
        str(told[word])[:300] for word in ("doing", "why", "name", "version", "licence")
    )
    finds = tuple(kind for kind in OBJECTS if kind in told["finds"])
    return ModelState(doing, why, name, version, licence, finds, max(0, int(told["ask_us"])), int(told["deaths"]))
