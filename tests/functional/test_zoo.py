"""A zoo of images through the real handler: each gives a picture or a refusal of the contract."""

import itertools
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pillow_heif
import pytest
import skimage.data
from client import Client
from PIL import Image

from image_files import encoded

pillow_heif.register_heif_opener()

CAT = Image.fromarray(skimage.data.chelsea())
ALLOWED = {400, 413, 415}
MODES = ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "I", "I;16", "F", "LAB", "HSV")
FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "HEIF")
SIZES = ((2, 2), (3, 2), (5, 500), (333, 257))


def in_mode(image: Image.Image, mode: str) -> Image.Image:
    """Return the picture in one of Pillow's modes."""
    if mode == "I;16":
        return Image.fromarray(np.asarray(image.convert("L")).astype(np.uint16) * 257)
    return image.convert("L").convert(mode) if mode in {"I", "F"} else image.convert(mode)


def files(image: Image.Image) -> Iterator[tuple[str, bytes]]:
    """Yield the picture in every mode and format that Pillow can write."""
    for mode, pillow_format in itertools.product(MODES, FORMATS):
        try:
            with warnings.catch_warnings():  # pillow_heif writes by a method of Pillow's past
                warnings.simplefilter("ignore", DeprecationWarning)
                data = encoded(in_mode(image, mode), pillow_format)
        except (OSError, ValueError, KeyError):
            continue
        yield f"{mode} {pillow_format}", data


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_every_mode_and_format_at_odd_sizes(client: Client, size: tuple[int, int]) -> None:
    """From 2 x 2 on; the result has the input's size."""
    seen = 0
    for name, data in files(CAT.resize(size)):
        reply = client.post("/v2?format=webp", body=data, content_type="image/x-wrong")
        assert reply.status == 200, (name, reply.body)
        assert (reply.headers["x-width"], reply.headers["x-height"]) == (str(size[0]), str(size[1]))
        seen += 1
    assert seen > 40


@pytest.mark.parametrize(
    "size", [(2, 20_000), (20_000, 2), (3, 65_535), (65_535, 2), (40_000, 40)], ids=str
)
def test_extreme_shapes(client: Client, size: tuple[int, int]) -> None:
    """Ribbons, in a format that holds them."""
    reply = client.post("/v2", body=encoded(CAT.resize(size)), content_type="image/png")
    assert reply.status == 200
    assert (reply.headers["x-width"], reply.headers["x-height"]) == (str(size[0]), str(size[1]))


@pytest.mark.parametrize("pillow_format", FORMATS)
def test_truncated_at_every_tenth(client: Client, pillow_format: str) -> None:
    """A picture that is not all there is the caller's fault, and never ours."""
    data = encoded(CAT, pillow_format)
    for tenth in range(10):
        reply = client.post("/v2", body=data[: len(data) * tenth // 10], content_type="image/png")
        assert reply.status in ALLOWED
        assert reply.error()["code"] in {"invalid_image", "unsupported_image_format"}


MEASURE = """
import re, sys
sys.path[:0] = sys.argv[2:]
import app
from client import Client

data = sys.stdin.buffer.read()
reply = Client(app.http_handler).post(
    "/v2?format=" + sys.argv[1], body=data, content_type="image/jpeg"
)
# Not getrusage: its maximum begins with that of the process which started this one.
(peak_kib,) = re.findall(r"VmHWM:\\s+([0-9]+) kB", open("/proc/self/status").read())
print("measured", reply.status, peak_kib)
"""


@pytest.fixture(scope="module")
def large() -> Image.Image:
    """Return a photo of 25 MP."""
    return CAT.resize((5760, 4340), Image.Resampling.BICUBIC)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads the peak from /proc")
@pytest.mark.parametrize(
    ("source", "result", "status"),
    [
        ("JPEG", "jpg", 200),
        ("JPEG", "png", 413),
        ("WEBP", "webp", 200),
        ("AVIF", "zip", 200),
        ("JPEG", "jpg&bg_blur=1&scale=80%25&shadow_type=drop&roi=1%25+1%25+99%25+99%25", 200),
    ],
)
def test_25_megapixels_stay_under_a_gigabyte(
    large: Image.Image, source: str, result: str, status: int
) -> None:
    """The whole process, its libraries and the model included, from header to reply."""
    data = encoded(large, source, quality=70)
    root = Path(__file__).parents[2]
    folders = [root / part for part in ("function", "events/local", "tests", "tests/functional")]
    finished = subprocess.run(
        [sys.executable, "-c", MEASURE, result, *map(str, folders)],
        input=data,
        env={"KEYS_CHECKED_BY": "gateway"},
        capture_output=True,
        check=True,
    )
    lines = finished.stdout.decode().splitlines()
    _, answered, peak_kib = next(line for line in lines if line.startswith("measured")).split()
    assert int(answered) == status
    assert int(peak_kib) * 1024 < 1_000_000_000
