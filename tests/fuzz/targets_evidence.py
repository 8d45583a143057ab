"""Fuzz targets of evidence packages: what a stranger hands over, to be verified."""

from __future__ import annotations

import io
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

from longwatch.base.errors import LongwatchError
from longwatch.evidence import verify_package
from longwatch.evidence.reading import PackageReader
from longwatch.evidence.said import ManifestError, read_manifest
from longwatch.evidence.signed import Log
from longwatch.ledger import canonical

_FOLDER = tempfile.TemporaryDirectory(prefix="longwatch-fuzz-")
_PATH = Path(_FOLDER.name) / "package.zip"
_HASH = "ab" * 32


def package(data: bytes) -> None:
    """Any bytes are a package that fails, in words; and nothing but the file itself is there afterwards."""
    _PATH.write_bytes(data)
    assert not verify_package(_PATH).ok
    assert [path.name for path in _PATH.parent.iterdir()] == [_PATH.name]


def reading(data: bytes) -> None:
    """Of any zip only plain names are taken, and not much more than the file is long."""
    _PATH.write_bytes(data)
    try:
        reader = PackageReader(_PATH)
    except LongwatchError:
        return
    with reader:
        for name in reader.names:
            assert ".." not in name
            assert reader.size(name) <= 50 * len(data) + (1 << 20)
            assert sum(map(len, reader.chunks(name))) <= reader.size(name)


def manifest(data: bytes) -> None:
    """Any bytes are a manifest in its one form, or refused."""
    try:
        said = read_manifest(data)
    except ManifestError:
        return
    assert canonical(said.raw) == data
    assert all(segment.file in said.files for segment in said.segments)


def head(data: bytes) -> None:
    """Any bytes beside a key lead to no log."""
    half = len(data) // 2
    log, broken = Log.open(bytes(32), data[:half], data[half:], data)
    assert log is None
    assert broken


def _manifest() -> bytes:
    """A small manifest of every part."""
    segment = {
        "boot": "ab" * 16, "damaged": False, "entry": 1, "file": "segments/a.mp4", "first": 1, "fragments": [[10, 1, 2]],
        "from_us": 1, "header_bytes": 5, "leaves": [_HASH, _HASH], "provenance": "ntp", "recovered": False, "root": _HASH,
        "run": 1, "sealed": True, "sequence": 0, "to_us": 2, "verified": True,
    }  # fmt: skip
    said = {
        "kind": "longwatch evidence package", "v": 1, "camera": {"id": "gate", "name": "Gate"}, "stream": "main",
        "span": {"from_us": 1, "to_us": 3}, "segments": [segment], "entries": [{"seq": 1, "kind": "segment_sealed", "wall_us": 1}],
        "files": {"segments/a.mp4": {"bytes": 15, "sha256": _HASH}}, "corrections": [],
        "timeline": [{"from_us": 1, "to_us": 2, "state": "recorded"}, {"from_us": 2, "to_us": 3, "state": "gap", "gap": 1}],
        "video": {"file": "video.mp4", "head_bytes": 3, "pieces": [[0, 5, 10]]}, "log": {"begun": 2},
        "operator": {"text": "{}", "salt": _HASH},
    }  # fmt: skip
    return canonical(said)


def _zip(text: bytes, kind: int = zipfile.ZIP_STORED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", kind) as zipped:
        for name, data in (
            ("manifest.json", text), ("segments/a.mp4", b"x" * 15), ("ledger/key.pem", b"-----BEGIN PUBLIC KEY-----\n"),
            ("ledger/checkpoint", b"a\n1\n\n"), ("ledger/leaves", bytes(40)), ("ledger/export_made.json", b"{}"),
            ("ledger/export_made.tlog-proof", b"c2sp.org/tlog-proof@v1\nindex 0\n\na\n1\n"), ("ledger/entries/1.json", b"{}"),
        ):  # fmt: skip
            zipped.writestr(name, data)
    return out.getvalue()


TARGETS: dict[str, Callable[[bytes], None]] = {
    "package": package,
    "package-zip": reading,
    "package-manifest": manifest,
    "package-head": head,
}
SEEDS: dict[str, list[bytes]] = {
    "package": [_zip(_manifest()), _zip(_manifest(), zipfile.ZIP_DEFLATED)],
    "package-zip": [_zip(_manifest()), _zip(b""), _zip(_manifest() * 20, zipfile.ZIP_DEFLATED)],
    "package-manifest": [_manifest()],
    "package-head": [b"longwatch/a/b/1\n3\n" + b"A" * 43 + b"=\n\n\xe2\x80\x94 longwatch/a/b/1 " + b"A" * 91 + b"=\n"],
}
