"""Which entries of the ledger speak of a span of a camera, and the proofs that they stand in it.

The whole ledger is looked at, in parts: what was learnt of a second may be written long after it (a cause refined, a time
corrected, media removed). An entry that names another camera, a path of the post or a known secret is *withheld*: its
number, leaf hash and proof are given, its text is not.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from longwatch.archive import LedgerReader
from longwatch.base.errors import LongwatchError
from longwatch.base.secrets import scrub
from longwatch.evidence.layout import LEAVES_KEPT
from longwatch.ledger import kinds
from longwatch.ledger.proofs import Subtree, from_tiles
from longwatch.ledger.tiles import HASH_BYTES, HEIGHT, WIDTH, Tile
from longwatch.ledger.tree import root
from longwatch.model.sessions import StreamKey

_PART = 20_000
_MARGIN_US = 60_000_000
# of the whole post, without personal text; told where they fall into the span
_POST_WIDE = (
    kinds.START, kinds.STOP, kinds.CLOCK_STEP, kinds.CLOCK_UNSTEADY, kinds.TASK_DIED, kinds.STORAGE_FAILED,
    kinds.STORAGE_FULL, kinds.STORAGE_READMITTED, kinds.POWER_CHANGED, kinds.STOP_ASKED,
)  # fmt: skip
_ALWAYS = (kinds.LOG_BEGUN, kinds.LEDGER_RESTORED, kinds.INDEX_REBUILT)
_OF_A_GAP = (kinds.GAP_REFINED, kinds.GAP_CLOSED)
_OF_RUNS = (kinds.SEGMENTS_REMOVED, kinds.TIME_CORRECTED)
_OF_THE_CAMERA = (
    kinds.PAUSED, kinds.RESUMED, kinds.ALARM_RAISED, kinds.ALARM_ACKNOWLEDGED, kinds.PORT_CHANGED, kinds.STREAM_SET_UP,
)  # fmt: skip

_KINDS = tuple(
    f'{kind}"'.encode()
    for kind in (
        *_POST_WIDE, *_ALWAYS, *_OF_A_GAP, *_OF_RUNS, *_OF_THE_CAMERA, kinds.GAP_OPENED, kinds.SEGMENT_SEALED, kinds.EXPORT_BEGUN,
    )
)  # fmt: skip

Identity = tuple[str, int, int]
"""(boot, run, sequence) of a segment."""

Progress = Callable[[str, int, int], None]
"""What is done, how far, of how much."""


@dataclass(frozen=True, slots=True)
class Told:
    """An entry of the package. withheld: why its text is not given; "" where it is."""

    seq: int
    kind: str
    leaf: bytes = field(repr=False)
    entry: bytes = field(repr=False)
    withheld: str = ""

    @property
    def wall_us(self) -> int:
        """What the post's clock said when it was written."""
        return int(json.loads(self.entry)["wall_us"])

    @property
    def body(self) -> dict[str, Any]:
        body: dict[str, Any] = json.loads(self.entry)["body"]
        return body


@dataclass(frozen=True, slots=True)
class Wanted:
    """Of which stream and span entries are looked for. gaps: numbers of its gaps. begun: number of the `export_begun`. named:
    entries that the evidence of its gaps names (who paused it, who stopped the post), however long before they were.
    """

    key: StreamKey
    from_us: int
    to_us: int
    segments: frozenset[Identity]
    gaps: frozenset[int]
    begun: int
    named: frozenset[int] = frozenset()

    def overlaps(self, from_us: object, to_us: object, margin_us: int = 0) -> bool:
        if not isinstance(from_us, int) or not isinstance(to_us, int):
            return False
        return min(from_us, to_us) < self.to_us + margin_us and max(from_us, to_us) > self.from_us - margin_us


def find(ledger: LedgerReader, wanted: Wanted, size: int, progress: Progress) -> list[Told]:
    """The entries below number `size` that speak of the span, in order."""
    paths = [str(path) for path in ledger.volumes]
    found: list[Told] = []
    for first in range(0, size, _PART):
        for row in ledger.speaking_of(wanted.key.camera, first, min(first + _PART, size)):
            if not row.entry.rpartition(b'"kind":"')[2].startswith(_KINDS):
                continue
            entry = json.loads(row.entry)
            if _speaks(wanted, row.seq, entry):
                text = row.entry.decode()
                found.append(Told(row.seq, entry["kind"], row.leaf, row.entry, _reason(wanted, entry, text, paths)))
        progress("ledger", min(first + _PART, size), size)
    return found


def _speaks(wanted: Wanted, seq: int, entry: dict[str, Any]) -> bool:
    kind, body = entry["kind"], entry["body"]
    near = wanted.overlaps(entry["wall_us"], entry["wall_us"], _MARGIN_US)
    if kind in _ALWAYS:
        return True
    if seq in wanted.named:
        return bool(body.get("camera", wanted.key.camera) == wanted.key.camera)
    if kind in _OF_A_GAP or kind == kinds.GAP_OPENED:
        return body.get("gap") in wanted.gaps and body.get("camera", wanted.key.camera) == wanted.key.camera
    if kind == kinds.CLOCK_STEP:
        return near or wanted.overlaps(body.get("from_us"), body.get("to_us"))
    if kind in _POST_WIDE:
        return near
    if kind in _OF_RUNS:
        return any(_is_run(wanted, run) for run in body.get("runs", []) if isinstance(run, dict))
    if body.get("camera") != wanted.key.camera:
        return False
    if kind == kinds.SEGMENT_SEALED:
        return (body["boot"], body["run"], body["sequence"]) in wanted.segments or _is_ours(wanted, body)
    if kind == kinds.EXPORT_BEGUN:
        return seq == wanted.begun
    return kind in _OF_THE_CAMERA and near and body.get("stream", wanted.key.stream) == wanted.key.stream


