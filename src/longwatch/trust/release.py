"""A release in one file: wheels, what they are for, and who signed them. docs/design/upgrades.md, docs/ref/bundle.md.

A bundle is a zip in which nothing is compressed:

    bundle.json     canonical JSON: version, each wheel with hash and size, what the program reads and writes
    bundle.note     signed note (c2sp.org/signed-note) over the hash of bundle.json, by a release key
    wheels/NAME     as they are installed

Nothing of a bundle is believed before its note is verified, and no wheel before its hash is. Foreign bytes: a bundle comes over links and on disks.
Pure but for the files it is given; whoever calls it blocks.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import os
import re
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from longwatch.base.errors import LongwatchError, UsageError
from longwatch.base.folders import why_not_replaced
from longwatch.ledger.canonical import NotCanonicalError, canonical
from longwatch.ledger.checkpoint import CheckpointError, KeyTextError, open_text, parse_public_key, sign_text, vkey
from longwatch.trust.keys import SigningKey, flush_folder, key_in
from longwatch.trust.wheels import Host, Wheel, WheelError, fits, read_metadata

NAME = "longwatch-release"
"""Of every release key in notes. Keys are told apart by their id, and a post knows the one of its settings."""
FORMAT = 1
MANIFEST, NOTE, FOLDER = "bundle.json", "bundle.note", "wheels/"
PROGRAM = "longwatch"
MOST_BYTES = 1 << 30
MOST_WHEELS = 256
_MOST_MANIFEST = 1 << 20
_MOST_NOTE = 16 << 10
_MOST_INTEGER = (1 << 53) - 1
_PART = 1 << 20
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the zero of zip's times: the same wheels make the same bytes
_VERSION = re.compile(
    r"(\d{1,9}(?:\.\d{1,9}){0,3})(?:(a|b|rc)(\d{1,9}))?(?:\.post(\d{1,9}))?(?:\.dev(\d{1,9}))?(?:\+[a-z0-9.]{1,40})?"
)
_WORD = re.compile(r"[a-z][a-z0-9_]{0,39}")
_PRE = {"a": 0, "b": 1, "rc": 2}


class ReleaseError(LongwatchError):
    """Not a release, not one of ours, or damaged."""


@dataclass(frozen=True, slots=True)
class Written:
    """Of one kind of file: the oldest form that a program reads, and the one that it writes (and migrates to)."""

    reads: int
    writes: int


@dataclass(frozen=True, slots=True)
class Release:
    """What a bundle says. version: of Longwatch. python: Requires-Python of its wheel. wheels: those in the bundle, Longwatch's own among them.
    requires: by distribution, the version that the release was locked to; those that are no wheel here have to be there already, in this very version.
    formats: by name (`index`, `server_db`, `data_folder`, ...). sha256: of bundle.json.
    """

    version: str
    python: str
    wheels: tuple[Wheel, ...]
    requires: Mapping[str, str] = field(default_factory=dict)
    formats: Mapping[str, Written] = field(default_factory=dict)
    sha256: bytes = b""

    @property
    def program(self) -> Wheel:
        """Longwatch's own wheel."""
        return next(wheel for wheel in self.wheels if wheel.distribution == PROGRAM)

    @property
    def missing(self) -> dict[str, str]:
        """What has to be there already: distribution and version."""
        carried = {wheel.distribution for wheel in self.wheels}
        return {name: version for name, version in self.requires.items() if name not in carried}

    def as_json(self) -> dict[str, Any]:
        """As it stands in bundle.json."""
        return {
            "files": [{"name": wheel.name, "sha256": wheel.sha256, "size": wheel.size} for wheel in self.wheels],
            "format": FORMAT,
            "formats": {name: {"reads": each.reads, "writes": each.writes} for name, each in self.formats.items()},
            "python": self.python,
            "requires": dict(self.requires),
            "tags": sorted({wheel.tags for wheel in self.wheels}),
            "version": self.version,
        }


def order_of(version: str) -> tuple[int, ...]:
    """What sorts as versions do (PEP 440, without epochs). Raises ReleaseError for what is no version of a release."""
    match = _VERSION.fullmatch(version)
    if match is None:
        raise ReleaseError(
            f"{version[:80]!r} is no version", why="as 1.2.3, with a, b, rc, .post or .dev and a number where need be"
        )
    numbers, pre, pre_number, post, dev = match.groups()
    release = [int(part) for part in numbers.split(".")]
    release += [0] * (4 - len(release))
    final = -1 if dev is not None and post is None else 3
    stage = final if pre is None else _PRE[pre]
    return (
        *release,
        stage,
        int(pre_number or 0),
        -1 if post is None else int(post),
        1 << 40 if dev is None else int(dev),
    )


# -- keys


