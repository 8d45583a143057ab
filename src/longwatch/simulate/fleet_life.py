"""What happens at a post that is not there: segments are sealed, cameras fail and come back, pictures are taken. Pure; the same seed tells the same life.

`until(now)` gives what happened up to a moment, in the words of a ledger (`ledger.kinds`), so that a hub cannot tell it from a real post's. Owner of the state:
whoever made it.
"""

from __future__ import annotations

import hashlib
import heapq
import random
from collections.abc import Mapping
from dataclasses import dataclass

from longwatch.ledger import kinds
from longwatch.model.sessions import StreamKey

_US = 1_000_000
_FRAGMENTS = 60
_BITS_S = 2_000_000
_DETAILS = ("no answer", "connection refused", "no route to host")


@dataclass(frozen=True, slots=True)
class Habits:
    """seal_s: how long a segment is. fails_every_s: mean time between two failures of one camera, 0 for never. fails_for_s: mean length of one.
    pictures_every_s: mean time between two pictures of one camera, 0 for never.
    """

    seal_s: float = 60.0
    fails_every_s: float = 4 * 3600.0
    fails_for_s: float = 90.0
    pictures_every_s: float = 600.0


@dataclass(frozen=True, slots=True)
class Told:
    """One entry to be."""

    kind: str
    body: Mapping[str, object]
    wall_us: int


@dataclass(frozen=True, slots=True)
class Taken:
    """One picture of an event."""

    camera: str
    at_us: int


@dataclass(slots=True)
class _Camera:
    """One stream. round: goes up with each failure, so that what was planned before it is passed over."""

    key: StreamKey
    begun_us: int
    run: int
    sequence: int = 0
    round: int = 0
    gap: int = 0
    alarm: int = 0


