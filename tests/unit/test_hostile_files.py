"""Small files that would cost much: each answered within 5 s and 1 GB, at the deployment's limits.

Every file goes through the whole pipeline in a process of its own, whose time and memory are taken
from the operating system. The time is the processor's, so a busy machine changes nothing.
"""

import io
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
import tifffile
from numpy.typing import NDArray
from PIL import Image

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


def png(width: int, height: int, *extra: bytes, pixels: bool = True) -> bytes:
    """Return a black PNG of one channel."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        checksum = struct.pack(">I", zlib.crc32(kind + body))
        return struct.pack(">I", len(body)) + kind + body + checksum

    deflate = zlib.compressobj(9)
    rows = [deflate.compress(bytes(width + 1)) for _ in range(height if pixels else 0)]
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    parts = [chunk(extra[0], extra[1])] if extra else []
    data = chunk(b"IDAT", b"".join([*rows, deflate.flush()]))
    start = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header)
    return b"".join([start, *parts, data, chunk(b"IEND", b"")])


def tiff(pixels: NDArray[Any], **settings: Any) -> bytes:
    """Return a deflated TIFF."""
    with io.BytesIO() as file:
        tifffile.imwrite(file, pixels, compression="zlib", **settings)
        return file.getvalue()


def tiff_of_parts(width: int, height: int, parts: int, *, big: bool) -> bytes:
    """Return the directory of a TIFF that lists so many tiles of 1x1 px, and the lists."""
    offset_kind, size = (16, 8) if big else (4, 4)
    tags = [(256, 4, 1, width), (257, 4, 1, height), (258, 3, 1, 8), (259, 3, 1, 1)]
    tags += [(262, 3, 1, 1), (277, 3, 1, 1), (322, 4, 1, 1), (323, 4, 1, 1)]
    entry, head = ("<HHQQ", 16) if big else ("<HHII", 8)
    behind = head + (8 if big else 2) + 10 * (20 if big else 12) + 8
    tags += [(324, offset_kind, parts, behind), (325, offset_kind, parts, behind + parts * size)]
    start = (
        struct.pack("<2sHHHQ", b"II", 43, 8, 0, 16) if big else struct.pack("<2sHI", b"II", 42, 8)
    )
    count = struct.pack("<Q" if big else "<H", len(tags))
    directory = b"".join(struct.pack(entry, *tag) for tag in tags)
    return start + count + directory + bytes(8) + bytes(parts * size * 2)


def jpeg(width: int, height: int, **settings: Any) -> bytes:
    """Return a grey JPEG."""
    with io.BytesIO() as file:
        Image.new("L", (width, height), 90).save(file, "JPEG", **settings)
        return file.getvalue()


def jpeg_of_scans(width: int, height: int, scans: int) -> bytes:
    """Return a progressive JPEG whose last scan is repeated."""
    data = jpeg(width, height, progressive=True)
    return data[:-2] + data[data.rindex(b"\xff\xda") : -2] * scans + data[-2:]


def arithmetic_jpeg() -> bytes:
    """Return the header of a progressive JPEG with arithmetic coding, four components, 99 scans."""
    frame = struct.pack(">HHBHHB", 0xFFCA, 20, 8, 7000, 7000, 4)
    frame += b"".join(bytes((number, 0x11, 0)) for number in range(1, 5))
    scan = b"\xff\xda\x00\x0e\x04\x01\x00\x02\x00\x03\x00\x04\x00\x00\x3f\x00\x00"
    return b"\xff\xd8" + frame + scan * 99 + b"\xff\xd9"


def rle_bmp(width: int, height: int) -> bytes:
    """Return a BMP whose run lengths draw nothing."""
    palette, pixels = bytes(1024), b"\x00\x01"
    header = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 8, 1, len(pixels), 0, 0, 256, 0)
    size = 14 + len(header) + len(palette) + len(pixels)
    return struct.pack("<2sIHHI", b"BM", size, 0, 0, size - 2) + header + palette + pixels


def gif_of_frames(frames: int) -> bytes:
    """Return a GIF of many small frames."""
    with io.BytesIO() as file:
        Image.new("P", (40, 40), 1).save(file, "GIF")
        data = file.getvalue()
    first = data.index(b",")
    return data[:first] + data[first:-1] * frames + data[-1:]


FILES = {
    "a PNG ribbon": Hostile(data=lambda: png(24_999_999, 2), answer="image_too_large"),
    "a PNG ribbon, capped": Hostile(
        data=lambda: png(2, 24_999_999, pixels=False),
        answer="image_too_large",
        options=("size=preview",),
    ),
    "a PNG of 2³¹ px a side": Hostile(
        data=lambda: png(0x7FFFFFFF, 0x7FFFFFFF, pixels=False), answer="image_too_large"
    ),
    "a text of 1 GB in a PNG": Hostile(
        data=lambda: png(64, 64, b"zTXt", b"a\0\0" + zlib.compress(bytes(1 << 30), 1)),
        answer="64x64",
    ),
    "a profile of 1 GB in a PNG": Hostile(
        data=lambda: png(64, 64, b"iCCP", b"a\0\0" + zlib.compress(bytes(1 << 30), 1)),
        answer="64x64",
    ),
    "a black PNG of 50 MP": Hostile(
        data=lambda: png(10_000, 5000), answer="10000x5000", max_seconds=WHOLE_SECONDS
    ),
    "a float TIFF of 50 MP": Hostile(
        data=lambda: tiff(np.zeros((5000, 10_000), np.float32), rowsperstrip=5000),
        answer="10000x5000",
        max_seconds=WHOLE_SECONDS,
    ),
    "a 16 bit TIFF of 50 MP": Hostile(
        data=lambda: tiff(np.zeros((5000, 10_000), np.uint16)),
        answer="10000x5000",
        max_seconds=WHOLE_SECONDS,
    ),
    "a TIFF of 3 million tiles": Hostile(
        data=lambda: tiff_of_parts(2000, 1500, 3_000_000, big=False), answer="invalid_image"
    ),
    "a BigTIFF of 2 million tiles": Hostile(
        data=lambda: tiff_of_parts(2000, 1000, 2_000_000, big=True), answer="invalid_image"
    ),
    "a TIFF of strips of one row": Hostile(
        data=lambda: tiff(np.zeros((60_000, 2), np.uint8), rowsperstrip=1), answer="2x60000"
    ),
    "a JPEG of 1,000 scans": Hostile(
        data=lambda: jpeg_of_scans(3000, 3000, 1000), answer="invalid_image"
    ),
    "a JPEG of 60 scans": Hostile(data=lambda: jpeg_of_scans(3000, 3000, 60), answer="3000x3000"),
    "an arithmetic JPEG": Hostile(data=arithmetic_jpeg, answer="unsupported_image_format"),
    "a JPEG of the longest side": Hostile(
        data=lambda: jpeg(65_500, 760), answer="65500x760", max_seconds=WHOLE_SECONDS
    ),
    "a BMP of run lengths": Hostile(data=lambda: rle_bmp(10_000, 5000), answer="image_too_large"),
    "a BMP of run lengths that are not there": Hostile(
        data=lambda: rle_bmp(3000, 2600), answer="invalid_image"
    ),
    "a GIF of 100,000 frames": Hostile(data=lambda: gif_of_frames(100_000), answer="40x40"),
    "too long for its format": Hostile(
        data=lambda: png(60_000, 800), answer="invalid_format", options=("format=webp",)
    ),
}


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
