"""Polygons on a picture: which are taken, and what is said of the others."""

import pytest

from longwatch.model.areas import area, areas_of, wrong_with

SQUARE = [(0.1, 0.1), (0.4, 0.1), (0.4, 0.4), (0.1, 0.4)]


def test_a_square_and_a_star_with_corners_inside_are_taken():
    assert wrong_with(SQUARE) == ""
    assert area(SQUARE) == pytest.approx(0.09)
    assert wrong_with([(0.5, 0), (0.6, 0.4), (1, 0.5), (0.6, 0.6), (0.5, 1), (0.4, 0.6), (0, 0.5), (0.4, 0.4)]) == ""


@pytest.mark.parametrize(
    ("points", "said"),
    [
        (SQUARE[:2], "3 to 32 points"),
        ([(n / 40, (n % 2) / 10) for n in range(33)], "3 to 32 points"),
        ([(0, 0), (1.1, 0), (1, 1)], "outside the picture"),
        ([(0, 0), (float("nan"), 0), (1, 1)], "outside the picture"),
        ([(0, 0), (0, 0), (1, 1)], "the same"),
        ([(0, 0), (1, 1), (1, 0), (0, 1)], "cross each other"),
        ([(0, 0), (1, 0), (0.5, 0), (0.5, 1)], "cross each other"),
        ([(0, 0), (1, 0), (0.5, 0.0)], "cross each other"),
        ([(0, 0), (0.01, 0), (0, 0.01)], "next to nothing"),
    ],
)
def test_what_is_wrong_is_said(points: list[tuple[float, float]], said: str):
    assert said in wrong_with(points)


def test_named_polygons_become_areas():
    (only,) = areas_of({"window": [[0, 0], [1, 0], [1, 1]]})
    assert only.name == "window"
    assert only.points == ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0))
