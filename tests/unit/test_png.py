"""The PNG writer, with Pillow's reader as the judge."""

import io
import shutil
import struct
import subprocess
import tracemalloc
import zlib
from pathlib import Path

import numpy as np
import pytest
import skimage.data
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from cutout.image.png import write_png
from image_files import encoded

ASTRONAUT = Image.fromarray(skimage.data.astronaut())
PNGCHECK = shutil.which("pngcheck")
MODES = {1: "L", 3: "RGB", 4: "RGBA"}


def read(data: bytes) -> tuple[str, NDArray[np.uint8]]:
    """Return the mode and the pixels, (H, W, C), of a PNG."""
    with Image.open(io.BytesIO(data)) as image:
        pixels = np.asarray(image)
        return image.mode, pixels.reshape(*pixels.shape[:2], -1)


def photo(width: int, height: int, channels: int) -> NDArray[np.uint8]:
    """Return a photograph; its alpha is a disc."""
    pixels = np.asarray(ASTRONAUT.resize((width, height)))
    y, x = np.mgrid[:height, :width]
    disc = np.hypot(x / width - 0.5, y / height - 0.5) < 0.4
    alpha = np.where(disc, 255, 0).astype(np.uint8)
    return np.dstack([pixels * disc[..., None], alpha])[
        ..., {1: slice(3, 4)}.get(channels, slice(channels))
    ]


@pytest.mark.parametrize("channels", MODES)
@pytest.mark.parametrize("size", [(1, 1), (1, 300), (300, 1), (257, 129), (1400, 900)], ids=str)
def test_pillow_reads_the_pixels_that_were_written(size: tuple[int, int], channels: int) -> None:
    """In each mode, from one pixel to many strips."""
    pixels = photo(*size, channels)
    mode, found = read(write_png(pixels))
    assert mode == MODES[channels]
    np.testing.assert_array_equal(found, pixels)


@given(
    width=st.integers(1, 70),
    height=st.integers(1, 70),
    channels=st.sampled_from(list(MODES)),
    seed=st.integers(0, 1 << 30),
    spread=st.sampled_from([0, 3, 255]),
)
def test_any_pixels_come_back(
    width: int, height: int, channels: int, seed: int, spread: int
) -> None:
    """Flat, smooth and random ones, whatever filter is chosen."""
    random = np.random.default_rng(seed)
    slope = np.add.outer(np.arange(height), np.arange(width) * 3)[..., None]
    pixels = (slope + random.integers(0, spread + 1, (height, width, channels))).astype(np.uint8)
    np.testing.assert_array_equal(read(write_png(pixels))[1], pixels)


def test_a_view_of_three_of_four_channels_is_written_without_a_copy_of_it() -> None:
    """An opaque result is written as RGB, strip by strip."""
    pixels = np.ascontiguousarray(photo(3000, 2000, 4))
    tracemalloc.start()
    data = write_png(pixels[..., :3])
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    np.testing.assert_array_equal(read(data)[1], pixels[..., :3])
    assert peak < 2.2 * len(data) + 4_000_000  # parts and whole; the pixels themselves are 18 MB


@pytest.mark.parametrize("axis", [0, 1])
def test_the_filter_follows_the_picture(axis: int) -> None:
    """Stripes in either direction are almost nothing once the right neighbour is subtracted."""
    line = np.random.default_rng(1).integers(0, 256, 1000, dtype=np.uint8)
    stripes = np.stack([line] * 1000, axis=axis)[..., None]
    assert len(write_png(stripes)) < 20_000


@pytest.mark.parametrize("channels", [3, 4])
def test_a_photograph_is_about_as_small_as_with_zlib(channels: int) -> None:
    """At most a sixth larger than Pillow's with run lengths, which take six times as long."""
    noise = np.random.default_rng(2).normal(0, 3, (900, 1400, channels))
    pixels = np.clip(photo(1400, 900, channels) + noise, 0, 255).astype(np.uint8)
    theirs = encoded(Image.fromarray(pixels), compress_level=1, compress_type=zlib.Z_RLE)
    assert len(write_png(pixels)) < len(theirs) * 7 / 6


def test_its_chunks_are_those_of_the_standard() -> None:
    """Header, data in parts, end; each with its length and checksum; no metadata."""
    data = write_png(photo(1400, 900, 4))
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    kinds, place = [], 8
    while place < len(data):
        (length,) = struct.unpack_from(">I", data, place)
        kind, body = data[place + 4 : place + 8], data[place + 8 : place + 8 + length]
        assert struct.unpack_from(">I", data, place + 8 + length) == (zlib.crc32(kind + body),)
        kinds.append(kind)
        place += 12 + length
    assert place == len(data)
    assert kinds == [b"IHDR", *[b"IDAT"] * (len(kinds) - 2), b"IEND"]
    assert len(kinds) > 4


@pytest.mark.skipif(PNGCHECK is None, reason="pngcheck is not installed")
@pytest.mark.parametrize("channels", MODES)
def test_pngcheck_finds_nothing(channels: int, tmp_path: Path) -> None:
    """It checks what readers do not look at, such as the window size in the zlib header."""
    file = tmp_path / "cutout.png"
    file.write_bytes(write_png(photo(700, 500, channels)))
    done = subprocess.run([str(PNGCHECK), "-v", file], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    assert "No errors detected" in done.stdout
