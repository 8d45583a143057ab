"""Interval algebra: spans, tilings, and which placement is shown where two claim one second. Pure.

`tile` lays recorded spans and gaps over an interval so that nothing is left bare and nothing lies twice; `precedence`
is the one rule of what is shown where two placements claim the same second; `wide` reduces a tiling to steps of time; `columns` holds
thousands of tiles without making them; `days` keeps the tilings of days that are over.
"""

from longwatch.timeline.columns import Tiling, gaps_in
from longwatch.timeline.tiling import State, Tile, precedence, tile

__all__ = ["State", "Tile", "Tiling", "gaps_in", "precedence", "tile"]
