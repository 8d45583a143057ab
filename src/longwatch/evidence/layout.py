"""What stands where in an evidence package (docs/ref/evidence-package.md), and how large a part may be."""

from __future__ import annotations

import re

VERSION = 1
KIND = "longwatch evidence package"

MANIFEST = "manifest.json"
PAGE = "manifest.html"
SCRIPT = "check.py"
VIDEO = "video.mp4"
SIGNED = "video-c2pa.mp4"
KEY = "ledger/key.pem"
CHECKPOINT = "ledger/checkpoint"
MADE = "ledger/export_made.json"
MADE_PROOF = "ledger/export_made.tlog-proof"
LEAVES = "ledger/leaves"

MAX_MANIFEST_BYTES = 64 << 20
MAX_MANIFEST_VALUES = 4_000_000  # a day of fragments has a million; a value takes some hundred bytes of memory
MAX_TEXT_BYTES = 1 << 20  # an entry, a proof, a checkpoint, a key
MAX_FILES = 200_000
LEAVES_KEPT = 1 << 16
MAX_LEAVES_BYTES = 8 + (LEAVES_KEPT + 256 + 64) * 32

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,120}(/[A-Za-z0-9][A-Za-z0-9._-]{0,120}){0,3}", re.ASCII)


def is_name(name: str) -> bool:
    """Whether a file may be called so: relative, no dot first in a part, plain letters. Nothing else is ever looked at."""
    return _NAME.fullmatch(name) is not None


def segment_name(file: str) -> str:
    """Of a cut segment; file: what the archive calls it, or a hub, which says with `#` where a part of one begins."""
    plain = file.replace("#", "-from-")
    return f"segments/{plain}" if plain.endswith(".mp4") else f"segments/{plain}.mp4"


def entry_name(seq: int) -> str:
    """Of an entry of the ledger."""
    return f"ledger/entries/{seq}.json"


def proof_name(seq: int) -> str:
    """Of the proof that entry number `seq` stands in the ledger."""
    return f"ledger/proofs/{seq}.tlog-proof"
