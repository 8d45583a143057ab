"""Fuzz targets of the uplink: frames, and both ends before a neighbour that sends anything."""

from __future__ import annotations

from collections.abc import Callable

from tests.support.uplink_memory import MemoryHub, MemoryLog, MemoryObjects

from longwatch.model.uplink import Class, ObjectInfo
from longwatch.replication import HubEnd, Now, Policy, PostEnd, Queue, Spent
from longwatch.wire.uplink import Body, Chunk, Entries, LinkError, Message, decode, encode

_NOW = Now(1_000_000, 1_767_225_600_000_000)


def frame(data: bytes) -> None:
    """Any bytes are a frame that is written the same way again, or are refused."""
    try:
        found = decode(data)
    except LinkError:
        return
    assert decode(encode(found)) == found


def _parts(data: bytes) -> list[bytes]:
    """A conversation out of any bytes: frames as they are, and the same as JSON messages."""
    return [part for piece in data.split(b"\n") for part in (piece, b"J" + piece)][:40]


def hub_end(data: bytes) -> None:
    """A post may send anything: an answer that can be written, or LinkError; nothing is committed that is not its hash."""
    hub = MemoryHub()
    end = HubEnd("north", hub, {})
    end.take(encode(Message("hello", {"site": "north"})), 0)
    for part in _parts(data):
        try:
            answers, _ = end.take(part, 0)
        except LinkError:
            break
        for answer in answers:
            encode(answer)
    assert not hub.verified


def post_end(data: bytes) -> None:
    """A hub may send anything: the post goes on, or LinkError; nothing leaves the queue that was not offered."""
    log, media, queue = MemoryLog(), MemoryObjects(), Queue()
    log.write("log_begun", 0)
    log.publish()
    info = media.put(b"x" * 5000)
    queue.add(ObjectInfo(b"\x01" * 32, 10, "strip", "north", "gate", "main"), Class.BULK, 2)
    queue.add(info, Class.STRIP, 1)
    end = PostEnd({"site": "north"}, log, media, queue, Spent("UTC"), Policy())
    for part in _parts(data):
        try:
            end.take(part, _NOW)
        except LinkError:
            break
        for _ in range(3):
            end.next(_NOW, 4096)
    assert len(queue) >= 0


_OBJECT = ObjectInfo(b"\x01" * 32, 10, "strip", "north", "gate", "main")
_FRAMES = [
    Message("logs", {"items": [["north", 1, 5]]}),
    Message("offer", {"class": 2, "items": [_OBJECT.as_json()] * 3}),
    Message("head", {"key": "00" * 32, "note": "north\n", "number": 1, "post": "north"}),
    Message("cursors", {"items": [["north", 1, 0]]}),
    Message("held", {"line": "", "number": 1, "post": "north", "size": 1}),
    Message("need", {"items": [["01" * 32, 0]]}),
    Message("confirmed", {"items": ["01" * 32]}),
    Message("refused", {"later": True, "sha256": "01" * 32, "what": "not_sealed"}),
    Entries("north", 1, 0, [b"{}", b"[]"]),
    Chunk(b"\x01" * 32, 0, b"0123456789"),
    Body("live_frame", {"live": 1}, b"jpeg"),
]
_SEEDS = [*(encode(frame) for frame in _FRAMES), b"\n".join(encode(frame) for frame in _FRAMES)]
SEEDS: dict[str, list[bytes]] = {name: _SEEDS for name in ("frame", "hub-end", "post-end")}
TARGETS: dict[str, Callable[[bytes], None]] = {"frame": frame, "hub-end": hub_end, "post-end": post_end}
