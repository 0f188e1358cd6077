"""Memory that Pillow and numpy share: the same pixels, and no copy where none is needed."""

import io

import numpy as np
import pytest
import skimage.data
from PIL import Image

from cutout.image.decode import Limits, decode
from cutout.image.rgba import behind
from cutout.image.shared import decoded_into, image_giving, image_of, pixels_of
from image_files import encoded, exif_of

RANDOM = np.random.default_rng(3)
WORDS = RANDOM.integers(0, 256, (13, 17, 4), np.uint8)


@pytest.mark.parametrize("shape", [(5, 7), (5, 7, 4)])
def test_an_image_shares_the_memory_of_planes_and_words(shape: tuple[int, ...]) -> None:
    """What is written later shows in the image."""
    pixels = np.zeros(shape, np.uint8)
    image = image_of(pixels)
    pixels[2, 3] = 9
    assert image.getpixel((3, 2)) in {9, (9, 9, 9, 9)}


@pytest.mark.parametrize("view", [np.s_[:, :, :3], np.s_[2:9, 4:11, :3], np.s_[12:, 16:, :3]])
def test_colours_of_words_are_shown_as_those_words(view: tuple[slice, slice, slice]) -> None:
    """A window of a photo as well, whose rows do not follow one another in memory."""
    image = image_of(WORDS[view])
    assert image.mode == "RGBX"
    assert np.array_equal(pixels_of(image), WORDS[view[:2]])


@pytest.mark.parametrize(
    "colours",
    [
        RANDOM.integers(0, 256, (4, 5, 3), np.uint8),
        WORDS[..., 1:],
        WORDS[::2, :, :3],
        WORDS[:, ::-1, :3],
        WORDS.reshape(-1)[: 13 * 17 * 3].reshape(13, 17, 3),
        RANDOM.integers(0, 256, (4, 5, 6), np.uint8)[..., :3],
        np.asarray(Image.fromarray(WORDS[..., :3])),
    ],
    ids=[
        "own memory",
        "other channels",
        "every other row",
        "mirrored",
        "packed",
        "of six",
        "Pillow's",
    ],
)
def test_other_colours_are_copied(colours: np.ndarray) -> None:
    """They are not the first three bytes of words that lie side by side."""
    assert behind(colours) is None
    assert np.array_equal(pixels_of(image_of(colours))[..., :3], colours)


@pytest.mark.parametrize("channels", [3, 4])
def test_an_encoder_is_given_the_memory_itself(channels: int) -> None:
    """It makes the file that Pillow's own image of the pixels gives; a window is copied."""
    pixels = RANDOM.integers(0, 256, (31, 43, channels), np.uint8)
    assert np.shares_memory(np.asarray(image_giving(pixels).tobytes("raw", "RGB")), pixels)
    for view in (pixels, pixels[3:20, 4:30]):
        assert encoded(image_giving(view), "AVIF") == encoded(Image.fromarray(view), "AVIF")


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
@pytest.mark.parametrize("pillow_format", ["PNG", "WEBP", "AVIF", "BMP"])
def test_a_file_is_decoded_into_words(pillow_format: str, mode: str) -> None:
    """They have what Pillow itself decodes."""
    settings = {"lossless": True} if pillow_format == "WEBP" else {}
    data = encoded(_cat(mode), pillow_format, **settings)
    with Image.open(io.BytesIO(data)) as image:
        words = decoded_into(image)
        image.load()
        channels = len(image.getbands())
    with Image.open(io.BytesIO(data)) as image:
        assert np.array_equal(words[..., :channels], np.asarray(image))


@pytest.mark.parametrize("pillow_format", ["JPEG", "PNG", "WEBP", "AVIF", "BMP", "TIFF", "GIF"])
@pytest.mark.parametrize("orientation", [1, 6])
def test_a_photo_is_a_view_of_words(pillow_format: str, orientation: int) -> None:
    """Whatever its format is, and upright too, what follows copies it word by word."""
    data = encoded(_cat("RGB"), pillow_format, exif=exif_of(orientation))
    photo = decode(data, limits=Limits(max_pixels=1_000_000))
    words = behind(photo.pixels)
    assert words is not None
    assert words.shape == (photo.height, photo.width, 4)


def _cat(mode: str) -> Image.Image:
    image = Image.fromarray(skimage.data.chelsea())
    if mode == "RGBA":
        image.putalpha(image.getchannel("G"))
    return image
