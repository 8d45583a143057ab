"""A guard before each fragment and before the closing box, so that a power cut leaves a file that any player opens.

libav reads all top-level boxes when it opens a file, and refuses the whole file for one `moof` whose first bytes are there and
whose others are not: a power cut leaves such tails, torn at a page or at a sector. So eight bytes stand before each moof: the
header of a `free` box that, until the fragment is flushed, says it is as long as itself and the fragment; a player
skips both. Once the flush is done its length is set to 8, and the moof is there. Those four bytes lie within one sector (guards
stand at multiples of 8), so they are old or new, never torn. A guard is not part of the fragment, and is not hashed
(docs/adr/0007).
"""

from __future__ import annotations

import struct

GUARD_BYTES = 8
LIFTED = struct.pack(">I", GUARD_BYTES)
"""The first four bytes of a guard that hides nothing."""


def guard(hidden_bytes: int) -> bytes:
    """A guard that hides the `hidden_bytes` behind it."""
    return struct.pack(">I4s", GUARD_BYTES + hidden_bytes, b"free")


def alignment(size: int) -> int:
    """How many bytes to add to `size`, so that what follows stands at a multiple of 8."""
    return -size % GUARD_BYTES
