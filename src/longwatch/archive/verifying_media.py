"""The media of a data folder against the seals of its ledger: every file that should be there, and every file that is. Reads only."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from longwatch.archive import fragment_table, names
from longwatch.archive.recovery import listed, stream_folders
from longwatch.base.errors import LongwatchError
from longwatch.formats import bmff
from longwatch.ledger import kinds
from longwatch.ledger.findings import Finding, Kind
from longwatch.ledger.judging_media import Examined, Row, examine
from longwatch.ledger.story import Gone, Place, Seal, Story
from longwatch.model.sessions import StreamKey

SegmentName = tuple[str, int, int]
Table = Callable[[SegmentName], tuple[bytes, int] | None]
_WHOLE_BYTES = 64 << 20  # a file up to here is read in one piece
_HEAD_BYTES = 64 << 10
_THREADS = 4
_FEW = 64
_LARGE_BYTES = 4 << 20  # files above it on average are read by several threads: hashing lets go of the interpreter
_STRAYS = frozenset({".DS_Store", "Thumbs.db", "desktop.ini", "lost+found"})  # left by computers, not by anybody


@dataclass(slots=True)
class MediaFound:
    """What was seen. examined: each sealed file that is there. volumes: on which it lies. unsealed: files that no entry explains and
    that are newer than every seal of their stream.
    """

    examined: dict[SegmentName, Examined] = field(default_factory=dict)
    volumes: dict[SegmentName, str] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    bytes: int = 0


class MediaLook:
    """One look at all volumes. volumes: uuid to folder. homes: on which volume the index has each segment. table: the packed fragment
    table of the index, and the length of the header. open_rows: segments that the index knows as open. absent: some volume of
    the folder is not here. unproven: some entries are not what was signed. since: the entry that was written while this is proven and
    says that a segment was removed, None where there is none; asked where a file is not there.
    """

    def __init__(
        self, story: Story, volumes: Mapping[str, Path], homes: Mapping[SegmentName, str], table: Table,
        open_rows: frozenset[SegmentName], *, absent: bool, unproven: bool, progress: Callable[[int, int], None] | None,
        since: Callable[[Seal], Gone | None],
    ) -> None:  # fmt: skip
        self._story = story
        self._volumes = volumes
        self._homes = homes
        self._table = table
        self._open_rows = open_rows
        self._absent = absent
        self._unproven = unproven
        self._progress = progress
        self._since = since
        self._local = threading.local()
        self._there: dict[str, list[str]] = {}
        self.found = MediaFound()

    def run(self) -> MediaFound:
        """All of it."""
        for volume, folder in self._volumes.items():
            for relative in _files(folder):
                self._there.setdefault(relative, []).append(volume)
        seals, elsewhere = self._expected()
        self._examine(seals)
        self._strangers(elsewhere)
        return self.found

    # -- what should be there

    def _expected(self) -> tuple[list[tuple[Seal, Path]], dict[str, Seal]]:
        """The seals whose file is in its place; and those whose file is not, by where it should be."""
        here, missing = [], {}
        for seal in self._story.seals.values():
            try:
                key = StreamKey(seal.camera, seal.stream)
                relative = names.segment_path(key, seal.boot, seal.run, seal.sequence, seal.wall_start_us)
            except LongwatchError:
                continue  # no name of ours: an entry that nobody of us wrote, judged by its leaf
            gone = self._story.removal(*seal.key)
            volumes = self._there.pop(relative, [])
            if volumes:
                home = self._homes.get(seal.key)
                volume = home if home in volumes else volumes[0]
                here.append((seal, self._volumes[volume] / relative))
                self.found.volumes[seal.key] = volume
                self._put_back(seal, gone is not None, len(volumes))
            elif gone is None:
                missing[relative] = seal
        return here, missing

    def _put_back(self, seal: Seal, expired: bool, copies: int) -> None:
        place = self._story.place_of(seal)
        if expired:
            self._say(Kind.EXPIRED, seal.name, "an entry says that it was removed, and its file is there", place)
        if copies > 1:
            self._say(Kind.INSERTED, seal.name, f"its file lies on {copies} volumes", place)

    def _examine(self, seals: list[tuple[Seal, Path]]) -> None:
        if len(seals) <= _FEW or sum(seal.durable_bytes for seal, _ in seals) < len(seals) * _LARGE_BYTES:
            for n, (seal, path) in enumerate(seals):
                self._judge(seal, path, self._one(seal, path))
                self._tell(n, len(seals))
            return
        with ThreadPoolExecutor(_THREADS, "verify") as pool:
            results = pool.map(lambda item: self._one(*item), seals, chunksize=8)
            for n, ((seal, path), found) in enumerate(zip(seals, results, strict=True)):
                self._judge(seal, path, found)
                self._tell(n, len(seals))

    def _tell(self, n: int, count: int) -> None:
        if self._progress is not None and (n % 20 == 0 or n + 1 == count):
            self._progress(n + 1, count)

    def _one(self, seal: Seal, path: Path) -> Examined | str:
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
            try:
                size = os.fstat(descriptor).st_size
                return examine(seal, size, self._reader(descriptor, size), lambda: self._hint(seal))
            finally:
                os.close(descriptor)
        except OSError as error:
            return error.strerror or str(error)

    def _hint(self, seal: Seal) -> Sequence[Row]:
        """The fragments as the index has them; none where it does not say."""
        table = self._table(seal.key)
        try:
            return fragment_table.unpack(*table) if table is not None else []
        except ValueError:
            return []

    def _reader(self, descriptor: int, size: int) -> Callable[[int, int], bytes | memoryview]:
        """Bytes of the file. One that is not too long is read at once, into a buffer of this thread."""
        if size > _WHOLE_BYTES:
            return lambda offset, count: os.pread(descriptor, max(0, count), max(0, offset))
        buffer: bytearray | None = getattr(self._local, "buffer", None)
        if buffer is None or len(buffer) < size:
            buffer = self._local.buffer = bytearray(max(size, 1 << 20))
        view, at = memoryview(buffer)[:size], 0
        while at < size and (got := os.preadv(descriptor, [view[at:]], at)):
            at += got
        whole = view[:at]
        return lambda offset, count: whole[offset : offset + count]

    def _judge(self, seal: Seal, path: Path, found: Examined | str) -> None:
        place = self._story.place_of(seal)
        if isinstance(found, str):
            if not path.exists() and self._went_meanwhile(seal):
                return
            self._say(Kind.CHANGED, str(path), f"{seal.name} cannot be read: {found}", place)
            return
        self.found.examined[seal.key] = found
        self.found.bytes += found.hashed_bytes
        shift_us = self._story.shift_us(seal.boot, seal.run)
        for damage in found.damages:
            from_us, to_us = found.wall(seal, damage)
            where = Place(seal.camera, seal.stream, from_us + shift_us, to_us + shift_us)
            self._say(damage.kind, str(path), f"{seal.name}: {damage.detail}", where)
        table = self._table(seal.key) if found.rows and not found.damages else None
        if table is not None:
            found.table_agrees = fragment_table.pack(found.rows, found.header_bytes) == table[0]  # type: ignore[arg-type]  # same fields
        found.judged()

    def _say(self, kind: Kind, what: str, detail: str, place: Place) -> None:
        self.found.findings.append(Finding(kind, what, detail, *place))

    # -- what is there besides

    def _strangers(self, missing: dict[str, Seal]) -> None:
        lost = {seal.key: seal for seal in missing.values()}
        for relative, volumes in sorted(self._there.items()):
            for volume in volumes:
                self._stranger(self._volumes[volume] / relative, relative, volume, lost)
        for seal in lost.values():
            place = self._story.place_of(seal)
            home = self._homes.get(seal.key)
            if self._absent and (home is None or home not in self._volumes):
                self._say(Kind.NOT_HERE, seal.name, "on a volume that is not here", place)
            elif not self._went_meanwhile(seal):
                detail = f"sealed by entry {seal.seq}, its file is not there and no entry says that it was removed"
                self._say(Kind.REMOVED, seal.name, detail, place)

    def _went_meanwhile(self, seal: Seal) -> bool:
        gone = self._since(seal)
        if gone is not None:
            detail = f"removed while this was proven, as entry {gone.seq} says: {gone.why}"
            self._say(Kind.EXPIRED, seal.name, detail, self._story.place_of(seal))
        return gone is not None

    def _stranger(self, path: Path, relative: str, volume: str, lost: dict[SegmentName, Seal]) -> None:
        """A file where no seal wants one."""
        camera, stream = relative.split("/")[1:3] if relative.count("/") > 2 else ("", "")
        name = names.parse_name(path.name)
        identity, end_us = _identity(path)
        if identity is None:
            if name is not None and self._is_new(camera, stream, name.run, name.sequence):
                self._say(Kind.UNSEALED, str(path), "a file without footage, of before a cut", Place(camera, stream))
            else:
                self._say(Kind.INSERTED, str(path), "nothing of ours wrote this file", Place(camera, stream))
            return
        key = (identity.boot, identity.run, identity.sequence)
        place = Place(identity.camera, identity.stream, identity.wall_start_us, max(end_us, identity.wall_start_us + 1))
        seal = lost.pop(key, None)
        if seal is not None:
            self._moved(seal, path, volume)
        elif key in self._story.seals:
            self._say(Kind.INSERTED, str(path), f"a copy of {self._story.seals[key].name} in another place", place)
        elif key in self._open_rows or self._is_new(identity.camera, identity.stream, identity.run, identity.sequence):
            self._say(
                Kind.UNSEALED, str(path), "written after the newest seal of its stream: nothing protects it yet", place
            )
        elif self._story.is_lost(identity.camera, identity.stream, identity.run, identity.sequence):
            self._say(Kind.RESTORED, str(path), "of a time whose entries were lost: no entry seals it", place)
        elif self._was_cut(identity, path):
            self._say(
                Kind.UNSEALED,
                str(path),
                "left open when the recorder ended without order: nothing protects it yet",
                place,
            )
        elif self._unproven:
            self._say(Kind.CHANGED, str(path), "the entry that sealed it is not what was signed", place)
        else:
            self._say(Kind.INSERTED, str(path), "no entry sealed this file", place)

    def _moved(self, seal: Seal, path: Path, volume: str) -> None:
        self._say(Kind.REORDERED, str(path), f"{seal.name} lies here, and not in its place", self._story.place_of(seal))
        self.found.volumes[seal.key] = volume
        self._judge(seal, path, self._one(seal, path))

    def _was_cut(self, identity: bmff.SegmentIdentity, path: Path) -> bool:
        """Whether it is what a recorder leaves that was cut off: a file of the last boot that is not closed."""
        if self._story.last_kind == kinds.STOP or identity.boot != self._story.boot:
            return False
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
            try:
                return bmff.closing_size(os.pread(descriptor, 16, max(0, os.fstat(descriptor).st_size - 16))) is None
            finally:
                os.close(descriptor)
        except OSError:
            return False

    def _is_new(self, camera: str, stream: str, run: int, sequence: int) -> bool:
        return (run, sequence) > self._story.latest.get((camera, stream), (-1, -1))


def _files(volume: Path) -> Iterator[str]:
    """Every file below media/, as a path within the volume."""
    for stream in stream_folders(volume):
        parent = f"media/{stream.parent.name}/{stream.name}"
        for day in sorted(listed(stream)):
            if day in _STRAYS:
                continue
            inside = sorted(listed(stream / day))
            if not inside and not (stream / day).is_dir():
                yield f"{parent}/{day}"
            for name in inside:
                if name not in _STRAYS:
                    yield f"{parent}/{day}/{name}"


def _identity(path: Path) -> tuple[bmff.SegmentIdentity | None, int]:
    """Who a file says it is, and where its footage ends on the wall; None where it holds no footage of ours."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return None, 0
    try:
        size = os.fstat(descriptor).st_size
        header = bmff.parse_header(os.pread(descriptor, min(size, _HEAD_BYTES), 0))
        identity, last_90k = header.identity, None
        for fragment in bmff.scan_fragments(
            lambda at, count: os.pread(descriptor, count, at), header.header_bytes, size
        ):
            last_90k = max(fragment.video_times()[1], last_90k or 0)
        if last_90k is None:
            return None, 0
        return identity, identity.wall_start_us + (last_90k - identity.start_90k) * 100 // 9
    except (OSError, bmff.BmffError):
        return None, 0
    finally:
        os.close(descriptor)
