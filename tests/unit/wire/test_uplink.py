"""Frames of the uplink: what goes in comes out, what cannot be is refused, and the vectors of the reference hold."""

from __future__ import annotations

import json
import re
import struct
import zlib
from pathlib import Path

import pytest

from longwatch.wire import uplink
from longwatch.wire.uplink import Body, Chunk, Entries, LinkError, Message, decode, deflate, encode

PAGE = (Path(__file__).parents[3] / "docs" / "ref" / "uplink.md").read_text()
FRAMES = {
    "message": Message("held", {"note": "n\n", "number": 1, "post": "north", "size": 5}),
    "deflated message": Message(
        "offer",
        {
            "class": 2,
            "items": [
                {
                    "at_us": 1767225600000000,
                    "camera": "gate",
                    "kind": "strip",
                    "post": "north",
                    "sha256": "ab" * 32,
                    "size": 4711,
                    "stream": "main",
                }
            ],
        },
    ),
    "entries": Entries("north", 1, 41, (b'{"body":{},"boot":"b","kind":"paused","seq":41,"v":1,"wall_us":0}', b"{}")),
    "chunk": Chunk(bytes(range(32)), 4096, b"bytes of an object"),
    "body": Body("live_frame", {"at_us": 5, "live": 7}, b"\xff\xd8jpeg"),
}


@pytest.mark.parametrize("name", FRAMES)
def test_what_goes_in_comes_out(name):
    assert decode(encode(FRAMES[name])) == FRAMES[name]


@pytest.mark.parametrize("name", FRAMES)
def test_the_vectors_of_the_reference(name):
    """Decoding is what the reference fixes: two deflaters may write the same text in two ways."""
    found = re.search(rf"^{name}: ([0-9a-f]+)$", PAGE, re.MULTILINE)
    assert found, f"{name}: {encode(FRAMES[name]).hex()}"
    data = bytes.fromhex(found[1])
    assert decode(data) == FRAMES[name]
    if data[:1] in b"JCB":
        assert encode(FRAMES[name]) == data


def test_the_dictionary_is_that_of_the_reference():
    import hashlib

    assert hashlib.sha256(uplink.DICTIONARY).hexdigest() in PAGE
    assert f"{len(uplink.DICTIONARY)} bytes" in PAGE


def test_the_caps_are_those_of_the_reference():
    for name in ("MAX_FRAME_BYTES", "MAX_MESSAGE_BYTES", "MAX_ENTRIES_BYTES", "MAX_ENTRIES", "MAX_CHUNK_BYTES", "MAX_OBJECT_BYTES", "MAX_ITEMS", "MAX_BODY_BYTES", "MAX_HEADER_BYTES"):  # fmt: skip
        assert re.search(rf"\| `{name}` \| {getattr(uplink, name)} \|", PAGE), (name, getattr(uplink, name))


def test_a_seal_is_small():
    body = {"boot": "5b0c6a52-0a3c-4f0e-9a36-0d3a6e1b6c11", "camera": "gate", "closing": "0f" * 32, "damaged": False, "durable_bytes": 2345678, "fragments": 60, "provenance": "ntp", "recovered": False, "root": "e7" * 32, "run": 4, "sequence": 17, "stream": "main", "wall_end_us": 1767225660000000, "wall_start_us": 1767225600000000}  # fmt: skip
    entry = json.dumps({"body": body, "boot": body["boot"], "kind": "segment_sealed", "seq": 1234, "v": 1, "wall_us": 1767225660100000}, separators=(",", ":")).encode()  # fmt: skip
    assert len(encode(Entries("north", 1, 1234, [entry]))) < 200


def packed(*entries):
    return b"".join(struct.pack(">H", len(entry)) + entry for entry in entries)


