"""The copies of a log against its signed head: which entries are not those that were signed, and in which copy. Pure.

A log stands on each volume as tiles and bundles, and in the index as rows. `judge_rows` and `judge_file` tell what differs from the
entries that the signed root speaks of, found by `settling`.
"""

from __future__ import annotations

import difflib
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from longwatch.ledger.entries import EntryError, LedgerEntry, parse_entry
from longwatch.ledger.findings import Finding, Kind
from longwatch.ledger.story import Place, Story
from longwatch.ledger.tiles import ENTRIES, TileError, bundle, parse_bundle
from longwatch.ledger.tree import leaf_hash

Entries = Callable[[int], bytes | None]
_ALIGNED = 4096  # rows in doubt that are aligned with what should be there
NOWHERE = (Place(),)


class Places:
    """Which seconds an entry is about, by its number. entries: the bytes that are known to be right, or None."""

    def __init__(self, story: Story, entries: Entries, *, settled: bool) -> None:
        self._story = story
        self._entries = entries
        self._settled = settled

    def of(self, number: int) -> Sequence[Place]:
        """Of the entry that was signed; no camera where no copy of it is left, or it is not known which entries were signed."""
        data = self._entries(number) if self._settled else None
        return NOWHERE if data is None else self.claimed(data)

    def claimed(self, data: bytes) -> Sequence[Place]:
        """Of an entry that nobody signed: what it claims."""
        try:
            return self._story.places(parse_entry(data))
        except EntryError:
            return NOWHERE

    def merged(self, numbers: Iterable[int]) -> Sequence[Place]:
        """Of several entries, one for each stream."""
        found: dict[tuple[str, str], Place] = {}
        for number in numbers:
            for place in self.of(number):
                key, before = (place.camera, place.stream), found.get((place.camera, place.stream))
                found[key] = place if before is None else _joined(before, place)
        cameras = [place for place in found.values() if place.camera]
        return cameras or NOWHERE


def _joined(one: Place, other: Place) -> Place:
    starts = [us for us in (one.from_us, other.from_us) if us is not None]
    ends = [us for us in (one.to_us, other.to_us) if us is not None]
    return one._replace(from_us=min(starts, default=None), to_us=max(ends, default=None))


def findings(kind: Kind, what: str, detail: str, places: Iterable[Place]) -> Iterator[Finding]:
    """One finding a place."""
    for place in dict.fromkeys(places):
        yield Finding(kind, what, detail, *place)


def judge_rows(
    truth: Sequence[bytes], rows: Mapping[int, bytes], leaves: Mapping[int, bytes], places: Places, entry: Entries
) -> Iterator[Finding]:
    """The index's rows against the leaf hashes that were signed. rows: by number, the hash of the row's entry. leaves: the hash that
    the row itself gives, where that differs. entry: the bytes in a row, whoever wrote them.
    """
    size = len(truth)
    wrong = [n for n in range(size) if rows.get(n) != truth[n]]
    for n in sorted(n for n in leaves if n < size and n not in wrong):
        yield from findings(
            Kind.CHANGED, f"index row of entry {n}", "its leaf hash is not that of its entry", places.of(n)
        )
    if not wrong:
        return
    tail = size
    while tail and (tail - 1) not in rows:
        tail -= 1
    for n in range(tail, size):
        yield from findings(
            Kind.TRUNCATED, f"index row of entry {n}", "the end of the log is missing here", places.of(n)
        )
    doubt = [n for n in wrong if n < tail]
    if doubt:
        yield from _aligned(truth, rows, range(doubt[0], tail), doubt, places, entry)


def _aligned(
    truth: Sequence[bytes],
    rows: Mapping[int, bytes],
    window: range,
    doubt: Sequence[int],
    places: Places,
    entry: Entries,
) -> Iterator[Finding]:
    """A row put in or taken out displaces those behind it: these are not to blame."""
    beyond = [n for n in sorted(rows) if n >= window.stop][: len(doubt) + 1] if window.stop == len(truth) else []
    here = [(n, rows[n]) for n in [*window, *beyond] if n in rows]
    expected = [truth[n] for n in window]
    permuted = sorted(expected) == sorted(leaf for n, leaf in here if n in window)
    if len(window) <= _ALIGNED and len(doubt) > 1 and not permuted:
        moves = difflib.SequenceMatcher(None, expected, [leaf for _, leaf in here], autojunk=False).get_opcodes()
        if sum(end - first for tag, first, end, _, _ in moves if tag == "equal") * 2 > len(expected):
            yield from _moves(expected, here, window.start, moves, places, entry)
            return
    known = set(truth)
    for n in doubt:
        leaf = rows.get(n)
        kind = Kind.REMOVED if leaf is None else Kind.REORDERED if leaf in known else Kind.CHANGED
        yield from findings(kind, f"index row of entry {n}", _SAYS[kind], places.of(n))


_SAYS = {
    Kind.REMOVED: "it was signed and is not there",
    Kind.REORDERED: "another entry stands in its place",
    Kind.CHANGED: "it is not the entry that was signed",
    Kind.INSERTED: "nobody signed it",
}


