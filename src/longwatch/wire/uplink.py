"""The uplink's frames: one WebSocket message is one frame. Bytes to values and back; docs/ref/uplink.md is the format.

Byte 0 says which: `J` a JSON message, `j` the same deflated, `E` entries of a log, `C` a chunk of an object, `B` a message with bytes behind it.
Either end may be broken or dishonest: every size is capped, before and after inflating, and `decode` raises LinkError for whatever is no frame.
"""

from __future__ import annotations

import json
import math
import struct
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from longwatch.base.errors import LongwatchError

SUBPROTOCOL = "longwatch.uplink.1"
MAX_FRAME_BYTES = 128 << 10
MAX_MESSAGE_BYTES = 512 << 10  # of JSON, inflated
MAX_ENTRIES_BYTES = 512 << 10  # of one frame's entries, inflated
MAX_ENTRY_BYTES = (1 << 16) - 1
MAX_ENTRIES = 2048
MAX_CHUNK_BYTES = 64 << 10
MAX_BODY_BYTES = 96 << 10
MAX_HEADER_BYTES = 4 << 10
MAX_OBJECT_BYTES = 64 << 20
MAX_ITEMS = 256  # of a list in a message
MAX_ID = 200  # a post's id with the hubs before it
HASH_BYTES = 32
_WORTH_DEFLATING = 96
_MOST_DIGITS = 20  # of a whole number: 64 bits
_ENTRIES = struct.Struct(">B")
_LOG = struct.Struct(">IQ")
_CHUNK = struct.Struct(">32sQ")
_U16 = struct.Struct(">H")

# What both ends have before the first byte: zlib looks into it as if it had been sent just before. It is part of the protocol's version.
DICTIONARY = (
    b'"privacy_pause""recorder_started""recorder_stopped","wall_us":"person":{"commitment":"","subject":},"viewing""what":"live""recorded"'
    b'"settings_applied""clock_step""stream_set_up""segments_removed""unconfirmed":"sequences":[["why":"max_age""max_size""keep_free"'
    b'"power_changed""battery_percent":"mains":"off""on""port_changed""alarm_acknowledged""alarm_refined""alarm_repeated""alarm_ended"'
    b'"alarm_raised","seq":{"body":{"alarm":,"camera":"","cause":"camera_unreachable","evidence":{"since_us":17"raised_us":17"kind":"camera_silent"'
    b'"gap_refined","gap_opened","gap_closed","seq":{"body":{"camera":"gate","cause":"stream_stalled","evidence":{"address":"10.0.0.","attempts":'
    b'"answers":"connected_us":"detail":"fault":"from_us":17"gap":,"never_was":false,"to_us":17"stream":"main"},"boot":"'
    b'{"class":"items":[{"at_us":17"boot":"","camera":"","first":0,"kind":"strip","kind":"closing","kind":"piece","last":,"post":"","run":,"sequence":'
    b',"sha256":"","size":,"stream":"sub"}],"m":"offer"}{"items":[["","offset":,"m":"need"{"items":["m":"confirmed"{"m":"status","post":"'
    b'"accounted_until_us":17"alarms":[],"backlog":{"asked":0,"bulk":0,"clip":0,"ledger":0,"picture":0,"strip":0},"recording":'
    b'{"cosignature":"\xe2\x80\x94 longwatch/","m":"held","number":1,"size":,"key":"","m":"head","note":"longwatch/'
    b'{"body":{"boot":"","camera":"gate","closing":"","damaged":false,"durable_bytes":,"fragments":60,"provenance":"ntp","recovered":false,"root":"'
    b'","run":,"sequence":,"stream":"main","wall_end_us":17,"wall_start_us":17},"boot":"","kind":"segment_sealed","seq":,"v":1,"wall_us":17}'
)


class LinkError(LongwatchError):
    """A frame that cannot be, or that is not allowed here: the connection is to be closed."""


@dataclass(frozen=True, slots=True)
class Message:
    """A JSON message. kind: stands in it as `m`."""

    kind: str
    body: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Entries:
    """Canonical entries of a log, beginning with number `first`."""

    post: str
    number: int
    first: int
    entries: Sequence[bytes]


@dataclass(frozen=True, slots=True)
class Chunk:
    """Bytes of an object from `offset` on."""

    sha256: bytes
    offset: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Body:
    """A message with bytes behind it (live views): never stored, never sent again."""

    kind: str
    header: Mapping[str, Any]
    data: bytes


Frame = Message | Entries | Chunk | Body


def encode(frame: Frame) -> bytes:
    """The bytes of a frame. Raises LinkError for one that the other end would not take."""
    if isinstance(frame, Chunk):
        data = b"C" + _CHUNK.pack(frame.sha256, frame.offset) + frame.data
        _within(len(frame.data), MAX_CHUNK_BYTES, "a chunk")
    elif isinstance(frame, Entries):
        data = _encode_entries(frame)
    elif isinstance(frame, Body):
        head = _json({**frame.header, "m": frame.kind})
        _within(len(head), MAX_HEADER_BYTES, "a header")
        _within(len(frame.data), MAX_BODY_BYTES, "a body")
        data = b"B" + _U16.pack(len(head)) + head + frame.data
    else:
        text = _json({**frame.body, "m": frame.kind})
        _within(len(text), MAX_MESSAGE_BYTES, f"a message `{frame.kind}`")
        small = deflate(text) if len(text) >= _WORTH_DEFLATING else text
        data = b"j" + small if len(small) < len(text) else b"J" + text
    _within(len(data), MAX_FRAME_BYTES, "a frame")
    return data


