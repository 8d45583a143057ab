"""What the server and its decoding child say to each other, over pipes."""

from __future__ import annotations

import struct

HEAD = struct.Struct(">8sHHII")
"""codec, the greatest width wanted (0: as it is), 0, bytes of extradata, bytes of the sample; both follow."""

ANSWER = struct.Struct(">BI")
"""0 and a JPEG of so many bytes; or 1 and a text that says why not."""

MAX_BYTES = 64 << 20
