"""Whether a report is the one that a post's ledger speaks of: its files by their hashes, the entry that names them, the entry's place
under a signed checkpoint. Needs nothing but the files beside it. Pure.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass

from longwatch.ledger import kinds, leaf_hash
from longwatch.ledger.checkpoint import CheckpointError, fingerprint, parse_public_key
from longwatch.ledger.proofs import ProofError, parse_proof, verify_proof


@dataclass(frozen=True, slots=True)
class Checked:
    """problems: empty where all holds. entry: its number. key: fingerprint of the key that was found beside the report."""

    problems: tuple[str, ...]
    entry: int | None = None
    origin: str = ""
    key: str = ""


def check(files: Mapping[str, bytes], proof: str, key: str, expected: str | None = None) -> Checked:
    """files: the report's, by the names they were made with. proof: the text of its tlog-proof, which carries the entry. key: the public
    key as PEM or verifier key. expected: the fingerprint that is known from elsewhere; None: only consistency is shown.
    """
    try:
        public = parse_public_key(key)
        parsed = parse_proof(proof)
        checkpoint = verify_proof(parsed, leaf_hash(parsed.extra), public)
        entry = json.loads(parsed.extra)
        kind, body, seq = entry["kind"], entry["body"], int(entry["seq"])
        named = dict(body["files"])
    except (ProofError, CheckpointError) as error:
        return Checked((f"the proof does not hold: {error}",))
    except (ValueError, KeyError, TypeError) as error:
        return Checked((f"the proof speaks of no report: {error!r}",))
    problems = []
    known = fingerprint(public)
    if expected is not None and expected != known:
        problems.append(f"signed by {known}, not by {expected}")
    if kind not in {kinds.REPORT_MADE, kinds.STATEMENT_MADE}:
        problems.append(f"entry {seq} is {kind}, and not a report")
    if seq != parsed.index:
        problems.append(f"the entry calls itself {seq}, and stands at {parsed.index}")
    for name, content in files.items():
        if name not in named:
            problems.append(f"{name} is not named by entry {seq}")
        elif hashlib.sha256(content).hexdigest() != named[name]:
            problems.append(f"{name} is not what it was when the report was made")
    if not files:
        problems.append("there is no file to check")
    return Checked(tuple(problems), seq, checkpoint.origin, known)
