"""Parameter sets: from what a camera says of its encoding to size, rate, sample entry and codec string. No I/O, no clock.

Comes in: SPS, PPS and VPS (H.264, H.265), AudioSpecificConfig, `Media` of SDP. Goes out: `TrackFormat`. One module per
encoding; `bits` reads Exp-Golomb codes, `boxes` writes sample entries. Whatever is wrong with the bytes, the error is
`CodecError`; sizes are capped before anything is built from them.
"""

from __future__ import annotations

from longwatch.formats.codecs.bits import CodecError

__all__ = ["CodecError"]
