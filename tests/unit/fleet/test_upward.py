"""What a hub holds goes on to the hub above as the very objects that its post cut, and a third store proves them again."""

from pathlib import Path

import pytest
from tests.support.archive_case import FOR_EVER, GATE
from tests.support.courier_case import HubSide, Site

from longwatch.archive import ArchiveReader
from longwatch.archive.pieces import PieceSource
from longwatch.fleet.upward import Upward
from longwatch.model.uplink import Confirmed


@pytest.mark.slow
def test_the_same_objects_go_up_and_are_proven_there(tmp_path: Path):
    hub, top = HubSide(tmp_path / "hub"), HubSide(tmp_path / "top")
    site, disk = Site(tmp_path / "post", hub.identity.to_public()), tmp_path / "disk"
    disk.mkdir()
    site.record(segments=3)
    hub.enrol(site)
    top.enrol(site)
    site.pack(disk)
    assert hub.unpack(disk)[0].whole
    reader = ArchiveReader([site.data])
    pieces = PieceSource(reader, "north")
    segments = reader.segments(GATE, *FOR_EVER)
    source = Upward(hub.db, hub.store)
    for from_us, to_us in (
        (segments[0].wall_start_us, segments[-1].wall_end_us),
        (segments[1].wall_start_us + 10, segments[1].wall_start_us + 20),
        (segments[1].wall_end_us - 10, segments[2].wall_start_us + 10),
    ):
        wanted = [info for one in pieces.needed(GATE, from_us, to_us).stretches for info in pieces.objects(one)]
        assert wanted
        assert source.stretch("north", GATE, from_us, to_us) == wanted
    assert source.stretch("north", GATE, 0, segments[0].wall_start_us) == []
    assert source.stretch("south", GATE, *FOR_EVER) == []
    [head] = hub.fleet.logs("north")
    assert (
        top.fleet.take_entries("north", head.number, 0, hub.fleet.entries("north", head.number, 0, head.size))
        == head.size
    )
    top.fleet.take_head("north", head.number, head.note, head.key)
    for info in source.stretch("north", GATE, *FOR_EVER):
        assert top.fleet.begin_object(info) == 0
        for at in range(0, info.size, 1000):
            top.fleet.add_chunk(info.sha256, at, source.read(info, at, 1000))
        assert isinstance(top.fleet.finish_object(info), Confirmed)
    reader.close()
    hub.close()
    top.close()
