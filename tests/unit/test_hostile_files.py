"""Small files that would cost much, through the whole pipeline: each within 5 s and 1 GB.

What decoding alone refuses or bears is in ``test_bombs``. Each file has a process of its own, whose
time and memory the operating system tells. The time is the processor's, so that a busy machine
changes little.
"""

import resource
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from image_files import encoded, png_chunk, tiff

ROOT = Path(__file__).resolve().parents[2]
MAX_SECONDS, MAX_BYTES = 5.0, 1_000_000_000
# An ordinary picture of 50 MP takes some 3 s of a quiet core, and twice that of a shared one.
WHOLE_SECONDS = 15.0

RUN = """
import resource, sys
import numpy as np
from cutout.errors import CutoutError
from cutout.image.card import ModelCard, Output, Range, Resize
from cutout.image.decode import Limits
from cutout.image.model import Model
from cutout.options import parse_options
from cutout.remover import Remover

card = ModelCard(
    name="half", version="1", file="", sha256="", input_size=32, mean=(0, 0, 0), std=(1, 1, 1),
    resize=Resize.BILINEAR, range=Range.FULL, output=Output.ALPHA, licence="", source="",
)
half = np.zeros((1, 1, 32, 32), np.float32)
half[..., :16] = 1
remover = Remover(Model(card=card, network=lambda _: half), Limits(max_pixels=50_000_000))
options, _ = parse_options([field.split("=") for field in sys.argv[1:]])
data = sys.stdin.buffer.read()
try:
    file = remover.remove(data, options).file
    answer = f"{file.width}x{file.height}"
except CutoutError as error:
    answer = error.code
used = resource.getrusage(resource.RUSAGE_SELF)
print(answer, used.ru_utime + used.ru_stime, used.ru_maxrss * 1024)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hostile:
    """A file, the options it comes with, and what the answer must be: a size or a code."""

    data: Callable[[], bytes]
    answer: str
    options: tuple[str, ...] = ("format=jpg",)
    max_seconds: float = MAX_SECONDS


def png(width: int, height: int, *extra: bytes) -> bytes:
    """Return a black PNG of one channel."""
    deflate = zlib.compressobj(9)
    rows = [deflate.compress(bytes(width + 1)) for _ in range(height)]
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    parts = [png_chunk(extra[0], extra[1])] if extra else []
    data = png_chunk(b"IDAT", b"".join([*rows, deflate.flush()]))
    start = b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", header)
    return b"".join([start, *parts, data, png_chunk(b"IEND", b"")])


def jpeg(width: int, height: int, **settings: Any) -> bytes:
    """Return a grey JPEG."""
    return encoded(Image.new("L", (width, height), 90), "JPEG", **settings)


FILES = {
    "a PNG ribbon": Hostile(data=lambda: png(24_999_999, 2), answer="image_too_large"),
    "a text of 1 GB in a PNG": Hostile(
        data=lambda: png(64, 64, b"zTXt", b"a\0\0" + zlib.compress(bytes(1 << 30), 1)),
        answer="64x64",
    ),
    "a float TIFF of 50 MP": Hostile(
        data=lambda: tiff(
            np.zeros((5000, 10_000), np.float32), compression="zlib", rowsperstrip=5000
        ),
        answer="10000x5000",
        max_seconds=WHOLE_SECONDS,
    ),
    "a JPEG of the longest side": Hostile(
        data=lambda: jpeg(65_500, 760), answer="65500x760", max_seconds=WHOLE_SECONDS
    ),
    "too long for its format": Hostile(
        data=lambda: png(60_000, 800), answer="invalid_format", options=("format=webp",)
    ),
}


@pytest.mark.skipif(sys.platform != "linux", reason="Linux counts the peak of memory in KiB")
@pytest.mark.parametrize("name", FILES)
def test_a_hostile_file_costs_little(name: str) -> None:
    """It is refused before it is decoded, or decoded within the bounds."""
    hostile = FILES[name]
    done = subprocess.run(
        [sys.executable, "-c", RUN, *hostile.options],
        input=hostile.data(),
        cwd=ROOT / "function",
        check=True,
        capture_output=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CPU, (60, 60)),
    )
    answer, seconds, size = done.stdout.split()
    assert answer.decode() == hostile.answer
    assert float(seconds) < hostile.max_seconds
    assert int(size) < MAX_BYTES
