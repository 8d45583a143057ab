"""What a hub holds against what its database says: missing, short, changed; and ledgers that do not lead to their heads."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa
from tests.support.archive_case import GATE
from tests.support.fleet_case import Hub, Ledger, objects_of, send
from tests.unit.archive.test_restoring import ledger

from longwatch.archive import ArchiveReader
from longwatch.fleet.checking import Checked, check_ledgers, check_objects
from longwatch.fleet.schema import entries


@pytest.fixture
def held(hub: Hub, recorded: Path) -> Hub:
    """A hub that holds a camera of a post."""
    reader = ArchiveReader([recorded])
    log = Ledger(entries=ledger([recorded]))
    log.enrol(hub.fleet)
    log.tell(hub.fleet)
    for info, data in objects_of(reader, GATE):
        send(hub.fleet, info, data)
    reader.close()
    return hub


def found(hub: Hub, *, whole: bool = False) -> list[str]:
    return [fault.kind for fault in check_objects(hub.fleet, hub.store, Checked(), whole=whole)]


def test_what_is_there_is_there_and_what_is_not_is_said(held: Hub) -> None:
    checked = Checked()
    assert list(check_objects(held.fleet, held.store, checked, whole=True)) == []
    assert checked.objects > 3
    assert found(held) == []
    if held.store.folder is None:
        return
    first, second, third = sorted(path for path in (held.store.folder / "objects").rglob("*") if path.is_file())[:3]
    data = bytearray(first.read_bytes())
    data[len(data) // 2] ^= 1
    first.write_bytes(data)
    second.write_bytes(second.read_bytes()[:-1])
    third.unlink()
    assert sorted(found(held)) == ["object_missing", "object_missing"], "lengths alone"
    assert sorted(found(held, whole=True)) == ["object_changed", "object_changed", "object_missing"]


def test_a_ledger_that_was_changed_in_the_database_does_not_lead_to_its_head(held: Hub) -> None:
    checked = Checked()
    assert list(check_ledgers(held.fleet, checked)) == []
    assert checked.entries > 3
    with held.db.write() as db:
        db.execute(sa.delete(entries).where(entries.c.seq == checked.entries - 1))
    [fault] = check_ledgers(held.fleet, Checked())
    assert (fault.kind, fault.post) == ("ledger_broken", "ridge")
