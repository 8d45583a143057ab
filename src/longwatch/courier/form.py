"""What lies on a courier's disk, byte by byte; values to bytes and back. docs/ref/courier-disk.md is the format.

A pack is a folder `longwatch-courier/PACK/`: `pack.json` says in clear from whom it is and for whom, `000001.age` and so on hold the records, each
file encrypted to the hub by itself, `receipt.json` is the hub's word of what it took. Everything here was in a stranger's hands: whatever
cannot be read raises DiskError.
"""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from longwatch.base.errors import LongwatchError
from longwatch.base.ids import is_slug
from longwatch.ledger import canonical
from longwatch.ledger.checkpoint import verify_signature
from longwatch.model.uplink import ObjectInfo

FOLDER = "longwatch-courier"
PACK_FILE, RECEIPT_FILE = "pack.json", "receipt.json"
VERSION = 1
MOST_FILE_BYTES = 64 << 20
FULL_BYTES = 32 << 20
"""A file is closed before it grows beyond this: a whole one is held in memory while it is encrypted."""
MOST_PLAIN_BYTES = MOST_FILE_BYTES - (1 << 16)
"""What age adds (a header, 16 bytes each 64 KiB) fits between the two."""
MAGIC = b"longwatch-courier 1\n"
_HEAD = struct.Struct(">II")
_U16 = struct.Struct(">H")
_RECEIPT = b"longwatch-courier-receipt 1\n"
_PACK = re.compile(r"[a-z0-9-]{1,90}")
_FILE = re.compile(r"\d{6}\.age")
_MOST_HEAD = 64 << 10


class DiskError(LongwatchError):
    """Something on a disk is not what a pack is made of."""


@dataclass(frozen=True, slots=True)
class PackHead:
    """`pack.json`. files: how many there are, None while it is being packed. All of it is unproven: the records say the same again."""

    pack: str
    post: str
    hub: str
    made_us: int
    files: int | None = None

    def encode(self) -> bytes:
        """As a file."""
        said = {
            "version": VERSION, "pack": self.pack, "post": self.post, "hub": self.hub, "made_us": self.made_us,
            "files": self.files,
        }  # fmt: skip
        return json.dumps(said, indent=1).encode() + b"\n"

    @staticmethod
    def decode(data: bytes) -> PackHead:
        """Raises DiskError."""
        said = _json(data, PACK_FILE)
        if said.get("version") != VERSION:
            raise DiskError(
                f"a pack of version {str(said.get('version'))[:20]}", why=f"{VERSION} is known",
                remedy="upgrade the program",
            )  # fmt: skip
        pack, post, hub, made_us, files = (said.get(name) for name in ("pack", "post", "hub", "made_us", "files"))
        fits = (
            isinstance(pack, str) and _PACK.fullmatch(pack) and _is_id(post) and _is_id(hub)
            and type(made_us) is int and (files is None or (type(files) is int and 0 <= files < 1_000_000))
        )  # fmt: skip
        if not fits:
            raise DiskError(f"{PACK_FILE} cannot be read", why="it is damaged, or none of ours")
        return PackHead(str(pack), str(post), str(hub), int(made_us or 0), files)


def _is_id(value: object) -> bool:
    return isinstance(value, str) and is_slug(value)


def file_name(number: int) -> str:
    """Of the n-th file, from 1."""
    return f"{number:06d}.age"


def is_file(name: str) -> bool:
    """Whether it is one of a pack's."""
    return _FILE.fullmatch(name) is not None


# -- records


@dataclass(frozen=True, slots=True)
class EntriesRecord:
    """Canonical entries of a log from number `first` on."""

    post: str
    number: int
    first: int
    entries: Sequence[bytes] = field(repr=False)


@dataclass(frozen=True, slots=True)
class HeadRecord:
    """A signed head of a log, after the entries that it covers."""

    post: str
    number: int
    note: str
    key: bytes


@dataclass(frozen=True, slots=True)
class ObjectRecord:
    """An object, whole."""

    info: ObjectInfo
    data: bytes = field(repr=False)


Record = EntriesRecord | HeadRecord | ObjectRecord


def encode_record(record: Record) -> bytes:
    """One after another they make a file."""
    if isinstance(record, EntriesRecord):
        head: dict[str, object] = {"r": "entries", "post": record.post, "log": record.number, "first": record.first}
        body = b"".join(_U16.pack(len(entry)) + entry for entry in record.entries)
    elif isinstance(record, HeadRecord):
        head = {
            "r": "head", "post": record.post, "log": record.number, "note": record.note, "key": record.key.hex(),
        }  # fmt: skip
        body = b""
    else:
        head, body = {"r": "object", **record.info.as_json()}, record.data
    text = json.dumps(head, separators=(",", ":")).encode()
    return _HEAD.pack(len(text), len(body)) + text + body


def beginning(head: PackHead, number: int) -> bytes:
    """What a file begins with, so that none stands for another."""
    said = {"pack": head.pack, "post": head.post, "hub": head.hub, "file": number}
    text = json.dumps(said, separators=(",", ":")).encode()
    return MAGIC + _HEAD.pack(len(text), 0) + text


