"""The bytes of a package against what was sealed: which fragment is not what it was, and what became of it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from longwatch.evidence.reading import PackageReader
from longwatch.evidence.said import Said, Segment
from longwatch.ledger import LedgerEntry, kinds, segment_root
from longwatch.ledger.findings import Finding, Kind

_PIECE = 1 << 20


def compare_segment(reader: PackageReader, said: Said, segment: Segment) -> list[Finding]:
    """What of a cut segment is not as sealed: by fragment, with the seconds it holds.

    A fragment that stands elsewhere in the file was moved; one that is nowhere was changed, or removed where the file is shorter.
    Where all are there and more, that was inserted.
    """
    bad, at = [], 0
    for n, part in enumerate(segment.parts):
        if reader.sha256(segment.file, at, part.size) != part.sha256 or at + part.size > reader.size(segment.file):
            bad.append(n)
        at += part.size
    more = reader.size(segment.file) - at
    if not bad and not more:
        return []
    there = set(units(reader, segment.file)) if bad else set()
    lost = [n for n in bad if segment.parts[n].sha256 not in there]
    found = [_finding(said, segment, n, _what_of(segment, lost, more)) for n in lost]
    if more > 0 and not lost:
        found.append(
            Finding(
                Kind.INSERTED,
                segment.file,
                f"{more} bytes too many",
                said.camera,
                said.stream,
                segment.from_us,
                segment.to_us,
            )
        )
    elif more == 0:
        found += [_finding(said, segment, n, Kind.REORDERED) for n in bad if n not in lost]
    return found


def _what_of(segment: Segment, lost: list[int], more: int) -> Kind:
    if more >= 0:
        return Kind.CHANGED
    tail = list(range(len(segment.parts) - len(lost), len(segment.parts)))
    return Kind.TRUNCATED if lost == tail else Kind.REMOVED


def _finding(said: Said, segment: Segment, n: int, kind: Kind) -> Finding:
    part = segment.parts[n]
    what = f"{segment.file}: {f'fragment {n}' if n else 'header'}"
    detail = {
        Kind.CHANGED: f"its SHA-256 is not {part.sha256.hex()}", Kind.REMOVED: "is not in the file",
        Kind.TRUNCATED: "the file ends before it, or in it", Kind.REORDERED: "stands in another's place",
    }[kind]  # fmt: skip
    return Finding(kind, what, detail, said.camera, said.stream, part.from_us, part.to_us)


def units(reader: PackageReader, name: str) -> Iterator[bytes]:
    """The SHA-256 of the header and of each fragment (moof and mdat), as the boxes of the file say; the last may be torn."""
    at, begin, size = 0, 0, reader.size(name)
    while at + 8 <= size:
        head = reader.read(name, at, 16)
        length = int.from_bytes(head[:4], "big")
        if length == 1:
            length = int.from_bytes(head[8:16], "big")
        if head[4:8] == b"moof" and at:
            yield reader.sha256(name, begin, at - begin)
            begin = at
        at += max(8, length)
    if begin < size:
        yield reader.sha256(name, begin, size - begin)


def compare_video(reader: PackageReader, said: Said, whole: Collection[str]) -> list[Finding]:
    """What of the mp4 differs from what the manifest names: the seconds, told by the fragments it was made of, as far as those are
    whole (`whole`: their files); or its tables.
    """
    name, file = said.video, said.files.get(said.video)
    if file is None or (reader.size(name) == file.size and reader.sha256(name) == file.sha256):
        return []
    at, found = said.video_head, []
    for number, offset, size in said.pieces:
        segment = said.segments[number]
        if segment.file in whole and not _same(reader, name, at, segment.file, offset, size):
            from_us, to_us = _seconds(reader, name, at, segment, offset, size)
            found.append(
                Finding(
                    Kind.CHANGED,
                    name,
                    f"its pictures are not those of {segment.file}",
                    said.camera,
                    said.stream,
                    from_us,
                    to_us,
                )
            )
        at += size
    if (found and len(found) < len(said.pieces)) or len(found) == 1:
        return found
    detail = "is not the file that the manifest names" if found else "its tables are not those that the manifest names"
    return [Finding(Kind.CHANGED, name, detail, said.camera, said.stream, said.from_us, said.to_us)]


def _same(reader: PackageReader, name: str, at: int, other: str, offset: int, size: int) -> bool:
    for done in range(0, size, _PIECE):
        length = min(_PIECE, size - done)
        if reader.read(name, at + done, length) != reader.read(other, offset + done, length):
            return False
    return True


def _seconds(reader: PackageReader, name: str, at: int, segment: Segment, offset: int, size: int) -> tuple[int, int]:
    """The seconds of the fragments in which a piece differs."""
    begin, times = 0, []
    for part in segment.parts:
        low, high = max(begin, offset), min(begin + part.size, offset + size)
        if low < high and not _same(reader, name, at + low - offset, segment.file, low, high - low):
            times += [part.from_us, part.to_us]
        begin += part.size
    return (min(times), max(times)) if times else (segment.from_us, segment.to_us)


def compare_untold(reader: PackageReader, said: Said, entries: Iterable[LedgerEntry]) -> list[Finding]:
    """Where the manifest was changed: segments whose list of hashes still leads to the entry that sealed them, by those hashes."""
    roots = {e.body.get("root"): e.body for e in entries if e.kind == kinds.SEGMENT_SEALED}
    found = []
    for segment in said.segments:
        body = roots.get(segment_root(segment.leaves[0], segment.leaves[1:]).hex())
        if body is None or segment.file not in reader.names:
            continue
        strange = [n for n, digest in enumerate(units(reader, segment.file)) if digest not in set(segment.leaves)]
        if strange:
            found.append(
                Finding(
                    Kind.CHANGED, segment.file, f"part {strange[0]} of it was never sealed", str(body["camera"]), str(body["stream"]),
                    int(body["wall_start_us"]), int(body["wall_end_us"]),
                )
            )  # fmt: skip
    return found
