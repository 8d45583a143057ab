"""The evidence package: a stretch of a camera, handed over so that a stranger can check it, offline and years later.

Comes in: an `Order`, the volumes of a post, and three things of others: who attests (the ledger's key is the recorder's), who makes
the mp4 (`playback`), who wants to know how far it is. Promises: what is handed over is what was sealed, byte for byte; every gap and
loss in it is said with its cause; nothing of another camera, no secret and no path of the post is in it. `verify_package` believes
nothing that it reads. docs/ref/evidence-package.md is the format.
"""

from longwatch.evidence.gathering import MakeVideo, Source, Video, missing_spans, set_up_us, timeline
from longwatch.evidence.manifest import Post
from longwatch.evidence.post_proof import PostLedger, Sealed
from longwatch.evidence.reading import is_package
from longwatch.evidence.verifying import verify_package
from longwatch.evidence.writing import Attest, Attestation, Made, Order, Proving, write_package

__all__ = [
    "Attest",
    "Attestation",
    "Made",
    "MakeVideo",
    "Order",
    "Post",
    "PostLedger",
    "Proving",
    "Sealed",
    "Source",
    "Video",
    "is_package",
    "missing_spans",
    "set_up_us",
    "timeline",
    "verify_package",
    "write_package",
]
