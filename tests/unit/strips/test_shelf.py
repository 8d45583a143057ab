"""The shelf believes nothing that a cut left, and what is removed is gone from the disk."""

from __future__ import annotations

import zlib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from longwatch.strips import Shelf
from longwatch.strips.shelf import DAY_US, day_name

DAY = 20_000
T0 = DAY * DAY_US
S = 1_000_000


def jpeg(n: int) -> bytes:
    return b"\xff\xd8" + bytes((n * 7 + k) % 251 + 1 for k in range(400 + 13 * n)) + b"\xff\xd9"


def filled(folder: Path, count: int = 8) -> Shelf:
    shelf = Shelf(folder)
    for n in range(count):
        shelf.add("gate", T0 + n * 10 * S, jpeg(n), n % 2)
    return shelf


def shown(shelf: Shelf) -> dict[int, bytes]:
    """What a reader gets, by number of the moment; what it cannot believe is left out."""
    found = shelf.between("gate", T0 - DAY_US, T0 + DAY_US)
    return {
        (one.at_us - T0) // (10 * S): data for one, data in zip(found, shelf.read("gate", found), strict=True) if data
    }


def files(folder: Path) -> tuple[Path, Path]:
    return folder / "gate" / f"{day_name(DAY)}.idx", folder / "gate" / f"{day_name(DAY)}.jpgs"


def test_what_is_put_there_comes_back_by_time(tmp_path: Path):
    shelf = Shelf(tmp_path)
    for n in (3, 1, 2):
        shelf.add("gate", T0 + n * S, jpeg(n), 0)
    shelf.add("gate", T0 - S, jpeg(9), 1)
    found = shelf.between("gate", T0 - DAY_US, T0 + 3 * S)
    assert [one.at_us - T0 for one in found] == [-S, S, 2 * S]
    assert shelf.read("gate", found) == [jpeg(9), jpeg(1), jpeg(2)]
    assert shelf.days("gate") == [DAY - 1, DAY]
    assert shelf.cameras() == ["gate"]
    assert Shelf(tmp_path).read("gate", found) == [jpeg(9), jpeg(1), jpeg(2)]
    assert day_name(DAY) == "2024-10-04"


def test_what_was_never_there(tmp_path: Path):
    shelf = Shelf(tmp_path / "none")
    assert (shelf.cameras(), shelf.days("gate"), shelf.between("gate", 0, T0)) == ([], [], [])
    assert shelf.remove("gate", DAY, 0, T0) == 0
    assert not shelf.remove_day("gate", DAY)


@pytest.mark.parametrize("camera", ["..", "../gate", "/etc", "a/b", "", "Gate", "x" * 41])
def test_a_name_that_is_no_slug_reaches_no_file(tmp_path: Path, camera: str):
    with pytest.raises(ValueError, match="no camera"):
        Shelf(tmp_path).add(camera, T0, jpeg(1), 0)
    with pytest.raises(ValueError, match="no camera"):
        Shelf(tmp_path).of_day(camera, DAY)


@pytest.mark.slow
@settings(
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture], max_examples=100, deadline=None
)
@given(st.integers(0, 8 * 32 + 40), st.integers(0, 5_000), st.booleans(), st.booleans(), st.integers(0, 7))
def test_whatever_a_cut_left_no_picture_is_wrong_and_the_next_one_stands(
    tmp_path: Path,
    index_bytes: int,
    media_bytes: int,
    index_zeros: bool,
    media_zeros: bool,
    removed: int,
) -> None:
    folder = tmp_path / str(abs(hash((index_bytes, media_bytes, index_zeros, media_zeros, removed))))
    shelf = filled(folder)
    if removed:
        shelf.remove("gate", DAY, T0 + removed * 10 * S, T0 + removed * 10 * S + 1)
    for path, size, zeros in zip(files(folder), (index_bytes, media_bytes), (index_zeros, media_zeros), strict=True):
        data = path.read_bytes()
        path.write_bytes(data[:size] + (bytes(len(data[size:])) if zeros else b""))
    after = Shelf(folder)
    assert all(data == jpeg(n) for n, data in shown(after).items())
    before = shown(after)
    after.add("gate", T0 + 1_000 * S, jpeg(3), 0)
    after.add("gate", T0 + 1_010 * S, jpeg(4), 0)
    now = shown(Shelf(folder))
    assert {100: jpeg(3), 101: jpeg(4)}.items() <= now.items()
    assert all(data == jpeg(n) for n, data in now.items() if n < 100)
    assert set(now) - {100, 101} <= set(before)
    for path in files(folder):
        path.unlink()


