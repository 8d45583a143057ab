"""What an order may be, the files it comes to, and how far it is said to be."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longwatch.base.errors import UsageError
from longwatch.exports import Kind, Order, Progress, file_name, parts_of
from longwatch.exports.progress import advanced

T0 = 1_767_225_600_000_000
DAY_US = 86_400_000_000
MINUTE_US = 60_000_000


def order(kind: Kind = Kind.VIDEO, **more: object) -> Order:
    given = {"cameras": ("gate",), "stream": "main", "from_us": T0, "to_us": T0 + MINUTE_US, "every_us": None, **more}
    return Order(kind, **given)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "wrong",
    [
        {"cameras": ()},
        {"cameras": ("../etc",)},
        {"cameras": tuple(f"c{n}" for n in range(33))},
        {"to_us": T0},
        {"to_us": T0 + 32 * DAY_US},
        {"every_us": 1_000_000},
        {"kind": Kind.TIMELAPSE},
        {"kind": Kind.TIMELAPSE, "every_us": 1},
        {"kind": Kind.TIMELAPSE, "every_us": 40_000, "to_us": T0 + DAY_US},
        {"cameras": tuple(f"c{n}" for n in range(32)), "to_us": T0 + 3 * DAY_US},
    ],
)
def test_an_order_that_cannot_be_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        order(**wrong)  # type: ignore[arg-type]


@given(st.integers(1, 20 * 24 * 60), st.integers(1, 3))
def test_parts_tile_the_stretch_for_each_camera_and_none_is_longer_than_a_day(minutes: int, cameras: int) -> None:
    one = order(cameras=tuple(f"c{n}" for n in range(cameras)), to_us=T0 + minutes * MINUTE_US)
    for camera, parts in itertools.groupby(parts_of(one), key=lambda part: part.camera):
        edges = [(part.from_us, part.to_us) for part in parts]
        assert (edges[0][0], edges[-1][1]) == (one.from_us, one.to_us), camera
        assert all(a[1] == b[0] for a, b in itertools.pairwise(edges))
        assert all(0 < b - a <= DAY_US for a, b in edges)
    names = [file_name(one, part) for part in parts_of(one)]
    assert len(set(names)) == len(names)


def test_a_time_lapse_is_one_film_however_long() -> None:
    film = order(Kind.TIMELAPSE, every_us=600_000_000, to_us=T0 + 90 * DAY_US)
    assert len(parts_of(film)) == 1
    assert file_name(film, parts_of(film)[0]) == "gate-main-20260101T000000Z-20260401T000000Z-timelapse.mp4"


STEPS = [
    ("ledger", 1, 2),
    ("segments", 1, 4),
    ("segments", 4, 4),
    ("video", 10, 100),
    ("video", 100, 100),
    ("proofs", 1, 9),
    ("check", 1, 1),
]


def test_progress_never_goes_back_and_ends_at_the_whole() -> None:
    now, seen = Progress(0, 2), []
    for file in range(2):
        now = Progress(file, 2, part=file / 2)
        for n, step in enumerate(STEPS):
            now = advanced(now, step, 2.0 + n, 0.0, package=True)
            seen.append(now.part)
    assert seen == sorted(seen)
    assert seen[-1] == 1.0


def test_the_time_left_comes_from_what_was_done_in_this_process() -> None:
    resumed = advanced(Progress(1, 2, part=0.5), ("video", 50, 100), 10.0, 0.5, package=False)
    assert resumed.seconds_left == pytest.approx(10.0 * (1 - resumed.part) / (resumed.part - 0.5))
    assert advanced(Progress(0, 1), ("video", 1, 1_000_000), 0.1, 0.0, package=False).seconds_left is None