def new_key(path: Path) -> SigningKey:
    """A release key in a new file, 0600. Raises UsageError where there is one, LongwatchError where it cannot be written."""
    if path.exists():
        raise UsageError(f"there is a file {path} already", remedy="name a new one: a key is never written over")
    return key_in(path)


def key_of(path: Path) -> SigningKey:
    """The key of this file. Raises UsageError where there is none."""
    if not path.exists():
        raise UsageError(f"there is no key {path}", remedy=f"make one: longwatch upgrade key {path}")
    return key_in(path)


def verifier(public_key: bytes) -> str:
    """The line that belongs into the settings of posts."""
    return vkey(NAME, public_key)


def parse_verifier(text: str) -> bytes:
    """The 32 bytes of a release key from its verifier line, or PEM. Raises ReleaseError."""
    try:
        return parse_public_key(text)
    except KeyTextError as error:
        raise ReleaseError(
            "this is no release key", why=str(error), remedy="the line that `longwatch upgrade key` printed"
        ) from error


# -- packing


def pack(
    wheels: Sequence[Path], key: SigningKey, out: Path, formats: Mapping[str, Written], requires: Mapping[str, str] | None = None
) -> Release:  # fmt: skip
    """Write a bundle: new, flushed, renamed. The same wheels and key make the same bytes. Raises LongwatchError, UsageError for wheels that do not
    belong together.
    """
    why = why_not_replaced(out)
    if why:
        raise UsageError(f"{out} cannot be written", why=why, remedy="name a file")
    found = sorted((Wheel.of(path), path) for path in wheels)
    distributions = [wheel.distribution for wheel, _ in found]
    twice = sorted({name for name in distributions if distributions.count(name) > 1})
    if twice:
        raise UsageError(f"more than one wheel of {', '.join(twice)}")
    if PROGRAM not in distributions:
        raise UsageError("no wheel of Longwatch among them", remedy="build it: python -m build --wheel")
    told = read_metadata(next(path for wheel, path in found if wheel.distribution == PROGRAM))
    needs = {name: version for name, version in (requires or {}).items() if name != PROGRAM}
    for wheel, _ in found:
        if wheel.distribution != PROGRAM and needs.get(wheel.distribution, wheel.version) != wheel.version:
            raise UsageError(
                f"{wheel.name} is not the version that the lock file names", why=f"{needs[wheel.distribution]} there"
            )
    release = _checked(
        Release(
            told["Version"], told.get("Requires-Python", ""), tuple(wheel for wheel, _ in found), needs, dict(formats)
        )
    )
    manifest = canonical(release.as_json())
    if len(manifest) > _MOST_MANIFEST:
        raise UsageError("too much for one bundle", why=f"its bundle.json has {len(manifest)} bytes")
    note = sign_text(_text(manifest), NAME, key.sign, key.public)
    fresh = out.with_name(f".{out.name}.new")
    try:
        with fresh.open("wb") as file:
            with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as bundle:
                bundle.writestr(_entry(MANIFEST), manifest)
                bundle.writestr(_entry(NOTE), note.encode())
                for wheel, path in found:
                    with (
                        bundle.open(_entry(FOLDER + wheel.name), "w", force_zip64=False) as into,
                        path.open("rb") as source,
                    ):
                        _copy(source, into, wheel)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(out)
        flush_folder(out.parent)
    except OSError as error:
        fresh.unlink(missing_ok=True)
        raise LongwatchError(f"{out} cannot be written", why=error.strerror or str(error)) from error
    return Release(
        release.version,
        release.python,
        release.wheels,
        release.requires,
        release.formats,
        hashlib.sha256(manifest).digest(),
    )


def _entry(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, _EPOCH)
    entry.external_attr = 0o644 << 16
    return entry


def _text(manifest: bytes) -> str:
    return f"longwatch release\n{FORMAT}\n{hashlib.sha256(manifest).hexdigest()}\n"


# -- reading


def show(path: Path) -> tuple[Release, str]:
    """What a bundle says, and its note: nothing is verified. Raises ReleaseError."""
    with _opened(path) as bundle:
        manifest, note = _heads(bundle)
        return _release(manifest), note


def verify(path: Path, keys: Sequence[bytes]) -> Release:
    """The release of a bundle that one of these keys signed, each wheel by its hash; and nothing else is in it. Raises ReleaseError."""
    with _opened(path) as bundle:
        release = _verified(bundle, keys)
        for wheel in release.wheels:
            with _wheel_in(bundle, wheel) as source:
                _copy(source, None, wheel)
        return release