class Life:
    """post: its id. began_us: wall time at which it was set up; nothing happens before."""

    def __init__(self, post: str, cameras: int, seed: int, began_us: int, habits: Habits | None = None) -> None:
        self.post = post
        self.boot = hashlib.sha256(f"{seed}/{post}/{began_us}".encode()).hexdigest()[:32]
        self.habits = habits or Habits()
        self.failed = 0
        self._draw = random.Random(f"{seed}/{post}")  # noqa: S311 - a story, no secret
        self._counted = 0
        self._runs = cameras
        self._due: list[tuple[int, int, int, int, str]] = []
        self._cameras = [
            _Camera(StreamKey(f"cam-{n + 1}", "main"), began_us, run=n + 1) for n in range(cameras)
        ]  # fmt: skip
        self._began_us = began_us
        self._has_begun = False

    @property
    def cameras(self) -> list[str]:
        """Their ids."""
        return [camera.key.camera for camera in self._cameras]

    @property
    def next_us(self) -> int:
        """When something happens next."""
        return self._due[0][0] if self._due else self._began_us

    def sealed(self) -> tuple[str, int] | None:
        """The camera that was sealed last, and up to when."""
        sealed = [
            (camera.begun_us, camera.key.camera) for camera in self._cameras if camera.sequence and not camera.alarm
        ]
        if not sealed:
            return None
        at_us, name = max(sealed)
        return name, at_us

    def alarms(self) -> list[tuple[int, str, int]]:
        """Those that stand: number, camera, since when."""
        return [(c.alarm, c.key.camera, c.begun_us) for c in self._cameras if c.alarm]

    def until(self, now_us: int) -> list[Told | Taken]:
        """What happened since the last look, in order."""
        said: list[Told | Taken] = []
        if not self._has_begun:
            self._has_begun = True
            said += self._begin()
        while self._due and self._due[0][0] <= now_us:
            at_us, _, which, round_, what = heapq.heappop(self._due)
            camera = self._cameras[which]
            if round_ == camera.round:
                said += _HAPPENINGS[what](self, which, camera, at_us)
        return said

    # -- what happens

    def _begin(self) -> list[Told | Taken]:
        at_us = self._began_us
        body: dict[str, object] = {
            "boot_us": at_us, "last_heartbeat": None, "orderly": True, "provenance": "ntp", "recovered": 0, "same_boot": False, "version": "simulated",
            "wall_us": at_us,
        }  # fmt: skip
        said: list[Told | Taken] = [Told(kinds.START, body, at_us)]
        for which, camera in enumerate(self._cameras):
            set_up: dict[str, object] = {"at_us": at_us, "camera": camera.key.camera, "stream": camera.key.stream}
            said.append(Told(kinds.STREAM_SET_UP, set_up, at_us))
            # cameras do not begin in step: the first segment is shorter
            self._plan(at_us + round(self._draw.random() * self.habits.seal_s * _US) + 1, which, "seal")
            self._plan_chance(at_us, which, "fail", self.habits.fails_every_s)
            self._plan_chance(at_us, which, "picture", self.habits.pictures_every_s)
        return said

    def seal(self, which: int, camera: _Camera, at_us: int) -> list[Told | Taken]:
        """A segment is full, the next begins."""
        self._plan(at_us + round(self.habits.seal_s * _US), which, "seal")
        return [self._sealed(camera, at_us)]

    def _sealed(self, camera: _Camera, at_us: int) -> Told:
        name = f"{self.boot}/{camera.key.camera}/{camera.run}/{camera.sequence}"
        digest = hashlib.sha512(name.encode()).digest()
        size = (at_us - camera.begun_us) * _BITS_S // (8 * _US)
        body = kinds.sealed(
            camera.key, self.boot, camera.run, camera.sequence, digest[:32], _FRAGMENTS, size, camera.begun_us, at_us, "ntp",
            closing=digest[32:],
        )  # fmt: skip
        camera.sequence += 1
        camera.begun_us = at_us
        return Told(kinds.SEGMENT_SEALED, body, at_us)

    def fail(self, which: int, camera: _Camera, at_us: int) -> list[Told | Taken]:
        """A camera answers no more."""
        sealed = self._sealed(camera, at_us)
        camera.round += 1
        camera.gap, camera.alarm = self._count(), self._count()
        self.failed += 1
        evidence: dict[str, object] = {"detail": self._draw.choice(_DETAILS), "since_us": at_us}
        cause = "camera_unreachable"
        raised: dict[str, object] = {
            "alarm": camera.alarm, "camera": camera.key.camera, "cause": cause, "evidence": evidence, "kind": "camera_silent",
            "raised_us": at_us, "since_us": at_us, "subject": "",
        }  # fmt: skip
        self._plan(at_us + self._chance(self.habits.fails_for_s), which, "return")
        return [
            sealed,
            Told(kinds.GAP_OPENED, kinds.gap_opened(camera.key, camera.gap, at_us, cause, evidence), at_us),
            Told(kinds.ALARM_RAISED, raised, at_us),
        ]

    def come_back(self, which: int, camera: _Camera, at_us: int) -> list[Told | Taken]:
        """And does again: a new run."""
        ended: dict[str, object] = {"alarm": camera.alarm, "ended_us": at_us, "why": "recording"}
        said: list[Told | Taken] = [
            Told(kinds.GAP_CLOSED, kinds.gap_closed(camera.gap, at_us), at_us),
            Told(kinds.ALARM_ENDED, ended, at_us),
        ]
        self._runs += 1
        camera.run, camera.sequence, camera.begun_us, camera.gap, camera.alarm = self._runs, 0, at_us, 0, 0
        self.failed -= 1
        self._plan(at_us + round(self.habits.seal_s * _US), which, "seal")
        self._plan_chance(at_us, which, "fail", self.habits.fails_every_s)
        self._plan_chance(at_us, which, "picture", self.habits.pictures_every_s)
        return said

    def picture(self, which: int, camera: _Camera, at_us: int) -> list[Told | Taken]:
        """Something is seen."""
        self._plan_chance(at_us, which, "picture", self.habits.pictures_every_s)
        return [Taken(camera.key.camera, at_us)]

    # -- when

    def _count(self) -> int:
        self._counted += 1
        return self._counted

    def _chance(self, mean_s: float) -> int:
        return round(self._draw.expovariate(1 / mean_s) * _US) + _US

    def _plan_chance(self, now_us: int, which: int, what: str, mean_s: float) -> None:
        if mean_s > 0:
            self._plan(now_us + self._chance(mean_s), which, what)

    def _plan(self, at_us: int, which: int, what: str) -> None:
        heapq.heappush(self._due, (at_us, self._count(), which, self._cameras[which].round, what))


_HAPPENINGS = {"seal": Life.seal, "fail": Life.fail, "return": Life.come_back, "picture": Life.picture}
