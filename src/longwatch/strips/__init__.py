"""Scrub strips: a small picture every few seconds of each camera, so that dragging over a day shows something at once.

Comes in: segments as they are acknowledged (`model.stores.SegmentSource`), a decoder in a child with limits (`Decoder`), settings.
Goes out: small JPEGs in `derived/strips/`, and how far they are made. Everything here can be made again from footage, and goes
when its footage goes. `picking` finds sync samples, `shelf` keeps files
and `day_index` reads them, `making` follows, catches up and sweeps, `packing` lays out
what many cameras show at many moments. docs/design/strips.md has the whole of it.
"""

from longwatch.strips.day_index import Picture
from longwatch.strips.making import Decoder, Following, Options, Strips
from longwatch.strips.packing import Packed, pack, picked_at
from longwatch.strips.shelf import Shelf

__all__ = [
    "Decoder",
    "Following",
    "Options",
    "Packed",
    "Picture",
    "Shelf",
    "Strips",
    "pack",
    "picked_at",
]
