"""Entries read back: the one form that `canonical.entry_bytes` writes, and nothing else."""

from __future__ import annotations

import json
import unicodedata
from dataclasses import dataclass
from typing import Any, NoReturn

from longwatch.ledger.canonical import ENTRY_VERSION, MAX_DEPTH, MAX_INTEGER, NotCanonicalError, canonical

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False, sort_keys=True).encode
_KEYS = {"body", "boot", "kind", "seq", "v", "wall_us"}


class EntryError(ValueError):
    """Bytes that are no entry in canonical form."""


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """One entry. boot: of the host. wall_us: what its clock said; order is by seq."""

    seq: int
    kind: str
    boot: str
    wall_us: int
    body: dict[str, Any]


def parse_entry(data: bytes) -> LedgerEntry:
    """The entry of these bytes. Raises EntryError where they are not its canonical form, or of a version not known here."""
    try:
        text = data.decode("utf-8")
        value = json.loads(text, parse_float=_no_number, parse_constant=_no_number, parse_int=_integer)
        if not _is_canonical(value, text):
            raise EntryError("not in canonical form")
    except (ValueError, RecursionError, NotCanonicalError) as error:
        raise EntryError(f"not an entry: {error}") from error
    if not isinstance(value, dict) or set(value) != _KEYS:
        raise EntryError("not the keys of an entry")
    if value["v"] != ENTRY_VERSION or value["v"] is True:
        raise EntryError(f"an entry of version {value['v']}")
    numbers = all(type(value[name]) is int for name in ("seq", "wall_us"))
    words = all(isinstance(value[name], str) for name in ("boot", "kind"))
    if not numbers or not words or not isinstance(value["body"], dict) or value["seq"] < 0:
        raise EntryError("not the values of an entry")
    return LedgerEntry(value["seq"], value["kind"], value["boot"], value["wall_us"], value["body"])


def _is_canonical(value: object, text: str) -> bool:
    """What `canonical` would say, at a fifth of its price: a log has a million entries. The numbers were looked at by the parser."""
    if text.count("[") + text.count("{") > MAX_DEPTH:
        return canonical(value) == text.encode()
    return _encode(value) == text and (text.isascii() or unicodedata.is_normalized("NFC", text))


def _integer(text: str) -> int:
    value = int(text) if len(text) < 20 else MAX_INTEGER + 1
    if not -MAX_INTEGER <= value <= MAX_INTEGER:
        _no_number(text)
    return value


def _no_number(text: str) -> NoReturn:
    raise EntryError(f"the number {text[:40]} has no canonical form")
