"""One value, one sequence of bytes: the canonical JSON of ledger entries.

The form is RFC 8785 (JCS) narrowed to what needs no floating point: UTF-8 without a byte order mark, no white space,
keys of an object sorted by code point and unique, strings in Unicode NFC with the escapes of RFC 8785 3.2.2.2,
integers only, within +-(2^53 - 1), so that every JSON reader gives back the same number.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Mapping, Sequence

ENTRY_VERSION = 1
MAX_INTEGER = (1 << 53) - 1
MAX_DEPTH = 16
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode


class NotCanonicalError(ValueError):
    """The value has no canonical form: a float, a number beyond 2^53 - 1, a key that is not text, a lone surrogate."""


def canonical(value: object) -> bytes:
    """The canonical bytes of a JSON value. Text is brought to NFC. Raises NotCanonicalError."""
    try:
        return _encode(_normal(value, 0)).encode("utf-8")
    except UnicodeEncodeError as error:
        raise NotCanonicalError(f"text that is not Unicode: {error}") from error


def _normal(value: object, depth: int) -> object:
    if depth > MAX_DEPTH:
        raise NotCanonicalError(f"nested deeper than {MAX_DEPTH}")
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        if not -MAX_INTEGER <= value <= MAX_INTEGER:
            raise NotCanonicalError(f"{value} is beyond 2^53 - 1")
        return int(value)
    if isinstance(value, str):
        return unicodedata.normalize("NFC", str(value))
    if isinstance(value, Mapping):
        return _object(value, depth)
    if isinstance(value, Sequence) and not isinstance(value, (bytes, bytearray, memoryview)):
        return [_normal(item, depth + 1) for item in value]
    raise NotCanonicalError(f"a {type(value).__name__} has no canonical form")


def _object(value: Mapping[object, object], depth: int) -> dict[str, object]:
    plain: dict[str, object] = {}
    for key, item in value.items():
        if not isinstance(key, str):
            raise NotCanonicalError(f"the key {key!r} is not text")
        name = unicodedata.normalize("NFC", str(key))
        if name in plain:
            raise NotCanonicalError(f"the key {name!r} stands twice")
        plain[name] = _normal(item, depth + 1)
    return {name: plain[name] for name in sorted(plain)}


def entry_bytes(seq: int, wall_us: int, boot: str, kind: str, body: Mapping[str, object]) -> bytes:
    """The bytes of entry number `seq` (from 0), whose SHA-256 with a 0x00 before it is its leaf hash.

    wall_us: what the host's clock said at the writing; it may be wrong, order is by `seq`. Raises NotCanonicalError.
    """
    return canonical({"body": body, "boot": boot, "kind": kind, "seq": seq, "v": ENTRY_VERSION, "wall_us": wall_us})
