"""Packages made to hurt whoever opens them: nothing is read outside, nothing is unpacked, nothing is believed."""

from __future__ import annotations

import hashlib
import os
import random
import struct
import zipfile
from pathlib import Path

import pytest
from tests.support.evidence_case import run_check, write_zip

from longwatch.base.errors import LongwatchError
from longwatch.evidence import is_package, layout, verify_package
from longwatch.evidence.reading import PackageReader


def _zip(path: Path, *members: tuple[zipfile.ZipInfo | str, bytes], kind: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", kind) as zipped:
        for name, data in members:
            zipped.writestr(name, data)
    return path


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        "../x", "a/../x", "/etc/passwd", "a//b", "./a", ".hidden", "a/.b", "a\\b", "C:x", "x" * 200, "a/b/c/d/e", "ä",
        "a\nb", "a b", "", "CON/..",
    ],
)  # fmt: skip
def test_names_that_no_package_has_are_strange_and_never_opened(tmp_path: Path, name: str):
    with PackageReader(_zip(tmp_path / "p.zip", (zipfile.ZipInfo(name), b"x"))) as reader:
        assert reader.names == set()
        assert [each for each, _ in reader.strange] == [name]
    assert not verify_package(tmp_path / "p.zip").ok
    assert run_check(tmp_path / "p.zip")[0] == 1


def test_a_name_that_stands_twice_is_blamed_and_the_first_one_stays(tmp_path: Path):
    with pytest.warns(UserWarning, match="Duplicate"):
        _zip(tmp_path / "p.zip", ("manifest.json", b"one"), ("manifest.json", b"two"))
    with PackageReader(tmp_path / "p.zip") as reader:
        assert reader.read("manifest.json") == b"one"
        assert reader.strange == [("manifest.json", "stands twice")]


def test_what_claims_to_be_far_more_than_it_is_is_not_opened(tmp_path: Path):
    bomb = _zip(tmp_path / "p.zip", ("manifest.json", bytes(50 << 20)), kind=zipfile.ZIP_DEFLATED)
    assert bomb.stat().st_size < 100_000
    with PackageReader(bomb) as reader:
        assert reader.names == set()
    assert run_check(bomb)[0] == 1


def test_a_link_in_a_zip_or_a_folder_is_not_followed(tmp_path: Path):
    (tmp_path / "secret").write_text("hunter2zz")
    link = zipfile.ZipInfo("manifest.json")
    link.external_attr = 0o120777 << 16
    with PackageReader(_zip(tmp_path / "p.zip", (link, str(tmp_path / "secret").encode()))) as reader:
        assert reader.names == set()
    folder = tmp_path / "folder"
    (folder / "ledger").mkdir(parents=True)
    (folder / "manifest.json").symlink_to(tmp_path / "secret")
    (folder / "segments").symlink_to(tmp_path, target_is_directory=True)
    os.mkfifo(folder / "ledger" / "leaves")
    with PackageReader(folder) as reader:
        assert reader.names == set()
        assert {name for name, _ in reader.strange} == {"manifest.json", "segments", "ledger/leaves"}
    assert "hunter2zz" not in "".join(run_check(folder)[1])


def test_lengths_beyond_the_file_are_cut(tmp_path: Path):
    path = _zip(tmp_path / "p.zip", ("manifest.json", b"x" * 100))
    data = bytearray(path.read_bytes())
    at = data.index(b"PK\1\2")
    data[at + 20 : at + 28] = struct.pack("<II", 1 << 31, 1 << 31)
    path.write_bytes(data)
    with PackageReader(path) as reader:
        assert reader.size("manifest.json") < len(data)
        with pytest.raises(ValueError, match="too many"):
            PackageReader.read(_Large(reader), "manifest.json")


class _Large(PackageReader):
    """A reader whose files say that they are far longer."""

    def __init__(self, reader: PackageReader) -> None:
        self._at = {name: type(place)(place.path, place.begin, 1 << 40) for name, place in reader._at.items()}
        self._open = None
        self._inflated = {}


@pytest.mark.slow
def test_what_is_compressed_is_read_forwards_backwards_and_in_parts(tmp_path: Path):
    rng = random.Random(2)
    content = b"".join(rng.randbytes(300) + bytes(200) for _ in range(9000))
    path = _zip(tmp_path / "p.zip", ("a", content), ("b", content[::-1]), kind=zipfile.ZIP_DEFLATED)
    with PackageReader(path) as reader:
        assert reader.sha256("a") == hashlib.sha256(content).digest()
        for _ in range(200):
            name, at, size = rng.choice("ab"), rng.randrange(len(content)), rng.randrange(1 << 18)
            whole = content if name == "a" else content[::-1]
            assert reader.read(name, at, size) == whole[at : at + size]


def test_a_compressed_file_that_is_broken_or_lies_about_its_length_is_short(tmp_path: Path):
    content = random.Random(2).randbytes(300_000)
    path = _zip(tmp_path / "p.zip", ("a", content), kind=zipfile.ZIP_DEFLATED)
    data = bytearray(path.read_bytes())
    data[150_000] ^= 0xFF
    path.write_bytes(data)
    with PackageReader(path) as reader:
        assert reader.sha256("a") != hashlib.sha256(content).digest()
    at = data.index(b"PK\1\2")
    data[at + 24 : at + 28] = struct.pack("<I", 900_000)
    path.write_bytes(data)
    with PackageReader(path) as reader:
        assert reader.size("a") == 900_000
        assert len(b"".join(reader.chunks("a"))) <= 300_000


def test_a_directory_that_is_far_too_long_is_not_read(tmp_path: Path):
    path = _zip(tmp_path / "p.zip", ("manifest.json", b"x"))
    data = bytearray(path.read_bytes())
    at = data.rindex(b"PK\5\6")
    data[at + 12 : at + 16] = struct.pack("<I", 0xFFFFFFF0)
    path.write_bytes(data)
    with pytest.raises(LongwatchError, match="cannot be read"):
        PackageReader(path)


@pytest.mark.parametrize("data", [b"", b"PK", b"PK\5\6" + bytes(18), b"x" * 5000, b"PK\5\6" + b"\xff" * 18])
def test_what_is_no_zip_fails_in_words(tmp_path: Path, data: bytes):
    path = tmp_path / "p.zip"
    path.write_bytes(data)
    verdict = verify_package(path)
    assert not verdict.ok
    assert run_check(path)[0] == 1


def test_a_data_folder_is_no_package(tmp_path: Path):
    assert not is_package(tmp_path)
    (tmp_path / "manifest.json").write_text("{}")
    assert is_package(tmp_path)
    assert is_package(write_zip(tmp_path / "p.zip", {}))


def test_the_names_of_our_own_files_are_names():
    own = [
        value for name, value in vars(layout).items() if name.isupper() and isinstance(value, str) and name != "KIND"
    ]
    assert own
    assert all(
        map(layout.is_name, [*own, layout.entry_name(1), layout.proof_name(2), layout.segment_name("a_b-1.mp4")])
    )
