"""docs/ref/segment-file.md says what the bytes are: its UUIDs, its layout and its test vector."""

from __future__ import annotations

import hashlib
import re
import struct
import uuid
import zlib
from pathlib import Path

from tests.support.tracks import IDENTITY, VIDEO

from longwatch.formats.bmff import (
    GUARD_BYTES,
    LIFTED,
    ClosedFragment,
    IndexBuilder,
    StoredSample,
    closing,
    fragment,
    segment_header,
)  # fmt: skip
from longwatch.formats.bmff.closing import CLOSING_UUID
from longwatch.formats.bmff.header import IDENTITY_UUID

PAGE = (Path(__file__).parents[4] / "docs/ref/segment-file.md").read_text(encoding="utf-8")


def _vector() -> tuple[bytes, bytes]:
    """The file up to the closing box, and that with an empty sample index (zlib's bytes are its own affair)."""
    header = segment_header(IDENTITY, [VIDEO])
    runs = [(0, [StoredSample(90_000, 3600, 7200, True, b"sync"), StoredSample(97_200, 0, 7200, False, b"other")])]
    body = b"".join(fragment(1, runs, stored=True))
    row = ClosedFragment(len(header) + GUARD_BYTES, len(body), 90_000, 104_400, (0,), hashlib.sha256(body).digest())
    lifted = LIFTED + b"free"
    return header + lifted + body + lifted, closing([row], b"", wall_end_us=1_767_225_600_160_000)


def _listed(after: str) -> str:
    return re.sub(r"\s", "", PAGE.split(after)[1].split("\n\n")[1])


def test_the_vector() -> None:
    data, box = _vector()
    assert hashlib.sha256(data + box).hexdigest() == _listed("its SHA-256 is")
    at = data.index(IDENTITY_UUID) + 16
    end = at - 24 + int.from_bytes(data[at - 24 : at - 20], "big")
    assert data[at:end].hex() == _listed("Its identity box, from the version on:")
    assert box[24:44].hex() == _listed("Its closing box, up to the sample index:")


def test_the_uuids() -> None:
    assert str(uuid.UUID(bytes=IDENTITY_UUID)) in PAGE
    assert str(uuid.UUID(bytes=CLOSING_UUID)) in PAGE


def test_the_sample_index_is_laid_out_as_it_says() -> None:
    index = IndexBuilder([90_000])
    index.add(1000, 120, [(0, [(90_000, 3600, 7200, True, b"sync", False), (97_200, 0, 7100, False, b"other", True)])])
    packed = index.pack()
    assert packed[:16] == struct.pack(">BBHIII", 1, 1, 0, 90_000, 1, 2)
    columns = struct.pack(">QQI 2I 2I 2i 2B", 1120, 90_000, 2, 4, 5, 7200, 7100, 3600, 0, 1, 2)
    assert zlib.decompress(packed[16:]) == columns
