"""One camera's watch over its view: from looks to what is said of it. Pure.

Owns the reference (`view.View`) and what stands (`tamper.Standing`). The reference learns only from looks in which nothing is wrong.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from longwatch.detection import light, steadiness, tamper
from longwatch.detection.planes import F32, U8
from longwatch.detection.view import GLARE, LEAST_BLOCKS, Likeness, View

LOOK_S, DOUBT_S = 0.9, 0.35
"""Looks that come closer together are left to motion; while in doubt all but the closest count."""
BLACK = 20
MOVED_CLEAR, MOVED_MOST = 0.25, 0.22
"""A shift of the view counts as moved where its peak stands out so far, and up to this part of the picture."""
MOST_BEFORE = 0.5
"""Part of the view: where more is hidden by what stands before it, no shift is asked for: the edges compared would be the thing's mostly, and feign one."""
BURNT_OR_BLACK = 0.6
"""Part of the picture; where more is burnt out or black while the filter moves, it is the filter's doing. With less, three of five blocks kept their edges."""
BLACK_S = 2.0
"""So long it makes it black at most; tape stays."""
VEIL = 8.0
"""Levels by which a picture may be lighter than its weaker contrast explains, for the reference to follow it: what lies between, fog or rime, weakens contrast and lifts what is dark. An exposure lifts all or nothing."""
OTHER_GAIN, OTHER_LEVELS = 0.02, 1.2
"""By how much the broad shades must be stronger, weaker or lighter for the light to be asked about: half of what counts as changed (`light.Light.changed`)."""
RELIT_S = 10.0
"""So long after the filter moved its other light may be what changed the view."""
NEW_VIEW_S = 1800.0
"""A view that was turned, moved, defocused or veiled for so long, and is steady, is the view from then on."""
_TAKEN = ("turned", "moved", "defocused", "fogged")


