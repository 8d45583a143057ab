"""The archive's own options: what retention keeps, and how it flushes. `config` composes them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from longwatch.archive.flushing import Flushing

DAY_US = 86_400_000_000


@dataclass(frozen=True, slots=True)
class CameraRetention:
    """What holds for one camera beside the overall rule; the stricter of the two wins. None: no rule of its own."""

    max_age_us: int | None = None
    max_size_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Retention:
    """max_age_us: a strict maximum (None: no limit by age). max_size_bytes: over all volumes. Of each volume stay free the
    larger of keep_free_bytes and keep_free_fraction of its size. personal_us: how long clear text about people is kept.
    """

    max_age_us: int | None = 30 * DAY_US
    max_size_bytes: int | None = None
    keep_free_bytes: int | None = None
    keep_free_fraction: float = 0.05
    personal_us: int = 180 * DAY_US
    cameras: Mapping[str, CameraRetention] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Options:
    """retention: see there. flushing: how bytes are made durable; tests hand in one that fails, lies or dies on cue. post: id of the
    post, for the name of a log that is begun.
    """

    retention: Retention = field(default_factory=Retention)
    flushing: Flushing = field(default_factory=Flushing)
    post: str = "post"