def _is_run(wanted: Wanted, run: dict[str, Any]) -> bool:
    """Whether an item of `runs` is one of ours, wherever it stands on the wall."""
    return any(each[:2] == (run.get("boot"), run.get("run")) for each in wanted.segments) or _is_ours(wanted, run)


def _is_ours(wanted: Wanted, body: dict[str, Any]) -> bool:
    """Whether a body with a stream and a span speaks of ours."""
    if (body.get("camera"), body.get("stream", wanted.key.stream)) != wanted.key:
        return False
    begin, end = body.get("wall_start_us", body.get("from_us")), body.get("wall_end_us", body.get("to_us"))
    return wanted.overlaps(begin, end)


def _reason(wanted: Wanted, entry: dict[str, Any], text: str, paths: Sequence[str]) -> str:
    """Why an entry's text must not leave the post; "" where it may."""
    if any(name not in {wanted.key.camera, ""} for name in _cameras(entry["body"])):
        return "it names other cameras too"
    if any(json.dumps(path)[1:-1] in text for path in paths):
        return "it names a path of the post"
    return "it holds a secret" if scrub(text) != text else ""


def _cameras(value: object) -> Iterator[str]:
    """Every camera that a body names, but for the witnesses of a gap: those are its evidence."""
    if isinstance(value, dict):
        for name, item in value.items():
            if name == "camera" and isinstance(item, str):
                yield item
            elif name != "evidence":
                yield from _cameras(item)
    elif isinstance(value, list):
        for item in value:
            yield from _cameras(item)


def corrections(told: Iterable[Told], key: StreamKey) -> list[dict[str, object]]:
    """How runs of a stream were placed anew: entry, boot, run, shift_us, why. Of a withheld entry this part alone is told."""
    return [
        {"boot": run["boot"], "entry": each.seq, "run": run["run"], "shift_us": run["shift_us"], "why": str(each.body.get("why", ""))}
        for each in told if each.kind == kinds.TIME_CORRECTED
        for run in each.body.get("runs", []) if (run.get("camera"), run.get("stream")) == key
    ]  # fmt: skip


# -- proofs


def tree(ledger: LedgerReader, size: int) -> Subtree:
    """The hashes of the tree of the first `size` entries: leaves from the index, full tiles from their published files where they
    are there, the rest made of what lies below.
    """
    log = ledger.log()
    folders = [] if log is None else [volume / "ledger" / str(log.number) for volume in ledger.volumes]

    def read(tile: Tile) -> bytes:
        if tile.level == 0:
            first = tile.index * WIDTH
            return b"".join(ledger.leaves(first, first + tile.width))
        published = _published(folders, tile) if tile.width == WIDTH else None
        if published is not None:
            return published
        below = (Tile(tile.level - 1, tile.index * WIDTH + n) for n in range(tile.width))
        return b"".join(root(_hashes(read(each))) for each in below)

    return from_tiles(size, read)


def _published(folders: Iterable[Path], tile: Tile) -> bytes | None:
    for folder in folders:
        try:
            data = (folder / tile.path).read_bytes()
        except OSError:
            continue
        if len(data) == WIDTH * HASH_BYTES:
            return data
    return None


def _hashes(data: bytes) -> list[bytes]:
    return [data[at : at + HASH_BYTES] for at in range(0, len(data), HASH_BYTES)]


def leaves_file(ledger: LedgerReader, subtree: Subtree, size: int) -> bytes:
    """`ledger/leaves`: where it begins (64 bits), the roots of the largest whole subtrees before that, then every leaf hash since.
    With it any head of the log from there up to `size` can be made, and a checkpoint of those days be held against it.
    """
    begin = max(0, -(-(size - LEAVES_KEPT) // WIDTH) * WIDTH)
    parts = [begin.to_bytes(8, "big"), *(subtree(low, high) for low, high in subtrees(begin))]
    for first in range(begin, size, 1 << HEIGHT):
        parts += ledger.leaves(first, min(size, first + (1 << HEIGHT)))
    return b"".join(parts)


def subtrees(size: int) -> Iterator[tuple[int, int]]:
    """The largest whole subtrees of the first `size` leaves, the largest first."""
    low = 0
    while low < size:
        high = low + (1 << ((size - low).bit_length() - 1))
        yield low, high
        low = high


def check_root(subtree: Subtree, size: int, expected: bytes) -> None:
    """Raises LongwatchError where the ledger does not lead to the checkpoint that was just signed of it."""
    if subtree(0, size) != expected:
        raise LongwatchError(
            "the ledger does not lead to its own checkpoint", why=f"the root of {size} entries is another",
            remedy="run `longwatch verify` on the data folder",
        )  # fmt: skip
