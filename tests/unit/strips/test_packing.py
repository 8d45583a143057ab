"""What is chosen for moments and steps, and the body that carries it."""

from __future__ import annotations

import json
import struct

from longwatch.strips import Picture, pack, picked_at

PICTURES = [Picture(at, n, 10, 0, 0) for n, at in enumerate((100, 112, 119, 130, 300))]


def test_at_a_moment_the_newest_before_it_that_is_not_too_old() -> None:
    found = picked_at(PICTURES, [99, 100, 118, 119, 160, 161, 1000], 30)
    assert [one.at_us if one else None for one in found] == [None, 100, 112, 119, 130, None, None]


def test_the_body() -> None:
    jpegs = [b"one", b"", b"three"]
    packed = pack(
        {"every_us": 7}, [({"camera": "gate"}, [PICTURES[0], None, PICTURES[2]], jpegs), ({"camera": "yard"}, [], [])]
    )
    (length,) = struct.unpack_from("<I", packed.body)
    head = json.loads(packed.body[4 : 4 + length])
    assert head["every_us"] == 7
    assert head["items"] == [
        {"camera": "gate", "pictures": [[100, 0, 3], None, [119, 3, 5]]},
        {"camera": "yard", "pictures": []},
    ]
    base = 4 + length
    assert packed.body[base + 3 : base + 8] == b"three"
    assert b"".join(packed.chunks(2, packed.size)) == packed.body[2:]
    assert packed.etag != pack({"every_us": 8}, []).etag
