"""The TIFF writer, judged by two readers that are not ours: Pillow (libtiff) and tifffile."""

import io

import numpy as np
import pytest
import skimage.data
import tifffile
from PIL import Image

from cutout.image.tiff_file import write_tiff
from image_files import encoded

RANDOM = np.random.default_rng(8)


@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize(
    "size", [(1, 1), (1, 2), (3, 1), (37, 53), (700, 500), (2, 70_001), (70_001, 1)], ids=str
)
def test_readers_get_the_same_pixels(size: tuple[int, int], channels: int) -> None:
    """Noise in one strip and in many, of sides that are odd and longer than a strip."""
    pixels = RANDOM.integers(0, 256, (*size, channels), np.uint8)
    data = write_tiff(pixels)
    with Image.open(io.BytesIO(data)) as image:
        assert image.mode == ("RGBA" if channels == 4 else "RGB")
        assert np.array_equal(np.asarray(image), pixels)
    read = tifffile.imread(io.BytesIO(data)).reshape(pixels.shape)
    assert np.array_equal(read, pixels)


def test_a_view_of_words_is_written_as_its_colours() -> None:
    """As the encoder hands over a cutout that is opaque."""
    words = RANDOM.integers(0, 256, (40, 50, 4), np.uint8)
    with Image.open(io.BytesIO(write_tiff(words[..., :3]))) as image:
        assert np.array_equal(np.asarray(image), words[..., :3])


def test_alpha_is_straight() -> None:
    """Not premultiplied: its tag says so, and no reader divides the colours."""
    with tifffile.TiffFile(io.BytesIO(write_tiff(np.zeros((2, 2, 4), np.uint8)))) as file:
        assert file.pages.first.extrasamples == (tifffile.EXTRASAMPLE.UNASSALPHA,)
        assert len(file.pages) == 1


def test_what_a_file_says_of_itself() -> None:
    """Several strips, and nothing of the photo's origin."""
    pixels = np.tile(skimage.data.astronaut(), (2, 2, 1))
    with tifffile.TiffFile(io.BytesIO(write_tiff(pixels))) as file:
        page = file.pages.first
        assert page.compression == tifffile.COMPRESSION.ADOBE_DEFLATE
        assert len(page.dataoffsets) == 16  # of 64 rows each
        assert {tag.code for tag in page.tags} == {
            *(256, 257, 258, 259, 262, 273, 277, 278, 279, 282, 283, 284, 296, 317)
        }


def test_the_pixels_are_left_as_they_are() -> None:
    """Also where they are a part of an array."""
    before = skimage.data.astronaut()
    pixels = before.copy()
    write_tiff(pixels)
    write_tiff(pixels[:, 100:200])
    assert np.array_equal(pixels, before)


def test_a_photograph_takes_fewer_bytes_than_libtiffs_deflate() -> None:
    """Of differences less is left than of the samples themselves."""
    pixels = skimage.data.astronaut()
    theirs = encoded(Image.fromarray(pixels), "TIFF", compression="tiff_adobe_deflate")
    assert len(write_tiff(pixels)) < 0.9 * len(theirs)
