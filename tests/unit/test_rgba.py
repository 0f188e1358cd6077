"""Colours and alpha in one array, word by word: the same bytes as channel by channel."""

from contextlib import suppress

import numpy as np
import pytest

from cutout.image.rgba import clear, hidden_color, joined, packed, picked, put, repeated, replace

RANDOM = np.random.default_rng(5)


@pytest.mark.parametrize(
    "size", [(1, 1), (1, 2), (2, 1), (7, 5), (1100, 1001), (1, 70_001)], ids=str
)
@pytest.mark.parametrize("alpha", ["plane", "value"])
def test_joined_is_what_two_assignments_give(size: tuple[int, int], alpha: str) -> None:
    """The last pixel too, and in photos of several strips."""
    colours = RANDOM.integers(0, 256, (*size, 3), np.uint8)
    opacity = RANDOM.integers(0, 256, size, np.uint8) if alpha == "plane" else 200
    expected = np.empty((*size, 4), np.uint8)
    expected[..., :3], expected[..., 3] = colours, opacity
    assert np.array_equal(joined(colours, opacity), expected)


@pytest.mark.parametrize("size", [(1, 1), (1, 2), (7, 5), (1100, 1001), (1, 2_200_001)], ids=str)
def test_packed_colours_lie_in_the_pixels_memory(size: tuple[int, int]) -> None:
    """While the block runs, even if it fails: afterwards every pixel is as before."""
    colours = RANDOM.integers(0, 256, (*size, 3), np.uint8)
    pixels = joined(colours, 255)
    before = pixels.copy()
    with suppress(KeyError), packed(pixels) as found:
        assert np.array_equal(found, colours)
        assert found.flags.c_contiguous
        assert np.shares_memory(found, pixels)
        raise KeyError
    assert np.array_equal(pixels, before)


def test_a_window_of_a_photo_is_joined() -> None:
    """Its rows do not follow one another in memory."""
    colours = RANDOM.integers(0, 256, (40, 50, 3), np.uint8)[3:30, 5:28]
    pixels = joined(colours, 9)
    assert np.array_equal(pixels[..., :3], colours)
    assert (pixels[..., 3] == 9).all()


def test_clear_takes_the_colour_of_transparent_pixels_alone() -> None:
    """A faint pixel keeps its colour."""
    pixels = np.array([[[1, 2, 3, 0], [4, 5, 6, 1], [7, 8, 9, 255]]], np.uint8)
    clear(pixels)
    assert pixels.tolist() == [[[0, 0, 0, 0], [4, 5, 6, 1], [7, 8, 9, 255]]]


@pytest.mark.parametrize("size", [(2, 3), (1100, 1001)], ids=str)
def test_the_colour_of_all_that_is_hidden(size: tuple[int, int]) -> None:
    """None where there are two, however far from each other, or where nothing is hidden."""
    pixels = RANDOM.integers(1, 256, (*size, 4), np.uint8)
    assert hidden_color(pixels) is None
    pixels[-1, -1] = (9, 8, 7, 0)
    found = hidden_color(pixels)
    assert found is not None
    assert found.tolist() == [9, 8, 7, 0]
    pixels[0, 0] = (9, 8, 7, 1)  # another pixel of that colour is seen
    assert hidden_color(pixels) is not None
    pixels[0, 1] = (9, 8, 6, 0)
    assert hidden_color(pixels) is None


def test_replace_copies_whole_pixels() -> None:
    """Others stay."""
    pixels, others = np.zeros((1, 2, 4), np.uint8), np.array([[[9, 8, 7, 6], [1, 1, 1, 1]]])
    replace(pixels, np.array([[True, False]]), others.astype(np.uint8))
    assert pixels.tolist() == [[[9, 8, 7, 6], [0, 0, 0, 0]]]


@pytest.mark.parametrize("size", [(20, 28), (17, 28), (20, 25), (18, 26)], ids=str)
def test_repeated_makes_a_square_of_each_pixel(size: tuple[int, int]) -> None:
    """Of a part of an array, and the last squares are cut off where they reach too far."""
    cells = RANDOM.integers(0, 256, (8, 9, 4), np.uint8)[2:7, 1:8]
    down, across = (np.arange(side) // 4 for side in size)
    found = repeated(cells, 4, *size)
    assert np.array_equal(found, cells[np.ix_(down, across)])
    assert found.flags.c_contiguous


def test_what_is_picked_is_put_back_where_it_was() -> None:
    """Of a part of a photo, in the order of its rows."""
    whole = RANDOM.integers(0, 256, (9, 11, 4), np.uint8)
    pixels, before = whole[2:7, 3:9], whole.copy()
    where = pixels[..., 0] > 100
    row = picked(pixels, where)
    assert np.array_equal(row[0], pixels[where])
    put(pixels, where, 255 - row)
    expected = before[2:7, 3:9].copy()
    expected[where] = 255 - expected[where]
    assert np.array_equal(pixels, expected)
    before[2:7, 3:9] = expected
    assert np.array_equal(whole, before)
