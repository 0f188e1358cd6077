"""The GIF writer, with Pillow's reader and its median cut as judges."""

import io

import numpy as np
import pytest
import skimage.data
from numpy.typing import NDArray
from PIL import Image

from cutout.image.gif import write_gif
from image_files import encoded

Bytes = NDArray[np.uint8]


def read(data: bytes) -> Bytes:
    """Return a GIF's pixels, uint8 (H, W, 3), all of them opaque."""
    with Image.open(io.BytesIO(data)) as image:
        assert image.format == "GIF"
        assert "transparency" not in image.info
        return np.asarray(image.convert("RGB"))


def opaque(colours: Bytes) -> Bytes:
    """Return uint8 (H, W, 3) as (H, W, 4)."""
    return np.dstack([colours, np.full(colours.shape[:2], 255, np.uint8)])


def photograph(name: str) -> Bytes:
    """Return one of scikit-image's photographs, uint8 (H, W, 3)."""
    pixels: Bytes = getattr(skimage.data, name)()
    return pixels


def on_plain(name: str, colour: tuple[int, int, int]) -> Bytes:
    """Return a photograph whose outer half is one colour."""
    pixels = photograph(name).copy()
    height, width = pixels.shape[:2]
    is_inner = np.zeros((height, width), np.bool_)
    is_inner[height // 6 : -height // 6, width // 6 : -width // 6] = True
    pixels[~is_inner] = colour
    return pixels


def error(found: Bytes, truth: Bytes) -> float:
    """Return the mean squared error."""
    return float(np.square(found.astype(int) - truth).mean())


@pytest.mark.parametrize("name", ["astronaut", "coffee", "chelsea", "rocket"])
def test_a_photograph_has_less_error_than_the_median_cut_leaves(name: str) -> None:
    """Both have 256 colours and no dither."""
    pixels = photograph(name)
    bound = error(read(encoded(Image.fromarray(pixels), "GIF")), pixels)
    assert error(read(write_gif(opaque(pixels))), pixels) < bound


@pytest.mark.parametrize("name", ["astronaut", "coffee", "chelsea", "rocket"])
def test_on_a_plain_background_it_has_four_fifths_of_that_error(name: str) -> None:
    """At most: the colours that are far from the others are chosen first."""
    pixels = on_plain(name, (255, 255, 255))
    bound = 0.8 * error(read(encoded(Image.fromarray(pixels), "GIF")), pixels)
    assert error(read(write_gif(opaque(pixels))), pixels) < bound


@pytest.mark.parametrize("size", [(64, 63), (33, 21)], ids=str)
def test_a_small_photograph_is_its_own_sample(size: tuple[int, int]) -> None:
    """Of an odd or even number of pixels, in more colours than a GIF can have."""
    pixels = np.asarray(Image.fromarray(photograph("coffee")).resize(size))
    assert np.square(read(write_gif(opaque(pixels))).astype(int) - pixels).mean() < 10


def test_it_is_one_picture() -> None:
    """Without a film's times, and as large as the picture."""
    data = write_gif(opaque(photograph("coffee")))
    assert data[:10] == b"GIF87a" + (600).to_bytes(2, "little") + (400).to_bytes(2, "little")
    with Image.open(io.BytesIO(data)) as image:
        assert {"duration", "loop", "transparency"}.isdisjoint(image.info)
        with pytest.raises(EOFError):
            image.seek(1)


@pytest.mark.parametrize("colour", [(255, 255, 255), (254, 253, 255), (0, 0, 0), (86, 50, 37)])
def test_a_plain_background_keeps_its_colour_exactly(colour: tuple[int, int, int]) -> None:
    """However near the photograph's own colours are to it."""
    pixels = on_plain("coffee", colour)
    plain = (pixels == colour).all(axis=2)
    assert (read(write_gif(opaque(pixels)))[plain] == colour).all()


@pytest.mark.parametrize(("plain", "other"), [(101, 100), (100, 101)])
@pytest.mark.parametrize("every", [5, 20, 100])
def test_a_plain_background_keeps_its_colour_beside_its_neighbour(
    plain: int, other: int, every: int
) -> None:
    """A part of the photograph has the next colour."""
    pixels = photograph("astronaut").copy()
    height, width = pixels.shape[:2]
    pixels[: height // 2] = plain
    pixels.reshape(-1, 3)[-(height * width // every) :] = other
    found = read(write_gif(opaque(pixels)))
    assert (found[: height // 2] == plain).all()


@pytest.mark.parametrize("count", [1, 2, 255, 256])
@pytest.mark.parametrize("size", [(1, 1), (1, 700), (400, 300)], ids=str)
def test_few_colours_are_kept_exactly(count: int, size: tuple[int, int]) -> None:
    """As many as a GIF can have, near to each other and rare as they may be."""
    random = np.random.default_rng(count)
    pixels = random.permutation(256)[:count].astype(np.uint8)[random.integers(0, count, size)]
    pixels = np.dstack([pixels, pixels // 2, 255 - pixels])
    assert np.array_equal(read(write_gif(opaque(pixels))), pixels)


def test_256_colours_that_are_far_from_each_other_are_kept_exactly() -> None:
    """None of them shares anything with another."""
    levels = np.arange(256)
    colours = np.stack([levels % 8 * 36, levels // 8 % 8 * 36, levels // 64 * 85], axis=1)
    pixels = np.random.default_rng(5).permutation(np.repeat(colours, 30, axis=0)).astype(np.uint8)
    pixels = pixels.reshape(96, -1, 3)
    assert np.array_equal(read(write_gif(opaque(pixels))), pixels)


@pytest.mark.parametrize("name", ["astronaut", "coffee"])
def test_a_pixel_gets_the_nearest_of_the_256(name: str) -> None:
    """Or one as near to the middle of its cell of 2³ colours, which is within √3/2 of the pixel."""
    pixels = photograph(name)[::4, ::4]
    shown = read(write_gif(opaque(pixels))).reshape(-1, 3).astype(float)
    palette, truth = np.unique(shown, axis=0), pixels.reshape(-1, 3).astype(float)
    nearest = np.stack([np.square(truth - colour).sum(axis=1) for colour in palette]).min(axis=0)
    found = np.square(truth - shown).sum(axis=1)
    assert (np.sqrt(found) <= np.sqrt(nearest) + 3**0.5 + 1e-9).all()


@pytest.mark.parametrize("step", [2, 3, 10, 16])
def test_a_pattern_hides_from_no_sample(step: int) -> None:
    """A colour of which every few columns consist is not missed."""
    pixels = np.ascontiguousarray(photograph("coffee"))
    pixels[:, 1::step] = (250, 0, 250)
    assert (read(write_gif(opaque(pixels)))[:, 1::step] == (250, 0, 250)).all()


def test_the_same_pixels_give_the_same_bytes() -> None:
    """Nothing is left to chance."""
    pixels = opaque(photograph("rocket"))
    assert write_gif(pixels) == write_gif(pixels)
