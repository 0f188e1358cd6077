"""The WebP writer, with libwebp's reader as the judge."""

import io

import numpy as np
import pytest
import skimage.data
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from cutout.image.webp import write_webp
from image_files import encoded

RANDOM = np.random.default_rng(8)


def read(data: bytes) -> NDArray[np.uint8]:
    """Return a WebP's pixels, uint8 (H, W, 4)."""
    with Image.open(io.BytesIO(data)) as image:
        assert image.format == "WEBP"
        return np.asarray(image.convert("RGBA"))


def cutout(width: int, height: int) -> NDArray[np.uint8]:
    """Return a photograph with a soft ellipse as alpha."""
    y, x = np.mgrid[:height, :width]
    distance = np.hypot((x + 0.5) / width - 0.5, (y + 0.5) / height - 0.5)
    alpha = np.clip((0.45 - distance) * 900, 0, 255).astype(np.uint8)
    colours = np.asarray(Image.fromarray(skimage.data.astronaut()).resize((width, height)))
    return np.dstack([colours * (alpha[..., None] > 0), alpha])


@pytest.mark.parametrize(
    "size", [(1, 1), (1, 7), (9, 1), (2, 2), (33, 17), (640, 480), (1501, 1203)], ids=str
)
def test_alpha_is_kept_to_the_bit_and_colours_nearly(size: tuple[int, int]) -> None:
    """At any size, sides of one pixel and of odd lengths too."""
    pixels = cutout(*size)
    shown = read(write_webp(pixels, 90))
    assert np.array_equal(shown[..., 3], pixels[..., 3])
    if min(size) >= 480:  # smaller ones are mostly edge, where colour has half the resolution
        solid = pixels[..., 3] == 255
        assert np.abs(shown[solid, :3].astype(int) - pixels[solid, :3]).mean() < 6


def chunks(data: bytes) -> list[tuple[bytes, bytes]]:
    """Return the names and contents of a WebP's chunks, which fill the file."""
    assert data[:4] + data[8:12] == b"RIFFWEBP"
    assert int.from_bytes(data[4:8], "little") == len(data) - 8
    found, place = [], 12
    while place < len(data):
        end = place + 8 + int.from_bytes(data[place + 4 : place + 8], "little")
        found.append((data[place : place + 4], data[place + 8 : end]))
        assert data[end : end + end % 2] == bytes(end % 2)
        place = end + end % 2
    assert place == len(data)
    return found


@pytest.mark.parametrize("quality", range(80, 96))
def test_what_a_file_says_of_itself(quality: int) -> None:
    """The size, that there is alpha, and the colours as libwebp compresses what is not hidden."""
    pixels = cutout(98, 53)
    pixels[..., 3] = np.maximum(pixels[..., 3], 1)
    (extended, flags), (alpha, stream), (colours, data) = chunks(write_webp(pixels, quality))
    assert [extended, alpha, colours] == [b"VP8X", b"ALPH", b"VP8 "]
    assert flags.hex(" ") == "10 00 00 00 61 00 00 34 00 00"
    assert stream[0] == 0b1101  # the gradient filter, lossless
    theirs = encoded(Image.fromarray(pixels[..., :3]), "WEBP", quality=quality, method=2)
    assert [(b"VP8 ", data)] == chunks(theirs)


@pytest.mark.parametrize("kind", ["noise", "hard", "specks", "clear", "steps"])
def test_any_alpha_is_kept(kind: str) -> None:
    """The prediction wraps round and is clipped; neither may cost a bit."""
    alpha = {
        "noise": RANDOM.integers(0, 256, (300, 400), np.uint8),
        "hard": (RANDOM.random((300, 400)) > 0.5).astype(np.uint8) * 255,
        "clear": np.zeros((300, 400), np.uint8),
        "specks": (RANDOM.random((300, 400)) > 0.99).astype(np.uint8) * 130,
        "steps": np.repeat(np.arange(0, 400, dtype=np.uint16)[None] % 256, 300, 0).astype(np.uint8),
    }[kind]
    pixels = np.dstack([np.full((300, 400, 3), 90, np.uint8), alpha])
    assert np.array_equal(read(write_webp(pixels, 50))[..., 3], alpha)


