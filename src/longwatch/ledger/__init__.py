"""The canonical form of entries, their leaf hashes and numbering; RFC 6962 trees. Pure. Signing comes with Account.

`canonical` values to the one sequence of bytes that is hashed; `tree` leaf hashes, roots and inclusion proofs;
`kinds` what an entry may be about, and the bodies of those the archive writes by itself. Numbering and append are
`archive`'s, in the transaction of the thing an entry tells. docs/ref/ledger-format.md is the format.
"""

from longwatch.ledger.canonical import NotCanonicalError, canonical, entry_bytes
from longwatch.ledger.tree import (
    EMPTY_ROOT,
    inclusion_path,
    leaf_hash,
    root,
    segment_root,
    verify_inclusion,
)

__all__ = [
    "EMPTY_ROOT",
    "NotCanonicalError",
    "canonical",
    "entry_bytes",
    "inclusion_path",
    "leaf_hash",
    "root",
    "segment_root",
    "verify_inclusion",
]
