"""How the numbers of a picture become colours: `video_signal_type` in the VUI of H.264 (E.1.1) and H.265 (E.2.1)."""

from __future__ import annotations

from dataclasses import dataclass

from longwatch.formats.codecs.bits import BitReader

_UNSAID = 2


@dataclass(frozen=True, slots=True)
class Colour:
    """full_range: black is 0 and white the greatest number there is; else there is room below and above. The others are numbers of ITU-T H.273; 2: unsaid."""

    full_range: bool = False
    primaries: int = _UNSAID
    transfer: int = _UNSAID
    matrix: int = _UNSAID


def read_colour(bits: BitReader) -> Colour:
    """From video_signal_type_present_flag on. Raises CodecError."""
    if not bits.flag():
        return Colour()
    bits.skip(3)
    full_range = bits.flag()
    if not bits.flag():
        return Colour(full_range)
    return Colour(full_range, bits.u(8), bits.u(8), bits.u(8))
