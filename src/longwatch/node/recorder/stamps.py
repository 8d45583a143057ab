"""`stamp`: the server brings what a timestamp authority said of a checkpoint; the recorder keeps and enters it."""

from __future__ import annotations

import base64
import binascii
import hashlib
from typing import Any

from longwatch.archive import Archive, Flushing
from longwatch.archive.stamps import StampFiles, keep
from longwatch.base.errors import UsageError
from longwatch.ledger.checkpoint import MAX_NOTE_BYTES, CheckpointError, open_note

MOST_BYTES = 64 << 10
_MOST_NAME = 200


async def stamp(archive: Archive, flushing: Flushing, fields: dict[str, Any]) -> dict[str, Any]:
    """`checkpoint`: the text that was stamped, which must be one that this log signed; `response`: base64 of the answer; `authority`
    and `at_us`: what it says. Raises UsageError.
    """
    text, encoded, authority, at_us = (fields.get(name) for name in ("checkpoint", "response", "authority", "at_us"))
    if not isinstance(text, str) or not isinstance(encoded, str) or not isinstance(authority, str):
        raise UsageError("`stamp` wants checkpoint, response, authority and at_us")
    if isinstance(at_us, bool) or not isinstance(at_us, int) or not 0 <= at_us < 1 << 53 or len(text) > MAX_NOTE_BYTES:
        raise UsageError("`stamp` wants checkpoint, response, authority and at_us")
    log = archive.ledger.log
    try:
        response = base64.b64decode(encoded, validate=True)
        head = open_note(text, log.key)
    except (binascii.Error, CheckpointError, ValueError) as error:
        raise UsageError("this is no stamp of a checkpoint of ours", why=str(error)) from error
    if head.origin != log.origin or not 0 < len(response) <= MOST_BYTES:
        raise UsageError(
            "this is no stamp of a checkpoint of ours", why=f"it is of {head.origin}, {len(response)} bytes"
        )
    body = {
        "size": head.size, "token_sha256": hashlib.sha256(response).hexdigest(), "authority": authority[:_MOST_NAME],
        "at_us": at_us,
    }  # fmt: skip
    return {"seq": await keep(archive, flushing, log.number, StampFiles(head.size, text, response), body)}