def extract(path: Path, keys: Sequence[bytes], folder: Path) -> Release:
    """As `verify`, and the wheels into this folder, which is there and empty: each is hashed as it is written, so that what is installed is what was
    signed. They are flushed. Raises ReleaseError, LongwatchError where they cannot be written.
    """
    with _opened(path) as bundle:
        release = _verified(bundle, keys)
        try:
            for wheel in release.wheels:
                with _wheel_in(bundle, wheel) as source, (folder / wheel.name).open("xb") as into:
                    _copy(source, into, wheel)
                    into.flush()
                    os.fsync(into.fileno())
            flush_folder(folder)
        except OSError as error:
            raise LongwatchError(
                f"the wheels of {path} cannot be written into {folder}", why=error.strerror or str(error)
            ) from error
        return release


def sha256_of(path: Path) -> tuple[bytes, int]:
    """Hash and size of a whole file: what names a bundle between a hub and its posts. Raises LongwatchError."""
    digest = hashlib.sha256()
    size = 0
    try:
        with path.open("rb") as file:
            while part := file.read(_PART):
                digest.update(part)
                size += len(part)
    except OSError as error:
        raise LongwatchError(f"{path} cannot be read", why=error.strerror or str(error)) from error
    return digest.digest(), size


class _opened:  # noqa: N801 - reads as a function: `with _opened(path) as bundle`
    """A zip whose every fault is a ReleaseError."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> zipfile.ZipFile:
        try:
            if self._path.stat().st_size > MOST_BYTES:
                raise ReleaseError(f"{self._path} is too large for a bundle", why=f"at most {MOST_BYTES} bytes")
            self._zip = zipfile.ZipFile(self._path)
        except OSError as error:
            raise ReleaseError(f"{self._path} cannot be read", why=error.strerror or str(error)) from error
        except (zipfile.BadZipFile, NotImplementedError, ValueError) as error:
            raise ReleaseError(f"{self._path} is no bundle", why=str(error)[:200]) from error
        return self._zip

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        self._zip.close()
        if isinstance(
            error, (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError)
        ):  # RuntimeError: it is encrypted
            raise ReleaseError(f"{self._path} is damaged", why=str(error)[:200]) from error


def _heads(bundle: zipfile.ZipFile) -> tuple[bytes, str]:
    entries = bundle.infolist()
    if len(entries) > MOST_WHEELS + 2:
        raise ReleaseError("this is no bundle", why=f"it holds {len(entries)} files")
    if any(entry.compress_type != zipfile.ZIP_STORED or entry.file_size != entry.compress_size for entry in entries):
        raise ReleaseError("this is no bundle", why="something in it is compressed")
    if [entry.filename for entry in entries[:2]] != [MANIFEST, NOTE]:
        raise ReleaseError("this is no bundle", why=f"it does not begin with {MANIFEST} and {NOTE}")
    if entries[0].file_size > _MOST_MANIFEST or entries[1].file_size > _MOST_NOTE:
        raise ReleaseError("this is no bundle", why="its head is too large")
    manifest, note = bundle.read(entries[0]), bundle.read(entries[1])
    try:
        return manifest, note.decode()
    except UnicodeDecodeError as error:
        raise ReleaseError("this is no bundle", why=f"{NOTE} is no text") from error


def _verified(bundle: zipfile.ZipFile, keys: Sequence[bytes]) -> Release:
    manifest, note = _heads(bundle)
    if not any(_is_signed(note, key, manifest) for key in keys):
        raise ReleaseError(
            "the bundle is not signed by the release key that is known here",
            why="another key's, or its bundle.json was changed",
            remedy="see `longwatch upgrade show`, and `upgrades: key` in the settings",
        )
    release = _release(manifest)
    _check_names(bundle, release)
    return release


def _check_names(bundle: zipfile.ZipFile, release: Release) -> None:
    names = [FOLDER + wheel.name for wheel in release.wheels]
    if [entry.filename for entry in bundle.infolist()[2:]] != names:
        raise ReleaseError("the bundle does not hold what it says", why="its files are not those of bundle.json")


def _is_signed(note: str, key: bytes, manifest: bytes) -> bool:
    try:
        return open_text(note, NAME, key) == _text(manifest)
    except CheckpointError:
        return False


def is_signed_by(path: Path, key: bytes) -> bool:
    """Whether the note of a bundle is this key's; its wheels are not looked at. Raises ReleaseError."""
    with _opened(path) as bundle:
        manifest, note = _heads(bundle)
        return _is_signed(note, key, manifest)


def signers(note: str) -> list[str]:
    """The ids, in hex, of the keys that a note says to be signed by; nothing is verified."""
    found = []
    for line in note.rpartition("\n\n")[2].splitlines():
        match = re.fullmatch("\u2014 ([^\\s+]+) ([A-Za-z0-9+/]+={0,2})", line)
        if match is not None and match[1] == NAME:
            with contextlib.suppress(ValueError):
                found.append(base64.b64decode(match[2], validate=True)[:4].hex())
    return found


