"""Polygons as rows of pixels: never a pixel less than the polygon touches."""

import math

from hypothesis import given
from hypothesis import strategies as st

from longwatch.model.areas import Area, wrong_with
from longwatch.pictures.spans import halved, rows_of


def pixels(rows):
    return {(x, y) for y, first, end in rows for x in range(first, end)}


def test_a_square_is_its_pixels_and_a_border():
    square = Area("a", ((0.25, 0.25), (0.75, 0.25), (0.75, 0.75), (0.25, 0.75)))
    assert pixels(rows_of([square], 16, 16, border=0)) == {(x, y) for x in range(4, 13) for y in range(4, 13)}
    assert pixels(rows_of([square], 16, 16)) == {(x, y) for x in range(2, 15) for y in range(2, 15)}


def test_what_lies_at_the_edge_stays_inside_the_picture():
    whole = Area("a", ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)))
    assert rows_of([whole], 8, 4) == [(y, 0, 8) for y in range(4)]


def test_two_that_overlap_are_one_stretch_a_row():
    left = Area("a", ((0.0, 0.0), (0.6, 0.0), (0.6, 1.0), (0.0, 1.0)))
    right = Area("b", ((0.5, 0.0), (1.0, 0.0), (1.0, 1.0), (0.5, 1.0)))
    assert rows_of([left, right], 10, 2) == [(0, 0, 10), (1, 0, 10)]


def test_colours_of_half_the_size_are_hidden_wherever_a_pixel_is():
    assert halved([(1, 1, 2), (2, 3, 4)]) == [(0, 0, 1), (1, 1, 2)]


triangles = st.lists(
    st.tuples(st.integers(0, 20).map(lambda n: n / 20), st.integers(0, 20).map(lambda n: n / 20)),
    min_size=3,
    max_size=3,
).filter(lambda points: not wrong_with(points))


@given(triangles, st.integers(0, 63), st.integers(0, 47))
def test_no_point_of_a_triangle_is_left_out(points, x, y):
    """Any point inside it, in whatever pixel, is covered."""
    rows = pixels(rows_of([Area("a", tuple(points))], 64, 48, border=0))
    (ax, ay), (bx, by), (cx, cy) = [(px * 64, py * 48) for px, py in points]
    px, py = x + 0.5, y + 0.5
    turns = [
        (bx - ax) * (py - ay) - (by - ay) * (px - ax),
        (cx - bx) * (py - by) - (cy - by) * (px - bx),
        (ax - cx) * (py - cy) - (ay - cy) * (px - cx),
    ]
    if all(turn > 0 for turn in turns) or all(turn < 0 for turn in turns):
        assert (math.floor(px), math.floor(py)) in rows
