"""A disk by hand: what it carries arrives whole and proven, whatever was done to it on the way; and nothing counts before the receipt."""

import errno
import hashlib
import os
import shutil
from dataclasses import replace
from pathlib import Path

import pyrage
import pytest
from tests.support.archive_case import GATE
from tests.support.courier_case import HubSide, Site
from tests.support.fleet_case import Ledger

from longwatch.base.errors import LongwatchError, UsageError
from longwatch.courier import DiskError, PackHead, Unpacker, form, packing, unpacking
from longwatch.fleet.answers import Doubt
from longwatch.ledger.checkpoint import parse_unverified
from longwatch.model.uplink import Held


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory):
    """A hub with its post enrolled, made once and copied by each test."""
    folder = tmp_path_factory.mktemp("courier")
    hub = HubSide(folder / "hub")
    site = Site(folder / "post", hub.identity.to_public())
    site.record(segments=4)
    hub.enrol(site)
    hub.close()
    return folder, hub.identity


@pytest.fixture
def hub(tmp_path: Path, ready):
    shutil.copytree(ready[0] / "hub", tmp_path / "hub")
    made = HubSide(tmp_path / "hub", identity=ready[1])
    yield made
    made.close()


@pytest.fixture
def site(tmp_path: Path, hub: HubSide, ready):
    shutil.copytree(ready[0] / "post", tmp_path / "post")
    return Site(tmp_path / "post", hub.identity.to_public())


@pytest.fixture
def disk(tmp_path: Path):
    folder = tmp_path / "disk"
    folder.mkdir()
    return folder


@pytest.fixture
def small_files(monkeypatch: pytest.MonkeyPatch):
    """Files of a few records, so that a small archive makes many."""
    monkeypatch.setattr(form, "FULL_BYTES", 6_000)


def pack_folder(disk: Path) -> Path:
    return next((disk / form.FOLDER).iterdir())


def test_what_is_packed_is_at_the_hub_and_the_receipt_confirms_it(site: Site, hub: HubSide, disk: Path, small_files):
    pack, packed = site.pack(disk)
    assert packed.segments == 4
    assert packed.files > 3
    assert packed.entries == site.log.logs("north")[0].size
    [done] = hub.unpack(disk)
    assert done.whole, done
    assert (done.files, len(done.taken)) == (packed.files, packed.files)
    assert done.new == done.objects > 0
    [back] = hub.receipts(disk, site)
    assert back.new
    assert set(back.segments) == {parcel.name for parcel in site.parcels()}
    site.travelling.keep_receipt(pack, back.receipt)
    [again] = hub.receipts(disk, site)
    assert not again.new, "the same receipt says nothing new"
    assert hub.fleet.log_rows("north")[0].verified == packed.entries


def test_nothing_on_the_disk_can_be_read_by_who_finds_it(site: Site, hub: HubSide, disk: Path):
    site.pack(disk)
    for path in pack_folder(disk).glob("*.age"):
        data = path.read_bytes()
        assert data.startswith(b"age-encryption.org/v1")
        assert b"gate" not in data
        with pytest.raises(pyrage.DecryptError):
            pyrage.decrypt(data, [pyrage.x25519.Identity.generate()])


def test_unpacked_twice_or_after_the_link_brought_some_is_the_same(site: Site, hub: HubSide, disk: Path, small_files):
    site.pack(disk)
    [first] = hub.unpack(disk)
    (pack_folder(disk) / form.RECEIPT_FILE).unlink()
    [second] = hub.unpack(disk)
    assert second.whole
    assert second.new == 0
    assert second.objects == first.objects
    assert second.taken == first.taken
    [third] = hub.unpack(disk)
    assert third.objects == 0, "our own receipt says that all of it is here"
    assert third.taken == first.taken