def decode_file(data: bytes, head: PackHead, number: int) -> Iterator[Record]:
    """The records of a file, decrypted. Raises DiskError, also for a file of another pack or another number."""
    if not data.startswith(MAGIC):
        raise DiskError("a file that holds no records")
    parts = _parts(data, len(MAGIC))
    said, _ = next(parts, ({}, b""))
    if said != {"pack": head.pack, "post": head.post, "hub": head.hub, "file": number}:
        raise DiskError("a file of another pack", why="it was renamed, or copied here")
    for said, body in parts:
        try:
            yield _record(said, body)
        except (ValueError, TypeError, struct.error) as error:
            raise DiskError("a record that cannot be read", why=str(error)) from error


def _parts(data: bytes, at: int) -> Iterator[tuple[dict[str, Any], bytes]]:
    while at < len(data):
        if at + _HEAD.size > len(data):
            raise DiskError("a file that ends within a record")
        head_size, body_size = _HEAD.unpack_from(data, at)
        at += _HEAD.size
        if head_size > _MOST_HEAD or at + head_size + body_size > len(data):
            raise DiskError("a file that ends within a record")
        yield _json(data[at : at + head_size], "a record"), data[at + head_size : at + head_size + body_size]
        at += head_size + body_size


def _record(said: dict[str, Any], body: bytes) -> Record:
    kind = said.pop("r", None)
    if kind == "object":
        info = ObjectInfo.from_json(said)
        if info.size != len(body):
            raise ValueError("an object of another length")
        return ObjectRecord(info, body)
    post, number = said.get("post"), said.get("log")
    if not isinstance(post, str) or type(number) is not int or number < 0:
        raise ValueError("a log that cannot be")
    if kind == "head":
        note, key = said.get("note"), said.get("key")
        if not isinstance(note, str) or not isinstance(key, str):
            raise ValueError("a head that cannot be")
        return HeadRecord(post, number, note, bytes.fromhex(key))
    first = said.get("first")
    if kind != "entries" or type(first) is not int or first < 0:
        raise ValueError("of a kind that is not known")
    return EntriesRecord(post, number, first, tuple(_entries(body)))


def _entries(body: bytes) -> Iterator[bytes]:
    at = 0
    while at < len(body):
        (size,) = _U16.unpack_from(body, at)
        if at + 2 + size > len(body):
            raise ValueError("entries that are cut off")
        yield body[at + 2 : at + 2 + size]
        at += 2 + size


# -- the receipt


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a hub says that it took of a pack. files: name to SHA-256 (hex, as it lies on the disk) of those of which all is committed, but for
    `refused`. refused: segments [camera, stream, boot, run, sequence] of which something was not taken, and why. logs: by post's log number, entries
    that are verified here, and the countersigned head.
    """

    pack: str
    post: str
    hub: str
    at_us: int
    files: Mapping[str, str]
    refused: Sequence[tuple[tuple[str, str, str, int, int], str]] = ()
    logs: Mapping[int, tuple[int, str]] = field(default_factory=dict)

    def encode(self, sign: Callable[[bytes], bytes]) -> bytes:
        """As a file, signed by the hub."""
        said = {
            "at_us": self.at_us, "files": dict(self.files), "hub": self.hub,
            "logs": [[number, size, note] for number, (size, note) in sorted(self.logs.items())],
            "pack": self.pack, "post": self.post, "refused": [[list(name), why] for name, why in self.refused],
            "version": VERSION,
        }  # fmt: skip
        return json.dumps({"receipt": said, "signature": sign(_RECEIPT + canonical(said)).hex()}).encode() + b"\n"

    @staticmethod
    def decode(data: bytes, public_key: bytes) -> Receipt:
        """Raises DiskError for one that this hub did not sign so."""
        outer = _json(data, RECEIPT_FILE)
        said, signature = outer.get("receipt"), outer.get("signature")
        try:
            good = isinstance(said, dict) and verify_signature(
                public_key, bytes.fromhex(str(signature)), _RECEIPT + canonical(said)
            )
            if not good or not isinstance(said, dict):
                raise DiskError("a receipt that our hub did not sign", remedy="nothing is taken from it")
            return Receipt(
                str(said["pack"]), str(said["post"]), str(said["hub"]), int(said["at_us"]), dict(said["files"]),
                tuple((tuple(name), str(why)) for name, why in said["refused"]),
                {int(number): (int(size), str(note)) for number, size, note in said["logs"]},
            )  # fmt: skip
        except (ValueError, TypeError, KeyError) as error:
            raise DiskError("a receipt that cannot be read", why=str(error)) from error


def _json(data: bytes, what: str) -> dict[str, Any]:
    try:
        value = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise DiskError(f"{what} cannot be read", why="it is damaged, or none of ours") from error
    if not isinstance(value, dict):
        raise DiskError(f"{what} cannot be read", why="it is damaged, or none of ours")
    return value
