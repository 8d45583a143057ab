"""A signed statement of what is left of a post: gathered from the fleet, its hashes entered in the hub's own ledger, zipped with the proof.

docs/design/statement.md. The entry is durable before anything is written.
"""

from __future__ import annotations

import asyncio
import hashlib
import io
import zipfile
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

from longwatch.base.clock import Clock
from longwatch.fleet import Fleet
from longwatch.fleet.statement import statement
from longwatch.ledger import kinds
from longwatch.ledger.canonical import canonical
from longwatch.ledger.checkpoint import fingerprint
from longwatch.ledger.cosignature import cosigner_name
from longwatch.ledger.proofs import parse_proof, proof_text
from longwatch.node.by_recorder.attest import Attestation, attest
from longwatch.reports.statement import statement_page

NAME = "statement"
Attest = Callable[[Sequence[Path], str, dict[str, object], dict[str, Any]], Awaitable[Attestation]]


async def make_statement(
    fleet: Fleet, post: str, hub: dict[str, str], cosigner: bytes, volumes: Sequence[Path], clock: Clock, person: dict[str, Any],
    attesting: Attest = attest,
) -> tuple[bytes, int]:  # fmt: skip
    """The zip, and the number of its entry: statement.html, statement.json, and proof and key of the entry. hub: {id, name}. Raises LongwatchError."""
    made_us = clock.wall_us()

    def gather() -> dict[str, bytes]:
        told = statement(fleet, post)
        told["hub"] = {**hub, "cosigner": f"{cosigner_name(hub['id'])} {fingerprint(cosigner)}"}
        told["made_us"] = made_us
        return {f"{NAME}.html": statement_page(told), f"{NAME}.json": canonical(told)}

    files = await asyncio.to_thread(gather)
    hashes = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    body: dict[str, object] = {"files": hashes, "post": post}
    made = await attesting(volumes, kinds.STATEMENT_MADE, body, person)
    proof = parse_proof(made.proof)
    text = proof_text(proof.index, proof.path, proof.checkpoint, made.entry.encode("utf-8"))
    package = {**files, f"{NAME}.tlog-proof": text.encode(), f"{NAME}.pem": made.key.encode()}
    return await asyncio.to_thread(_zipped, package), made.seq


def _zipped(files: dict[str, bytes]) -> bytes:
    into = io.BytesIO()
    with zipfile.ZipFile(into, "w", zipfile.ZIP_DEFLATED) as package:
        for name, content in files.items():
            package.writestr(name, content)
    return into.getvalue()
