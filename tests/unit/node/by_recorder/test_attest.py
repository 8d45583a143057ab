"""What leaves the post is proven by the ledger: by the recorder that runs, or by a verb alone."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from tests.support.wait import until
from tests.unit.node.recorder.test_process import NumberSource, camera, running, status

from longwatch.archive import ArchiveReader
from longwatch.base.errors import LongwatchError, UsageError
from longwatch.ledger import leaf_hash, proofs
from longwatch.ledger.checkpoint import fingerprint, parse_public_key
from longwatch.model.sessions import StreamKey
from longwatch.node.by_recorder.attest import Attestation, attest
from longwatch.node.link import LinkClient, socket_path
from longwatch.node.recorder import streams as recorder_streams

GATE = StreamKey("gate", "main")
PERSON = {"subject": 0, "text": '{"reason":"asked by the police","user":"ida"}'}


@pytest.fixture(autouse=True)
def sources(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorder_streams, "RtspSource", NumberSource)
    NumberSource.attempts = {}
    NumberSource.begin = lambda _camera, _attempt: ""


def holds(made: Attestation) -> dict[str, Any]:
    """What the entry says, once its proof holds by nothing but its own parts."""
    key = parse_public_key(made.key)
    assert made.fingerprint == fingerprint(key)
    proof = proofs.parse_proof(made.proof)
    assert proof.index == made.seq
    assert proof.checkpoint == made.checkpoint
    head = proofs.verify_proof(proof, leaf_hash(made.entry.encode()), key)
    assert head.size > made.seq
    entry: dict[str, Any] = json.loads(made.entry)
    assert entry["seq"] == made.seq
    return entry


def entries(folder: Path) -> list[dict[str, Any]]:
    reader = ArchiveReader([folder / "data"])
    try:
        return [json.loads(row.entry) for row in reader.entries(0, 1000)]
    finally:
        reader.close()


@pytest.mark.slow
async def test_what_is_open_is_sealed_before_the_entry_and_the_entry_is_proven(tmp_path: Path) -> None:
    async with running(tmp_path, camera("gate")) as recorder:

        async def records() -> bool:
            return bool((await status(recorder))["streams"][0]["recording"])

        await until(records, "it records")
        body = {"from_us": 1, "to_us": 2, "files": {"report.html": "ab" * 32}}
        made = await attest([tmp_path / "data"], "report_made", body, PERSON, [GATE])
        entry = holds(made)
        assert made.unsealed == ()
        assert {name: entry["body"][name] for name in body} == body
        assert "ida" not in made.entry
        assert entry["body"]["person"]["subject"] == 0
        before = [e["kind"] for e in entries(tmp_path)[: made.seq]]
        assert "segment_sealed" in before
        said = (await status(recorder))["ledger"]
        assert said["published"] > made.seq
        assert said["fingerprint"] == made.fingerprint


async def test_a_verb_alone_proves_it_as_well_and_the_log_goes_on(tmp_path: Path) -> None:
    async with running(tmp_path, camera("gate")) as recorder:
        await until(lambda: recorder.ticks.count > 1, "it ticks")
    first = await attest([tmp_path / "data"], "export_made", {"begun": 1, "manifest_sha256": "00"}, PERSON)
    second = await attest([tmp_path / "data"], "export_made", {"begun": 1, "manifest_sha256": "01"}, PERSON)
    assert holds(second)["seq"] > holds(first)["seq"]
    assert first.fingerprint == second.fingerprint


async def test_what_is_asked_wrongly_is_refused_and_nothing_written(tmp_path: Path) -> None:
    async with running(tmp_path, camera("gate")):
        size = len(entries(tmp_path))
        for kind, body, seal in (
            ("segment_sealed", {}, ()),
            ("report_made", {"text": "x" * 70_000}, ()),
        ):
            with pytest.raises(LongwatchError) as refused:
                await attest([tmp_path / "data"], kind, body, PERSON, seal)
            assert refused.value.exit_code == 2
        client = LinkClient(socket_path(tmp_path / "data", "recorder"), "verb")
        await client.connect()
        for fields in ({"kind": "report_made"}, {"kind": "report_made", "body": {}, "seal": [["gate"]]}):
            with pytest.raises(LongwatchError):
                await client.request("attest", **fields)
        assert not any(e["kind"] == "report_made" for e in entries(tmp_path)[size:])
        described = await client.request("publish")
        assert described["published"] >= size
        await client.aclose()
    with pytest.raises(UsageError):
        await attest([tmp_path / "nothing"], "report_made", {})


async def test_a_stream_without_a_file_or_without_a_name_holds_nothing_up(tmp_path: Path) -> None:
    async with running(tmp_path, camera("gate", never=True)):
        made = await asyncio.wait_for(
            attest([tmp_path / "data"], "report_made", {}, PERSON, [GATE, StreamKey("none", "main")]), 10
        )
        assert holds(made)
