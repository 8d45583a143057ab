"""Stamps of checkpoints as files beside the log, the same on every volume: `ledger/NUMBER/stamps/SIZE.checkpoint` and `SIZE.tsr`.

The recorder enters `checkpoint_stamped` with the hash of an authority's answer, and then writes the files: so there is no stamp that no
entry tells of, and a cut between the two costs one stamp, which is asked for again. Whether a stamp holds is judged by who reads
it (ledger/stamps.py): the recorder has nobody's root.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from longwatch.archive.archive import Archive
from longwatch.archive.flushing import Flushing
from longwatch.archive.log_files import STAMPS, log_folder
from longwatch.archive.ops import Entry
from longwatch.archive.personal import Keyed
from longwatch.archive.volumes import VolumeState
from longwatch.base.errors import LongwatchError
from longwatch.ledger import kinds
from longwatch.ledger.checkpoint import MAX_NOTE_BYTES

_NAME = re.compile(r"(0|[1-9][0-9]{0,15})\.tsr")
_MOST_BYTES = 64 << 10
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class StampFiles:
    """One stamp as it lies there. size: of the checkpoint, as the name says."""

    size: int
    checkpoint: str
    response: bytes = field(repr=False)


def sizes(folder: Path) -> list[int]:
    """Of which heads a log's folder has stamps, the newest first. Raises OSError where the disk does not answer."""
    try:
        names = [entry.name for entry in (folder / STAMPS).iterdir()]
    except (FileNotFoundError, NotADirectoryError):
        return []
    return sorted((int(match[1]) for name in names if (match := _NAME.fullmatch(name))), reverse=True)


def stamps_of(folder: Path) -> Iterator[StampFiles]:
    """Every stamp of a log's folder, the newest first; one that lacks a part, or is too large, is told with that part empty."""
    for size in sizes(folder):
        text = _read(folder / STAMPS / f"{size}.checkpoint", MAX_NOTE_BYTES).decode("utf-8", "replace")
        yield StampFiles(size, text, _read(folder / STAMPS / f"{size}.tsr", _MOST_BYTES))


def _read(path: Path, most: int) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(most + 1)
    except OSError:
        return b""
    return data if len(data) <= most else b""


def store(volume: Path, number: int, stamps: Sequence[StampFiles], flushing: Flushing) -> None:
    """Those that are not there yet, durable when it returns; the text before the stamp, so that none stands alone. Raises OSError."""
    log = log_folder(volume, number)
    there = set(sizes(log))
    missing = [stamp for stamp in stamps if stamp.size not in there]
    if not missing:
        return
    (log / STAMPS).mkdir(exist_ok=True)
    flushing.flush_directory(log)
    for stamp in missing:
        flushing.replace(log / STAMPS / f"{stamp.size}.checkpoint", stamp.checkpoint.encode())
        flushing.replace(log / STAMPS / f"{stamp.size}.tsr", stamp.response)


async def keep(archive: Archive, flushing: Flushing, number: int, stamp: StampFiles, body: dict[str, object]) -> int:
    """The entry, once however often it comes; then the stamp on every volume that is well, with all that it lacks of earlier ones.
    Raises LongwatchError where no volume took it.
    """
    key = f"stamp:{body['token_sha256']}"
    [seq] = await archive.take([Keyed(key, Entry(kinds.CHECKPOINT_STAMPED, body))])
    well = [volume for volume in archive.volumes if volume.state is VolumeState.OK and volume.files is not None]
    before = [found for volume in well for found in await volume.worker.run(_all, log_folder(volume.path, number))]
    known = {found.size: found for found in before if found.response and found.checkpoint} | {stamp.size: stamp}
    taken, why = 0, "no volume is well"
    for volume in well:
        try:
            await volume.worker.run(store, volume.path, number, list(known.values()), flushing)
            taken += 1
        except OSError as error:
            why = f"{volume.path}: {error}"
            _log.error("a stamp was not kept", volume=str(volume.path), error=str(error))
    if not taken:
        raise LongwatchError("the stamp was not kept", why=why)
    return seq


def _all(folder: Path) -> list[StampFiles]:
    try:
        return list(stamps_of(folder))
    except OSError:
        return []
