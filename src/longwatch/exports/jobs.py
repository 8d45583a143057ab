"""The nouns of exports: what is asked for, the files it comes to, and how far it is. Values; no I/O."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from longwatch.base.errors import UsageError
from longwatch.base.ids import is_camera_id
from longwatch.base.rfc3339 import format_us

DAY_US = 86_400_000_000
MOST_CAMERAS = 32
MOST_FILES = 64
LONGEST_US = 31 * DAY_US
LONGEST_LAPSE_US = 366 * DAY_US
LAPSE_FPS = 25


class Kind(enum.StrEnum):
    """VIDEO: mp4, the stored bytes. EVIDENCE: a package that proves itself. TIMELAPSE: one picture every so often."""

    VIDEO = "video"
    EVIDENCE = "evidence"
    TIMELAPSE = "timelapse"


class State(enum.StrEnum):
    """WAITING, RUNNING, DONE; FAILED, with a problem; GONE: its files were removed (by a person, by age, or never made)."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    GONE = "gone"


@dataclass(frozen=True, slots=True)
class Order:
    """What is asked for. every_us: of a time-lapse, else None. Raises UsageError where it cannot be."""

    kind: Kind
    cameras: tuple[str, ...]
    stream: str
    from_us: int
    to_us: int
    every_us: int | None = None

    def __post_init__(self) -> None:
        if not 0 < len(self.cameras) <= MOST_CAMERAS or not all(map(is_camera_id, self.cameras)):
            raise UsageError(f"an export is of 1 to {MOST_CAMERAS} cameras")
        if self.from_us >= self.to_us:
            raise UsageError("the span is empty", why="`from` does not lie before `to`", remedy="ask for a later `to`")
        longest_us = LONGEST_LAPSE_US if self.kind is Kind.TIMELAPSE else LONGEST_US
        if self.to_us - self.from_us > longest_us:
            raise UsageError(f"an export is at most {longest_us // DAY_US} days long", remedy="ask for it in parts")
        if (self.every_us is None) == (self.kind is Kind.TIMELAPSE):
            raise UsageError("a time-lapse says how often a picture is taken, and nothing else does")
        if self.every_us is not None and not 40_000 <= self.every_us <= DAY_US:
            raise UsageError("a picture is taken every 40 ms to every day")
        if self.pictures > 200_000:
            raise UsageError(f"this would be {self.pictures} pictures", remedy="take one less often, or a shorter span")
        if len(parts_of(self)) > MOST_FILES:
            raise UsageError(f"this would be {len(parts_of(self))} files", why=f"at most {MOST_FILES}", remedy="ask for it in parts")  # fmt: skip

    @property
    def pictures(self) -> int:
        """Of a time-lapse, for each camera; 0 else."""
        return 0 if self.every_us is None else -(-(self.to_us - self.from_us) // self.every_us)


@dataclass(frozen=True, slots=True)
class Part:
    """What one file is made of."""

    camera: str
    from_us: int
    to_us: int


def parts_of(order: Order) -> list[Part]:
    """A file for each camera and day, camera by camera; a time-lapse is one film for each camera."""
    step_us = order.to_us - order.from_us if order.kind is Kind.TIMELAPSE else DAY_US
    return [
        Part(camera, at_us, min(at_us + step_us, order.to_us))
        for camera in order.cameras
        for at_us in range(order.from_us, order.to_us, step_us)
    ]


def file_name(order: Order, part: Part) -> str:
    """A name of our own making: camera, begin and end in UTC."""
    ending = {Kind.VIDEO: ".mp4", Kind.EVIDENCE: "-evidence.zip", Kind.TIMELAPSE: "-timelapse.mp4"}[order.kind]
    return f"{part.camera}-{order.stream}-{_stamp(part.from_us)}-{_stamp(part.to_us)}{ending}"


def _stamp(at_us: int) -> str:
    return format_us(at_us).split(".")[0].rstrip("Z").replace("-", "").replace(":", "") + "Z"


@dataclass(frozen=True, slots=True)
class ExportedFile:
    """One file. sha256: of it; "" where nothing was recorded, and there is no file. fingerprint: of the key that signed, for a package.

    about: what else was said of it (entry, gaps, pictures, warnings), as JSON.
    """

    name: str
    camera: str
    from_us: int
    to_us: int
    size: int = 0
    sha256: str = ""
    about: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Job:
    """One export. subject, by: who asked; who: the words for the ledger. problem: {what, why, remedy} of one that failed.

    why_gone: asked, expired, law or never_made. bytes_estimated: what it was expected to need.
    """

    id: int
    order: Order
    state: State
    subject: int
    by: str
    who: str = field(repr=False)
    reason: str = field(repr=False)
    created_us: int
    bytes_estimated: int
    files: tuple[ExportedFile, ...] = ()
    started_us: int | None = None
    ended_us: int | None = None
    problem: Mapping[str, str] | None = None
    why_gone: str = ""

    @property
    def size(self) -> int:
        """Bytes on the disk."""
        return 0 if self.state is State.GONE else sum(file.size for file in self.files)
