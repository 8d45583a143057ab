"""Which cameras answer. Pure: times and answers in, what to ask next out; `watch` does the asking.

Behaviour over time: a camera that delivers is one that answers, and is never asked. Once nothing came from it for 1.5 s what was
known is forgotten, and it is asked at once and then every two seconds; after twenty seconds every fifteen; so a hundred dark
cameras cost a few packets a second. The moment it delivers again it answers again.
"""

from __future__ import annotations

import bisect
from collections.abc import Callable

from longwatch.model.surroundings import Answer
from longwatch.surroundings.asking import Heard
from longwatch.surroundings.fact import Fact
from longwatch.surroundings.options import Place

SILENT_US = 1_500_000
EAGER_US = 20_000_000
EAGER_EVERY_US = 2_000_000
PATIENT_EVERY_US = 15_000_000
STREAM = "stream"
NEIGHBOURS = 8


class CameraAddress:
    """One camera. Owner of its state: the watch's loop. why: in words, while the answer is unknown."""

    __slots__ = ("_count", "_next_us", "answer", "asked", "asking", "heard_us", "place", "why")

    def __init__(self, place: Place, now_us: int) -> None:
        self.place = place
        self.answer: Fact[Answer] = Fact(Answer.UNKNOWN)
        self.heard_us = now_us
        self.asking = False
        self.asked = 0
        self.why = ""
        self._count = 0
        self._next_us = now_us

    def beat(self, count: int, now_us: int) -> bool:
        """count: bytes that ever came of it. Whether it is to be asked now."""
        if count != self._count:
            self._count = count
            self.heard_us = now_us
            self._next_us = now_us
            if self.answer.value is not Answer.ANSWERS or self.answer.by != STREAM:
                self.answer.learn(Answer.ANSWERS, STREAM, now_us)
                self.why = ""
            self.answer.asked_boot_us = now_us
            return False
        if now_us - self.heard_us < SILENT_US:
            return False
        if self.answer.by == STREAM:
            self.answer.learn(Answer.UNKNOWN, "", now_us)
            self.why = "it fell silent, and was not asked yet"
        return not self.asking and now_us >= self._next_us

    def delivers(self, now_us: int) -> bool:
        """Whether something of it came just now."""
        return now_us - self.heard_us < SILENT_US

    def begin(self) -> None:
        """It is being asked."""
        self.asking = True

    def end(self, heard: Heard, began_us: int, now_us: int) -> None:
        """What came of asking. An answer to a question from before it was heard again says nothing."""
        self.asking = False
        self.asked += 1
        eager = now_us - self.heard_us < EAGER_US
        self._next_us = now_us + (EAGER_EVERY_US if eager else PATIENT_EVERY_US)
        if self.heard_us >= began_us or self.answer.by == STREAM:
            return
        self.answer.learn(heard.answer, heard.by, now_us)
        self.why = heard.why

    def hurry(self, now_us: int) -> None:
        """Ask it now, where it is one that is asked."""
        self._next_us = min(self._next_us, now_us)

    def moved(self, place: Place, now_us: int) -> None:
        """The settings changed. Another address is another question."""
        if (place.host, place.port) != (self.place.host, self.place.port):
            self.answer.learn(Answer.UNKNOWN, "", now_us)
            self._next_us = now_us
        self.place = place


class Addresses:
    """All cameras, and who stands behind the same switch."""

    def __init__(self, heard: Callable[[str], int]) -> None:
        """heard: bytes that ever came of a camera."""
        self._heard = heard
        self.cameras: dict[str, CameraAddress] = {}
        self._behind: dict[str, list[CameraAddress]] = {}
        self._known: dict[
            str, tuple[list[tuple[int, str]], list[tuple[int, str]]]
        ] = {}  # by switch, until the next beat or answer

    def apply(self, places: tuple[Place, ...], now_us: int) -> None:
        """From now on these; what is known of those that stay is kept."""
        cameras: dict[str, CameraAddress] = {}
        for place in places:
            camera = self.cameras.get(place.camera)
            if camera is None:
                camera = CameraAddress(place, now_us)
            else:
                camera.moved(place, now_us)
            cameras[place.camera] = camera
        self.cameras = cameras
        self._behind = {}
        self._known.clear()
        for camera in cameras.values():
            if camera.place.behind:
                self._behind.setdefault(camera.place.behind, []).append(camera)

    def beat(self, now_us: int) -> list[CameraAddress]:
        """Who is to be asked now."""
        heard = self._heard
        self._known.clear()
        return [camera for name, camera in self.cameras.items() if camera.beat(heard(name), now_us)]

    def answered(self, camera: CameraAddress, heard: Heard, began_us: int, now_us: int) -> None:
        """What came of asking a camera. Once one falls silent, those behind the same switch are asked anew: only what they say from
        then on bears witness.
        """
        before = camera.answer.value
        camera.end(heard, began_us, now_us)
        self._known.clear()
        if camera.answer.value is Answer.SILENT and before is not Answer.SILENT:
            for other in self._behind.get(camera.place.behind, ()):
                if other is not camera:
                    other.hurry(now_us)

    def neighbours(self, camera: CameraAddress) -> tuple[tuple[str, ...], tuple[str, ...], int]:
        """The other cameras behind the same switch that answer, and those that do not, by what was learnt of them since what is known
        of this one is so (at most eight of each, the freshest first, which is witness enough); and how many are not known so far.
        """
        switch = camera.place.behind
        known = self._known.get(switch)
        if known is None:
            known = self._known[switch] = self._behind_now(switch)
        since_us = camera.answer.since_boot_us
        answer, silent = (self._since(witnesses, since_us, camera) for witnesses in known)
        others = len(self._behind.get(switch, ())) - 1 if switch else 0
        return answer[0], silent[0], others - answer[1] - silent[1]

    @staticmethod
    def _since(witnesses: list[tuple[int, str]], since_us: int, camera: CameraAddress) -> tuple[tuple[str, ...], int]:
        """Those of `witnesses` (the freshest first) that were asked since; the first of them by name, and how many there are."""
        count = bisect.bisect_right(witnesses, -since_us, key=lambda item: item[0])
        own = (-camera.answer.asked_boot_us, camera.place.camera)
        at = bisect.bisect_left(witnesses, own, 0, count)
        has_own = at < count and witnesses[at] == own
        first = [name for _, name in witnesses[: min(count, NEIGHBOURS + 1)] if name != camera.place.camera]
        return tuple(first[:NEIGHBOURS]), count - has_own

    def _behind_now(self, switch: str) -> tuple[list[tuple[int, str]], list[tuple[int, str]]]:
        """Who answers behind a switch and who does not, with minus the time when that was learnt, in order."""
        answer: list[tuple[int, str]] = []
        silent: list[tuple[int, str]] = []
        for camera in self._behind.get(switch, ()):
            if camera.answer.value is not Answer.UNKNOWN:
                names = answer if camera.answer.value is Answer.ANSWERS else silent
                names.append((-camera.answer.asked_boot_us, camera.place.camera))
        answer.sort()
        silent.sort()
        return answer, silent