def _moves(
    expected: Sequence[bytes], here: Sequence[tuple[int, bytes]], start: int,
    moves: Iterable[tuple[str, int, int, int, int]], places: Places, entry: Entries,
) -> Iterator[Finding]:  # fmt: skip
    known, there = set(expected), {leaf for _, leaf in here}
    for tag, first, end, low, high in moves:
        if tag == "equal":
            continue
        for n in range(first, end):
            kind = Kind.REORDERED if expected[n] in there else Kind.CHANGED if n - first < high - low else Kind.REMOVED
            yield from findings(kind, f"index row of entry {start + n}", _SAYS[kind], places.of(start + n))
        for number, leaf in here[low + end - first : high]:
            if leaf not in known and number < start + len(expected) + 1:
                near = places.of(start + min(first, len(expected) - 1))
                claimed = places.claimed(entry(number) or b"")
                yield from findings(Kind.INSERTED, f"index row {number}", _SAYS[Kind.INSERTED], [*claimed, *near])


def judge_file(level: int, first: int, expected: bytes, found: bytes, what: str, places: Places) -> Iterator[Finding]:
    """A tile or bundle against the bytes that it should have. first: number of its first entry. A tile that differs concerns no
    camera: the entries that it is made of are there.
    """
    if found == expected:
        return
    if level != ENTRIES:
        yield Finding(Kind.CHANGED, what, "its hashes are not those of the entries that were signed")
        return
    for kind, n, claimed in _touched(parse_bundle(expected), expected, found, places):
        yield from findings(kind, what, f"entry {first + n} {_IN_FILE[kind]}", [*claimed, *places.of(first + n)])


_IN_FILE = {
    Kind.CHANGED: "is not what was signed",
    Kind.REMOVED: "was taken out, or cut",
    Kind.INSERTED: "has before it, or in it, what nobody signed",
    Kind.REORDERED: "stands in another's place",
}
_Touched = tuple[Kind, int, Sequence[Place]]


def _touched(entries: Sequence[bytes], expected: bytes, found: bytes, places: Places) -> Iterator[_Touched]:
    """How, and which of the entries differ in a bundle, and what is claimed of others in their place."""
    try:
        there = parse_bundle(found)
    except TileError:
        yield from _by_bytes(entries, expected, found)
        return
    if sorted(there) == sorted(entries):
        yield from ((Kind.REORDERED, n, ()) for n, entry in enumerate(entries) if there[n] != entry)
        return
    for tag, first, end, low, high in difflib.SequenceMatcher(None, entries, there, autojunk=False).get_opcodes():
        if tag == "equal":
            continue
        for n in range(first, end):
            yield (Kind.CHANGED if n - first < high - low else Kind.REMOVED), n, ()
        for entry in there[low + end - first : high]:
            yield Kind.INSERTED, min(first, len(entries) - 1), places.claimed(entry)


def _by_bytes(entries: Sequence[bytes], expected: bytes, found: bytes) -> Iterator[_Touched]:
    ends = list(itertools.accumulate(2 + len(entry) for entry in entries))
    starts = [0, *ends[:-1]]
    if len(found) == len(expected):
        differ = [n for n in range(len(entries)) if found[starts[n] : ends[n]] != expected[starts[n] : ends[n]]]
        yield from ((Kind.CHANGED, n, ()) for n in differ)
        return
    prefix = _common(expected, found)
    suffix = min(_common(expected[::-1], found[::-1]), min(len(expected), len(found)) - prefix)
    last = max(prefix, len(expected) - suffix - 1)
    numbers = [n for n in range(len(entries)) if starts[n] <= last and ends[n] > prefix] or [len(entries) - 1]
    kind = Kind.INSERTED if len(found) > len(expected) else Kind.REMOVED
    yield from ((kind, n, ()) for n in numbers)


def _common(one: bytes, other: bytes) -> int:
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[:middle] == other[:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def judge_tail(tail: Sequence[tuple[int, bytes, bytes]], size: int, places: Places) -> Iterator[Finding]:
    """Rows of the index behind the signed head (number, leaf, entry): not protected yet, and still in order."""
    for n, (number, leaf, entry) in enumerate(tail, size):
        what = f"index row of entry {number}"
        if number != n:
            yield from findings(Kind.INSERTED, what, f"the row after the signed ones is {n}", places.claimed(entry))
            return
        if leaf_hash(entry) != leaf or _number(entry) != number:
            yield from findings(Kind.CHANGED, what, "its leaf hash or number is not its own", places.claimed(entry))


def _number(entry: bytes) -> int | None:
    try:
        return parse_entry(entry).seq
    except EntryError:
        return None


def read_signed(entries: Entries, size: int) -> Iterator[tuple[int, LedgerEntry | None]]:
    """Every signed entry, parsed; None where no copy of it is left, or it is no entry or of another number."""
    for n in range(size):
        data = entries(n)
        try:
            entry = None if data is None else parse_entry(data)
        except EntryError:
            entry = None
        yield n, entry if entry is not None and entry.seq == n else None


def whole_bundle(entries: Entries, first: int, width: int) -> bytes | None:
    """The bundle of these entries; None where one of them is not known."""
    found = [data for n in range(first, first + width) if (data := entries(n)) is not None]
    return bundle(found) if len(found) == width else None
