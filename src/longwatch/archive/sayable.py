"""What evidence is made to be before it becomes a row and an entry: never so that the ledger cannot take it.

Evidence comes from cameras, switches and relays, and one that answers a megabyte, or a number that JSON readers would round, must not
cost what else the same tick says. What no entry can hold is told by its SHA-256.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

from longwatch.archive.index import whole_numbers
from longwatch.ledger import canonical
from longwatch.ledger.canonical import NotCanonicalError

MOST_BYTES = 48 << 10
"""Of one body of evidence, in canonical form; an entry has at most 65,535 bytes with all that stands around it."""
_SHORT_BYTES = 1 << 10


def sayable(evidence: Mapping[str, object], most: int = MOST_BYTES) -> dict[str, object]:
    """The evidence as its entry says it and its row holds it: the same values, text in NFC, fractions as text.

    Where it has no canonical form or is too long, each value that is at fault (no canonical form, or longer than 1 KiB) gives way to
    `{"too_long": bytes, "sha256": ...}` or `{"not_canonical": why, "sha256": ...}`; the others stay. Never raises.
    """
    said = _canonical(evidence, most)
    if not _told_by_hash(said):
        return said
    parts: dict[str, object] = {}
    for name, value in evidence.items():
        part = _canonical({name: value}, _SHORT_BYTES)
        if part.keys() & parts.keys():  # two names that are one in NFC
            part = by_hash(value, {"not_canonical": "its name stands twice"})
        parts |= part if not _told_by_hash(part) else {_name(name): part}
    told = _canonical(parts, most)
    return said if _told_by_hash(told) else told


def by_hash(value: object, why: dict[str, object]) -> dict[str, object]:
    """What stands in the place of a value: why, and the hash of its canonical form, or, where it has none, of its `repr`."""
    try:
        content = canonical(whole_numbers({"value": value})["value"])
    except (NotCanonicalError, RecursionError):
        content = ascii(_shallow(value)).encode()
    return {**why, "sha256": hashlib.sha256(content).hexdigest()}


def _canonical(body: Mapping[str, object], most: int) -> dict[str, object]:
    try:
        content = canonical(whole_numbers(body))
    except (NotCanonicalError, RecursionError) as error:
        return by_hash(body, {"not_canonical": ascii(str(error))[1:-1][:200]})
    if len(content) > most:
        return by_hash(body, {"too_long": len(content)})
    plain: dict[str, object] = json.loads(content)
    return plain


def _told_by_hash(said: Mapping[str, object]) -> bool:
    return set(said) in ({"too_long", "sha256"}, {"not_canonical", "sha256"})


def _name(name: object) -> str:
    return ascii(str(name)).strip("'\"")[:80]


def _shallow(value: object) -> object:
    """`repr` of what is nested without end would not come back: then its type has to do."""
    try:
        repr(value)
    except RecursionError:
        return type(value).__name__
    return value