def decode(data: bytes) -> Frame:
    """The frame of these bytes. Raises LinkError."""
    _within(len(data), MAX_FRAME_BYTES, "a frame")
    kind = data[:1]
    if kind == b"C":
        return _decode_chunk(data)
    if kind == b"E":
        return _decode_entries(data)
    if kind == b"B":
        return _decode_body(data)
    if kind == b"J":
        return _message(data[1:])
    if kind == b"j":
        return _message(inflate(data[1:], MAX_MESSAGE_BYTES))
    raise LinkError("a frame of a kind that is not known")


# -- deflate, with the dictionary


def deflate(data: bytes) -> bytes:
    """Raw deflate (RFC 1951) with DICTIONARY before it."""
    packer = zlib.compressobj(6, zlib.DEFLATED, -15, zdict=DICTIONARY)
    return packer.compress(data) + packer.flush()


def inflate(data: bytes, most: int) -> bytes:
    """The reverse. Raises LinkError where it is damaged, is not whole, has something behind it, or is larger than `most`."""
    unpacker = zlib.decompressobj(-15, zdict=DICTIONARY)
    try:
        text = unpacker.decompress(data, most + 1)
    except zlib.error as error:
        raise LinkError("a frame that does not inflate", why=str(error)) from error
    _within(len(text), most, "an inflated frame")
    if not unpacker.eof or unpacker.unused_data or unpacker.unconsumed_tail:
        raise LinkError("a frame that does not inflate", why="it is cut off, or has something behind it")
    return text


# -- the kinds of frames


def _encode_entries(frame: Entries) -> bytes:
    post = frame.post.encode()
    _within(len(post), MAX_ID, "a post's id")
    _within(len(frame.entries), MAX_ENTRIES, "entries of one frame")
    for entry in frame.entries:
        _within(len(entry), MAX_ENTRY_BYTES, "an entry")
    packed = b"".join(_U16.pack(len(entry)) + entry for entry in frame.entries)
    _within(len(packed), MAX_ENTRIES_BYTES, "entries of one frame")
    return b"E" + _ENTRIES.pack(len(post)) + post + _LOG.pack(frame.number, frame.first) + deflate(packed)


def _decode_entries(data: bytes) -> Entries:
    length = data[1] if len(data) > 1 else 0
    start = 2 + length
    if not 0 < length <= MAX_ID or len(data) < start + _LOG.size:
        raise LinkError("a frame of entries that is cut off")
    number, first = _LOG.unpack_from(data, start)
    packed = inflate(data[start + _LOG.size :], MAX_ENTRIES_BYTES)
    entries: list[bytes] = []
    at = 0
    while at < len(packed):
        if at + 2 > len(packed) or len(entries) >= MAX_ENTRIES:
            raise LinkError("a frame of entries that is cut off, or holds too many")
        (size,) = _U16.unpack_from(packed, at)
        if at + 2 + size > len(packed):
            raise LinkError("a frame of entries that is cut off")
        entries.append(packed[at + 2 : at + 2 + size])
        at += 2 + size
    if not entries or first > 1 << 53:
        raise LinkError("a frame of no entries, or of numbers that cannot be")
    return Entries(_id(data[2:start]), number, first, tuple(entries))


def _decode_chunk(data: bytes) -> Chunk:
    if len(data) <= 1 + _CHUNK.size:
        raise LinkError("a chunk that is cut off")
    sha256, offset = _CHUNK.unpack_from(data, 1)
    body = data[1 + _CHUNK.size :]
    _within(len(body), MAX_CHUNK_BYTES, "a chunk")
    _within(offset + len(body), MAX_OBJECT_BYTES, "an object")
    return Chunk(sha256, offset, body)


def _decode_body(data: bytes) -> Body:
    if len(data) < 3:
        raise LinkError("a frame that is cut off")
    (length,) = _U16.unpack_from(data, 1)
    _within(length, MAX_HEADER_BYTES, "a header")
    if len(data) < 3 + length:
        raise LinkError("a frame that is cut off")
    body = data[3 + length :]
    _within(len(body), MAX_BODY_BYTES, "a body")
    head = _message(data[3 : 3 + length])
    return Body(head.kind, head.body, body)


def _message(text: bytes) -> Message:
    try:
        value = json.loads(text.decode("utf-8"), parse_constant=_no_constant, parse_float=_finite, parse_int=_short)
        if b"\\u" in text:  # half a pair, or a NUL: no database and no page takes it
            _check_letters(value)
    except (ValueError, RecursionError) as error:
        raise LinkError("a message that is no JSON") from error
    kind = value.pop("m", None) if isinstance(value, dict) else None
    if not isinstance(kind, str) or not 0 < len(kind) <= 40:
        raise LinkError("a message without its kind")
    return Message(kind, value)


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is no JSON")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text[:40]} is too large a number")
    return number


def _short(text: str) -> int:
    if len(text) > _MOST_DIGITS:
        raise ValueError(f"{text[:40]} is too large a number")
    return int(text)


def _check_letters(value: object) -> None:
    if isinstance(value, str):
        value.encode("utf-8")
        if "\0" in value:
            raise ValueError("a text with a NUL")
    elif isinstance(value, dict):
        for name, each in value.items():
            _check_letters(name)
            _check_letters(each)
    elif isinstance(value, list):
        for each in value:
            _check_letters(each)


def _json(value: Mapping[str, Any]) -> bytes:
    try:
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True, allow_nan=False)
        return text.encode("utf-8")
    except (TypeError, ValueError) as error:
        raise LinkError("a message that cannot be written as JSON", why=str(error)) from error


def _id(data: bytes) -> str:
    try:
        return data.decode("ascii")
    except UnicodeDecodeError as error:
        raise LinkError("an id that is not ASCII") from error


def _within(size: int, most: int, what: str) -> None:
    if size > most:
        raise LinkError(f"{what} of {size}", why=f"at most {most}")
