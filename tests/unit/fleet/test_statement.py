"""What a hub states of a post that does not return: counted from its verified ledger and from what is here, and proven by the hub's own ledger."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.support.archive_case import GATE, opened
from tests.support.evidence_case import record_post
from tests.support.fleet_case import RIDGE, Hub, Ledger, objects_of, send
from tests.unit.archive.test_restoring import ledger

from longwatch.accounts import at_the_post
from longwatch.archive import ArchiveReader
from longwatch.base.clock import ManualClock
from longwatch.base.errors import UsageError
from longwatch.fleet.statement import statement
from longwatch.ledger import kinds
from longwatch.ledger.proofs import parse_proof
from longwatch.node.issuing.reporting import check_report
from longwatch.node.issuing.statements import make_statement


@pytest.fixture
async def reader(tmp_path: Path) -> AsyncIterator[ArchiveReader]:
    await record_post(tmp_path / "data")
    made = ArchiveReader([tmp_path / "data"])
    yield made
    made.close()


@pytest.fixture
def told(hub: Hub, reader: ArchiveReader, tmp_path: Path) -> Hub:
    log = Ledger(entries=ledger([tmp_path / "data"]))
    log.enrol(hub.fleet)
    log.tell(hub.fleet)
    return hub


def of(hub: Hub, camera: str) -> dict[str, object]:
    found = next(stream for stream in statement(hub.fleet, RIDGE)["streams"] if stream["camera"] == camera)
    assert isinstance(found, dict)
    return found


def test_nothing_here_all_is_lost_but_what_existed_is_known(told: Hub, reader: ArchiveReader) -> None:
    gate = of(told, GATE.camera)
    rows = reader.segments(GATE, 0, 1 << 60)
    sums = gate["sums"]
    assert isinstance(sums, dict)
    assert sums["segments"] == len(rows)
    assert sums["recorded_us"] == sums["lost_us"] > 0
    assert (sums["safe_us"], gate["safe"]) == (0, [])
    assert gate["lost"] == gate["recorded"]


def test_what_came_is_safe_segment_by_segment_and_the_sums_add_up(told: Hub, reader: ArchiveReader) -> None:
    (row, *others) = reader.segments(GATE, 0, 1 << 60)
    assert others
    for info, data in objects_of(reader, GATE):
        if info.sequence == row.sequence:
            send(told.fleet, info, data)
    gate = of(told, GATE.camera)
    sums, listed = gate["sums"], gate["segments"]
    assert isinstance(sums, dict)
    assert isinstance(listed, list)
    assert {each["state"] for each in listed} == {"safe", "lost"}
    assert sums["safe_us"] > 0 < sums["lost_us"]
    assert sums["safe_us"] + sums["lost_us"] + sums["removed_us"] == sums["recorded_us"]
    safe = [each for each in listed if each["state"] == "safe"]
    assert sums["safe_us"] == sum(each["to_us"] - each["from_us"] for each in safe)
    for info, data in objects_of(reader, GATE):
        send(told.fleet, info, data)
    assert of(told, GATE.camera)["lost"] == []


def test_of_a_post_that_nobody_knows_or_that_never_spoke_nothing_is_stated(hub: Hub) -> None:
    with pytest.raises(UsageError, match="no post"):
        statement(hub.fleet, "nobody")
    Ledger().enrol(hub.fleet)
    with pytest.raises(UsageError, match="ever verified"):
        statement(hub.fleet, RIDGE)


async def test_it_is_proven_by_the_hubs_own_ledger_and_a_changed_word_is_found(told: Hub, tmp_path: Path) -> None:
    own = tmp_path / "own"
    async with opened([own]):
        pass
    zipped, entry = await make_statement(
        told.fleet, RIDGE, {"id": "hq", "name": "HQ"}, bytes(32), [own], ManualClock(), at_the_post().person("lost")
    )
    out = tmp_path / "ridge.zip"
    out.write_bytes(zipped)
    checked = check_report(out, None)
    assert (checked.problems, checked.entry) == ((), entry)
    with zipfile.ZipFile(io.BytesIO(zipped)) as package:
        files = {name: package.read(name) for name in package.namelist()}
    said = json.loads(files["statement.json"])
    assert said["logs"][-1]["checkpoint"].startswith("longwatch/ridge/")
    assert b"What is lost" in files["statement.html"]
    assert json.loads(parse_proof(files["statement.tlog-proof"].decode()).extra)["kind"] == kinds.STATEMENT_MADE
    with zipfile.ZipFile(out, "w") as package:
        for name, content in files.items():
            package.writestr(name, content.replace(b'"lost_us":', b'"lost_uS":'))
    assert any("statement.json" in problem for problem in check_report(out, None).problems)