class Blindness:
    """Of one camera."""

    def __init__(self, shape: tuple[int, int]) -> None:
        self._view = View(shape)
        self._standing = tamper.Standing()
        self._lamp, self._unlit, self._creeping = tamper.Lamp(), tamper.Unlit(), tamper.Creeping()
        self._last_us = 0
        self._said_us = 0
        self._moves_us = 0
        self._moved_us = -(1 << 62)  # when the filter moved last
        self._kept = 1.0  # in the look before
        self.likeness: Likeness | None = None

    @property
    def kind(self) -> str:
        """What is said of the view now, or ""."""
        return self._standing.kind

    @property
    def doubts(self) -> bool:
        """Whether something is wrong with the view, and not for long enough to say it."""
        return bool(self._standing.doubt)

    @property
    def is_of_the_view(self) -> bool:
        """Whether what is doubted is that the whole view went elsewhere or soft: nothing that comes and stands does that."""
        return self._standing.doubt in tamper.OF_THE_VIEW

    @property
    def blinded_us(self) -> int:
        """Since when a light is said to blind it, or doubted to; 0: it is not."""
        standing = self._standing
        return standing.since_us if standing.kind == "blinded" or "blinded" in standing.names else 0

    @property
    def elsewhere_us(self) -> int:
        """Since when the view is said to be moved, or doubted to; 0: it is not."""
        standing = self._standing
        return standing.since_us if standing.kind == "moved" or "moved" in standing.names else 0

    def look(self, luma: U8, cells: F32, now_us: int, hidden: U8 | None = None, *, filter_moves: bool = False) -> str:
        """What is said of the view after this look. cells: the luma, made small. hidden: 1 in cells before which something is known to stand. filter_moves: the infra-red filter may, or
        did a moment ago: that burns a picture white or makes it black, and softens it, and leaves its edges where they are.
        """
        passed_s = (now_us - self._last_us) / 1e6
        if 0 <= passed_s < (DOUBT_S if self.doubts or self.kind else LOOK_S):
            return self.kind
        passed_s = min(max(passed_s, 0.05), 60.0)
        self._last_us = now_us
        glare, dark = (np.count_nonzero(part) / luma.size for part in (luma >= GLARE, luma < BLACK))
        if self._is_excused(glare, dark, now_us, filter_moves=filter_moves):
            if self.doubts and not self.kind:
                self._standing = tamper.Standing()
            return self.kind
        if not self._view.known:
            self._view.learn(cells, glare, passed_s)
            return self.kind
        seen = self.likeness = self._view.likeness(cells, glare, dark, hidden)
        if filter_moves:
            self._moved_us = now_us
        elif hidden is None and not self.kind and self._is_relit(seen, now_us):
            self._view.replace(cells, glare)
            self._standing = tamper.Standing()
            return self.kind
        doubtful = seen.kept < tamper.GONE or (seen.fine < tamper.UNSHARP and seen.strange > tamper.STRANGE)
        doubtful = doubtful or tamper.is_soft_shift(seen)
        lamp = self._lamp.is_one(seen, now_us)
        asked = doubtful and (hidden is None or np.count_nonzero(hidden) <= MOST_BEFORE * hidden.size)
        said = tamper.judged(seen, self._moved(cells) if asked else 0.0, beside=hidden is not None, lamp=lamp)
        if said == "blinded":
            self._lamp.dazzles()
        unlit = bool(said) and self._unlit.is_so(seen)
        if unlit or (filter_moves and seen.kept >= tamper.GONE):
            said = ""
        elif not said and not self.kind:
            self._unlit.mean = seen.mean
        was = self.kind
        returns = seen.kept > self._kept + tamper.COMES_BACK
        self._kept = seen.kept
        if not unlit:
            self._creeping.look(seen, now_us)
        well = not said and self._is_back(seen)
        kind = self._standing.next(said, now_us, passed_s, well=well, returns=returns, crept=self._creeping.crept)
        if kind != was:
            self._said_us = now_us
        if not said and not kind and not filter_moves:
            self._learn(cells, glare, seen, passed_s)
        elif kind in _TAKEN and now_us - self._said_us > NEW_VIEW_S * 1e6:
            self._view.replace(cells, glare)
            self._standing = tamper.Standing()
        return self.kind

    def _is_excused(self, glare: float, dark: float, now_us: int, *, filter_moves: bool) -> bool:
        """Whether nothing is to be seen since the filter moves: then what was doubted is forgotten, and what is said still stands."""
        if not filter_moves:
            self._moves_us = 0
            return False
        self._moves_us = self._moves_us or now_us
        black = dark if now_us - self._moves_us < BLACK_S * 1e6 else 0.0
        return glare + black > BURNT_OR_BLACK or not self._view.known

    def _is_relit(self, seen: Likeness, now_us: int) -> bool:
        """Whether the filter moved a moment ago and its other light took so much of the view's structure that it seems gone."""
        return 0 <= now_us - self._moved_us < RELIT_S * 1e6 and seen.kept < tamper.BACK and tamper.is_relit(seen)

    def _is_back(self, seen: Likeness) -> bool:
        """Whether it is surely the view again. After a great light that takes the strength of its edges too: exposure answers, and the lamp is still there."""
        lamp = "blinded" in {self.kind, self._standing.doubt} and (tamper.faint(seen) or seen.sharp < tamper.WASHED)
        return seen.blocks < LEAST_BLOCKS or (seen.kept >= tamper.BACK and not lamp)

    def _learn(self, cells: F32, glare: float, seen: Likeness, passed_s: float) -> None:
        other = abs(seen.broad - 1) > OTHER_GAIN or abs(seen.raised) > OTHER_LEVELS
        lit = light.between(self._view.usual, cells) if other and seen.kept > 0.8 else light.Light()
        veiled = lit.gain < 1 and seen.raised > VEIL
        if lit.changed and lit.explained > 0.6 and lit.gain > 0.7 and not veiled:
            part = min(0.1 * passed_s, 0.4)
            self._view.relight(1 + part * (lit.gain - 1), part * lit.offset)
        self._view.learn(cells, glare, passed_s)

    def _moved(self, cells: F32) -> float:
        """Cells of the coarse picture by which the view is shifted, where that is clear and not far; else 0."""
        shift = steadiness.between(steadiness.edges(self._view.usual), steadiness.edges(cells))
        far = max(abs(shift.dx), abs(shift.dy))
        return far * steadiness.COARSE[0] if shift.clear >= MOVED_CLEAR and 0.01 < far <= MOVED_MOST else 0.0

    def arrays(self) -> dict[str, NDArray[Any]]:
        """What is saved."""
        return self._view.arrays()

    def head(self) -> dict[str, Any]:
        """What is saved of it as JSON."""
        return {
            "view": self._view.head(),
            "standing": asdict(self._standing),
            "last_us": self._last_us,
            "said_us": self._said_us,
        }

    def restore(self, head: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> None:
        """Back from both. Raises KeyError, TypeError or ValueError where they are of another form."""
        self._view.restore(head["view"], arrays)
        self._standing.restore(head["standing"])
        self._last_us, self._said_us = int(head["last_us"]), int(head["said_us"])
