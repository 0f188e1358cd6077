"""Photo pixels and network cells: no conversion may leave its plane."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cutout.image.tiles import matching

CELLS = 352  # the sides of the networks that ship or can be added: 320, 352 and 1024
SIDES = range(16, 4201)


@pytest.mark.parametrize("cells", [320, CELLS, 1024])
def test_the_end_of_one_side_is_the_end_of_the_other(cells: int) -> None:
    """For every side of a photo from 16 to 4,200 px, in both directions, rounded out or not."""
    for side in SIDES:
        assert matching(0, cells, side) == matching(0, side, cells) == 0
        assert math.ceil(matching(cells, cells, side)) == side
        assert matching(side, side, cells) == cells


def test_a_window_in_a_photo_is_a_window_in_its_cells() -> None:
    """Rounded out to whole pixels it holds its cells, and back again it stays within them."""
    for side in SIDES:
        for first, last in ((0.0, 40.4), (311.6, 352.0), (100.2, 250.8)):
            start = math.floor(matching(first, CELLS, side))
            stop = math.ceil(matching(last, CELLS, side))
            assert 0 <= start < stop <= side
            left, right = matching(start, side, CELLS), matching(stop, side, CELLS)
            assert 0 <= left <= first + 1e-9
            assert last - 1e-9 <= right <= CELLS


@given(st.floats(-1e9, 1e9), st.integers(2, 1 << 26), st.integers(1, 2048))
def test_a_place_outside_counts_as_the_nearest_end(place: float, side: int, cells: int) -> None:
    """A margin around a subject at the edge is cut off there."""
    inside = min(max(place, 0), side)
    assert 0 <= matching(place, side, cells) <= cells
    assert matching(place, side, cells) == matching(inside, side, cells)