@pytest.mark.parametrize("size", [(1, 60), (60, 1), (2, 2), (2, 60), (60, 2), (3, 60)], ids=str)
def test_any_alpha_of_a_ribbon_is_kept(size: tuple[int, int]) -> None:
    """There are pixels with both neighbours from two rows and columns on."""
    pixels = RANDOM.integers(0, 256, (*size, 4), np.uint8)
    assert np.array_equal(read(write_webp(pixels, 50))[..., 3], pixels[..., 3])


def test_the_edge_is_as_clean_as_in_the_librarys_own_file() -> None:
    """What is hidden beside it does not spread into it, and does not count."""
    pixels = cutout(800, 600)
    edge = (pixels[..., 3] > 0) & (pixels[..., 3] < 255)
    pixels[pixels[..., 3] == 0] = (0, 255, 0, 0)
    theirs = read(encoded(Image.fromarray(pixels), "WEBP", quality=90, method=2))
    ours = read(write_webp(pixels, 90))
    error, bound = (
        np.square(shown[edge, :3].astype(int) - pixels[edge, :3]).mean() for shown in (ours, theirs)
    )
    assert error < bound


def test_the_pixels_stay_as_they_are() -> None:
    """The cutout may be encoded once more, at another size."""
    pixels = cutout(100, 80)
    before = pixels.copy()
    write_webp(pixels, 90)
    assert np.array_equal(pixels, before)


def test_quality_is_that_of_the_colours() -> None:
    """More of it means more bytes and less error."""
    pixels = cutout(600, 450)
    files = [write_webp(pixels, quality) for quality in (20, 60, 95)]
    assert [len(file) for file in files] == sorted(len(file) for file in files)
    solid = pixels[..., 3] == 255
    errors = [np.abs(read(file)[solid].astype(int) - pixels[solid]).mean() for file in files]
    assert errors == sorted(errors, reverse=True)


def test_it_is_about_as_small_as_the_librarys_own_file() -> None:
    """At most a tenth larger than Pillow's default for the same cutout and quality."""
    pixels = cutout(1600, 1200)
    blurred = Image.fromarray(pixels[..., 3]).filter(ImageFilter.GaussianBlur(2))
    pixels[..., 3] = np.asarray(blurred) * (pixels[..., 3] > 0)
    theirs = encoded(Image.fromarray(pixels), "WEBP", quality=90)
    assert len(write_webp(pixels, 90)) < 1.1 * len(theirs)


def test_a_wide_gradient_is_about_as_small_as_the_librarys_own_file() -> None:
    """It changes everywhere, which runs of 0 do not shorten."""
    pixels = cutout(800, 600)
    y, x = np.mgrid[:600, :800]
    pixels[..., 3] = 128 + 100 * np.sin(x / 50) * np.cos(y / 40)
    theirs = encoded(Image.fromarray(pixels), "WEBP", quality=90)
    assert len(write_webp(pixels, 90)) < 1.1 * len(theirs)


def test_a_busy_alpha_takes_no_more_than_it_must() -> None:
    """Noise takes a byte for each pixel, whoever compresses it; what repeats takes much less."""
    pixels = cutout(1000, 800)
    noise = RANDOM.integers(0, 256, pixels.shape[:2], np.uint8)
    sizes = []
    for alpha in (noise, np.tile(noise[:50, :50], (16, 20))):
        pixels[..., 3] = alpha
        data = write_webp(pixels, 90)
        assert np.array_equal(read(data)[..., 3], alpha)
        sizes.append(len(dict(chunks(data))[b"ALPH"]))
    assert sizes[0] < 1.001 * noise.size
    assert sizes[1] < 0.1 * noise.size


def test_a_part_that_repeats_counts_wherever_it_is() -> None:
    """Here it is at the end of noise: a look at the beginning alone would not find it."""
    pixels = cutout(800, 1600)
    alpha = RANDOM.integers(0, 256, pixels.shape[:2], np.uint8)
    alpha[-85:] = np.tile(alpha[:50, :50], (2, 16))[:85]
    pixels[..., 3] = alpha
    data = write_webp(pixels, 90)
    assert np.array_equal(read(data)[..., 3], alpha)
    assert len(dict(chunks(data))[b"ALPH"]) < 0.96 * alpha.size


def test_the_longest_side() -> None:
    """16,383 px are the format's end."""
    pixels = np.zeros((2, 16_383, 4), np.uint8)
    pixels[:, 5_000:9_000] = (10, 200, 30, 255)
    assert np.array_equal(read(write_webp(pixels, 90))[..., 3], pixels[..., 3])
