"""What the server and its decoding child say to each other, over pipes."""

from __future__ import annotations

import struct

HEAD = struct.Struct(">8sHHII")
"""codec, the greatest width wanted (0: as it is), flags, bytes of extradata, bytes of the sample; both follow."""

ROUGH, ROW = 1, 2
"""Flags. ROW: instead of one sample there is a row of them, each with its `IN_ROW`: the picture shown last of them is wanted."""

IN_ROW = struct.Struct(">qI")
"""Before each sample of a row: when it is shown, in units of its own, and its bytes."""

ANSWER = struct.Struct(">BI")
"""0 and a JPEG of so many bytes; or 1 and a text that says why not."""

MAX_BYTES = 64 << 20
