"""Hostile files: each is refused or read within 5 s of CPU time and 1 GB, by the header if it can.

Every file is decoded in a process of its own, which is killed after the seconds are used up and
which reports the most memory that it held. The bounds are those of a function of 1,769 MB, which
has one vCPU and which needs the rest for the model and the encoder.
"""

import multiprocessing
import resource
import struct
import sys
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from heif_files import (
    avif_film,
    avif_grid,
    avif_of_a_large_frame,
    avif_of_shared_data,
    avif_of_units,
    heic,
    heic_cropped,
    heic_grid,
    heic_grid_with_profile,
    heic_of_described_pictures,
    heic_of_idle_configuration,
    heic_of_idle_units,
    heic_of_itself,
    heic_of_layers,
    heic_of_shared_exif,
    heic_turned,
    heic_with_alpha,
    heic_with_profile,
    heic_with_two,
)
from PIL import Image

from cutout.errors import CutoutError
from cutout.image.decode import Limits, decode
from image_files import encoded, png_chunk, tiff

MAX_CPU_S = 5
MAX_MEMORY_MB = 1_000
MAX_PIXELS = 50_000_000
PREVIEW_PX = 250_000


def png(
    width: int, height: int, *chunks: bytes, color: int = 0, data: bytes | None = None
) -> bytes:
    """Return a PNG of zeros, or of given rows, with more chunks before them."""
    channels = {0: 1, 2: 3, 6: 4}[color]
    packing = zlib.compressobj(1)
    if data is None:
        row = bytes(1 + width * channels)
        data = b"".join(packing.compress(row) for _ in range(height)) + packing.flush()
    header = struct.pack(">IIBBBBB", width, height, 8, color, 0, 0, 0)
    body = [png_chunk(b"IHDR", header), *chunks, png_chunk(b"IDAT", data), png_chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(body)


def zeros(size: int) -> bytes:
    """Return that many zeros, deflated."""
    packing = zlib.compressobj(1)
    block = bytes(1 << 20)
    return b"".join(packing.compress(block) for _ in range(size >> 20)) + packing.flush()


def exif_of_many_tags(size: int) -> bytes:
    """Return an EXIF block in which each of 60,000 tags claims all of it."""
    entries = b"".join(struct.pack("<HHII", tag, 7, size - 8, 8) for tag in range(60_000))
    block = b"II*\0\x08\0\0\0" + struct.pack("<H", 60_000) + entries + bytes(4)
    return block.ljust(size, b"\0")


def tiff_head(**tags: tuple[int, int, bytes]) -> bytes:
    """Return a TIFF's head: tag (as t256) → type, count, value."""
    entries = b"".join(
        struct.pack("<HHI", int(tag[1:]), kind, count) + value.ljust(4, b"\0")
        for tag, (kind, count, value) in sorted(tags.items())
    )
    return b"II*\0\x08\0\0\0" + struct.pack("<H", len(tags)) + entries + bytes(4)


def number(value: int) -> tuple[int, int, bytes]:
    """Return a tag of one LONG."""
    return 4, 1, struct.pack("<I", value)


def exif_of_one_tag(count: int) -> bytes:
    """Return an EXIF block with the places of so many strips, as numbers of 16 bits."""
    return tiff_head(t273=(3, count, struct.pack("<I", 26))) + b"\x12\x34" * count


def tiff_of_numbers(tag: str, kind: int, size: int) -> bytes:
    """Return a TIFF of 64 x 64 px in which a tag has as many numbers as take so many bytes."""
    number_bytes = {3: 2, 5: 8}[kind]
    tags = {"t256": number(64), "t257": number(64), "t258": number(8), "t262": number(1)}
    start = 8 + 2 + 12 * (len(tags | {tag: b""}) + 2) + 4
    tags |= {tag: (kind, size // number_bytes, struct.pack("<I", start))}
    tags |= {"t273": number(start + size), "t279": number(64 * 64)}
    return tiff_head(**tags) + b"\x12\x34\x56\x78" * (size // 4) + bytes(64 * 64)


def tiff_of_strips(
    width: int, height: int, strip: bytes | None = None, **more: tuple[int, int, bytes]
) -> bytes:
    """Return a grey TIFF of one-row strips, all of which are the same bytes, zeros by default."""
    count = height
    strip = bytes(width) if strip is None else strip
    tags = {"t256": number(width), "t257": number(height), "t258": number(8)}
    tags |= {"t259": number(1), "t262": number(1), "t277": number(1), "t278": number(1)} | more
    start = 8 + 2 + 12 * (len(tags) + 2) + 4
    tags |= {
        "t273": (4, count, struct.pack("<I", start)),
        "t279": (4, count, struct.pack("<I", start + 4 * count)),
    }
    return (
        tiff_head(**tags)
        + struct.pack("<I", start + 8 * count) * count
        + struct.pack("<I", len(strip)) * count
        + strip
    )


def jpeg_behind_junk(size: int) -> bytes:
    """Return a JPEG of 700 x 1 px with so many bytes before its first segment."""
    data = encoded(Image.new("L", (700, 1)), "JPEG")
    return data[:2] + bytes(size) + data[2:]


def deflated_behind_nothing(size: int) -> bytes:
    """Return 700 zeros, deflated, behind so many bytes of stored blocks that hold nothing."""
    whole = zlib.compress(bytes(700))
    return whole[:2] + b"\0\0\0\xff\xff" * (size // 5) + whole[2:]


def tiff_of_tiles(width: int, height: int, side: int) -> bytes:
    """Return a grey TIFF of tiles that are all the same bytes."""
    count = -(-width // side) * -(-height // side)
    tags = {"t256": number(width), "t257": number(height), "t258": number(8)}
    tags |= {"t259": number(1), "t262": number(1), "t277": number(1)}
    tags |= {"t322": number(side), "t323": number(side)}
    start = 8 + 2 + 12 * (len(tags) + 2) + 4
    tags |= {
        "t324": (4, count, struct.pack("<I", start)),
        "t325": (4, count, struct.pack("<I", start + 4 * count)),
    }
    return (
        tiff_head(**tags)
        + struct.pack("<I", start + 8 * count) * count
        + struct.pack("<I", side * side) * count
        + bytes(side * side)
    )


def jpeg_of_scans(count: int) -> bytes:
    """Return a progressive JPEG of four components whose first scan comes many times."""
    data = encoded(Image.new("CMYK", (1000, 1000)), "JPEG", progressive=True, quality=1)
    start = data.index(b"\xff\xda")
    end = data.index(b"\xff", start + 16)
    frame = data.index(b"\xff\xc2")
    data = data[: frame + 5] + struct.pack(">HH", 7000, 7000) + data[frame + 9 :]
    return data[:-2] + data[start : min(end, start + 40)] * count + data[-2:]


def jpeg_with_exif(block: bytes) -> bytes:
    """Return a JPEG whose EXIF block is spread over as many segments as it needs."""
    data = encoded(Image.new("RGB", (64, 64)), "JPEG")
    parts = [block[start : start + 65_000] for start in range(0, len(block), 65_000)]
    segments = (
        b"\xff\xe1" + struct.pack(">H", len(part) + 8) + b"Exif\0\0" + part for part in parts
    )
    return data[:2] + b"".join(segments) + data[2:]


def jpeg_filled(more: bytes) -> bytes:
    """Return a JPEG with more bytes before its end mark."""
    data = encoded(PICTURE, "JPEG")
    return data[:-2] + more + data[-2:]


def webp_with_exif(block: bytes) -> bytes:
    """Return a WebP with such an EXIF block."""
    return encoded(Image.new("RGB", (64, 64)), "WEBP", exif=block, lossless=True)


def webp_with(chunks: bytes) -> bytes:
    """Return an extended WebP with more chunks at its end."""
    data = encoded(PICTURE, "WEBP", exif=b"II*\0" + bytes(10)) + chunks
    return data[:4] + struct.pack("<I", len(data) - 8) + data[8:]


def bmp(width: int, height: int, compression: int, body: bytes) -> bytes:
    """Return a BMP of 8 bits."""
    head = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 8, compression, 0, 0, 0, 2, 0)
    palette = bytes(4) + b"\xff\xff\xff\0"
    start = 14 + len(head) + len(palette)
    return b"BM" + struct.pack("<IHHI", start + len(body), 0, 0, start) + head + palette + body


def gif(width: int, height: int, frames: int) -> bytes:
    """Return a GIF whose frames of 1x1 px follow one of 8x8."""
    head = b"GIF89a" + struct.pack("<HHBBB", width, height, 0x80, 0, 0) + bytes(3) + b"\xff" * 3
    first = encoded(Image.new("L", (8, 8)), "GIF")
    first = first[first.index(b",") : -1]
    frame = b"," + struct.pack("<HHHHB", 0, 0, 1, 1, 0) + b"\x02\x02\x44\x01\0"
    return head + first + frame * frames + b";"


def gif_with(blocks: bytes) -> bytes:
    """Return a GIF with more blocks before its picture."""
    data = gif(8, 8, 0)
    start = data.index(b",")
    return data[:start] + blocks + data[start:]


def apng(frames: int) -> bytes:
    """Return an animated PNG whose frames all cover 4,000 x 4,000 px."""
    control = png_chunk(b"acTL", struct.pack(">II", frames, 0))
    frame = struct.pack(">IIIIIHHBB", 0, 4000, 4000, 0, 0, 1, 1, 0, 0)
    return png(4000, 4000, control, png_chunk(b"fcTL", frame)) + png_chunk(b"fcTL", frame) * frames


def profile_of_elements(kind: bytes, count: int) -> bytes:
    """Return a profile for RGB whose one tag names an element of 3 channels many times."""
    if kind == b"matf":
        body = struct.pack(">12f", 0.5, 0, 0, 0, 0.5, 0, 0, 0, 0.5, 0, 0, 0)
    else:  # three curves, each of one segment
        segment = b"curf" + bytes(4) + struct.pack(">HH", 1, 0)
        segment += b"parf" + bytes(4) + struct.pack(">HH4f", 0, 0, 1, 1, 0, 0)
        body = struct.pack(">6I", *(36, len(segment)) * 3) + segment
    element = kind + bytes(4) + struct.pack(">HH", 3, 3) + body
    place = struct.pack(">II", 16 + 8 * count, len(element))
    tag = b"mpet" + bytes(4) + struct.pack(">HHI", 3, 3, count) + place * count + element
    size = 128 + 4 + 12 + len(tag)
    head = struct.pack(">I4xI4s4s4s12x4s", size, 0x04300000, b"mntr", b"RGB ", b"XYZ ", b"acsp")
    head += bytes(28) + struct.pack(">3I", 0xF6D6, 0x10000, 0xD32D) + bytes(48)
    return head + struct.pack(">I4sII", 1, b"D2B0", 144, len(tag)) + tag


def large_webp() -> bytes:
    """Return a WebP of some bytes whose canvas is the largest there is."""
    data = bytearray(encoded(Image.new("RGBA", (64, 64), (1, 2, 3, 4)), "WEBP", exif=b"Exif\0\0"))
    assert data[12:16] == b"VP8X"
    data[24:30] = b"\xff\x3f\0\xff\x3f\0"
    return bytes(data)


def avif_that_claims(width: int, height: int) -> bytes:
    """Return an AVIF whose property says another size than its data has."""
    data = bytearray(encoded(Image.new("RGB", (64, 64)), "AVIF"))
    place = data.index(b"ispe") + 8
    data[place : place + 8] = struct.pack(">II", width, height)
    return bytes(data)


def avif_with_exif(size: int) -> bytes:
    """Return an AVIF whose EXIF block claims its whole size with each tag."""
    exif = Image.Exif()
    exif[0x010E] = "x" * size
    data = encoded(Image.new("RGB", (64, 64)), "AVIF", exif=exif)
    block = exif.tobytes()[6:]
    assert block in data
    return data.replace(block, exif_of_many_tags(len(block)))


def heic_with_exif(size: int) -> bytes:
    """Return a HEIC whose EXIF block claims its whole size with each tag."""
    exif = Image.Exif()
    exif[0x010E] = "x" * size
    data, block = heic(64, exif=exif.tobytes()), exif.tobytes()[6:]
    assert block in data
    return data.replace(block, exif_of_many_tags(len(block)))


def tiff_of_scans(count: int) -> bytes:
    """Return a TIFF whose one strip is a progressive JPEG of many scans."""
    strip = jpeg_of_scans(count)
    tags = {"t256": number(7000), "t257": number(7000), "t259": number(7), "t262": number(5)}
    tags |= {"t277": number(4), "t278": number(7000), "t279": number(len(strip))}
    start = 8 + 2 + 12 * (len(tags) + 1) + 4
    return tiff_head(**tags, t273=number(start)) + strip


def heic_that_claims(width: int, height: int) -> bytes:
    """Return a HEIC whose property says another size than its data has."""
    data = bytearray(heic(64))
    place = data.index(b"ispe") + 8
    data[place : place + 8] = struct.pack(">II", width, height)
    return bytes(data)


PICTURE = Image.new("RGB", (64, 64), (90, 120, 30))
BOMBS: dict[str, tuple[Callable[[], bytes], str]] = {
    "png: pixels": (lambda: png(65_535, 65_535, data=b""), "image_too_large"),
    "png: a ribbon of 2 x 24,999,999": (lambda: png(2, 24_999_999, data=b""), "image_too_large"),
    "png: a ribbon of 24,999,999 x 2": (lambda: png(24_999_999, 2), "image_too_large"),
    "png: the longest sides": (lambda: png(65_535, 762), "read"),
    "png: 50 MP of RGBA": (lambda: png(8000, 6250, color=6), "read"),
    "png: text of 268 MB": (
        lambda: png(64, 64, png_chunk(b"zTXt", b"a\0\0" + zeros(1 << 28))),
        "read",
    ),
    "png: international text of 268 MB": (
        lambda: png(64, 64, png_chunk(b"iTXt", b"a\0\1\0\0\0" + zeros(1 << 28))),
        "read",
    ),
    "png: a profile of 268 MB": (
        lambda: png(64, 64, png_chunk(b"iCCP", b"a\0\0" + zeros(1 << 28))),
        "read",
    ),
    "png: a profile of 100,000 matrices": (
        lambda: encoded(PICTURE, "PNG", icc_profile=profile_of_elements(b"matf", 100_000)),
        "read",
    ),
    "png: a profile of 20,000 curves": (
        lambda: encoded(PICTURE, "PNG", icc_profile=profile_of_elements(b"cvst", 20_000)),
        "read",
    ),
    "png: EXIF that claims 250 GB": (
        lambda: png(64, 64, png_chunk(b"eXIf", exif_of_many_tags(4_000_000))),
        "read",
    ),
    "png: EXIF of 60 million numbers": (
        lambda: png(64, 64, png_chunk(b"eXIf", exif_of_one_tag(60_000_000))),
        "read",
    ),
    "png: a million chunks": (
        lambda: png(64, 64, png_chunk(b"teXt", b"") * 1_000_000),
        "invalid_image",
    ),
    "png: 100,000 frames": (lambda: apng(100_000), "read"),
    "jpeg: pixels": (lambda: _jpeg_that_claims(65_500, 65_500), "image_too_large"),
    "jpeg: rows that are not there": (lambda: _jpeg_that_claims(7000, 7000), "invalid_image"),
    "jpeg: 50 MP of CMYK": (
        lambda: encoded(Image.new("CMYK", (8000, 6250)), "JPEG", progressive=True),
        "read",
    ),
    "jpeg: 99 scans of four components": (lambda: jpeg_of_scans(99), "invalid_image"),
    "jpeg: 10,000 scans": (lambda: jpeg_of_scans(10_000), "invalid_image"),
    "jpeg: arithmetic coding": (
        lambda: jpeg_of_scans(99).replace(b"\xff\xc2", b"\xff\xca"),
        "unsupported_image_format",
    ),
    "jpeg: a million segments": (
        lambda: b"\xff\xd8" + b"\xff\xfe\0\2" * 1_000_000,
        "invalid_image",
    ),
    "jpeg: EXIF that claims 250 GB": (lambda: jpeg_with_exif(exif_of_many_tags(4_000_000)), "read"),
    "jpeg: 60 MB of fill bytes": (lambda: jpeg_filled(b"\xff" * 60_000_000), "read"),
    "jpeg: 60 MB of pairs of fill bytes": (lambda: jpeg_filled(b"\xff\xff\0" * 20_000_000), "read"),
    "webp: the largest canvas": (large_webp, "image_too_large"),
    "webp: EXIF that claims 60 GB": (lambda: webp_with_exif(exif_of_many_tags(1_000_000)), "read"),
    "webp: eight million chunks": (
        lambda: webp_with(struct.pack("<4sI", b"ABCD", 0) * 8_000_000),
        "invalid_image",
    ),
    "gif: pixels": (lambda: gif(65_535, 65_535, 0), "image_too_large"),
    "gif: 100,000 frames": (lambda: gif(4000, 4000, 100_000), "read"),
    "gif: a frame past the screen": (
        lambda: gif(8, 8, 0).replace(struct.pack("<HHHH", 0, 0, 8, 8), b"\0\0\0\0" + b"\xff" * 4),
        "image_too_large",
    ),
    "gif: a comment of 40 MB in parts of one byte": (
        lambda: gif_with(b"!\xfe" + b"\x01a" * 20_000_000 + b"\0"),
        "invalid_image",
    ),
    "gif: ten million comments": (lambda: gif_with(b"!\xfe\0" * 10_000_000), "invalid_image"),
    "gif: 60 MB of nothing": (lambda: gif_with(bytes(60_000_000)), "read"),
    "bmp: pixels": (lambda: bmp(65_535, 65_535, 0, b""), "image_too_large"),
    "bmp: runs of 49 MP": (lambda: bmp(7000, 7000, 1, b"\0\0" * 500), "image_too_large"),
    "bmp: runs of 8 MP": (lambda: bmp(4000, 2000, 1, b"\1\0\0\0" * 2000), "read"),
    "bmp: a ribbon": (lambda: bmp(2, 20_000_000, 0, b""), "image_too_large"),
    "tiff: pixels": (
        lambda: tiff_of_strips(70, 70, t256=number(1_000_000), t257=number(1_000_000)),
        "image_too_large",
    ),
    "tiff: 2 x 20,000,000 in strips": (lambda: tiff_of_strips(2, 2_000_000), "image_too_large"),
    "tiff: 65,535 strips": (lambda: tiff_of_strips(760, 65_535), "read"),
    "tiff: 65,535 strips of JPEG that share 1 MB": (
        lambda: tiff_of_strips(700, 65_535, jpeg_behind_junk(1_000_000), t259=number(7)),
        "invalid_image",
    ),
    "tiff: 65,535 strips of deflate that share 1 MB": (
        lambda: tiff_of_strips(700, 65_535, deflated_behind_nothing(1_000_000), t259=number(8)),
        "invalid_image",
    ),
    "tiff: 65,535 equal strips": (
        lambda: tiff_of_strips(700, 65_535, zlib.compress(bytes(700)), t259=number(8)),
        "read",
    ),
    "tiff: tiles of 1 x 1": (lambda: tiff_of_tiles(1200, 1000, 1), "invalid_image"),
    "tiff: tiles of 28 x 28": (lambda: tiff_of_tiles(7000, 7000, 28), "read"),
    "tiff: 49 MP of float": (
        lambda: tiff(np.zeros((7000, 7000), np.float32), compression="zlib"),
        "read",
    ),
    "tiff: 49 MP of 32 bit": (
        lambda: tiff(np.zeros((7000, 7000), np.int32), compression="zlib"),
        "read",
    ),
    "tiff: a resolution of 7 million fractions": (
        lambda: tiff_of_numbers("t282", 5, 56_000_000),
        "invalid_image",
    ),
    "tiff: a palette as large as there is": (
        lambda: tiff_of_numbers("t320", 3, 2 * 3 * 65_536),
        "read",
    ),
    "tiff: 60 million strips": (
        lambda: exif_of_one_tag(60_000_000),
        "image_too_small",
    ),
    "tiff: tags that claim 250 GB": (lambda: exif_of_many_tags(4_000_000), "invalid_image"),
    "avif: pixels": (lambda: avif_that_claims(30_000, 30_000), "image_too_large"),
    "avif: a ribbon": (lambda: avif_that_claims(2, 20_000_000), "invalid_image"),
    "avif: scaled up to 49 MP": (lambda: avif_that_claims(7000, 7000), "read"),
    "tiff: JPEG of 10,000 scans": (lambda: tiff_of_scans(10_000), "invalid_image"),
    "avif: a frame of 36 MP that claims 64 x 64": (
        lambda: avif_of_a_large_frame(6000),
        "invalid_image",
    ),
    "avif: a frame that is a little larger": (lambda: avif_of_a_large_frame(128), "read"),
    "avif: tiles that share their data": (avif_of_shared_data, "invalid_image"),
    "avif: four million sequence headers": (
        lambda: avif_of_units(4_000, bytes.fromhex("18623ffff688")),
        "invalid_image",
    ),
    "avif: a film": (lambda: avif_film(64), "read"),
    "avif: a grid of one tile": (lambda: avif_grid(27, 27, 256), "invalid_image"),
    "heic: a grid of 47 MP in 2 kB": (lambda: heic_grid(27, 27, 256), "read"),
    "heic: a grid of 12,100 tiles": (lambda: heic_grid(110, 110, 64), "invalid_image"),
    "heic: a crop of 1 GP in 3 kB": (lambda: heic_cropped(31, 31, 1024), "image_too_large"),
    "heic: a grid of pixels": (lambda: heic_grid(31, 31, 256), "image_too_large"),
    "heic: an alpha plane of 655 MP in 3 kB": (
        lambda: heic_with_alpha(25, 25, 1024),
        "invalid_image",
    ),
    "heic: an alpha plane that is larger": (lambda: heic_with_alpha(8, 8, 1024), "read"),
    "heic: a canvas of 900 MP in 500 B": (
        lambda: heic_of_layers(30_000, 30_000),
        "unsupported_image_format",
    ),
    "heic: 400 layers": (
        lambda: heic_of_layers(7000, 7000, count=400),
        "unsupported_image_format",
    ),
    "heic: 41 MP turned 60 times": (lambda: heic_turned(60), "invalid_image"),
    "heic: 41 MP turned once": (lambda: heic_turned(1), "read"),
    "heic: a million boxes": (
        lambda: heic_grid(1, 1, 64) + struct.pack(">I4s", 8, b"free") * 1_000_000,
        "invalid_image",
    ),
    "heic: a grid of itself": (heic_of_itself, "invalid_image"),
    "heic: two lists of items": (lambda: heic_with_two(b"iinf"), "invalid_image"),
    "heic: two lists of sizes": (lambda: heic_with_two(b"iprp"), "invalid_image"),
    "heic: 400 EXIF blocks that share 4 MB": (
        lambda: heic_of_shared_exif(400, 4_000_000),
        "invalid_image",
    ),
    "heic: 45 pictures that share an EXIF block of 25 MB": (
        lambda: heic_of_described_pictures(45, 25_000_000),
        "invalid_image",
    ),
    "heic: a profile of 3 MB, 100 times": (
        lambda: heic_with_profile(100, 3_000_000),
        "invalid_image",
    ),
    "heic: 192 tiles with one profile of 3 MB": (
        lambda: heic_grid_with_profile(16, 12, 3_000_000),
        "read",
    ),
    "heic: 400 tiles with one profile of 3 MB": (
        lambda: heic_grid_with_profile(20, 20, 3_000_000),
        "invalid_image",
    ),
    "heic: a profile of 3 MB": (lambda: heic_with_profile(1, 3_000_000), "read"),
    "heic: 961 tiles that share 160,000 idle units": (
        lambda: heic_of_idle_units(31, 31, 160_000),
        "invalid_image",
    ),
    "heic: 961 tiles that share 4 arrays of idle units": (
        lambda: heic_of_idle_configuration(31, 31, 4),
        "invalid_image",
    ),
    "heic: EXIF that claims 60 GB": (lambda: heic_with_exif(1_000_000), "read"),
    "avif: EXIF that claims 60 GB": (lambda: avif_with_exif(1_000_000), "read"),
    "heic: pixels": (lambda: heic_that_claims(30_000, 30_000), "image_too_large"),
    "heic: rows that are not there": (lambda: heic_that_claims(7000, 7000), "invalid_image"),
}


def _jpeg_that_claims(width: int, height: int) -> bytes:
    data = bytearray(encoded(Image.new("RGB", (64, 64)), "JPEG"))
    place = data.index(b"\xff\xc0") + 5
    data[place : place + 4] = struct.pack(">HH", height, width)
    return bytes(data)


def _decode_in_child(data: bytes, cap_px: int | None, answer: Any) -> None:
    """Send what decoding ends in, the CPU seconds, and the memory that it took on top, in MB."""
    before = resource.getrusage(resource.RUSAGE_SELF)
    used = round(before.ru_utime + before.ru_stime)
    resource.setrlimit(resource.RLIMIT_CPU, (used + 4 * MAX_CPU_S, used + 4 * MAX_CPU_S))
    resource.setrlimit(resource.RLIMIT_AS, (6 << 30, 6 << 30))
    try:
        decode(data, limits=Limits(max_pixels=MAX_PIXELS), cap_px=cap_px)
        end = "read"
    except CutoutError as error:
        end = error.code
    after = resource.getrusage(resource.RUSAGE_SELF)
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    answer.send((end, seconds, after.ru_maxrss / 1000))


@pytest.mark.skipif(sys.platform != "linux", reason="the limits of memory are Linux's")
@pytest.mark.parametrize("cap_px", [None, PREVIEW_PX], ids=["full", "preview"])
@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb(name: str, cap_px: int | None) -> None:
    """It ends as the table says, within the bounds."""
    build, expected = BOMBS[name]
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["cutout.image.decode"])
    receiver, sender = context.Pipe(duplex=False)
    child = context.Process(target=_decode_in_child, args=(build(), cap_px, sender))
    child.start()
    sender.close()
    try:
        end, seconds, memory_mb = receiver.recv()
    except EOFError:
        pytest.fail("the process was killed: out of time or memory")
    finally:
        child.join()
    sys.stdout.write(f"{name}: {end}, {seconds:.2f} s, {memory_mb:.0f} MB\n")
    assert end == expected
    assert seconds < MAX_CPU_S
    assert memory_mb < MAX_MEMORY_MB
