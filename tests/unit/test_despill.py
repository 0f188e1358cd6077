"""The green light of a screen: taken from where it fell, and from nowhere else."""

import tracemalloc

import numpy as np
import pytest
from numpy.typing import NDArray

from cutout.image.compose import compose
from cutout.image.composite import quantized
from cutout.image.decode import Photo
from cutout.image.despill import remove_green_spill
from cutout.image.matte import Matte
from cutout.options import Format, Options

SCREEN = (0, 177, 64)  # chroma green
LEAVES = (70, 93, 60)
HEIGHT, WIDTH = 400, 600
INSIDE = (slice(100, 300), slice(150, 450))


def drawn(
    background: tuple[int, int, int], subject: tuple[int, int, int]
) -> tuple[Photo, Matte, NDArray[np.uint8]]:
    """Return a rectangle on a plain background, its matte, and a copy of its colours."""
    pixels = np.full((HEIGHT, WIDTH, 3), background, np.uint8)
    alpha = np.zeros((HEIGHT, WIDTH), np.float32)
    pixels[INSIDE], alpha[INSIDE] = subject, 1
    return Photo(pixels=pixels, alpha=None), Matte(alpha=quantized(alpha)), pixels.copy()


def test_green_is_limited_by_the_larger_of_red_and_blue_along_the_edge() -> None:
    """In full at the edge, less within the band, not at all behind it; red and blue stay."""
    photo, matte, colours = drawn(SCREEN, (120, 160, 90))
    remove_green_spill(colours, photo, matte)
    row = colours[200, 150:450]
    assert (row[:3] == (120, 120, 90)).all()
    assert (row[-3:] == (120, 120, 90)).all()
    assert (row[20:-20] == (120, 160, 90)).all()
    greens = row[:21, 1].astype(int)
    assert (np.diff(greens) >= 0).all()
    assert (colours[..., 0] == photo.pixels[..., 0]).all()
    assert (colours[..., 2] == photo.pixels[..., 2]).all()


@pytest.mark.parametrize(
    "subject", [(200, 180, 20), (20, 180, 200), (90, 90, 90), (255, 255, 255), (0, 0, 0)]
)
def test_colours_without_spill_stay(subject: tuple[int, int, int]) -> None:
    """Yellow, cyan, grey: green is not above both others."""
    photo, matte, colours = drawn(SCREEN, subject)
    remove_green_spill(colours, photo, matte)
    assert np.array_equal(colours[INSIDE], photo.pixels[INSIDE])


@pytest.mark.parametrize("background", [LEAVES, (255, 255, 255), (200, 30, 30), (30, 60, 200)])
def test_without_a_green_screen_nothing_changes(background: tuple[int, int, int]) -> None:
    """A green coat before leaves, paper or sky is green."""
    photo, matte, colours = drawn(background, (20, 160, 60))
    remove_green_spill(colours, photo, matte)
    assert np.array_equal(colours, photo.pixels)


def test_a_dim_screen_counts_in_part() -> None:
    """Between leaves and a screen half of the spill is taken."""
    photo, matte, colours = drawn((40, 76, 40), (100, 140, 100))
    remove_green_spill(colours, photo, matte)
    assert tuple(colours[200, 150]) == (100, 120, 100)


def test_the_photos_border_is_not_an_edge() -> None:
    """A subject that the photo cuts off has no screen there."""
    photo, matte, colours = drawn(SCREEN, (120, 160, 90))
    photo.pixels[:, :300], matte.alpha[:, :300], colours[:, :300] = (
        (120, 160, 90),
        255,
        (120, 160, 90),
    )
    remove_green_spill(colours, photo, matte)
    assert (colours[:, :130] == (120, 160, 90)).all()


@pytest.mark.parametrize("clean_edges", [True, False])
def test_despill_adds_to_clean_edges(clean_edges: bool) -> None:
    """Only green changes, alpha stays, and the photo itself is not written to."""
    photo, matte, before = drawn(SCREEN, (120, 160, 90))
    matte.alpha[100, 150:450] = 128
    plain = compose(photo, matte, Options(clean_edges=clean_edges)).pixels
    clean = compose(photo, matte, Options(clean_edges=clean_edges, despill=True)).pixels
    assert np.array_equal(photo.pixels, before)
    assert np.array_equal(clean[..., [0, 2, 3]], plain[..., [0, 2, 3]])
    assert (plain[102, 200:400, 1] == 160).all()
    assert (clean[102, 200:400, 1] == 120).all()
    spill = clean[..., 1].astype(int) - clean[..., [0, 2]].max(axis=2)
    assert spill[100, 200:400].max() <= 0
    assert not clean[clean[..., 3] == 0].any()


def test_false_is_the_default_and_changes_nothing() -> None:
    """BackgroundErase's integrations send false with every call."""
    photo, matte, _ = drawn(SCREEN, (120, 160, 90))
    default = compose(photo, matte, Options()).pixels
    assert np.array_equal(default, compose(photo, matte, Options(despill=False)).pixels)
    assert (default[INSIDE][..., 1] == 160).all()


def test_the_colours_of_a_zip_are_despilled_before_they_are_spread() -> None:
    """color.jpg shows no green around the subject either."""
    photo, matte, _ = drawn(SCREEN, (120, 160, 90))
    pixels = compose(photo, matte, Options(format=Format.ZIP, despill=True)).pixels
    assert 118 <= pixels[200, 140, 1] <= 130


@pytest.mark.parametrize("size", [(2, 2), (2, 3000), (3000, 2), (1, 1)], ids=str)
def test_small_and_narrow_photos(size: tuple[int, int]) -> None:
    """Nothing leaves its plane."""
    pixels = np.full((*size, 3), SCREEN, np.uint8)
    alpha = np.zeros(size, np.float32)
    alpha[: size[0] // 2 + 1, : size[1] // 2 + 1] = 1
    colours = pixels.copy()
    remove_green_spill(colours, Photo(pixels=pixels, alpha=None), Matte(alpha=quantized(alpha)))
    assert colours.shape == pixels.shape


def test_12_megapixels_need_little_memory() -> None:
    """The colours are changed in place."""
    pixels = np.full((3000, 4000, 3), SCREEN, np.uint8)
    alpha = np.zeros((3000, 4000), np.float32)
    alpha[1000:2000, 1000:3000] = 1
    colours, matte = pixels.copy(), Matte(alpha=quantized(alpha))
    tracemalloc.start()
    remove_green_spill(colours, Photo(pixels=pixels, alpha=None), matte)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 20_000_000