HEAD = b"E\x05north" + struct.pack(">IQ", 1, 0)
BROKEN = {
    "nothing": b"",
    "an unknown kind": b"X123",
    "no JSON": b"J{",
    "a list": b"J[]",
    "no kind": b"J{}",
    "a kind that is no text": b'J{"m":1}',
    "a constant": b'J{"m":"x","a":NaN}',
    "deep": b'J{"m":"x","a":' + b"[" * 100_000,
    "not UTF-8": b'J{"m":"\xff"}',
    "no deflate": b"j\xff\xff\xff",
    "deflate that is cut off": b"j" + deflate(b'{"m":"x","a":"' + b"y" * 500 + b'"}')[:-3],
    "something behind": b"j" + deflate(b'{"m":"x"}') + b"more",
    "a bomb": b"j" + deflate(b'{"m":"' + b"a" * (8 << 20) + b'"}'),
    "a chunk without bytes": b"C" + bytes(40),
    "a chunk that is cut off": b"C" + bytes(30),
    "a chunk beyond any object": b"C" + bytes(32) + struct.pack(">Q", 1 << 60) + b"x",
    "a chunk that is too long": b"C" + bytes(40) + bytes(uplink.MAX_CHUNK_BYTES + 1),
    "entries of nobody": b"E\x00" + struct.pack(">IQ", 1, 0) + deflate(packed(b"{}")),
    "entries that are cut off": HEAD + deflate(b"\x00\x05ab"),
    "entries cut in a length": HEAD + deflate(packed(b"{}") + b"\x00"),
    "no entries": HEAD + deflate(b""),
    "too many entries": HEAD + deflate(packed(*[b""] * (uplink.MAX_ENTRIES + 1))),
    "a bomb of entries": HEAD + deflate(bytes(8 << 20)),
    "an id that is no ASCII": b"E\x02\xff\xff" + struct.pack(">IQ", 1, 0) + deflate(packed(b"{}")),
    "a number that cannot be": b"E\x05north" + struct.pack(">IQ", 1, 1 << 63) + deflate(packed(b"{}")),
    "a body without its header": b"B\x00\x10{}",
    "a body of a long header": b"B\xff\xff" + b" " * 70_000,
    "a frame that is too long": b"J" + b" " * uplink.MAX_FRAME_BYTES,
}


@pytest.mark.parametrize("what", BROKEN)
def test_what_cannot_be_is_refused(what):
    with pytest.raises(LinkError):
        decode(BROKEN[what])


def test_a_bomb_is_not_blown_up_first():
    """Inflating stops at the cap: a frame of 128 KiB may stand for 128 MiB."""
    bomb = b"j" + deflate(b" " * (100 << 20))
    assert len(bomb) < uplink.MAX_FRAME_BYTES
    with pytest.raises(LinkError, match="inflated"):
        decode(bomb)


@pytest.mark.parametrize(
    "frame",
    [
        Message("x", {"a": float("nan")}),
        Message("x", {"a": {1, 2}}),
        Message("x", {"a": "y" * uplink.MAX_MESSAGE_BYTES}),
        Chunk(bytes(32), 0, bytes(uplink.MAX_CHUNK_BYTES + 1)),
        Entries("north", 1, 0, [bytes(70_000)]),
        Entries("n" * 300, 1, 0, [b"{}"]),
        Body("x", {"a": "y" * 5000}, b""),
        Body("x", {}, bytes(uplink.MAX_BODY_BYTES + 1)),
    ],
)
def test_what_the_other_end_would_not_take_is_not_written(frame):
    with pytest.raises(LinkError):
        encode(frame)


def test_small_messages_stay_readable():
    assert encode(Message("held", {"size": 5})) == b'J{"m":"held","size":5}'
    assert zlib.decompressobj(-15, zdict=uplink.DICTIONARY).decompress(encode(FRAMES["deflated message"])[1:])


@pytest.mark.parametrize(
    "value", ["1e999", "-1e999", "NaN", "1" * 21, "[" * 5000 + "]" * 5000, r'"\ud800"', r'{"\udfff": 1}', r'"a\u0000b"']
)
def test_values_that_no_page_and_no_database_takes_are_no_message(value):
    with pytest.raises(LinkError):
        decode(b'J{"m":"status","post":"north","x":' + value.encode() + b"}")


def test_letters_beyond_ascii_stay():
    text = rb'J{"m":"site","name":"\u00e9\ud83d\ude00\\u0000"}'
    assert decode(text) == Message("site", {"name": "\u00e9\U0001f600\\u0000"})
