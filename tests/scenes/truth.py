"""What is true of a scene, and what of it counts. The rules were written before there was a detector.

A *thing* moves on purpose: a person, a vehicle, an animal. It counts in a picture where at least `LEAST_PIXELS` of it are to be seen (at 640x360;
other sizes in proportion) and its contrast with what is behind it is at least `LEAST_CONTRAST` grey levels and `LEAST_OVER_NOISE` times the
noise. It counts at all if it does so for at least `LEAST_SECONDS` and gets about by at least `LEAST_WAY` of its own longer side and 8 pixels while it does.
What does not count is neither to be found nor forbidden. Everything else that changes the picture (rain, light, insects, trees) must stay silent.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

LEAST_PIXELS = 100  # 0.043 % of the picture: a person of 7 x 16 pixels
LEAST_CONTRAST = 12.0
LEAST_OVER_NOISE = 3.0
LEAST_SECONDS = 1.0
LEAST_WAY = 0.5

LEARNING_S = 30.0
"""The first half minute of a scene holds nothing and is not judged: a camera is watched for months, not from a standing start."""

Span = tuple[float, float]
Box = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Moment:
    """A thing in one picture. box in parts of the picture; pixels: to be seen, in pixels of a 640x360 picture; contrast and noise in grey levels."""

    at_s: float
    box: Box
    pixels: float
    contrast: float
    noise: float

    @property
    def counts(self) -> bool:
        """Whether anybody could be asked to see it in this one picture."""
        return (
            self.pixels >= LEAST_PIXELS
            and self.contrast >= LEAST_CONTRAST
            and self.contrast >= LEAST_OVER_NOISE * self.noise
        )


@dataclass(slots=True)
class Thing:
    """kind: person, vehicle or animal. how: crossing, crawling, ... for reading misses. moments: every picture in which any of it is to be seen."""

    kind: str
    how: str
    moments: list[Moment] = field(default_factory=list)

    @property
    def seen(self) -> Span | None:
        """From the first to the last picture in which any of it is to be seen."""
        return (self.moments[0].at_s, self.moments[-1].at_s) if self.moments else None

    @property
    def span(self) -> Span | None:
        """From the first to the last moment that counts."""
        counted = [each for each in self.moments if each.counts]
        return (counted[0].at_s, counted[-1].at_s) if counted else None

    def counts(self, seconds_a_picture: float) -> bool:
        """Whether it must be found."""
        counted = [each for each in self.moments if each.counts]
        return len(counted) * seconds_a_picture >= LEAST_SECONDS and _way(counted) >= LEAST_WAY


def _way(moments: list[Moment]) -> float:
    """How far its middle got, in parts of its own longer side; 0 if less than 8 pixels."""
    if not moments:
        return 0.0
    middles = [((m.box[0] + m.box[2]) * 320, (m.box[1] + m.box[3]) * 180) for m in moments]
    wide = max(x for x, _ in middles) - min(x for x, _ in middles)
    high = max(y for _, y in middles) - min(y for _, y in middles)
    grown = max(m.pixels for m in moments) / max(1.0, min(m.pixels for m in moments))  # what comes nearer moves too
    way = (wide**2 + high**2) ** 0.5
    side = sorted(max((m.box[2] - m.box[0]) * 640, (m.box[3] - m.box[1]) * 360) for m in moments)[len(moments) // 2]
    if grown >= 2:
        return max(1.0, way / side)
    return way / max(1.0, side) if way >= 8 else 0.0


@dataclass(frozen=True, slots=True)
class Sabotage:
    """kind: as in `longwatch.model.events.TAMPERS`. begin_s: the hand goes up. due_s: from here on the camera is blind, and the time to say so runs."""

    kind: str
    begin_s: float
    due_s: float
    end_s: float


@dataclass(slots=True)
class Truth:
    """Of one scene. neutral: stretches that are judged neither way, with why (glare ahead of a car, a camera still settling)."""

    seed: int
    family: str
    look: str
    about: str
    fps: float
    seconds: float
    things: list[Thing] = field(default_factory=list)
    sabotage: list[Sabotage] = field(default_factory=list)
    neutral: list[tuple[float, float, str]] = field(default_factory=list)

    def must_find(self) -> list[tuple[Thing, Span]]:
        """Things that count, with the span in which they do."""
        return [(t, s) for t in self.things if t.counts(1 / self.fps) and (s := t.span) is not None]

    def not_silent(self) -> list[Span]:
        """Stretches in which something may be said of motion: anything on purpose is to be seen at all, or it is neutral."""
        return sorted([s for t in self.things if (s := t.seen) is not None] + [(a, b) for a, b, _ in self.neutral])

    def save(self, path: Path) -> None:
        """As JSON, beside the video."""
        path.write_text(json.dumps(asdict(self)))

    @classmethod
    def load(cls, path: Path) -> Truth:
        """What `save` wrote."""
        raw = json.loads(path.read_text())
        raw["things"] = [
            Thing(t["kind"], t["how"], [Moment(**(m | {"box": tuple(m["box"])})) for m in t["moments"]])
            for t in raw["things"]
        ]
        raw["sabotage"] = [Sabotage(**each) for each in raw["sabotage"]]
        raw["neutral"] = [(a, b, why) for a, b, why in raw["neutral"]]
        return cls(**raw)
