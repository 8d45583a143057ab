"""Where objects are kept: a folder or a bucket, by the same calls."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.bucket import Bucket, bucket

from longwatch.base import secrets
from longwatch.base.errors import LongwatchError, UsageError
from longwatch.fleet import ObjectStore

DATA = bytes(range(256)) * 40
NAME = hashlib.sha256(DATA).digest()


@pytest.fixture
def pail() -> Iterator[Bucket]:
    with bucket() as running:
        yield running


@pytest.fixture(params=["folder", "bucket"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ObjectStore:
    if request.param == "folder":
        return ObjectStore(tmp_path / "media", tmp_path / "spool")
    running: Bucket = request.getfixturevalue("pail")
    return ObjectStore(f"s3://key:hunter3yy@media/north?endpoint={running.address}&region=x", tmp_path / "spool")


def test_what_is_put_is_read_whole_and_in_parts_until_it_is_removed(store: ObjectStore) -> None:
    store.put(NAME, DATA)
    store.put(NAME, DATA)
    assert store.read_all(NAME) == DATA
    assert store.read(NAME, 100, 1_000) == DATA[100:1_100]
    assert store.read(NAME, 0, 0) == b""
    store.remove(NAME)
    store.remove(NAME)
    for ask in (lambda: store.read(NAME, 0, 1), lambda: store.read_all(NAME)):
        with pytest.raises(LongwatchError, match="cannot be read"):
            ask()


def test_a_folder_is_flushed_up_to_its_top_before_it_is_answered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = ObjectStore(tmp_path / "media", tmp_path / "spool")
    flushed: list[str] = []
    fsync = os.fsync

    def noted(descriptor: int) -> None:
        flushed.append(os.readlink(f"/proc/self/fd/{descriptor}"))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", noted)
    store.put(NAME, DATA)
    path = tmp_path / "media" / store.path(NAME)
    assert flushed[0].startswith(str(path))
    assert flushed[0].endswith(".new"), "the bytes, before they have their name"
    assert flushed[1:] == [str(path.parent), str(path.parents[1]), str(path.parents[2]), str(tmp_path / "media")]
    assert sorted(p for p in (tmp_path / "media").rglob("*") if p.is_file()) == [path]


def test_a_bucket_that_refuses_is_an_error_without_its_secret(pail: Bucket, tmp_path: Path) -> None:
    store = ObjectStore(f"s3://key:hunter3yy@media?endpoint={pail.address}", tmp_path / "spool")
    pail.failing = 403
    with pytest.raises(LongwatchError, match="cannot be stored") as failed:
        store.put(NAME, DATA)
    assert "hunter3yy" not in str(failed.value)
    assert "hunter3yy" not in secrets.scrub(f"s3://key:hunter3yy@media?endpoint={pail.address}")
    pail.failing = None
    store.put(NAME, DATA)
    assert list(pail.objects) == [f"/media/objects/{NAME.hex()[:2]}/{NAME.hex()[2:4]}/{NAME.hex()}"]
    assert store.space() is None


@pytest.mark.parametrize("where", ["s3://", "gs://bucket", "s3://b?endpint=x", "http://host/x"])
def test_what_is_no_place_is_refused_with_the_remedy(where: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as failed:
        ObjectStore(where, tmp_path / "spool")
    assert "s3://bucket" in failed.value.remedy


def test_the_spool_takes_what_follows_and_forgets_what_nobody_goes_on_with(tmp_path: Path) -> None:
    store = ObjectStore(tmp_path / "media", tmp_path / "spool")
    assert store.add(NAME, 10, b"x") == 0
    assert store.add(NAME, 0, b"abc") == 3
    assert store.add(NAME, 1, b"bcd") == 4
    assert store.spooled_bytes(NAME) == b"abcd"
    assert store.sweep(time.time() - 60) == 0
    assert store.sweep(time.time() + 60) == 1
    assert store.spooled(NAME) == 0
    assert (tmp_path / "spool").stat().st_mode & 0o777 == 0o700
    free, whole = store.space() or (0, 0)
    assert 0 < free <= whole
