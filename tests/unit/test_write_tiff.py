"""Pixels → TIFF: others read exactly what was written."""

import io

import numpy as np
import pytest
import skimage.data
import tifffile
from PIL import Image

from cutout.image.write_tiff import write_tiff

ASTRONAUT = skimage.data.astronaut()
SIZES = [(512, 512), (1, 1), (3, 500), (500, 3), (2, 70_000), (70_000, 2), (301, 203)]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("channels", [3, 4])
def test_other_readers_see_the_same_pixels(size: tuple[int, int], channels: int) -> None:
    """Pillow with libtiff, and tifffile, which has a parser of its own."""
    rng = np.random.default_rng(size[0] + channels)
    pixels = rng.integers(0, 256, (*size, channels), np.uint8)
    file = write_tiff(pixels)
    assert (tifffile.imread(io.BytesIO(file)).reshape(pixels.shape) == pixels).all()
    with Image.open(io.BytesIO(file)) as image:
        assert image.mode == ("RGB" if channels == 3 else "RGBA")
        assert (np.asarray(image) == pixels).all()


def test_what_a_file_says_of_itself() -> None:
    """Straight alpha, several strips, and nothing of the photo's origin."""
    pixels = np.dstack([ASTRONAUT, ASTRONAUT[..., 0]])
    large = np.tile(pixels, (2, 2, 1))
    with tifffile.TiffFile(io.BytesIO(write_tiff(large))) as file:
        (page,) = file.pages
        assert isinstance(page, tifffile.TiffPage)
        assert page.extrasamples == (tifffile.EXTRASAMPLE.UNASSALPHA,)
        assert page.compression == tifffile.COMPRESSION.ADOBE_DEFLATE
        assert len(page.dataoffsets) == 4  # of 256 rows each
        assert {tag.code for tag in page.tags} == {
            *(256, 257, 258, 259, 262, 273, 277, 278, 279, 284, 317, 338)
        }


def test_the_pixels_are_left_as_they_are() -> None:
    """Also where they are a part of an array."""
    pixels = ASTRONAUT.copy()
    write_tiff(pixels)
    write_tiff(pixels[:, 100:200])
    assert (pixels == ASTRONAUT).all()


def test_a_photograph_is_smaller_than_by_libtiff() -> None:
    """Though the work is done in a fraction of the time."""
    with io.BytesIO() as file:
        Image.fromarray(ASTRONAUT).save(file, "TIFF", compression="tiff_adobe_deflate")
        assert len(write_tiff(ASTRONAUT)) < len(file.getvalue())
