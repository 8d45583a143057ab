"""manifest.json read back: canonical, of known form, with every number where a number belongs. It may come from an enemy."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn

from longwatch.evidence import layout
from longwatch.ledger import NotCanonicalError, canonical
from longwatch.ledger.canonical import MAX_INTEGER

_HEX = frozenset("0123456789abcdef")


class ManifestError(ValueError):
    """Bytes that are no manifest of ours."""


@dataclass(frozen=True, slots=True)
class FileSaid:
    """What the manifest says of a file."""

    size: int
    sha256: bytes


@dataclass(frozen=True, slots=True)
class EntrySaid:
    """An entry that the manifest lists. leaf: its leaf hash where its text is withheld."""

    seq: int
    kind: str
    leaf: bytes | None


@dataclass(frozen=True, slots=True)
class PartSaid:
    """A header or a fragment in a cut segment: its length, its hash, the seconds it holds."""

    size: int
    sha256: bytes
    from_us: int
    to_us: int


@dataclass(frozen=True, slots=True)
class Segment:
    """A cut segment. parts: the header, then the fragments. leaves: hashes of the header and of all fragments that were sealed."""

    file: str
    boot: str
    run: int
    sequence: int
    from_us: int
    to_us: int
    entry: int | None
    leaves: tuple[bytes, ...] = field(repr=False)
    parts: tuple[PartSaid, ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Said:
    """What of a manifest is held against the rest of the package. raw: all of it."""

    camera: str
    stream: str
    from_us: int
    to_us: int
    files: Mapping[str, FileSaid]
    segments: Sequence[Segment]
    entries: Sequence[EntrySaid]
    video: str
    video_head: int
    pieces: Sequence[tuple[int, int, int]]
    timeline: Sequence[tuple[int, int, str, int | None]]
    corrections: Sequence[tuple[str, int, int]]
    begun: int
    operator_text: str
    operator_salt: bytes
    raw: Mapping[str, Any] = field(repr=False)


def read_manifest(data: bytes) -> Said:
    """The manifest of these bytes. Raises ManifestError, and never anything else."""
    if len(data) > layout.MAX_MANIFEST_BYTES or sum(map(data.count, (b",", b"[", b"{"))) > layout.MAX_MANIFEST_VALUES:
        raise ManifestError("far too long")
    try:
        value = json.loads(data.decode("utf-8"), parse_float=_no_number, parse_constant=_no_number)
        if canonical(value) != data:
            raise ManifestError("not in canonical form")
        return _said(value)
    except (KeyError, IndexError, TypeError, AttributeError, ValueError, RecursionError, NotCanonicalError) as error:
        raise ManifestError(f"not a manifest: {error}") from error


def _no_number(text: str) -> NoReturn:
    raise ManifestError(f"the number {text}")


def _said(value: Any) -> Said:
    if value["kind"] != layout.KIND or _whole(value["v"]) != layout.VERSION:
        raise ManifestError(f"version {value['v']} is not known, {layout.VERSION} is")
    segments = [_segment(each) for each in _list(value["segments"])]
    video = value["video"]
    pieces = [(_whole(n), _whole(at), _whole(size)) for n, at, size in _list(video.get("pieces", []))]
    if any(n >= len(segments) for n, _, _ in pieces):
        raise ManifestError("a piece of a segment that is not there")
    said = Said(
        camera=_text(value["camera"]["id"]), stream=_text(value["stream"]),
        from_us=_number(value["span"]["from_us"]), to_us=_number(value["span"]["to_us"]),
        files={_name(name): FileSaid(_whole(each["bytes"]), _digest(each["sha256"])) for name, each in value["files"].items()},
        segments=segments, entries=[_entry(each) for each in _list(value["entries"])], video=_text(video.get("file", "")),
        video_head=_whole(video.get("head_bytes", 0)), pieces=pieces,
        timeline=[_tile(each) for each in _list(value["timeline"])],
        corrections=[(_text(e["boot"]), _number(e["run"]), _number(e["shift_us"])) for e in _list(value["corrections"])],
        begun=_whole(value["log"]["begun"]), operator_text=_text(value["operator"]["text"]),
        operator_salt=_digest(value["operator"]["salt"]), raw=value,
    )  # fmt: skip
    if said.from_us >= said.to_us or {each.file for each in segments} - set(said.files):
        raise ManifestError("an empty span, or a segment that is no file")
    return said


def _segment(value: Any) -> Segment:
    leaves = tuple(_digest(each) for each in _list(value["leaves"]))
    first, fragments = _whole(value["first"]), _list(value["fragments"])
    if not first >= 1 or first + len(fragments) > len(leaves):
        raise ManifestError("fragments that have no hash")
    from_us, to_us = _number(value["from_us"]), _number(value["to_us"])
    parts = [PartSaid(_whole(value["header_bytes"]), leaves[0], from_us, to_us)]
    parts += [
        PartSaid(_whole(size), leaves[first + n], _number(a), _number(b)) for n, (size, a, b) in enumerate(fragments)
    ]
    entry = value["entry"]
    return Segment(
        _name(value["file"]), _text(value["boot"]), _whole(value["run"]), _whole(value["sequence"]), from_us, to_us,
        None if entry is None else _whole(entry), leaves, tuple(parts),
    )  # fmt: skip


def _entry(value: Any) -> EntrySaid:
    return EntrySaid(_whole(value["seq"]), _text(value["kind"]), _digest(value["leaf"]) if "leaf" in value else None)


def _tile(value: Any) -> tuple[int, int, str, int | None]:
    gap = value.get("gap")
    return (
        _number(value["from_us"]),
        _number(value["to_us"]),
        _text(value["state"]),
        None if gap is None else _number(gap),
    )


def _number(value: Any) -> int:
    if type(value) is not int or not -MAX_INTEGER <= value <= MAX_INTEGER:
        raise ManifestError(f"{value!r} is no number")
    return value


def _whole(value: Any) -> int:
    if _number(value) < 0:
        raise ManifestError(f"{value} is below 0")
    return int(value)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ManifestError(f"{value!r} is no text")
    return value


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise ManifestError(f"{value!r} is no list")
    return value


def _name(value: Any) -> str:
    if not layout.is_name(_text(value)):
        raise ManifestError(f"{value!r} is no name of a file in a package")
    return str(value)


def _digest(value: Any) -> bytes:
    text = _text(value)
    if len(text) != 64 or not _HEX.issuperset(text):
        raise ManifestError(f"{text[:80]!r} is no SHA-256")
    return bytes.fromhex(text)
