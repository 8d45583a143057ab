"""The ledger: canonical entries, RFC 6962 trees, tiles, signed checkpoints and proofs. Pure: no I/O, no clock, no private key.

`canonical` values to the one sequence of bytes that is hashed, and `entries` back; `tree` leaf hashes, roots, inclusion proofs;
`tiles` the files of a log (C2SP tlog-tiles) and the edge of a growing one; `checkpoint` its signed heads (C2SP tlog-checkpoint);
`proofs` inclusion and consistency out of tiles, and c2sp.org/tlog-proof; `people` what an entry says of a person; `kinds` what an
entry may be about, and the bodies of those the archive writes by itself. For verification: `settling` which entries a signed root speaks of where
copies disagree, `story` what they tell, `judging_log`, `judging_media`, `judging_index` what contradicts it, `findings` how that is said.
Numbering and append are `archive`'s, in the
transaction of the thing an entry tells. docs/ref/ledger-format.md is the format.
"""

from longwatch.ledger.canonical import NotCanonicalError, canonical, entry_bytes
from longwatch.ledger.entries import EntryError, LedgerEntry, parse_entry
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
    "EntryError",
    "LedgerEntry",
    "NotCanonicalError",
    "canonical",
    "entry_bytes",
    "inclusion_path",
    "leaf_hash",
    "parse_entry",
    "root",
    "segment_root",
    "verify_inclusion",
]
