"""What a post remembers of the disks that it packed: `data/courier/PACK.jsonl`, one line for each file that is whole on its disk.

The post cannot read what it packed (it is encrypted to the hub), so it writes down which segments lie in which file. Lines are only added,
each flushed before the next file is begun; one that a cut tore at the end is passed over, and what it spoke of is packed again.
Owner: the verb that holds `data/courier/lock`.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from longwatch.base.errors import LongwatchError
from longwatch.courier.form import Receipt

FOLDER = "courier"
SegmentName = tuple[str, str, str, int, int]  # camera, stream, boot, run, sequence


@dataclass(slots=True)
class Pack:
    """One disk. files: name to SHA-256 (hex) and size, in order. parts: segment to the files that hold of it; whole: those of which all is packed.

    logs: entries packed of each log. closed: nothing is added any more. receipt: the hub's word came back.
    """

    pack: str
    hub: str
    made_us: int
    files: dict[str, tuple[str, int]] = field(default_factory=dict)
    parts: dict[SegmentName, list[str]] = field(default_factory=dict)
    whole: set[SegmentName] = field(default_factory=set)
    logs: dict[int, int] = field(default_factory=dict)
    closed: bool = False
    receipt: Receipt | None = None

    @property
    def bytes(self) -> int:
        """On the disk."""
        return sum(size for _, size in self.files.values())

    def drop(self, name: str) -> None:
        """A file is not on the disk any more: what had a part in it is to be packed again."""
        self.files.pop(name, None)
        for segment in [segment for segment, files in self.parts.items() if name in files]:
            self.whole.discard(segment)
            del self.parts[segment]

    def confirmed(self, receipt: Receipt) -> list[SegmentName]:
        """The segments of which the hub has committed all, by its receipt."""
        taken = {name for name, (digest, _) in self.files.items() if receipt.files.get(name) == digest}
        refused = {name for name, _ in receipt.refused}
        return sorted(
            name for name in self.whole if name not in refused and all(file in taken for file in self.parts[name])
        )


class Travelling:
    """The folder. Calls block. Raises LongwatchError where it cannot be read or written."""

    def __init__(self, data: Path) -> None:
        self._folder = data / FOLDER

    @contextmanager
    def locked(self) -> Iterator[None]:
        """One verb at a time."""
        try:
            self._folder.mkdir(mode=0o700, exist_ok=True)
            descriptor = os.open(self._folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except OSError as error:
            raise _cannot(self._folder, error) from error
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise LongwatchError(
                    "another disk is being packed or read now", remedy="wait until it is done"
                ) from error
            yield
        finally:
            os.close(descriptor)

    def packs(self) -> list[Pack]:
        """All that were ever packed, by name."""
        return [self._read(path) for path in sorted(self._folder.glob("*.jsonl"))]

    def begin(self, pack: Pack) -> None:
        """A new one."""
        self._add(pack.pack, {"pack": pack.pack, "hub": pack.hub, "made_us": pack.made_us})

    def add_file(
        self, pack: Pack, name: str, digest: str, size: int, parts: dict[SegmentName, bool], logs: dict[int, int]
    ) -> None:
        """A file is whole on the disk. parts: the segments that it holds of, and whether that was the last of each."""
        rows = [[*segment, ends] for segment, ends in parts.items()]
        self._add(
            pack.pack, {"file": name, "sha256": digest, "size": size, "parts": rows, "logs": sorted(logs.items())}
        )
        _note_file(pack, name, digest, size, parts, logs)

    def drop(self, pack: Pack, name: str) -> None:
        """A file is not there any more."""
        self._add(pack.pack, {"lost": name})
        pack.drop(name)

    def close(self, pack: Pack) -> None:
        """Nothing is added any more."""
        self._add(pack.pack, {"closed": True})
        pack.closed = True

    def keep_receipt(self, pack: Pack, receipt: Receipt) -> None:
        """The hub's word. It was verified."""
        self._add(pack.pack, {"receipt": _receipt_json(receipt)})
        pack.receipt = receipt

    def _add(self, pack: str, line: dict[str, object]) -> None:
        path = self._folder / f"{pack}.jsonl"
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
            try:
                end = os.lseek(descriptor, 0, os.SEEK_END)
                torn = end > 0 and os.pread(descriptor, 1, end - 1) != b"\n"
                data = (b"\n" if torn else b"") + json.dumps(line, separators=(",", ":")).encode() + b"\n"
                if os.write(descriptor, data) != len(data):
                    raise OSError(28, "no space left")
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise _cannot(path, error) from error

    def _read(self, path: Path) -> Pack:
        try:
            lines = path.read_bytes().split(b"\n")
        except OSError as error:
            raise _cannot(path, error) from error
        pack = Pack(path.stem, "", 0)
        for line in lines:
            try:
                said = json.loads(line)
            except ValueError:
                continue  # torn by a cut
            if "file" in said:
                parts = {(str(r[0]), str(r[1]), str(r[2]), int(r[3]), int(r[4])): bool(r[5]) for r in said["parts"]}
                _note_file(pack, said["file"], said["sha256"], said["size"], parts, dict(said["logs"]))
            elif "lost" in said:
                pack.drop(said["lost"])
            elif "receipt" in said:
                pack.receipt = _receipt_of(said["receipt"])
            elif "closed" in said:
                pack.closed = True
            elif "hub" in said:
                pack.hub, pack.made_us = said["hub"], said["made_us"]
        return pack


def _note_file(
    pack: Pack, name: str, digest: str, size: int, parts: dict[SegmentName, bool], logs: dict[int, int]
) -> None:
    pack.files[name] = digest, size
    for segment, ends in parts.items():
        pack.parts.setdefault(segment, []).append(name)
        if ends:
            pack.whole.add(segment)
    for number, upto in logs.items():
        pack.logs[number] = max(upto, pack.logs.get(number, 0))


def _receipt_json(receipt: Receipt) -> dict[str, object]:
    return {
        "hub": receipt.hub, "at_us": receipt.at_us, "files": dict(receipt.files),
        "refused": [[list(name), why] for name, why in receipt.refused], "post": receipt.post,
    }  # fmt: skip


def _receipt_of(said: dict[str, object]) -> Receipt | None:
    files, refused = said.get("files"), said.get("refused")
    if not isinstance(files, dict) or not isinstance(refused, list):
        return None
    at_us = said.get("at_us")
    rows = tuple((tuple(name), str(why)) for name, why in refused)
    return Receipt("", str(said.get("post")), str(said.get("hub")), at_us if isinstance(at_us, int) else 0, files, rows)


def _cannot(path: Path, error: OSError) -> LongwatchError:
    return LongwatchError(
        f"{path} cannot be used",
        why=error.strerror or str(error),
        remedy="run it as the user that owns the data folder",
    )
