"""What a removal takes for each pixel: ``MAX_PIXELS`` is bounded by it and the memory there is."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cutout.settings import read_settings
from image_files import encoded

ROOT = Path(__file__).parents[2]
PHOTO = ROOT / "tests" / "data" / "photo.jpg"
SIZES = ((1600, 1250), (3200, 2500))
"""Of a photo and of one four times as large. What both take is no pixel's."""
MEASURE = """
import re, sys
sys.path.insert(0, sys.argv[1])
import app
from cutout.options import parse_options

options = parse_options([pair.split("=") for pair in sys.argv[2].split("&")])[0]
for size in map(int, sys.argv[3:]):
    app.remover.remove(sys.stdin.buffer.read(size), options)
    # Not getrusage: its maximum begins with that of the process which started this one.
    (peak_kib,) = re.findall(r"VmHWM:\\s+([0-9]+) kB", open("/proc/self/status").read())
    print("measured", peak_kib)
"""


def files(pixels: np.ndarray, pillow_format: str) -> list[bytes]:
    """Return the pixels, uint8 (H, W, C), as the files of both sizes."""
    parts = (pixels[:height, :width] for width, height in SIZES)
    return [encoded(Image.fromarray(part), pillow_format) for part in parts]


def bytes_per_pixel(data: list[bytes], query: str) -> float:
    """Return by how much the peak of a process grows from the smaller photo to the larger one."""
    sizes = [str(len(file)) for file in data]
    finished = subprocess.run(
        [sys.executable, "-c", MEASURE, str(ROOT / "function"), query, *sizes],
        input=b"".join(data),
        env={"MALLOC_MMAP_THRESHOLD_": str(1 << 20)},  # glibc gives back what is freed, at any size
        capture_output=True,
        check=True,
    )
    lines = finished.stdout.decode().splitlines()
    small, large = (int(line.split()[1]) for line in lines if line.startswith("measured"))
    (width, height), (larger_width, larger_height) = SIZES
    return (large - small) * 1024 / (larger_width * larger_height - width * height)


def promised() -> float:
    """Return the bytes of memory that the settings count for each pixel."""
    most = [
        read_settings(
            {"AWS_LAMBDA_FUNCTION_MEMORY_SIZE": memory_mb, "MAX_PIXELS": "200000000"}
        ).max_pixels
        for memory_mb in ("1000", "2000")
    ]
    return 1000 * 2**20 / (most[1] - most[0])


pytestmark = pytest.mark.skipif(
    not Path("/proc/self/status").exists(), reason="reads the peak from /proc"
)


@pytest.mark.parametrize("background", ["bg_blur=0", "bg_color=navy"])
def test_an_avif_with_a_background(background: str) -> None:
    """The encoder takes most of that, so that there is no room for a copy of the picture."""
    with Image.open(PHOTO) as photo:
        picture = photo.resize(SIZES[1], Image.Resampling.BICUBIC)
    picture.putalpha(Image.radial_gradient("L").resize(SIZES[1]))
    data = files(np.asarray(picture), "PNG")
    assert bytes_per_pixel(data, f"format=avif&input_alpha=keep&{background}") < promised()


def test_a_webp_of_noise() -> None:
    """In its alpha, too, where libwebp alone would take 33 bytes."""
    noise = np.random.default_rng(6).integers(0, 256, (*SIZES[1][::-1], 4), np.uint8)
    data = files(noise, "TIFF")
    assert bytes_per_pixel(data, "format=webp&input_alpha=keep") < promised()
