"""The writer of WebP's lossless streams, with libwebp's reader as the judge."""

import io
import struct

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from cutout.image.vp8l import lossless_stream

Bytes = NDArray[np.uint8]
RANDOM = np.random.default_rng(14)


def read(stream: bytes, width: int, height: int) -> Bytes:
    """Return the green of a stream's image, uint8 (H, W), behind the header that it leaves out."""
    header = b"\x2f" + struct.pack("<I", (width - 1) | (height - 1) << 14)
    body = header + stream + bytes(len(stream) % 2 == 0)
    chunk = b"VP8L" + struct.pack("<I", len(header + stream)) + body
    file = b"RIFF" + struct.pack("<I", len(chunk) + 4) + b"WEBP" + chunk
    with Image.open(io.BytesIO(file)) as image:
        pixels = np.asarray(image.convert("RGB"))
    assert not pixels[..., [0, 2]].any()
    return pixels[..., 1]


def same(plane: Bytes) -> bool:
    """Tell whether the reader gets back what was written."""
    height, width = plane.shape
    return np.array_equal(read(lossless_stream(plane), width, height), plane)


def runs(*lengths: int) -> Bytes:
    """Return runs of 0 with a 7 behind each, in rows of 1,000, the last one filled with 0."""
    width = 1000
    places = np.cumsum(np.array(lengths) + 1) - 1
    plane = np.zeros((places[-1] // width + 1, width), np.uint8)
    plane.reshape(-1)[places] = 7
    return plane


@pytest.mark.parametrize("value", [0, 1, 2, 255])
@pytest.mark.parametrize("size", [(1, 1), (1, 9), (9, 1), (700, 900)], ids=str)
def test_a_single_value(value: int, size: tuple[int, int]) -> None:
    """A code needs two symbols, of which the second then never occurs."""
    assert same(np.full(size, value, np.uint8))


@pytest.mark.parametrize("length", [*range(1, 12), *range(4094, 4100), *range(8190, 8196)])
def test_runs_at_which_the_way_of_writing_changes(length: int) -> None:
    """Zeros of their own, one copy, and copies of at most 4,096 behind each other."""
    assert same(runs(length, 0, length, 1))
    assert same(runs(*[length] * 50))


def test_runs_of_every_length() -> None:
    """Each prefix of a length, with all of the bits behind it."""
    lengths = RANDOM.permutation(np.repeat([*range(300), 511, 512, 513, 2048, 2049, 3000], 3))
    assert same(runs(*lengths.tolist()))


@pytest.mark.parametrize("share", [1.0, 0.5, 0.01, 0.00001])
def test_noise_on_more_than_one_strip(share: float) -> None:
    """Bits go on across the strips, in which nothing, something or everything is 0."""
    noise = RANDOM.integers(0, 256, (1300, 1700), np.uint8)
    assert same(noise * (RANDOM.random(noise.shape) < share).astype(np.uint8))


def test_codes_are_never_longer_than_the_format_allows() -> None:
    """Counts like Fibonacci's numbers would make Huffman's codes one bit longer with each value."""
    counts = [1, 1]
    while len(counts) < 24:
        counts.append(counts[-1] + counts[-2])
    values = RANDOM.permutation(np.repeat(np.arange(1, len(counts) + 1, dtype=np.uint8), counts))
    assert same(values[: values.size // 400 * 400].reshape(400, -1))


def test_an_empty_plane_takes_next_to_nothing() -> None:
    """A matte without an edge is a few copies of 4,096 pixels."""
    assert len(lossless_stream(np.zeros((3000, 4000), np.uint8))) < 6_000


def test_frequent_values_take_few_bits() -> None:
    """Hardly more than the entropy of the values, counted in all strips together."""
    values = RANDOM.geometric(0.5, (600, 900)).astype(np.uint8)  # Huffman's codes are exact for it
    _, counts = np.unique(values, return_counts=True)
    entropy_bits = -(counts * np.log2(counts / values.size)).sum()
    assert 8 * len(lossless_stream(values)) < 1.005 * entropy_bits + 1_000