def examine(path: Path) -> tuple[Release, str]:
    """As `show`, and each wheel by the hash that bundle.json says; whose word that is, is not asked. Raises ReleaseError."""
    with _opened(path) as bundle:
        manifest, note = _heads(bundle)
        release = _release(manifest)
        _check_names(bundle, release)
        for wheel in release.wheels:
            with _wheel_in(bundle, wheel) as source:
                _copy(source, None, wheel)
        return release, note


def _wheel_in(bundle: zipfile.ZipFile, wheel: Wheel) -> IO[bytes]:
    entry = bundle.getinfo(FOLDER + wheel.name)
    if entry.file_size != wheel.size:
        raise ReleaseError("the bundle does not hold what it says", why=f"{wheel.name} has {entry.file_size} bytes")
    return bundle.open(entry)


def _copy(source: IO[bytes], into: IO[bytes] | None, wheel: Wheel) -> None:
    digest = hashlib.sha256()
    for part in _parts(source):
        digest.update(part)
        if into is not None:
            into.write(part)
    if digest.hexdigest() != wheel.sha256:
        raise ReleaseError("the bundle does not hold what it says", why=f"{wheel.name} has another hash")


def _parts(source: IO[bytes]) -> Iterator[bytes]:
    while part := source.read(_PART):
        yield part


def misfit(release: Release, host: Host) -> str:
    """Why a release cannot run on a host, by the tags of its wheels; "" where they fit."""
    wrong = [wheel.name for wheel in release.wheels if not fits(wheel, host)]
    if not wrong:
        return ""
    libc = "another C library" if host.glibc is None else f"glibc {host.glibc[0]}.{host.glibc[1]}"
    return f"{', '.join(wrong[:3])}: not for Python {host.python[0]}.{host.python[1]} on {host.machine} with {libc}"


# -- bundle.json


def _release(manifest: bytes) -> Release:
    try:
        said = json.loads(manifest)
        if not isinstance(said, dict) or canonical(said) != manifest:
            raise ValueError("not as it is written")
        if said.get("format") != FORMAT:
            raise ReleaseError(
                "the bundle has a form that this version does not know", why=f"form {str(said.get('format'))[:20]}"
            )
        release = Release(
            _string(said["version"], 80), _string(said["python"], 200), tuple(_wheel(item) for item in _list(said["files"])),
            {_string(name, 100): _string(version, 80) for name, version in _dict(said["requires"]).items()},
            {name: _written(each) for name, each in _dict(said["formats"]).items()}, hashlib.sha256(manifest).digest(),
        )  # fmt: skip
    except (ValueError, KeyError, TypeError, RecursionError, NotCanonicalError, WheelError) as error:
        raise ReleaseError("the bundle's bundle.json cannot be read", why=str(error)[:200]) from error
    if canonical(_checked(release).as_json()) != manifest:
        raise ReleaseError("the bundle's bundle.json cannot be read", why="it says more than this version knows")
    return release


def _checked(release: Release) -> Release:
    order_of(release.version)
    names = [wheel.distribution for wheel in release.wheels]
    if len(set(names)) != len(names) or names.count(PROGRAM) != 1 or len(names) > MOST_WHEELS:
        raise ReleaseError("a bundle holds Longwatch's wheel, and each other once")
    if release.program.version != release.version:
        raise ReleaseError("the bundle is not of the version that it says", why=f"{release.program.name} is in it")
    if list(names) != sorted(names) or any(not _WORD.fullmatch(name) for name in release.formats):
        raise ReleaseError("the bundle's bundle.json cannot be read", why="its names are not in order")
    return release


def _wheel(item: object) -> Wheel:
    fields = _dict(item)
    sha256, size = _string(fields["sha256"], 64), fields["size"]
    if not re.fullmatch("[0-9a-f]{64}", sha256) or type(size) is not int or not 0 < size <= MOST_BYTES:
        raise ValueError("a wheel without hash or size")
    return Wheel.named(_string(fields["name"], 200), sha256, size)


def _written(item: object) -> Written:
    fields = _dict(item)
    reads, writes = fields["reads"], fields["writes"]
    if type(reads) is not int or type(writes) is not int or not 0 <= reads <= writes <= _MOST_INTEGER:
        raise ValueError("a format that cannot be")
    return Written(reads, writes)


def _string(value: object, most: int) -> str:
    if not isinstance(value, str) or len(value) > most or not value.isprintable():
        raise ValueError("no text where one belongs")
    return value


def _list(value: object) -> list[object]:
    if not isinstance(value, list):
        raise TypeError("no list where one belongs")
    return value


def _dict(value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise TypeError("no object where one belongs")
    return value
