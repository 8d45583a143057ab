"""Who makes an evidence package or a report has it attested: by the running recorder, or here, under the data folder's lock."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from longwatch.base.clock import SystemClock
from longwatch.base.errors import LongwatchError, UsageError
from longwatch.base.ids import boot_id
from longwatch.model.sessions import StreamKey
from longwatch.node.link import LinkClient, socket_path
from longwatch.node.recorder.patience import SEAL_PATIENCE_S

_PATIENCE_S = SEAL_PATIENCE_S + 30


@dataclass(frozen=True, slots=True)
class Attestation:
    """An entry of the ledger and what proves it. entry: its canonical text, exactly as hashed. proof: c2sp.org/tlog-proof@v1.
    checkpoint: the signed note in it. key: the public key in PEM. unsealed: streams whose open segment did not come to an end in time.
    """

    seq: int
    entry: str
    proof: str
    checkpoint: str
    key: str
    fingerprint: str
    unsealed: tuple[StreamKey, ...]


async def attest(
    volumes: Sequence[Path],
    kind: str,
    body: dict[str, object],
    person: dict[str, Any] | None = None,
    seal: Sequence[StreamKey] = (),
) -> Attestation:
    """Write an entry and prove it. person: {"subject", "text"}. seal: streams whose open segments are to be sealed before.

    Raises UsageError where the folder holds no recordings, LongwatchError where it cannot be written or published.
    """
    if not (volumes[0] / "volume.json").exists():
        raise UsageError(f"{volumes[0]} holds no recordings", remedy="has `longwatch run` run with these settings?")
    fields: dict[str, Any] = {"kind": kind, "body": body, "person": person, "seal": [list(key) for key in seal]}
    client = LinkClient(socket_path(volumes[0], "recorder"), "verb")
    try:
        await client.connect()
    except LongwatchError:
        return _made(await _here(volumes, fields))
    try:
        return _made(await client.request("attest", timeout_s=_PATIENCE_S, **fields))
    finally:
        await client.aclose()


async def _here(volumes: Sequence[Path], fields: dict[str, Any]) -> dict[str, Any]:
    """Opening the archive seals what a cut left open, as the recorder would."""
    from longwatch.archive import Archive, Options  # what a recorder is made of
    from longwatch.node.recorder.attest import Attesting

    clock = SystemClock()
    archive, report = await Archive.open(volumes, Options(), clock, boot_id())
    try:
        return await Attesting(archive, clock, {}, None).attest(fields)
    finally:
        await archive.close(orderly=report.orderly_stop)


def _made(answer: dict[str, Any]) -> Attestation:
    return Attestation(
        int(answer["seq"]), str(answer["entry"]), str(answer["proof"]), str(answer["checkpoint"]), str(answer["key"]),
        str(answer["fingerprint"]), tuple(StreamKey(*stream) for stream in answer.get("unsealed", ())),
    )  # fmt: skip
