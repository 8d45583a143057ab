"""The disks of a data folder: who they are, who holds them, and whether they may be written.

volume.json on every volume names it and the folder it belongs to, so that a swapped, foreign or missing disk is seen
before a byte is written. The first volume holds the index. Nothing is ever written onto a foreign disk, nor onto an empty
mount point that should hold a volume. Owner of the files here: the recorder (or a verb that holds the lock).
"""

from __future__ import annotations

import enum
import fcntl
import json
import os
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from longwatch.archive.flushing import Flushing
from longwatch.base.errors import LongwatchError

FORMAT = 1
IDENTITY = "volume.json"
LOCK = "lock"
INDEX = "index.db"
MEDIA = "media"


class VolumeState(enum.StrEnum):
    """Whether media goes there."""

    OK = "ok"
    FULL = "full"
    FAILED = "failed"
    MISSING = "missing"  # a volume of this folder should be there and is not
    FOREIGN = "foreign"  # another folder's disk, or what cannot be one of ours


@dataclass(frozen=True, slots=True)
class Identity:
    """The content of volume.json. volumes: the ids of all volumes of the folder, the first one first."""

    data_id: str
    volume_id: str
    volumes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Place:
    """One path of the settings as found: state OK with an identity, or the reason why it is not used."""

    path: Path
    identity: Identity | None
    state: VolumeState
    detail: str = ""


def read_identity(path: Path) -> Identity | None:
    """volume.json of a volume; None where there is none. Raises LongwatchError where it is of a newer format or unreadable."""
    file = path / IDENTITY
    try:
        content = json.loads(file.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as error:
        raise LongwatchError(
            f"{file} cannot be read", why=str(error), remedy="put it back, or take the volume out"
        ) from error
    try:
        version = int(content["format"])
        if version > FORMAT:
            raise LongwatchError(
                f"{path} was written by a newer version of this program",
                why=f"its format is {version}, this program knows {FORMAT}",
                remedy="upgrade this program; nothing was touched",
            )
        return Identity(str(content["data_id"]), str(content["volume_id"]), tuple(str(v) for v in content["volumes"]))
    except (KeyError, TypeError, ValueError) as error:
        raise LongwatchError(f"{file} is not a volume's identity", why=repr(error)) from error


def write_identity(path: Path, identity: Identity, flushing: Flushing) -> None:
    """Write new, flush, rename, flush the directory."""
    content = {
        "format": FORMAT, "data_id": identity.data_id, "volume_id": identity.volume_id, "volumes": list(identity.volumes),
    }  # fmt: skip
    new = path / f"{IDENTITY}.new"
    new.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    descriptor = os.open(new, os.O_RDONLY | os.O_CLOEXEC)
    try:
        flushing.flush_file(descriptor)
    finally:
        os.close(descriptor)
    new.replace(path / IDENTITY)
    flushing.flush_directory(path)


def survey(paths: Sequence[Path]) -> list[Identity | None]:
    """Every path's identity, touching nothing. Raises LongwatchError where the first path cannot be the index volume."""
    if not paths:
        raise LongwatchError("no data folder is given")
    found = [read_identity(path) for path in paths]
    first, rest = found[0], [identity for identity in found[1:] if identity is not None]
    if first is None:
        if rest:
            raise LongwatchError(
                f"{paths[0]} holds no volume, but the others belong to data folder {rest[0].data_id}",
                why="the first volume holds the index; its disk is not mounted, or the order was changed",
                remedy="mount it, or put the volume with index.db first",
            )
        if (paths[0] / INDEX).exists() or (paths[0] / MEDIA).exists():
            raise LongwatchError(
                f"{paths[0]} holds media or an index, and no {IDENTITY}",
                why="its identity was removed",
                remedy=f"put {IDENTITY} back from a backup or another volume",
            )
    elif first.volumes and first.volume_id != first.volumes[0]:
        raise LongwatchError(
            f"{paths[0]} is not the first volume of its data folder",
            why=f"it is volume {first.volume_id}; the index is on {first.volumes[0]}",
            remedy="put the volume with index.db first in `data`",
        )
    seen: dict[str, Path] = {}
    for path, identity in zip(paths, found, strict=True):
        if identity is not None and identity.volume_id in seen:
            raise LongwatchError(
                f"{path} and {seen[identity.volume_id]} are the same volume or copies of one", why=identity.volume_id
            )
        if identity is not None:
            seen[identity.volume_id] = path
    return found


def create_first(path: Path, flushing: Flushing) -> Identity:
    """The identity of a new data folder, durable on its first volume."""
    path.mkdir(parents=True, exist_ok=True)
    volume_id = str(uuid.uuid4())
    identity = Identity(str(uuid.uuid4()), volume_id, (volume_id,))
    write_identity(path, identity, flushing)
    return identity


def classify(
    paths: Sequence[Path], found: Sequence[Identity | None], first: Identity, known: Mapping[str, str]
) -> list[Place]:
    """What each path is. known: volume id to the path where the index saw it last. New volumes come as MISSING-free places
    without identity and state OK: the caller makes them with `join_volume`.
    """
    present = {identity.volume_id for identity in found if identity is not None} | {first.volume_id}
    absent = [volume_id for volume_id in first.volumes if volume_id not in present]
    known_paths = {where: volume_id for volume_id, where in known.items() if volume_id not in present}
    places = [Place(paths[0], first, VolumeState.OK)]
    for path, identity in zip(paths[1:], found[1:], strict=True):
        if identity is not None:
            if identity.data_id == first.data_id:
                places.append(Place(path, identity, VolumeState.OK))
            else:
                detail = f"this disk belongs to data folder {identity.data_id}, not to {first.data_id}"
                places.append(Place(path, None, VolumeState.FOREIGN, detail))
        elif str(path) in known_paths:
            detail = f"volume {known_paths[str(path)]} should be here and is not: mount its disk, or give a new disk a path of its own"
            places.append(Place(path, None, VolumeState.MISSING, detail))
        elif absent and not known:
            detail = f"nothing is here, and volumes {', '.join(absent)} are not found: is a disk not mounted?"
            places.append(Place(path, None, VolumeState.MISSING, detail))
        elif (path / MEDIA).exists() or (path / INDEX).exists():
            places.append(Place(path, None, VolumeState.FOREIGN, f"there is media or an index here, and no {IDENTITY}"))
        else:
            places.append(Place(path, None, VolumeState.OK))
    return places


def join_volume(path: Path, others: Sequence[tuple[Path, Identity]], flushing: Flushing) -> Identity:
    """Make `path` a volume of the folder, and tell the others."""
    path.mkdir(parents=True, exist_ok=True)
    first = others[0][1]
    volume_id = str(uuid.uuid4())
    volumes = (*first.volumes, volume_id)
    identity = Identity(first.data_id, volume_id, volumes)
    write_identity(path, identity, flushing)
    for other_path, other in others:
        write_identity(other_path, Identity(other.data_id, other.volume_id, volumes), flushing)
    return identity


class Lock:
    """flock(2) on a volume's `lock`: one process at a time writes there. The file says which, for people."""

    def __init__(self, path: Path) -> None:
        self._path = path / LOCK
        self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.pread(self._descriptor, 200, 0).decode("utf-8", "replace").strip()
            os.close(self._descriptor)
            raise LongwatchError(
                f"{path} is in use", why=f"held by {holder or 'a process that did not say who it is'}",
                remedy="ask the running process over its socket, or stop it first",
            ) from error  # fmt: skip
        text = f"process {os.getpid()}\n".encode()
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, text, 0)

    def release(self) -> None:
        """Let others in."""
        os.close(self._descriptor)