def test_a_picture_whose_bytes_were_lost_in_the_midst_is_not_shown(tmp_path: Path):
    shelf = filled(tmp_path, 60)
    _, media = files(tmp_path)
    data = bytearray(media.read_bytes())
    at = next(one for one in shelf.between("gate", T0, T0 + DAY_US) if one.at_us == T0 + 20 * S)
    data[at.offset : at.offset + at.size] = bytes(at.size)
    media.write_bytes(data)
    after = Shelf(tmp_path)
    after.add("gate", T0 + 1_000 * S, jpeg(3), 0)
    assert 2 not in shown(after)
    assert len(shown(after)) == 60


def test_what_is_removed_is_gone_from_the_disk(tmp_path: Path):
    shelf = filled(tmp_path)
    assert shelf.remove("gate", DAY, T0 + 20 * S, T0 + 50 * S) == 3
    assert sorted(shown(shelf)) == [0, 1, 5, 6, 7]
    data = files(tmp_path)[1].read_bytes()
    assert all(jpeg(n) not in data for n in (2, 3, 4))
    assert all(zlib.crc32(jpeg(n)).to_bytes(4, "little") not in files(tmp_path)[0].read_bytes() for n in (2, 3, 4))
    assert shelf.remove("gate", DAY, T0, T0 + DAY_US, stream=1) == 3
    assert sorted(shown(shelf)) == [0, 6]
    shelf.add("gate", T0 + 1_000 * S, jpeg(3), 0)
    assert shown(Shelf(tmp_path))[100] == jpeg(3)
    assert shelf.remove_day("gate", DAY)
    assert list(tmp_path.iterdir()) == []


def test_removing_at_the_end_and_going_on(tmp_path: Path):
    filled(tmp_path).remove("gate", DAY, T0 + 60 * S, T0 + DAY_US)
    shelf = Shelf(tmp_path)
    shelf.add("gate", T0 + 1_000 * S, jpeg(3), 0)
    assert sorted(shown(Shelf(tmp_path))) == [0, 1, 2, 3, 4, 5, 100]


def test_one_picture_a_step_the_first(tmp_path: Path):
    shelf = Shelf(tmp_path)
    for n in (112, 100, 130, 119, 300):
        shelf.add("gate", T0 + n * S, jpeg(n % 9), 0)
    shelf.add("gate", T0 - 3 * S, jpeg(1), 0)

    def seconds(step: int, from_us: int = T0 - S) -> list[int]:
        return [(one.at_us - T0) // S for one in shelf.by_step("gate", from_us, T0 + DAY_US, step * S)]

    assert seconds(10) == [100, 112, 130, 300]
    assert seconds(10, T0 - 10 * S) == [-3, 100, 112, 130, 300]
    assert seconds(86_400) == [100]
    assert seconds(7 * 86_400, T0 - 10 * S) == [-3]
    shelf.remove("gate", DAY, T0 + 100 * S, T0 + 101 * S)
    assert seconds(10) == [112, 130, 300]
    assert shelf.of_day("gate", DAY).first_us(0) == T0 + 112 * S
    assert shelf.of_day("gate", DAY).first_us(1) is None
    shelf.add("gate", T0 + 50 * S, jpeg(5), 1)
    assert shelf.of_day("gate", DAY).first_us(1) == T0 + 50 * S
    assert seconds(10)[0] == 50
    shelf.remove("gate", DAY, T0, T0 + DAY_US)
    assert shelf.of_day("gate", DAY).is_empty
