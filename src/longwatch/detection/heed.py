"""Whether what stirs in one picture is worth a look: how much must stir, so that few looks are in vain. Pure.

How much noise, snow or trees stir differs from camera to camera, and from hour to hour. So the bound follows what came: it rises with each look in vain, and falls a little with each picture that stirs less; it settles where
one picture in fifty is looked at for nothing, or one in seven while the camera is attentive.
"""

from __future__ import annotations

_LEARNS = 8
"""Of the first pictures nothing is heeded: what is usual in each block is being learnt."""
_STEP = 0.15
"""By how much of itself it rises with a look in vain."""
_VAIN, _VAIN_ATTENTIVE = 0.02, 0.15
"""Of pictures that are asked, the part that may be looked at for nothing."""
_FIRST, _LEAST, _MOST = 2.0, 0.8, 50.0


class Heed:
    """Of one stream. Owner of its bound."""

    def __init__(self) -> None:
        self._bound, self._known = _FIRST, 0

    def look(self, much: float, *, attentive: bool) -> bool:
        """Whether a picture that stirs so much is worth a look."""
        if self._known < _LEARNS:
            self._known += 1
            return False
        if much > self._bound:
            return True
        self._bound = max(_LEAST, self._bound * (1 - _STEP * (_VAIN_ATTENTIVE if attentive else _VAIN)))
        return False

    def vain(self) -> None:
        """What was looked at was nothing."""
        self._bound = min(self._bound * (1 + _STEP), _MOST)