def test_a_disk_pulled_out_in_the_midst_is_gone_on_with(site: Site, hub: HubSide, disk: Path, small_files, monkeypatch):
    real, count = packing.write_whole, [0]

    def pulled(path: Path, data: bytes) -> None:
        count[0] += 1
        if count[0] == 4:
            path.with_name(path.name + ".part").write_bytes(data[: len(data) // 2])
            raise OSError(errno.EIO, "Input/output error")
        real(path, data)

    monkeypatch.setattr(packing, "write_whole", pulled)
    with pytest.raises(LongwatchError, match="put it back and run the same again"):
        site.pack(disk)
    [part] = hub.unpack(disk)
    assert part.taken
    assert not part.damaged, "what was whole is good by itself"
    pack, packed = site.pack(disk)
    assert pack.pack == "north-1"
    assert len(list((disk / form.FOLDER).iterdir())) == 1
    [done] = hub.unpack(disk)
    assert done.whole, done
    assert set(hub.receipts(disk, site)[0].segments) == {parcel.name for parcel in site.parcels()}
    assert packed.files == len(done.taken)


def test_a_file_that_went_missing_before_going_on_is_packed_again(
    site: Site, hub: HubSide, disk: Path, small_files, monkeypatch
):
    real, count = packing.write_whole, [0]

    def pulled(path: Path, data: bytes) -> None:
        count[0] += 1
        if count[0] == 5:
            raise OSError(errno.EIO, "Input/output error")
        real(path, data)

    monkeypatch.setattr(packing, "write_whole", pulled)
    with pytest.raises(LongwatchError):
        site.pack(disk)
    sorted(pack_folder(disk).glob("*.age"))[-1].write_bytes(b"torn")
    site.pack(disk)
    [done] = hub.unpack(disk)
    assert not done.refused
    assert set(hub.receipts(disk, site)[0].segments) == {parcel.name for parcel in site.parcels()}


@pytest.mark.slow
@pytest.mark.parametrize("harm", ["a changed byte", "torn", "gone", "another file's bytes", "rubbish", "empty"])
def test_a_harmed_file_costs_only_what_was_in_it_and_is_packed_again(
    site: Site, hub: HubSide, disk: Path, small_files, harm: str
):
    site.pack(disk)
    files = sorted(pack_folder(disk).glob("*.age"))
    victim = files[-2]
    data = victim.read_bytes()
    if harm == "gone":
        victim.unlink()
    else:
        changed = bytearray(data)
        changed[len(data) // 2] ^= 1
        victim.write_bytes(
            {
                "a changed byte": bytes(changed), "torn": data[:-100], "another file's bytes": files[0].read_bytes(),
                "rubbish": os.urandom(5000), "empty": b"",
            }[harm]
        )  # fmt: skip
    [done] = hub.unpack(disk)
    assert not done.whole
    assert victim.name in (done.missing if harm == "gone" else [name for name, _ in done.damaged])
    [back] = hub.receipts(disk, site)
    everything = {parcel.name for parcel in site.parcels()}
    assert set(back.segments) < everything
    missing = [parcel for parcel in site.parcels() if parcel.name not in back.segments]
    other = disk.parent / "second"
    other.mkdir()
    site.pack(other, "north-2", parcels=missing)
    [second] = hub.unpack(other)
    assert second.whole, second
    assert set(back.segments) | set(hub.receipts(other, site)[0].segments) == everything


def test_a_disk_for_another_hub_or_no_disk_of_ours_is_told_clearly(
    site: Site, hub: HubSide, disk: Path, tmp_path: Path
):
    with pytest.raises(DiskError, match="no folder longwatch-courier"):
        hub.unpack(disk)
    site.pack(disk)
    other = HubSide(tmp_path / "other", "station")
    try:
        with pytest.raises(DiskError, match="north-1 is for hq"):
            other.unpack(disk)
        head = PackHead.decode((pack_folder(disk) / form.PACK_FILE).read_bytes())
        (pack_folder(disk) / form.PACK_FILE).write_bytes(replace(head, hub="station").encode())
        site.hub = "station"
        other.enrol(site)
        [done] = other.unpack(disk)
        assert not done.taken
        assert len(done.damaged) == done.files
    finally:
        other.close()
    with pytest.raises(UsageError, match="not a folder"), packing.writing(disk / "not-there"):
        pass


def test_a_post_that_is_not_enrolled_or_was_revoked_brings_nothing(
    site: Site, hub: HubSide, disk: Path, tmp_path: Path
):
    stranger = Site(tmp_path / "stranger", hub.identity.to_public(), "south")
    stranger.record()
    stranger.pack(disk, "south-1")
    hub.fleet.revoke("north", "stolen")
    second = tmp_path / "second"
    second.mkdir()
    site.pack(second)
    for where, word in ((disk, "not enrolled"), (second, "revoked")):
        with pytest.raises(LongwatchError, match=word):
            hub.unpack(where)
        assert hub.receipts(where, site if where is second else stranger) == [], "and no receipt says otherwise"
    careless = Unpacker("hq", hub.identity, hub.fleet, hub.key.sign, hub.public, lambda: 1)
    [found] = careless.heads(second)
    done = careless.unpack(*found)
    assert not done.logs
    assert not done.whole, "the store refuses it too"
    assert hub.receipts(second, site)[0].segments == ()


def test_footage_that_does_not_lead_to_its_seal_is_refused_though_the_disk_is_well_made(
    site: Site, hub: HubSide, disk: Path
):
    """A post that lies, or somebody with its keys: the ledger is what counts."""
    packer = site.packer()
    pieces = packer._objects

    class Lying:
        def read(self, info, offset, size):
            data = bytearray(pieces.read(info, offset, size))
            if info.kind == "piece" and info.first_leaf:
                data[-1] ^= 1
            return bytes(data)

    real = site.parcels()

    def objects(parcel):
        return [
            replace(info, sha256=hashlib.sha256(Lying().read(info, 0, info.size)).digest()) for info in parcel.objects()
        ]

    packer._objects = Lying()
    with site.travelling.locked():
        pack = packer.begin(disk, 1, "north-1")
        packer.pack(disk, pack, [replace(one, objects=lambda one=one: objects(one)) for one in real], {}, None)
    [done] = hub.unpack(disk)
    assert not done.whole
    assert len(done.refused) == len(real)
    assert hub.receipts(disk, site)[0].segments == ()


def test_a_full_disk_is_said_and_another_goes_on(site: Site, hub: HubSide, disk: Path, small_files, monkeypatch):
    real = packing.write_whole
    used = [0]

    def full(path: Path, data: bytes) -> None:
        used[0] += len(data)
        if path.is_relative_to(disk) and used[0] > 20_000:
            raise OSError(errno.ENOSPC, "No space left on device")
        real(path, data)

    monkeypatch.setattr(packing, "write_whole", full)
    with pytest.raises(LongwatchError, match="it is full"):
        site.pack(disk)
    other = disk.parent / "second"
    other.mkdir()
    first = site.travelling.packs()[0]
    rest = [parcel for parcel in site.parcels() if parcel.name not in first.whole]
    site.pack(other, "north-2", parcels=rest)
    hub.unpack(disk)
    hub.unpack(other)
    found = {name for where in (disk, other) for back in hub.receipts(where, site) for name in back.segments}
    assert found == {parcel.name for parcel in site.parcels()}


@pytest.mark.slow
def test_a_hub_whose_disk_is_full_stops_and_goes_on_later(
    site: Site, hub: HubSide, disk: Path, small_files, monkeypatch
):
    site.pack(disk)
    real, count = hub.store.put, [0]

    def full(sha256: bytes, data: bytes) -> None:
        count[0] += 1
        if count[0] == 5:
            raise LongwatchError("an object cannot be stored", why="No space left on device")
        real(sha256, data)

    monkeypatch.setattr(hub.store, "put", full)
    with pytest.raises(LongwatchError, match="make room"):
        hub.unpack(disk)
    assert hub.receipts(disk, site)[0].receipt.files, "what was taken by then stands in a receipt"
    [done] = hub.unpack(disk)
    assert done.whole
    assert set(hub.receipts(disk, site)[0].segments) == {parcel.name for parcel in site.parcels()}


def test_a_receipt_is_believed_only_with_our_hubs_signature(site: Site, hub: HubSide, disk: Path):
    site.pack(disk)
    hub.unpack(disk)
    path = pack_folder(disk) / form.RECEIPT_FILE
    text = path.read_bytes()
    for forged in (text.replace(b'"refused": []', b'"refused": [[["x"],"y"]]'), b"{}", b"\xff", text[:-20]):
        path.write_bytes(forged)
        with pytest.raises(DiskError):
            hub.receipts(disk, site)
    path.write_bytes(text)
    assert hub.receipts(disk, site)


def test_a_limit_leaves_the_rest_for_another_disk(site: Site, hub: HubSide, disk: Path, small_files):
    sizes = [parcel.bytes for parcel in site.parcels()]
    pack, packed = site.pack(disk, limit=sum(sizes[:2]) + 25_000)
    assert 0 < packed.segments < 4
    assert packed.left == 4 - packed.segments
    assert pack.closed


def test_the_receipt_cannot_be_written_to_a_disk_that_is_locked(site: Site, hub: HubSide, disk: Path, monkeypatch):
    site.pack(disk)

    def locked(path: Path, data: bytes) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(unpacking, "write_whole", locked)
    [done] = hub.unpack(disk)
    assert done.receipt is None
    assert "Read-only" in done.problems[0]
    assert done.taken, "it is here all the same"


def test_the_notes_of_a_post_survive_a_line_that_a_cut_tore(site: Site, disk: Path, small_files):
    site.pack(disk)
    path = site.data / "courier" / "north-1.jsonl"
    before = site.travelling.packs()[0]
    path.write_bytes(path.read_bytes() + b'{"file": "0000')
    assert site.travelling.packs()[0] == before
    site.travelling.drop(before, "000001.age")
    assert "000001.age" not in site.travelling.packs()[0].files
    assert GATE.camera in {name[0] for name in before.parts}


def forged_pack(disk: Path, hub: HubSide, records: list[form.Record], name: str = "north-evil") -> Path:
    """A pack that somebody else made: whoever knows the hub's public key can."""
    head = PackHead(name, "north", hub.hub, 1, 1)
    folder = disk / form.FOLDER / name
    folder.mkdir(parents=True)
    (folder / form.PACK_FILE).write_bytes(head.encode())
    plain = form.beginning(head, 1) + b"".join(map(form.encode_record, records))
    (folder / form.file_name(1)).write_bytes(pyrage.encrypt(plain, [hub.identity.to_public()]))
    return folder


def test_who_finds_a_disk_writes_no_ledger_in_the_name_of_its_post(
    site: Site, hub: HubSide, disk: Path, tmp_path: Path
):
    """A new log with all of the old one in it, and one entry more, signed by a key that nobody knows."""
    site.pack(disk)
    hub.unpack(disk)
    head = site.log.logs("north")[-1]
    entries = site.log.entries("north", head.number, 0, head.size)
    origin = parse_unverified(head.note)[0].origin
    forger = Ledger(origin.split("/")[1], head.number + 1, origin.split("/")[2], list(entries))
    forger.add("gap_closed", {})
    records: list[form.Record] = [
        form.EntriesRecord("north", forger.number, head.size, forger.entries[head.size :]),
        form.HeadRecord("north", forger.number, forger.note(), forger.public),
    ]
    assert forger.origin.rpartition("/")[0] == origin.rpartition("/")[0]
    evil = tmp_path / "evil"
    forged_pack(evil, hub, records)
    (done,) = hub.unpack(evil)
    assert "known here" in done.damaged[0][1]
    assert [log.number for log in hub.fleet.log_rows("north")] == [head.number]
    assert hub.fleet.evidence() == []


def test_a_disk_that_was_on_its_way_while_the_link_went_on_is_taken_and_nobody_is_doubted(
    site: Site, hub: HubSide, disk: Path, small_files
):
    site.pack(disk)
    before = site.log.logs("north")[-1]
    site.record(segments=2)
    by_link(site, hub)
    assert hub.fleet.log_rows("north")[0].verified > before.size
    [done] = hub.unpack(disk)
    assert done.whole, done
    assert done.new > 0, "the footage counts"
    assert done.logs[before.number][0] == hub.fleet.log_rows("north")[0].verified
    assert hub.fleet.evidence() == [], "an old head on a disk is no roll-back"


def by_link(site: Site, hub: HubSide) -> None:
    """What a post in touch does."""
    for head in site.log.logs("north"):
        at = hub.fleet.cursor("north", head.number)
        while at < head.size:
            at = hub.fleet.take_entries("north", head.number, at, site.log.entries("north", head.number, at, head.size))
        assert isinstance(hub.fleet.take_head("north", head.number, head.note, head.key), Held)


@pytest.mark.parametrize("given", ["no head", "its head", "another at a number that is verified"])
def test_entries_that_somebody_else_wrote_on_a_disk_are_not_kept_and_not_held_against_the_post(
    site: Site, hub: HubSide, disk: Path, given: str
):
    by_link(site, hub)
    known = site.log.logs("north")[-1]
    site.record(segments=1)
    head = site.log.logs("north")[-1]
    origin = parse_unverified(head.note)[0].origin
    made_up = Ledger(
        "north", head.number, origin.split("/")[2], list(site.log.entries("north", head.number, 0, known.size))
    )
    while len(made_up.entries) < head.size:
        made_up.add("gap_closed", {})
    first = known.size if given != "another at a number that is verified" else known.size - 2
    if first < known.size:
        other = Ledger("north", head.number, origin.split("/")[2], made_up.entries[:first])
        other.add("gap_closed", {})
        made_up.entries[first] = other.entries[first]
    records: list[form.Record] = [form.EntriesRecord("north", head.number, first, made_up.entries[first:])]
    if given != "no head":
        records.append(form.HeadRecord("north", head.number, head.note, head.key))
    forged_pack(disk, hub, records)
    (done,) = hub.unpack(disk)
    assert len(done.damaged) == 1, done
    assert not done.taken
    assert not done.logs
    assert hub.fleet.cursor("north", head.number) == known.size, "nothing of it is kept"
    by_link(site, hub)
    assert hub.fleet.evidence() == []


def test_another_history_that_the_post_itself_signed_stands_against_it(
    site: Site, hub: HubSide, disk: Path, monkeypatch
):
    """The post's own key, on a disk: entries and head fit each other, and not what was verified."""
    origin = "longwatch/north/0123abcd/1"
    hub.fleet.add_post("north", "North", "02", origin, (true := Ledger("north", 1)).public)
    for n in range(4):
        true.add("gap_closed", {"n": n})
    true.tell(hub.fleet)
    other = Ledger("north", 1, entries=true.entries[:2], key=true.key)
    for n in range(4):
        other.add("gap_closed", {"other": n})
    head = form.HeadRecord("north", 1, other.note(), other.public)
    forged_pack(disk, hub, [form.EntriesRecord("north", 1, 0, other.entries), head])
    (done,) = hub.unpack(disk)
    assert not done.taken
    assert {row.doubt for row in hub.fleet.evidence()} == {Doubt.FORKED}


def test_entries_in_more_than_one_file_wait_for_the_head(site: Site, hub: HubSide, disk: Path, monkeypatch):
    """The disk is pulled before the file with the head: the files of its entries are read again."""
    monkeypatch.setattr(packing, "_ENTRIES_AT_ONCE", 2)
    monkeypatch.setattr(form, "FULL_BYTES", 600)
    monkeypatch.setattr(unpacking, "_IN_MEMORY_BYTES", 100)
    site.pack(disk)
    folder = pack_folder(disk)
    names = sorted(path.name for path in folder.glob("*.age"))
    for name in names[2:]:
        (folder / name).rename(disk / name)
    [part] = hub.unpack(disk)
    assert not part.taken
    assert {name for name, _ in part.damaged} == set(names[:2])
    for name in names[2:]:
        (disk / name).rename(folder / name)
    [done] = hub.unpack(disk)
    assert done.whole, done
    assert set(done.taken) == set(names)


def test_a_pipe_or_a_link_on_a_disk_keeps_nobody_waiting_and_leads_nowhere(
    site: Site, hub: HubSide, disk: Path, tmp_path: Path
):
    site.pack(disk)
    folder = pack_folder(disk)
    os.mkfifo(folder / form.file_name(99))
    os.mkfifo(folder / f"{form.RECEIPT_FILE}.part")
    outside = tmp_path / "outside"
    outside.mkdir()
    shutil.copy(folder / form.PACK_FILE, outside / form.PACK_FILE)
    (disk / form.FOLDER / "zz").symlink_to(outside)
    target = tmp_path / "target"
    (folder / form.RECEIPT_FILE).symlink_to(target)
    (done,) = hub.unpack(disk)
    assert [name for name, _ in done.damaged] == [form.file_name(99)]
    assert not target.exists()
    assert list(outside.iterdir()) == [outside / form.PACK_FILE]
    assert len(hub.receipts(disk, site)) == 1
    (folder / form.RECEIPT_FILE).unlink()
    os.mkfifo(folder / form.RECEIPT_FILE)
    with pytest.raises(LongwatchError):
        hub.receipts(disk, site)
