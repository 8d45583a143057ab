"""A small post with everything in it that can be changed: two volumes, three cameras, gaps, people, removals, several starts.

`build` records it with the real archive, once. `State` holds all its files in memory, so that a mutation can be undone by writing
back what it touched.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from tests.support import archive_case as case

from longwatch.archive import CameraRetention, Options, Retention, RetentionTime, ops
from longwatch.base.clock import ManualClock
from longwatch.formats import bmff
from longwatch.ledger import parse_entry
from longwatch.ledger.story import Place, Story
from longwatch.model.causes import Cause
from longwatch.model.sessions import StreamKey

DAM = StreamKey("dam", "main")
KINDS = ("camera_unreachable", "network_down", "unknown")
SECOND = 1_000_000


@dataclass
class Segment:
    """A sealed file. parts: (begin, end, place) of the header, each guard, moof, mdat and the closing box, with its name."""

    volume: str
    path: str
    place: Place
    fragments: list[tuple[int, int, Place]]
    parts: list[tuple[str, int, int, Place]]


@dataclass
class State:
    """All files of all volumes, by `volume/path`; the story its entries tell; its segments; the key it is signed with."""

    root: Path
    files: dict[str, bytes] = field(default_factory=dict)
    story: Story = field(default_factory=Story)
    entries: list[bytes] = field(default_factory=list)
    segments: list[Segment] = field(default_factory=list)
    checkpoint: str = ""
    key: str = ""
    volumes: tuple[str, ...] = ("a", "b")

    def private(self) -> Ed25519PrivateKey:
        """What somebody with root can read."""
        key = load_pem_private_key(self.files["a/ledger.key"], None)
        assert isinstance(key, Ed25519PrivateKey)
        return key


def build(root: Path, *, scale: int = 1) -> tuple[State, State]:
    """Record a post in `root`. Returns how it stood at an earlier stop, and at its last."""
    root.mkdir(parents=True, exist_ok=True)
    clock = ManualClock()
    asyncio.run(_first_day(root, clock, scale))
    earlier = read(root)
    asyncio.run(_second_day(root, clock, scale))
    return earlier, read(root)


async def _first_day(root: Path, clock: ManualClock, scale: int) -> None:
    async with case.opened([root / "a", root / "b"], _options(None), clock) as (archive, _):
        gate = case.stream(archive, case.GATE, clock=clock, base=1000)
        road = case.stream(archive, case.ROAD, clock=clock, base=2000)
        for key in (case.GATE, case.ROAD, DAM):
            await archive.camera_set_up(key.camera, key.camera.title(), [key.stream], clock.wall_us())
        await archive.enter(ops.Entry("recorder_started", {"version": "test", "orderly": False}))
        await case.record(archive, gate, segments=4 * scale, volume=archive.volumes[0])
        await case.record(archive, road, segments=3 * scale, volume=archive.volumes[1])
        await _gaps(archive, case.GATE, gate.wall_us(gate.media_90k), 10)
        await archive.enter(_viewing("gate", gate.run_wall_us))
        await archive.enter(ops.Entry("recorder_stopped", {"reason": "asked to stop"}))


async def _second_day(root: Path, clock: ManualClock, scale: int) -> None:
    await clock.advance(60) if hasattr(clock, "advance") else None
    async with case.opened([root / "a", root / "b"], _options("road"), clock, boot="cd" * 16) as (archive, _):
        await archive.enter(ops.Entry("recorder_started", {"version": "test", "orderly": True}))
        gate = case.stream(archive, case.GATE, clock=clock, base=3000, boot="cd" * 16)
        dam = case.stream(archive, DAM, clock=clock, base=4000, boot="cd" * 16)
        await case.record(archive, gate, segments=3, volume=archive.volumes[1])
        await case.record(archive, dam, segments=3, volume=archive.volumes[0])
        await _gaps(archive, DAM, dam.wall_us(dam.media_90k), 20)
        await archive.enter(_viewing("dam", dam.run_wall_us))
        report = await archive.retain(RetentionTime(clock.wall_us(), trusted=True, agreed_for_us=0, approved=True))
        assert report.removed, "some of road expires"
        await archive.enter(ops.Entry("recorder_stopped", {"reason": "asked to stop"}))


def _options(short: str | None) -> Options:
    cameras = {} if short is None else {short: CameraRetention(max_size_bytes=30_000)}
    return Options(Retention(max_age_us=None, keep_free_fraction=0, cameras=cameras))


async def _gaps(archive: object, key: StreamKey, from_us: int, token: int) -> None:
    story: list[ops.IndexOp] = [
        ops.GapOpen(token, key, from_us, Cause.UNKNOWN, {"detail": "silence"}),
        ops.GapRefine(token, Cause.CAMERA_UNREACHABLE, {"detail": "no answer", "attempts": 3}),
        ops.GapClose(token, from_us + 7 * SECOND),
        ops.GapOpen(token + 1, key, from_us + 7 * SECOND, Cause.PACKETS_LOST, {"packets": 12}),
        ops.GapClose(token + 1, from_us + 9 * SECOND),
    ]
    assert await archive.commit(story)  # type: ignore[attr-defined]


def _viewing(camera: str, at_us: int) -> ops.Entry:
    body: dict[str, object] = {
        "at_us": at_us, "camera": camera, "from_us": at_us, "stream": "main", "to_us": at_us + 2 * SECOND, "what": "recorded",
    }  # fmt: skip
    return ops.Entry("viewing", body, ops.Person(7, json.dumps({"user": "kari"})))


def read(root: Path) -> State:
    """The post as it stands on disk, nothing running."""
    state = State(root)
    for path in sorted(root.rglob("*")):
        if path.is_file() and path.name not in {"reserve", "lock"}:
            state.files[str(path.relative_to(root))] = path.read_bytes()
    state.checkpoint = state.files["a/ledger/1/checkpoint"].decode()
    state.key = state.files["a/ledger/1/key.pem"].decode()
    state.entries = _entries(root)
    for entry in state.entries:
        state.story.add(parse_entry(entry))
    for seal in state.story.seals.values():
        for name in state.files:
            if name.endswith(f"_{seal.boot[:8]}-{seal.run}-{seal.sequence}.mp4"):
                state.segments.append(_segment(name, state.files[name], seal.place))
    return state


def _entries(root: Path) -> list[bytes]:
    import sqlite3

    db = sqlite3.connect(f"file:{root}/a/index.db?mode=ro&immutable=1", uri=True)
    try:
        return [bytes(row[0]) for row in db.execute("SELECT entry FROM ledger ORDER BY seq")]
    finally:
        db.close()


def _segment(name: str, data: bytes, place: Place) -> Segment:
    volume, _, path = name.partition("/")
    closing = bmff.parse_closing(data)
    assert closing is not None
    rows = closing.fragments
    start, end = rows[0].start_90k, rows[-1].end_90k
    whole_us = (place.to_us or 0) - (place.from_us or 0)

    def at(ticks: int) -> int:
        return (place.from_us or 0) + (ticks - start) * whole_us // (end - start)

    fragments = [
        (r.offset, r.offset + r.size, place._replace(from_us=at(r.start_90k), to_us=at(r.end_90k))) for r in rows
    ]
    parts = [("header", 0, rows[0].offset - 8, place)]
    for first, last, where in fragments:
        moof = first + int.from_bytes(data[first : first + 4], "big")
        parts += [("guard", first - 8, first, where), ("moof", first, moof, where), ("mdat", moof, last, where)]
    parts += [("guard", fragments[-1][1], fragments[-1][1] + 8, fragments[-1][2])]
    parts += [("closing box", fragments[-1][1] + 8, len(data), place)]
    return Segment(volume, path, place, fragments, parts)
