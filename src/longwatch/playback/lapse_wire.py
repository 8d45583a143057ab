"""What whoever makes a time-lapse and its decoding child say to each other, over pipes."""

from __future__ import annotations

import struct

from longwatch.formats.media import Codec

CODECS = (Codec.H264, Codec.H265, Codec.MJPEG)

HEAD = struct.Struct(">BII")
"""codec (index into CODECS), bytes of its sample entry, bytes of the sync sample; both follow."""

MADE = struct.Struct(">?II")
"""Whether it is a sync sample, bytes of the encoder's sample entry, bytes of the sample; both follow. No bytes: no picture."""

MAX_BYTES = 64 << 20
TICKS = 3_600
"""How long each picture is shown, in 1/90000 s: 25 a second."""
